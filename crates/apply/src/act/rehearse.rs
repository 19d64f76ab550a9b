//! Trying rules in a network of their own: the files, the listing of what they made, and the way back.
//!
//! Nothing of it reaches the machine's own network. The kernel judges the files there as it would here, so
//! that what it refuses is refused before anything is touched.

use surefoot_host::Interface;
use surefoot_journal::{content_diff, run_program};
use surefoot_sys::NetworkNamespace;

use super::tools::{PATIENCE, RuleTools, RunTool, read_state};
use crate::error::ApplyError;
use crate::loader::RuleFile;
use crate::steps::steps_to;
use crate::units::{RuleState, UnitKey};

/// What the files make of the rules in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsal {
    /// All rules as they would be.
    pub after: RuleState,
    /// What changes.
    pub changed: Vec<UnitKey>,
}

/// Loads the rules in force in a network of their own, then the files, in their order, then goes back and
/// forth once by the steps that the change and its way back will take.
pub fn rehearse(
    tools: &RuleTools,
    before: &RuleState,
    files: &[RuleFile],
    interfaces: &[Interface],
) -> Result<Rehearsal, ApplyError> {
    let network = NetworkNamespace::new().map_err(|source| ApplyError::NoRehearsal { source })?;
    std::thread::scope(|scope| {
        let work = || {
            network
                .enter()
                .map_err(|source| ApplyError::NoRehearsal { source })?;
            rehearse_here(tools, before, files, interfaces)
        };
        let thread = scope.spawn(work);
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// What files make where there are no rules yet, as when the machine starts.
pub fn loaded_alone(
    tools: &RuleTools,
    files: &[RuleFile],
    interfaces: &[Interface],
) -> Result<RuleState, ApplyError> {
    let empty = RuleState::default();
    rehearse(tools, &empty, files, interfaces).map(|rehearsal| rehearsal.after)
}

fn rehearse_here(
    tools: &RuleTools,
    before: &RuleState,
    files: &[RuleFile],
    interfaces: &[Interface],
) -> Result<Rehearsal, ApplyError> {
    let run: RunTool<'_> = &|words, input| run_program(words, input, PATIENCE);
    let go_to = |state: &RuleState, keys: &[UnitKey]| {
        let sets = tools.set_names(run)?;
        tools.run_steps(&steps_to(state, keys, tools.has_nft(), &sets), run)?;
        read_state(tools, run)
    };
    let texts = before.units.iter().map(|unit| unit.text.as_str());
    if texts
        .chain(files.iter().map(|file| file.text.as_str()))
        .any(names_devices)
    {
        make_interfaces(interfaces, run);
    }
    let keys: Vec<UnitKey> = before.units.iter().map(|unit| unit.key.clone()).collect();
    let begun = go_to(before, &keys).map_err(|source| ApplyError::NotLoadedAgain { source })?;
    for file in files {
        let load = || {
            let words = tools.file_words(file.origin, file.is_json)?;
            match file.origin {
                // A set that is there is replaced, as a table is.
                surefoot_host::RulesOrigin::Ipset => {
                    let listing = [(file.origin, file.text.clone())].into();
                    let wanted = RuleState::of_listings(&listing);
                    let keys: Vec<UnitKey> =
                        wanted.units.iter().map(|unit| unit.key.clone()).collect();
                    go_to(&wanted, &keys).map(drop)
                }
                _ => run(&words, file.text.as_bytes()).map(drop),
            }
        };
        load().map_err(|source| ApplyError::FileRefused {
            file: file.name.clone(),
            source,
        })?;
    }
    let made = read_state(tools, run)?;
    let changed = begun.changed_units(&made);
    let after = before.with_units_of(&made, &changed);
    let back = go_to(before, &changed).map_err(|source| ApplyError::NotLoadedAgain { source })?;
    if let Some((unit, diff)) = difference(before, &back, &changed) {
        return Err(ApplyError::NotPutBack { unit, diff });
    }
    let again = go_to(&after, &changed)?;
    if let Some((unit, diff)) = difference(&after, &again, &changed) {
        return Err(ApplyError::NotLoadedAsListed { unit, diff });
    }
    Ok(Rehearsal { after, changed })
}

/// The first of these units that differs, with the difference.
fn difference(wanted: &RuleState, there: &RuleState, keys: &[UnitKey]) -> Option<(String, String)> {
    let differs = |key: &&UnitKey| wanted.normal(key) != there.normal(key);
    let key = keys.iter().find(differs)?;
    let text = |state: &RuleState| state.normal(key).unwrap_or_default().into_bytes();
    let name = key.to_string();
    let diff = content_diff(&name, Some(&text(wanted)), Some(&text(there)));
    Some((name, diff))
}

/// Whether a text may name interfaces that must be there, as nft turns their names into numbers.
fn names_devices(text: &str) -> bool {
    ["iif ", "oif ", "device", "\"iif\"", "\"oif\"", "\"dev\""]
        .iter()
        .any(|word| text.contains(word))
}

/// Makes interfaces with the names and numbers of the machine's, which carry nothing. What cannot be made is
/// missed by the rule that names it.
fn make_interfaces(interfaces: &[Interface], run: RunTool<'_>) {
    for interface in interfaces
        .iter()
        .filter(|interface| !interface.is_loopback())
    {
        for kind in ["dummy", "bridge"] {
            let index = interface.index.to_string();
            let words = [
                "ip",
                "link",
                "add",
                "name",
                &interface.name,
                "index",
                &index,
                "type",
                kind,
            ];
            if run(&words.map(str::to_owned), b"").is_ok() {
                break;
            }
        }
    }
}
