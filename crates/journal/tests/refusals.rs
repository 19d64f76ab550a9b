//! What is refused before anything is touched, and what is refused because it was touched since.

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use common::faults::UnsyncedStorage;
use common::scenes::build_tree;
use common::{NOW, journal, picture_of};
use surefoot_journal::{
    ArmRequest, ChangeRequest, EntryState, FileSetChange, Journal, JournalEntry, JournalError,
    ListedEntry, LoadedTextChange, PrunePolicy, TargetProblem, UnixMoment, WantedFile, look_at,
    resolve_target,
};

fn plan(path: &Path, content: &str) -> Result<FileSetChange, JournalError> {
    let wanted = WantedFile::content(path, content.as_bytes().to_vec());
    FileSetChange::plan("a change", vec![wanted], UnixMoment::at(NOW))
}

fn write(journal: &Journal, path: &Path, content: &str) -> Result<JournalEntry, JournalError> {
    let session = journal.lock()?;
    session.perform(Box::new(plan(path, content)?), ChangeRequest::default())
}

#[track_caller]
fn refused(path: &Path, problem: TargetProblem) {
    match plan(path, "x") {
        Err(JournalError::TargetRefused { problem: given, .. }) => assert_eq!(given, problem),
        other => panic!("{}: {other:?}", path.display()),
    }
}

#[test]
fn files_that_are_none_are_refused() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let folder = scratch.path();
    refused(Path::new("/dev/null"), TargetProblem::Device);
    refused(
        Path::new("/proc/sys/kernel/hostname"),
        TargetProblem::KernelFile,
    );
    refused(Path::new("etc/hosts"), TargetProblem::Relative);
    refused(folder, TargetProblem::Folder);
    refused(&folder.join("no/file"), TargetProblem::NoFolder);
    let socket = folder.join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("it is bound");
    refused(&socket, TargetProblem::Socket);
    let pipe = folder.join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .expect("it is made");
    refused(&pipe, TargetProblem::Pipe);
    fs::write(folder.join("a"), "a").expect("it is written");
    fs::hard_link(folder.join("a"), folder.join("b")).expect("it is linked");
    refused(&folder.join("a"), TargetProblem::OtherNames);
}

#[test]
fn links_are_followed_inside_their_tree_only() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let folder = scratch.path().canonicalize().expect("it is there");
    fs::write(folder.join("file"), "x").expect("it is written");
    symlink("file", folder.join("inside")).expect("it is linked");
    symlink("/etc/passwd", folder.join("outside")).expect("it is linked");
    symlink("nothing", folder.join("nowhere")).expect("it is linked");
    let target = resolve_target(&folder.join("inside")).expect("it is inside");
    assert_eq!(target, folder.join("file"));
    for (name, problem) in [
        ("outside", TargetProblem::LinkOutOfTree),
        ("nowhere", TargetProblem::LinkToNowhere),
    ] {
        match resolve_target(&folder.join(name)) {
            Err(JournalError::TargetRefused { problem: given, .. }) => assert_eq!(given, problem),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn undo_refuses_what_was_changed_since_and_keeps_it_when_forced() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    build_tree(&scratch.path().join("etc"));
    let hosts = scratch.path().join("etc/hosts");
    let journal = journal(scratch.path(), Arc::new(UnsyncedStorage), 5);
    write(&journal, &hosts, "one\n").expect("it is made");
    fs::write(&hosts, "two\n").expect("it is written");
    let session = journal.lock().expect("it is locked");
    match session.undo(1, false, ChangeRequest::default()) {
        Err(JournalError::ChangedSince {
            diff, number: 1, ..
        }) => {
            assert!(diff.contains("-one\n+two\n"), "{diff}");
        }
        other => panic!("{other:?}"),
    }
    let forced = session.undo(1, true, ChangeRequest::default());
    let forced = forced.expect("it is forced");
    assert_eq!(
        fs::read_to_string(&hosts).expect("it is read"),
        "127.0.0.1 localhost\n"
    );
    // What was overwritten comes back, too.
    session
        .undo(forced.number, false, ChangeRequest::default())
        .expect("it is undone");
    assert_eq!(fs::read_to_string(&hosts).expect("it is read"), "two\n");
}

#[test]
fn a_later_change_supersedes_and_is_named_by_undo() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    build_tree(&scratch.path().join("etc"));
    let hosts = scratch.path().join("etc/hosts");
    let journal = journal(scratch.path(), Arc::new(UnsyncedStorage), 5);
    write(&journal, &hosts, "one\n").expect("it is made");
    write(&journal, &hosts, "two\n").expect("it is made");
    let states = || -> Vec<EntryState> {
        let listed = journal.list(10).expect("it is listed");
        let state = |entry: &ListedEntry| match entry {
            ListedEntry::Readable(entry) => entry.state,
            ListedEntry::Unreadable { why, .. } => panic!("{why}"),
        };
        listed.iter().map(state).collect()
    };
    assert_eq!(states(), [EntryState::Applied, EntryState::Superseded]);
    let session = journal.lock().expect("it is locked");
    match session.undo(1, false, ChangeRequest::default()) {
        Err(JournalError::ChangedSince { by, .. }) => assert_eq!(by, [2]),
        other => panic!("{other:?}"),
    }
    session
        .undo(2, false, ChangeRequest::default())
        .expect("it is undone");
    assert_eq!(
        states(),
        [EntryState::Applied, EntryState::Undone, EntryState::Applied]
    );
    session
        .undo(1, false, ChangeRequest::default())
        .expect("it is undone");
    assert_eq!(
        journal
            .newest_undoable()
            .expect_err("all is undone")
            .to_string(),
        "the journal has no entry that can be undone"
    );
}

#[test]
fn what_changed_while_it_was_edited_is_not_overwritten() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    build_tree(&scratch.path().join("etc"));
    let hosts = scratch.path().join("etc/hosts");
    let seen = look_at(&hosts).expect("it is seen").state;
    let planned = plan(&hosts, "mine\n").expect("it is planned");
    fs::write(&hosts, "theirs\n").expect("it is written");
    let wanted = WantedFile::content(&hosts, b"mine\n".to_vec()).expecting(seen);
    let late = FileSetChange::plan("late", vec![wanted], UnixMoment::at(NOW));
    assert!(
        matches!(late, Err(JournalError::ChangedMeanwhile { .. })),
        "{late:?}"
    );
    // Even between the plan and the swap.
    let journal = journal(scratch.path(), Arc::new(UnsyncedStorage), 5);
    let session = journal.lock().expect("it is locked");
    match session.perform(Box::new(planned), ChangeRequest::default()) {
        Err(JournalError::RolledBack { source, .. }) => {
            assert!(
                matches!(*source, JournalError::ChangedMeanwhile { .. }),
                "{source}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read_to_string(&hosts).expect("it is read"), "theirs\n");
}

#[test]
fn damage_and_newer_versions_are_named_and_do_no_harm() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    build_tree(&scratch.path().join("etc"));
    let hosts = scratch.path().join("etc/hosts");
    let journal = journal(scratch.path(), Arc::new(UnsyncedStorage), 5);
    for content in ["one\n", "two\n", "three\n"] {
        write(&journal, &hosts, content).expect("it is made");
    }
    let entry = |number| journal.entry_folder(number).join("entry.json");
    fs::write(entry(1), "{ torn").expect("it is written");
    let newer = fs::read_to_string(entry(2)).expect("it is read");
    fs::write(entry(2), newer.replace("\"version\": 1", "\"version\": 7")).expect("it is written");
    let listed = journal.list(10).expect("it is listed");
    let unreadable = |at: usize| match &listed[at] {
        ListedEntry::Unreadable { why, .. } => why.clone(),
        ListedEntry::Readable(entry) => panic!("{entry:?}"),
    };
    assert!(unreadable(2).contains("is damaged"), "{}", unreadable(2));
    assert!(unreadable(1).contains("has format 7"), "{}", unreadable(1));
    write(&journal, &hosts, "four\n").expect("life goes on");
    // A backup whose bits flipped is not restored.
    let backup = journal.entry_folder(4).join("vault/0-before");
    fs::write(&backup, "thrEe\n").expect("it is written");
    let session = journal.lock().expect("it is locked");
    let error = session.undo(4, false, ChangeRequest::default());
    assert!(
        matches!(error, Err(JournalError::DamagedBackup { .. })),
        "{error:?}"
    );
    assert_eq!(fs::read_to_string(&hosts).expect("it is read"), "four\n");
    drop(session);
    fs::write(scratch.path().join("state/format"), "surefoot journal 2\n").expect("it is written");
    assert!(matches!(
        journal.list(1),
        Err(JournalError::NewerFormat { version: 2, .. })
    ));
    assert!(journal.lock().is_err());
}

#[test]
fn an_armed_entry_is_held_confirmed_and_never_pruned() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    build_tree(&scratch.path().join("etc"));
    let before = picture_of(&scratch.path().join("etc"));
    let hosts = scratch.path().join("etc/hosts");
    let journal = journal(scratch.path(), Arc::new(UnsyncedStorage), 5);
    let session = journal.lock().expect("it is locked");
    let arm = || ChangeRequest {
        arm: Some(ArmRequest {
            within: 60,
            start: &|_| Ok(()),
        }),
        ..ChangeRequest::default()
    };
    let change = plan(&hosts, "armed\n").expect("it is planned");
    session
        .perform(Box::new(change), arm())
        .expect("it is armed");
    let change = plan(&hosts, "again\n").expect("it is planned");
    let again = session.perform(Box::new(change), ChangeRequest::default());
    assert!(
        matches!(again, Err(JournalError::HeldByArmed { number: 1, .. })),
        "{again:?}"
    );
    let other = plan(&scratch.path().join("etc/mode"), "other\n").expect("it is planned");
    session
        .perform(Box::new(other), ChangeRequest::default())
        .expect("it is another file");
    let all = PrunePolicy::default();
    assert!(session.prunable(&all).expect("it is read").is_empty());
    assert!(matches!(
        session.undo(1, false, ChangeRequest::default()),
        Err(JournalError::WrongState {
            state: EntryState::Armed,
            ..
        })
    ));
    session
        .undo(2, false, ChangeRequest::default())
        .expect("it is undone");
    session.roll_back(1).expect("it is rolled back");
    assert_eq!(picture_of(&scratch.path().join("etc")), before);
    assert!(matches!(
        session.confirm(1),
        Err(JournalError::WrongState { .. })
    ));
    assert_eq!(session.prunable(&all).expect("it is read"), [1, 2]);
}

#[test]
fn a_watchdog_that_does_not_start_stops_the_change() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    build_tree(&scratch.path().join("etc"));
    let before = picture_of(&scratch.path().join("etc"));
    let journal = journal(scratch.path(), Arc::new(UnsyncedStorage), 5);
    let session = journal.lock().expect("it is locked");
    let failing = |_: &JournalEntry| {
        Err(JournalError::WatchdogFailed {
            why: "no room".to_owned(),
        })
    };
    let request = ChangeRequest {
        arm: Some(ArmRequest {
            within: 60,
            start: &failing,
        }),
        ..ChangeRequest::default()
    };
    let change = plan(&scratch.path().join("etc/hosts"), "x\n").expect("it is planned");
    let error = session
        .perform(Box::new(change), request)
        .expect_err("it fails");
    assert_eq!(error.to_string(), "the watchdog did not start: no room");
    assert_eq!(picture_of(&scratch.path().join("etc")), before);
    assert!(journal.numbers().expect("it is read").is_empty());
}

#[test]
fn a_text_that_a_program_loads_is_changed_and_put_back() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let state = scratch.path().join("kernel");
    fs::write(&state, "# printed at 12:00\nallow 22\n").expect("it is written");
    let shell = |script: &str| {
        let script = script.replace("STATE", &state.display().to_string());
        vec!["sh".to_owned(), "-c".to_owned(), script]
    };
    let change = |load: &str, text: &str| {
        LoadedTextChange::new(
            "new rules",
            "rules",
            shell("cat STATE"),
            shell(load),
            text.as_bytes().to_vec(),
        )
    };
    let journal = journal(scratch.path(), Arc::new(UnsyncedStorage), 5);
    let session = journal.lock().expect("it is locked");
    let request = ChangeRequest::default;
    let load = "cat > STATE.new && mv STATE.new STATE";
    session
        .perform(Box::new(change(load, "allow 22\nallow 80\n")), request())
        .expect("it is loaded");
    assert!(journal.diff(1).expect("it is kept").contains("+allow 80\n"));
    session.undo(1, false, request()).expect("it is undone");
    let there = fs::read_to_string(&state).expect("it is read");
    assert_eq!(there, "# printed at 12:00\nallow 22\n");
    // A loader that drops half of it is caught and what was there is loaded again.
    let bad = "grep -v 80 > STATE.new; mv STATE.new STATE";
    let error = session
        .perform(Box::new(change(bad, "allow 22\nallow 80\n")), request())
        .expect_err("it is not as planned");
    assert!(matches!(error, JournalError::RolledBack { .. }), "{error}");
    assert!(
        fs::read_to_string(&state)
            .expect("it is read")
            .ends_with("allow 22\n")
    );
}

#[test]
fn after_a_new_boot_an_armed_entry_is_reversed() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    build_tree(&scratch.path().join("etc"));
    let before = picture_of(&scratch.path().join("etc"));
    let first = journal(scratch.path(), Arc::new(UnsyncedStorage), 5);
    let request = ChangeRequest {
        arm: Some(ArmRequest {
            within: 60,
            start: &|_| Ok(()),
        }),
        ..ChangeRequest::default()
    };
    let change = plan(&scratch.path().join("etc/hosts"), "armed\n").expect("it is planned");
    let session = first.lock().expect("it is locked");
    session
        .perform(Box::new(change), request)
        .expect("it is armed");
    drop(session);
    // The same boot, before the deadline: it waits.
    let session = first.lock().expect("it is locked");
    assert_eq!(session.recovered, []);
    drop(session);
    let clock = common::TestClock::default();
    clock.boot.store(2, std::sync::atomic::Ordering::Relaxed);
    let mut options = surefoot_journal::JournalOptions::at(scratch.path().join("state"));
    options.clock = Arc::new(clock);
    let second = Journal::new(options);
    let session = second.lock().expect("it is locked");
    assert_eq!(session.recovered.len(), 1);
    assert!(session.recovered[0].what.contains("not confirmed in time"));
    assert_eq!(picture_of(&scratch.path().join("etc")), before);
    assert_eq!(
        second.entry(1).expect("it is there").state,
        EntryState::RolledBack
    );
}
