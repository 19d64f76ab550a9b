//! The loaded rules of every mechanism, as its own program prints them.
//!
//! Legacy tables are asked for only where the kernel has some: `iptables-legacy-save` is not run
//! on a machine without them, and no module is loaded by looking.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::program::run;
use super::{Begun, begin, netfilter};
use crate::{FactKind, Host, Missing, RuleListing, RulesOrigin};

/// Where an administrator's programs are, whatever `PATH` says.
const FOLDERS: &[&str] = &[
    "/usr/sbin",
    "/sbin",
    "/usr/bin",
    "/bin",
    "/usr/local/sbin",
    "/run/current-system/sw/bin",
    "/run/current-system/profile/sbin",
];

/// A program that prints rules answers within this time, or is stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was read of the loaded rules.
#[derive(Debug, Default)]
pub(super) struct Rules {
    loaded: Vec<RuleListing>,
    missing: Vec<Missing>,
}

/// One mechanism and how to ask for its rules.
struct RulesQuestion {
    origin: RulesOrigin,
    /// Names of the program, best first, and its arguments.
    programs: &'static [&'static str],
    arguments: &'static [&'static str],
}

const IPTABLES_LEGACY: RulesQuestion = RulesQuestion {
    origin: RulesOrigin::IptablesLegacy,
    programs: &["iptables-legacy-save", "iptables-save"],
    arguments: &["-c"],
};
const IP6TABLES_LEGACY: RulesQuestion = RulesQuestion {
    origin: RulesOrigin::Ip6tablesLegacy,
    programs: &["ip6tables-legacy-save", "ip6tables-save"],
    arguments: &["-c"],
};
const IPTABLES_NFT: RulesQuestion = RulesQuestion {
    origin: RulesOrigin::IptablesNft,
    programs: &["iptables-nft-save"],
    arguments: &["-c"],
};
const IP6TABLES_NFT: RulesQuestion = RulesQuestion {
    origin: RulesOrigin::Ip6tablesNft,
    programs: &["ip6tables-nft-save"],
    arguments: &["-c"],
};
const NFT: RulesQuestion = RulesQuestion {
    origin: RulesOrigin::Nft,
    programs: &["nft"],
    arguments: &["-j", "list", "ruleset"],
};
const IPSET: RulesQuestion = RulesQuestion {
    origin: RulesOrigin::Ipset,
    programs: &["ipset"],
    arguments: &["save"],
};

/// Asks every mechanism at once.
pub(super) fn read() -> Rules {
    let mut rules = Rules::default();
    let mut questions = Vec::new();
    for (names, question) in [
        ("/proc/thread-self/net/ip_tables_names", &IPTABLES_LEGACY),
        ("/proc/thread-self/net/ip6_tables_names", &IP6TABLES_LEGACY),
    ] {
        match fs::read_to_string(names) {
            Ok(tables) if tables.trim().is_empty() => {}
            Ok(_) => questions.push(question),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                rules
                    .missing
                    .push(missing(question, "only root may ask for them"));
            }
            Err(error) => rules.missing.push(missing(question, &error.to_string())),
        }
    }
    questions.extend(
        [&IPTABLES_NFT, &IP6TABLES_NFT, &NFT, &IPSET]
            .into_iter()
            .filter(|question| module(question.origin).is_none_or(is_loaded)),
    );
    let jobs: Vec<_> = questions.iter().map(|question| || ask(question)).collect();
    let answers: Vec<Result<Option<RuleListing>, String>> = std::thread::scope(|scope| {
        let asked: Vec<_> = jobs.iter().map(|job| begin(scope, job)).collect();
        asked.into_iter().map(Begun::end).collect()
    });
    for (question, answer) in questions.into_iter().zip(answers) {
        match answer {
            Ok(Some(loaded)) => rules.loaded.push(loaded),
            Ok(None) => {}
            Err(why) => rules.missing.push(missing(question, &why)),
        }
    }
    rules.loaded.sort_by_key(|loaded| loaded.origin);
    rules
}

impl Host {
    /// Takes over what was read of the loaded rules.
    pub(super) fn take_rules(&mut self, rules: Rules) {
        self.rules = rules.loaded;
        self.rules_complete = rules.missing.is_empty();
        self.missing.extend(rules.missing);
    }
}

fn missing(question: &RulesQuestion, why: &str) -> Missing {
    let fact = match question.origin {
        RulesOrigin::IptablesLegacy => "the rules of iptables-legacy",
        RulesOrigin::Ip6tablesLegacy => "the rules of ip6tables-legacy",
        RulesOrigin::IptablesNft => "the rules of iptables-nft",
        RulesOrigin::Ip6tablesNft => "the rules of ip6tables-nft",
        RulesOrigin::Nft => "the rules of nft",
        RulesOrigin::Ipset => "the sets of ipset",
    };
    Missing {
        fact: fact.into(),
        why: why.into(),
        leaves_open: "what the firewall lets through".into(),
        kind: FactKind::Rules,
    }
}

/// Runs the program of one mechanism; nothing if the mechanism cannot be in use here.
fn ask(question: &RulesQuestion) -> Result<Option<RuleListing>, String> {
    let Some(program) = question.programs.iter().find_map(|name| find_program(name)) else {
        let name = question.programs[0];
        return match in_use(question.origin) {
            Ok(false) => Ok(None),
            Ok(true) => Err(format!(
                "`{name}` is not installed, and the kernel has its tables"
            )),
            Err(error) => Err(format!(
                "`{name}` is not installed, and the kernel does not say whether it has its tables: {error}"
            )),
        };
    };
    let name = program
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let command = format!("{name} {}", question.arguments.join(" "));
    let text = run(&program, question.arguments, &FOLDERS.join(":"), PATIENCE)
        .map_err(|why| format!("`{command}`: {why}"))?;
    // The generic name may belong to the other mechanism, which is asked by itself.
    let legacy = matches!(
        question.origin,
        RulesOrigin::IptablesLegacy | RulesOrigin::Ip6tablesLegacy
    );
    if legacy && !name.contains("legacy") && text.contains("nf_tables") {
        let name = question.programs[0];
        return Err(format!(
            "`{name}` is not installed, and the kernel has its tables"
        ));
    }
    Ok(Some(RuleListing {
        origin: question.origin,
        command,
        text,
    }))
}

/// Whether the kernel holds rules or sets that only the absent program can print. What nft
/// holds for iptables, `nft` prints as well.
fn in_use(origin: RulesOrigin) -> io::Result<bool> {
    match origin {
        RulesOrigin::IptablesLegacy | RulesOrigin::Ip6tablesLegacy => Ok(true),
        RulesOrigin::IptablesNft | RulesOrigin::Ip6tablesNft => Ok(false),
        RulesOrigin::Nft => netfilter::has_tables(),
        RulesOrigin::Ipset => netfilter::has_sets(),
    }
}

/// The kernel module without which a mechanism holds nothing; legacy tables are asked for by name.
fn module(origin: RulesOrigin) -> Option<&'static str> {
    match origin {
        RulesOrigin::IptablesLegacy | RulesOrigin::Ip6tablesLegacy => None,
        RulesOrigin::IptablesNft | RulesOrigin::Ip6tablesNft | RulesOrigin::Nft => {
            Some("nf_tables")
        }
        RulesOrigin::Ipset => Some("ip_set"),
    }
}

/// Whether a module is in the kernel, or may be built into it: asking would load one that is not.
fn is_loaded(module: &str) -> bool {
    let Ok(loaded) = fs::read_to_string("/proc/modules") else {
        return true;
    };
    let is_named = |line: &str| line.split(' ').next() == Some(module);
    if loaded.lines().any(is_named) || Path::new("/sys/module").join(module).exists() {
        return true;
    }
    let release = super::read_line("/proc/sys/kernel/osrelease").unwrap_or_default();
    let file = format!("/{module}.ko");
    fs::read_to_string(format!("/lib/modules/{release}/modules.builtin"))
        .map_or(true, |list| list.lines().any(|line| line.ends_with(&file)))
}

/// A program where an administrator's programs are, whatever `PATH` says.
pub fn find_program(name: &str) -> Option<PathBuf> {
    FOLDERS
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.is_file())
}
