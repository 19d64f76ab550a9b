//! Generated configurations with faults that are known, and a daemon that is made of rules.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use surefoot_bisect::{
    ConfigEdit, ConfigLens, ConfigTree, SourceFile, TestOracle, TestOutcome, UnitId,
};

/// The words with which generated statements begin.
const WORDS: [&str; 20] = [
    "allow", "cache", "deny", "expires", "filter", "gzip", "header", "index", "join", "keep",
    "limit", "map", "name", "open", "proxy", "query", "root", "set", "timeout", "use",
];

/// Numbers of chance.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % limit.max(1)
    }
}

/// What is wrong with a generated configuration. Statements are named by their number.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The symptom needs all of them.
    All(Vec<usize>),
    /// Each is enough.
    Any(Vec<usize>),
    /// The first stands before the second; without the first all is fine, without the second `outcome`.
    Order(usize, usize, TestOutcome, TestOutcome),
}

/// A configuration, and a daemon that shows the fault.
pub(crate) struct World {
    pub(crate) tree: ConfigTree,
    pub(crate) fault: Fault,
    /// Statements without which something else breaks.
    pub(crate) needed: BTreeSet<usize>,
    /// Statements without which the symptom is there in any case.
    pub(crate) makers: BTreeSet<usize>,
    /// The unit of each statement.
    pub(crate) units: Vec<UnitId>,
    /// Candidates, and those of them that do not parse.
    pub(crate) tested: usize,
    pub(crate) broken: usize,
}

/// A configuration of so many lines: blocks of 4 to 12 lines with their braces. Some statements stand
/// outside.
pub(crate) fn generated_text(lines: usize, chance: &mut Chance) -> String {
    let (mut text, mut number, mut line) = (String::new(), 0, 0);
    let mut statement = |text: &mut String, chance: &mut Chance, indent: &str| {
        let word = WORDS[chance.below(WORDS.len())];
        let _ = writeln!(text, "{indent}{word} s{number};");
        number += 1;
    };
    while line < lines {
        let inside = 2 + chance.below(9);
        let _ = writeln!(text, "block b{line} {{");
        for _ in 0..inside {
            statement(&mut text, chance, "  ");
        }
        text.push_str("}\n");
        line += inside + 2;
        if chance.below(4) == 0 {
            statement(&mut text, chance, "");
            line += 1;
        }
    }
    text
}

impl World {
    pub(crate) fn new(lines: usize, chance: &mut Chance) -> Self {
        let text = generated_text(lines, chance).into_bytes();
        let mut tree = ConfigTree::default();
        tree.add_file(
            SourceFile {
                path: "generated".to_owned(),
                text,
                lens: ConfigLens::Nginx,
                is_fixed: false,
                is_whole: false,
            },
            None,
        );
        let units: Vec<UnitId> = tree.ids().filter(|id| !tree.unit(*id).is_block).collect();
        Self {
            tree,
            fault: Fault::All(vec![]),
            needed: BTreeSet::new(),
            makers: BTreeSet::new(),
            units,
            tested: 0,
            broken: 0,
        }
    }

    /// Different statements by chance.
    pub(crate) fn choose(&self, count: usize, chance: &mut Chance) -> Vec<usize> {
        let mut chosen = BTreeSet::new();
        while chosen.len() < count {
            chosen.insert(chance.below(self.units.len()));
        }
        chosen.into_iter().collect()
    }

    /// Two siblings of one kind, in order.
    pub(crate) fn choose_pair(&self, chance: &mut Chance) -> (usize, usize) {
        loop {
            let first = chance.below(self.units.len());
            let unit = self.units[first];
            let word = &self.tree.unit(unit).word;
            let siblings = self.tree.siblings(unit);
            let later = siblings.iter().filter(|other| {
                **other > unit
                    && &self.tree.unit(**other).word == word
                    && !self.tree.unit(**other).is_block
            });
            let later: Vec<UnitId> = later.copied().collect();
            if !later.is_empty() {
                let second = later[chance.below(later.len())];
                let place = self.units.iter().position(|unit| *unit == second);
                return (first, place.expect("it is a statement"));
            }
        }
    }

    /// What the daemon does with a text: nothing of the search is asked, only what stands there.
    pub(crate) fn judge(&mut self, text: &str) -> TestOutcome {
        self.tested += 1;
        let mut order: Vec<usize> = Vec::new();
        let mut depth = 0_i32;
        for line in text.lines() {
            if line.ends_with('{') {
                depth += 1;
            } else if line == "}" {
                depth -= 1;
            } else if let Some((_, number)) = line.trim_end_matches(';').rsplit_once(" s") {
                order.push(number.parse().expect("a number"));
            }
            if depth < 0 {
                break;
            }
        }
        if depth != 0 {
            self.broken += 1;
            return TestOutcome::Rejected;
        }
        let there: BTreeSet<usize> = order.iter().copied().collect();
        if self.makers.iter().any(|maker| !there.contains(maker)) {
            return TestOutcome::Symptom;
        }
        if self.needed.iter().any(|needed| !there.contains(needed)) {
            return TestOutcome::Other;
        }
        let when = |is_there: bool| {
            if is_there {
                TestOutcome::Symptom
            } else {
                TestOutcome::Fine
            }
        };
        match &self.fault {
            Fault::All(culprits) => when(culprits.iter().all(|one| there.contains(one))),
            Fault::Any(culprits) => when(culprits.iter().any(|one| there.contains(one))),
            Fault::Order(first, second, without_first, without_second) => {
                let place = |one: &usize| order.iter().position(|other| other == one);
                match (place(first), place(second)) {
                    (Some(first), Some(second)) => when(first < second),
                    (_, None) => *without_second,
                    (None, _) => *without_first,
                }
            }
        }
    }
}

/// A daemon apart from its configuration's tree, so that a search can borrow both.
pub(crate) struct Daemon<'a>(pub(crate) &'a mut World, pub(crate) &'a ConfigTree);

impl TestOracle for Daemon<'_> {
    type Stop = std::convert::Infallible;

    fn test(&mut self, edit: &ConfigEdit) -> Result<TestOutcome, Self::Stop> {
        let text = String::from_utf8(self.1.render(0, edit)).expect("it is text");
        Ok(self.0.judge(&text))
    }
}
