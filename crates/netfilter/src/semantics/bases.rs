//! Which base chains a hook calls, and in which order.

use surefoot_ruleset::model::{Base, Chain, ChainKind, Family, Firewall, Hook, Policy, Table};

/// A base chain, as a hook calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseAt {
    pub(crate) priority: i32,
    pub(crate) table: usize,
    pub(crate) chain: usize,
    pub(crate) kind: ChainKind,
    pub(crate) policy: Policy,
}

/// How sure the order of a hook's base chains is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainOrder {
    /// Their priorities differ.
    Sure,
    /// Two have the same priority, and one text tells their order.
    AsWritten,
    /// Two of two texts have the same priority: either may have been loaded first.
    Unknown,
}

/// The base chains of a hook in the order of their calls. `texts_in_order` says whether what was
/// read first is taken to have been loaded first.
pub fn base_chains(
    firewall: &Firewall,
    hook: Hook,
    v6: bool,
    texts_in_order: bool,
) -> (Vec<BaseAt>, ChainOrder) {
    let mut bases = Vec::new();
    for (t, table) in firewall.tables.iter().enumerate() {
        let on_device = matches!(hook, Hook::Ingress | Hook::Egress);
        let netdev = on_device && table.family == Family::Netdev;
        if table.dormant || !(sees(table, v6) || netdev) {
            continue;
        }
        for (c, chain) in table.chains.iter().enumerate() {
            if let Some(base) = &chain.base
                && base.hook == hook
            {
                bases.push(BaseAt {
                    priority: base.priority,
                    table: t,
                    chain: c,
                    kind: base.kind,
                    policy: base.policy,
                });
            }
        }
    }
    // Of equal priorities the kernel runs the one that was registered last first
    // (`nf_hook_entries_grow`), and a text lists tables as they were made. Which of two texts
    // was loaded first, nothing tells.
    let text = |table: usize| i64::from(firewall.tables[table].place.source);
    let turn = if texts_in_order { -1 } else { 1 };
    bases.sort_by_key(|base| {
        let late_first = std::cmp::Reverse((base.table, base.chain));
        (base.priority, turn * text(base.table), late_first)
    });
    let ruling: Vec<&BaseAt> = bases
        .iter()
        .filter(|base| {
            !firewall.tables[base.table].chains[base.chain]
                .rules
                .is_empty()
        })
        .collect();
    let mut order = ChainOrder::Sure;
    for pair in ruling.windows(2) {
        if pair[0].priority == pair[1].priority {
            if text(pair[0].table) != text(pair[1].table) {
                return (bases, ChainOrder::Unknown);
            }
            order = ChainOrder::AsWritten;
        }
    }
    (bases, order)
}

/// Whether a chain has no rules and lets everything pass.
pub fn can_do_nothing(firewall: &Firewall, base: &BaseAt) -> bool {
    let rules = &firewall.tables[base.table].chains[base.chain].rules;
    rules.is_empty() && base.policy == Policy::Accept
}

/// What a table of frames could do to a packet that comes by a bridge, if it holds any rule.
pub fn bridge_chains(firewall: &Firewall, hooks: &[Hook]) -> bool {
    firewall.tables.iter().any(|table| {
        let decides = |base: &Base| hooks.contains(&base.hook);
        let empty = |chain: &Chain| {
            let policy = chain.base.as_ref().map(|base| base.policy);
            chain.rules.is_empty() && policy == Some(Policy::Accept)
        };
        table.family == Family::Bridge
            && !table.dormant
            && table
                .chains
                .iter()
                .any(|chain| chain.base.as_ref().is_some_and(decides) && !empty(chain))
    })
}

/// Whether some flow may be sent past the forward hook by a flowtable.
pub fn has_flowtable(firewall: &Firewall, v6: bool) -> bool {
    firewall
        .tables
        .iter()
        .filter(|table| !table.dormant && sees(table, v6))
        .flat_map(|table| &table.others)
        .any(|other| other.trim_start().starts_with("flowtable"))
}

/// Whether the table sees packets of the family.
pub fn sees(table: &Table, v6: bool) -> bool {
    match table.family {
        Family::Ip => !v6,
        Family::Ip6 => v6,
        Family::Inet => true,
        Family::Arp | Family::Bridge | Family::Netdev => false,
    }
}
