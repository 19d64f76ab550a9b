//! Which numbers the kernel has given to new processes since a look at all of them: those alone can be
//! newcomers, and they are few, where a look at every process of a large machine takes long.

use std::time::{Duration, Instant};

use surefoot_host::ProcessLink;

/// In a space of fewer numbers, or after a longer time, they might all have been given once more.
const ENOUGH_NUMBERS: u32 = 32_768;
const NOT_LONG: Duration = Duration::from_millis(250);

/// From as many on, a look at all processes is as good.
const MANY: u32 = 512;

/// What the kernel had given last at some moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastNumber {
    number: u32,
    all: u32,
    at: Instant,
}

impl LastNumber {
    /// The last one now; none where the kernel does not say.
    pub(super) fn now() -> Option<Self> {
        Some(Self {
            number: ProcessLink::last_given()?,
            all: ProcessLink::numbers()?,
            at: Instant::now(),
        })
    }

    /// The numbers given from then to a later moment; none if they are many, or cannot be told.
    pub(super) fn given_until(&self, later: &Self) -> Option<Vec<u32>> {
        if later.at.saturating_duration_since(self.at) > NOT_LONG {
            return None;
        }
        given_between(self.number, later.number, self.all.min(later.all))
    }
}

/// The kernel gives the next free number above the last one, and begins again at the bottom after the highest.
fn given_between(before: u32, after: u32, all: u32) -> Option<Vec<u32>> {
    if all < ENOUGH_NUMBERS || before.max(after) >= all {
        return None;
    }
    let count = if after >= before {
        after - before
    } else {
        all - before + after
    };
    let numbers = (1..=count).map(|step| (before + step) % all);
    (count <= MANY).then(|| numbers.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_between_go_round_and_are_unknown_where_they_may_be_more() {
        let between = |before, after| given_between(before, after, 32_768);
        assert_eq!(between(700, 700), Some(Vec::new()));
        assert_eq!(between(700, 703), Some(vec![701, 702, 703]));
        assert_eq!(between(32_766, 2), Some(vec![32_767, 0, 1, 2]));
        assert_eq!(between(700, 1213), None, "too many");
        assert_eq!(between(703, 700), None, "all but three");
        assert_eq!(given_between(300, 310, 400), None, "a small space");
        assert_eq!(
            given_between(40_000, 40_001, 32_768),
            None,
            "it was more once"
        );
    }

    #[test]
    fn a_new_process_has_one_of_the_numbers_given_meanwhile() {
        let before = LastNumber::now().expect("the kernel says");
        let mut child = std::process::Command::new("true")
            .spawn()
            .expect("it is there");
        let after = LastNumber::now().expect("the kernel says");
        child.wait().expect("it ends");
        // A machine that starts very many meanwhile has to be looked at as a whole.
        let given = before.given_until(&after);
        assert!(given.is_none_or(|given| given.contains(&child.id())));
    }
}
