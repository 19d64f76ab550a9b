//! A packet as the rules see it: a value for every field, or the admission that it is not known.
//!
//! A person who asks "what happens to tcp from there to port 22" leaves most of a packet unsaid.
//! What follows from the words is filled in ([`Packet::settle`]); what does not stays unknown, and
//! the answer then says what hangs on it.

mod beginning;
pub mod conntrack;
pub mod pcap;
mod settle;
mod show;
mod way;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use surefoot_ruleset::model::{Field, Range};

pub use settle::address_type;
pub use settle::{covers, has_ports, number_to_address as to_address};
pub use show::{field_words, value_words};
pub(crate) use way::route_to;

/// A packet on its way through this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its way.
    pub path: PacketPath,
    /// Whether the way was not said, so that [`Packet::settle`] may find a better one.
    pub path_assumed: bool,
    /// The interface it came in by.
    pub input: PacketInterface,
    /// The interface it leaves by.
    pub output: PacketInterface,
    /// Whether it is known not to come in by the loopback interface, where that is not known.
    pub not_by_loopback: bool,
    /// Whether it was said to come in, by whichever interface.
    pub(crate) comes_in: bool,
    /// What was filled in or left open, for the reader.
    pub notes: Vec<String>,
    values: BTreeMap<Field, FieldValue>,
    /// Fields that are not known but there, and have one of these numbers.
    among: BTreeMap<Field, Vec<Range>>,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldValue {
    /// This one.
    Known(u128),
    /// The packet does not have the field.
    Absent,
    /// Not known, and perhaps not even there.
    Unknown,
}

/// An interface that a packet passes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PacketInterface {
    /// This one.
    Named(String),
    /// None: it was made here, or ends here.
    None,
    /// Not known.
    Unknown,
}

/// The way of a packet through this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PacketPath {
    /// To this host.
    Input,
    /// Through it.
    Forward,
    /// From it.
    Output,
}

impl Packet {
    /// A packet of which only the way is known.
    pub fn new(path: PacketPath) -> Self {
        let (input, output) = match path {
            PacketPath::Input => (PacketInterface::Unknown, PacketInterface::None),
            PacketPath::Forward => (PacketInterface::Unknown, PacketInterface::Unknown),
            PacketPath::Output => (PacketInterface::None, PacketInterface::Unknown),
        };
        Self {
            path,
            path_assumed: false,
            input,
            output,
            not_by_loopback: false,
            comes_in: false,
            notes: Vec::new(),
            values: BTreeMap::new(),
            among: BTreeMap::new(),
        }
    }

    /// The value of a field.
    pub fn get(&self, field: Field) -> FieldValue {
        self.values
            .get(&field)
            .copied()
            .unwrap_or(FieldValue::Unknown)
    }

    /// The number in a field, where it is known.
    pub fn known(&self, field: Field) -> Option<u128> {
        match self.get(field) {
            FieldValue::Known(number) => Some(number),
            FieldValue::Absent | FieldValue::Unknown => None,
        }
    }

    /// Gives a field a value.
    pub fn put(&mut self, field: Field, value: FieldValue) {
        self.among.remove(&field);
        if value == FieldValue::Unknown {
            self.values.remove(&field);
        } else {
            self.values.insert(field, value);
        }
    }

    /// The same packet with a number in a field.
    #[must_use]
    pub fn with(mut self, field: Field, number: impl Into<u128>) -> Self {
        self.put(field, FieldValue::Known(number.into()));
        self
    }

    /// The same packet from an address.
    #[must_use]
    pub fn from(mut self, address: IpAddr) -> Self {
        self.put_address(address, Field::Ip4Src, Field::Ip6Src);
        self
    }

    /// The same packet to an address.
    #[must_use]
    pub fn to(mut self, address: IpAddr) -> Self {
        self.put_address(address, Field::Ip4Dst, Field::Ip6Dst);
        self
    }

    fn put_address(&mut self, address: IpAddr, v4: Field, v6: Field) {
        let (field, number, family) = match address {
            IpAddr::V4(address) => (v4, u128::from(address.to_bits()), 2),
            IpAddr::V6(address) => (v6, address.to_bits(), 10),
        };
        self.put(field, FieldValue::Known(number));
        self.put(Field::NfProto, FieldValue::Known(family));
    }

    /// Whether it is an IPv6 packet.
    pub fn is_v6(&self) -> bool {
        self.known(Field::NfProto) == Some(10)
    }

    /// The source, where it is known.
    pub fn source(&self) -> Option<IpAddr> {
        if self.is_v6() {
            self.known(Field::Ip6Src)
                .map(|number| IpAddr::V6(number.into()))
        } else {
            let number = u32::try_from(self.known(Field::Ip4Src)?).ok()?;
            Some(IpAddr::V4(number.into()))
        }
    }

    /// The destination, where it is known.
    pub fn destination(&self) -> Option<IpAddr> {
        if self.is_v6() {
            self.known(Field::Ip6Dst)
                .map(|number| IpAddr::V6(number.into()))
        } else {
            let number = u32::try_from(self.known(Field::Ip4Dst)?).ok()?;
            Some(IpAddr::V4(number.into()))
        }
    }

    /// Forgets every field but these and those by which people tell packets apart.
    pub fn keep_only(&mut self, asked: &BTreeSet<Field>) {
        let known_by = |field: &Field| {
            matches!(
                field,
                Field::NfProto
                    | Field::L4Proto
                    | Field::Ip4Src
                    | Field::Ip4Dst
                    | Field::Ip6Src
                    | Field::Ip6Dst
                    | Field::SrcPort
                    | Field::DstPort
                    | Field::IcmpType
                    | Field::IcmpCode
                    | Field::Icmp6Type
                    | Field::Icmp6Code
                    | Field::CtState
            )
        };
        self.values
            .retain(|field, _| known_by(field) || asked.contains(field));
    }

    /// What is known of fields that are there without being known: ascending, not overlapping.
    pub(crate) fn among(&self) -> &BTreeMap<Field, Vec<Range>> {
        &self.among
    }

    /// Every value that is known or known to be absent.
    pub fn values(&self) -> &BTreeMap<Field, FieldValue> {
        &self.values
    }
}
