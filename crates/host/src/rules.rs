//! Firewall rules as text: what is loaded now, and what waits on disk for the next boot.

use serde::{Deserialize, Serialize};

/// What one command printed about the loaded rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleListing {
    /// Which mechanism.
    pub origin: RulesOrigin,
    /// The command line that printed it.
    pub command: String,
    /// What it printed.
    pub text: String,
}

/// Which mechanism holds rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RulesOrigin {
    /// `iptables-legacy-save`.
    IptablesLegacy,
    /// `ip6tables-legacy-save`.
    Ip6tablesLegacy,
    /// `iptables-nft-save`.
    IptablesNft,
    /// `ip6tables-nft-save`.
    Ip6tablesNft,
    /// `nft -j list ruleset`.
    Nft,
    /// `ipset save`.
    Ipset,
}

/// A rule file that could be loaded at boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedRules {
    /// Its path.
    pub path: String,
    /// What it holds.
    pub text: String,
    /// What reads it at boot, each with the file that says so; empty if nothing does.
    pub loaders: Vec<String>,
    /// Whether every way to load it at boot could be looked at.
    pub loaders_known: bool,
}
