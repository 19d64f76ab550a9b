//! Entries of the journal: no panic, and what was read is written and read again.
//!
//! Seeds: entry.json
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_journal::JournalEntry;

fuzz_target!(|bytes: &[u8]| {
    // The checksum would keep nearly everything out: give the text the one that it should have.
    let sealed = JournalEntry::with_checksum(bytes);
    for text in [Some(bytes), sealed.as_deref()].into_iter().flatten() {
        if let Ok(entry) = JournalEntry::from_text(text) {
            let again = JournalEntry::from_text(entry.to_text().as_bytes());
            assert_eq!(again, Ok(entry));
        }
    }
});
