//! Many packets in words: `tcp from 10.0.0.0/8 to :22,80 in eth0 not new`.
//!
//! The words are those of a single packet ([`crate::packet::words`]), with lists, networks, ranges
//! and `not` besides. What is not said may be anything.
//!
//! | words | meaning |
//! | --- | --- |
//! | `tcp`, `udp,icmp`, `proto 47` | one of these protocols |
//! | `ssh` `https` `dns` … | a service: its protocol and port |
//! | `from ENDS`, `to ENDS` | the ends: see below |
//! | `sport PORTS`, `dport PORTS`, `from port PORTS`, `to port PORTS` | the ports alone |
//! | `in NAMES`, `out NAMES` | interfaces, `eth+` for all that begin so; both together: forwarded |
//! | `forwarded`, `out` | the way; without these words and `out NAMES`, packets to this host are meant, or, where destinations are named, those that go there |
//! | `new`, `established,related`, `invalid`, `untracked` | what conntrack says of them; if nothing is said, first packets of connections are meant, and ICMP messages that belong to one |
//! | `state any` | whatever conntrack says |
//! | `original`, `reply` | the direction in the connection |
//! | `syn` | TCP packets that open a connection |
//! | `ping`, `echo-request`, `type 3/4,8` | ICMP types, with the code where one is meant |
//! | `ipv4`, `ipv6` | the family |
//! | `uid 1000`, `ctmark 0x1`, `ttl 64`, `length 0-1500` | other fields, with lists and ranges |
//! | `fragment` | later fragments |
//! | `not` | turns the next of these round |
//! | `traffic`, `packets`, `anything`, `and` | nothing: they make a sentence of it |
//!
//! ENDS is `ADDRS`, `ADDRS:PORTS` or `:PORTS`. ADDRS is a list of addresses, networks (`10.0.0.0/8`),
//! ranges (`10.0.0.1-10.0.0.9`), `me` for this host's own, `any`, and `@NAME` for a set of the rules.
//! Lists have commas, or stand in braces: `{10.0.0.0/8, 192.168.0.0/16}:22`; IPv6 with ports has
//! brackets: `[2001:db8::/32]:22`. PORTS are numbers, ranges (`1024-65535`) and names of services.
//!
//! A sentence about them ([`Assertion`]) says `is`, perhaps `not`, and a verdict; `accepted as` and what
//! they have become; or `decided by` and a rule.

mod assertion;
mod ends;
mod fits;
mod read;
mod rule_name;
mod terms;

pub use assertion::{Assertion, Claim, policy};
pub use rule_name::RuleName;
pub use terms::UnsayableTraffic;

use surefoot_report::Problem;

use crate::packet::PacketPath;
use surefoot_ruleset::model::{Field, Match, NamePattern, Operand, Range, ct_state, ct_status};

/// Packets that have something in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The way that they take, where it was said.
    pub way: Option<PacketPath>,
    /// The family, where it was said or follows.
    pub v6: Option<bool>,
    /// Whether nothing was said of the connection, so that first packets are meant.
    pub taken_as_new: bool,
    /// Whether destinations were named, which tell the way.
    pub names_destination: bool,
    pub(crate) conditions: Vec<TrafficCondition>,
}

/// One condition: all its parts hold, or not all of them if negated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrafficCondition {
    pub(crate) negated: bool,
    pub(crate) parts: Vec<ConditionPart>,
}

/// A part of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConditionPart {
    /// As a rule would ask.
    Match(Match),
    /// One of these holds.
    Any(Vec<ConditionPart>),
    /// All of these hold.
    All(Vec<ConditionPart>),
    /// An address is in a set of the rules.
    InSet {
        /// Whether the source is meant.
        source: bool,
        /// The set's name.
        name: String,
    },
}

impl Traffic {
    /// Reads the words.
    ///
    /// # Errors
    ///
    /// A word that is not understood, with its place.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        read::read_traffic(&read::words(text, 0)?)
    }

    /// The packets that open connections from these addresses and come in by this interface.
    pub fn opening_from(sources: &[Range], v6: bool, interface: &str) -> Self {
        let source = if v6 { Field::Ip6Src } else { Field::Ip4Src };
        let input = Match::InInterface {
            negated: false,
            names: vec![NamePattern {
                text: interface.to_owned(),
                prefix: false,
            }],
        };
        let new = Range::one(ct_state::NEW);
        let parts = [
            ends::field_part(source, sources.to_vec()),
            ConditionPart::Match(input),
            ends::field_part(Field::CtState, vec![new]),
        ];
        let conditions = parts.map(|part| TrafficCondition {
            negated: false,
            parts: vec![part],
        });
        Self {
            conditions: conditions.into(),
            ..Self::default()
        }
    }

    /// Of these packets those with exactly one of these combinations of TCP flags.
    #[must_use]
    pub fn with_tcp_flags(mut self, combinations: &[u8]) -> Self {
        let ranges = combinations
            .iter()
            .map(|flags| Range::one(u128::from(*flags)));
        let part = ends::field_part(Field::TcpFlags, ranges.collect());
        self.conditions.push(TrafficCondition {
            negated: false,
            parts: vec![part],
        });
        self
    }

    /// Of these packets those of connections that NAT does not rewrite.
    #[must_use]
    pub fn without_nat(mut self) -> Self {
        let part = ConditionPart::Match(Match::Field {
            operand: Operand {
                field: Field::CtStatus,
                mask: Some(ct_status::SNAT | ct_status::DNAT),
            },
            negated: false,
            ranges: vec![Range::one(0)],
        });
        self.conditions.push(TrafficCondition {
            negated: false,
            parts: vec![part],
        });
        self
    }

    /// The interface names that it speaks of.
    pub fn names(&self) -> Vec<NamePattern> {
        let parts = self
            .conditions
            .iter()
            .flat_map(|condition| &condition.parts);
        let mut found = Vec::new();
        for part in parts {
            if let ConditionPart::Match(
                Match::InInterface { names, .. } | Match::OutInterface { names, .. },
            ) = part
            {
                found.extend(names.iter().cloned());
            }
        }
        found
    }

    /// The names of sets that it speaks of.
    pub fn sets(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for condition in &self.conditions {
            for part in &condition.parts {
                part.sets(&mut names);
            }
        }
        names
    }
}

impl ConditionPart {
    fn sets<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Self::Match(_) => {}
            Self::Any(of) | Self::All(of) => of.iter().for_each(|one| one.sets(names)),
            Self::InSet { name, .. } => names.push(name),
        }
    }
}

#[cfg(test)]
mod tests;
