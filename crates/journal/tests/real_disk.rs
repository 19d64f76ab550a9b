//! A real ext4 as the referee: the power goes after every call, on a disk that is copied while surefoot
//! works on it; and what only a real file system has, flags and inherited access control lists.

mod common;

use std::fs;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use common::ext4::{CopyingStorage, MountedImage, in_private_view, make_image};
use common::faults::UnsyncedStorage;
use common::scenes::{SCENES, Scene};
use common::{NOW, journal};
use surefoot_journal::{
    ChangeRequest, FileFlags, FileSetChange, FileState, RealStorage, Storage, UnixMoment,
    WantedFile, look_at,
};

/// Plays a scene on an ext4 and checks each copy of its disk as it would be found after a power loss.
/// Gives the number of calls, of copies that differ, and whether the last one has what was done.
fn lose_power_everywhere(scene: Scene, forgets: bool, scratch: &Path) -> (usize, usize, bool) {
    let (image, place) = (scratch.join("disk.img"), scratch.join("disk"));
    let copies = scratch.join("copies");
    for folder in [&place, &copies] {
        fs::create_dir_all(folder).expect("it is made");
    }
    make_image(&image);
    let folder = place.join("scene");
    let (storage, pictures) = {
        let mounted = MountedImage::new(&image, &place);
        let pictures = scene.pictures(&place);
        fs::create_dir(&folder).expect("it is made");
        scene.prepare(&folder);
        let root = fs::File::open(&mounted.place).expect("it is there");
        rustix::fs::syncfs(root).expect("all is on the disk");
        let storage = Arc::new(CopyingStorage::new(&image, &copies, forgets));
        scene.act(&folder, storage.clone()).expect("it works");
        (storage, pictures)
    };
    let made = storage.made.lock().expect("no test panics with it");
    let mut lasts = false;
    for (at, (calls, copy)) in made.iter().enumerate() {
        let _mounted = MountedImage::new(copy, &place);
        if at + 1 == made.len() {
            lasts = scene.is_done_in(&folder);
        }
        let context = format!("{scene:?}, the power of an ext4 lost after {calls} calls");
        // It is the next boot.
        scene.check_in_boot(2, &folder, &pictures, &context);
    }
    let numbers = (storage.calls(), made.len(), lasts);
    drop(made);
    fs::remove_dir_all(&copies).expect("they are removed");
    numbers
}

/// The scenes that are played: some, or all with `SUREFOOT_CRASH_POINTS=all`.
fn scenes() -> Vec<Scene> {
    if std::env::var("SUREFOOT_CRASH_POINTS").is_ok_and(|points| points == "all") {
        return SCENES.to_vec();
    }
    vec![Scene::ArmedEdit]
}

#[test]
fn a_power_loss_of_a_real_file_system_leaves_old_or_new_and_the_journal_says_which() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    in_private_view(|| {
        for scene in scenes() {
            let (calls, copies, lasts) = lose_power_everywhere(scene, false, scratch.path());
            let line = format!("{scene:?}: {calls} calls, {copies} states of the disk\n");
            let _ = std::io::stderr().write_all(line.as_bytes());
            assert!(lasts, "{scene:?}: what is done is on the disk");
            assert!(copies > 1, "{scene:?}: it did reach the disk");
        }
    });
}

#[test]
fn a_journal_that_does_not_sync_is_caught_by_a_real_file_system() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    in_private_view(|| {
        // What is done is not on the disk; or the kernel was quicker, and names are there without contents.
        std::panic::set_hook(Box::new(|_| {}));
        let play = || lose_power_everywhere(Scene::Edit, true, scratch.path());
        let played = catch_unwind(AssertUnwindSafe(play));
        let _ = std::panic::take_hook();
        let lasts = played.is_ok_and(|(_, _, lasts)| lasts);
        assert!(!lasts, "it is not caught");
    });
}

/// Does something on an empty ext4.
fn on_ext4(work: impl FnOnce(&Path) + Send) {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    in_private_view(|| {
        let (image, place) = (scratch.path().join("disk.img"), scratch.path().join("disk"));
        fs::create_dir(&place).expect("it is made");
        make_image(&image);
        let mounted = MountedImage::new(&image, &place);
        work(&mounted.place);
    });
}

fn flags_of(path: &Path) -> String {
    let seen = look_at(path).expect("it is seen").state;
    seen.attributes().expect("it is there").flags.to_string()
}

#[test]
fn the_flags_of_chattr_are_kept_and_come_back() {
    on_ext4(|disk| {
        let (file, gone) = (disk.join("file"), disk.join("gone"));
        for path in [&file, &gone] {
            fs::write(path, "old\n").expect("it is written");
        }
        let letters = |letters| FileFlags::from_letters(letters).expect("they are known");
        RealStorage
            .set_flags(&file, letters("dA"))
            .expect("it is set");
        RealStorage
            .set_flags(&gone, letters("dS"))
            .expect("it is set");
        let journal = journal(disk, Arc::new(UnsyncedStorage), 5);
        let session = journal.lock().expect("it is locked");
        let wanted = vec![
            WantedFile::content(&file, b"new\n".to_vec()),
            WantedFile::gone(&gone),
        ];
        let change = FileSetChange::plan("edit", wanted, UnixMoment::at(NOW));
        let change = Box::new(change.expect("it is planned"));
        let request = ChangeRequest::default;
        session.perform(change, request()).expect("it is made");
        assert_eq!(flags_of(&file), "Ad");
        session.undo(1, false, request()).expect("it is undone");
        assert_eq!(
            (flags_of(&file), flags_of(&gone)),
            ("Ad".into(), "Sd".into())
        );
        // Flags that were set since count as a change.
        session.undo(2, false, request()).expect("it is undone");
        RealStorage
            .set_flags(&file, letters("d"))
            .expect("it is set");
        let refused = session
            .undo(1, false, request())
            .expect_err("it was changed");
        let surefoot_journal::JournalError::ChangedSince { diff, .. } = refused else {
            panic!("{refused}")
        };
        assert!(diff.contains("/file: Ad -> d\n"), "{diff}");
    });
}

/// An access control list: tag, rights and id of each entry.
fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(rights.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

#[test]
fn a_new_file_inherits_what_the_kernel_would_give_it() {
    let none = u32::MAX;
    let with_user = list(&[
        (1, 7, none),
        (2, 7, 0),
        (4, 5, none),
        (16, 7, none),
        (32, 1, none),
    ]);
    let plain = list(&[(1, 7, none), (4, 4, none), (32, 0, none)]);
    for (case, default) in [Some(with_user), Some(plain), None].into_iter().enumerate() {
        on_ext4(|disk| {
            let folder = disk.join("folder");
            fs::create_dir(&folder).expect("it is made");
            let flags = FileFlags::from_letters("dA").expect("they are known");
            RealStorage.set_flags(&folder, flags).expect("it is set");
            RealStorage.set_owner(&folder, 0, 7).expect("it is set");
            RealStorage.set_mode(&folder, 0o2775).expect("it is set");
            if let Some(default) = &default {
                RealStorage
                    .set_xattr(&folder, "system.posix_acl_default", default)
                    .expect("it is set");
            } else {
                // Without a list the mode is ours: that of a umask of 022.
            }
            let kernels = folder.join("kernels");
            fs::write(&kernels, "x").expect("it is written");
            fs::create_dir(folder.join("kernels.d")).expect("it is made");
            let journal = journal(disk, Arc::new(UnsyncedStorage), 5);
            let session = journal.lock().expect("it is locked");
            let wanted = vec![
                WantedFile::content(folder.join("ours"), b"x".to_vec()),
                WantedFile::folder(folder.join("ours.d"), 0o777),
                WantedFile::content(folder.join("ours.d/in"), b"x".to_vec()),
            ];
            let change = FileSetChange::plan("new", wanted, UnixMoment::at(NOW));
            let change = Box::new(change.expect("it is planned"));
            session
                .perform(change, ChangeRequest::default())
                .expect("it is made");
            let rights = |name: &str| {
                let state = look_at(&folder.join(name)).expect("it is seen").state;
                assert_ne!(state, FileState::Missing, "{name}");
                let attributes = state.attributes().expect("it is there").clone();
                (
                    attributes.mode,
                    attributes.group,
                    attributes.xattrs,
                    attributes.flags,
                )
            };
            if default.is_some() {
                assert_eq!(rights("ours"), rights("kernels"), "case {case}");
                assert_eq!(rights("ours.d"), rights("kernels.d"), "case {case}");
            } else {
                assert_eq!(rights("ours").1, 7, "case {case}");
                assert_eq!(rights("ours").3, rights("kernels").3, "case {case}");
            }
            fs::write(folder.join("ours.d/theirs"), "x").expect("it is written");
            assert_eq!(
                rights("ours.d/in").1,
                rights("ours.d/theirs").1,
                "case {case}"
            );
            if default.is_some() {
                assert_eq!(rights("ours.d/in"), rights("ours.d/theirs"), "case {case}");
            }
        });
    }
}
