//! The journal as commands use it: where it is, who changes the machine, how its errors are
//! reported.

use std::path::{Path, PathBuf};

use clap::Args;
use surefoot_apply::RulesChange;
use surefoot_bisect::ConfigIntervention;
use surefoot_consoles::ConsoleChange;
use surefoot_diagnose::DaemonHold;
use surefoot_journal::{
    ChangeOrigin, Journal, JournalEntry, JournalError, JournalOptions, JournalSession,
    RecoveryReport, UnixMoment, WatchdogStarter, systemd_runs,
};
use surefoot_report::escape;
use surefoot_sys::LocalTime;

use crate::edit_leftovers::settle_edits;
use crate::error::Failure;
use crate::output::Output;

/// Where the journal is unless another place is given.
const STATE_DIR: &str = "/var/lib/surefoot";

/// Where the journal is.
#[derive(Clone, Debug, Args)]
pub(crate) struct StateDirArgs {
    /// The folder of the journal
    #[arg(
        long,
        value_name = "DIR",
        default_value = STATE_DIR,
        value_hint = clap::ValueHint::DirPath
    )]
    pub(crate) state_dir: PathBuf,
}

impl StateDirArgs {
    /// The journal.
    pub(crate) fn journal(&self) -> Journal {
        let place = std::path::absolute(&self.state_dir);
        let mut options = JournalOptions::at(place.unwrap_or_else(|_| self.state_dir.clone()));
        options.interrupted = surefoot_sys::take_interrupt;
        options.kinds = options
            .kinds
            .with::<ConsoleChange>(ConsoleChange::KIND)
            .with::<ConfigIntervention>(ConfigIntervention::KIND)
            .with::<DaemonHold>(DaemonHold::KIND)
            .with::<RulesChange>(RulesChange::KIND);
        Journal::new(options)
    }

    /// The journal that is there. One that was named and is not there is a slip; the usual one is not there
    /// as long as nothing was changed.
    pub(crate) fn existing_journal(&self) -> Result<Journal, Failure> {
        let journal = self.journal();
        if self.state_dir == Path::new(STATE_DIR) || !matches!(journal.exists(), Ok(false)) {
            return Ok(journal);
        }
        let shown = self.state_dir.display();
        Err(Failure::input(format!("there is no journal in {shown}"))
            .hint(format!(
                "check the name; `surefoot edit --state-dir {shown}` begins one there"
            ))
            .left("Nothing was changed."))
    }

    /// Says that the commands which are printed mean this journal only with its folder, if it is not
    /// the usual one: pasted as they are, they would act on the other.
    pub(crate) fn remind(&self, output: &Output) {
        if self.state_dir != Path::new(STATE_DIR) {
            output.remark(&format!(
                "journal in {0}: add `--state-dir {0}` to the commands that follow\n",
                escape(&self.state_dir.display().to_string())
            ));
        }
    }

    /// What starts the watchdog of this journal.
    pub(crate) fn watchdog(&self) -> Result<WatchdogStarter, Failure> {
        watchdog_of(&self.state_dir)
    }
}

/// Takes the lock, reports entries that were left half-done, and restarts watchdogs that are gone.
pub(crate) fn lock<'a>(
    journal: &'a Journal,
    output: &Output,
) -> Result<JournalSession<'a>, Failure> {
    heed_interrupt();
    let session = journal
        .lock()
        .map_err(|error| failure(&error).left("Nothing was changed."))?;
    tell_recovered(&session.recovered, output);
    settle_edits(journal.folder(), output);
    watch_again(journal, &session, output);
    Ok(session)
}

/// From now on Ctrl-C ends this program no more, in the middle of a change or with no word about it: the
/// program that is waited for ends, and what was begun is taken back.
pub(crate) fn heed_interrupt() {
    // It never fails for this signal.
    let _ = surefoot_sys::watch_interrupt();
}

/// Starts a watchdog for each armed entry that has none any more.
fn watch_again(journal: &Journal, session: &JournalSession<'_>, output: &Output) {
    for entry in session.unwatched().unwrap_or_default() {
        let number = entry.number;
        let started = watchdog_of(journal.folder()).map(|starter| starter.start(journal, &entry));
        let told = match started {
            Ok(Ok(())) => "it is started again".to_owned(),
            Ok(Err(error)) => format!("it cannot be started again: {error}"),
            Err(_) => "it cannot be started again: this program is not found".to_owned(),
        };
        output.complain(&format!(
            "note: the watchdog of entry {number} was gone; {}\n",
            escape(&told)
        ));
    }
}

/// What starts the watchdog of a journal.
fn watchdog_of(folder: &Path) -> Result<WatchdogStarter, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::io("cannot find surefoot's own program", &error))?;
    let place = std::path::absolute(folder)
        .map_err(|error| Failure::io("cannot find the journal", &error))?;
    Ok(WatchdogStarter {
        program,
        words: vec![
            "watchdog".to_owned(),
            "--state-dir".to_owned(),
            place.display().to_string(),
        ],
        systemd: systemd_runs(),
    })
}

/// Tells what was found half-done and settled.
pub(crate) fn tell_recovered(reports: &[RecoveryReport], output: &Output) {
    for report in reports {
        let (number, title) = (report.number, escape(&report.title));
        let what = escape(&report.what);
        output.complain(&format!("note: entry {number} ({title}) {what}\n"));
    }
}

/// Who changes the machine, and from where, as the environment says.
pub(crate) fn origin() -> ChangeOrigin {
    let word = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = rustix::process::geteuid().as_raw();
    let terminal = rustix::termios::ttyname(std::io::stdin(), Vec::new()).ok();
    let login = word("SUDO_USER")
        .or_else(|| word("DOAS_USER"))
        .or_else(|| word("LOGNAME"));
    ChangeOrigin {
        user: if user == 0 {
            "root".to_owned()
        } else {
            user.to_string()
        },
        login,
        terminal: terminal.map(|name| name.to_string_lossy().into_owned()),
        ssh_client: word("SSH_CONNECTION")
            .and_then(|value| value.split_whitespace().next().map(str::to_owned)),
    }
}

/// The command line.
pub(crate) fn command_line() -> Vec<String> {
    std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect()
}

/// An error of the journal, with its causes, what to do next, and in which state the machine is.
pub(crate) fn failure(error: &JournalError) -> Failure {
    let denied = matches!(
        error,
        JournalError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied
            && !rustix::process::geteuid().is_root()
    );
    let mut failure = match error {
        _ if denied => Failure::denied(error.to_string()),
        JournalError::RolledBack { warnings, .. } if warnings.is_empty() => {
            Failure::rolled_back(error.to_string()).left("All is as it was before.")
        }
        JournalError::RolledBack { number, .. } => Failure::half_done(format!(
            "the change failed and was rolled back, but not all is well (entry {number})"
        ))
        .left(format!(
            "It was put back, except for what is named above; see `surefoot changes show {number}`."
        )),
        JournalError::LeftHalfDone { number, .. } => Failure::half_done(error.to_string()).left(
            format!("The machine is between the old state and the new one; see `surefoot changes show {number}`."),
        ),
        JournalError::ChangedSince { diff, .. } => {
            Failure::refused(error.to_string()).picture(escape_lines(diff))
        }
        JournalError::WrongState { .. }
        | JournalError::BeingReversed { .. }
        | JournalError::NothingThere { .. }
        | JournalError::HeldByArmed { .. }
        | JournalError::ChangedMeanwhile { .. } => Failure::refused(error.to_string()),
        _ => Failure::input(error.to_string()),
    };
    let mut next = std::error::Error::source(error);
    if let JournalError::LeftHalfDone { put_back, .. } = error {
        failure = failure.because(format!("not put back: {put_back}"));
    }
    while let Some(source) = next {
        failure = failure.because(source.to_string());
        next = source.source();
    }
    if let JournalError::RolledBack { warnings, .. } = error {
        for warning in warnings {
            failure = failure.because(format!("on the way back: {warning}"));
        }
    }
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Text with several lines, each made harmless.
pub(crate) fn escape_lines(text: &str) -> String {
    let mut safe = String::new();
    for line in text.lines() {
        safe.push_str(&escape(line).replace("\\t", "\t"));
        safe.push('\n');
    }
    safe
}

/// Asks a number from a person's words, or takes the one that is meant.
pub(crate) fn number_or(
    given: Option<u64>,
    meant: impl FnOnce() -> Result<u64, JournalError>,
) -> Result<u64, Failure> {
    match given {
        Some(number) => Ok(number),
        None => meant().map_err(|error| failure(&error).left("Nothing was changed.")),
    }
}

/// A moment to the second, for people: local time and how far that is ahead of UTC.
pub(crate) fn local_text(moment: UnixMoment) -> String {
    let Ok(time) = LocalTime::at(moment.seconds) else {
        return UnixMoment::at(moment.seconds).to_string();
    };
    let minutes = time.offset.unsigned_abs() / 60;
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02} {}{:02}:{:02}",
        time.year,
        time.month,
        time.day,
        time.hour,
        time.minute,
        time.second,
        if time.offset < 0 { '-' } else { '+' },
        minutes / 60,
        minutes % 60
    )
}

/// How an entry is called in sentences.
pub(crate) fn call(entry: &JournalEntry) -> String {
    format!("entry {} ({})", entry.number, escape(&entry.title))
}

/// Reads `90`, `90s`, `5m`, `1h`, `30d` as seconds.
pub(crate) fn parse_duration(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        other => return Err(format!("`{other}` is no unit; s, m, h and d are")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("`{text}` is no duration such as 60s or 5m"))?;
    number
        .checked_mul(unit)
        .filter(|seconds| (1..=10 * 366 * 86_400).contains(seconds))
        .ok_or_else(|| format!("`{text}` is too short or too long"))
}
