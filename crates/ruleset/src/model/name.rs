//! Tables, chains and rules as people name them.

use super::{Backend, Chain, Family, Table};

/// Where a rule stands in a [`super::Firewall`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleAt {
    /// Index of the table.
    pub table: usize,
    /// Index of the chain in its table.
    pub chain: usize,
    /// Index of the rule in its chain, from 0.
    pub rule: usize,
}

/// `filter INPUT`, or with nft `inet filter input`.
pub fn chain_name(table: &Table, chain: &Chain) -> String {
    format!("{} {}", table_name(table), chain.name)
}

/// `filter`, `IPv6 filter` or `inet filter`.
pub fn table_name(table: &Table) -> String {
    match (table.backend, table.family) {
        (Backend::Nft, family) => format!("{} {}", family.word(), table.name),
        (_, Family::Ip6) => format!("IPv6 {}", table.name),
        _ => table.name.clone(),
    }
}

/// What holds a table, in the words of the tool that wrote it.
pub fn backend_word(backend: Backend) -> &'static str {
    match backend {
        Backend::IptablesLegacy => "iptables-legacy",
        Backend::IptablesNft => "iptables-nft",
        Backend::Iptables => "iptables",
        Backend::Nft => "nft",
    }
}
