//! Which entries later ones supersede. No I/O.

use std::collections::HashMap;

use crate::entry::{EntryState, JournalEntry};
use crate::journal::ListedEntry;

/// Whether a later entry put something else in the place of what an earlier one had made.
///
/// A change that is in force does that to all earlier entries that touch the same thing. An undo brings
/// back what was there before the entry that it undoes: it supersedes what was changed in between, and
/// what is older is in force again.
pub(crate) fn supersedes(later: &JournalEntry, earlier: &JournalEntry) -> bool {
    later.number > earlier.number
        && later.state.is_in_force()
        && later.undoes.is_none_or(|undone| undone < earlier.number)
        && later
            .touches
            .iter()
            .any(|thing| earlier.touches.contains(thing))
}

/// For each thing, the entries that are superseded, while entries are gone through from the newest on.
#[derive(Default)]
pub(crate) struct SupersededThings {
    /// Entries that touch the thing and have a higher number than this are superseded.
    above: HashMap<String, u64>,
}

impl SupersededThings {
    /// Calls an entry superseded if an entry that was given before supersedes it.
    pub(crate) fn mark(&mut self, entry: &mut JournalEntry) {
        if !entry.state.is_in_force() {
            return;
        }
        let above = entry
            .touches
            .iter()
            .filter_map(|thing| self.above.get(thing));
        if above.copied().any(|bound| bound < entry.number) {
            entry.state = EntryState::Superseded;
        }
        let bound = entry.undoes.unwrap_or(0);
        for thing in &entry.touches {
            let there = self.above.entry(thing.clone()).or_insert(bound);
            *there = bound.min(*there);
        }
    }
}

/// Calls superseded what a newer entry of the list supersedes; the list is newest first.
pub(crate) fn mark_superseded(listed: &mut [ListedEntry]) {
    let mut things = SupersededThings::default();
    for entry in listed {
        if let ListedEntry::Readable(entry) = entry {
            things.mark(entry);
        }
    }
}
