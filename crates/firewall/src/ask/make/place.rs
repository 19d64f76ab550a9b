//! Where a new rule goes: before what decides otherwise, as near to it as the chains of the host allow.

use surefoot_netfilter::packet::PacketPath;
use surefoot_netfilter::semantics::{Decider, Evaluation, EventKind, TraceEvent};
use surefoot_ruleset::model::{Chain, Effect, Family, Firewall, Rule, Statement, Verdict};

use super::PacketScope;
use crate::makers;

/// A place in a chain: before its rule `at`, or at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChainPlace {
    pub(super) table: usize,
    pub(super) chain: usize,
    pub(super) at: usize,
}

/// Which of the chains that call each other takes the new rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChainTaken {
    /// The one that decides, unless it belongs to a program or only refuses, as a chain that logs and
    /// drops does.
    Deciding,
    /// The one that the kernel calls.
    Base,
    /// The one that ufw keeps for the administrator's rules, before or behind those that are there.
    Ufw {
        /// Whether before them.
        in_front: bool,
    },
}

/// The end or the start of the chain in which ufw puts rules about packets on this way.
pub(super) fn ufw_place(
    firewall: &Firewall,
    scope: PacketScope,
    in_front: bool,
) -> Option<ChainPlace> {
    let way = match scope.way {
        PacketPath::Input => "input",
        PacketPath::Forward => "forward",
        PacketPath::Output => "output",
    };
    let (start, family) = if scope.v6 {
        ("ufw6", Family::Ip6)
    } else {
        ("ufw", Family::Ip)
    };
    let name = format!("{start}-user-{way}");
    let tables = firewall.tables.iter().enumerate();
    let mut chains = tables
        .filter(|(_, table)| table.family == family)
        .filter_map(|(at, table)| {
            let (chain, found) = table.chain(&name)?;
            Some((at, usize::try_from(chain.0).ok()?, found.rules.len()))
        });
    let (table, chain, rules) = chains.next()?;
    Some(ChainPlace {
        table,
        chain,
        at: if in_front { 0 } else { rules },
    })
}

/// The place before an obstacle. Rules that only log what is about to be refused stay behind a new one
/// that accepts.
pub(super) fn place_before(
    firewall: &Firewall,
    evaluation: &Evaluation,
    (by, seen): (Decider, usize),
    (accepts, taken): (bool, ChainTaken),
) -> Option<ChainPlace> {
    let mut place = match by {
        Decider::Rule(at) => ChainPlace {
            table: at.table,
            chain: at.chain,
            at: at.rule,
        },
        Decider::Policy { table, chain } => ChainPlace {
            table,
            chain,
            at: firewall.tables[table].chains[chain].rules.len(),
        },
        Decider::Refusal(_) | Decider::Kernel => return None,
    };
    let mut event = seen;
    loop {
        let table = firewall.tables.get(place.table)?;
        let chain = table.chains.get(place.chain)?;
        if chain.base.is_some() {
            break;
        }
        if taken == ChainTaken::Deciding
            && makers::of_chain(table, chain).is_none()
            && accepts_something(chain)
        {
            break;
        }
        let Some((at, caller)) = caller_of(&evaluation.events, event) else {
            break;
        };
        event = at;
        place = ChainPlace {
            table: caller.table,
            chain: caller.chain,
            at: caller.rule?,
        };
    }
    if accepts {
        let rules = &firewall.tables[place.table].chains[place.chain].rules;
        while place.at > 0 && only_logs(rules.get(place.at - 1)?) {
            place.at -= 1;
        }
    }
    Some(place)
}

/// The rule that called the chain of an event.
fn caller_of(events: &[TraceEvent], at: usize) -> Option<(usize, &TraceEvent)> {
    let event = events.get(at)?;
    let depth = event.depth.checked_sub(1)?;
    let before = events[..at].iter().enumerate().rev();
    let mut before = before
        .filter(|(_, one)| one.depth == depth && one.table == event.table && one.rule.is_some());
    before.find(|(_, one)| matches!(one.what, EventKind::Matched | EventKind::Perhaps(_)))
}

fn accepts_something(chain: &Chain) -> bool {
    let is_accept = |one: &Statement| matches!(one, Statement::Verdict(Verdict::Accept));
    let mut statements = chain.rules.iter().flat_map(|rule| &rule.statements);
    statements.any(is_accept)
}

/// Whether a rule writes to a log and does nothing else.
fn only_logs(rule: &Rule) -> bool {
    let logs = |one: &Statement| matches!(one, Statement::Effect(Effect::Log { .. }));
    let harmless = |one: &Statement| {
        matches!(
            one,
            Statement::Match(_) | Statement::Effect(Effect::Log { .. } | Effect::Other { .. })
        )
    };
    rule.statements.iter().any(logs) && rule.statements.iter().all(harmless)
}
