//! The daemons' own checks of what they will read.
//!
//! A check runs where the copies are mounted over the files, in a mount namespace of its own: so a file
//! that others include is checked in its place, and nothing outside sees it.

use std::path::Path;
use std::process::Command;

use serde::Serialize;
use surefoot_journal::FileState;
use surefoot_report::escape;

use super::copies::{EditCopies, EditedFile};
use crate::known_checks::{CheckFor, KnownCheck};

/// A check that failed.
pub(super) struct CheckFailure {
    pub(super) command: String,
    pub(super) said: String,
}

/// What became of the check of a file.
#[derive(Serialize)]
pub(super) struct FileCheck {
    pub(super) file: String,
    /// The check that accepts it; nothing if there was none.
    pub(super) accepted_by: Option<String>,
    /// Why it was not checked.
    pub(super) not_checked: Option<String>,
}

impl FileCheck {
    /// A line for people.
    pub(super) fn line(&self) -> String {
        let file = escape(&self.file);
        match (&self.accepted_by, &self.not_checked) {
            (Some(command), _) => format!("{file}: `{}` accepts it\n", escape(command)),
            (None, why) => {
                let why = escape(why.as_deref().unwrap_or_default());
                format!("{file}: not checked, as {why}\n")
            }
        }
    }
}

/// Runs the checks that are known for the files. Gives what was checked and what was not, and why.
pub(super) fn check(copies: &EditCopies) -> Result<Vec<FileCheck>, CheckFailure> {
    let mut checks = Vec::new();
    let mut done: Vec<String> = Vec::new();
    for file in &copies.files {
        let path = file.path.display().to_string();
        let not_checked = |why: String| FileCheck {
            file: path.clone(),
            accepted_by: None,
            not_checked: Some(why),
        };
        let (known, program) = match KnownCheck::of(&path) {
            CheckFor::Known { check, program } => (check, program),
            CheckFor::NotInstalled(name) => {
                checks.push(not_checked(format!("`{name}` is not installed")));
                continue;
            }
            CheckFor::Unknown => {
                checks.push(not_checked("no check is known for it".to_owned()));
                continue;
            }
        };
        let words: Vec<String> = known
            .words
            .iter()
            // A new file has no place that its copy could take: the copy itself is checked.
            .map(|word| match file.seen {
                FileState::Missing => word.replace("{}", &file.copy.display().to_string()),
                _ => word.replace("{}", &path),
            })
            .collect();
        let command = format!("{program} {}", words.join(" "));
        if done.contains(&command) {
            continue;
        }
        match run_in_place(&copies.files, &program, &words) {
            Ok(output) if output.status.success() => checks.push(FileCheck {
                file: path,
                accepted_by: Some(command.clone()),
                not_checked: None,
            }),
            Ok(output) => {
                let said = [output.stderr, output.stdout].concat();
                return Err(CheckFailure {
                    command,
                    said: String::from_utf8_lossy(&said).trim().to_owned(),
                });
            }
            Err(error) => checks.push(not_checked(format!(
                "its copy cannot be put in its place: {error}"
            ))),
        }
        done.push(command);
    }
    Ok(checks)
}

fn run_in_place(
    files: &[EditedFile],
    program: &str,
    words: &[String],
) -> std::io::Result<std::process::Output> {
    for file in files {
        copy_rights(file)?;
    }
    let covers: Vec<(&Path, &Path)> = files
        .iter()
        .filter(|file| file.seen != FileState::Missing)
        .map(|file| (file.copy.as_path(), file.path.as_path()))
        .collect();
    surefoot_sys::with_files_covered(&covers, || Command::new(program).args(words).output())?
}

/// Gives a copy the mode and owner of its file, as some checks look at these.
fn copy_rights(file: &EditedFile) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let Some(attributes) = file.seen.attributes() else {
        return Ok(());
    };
    std::os::unix::fs::chown(&file.copy, Some(attributes.user), Some(attributes.group))?;
    std::fs::set_permissions(&file.copy, std::fs::Permissions::from_mode(attributes.mode))
}
