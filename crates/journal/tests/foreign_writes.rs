//! What another program wrote after a change is never lost: a new start leaves it, the watchdog keeps it
//! before it puts the old state back, and a person is told.

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use common::armed::{ArmedMachine, kept_in, text_of, told};
use common::faults::{Fault, FaultyStorage, UnsyncedStorage};
use common::journal;
use common::scenes::{big_change, build_tree};
use surefoot_journal::{ChangeRequest, EntryState, WantedFile};

#[test]
fn a_file_written_after_an_interrupted_change_is_left_and_told() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let etc = scratch.path().join("etc");
    build_tree(&etc);
    let cut = Arc::new(FaultyStorage::new(0, Fault::FailFromSecondSwap));
    let cut = journal(scratch.path(), cut, 5);
    let session = cut.lock().expect("it is locked");
    let change = big_change(&etc).expect("it is planned");
    session
        .perform(Box::new(change), ChangeRequest::default())
        .expect_err("it is cut off");
    drop(session);
    let hosts = etc.join("hosts");
    assert!(text_of(&hosts).ends_with("::1 localhost\n"), "half-done");
    fs::write(&hosts, "mended by hand\n").expect("it is written");
    let journal = journal(scratch.path(), Arc::new(UnsyncedStorage), 5);
    let reports = told(&journal);
    assert_eq!(text_of(&hosts), "mended by hand\n");
    assert_eq!(text_of(&etc.join("shadow")), "root:*:1::::::\n");
    let [report] = &reports[..] else {
        panic!("{reports:?}")
    };
    assert!(report.settled, "{report:?}");
    assert!(report.what.contains("is left as it is"), "{report:?}");
    assert_eq!(text_of(&kept_in(report)), "127.0.0.1 localhost\n");
    let entry = journal.entry(1).expect("it is there");
    assert_eq!(entry.state, EntryState::RolledBack);
    let last = &entry.log.last().expect("a log").step;
    assert_eq!(last, "rolled back, except for what is named above");
    assert_eq!(told(&journal), []);
}

#[test]
fn a_file_written_after_the_boot_that_ended_an_armed_change_is_left_and_told() {
    let machine = ArmedMachine::new();
    fs::write(machine.hosts(), "mended by hand\n").expect("it is written");
    let journal = machine.after_boot();
    let reports = told(&journal);
    assert_eq!(text_of(&machine.hosts()), "mended by hand\n");
    assert!(
        reports[0].what.contains("was not confirmed in time")
            && reports[0].what.contains("is left as it is"),
        "{reports:?}"
    );
}

#[test]
fn the_watchdog_keeps_what_it_replaces_and_the_next_start_tells_once() {
    let machine = ArmedMachine::new();
    fs::write(machine.hosts(), "mended by hand\n").expect("it is written");
    machine.let_time_pass();
    assert_eq!(text_of(&machine.hosts()), "127.0.0.1 localhost\n");
    let journal = machine.journal();
    assert!(journal.has_open().expect("it is read"));
    let reports = told(&journal);
    assert_eq!(text_of(&kept_in(&reports[0])), "mended by hand\n");
    assert_eq!(told(&journal), []);
    assert!(!journal.has_open().expect("it is read"));
}

#[test]
fn a_link_in_the_place_of_an_armed_file_is_kept() {
    let machine = ArmedMachine::new();
    fs::remove_file(machine.hosts()).expect("it is removed");
    symlink("/usr/share/hosts", machine.hosts()).expect("it is linked");
    machine.let_time_pass();
    assert_eq!(text_of(&machine.hosts()), "127.0.0.1 localhost\n");
    let kept = kept_in(&told(&machine.journal())[0]);
    let target = fs::read_link(kept).expect("it is a link");
    assert_eq!(target, Path::new("/usr/share/hosts"));
}

#[test]
fn what_no_backup_can_hold_is_moved_aside() {
    for kind in ["folder", "pipe"] {
        let machine = ArmedMachine::new();
        fs::remove_file(machine.hosts()).expect("it is removed");
        if kind == "folder" {
            fs::create_dir(machine.hosts()).expect("it is made");
            fs::write(machine.hosts().join("in it"), "x").expect("it is written");
        } else {
            let mode = rustix::fs::Mode::RUSR;
            let fifo = rustix::fs::FileType::Fifo;
            rustix::fs::mknodat(rustix::fs::CWD, machine.hosts(), fifo, mode, 0)
                .expect("it is made");
        }
        machine.let_time_pass();
        assert_eq!(text_of(&machine.hosts()), "127.0.0.1 localhost\n", "{kind}");
        let kept = kept_in(&told(&machine.journal())[0]);
        assert_eq!(kept.parent(), Some(machine.etc().as_path()), "{kind}");
        assert_eq!(kept.join("in it").exists(), kind == "folder");
    }
}

#[test]
fn a_new_folder_into_which_something_was_put_stays() {
    let machine = ArmedMachine::new();
    machine
        .journal()
        .lock()
        .expect("it is locked")
        .confirm(1)
        .expect("it is confirmed");
    let folder = machine.etc().join("conf.d");
    machine.arm(vec![WantedFile::folder(&folder, 0o755)]);
    fs::write(folder.join("theirs"), "x").expect("it is written");
    let journal = machine.journal();
    let session = journal.lock().expect("it is locked");
    let (entry, warnings) = session.roll_back(2).expect("it is rolled back");
    assert_eq!(entry.state, EntryState::RolledBack);
    assert!(
        warnings[0].contains("put something into it"),
        "{warnings:?}"
    );
    assert!(folder.join("theirs").exists());
}

#[test]
fn a_reversal_that_is_tried_again_keeps_one_copy() {
    let machine = ArmedMachine::new();
    fs::write(machine.hosts(), "mended by hand\n").expect("it is written");
    for _ in 0..3 {
        // Every rename fails.
        let storage = Arc::new(FaultyStorage::new(0, Fault::FailRenames));
        let journal = journal(machine.scratch.path(), storage, 1_000_000);
        fs::remove_file(journal.entry_folder(1).join("watchdog")).unwrap_or_default();
        journal.watch(1).expect_err("it cannot be reversed");
    }
    machine.journal().entry(1).expect("it is still there");
    let vault = machine.journal().entry_folder(1).join("vault");
    let kept = fs::read_dir(vault).expect("it is there").filter(|entry| {
        let name = entry.as_ref().expect("it is read").file_name();
        name.to_string_lossy().contains("displaced")
    });
    assert_eq!(kept.count(), 1);
    fs::remove_file(machine.journal().entry_folder(1).join("watchdog")).unwrap_or_default();
    machine.let_time_pass();
    assert_eq!(text_of(&machine.hosts()), "127.0.0.1 localhost\n");
}
