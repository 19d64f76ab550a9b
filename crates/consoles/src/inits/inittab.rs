//! The lines of `/etc/inittab`, of System V init and of busybox: four fields with colons between them.

use crate::terminal_name::terminal_of;

/// A line of an inittab, live or commented out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InittabLine<'a> {
    pub(crate) number: u32,
    pub(crate) id: &'a str,
    pub(crate) levels: &'a str,
    pub(crate) action: &'a str,
    pub(crate) command: &'a str,
    /// Whether a `#` stands before it.
    pub(crate) is_comment: bool,
    /// Whether it ends in a carriage return, which init takes for a part of the command.
    pub(crate) has_return: bool,
}

/// Why the carriage return at the end of a line keeps a command from its terminal; nothing if it does not.
pub(crate) fn spoilt_by_return(line: &InittabLine<'_>) -> Option<String> {
    let last = line.command.split_whitespace().next_back()?;
    (line.has_return && terminal_of(last).is_some()).then(|| {
        format!(
            "the line ends in a carriage return, so that its terminal is `{last}\\r`, which is none"
        )
    })
}

/// Reads the lines that have four fields.
pub(crate) fn inittab_lines(text: &str) -> Vec<InittabLine<'_>> {
    let lines = (1..)
        .zip(text.split('\n'))
        .filter_map(|(number, whole): (u32, &str)| {
            let line = whole.trim_start();
            let bare = line.trim_start_matches('#');
            let is_comment = bare.len() < line.len();
            // A sentence behind a `#` has blanks before its first colon, or no action that exists.
            let bare = if is_comment { bare.trim_start() } else { line };
            let mut fields = bare.splitn(4, ':');
            let (id, levels, action, command) = (
                fields.next()?,
                fields.next()?,
                fields.next()?,
                fields.next()?,
            );
            let action = action.trim();
            let is_entry = !is_comment || (!id.contains(' ') && ACTIONS.contains(&action));
            is_entry.then_some(InittabLine {
                number,
                id,
                levels,
                action,
                command: command.trim(),
                is_comment,
                has_return: whole.ends_with('\r'),
            })
        });
    lines.collect()
}

const ACTIONS: &[&str] = &[
    "respawn",
    "wait",
    "once",
    "boot",
    "bootwait",
    "off",
    "ondemand",
    "sysinit",
    "powerwait",
    "powerfail",
    "powerokwait",
    "powerfailnow",
    "ctrlaltdel",
    "kbrequest",
    "askfirst",
    "restart",
    "shutdown",
    "initdefault",
];

/// Puts a `#` before lines of a text, or takes it away, and leaves every other byte as it is.
pub(crate) fn change_lines(text: &str, change: impl Fn(u32, &str) -> Option<String>) -> String {
    let mut changed = String::with_capacity(text.len());
    for (number, whole) in (1..).zip(text.split_inclusive('\n')) {
        let line = whole.strip_suffix('\n').unwrap_or(whole);
        match change(number, line) {
            Some(new) => {
                changed.push_str(&new);
                changed.push_str(whole.get(line.len()..).unwrap_or_default());
            }
            None => changed.push_str(whole),
        }
    }
    changed
}

/// A text with a line put behind another one; behind the last if there is no such line.
pub(crate) fn insert_line(text: &str, after: Option<u32>, new: &str) -> String {
    let mut changed = String::with_capacity(text.len() + new.len() + 1);
    let mut done = false;
    for (number, whole) in (1..).zip(text.split_inclusive('\n')) {
        changed.push_str(whole);
        if Some(number) == after {
            if !whole.ends_with('\n') {
                changed.push('\n');
            }
            changed.push_str(new);
            changed.push('\n');
            done = true;
        }
    }
    if !done {
        if !changed.is_empty() && !changed.ends_with('\n') {
            changed.push('\n');
        }
        changed.push_str(new);
        changed.push('\n');
    }
    changed
}
