//! The way of a packet: to this host, through it or from it.

use super::WordError;
use super::read::{PacketDraft, WordMention};
use crate::packet::{Packet, PacketInterface, PacketPath};
use surefoot_ruleset::model::ct_state;

impl PacketDraft {
    /// Puts the path and the interfaces.
    pub(super) fn settle_way(&self, mut packet: Packet, captured: bool) -> Packet {
        let [comes_in, goes_out, _] = &self.way;
        let (path, assumed) = match (self.comes_in(), self.goes_out()) {
            (Some(_), Some(_)) => (PacketPath::Forward, false),
            (None, Some(_)) => (PacketPath::Output, false),
            (None, None) if self.source.me.is_some() => (PacketPath::Output, false),
            (_, None) if self.destination.me.is_some() => (PacketPath::Input, false),
            (None, None) if self.owner_words().is_some() => (PacketPath::Output, false),
            (Some(_), None) => (PacketPath::Input, true),
            (None, None) => (packet.path, true),
        };
        let was_assumed = packet.path_assumed || !captured;
        if path != packet.path {
            let Packet { input, output, .. } = Packet::new(path);
            packet.path = path;
            packet.input = input;
            packet.output = output;
        }
        packet.path_assumed = assumed && (was_assumed || self.comes_in().is_some());
        packet.comes_in = comes_in.is_some() && goes_out.is_none();
        if let Some(name) = &self.input {
            packet.input = PacketInterface::named(&name.value);
        }
        if let Some(name) = &self.output {
            packet.output = PacketInterface::named(&name.value);
        }
        packet
    }

    /// What says that the packet comes in.
    fn comes_in(&self) -> Option<WordMention<'_>> {
        let [comes_in, _, forwarded] = &self.way;
        let named = self.input.as_ref().map(|said| said.mention());
        let bare = comes_in.as_ref().or(forwarded.as_ref());
        named.or(bare.map(|said| said.mention()))
    }

    /// What says that the packet goes out.
    fn goes_out(&self) -> Option<WordMention<'_>> {
        let [_, goes_out, forwarded] = &self.way;
        let named = self.output.as_ref().map(|said| said.mention());
        let bare = goes_out.as_ref().or(forwarded.as_ref());
        named.or(bare.map(|said| said.mention()))
    }

    /// What says who sent the packet.
    fn owner_words(&self) -> Option<WordMention<'_>> {
        let owner = self.uid.as_ref().or(self.gid.as_ref());
        owner.map(|said| said.mention())
    }

    /// Refuses ways that no packet takes.
    pub(super) fn check_way(&self) -> Result<(), WordError> {
        self.check_me()?;
        if let (Some(owner), Some(input)) = (self.owner_words(), self.comes_in()) {
            return Err(owner.refuse(format!(
                "only a packet that this host sends has an owner, and this one comes in by `{}`",
                input.word.escape_debug()
            )));
        }
        let sent_here = self.source.me.as_ref().map(|said| said.mention());
        if let (Some(mac), None, Some(output)) =
            (&self.mac, self.comes_in(), self.goes_out().or(sent_here))
        {
            let what = format!(
                "a packet that this host sends (`{}`) has no sender's hardware address; say `in IFACE` as well for one that it forwards",
                output.word.escape_debug()
            );
            return Err(mac.refuse(what));
        }
        if let (Some(state), Some(reply)) = (&self.state, &self.direction)
            && reply.value == 1
            && state.value == ct_state::NEW
        {
            return Err(reply.refuse("a new connection has no reply yet"));
        }
        Ok(())
    }

    /// Refuses what this host as an end rules out.
    fn check_me(&self) -> Result<(), WordError> {
        for end in [&self.source, &self.destination] {
            if let (Some(me), Some(address)) = (&end.me, &end.address) {
                let word = address.word.escape_debug();
                return Err(me.refuse(format!("the address is `{word}`, and a packet has one")));
            }
        }
        if let Some(me) = &self.destination.me {
            if self.source.me.is_some() || self.owner_words().is_some() && self.goes_out().is_none()
            {
                let mut error =
                    me.refuse("a packet from this host to itself goes out and in again");
                error.hint = Some("say `out lo` or `in lo` for the half that is meant, with `127.0.0.1` or the address as both ends".into());
                return Err(error);
            }
            if let Some(output) = self.goes_out() {
                let word = output.word.escape_debug();
                return Err(me.refuse(format!(
                    "a packet to this host does not leave it, but `{word}` is said"
                )));
            }
        }
        if let (Some(me), Some(input)) = (&self.source.me, self.comes_in()) {
            let word = input.word.escape_debug();
            return Err(me.refuse(format!(
                "a packet from this host does not come in, but `{word}` is said"
            )));
        }
        Ok(())
    }
}
