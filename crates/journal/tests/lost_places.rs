//! The folder of an armed file is not the one any more: it was renamed, removed, replaced, or its file
//! system is gone. The entry ends all the same, and says what is so. The folder of the journal is gone: the
//! watchdog needs it not.

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::armed::{ArmedMachine, kept_in, text_of, told};
use common::scenes::build_tree;
use surefoot_journal::{
    ArmRequest, ChangeRequest, EntryState, FileSetChange, JournalError, UnixMoment, WantedFile,
    WatchOutcome,
};

const OLD: &str = "127.0.0.1 localhost\n";

#[test]
fn the_folder_was_replaced_by_another_with_the_changed_file() {
    let machine = ArmedMachine::new();
    let moved = machine.scratch.path().join("etc.old");
    fs::rename(machine.etc(), &moved).expect("it is renamed");
    fs::create_dir(machine.etc()).expect("it is made");
    fs::write(machine.hosts(), "armed\n").expect("it is written");
    machine.let_time_pass();
    assert_eq!(text_of(&machine.hosts()), OLD);
    let reports = told(&machine.journal());
    let what = &reports[0].what;
    assert!(
        what.contains("is another folder than at the change"),
        "{what}"
    );
    assert_eq!(text_of(&moved.join("hosts")), "armed\n");
}

#[test]
fn the_folder_was_replaced_by_one_with_another_file_and_by_an_empty_one() {
    for content in [Some("theirs\n"), None] {
        let machine = ArmedMachine::new();
        fs::remove_dir_all(machine.etc()).expect("it is removed");
        fs::create_dir(machine.etc()).expect("it is made");
        if let Some(content) = content {
            fs::write(machine.hosts(), content).expect("it is written");
        }
        machine.let_time_pass();
        assert_eq!(text_of(&machine.hosts()), OLD);
        let reports = told(&machine.journal());
        if let Some(content) = content {
            assert_eq!(text_of(&kept_in(&reports[0])), content);
        }
    }
}

#[test]
fn the_folder_is_gone_or_a_file_and_the_entry_ends() {
    for kind in ["renamed", "file"] {
        let machine = ArmedMachine::new();
        let moved = machine.scratch.path().join("etc.old");
        fs::rename(machine.etc(), &moved).expect("it is renamed");
        if kind == "file" {
            fs::write(machine.etc(), "x").expect("it is written");
        }
        machine.let_time_pass();
        let journal = machine.journal();
        let reports = told(&journal);
        let what = &reports[0].what;
        assert!(what.contains("is gone, so"), "{kind}: {what}");
        assert_eq!(text_of(&kept_in(&reports[0])), OLD, "{kind}");
        let entry = journal.entry(1).expect("it is there");
        assert_eq!(entry.state, EntryState::RolledBack, "{kind}");
        assert_eq!(told(&journal), [], "{kind}");
    }
}

#[test]
fn a_folder_that_may_come_back_after_the_boot_is_waited_for_until_you_give_it_up() {
    let machine = ArmedMachine::new();
    let moved = machine.scratch.path().join("unmounted");
    fs::rename(machine.etc(), &moved).expect("it is renamed");
    let journal = machine.after_boot();
    let reports = told(&journal);
    assert!(!reports[0].settled, "{reports:?}");
    assert!(
        reports[0].what.contains("is not mounted") && reports[0].what.contains("surefoot rollback"),
        "{reports:?}"
    );
    fs::rename(&moved, machine.etc()).expect("it is mounted");
    told(&journal);
    assert_eq!(text_of(&machine.hosts()), OLD);

    let machine = ArmedMachine::new();
    fs::remove_dir_all(machine.etc()).expect("it is removed");
    let journal = machine.after_boot();
    let session = journal.lock().expect("it is locked");
    let (entry, warnings) = session.roll_back(1).expect("it is given up");
    assert_eq!(entry.state, EntryState::RolledBack);
    assert!(warnings[0].contains("is gone, so"), "{warnings:?}");
    drop(session);
    assert_eq!(told(&journal), []);
}

#[test]
fn the_journal_was_moved_or_removed_and_the_watchdog_reverses_all_the_same() {
    for kind in ["moved", "removed", "entry removed"] {
        let machine = ArmedMachine::new();
        let state = machine.scratch.path().join("state");
        let moved = machine.scratch.path().join("moved");
        let outcome = machine.watch_while(|| match kind {
            "moved" => fs::rename(&state, &moved).expect("it is renamed"),
            "removed" => fs::remove_dir_all(&state).expect("it is removed"),
            _ => fs::remove_dir_all(state.join("changes/000001")).expect("it is removed"),
        });
        assert_eq!(outcome, WatchOutcome::Reversed, "{kind}");
        assert_eq!(text_of(&machine.hosts()), OLD, "{kind}");
        if kind == "moved" {
            let journal = machine.journal_in(&moved);
            let entry = journal.entry(1).expect("it is there");
            assert_eq!(entry.state, EntryState::RolledBack);
        }
    }
}

#[test]
fn a_change_that_is_confirmed_in_the_moved_journal_stays() {
    let machine = ArmedMachine::new();
    let moved = machine.scratch.path().join("moved");
    let outcome = machine.watch_while(|| {
        fs::rename(machine.scratch.path().join("state"), &moved).expect("it is renamed");
        let journal = machine.journal_in(&moved);
        let session = journal.lock().expect("it is locked");
        session.confirm(1).expect("it is confirmed");
    });
    assert_eq!(outcome, WatchOutcome::Settled);
    assert_eq!(text_of(&machine.hosts()), "armed\n");
}

#[test]
fn the_watchdog_of_a_change_that_was_given_up_reverses_nothing() {
    let machine = ArmedMachine::unarmed();
    build_tree(&machine.etc());
    let wanted = || WantedFile::content(machine.hosts(), b"armed\n".to_vec());
    let plan = |title| FileSetChange::plan(title, vec![wanted()], UnixMoment::at(common::NOW));
    let outcome = machine.watch_with(|wait_until_ready| {
        let journal = machine.journal();
        let session = journal.lock().expect("it is locked");
        // The watchdog is there, and yet its start fails.
        let start = |_: &surefoot_journal::JournalEntry| {
            wait_until_ready();
            Err(JournalError::WatchdogFailed {
                why: "too late".to_owned(),
            })
        };
        let arm = Some(ArmRequest {
            within: 60,
            start: &start,
        });
        let request = ChangeRequest {
            arm,
            ..ChangeRequest::default()
        };
        let change = plan("armed").expect("it is planned");
        session
            .perform(Box::new(change), request)
            .expect_err("it is given up");
        let change = plan("not armed").expect("it is planned");
        session
            .perform(Box::new(change), ChangeRequest::default())
            .expect("it is made");
    });
    assert_eq!(outcome, WatchOutcome::Settled);
    assert_eq!(text_of(&machine.hosts()), "armed\n");
}

#[test]
fn where_journal_and_folder_were_removed_the_watchdog_ends_long_before_it_gives_up_otherwise() {
    let machine = ArmedMachine::new();
    let begun = Instant::now();
    // The thread would wait for half an hour.
    let outcome = machine.watch_for(Duration::from_secs(1800), |wait_until_ready| {
        wait_until_ready();
        fs::remove_dir_all(machine.scratch.path().join("state")).expect("it is removed");
        fs::remove_dir_all(machine.etc()).expect("it is removed");
    });
    assert_eq!(outcome, WatchOutcome::Reversed);
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}
