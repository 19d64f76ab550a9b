//! Rule sets of real machines, which are not part of the project for their licences' sake.
//!
//! `SUREFOOT_RULESETS` names a folder with the folders `generated` and `net-network`; `cargo xtask
//! test` runs these tests if it is set and counts them as skipped if it is not. Each rule set is
//! read, or refused for a reason that is written down here. The rule sets of `tests/rules` cover
//! the same ground.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read files"
)]

use std::path::{Path, PathBuf};

use surefoot_report::{Level, Source};
use surefoot_ruleset::parse::iptables;
use surefoot_ruleset::{Input, load};

use crate::agree::{Tally, compare};

/// Files that are not what iptables-restore would take, with a part of what is said about them.
const REFUSED: &[(&str, &str)] = &[
    // Text of a mail around the dump.
    (
        "blog_a-unikernel-firewall-for-qubesos_iptables-save",
        "1:1: not a line of iptables-save",
    ),
    // The whole log of a terminal, with templates of another program.
    (
        "configs_corny_docker_docker.txt",
        "1:1: not a line of iptables-save",
    ),
    // Commands of other programs, for a shell.
    (
        "ferm-arptables.ferm.lines",
        "1:1: a command for a shell, not a line of arptables-save",
    ),
    (
        "ferm-ebtables.ferm.lines",
        "1:1: a command for a shell, not a line of ebtables-save",
    ),
    // A prompt before the dump, and lines that the terminal has cut.
    (
        "found_online_openwrt.org_iptables-save-AA.txt",
        "`8.1.1:21` belongs to no option",
    ),
    // Prompts before and between the dumps.
    (
        "found_online_pastebin.com_FNwfaEED_iptables-save",
        "1:1: not a line of iptables-save",
    ),
];

fn folder() -> PathBuf {
    let folder = std::env::var_os("SUREFOOT_RULESETS");
    PathBuf::from(folder.expect("SUREFOOT_RULESETS names the folder of the rule sets"))
}

fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in ["generated", "net-network"] {
        for entry in std::fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let bytes = std::fs::read(&path).unwrap();
            found.push((name, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    found.sort();
    found
}

fn is_nft(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|end| end == "nft")
}

#[test]
#[ignore = "needs SUREFOOT_RULESETS"]
fn every_rule_set_is_read_or_refused_for_a_reason() {
    let folder = folder();
    let mut wrong = Vec::new();
    for (name, text) in files(&folder) {
        if is_nft(&name) {
            continue;
        }
        let source = Source::new(name.clone(), text.clone());
        let loaded = load(vec![Input {
            name: name.clone(),
            text,
            format: None,
        }]);
        let errors: Vec<String> = loaded
            .problems
            .iter()
            .filter(|(_, problem)| problem.level == Level::Error)
            .map(|(_, problem)| {
                let at = source.position(problem.span.unwrap_or_default().start);
                format!("{}:{}: {}", at.line, at.column, problem.what)
            })
            .collect();
        let expected: Vec<_> = REFUSED.iter().filter(|(file, _)| *file == name).collect();
        if errors.is_empty() != expected.is_empty() {
            wrong.push(format!(
                "{name}: {} errors, first {:?}",
                errors.len(),
                errors.first()
            ));
        }
        for (_, part) in expected {
            if !errors.iter().any(|error| error.contains(part)) {
                wrong.push(format!(
                    "{name}: nothing says `{part}` but {:?}",
                    errors.first()
                ));
            }
        }
        if loaded.firewall.tables.is_empty() && errors.is_empty() {
            wrong.push(format!("{name}: no table and no error"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} files:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
#[ignore = "needs SUREFOOT_RULESETS"]
fn printing_every_rule_set_is_a_fixpoint() {
    let folder = folder();
    for (name, text) in files(&folder) {
        let once = iptables::print(&iptables::parse(&text).0);
        let twice = iptables::print(&iptables::parse(&once).0);
        assert_eq!(once, twice, "{name}");
    }
}

#[test]
#[ignore = "needs SUREFOOT_RULESETS"]
fn the_evaluators_agree_on_rule_sets_of_others() {
    let mut tally = Tally::default();
    for file in crate::rule_sets::files(&folder().join("net-network")) {
        compare(&file, &mut tally);
    }
    assert_eq!(tally.exhausted, Vec::<String>::new());
    assert!(tally.packets > 5000, "{} packets", tally.packets);
}
