//! The answers about layouts of real systems, as text pairs: `NAME.layout` and `NAME.ok`.
//! `UPDATE=1` writes the answers; read the difference.

mod common;

use std::fmt::Write as _;
use std::fs;

use common::asked::{answer, host_after, request_of};
use common::{Layout, all_layouts, layouts_folder};
use surefoot_consoles::{ConsoleTable, console_table_text, plan_consoles};
use surefoot_host::Host;

/// What is answered to everything that a layout asks.
fn answers(layout: &Layout) -> String {
    let mut text = String::new();
    for asked in &layout.asked {
        let _ = writeln!(text, "? {asked}\n{}", answer(layout, asked));
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

#[test]
fn a_second_identical_request_changes_nothing() {
    let mut planned = 0;
    for layout in all_layouts() {
        for asked in layout.asked.iter().filter(|asked| *asked != "show") {
            let request = request_of(asked);
            let Ok(plan) = plan_consoles(&layout.host(), &request) else {
                continue;
            };
            let after = host_after(&layout.host(), &plan);
            let again = plan_consoles(&after, &request).expect("it was possible before");
            assert_eq!(again.edits, [], "{}: {asked}", layout.name);
            assert_eq!(again.wanted, plan.wanted, "{}: {asked}", layout.name);
            planned += 1;
        }
    }
    assert!(planned >= 60, "{planned}");
}
