//! Whether a sentence about packets holds for all of them.
//!
//! A sentence that does not hold comes with a packet for which it does not, followed rule by rule by
//! the other evaluator: should the two disagree, the answer is that they do.

mod text;

use crate::LoadedRules;
use crate::loaded::WeakenedAnswer;
use std::collections::BTreeSet;

use serde::Serialize;
use surefoot_report::Problem;

use super::explain::{Explanation, explain_witness};
use super::name::NamedDecider;
use surefoot_netfilter::exact::{
    AskedPackets, Budget, Exact, Exhausted, Packets, SymbolicQuestion, UnknownAnswer, asked_fields,
    set_problem,
};
use surefoot_netfilter::packet::{Packet, PacketPath};
use surefoot_netfilter::semantics::{End, RecordLevel, sees};
use surefoot_netfilter::traffic::{Assertion, Claim, Traffic};
use surefoot_ruleset::model::{Field, Firewall, RuleAt};

/// Whether a sentence holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The sentence.
    pub assertion: String,
    /// Whether it holds.
    pub verdict: ProofVerdict,
    /// The packets that were looked at.
    pub scopes: Vec<PacketScope>,
    /// A packet for which it does not hold, or may not.
    pub witness: Option<Explanation>,
    /// The rules on which an open answer depends.
    pub hangs: Vec<NamedDecider>,
    /// What was taken for granted, and what the answer could not take into account.
    pub notes: Vec<String>,
}

/// Whether a sentence holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProofVerdict {
    /// For every packet, whatever the unknown answers are.
    Holds,
    /// There is no such packet: the words contradict each other, or the host.
    Empty,
    /// For some packet it depends on what is unknown.
    Open,
    /// The question was too large.
    Unknown,
    /// For some packet it certainly does not hold.
    Fails,
}

/// Packets of one family that take one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PacketScope {
    /// Whether IPv6.
    pub v6: bool,
    /// Their way.
    pub way: PacketPath,
}

/// Asks whether the sentence holds.
///
/// # Errors
///
/// If it speaks of a set that the rules do not have.
pub fn prove(rules: &LoadedRules, assertion: &Assertion, budget: Budget) -> Result<Proof, Problem> {
    let firewall = &rules.firewall;
    named_are_there(firewall, assertion)?;
    let mut proof = Proof {
        assertion: assertion.text.clone(),
        verdict: ProofVerdict::Empty,
        scopes: Vec::new(),
        witness: None,
        hangs: Vec::new(),
        notes: Vec::new(),
    };
    let scopes = scopes_of(rules, &assertion.traffic, &mut proof.notes);
    if asked_fields(firewall).contains(&Field::Mark) {
        proof
            .notes
            .push("packets are assumed to arrive without a mark; rules test it".into());
    }
    for scope in scopes {
        let asked = ProofQuestion {
            rules,
            assertion,
            scope,
            budget,
        };
        let part = asked
            .answer_scope()
            .unwrap_or(ScopeAnswer::without_witness(ProofVerdict::Unknown));
        if part.verdict == ProofVerdict::Unknown {
            proof.notes.push(format!(
                "{}: the question is too large for an exact answer; ask about fewer packets",
                scope.words()
            ));
        }
        if part.verdict != ProofVerdict::Empty {
            proof.scopes.push(scope);
        }
        let first = proof.verdict == ProofVerdict::Empty && part.verdict == ProofVerdict::Holds;
        if first || part.verdict >= ProofVerdict::Open && part.verdict > proof.verdict {
            proof.verdict = part.verdict;
            proof.witness = part.witness;
            proof.hangs = part.hangs;
        }
    }
    Ok(rules.weaken(proof))
}

impl WeakenedAnswer for Proof {
    fn weaken(&mut self, why: &str) {
        if matches!(self.verdict, ProofVerdict::Holds | ProofVerdict::Fails) {
            self.verdict = ProofVerdict::Open;
        }
        self.notes.insert(0, why.to_owned());
    }
}

/// Refuses a sentence that speaks of a set or a rule which is not there.
pub(super) fn named_are_there(firewall: &Firewall, assertion: &Assertion) -> Result<(), Problem> {
    let becomes = assertion.claim.becomes.as_ref();
    let names = assertion.traffic.sets().into_iter();
    for name in names.chain(becomes.into_iter().flat_map(Traffic::sets)) {
        if let Some(what) = set_problem(firewall, name) {
            return Err(Problem::error(assertion.span, what));
        }
    }
    if let Some((rule, _)) = &assertion.claim.by {
        rule.find(firewall)?;
    }
    Ok(())
}

/// The packets of which the claim is true, over what is unknown, too.
pub(super) fn packets_claimed(
    exact: &mut Exact,
    firewall: &Firewall,
    claim: &Claim,
) -> Result<Packets, Exhausted> {
    if let Some(traffic) = &claim.becomes {
        return exact.packets_becoming(firewall, traffic);
    }
    let Some((rule, negated)) = &claim.by else {
        return exact.packets_ending(&claim.ends);
    };
    let mut matched = Packets::NONE;
    for at in rule.find(firewall).unwrap_or_default() {
        let hits = exact.packets_hitting(at)?;
        matched = exact.union_of(matched, hits)?;
    }
    if *negated {
        exact.other_than(matched)
    } else {
        Ok(matched)
    }
}

/// A packet of this family and way for which the sentence does not hold, or may not, though none of
/// some rules matches it; none if it holds for all of these.
pub(super) fn counterexample(
    rules: &LoadedRules,
    assertion: &Assertion,
    (scope, but_for): (PacketScope, &BTreeSet<RuleAt>),
    budget: Budget,
) -> Result<Option<Packet>, Exhausted> {
    let asked = ProofQuestion {
        rules,
        assertion,
        scope,
        budget,
    };
    asked.counterexample(but_for)
}

/// What there is to look at.
pub(super) fn scopes_of(
    rules: &LoadedRules,
    traffic: &Traffic,
    notes: &mut Vec<String>,
) -> Vec<PacketScope> {
    let ways = match traffic.way {
        Some(way) => vec![way],
        None if !traffic.names_destination => vec![PacketPath::Input],
        None if rules.surroundings.interfaces.is_some() => {
            vec![PacketPath::Input, PacketPath::Forward]
        }
        None => {
            notes.push(
                "taken as packets to this host, as its addresses are unknown: say `forwarded` for those that it forwards".into(),
            );
            vec![PacketPath::Input]
        }
    };
    if traffic.taken_as_new {
        notes.push(
            "taken as first packets of connections, as no state is named: `state any` means all"
                .into(),
        );
    }
    let mut scopes = Vec::new();
    for v6 in [false, true] {
        if traffic.v6.is_some_and(|said| said != v6) {
            continue;
        }
        let ruled = rules.firewall.tables.iter().any(|table| sees(table, v6));
        if !ruled && !rules.surroundings.live && traffic.v6.is_none() {
            notes.push(format!(
                "no rules for {} were given: the answer does not cover it",
                if v6 { "IPv6" } else { "IPv4" }
            ));
            continue;
        }
        scopes.extend(ways.iter().map(|way| PacketScope { v6, way: *way }));
    }
    scopes
}

/// One family and one way.
struct ProofQuestion<'a> {
    rules: &'a LoadedRules,
    assertion: &'a Assertion,
    scope: PacketScope,
    budget: Budget,
}

struct ScopeAnswer {
    verdict: ProofVerdict,
    witness: Option<Explanation>,
    hangs: Vec<NamedDecider>,
}

impl ScopeAnswer {
    fn without_witness(verdict: ProofVerdict) -> Self {
        Self {
            verdict,
            witness: None,
            hangs: Vec::new(),
        }
    }
}

impl ProofQuestion<'_> {
    /// All packets that are asked about, followed; none if there are no such packets.
    fn follow(&self) -> Result<Option<Exact>, Exhausted> {
        let becomes: Vec<&Traffic> = self.assertion.claim.becomes.iter().collect();
        let exact = Exact::new(SymbolicQuestion {
            firewall: &self.rules.firewall,
            surroundings: &self.rules.surroundings,
            v6: self.scope.v6,
            path: self.scope.way,
            about: &self.assertion.traffic,
            and_about: &becomes,
            packets: AskedPackets::Ordinary,
            budget: self.budget,
        })?;
        Ok((!exact.world().is_none()).then_some(exact))
    }

    /// A packet of which the claim is not true, or may not be, and that none of these rules matches.
    fn counterexample(&self, but_for: &BTreeSet<RuleAt>) -> Result<Option<Packet>, Exhausted> {
        let Some(mut exact) = self.follow()? else {
            return Ok(None);
        };
        let good = packets_claimed(&mut exact, &self.rules.firewall, &self.assertion.claim)?;
        let mut good_or_excepted = good;
        for at in but_for {
            let hits = exact.packets_hitting(*at)?;
            good_or_excepted = exact.union_of(good_or_excepted, hits)?;
        }
        let bad = exact.other_than(good_or_excepted)?;
        let perhaps = exact.possible_packets(bad)?;
        if perhaps.is_none() {
            return Ok(None);
        }
        exact.witness(perhaps).map(Some).ok_or(Exhausted)
    }

    fn answer_scope(&self) -> Result<ScopeAnswer, Exhausted> {
        let claim = &self.assertion.claim;
        let Some(mut exact) = self.follow()? else {
            return Ok(ScopeAnswer::without_witness(ProofVerdict::Empty));
        };
        let good = packets_claimed(&mut exact, &self.rules.firewall, claim)?;
        let bad = exact.other_than(good)?;
        let perhaps = exact.possible_packets(bad)?;
        if perhaps.is_none() {
            return Ok(ScopeAnswer::without_witness(ProofVerdict::Holds));
        }
        let unknown = exact.packets_ending(&[End::Unknown].into())?;
        let not_bad = exact.union_of(good, unknown)?;
        let not_bad = exact.possible_packets(not_bad)?;
        let certainly = exact.outside_of(not_bad)?;
        if certainly.is_none() {
            let Some(packet) = exact.witness(perhaps) else {
                return Ok(ScopeAnswer::without_witness(ProofVerdict::Unknown));
            };
            let hangs = self.rules_behind(&mut exact, bad, &packet)?;
            return Ok(ScopeAnswer {
                verdict: ProofVerdict::Open,
                witness: Some(self.explain_packet(packet)),
                hangs,
            });
        }
        let Some(packet) = exact.witness(certainly) else {
            return Ok(ScopeAnswer::without_witness(ProofVerdict::Unknown));
        };
        let only_ends = claim.becomes.is_none() && claim.by.is_none();
        let confirmed = !only_ends || self.confirms_witness(&packet);
        Ok(ScopeAnswer {
            verdict: if confirmed {
                ProofVerdict::Fails
            } else {
                ProofVerdict::Unknown
            },
            witness: Some(self.explain_packet(packet)),
            hangs: Vec::new(),
        })
    }

    /// Whether the evaluator of single packets lets the packet come to an end that is not claimed.
    fn confirms_witness(&self, packet: &Packet) -> bool {
        let packet = packet.clone().settle(&self.rules.surroundings);
        let answer = self.rules.evaluate(&packet, RecordLevel::Nothing);
        answer
            .outcomes
            .iter()
            .any(|outcome| !self.assertion.claim.ends.contains(&outcome.end))
    }

    /// The way of the packet; what no rule asks for is left out of it.
    fn explain_packet(&self, mut packet: Packet) -> Explanation {
        packet.keep_only(&asked_fields(&self.rules.firewall));
        explain_witness(self.rules, &packet, false)
    }

    fn rules_behind(
        &self,
        exact: &mut Exact,
        bad: Packets,
        packet: &Packet,
    ) -> Result<Vec<NamedDecider>, Exhausted> {
        let mut named: Vec<NamedDecider> = Vec::new();
        for unknown in exact.hangs(bad, packet)? {
            if let UnknownAnswer::Rule(at) = unknown {
                named.push(NamedDecider::rule(&self.rules.firewall, at));
            }
        }
        named.dedup();
        Ok(named)
    }
}

impl PacketScope {
    pub(super) fn words(self) -> String {
        let family = if self.v6 { "IPv6" } else { "IPv4" };
        format!("{family}, {}", super::lines::path_words(self.way))
    }
}
