//! What was sent, and how the answers compare.

use std::collections::BTreeMap;
use std::fmt;

/// Differences that are shown of all.
const SHOWN: usize = 12;

/// Answers of one evaluator.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answers {
    /// One answer, and it is the kernel's.
    pub(crate) agree: usize,
    /// Several, and the kernel's is among them.
    pub(crate) open: usize,
    /// The kernel says something else.
    pub(crate) differ: usize,
}

/// What was compared, of one rule set or of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) rule_sets: usize,
    pub(crate) random: usize,
    pub(crate) packets: usize,
    /// One packet at a time, in all readings.
    pub(crate) walk: Answers,
    /// All packets at once.
    pub(crate) exact: Answers,
    /// Looked up; open are those that are left to the evaluator.
    pub(crate) lookup: Answers,
    /// Ways through a rule set that were too large to follow at once.
    pub(crate) exhausted: usize,
    /// Packets by whatever they have in common: path, family, backend, what they met.
    pub(crate) kinds: BTreeMap<&'static str, BTreeMap<String, usize>>,
    /// The first differences, in words.
    pub(crate) words: Vec<String>,
}

impl Tally {
    /// Counts a packet of a kind.
    pub(crate) fn count(&mut self, about: &'static str, kind: &str) {
        let kinds = self.kinds.entry(about).or_default();
        match kinds.get_mut(kind) {
            Some(count) => *count += 1,
            None => drop(kinds.insert(kind.to_owned(), 1)),
        }
    }

    /// Keeps the words about a difference, unless there are many already.
    pub(crate) fn show(&mut self, words: impl FnOnce() -> String) {
        if self.words.len() < SHOWN {
            self.words.push(words());
        }
    }

    /// Adds what another one has counted.
    pub(crate) fn add(&mut self, other: Self) {
        self.rule_sets += other.rule_sets;
        self.random += other.random;
        self.packets += other.packets;
        self.exhausted += other.exhausted;
        for (ours, theirs) in [
            (&mut self.walk, other.walk),
            (&mut self.exact, other.exact),
            (&mut self.lookup, other.lookup),
        ] {
            ours.agree += theirs.agree;
            ours.open += theirs.open;
            ours.differ += theirs.differ;
        }
        for (about, kinds) in other.kinds {
            let sum = self.kinds.entry(about).or_default();
            for (kind, count) in kinds {
                *sum.entry(kind).or_default() += count;
            }
        }
        for words in other.words {
            self.show(|| words);
        }
    }

    /// How many answers differ from the kernel's.
    pub(crate) fn differ(&self) -> usize {
        self.walk.differ + self.exact.differ + self.lookup.differ
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(
            f,
            "{} packets, {} rule sets, {} of them random",
            self.packets, self.rule_sets, self.random
        )?;
        for (about, kinds) in &self.kinds {
            let kinds: Vec<String> = kinds
                .iter()
                .map(|(kind, count)| format!("{kind} {count}"))
                .collect();
            writeln!(f, "{about:18} {}", kinds.join(", "))?;
        }
        for (name, answers) in [
            ("one at a time", &self.walk),
            ("all at once", &self.exact),
            ("looked up", &self.lookup),
        ] {
            let Answers {
                agree,
                open,
                differ,
            } = answers;
            write!(
                f,
                "{name:18} {agree} answers agree, {open} are open and hold the kernel's, {differ} differ"
            )?;
            if name == "all at once" && self.exhausted > 0 {
                write!(f, "; {} questions were too large", self.exhausted)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
