//! The answer to a packet: a connection that nobody may answer never opens.

use super::super::name::Named;
use crate::LoadedRules;
use surefoot_netfilter::packet::{Packet, Path};
use surefoot_netfilter::semantics::{End, Evaluation, Record};
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
pub(super) fn note(
    rules: &LoadedRules,
    packet: &Packet,
    evaluation: &Evaluation,
) -> Option<String> {
    let answered = matches!(packet.known(Field::L4Proto), Some(6 | 17));
    if packet.path != Path::Input || !answered || evaluation.certain() != Some(End::Accepted) {
        return None;
    }
    let mut reply = Packet::new(Path::Output).with(Field::CtState, ct_state::ESTABLISHED);
    reply.output = packet.input.clone();
    for (from, to) in SWAPPED {
        if let Some(number) = packet.known(*from) {
            reply = reply.with(*to, number);
        }
    }
    let reply = reply.settle(&rules.surroundings);
    let answer = rules.evaluate(&reply, Record::Nothing);
    let word = match answer.certain()? {
        End::Dropped => "dropped",
        End::Rejected => "rejected",
        End::Accepted | End::Queued | End::Unknown => return None,
    };
    let by = Named::decider(&rules.firewall, answer.outcomes.first()?.by);
    Some(format!(
        "the answer to it is {word} on its way out, by {}: nothing comes of it",
        by.name
    ))
}
