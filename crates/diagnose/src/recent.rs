//! What changed lately, as far as it may have to do with a chain: files, packages, and changes that surefoot made.
//!
//! A change is listed, never blamed: that something broke after it shows nothing.

use serde::Serialize;

use crate::observation::Scene;

/// So many changes are shown.
pub(crate) const SHOWN: usize = 8;

/// A change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecentChange {
    /// Seconds since 1970.
    pub at: u64,
    /// What changed.
    pub what: String,
    /// Whose it is, by its place in the list of hops; none if that is unknown.
    pub hop: Option<usize>,
}

/// How long ago something was, in words.
fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// The changes as lines, the latest first.
pub(crate) fn change_lines(scene: &Scene) -> Vec<String> {
    let mut changes: Vec<&RecentChange> = scene.changes.iter().collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.at));
    let left_out = changes.len().saturating_sub(SHOWN);
    let mut lines: Vec<String> = changes
        .into_iter()
        .take(SHOWN)
        .map(|change| {
            let when = if change.at > scene.now {
                "in the future".to_owned()
            } else {
                ago(scene.now - change.at)
            };
            let whose = change.hop.and_then(|hop| scene.hops.get(hop));
            let whose = whose.map_or_else(String::new, |hop| format!("  ({})", hop.title()));
            format!("{when:>13}  {}{whose}", change.what)
        })
        .collect();
    if left_out > 0 {
        lines.push(format!("{:>13}  and {left_out} earlier ones", ""));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_comes_first_and_the_rest_is_counted() {
        let changes = (0..12).map(|at| RecentChange {
            at: 1000 + at * 100,
            what: format!("change {at}"),
            hop: None,
        });
        let lines = change_lines(&Scene {
            now: 2200,
            changes: changes.collect(),
            ..Scene::default()
        });
        assert_eq!(lines.len(), SHOWN + 1);
        assert!(lines[0].ends_with("1 min ago  change 11"), "{lines:?}");
        assert!(lines[SHOWN].contains("4 earlier"), "{lines:?}");
        assert_eq!(ago(59), "59 s ago");
        assert_eq!(ago(7200), "2 h ago");
        assert_eq!(ago(200_000), "2 days ago");
    }
}
