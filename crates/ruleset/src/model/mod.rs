//! One model for iptables, ip6tables, nft and ipset.
//!
//! The parsers keep what was written (`parse`); this is what it means. A rule is a list of
//! statements that the kernel runs in order until one does not match or gives a verdict, which
//! is nft's own view and holds for iptables too. What is not modelled stays as opaque text, so
//! that an answer can say on which words it depends.

mod field;
mod name;
mod rule;
mod set;
mod side_effect;

pub use field::{Field, NamePattern, Operand, Range, ct_state, ct_status};
pub use name::{RuleAt, backend_word, chain_name, table_name};
pub use rule::{
    Effect, KeyPart, Lookup, Match, Nat, NatKind, Opaque, Rule, Statement, Verdict, VerdictLookup,
};
pub use set::{Component, Content, Element, ElementValue, Set, SetKind, SetRef};
pub use side_effect::{KernelMemory, SideEffect};

use std::net::IpAddr;

use surefoot_report::{Position, Source, Span};

/// Every rule and set of one machine, or of the files that were given: legacy tables,
/// nft tables and ipsets can be in force side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firewall {
    /// The texts that were read; a [`Place`] points into them.
    pub sources: Vec<Source>,
    /// All tables of all backends, in the order in which they were read.
    pub tables: Vec<Table>,
    /// The sets of `ipset save`, shared by all iptables tables of the network namespace.
    pub ipsets: Vec<Set>,
    /// Whether `ipset save` was read at all; if not, every ipset's content is unknown.
    pub ipsets_read: bool,
}

impl Firewall {
    /// The text of a place.
    pub fn text(&self, place: Place) -> &str {
        self.sources
            .get(usize::from(place.source))
            .map_or("", |source| source.slice(place.span))
    }

    /// The name of the source and the position in it.
    pub fn position(&self, place: Place) -> Option<(&str, Position)> {
        let source = self.sources.get(usize::from(place.source))?;
        let start = place.span.start;
        Some((source.name_at(start), source.position(start)))
    }
}

/// Bytes in one of the texts of a [`Firewall`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Index into [`Firewall::sources`].
    pub source: u16,
    /// The bytes.
    pub span: Span,
}

/// The mechanism that holds a table in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Backend {
    /// `ip_tables`, `ip6_tables`: what `iptables-legacy` writes.
    IptablesLegacy,
    /// `nf_tables`, written by `iptables-nft`.
    IptablesNft,
    /// An iptables file that does not say which of the two will load it.
    Iptables,
    /// `nf_tables`, written by `nft`.
    Nft,
}

impl Backend {
    /// Whether the rules have iptables' syntax.
    pub fn is_iptables(self) -> bool {
        self != Self::Nft
    }
}

/// The packets that a table sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// Both.
    Inet,
    /// ARP.
    Arp,
    /// Frames that cross a bridge.
    Bridge,
    /// Frames of one device, before everything else.
    Netdev,
}

impl Family {
    /// Whether a table of this family sees packets of the address's family.
    pub fn sees(self, address: IpAddr) -> bool {
        match self {
            Self::Ip => address.is_ipv4(),
            Self::Ip6 => address.is_ipv6(),
            Self::Inet => true,
            Self::Arp | Self::Bridge | Self::Netdev => false,
        }
    }

    /// nft's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Inet => "inet",
            Self::Arp => "arp",
            Self::Bridge => "bridge",
            Self::Netdev => "netdev",
        }
    }
}

/// A table: chains and, with nft, sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// What holds it.
    pub backend: Backend,
    /// The packets it sees.
    pub family: Family,
    /// `filter`, `nat` and so on; any word with nft.
    pub name: String,
    /// nft's `flags dormant`: loaded, but no chain is hooked.
    pub dormant: bool,
    /// The chains, in the order of the text.
    pub chains: Vec<Chain>,
    /// nft's named sets and maps.
    pub sets: Vec<Set>,
    /// Flowtables, helpers, quotas and the like: one line each.
    pub others: Vec<String>,
    /// Where it stands.
    pub place: Place,
}

impl Table {
    /// Whether the kernel would take the two for one table.
    pub fn same_as(&self, other: &Self) -> bool {
        (self.backend, self.family, &self.name) == (other.backend, other.family, &other.name)
    }

    /// The chain of that name.
    pub fn chain(&self, name: &str) -> Option<(ChainId, &Chain)> {
        let at = self.chains.iter().position(|chain| chain.name == name)?;
        Some((ChainId(u32::try_from(at).ok()?), &self.chains[at]))
    }
}

/// Index of a chain in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(pub u32);

/// A chain: rules, read top-down to the first verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// Set for a chain that the kernel calls by itself; a user chain has none.
    pub base: Option<Base>,
    /// The rules in order; [`Rule::number`] counts from 1 in this order.
    pub rules: Vec<Rule>,
    /// Packets and bytes that met the policy, where the text has them.
    pub policy_counters: Option<Counters>,
    /// Where it stands.
    pub place: Place,
}

/// Where and when the kernel calls a chain, and what happens at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The hook.
    pub hook: Hook,
    /// Lower is earlier. iptables' tables: raw -300, mangle -150, nat -100 (DNAT) and 100 (SNAT),
    /// filter 0, security 50 (`include/uapi/linux/netfilter_ipv4.h`).
    pub priority: i32,
    /// What kind of chain.
    pub kind: ChainKind,
    /// The verdict at the end of the chain.
    pub policy: Policy,
    /// The devices of an ingress or egress chain.
    pub devices: Vec<String>,
}

/// A place on a packet's way through the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// On the device, before the IP layer.
    Ingress,
    /// Received, not yet routed.
    Prerouting,
    /// Routed to this host.
    Input,
    /// Routed through this host.
    Forward,
    /// Made by this host.
    Output,
    /// About to leave.
    Postrouting,
    /// On the device, on the way out.
    Egress,
}

impl Hook {
    /// nft's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
            Self::Egress => "egress",
        }
    }
}

/// What kind of base chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChainKind {
    /// Gives verdicts only.
    Filter,
    /// Sees the first packet of a flow and may rewrite its addresses.
    Nat,
    /// Routes again if a packet of this host was changed.
    Route,
}

/// The verdict at the end of a base chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// Goes on to the next base chain.
    Accept,
    /// Final.
    Drop,
}

/// What a rule or a policy has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}
