//! Rule sets of real machines: each is read, or refused for a reason that is written down here.
//!
//! They are not part of this tree. `SUREFOOT_RULESETS` names the folder; without it
//! `../shared/rulesets` beside the workspace is used if it is there.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read files"
)]

use std::io::Write;
use std::path::{Path, PathBuf};

use surefoot_firewall::parse::iptables;
use surefoot_firewall::{Input, load};
use surefoot_report::{Level, Source};

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

fn folder() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/rulesets");
    let folder = std::env::var("SUREFOOT_RULESETS").unwrap_or_else(|_| beside.to_owned());
    let folder = PathBuf::from(folder);
    if folder.is_dir() {
        return Some(folder);
    }
    // The test harness swallows `eprintln!` of a test that passes, but not this.
    let words = format!(
        "NOT RUN: no folder {}; set SUREFOOT_RULESETS\n",
        folder.display()
    );
    std::io::stderr().write_all(words.as_bytes()).unwrap();
    None
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
fn every_rule_set_is_read_or_refused_for_a_reason() {
    let Some(folder) = folder() else { return };
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
fn printing_every_rule_set_is_a_fixpoint() {
    let Some(folder) = folder() else { return };
    for (name, text) in files(&folder) {
        let once = iptables::print(&iptables::parse(&text).0);
        let twice = iptables::print(&iptables::parse(&once).0);
        assert_eq!(once, twice, "{name}");
    }
}
