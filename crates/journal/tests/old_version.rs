//! A journal that an older surefoot wrote is read by this one. The folder `fixtures/version-1` was written
//! by the first version and is never written again; a version 2 gets a folder of its own beside it.

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::faults::UnsyncedStorage;
use common::journal;
use surefoot_journal::{EntryState, ListedEntry};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it is made");
    for entry in fs::read_dir(from).expect("it can be read") {
        let entry = entry.expect("it can be read");
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).expect("it is copied");
        }
    }
}

#[test]
fn a_journal_of_the_first_version_is_listed_shown_and_added_to() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    copy(
        Path::new("tests/fixtures/version-1"),
        &scratch.path().join("state"),
    );
    let journal = journal(scratch.path(), Arc::new(UnsyncedStorage), 5);
    let listed = journal.list(10).expect("it is listed");
    let states: Vec<EntryState> = listed
        .iter()
        .map(|entry| match entry {
            ListedEntry::Readable(entry) => entry.state,
            ListedEntry::Unreadable { number, why } => panic!("{number}: {why}"),
        })
        .collect();
    let expected = [
        EntryState::Applied,
        EntryState::RolledBack,
        EntryState::Confirmed,
        EntryState::Superseded,
        EntryState::Undone,
    ];
    assert_eq!(states, expected);
    let entry = journal.entry(3).expect("it is read");
    assert_eq!(entry.title, "edit /srv/example/sshd_config");
    assert_eq!(entry.origin.ssh_client.as_deref(), Some("203.0.113.9"));
    assert!(entry.arming.is_some());
    let diff = journal.diff(3).expect("it is read");
    assert!(diff.contains("-Port 22\n+Port 2222\n"), "{diff}");
    let session = journal.lock().expect("it is locked");
    assert_eq!(session.recovered, []);
}
