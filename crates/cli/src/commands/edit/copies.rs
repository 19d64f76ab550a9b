//! Private copies of the files that are edited.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::IsTerminal;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use surefoot_journal::{FileState, WantedFile, look_at, resolve_target};
use tempfile::TempDir;

use crate::args::AnswerFormat;
use crate::edit_leftovers as leftovers;
use crate::error::Failure;
use crate::journal::failure;

/// The copies, in a folder that only root can enter.
pub(super) struct EditCopies {
    folder: TempDir,
    pub(super) files: Vec<EditedFile>,
    /// Held as long as the edit goes on: what nothing holds is what an interrupted edit left.
    _lock: fs::File,
}

/// A file and its copy.
pub(super) struct EditedFile {
    /// The file that is meant, links followed.
    pub(super) path: PathBuf,
    pub(super) copy: PathBuf,
    /// What it was when the copy was made.
    pub(super) seen: FileState,
}

impl EditCopies {
    /// Copies the files. The journal is to be locked, so that no other surefoot takes the folder for one
    /// that is left over.
    pub(super) fn make(paths: &[PathBuf], state_dir: &Path) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new()
            .prefix(leftovers::PREFIX)
            .tempdir_in(state_dir)
            .map_err(|error| Failure::io("cannot make a folder for the copies", &error))?;
        let lock = leftovers::hold(folder.path())
            .map_err(|error| Failure::io("cannot lock the folder for the copies", &error))?;
        let mut files = Vec::new();
        for (number, path) in paths.iter().enumerate() {
            let path = resolve_target(path).map_err(|error| failure(&error))?;
            let seen = look_at(&path).map_err(|error| failure(&error))?;
            // A file that cannot be replaced is refused before the editor starts.
            let probe = WantedFile::content(&path, b"probe".to_vec());
            let now = surefoot_journal::UnixMoment::default();
            match surefoot_journal::FileSetChange::plan("", vec![probe], now) {
                Ok(_) | Err(surefoot_journal::JournalError::NothingToChange) => {}
                // The other names may be in the list.
                Err(surefoot_journal::JournalError::TargetRefused {
                    problem: surefoot_journal::TargetProblem::OtherNames,
                    ..
                }) if paths.len() > 1 => {}
                Err(error) => return Err(failure(&error)),
            }
            // The name stays, as editors and checks go by it.
            let place = folder.path().join(number.to_string());
            let copy = place.join(path.file_name().unwrap_or_default());
            let written = fs::create_dir(&place).and_then(|()| match &seen.content {
                Some(content) => fs::write(&copy, content)
                    .and_then(|()| fs::set_permissions(&copy, fs::Permissions::from_mode(0o600))),
                None => Ok(()),
            });
            written.map_err(|error| {
                Failure::io(format!("cannot write the copy {}", copy.display()), &error)
            })?;
            files.push(EditedFile {
                path,
                copy,
                seen: seen.state,
            });
        }
        let originals = files
            .iter()
            .map(|file: &EditedFile| (file.copy.as_path(), &file.seen));
        leftovers::write_originals(folder.path(), originals)
            .map_err(|error| Failure::io("cannot write down what is edited", &error))?;
        Ok(Self {
            folder,
            files,
            _lock: lock,
        })
    }

    /// The names of the files, for a title.
    pub(super) fn names(&self) -> String {
        let names: Vec<String> = self
            .files
            .iter()
            .map(|file| file.path.display().to_string())
            .collect();
        names.join(", ")
    }

    /// Lets the command, or an editor, change the copies. Standard output is not the command's where the
    /// answer is for a program.
    pub(super) fn edit(&self, command: &[String], format: AnswerFormat) -> Result<(), Failure> {
        let mut words: Vec<OsString> = command.iter().map(OsString::from).collect();
        if words.is_empty() {
            if !std::io::stdin().is_terminal() {
                return Err(
                    Failure::input("standard input is no terminal for an editor").hint(
                        "give a command that changes the file: surefoot edit FILE -- COMMAND",
                    ),
                );
            }
            words = editor();
        }
        let line = self.command_line(words);
        let shown = line[0].to_string_lossy().into_owned();
        let mut editor = Command::new(&line[0]);
        editor.args(&line[1..]);
        if format == AnswerFormat::Json && !command.is_empty() {
            editor.stdout(std::io::stderr());
        }
        let status = editor
            .status()
            .map_err(|error| Failure::io(format!("cannot run `{shown}`"), &error))?;
        if status.success() {
            return Ok(());
        }
        let failure = Failure::input(format!("`{shown}` ended with {status}"));
        // An editor that is left with an error means to give up; one that is killed does not.
        Err(if command.is_empty() && status.code().is_none() {
            failure.hint(format!("your version is kept: {}", self.keep()))
        } else {
            failure
        })
    }

    /// The command with the copies in the places of `{}`: each a word of its own where `{}` is a word,
    /// else quoted for a shell where there are several.
    fn command_line(&self, words: Vec<OsString>) -> Vec<OsString> {
        let copies = || {
            self.files
                .iter()
                .map(|file| file.copy.clone().into_os_string())
        };
        let mut line: Vec<OsString> = Vec::new();
        let mut placed = false;
        for word in words {
            let parts: Vec<&[u8]> = split_at_braces(word.as_bytes());
            if word == "{}" {
                line.extend(copies());
            } else if let [_] = parts[..] {
                line.push(word);
                continue;
            } else {
                let names: Vec<OsString> = match &self.files[..] {
                    [file] => vec![file.copy.clone().into_os_string()],
                    _ => copies().map(|copy| quote_for_shell(&copy)).collect(),
                };
                let names = names.join(OsStr::new(" "));
                line.push(OsString::from_vec(parts.join(names.as_bytes())));
            }
            placed = true;
        }
        if !placed {
            line.extend(copies());
        }
        line
    }

    /// What the files are to become.
    pub(super) fn wanted(&self) -> Result<Vec<WantedFile>, Failure> {
        let mut wanted = Vec::new();
        for file in &self.files {
            let read = |error| Failure::io(format!("cannot read {}", file.copy.display()), &error);
            if !file.copy.exists() {
                if file.seen == FileState::Missing {
                    continue;
                }
                return Err(
                    Failure::input(format!("the copy of {} is gone", file.path.display()))
                        .hint("remove the file itself if that is meant"),
                );
            }
            let content = fs::read(&file.copy).map_err(read)?;
            wanted.push(WantedFile::content(&file.path, content).expecting(file.seen.clone()));
        }
        Ok(wanted)
    }

    /// Whether every copy still holds what its file held.
    pub(super) fn hold_originals(&self) -> bool {
        self.files.iter().all(|file| {
            let copy = look_at(&file.copy).map(|seen| seen.state);
            match (&file.seen, copy) {
                (
                    FileState::Regular { content, .. },
                    Ok(FileState::Regular {
                        content: copied, ..
                    }),
                ) => *content == copied,
                _ => false,
            }
        })
    }

    /// Adds to a failure in which state the files are: surefoot replaced none, but a command or another
    /// program may have.
    pub(super) fn say_what_is_left(&self, failure: Failure) -> Failure {
        let is_changed = |file: &&EditedFile| {
            look_at(&file.path).map_or(true, |now| !now.state.equals_but_for_times(&file.seen))
        };
        let Some(changed) = self.files.iter().find(is_changed) else {
            return failure.left("Nothing was changed.");
        };
        let path = changed.path.display();
        let failure = if self.hold_originals() {
            failure.hint(format!("what it was before is kept: {}", self.keep()))
        } else {
            failure
        };
        failure.left(format!(
            "surefoot changed nothing, but {path} is not as it was when the edit began: the command, or another program, changed it."
        ))
    }

    /// Keeps the copies, and says where.
    pub(super) fn keep(&self) -> String {
        // The folder would be removed with this value; a copy of its names stays.
        let kept = self.folder.path().with_extension("kept");
        let moved = fs::rename(self.folder.path(), &kept);
        let place = if moved.is_ok() {
            kept
        } else {
            self.folder.path().to_owned()
        };
        place.display().to_string()
    }
}

/// The parts between each `{}`.
fn split_at_braces(word: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = word;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"{}") {
        parts.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    parts.push(rest);
    parts
}

fn quote_for_shell(word: &OsStr) -> OsString {
    let mut quoted = b"'".to_vec();
    for byte in word.as_bytes() {
        match byte {
            b'\'' => quoted.extend(br"'\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    OsString::from_vec(quoted)
}

fn editor() -> Vec<OsString> {
    for name in ["SUDO_EDITOR", "VISUAL", "EDITOR"] {
        if let Ok(value) = std::env::var(name)
            && !value.trim().is_empty()
        {
            return value.split_whitespace().map(OsString::from).collect();
        }
    }
    let editor = if Path::new("/usr/bin/editor").exists() {
        "editor"
    } else {
        "vi"
    };
    vec![editor.into()]
}
