//! Two surefoots at once: one waits for the other, nothing is lost.

mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use common::faults::UnsyncedStorage;
use common::{NOW, journal};
use surefoot_journal::{
    ChangeRequest, FileSetChange, JournalError, UnixMoment, WantedFile, look_at,
};

/// How many pairs the long run takes.
const RUNS: usize = 200;

/// How many an ordinary run takes.
const SOME: usize = 25;

/// One of the two: adds a line to a file, as often as it takes.
#[test]
fn child() {
    let Ok(folder) = std::env::var("TWO_FOLDER") else {
        return;
    };
    let line = std::env::var("TWO_LINE").expect("the parent sets it");
    let folder = Path::new(&folder);
    let path = folder.join("list");
    let journal = journal(folder, Arc::new(UnsyncedStorage), 5);
    loop {
        // Read without the lock, as an editor does.
        let seen = look_at(&path).expect("it is read");
        let mut content = seen.content.clone().expect("it is a file");
        content.extend(line.bytes());
        content.push(b'\n');
        let wanted = WantedFile::content(&path, content).expecting(seen.state);
        let session = journal.lock().expect("it waits for the lock");
        match FileSetChange::plan("add", vec![wanted], UnixMoment::at(NOW)) {
            Err(JournalError::ChangedMeanwhile { .. }) => {}
            planned => {
                let change = planned.expect("it is planned");
                session
                    .perform(Box::new(change), ChangeRequest::default())
                    .expect("it is made");
                return;
            }
        }
    }
}

fn start(folder: &Path, line: &str) -> Child {
    Command::new(std::env::current_exe().expect("it has a name"))
        .args(["--exact", "child"])
        .env("TWO_FOLDER", folder)
        .env("TWO_LINE", line)
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts")
}

#[test]
fn nothing_is_lost() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let path = scratch.path().join("list");
    std::fs::write(&path, "").expect("it is written");
    let mut expected = Vec::new();
    let runs = common::sample(RUNS, SOME);
    for &run in &runs {
        let lines = [format!("{run} one"), format!("{run} two")];
        let mut children = lines.clone().map(|line| start(scratch.path(), &line));
        for child in &mut children {
            assert!(child.wait().expect("it ends").success(), "run {run}");
        }
        expected.extend(lines);
    }
    let content = std::fs::read_to_string(&path).expect("it is read");
    let mut there: Vec<&str> = content.lines().collect();
    there.sort_unstable();
    expected.sort_unstable();
    assert_eq!(there, expected);
    let journal = journal(scratch.path(), Arc::new(UnsyncedStorage), 5);
    let numbers = journal.numbers().expect("it is read");
    assert_eq!(numbers.len(), runs.len() * 2, "one entry each");
    assert_eq!(
        numbers.first(),
        Some(&(runs.len() as u64 * 2)),
        "no number is given twice"
    );
}

#[test]
fn who_waits_too_long_is_told_for_whom() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let holder = journal(scratch.path(), Arc::new(UnsyncedStorage), 5);
    let session = holder.lock().expect("it is locked");
    let mut waiting = surefoot_journal::JournalOptions::at(scratch.path().join("state"));
    waiting.lock_wait = std::time::Duration::from_millis(50);
    let error = surefoot_journal::Journal::new(waiting)
        .lock()
        .err()
        .expect("it is held");
    let own = format!("process {}", std::process::id());
    assert!(error.to_string().contains(&own), "{error}");
    drop(session);
}
