//! Which base chains a hook calls, and in which order.

use surefoot_ruleset::model::{Base, Chain, ChainKind, Family, Firewall, Hook, Policy, Table};

/// `NF_IP_PRI_CONNTRACK`: at hooks where packets begin, earlier chains see no connection.
const CONNTRACK: i32 = -200;
/// `NF_IP_PRI_CONNTRACK_DEFRAG`: where connections are tracked, later chains see whole packets.
const DEFRAGMENTATION: i32 = -400;
/// `NF_IP_PRI_NAT_DST`, where all nat chains that rewrite destinations run.
const NAT_DESTINATION: i32 = -100;
/// `NF_IP_PRI_NAT_SRC`, where all nat chains that rewrite sources run.
const NAT_SOURCE: i32 = 100;

/// A base chain, as a hook calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseAt {
    /// Whether it runs before connection tracking.
    pub(crate) early: bool,
    /// Whether it runs before fragments are put together, if they are.
    pub(crate) sees_fragments: bool,
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
    /// Two have the same priority, or one has that of connection tracking, and nothing tells which
    /// was registered first.
    Unknown,
    /// The same of more than two: there are more orders than the two that are followed.
    Open,
}

/// What is known of the order in which chains were registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOrder {
    /// Whether the rules are those of a running machine: its listing says nothing of the order.
    pub listed: bool,
    /// Of the two orders that may be, the one in which what was read first was loaded first.
    pub as_read: bool,
}

/// The priority at which a chain runs, and the order among nat chains: the kernel runs all of them
/// at priorities of its own (`nf_nat_register_fn`), one after another by what they say.
fn ranks(base: &Base) -> (i32, i32) {
    let fixed = match base.hook {
        Hook::Prerouting | Hook::Output => NAT_DESTINATION,
        _ => NAT_SOURCE,
    };
    match base.kind {
        ChainKind::Nat => (fixed, base.priority),
        ChainKind::Filter | ChainKind::Route => (base.priority, 0),
    }
}

/// Whether a base chain runs before connection tracking; none if it has the same priority, so that
/// the order of registration tells.
pub fn is_before_tracking(base: &Base) -> Option<bool> {
    if base.hook == Hook::Ingress {
        return Some(true);
    }
    if !matches!(base.hook, Hook::Prerouting | Hook::Output) {
        return Some(false);
    }
    let (priority, _) = ranks(base);
    (priority != CONNTRACK).then_some(priority < CONNTRACK)
}

/// Whether a base chain runs before fragments are put together, where connections are tracked; none
/// if the order of registration tells.
fn is_before_reassembly(base: &Base) -> Option<bool> {
    match base.hook {
        Hook::Ingress => Some(true),
        Hook::Prerouting | Hook::Output => {
            let (priority, _) = ranks(base);
            (priority != DEFRAGMENTATION).then_some(priority < DEFRAGMENTATION)
        }
        _ => Some(false),
    }
}

/// The base chains of a hook in the order of their calls.
pub fn base_chains(
    firewall: &Firewall,
    hook: Hook,
    v6: bool,
    loaded: LoadOrder,
) -> (Vec<BaseAt>, ChainOrder) {
    let mut bases = Vec::new();
    let mut order = ChainOrder::Sure;
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
                let early = is_before_tracking(base);
                let sees_fragments = is_before_reassembly(base);
                if (early.is_none() || sees_fragments.is_none()) && !chain.rules.is_empty() {
                    order = ChainOrder::Unknown;
                }
                bases.push(BaseAt {
                    early: early.unwrap_or(loaded.as_read),
                    sees_fragments: sees_fragments.unwrap_or(loaded.as_read),
                    table: t,
                    chain: c,
                    kind: base.kind,
                    policy: base.policy,
                });
            }
        }
    }
    // Of equal priorities the kernel runs the one that was registered last first
    // (`nf_hook_entries_grow`). A text makes chains where it first names them; which of two texts
    // was loaded first, nothing tells, nor does a listing of a machine tell any order.
    let chain_at = |base: &BaseAt| &firewall.tables[base.table].chains[base.chain];
    let rank = |base: &BaseAt| chain_at(base).base.as_ref().map(ranks);
    let text = |base: &BaseAt| i64::from(firewall.tables[base.table].place.source);
    let turned = |number: i64, as_read: bool| if as_read { -number } else { number };
    bases.sort_by_key(|base| {
        let start = i64::from(chain_at(base).place.span.start);
        let within = turned(start, loaded.as_read || !loaded.listed);
        (rank(base), turned(text(base), loaded.as_read), within)
    });
    let ruling: Vec<&BaseAt> = bases
        .iter()
        .filter(|base| {
            !firewall.tables[base.table].chains[base.chain]
                .rules
                .is_empty()
        })
        .collect();
    let mut tied = 0;
    for pair in ruling.windows(2) {
        if rank(pair[0]) != rank(pair[1]) {
            tied = 0;
            continue;
        }
        if loaded.listed || text(pair[0]) != text(pair[1]) {
            tied += 1;
            order = match order {
                ChainOrder::Open => ChainOrder::Open,
                _ if tied > 1 => ChainOrder::Open,
                _ => ChainOrder::Unknown,
            };
        } else if order == ChainOrder::Sure {
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
