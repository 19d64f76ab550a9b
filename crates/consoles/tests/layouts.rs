//! The answers about layouts of real systems, as text pairs: `NAME.layout` and `NAME.ok`.
//! `UPDATE=1` writes the answers; read the difference.

mod common;

use std::fmt::Write as _;
use std::fs;

use common::{Layout, all_layouts, layouts_folder};
use surefoot_consoles::{ConsoleTable, console_table_text};
use surefoot_host::Host;

/// What is answered to everything that a layout asks.
fn answers(layout: &Layout) -> String {
    let mut text = String::new();
    for asked in &layout.asked {
        let _ = writeln!(text, "? {asked}");
        match asked.as_str() {
            "show" => text.push_str(&console_table_text(&ConsoleTable::of(&layout.host()))),
            other => panic!("{}: `{other}` cannot be asked", layout.name),
        }
        text.push('\n');
    }
    text
}

#[test]
fn every_layout_is_answered_as_it_is_written_down() {
    let mut wrong = String::new();
    let layouts = all_layouts();
    assert!(layouts.len() >= 21, "{} layouts", layouts.len());
    for layout in layouts {
        let path = layouts_folder().join(format!("{}.ok", layout.name));
        let told = answers(&layout);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &told).expect("the folder can be written");
            continue;
        }
        let wanted = fs::read_to_string(&path).unwrap_or_default();
        if told != wanted {
            let diff = similar::TextDiff::from_lines(&wanted, &told);
            let _ = writeln!(wrong, "{}\n{}", layout.name, diff.unified_diff());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_tree_on_the_disk_is_answered_like_its_text() {
    for layout in all_layouts() {
        let folder = tempfile::tempdir().expect("a folder for scratch");
        layout.write_below(folder.path());
        let of_text = ConsoleTable::of(&layout.host());
        let of_tree = ConsoleTable::of(&Host::at(folder.path(), 0));
        assert_eq!(
            console_table_text(&of_text),
            console_table_text(&of_tree),
            "{}",
            layout.name
        );
    }
}
