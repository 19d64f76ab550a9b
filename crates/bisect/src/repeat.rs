//! Tests that do not answer the same each time: how often one has to be repeated to be believed.
//!
//! A test that shows the symptom with the probability q misses it m times in a row with (1-q)^m. One look
//! that shows the symptom is enough; "fine" is believed after as many looks as make a miss less probable than
//! one in a thousand.

use serde::Serialize;

use crate::search::TestOutcome;

/// A miss must be less probable than this.
const MISSED: f64 = 0.001;
/// A test is repeated no more often than this.
const MOST_REPEATS: usize = 300;
/// So many looks without a symptom mean that it cannot be reproduced.
pub const LOOKS_WITHOUT: usize = 40;
/// So many appearances of the symptom tell its probability well enough.
const ENOUGH: usize = 12;
/// No more looks than this at the untouched configuration.
const MOST_LOOKS: usize = 150;

/// How a test answers on the untouched configuration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TestSteadiness {
    /// How often it was run.
    pub runs: usize,
    /// How often it showed the symptom.
    pub symptoms: usize,
    /// How often it says "fine" before that is believed.
    pub repeats: usize,
}

/// What to do after some looks at the untouched configuration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UntouchedLook {
    /// Look again.
    Again,
    /// The symptom is there, always or with a probability.
    Shown(TestSteadiness),
    /// The symptom is not there.
    NotShown(TestOutcome),
    /// The symptom and something else come in turn.
    Unclear,
}

/// Judges the looks so far; `at_least` looks are made in any case.
pub fn judge_untouched(looks: &[TestOutcome], at_least: usize) -> UntouchedLook {
    let count = |wanted: TestOutcome| looks.iter().filter(|look| **look == wanted).count();
    let (symptoms, fine) = (count(TestOutcome::Symptom), count(TestOutcome::Fine));
    let strange = looks.len() - symptoms - fine;
    if strange > 0 && symptoms + fine > 0 {
        return UntouchedLook::Unclear;
    }
    if looks.len() < at_least {
        return UntouchedLook::Again;
    }
    if strange > 0 {
        return UntouchedLook::NotShown(TestOutcome::Other);
    }
    if fine == 0 {
        return UntouchedLook::Shown(TestSteadiness {
            runs: looks.len(),
            symptoms,
            repeats: 1,
        });
    }
    let is_enough = symptoms >= ENOUGH && looks.len() >= 2 * ENOUGH;
    if symptoms == 0 && looks.len() >= LOOKS_WITHOUT {
        UntouchedLook::NotShown(TestOutcome::Fine)
    } else if is_enough || looks.len() >= MOST_LOOKS {
        UntouchedLook::Shown(TestSteadiness {
            runs: looks.len(),
            symptoms,
            repeats: needed_repeats(symptoms, looks.len()),
        })
    } else {
        UntouchedLook::Again
    }
}

/// How often "fine" has to be seen, for a symptom that showed so often in so many runs. Counts with the
/// lower end of what the runs allow (Wilson, one standard deviation).
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of runs are small, and the quotient is positive"
)]
pub fn needed_repeats(symptoms: usize, runs: usize) -> usize {
    let (seen, all) = (symptoms as f64, runs.max(1) as f64);
    let share = seen / all;
    let spread = (share * (1.0 - share) / all + 0.25 / (all * all)).sqrt();
    let low = ((share + 0.5 / all - spread) / (1.0 + 1.0 / all)).clamp(0.0, 1.0);
    if low >= 1.0 {
        return 1;
    }
    let repeats = (MISSED.ln() / (1.0 - low).ln()).ceil();
    if repeats.is_finite() {
        (repeats as usize).clamp(1, MOST_REPEATS)
    } else {
        MOST_REPEATS
    }
}

/// Runs a test until it is believed: the symptom at once, "fine" after so many looks, something else after
/// two in a row.
pub fn repeat_test<S>(
    repeats: usize,
    mut look: impl FnMut() -> Result<TestOutcome, S>,
) -> Result<TestOutcome, S> {
    let mut others = 0;
    for _ in 0..repeats.max(1) {
        match look()? {
            TestOutcome::Fine => others = 0,
            TestOutcome::Other if repeats > 1 && others == 0 => others = 1,
            outcome => return Ok(outcome),
        }
    }
    Ok(if others > 0 {
        TestOutcome::Other
    } else {
        TestOutcome::Fine
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use TestOutcome::{Fine, Other, Symptom};

    #[test]
    fn rare_symptoms_need_many_looks() {
        assert!((24..=40).contains(&needed_repeats(25, 100)));
        assert!((3..=5).contains(&needed_repeats(90, 100)));
        assert_eq!(needed_repeats(0, 100), MOST_REPEATS);
    }

    #[test]
    fn a_steady_test_is_run_once() {
        let UntouchedLook::Shown(steady) = judge_untouched(&[Symptom; 5], 5) else {
            panic!("it is shown");
        };
        assert_eq!(steady.repeats, 1);
        assert_eq!(judge_untouched(&[Symptom; 2], 5), UntouchedLook::Again);
    }

    #[test]
    fn what_comes_and_goes_is_measured_and_what_never_comes_is_said() {
        let looks: Vec<TestOutcome> = (0..80)
            .map(|at| if at % 4 == 0 { Symptom } else { Fine })
            .collect();
        assert_eq!(judge_untouched(&looks[..8], 5), UntouchedLook::Again);
        assert!(matches!(
            judge_untouched(&looks, 5),
            UntouchedLook::Shown(TestSteadiness { repeats: 20.., .. })
        ));
        assert_eq!(
            judge_untouched(&[Fine; LOOKS_WITHOUT], 5),
            UntouchedLook::NotShown(Fine)
        );
        assert_eq!(
            judge_untouched(&[Other; 5], 5),
            UntouchedLook::NotShown(Other)
        );
        assert_eq!(
            judge_untouched(&[Symptom, Other], 5),
            UntouchedLook::Unclear
        );
    }

    #[test]
    fn one_look_at_the_symptom_is_enough() {
        let answers = |list: &'static [TestOutcome], repeats| {
            let mut next = list.iter();
            let look = || Ok::<_, ()>(*next.next().expect("enough answers"));
            repeat_test(repeats, look).expect("no end")
        };
        assert_eq!(answers(&[Fine, Fine, Symptom], 9), Symptom);
        assert_eq!(answers(&[Fine, Fine, Fine], 3), Fine);
        assert_eq!(answers(&[Fine, Other, Other], 9), Other);
        assert_eq!(answers(&[Other], 1), Other);
    }
}
