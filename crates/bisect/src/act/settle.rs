//! How long after a reload the daemon answers with what it had before.
//!
//! `nginx -s reload` and others like it return before the new configuration answers. The first reloads are
//! watched until the answer stands for a while; what that shows is waited for after the later ones.

use std::time::{Duration, Instant};

use super::trial::TestCommands;
use crate::error::BisectError;
use crate::search::TestOutcome;

/// So long must an answer stand before it is believed, as long as nothing is known of the daemon.
const UNKNOWN_LAG: Duration = Duration::from_millis(400);
/// A daemon that always answered anew at once is still given so long.
const SHORT_LAG: Duration = Duration::from_millis(100);
/// An answer that never stands is taken after so long.
const LONGEST_WATCH: Duration = Duration::from_secs(5);
/// So many changes of the answer say how fast the daemon is.
const ENOUGH_CHANGES: usize = 5;

/// What is known of the time that a reload takes to be seen.
#[derive(Default)]
pub(super) struct ReloadSettling {
    /// What the configuration in force before the reload did; nothing if unknown.
    pub(super) last: Option<TestOutcome>,
    changes: usize,
    longest: Duration,
}

impl ReloadSettling {
    /// How long to wait, if that is known or the test is too unsteady to be watched.
    pub(super) fn known_pause(&self, repeats: usize) -> Option<Duration> {
        let is_known = self.changes >= ENOUGH_CHANGES;
        if repeats > 1 && !is_known {
            return Some(UNKNOWN_LAG);
        }
        is_known.then(|| SHORT_LAG.max(self.longest * 3))
    }

    /// Begins to watch what the daemon answers after a reload.
    pub(super) fn watch(&self) -> SettlingWatch {
        SettlingWatch {
            before: self.last,
            last: self.last,
            changed: Duration::ZERO,
            looks: 0,
            window: UNKNOWN_LAG.max(self.longest * 2),
        }
    }

    /// Learns from a reload that was watched to its end.
    pub(super) fn learn(&mut self, watch: &SettlingWatch) {
        self.longest = self.longest.max(watch.changed);
        if watch.before.is_some() && watch.before != watch.last {
            self.changes += 1;
        }
    }
}

/// The answers after one reload.
pub(super) struct SettlingWatch {
    before: Option<TestOutcome>,
    last: Option<TestOutcome>,
    /// When the answer changed last.
    changed: Duration,
    looks: usize,
    window: Duration,
}

impl SettlingWatch {
    /// Adds an answer to a question that was put so long after the reload; says whether it stands.
    pub(super) fn is_settled(&mut self, at: Duration, outcome: TestOutcome) -> bool {
        if self.last != Some(outcome) && self.looks > 0 {
            self.changed = at;
        }
        self.looks += 1;
        self.last = Some(outcome);
        let stands = self.looks > 1 && at >= self.changed + self.window;
        stands || at >= LONGEST_WATCH
    }
}

/// Looks until the symptom is there again, for a while where a daemon was reloaded.
pub(super) fn wait_for_symptom(
    commands: &TestCommands,
    look: &mut dyn FnMut() -> Result<TestOutcome, BisectError>,
) -> Result<TestOutcome, BisectError> {
    let begun = Instant::now();
    loop {
        let outcome = look()?;
        let is_late = begun.elapsed() > UNKNOWN_LAG * 5;
        if outcome == TestOutcome::Symptom || commands.reload.is_none() || is_late {
            return Ok(outcome);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TestOutcome::{Fine, Symptom};

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn an_answer_is_believed_when_it_stood_for_a_while() {
        let known = ReloadSettling {
            last: Some(Symptom),
            ..ReloadSettling::default()
        };
        let mut watch = known.watch();
        assert!(!watch.is_settled(ms(0), Symptom));
        assert!(!watch.is_settled(ms(300), Fine));
        assert!(!watch.is_settled(ms(650), Fine));
        assert!(watch.is_settled(ms(700), Fine));
        let mut unsteady = known.watch();
        assert!(!unsteady.is_settled(ms(4900), Fine));
        assert!(unsteady.is_settled(ms(5000), Symptom));
    }

    #[test]
    fn the_slowest_reload_says_how_long_to_wait() {
        let mut known = ReloadSettling::default();
        for late in [0, 0, 200, 0, 0] {
            known.last = Some(Symptom);
            assert_eq!(known.known_pause(1), None);
            let mut watch = known.watch();
            watch.is_settled(ms(0), if late == 0 { Fine } else { Symptom });
            watch.is_settled(ms(late), Fine);
            known.learn(&watch);
        }
        assert_eq!(known.known_pause(1), Some(ms(600)));
    }
}
