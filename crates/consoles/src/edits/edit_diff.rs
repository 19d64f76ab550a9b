//! A planned change as a diff, with the paths that the files have in their system.

use std::fmt::Write as _;

use similar::TextDiff;

use super::draft::SetupEdit;

/// Writes the edits as a unified diff, and a line for each link that comes or goes.
pub(super) fn edit_diff(edits: &[SetupEdit]) -> String {
    let mut text = String::new();
    for edit in edits {
        match edit {
            SetupEdit::Write {
                path,
                before,
                text: after,
                ..
            } => {
                let diff = TextDiff::from_lines(before.as_deref().unwrap_or_default(), after);
                let old = match before {
                    Some(_) => format!("a{path}"),
                    None => "/dev/null".to_owned(),
                };
                let mut unified = diff.unified_diff();
                unified.header(&old, &format!("b{path}"));
                let _ = write!(text, "{unified}");
                if before.is_none() && after.is_empty() {
                    let _ = writeln!(text, "new empty file {path}");
                }
            }
            SetupEdit::Link { path, target } => {
                let _ = writeln!(text, "new link {path} -> {target}");
            }
            SetupEdit::Remove { path } => {
                let _ = writeln!(text, "remove {path}");
            }
        }
    }
    text
}
