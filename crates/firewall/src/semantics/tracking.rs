//! Whether the rules switch connection tracking on.

use super::bases::sees;
use crate::model::{Effect, Field, Firewall, KeyPart, Match, Rule, Statement, Verdict};

/// Whether some rule that sees the family needs conntrack, which puts fragments together before
/// the first rule (`nf_ct_netns_get`, `nf_defrag_ipv4_enable`). If none does, something outside the
/// rules may still have switched it on.
pub(crate) fn tracks_connections(firewall: &Firewall, v6: bool) -> bool {
    firewall
        .tables
        .iter()
        .filter(|table| sees(table, v6))
        .flat_map(|table| &table.chains)
        .flat_map(|chain| &chain.rules)
        .any(needs_connections)
}

fn needs_connections(rule: &Rule) -> bool {
    rule.statements.iter().any(|statement| match statement {
        Statement::Match(wanted) => asks_connection(wanted),
        Statement::Effect(Effect::NoTrack | Effect::CtZone(_))
        | Statement::Verdict(Verdict::Nat(_)) => true,
        Statement::Effect(Effect::SetMark { field, .. }) => *field == Field::CtMark,
        Statement::Effect(Effect::CopyMark { from, to, .. }) => {
            *from == Field::CtMark || *to == Field::CtMark
        }
        Statement::VerdictMap(map) => map.key.iter().any(|part| part_asks(*part)),
        Statement::Effect(_) | Statement::Verdict(_) => false,
    })
}

fn asks_connection(wanted: &Match) -> bool {
    match wanted {
        Match::Field { operand, .. } => of_connection(operand.field),
        Match::Lookup(lookup) => lookup.key.iter().any(|part| part_asks(*part)),
        Match::Any { of, .. } => of.iter().any(asks_connection),
        Match::InInterface { .. }
        | Match::OutInterface { .. }
        | Match::Never
        | Match::Opaque(_) => false,
    }
}

fn part_asks(part: KeyPart) -> bool {
    matches!(part, KeyPart::Number(operand) if of_connection(operand.field))
}

fn of_connection(field: Field) -> bool {
    matches!(
        field,
        Field::CtState
            | Field::CtStatus
            | Field::CtDirection
            | Field::CtMark
            | Field::CtOriginalIp4Src
            | Field::CtOriginalIp4Dst
            | Field::CtOriginalIp6Src
            | Field::CtOriginalIp6Dst
            | Field::CtOriginalSrcPort
            | Field::CtOriginalDstPort
            | Field::CtProtocol
    )
}
