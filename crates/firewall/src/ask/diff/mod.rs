//! Finds the packets whose verdict changes from one rule set to another.
//!
//! Both rule sets are followed over the same packets. The answer is "equal" only if no packet is
//! left over in any family and on any way; every difference comes with a packet that shows it,
//! which the evaluator of single packets must confirm.

mod text;

pub(super) use text::change_lines;

use crate::LoadedRules;
use crate::loaded::WeakenedAnswer;
use std::collections::BTreeSet;

use serde::Serialize;

use super::name::NamedDecider;
use super::prove::PacketScope;
use surefoot_netfilter::Surroundings;
use surefoot_netfilter::exact::{
    Budget, Cube, DifferingPackets, Exhausted, PairQuestion, RulePair, WhoseRule, asked_fields,
};
use surefoot_netfilter::packet::{Packet, PacketPath};
use surefoot_netfilter::semantics::{End, RecordLevel, evaluate, sees};
use surefoot_netfilter::traffic::Traffic;
use surefoot_ruleset::model::{Field, SideEffect};

/// One of the two rule sets.
#[derive(Clone, Copy, Debug)]
pub struct DiffSide<'a> {
    /// The rules.
    pub rules: &'a LoadedRules,
    /// Whether a family that has no rules here has none at all: all its packets are accepted.
    pub whole: bool,
}

/// What two rule sets do differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The answer.
    pub verdict: DiffVerdict,
    /// The packets that were looked at.
    pub scopes: Vec<PacketScope>,
    /// The packets whose verdict changes.
    pub changes: Vec<FateChange>,
    /// The packets of which only one of the two keeps something by which it judges later packets.
    pub remembered: Vec<SideEffectChange>,
    /// The packets that come to the same end in another form: refused with another answer, handed
    /// to another queue, changed in fields that no rule matches. Only a strict comparison counts
    /// them.
    pub shaped: Vec<SideEffectChange>,
    /// What was taken for granted, and what the answer could not take into account.
    pub notes: Vec<String>,
    #[serde(skip)]
    strict: bool,
}

/// Whether two rule sets do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DiffVerdict {
    /// With every packet, whatever the unknown answers are.
    Equal,
    /// With every packet that was looked at, but some could not be.
    Unknown,
    /// With some packet it depends on what is unknown.
    Open,
    /// Certainly not with every packet.
    Different,
}

/// Packets whose verdict changes in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FateChange {
    /// Their family and way.
    pub scope: PacketScope,
    /// Their end under the old rules.
    pub before: End,
    /// Their end under the new rules; if it is the same, they are accepted as other packets.
    pub after: End,
    /// Whether it changes whatever the unknown answers are.
    pub certain: bool,
    /// The packets, in the words of sentences; they may overlap.
    pub packets: Vec<String>,
    #[serde(skip)]
    short: Vec<String>,
    /// Whether these are all.
    pub complete: bool,
    /// One of them.
    pub witness: Option<DiffWitness>,
    /// The rules on which an uncertain change depends.
    pub hangs: Vec<NamedDecider>,
}

/// Packets for which only one of the two rule sets does something besides deciding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SideEffectChange {
    /// Their family and way.
    pub scope: PacketScope,
    /// What is done.
    pub what: String,
    /// Where it is kept, for later packets to be judged by.
    pub memory: Option<String>,
    /// Whether the old rules do it, and the new ones do not.
    pub only_before: bool,
    /// Whether that is so whatever the unknown answers are.
    pub certain: bool,
    /// The packets, in the words of sentences; they may overlap.
    pub packets: Vec<String>,
    #[serde(skip)]
    short: Vec<String>,
    /// Whether these are all.
    pub complete: bool,
    /// A rule that does it.
    pub by: NamedDecider,
}

/// A packet and its two verdicts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiffWitness {
    /// The packet, in the words of `explain`.
    pub packet: String,
    /// What decides under the old rules.
    pub before: Vec<DecidedEnd>,
    /// What decides under the new rules.
    pub after: Vec<DecidedEnd>,
}

/// An end, and what decides it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecidedEnd {
    /// The end.
    pub end: End,
    /// What decides.
    pub by: NamedDecider,
}

/// Compares two rule sets over the packets that words mean, in so many parts a change at most.
pub fn diff(
    old: DiffSide,
    new: DiffSide,
    surroundings: &Surroundings,
    about: &Traffic,
    limits: (usize, Budget),
) -> Difference {
    compare(old, new, surroundings, (about, None), limits)
}

/// Compares two rule sets over all packets but those that words mean, which are of these families and
/// ways.
pub(super) fn diff_besides(
    old: DiffSide,
    new: DiffSide,
    surroundings: &Surroundings,
    besides: (&Traffic, &[PacketScope]),
    limits: (usize, Budget),
) -> Difference {
    compare(
        old,
        new,
        surroundings,
        (&Traffic::default(), Some(besides)),
        limits,
    )
}

fn compare(
    old: DiffSide,
    new: DiffSide,
    surroundings: &Surroundings,
    (about, besides): (&Traffic, Option<(&Traffic, &[PacketScope])>),
    (most, budget): (usize, Budget),
) -> Difference {
    let mut difference = Difference {
        verdict: DiffVerdict::Equal,
        scopes: Vec::new(),
        changes: Vec::new(),
        remembered: Vec::new(),
        shaped: Vec::new(),
        notes: Vec::new(),
        strict: false,
    };
    for v6 in [false, true] {
        if about.v6.is_some_and(|said| said != v6) {
            continue;
        }
        let family = if v6 { "IPv6" } else { "IPv4" };
        let ruled = |side: DiffSide| {
            side.rules
                .firewall
                .tables
                .iter()
                .any(|table| sees(table, v6))
        };
        match (ruled(old) || old.whole, ruled(new) || new.whole) {
            (true, true) if !ruled(old) && !ruled(new) => continue,
            (true, true) => {}
            (false, false) => {
                difference.note(format!(
                    "no rules for {family} were given: the answer does not cover it"
                ));
                continue;
            }
            (given, _) => {
                let which = if given { "new" } else { "old" };
                difference.note(format!(
                    "the {which} rules given hold none for {family}: it was not compared"
                ));
                difference.be_unsure();
                continue;
            }
        }
        for way in [PacketPath::Input, PacketPath::Forward, PacketPath::Output] {
            if about.way.is_some_and(|said| said != way) {
                continue;
            }
            let scope = PacketScope { v6, way };
            difference.scopes.push(scope);
            let apart_from = besides.filter(|(_, scopes)| scopes.contains(&scope));
            let asked = DiffQuestion {
                old,
                new,
                surroundings,
                about,
                apart_from: apart_from.map(|(traffic, _)| traffic),
                scope,
                most,
                budget,
            };
            if asked.compare_scope(&mut difference).is_err() {
                difference.note(format!(
                    "{}: the question was too large for an exact answer",
                    scope.words()
                ));
                difference.be_unsure();
            }
        }
    }
    difference
        .changes
        .sort_by_key(|change| (!change.certain, change.after == change.before));
    let asks_mark = |side: DiffSide| asked_fields(&side.rules.firewall).contains(&Field::Mark);
    if asks_mark(old) || asks_mark(new) {
        difference.note("packets are assumed to arrive without a mark; rules test it".into());
    }
    new.rules.weaken(old.rules.weaken(difference))
}

impl WeakenedAnswer for Difference {
    fn weaken(&mut self, why: &str) {
        self.verdict = match self.verdict {
            DiffVerdict::Equal => DiffVerdict::Unknown,
            DiffVerdict::Different => DiffVerdict::Open,
            other => other,
        };
        for change in &mut self.changes {
            change.certain = false;
        }
        for change in self.remembered.iter_mut().chain(&mut self.shaped) {
            change.certain = false;
        }
        if !self.notes.iter().any(|note| note == why) {
            self.notes.insert(0, why.to_owned());
        }
    }
}

impl Difference {
    /// Counts another form of the same end as a difference, too.
    pub fn be_strict(&mut self) {
        for change in &self.shaped {
            self.verdict = self.verdict.max(if change.certain {
                DiffVerdict::Different
            } else {
                DiffVerdict::Open
            });
        }
        self.strict = true;
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn be_unsure(&mut self) {
        self.verdict = self.verdict.max(DiffVerdict::Unknown);
    }
}

/// One family and one way.
struct DiffQuestion<'a> {
    old: DiffSide<'a>,
    new: DiffSide<'a>,
    surroundings: &'a Surroundings,
    about: &'a Traffic,
    apart_from: Option<&'a Traffic>,
    scope: PacketScope,
    most: usize,
    budget: Budget,
}

impl DiffQuestion<'_> {
    fn compare_scope(&self, difference: &mut Difference) -> Result<(), Exhausted> {
        if self.same_rules() {
            return Ok(());
        }
        let mut pair = RulePair::new(PairQuestion {
            old: &self.old.rules.firewall,
            new: &self.new.rules.firewall,
            surroundings: self.surroundings,
            v6: self.scope.v6,
            path: self.scope.way,
            about: self.about,
            apart_from: self.apart_from,
            budget: self.budget,
        })?;
        if pair.is_empty() {
            return Ok(());
        }
        for differing in pair.find_differences()? {
            for (packets, certain) in [(differing.certainly, true), (differing.possibly, false)] {
                if packets.is_none() {
                    continue;
                }
                difference.verdict = difference.verdict.max(if certain {
                    DiffVerdict::Different
                } else {
                    DiffVerdict::Open
                });
                // What the words cannot say within the budget is still a change.
                let (cubes, complete) = pair.cubes(packets, self.most).unwrap_or_default();
                let mut change = FateChange {
                    scope: self.scope,
                    before: differing.old,
                    after: differing.new,
                    certain,
                    packets: cubes.iter().map(Cube::words).collect(),
                    short: cubes.iter().map(Cube::short_words).collect(),
                    complete,
                    witness: None,
                    hangs: Vec::new(),
                };
                if let Some(packet) = pair.witness(packets) {
                    if !certain {
                        change.hangs = self.rules_behind(&mut pair, &differing, &packet)?;
                    }
                    let (witness, confirmed) = self.show_witness(packet, &differing);
                    change.witness = Some(witness);
                    if !confirmed {
                        change.certain = false;
                        difference.note(
                            "the two evaluators do not agree about a packet: this is a defect of surefoot, please report it".into(),
                        );
                    }
                }
                difference.changes.push(change);
            }
        }
        self.compare_side_effects(&mut pair, difference)?;
        if pair.shares_answers() {
            difference.note(
                "limits, counters and sets that packets change are taken to give the same answer where the same rule stands in both".into(),
            );
        }
        if pair.unknown_fragments {
            difference.note(
                "some later fragments were not compared: what is read from them in place of the header that they lack depends on their data".into(),
            );
        }
        Ok(())
    }

    fn compare_side_effects(
        &self,
        pair: &mut RulePair,
        difference: &mut Difference,
    ) -> Result<(), Exhausted> {
        let firewalls = [&self.old.rules.firewall, &self.new.rules.firewall];
        let in_iptables = firewalls.map(|firewall| {
            let tables = firewall.tables.iter();
            tables
                .map(|table| table.backend.is_iptables())
                .collect::<BTreeSet<bool>>()
        });
        for differing in pair.differing_side_effects(firewalls)? {
            let firewall = firewalls[usize::from(!differing.only_first)];
            let certain = !differing.certainly.is_none();
            let packets = if certain {
                differing.certainly
            } else {
                differing.possibly
            };
            let (cubes, complete) = pair.cubes(packets, self.most).unwrap_or_default();
            let (words, memory) = match &differing.effect {
                SideEffect::Remembered { memory, words } => (words, Some(memory.words())),
                SideEffect::Shaped { words } => (words, None),
                // A difference in who tests it shows in the ends.
                SideEffect::Asked { .. } => continue,
            };
            // Of answers to the sender both languages have the same words; of other things they may
            // have two for one.
            let comparable =
                in_iptables[0] == in_iptables[1] || words.starts_with(SideEffect::REFUSED);
            let change = SideEffectChange {
                scope: self.scope,
                what: words.clone(),
                only_before: differing.only_first,
                certain: certain && comparable,
                packets: cubes.iter().map(Cube::words).collect(),
                short: cubes.iter().map(Cube::short_words).collect(),
                complete: complete && (differing.possibly.is_none() || !certain),
                by: NamedDecider::rule(firewall, differing.by),
                memory,
            };
            if change.memory.is_some() {
                // Whether later packets are treated differently depends on the packets before them.
                difference.verdict = difference.verdict.max(DiffVerdict::Open);
                difference.remembered.push(change);
            } else {
                difference.shaped.push(change);
            }
        }
        Ok(())
    }

    /// Whether both sides hold the same rules, so that they do the same however large they are.
    fn same_rules(&self) -> bool {
        let (old, new) = (&self.old.rules.firewall, &self.new.rules.firewall);
        // Of sets and objects, the texts say more than the model.
        (&old.tables, &old.ipsets) == (&new.tables, &new.ipsets)
            && old
                .sources
                .iter()
                .map(|source| &source.text)
                .eq(new.sources.iter().map(|source| &source.text))
    }

    fn rules_behind(
        &self,
        pair: &mut RulePair,
        differing: &DifferingPackets,
        packet: &Packet,
    ) -> Result<Vec<NamedDecider>, Exhausted> {
        let whose = pair.hangs(differing, packet)?;
        Ok(whose
            .into_iter()
            .map(|one| match one {
                WhoseRule::Old(at) => NamedDecider::rule(&self.old.rules.firewall, at),
                WhoseRule::New(at) => NamedDecider::rule(&self.new.rules.firewall, at),
            })
            .collect())
    }

    /// A packet under both rule sets, and whether the evaluator of single packets sees it so, too.
    fn show_witness(&self, packet: Packet, differing: &DifferingPackets) -> (DiffWitness, bool) {
        let packet = packet.settle(self.surroundings);
        let decided = |side: DiffSide| -> Vec<DecidedEnd> {
            let answer = evaluate(
                &side.rules.firewall,
                &side.rules.index,
                self.surroundings,
                &packet,
                RecordLevel::Nothing,
            );
            let outcomes = answer.outcomes.iter();
            let mut decided: Vec<DecidedEnd> = outcomes
                .map(|outcome| DecidedEnd {
                    end: outcome.end,
                    by: NamedDecider::decider(&side.rules.firewall, outcome.by),
                })
                .collect();
            decided.dedup();
            decided
        };
        let (before, after) = (decided(self.old), decided(self.new));
        let ends = |decided: &[DecidedEnd]| -> BTreeSet<End> {
            decided.iter().map(|one| one.end).collect()
        };
        let may = |decided: &[DecidedEnd], end: End| {
            let ends = ends(decided);
            ends.contains(&end) || ends.contains(&End::Unknown) || end == End::Unknown
        };
        let confirmed = may(&before, differing.old) && may(&after, differing.new);
        let mut shown = packet;
        let mut fields = asked_fields(&self.old.rules.firewall);
        fields.extend(asked_fields(&self.new.rules.firewall));
        shown.keep_only(&fields);
        let witness = DiffWitness {
            packet: shown.words(),
            before,
            after,
        };
        (witness, confirmed)
    }
}
