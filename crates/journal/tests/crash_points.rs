//! surefoot is killed before and after every system call that changes something, and every such call
//! fails once and for good: afterwards every file is the old or the new one, and after the next start
//! the journal says which.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::faults::{Fault, FaultyStorage, UnsyncedStorage};
use common::sample;
use common::scenes::{SCENES, Scene};
use surefoot_journal::EntryState;

/// The program that is killed: this test program, told by the environment what to do.
#[test]
fn child() {
    let Ok(folder) = std::env::var("CRASH_FOLDER") else {
        return;
    };
    let word = |name: &str| std::env::var(name).expect("the parent sets it");
    let at = word("CRASH_AT").parse().expect("a number");
    let fault = match word("CRASH_WHEN").as_str() {
        "before" => Fault::KillBefore,
        _ => Fault::KillAfter,
    };
    let storage = Arc::new(FaultyStorage::new(at, fault));
    let scene = Scene::by_name(&word("CRASH_SCENE"));
    scene.act(Path::new(&folder), storage).expect("it works");
    unreachable!("it was to be killed");
}

/// How many calls an action makes.
fn calls_of(scene: Scene, scratch: &Path) -> usize {
    let folder = scratch.join("count");
    std::fs::create_dir(&folder).expect("it is made");
    scene.prepare(&folder);
    let storage = Arc::new(FaultyStorage::new(0, Fault::None));
    scene.act(&folder, storage.clone()).expect("it works");
    std::fs::remove_dir_all(&folder).expect("it is removed");
    storage.calls.load(Ordering::SeqCst)
}

/// All points of all scenes.
fn all_points(scratch: &Path) -> Vec<(Scene, usize)> {
    let mut points = Vec::new();
    for scene in SCENES {
        points.extend((0..calls_of(scene, scratch)).map(|at| (scene, at)));
    }
    points
}

fn with_scene<T>(scene: Scene, scratch: &Path, work: impl FnOnce(&Path) -> T) -> T {
    let folder = scratch.join("scene");
    std::fs::create_dir(&folder).expect("it is made");
    scene.prepare(&folder);
    let result = work(&folder);
    std::fs::remove_dir_all(&folder).expect("it is removed");
    result
}

#[test]
fn killed_at_any_call_leaves_old_or_new_and_the_journal_says_which() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let points = all_points(scratch.path());
    let program = std::env::current_exe().expect("the test program has a name");
    let mut pictures = None;
    let mut tried = 0;
    for at in sample(points.len() * 2, 60) {
        let ((scene, call), when) = (points[at / 2], ["before", "after"][at % 2]);
        if pictures.as_ref().is_none_or(|(of, _)| *of != scene) {
            pictures = Some((scene, scene.pictures(scratch.path())));
        }
        let (_, pictures) = pictures.as_ref().expect("just made");
        with_scene(scene, scratch.path(), |folder| {
            let status = Command::new(&program)
                .args(["--exact", "child"])
                .env("CRASH_FOLDER", folder)
                .env("CRASH_SCENE", format!("{scene:?}"))
                .env("CRASH_AT", call.to_string())
                .env("CRASH_WHEN", when)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .expect("the test program runs");
            let context = format!("{scene:?}, killed {when} call {call}");
            assert_eq!(
                std::os::unix::process::ExitStatusExt::signal(&status),
                Some(9),
                "{context}"
            );
            scene.check(folder, pictures, &context);
        });
        tried += 1;
    }
    println!("killed at {tried} points of {}", points.len() * 2);
}

/// ENOSPC, EIO, EROFS, EDQUOT.
const ERRORS: [i32; 4] = [28, 5, 30, 122];

#[test]
fn every_call_may_fail_once_or_for_good() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let points = all_points(scratch.path());
    let mut pictures = None;
    let mut tried = 0;
    for at in sample(points.len() * 8, 120) {
        let (scene, call) = points[at / 8];
        let errno = ERRORS[at % 4];
        let fault = if at % 8 < 4 {
            Fault::FailOnce(errno)
        } else {
            Fault::FailFrom(errno)
        };
        if pictures.as_ref().is_none_or(|(of, _)| *of != scene) {
            pictures = Some((scene, scene.pictures(scratch.path())));
        }
        let (_, pictures) = pictures.as_ref().expect("just made");
        with_scene(scene, scratch.path(), |folder| {
            let context = format!("{scene:?}, {fault:?} at call {call}");
            let storage = Arc::new(FaultyStorage::new(call, fault));
            let outcome = scene.act(folder, storage);
            scene.check(folder, pictures, &context);
            // What failed outright says so: it never reports success for a change that is not there.
            if let (Ok(()), Scene::Edit | Scene::ArmedEdit) = (&outcome, scene) {
                let journal = common::journal(folder, Arc::new(UnsyncedStorage), 3000);
                let state = journal.entry(1).expect("it is there").state;
                // The check undoes what it finds in force.
                let was_there = state.is_in_force() || state == EntryState::Undone;
                assert!(was_there, "{context}: {state}");
            }
        });
        tried += 1;
    }
    println!("failed at {tried} points of {}", points.len() * 8);
}

#[test]
fn a_change_that_fails_before_anything_is_touched_leaves_no_entry() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    with_scene(Scene::Edit, scratch.path(), |folder| {
        let storage = Arc::new(FaultyStorage::new(5, Fault::FailOnce(28)));
        Scene::Edit
            .act(folder, storage)
            .expect_err("there is no space");
        let journal = common::journal(folder, Arc::new(UnsyncedStorage), 3000);
        assert!(journal.numbers().expect("it is read").is_empty());
        Scene::Edit
            .act(folder, Arc::new(UnsyncedStorage))
            .expect("it works");
        assert_eq!(
            journal.entry(1).expect("it is there").state,
            EntryState::Applied
        );
    });
}
