//! A whole bisection: the looks at the untouched configuration, the intervention, the search, the way back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use surefoot_journal::{
    ArmRequest, ChangeOrigin, ChangeRequest, Journal, JournalEntry, JournalError, JournalSession,
    WatchdogStarter, look_at,
};

use super::changes::ChangedFiles;
use super::guard::{GuardSlot, GuardStarter};
use super::intervention::{ConfigIntervention, ReloadCommand, folder_of, inode_of};
use super::load::{LoadedConfig, load_config};
use super::settle::{ReloadSettling, wait_for_symptom};
use super::shell::{run_shell, shorten};
use super::trial::{
    BisectProgress, LiveTrial, TestCommands, TrialEnd, TrialFile, UntouchedAnswer, check_syntax,
    look_once, no_log, run_failed,
};
use crate::error::BisectError;
use crate::lens::ConfigLens;
use crate::repeat::{TestSteadiness, UntouchedLook, judge_untouched};
use crate::search::{BisectSearch, SearchAnswer, TestOutcome};
use crate::tree::{ConfigEdit, UnitId};

/// How much longer than the search the watchdog waits.
const AFTER_THE_END: Duration = Duration::from_secs(60);
/// The looks at the untouched configuration take about so long.
const LOOKS: Duration = Duration::from_secs(2);

/// What to bisect, and how.
#[derive(Clone, Debug)]
pub struct BisectOptions {
    /// The main file, or a folder.
    pub config: PathBuf,
    /// The structure, if it is given.
    pub lens: Option<ConfigLens>,
    /// The commands.
    pub commands: TestCommands,
    /// How long the search may take.
    pub within: Duration,
    /// How many candidates may be put in force.
    pub most_restarts: usize,
    /// A number of chance.
    pub seed: u64,
}

/// What interventions need of the program around them.
pub struct InterventionSetting<'a> {
    /// The journal.
    pub journal: &'a Journal,
    /// The right to change things.
    pub session: &'a JournalSession<'a>,
    /// Who asks, from where.
    pub origin: ChangeOrigin,
    /// The command line.
    pub command: Vec<String>,
    /// Starts the watchdog.
    pub watchdog: WatchdogStarter,
    /// Starts the guard.
    pub guard: GuardStarter,
    /// Whether the person who waits has interrupted since this was last asked.
    pub interrupted: fn() -> bool,
}

/// What the untouched configuration did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UntouchedState {
    /// The symptom is there.
    Shown(TestSteadiness),
    /// It is not.
    NotShown(TestOutcome),
    /// The test says one thing and then another.
    Unclear,
}

/// How the machine was left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RestoredState {
    /// The entry of the journal.
    pub entry: u64,
    /// What a person has to be told about the way back; nothing if all is as before.
    pub warnings: Vec<String>,
    /// What the test said when everything was back.
    pub test: Option<TestOutcome>,
}

/// What a bisection came to.
pub struct BisectRun {
    /// The configuration.
    pub loaded: LoadedConfig,
    /// What the untouched configuration did, and what the test said of it.
    pub untouched: UntouchedState,
    /// What the test wrote on it.
    pub said: String,
    /// The answer; nothing if there was no search.
    pub answer: Option<SearchAnswer>,
    /// Units whose absence makes the same symptom.
    pub makers: Vec<UnitId>,
    /// What it cost.
    pub progress: BisectProgress,
    /// How long it took.
    pub took: Duration,
    /// Whether the time was over before the search was.
    pub time_over: bool,
    /// Whether the search was interrupted.
    pub interrupted: bool,
    /// What ended the search.
    pub failed: Option<BisectError>,
    /// How the machine was left; nothing if nothing was changed.
    pub restored: Option<RestoredState>,
}

/// Bisects a configuration. When this returns, the files are as they were; where that is not so, the error or
/// the warnings say it.
pub fn run_bisect(
    options: &BisectOptions,
    setting: &InterventionSetting<'_>,
    watcher: &mut dyn FnMut(&BisectProgress),
) -> Result<BisectRun, BisectError> {
    let begun = Instant::now();
    let loaded = load_config(&options.config, options.lens)?;
    let originals = loaded.tree.files.iter().map(|file| file.text.clone());
    let originals: Vec<Vec<u8>> = originals.collect();
    let tree = loaded.tree.clone();
    let render = |edit: &ConfigEdit| tree.changed_files(edit).into_iter().collect();
    let subject = BisectSubject {
        title: format!("bisect {}", options.config.display()),
        originals: &originals,
        render: &render,
    };
    bisect_subject(options, setting, loaded, &subject, begun, watcher)
}

/// Bisects whole files: leaving one out gives it its earlier content.
pub fn run_changes(
    options: &BisectOptions,
    changes: &ChangedFiles,
    setting: &InterventionSetting<'_>,
    watcher: &mut dyn FnMut(&BisectProgress),
) -> Result<BisectRun, BisectError> {
    let begun = Instant::now();
    let loaded = LoadedConfig {
        tree: changes.tree(),
        paths: changes.files.iter().map(|file| file.path.clone()).collect(),
        notes: changes.notes.clone(),
    };
    let originals: Vec<Vec<u8>> = changes.files.iter().map(|file| file.now.clone()).collect();
    let tree = loaded.tree.clone();
    let render = |edit: &ConfigEdit| {
        let files = edit.deleted.iter().map(|unit| tree.unit(*unit).file);
        files
            .map(|file| (file, changes.files[file].earlier.clone()))
            .collect()
    };
    let subject = BisectSubject {
        title: format!("bisect the changes below {}", options.config.display()),
        originals: &originals,
        render: &render,
    };
    bisect_subject(options, setting, loaded, &subject, begun, watcher)
}

/// What is searched, as far as files and sections do not differ.
struct BisectSubject<'a> {
    title: String,
    originals: &'a [Vec<u8>],
    render: &'a dyn Fn(&ConfigEdit) -> BTreeMap<usize, Vec<u8>>,
}

fn bisect_subject(
    options: &BisectOptions,
    setting: &InterventionSetting<'_>,
    loaded: LoadedConfig,
    subject: &BisectSubject<'_>,
    begun: Instant,
    watcher: &mut dyn FnMut(&BisectProgress),
) -> Result<BisectRun, BisectError> {
    let commands = &options.commands;
    if let Some(end) = check_syntax(commands, &mut no_log())?
        && !end.is_success()
    {
        return Err(BisectError::SyntaxOfUntouched {
            command: commands.syntax.clone().unwrap_or_default(),
            said: end.last_lines(6),
        });
    }
    let mut progress = BisectProgress::default();
    let (untouched, answer) =
        look_at_untouched(commands, setting.interrupted, &mut progress, watcher)?;
    refuse_test_that_changes(commands, &loaded, subject.originals)?;
    let mut run = BisectRun {
        said: shown_lines(&answer.output),
        loaded,
        untouched,
        answer: None,
        makers: vec![],
        progress,
        took: Duration::ZERO,
        time_over: false,
        interrupted: false,
        failed: None,
        restored: None,
    };
    if let UntouchedState::Shown(steadiness) = run.untouched {
        intervene(
            options, setting, subject, steadiness, answer, &mut run, watcher,
        )?;
    }
    run.took = begun.elapsed();
    Ok(run)
}

/// Refuses a test that changed a file while nothing but it ran: no candidate would be what it seems.
fn refuse_test_that_changes(
    commands: &TestCommands,
    loaded: &LoadedConfig,
    originals: &[Vec<u8>],
) -> Result<(), BisectError> {
    let files = loaded.paths.iter().zip(&loaded.tree.files).zip(originals);
    for ((path, file), original) in files {
        if file.is_fixed {
            continue;
        }
        let now = look_at(path)?.content;
        if now.as_ref() != Some(original) {
            return Err(BisectError::TestChanges {
                command: commands.test.clone(),
                path: path.clone(),
                before: original.len(),
                after: now.map_or(0, |now| now.len()),
            });
        }
    }
    Ok(())
}

/// Some lines of what a test wrote.
fn shown_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines = text.trim().lines().take(6).map(shorten);
    lines.collect::<Vec<_>>().join("\n")
}

/// Runs the test on the untouched configuration until it is clear what it says.
fn look_at_untouched(
    commands: &TestCommands,
    interrupted: fn() -> bool,
    progress: &mut BisectProgress,
    watcher: &mut dyn FnMut(&BisectProgress),
) -> Result<(UntouchedState, UntouchedAnswer), BisectError> {
    let mut looks = Vec::new();
    let mut answer: Option<UntouchedAnswer> = None;
    let mut at_least = 3;
    let state = loop {
        let (outcome, end) = look_once(commands, answer.as_ref(), &mut no_log())?;
        progress.tests += 1;
        watcher(progress);
        if interrupted() {
            return Err(BisectError::Interrupted);
        }
        if outcome == TestOutcome::Symptom || answer.is_none() {
            answer = Some(UntouchedAnswer {
                status: end.status,
                output: end.output,
            });
        }
        if looks.is_empty() {
            let fit = LOOKS.as_millis() / end.took.as_millis().max(1);
            at_least = usize::try_from(fit).unwrap_or(10).clamp(3, 10);
        }
        looks.push(outcome);
        match judge_untouched(&looks, at_least) {
            UntouchedLook::Again => {}
            UntouchedLook::Shown(steadiness) => break UntouchedState::Shown(steadiness),
            UntouchedLook::NotShown(outcome) => break UntouchedState::NotShown(outcome),
            UntouchedLook::Unclear => break UntouchedState::Unclear,
        }
    };
    let answer = answer.unwrap_or(UntouchedAnswer {
        status: None,
        output: vec![],
    });
    Ok((state, answer))
}

/// Puts the configuration under intervention, searches, and puts everything back.
fn intervene(
    options: &BisectOptions,
    setting: &InterventionSetting<'_>,
    subject: &BisectSubject<'_>,
    steadiness: TestSteadiness,
    untouched: UntouchedAnswer,
    run: &mut BisectRun,
    watcher: &mut dyn FnMut(&BisectProgress),
) -> Result<(), BisectError> {
    let commands = &options.commands;
    let tree = &run.loaded.tree;
    let changeable: Vec<PathBuf> = (run.loaded.paths.iter().zip(&tree.files))
        .filter(|(_, file)| !file.is_fixed)
        .map(|(path, _)| path.clone())
        .collect();
    if changeable.is_empty() || tree.ids().next().is_none() {
        return Err(BisectError::NoConfiguration {
            path: options.config.clone(),
            why: "nothing in it may be left out",
        });
    }
    let title = subject.title.clone();
    let mut files = Vec::new();
    for (path, file) in run.loaded.paths.iter().zip(&tree.files) {
        let attributes = if file.is_fixed {
            None
        } else {
            look_at(path)?.state.attributes().cloned()
        };
        files.push(TrialFile {
            path: path.clone(),
            attributes,
            inode: 0,
            folder: folder_of(path),
            written: None,
        });
    }
    let reload = commands.reload.as_ref();
    let reload = reload
        .map(|command| planned_reload(command, commands.reload_limit))
        .transpose()?;
    let change = ConfigIntervention::plan(title, &changeable, reload)?;
    if let Some(reload) = &commands.reload {
        let end = run_shell(reload, commands.reload_limit, &mut no_log())
            .map_err(|source| run_failed(reload, source))?;
        if !end.is_success() {
            return Err(BisectError::ReloadOfUntouched {
                command: reload.clone(),
                how: end.describe(),
            });
        }
    }
    let slot = GuardSlot::default();
    let entry = arm(options, setting, change, &slot)?;
    let number = entry.number;
    let mut restored = RestoredState {
        entry: number,
        ..RestoredState::default()
    };
    for file in &mut files {
        file.inode = inode_of(&file.path).unwrap_or_default();
    }
    let mut searched = None;
    if let Some(guard) = slot.take() {
        let units = tree.ids().count().max(2);
        let mut trial = LiveTrial {
            originals: subject.originals,
            render: subject.render,
            commands,
            files,
            tag: entry.tag.clone(),
            vault: setting.journal.entry_folder(number).join("vault"),
            guard,
            repeats: steadiness.repeats,
            untouched,
            interrupted: setting.interrupted,
            end: Instant::now() + options.within,
            in_force: BTreeMap::new(),
            progress: std::mem::take(&mut run.progress),
            disturbed_since: None,
            settling: ReloadSettling::default(),
            // A search of one culprit; what the daemon needs costs more.
            guess: units.ilog2() as usize + 4,
            watcher,
        };
        let mut search = BisectSearch::new(tree, &mut trial, options.most_restarts, options.seed);
        let answer = search.run();
        run.makers = search.makers.iter().copied().collect();
        let partial = search.partial();
        let answer = answer.and_then(|answer| confirm(&mut trial, answer));
        match answer {
            Ok(answer) => run.answer = Some(answer),
            Err(TrialEnd::TimeOver) => {
                run.answer = Some(partial);
                run.time_over = true;
            }
            Err(TrialEnd::Interrupted) => {
                run.answer = Some(partial);
                run.interrupted = true;
            }
            Err(TrialEnd::Failed(error)) => run.failed = Some(error),
        }
        if run.failed.is_none() {
            run.failed = trial.check_all_own().err();
        }
        searched = Some(trial);
    } else {
        run.failed = Some(BisectError::GuardGone);
    }
    let back = Instant::now();
    let (_, mut warnings) = setting.session.roll_back(number)?;
    if let Some(BisectError::ChangedMeanwhile { kept, .. }) = &run.failed {
        // It is the error that is told, and the file is back.
        let kept = kept.display().to_string();
        warnings.retain(|warning| !warning.ends_with(&kept));
    }
    restored.warnings = warnings;
    if let Some(mut trial) = searched {
        trial.settle_disturbance();
        run.progress = std::mem::take(&mut trial.progress);
        if commands.reload.is_some() {
            run.progress.downtime += back.elapsed();
        }
        let mut look = || look_again(commands, steadiness, &trial.untouched);
        let mut outcome = wait_for_symptom(commands, &mut look)?;
        if outcome != TestOutcome::Symptom
            && let Some(reload) = &commands.reload
        {
            // Once more: a daemon may need two tries to let go of what it had.
            run_shell(reload, commands.reload_limit, &mut no_log())
                .map_err(|source| run_failed(reload, source))?;
            outcome = wait_for_symptom(commands, &mut look)?;
        }
        restored.test = Some(outcome);
        restored.warnings.extend(changed_by_the_test(
            &run.loaded.paths,
            subject.originals,
            &setting.journal.entry_folder(number).join("vault"),
        ));
    }
    run.restored = Some(restored);
    Ok(())
}

/// Files that were put back and are not what they were any more: the commands themselves changed them.
fn changed_by_the_test(paths: &[PathBuf], originals: &[Vec<u8>], vault: &Path) -> Vec<String> {
    let is_changed = |path: &PathBuf, original: &Vec<u8>| {
        !look_at(path).is_ok_and(|seen| seen.content.as_ref() == Some(original))
    };
    paths
        .iter()
        .zip(originals)
        .filter(|(path, original)| is_changed(path, original))
        .map(|(path, _)| {
            format!(
                "{} was put back, and the test or the reload changed or removed it then; what it held is in {}",
                path.display(),
                vault.display()
            )
        })
        .collect()
}

/// Tests once more what the answer rests on: the untouched configuration, then the cure. A daemon that does not
/// follow its files, as its reload failed in silence, is found out here.
fn confirm(trial: &mut LiveTrial<'_>, answer: SearchAnswer) -> Result<SearchAnswer, TrialEnd> {
    if answer.cure.is_empty() {
        return Ok(answer);
    }
    // A test that seemed steady may still miss the symptom at times: more than one look at the cure.
    trial.repeats = trial.repeats.max(4);
    let untouched = trial.try_out(&ConfigEdit::default())?;
    let cured = trial.try_out(&answer.cure)?;
    Ok(match (untouched, cured) {
        (TestOutcome::Symptom, TestOutcome::Fine) => answer,
        (TestOutcome::Symptom, other) => SearchAnswer::not_confirmed(other),
        (other, _) => SearchAnswer::not_reproducible(other),
    })
}

/// Whether the symptom is back.
fn look_again(
    commands: &TestCommands,
    steadiness: TestSteadiness,
    untouched: &UntouchedAnswer,
) -> Result<TestOutcome, BisectError> {
    crate::repeat::repeat_test(steadiness.repeats, || {
        look_once(commands, Some(untouched), &mut no_log()).map(|(outcome, _)| outcome)
    })
}

/// The reload as every process can run it that puts the files back.
fn planned_reload(command: &str, limit: Duration) -> Result<ReloadCommand, BisectError> {
    let folder = std::env::current_dir().map_err(|source| BisectError::Read {
        path: PathBuf::from("."),
        source,
    })?;
    if folder.to_str().is_none() {
        return Err(BisectError::StrangeName { path: folder });
    }
    Ok(ReloadCommand {
        command: command.to_owned(),
        folder,
        limit,
    })
}

fn arm(
    options: &BisectOptions,
    setting: &InterventionSetting<'_>,
    change: ConfigIntervention,
    slot: &GuardSlot,
) -> Result<JournalEntry, BisectError> {
    let start = |entry: &JournalEntry| -> Result<(), JournalError> {
        setting.watchdog.start(setting.journal, entry)?;
        let link = setting.guard.start(entry.number);
        let link = link.map_err(|error| JournalError::WatchdogFailed {
            why: error.to_string(),
        })?;
        slot.fill(link);
        Ok(())
    };
    let request = ChangeRequest {
        origin: setting.origin.clone(),
        command: setting.command.clone(),
        arm: Some(ArmRequest {
            within: (options.within + AFTER_THE_END).as_secs(),
            start: &start,
        }),
    };
    Ok(setting.session.perform(Box::new(change), request)?)
}
