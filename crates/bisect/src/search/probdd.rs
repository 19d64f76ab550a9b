//! Probabilistic delta debugging: the fallback where a test is not monotone.
//!
//! Each element has a probability to be needed, at first 2/n: few of many lines are. A test leaves out the
//! elements that promise most, the expected gain being number times the probability that none is needed.
//! If the property is lost, each of them is more probable by the rule of Bayes.

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbDdRun {
    /// The elements that are left, in order.
    pub kept: Vec<usize>,
    /// Tests that were made.
    pub tests: usize,
}

/// A probability from here on means needed.
const NEEDED: f64 = 0.999_999;

/// Makes a set of `count` elements smaller while the test holds; it must hold for all of them. What is left
/// need not be minimal.
pub fn run_probdd(count: usize, mut holds: impl FnMut(&[usize]) -> bool) -> ProbDdRun {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a number of lines is far below 2^52"
    )]
    let start = (2.0 / count.max(1) as f64).min(0.5);
    let mut left: Vec<(usize, f64)> = (0..count).map(|at| (at, start)).collect();
    let mut tests = 0;
    while left.iter().any(|(_, needed)| *needed < NEEDED) {
        let group = most_promising(&left);
        if group.is_empty() {
            break;
        }
        let kept: Vec<usize> = left
            .iter()
            .filter(|(at, _)| !group.contains(at))
            .map(|(at, _)| *at)
            .collect();
        tests += 1;
        if holds(&kept) {
            left.retain(|(at, _)| !group.contains(at));
            continue;
        }
        let none_needed: f64 = left
            .iter()
            .filter(|(at, _)| group.contains(at))
            .map(|(_, needed)| 1.0 - needed)
            .product();
        for (at, needed) in &mut left {
            if group.contains(at) {
                *needed = if group.len() == 1 {
                    1.0
                } else {
                    (*needed / (1.0 - none_needed)).min(1.0)
                };
            }
        }
    }
    ProbDdRun {
        kept: left.into_iter().map(|(at, _)| at).collect(),
        tests,
    }
}

/// The elements whose absence promises the largest gain.
fn most_promising(left: &[(usize, f64)]) -> Vec<usize> {
    let mut by_chance: Vec<(usize, f64)> = left
        .iter()
        .copied()
        .filter(|(_, needed)| *needed < NEEDED)
        .collect();
    by_chance.sort_by(|one, other| one.1.total_cmp(&other.1));
    let mut best = (0, 0.0);
    let mut none_needed = 1.0;
    let mut gain_base = 0.0;
    for (at, (_, needed)) in by_chance.iter().enumerate() {
        none_needed *= 1.0 - needed;
        gain_base += 1.0;
        let gain = gain_base * none_needed;
        if gain > best.1 {
            best = (at + 1, gain);
        }
    }
    by_chance[..best.0].iter().map(|(at, _)| *at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_a_hundred_are_found() {
        let run = run_probdd(100, |kept| kept.contains(&17) && kept.contains(&60));
        assert_eq!(run.kept, [17, 60]);
        assert!(run.tests < 40, "{}", run.tests);
    }

    #[test]
    fn it_ends_where_nothing_can_go() {
        let run = run_probdd(20, |kept| kept.len() == 20);
        assert_eq!(run.kept.len(), 20);
        assert!(run_probdd(0, |_| true).kept.is_empty());
    }
}
