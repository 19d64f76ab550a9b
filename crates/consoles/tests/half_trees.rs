//! Half a tree: a copy of `/etc` alone, or a disk whose `/usr` is another one. The init system is told by its files
//! then, which is said, and is unknown where the files are those of two.

mod common;

use std::fs;
use std::path::Path;

use common::{Layout, all_layouts};
use surefoot_consoles::{
    ConsoleRequest, ConsoleTable, ConsoleWish, InitSystem, console_table_text, plan_consoles,
};
use surefoot_host::Host;

fn layout(name: &str) -> Layout {
    let mut layouts = all_layouts().into_iter();
    layouts
        .find(|layout| layout.name == name)
        .expect("the layout is there")
}

/// Leaves `/etc` alone of a layout's tree.
fn write_etc_of(layout: &Layout, root: &Path) {
    layout.write_below(root);
    for entry in fs::read_dir(root).expect("it can be read").flatten() {
        if entry.file_name() == "etc" {
            continue;
        }
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = if is_folder {
            fs::remove_dir_all(entry.path())
        } else {
            fs::remove_file(entry.path())
        };
        removed.expect("it can be removed");
    }
}

#[test]
fn of_etc_alone_the_init_system_is_the_right_one_and_doubtful_or_unknown() {
    let mut told = 0;
    for layout in all_layouts() {
        let whole = ConsoleTable::of(&layout.host());
        let folder = tempfile::tempdir().expect("a folder for scratch");
        write_etc_of(&layout, folder.path());
        let half = ConsoleTable::of(&Host::at(folder.path(), 0));
        let name = &layout.name;
        assert!(
            half.init_unknown.is_some() || half.init_doubt.is_some(),
            "{name}"
        );
        if let Some(init) = half.init.filter(|_| half.init_unknown.is_none()) {
            assert_eq!(Some(init), whole.init, "{name}");
            told += 1;
        }
    }
    assert!(told >= 12, "{told}");
}

#[test]
fn a_doubtful_init_system_is_told_with_the_table_and_with_a_change() {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    write_etc_of(&layout("rhel-5"), folder.path());
    let host = Host::at(folder.path(), 0);
    let text = console_table_text(&ConsoleTable::of(&host));
    let line =
        "init system: System V init (/etc/inittab), told by its files: /sbin/init is not there\n";
    assert!(text.starts_with(line), "{text}");
    let request = ConsoleRequest::new(ConsoleWish::Count(1));
    let plan = plan_consoles(&host, &request).expect("it is planned");
    assert!(
        plan.notes
            .iter()
            .any(|note| note.contains("told by its files")),
        "{:?}",
        plan.notes
    );
    // With the program nothing is doubtful.
    let whole = layout("rhel-5").host();
    assert_eq!(ConsoleTable::of(&whole).init_doubt, None);
}

#[test]
fn files_of_two_init_systems_are_no_answer() {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    write_etc_of(&layout("debian-7"), folder.path());
    let wants = folder.path().join("etc/systemd/system/getty.target.wants");
    fs::create_dir_all(&wants).expect("it can be made");
    let unit = "/lib/systemd/system/getty@.service";
    std::os::unix::fs::symlink(unit, wants.join("getty@tty1.service")).expect("it can be made");
    let table = ConsoleTable::of(&Host::at(folder.path(), 0));
    let why = table.init_unknown.expect("it is unknown");
    assert!(
        why.contains("System V init") && why.contains("systemd"),
        "{why}"
    );
    // An inittab that says in a comment that it is not used any more is none.
    fs::write(
        folder.path().join("etc/inittab"),
        "# not used with systemd\n",
    )
    .expect("it is written");
    let table = ConsoleTable::of(&Host::at(folder.path(), 0));
    assert_eq!(
        (table.init, table.init_unknown),
        (Some(InitSystem::Systemd), None)
    );
}
