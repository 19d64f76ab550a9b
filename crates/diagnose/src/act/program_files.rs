//! What an interpreter runs: the script, and the files beside it.

use std::path::{Path, PathBuf};

use surefoot_host::Process;

/// The endings of the files that an interpreter runs.
pub(super) fn language_of(name: &str) -> &'static [&'static str] {
    const LANGUAGES: &[(&str, &[&str])] = &[
        ("php", &["php"]),
        ("python", &["py"]),
        ("ruby", &["rb"]),
        ("node", &["js", "ts"]),
        ("perl", &["pl", "pm"]),
    ];
    let found = LANGUAGES.iter().find(|(start, _)| name.starts_with(start));
    found.map_or(&[], |(_, endings)| endings)
}

/// The script that an interpreter runs.
pub(super) fn script_of(process: &Process) -> Option<&str> {
    let is_interpreter = (!language_of(&process.name).is_empty() || process.name == "java")
        && !process.name.starts_with("php-fpm");
    let mut words = process.command.iter().skip(1);
    let first =
        words.find(|word| !word.starts_with('-') || matches!(word.as_str(), "-c" | "-e" | "-m"));
    // What stands on the command line itself has no name.
    first
        .filter(|word| is_interpreter && !word.starts_with('-'))
        .map(String::as_str)
}

/// What to call the program of a process: with its script where an interpreter runs it.
pub(super) fn program_of(process: &Process) -> String {
    match script_of(process) {
        Some(script) => {
            let name = Path::new(script).file_name().unwrap_or_default();
            format!("{} ({})", name.to_string_lossy(), process.name)
        }
        None => process.name.clone(),
    }
}

/// Files of a program, at most so many.
pub(super) fn program_files(
    folder: &Path,
    language: &[&str],
    depth: usize,
    found: &mut Vec<PathBuf>,
) {
    const SETTINGS: &[&str] = &["yml", "yaml", "toml", "properties"];
    const SKIPPED: &[&str] = &[
        "node_modules",
        "vendor",
        "site-packages",
        "test",
        "tests",
        "data",
    ];
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten().take(500) {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        if found.len() >= 300 || name.starts_with('.') {
            continue;
        }
        if kind.is_dir() && depth < 3 && !SKIPPED.contains(&name.as_str()) {
            program_files(&path, language, depth + 1, found);
        } else if kind.is_file() {
            let is_program = path
                .extension()
                .is_some_and(|ending| language.iter().chain(SETTINGS).any(|kind| ending == *kind));
            let is_small = entry.metadata().is_ok_and(|seen| seen.len() < 200 << 10);
            if is_program && is_small {
                found.push(path);
            }
        }
    }
}
