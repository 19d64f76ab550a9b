//! A systemd unit as its files make it: the unit's own file, its template's, and drop-ins.

use super::systemd::UNIT_FOLDERS;
use crate::kernel_console::command_words;
use crate::setup_tree::{SetupPlace, SetupTree, has_ending, numbered};

/// A setting of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnitSetting<'a> {
    pub(crate) place: SetupPlace,
    pub(crate) section: &'a str,
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
}

/// Whether the conditions of a unit let it start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UnitConditions {
    /// They do.
    Hold,
    /// One does not.
    Fail(String),
    /// One depends on what is not known here.
    Unknown(String),
}

/// Where a unit's own text is, or its template's; nothing if neither is there.
pub(crate) fn own_file(tree: &SetupTree<'_>, unit: &str) -> Option<String> {
    names_of(unit).iter().find_map(|name| {
        let mut folders = UNIT_FOLDERS.iter().map(|folder| format!("{folder}/{name}"));
        folders.find(|path| tree.text(path).is_some())
    })
}

/// A unit's name and that of its template.
fn names_of(unit: &str) -> Vec<String> {
    let template = unit
        .split_once('@')
        .map(|(kind, _)| format!("{kind}@.service"));
    std::iter::once(unit.to_owned()).chain(template).collect()
}

/// The settings of a unit and its drop-ins, in the order in which systemd reads them.
pub(crate) fn settings_of<'a>(tree: &SetupTree<'a>, unit: &str) -> Vec<UnitSetting<'a>> {
    let mut files: Vec<String> = own_file(tree, unit).into_iter().collect();
    for name in names_of(unit).iter().rev() {
        for folder in UNIT_FOLDERS.iter().rev() {
            let parts = tree.names(&format!("{folder}/{name}.d")).into_iter();
            files.extend(
                parts
                    .filter(|part| has_ending(part, "conf"))
                    .map(|part| format!("{folder}/{name}.d/{part}")),
            );
        }
    }
    let mut settings = Vec::new();
    for path in files {
        let mut section = "";
        for (number, line) in numbered(tree.text(&path).unwrap_or_default()) {
            let line = line.trim();
            if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
                section = name;
            } else if let Some((name, value)) = line.split_once('=')
                && !line.starts_with(['#', ';'])
            {
                settings.push(UnitSetting {
                    place: SetupPlace::line(&path, number),
                    section,
                    name: name.trim(),
                    value: value.trim(),
                });
            }
        }
    }
    settings
}

/// The command of a unit: the last `ExecStart=`; an empty one clears those before it.
pub(crate) fn exec_of(tree: &SetupTree<'_>, unit: &str) -> Option<(SetupPlace, String)> {
    let mut settings = settings_of(tree, unit).into_iter();
    let last =
        settings.rfind(|setting| setting.section == "Service" && setting.name == "ExecStart")?;
    (!last.value.is_empty()).then(|| (last.place, last.value.to_owned()))
}

/// Whether the conditions of a unit let it start on its terminal.
pub(crate) fn conditions_of(
    tree: &SetupTree<'_>,
    unit: &str,
    terminal: &str,
    line: &str,
) -> UnitConditions {
    let mut found = UnitConditions::Hold;
    for setting in settings_of(tree, unit) {
        let kind = ["Condition", "Assert"]
            .iter()
            .find_map(|word| setting.name.strip_prefix(word));
        let Some(kind) = kind.filter(|_| setting.section == "Unit") else {
            continue;
        };
        if setting.value.is_empty() {
            // An empty one clears those before it.
            found = UnitConditions::Hold;
            continue;
        }
        let told = format!("{}={} ({})", setting.name, setting.value, setting.place);
        match holds(tree, kind, setting.value, terminal, line) {
            Some(false) => found = UnitConditions::Fail(told),
            None if found == UnitConditions::Hold => found = UnitConditions::Unknown(told),
            Some(true) | None => {}
        }
    }
    found
}

/// Whether one condition holds; nothing if that is unknown.
fn holds(
    tree: &SetupTree<'_>,
    kind: &str,
    value: &str,
    terminal: &str,
    line: &str,
) -> Option<bool> {
    // Of those with a bar one is enough.
    if value.starts_with('|') {
        return None;
    }
    let (bare, is_negated) = match value.strip_prefix('!') {
        Some(bare) => (bare.trim(), true),
        None => (value, false),
    };
    let holds = match kind {
        "PathExists" => {
            let path = bare.replace("%I", terminal).replace("%i", terminal);
            // A kernel without virtual terminals has no such prompt in the first place.
            let is_own = ["/dev/tty0", "/dev/console"].contains(&path.as_str())
                || path.strip_prefix("/dev/") == Some(terminal)
                || path.strip_prefix("/dev/pts/") == Some(terminal.trim_start_matches("pts/"));
            (is_own || tree.exists(&path)).then_some(true)?
        }
        "KernelCommandLine" if !line.is_empty() => {
            let words = command_words(line);
            words.iter().any(|word| {
                *word == bare || (!bare.contains('=') && word.split('=').next() == Some(bare))
            })
        }
        _ => return None,
    };
    Some(holds != is_negated)
}
