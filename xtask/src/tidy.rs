//! The invariants of the house that no compiler holds: who may depend on whom, where `unsafe`
//! lives, who prints, how long a file may get.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Outcome, root, say};

/// The crates of the house and what each may depend on, lowest first.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("sys", &[]),
    ("report", &[]),
    ("host", &["sys"]),
    ("journal", &["sys"]),
    ("ruleset", &["report"]),
    ("netfilter", &["report", "ruleset"]),
    ("firewall", &["netfilter", "report", "ruleset"]),
    (
        "apply",
        &[
            "firewall",
            "host",
            "journal",
            "netfilter",
            "report",
            "ruleset",
            "sys",
        ],
    ),
    ("processes", &["host", "report", "sys"]),
    ("consoles", &["host", "journal", "report"]),
    ("bisect", &["journal"]),
    // It reads configurations with the lenses of `bisect`, and offers a bisection where one is at fault.
    ("diagnose", &["bisect", "host", "journal", "sys"]),
    (
        "check",
        &[
            "consoles",
            "firewall",
            "host",
            "netfilter",
            "processes",
            "report",
            "ruleset",
        ],
    ),
    ("throughput", &["sys"]),
    (
        "cli",
        &[
            "apply",
            "bisect",
            "check",
            "consoles",
            "diagnose",
            "firewall",
            "host",
            "netfilter",
            "journal",
            "processes",
            "report",
            "ruleset",
            "sys",
            "throughput",
        ],
    ),
    (
        "testkit",
        &["sys", "netfilter", "ruleset", "host", "report"],
    ),
];

/// A folder, and what it may use of those beside it.
type FolderArrows = (&'static str, &'static [&'static str]);

/// What the folders of a crate may use of one another, lowest first.
const FOLDERS_MAY_USE: &[(&str, &[FolderArrows])] = &[
    (
        "crates/ruleset/src/",
        &[
            ("model", &[]),
            ("circles", &["model"]),
            ("parse", &["model"]),
            ("load", &["circles", "model", "parse"]),
        ],
    ),
    (
        "crates/netfilter/src/",
        &[
            ("packet", &[]),
            ("semantics", &["packet"]),
            ("lookup", &["packet", "semantics"]),
            ("traffic", &["packet", "semantics"]),
            ("exact", &["packet", "semantics", "traffic"]),
            ("boxes", &["exact", "packet", "semantics"]),
        ],
    ),
    (
        "crates/firewall/src/",
        &[
            ("show", &[]),
            ("lint", &["commands", "makers"]),
            ("ask", &["commands", "loaded", "makers", "show"]),
        ],
    ),
];

/// Folders whose code does no I/O.
const PURE: &[&str] = &[
    "crates/firewall/src/",
    "crates/netfilter/src/",
    "crates/report/src/",
    "crates/ruleset/src/",
    "crates/throughput/src/imitation/",
    "crates/throughput/src/wire/",
];

/// A file longer than this wants a seam.
const LONGEST_FILE: usize = 800;

/// Checks all invariants and lists every breach.
pub(crate) fn check() -> Outcome {
    say("\n$ invariants");
    let mut breaches = Vec::new();
    dependencies(&mut breaches)?;
    for path in rust_files(&root())? {
        let text = read(&path)?;
        let shown = path
            .strip_prefix(root())
            .unwrap_or(&path)
            .display()
            .to_string();
        source_file(&shown, &text, &mut breaches);
    }
    if breaches.is_empty() {
        return Ok(());
    }
    for breach in &breaches {
        say(breach);
    }
    Err(format!("{} breaches of the invariants", breaches.len()))
}

fn dependencies(breaches: &mut Vec<String>) -> Outcome {
    for entry in fs::read_dir(root().join("crates")).map_err(|error| error.to_string())? {
        let folder = entry.map_err(|error| error.to_string())?.path();
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let Some((_, allowed)) = MAY_DEPEND_ON
            .iter()
            .find(|(crate_name, _)| *crate_name == name)
        else {
            breaches.push(format!(
                "crates/{name}: not on the list in xtask/src/tidy.rs"
            ));
            continue;
        };
        let manifest = read(&folder.join("Cargo.toml"))?;
        let shipped = manifest
            .split("[dev-dependencies]")
            .next()
            .unwrap_or_default();
        for line in shipped.lines() {
            let Some(rest) = line.strip_prefix("surefoot-") else {
                continue;
            };
            let used = rest.split(['.', ' ', '=']).next().unwrap_or_default();
            if !allowed.contains(&used) {
                breaches.push(format!("crates/{name}: must not depend on {used}"));
            }
        }
    }
    Ok(())
}

fn source_file(shown: &str, text: &str, breaches: &mut Vec<String>) {
    let is_test = shown.contains("/tests/") || shown.contains("/examples/");
    if text.lines().count() > LONGEST_FILE {
        breaches.push(format!(
            "{shown}: over {LONGEST_FILE} lines; look for a seam"
        ));
    }
    if !is_test && !text.starts_with("//!") && !text.starts_with("#!") {
        breaches.push(format!("{shown}: does not begin by saying why it is there"));
    }
    // Of some jobs one folder acts, and says so in its name.
    let thinks = [
        "crates/bisect/src/",
        "crates/consoles/src/",
        "crates/diagnose/src/",
        "crates/processes/src/",
    ]
    .iter()
    .any(|job| {
        shown
            .strip_prefix(job)
            .is_some_and(|rest| !rest.starts_with("act/"))
    });
    let neighbours = neighbours(shown);
    let pure = thinks || PURE.iter().any(|folder| shown.starts_with(folder));
    for (at, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let place = format!("{shown}:{}", at + 1);
        let unsafe_word = code.contains("unsafe {") || code.contains("unsafe fn");
        if unsafe_word && !shown.starts_with("crates/sys/") && !shown.starts_with("xtask/") {
            breaches.push(format!("{place}: `unsafe` outside crates/sys"));
        }
        let looks = ["std::fs", "std::process", "std::env", "std::thread"];
        if pure && looks.iter().any(|word| code.contains(word)) {
            breaches.push(format!("{place}: this crate does no I/O"));
        }
        for word in code.split("crate::").skip(1) {
            let used: String = word
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            if neighbours.contains(&used.as_str()) {
                breaches.push(format!("{place}: this folder must not use `{used}`"));
            }
        }
        if line.ends_with(' ') {
            breaches.push(format!("{place}: blank at the end of the line"));
        }
    }
}

/// The folders beside a file's own that it must not use.
fn neighbours(shown: &str) -> Vec<&'static str> {
    let crates = FOLDERS_MAY_USE.iter();
    let mut of_crate =
        crates.filter_map(|(start, folders)| Some((shown.strip_prefix(start)?, folders)));
    let Some((rest, folders)) = of_crate.next() else {
        return Vec::new();
    };
    let own = rest.split(['/', '.']).next().unwrap_or_default();
    let Some((_, allowed)) = folders.iter().find(|(folder, _)| *folder == own) else {
        return Vec::new();
    };
    let others = folders.iter().map(|(folder, _)| *folder);
    others
        .filter(|other| *other != own && !allowed.contains(other))
        .collect()
}

fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn rust_files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                found.extend(rust_files(&path)?);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::source_file;

    fn breaches(path: &str, text: &str) -> Vec<String> {
        let mut breaches = Vec::new();
        source_file(path, text, &mut breaches);
        breaches
    }

    #[test]
    fn a_folder_that_uses_one_above_it_is_a_breach() {
        let text = "//! Why.\nuse crate::exact::Exact;\nuse crate::packet::Packet;\n";
        assert_eq!(breaches("crates/netfilter/src/traffic/a.rs", text).len(), 1);
        assert_eq!(breaches("crates/netfilter/src/boxes/a.rs", text).len(), 0);
        assert_eq!(breaches("crates/netfilter/src/packet/a.rs", text).len(), 1);
        assert_eq!(breaches("crates/cli/src/a.rs", text).len(), 0);
    }

    #[test]
    fn a_pure_crate_that_reads_is_a_breach() {
        let text = "//! Why.\nfn f() { std::fs::read(\"x\"); }\n";
        assert_eq!(breaches("crates/firewall/src/a.rs", text).len(), 1);
        assert_eq!(breaches("crates/host/src/a.rs", text).len(), 0);
    }

    #[test]
    fn unsafe_lives_in_sys_only() {
        let text = "//! Why.\nfn f() { unsafe { g() } }\n";
        assert_eq!(breaches("crates/host/src/a.rs", text).len(), 1);
        assert_eq!(breaches("crates/sys/src/a.rs", text).len(), 0);
    }
}
