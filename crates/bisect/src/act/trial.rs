//! Candidates in force: written, tested for their syntax, loaded by the daemon, tested.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use surefoot_journal::{FileAttributes, FileState, RealStorage, Storage as _, look_at};

use super::candidates::{keep_foreign, remember_candidate};
use super::guard::GuardLink;
use super::intervention::{folder_of, fresh_name, inode_of, write_like};
use super::settle::ReloadSettling;
use super::shell::{CommandEnd, CommandLog, NoLog, run_shell};
use crate::error::BisectError;
use crate::repeat::repeat_test;
use crate::search::{TestOracle, TestOutcome};
use crate::tree::ConfigEdit;

/// The commands of a bisection.
#[derive(Clone, Debug)]
pub struct TestCommands {
    /// Says whether the symptom is there: 0 fine, 1 the symptom, anything else something else.
    pub test: String,
    /// Says whether the daemon would take the configuration.
    pub syntax: Option<String>,
    /// Makes the daemon take it.
    pub reload: Option<String>,
    /// Whether only the same output as on the untouched configuration is the symptom.
    pub same_output: bool,
    /// How long a test may take.
    pub test_limit: Duration,
    /// How long a reload may take.
    pub reload_limit: Duration,
}

/// How far a bisection is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BisectProgress {
    /// Candidates that were put in force.
    pub restarts: usize,
    /// Candidates that the syntax test refused.
    pub rejected: usize,
    /// Runs of the test.
    pub tests: usize,
    /// Candidates for which the test did not say what it says of the untouched configuration.
    pub differing: usize,
    /// An estimate of the restarts that are left; unknown once the first one was wrong.
    pub left: Option<usize>,
    /// How long the daemon was reloading, or answered otherwise than it should.
    #[serde(serialize_with = "seconds")]
    pub downtime: Duration,
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((time.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// Why a trial ends before the search does.
pub(super) enum TrialEnd {
    /// The time is over.
    TimeOver,
    /// The person who waits has enough.
    Interrupted,
    /// Something is wrong.
    Failed(BisectError),
}

impl From<BisectError> for TrialEnd {
    fn from(error: BisectError) -> Self {
        Self::Failed(error)
    }
}

/// A file of the configuration under intervention.
pub(super) struct TrialFile {
    pub(super) path: PathBuf,
    /// Nothing for one that must stay.
    pub(super) attributes: Option<FileAttributes>,
    /// The inode that we put there last.
    pub(super) inode: u64,
    /// Device and inode of its folder.
    pub(super) folder: Option<(u64, u64)>,
    /// What we wrote last; nothing is the untouched content.
    pub(super) written: Option<Vec<u8>>,
}

/// What the untouched configuration says.
pub(super) struct UntouchedAnswer {
    pub(super) status: Option<i32>,
    pub(super) output: Vec<u8>,
}

/// The daemon with its files.
pub(super) struct LiveTrial<'a> {
    /// The untouched contents.
    pub(super) originals: &'a [Vec<u8>],
    /// What an edit makes of the files.
    pub(super) render: &'a dyn Fn(&ConfigEdit) -> BTreeMap<usize, Vec<u8>>,
    pub(super) commands: &'a TestCommands,
    pub(super) files: Vec<TrialFile>,
    /// The word in the names beside the files.
    pub(super) tag: String,
    /// Where candidates are remembered, and what another program wrote is kept.
    pub(super) vault: PathBuf,
    pub(super) guard: GuardLink,
    pub(super) repeats: usize,
    pub(super) untouched: UntouchedAnswer,
    /// Whether the person who waits has interrupted.
    pub(super) interrupted: fn() -> bool,
    /// When the search must be over.
    pub(super) end: Instant,
    /// What the daemon runs with: the files that are not untouched.
    pub(super) in_force: BTreeMap<usize, Vec<u8>>,
    pub(super) progress: BisectProgress,
    /// Since when the daemon answers otherwise.
    pub(super) disturbed_since: Option<Instant>,
    /// How long after a reload the daemon answers as before.
    pub(super) settling: ReloadSettling,
    pub(super) guess: usize,
    pub(super) watcher: &'a mut dyn FnMut(&BisectProgress),
}

/// Runs the test once and says what it means.
pub(super) fn look_once(
    commands: &TestCommands,
    untouched: Option<&UntouchedAnswer>,
    log: &mut dyn CommandLog,
) -> Result<(TestOutcome, CommandEnd), BisectError> {
    let end = run_shell(&commands.test, commands.test_limit, log)
        .map_err(|source| run_failed(&commands.test, source))?;
    let outcome = match (end.status, untouched) {
        (Some(0), _) => TestOutcome::Fine,
        (status, Some(untouched)) if commands.same_output => {
            if status == untouched.status && end.output == untouched.output {
                TestOutcome::Symptom
            } else {
                TestOutcome::Other
            }
        }
        (Some(_), None) if commands.same_output => TestOutcome::Symptom,
        (Some(1), _) => TestOutcome::Symptom,
        _ => TestOutcome::Other,
    };
    Ok((outcome, end))
}

pub(super) fn run_failed(command: &str, source: std::io::Error) -> BisectError {
    if source.kind() == std::io::ErrorKind::BrokenPipe {
        return BisectError::GuardGone;
    }
    BisectError::Run {
        command: command.to_owned(),
        source,
    }
}

/// Runs the syntax test on what is in the files.
pub(super) fn check_syntax(
    commands: &TestCommands,
    log: &mut dyn CommandLog,
) -> Result<Option<CommandEnd>, BisectError> {
    let Some(syntax) = &commands.syntax else {
        return Ok(None);
    };
    let end = run_shell(syntax, commands.reload_limit, log)
        .map_err(|source| run_failed(syntax, source))?;
    Ok(Some(end))
}

impl LiveTrial<'_> {
    /// Makes the files hold this: what is not named is untouched.
    fn put(&mut self, wanted: &BTreeMap<usize, Vec<u8>>) -> Result<(), BisectError> {
        for number in 0..self.files.len() {
            let content = wanted.get(&number);
            if self.files[number].written.as_ref() == content {
                continue;
            }
            self.check_own(number)?;
            let bytes = content.unwrap_or(&self.originals[number]);
            let file = &mut self.files[number];
            let Some(attributes) = &file.attributes else {
                continue;
            };
            let name = format!(".surefoot-{}-{}", self.tag, fresh_name(number));
            let fresh = file.path.with_file_name(name);
            write_like(&RealStorage, &fresh, bytes, attributes)?;
            file.inode = inode_of(&fresh).unwrap_or_default();
            if let FileState::Regular { content, .. } = look_at(&fresh)?.state {
                let list = &self.vault;
                remember_candidate(list, number, &content).map_err(|source| BisectError::Keep {
                    path: list.clone(),
                    source,
                })?;
            }
            RealStorage
                .rename_over(&fresh, &file.path)
                .map_err(|source| BisectError::Read {
                    path: file.path.clone(),
                    source,
                })?;
            file.written = content.cloned();
        }
        Ok(())
    }

    /// Whether a file still is what was put there; what another program wrote is kept.
    fn check_own(&self, number: usize) -> Result<(), BisectError> {
        let file = &self.files[number];
        let ours = file.written.as_ref().unwrap_or(&self.originals[number]);
        let seen = look_at(&file.path)?;
        if inode_of(&file.path) == Some(file.inode) && seen.content.as_ref() == Some(ours) {
            return Ok(());
        }
        if folder_of(&file.path) != file.folder {
            return Err(BisectError::FolderMoved {
                path: file.path.parent().unwrap_or(&file.path).to_owned(),
            });
        }
        let Some(content) = seen.content else {
            return Err(BisectError::FileGone {
                path: file.path.clone(),
            });
        };
        let kept =
            keep_foreign(&self.vault, number, &content).map_err(|source| BisectError::Keep {
                path: self.vault.clone(),
                source,
            })?;
        Err(BisectError::ChangedMeanwhile {
            path: file.path.clone(),
            kept,
        })
    }

    /// Checks all files before they are put back.
    pub(super) fn check_all_own(&self) -> Result<(), BisectError> {
        for number in 0..self.files.len() {
            if self.files[number].attributes.is_some() {
                self.check_own(number)?;
            }
        }
        Ok(())
    }

    fn reload(&mut self) -> Result<Option<CommandEnd>, BisectError> {
        let Some(reload) = &self.commands.reload else {
            return Ok(None);
        };
        self.settle_disturbance();
        let end = run_shell(reload, self.commands.reload_limit, &mut self.guard)
            .map_err(|source| run_failed(reload, source))?;
        self.progress.downtime += end.took;
        Ok(Some(end))
    }

    /// Adds the time in which the daemon answered otherwise.
    pub(super) fn settle_disturbance(&mut self) {
        if let Some(since) = self.disturbed_since.take() {
            self.progress.downtime += since.elapsed();
        }
    }

    /// After a reload that failed: the untouched files, and the daemon must come back with them.
    fn recover(&mut self) -> Result<(), BisectError> {
        self.put(&BTreeMap::new())?;
        self.in_force.clear();
        let mut last = None;
        for _ in 0..2 {
            match self.reload()? {
                Some(end) if !end.is_success() => last = Some(end),
                _ => return Ok(()),
            }
        }
        Err(BisectError::DaemonGone {
            command: self.commands.reload.clone().unwrap_or_default(),
            how: last.map_or_else(String::new, |end| end.describe()),
        })
    }

    fn tell(&mut self) {
        self.progress.left = self.guess.checked_sub(self.progress.restarts);
        (self.watcher)(&self.progress);
    }

    /// Waits until the daemon answers with what it was given: a reload may return before.
    fn settle_reload(&mut self) -> Result<(), TrialEnd> {
        if self.commands.reload.is_none() {
            return Ok(());
        }
        if let Some(pause) = self.settling.known_pause(self.repeats) {
            std::thread::sleep(pause);
            return Ok(());
        }
        let begun = Instant::now();
        let mut watch = self.settling.watch();
        loop {
            let at = begun.elapsed();
            let outcome = self.judge_once()?;
            if watch.is_settled(at, outcome) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.settling.learn(&watch);
        Ok(())
    }

    /// One look.
    fn judge_once(&mut self) -> Result<TestOutcome, TrialEnd> {
        let repeats = std::mem::replace(&mut self.repeats, 1);
        let outcome = self.judge();
        self.repeats = repeats;
        outcome
    }

    fn judge(&mut self) -> Result<TestOutcome, TrialEnd> {
        let (commands, untouched) = (self.commands, &self.untouched);
        let (guard, progress, end) = (&mut self.guard, &mut self.progress, self.end);
        let interrupted = self.interrupted;
        repeat_test(self.repeats, || {
            if Instant::now() > end {
                return Err(TrialEnd::TimeOver);
            }
            if interrupted() {
                return Err(TrialEnd::Interrupted);
            }
            progress.tests += 1;
            let (outcome, _) = look_once(commands, Some(untouched), guard)?;
            Ok(outcome)
        })
    }
}

impl TestOracle for LiveTrial<'_> {
    type Stop = TrialEnd;

    fn test(&mut self, edit: &ConfigEdit) -> Result<TestOutcome, TrialEnd> {
        if edit.is_empty() {
            // It was looked at before anything was changed.
            return Ok(TestOutcome::Symptom);
        }
        self.try_out(edit)
    }
}

impl LiveTrial<'_> {
    /// Puts a candidate in force and tests it, whatever is remembered of it.
    pub(super) fn try_out(&mut self, edit: &ConfigEdit) -> Result<TestOutcome, TrialEnd> {
        if Instant::now() > self.end {
            return Err(TrialEnd::TimeOver);
        }
        if (self.interrupted)() {
            return Err(TrialEnd::Interrupted);
        }
        self.tell();
        let wanted = (self.render)(edit);
        self.put(&wanted)?;
        if let Some(end) = check_syntax(self.commands, &mut self.guard)?
            && !end.is_success()
        {
            self.progress.rejected += 1;
            return Ok(TestOutcome::Rejected);
        }
        self.progress.restarts += 1;
        self.in_force = wanted;
        if let Some(end) = self.reload()?
            && !end.is_success()
        {
            self.recover()?;
            self.settling.last = None;
            self.progress.differing += 1;
            return Ok(TestOutcome::Other);
        }
        self.settle_reload()?;
        let outcome = self.judge()?;
        self.progress.differing += usize::from(outcome != TestOutcome::Symptom);
        self.settling.last = Some(outcome);
        if outcome == TestOutcome::Other {
            self.disturbed_since = Some(Instant::now());
        }
        Ok(outcome)
    }
}

/// A log for commands that run before anything is changed.
pub(super) fn no_log() -> NoLog {
    NoLog
}
