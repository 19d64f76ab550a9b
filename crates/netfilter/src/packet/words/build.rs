//! From what was said to a packet, or to the contradiction in it.

use std::net::IpAddr;

use super::WordError;
use super::read::{GivenValue, PacketDraft, WordMention};
use super::usual_state::usual_state;
use crate::language::{NamedService, find_type, only_code_0};
use crate::packet::{FieldValue, Packet, PacketPath, settle};
use surefoot_ruleset::model::{Field, ct_state};
use surefoot_ruleset::parse::names;

const SYN: u8 = 2;
const ACK: u8 = 16;

impl PacketDraft {
    /// The packet; `base` is one that a capture held.
    pub(super) fn build(self, base: Option<Packet>) -> Result<Packet, WordError> {
        self.check_way()?;
        let v6 = self.settle_family(base.as_ref())?;
        let protocol = self.settle_protocol(v6, base.as_ref())?;
        let captured = base.is_some();
        let mut packet = match base {
            Some(packet) => self.settle_way(packet, true),
            None => self.settle_way(Packet::new(PacketPath::Input), false),
        };
        if let Some(v6) = v6 {
            let number: u8 = if v6 { 10 } else { 2 };
            packet.put(Field::NfProto, FieldValue::Known(number.into()));
        }
        if let Some(number) = protocol {
            packet.put(Field::L4Proto, FieldValue::Known(number.into()));
            if v6 == Some(true) && !captured {
                // No word says that there are extension headers.
                packet.put(Field::Ip6NextHeader, FieldValue::Known(number.into()));
            }
            let said = self.protocol.is_some() || captured;
            if let Some(service) = &self.service {
                packet.notes.push(service_note(service, number, said));
            } else if !said && self.flags.is_none() && self.icmp.is_none() {
                packet
                    .notes
                    .push("taken as TCP, as only a port was given".into());
            }
        }
        if let Some(address) = &self.source.address {
            packet = packet.from(address.value);
        }
        if let Some(address) = &self.destination.address {
            packet = packet.to(address.value);
        }
        self.put_transport(&mut packet, v6, protocol, captured)?;
        self.put_fields(&mut packet, v6 == Some(true));
        Ok(packet)
    }

    /// IPv6 or not, where something says so.
    fn settle_family(&self, base: Option<&Packet>) -> Result<Option<bool>, WordError> {
        let mut known: Option<(bool, String)> = base.and_then(|packet| {
            let v6 = packet.known(Field::NfProto)? == 10;
            Some((v6, "the captured packet".to_owned()))
        });
        let mut hear = |v6: bool, said: WordMention<'_>| match &known {
            Some((before, who)) if *before != v6 => {
                let mut error = said.refuse(format!(
                    "{}, but {who} is {}",
                    if v6 { "IPv6" } else { "IPv4" },
                    if v6 { "IPv4" } else { "IPv6" }
                ));
                error.hint = match said.word {
                    "icmp" if !v6 => Some("with IPv6 the protocol is `icmpv6`".into()),
                    "icmpv6" | "icmp6" => Some("with IPv4 the protocol is `icmp`".into()),
                    _ => None,
                };
                Err(error)
            }
            Some(_) => Ok(()),
            None => {
                known = Some((v6, format!("`{}`", said.word)));
                Ok(())
            }
        };
        if let Some(said) = &self.v6 {
            hear(said.value, said.mention())?;
        }
        for said in [&self.source.address, &self.destination.address]
            .into_iter()
            .flatten()
        {
            hear(matches!(said.value, IpAddr::V6(_)), said.mention())?;
        }
        if let Some(said) = &self.protocol
            && matches!(said.value, 1 | 58)
        {
            hear(said.value == 58, said.mention())?;
        }
        if let Some(said) = &self.icmp
            && !said.value.starts_with(|c: char| c.is_ascii_digit())
        {
            let (four, six) = (
                find_type(&said.value, false).is_some(),
                find_type(&said.value, true).is_some(),
            );
            if four != six {
                hear(six, said.mention())?;
            }
        }
        Ok(known.map(|(v6, _)| v6))
    }

    /// The protocol, said or implied.
    fn settle_protocol(
        &self,
        v6: Option<bool>,
        base: Option<&Packet>,
    ) -> Result<Option<u8>, WordError> {
        let captured = base.and_then(|packet| u8::try_from(packet.known(Field::L4Proto)?).ok());
        let said = self.protocol.as_ref().map(|said| said.value);
        if let (Some(said), Some(captured)) = (&self.protocol, captured)
            && said.value != captured
        {
            return Err(said.refuse("the captured packet has another protocol"));
        }
        let known = said.or(captured);
        let own_icmp = if v6 == Some(true) { 58 } else { 1 };
        let name = |number: u8| {
            names::protocol_name(number).map_or_else(|| format!("protocol {number}"), str::to_owned)
        };
        if let Some(flags) = &self.flags
            && known.is_some_and(|number| number != 6)
        {
            let what = format!(
                "only TCP has flags, and this is {}",
                name(known.unwrap_or(0))
            );
            return Err(flags.refuse(what));
        }
        if let Some(kind) = &self.icmp
            && known.is_some_and(|number| number != own_icmp)
        {
            let what = format!("an ICMP type, but this is {}", name(known.unwrap_or(0)));
            return Err(kind.refuse(what));
        }
        if let (Some(kind), Some(flags)) = (&self.icmp, &self.flags) {
            return Err(kind.refuse(format!("an ICMP type, but `{}` is of TCP", flags.word)));
        }
        let ports = || {
            [&self.source.port, &self.destination.port]
                .into_iter()
                .flatten()
        };
        let implied = if self.flags.is_some() {
            Some(6)
        } else if self.icmp.is_some() || self.code.is_some() {
            Some(own_icmp)
        } else if let Some(service) = &self.service {
            Some(service.value.protocol)
        } else if ports().next().is_some() {
            Some(6)
        } else {
            None
        };
        let number = known.or(implied);
        if let Some(port) = ports().next()
            && let Some(number) = number
            && !settle::has_ports(number.into())
        {
            return Err(port.refuse(format!("{} has no ports", name(number))));
        }
        if let Some(code) = &self.code
            && self.icmp.is_none()
        {
            return Err(
                code.refuse("an ICMP code means nothing without its type: say `type 3 code 4`")
            );
        }
        if let Some(fragment) = &self.fragment {
            let parts = [
                ports().next().map(GivenValue::mention),
                self.flags.as_ref().map(GivenValue::mention),
                self.icmp.as_ref().map(GivenValue::mention),
                self.code.as_ref().map(GivenValue::mention),
            ];
            if let Some(part) = parts.into_iter().flatten().next() {
                let mut error = part.refuse("only the first fragment of a packet holds this");
                error.hint = Some(format!("leave it out, or leave `{}` out", fragment.word));
                return Err(error);
            }
        }
        Ok(number)
    }

    /// Ports, flags, types, and what conntrack says.
    fn put_transport(
        &self,
        packet: &mut Packet,
        v6: Option<bool>,
        protocol: Option<u8>,
        captured: bool,
    ) -> Result<(), WordError> {
        for (end, field) in [
            (&self.source, Field::SrcPort),
            (&self.destination, Field::DstPort),
        ] {
            if let Some(port) = &end.port {
                packet.put(field, FieldValue::Known(port.value.into()));
            }
        }
        if self.fragment.is_some() {
            packet.put(Field::IsLaterFragment, FieldValue::Known(1));
        }
        let state = self.state.as_ref().map(|state| state.value);
        if let Some(flags) = &self.flags {
            packet.put(Field::TcpFlags, FieldValue::Known(flags.value.into()));
        } else if protocol == Some(6) && self.fragment.is_none() && !captured {
            let (flags, note) = match state {
                None => {
                    packet.put(Field::CtState, FieldValue::Known(ct_state::NEW));
                    (SYN, "taken as the SYN of a new connection")
                }
                Some(ct_state::NEW) => (SYN, "taken as a SYN, which opens a connection"),
                Some(ct_state::ESTABLISHED) => (ACK, "taken as a plain ACK, as it is established"),
                _ => (0, ""),
            };
            if flags != 0 {
                packet.put(Field::TcpFlags, FieldValue::Known(flags.into()));
                packet.notes.push(note.into());
            }
        }
        if let Some(kind) = &self.icmp {
            self.put_icmp(packet, kind, v6 == Some(true))?;
        }
        if let (None, None, false, Some((state, note))) = (
            state,
            &self.direction,
            captured,
            usual_state(packet, v6 == Some(true)),
        ) {
            packet.put(Field::CtState, FieldValue::Known(state));
            packet.notes.push(note.into());
        }
        if let Some(state) = state {
            if captured {
                packet
                    .notes
                    .retain(|note| !note.starts_with(super::super::pcap::STATE_NOTE));
            }
            packet.put(Field::CtState, FieldValue::Known(state));
        }
        if let Some(direction) = &self.direction {
            packet.put(
                Field::CtDirection,
                FieldValue::Known(direction.value.into()),
            );
            if direction.value == 1 && state.is_none() {
                packet.put(Field::CtState, FieldValue::Known(ct_state::ESTABLISHED));
            }
        }
        Ok(())
    }

    fn put_icmp(
        &self,
        packet: &mut Packet,
        kind: &GivenValue<String>,
        v6: bool,
    ) -> Result<(), WordError> {
        let (of_type, of_code) = if v6 {
            (Field::Icmp6Type, Field::Icmp6Code)
        } else {
            (Field::IcmpType, Field::IcmpCode)
        };
        let Some((Some(number), code)) = find_type(&kind.value, v6) else {
            let family = if v6 { "ICMPv6" } else { "ICMP" };
            return Err(kind.refuse(format!("{family} has no type of this name")));
        };
        packet.put(of_type, FieldValue::Known(number.into()));
        let code = match (code, &self.code) {
            (Some(code), Some(said)) if said.value != code => {
                return Err(said.refuse(format!("`{}` has the code {code}", kind.word)));
            }
            (code, said) => code.or(said.as_ref().map(|said| said.value)),
        };
        let only = only_code_0(number.into(), v6);
        if let Some(code) = code.or(only.then_some(0)) {
            packet.put(of_code, FieldValue::Known(code.into()));
        }
        Ok(())
    }

    fn put_fields(&self, packet: &mut Packet, v6: bool) {
        let wide =
            |said: &Option<GivenValue<u32>>| said.as_ref().map(|said| u128::from(said.value));
        let byte = |said: &Option<GivenValue<u8>>| said.as_ref().map(|said| u128::from(said.value));
        let of = |four, six| if v6 { six } else { four };
        let fields = [
            (Field::Mark, wide(&self.mark)),
            (Field::CtMark, wide(&self.ctmark)),
            (Field::Uid, wide(&self.uid)),
            (Field::Gid, wide(&self.gid)),
            (
                Field::Length,
                self.length.as_ref().map(|said| said.value.into()),
            ),
            (of(Field::Ttl, Field::HopLimit), byte(&self.ttl)),
            (of(Field::Ip4Dscp, Field::Ip6Dscp), byte(&self.dscp)),
            (of(Field::Tos, Field::TrafficClass), byte(&self.tos)),
            (
                Field::MacSrc,
                self.mac.as_ref().map(|said| said.value.into()),
            ),
            (Field::PacketType, byte(&self.link)),
        ];
        for (field, number) in fields {
            if let Some(number) = number {
                packet.put(field, FieldValue::Known(number));
            }
        }
    }
}

/// What a service's name was taken for.
fn service_note(service: &GivenValue<NamedService>, protocol: u8, said: bool) -> String {
    let (word, NamedService { port, other, .. }) = (service.word.escape_debug(), service.value);
    let name = |number| if number == 6 { "TCP" } else { "UDP" };
    if said {
        return format!("`{word}` taken as port {port}");
    }
    let mut note = format!("`{word}` taken as {} to port {port}", name(protocol));
    if let Some(other) = other.filter(|other| *other != protocol) {
        let other = name(other);
        note = format!("{note}; say `{} {word}` for {other}", other.to_lowercase());
    }
    note
}
