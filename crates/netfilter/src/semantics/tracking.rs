//! Whether the rules switch connection tracking on.

use super::bases::sees;
use surefoot_ruleset::model::{
    Effect, Family, Field, Firewall, KeyPart, Match, Nat, NatKind, Rule, Statement, Verdict,
};

/// Whether some rule that sees the family needs conntrack, which puts fragments together before
/// the first rule (`nf_ct_netns_get`, `nf_defrag_ipv4_enable`). If none does, something outside the
/// rules may still have switched it on.
pub fn tracks_connections(firewall: &Firewall, v6: bool) -> bool {
    firewall
        .tables
        .iter()
        .filter(|table| sees(table, v6))
        .any(|table| {
            let rules = table.chains.iter().flat_map(|chain| &chain.rules);
            let both = table.family == Family::Inet;
            rules
                .into_iter()
                .any(|rule| needs_connections(rule, both, v6))
        })
}

/// Whether a rule needs connections of one family; `both` says that its table sees two.
fn needs_connections(rule: &Rule, both: bool, v6: bool) -> bool {
    rule.statements.iter().any(|statement| match statement {
        Statement::Match(wanted) => asks_connection(wanted),
        Statement::Verdict(Verdict::Nat(nat)) => !both || rewrites_family(nat, v6),
        // `notrack` by itself needs none (`nft_notrack_ops`, `xt_ct_tg_check`).
        Statement::Effect(Effect::CtZone(_)) => true,
        Statement::Effect(Effect::SetMark { field, .. }) => *field == Field::CtMark,
        Statement::Effect(Effect::CopyMark { from, to, .. }) => {
            *from == Field::CtMark || *to == Field::CtMark
        }
        Statement::VerdictMap(map) => map.key.iter().any(|part| part_asks(*part)),
        Statement::Effect(_) | Statement::Verdict(_) => false,
    })
}

/// Whether NAT in a table of both families is certainly for this one: `snat` and `dnat` need
/// connections of the family of their address only (`nft_nat_init`).
fn rewrites_family(nat: &Nat, v6: bool) -> bool {
    match nat.kind {
        NatKind::Masquerade | NatKind::Redirect => true,
        NatKind::Snat | NatKind::Dnat | NatKind::Netmap => nat
            .addresses
            .is_some_and(|(first, _)| first.is_ipv6() == v6),
    }
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
