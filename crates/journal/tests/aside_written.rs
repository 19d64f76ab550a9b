//! The file that was swapped out stays under a hidden name until a change is final, and a program that
//! had it open can go on writing to it. What is put back is what the entry recorded, or a person is told.

mod common;

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::armed::{ArmedMachine, kept_in, text_of, told};
use common::faults::UnsyncedStorage;
use common::scenes::build_tree;
use common::{NOW, journal};
use surefoot_journal::{
    ChangeRequest, EntryState, FileSetChange, JournalError, UnixMoment, WantedFile,
};

const OLD: &str = "127.0.0.1 localhost\n";

/// Opens the hidden file beside `hosts`, as a program has it that opened `hosts` before the change.
fn open_aside(machine: &ArmedMachine) -> File {
    let names = fs::read_dir(machine.etc()).expect("it is read");
    let path = names
        .map(|name| name.expect("it is read").path())
        .find(|path| path.display().to_string().contains(".surefoot-"))
        .expect("the old file is aside");
    let options = OpenOptions::new().append(true).open(path);
    options.expect("it is opened")
}

#[test]
fn a_rollback_puts_back_what_was_recorded_and_keeps_what_was_written_since() {
    let machine = ArmedMachine::new();
    let mut logger = open_aside(&machine);
    logger.write_all(b"line\n").expect("it is written");
    let journal = machine.journal();
    let session = journal.lock().expect("it is locked");
    let (entry, warnings) = session.roll_back(1).expect("it is rolled back");
    assert_eq!(text_of(&machine.hosts()), OLD);
    assert_eq!(entry.state, EntryState::RolledBack);
    let [warning] = &warnings[..] else {
        panic!("{warnings:?}")
    };
    let (_, kept) = warning.rsplit_once("is kept: ").expect("it says where");
    assert_eq!(text_of(Path::new(kept)), format!("{OLD}line\n"));
    // The program has it still open, and what it writes next is not lost either.
    logger.write_all(b"more\n").expect("it is written");
    assert_eq!(text_of(Path::new(kept)), format!("{OLD}line\nmore\n"));
    let last = &entry.log.last().expect("a log").step;
    assert_eq!(last, "rolled back, except for what is named above");
}

#[test]
fn the_watchdog_does_so_too_and_the_next_start_tells() {
    let machine = ArmedMachine::new();
    let mut editor = open_aside(&machine);
    editor.set_len(0).expect("it is cut off");
    editor.write_all(b"saved late\n").expect("it is written");
    machine.let_time_pass();
    assert_eq!(text_of(&machine.hosts()), OLD);
    let reports = told(&machine.journal());
    assert_eq!(text_of(&kept_in(&reports[0])), "saved late\n");
}

#[test]
fn a_confirmation_keeps_what_was_written_since_and_the_next_start_tells() {
    let machine = ArmedMachine::new();
    let mut logger = open_aside(&machine);
    logger.write_all(b"line\n").expect("it is written");
    let journal = machine.journal();
    let session = journal.lock().expect("it is locked");
    session.confirm(1).expect("it is confirmed");
    drop(session);
    assert_eq!(text_of(&machine.hosts()), "armed\n");
    let reports = told(&journal);
    assert_eq!(text_of(&kept_in(&reports[0])), format!("{OLD}line\n"));
    assert_eq!(told(&journal), []);
}

/// Makes a change whose command fails after it did something, and gives the warnings.
fn fail_after(machine: &Path, script: &str) -> (PathBuf, Vec<String>) {
    build_tree(&machine.join("etc"));
    let hosts = machine.join("etc/hosts");
    let wanted = WantedFile::content(&hosts, b"new\n".to_vec());
    let script = format!("cd {}; {script}; exit 1", machine.join("etc").display());
    let words = ["sh", "-c", &script].map(str::to_owned);
    let change = FileSetChange::plan("reloaded", vec![wanted], UnixMoment::at(NOW))
        .expect("it is planned")
        .with_command_after(words.to_vec());
    let journal = journal(machine, Arc::new(UnsyncedStorage), 5);
    let session = journal.lock().expect("it is locked");
    match session.perform(Box::new(change), ChangeRequest::default()) {
        Err(JournalError::RolledBack { warnings, .. }) => (hosts, warnings),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_written_before_the_change_was_complete_goes_back_and_is_told() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let script = "for aside in .surefoot-*; do echo line >> $aside; done";
    let (hosts, warnings) = fail_after(scratch.path(), script);
    assert_eq!(text_of(&hosts), format!("{OLD}line\n"));
    let told = warnings.join("\n");
    assert!(told.contains("was written to by another program"), "{told}");
    let (_, kept) = warnings[0].rsplit_once("is kept: ").expect("it says where");
    assert_eq!(text_of(Path::new(kept)), OLD);
}

#[test]
fn what_is_not_as_before_after_the_way_back_is_told() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    // The command runs again after the files are put back, and spoils them.
    let (_, warnings) = fail_after(scratch.path(), "grep -q new hosts || echo spoilt > hosts");
    let told = warnings.join("\n");
    assert!(told.contains("not all is as before"), "{told}");
    assert!(told.contains("spoilt"), "{told}");
}
