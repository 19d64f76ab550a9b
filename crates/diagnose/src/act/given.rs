//! What a hop's program is given and what it is: environment, unit, and addresses in its own text.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::builder::{ChainBuilder, FoundTarget};
use super::hop_files::{environment, read_foreign, seen_by, working_folder};
use super::program_files::{language_of, program_files, script_of};
use crate::chain::EdgeSource;
use crate::discover::{addresses_in_program, dsn_of_variables, variables_of_text};

impl ChainBuilder<'_> {
    /// What the unit of a hop says: where nothing runs, all of it; else what the process was not given.
    pub(super) fn take_unit(
        &mut self,
        at: usize,
        pid: Option<u32>,
        targets: &mut Vec<FoundTarget>,
    ) {
        let units = self.units;
        let hop = &mut self.hops[at];
        let known = match (pid, &hop.unit, &hop.address) {
            (Some(_), Some(name), _) => units.named(name),
            (None, _, Some(address)) if hop.is_here && hop.program.is_none() => {
                units.of_address(address).map(|(known, line)| {
                    hop.unit = Some(known.unit.name.clone());
                    hop.unit_line = Some(format!("{}: {}", line.place, line.text));
                    known
                })
            }
            _ => None,
        };
        let Some(known) = known else {
            return;
        };
        let unit = &known.unit;
        let files = unit.files.iter().map(PathBuf::from);
        let environment_files = unit.environment_files.iter().map(|it| &it.text);
        self.watch_files(at, false, files.chain(environment_files.map(PathBuf::from)));
        for log in &unit.logs {
            self.mark_log(at, pid, Path::new(log));
        }
        let given = pid.map(environment).unwrap_or_default();
        for found in dsn_of_variables(&known.environment) {
            if given.contains_key(&found.variable) {
                continue;
            }
            let inside = unit
                .variables
                .iter()
                .rfind(|variable| variable.name == found.variable);
            let place = match (inside, unit.environment_files.last()) {
                (Some(variable), _) => variable.place.clone(),
                (None, Some(file)) => file.text.clone(),
                (None, None) => continue,
            };
            targets.push(FoundTarget {
                address: found.address,
                protocol: found.protocol,
                source: EdgeSource::Config {
                    place,
                    text: found.variable,
                },
                pool: None,
                verifies: false,
            });
        }
    }

    pub(super) fn take_environment(
        &mut self,
        at: usize,
        pid: u32,
        targets: &mut Vec<FoundTarget>,
        written: &mut BTreeSet<PathBuf>,
    ) {
        let variables = environment(pid);
        for (name, value) in &variables {
            let is_place = ["DIR", "PATH", "ROOT", "FOLDER"]
                .iter()
                .any(|it| name.ends_with(it));
            let is_own = value.starts_with('/')
                && !matches!(name.as_str(), "PATH" | "PWD" | "OLDPWD" | "HOME");
            if is_place && is_own && seen_by(Some(pid), Path::new(value)).is_dir() {
                written.insert(PathBuf::from(value));
            }
        }
        let found = dsn_of_variables(&variables).into_iter();
        targets.extend(found.map(|found| FoundTarget {
            address: found.address,
            protocol: found.protocol,
            source: EdgeSource::Environment {
                pid,
                variable: found.variable,
            },
            pool: None,
            verifies: false,
        }));
        let mut folders = self.roots.get(&at).cloned().unwrap_or_default();
        folders.extend(working_folder(pid));
        for folder in folders {
            let file = folder.join(".env");
            let Some(text) = read_foreign(&seen_by(Some(pid), &file)) else {
                continue;
            };
            self.watch_files(at, false, [seen_by(Some(pid), &file)]);
            let found = dsn_of_variables(&variables_of_text(&text)).into_iter();
            targets.extend(found.map(|found| FoundTarget {
                address: found.address,
                protocol: found.protocol,
                source: EdgeSource::Config {
                    place: file.display().to_string(),
                    text: found.variable,
                },
                pool: None,
                verifies: false,
            }));
        }
    }

    /// Addresses in the program that the hop runs.
    pub(super) fn take_program(&mut self, at: usize, pid: u32, targets: &mut Vec<FoundTarget>) {
        let Some(process) = self.host.process(pid) else {
            return;
        };
        let mut folders = self.roots.get(&at).cloned().unwrap_or_default();
        let language = language_of(&process.name);
        if let (Some(script), Some(folder)) = (script_of(process), working_folder(pid)) {
            let script = folder.join(script);
            folders.extend(script.parent().map(Path::to_owned));
        }
        folders.retain(|folder| folder.components().count() > 2);
        let mut files = Vec::new();
        for folder in &folders {
            program_files(&seen_by(Some(pid), folder), language, 0, &mut files);
        }
        self.watch_files(at, true, files.iter().cloned());
        for file in files {
            let Some(text) = read_foreign(&file) else {
                continue;
            };
            for named in addresses_in_program(&text) {
                targets.push(FoundTarget {
                    address: named.address,
                    protocol: named.protocol,
                    source: EdgeSource::Program {
                        place: format!("{}:{}", file.display(), named.line),
                    },
                    pool: None,
                    verifies: false,
                });
            }
        }
    }
}
