//! What a sentence means where it leaves something unsaid, and the words of a rule for it.

use surefoot_netfilter::traffic::{Assertion, Traffic};
use surefoot_ruleset::model::{Field, Firewall, Match, Statement, Verdict};

use super::new_rules::{RuleVerdict, StateAsked};

/// What a rule for first packets leaves as it is.
const OPEN_STAY: &str = "connections that are open now stay so, as the rule is for first packets";
/// What a rule for all packets does beside.
const OPEN_END: &str = "all packets are meant, those of connections that are open now, too: say `new` for first packets only";

/// One way to understand the sentence, and one way to say it.
pub(super) struct Reading {
    /// What is proved. What this host sends to itself is left out, unless an interface is named.
    pub(super) assertion: Assertion,
    /// The packets that the rule names, whatever the state of their connection.
    pub(super) words: Traffic,
    pub(super) state: StateAsked,
    pub(super) note: Option<&'static str>,
    /// Whether what this host sends to itself is not among the packets of `assertion`.
    pub(super) leaves_out_loopback: bool,
}

/// The ways to understand a sentence and to say it, the best first.
pub(super) fn readings(
    assertion: &Assertion,
    verdict: RuleVerdict,
    (firewall, ufw): (&Firewall, bool),
) -> Vec<Reading> {
    let of_any_state = assertion.traffic.of_any_state();
    let accepts = verdict == RuleVerdict::Accept;
    let only_first = |state| {
        (
            assertion.traffic.clone(),
            state,
            (!accepts).then_some(OPEN_STAY),
        )
    };
    let states = if !assertion.traffic.taken_as_new {
        vec![(assertion.traffic.clone(), StateAsked::Nothing, None)]
    } else if ufw {
        // Only first packets come to the chains that ufw keeps for these rules.
        vec![only_first(StateAsked::Nothing)]
    } else if accepts {
        let mut states = vec![StateAsked::Nothing, StateAsked::New];
        if asks_state(firewall) {
            states.reverse();
        }
        states.push(StateAsked::NewOrUntracked);
        states.into_iter().map(only_first).collect()
    } else {
        let all = (of_any_state.clone(), StateAsked::Nothing, Some(OPEN_END));
        let states = [
            StateAsked::Nothing,
            StateAsked::New,
            StateAsked::NewOrUntracked,
        ];
        std::iter::once(all).chain(states.map(only_first)).collect()
    };
    let outside = of_any_state.apart_from_loopback();
    let mut readings = Vec::new();
    for (traffic, state, note) in states {
        let reading = |meant: Traffic, words: &Traffic| {
            let leaves_out_loopback = meant != traffic;
            let mut assertion = assertion.clone();
            assertion.traffic = meant;
            Reading {
                leaves_out_loopback,
                assertion,
                words: words.clone(),
                state,
                note,
            }
        };
        readings.push(reading(traffic.apart_from_loopback(), &of_any_state));
        if outside == of_any_state {
            continue;
        }
        // Where nothing keeps loopback open before, the rule itself can leave it alone.
        let other = [
            reading(traffic.apart_from_loopback(), &outside),
            reading(traffic.clone(), &of_any_state),
        ];
        readings.extend(other);
    }
    readings
}

/// Whether the rules that accept a port ask for the state of the connection as well, as a rule.
fn asks_state(firewall: &Firewall) -> bool {
    let chains = firewall.tables.iter().flat_map(|table| &table.chains);
    let (mut with, mut without) = (0, 0);
    for rule in chains.flat_map(|chain| &chain.rules) {
        let accepts = |one: &Statement| matches!(one, Statement::Verdict(Verdict::Accept));
        let asks = |field: Field| {
            let is =
                |one: &Match| matches!(one, Match::Field { operand, .. } if operand.field == field);
            rule.statements
                .iter()
                .any(|one| matches!(one, Statement::Match(wanted) if wanted.has_part(&is)))
        };
        if rule.statements.iter().any(accepts) && asks(Field::DstPort) {
            *if asks(Field::CtState) {
                &mut with
            } else {
                &mut without
            } += 1;
        }
    }
    with > without
}
