//! The programs that bring rules to a state, and what each is told. No I/O.
//!
//! Sets come first and go last, as rules name them. Each step is one transaction of its mechanism, except
//! that iptables commits table by table. Every step may run again.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use surefoot_host::RulesOrigin;

use crate::units::{RuleState, UnitKey, builtin_chains, nft_name_of};

/// The name of the set that is filled before it takes another's place.
const SPARE_SET: &str = "surefoot-spare";

/// A program to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadStep {
    /// Whose rules it loads.
    pub origin: RulesOrigin,
    /// What it reads.
    pub input: String,
}

/// What brings these units from whatever they are to what they are in a state. `has_nft` says whether nft
/// can remove tables, `sets` names the sets of ipset that are there.
pub fn steps_to(
    target: &RuleState,
    keys: &[UnitKey],
    has_nft: bool,
    sets: &BTreeSet<String>,
) -> Vec<LoadStep> {
    let mut steps = Vec::new();
    let mut push = |origin, input: String| {
        if !input.is_empty() {
            steps.push(LoadStep { origin, input });
        }
    };
    push(RulesOrigin::Ipset, fill_sets(target, keys, sets));
    let mut nft = String::new();
    for origin in [
        RulesOrigin::IptablesLegacy,
        RulesOrigin::Ip6tablesLegacy,
        RulesOrigin::IptablesNft,
        RulesOrigin::Ip6tablesNft,
    ] {
        let mut text = String::new();
        for key in keys.iter().filter(|key| key.origin == origin) {
            match (target.unit(key), nft_name_of(key)) {
                (Some(unit), Some(name)) => {
                    text.push_str(&in_place(&unit.text));
                    let absent = builtin_chains(&key.name)
                        .iter()
                        .filter(|chain| has_nft && !has_chain(&unit.text, chain));
                    for chain in absent {
                        text = with_open_chain(&text, chain);
                        let _ =
                            writeln!(nft, "add chain {name} {chain}\ndelete chain {name} {chain}");
                    }
                }
                (Some(unit), None) => text.push_str(&unit.text),
                (None, Some(name)) if has_nft => remove_table(&mut nft, &name),
                (None, Some(_)) => text.push_str(&in_place(&empty_table(&key.name))),
                (None, None) => text.push_str(&empty_table(&key.name)),
            }
        }
        push(origin, text);
    }
    let of_nft = |key: &&UnitKey| key.origin == RulesOrigin::Nft;
    for key in keys.iter().filter(of_nft) {
        remove_table(&mut nft, &key.name);
    }
    // In the order of the state: of chains at one place the kernel calls the older first.
    for unit in &target.units {
        if unit.key.origin == RulesOrigin::Nft && keys.contains(&unit.key) {
            nft.push_str(&unit.text);
        }
    }
    push(RulesOrigin::Nft, nft);
    push(RulesOrigin::Ipset, remove_sets(target, keys, sets));
    steps
}

/// What empties a table of nft's and fills it again, in one piece. A table that is replaced would move behind
/// the others, and of chains at one place the kernel calls the older first.
fn in_place(text: &str) -> String {
    match text.split_once('\n') {
        Some((head, rest)) => format!("{head}\n-F\n-X\n{rest}"),
        None => text.to_owned(),
    }
}

fn has_chain(text: &str, chain: &str) -> bool {
    let opening = format!(":{chain} ");
    text.lines().any(|line| line.starts_with(&opening))
}

/// The last table of a text with one more chain, which accepts.
fn with_open_chain(text: &str, chain: &str) -> String {
    match text.rsplit_once("-X\n") {
        Some((head, rest)) => format!("{head}-X\n:{chain} ACCEPT [0:0]\n{rest}"),
        None => text.to_owned(),
    }
}

/// Removes a table, whether it is there or not.
fn remove_table(script: &mut String, name: &str) {
    let _ = writeln!(script, "add table {name}\ndelete table {name}");
}

fn empty_table(name: &str) -> String {
    let mut text = format!("*{name}\n");
    for chain in builtin_chains(name) {
        let _ = writeln!(text, ":{chain} ACCEPT [0:0]");
    }
    text.push_str("COMMIT\n");
    text
}

/// Makes sets that are not there; fills a spare one for those that are, and exchanges the two.
fn fill_sets(target: &RuleState, keys: &[UnitKey], sets: &BTreeSet<String>) -> String {
    let mut script = String::new();
    for unit in &target.units {
        let key = &unit.key;
        if key.origin != RulesOrigin::Ipset || !keys.contains(key) {
            continue;
        }
        if !sets.contains(&key.name) {
            script.push_str(&unit.text);
            continue;
        }
        if sets.contains(SPARE_SET) {
            let _ = writeln!(script, "destroy {SPARE_SET}");
        }
        for line in unit.text.lines() {
            let mut words = line.splitn(3, ' ');
            let verb = words.next().unwrap_or_default();
            let rest = words.nth(1).unwrap_or_default();
            let _ = writeln!(script, "{verb} {SPARE_SET} {rest}");
        }
        let _ = writeln!(script, "swap {SPARE_SET} {}\ndestroy {SPARE_SET}", key.name);
    }
    script
}

fn remove_sets(target: &RuleState, keys: &[UnitKey], sets: &BTreeSet<String>) -> String {
    let mut script = String::new();
    // A list of sets is younger than its members.
    for key in keys.iter().rev() {
        let is_gone = key.origin == RulesOrigin::Ipset && target.unit(key).is_none();
        if is_gone && sets.contains(&key.name) {
            let _ = writeln!(script, "destroy {}", key.name);
        }
    }
    script
}
