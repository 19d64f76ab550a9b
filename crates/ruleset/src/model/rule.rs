//! A rule and what it is made of.

use std::net::IpAddr;

use super::{ChainId, Counters, Field, KernelMemory, NamePattern, Operand, Place, Range, SetRef};

/// A rule: statements that run in order until one does not match or gives a verdict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// Its number in the chain, from 1, as in `iptables -L --line-numbers`.
    pub number: u32,
    /// nft's handle, where known.
    pub handle: Option<u64>,
    /// What it has counted, where the text says so.
    pub counters: Option<Counters>,
    /// Its comment.
    pub comment: Option<String>,
    /// The statements in order.
    pub statements: Vec<Statement>,
    /// Where it stands; [`super::Firewall::text`] gives its words.
    pub place: Place,
}

/// One step of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statement {
    /// Goes on only if it matches.
    Match(Match),
    /// Changes something, then goes on.
    Effect(Effect),
    /// Decides.
    Verdict(Verdict),
    /// Decides by a verdict map; goes on if the key is not in it.
    VerdictMap(VerdictLookup),
}

/// A condition on the packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Match {
    /// A field lies in one of the ranges, or in none of them if negated.
    Field {
        /// What is looked at.
        operand: Operand,
        /// Whether the answer is turned round.
        negated: bool,
        /// The numbers, ascending and not overlapping.
        ranges: Vec<Range>,
    },
    /// The incoming interface has one of these names. Where there is none, the name is empty.
    InInterface {
        /// Whether the answer is turned round.
        negated: bool,
        /// The names.
        names: Vec<NamePattern>,
    },
    /// The outgoing interface, likewise.
    OutInterface {
        /// Whether the answer is turned round.
        negated: bool,
        /// The names.
        names: Vec<NamePattern>,
    },
    /// Several fields together, or a set.
    Lookup(Lookup),
    /// One of several matches holds, or none of them if negated.
    Any {
        /// Whether the answer is turned round.
        negated: bool,
        /// The matches.
        of: Vec<Match>,
    },
    /// Never matches: a contradiction that the text spells out.
    Never,
    /// A match that is not modelled.
    Opaque(Opaque),
}

impl Match {
    /// Whether it, or one of the matches that it is made of, is such.
    pub fn has_part(&self, is: &dyn Fn(&Self) -> bool) -> bool {
        match self {
            Self::Any { of, .. } => of.iter().any(|one| one.has_part(is)),
            one => is(one),
        }
    }

    /// Whether the answer depends on earlier packets: the test itself may change it.
    pub fn asks_past(&self) -> bool {
        self.has_part(&|one| matches!(one, Self::Opaque(opaque) if opaque.stateful))
    }
}

/// Looks a key up in a set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lookup {
    /// The parts of the key; one per dimension of the set.
    pub key: Vec<KeyPart>,
    /// Whether the answer is turned round.
    pub negated: bool,
    /// Where to look.
    pub set: SetRef,
}

/// One dimension of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyPart {
    /// A number of the packet.
    Number(Operand),
    /// The name of the incoming interface.
    InInterface,
    /// The name of the outgoing interface.
    OutInterface,
}

/// Looks a key up in a verdict map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerdictLookup {
    /// The parts of the key.
    pub key: Vec<KeyPart>,
    /// Where to look; elements carry [`super::ElementValue::Verdict`].
    pub map: SetRef,
}

/// Words that are not modelled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opaque {
    /// The words, normalised: equal text means equal condition unless `stateful`.
    pub text: String,
    /// Whether the answer depends on earlier packets or on time (`limit`, `recent`), so that two
    /// occurrences of one text can differ.
    pub stateful: bool,
    /// The named state that it tests, and changes by the test.
    pub memory: Option<KernelMemory>,
}

/// A change that a rule makes without deciding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// `field = (field & and) ^ xor`, for [`Field::Mark`] and [`Field::CtMark`].
    SetMark {
        /// Which mark.
        field: Field,
        /// Bits that stay.
        and: u32,
        /// Bits that are flipped afterwards.
        xor: u32,
    },
    /// `to = (to & !to_mask) ^ (from & from_mask)`: CONNMARK's save and restore.
    CopyMark {
        /// The mark that is read.
        from: Field,
        /// Its bits that are copied.
        from_mask: u32,
        /// The mark that is written.
        to: Field,
        /// Its bits that are cleared first.
        to_mask: u32,
    },
    /// The packet will not be tracked: its state is UNTRACKED from here on.
    NoTrack,
    /// Conntrack looks in another zone.
    CtZone(u16),
    /// The field has this value afterwards.
    Set {
        /// Which field.
        field: Field,
        /// Its new value.
        value: u128,
    },
    /// The field has a value afterwards that is not modelled.
    Forget {
        /// Which field.
        field: Field,
    },
    /// Writes a line to the kernel's log.
    Log {
        /// The text at the start of the line.
        prefix: String,
    },
    /// Adds or refreshes an element of a dynamic set, or deletes it.
    UpdateSet {
        /// The set.
        set: SetRef,
        /// The words.
        text: String,
    },
    /// The kernel keeps something of the packet, for rules that test later ones by it.
    Remember {
        /// Where.
        memory: KernelMemory,
        /// The words.
        text: String,
    },
    /// Changes nothing that a verdict could depend on: `counter`, `CHECKSUM`, `TCPMSS`.
    Other {
        /// The words.
        text: String,
    },
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Ends this base chain; later base chains of the hook still see the packet.
    Accept,
    /// Final, and silent.
    Drop,
    /// Final, with an answer to the sender.
    Reject {
        /// iptables' word for the answer, such as `icmp-port-unreachable` or `tcp-reset`.
        with: String,
    },
    /// Back to the caller; in a base chain, its policy.
    Return,
    /// Calls a chain and comes back after it.
    Jump(ChainId),
    /// Calls a chain and does not come back here.
    Goto(ChainId),
    /// Goes on with the next rule.
    Continue,
    /// A program in user space decides.
    Queue {
        /// The words.
        text: String,
    },
    /// Rewrites addresses, then accepts.
    Nat(Nat),
    /// A target that is not modelled: it may decide or go on.
    Unknown(Opaque),
}

/// How addresses are rewritten.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nat {
    /// What is rewritten.
    pub kind: NatKind,
    /// The new addresses; none keeps the old one, or takes the interface's.
    pub addresses: Option<(IpAddr, IpAddr)>,
    /// The new ports.
    pub ports: Option<(u16, u16)>,
    /// A map that gives the address or the port, where there is one.
    pub by_map: Option<Box<(Vec<KeyPart>, SetRef)>>,
    /// All the words, for people.
    pub text: String,
}

/// What NAT rewrites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NatKind {
    /// The source.
    Snat,
    /// The destination.
    Dnat,
    /// The source, to the outgoing interface's address.
    Masquerade,
    /// The destination, to the incoming interface's address.
    Redirect,
    /// The network part only.
    Netmap,
}
