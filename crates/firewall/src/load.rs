//! From texts to the model: the one way in for every format.

use surefoot_report::Problem;

use crate::model::{Backend, Family, Firewall};

/// A text to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// A path, or the command line whose output this is.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Its format; none means that the text tells.
    pub format: Option<Format>,
}

/// The format of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `iptables-save` or `ip6tables-save`.
    Iptables {
        /// [`Family::Ip`] or [`Family::Ip6`].
        family: Family,
        /// Who will load it, or has.
        backend: Backend,
    },
    /// `nft -j list ruleset`.
    NftJson,
    /// `nft list ruleset`, or a file for `nft -f`.
    NftText,
    /// `ipset save`.
    Ipset,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The model of all texts together.
    pub firewall: Firewall,
    /// What was odd, with the index of its text in [`Firewall::sources`].
    pub problems: Vec<(u16, Problem)>,
}
