//! Which packets meet another fate under other rules.
//!
//! Both rule sets are followed over the same packets. "Equal" is said only if no packet is left over
//! in any family and on any way; everything else comes with a packet that shows it, which the
//! evaluator of single packets must confirm.

mod text;

pub(super) use text::change_lines;

use crate::LoadedRules;
use crate::loaded::WeakenedAnswer;
use std::collections::BTreeSet;

use serde::Serialize;

use super::name::Named;
use super::prove::Scope;
use surefoot_netfilter::Surroundings;
use surefoot_netfilter::exact::{
    Budget, Comparison, Cube, Differing, Exhausted, Pair, Whose, asked_fields,
};
use surefoot_netfilter::packet::{Packet, Path};
use surefoot_netfilter::semantics::{End, Record, evaluate, sees};
use surefoot_netfilter::traffic::Traffic;
use surefoot_ruleset::model::Field;

/// One of the two rule sets.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The rules.
    pub rules: &'a LoadedRules,
    /// Whether a family that has no rules here has none at all: all its packets are accepted.
    pub whole: bool,
}

/// What two rule sets do differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The answer.
    pub verdict: Verdict,
    /// The packets that were looked at.
    pub scopes: Vec<Scope>,
    /// The packets whose fate changes.
    pub changes: Vec<Change>,
    /// What was taken for granted, and what the answer could not take into account.
    pub notes: Vec<String>,
}

/// Whether two rule sets do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// With every packet, whatever is not known.
    Equal,
    /// With every packet that was looked at, but some could not be.
    Unknown,
    /// With some packet it hangs on what is not known.
    Open,
    /// Certainly not with every packet.
    Different,
}

/// Packets whose fate changes in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Their family and way.
    pub scope: Scope,
    /// Their end under the old rules.
    pub before: End,
    /// Their end under the new rules; if it is the same, they are accepted as other packets.
    pub after: End,
    /// Whether it changes whatever is not known.
    pub certain: bool,
    /// The packets, in the words of sentences; they may overlap.
    pub packets: Vec<String>,
    #[serde(skip)]
    short: Vec<String>,
    /// Whether these are all.
    pub complete: bool,
    /// One of them.
    pub witness: Option<Witness>,
    /// The rules on which an uncertain change hangs.
    pub hangs: Vec<Named>,
}

/// A packet and its two fates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// The packet, in the words of `explain`.
    pub packet: String,
    /// What decides under the old rules.
    pub before: Vec<Decided>,
    /// What decides under the new rules.
    pub after: Vec<Decided>,
}

/// An end, and what decides it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// The end.
    pub end: End,
    /// What decides.
    pub by: Named,
}

/// Compares two rule sets over the packets that words mean, in so many parts a change at most.
pub fn diff(
    old: Side,
    new: Side,
    surroundings: &Surroundings,
    about: &Traffic,
    (most, budget): (usize, Budget),
) -> Difference {
    let mut difference = Difference {
        verdict: Verdict::Equal,
        scopes: Vec::new(),
        changes: Vec::new(),
        notes: Vec::new(),
    };
    for v6 in [false, true] {
        if about.v6.is_some_and(|said| said != v6) {
            continue;
        }
        let family = if v6 { "IPv6" } else { "IPv4" };
        let ruled = |side: Side| {
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
                    "no rules for {family} were given: nothing is said of it"
                ));
                continue;
            }
            (given, _) => {
                let which = if given { "new" } else { "old" };
                difference.note(format!(
                    "the {which} rules given hold none for {family}: it was not compared"
                ));
                difference.unsure();
                continue;
            }
        }
        for way in [Path::Input, Path::Forward, Path::Output] {
            if about.way.is_some_and(|said| said != way) {
                continue;
            }
            let scope = Scope { v6, way };
            difference.scopes.push(scope);
            let asked = Asked {
                old,
                new,
                surroundings,
                about,
                scope,
                most,
                budget,
            };
            if asked.compare(&mut difference).is_err() {
                difference.note(format!(
                    "{}: the question was too large for an exact answer",
                    scope.words()
                ));
                difference.unsure();
            }
        }
    }
    difference
        .changes
        .sort_by_key(|change| (!change.certain, change.after == change.before));
    let asks_mark = |side: Side| asked_fields(&side.rules.firewall).contains(&Field::Mark);
    if asks_mark(old) || asks_mark(new) {
        difference.note("packets are taken to come without a mark; rules ask for it".into());
    }
    new.rules.weaken(old.rules.weaken(difference))
}

impl WeakenedAnswer for Difference {
    fn weaken(&mut self, why: &str) {
        self.verdict = match self.verdict {
            Verdict::Equal => Verdict::Unknown,
            Verdict::Different => Verdict::Open,
            other => other,
        };
        for change in &mut self.changes {
            change.certain = false;
        }
        if !self.notes.iter().any(|note| note == why) {
            self.notes.insert(0, why.to_owned());
        }
    }
}

impl Difference {
    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn unsure(&mut self) {
        self.verdict = self.verdict.max(Verdict::Unknown);
    }
}

/// One family and one way.
struct Asked<'a> {
    old: Side<'a>,
    new: Side<'a>,
    surroundings: &'a Surroundings,
    about: &'a Traffic,
    scope: Scope,
    most: usize,
    budget: Budget,
}

impl Asked<'_> {
    fn compare(&self, difference: &mut Difference) -> Result<(), Exhausted> {
        let mut pair = Pair::new(Comparison {
            old: &self.old.rules.firewall,
            new: &self.new.rules.firewall,
            surroundings: self.surroundings,
            v6: self.scope.v6,
            path: self.scope.way,
            about: self.about,
            budget: self.budget,
        })?;
        if pair.is_empty() {
            return Ok(());
        }
        for differing in pair.differing()? {
            for (packets, certain) in [(differing.certainly, true), (differing.possibly, false)] {
                if packets.is_none() {
                    continue;
                }
                difference.verdict = difference.verdict.max(if certain {
                    Verdict::Different
                } else {
                    Verdict::Open
                });
                // What the words cannot say within the budget is still a change.
                let (cubes, complete) = pair.cubes(packets, self.most).unwrap_or_default();
                let mut change = Change {
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
                        change.hangs = self.hangs(&mut pair, &differing, &packet)?;
                    }
                    let (witness, confirmed) = self.shown(packet, &differing);
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
        if pair.shares_answers() {
            difference.note(
                "limits, counters and sets that packets change are taken to give the same answer where the same rule stands in both".into(),
            );
        }
        if pair.without_fragments {
            difference.note(
                "later fragments were not compared: what is read from them in place of the header that they lack depends on their data".into(),
            );
        }
        Ok(())
    }

    fn hangs(
        &self,
        pair: &mut Pair,
        differing: &Differing,
        packet: &Packet,
    ) -> Result<Vec<Named>, Exhausted> {
        let whose = pair.hangs(differing, packet)?;
        Ok(whose
            .into_iter()
            .map(|one| match one {
                Whose::Old(at) => Named::rule(&self.old.rules.firewall, at),
                Whose::New(at) => Named::rule(&self.new.rules.firewall, at),
            })
            .collect())
    }

    /// A packet under both rule sets, and whether the evaluator of single packets sees it so, too.
    fn shown(&self, packet: Packet, differing: &Differing) -> (Witness, bool) {
        let packet = packet.settle(self.surroundings);
        let decided = |side: Side| -> Vec<Decided> {
            let answer = evaluate(
                &side.rules.firewall,
                &side.rules.index,
                self.surroundings,
                &packet,
                Record::Nothing,
            );
            let outcomes = answer.outcomes.iter();
            let mut decided: Vec<Decided> = outcomes
                .map(|outcome| Decided {
                    end: outcome.end,
                    by: Named::decider(&side.rules.firewall, outcome.by),
                })
                .collect();
            decided.dedup();
            decided
        };
        let (before, after) = (decided(self.old), decided(self.new));
        let ends =
            |decided: &[Decided]| -> BTreeSet<End> { decided.iter().map(|one| one.end).collect() };
        let may = |decided: &[Decided], end: End| {
            let ends = ends(decided);
            ends.contains(&end) || ends.contains(&End::Unknown) || end == End::Unknown
        };
        let confirmed = may(&before, differing.old) && may(&after, differing.new);
        let mut shown = packet;
        let mut fields = asked_fields(&self.old.rules.firewall);
        fields.extend(asked_fields(&self.new.rules.firewall));
        shown.keep_only(&fields);
        let witness = Witness {
            packet: shown.words(),
            before,
            after,
        };
        (witness, confirmed)
    }
}
