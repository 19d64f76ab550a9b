//! The way of a change: written down, made, checked; taken back at once if anything fails.

use std::time::Duration;

use crate::change::{Change, ChangeStanding, EntryRoom};
use crate::entry::{ChangeOrigin, EntryArming, EntryState, JournalEntry, WorkUnderWay};
use crate::error::JournalError;
use crate::journal::Journal;
use crate::lock::JournalSession;
use crate::vault::write_synced;

/// How long before the deadline a program is ended that belongs to an armed change.
const BEFORE_DEADLINE: Duration = Duration::from_millis(500);
/// How long a program may take when an armed change that failed is put back.
const WHEN_ARMED: Duration = Duration::from_secs(10);

/// Who hears the warnings of a reversal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WarningListener {
    /// The caller.
    Caller,
    /// The next start: the process that reverses is alone.
    NextStart,
}

/// What the journal records about a change beside the change.
#[derive(Default)]
pub struct ChangeRequest<'a> {
    /// Who, from where.
    pub origin: ChangeOrigin,
    /// The command line.
    pub command: Vec<String>,
    /// Arms a reversal before the change is made.
    pub arm: Option<ArmRequest<'a>>,
}

/// A reversal that is to be armed.
pub struct ArmRequest<'a> {
    /// How long the change stays without a confirmation, in seconds.
    pub within: u64,
    /// Starts the watchdog for an entry, and returns when it is ready.
    pub start: &'a dyn Fn(&JournalEntry) -> Result<(), JournalError>,
}

impl JournalSession<'_> {
    /// Makes a change. When this fails everything is as before, unless the error is
    /// [`JournalError::LeftHalfDone`].
    pub fn perform(
        &self,
        change: Box<dyn Change>,
        request: ChangeRequest<'_>,
    ) -> Result<JournalEntry, JournalError> {
        self.perform_as(change, request, None, None)
    }

    pub(crate) fn perform_as(
        &self,
        mut change: Box<dyn Change>,
        request: ChangeRequest<'_>,
        title: Option<String>,
        undoes: Option<u64>,
    ) -> Result<JournalEntry, JournalError> {
        let journal = self.journal;
        let number = journal.next_number()?;
        let tag = format!("{:x}-{number}", journal.options.nonce);
        let ChangeRequest {
            origin,
            command,
            arm,
        } = request;
        let mut entry = JournalEntry {
            number,
            title: title.unwrap_or_default(),
            kind: change.kind().to_owned(),
            origin,
            command,
            begun: journal.now(),
            state: EntryState::Planned,
            under_way: Some(WorkUnderWay::Applying),
            complete: false,
            undoes,
            undone_by: None,
            arming: None,
            touches: vec![],
            tag,
            change: serde_json::Value::Null,
            log: vec![],
            untold: vec![],
        };
        if let Some(arm) = &arm {
            entry.state = EntryState::Armed;
            entry.arming = Some(EntryArming {
                deadline: entry.begun.plus(arm.within),
                deadline_uptime: journal.options.clock.uptime() + arm.within * 1000,
                boot: journal.options.clock.boot(),
            });
        }
        let mut room = journal.room(&entry);
        let written = self
            .write_down(&mut *change, &mut room, &mut entry)
            .and_then(|()| match &arm {
                Some(arm) => (arm.start)(&entry),
                None => Ok(()),
            });
        if let Err(error) = written {
            // Nothing was changed. What stays behind if this fails too is removed at the next start.
            let _ = self.abandon(number);
            return Err(error);
        }
        if let Some(arming) = &entry.arming {
            room.limit_commands(self.time_before(arming));
        }
        self.make(&*change, &mut room, entry)
    }

    /// How long a program may take before the deadline of an armed change: a program that comes too
    /// close to it is ended and reported, before the watchdog ends this process.
    fn time_before(&self, arming: &EntryArming) -> Duration {
        let left = arming
            .deadline_uptime
            .saturating_sub(self.journal.options.clock.uptime());
        Duration::from_millis(left).saturating_sub(BEFORE_DEADLINE)
    }

    /// Everything up to the moment before the change.
    fn write_down(
        &self,
        change: &mut dyn Change,
        room: &mut EntryRoom<'_>,
        entry: &mut JournalEntry,
    ) -> Result<(), JournalError> {
        let journal = self.journal;
        let storage = journal.storage();
        let (number, folder) = (entry.number, journal.entry_folder(entry.number));
        let marker = journal.marker(number);
        storage
            .make_file(&marker, 0o600)
            .map_err(|error| JournalError::io("write", &marker, error))?;
        journal.keep_number(number)?;
        for path in [&folder, &folder.join("vault")] {
            storage
                .make_folder(path, 0o700)
                .map_err(|error| JournalError::io("make the folder", path, error))?;
        }
        change.back_up(room)?;
        journal.sync_folder(room.vault.folder())?;
        let description = change.describe(room)?;
        self.check_armed(&description.touches, number)?;
        if entry.title.is_empty() {
            entry.title = description.title;
        }
        entry.touches = description.touches;
        entry.change = change.to_record();
        let now = journal.now();
        entry.note(now, "planned, and what it replaces is kept");
        if let Some(arming) = entry.arming.clone() {
            entry.note(
                now,
                format!(
                    "armed: reversed at {} unless confirmed",
                    crate::moment::UnixMoment::at(arming.deadline.seconds)
                ),
            );
        }
        write_synced(storage, &folder.join("diff"), description.diff.as_bytes())?;
        if entry.arming.is_some() {
            journal.prewrite(entry)?;
        }
        // An entry is never there without the marker that makes the next start look at it.
        journal.sync_folder(&journal.open_folder())?;
        journal.write_entry(entry)?;
        journal.sync_folder(&journal.changes_folder())
    }

    /// Makes the change, checks it, and takes it back if anything fails.
    fn make(
        &self,
        change: &dyn Change,
        room: &mut EntryRoom<'_>,
        mut entry: JournalEntry,
    ) -> Result<JournalEntry, JournalError> {
        let journal = self.journal;
        let made = change
            .apply(room)
            .and_then(|()| change.verify(room))
            .and_then(|standing| match standing {
                ChangeStanding::After => Ok(()),
                ChangeStanding::Before => Err(not_as_planned("all is as before")),
                ChangeStanding::Between => Err(not_as_planned("a part is as before")),
                ChangeStanding::Elsewhere { diff } => Err(not_as_planned(&diff)),
            })
            .and_then(|()| {
                if entry.state == EntryState::Planned {
                    entry.state = EntryState::Applied;
                }
                entry.under_way = None;
                entry.complete = true;
                journal.note_all(&mut entry, room);
                entry.note(journal.now(), "applied and verified");
                journal.write_entry(&entry)
            });
        let Err(error) = made else {
            // What is left to tidy is no failure of the change; the next start does it.
            let _ = self.finish(&entry);
            return Ok(entry);
        };
        entry.note(journal.now(), format!("failed: {error}"));
        entry.complete = false;
        let number = entry.number;
        let source = Box::new(error);
        entry.under_way = Some(WorkUnderWay::Reverting);
        if entry.arming.is_some() {
            // A watchdog whose time has come leaves alone what is on its way back.
            let _ = journal.write_entry(&entry);
            room.limit_commands(WHEN_ARMED);
        }
        match revert_and_check(change, room) {
            Ok(()) => {
                let warnings = journal.note_all(&mut entry, room);
                // If this cannot be written, the next start finds everything as before and writes it.
                let _ = self.settle_rolled_back(&mut entry, &warnings);
                Err(JournalError::RolledBack {
                    number,
                    source,
                    warnings,
                })
            }
            Err(put_back) => {
                entry.note(journal.now(), format!("could not be put back: {put_back}"));
                let _ = journal.write_entry(&entry);
                Err(JournalError::LeftHalfDone {
                    number,
                    source,
                    put_back: Box::new(put_back),
                })
            }
        }
    }

    /// Takes back the change of an entry and settles it. Returns what the user has to see; where no
    /// user is there, it is kept for the next start.
    pub(crate) fn take_back(
        &self,
        entry: &mut JournalEntry,
        change: &dyn Change,
        room: &EntryRoom<'_>,
        listener: WarningListener,
    ) -> Result<Vec<String>, JournalError> {
        if entry.under_way != Some(WorkUnderWay::Reverting) {
            entry.under_way = Some(WorkUnderWay::Reverting);
            // Where nothing can be written the entry stays armed, and is reversed again: no harm.
            let _ = self.journal.write_entry(entry);
        }
        revert_and_check(change, room)?;
        let warnings = self.journal.note_all(entry, room);
        if listener == WarningListener::NextStart {
            entry.untold.extend(warnings.iter().cloned());
        }
        self.settle_rolled_back(entry, &warnings)?;
        Ok(warnings)
    }

    fn settle_rolled_back(
        &self,
        entry: &mut JournalEntry,
        warnings: &[String],
    ) -> Result<(), JournalError> {
        entry.state = EntryState::RolledBack;
        entry.under_way = None;
        let step = if warnings.is_empty() {
            "rolled back: all is as before"
        } else {
            "rolled back, except for what is named above"
        };
        entry.note(self.journal.now(), step);
        self.journal.write_final(entry)?;
        self.finish(entry)
    }

    /// Tidies up behind an entry that has reached its state; may run again.
    pub(crate) fn finish(&self, entry: &JournalEntry) -> Result<(), JournalError> {
        if entry.state == EntryState::Armed {
            return Ok(());
        }
        if let Some(undone) = entry.undoes.filter(|_| entry.state.is_in_force()) {
            self.mark_undone(undone, entry.number)?;
        }
        let journal = self.journal;
        let change = journal.change_of(entry)?;
        let room = journal.room(entry);
        change.clean_up(&room)?;
        journal.drop_prewritten(entry.number)?;
        let mut told = entry.clone();
        let warnings = journal.note_all(&mut told, &room);
        if !warnings.is_empty() {
            told.untold.extend(warnings);
            journal.write_entry(&told)?;
        }
        if !told.untold.is_empty() {
            return Ok(());
        }
        crate::file_make::remove_if_there(journal.storage(), &journal.marker(entry.number))
    }

    /// Refuses a change of what an armed entry holds.
    fn check_armed(&self, touches: &[String], number: u64) -> Result<(), JournalError> {
        for open in self.journal.open_numbers()? {
            if open == number {
                continue;
            }
            let Ok(entry) = self.journal.entry(open) else {
                continue;
            };
            let held = entry.touches.iter().find(|thing| touches.contains(thing));
            if let (EntryState::Armed, Some(thing)) = (entry.state, held) {
                return Err(JournalError::HeldByArmed {
                    number: open,
                    thing: thing.clone(),
                });
            }
        }
        Ok(())
    }

    /// Removes an entry whose change was never begun.
    pub(crate) fn abandon(&self, number: u64) -> Result<(), JournalError> {
        self.journal.call_off(number)?;
        self.remove_entry_folders(&[number])?;
        let marker = self.journal.marker(number);
        crate::file_make::remove_if_there(self.journal.storage(), &marker)
    }
}

impl Journal {
    /// Moves the notes of a change into its entry's log, and gives those that are warnings.
    pub(crate) fn note_all(&self, entry: &mut JournalEntry, room: &EntryRoom<'_>) -> Vec<String> {
        let mut warnings = Vec::new();
        for (step, is_warning) in room.take_notes() {
            entry.note(self.now(), step.clone());
            if is_warning {
                warnings.push(step);
            }
        }
        warnings
    }
}

/// Takes a change back and looks whether all is as before. A difference that has not been reported
/// yet is a warning: there is nothing more that the way back could do.
pub(crate) fn revert_and_check(
    change: &dyn Change,
    room: &EntryRoom<'_>,
) -> Result<(), JournalError> {
    change.revert(room)?;
    if room.says_what_is_left() {
        return Ok(());
    }
    match change.verify(room) {
        Ok(ChangeStanding::Before) => {}
        Ok(ChangeStanding::After) => room.warn("it was put back, and yet all is as after it"),
        Ok(ChangeStanding::Between) => {
            room.warn("it was put back, and yet a part is as after it");
        }
        Ok(ChangeStanding::Elsewhere { diff }) => room.warn(format!(
            "it was put back, and yet not all is as before; from the change to what is there now:\n{diff}"
        )),
        Err(error) => room.warn(format!(
            "it was put back; whether all is as before is unknown: {}",
            error.with_causes()
        )),
    }
    Ok(())
}

fn not_as_planned(what: &str) -> JournalError {
    JournalError::NotAsPlanned {
        what: what.to_owned(),
    }
}
