//! Rules that were read once, with everything that an answer about them depends on.
//!
//! Every question, every lint and every command takes them in this one form. What could not be read is
//! part of it, so no question can be certain of rules of which some are missing: see [`WeakenedAnswer`].

use surefoot_netfilter::exact::name_interface;
use surefoot_netfilter::packet::Packet;
use surefoot_netfilter::semantics::{
    Assumptions, Evaluation, RecordLevel, RuleIndex, evaluate, evaluate_supposing,
};
use surefoot_netfilter::{Surroundings, resolve_source_routes};
use surefoot_report::{Level, Problem, Unknown};
use surefoot_ruleset::model::{Family, Firewall, Table};
use surefoot_ruleset::{FindIncluded, Input, Loaded, load, load_including};

/// What every unread rule leaves open.
pub const OPEN_WITHOUT_RULES: &str = "what the firewall lets through";

/// Rules, and what answers about them depend on.
#[derive(Clone, Debug)]
pub struct LoadedRules {
    /// The machine or the files that they are from.
    pub subject: String,
    /// The rules.
    pub firewall: Firewall,
    /// What was odd in their texts, each with the index of its text.
    pub problems: Vec<(u16, Problem)>,
    /// For quick answers; made of the same rules.
    pub index: RuleIndex,
    /// The host around the rules; unknown where files are studied.
    pub surroundings: Surroundings,
    /// Where the rules are from, and whether these are all.
    pub from: LoadedFrom,
}

/// Where rules are from, and what of them is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadedFrom {
    /// Texts: a family without rules in them may have rules elsewhere.
    Texts,
    /// A running machine, with what of its rules could not be read; empty if these are all.
    Machine(Vec<Unknown>),
    /// A directory tree: the rules that it loads at boot, and what else may be loaded then.
    Tree(Vec<Unknown>),
}

impl LoadedRules {
    /// Reads the rules of texts.
    pub fn of_texts(inputs: Vec<Input>) -> Self {
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let subject = names.join(", ");
        Self::read(subject, inputs, Surroundings::default(), LoadedFrom::Texts)
    }

    /// The same, with the files that texts include.
    pub fn of_texts_including(inputs: Vec<Input>, files: &mut dyn FindIncluded) -> Self {
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let subject = names.join(", ");
        let loaded = load_including(inputs, files);
        Self::of_loaded(subject, loaded, Surroundings::default(), LoadedFrom::Texts)
    }

    /// Reads the texts that a machine or a tree gave of its rules.
    pub fn read(
        subject: String,
        inputs: Vec<Input>,
        surroundings: Surroundings,
        from: LoadedFrom,
    ) -> Self {
        Self::of_loaded(subject, load(inputs), surroundings, from)
    }

    fn of_loaded(
        subject: String,
        loaded: Loaded,
        surroundings: Surroundings,
        from: LoadedFrom,
    ) -> Self {
        let Loaded {
            mut firewall,
            problems,
        } = loaded;
        resolve_source_routes(&mut firewall, &surroundings);
        let mut rules = Self {
            subject,
            index: RuleIndex::new(&firewall),
            firewall,
            problems,
            surroundings,
            from,
        };
        // What is not there may just not have been read: no lint may conclude from its absence.
        rules.surroundings.live &= rules.are_complete();
        rules
    }

    /// The same rules on another host.
    #[must_use]
    pub fn on_host(mut self, surroundings: Surroundings) -> Self {
        if resolve_source_routes(&mut self.firewall, &surroundings) {
            self.index = RuleIndex::new(&self.firewall);
        }
        self.surroundings = surroundings;
        self
    }

    /// Other rules of the same origin on the same host.
    #[must_use]
    pub fn with_rules(&self, firewall: Firewall) -> Self {
        Self {
            subject: self.subject.clone(),
            index: RuleIndex::new(&firewall),
            firewall,
            problems: self.problems.clone(),
            surroundings: self.surroundings.clone(),
            from: self.from.clone(),
        }
    }

    /// Whether neither the host has an interface of this name, nor a rule speaks of one; false where the
    /// host's interfaces are unknown.
    pub fn lack_interface(&self, name: &str) -> bool {
        let interfaces = self.surroundings.interfaces.as_ref();
        interfaces.is_some_and(|all| all.iter().all(|one| one.name != name))
            && !name_interface(&self.firewall, name)
    }

    /// Whether these are all rules: no mechanism kept silent, and no text was unreadable.
    pub fn are_complete(&self) -> bool {
        let is_error = |(_, problem): &(u16, Problem)| problem.level == Level::Error;
        self.gaps().is_empty() && !self.problems.iter().any(is_error)
    }

    /// Whether a running machine keeps some of its rules from us.
    pub fn are_withheld(&self) -> bool {
        matches!(&self.from, LoadedFrom::Machine(gaps) if !gaps.is_empty())
    }

    /// What of the rules could not be read.
    fn gaps(&self) -> &[Unknown] {
        match &self.from {
            LoadedFrom::Texts => &[],
            LoadedFrom::Machine(gaps) | LoadedFrom::Tree(gaps) => gaps,
        }
    }

    /// Why no answer about these rules can be certain, if that is so.
    pub fn doubt(&self) -> Option<&'static str> {
        (!self.are_complete())
            .then_some("not all rules could be read, so no answer about them is certain")
    }

    /// Why no answer about a packet can be certain, if that is so.
    pub fn doubt_about(&self, packet: &Packet) -> Option<String> {
        if let Some(doubt) = self.doubt() {
            return Some(doubt.to_owned());
        }
        let v6 = packet.clone().settle(&self.surroundings).is_v6();
        let (family, word) = if v6 {
            (Family::Ip6, "IPv6")
        } else {
            (Family::Ip, "IPv4")
        };
        let seen = |table: &Table| table.family == family || table.family == Family::Inet;
        let blind = self.from == LoadedFrom::Texts && !self.firewall.tables.iter().any(seen);
        blind.then(|| format!("no rules for {word} were given, so its verdict is unknown"))
    }

    /// Follows one packet through these rules.
    pub fn evaluate(&self, packet: &Packet, record: RecordLevel) -> Evaluation {
        evaluate(
            &self.firewall,
            &self.index,
            &self.surroundings,
            packet,
            record,
        )
    }

    /// What becomes of a packet under the rules as they would be.
    pub(crate) fn evaluate_supposing(
        &self,
        packet: &Packet,
        record: RecordLevel,
        supposed: &Assumptions,
    ) -> Evaluation {
        evaluate_supposing(
            &self.firewall,
            &self.index,
            &self.surroundings,
            packet,
            record,
            supposed,
        )
    }

    /// An answer about these rules, no more certain than they are complete.
    pub(crate) fn weaken<Answer: WeakenedAnswer>(&self, mut answer: Answer) -> Answer {
        if let Some(why) = self.doubt() {
            answer.weaken(why);
        }
        answer
    }

    /// The places that could not be read in full, one entry a text.
    pub fn unknowns(&self) -> Vec<Unknown> {
        let sources = (0_u16..).zip(&self.firewall.sources);
        let places = sources.filter_map(|(at, source)| {
            let here = self.problems.iter().filter(|(source, _)| *source == at);
            let odd: Vec<_> = here.map(|(_, problem)| problem).collect();
            let worst = odd.iter().max_by_key(|problem| problem.level)?;
            let line = worst.span.map_or(1, |span| source.line(span.start));
            let unread = odd
                .iter()
                .filter(|problem| problem.level == Level::Error)
                .count();
            let places = |count: usize| {
                if count == 1 {
                    "1 place".to_owned()
                } else {
                    format!("{count} places")
                }
            };
            let (fact, leaves_open) = if unread > 0 {
                (places(unread), OPEN_WITHOUT_RULES)
            } else {
                (
                    format!("the full meaning of {}", places(odd.len())),
                    "answers in which these matches decide; they say `possibly`",
                )
            };
            Some(Unknown {
                fact: format!("{fact} of {}", source.name),
                why: format!("line {line}: {}", worst.what),
                leaves_open: leaves_open.to_owned(),
            })
        });
        self.gaps().iter().cloned().chain(places).collect()
    }
}

/// An answer from which the certainty can be taken.
///
/// Each question ends with [`LoadedRules::weaken`], so that no command can forget it.
pub(crate) trait WeakenedAnswer {
    /// Takes the certainty from the answer, and notes why.
    fn weaken(&mut self, why: &str);
}
