//! The difference between two states of a file, as a unified diff with what `diff` leaves out:
//! mode, owner, links and extended attributes. No I/O.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::file_state::{FileAttributes, FileState};

/// How long a diff may be computed before it gets coarser.
const PATIENCE: Duration = Duration::from_millis(500);

/// A state with the content that belongs to it.
pub(crate) type StateAndContent<'a> = (&'a FileState, Option<&'a [u8]>);

/// The difference from one state to another; empty if there is none.
pub(crate) fn diff_states(
    path: &Path,
    (before, old): StateAndContent<'_>,
    (after, new): StateAndContent<'_>,
) -> String {
    let shown = path.display().to_string();
    let mut text = String::new();
    match (before, after) {
        (FileState::Missing, FileState::Missing) => return text,
        (FileState::Missing, after) => {
            let _ = writeln!(
                text,
                "new {} {shown}: {}",
                kind_word(after),
                in_words(after)
            );
        }
        (before, FileState::Missing) => {
            let _ = writeln!(
                text,
                "gone {} {shown}: {}",
                kind_word(before),
                in_words(before)
            );
        }
        (before, after) => {
            if kind_word(before) != kind_word(after) {
                let (from, to) = (kind_word(before), kind_word(after));
                let _ = writeln!(text, "kind of {shown}: {from} -> {to}");
            }
            if let (Some(old), Some(new)) = (before.attributes(), after.attributes()) {
                attribute_lines(&mut text, &shown, old, new);
            }
        }
    }
    if old != new {
        text.push_str(&content_diff(&shown, old, new));
    }
    let target = |state: &FileState| match state {
        FileState::Link { target, .. } => Some(target.clone()),
        _ => None,
    };
    let (from, to) = (target(before), target(after));
    if from != to {
        let words = |target: Option<std::path::PathBuf>| {
            target.map_or_else(|| "none".to_owned(), |path| path.display().to_string())
        };
        let _ = writeln!(text, "target of {shown}: {} -> {}", words(from), words(to));
    }
    text
}

fn kind_word(state: &FileState) -> &'static str {
    match state {
        FileState::Missing => "nothing",
        FileState::Regular { .. } => "file",
        FileState::Link { .. } => "link",
        FileState::Folder { .. } => "folder",
    }
}

fn in_words(state: &FileState) -> String {
    state.attributes().map_or_else(String::new, |attributes| {
        format!(
            "mode {:04o}, owner {}:{}",
            attributes.mode, attributes.user, attributes.group
        )
    })
}

fn attribute_lines(text: &mut String, shown: &str, old: &FileAttributes, new: &FileAttributes) {
    if old.mode != new.mode {
        let _ = writeln!(
            text,
            "mode of {shown}: {:04o} -> {:04o}",
            old.mode, new.mode
        );
    }
    if (old.user, old.group) != (new.user, new.group) {
        let _ = writeln!(
            text,
            "owner of {shown}: {}:{} -> {}:{}",
            old.user, old.group, new.user, new.group
        );
    }
    if old.flags != new.flags {
        let _ = writeln!(text, "flags of {shown}: {} -> {}", old.flags, new.flags);
    }
    for name in old.xattrs.keys() {
        if !new.xattrs.contains_key(name) {
            let _ = writeln!(text, "attribute {name} of {shown}: gone");
        }
    }
    for (name, value) in &new.xattrs {
        match old.xattrs.get(name) {
            Some(previous) if previous == value => {}
            Some(_) => {
                let _ = writeln!(text, "attribute {name} of {shown}: changed");
            }
            None => {
                let _ = writeln!(text, "attribute {name} of {shown}: new");
            }
        }
    }
}

/// A unified diff of two contents; one line where they are no text.
pub fn content_diff(shown: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> String {
    let text_of = |bytes: Option<&[u8]>| match bytes {
        None => Some(String::new()),
        Some(bytes) if bytes.contains(&0) => None,
        Some(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
    };
    let (Some(old_text), Some(new_text)) = (text_of(old), text_of(new)) else {
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        return format!(
            "content of {shown}: no text, {} -> {} bytes\n",
            length(old),
            length(new)
        );
    };
    if old_text == new_text {
        return format!("content of {shown}: differs in bytes that are no text\n");
    }
    // What is no path gets a stroke, too: `a/table filter`.
    let stroke = if shown.starts_with('/') { "" } else { "/" };
    let name = |prefix: &str, bytes: Option<&[u8]>| match bytes {
        Some(_) => format!("{prefix}{stroke}{shown}"),
        None => "/dev/null".to_owned(),
    };
    similar::TextDiff::configure()
        .timeout(PATIENCE)
        .diff_lines(&old_text, &new_text)
        .unified_diff()
        .header(&name("a", old), &name("b", new))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_diff_has_a_stroke_before_every_name() {
        let head = |shown: &str| {
            let diff = content_diff(shown, Some(b"one\n"), Some(b"two\n"));
            diff.lines().take(2).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(head("/etc/motd"), "--- a/etc/motd +++ b/etc/motd");
        assert_eq!(
            head("table filter"),
            "--- a/table filter +++ b/table filter"
        );
    }
}
