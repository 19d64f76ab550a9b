//! What the list says is in force, after undo over undo, damage, and changes by hand.

mod common;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::faults::UnsyncedStorage;
use common::{NOW, journal};
use surefoot_journal::{
    ChangeRequest, EntryState, FileSetChange, Journal, JournalError, ListedEntry, UnixMoment,
    WantedFile,
};

struct SmallMachine {
    scratch: tempfile::TempDir,
    journal: Journal,
}

impl SmallMachine {
    fn new() -> Self {
        let scratch = tempfile::tempdir().expect("a folder for scratch");
        let journal = journal(scratch.path(), Arc::new(UnsyncedStorage), 5);
        let machine = Self { scratch, journal };
        machine.write_by_hand("a\n");
        machine
    }

    fn file(&self) -> PathBuf {
        self.scratch.path().join("file")
    }

    fn write_by_hand(&self, text: &str) {
        fs::write(self.file(), text).expect("it is written");
    }

    fn change(&self, text: &str) -> u64 {
        let wanted = WantedFile::content(self.file(), text.as_bytes().to_vec());
        let change = FileSetChange::plan("change", vec![wanted], UnixMoment::at(NOW));
        let session = self.journal.lock().expect("it is locked");
        let change = Box::new(change.expect("it is planned"));
        let made = session.perform(change, ChangeRequest::default());
        made.expect("it is made").number
    }

    fn undo(&self, number: u64, force: bool) -> u64 {
        let session = self.journal.lock().expect("it is locked");
        let undone = session.undo(number, force, ChangeRequest::default());
        undone.expect("it is undone").number
    }

    /// The states, oldest first.
    #[track_caller]
    fn check(&self, wanted: &[EntryState]) {
        let listed = self.journal.list(usize::MAX).expect("it is listed");
        let state = |entry: &ListedEntry| match entry {
            ListedEntry::Readable(entry) => entry.state,
            ListedEntry::Unreadable { why, .. } => panic!("{why}"),
        };
        let states: Vec<_> = listed.iter().rev().map(state).collect();
        assert_eq!(states, wanted);
        for (entry, wanted) in listed.iter().rev().zip(wanted) {
            if let ListedEntry::Readable(entry) = entry {
                let stored = self.journal.entry(entry.number).expect("it is there");
                let (state, _) = self.journal.standing_of(&stored).expect("it is read");
                assert_eq!(state, *wanted, "entry {} by itself", entry.number);
            }
        }
    }
}

use EntryState::{Applied, Superseded, Undone};

#[test]
fn what_an_undo_goes_back_over_is_superseded() {
    let machine = SmallMachine::new();
    machine.change("b\n");
    machine.change("c\n");
    machine.undo(1, true);
    machine.check(&[Undone, Superseded, Applied]);
    let none = machine
        .journal
        .newest_undoable()
        .expect_err("nothing is in force");
    assert!(matches!(none, JournalError::NothingThere { .. }), "{none}");
    // The undo is undone: what it went over is in force again.
    machine.undo(3, false);
    machine.check(&[Superseded, Applied, Undone, Applied]);
    assert_eq!(machine.journal.newest_undoable().expect("there is one"), 2);
}

#[test]
fn an_undo_that_was_undone_by_hand_brings_its_entry_back() {
    let machine = SmallMachine::new();
    machine.change("b\n");
    let undo = machine.undo(1, false);
    machine.write_by_hand("b\n");
    assert_eq!(machine.undo(undo, false), undo, "it was undone already");
    machine.check(&[Applied, Undone]);
    machine.undo(1, false);
    assert_eq!(
        fs::read_to_string(machine.file()).expect("it is read"),
        "a\n"
    );
}

#[test]
fn a_newest_entry_that_cannot_be_read_is_not_passed_over() {
    let machine = SmallMachine::new();
    machine.change("b\n");
    machine.change("c\n");
    let damaged = machine.journal.entry_folder(2).join("entry.json");
    fs::write(&damaged, "{").expect("it is written");
    let error = machine
        .journal
        .newest_undoable()
        .expect_err("it is unknown");
    assert!(
        matches!(error, JournalError::UnreadableFirst { number: 2, .. }),
        "{error}"
    );
    // A pipe in its place is damage as well, and not waited for.
    fs::remove_file(&damaged).expect("it is removed");
    let mode = rustix::fs::Mode::RUSR;
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &damaged, fifo, mode, 0).expect("it is made");
    let begun = Instant::now();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| sender.send(machine.journal.entry(2)).unwrap_or_default());
        let answer = receiver.recv_timeout(Duration::from_secs(10));
        if answer.is_err() {
            // Lets the thread go.
            let _ = fs::OpenOptions::new().read(true).write(true).open(&damaged);
        }
        let error = answer
            .expect("it does not hang")
            .expect_err("it is no entry");
        assert!(error.to_string().starts_with("cannot read"), "{error}");
    });
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn numbers_go_on_whatever_became_of_the_note_of_the_last_one() {
    let machine = SmallMachine::new();
    let last = machine.scratch.path().join("state/changes/.last");
    assert_eq!(machine.change("1\n"), 1);
    assert_eq!(
        fs::read_link(&last).expect("it is kept").to_str(),
        Some("1")
    );
    fs::remove_file(&last).expect("it is removed");
    assert_eq!(machine.change("2\n"), 2);
    for wrong in ["nonsense", "1", "7", "18446744073709551615"] {
        fs::remove_file(&last).expect("it is removed");
        std::os::unix::fs::symlink(wrong, &last).expect("it is linked");
        let number = machine.journal.numbers().expect("they are read")[0];
        assert_eq!(machine.change(&format!("{wrong}\n")), number + 1, "{wrong}");
    }
}
