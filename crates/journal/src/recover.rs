//! What a new start finds half-done: completed if all of it is there, else taken back.

use crate::change::{ChangeStanding, GivingUp};
use crate::entry::{EntryArming, EntryState, JournalEntry, WorkUnderWay};
use crate::error::JournalError;
use crate::lock::JournalSession;
use crate::perform::WarningListener;

/// What was done about an entry that was found half-done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The entry.
    pub number: u64,
    /// Its title, if it can be read.
    pub title: String,
    /// What was done, as a sentence without a full stop.
    pub what: String,
    /// Whether the machine is in a state that the journal names.
    pub settled: bool,
}

impl JournalSession<'_> {
    /// Settles everything that is open. An entry that cannot be settled is reported and stays open.
    pub(crate) fn recover(&self) -> Result<Vec<RecoveryReport>, JournalError> {
        self.complete_removal()?;
        let mut reports = Vec::new();
        for number in self.journal.open_numbers()? {
            let entry = match self.journal.entry(number) {
                Ok(entry) => entry,
                // A watchdog that waits is no sign of a change that was never begun.
                Err(JournalError::UnknownEntry { .. }) if !self.journal.is_watched(number) => {
                    self.abandon(number)?;
                    continue;
                }
                Err(error) => {
                    reports.push(RecoveryReport {
                        number,
                        title: String::new(),
                        what: format!("it may be half-done, and cannot be settled: {error}"),
                        settled: false,
                    });
                    continue;
                }
            };
            let title = entry.title.clone();
            let report = |what: String, settled| RecoveryReport {
                number,
                title: title.clone(),
                what,
                settled,
            };
            match self.settle(entry) {
                Ok(None) => {}
                Ok(Some(what)) => reports.push(report(what, true)),
                Err(error) => {
                    let mut what = format!("cannot be settled: {}", error.with_causes());
                    if let Some(hint) = error.hint() {
                        what.push_str("; ");
                        what.push_str(&hint);
                    }
                    reports.push(report(what, false));
                }
            }
        }
        Ok(reports)
    }

    /// Settles one entry; says what was done if the user has to know.
    fn settle(&self, mut entry: JournalEntry) -> Result<Option<String>, JournalError> {
        let journal = self.journal;
        let change = journal.change_of(&entry)?;
        let mut room = journal.room(&entry);
        // Time has passed. What another program wrote meanwhile may be what keeps the machine going. While
        // the watchdog waits its promise holds: the old state.
        if entry.state != EntryState::Armed || !journal.is_watched(entry.number) {
            room.set_leaves_foreign();
            room.set_giving_up(GivingUp::WhereRemoved);
        }
        let expired = entry
            .arming
            .as_ref()
            .is_some_and(|arming| self.is_expired(arming));
        let what = match (entry.state, entry.under_way) {
            (_, Some(WorkUnderWay::Applying)) => {
                if !expired && change.verify(&room)? == ChangeStanding::After {
                    // What was interrupted may not have reached the disk yet: once more.
                    change.apply(&room)?;
                    if entry.state == EntryState::Planned {
                        entry.state = EntryState::Applied;
                    }
                    entry.under_way = None;
                    entry.complete = true;
                    entry.note(journal.now(), "was interrupted; found complete");
                    journal.write_entry(&entry)?;
                    self.finish(&entry)?;
                    return Ok(Some(
                        "was interrupted when all of it was done: it is in force".to_owned(),
                    ));
                }
                entry.note(journal.now(), "was interrupted; taken back");
                "was interrupted: it was taken back"
            }
            (_, Some(WorkUnderWay::Reverting)) => {
                "was interrupted while it was taken back: now it is"
            }
            (EntryState::Armed, None) if expired => {
                entry.note(journal.now(), "was not confirmed in time");
                "was not confirmed in time: it was taken back"
            }
            (EntryState::Armed, None) => return Ok(None),
            (EntryState::Planned, None) => {
                entry.note(journal.now(), "was never begun");
                "was never begun"
            }
            (_, None) => {
                let untold = std::mem::take(&mut entry.untold);
                if !untold.is_empty() {
                    journal.write_entry(&entry)?;
                }
                self.finish(&entry)?;
                let told = untold.join("; ");
                return Ok((!told.is_empty()).then(|| format!("was {}: {told}", entry.state)));
            }
        };
        let warnings = self.take_back(&mut entry, &*change, &room, WarningListener::Caller)?;
        Ok(Some(if warnings.is_empty() {
            format!("{what}; all is as before it")
        } else {
            format!("{what}, but: {}", warnings.join("; "))
        }))
    }

    /// Whether an armed entry should have been reversed by now: its time is over, or the machine
    /// was started again.
    pub(crate) fn is_expired(&self, arming: &EntryArming) -> bool {
        let clock = &self.journal.options.clock;
        clock.boot() != arming.boot || clock.uptime() >= arming.deadline_uptime
    }
}
