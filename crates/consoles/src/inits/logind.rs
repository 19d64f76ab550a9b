//! logind's virtual terminals: those that get a prompt when you switch to them (logind.conf(5)).

use crate::setup_tree::{SetupPlace, SetupTree, numbered};

/// The main file.
pub(crate) const MAIN: &str = "/etc/systemd/logind.conf";

/// How many there are by default.
const USUAL: u32 = 6;

/// What `NAutoVTs` and `ReserveVT` are, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AutoTerminals {
    pub(crate) count: u32,
    pub(crate) reserved: u32,
    pub(crate) place: SetupPlace,
}

impl AutoTerminals {
    /// The numbers of the virtual terminals that get a prompt on demand. The reserved one stays
    /// whatever `NAutoVTs` is; 0 switches either off.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = (1..=self.count.min(63)).collect();
        if self.reserved > self.count && self.reserved < 64 {
            numbers.push(self.reserved);
        }
        numbers
    }
}

/// Reads them: drop-ins in the order of their names count more than the main file, and a drop-in hides
/// those of the same name in folders of lower rank.
pub(crate) fn read(tree: &SetupTree<'_>) -> AutoTerminals {
    let mut read = AutoTerminals {
        count: USUAL,
        reserved: USUAL,
        place: SetupPlace::file("systemd-logind"),
    };
    for path in files(tree) {
        let mut in_login = false;
        for (number, line) in numbered(tree.text(&path).unwrap_or_default()) {
            let line = line.trim();
            if line.starts_with('[') {
                in_login = line == "[Login]";
            }
            let Some((key, value)) = line.split_once('=').filter(|_| in_login) else {
                continue;
            };
            let Ok(value) = value.trim().parse() else {
                continue;
            };
            match key.trim() {
                "NAutoVTs" => read.count = value,
                "ReserveVT" => read.reserved = value,
                _ => continue,
            }
            read.place = SetupPlace::line(&path, number);
        }
    }
    read
}

/// The files in the order in which they count, the weakest first.
fn files(tree: &SetupTree<'_>) -> Vec<String> {
    let mut files = Vec::new();
    let main = ["/usr/lib/systemd/logind.conf", MAIN];
    files.extend(
        main.iter()
            .rev()
            .find(|path| tree.exists(path))
            .map(|path| (*path).to_owned()),
    );
    let folders = ["/usr/lib", "/run", "/etc"].map(|top| format!("{top}/systemd/logind.conf.d"));
    let mut parts: Vec<(&str, String)> = Vec::new();
    for folder in &folders {
        for name in tree.names(folder) {
            parts.retain(|(before, _)| *before != name);
            parts.push((name, format!("{folder}/{name}")));
        }
    }
    parts.sort();
    files.extend(parts.into_iter().map(|(_, path)| path));
    files
}
