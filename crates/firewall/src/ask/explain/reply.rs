//! The answer to a packet: a connection whose answers are dropped never opens.

use super::super::name::NamedDecider;
use crate::LoadedRules;
use surefoot_netfilter::packet::{Packet, PacketPath};
use surefoot_netfilter::semantics::{End, Evaluation, RecordLevel};
use surefoot_ruleset::model::{Field, ct_state};

/// The fields of a packet and of the answer to it.
const SWAPPED: &[(Field, Field)] = &[
    (Field::Ip4Src, Field::Ip4Dst),
    (Field::Ip4Dst, Field::Ip4Src),
    (Field::Ip6Src, Field::Ip6Dst),
    (Field::Ip6Dst, Field::Ip6Src),
    (Field::SrcPort, Field::DstPort),
    (Field::DstPort, Field::SrcPort),
    (Field::L4Proto, Field::L4Proto),
    (Field::NfProto, Field::NfProto),
];

/// Says if a packet to this host is let in and the answer to it certainly is not let out.
pub(super) fn reply_note(
    rules: &LoadedRules,
    packet: &Packet,
    evaluation: &Evaluation,
) -> Option<String> {
    let answered = matches!(packet.known(Field::L4Proto), Some(6 | 17));
    if packet.path != PacketPath::Input || !answered || evaluation.certain() != Some(End::Accepted)
    {
        return None;
    }
    let mut reply = Packet::new(PacketPath::Output).with(Field::CtState, ct_state::ESTABLISHED);
    reply.output = packet.input.clone();
    for (from, to) in SWAPPED {
        if let Some(number) = packet.known(*from) {
            reply = reply.with(*to, number);
        }
    }
    let reply = reply.settle(&rules.surroundings);
    let answer = rules.evaluate(&reply, RecordLevel::Nothing);
    let word = match answer.certain()? {
        End::Dropped => "dropped",
        End::Rejected => "rejected",
        End::Accepted | End::Queued | End::Unknown => return None,
    };
    let by = NamedDecider::decider(&rules.firewall, answer.outcomes.first()?.by);
    Some(format!(
        "the answer to it is {word} on its way out, by {}: nothing comes of it",
        by.name
    ))
}
