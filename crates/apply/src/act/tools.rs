//! The programs that print and load rules, and asking them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use surefoot_host::{RulesOrigin, find_program};
use surefoot_journal::{JournalError, run_program};
use surefoot_ruleset::model::Backend;

use crate::devices::without_refused_lines;
use crate::error::ApplyError;
use crate::steps::LoadStep;
use crate::units::RuleState;

/// How long a program that prints or loads rules may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// How long iptables waits for another iptables, in seconds.
const LOCK_WAIT: &str = "10";

/// How often rules are loaded with more and more lines left out.
const MOST_TRIES: usize = 8;

/// Runs a program with an input.
pub(super) type RunTool<'a> = &'a dyn Fn(&[String], &[u8]) -> Result<Vec<u8>, JournalError>;

/// The programs of the mechanisms that are in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleTools {
    programs: BTreeMap<RulesOrigin, ToolPair>,
}

/// What prints the rules of a mechanism, and what loads them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ToolPair {
    save: PathBuf,
    load: PathBuf,
}

/// A mechanism's programs by their names.
struct ToolNames {
    save: &'static str,
    load: &'static str,
    /// What they are called where there is but one backend.
    generic: Option<(&'static str, &'static str)>,
}

fn names_of(origin: RulesOrigin) -> ToolNames {
    let names = |save, load, generic| ToolNames {
        save,
        load,
        generic,
    };
    match origin {
        RulesOrigin::IptablesLegacy => names(
            "iptables-legacy-save",
            "iptables-legacy-restore",
            Some(("iptables-save", "iptables-restore")),
        ),
        RulesOrigin::Ip6tablesLegacy => names(
            "ip6tables-legacy-save",
            "ip6tables-legacy-restore",
            Some(("ip6tables-save", "ip6tables-restore")),
        ),
        RulesOrigin::IptablesNft => names("iptables-nft-save", "iptables-nft-restore", None),
        RulesOrigin::Ip6tablesNft => names("ip6tables-nft-save", "ip6tables-nft-restore", None),
        RulesOrigin::Nft => names("nft", "nft", None),
        RulesOrigin::Ipset => names("ipset", "ipset", None),
    }
}

impl RuleTools {
    /// Finds the programs of these mechanisms. Those of nft belong together: what iptables makes there, nft
    /// prints and removes.
    pub fn find(wanted: &BTreeSet<RulesOrigin>) -> Result<Self, ApplyError> {
        const OF_NFT: [RulesOrigin; 3] = [
            RulesOrigin::IptablesNft,
            RulesOrigin::Ip6tablesNft,
            RulesOrigin::Nft,
        ];
        let mut programs = BTreeMap::new();
        for origin in wanted {
            let Some(pair) = find_pair(*origin) else {
                let names = names_of(*origin);
                return Err(ApplyError::NoProgram {
                    program: names.load,
                    what: match origin {
                        RulesOrigin::Nft => "nft's tables".to_owned(),
                        RulesOrigin::Ipset => "sets".to_owned(),
                        _ => "iptables' tables".to_owned(),
                    },
                });
            };
            programs.insert(*origin, pair);
        }
        if OF_NFT.iter().any(|origin| wanted.contains(origin)) {
            for origin in OF_NFT {
                if let Some(pair) = find_pair(origin) {
                    programs.insert(origin, pair);
                }
            }
        }
        Ok(Self { programs })
    }

    /// The backend that the plain `iptables-restore` belongs to.
    pub fn usual_backend() -> Backend {
        let program = find_program("iptables-restore").and_then(|path| path.canonicalize().ok());
        let name = program
            .as_deref()
            .and_then(Path::file_name)
            .unwrap_or_default();
        if name.to_string_lossy().contains("nft") {
            Backend::IptablesNft
        } else {
            Backend::IptablesLegacy
        }
    }

    pub(super) fn has_nft(&self) -> bool {
        self.programs.contains_key(&RulesOrigin::Nft)
    }

    /// What prints the rules of a mechanism.
    fn save_words(&self, origin: RulesOrigin) -> Option<Vec<String>> {
        let arguments: &[&str] = match origin {
            RulesOrigin::Nft => &["list", "ruleset"],
            RulesOrigin::Ipset => &["save"],
            _ => &["-c"],
        };
        let pair = self.programs.get(&origin)?;
        Some(words(&pair.save, arguments))
    }

    /// What loads a step.
    pub(super) fn load_words(&self, origin: RulesOrigin) -> Result<Vec<String>, JournalError> {
        let arguments: &[&str] = match origin {
            RulesOrigin::Nft => &["-f", "-"],
            RulesOrigin::Ipset => &["restore"],
            RulesOrigin::IptablesNft | RulesOrigin::Ip6tablesNft => {
                &["--counters", "--noflush", "-w", LOCK_WAIT]
            }
            _ => &["--counters", "-w", LOCK_WAIT],
        };
        self.loader(origin, arguments)
    }

    /// What loads a file of the user's.
    pub(super) fn file_words(
        &self,
        origin: RulesOrigin,
        is_json: bool,
    ) -> Result<Vec<String>, JournalError> {
        let arguments: &[&str] = match origin {
            RulesOrigin::Nft if is_json => &["-j", "-f", "-"],
            RulesOrigin::Nft => &["-f", "-"],
            RulesOrigin::Ipset => &["restore"],
            _ => &["-w", LOCK_WAIT],
        };
        self.loader(origin, arguments)
    }

    fn loader(&self, origin: RulesOrigin, arguments: &[&str]) -> Result<Vec<String>, JournalError> {
        let pair = self.programs.get(&origin);
        let pair = pair.ok_or_else(|| JournalError::KindRefused {
            why: format!("`{}` is not installed", names_of(origin).load),
        })?;
        Ok(words(&pair.load, arguments))
    }

    /// Runs the steps.
    pub(super) fn run_steps(
        &self,
        steps: &[LoadStep],
        run: RunTool<'_>,
    ) -> Result<(), JournalError> {
        for step in steps {
            run(&self.load_words(step.origin)?, step.input.as_bytes())?;
        }
        Ok(())
    }

    /// Runs the steps of the way back. What cannot be loaded as it was keeps no other step from being run, and
    /// of rules of nft all is loaded but for the lines that nft refuses, which `tell` is given.
    pub(super) fn run_steps_back(
        &self,
        steps: &[LoadStep],
        run: RunTool<'_>,
        tell: &dyn Fn(&str),
    ) -> Result<(), JournalError> {
        let mut outcome = Ok(());
        for step in steps {
            let words = self.load_words(step.origin)?;
            let Err(error) = run(&words, step.input.as_bytes()) else {
                continue;
            };
            let is_nft = step.origin == RulesOrigin::Nft;
            if !is_nft || load_in_part(&words, &step.input, &error, run, tell).is_none() {
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    /// The names of the sets of ipset that are there.
    pub(super) fn set_names(&self, run: RunTool<'_>) -> Result<BTreeSet<String>, JournalError> {
        let Some(pair) = self.programs.get(&RulesOrigin::Ipset) else {
            return Ok(BTreeSet::new());
        };
        let text = run(&words(&pair.save, &["list", "-n"]), b"")?;
        let text = String::from_utf8_lossy(&text).into_owned();
        Ok(text.lines().map(|line| line.trim().to_owned()).collect())
    }
}

/// Loads rules of nft without the lines that it refuses; nothing if even that does not load.
fn load_in_part(
    words: &[String],
    text: &str,
    refusal: &JournalError,
    run: RunTool<'_>,
    tell: &dyn Fn(&str),
) -> Option<()> {
    let mut text = text.to_owned();
    let mut said = refusal.to_string();
    let mut left_out = Vec::new();
    for _ in 0..MOST_TRIES {
        let (rest, refused) = without_refused_lines(&text, &said)?;
        left_out.extend(refused);
        match run(words, rest.as_bytes()) {
            Ok(_) => {
                for line in left_out {
                    tell(&line);
                }
                return Some(());
            }
            Err(error) => (text, said) = (rest, error.to_string()),
        }
    }
    None
}

fn words(program: &Path, arguments: &[&str]) -> Vec<String> {
    let program = program.display().to_string();
    let arguments = arguments.iter().map(|&word| word.to_owned());
    [program].into_iter().chain(arguments).collect()
}

fn find_pair(origin: RulesOrigin) -> Option<ToolPair> {
    let names = names_of(origin);
    let pair = |(save, load)| {
        Some(ToolPair {
            save: find_program(save)?,
            load: find_program(load)?,
        })
    };
    // Where the other backend is installed, the plain name may be its.
    let has_other = find_program("iptables-nft-save").is_some();
    pair((names.save, names.load)).or_else(|| names.generic.filter(|_| !has_other).and_then(pair))
}

/// Reads the rules that are in force in this network.
pub fn read_state(tools: &RuleTools, run: RunTool<'_>) -> Result<RuleState, JournalError> {
    let mut listings = BTreeMap::new();
    for origin in tools.programs.keys() {
        let names = match origin {
            RulesOrigin::IptablesLegacy => Some("ip_tables_names"),
            RulesOrigin::Ip6tablesLegacy => Some("ip6_tables_names"),
            _ => None,
        };
        if names.is_some_and(|names| !has_names(names)) {
            continue;
        }
        if let Some(words) = tools.save_words(*origin) {
            let text = run(&words, b"")?;
            listings.insert(*origin, String::from_utf8_lossy(&text).into_owned());
        }
    }
    Ok(RuleState::of_listings(&listings))
}

/// Whether the kernel has legacy tables in this network; without, their program may load modules to look.
fn has_names(file: &str) -> bool {
    std::fs::read_to_string(format!("/proc/thread-self/net/{file}"))
        .is_ok_and(|names| !names.trim().is_empty())
}

/// Reads the rules that are in force.
pub fn rules_in_force(tools: &RuleTools) -> Result<RuleState, JournalError> {
    read_state(tools, &|words, input| run_program(words, input, PATIENCE))
}
