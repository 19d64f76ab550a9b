//! The evaluators agree on every rule set that the project has.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read files"
)]

use std::path::{Path, PathBuf};

use crate::agree::{Tally, compare};

/// All files in a folder and the folders in it, in order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let (folders, mut found): (Vec<_>, Vec<_>) = entries.into_iter().partition(|it| it.is_dir());
    found.extend(folders.iter().flat_map(|folder| files(folder)));
    found
}

#[test]
fn the_evaluators_agree_on_rule_sets_of_our_own() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tally = Tally::default();
    for folder in [
        "../ruleset/tests/rules",
        "../firewall/tests/lints",
        "../testkit/tests/rulesets",
    ] {
        for file in files(&here.join(folder)) {
            let is_rules = file.extension().is_none_or(|end| {
                ["in", "v4", "v6", "rules", "nft", "save"].contains(&end.to_str().unwrap())
            });
            if is_rules {
                compare(&file, &mut tally);
            }
        }
    }
    assert_eq!(tally.exhausted, Vec::<String>::new());
    assert!(tally.packets > 5000, "{} packets", tally.packets);
    assert!(tally.looked_up > 2500, "{} looked up", tally.looked_up);
}
