//! A change of login prompts as the journal makes it: files, and what tells the init system.

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use surefoot_journal::{
    Change, ChangeDescription, ChangeStanding, EntryRoom, FileSetChange, JournalError, UnixMoment,
    WantedFile, look_at,
};

use super::rooted::place_below;
use crate::edits::{ConsoleActs, ConsolePlan, SetupEdit};

/// How long a command that tells the init system may take.
const LONGEST_COMMAND: Duration = Duration::from_secs(20);

/// Why a plan cannot become a change.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// A file is not what the plan was made from.
    #[error("{} is not what was read, or is not UTF-8; look at it, and run this again", path.display())]
    ReadOtherwise {
        /// The file.
        path: PathBuf,
    },
    /// The links of a path go in a circle.
    #[error("the links of {path} go in a circle")]
    LinkCircle {
        /// The path.
        path: String,
    },
    /// The program that would ask for the name is missing.
    #[error("{program} is not there; without it no login prompt starts on {terminals}")]
    NoProgram {
        /// The terminals.
        terminals: String,
        /// The program.
        program: String,
    },
    /// The program that would ask for the name cannot be started.
    #[error("{program} cannot be started: {why}; no login prompt would start on {terminals}")]
    SpoiltProgram {
        /// The terminals.
        terminals: String,
        /// The program.
        program: String,
        /// Why it cannot be started.
        why: &'static str,
    },
    /// The journal refuses.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// A change of login prompts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleChange {
    files: FileSetChange,
    apply: Vec<Vec<String>>,
    revert: Vec<Vec<String>>,
    /// Commands before the files are changed, where this takes a change back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    before_apply: Vec<Vec<String>>,
    /// Commands before the files are put back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    before_revert: Vec<Vec<String>>,
}

impl ConsoleChange {
    /// The name of this kind of change.
    pub const KIND: &'static str = "login prompts";
}

/// Names each program that would ask for the name and is not there or cannot be started, with its terminals.
pub fn missing_programs(plan: &ConsolePlan, root: &Path) -> Vec<ChangeError> {
    let mut found = Vec::new();
    let mut programs: Vec<&str> = Vec::new();
    for (_, program) in &plan.programs {
        if !programs.contains(&program.as_str()) {
            programs.push(program);
        }
    }
    for program in programs {
        let place = place_below(root, program, true);
        // A tree that has no such folder is a part of a system, such as a copy of /etc.
        let folder = program.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let has_folder = place_below(root, folder, true).is_some_and(|folder| folder.is_dir());
        if !has_folder {
            continue;
        }
        let of_program = plan.programs.iter().filter(|(_, name)| name == program);
        let terminals: Vec<&str> = of_program.map(|(terminal, _)| terminal.as_str()).collect();
        let terminals = terminals.join(", ");
        let program = program.to_owned();
        match place.and_then(|place| place.metadata().ok()) {
            None => found.push(ChangeError::NoProgram { terminals, program }),
            Some(metadata) => {
                if let Some(why) = why_not_started(&metadata) {
                    found.push(ChangeError::SpoiltProgram {
                        terminals,
                        program,
                        why,
                    });
                }
            }
        }
    }
    found
}

/// Why what is at the place of a program cannot be started; nothing if it can.
fn why_not_started(found: &Metadata) -> Option<&'static str> {
    if !found.is_file() {
        Some("it is no file")
    } else if found.permissions().mode() & 0o111 == 0 {
        Some("it is not executable")
    } else if found.len() == 0 {
        Some("it is empty")
    } else {
        None
    }
}

/// Makes a change of a plan. What runs is told only if this is the running machine.
pub fn plan_change(
    plan: &ConsolePlan,
    root: &Path,
    title: &str,
    is_running: bool,
    now: UnixMoment,
) -> Result<ConsoleChange, ChangeError> {
    let mut wanted: Vec<WantedFile> = Vec::new();
    let mut folders: Vec<PathBuf> = Vec::new();
    for edit in &plan.edits {
        let follow = matches!(
            edit,
            SetupEdit::Write {
                before: Some(_),
                ..
            }
        );
        let place =
            place_below(root, edit.path(), follow).ok_or_else(|| ChangeError::LinkCircle {
                path: edit.path().to_owned(),
            })?;
        let missing: Vec<&Path> = place
            .ancestors()
            .skip(1)
            .take_while(|folder| !folder.is_dir() && folder.starts_with(root))
            .collect();
        for folder in missing.into_iter().rev() {
            if !folders.iter().any(|made| made == folder) {
                wanted.push(WantedFile::folder(folder, 0o755));
                folders.push(folder.to_owned());
            }
        }
        let seen = look_at(&place)?;
        let file = match edit {
            SetupEdit::Write {
                before,
                text,
                program,
                ..
            } => {
                let read_then = before.as_ref().map(String::as_bytes);
                let is_link = read_then.is_none() && seen.content.is_none();
                if seen.content.as_deref() != read_then && !is_link {
                    return Err(ChangeError::ReadOtherwise { path: place });
                }
                let bytes = text.clone().into_bytes();
                if *program {
                    WantedFile::content_and_mode(place, bytes, 0o755)
                } else {
                    WantedFile::content(place, bytes)
                }
            }
            SetupEdit::Link { target, .. } => WantedFile::link(place, target),
            SetupEdit::Remove { .. } => WantedFile::gone(place),
        };
        wanted.push(file.expecting(seen.state));
    }
    let files = FileSetChange::plan(title, wanted, now)?;
    let ConsoleActs {
        apply,
        revert,
        before_revert,
    } = if is_running {
        plan.acts.clone()
    } else {
        ConsoleActs::default()
    };
    Ok(ConsoleChange {
        files,
        apply,
        revert,
        before_apply: Vec::new(),
        before_revert,
    })
}

impl Change for ConsoleChange {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn describe(&self, room: &EntryRoom<'_>) -> Result<ChangeDescription, JournalError> {
        self.files.describe(room)
    }

    fn back_up(&mut self, room: &mut EntryRoom<'_>) -> Result<(), JournalError> {
        self.files.back_up(room)
    }

    fn apply(&self, room: &EntryRoom<'_>) -> Result<(), JournalError> {
        tell_init(&self.before_apply, room);
        self.files.apply(room)?;
        tell_init(&self.apply, room);
        Ok(())
    }

    fn verify(&self, room: &EntryRoom<'_>) -> Result<ChangeStanding, JournalError> {
        self.files.verify(room)
    }

    fn revert(&self, room: &EntryRoom<'_>) -> Result<(), JournalError> {
        tell_init(&self.before_revert, room);
        self.files.revert(room)?;
        tell_init(&self.revert, room);
        Ok(())
    }

    fn clean_up(&self, room: &EntryRoom<'_>) -> Result<(), JournalError> {
        self.files.clean_up(room)
    }

    fn load(&self, room: &mut EntryRoom<'_>) -> Result<(), JournalError> {
        self.files.load(room)
    }

    fn reversal(&self, room: &EntryRoom<'_>) -> Result<Box<dyn Change>, JournalError> {
        Ok(Box::new(Self {
            files: self.files.reversed(room)?,
            apply: self.revert.clone(),
            revert: self.apply.clone(),
            before_apply: self.before_revert.clone(),
            before_revert: Vec::new(),
        }))
    }

    fn to_record(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Runs the commands that tell the init system. The files are what counts at the next boot; a command that
/// fails is noted, and whether the prompts run is looked at afterwards.
fn tell_init(commands: &[Vec<String>], room: &EntryRoom<'_>) {
    for words in commands {
        let told = words.join(" ");
        match run(words) {
            Ok(()) => room.note(format!("ran `{told}`")),
            Err(why) => room.note(format!("`{told}` did not work: {why}")),
        }
    }
}

fn run(words: &[String]) -> Result<(), String> {
    let Some((program, arguments)) = words.split_first() else {
        return Ok(());
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("it cannot be run: {error}"))?;
    let end = Instant::now() + LONGEST_COMMAND;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("it ended with {status}")),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) => {
                // It is our own child, so its number cannot be another's.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!(
                    "it took over {} seconds",
                    LONGEST_COMMAND.as_secs()
                ));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}
