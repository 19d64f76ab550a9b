//! When a tree is looked through for new members: every now and then, once shortly before KILL, and not so late that
//! KILL would wait for the look.

use std::time::{Duration, Instant};

/// How often.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The last look, and how long it took.
#[derive(Debug)]
pub(super) struct LookTimes {
    last: Instant,
    took: Duration,
}

impl LookTimes {
    /// The first look was at this moment.
    pub(super) fn new(at: Instant) -> Self {
        Self {
            last: at,
            took: Duration::ZERO,
        }
    }

    /// Takes down a look that has just ended.
    pub(super) fn note(&mut self, begun: Instant) {
        self.last = begun;
        self.took = begun.elapsed();
    }

    /// Whether it is time for a look; `kill_at` is when KILL is due.
    pub(super) fn is_due(&self, kill_at: Option<Instant>) -> bool {
        self.is_due_at(Instant::now(), kill_at)
    }

    fn is_due_at(&self, now: Instant, kill_at: Option<Instant>) -> bool {
        let Some(kill_at) = kill_at else {
            return false;
        };
        let window = kill_at.checked_sub(self.took * 2);
        if window.is_some_and(|window| now >= window) {
            // Shortly before KILL once, and only if there is time for it.
            return window.is_some_and(|window| self.last < window) && now + self.took <= kill_at;
        }
        now.saturating_duration_since(self.last) >= LOOK_AGAIN
    }

    /// When the last look before KILL begins.
    pub(super) fn last_before(&self, kill_at: Option<Instant>) -> Option<Instant> {
        let at = kill_at?.checked_sub(self.took * 2)?;
        (self.took > Duration::ZERO && self.last < at).then_some(at)
    }

    /// Whether KILL is due so soon that nothing which takes as long as a look may begin.
    pub(super) fn is_near(&self, kill_at: Option<Instant>) -> bool {
        let left = kill_at.map(|at| at.saturating_duration_since(Instant::now()));
        left.is_some_and(|left| left < self.took * 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_look_is_shortly_before_kill_and_never_delays_it() {
        let begun = Instant::now();
        let after = |millis| begun + Duration::from_millis(millis);
        let kill_at = Some(after(1000));
        let mut looks = LookTimes::new(begun);
        assert!(!looks.is_due_at(after(49), kill_at));
        assert!(looks.is_due_at(after(50), kill_at));
        assert!(!looks.is_due_at(after(50), None), "all have got KILL");
        looks.last = after(930);
        looks.took = Duration::from_millis(20);
        assert_eq!(looks.last_before(kill_at), Some(after(960)));
        assert!(!looks.is_due_at(after(959), kill_at));
        assert!(looks.is_due_at(after(960), kill_at));
        assert!(!looks.is_due_at(after(981), kill_at), "KILL would wait");
        looks.last = after(900);
        looks.took = Duration::from_millis(50);
        assert!(!looks.is_due_at(after(950), kill_at), "it was the last one");
    }
}
