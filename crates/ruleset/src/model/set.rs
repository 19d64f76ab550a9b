//! Sets and maps: nft's, and ipset's.

use super::{NamePattern, Place, Range, Verdict};

/// A set, a map or a verdict map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set {
    /// Its name.
    pub name: String,
    /// Which kind.
    pub kind: SetKind,
    /// What is known of its elements.
    pub content: Content,
    /// Where it stands.
    pub place: Place,
}

/// Which kind of set: it decides how a key is looked up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetKind {
    /// nft: the key lies in an element, component by component.
    Nft {
        /// The type as written, such as `ipv4_addr . inet_service`.
        type_name: String,
        /// Whether it maps to something.
        map: bool,
    },
    /// ipset `hash:*` and `bitmap:*`: with `hash:net` the longest prefix decides, and an
    /// element with [`Element::except`] answers no.
    Ipset {
        /// The type as written, such as `hash:ip,port`.
        type_name: String,
    },
    /// ipset `list:set`: a key is in it if it is in one of the members, tried in order.
    List {
        /// The members.
        members: Vec<SetRef>,
    },
}

/// What is known of a set's elements.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// All of them.
    Known(Vec<Element>),
    /// These were there when the text was written; packets or timeouts may add and remove some.
    Dynamic(Vec<Element>),
    /// Nothing: the text that was read does not hold them.
    Unknown,
}

impl Content {
    /// The elements that are known.
    pub fn elements(&self) -> &[Element] {
        match self {
            Self::Known(elements) | Self::Dynamic(elements) => elements,
            Self::Unknown => &[],
        }
    }
}

/// An element of a set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Element {
    /// One component per dimension.
    pub key: Vec<Component>,
    /// ipset's `nomatch`: keys that fit are not in the set.
    pub except: bool,
    /// What a map gives for it.
    pub value: Option<ElementValue>,
}

/// One dimension of an element.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// Numbers, as they stand in the [`super::Field`].
    Numbers(Range),
    /// An interface name.
    Name(NamePattern),
}

/// What a map gives for a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ElementValue {
    /// A decision.
    Verdict(Verdict),
    /// Numbers: an address, a port, a mark.
    Data(Vec<Component>),
}

/// Names a set from within a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetRef {
    /// Index into [`super::Firewall::ipsets`].
    Ipset(u32),
    /// Index into [`super::Table::sets`] of the rule's own table.
    Named(u32),
    /// Written in the rule itself.
    Inline(Box<Set>),
    /// A name that nothing read so far defines: its content is unknown.
    Missing(String),
}
