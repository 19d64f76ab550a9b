//! What happens to one packet, rule by rule, and why.
//!
//! The answer comes first, then the way to it. Where the answer depends on something that a rule
//! set does not tell, each possible end is named with the rules that it takes, found by
//! supposing that each of them answers one way and the other.

mod hangs;
mod listener;
mod reply;
mod steps;
mod text;

use serde::Serialize;
use surefoot_report::{Certainty, Place};

use super::name::NamedDecider;
use crate::LoadedRules;
use surefoot_netfilter::packet::{Packet, PacketPath};
use surefoot_netfilter::semantics::{Decider, End, Evaluation, RecordLevel};

/// What happens to a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The packet as understood, in words that ask the same question again.
    pub packet: String,
    /// Its way through this host.
    pub way: PacketPath,
    /// What the words leave open and is taken for granted.
    pub assumed: Vec<String>,
    /// Whether all its possible ends are of one kind.
    pub certainty: Certainty,
    /// How it can end.
    pub answers: Vec<PossibleEnd>,
    /// The rules on its way.
    pub hooks: Vec<HookPart>,
    /// Whether every rule that was looked at is listed.
    pub all: bool,
    /// What the answer could not take into account, and what else is worth knowing.
    pub notes: Vec<String>,
    /// Words that would make the answer sharper.
    pub say: Vec<String>,
}

/// One of the ends that the packet can come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PossibleEnd {
    /// The end.
    pub end: End,
    /// What decides it.
    pub by: NamedDecider,
    /// The unknown conditions that have to hold for it.
    pub conditions: Vec<EndCondition>,
}

/// Something unknown on which an answer depends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndCondition {
    /// The rule with the unknown words.
    pub rule: NamedDecider,
    /// Whether it has to match; none if it only may matter.
    pub matches: Option<bool>,
    /// The words, and why they are unknown.
    pub why: Vec<String>,
}

/// A hook on the packet's way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HookPart {
    /// nft's word for it.
    pub hook: &'static str,
    /// Its base chains, in the order of the kernel.
    pub chains: Vec<BaseChain>,
}

/// A base chain that the packet ran through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BaseChain {
    /// Such as `filter INPUT`.
    pub name: String,
    /// The tool that holds it: `nft`, `iptables-legacy` and so on.
    pub backend: &'static str,
    /// Lower is earlier.
    pub priority: i32,
    /// `accept` or `drop`.
    pub policy: &'static str,
    /// What happened in it.
    pub steps: Vec<ExplainedStep>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedStep {
    /// How many jumps deep.
    pub depth: u32,
    /// What it was.
    #[serde(flatten)]
    pub kind: StepKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "lowercase")]
pub enum StepKind {
    /// A rule was looked at.
    Rule {
        /// Its number in its chain.
        number: u32,
        /// The chain.
        chain: String,
        /// Its words.
        text: String,
        /// Where it stands.
        #[serde(skip_serializing_if = "Option::is_none")]
        place: Option<Place>,
        /// What it has counted.
        #[serde(skip_serializing_if = "Option::is_none")]
        packets: Option<u64>,
        /// Whether it matched.
        matched: RuleMatched,
        /// Why.
        why: Vec<String>,
        /// The end, if this rule decides one.
        #[serde(skip_serializing_if = "Option::is_none")]
        decides: Option<End>,
    },
    /// These rules did not match.
    Skipped {
        /// How many.
        rules: usize,
    },
    /// A chain was called.
    Enter {
        /// Its name.
        chain: String,
    },
    /// A chain ended without a verdict.
    Left {
        /// Its name.
        chain: String,
    },
    /// An address or a port was rewritten.
    Rewritten {
        /// `source` or `destination`.
        end: &'static str,
        /// Before.
        from: String,
        /// After.
        to: String,
    },
    /// The base chain's policy was applied.
    Policy {
        /// `accept` or `drop`.
        policy: &'static str,
        /// What the policy has counted.
        #[serde(skip_serializing_if = "Option::is_none")]
        packets: Option<u64>,
        /// The end, if the policy decides one.
        #[serde(skip_serializing_if = "Option::is_none")]
        decides: Option<End>,
    },
}

/// Whether a rule matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleMatched {
    /// It did.
    Yes,
    /// It did not.
    No,
    /// It may.
    Maybe,
}

/// Follows a packet and says why. With `all` every rule that was looked at is listed, else those
/// that matched or could have been expected to.
pub fn explain(rules: &LoadedRules, packet: &Packet, all: bool) -> Explanation {
    let mut explanation = explain_witness(rules, packet, all);
    if let Some(doubt) = rules.doubt_about(packet) {
        explanation.certainty = Certainty::Possibly;
        explanation.notes.insert(0, doubt);
    }
    explanation
}

/// The way of a packet through the rules that were read: part of an answer that is weakened as a whole.
pub(super) fn explain_witness(rules: &LoadedRules, packet: &Packet, all: bool) -> Explanation {
    let packet = packet.clone().settle(&rules.surroundings);
    let record = if all {
        RecordLevel::All
    } else {
        RecordLevel::Mattered
    };
    let evaluation = rules.evaluate(&packet, record);
    let asked = hangs::DependencyQuestion {
        rules,
        packet: &packet,
    };
    let found = asked.find_answers(&evaluation);
    let mut notes: Vec<String> = evaluation
        .notes
        .iter()
        .filter(|note| !packet.notes.contains(note))
        .cloned()
        .collect();
    notes.extend(found.notes);
    notes.extend(reply::reply_note(rules, &packet, &evaluation));
    notes.extend(listener::listener_note(
        &evaluation,
        &rules.surroundings,
        &packet,
    ));
    Explanation {
        packet: packet.words(),
        way: packet.path,
        assumed: packet.notes.clone(),
        certainty: match evaluation.certain() {
            Some(_) => Certainty::Certainly,
            None => Certainty::Possibly,
        },
        answers: found.answers,
        hooks: steps::hook_parts(&rules.firewall, &packet, &evaluation),
        all,
        notes,
        say: found.say,
    }
}

/// The end that a rule or a policy decides, if it is one of the deciders.
fn end_decided_by(evaluation: &Evaluation, by: Decider) -> Option<End> {
    let mut outcomes = evaluation.outcomes.iter();
    outcomes.find(|outcome| outcome.by == by).map(|one| one.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use surefoot_netfilter::packet::words;
    use surefoot_ruleset::Input;

    fn notes(output: &str) -> Vec<String> {
        let text = format!(
            "*filter\n:INPUT ACCEPT [0:0]\n:OUTPUT DROP [0:0]\n{output}-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"
        );
        let input = Input {
            name: "t".into(),
            text,
            format: None,
        };
        let rules = LoadedRules::of_texts(vec![input]);
        let given = "tcp from 192.0.2.1 to 192.0.2.2:22 in eth0"
            .split(' ')
            .map(str::to_owned);
        let packet = words::parse(&given.collect::<Vec<_>>()).unwrap();
        explain(&rules, &packet, false).notes
    }

    #[test]
    fn an_answer_that_is_not_let_out_is_told() {
        let told = |notes: &[String]| notes.iter().any(|note| note.contains("on its way out"));
        assert!(told(&notes("")));
        assert!(told(&notes("-A OUTPUT -p tcp --sport 23 -j ACCEPT\n")));
        assert!(!told(&notes("-A OUTPUT -p tcp --sport 22 -j ACCEPT\n")));
        assert!(!told(&notes(
            "-A OUTPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\n"
        )));
        assert!(!told(&notes("-A OUTPUT -o eth0 -j ACCEPT\n")));
    }
}
