//! Undo, confirm, roll back.

use crate::change::{ChangeStanding, GivingUp};
use crate::entry::{EntryState, JournalEntry, WorkUnderWay};
use crate::error::JournalError;
use crate::journal::Journal;
use crate::lock::JournalSession;
use crate::perform::{ChangeRequest, WarningListener};
use crate::standing::SupersededThings;

impl Journal {
    /// The entry that `undo` without a number is about: the newest one in force that is no undo. An
    /// entry that cannot be read or that is armed is not passed over: it may be the one that is meant.
    pub fn newest_undoable(&self) -> Result<u64, JournalError> {
        let mut things = SupersededThings::default();
        for number in self.numbers()? {
            let mut entry = match self.entry(number) {
                Ok(entry) => entry,
                // What is left of a change that was never begun.
                Err(JournalError::UnknownEntry { .. }) => continue,
                Err(error) => {
                    return Err(JournalError::UnreadableFirst {
                        number,
                        source: Box::new(error),
                    });
                }
            };
            things.mark(&mut entry);
            let in_force = matches!(
                entry.state,
                EntryState::Applied | EntryState::Confirmed | EntryState::Armed
            );
            if in_force && entry.undoes.is_none() {
                return Ok(number);
            }
        }
        Err(JournalError::NothingThere { wanted: "undone" })
    }

    /// The entry that `confirm` and `rollback` without a number are about: the newest armed one.
    pub fn newest_armed(&self, wanted: &'static str) -> Result<u64, JournalError> {
        for number in self.open_numbers()?.into_iter().rev() {
            if self
                .entry(number)
                .is_ok_and(|entry| entry.state == EntryState::Armed)
            {
                return Ok(number);
            }
        }
        Err(JournalError::NothingThere { wanted })
    }

    /// From what an entry left to what is there now; nothing if it is as the entry left it.
    pub fn changed_since(&self, entry: &JournalEntry) -> Result<Option<String>, JournalError> {
        let change = self.change_of(entry)?;
        Ok(match change.verify(&self.room(entry))? {
            ChangeStanding::After => None,
            ChangeStanding::Before => Some("all is as before the entry\n".to_owned()),
            ChangeStanding::Between => Some("a part is as before the entry\n".to_owned()),
            ChangeStanding::Elsewhere { diff } => Some(diff),
        })
    }
}

impl JournalSession<'_> {
    /// Undoes an entry by a change of its own, which can be undone in turn. Refuses if what the
    /// entry changed was changed again since, unless it is forced.
    pub fn undo(
        &self,
        number: u64,
        force: bool,
        request: ChangeRequest<'_>,
    ) -> Result<JournalEntry, JournalError> {
        let journal = self.journal;
        let mut entry = journal.entry(number)?;
        if !matches!(entry.state, EntryState::Applied | EntryState::Confirmed) {
            return Err(JournalError::WrongState {
                number,
                state: entry.state,
                wanted: "undone",
            });
        }
        let change = journal.change_of(&entry)?;
        let room = journal.room(&entry);
        let standing = change.verify(&room)?;
        if standing == ChangeStanding::Before {
            entry.state = EntryState::Undone;
            entry.note(journal.now(), "found undone by another program");
            journal.write_entry(&entry)?;
            if let Some(original) = entry.undoes {
                self.bring_back(original, number, "another program")?;
            }
            return Ok(entry);
        }
        if standing != ChangeStanding::After && !force {
            let (_, by) = journal.standing_of(&entry)?;
            return Err(JournalError::ChangedSince {
                number,
                diff: journal.changed_since(&entry)?.unwrap_or_default(),
                by: by.into_iter().rev().collect(),
            });
        }
        let reversal = change.reversal(&room)?;
        let title = format!("undo of {number}: {}", entry.title);
        self.perform_as(reversal, request, Some(title), Some(number))
    }

    /// Marks an entry as undone by another; if it was an undo itself, what it had undone is in
    /// force again.
    pub(crate) fn mark_undone(&self, number: u64, by: u64) -> Result<(), JournalError> {
        let journal = self.journal;
        let mut entry = match journal.entry(number) {
            Ok(entry) => entry,
            // It was pruned: there is nothing to mark.
            Err(JournalError::UnknownEntry { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        if entry.state != EntryState::Undone {
            entry.state = EntryState::Undone;
            entry.undone_by = Some(by);
            entry.note(journal.now(), format!("undone by entry {by}"));
            journal.write_entry(&entry)?;
        }
        match entry.undoes {
            Some(original) => self.bring_back(original, number, &format!("entry {by}")),
            None => Ok(()),
        }
    }

    /// Marks an entry as in force again, whose undo was undone.
    fn bring_back(&self, number: u64, undone_by: u64, by: &str) -> Result<(), JournalError> {
        if let Ok(mut entry) = self.journal.entry(number)
            && entry.state == EntryState::Undone
            && entry.undone_by == Some(undone_by)
        {
            entry.state = EntryState::Applied;
            entry.undone_by = None;
            entry.note(self.journal.now(), format!("in force again by {by}"));
            self.journal.write_entry(&entry)?;
        }
        Ok(())
    }

    /// Confirms an armed entry: it stays.
    pub fn confirm(&self, number: u64) -> Result<JournalEntry, JournalError> {
        let mut entry = self.armed(number, "confirmed")?;
        if entry.under_way.is_some() {
            return Err(JournalError::BeingReversed {
                number,
                wanted: "confirmed",
            });
        }
        entry.state = EntryState::Confirmed;
        entry.note(self.journal.now(), "confirmed");
        self.journal.write_final(&entry)?;
        // What is left to tidy is no failure; the next start does it.
        let _ = self.finish(&entry);
        Ok(entry)
    }

    /// Takes an armed entry back before its time, or one that was left half-done. Returns the
    /// entry, and what the user has to see about the way back.
    pub fn roll_back(&self, number: u64) -> Result<(JournalEntry, Vec<String>), JournalError> {
        let mut entry = self.journal.entry(number)?;
        let half_done = matches!(
            entry.under_way,
            Some(WorkUnderWay::Applying | WorkUnderWay::Reverting)
        );
        if !half_done {
            entry = self.armed(number, "rolled back")?;
        }
        let change = self.journal.change_of(&entry)?;
        let mut room = self.journal.room(&entry);
        room.set_giving_up(GivingUp::Anywhere);
        // Best effort: what cannot be read now may not be needed.
        let _ = change.load(&mut room);
        let warnings = self.take_back(&mut entry, &*change, &room, WarningListener::Caller)?;
        Ok((entry, warnings))
    }

    fn armed(&self, number: u64, wanted: &'static str) -> Result<JournalEntry, JournalError> {
        let entry = self.journal.entry(number)?;
        if entry.state == EntryState::Armed {
            return Ok(entry);
        }
        Err(JournalError::WrongState {
            number,
            state: entry.state,
            wanted,
        })
    }
}
