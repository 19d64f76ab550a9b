//! Interface names as a finite alphabet.
//!
//! There are endless names, but rules tell apart only a few kinds of them: each name that is written
//! out, and for each start (`eth+`) the names that have it and no longer start. Each kind is one
//! letter, with a name that stands for it.

use std::collections::BTreeSet;

use surefoot_ruleset::model::{
    Component, Element, Firewall, KeyPart, Lookup, Match, NamePattern, SetRef, Statement,
};

/// The letters of one machine's rules, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InterfaceClasses {
    letters: Vec<InterfaceClass>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct InterfaceClass {
    /// The name, or the start that all names of this kind share.
    text: String,
    /// Whether the kind is "starts so, and is not among the other letters".
    others: bool,
}

impl InterfaceClasses {
    /// The letters that the rules and these further names need. The empty name, which stands for
    /// "no interface", is always one.
    pub(crate) fn new<'a>(
        firewalls: &[&Firewall],
        further: impl IntoIterator<Item = &'a NamePattern>,
    ) -> Self {
        let mut patterns: BTreeSet<NamePattern> = further.into_iter().cloned().collect();
        let mut add = |pattern: &NamePattern| {
            patterns.insert(pattern.clone());
        };
        for table in firewalls.iter().flat_map(|one| &one.tables) {
            for rule in table.chains.iter().flat_map(|chain| &chain.rules) {
                for statement in &rule.statements {
                    match statement {
                        Statement::Match(wanted) => of_match(wanted, &mut add),
                        Statement::VerdictMap(map) => of_set(&map.map, &map.key, &mut add),
                        Statement::Effect(_) | Statement::Verdict(_) => {}
                    }
                }
            }
            for set in &table.sets {
                of_elements(set.content.elements(), &mut add);
            }
        }
        let tables = firewalls.iter().flat_map(|one| &one.tables);
        let chains = tables.flat_map(|table| &table.chains);
        for device in chains.flat_map(|chain| chain.base.iter().flat_map(|base| &base.devices)) {
            add(&NamePattern {
                text: device.clone(),
                prefix: false,
            });
        }
        for set in firewalls.iter().flat_map(|one| &one.ipsets) {
            of_elements(set.content.elements(), &mut add);
        }
        let mut letters: BTreeSet<InterfaceClass> = patterns
            .into_iter()
            .map(|pattern| InterfaceClass {
                text: pattern.text,
                others: pattern.prefix,
            })
            .collect();
        letters.insert(InterfaceClass {
            text: String::new(),
            others: false,
        });
        letters.insert(InterfaceClass {
            text: String::new(),
            others: true,
        });
        Self {
            letters: letters.into_iter().collect(),
        }
    }

    /// How many letters there are.
    pub(crate) fn letter_count(&self) -> usize {
        self.letters.len()
    }

    /// The letter of a name.
    pub(crate) fn letter_of(&self, name: &str) -> usize {
        let exact = self
            .letters
            .iter()
            .position(|letter| !letter.others && letter.text == name);
        let longest = self
            .letters
            .iter()
            .enumerate()
            .filter(|(_, letter)| letter.others && name.starts_with(&letter.text))
            .max_by_key(|(_, letter)| letter.text.len());
        exact.or(longest.map(|(at, _)| at)).unwrap_or_default()
    }

    /// The letters whose names fit a pattern.
    pub(crate) fn fitting<'a>(
        &'a self,
        pattern: &'a NamePattern,
    ) -> impl Iterator<Item = usize> + 'a {
        self.letters
            .iter()
            .enumerate()
            .filter(move |(_, letter)| {
                if pattern.prefix {
                    letter.text.starts_with(&pattern.text)
                } else {
                    !letter.others && letter.text == pattern.text
                }
            })
            .map(|(at, _)| at)
    }

    /// Some letters in words: the names and starts of names (`eth+`) that are meant, and those of
    /// them that are not.
    pub(crate) fn name_words(&self, letters: &[usize]) -> (Vec<String>, Vec<String>) {
        let listed = |at: &usize| letters.contains(at);
        let starts: Vec<&str> = self
            .letters
            .iter()
            .enumerate()
            .filter(|(at, letter)| listed(at) && letter.others)
            .map(|(_, letter)| letter.text.as_str())
            .collect();
        let covered = |at: usize, letter: &InterfaceClass| {
            starts.iter().any(|start| {
                let itself = letter.others && letter.text == **start;
                letter.text.starts_with(start) && !itself && self.letters.get(at).is_some()
            })
        };
        let (mut names, mut except) = (Vec::new(), Vec::new());
        for (at, letter) in self.letters.iter().enumerate() {
            let word = if letter.others {
                format!("{}+", letter.text)
            } else {
                letter.text.clone()
            };
            match (listed(&at), covered(at, letter)) {
                (true, false) if !word.is_empty() => names.push(word),
                (false, true) if !word.is_empty() => except.push(word),
                _ => {}
            }
        }
        (names, except)
    }

    /// The letters of single names.
    pub(crate) fn named(&self) -> impl Iterator<Item = usize> + '_ {
        let letters = self.letters.iter().enumerate();
        letters
            .filter(|(_, letter)| !letter.others && !letter.text.is_empty())
            .map(|(at, _)| at)
    }

    /// Whether some pattern other than that of all names speaks of a name.
    pub(crate) fn speaks_of(&self, name: &str) -> bool {
        let letter = self.letter_of(name);
        self.all_others() != Some(letter)
    }

    /// The letter of all names that no pattern speaks of.
    pub(crate) fn all_others(&self) -> Option<usize> {
        let other = |letter: &InterfaceClass| letter.others && letter.text.is_empty();
        self.letters.iter().position(other)
    }

    /// A name of that letter, where there is one; for "the others" one that an interface may have.
    pub(crate) fn sample_name(&self, letter: usize) -> Option<String> {
        let InterfaceClass { text, others } = self.letters.get(letter)?;
        if !*others {
            return Some(text.clone());
        }
        let start = if text.is_empty() { "if" } else { text };
        let numbered = (0..).map(|number: u32| format!("{start}{number}"));
        // Each name that is another letter's uses up one number.
        numbered
            .take(self.letters.len() + 1)
            .find(|name| self.letter_of(name) == letter)
    }
}

/// Whether the rules speak of an interface by its name, or by how it begins.
pub fn name_interface(firewall: &Firewall, name: &str) -> bool {
    InterfaceClasses::new(&[firewall], []).speaks_of(name)
}

fn of_match(wanted: &Match, add: &mut impl FnMut(&NamePattern)) {
    match wanted {
        Match::InInterface { names, .. } | Match::OutInterface { names, .. } => {
            names.iter().for_each(add);
        }
        Match::Lookup(Lookup { key, set, .. }) => of_set(set, key, add),
        Match::Any { of, .. } => of.iter().for_each(|one| of_match(one, add)),
        Match::Field { .. } | Match::Never | Match::Opaque(_) => {}
    }
}

fn of_set(set: &SetRef, key: &[KeyPart], add: &mut impl FnMut(&NamePattern)) {
    if let SetRef::Inline(set) = set
        && key.iter().any(|part| !matches!(part, KeyPart::Number(_)))
    {
        of_elements(set.content.elements(), add);
    }
}

fn of_elements(elements: &[Element], add: &mut impl FnMut(&NamePattern)) {
    for component in elements.iter().flat_map(|element| &element.key) {
        if let Component::Name(pattern) = component {
            add(pattern);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> NamePattern {
        NamePattern {
            text: text.trim_end_matches('+').into(),
            prefix: text.ends_with('+'),
        }
    }

    #[test]
    fn letters_say_of_each_name_what_its_patterns_say() {
        let patterns = ["eth0", "eth+", "eth1+", "lo", "+"].map(pattern);
        let names = InterfaceClasses::new(&[], &patterns);
        for name in [
            "eth0", "eth1", "eth12", "eth", "lo", "lo1", "wlan0", "", "e",
        ] {
            let letter = names.letter_of(name);
            for pattern in &patterns {
                let fits = names.fitting(pattern).any(|one| one == letter);
                assert_eq!(fits, pattern.matches(name), "{name} {pattern:?}");
            }
        }
        for letter in 0..names.letter_count() {
            let name = names.sample_name(letter).unwrap();
            assert_eq!(names.letter_of(&name), letter, "{name}");
        }
    }
}
