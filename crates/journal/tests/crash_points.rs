//! surefoot is killed before and after every system call that changes something, and every such call
//! fails once and for good: afterwards every file is the old or the new one, and after the next start
//! the journal says which.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::faults::{Fault, FaultyStorage, UnsyncedStorage};
use common::points::{PointWorker, try_points};
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

#[test]
fn killed_at_any_call_leaves_old_or_new_and_the_journal_says_which() {
    let scratch = common::scratch_folder();
    let all = all_points(scratch.path());
    let program = std::env::current_exe().expect("the test program has a name");
    let chosen = sample(all.len() * 2, 60);
    try_points("killed", &chosen, all.len() * 2, |worker, at| {
        let ((scene, call), when) = (all[at / 2], ["before", "after"][at % 2]);
        worker.picture(scene);
        worker.with_scene(scene, |folder| {
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
            scene.check(folder, worker.pictures(), &context);
        });
    });
}

/// ENOSPC, EIO, EROFS, EDQUOT.
const ERRORS: [i32; 4] = [28, 5, 30, 122];

#[test]
fn every_call_may_fail_once_or_for_good() {
    let scratch = common::scratch_folder();
    let all = all_points(scratch.path());
    let chosen = sample(all.len() * 8, 120);
    try_points("failed", &chosen, all.len() * 8, |worker, at| {
        let (scene, call) = all[at / 8];
        let errno = ERRORS[at % 4];
        let fault = if at % 8 < 4 {
            Fault::FailOnce(errno)
        } else {
            Fault::FailFrom(errno)
        };
        worker.picture(scene);
        worker.with_scene(scene, |folder| {
            let context = format!("{scene:?}, {fault:?} at call {call}");
            let storage = Arc::new(FaultyStorage::new(call, fault));
            let outcome = scene.act(folder, storage);
            scene.check(folder, worker.pictures(), &context);
            // What failed outright says so: it never reports success for a change that is not there.
            if let (Ok(()), Scene::Edit | Scene::ArmedEdit) = (&outcome, scene) {
                let journal = common::journal(folder, Arc::new(UnsyncedStorage), 3000);
                let state = journal.entry(1).expect("it is there").state;
                // The check undoes what it finds in force.
                let was_there = state.is_in_force() || state == EntryState::Undone;
                assert!(was_there, "{context}: {state}");
            }
        });
    });
}

#[test]
fn a_change_that_fails_before_anything_is_touched_leaves_no_entry() {
    PointWorker::new().with_scene(Scene::Edit, |folder| {
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
