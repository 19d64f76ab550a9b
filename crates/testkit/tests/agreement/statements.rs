//! Every kind of statement of the model has a rule set in `tests/rulesets` that the kernel judges.
//!
//! The tables below are exhaustive matches: a statement that is added to the model does not compile
//! here until it has a rule set.

use std::collections::BTreeSet;

use surefoot_ruleset::model::{
    Effect, Field, Firewall, KeyPart, Match, NatKind, SetKind, SetRef, Statement, Verdict,
};

use super::case;

/// Makes an exhaustive match from a kind to its name, and the list of all names with the rule set
/// that holds each.
macro_rules! kinds {
    ($function:ident, $type:ty, $list:ident, { $($pattern:pat => $name:literal in $folder:literal,)* }) => {
        fn $function(of: &$type) -> &'static str {
            match of {
                $($pattern => $name,)*
            }
        }

        const $list: &[(&str, &str)] = &[$(($name, $folder),)*];
    };
}

kinds!(name_of_field, Field, FIELDS, {
    Field::NfProto => "field NfProto" in "12-inet",
    Field::EtherType => "field EtherType" in "12-inet",
    Field::L4Proto => "field L4Proto" in "01-plain",
    Field::Ip4Protocol => "field Ip4Protocol" in "09-nft-sets",
    Field::Ip6NextHeader => "field Ip6NextHeader" in "12-inet",
    Field::Ip4Src => "field Ip4Src" in "01-plain",
    Field::Ip4Dst => "field Ip4Dst" in "01-plain",
    Field::Ip6Src => "field Ip6Src" in "07-v6",
    Field::Ip6Dst => "field Ip6Dst" in "07-v6",
    Field::SrcPort => "field SrcPort" in "01-plain",
    Field::DstPort => "field DstPort" in "01-plain",
    Field::SetSrcPort => "field SetSrcPort" in "05-ipset",
    Field::SetDstPort => "field SetDstPort" in "05-ipset",
    Field::TcpFlags => "field TcpFlags" in "01-plain",
    Field::TcpOption(_) => "field TcpOption" in "19-headers",
    Field::IcmpType => "field IcmpType" in "01-plain",
    Field::IcmpCode => "field IcmpCode" in "01-plain",
    Field::Icmp6Type => "field Icmp6Type" in "07-v6",
    Field::Icmp6Code => "field Icmp6Code" in "07-v6",
    Field::CtState => "field CtState" in "03-conntrack",
    Field::CtStatus => "field CtStatus" in "03-conntrack",
    Field::CtDirection => "field CtDirection" in "03-conntrack",
    Field::CtMark => "field CtMark" in "04-marks",
    Field::Mark => "field Mark" in "04-marks",
    Field::MacSrc => "field MacSrc" in "05-ipset",
    Field::MacDst => "field MacDst" in "25-nft-words",
    Field::PacketType => "field PacketType" in "12-inet",
    Field::Uid => "field Uid" in "12-inet",
    Field::Gid => "field Gid" in "17-addresses",
    Field::Length => "field Length" in "09-nft-sets",
    Field::Ttl => "field Ttl" in "09-nft-sets",
    Field::HopLimit => "field HopLimit" in "07-v6",
    Field::Ip4Dscp => "field Ip4Dscp" in "09-nft-sets",
    Field::Ip6Dscp => "field Ip6Dscp" in "35-rare-statements",
    Field::Tos => "field Tos" in "19-headers",
    Field::TrafficClass => "field TrafficClass" in "36-rare-targets",
    Field::Ip4Id => "field Ip4Id" in "09-nft-sets",
    Field::Ip4FragmentOffset => "field Ip4FragmentOffset" in "25-nft-words",
    Field::IsLaterFragment => "field IsLaterFragment" in "01-plain",
    Field::SrcAddressType => "field SrcAddressType" in "17-addresses",
    Field::DstAddressType => "field DstAddressType" in "17-addresses",
    Field::CtOriginalIp4Src => "field CtOriginalIp4Src" in "03-conntrack",
    Field::CtOriginalIp4Dst => "field CtOriginalIp4Dst" in "03-conntrack",
    Field::CtOriginalIp6Src => "field CtOriginalIp6Src" in "35-rare-statements",
    Field::CtOriginalIp6Dst => "field CtOriginalIp6Dst" in "35-rare-statements",
    Field::CtOriginalSrcPort => "field CtOriginalSrcPort" in "36-rare-targets",
    Field::CtOriginalDstPort => "field CtOriginalDstPort" in "03-conntrack",
    Field::CtProtocol => "field CtProtocol" in "03-conntrack",
});

kinds!(name_of_match, Match, MATCHES, {
    Match::Field { .. } => "match Field" in "01-plain",
    Match::InInterface { .. } => "match InInterface" in "01-plain",
    Match::OutInterface { .. } => "match OutInterface" in "01-plain",
    Match::Lookup(_) => "match Lookup" in "05-ipset",
    Match::Any { .. } => "match Any" in "01-plain",
    Match::Never => "match Never" in "36-rare-targets",
    Match::Opaque(_) => "match Opaque" in "14-limit",
});

kinds!(name_of_key_part, KeyPart, KEY_PARTS, {
    KeyPart::Number(_) => "key part Number" in "05-ipset",
    KeyPart::InInterface => "key part InInterface" in "05-ipset",
    KeyPart::OutInterface => "key part OutInterface" in "05-ipset",
});

kinds!(name_of_set, SetRef, SETS, {
    SetRef::Ipset(_) => "set Ipset" in "05-ipset",
    SetRef::Named(_) => "set Named" in "08-nft-verdict-maps",
    SetRef::Inline(_) => "set Inline" in "08-nft-verdict-maps",
    // The kernel loads no rule that names a set which is not there.
    SetRef::Missing(_) => "set Missing" in "",
});

kinds!(name_of_set_kind, SetKind, SET_KINDS, {
    SetKind::Nft { .. } => "set kind Nft" in "08-nft-verdict-maps",
    SetKind::Ipset { .. } => "set kind Ipset" in "05-ipset",
    SetKind::List { .. } => "set kind List" in "05-ipset",
});

kinds!(name_of_effect, Effect, EFFECTS, {
    Effect::SetMark { .. } => "effect SetMark" in "04-marks",
    Effect::CopyMark { .. } => "effect CopyMark" in "04-marks",
    Effect::NoTrack => "effect NoTrack" in "15-raw-untracked",
    // The packets of the comparison are all of one zone.
    Effect::CtZone(_) => "effect CtZone" in "",
    Effect::Set { .. } => "effect Set" in "19-headers",
    Effect::Forget { .. } => "effect Forget" in "19-headers",
    Effect::Log { .. } => "effect Log" in "14-limit",
    Effect::UpdateSet { .. } => "effect UpdateSet" in "26-nft-open",
    Effect::Remember { .. } => "effect Remember" in "",
    Effect::Other { .. } => "effect Other" in "09-nft-sets",
});

kinds!(name_of_verdict, Verdict, VERDICTS, {
    Verdict::Accept => "verdict Accept" in "01-plain",
    Verdict::Drop => "verdict Drop" in "01-plain",
    Verdict::Reject { .. } => "verdict Reject" in "01-plain",
    Verdict::Return => "verdict Return" in "01-plain",
    Verdict::Jump(_) => "verdict Jump" in "01-plain",
    Verdict::Goto(_) => "verdict Goto" in "01-plain",
    Verdict::Continue => "verdict Continue" in "35-rare-statements",
    // Not every kernel has nfnetlink_queue.
    Verdict::Queue { .. } => "verdict Queue" in "",
    Verdict::Nat(_) => "verdict Nat" in "13-nat",
    Verdict::Unknown(_) => "verdict Unknown" in "36-rare-targets",
});

kinds!(name_of_nat, NatKind, NATS, {
    NatKind::Snat => "nat Snat" in "13-nat",
    NatKind::Dnat => "nat Dnat" in "13-nat",
    NatKind::Masquerade => "nat Masquerade" in "13-nat",
    NatKind::Redirect => "nat Redirect" in "13-nat",
    NatKind::Netmap => "nat Netmap" in "13-nat",
});

kinds!(name_of_statement, Statement, STATEMENTS, {
    Statement::Match(_) => "statement Match" in "01-plain",
    Statement::Effect(_) => "statement Effect" in "04-marks",
    Statement::Verdict(_) => "statement Verdict" in "01-plain",
    Statement::VerdictMap(_) => "statement VerdictMap" in "08-nft-verdict-maps",
});

const ALL: &[&[(&str, &str)]] = &[
    FIELDS, MATCHES, KEY_PARTS, SETS, SET_KINDS, EFFECTS, VERDICTS, NATS, STATEMENTS,
];

/// The kinds of statement that a rule set holds.
#[derive(Default)]
struct KindsFound(BTreeSet<&'static str>);

impl KindsFound {
    fn of(firewall: &Firewall) -> Self {
        let mut found = Self::default();
        for set in &firewall.ipsets {
            found.0.insert(name_of_set_kind(&set.kind));
        }
        for table in &firewall.tables {
            for set in &table.sets {
                found.0.insert(name_of_set_kind(&set.kind));
            }
            for rule in table.chains.iter().flat_map(|chain| &chain.rules) {
                for statement in &rule.statements {
                    found.add_statement(statement);
                }
            }
        }
        found
    }

    fn add_statement(&mut self, statement: &Statement) {
        self.0.insert(name_of_statement(statement));
        match statement {
            Statement::Match(wanted) => self.add_match(wanted),
            Statement::Effect(effect) => self.add_effect(effect),
            Statement::Verdict(verdict) => {
                self.0.insert(name_of_verdict(verdict));
                if let Verdict::Nat(nat) = verdict {
                    self.0.insert(name_of_nat(&nat.kind));
                }
            }
            Statement::VerdictMap(map) => {
                self.add_key(&map.key);
                self.0.insert(name_of_set(&map.map));
            }
        }
    }

    fn add_match(&mut self, wanted: &Match) {
        self.0.insert(name_of_match(wanted));
        match wanted {
            Match::Field { operand, .. } => {
                self.0.insert(name_of_field(&operand.field));
            }
            Match::Lookup(lookup) => {
                self.add_key(&lookup.key);
                self.0.insert(name_of_set(&lookup.set));
            }
            Match::Any { of, .. } => of.iter().for_each(|one| self.add_match(one)),
            Match::InInterface { .. }
            | Match::OutInterface { .. }
            | Match::Never
            | Match::Opaque(_) => {}
        }
    }

    fn add_key(&mut self, key: &[KeyPart]) {
        for part in key {
            self.0.insert(name_of_key_part(part));
            if let KeyPart::Number(operand) = part {
                self.0.insert(name_of_field(&operand.field));
            }
        }
    }

    fn add_effect(&mut self, effect: &Effect) {
        self.0.insert(name_of_effect(effect));
        match effect {
            Effect::UpdateSet { set, .. } => {
                self.0.insert(name_of_set(set));
            }
            Effect::SetMark { .. }
            | Effect::CopyMark { .. }
            | Effect::NoTrack
            | Effect::CtZone(_)
            | Effect::Set { .. }
            | Effect::Forget { .. }
            | Effect::Log { .. }
            | Effect::Remember { .. }
            | Effect::Other { .. } => {}
        }
    }
}

#[test]
fn every_kind_of_statement_has_a_rule_set_that_the_kernel_judges() {
    let cases = case::all();
    let mut wrong = Vec::new();
    for (kind, folder) in ALL.iter().copied().flatten() {
        if folder.is_empty() {
            continue;
        }
        let holds = cases
            .iter()
            .filter(|case| case.name.split(' ').next() == Some(folder))
            .any(|case| KindsFound::of(&case.as_written()).0.contains(kind));
        if !holds {
            let elsewhere: Vec<&str> = cases
                .iter()
                .filter(|case| KindsFound::of(&case.as_written()).0.contains(kind))
                .map(|case| case.name.as_str())
                .collect();
            wrong.push(format!("{kind}: not in `{folder}`; it is in {elsewhere:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
