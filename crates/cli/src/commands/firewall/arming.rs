//! Loading rules under watchdogs, and waiting until they are confirmed or taken back.

use std::time::Duration;

use surefoot_apply::RulesChange;
use surefoot_journal::{ArmRequest, ChangeRequest, EntryState, Journal, JournalEntry};
use surefoot_report::escape;

use super::Status;
use super::apply::{ApplyOutcome, PlannedRules, RulesRequest, UNTOUCHED};
use crate::error::Failure;
use crate::journal::{self, failure};
use crate::output::Output;
use crate::progress::Progress;

/// What the watchdog may need behind the deadline.
const WATCHDOG_SECONDS: i64 = 3;
/// How often the entry is looked at while its confirmation is waited for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// Loads the rules under a watchdog, and waits for the confirmation.
pub(super) fn load(
    args: &RulesRequest<'_>,
    planned: &PlannedRules,
    output: &Output,
) -> Result<Status, Failure> {
    let journal = args.options.state.journal();
    args.options.state.remind(output);
    let starter = args.options.state.watchdog()?;
    let session = journal::lock(&journal, output)?;
    let change = RulesChange::plan(
        args.title.clone(),
        planned.tools.clone(),
        planned.before.clone(),
        planned.rehearsal.clone(),
        planned.logins.clone(),
    )
    .with_interfaces(&planned.interfaces)
    .to_be_saved(args.saves);
    let start = |entry: &JournalEntry| starter.start(&journal, entry);
    let request = ChangeRequest {
        origin: journal::origin(),
        command: journal::command_line(),
        arm: Some(ArmRequest {
            within: args.options.confirm_within,
            start: &start,
        }),
    };
    let entry = session
        .perform(Box::new(change), request)
        .map_err(|error| failure(&error).left_unless(UNTOUCHED))?;
    drop(session);
    if args.options.no_wait {
        args.answer(ApplyOutcome::Armed, planned, Some(&entry), output)?;
    }
    say_armed(&entry, output);
    output.remark(&guard_words(
        journal.is_watched_twice(entry.number),
        starter.systemd,
    ));
    if args.options.no_wait {
        return Ok(Status::Clean);
    }
    let entry = wait(&journal, &entry, output)?;
    let outcome = match entry.state {
        EntryState::Confirmed => ApplyOutcome::Confirmed,
        EntryState::Armed => ApplyOutcome::Armed,
        _ => ApplyOutcome::RolledBack,
    };
    args.answer(outcome, planned, Some(&entry), output)?;
    match outcome {
        ApplyOutcome::Confirmed => {
            output.remark("confirmed: the new rules stay\n");
            Ok(Status::Clean)
        }
        _ => Err(
            Failure::refused("the new rules were not confirmed and were taken back")
                .left("The old rules are in force."),
        ),
    }
}

/// The deadline is the answer, not a remark: `--quiet` does not hide it.
pub(crate) fn say_armed(entry: &JournalEntry, output: &Output) {
    let Some(arming) = &entry.arming else {
        return;
    };
    output.complain(&format!(
        "the new rules are in force until {}; keep them, from a new connection: surefoot firewall confirm; put the old ones back now: surefoot firewall rollback\n",
        journal::local_text(arming.deadline)
    ));
}

/// What brings the old rules back, and what it does not outlive.
fn guard_words(twice: bool, systemd: bool) -> String {
    let guards = match (twice, systemd) {
        (true, true) => {
            "two watchdogs, units of systemd that are started again when they are killed"
        }
        (false, true) => "a watchdog, a unit of systemd that is started again when it is killed",
        (true, false) => {
            "two watchdogs, each of which is enough; should both be killed, the next surefoot command brings the old \
             rules back"
        }
        (false, false) => {
            "one watchdog; should it be killed, the next surefoot command brings the old rules back"
        }
    };
    format!("the way back is guarded by {guards}\n")
}

/// Waits until the entry is confirmed or taken back; an interrupt takes it back at once, and so does a
/// deadline that the watchdog let pass.
fn wait(journal: &Journal, armed: &JournalEntry, output: &Output) -> Result<JournalEntry, Failure> {
    let deadline = armed
        .arming
        .as_ref()
        .map_or(armed.begun, |arming| arming.deadline);
    let progress = Progress::new(output.quiet());
    loop {
        let entry = journal
            .entry(armed.number)
            .map_err(|error| failure(&error).left("The watchdog takes the rules back."))?;
        if entry.state != EntryState::Armed {
            return Ok(entry);
        }
        let left = deadline.seconds - journal.now().seconds;
        progress.step(format!(
            "waiting for `surefoot firewall confirm` from a new connection: {} s",
            left.max(0)
        ));
        if surefoot_sys::take_interrupt() || left < -WATCHDOG_SECONDS {
            drop(progress);
            let session = journal::lock(journal, output)?;
            let entry = journal
                .entry(armed.number)
                .map_err(|error| failure(&error))?;
            if entry.state != EntryState::Armed {
                return Ok(entry);
            }
            let (entry, warnings) = session
                .roll_back(armed.number)
                .map_err(|error| failure(&error))?;
            for warning in warnings {
                output.complain(&format!("note: {}\n", escape(&warning)));
            }
            return Ok(entry);
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}
