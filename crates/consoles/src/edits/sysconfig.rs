//! Edits where `/etc/sysconfig/init` names the virtual terminals: Fedora 13, RHEL 6.

use super::upstart;
use super::{ConsoleError, EditWish, EditWork};
use crate::inits::inittab::{change_lines, insert_line};
use crate::inits::sysconfig::{SERIAL, SETTINGS, active_consoles};
use crate::setup_tree::SetupPlace;
use crate::terminal_name::{is_virtual, virtual_number};

/// Makes the edits.
pub(super) fn edit(work: &mut EditWork<'_>, wish: &EditWish<'_>) -> Result<(), ConsoleError> {
    let (place, value) = active_consoles(&work.draft.tree());
    let of_settings = |terminal: &String| {
        is_virtual(terminal)
            || value
                .split_whitespace()
                .any(|word| word == format!("/dev/{terminal}"))
    };
    let touched = wish.added.iter().filter(|name| is_virtual(name)).count()
        + wish.removed.iter().filter(|name| of_settings(name)).count();
    if touched > 0 {
        set_value(work, &place, &value_for(wish.wanted, &value));
    }
    for terminal in wish.added {
        let device = format!("TTY=/dev/{terminal}");
        if is_virtual(terminal) {
            work.act(
                &["initctl", "start", "tty", &device],
                &["initctl", "stop", "tty", &device],
            );
        } else {
            upstart::add_job(work, "/etc/init", ".conf", terminal)?;
        }
    }
    for terminal in wish.removed {
        let device = format!("TTY=/dev/{terminal}");
        if of_settings(terminal) {
            work.act(
                &["initctl", "stop", "tty", &device],
                &["initctl", "start", "tty", &device],
            );
        } else if work.kernel.main.as_ref() == Some(terminal) {
            stop_serial(work, terminal);
        }
    }
    let jobs = EditWish {
        added: &[],
        ..*wish
    };
    upstart::edit(work, &jobs, "/etc/init", ".conf")
}

/// The job that gives `/dev/console` a prompt: its conditions become comments.
fn stop_serial(work: &mut EditWork<'_>, terminal: &str) {
    let text = work.draft.text(SERIAL);
    let changed = change_lines(&text, |_, line| {
        line.trim_start()
            .starts_with("start on")
            .then(|| format!("#{line}"))
    });
    if changed != text {
        work.draft.write(SERIAL, changed);
        let device = format!("DEV={terminal}");
        work.act(&["initctl", "stop", "serial", &device], &[]);
    }
}

/// The value for these terminals: `/dev/tty[1-6]` where they are in a row, else one by one. Words for
/// other terminals stay if they are wanted.
fn value_for(wanted: &[String], old: &str) -> String {
    let numbers: Vec<u32> = wanted
        .iter()
        .filter_map(|name| virtual_number(name))
        .collect();
    let in_a_row = numbers
        .windows(2)
        .all(|pair| matches!(pair, [a, b] if a + 1 == *b));
    let mut words: Vec<String> = match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) if first < last && in_a_row && *last <= 9 => {
            vec![format!("/dev/tty[{first}-{last}]")]
        }
        _ => numbers
            .iter()
            .map(|number| format!("/dev/tty{number}"))
            .collect(),
    };
    let others = old.split_whitespace().filter(|word| {
        let name = word.strip_prefix("/dev/").unwrap_or(word);
        !is_virtual(name) && wanted.iter().any(|wanted| wanted == name)
    });
    words.extend(others.map(ToOwned::to_owned));
    words.join(" ")
}

fn set_value(work: &mut EditWork<'_>, place: &SetupPlace, value: &str) {
    let quoted = if value.contains(' ') {
        format!("\"{value}\"")
    } else {
        value.to_owned()
    };
    let new = format!("ACTIVE_CONSOLES={quoted}");
    let text = work.draft.text(SETTINGS);
    let changed = match place.line {
        Some(line) if place.path == SETTINGS => {
            change_lines(&text, |number, _| (number == line).then(|| new.clone()))
        }
        _ => insert_line(&text, None, &new),
    };
    work.draft.write(SETTINGS, changed);
}
