//! File systems that take nothing more.

use super::{CauseCertainty, RuleMatch, quote};
use crate::observation::Scene;

/// A file system that the hop writes to is full, in bytes or in files.
pub(super) fn full(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let full = facts
        .storage
        .iter()
        .find(|storage| storage.is_full() || storage.is_out_of_files())?;
    let (what, shown, option) = if full.is_full() {
        let shown = format!("{} of {} bytes are free", full.free, full.size);
        ("is full", shown, "")
    } else {
        let shown = format!(
            "none of its {} files is free, though {} bytes are",
            full.files, full.free
        );
        ("can hold no more files", shown, " -i")
    };
    let words = ["No space left on device", "ENOSPC", "is full", "Disk full"];
    let line = facts
        .logs
        .iter()
        .find(|line| line.is_fresh && words.iter().any(|word| line.text.contains(word)));
    let shown_by_front = words.iter().any(|word| scene.symptom.answer.contains(word));
    let mut evidence = vec![format!("the file system of {}: {shown}", full.path)];
    if let Some(line) = line {
        evidence.push(format!("{}: {}", line.file, line.text));
    } else if shown_by_front {
        evidence.push("the answer itself says that there is no space".to_owned());
    }
    let is_witnessed = line.is_some() || shown_by_front;
    Some(RuleMatch {
        what: format!(
            "the file system that {} writes to ({}) {what}",
            facts.name(),
            full.path
        ),
        evidence,
        next: vec![
            format!("df{option} {}", quote(&full.path)),
            format!("du -xa {} | sort -n | tail", quote(&full.path)),
        ],
        // Who writes nothing there is not hindered.
        at_most: (!is_witnessed).then_some(CauseCertainty::Possible),
        is_witnessed,
        ..RuleMatch::default()
    })
}
