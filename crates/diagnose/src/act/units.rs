//! The units of systemd as their files have them: the one that should be at an address, and what it is given.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::hop_files::read_foreign;
use crate::chain::HopAddress;
use crate::discover::{ServiceUnit, UnitValue, read_unit, read_unit_states};
use crate::observation::HopFacts;

/// Where unit files are, what stands first before what stands later.
const FOLDERS: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// No more files are looked at.
const MOST_FILES: usize = 4000;

/// A unit with the variables that it gives.
pub(super) struct KnownUnit {
    pub(super) unit: ServiceUnit,
    pub(super) environment: BTreeMap<String, String>,
    /// Whether the machine starts it by itself.
    is_wanted: bool,
}

/// The units, read when they are first asked for.
#[derive(Default)]
pub(super) struct KnownUnits {
    all: std::cell::OnceCell<Vec<KnownUnit>>,
}

impl KnownUnits {
    fn all(&self) -> &[KnownUnit] {
        self.all.get_or_init(read_all)
    }

    /// A unit by its name.
    pub(super) fn named(&self, name: &str) -> Option<&KnownUnit> {
        self.all().iter().find(|known| known.unit.name == name)
    }

    /// The one service that should be at an address, and the line that says so; none if several may be.
    pub(super) fn of_address(&self, address: &HopAddress) -> Option<(&KnownUnit, UnitValue)> {
        let mut found: Vec<(&KnownUnit, UnitValue)> = Vec::new();
        for known in self.all() {
            let Some(line) = known.unit.line_for(address, &known.environment) else {
                continue;
            };
            let service = match known.unit.name.strip_suffix(".socket") {
                None => known,
                Some(stem) => {
                    let name = known.unit.service.clone();
                    let name = name.unwrap_or_else(|| format!("{stem}.service"));
                    self.named(&name).unwrap_or(known)
                }
            };
            if !found
                .iter()
                .any(|(other, _)| other.unit.name == service.unit.name)
            {
                found.push((service, line));
            }
        }
        let is_wanted = |(known, _): &(&KnownUnit, UnitValue)| known.is_wanted;
        // Of several the one that the machine starts is meant.
        if found.len() > 1 && found.iter().filter(|it| is_wanted(it)).count() == 1 {
            found.retain(is_wanted);
        }
        match found.len() {
            1 => found.pop(),
            _ => None,
        }
    }
}

/// Asks systemd, where it runs, how the units of hops stand at which nothing listens.
pub(super) fn take_unit_states(hops: &mut [HopFacts]) {
    let is_down = |hop: &HopFacts| hop.is_here && hop.listener.is_none();
    let units: BTreeSet<String> = hops
        .iter()
        .filter(|hop| is_down(hop))
        .filter_map(|hop| hop.unit.clone())
        .collect();
    if units.is_empty() || !Path::new("/run/systemd/system").is_dir() {
        return;
    }
    let properties = "--property=Id,LoadState,ActiveState,SubState,Result,ExecMainStatus,NRestarts";
    let output = Command::new("timeout")
        .args(["-k", "1", "1", "systemctl", "show", properties, "--"])
        .args(&units)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let Ok(output) = output else { return };
    let states = read_unit_states(&String::from_utf8_lossy(&output.stdout));
    for hop in hops.iter_mut().filter(|hop| is_down(hop)) {
        hop.unit_state = hop.unit.as_ref().and_then(|unit| states.get(unit).cloned());
    }
}

fn entries_of(folder: &Path) -> Vec<(OsString, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<(OsString, PathBuf)> = entries
        .flatten()
        .take(MOST_FILES)
        .map(|entry| (entry.file_name(), entry.path()))
        .collect();
    found.sort();
    found
}

fn is_unit(name: &str) -> bool {
    (name.ends_with(".service") || name.ends_with(".socket")) && !name.contains('/')
}

/// The unit files by their names, and the names that another unit wants.
fn list_units() -> (BTreeMap<String, PathBuf>, BTreeSet<String>) {
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut wanted = BTreeSet::new();
    for folder in FOLDERS {
        for (name, path) in entries_of(Path::new(folder)) {
            let Ok(name) = name.into_string() else {
                continue;
            };
            let ending = name.rsplit('.').next().unwrap_or_default();
            if matches!(ending, "wants" | "requires") {
                let names = entries_of(&path).into_iter();
                let names = names.filter_map(|(name, _)| name.into_string().ok());
                wanted.extend(names.filter(|name| is_unit(name)));
            } else if is_unit(&name) {
                files.entry(name).or_insert(path);
            }
        }
    }
    (files, wanted)
}

/// `app@.service` of `app@3001.service`.
fn template_of(name: &str) -> Option<String> {
    let (stem, kind) = name.rsplit_once('.')?;
    let (prefix, instance) = stem.split_once('@')?;
    (!instance.is_empty()).then(|| format!("{prefix}@.{kind}"))
}

fn read_all() -> Vec<KnownUnit> {
    let (files, wanted) = list_units();
    let is_template = |name: &str| name.contains("@.");
    let names = files
        .keys()
        .chain(&wanted)
        .filter(|name| !is_template(name));
    let names: BTreeSet<&String> = names.collect();
    let mut found = Vec::new();
    for name in names {
        let template = template_of(name);
        let file = files.get(name).or_else(|| files.get(template.as_ref()?));
        let Some(text) = file.and_then(|file| read_foreign(file)) else {
            continue;
        };
        let mut texts = vec![(
            file.map(|it| it.display().to_string()).unwrap_or_default(),
            text,
        )];
        texts.extend(drop_ins(name, template.as_deref()));
        let unit = read_unit(name, &texts);
        let more: Vec<String> = unit
            .environment_files
            .iter()
            .filter_map(|file| read_foreign(Path::new(&file.text)))
            .collect();
        found.push(KnownUnit {
            environment: unit.environment(&more),
            is_wanted: wanted.contains(name),
            unit,
        });
    }
    found
}

/// The files that add to a unit, by their names; the first folder that has one counts.
fn drop_ins(name: &str, template: Option<&str>) -> Vec<(String, String)> {
    let mut files: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for unit in [Some(name), template].into_iter().flatten() {
        for folder in FOLDERS {
            for (file, path) in entries_of(&Path::new(folder).join(format!("{unit}.d"))) {
                if file.to_string_lossy().ends_with(".conf") {
                    files.entry(file).or_insert(path);
                }
            }
        }
    }
    let texts = files.into_values().filter_map(|path| {
        let text = read_foreign(&path)?;
        Some((path.display().to_string(), text))
    });
    texts.collect()
}
