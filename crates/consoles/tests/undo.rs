//! Every edit of every layout on a real tree, through the journal: it sets up what was asked for, a
//! second time it changes nothing, and undone it leaves no trace.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use common::asked::request_of;
use common::{Layout, all_layouts};
use surefoot_consoles::{ConsoleChange, ConsoleTable, plan_change, plan_consoles};
use surefoot_host::Host;
use surefoot_journal::{ChangeRequest, Journal, JournalOptions};

/// Everything below a folder: kind and mode, owner, time of the last change, content.
fn snapshot(root: &Path) -> BTreeMap<PathBuf, (u32, u32, i64, Vec<u8>)> {
    let mut seen = BTreeMap::new();
    let mut ahead = vec![root.to_owned()];
    while let Some(path) = ahead.pop() {
        let metadata = fs::symlink_metadata(&path).expect("it is there");
        let content = if metadata.is_dir() {
            for entry in fs::read_dir(&path).expect("it can be read") {
                ahead.push(entry.expect("it can be read").path());
            }
            Vec::new()
        } else if metadata.is_symlink() {
            let target = fs::read_link(&path).expect("it is a link");
            target.into_os_string().into_encoded_bytes()
        } else {
            fs::read(&path).expect("it can be read")
        };
        // A folder's time is that of its entries.
        let time = if metadata.is_file() {
            metadata.mtime_nsec()
        } else {
            0
        };
        seen.insert(path, (metadata.mode(), metadata.uid(), time, content));
    }
    seen
}

fn journal_at(folder: &Path) -> Journal {
    let mut options = JournalOptions::at(folder.join("state"));
    options.kinds = options.kinds.with::<ConsoleChange>(ConsoleChange::KIND);
    Journal::new(options)
}

#[test]
fn every_edit_reaches_its_aim_and_is_undone_to_the_byte() {
    let layouts = all_layouts();
    // Most of the time is spent waiting for the disk.
    let made: usize = std::thread::scope(|scope| {
        let parts: Vec<_> = layouts
            .chunks(layouts.len().div_ceil(6))
            .map(|part| scope.spawn(move || part.iter().map(edit_and_undo).sum::<usize>()))
            .collect();
        parts
            .into_iter()
            .map(|part| part.join().expect("no edit failed"))
            .sum()
    });
    assert!(made >= 60, "{made} edits");
}

/// Makes and undoes every edit of a layout, and counts them.
fn edit_and_undo(layout: &Layout) -> usize {
    let mut made = 0;
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let root = folder.path().join("root");
    fs::create_dir(&root).expect("it can be made");
    layout.write_below(&root);
    let journal = journal_at(folder.path());
    for asked in layout.asked.iter().filter(|asked| *asked != "show") {
        let request = request_of(asked);
        let Ok(plan) = plan_consoles(&Host::at(&root, 0), &request) else {
            continue;
        };
        if plan.edits.is_empty() {
            continue;
        }
        let what = format!("{}: {asked}", layout.name);
        let before = snapshot(&root);
        let change = plan_change(&plan, &root, &what, false, journal.now()).expect(&what);
        let session = journal.lock().expect("the journal is ours");
        let entry = session
            .perform(Box::new(change), ChangeRequest::default())
            .expect(&what);
        let table = ConsoleTable::of(&Host::at(&root, 0));
        assert_eq!(table.started(), plan.wanted, "{what}");
        let again = plan_consoles(&Host::at(&root, 0), &request).expect(&what);
        assert_eq!(again.edits, [], "{what}");
        session
            .undo(entry.number, false, ChangeRequest::default())
            .expect(&what);
        drop(session);
        assert_eq!(snapshot(&root), before, "{what}");
        made += 1;
    }
    made
}

#[test]
fn a_file_that_was_changed_meanwhile_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let root = folder.path().join("root");
    let layouts = all_layouts();
    let debian = layouts
        .iter()
        .find(|layout| layout.name == "debian-5")
        .expect("it is there");
    debian.write_below(&root);
    let plan = plan_consoles(&Host::at(&root, 0), &request_of("set 1")).expect("a plan");
    let inittab = root.join("etc/inittab");
    let other = fs::read_to_string(&inittab).expect("it can be read") + "# another hand\n";
    fs::write(&inittab, &other).expect("it can be written");
    let journal = journal_at(folder.path());
    let refused = plan_change(&plan, &root, "set 1", false, journal.now());
    let error = refused.expect_err("the file is another one").to_string();
    assert!(error.contains("is not what was read"), "{error}");
    assert_eq!(fs::read_to_string(&inittab).expect("it can be read"), other);
}
