//! What the tables of `iptables-legacy` have counted.
//!
//! They have no trace worth reading, but each rule counts. The difference between two looks is
//! the rules that the packets in between have matched.

use std::collections::BTreeMap;
use std::io;

use surefoot_sys::{Xtable, XtablesSocket};

/// The order in which a packet traverses them.
const TABLES: [&str; 5] = ["raw", "mangle", "nat", "filter", "security"];
const HOOKS: [&str; 5] = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];

/// The tables that a rule set has loaded.
pub(crate) struct LegacyTables {
    socket: XtablesSocket,
    tables: Vec<Seen>,
}

struct Seen {
    name: &'static str,
    layout: Vec<Entry>,
    counters: Vec<u64>,
}

/// A rule, a policy, or the end of a user chain.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    chain: String,
    /// Index of the rule; none is the policy.
    rule: Option<usize>,
    /// The kernel does not distinguish ends of user chains from rules, but they are no rules.
    counts: bool,
}

/// A rule or policy that matched, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matched {
    pub(crate) table: &'static str,
    pub(crate) chain: String,
    pub(crate) rule: Option<usize>,
    pub(crate) times: u64,
}

impl LegacyTables {
    /// Looks at the tables of these names in the calling thread's namespace.
    pub(crate) fn new(v6: bool, names: &[String]) -> io::Result<Self> {
        let socket = XtablesSocket::new(v6)?;
        let mut tables = Vec::new();
        for name in TABLES {
            if !names.iter().any(|wanted| wanted == name) {
                continue;
            }
            let (layout, counters) = read(v6, &socket.table(name)?)
                .ok_or_else(|| io::Error::other(format!("the table {name} makes no sense")))?;
            tables.push(Seen {
                name,
                layout,
                counters,
            });
        }
        Ok(Self { socket, tables })
    }

    /// What has matched since the last call.
    pub(crate) fn matched(&mut self, v6: bool) -> io::Result<Vec<Matched>> {
        let mut matched = Vec::new();
        for seen in &mut self.tables {
            let now = counters(v6, &self.socket.table(seen.name)?.entries)
                .filter(|now| now.len() == seen.counters.len())
                .ok_or_else(|| io::Error::other("the table has changed under us"))?;
            for ((entry, before), after) in seen.layout.iter().zip(&seen.counters).zip(&now) {
                let times = after.wrapping_sub(*before);
                if times > 0 && entry.counts {
                    matched.push(Matched {
                        table: seen.name,
                        chain: entry.chain.clone(),
                        rule: entry.rule,
                        times,
                    });
                }
            }
            seen.counters = now;
        }
        Ok(matched)
    }
}

/// Where the parts of `struct ipt_entry` are, or of `struct ip6t_entry`: the offsets to the target
/// and to the next entry, and the packet counter.
fn offsets(v6: bool) -> (usize, usize, usize) {
    if v6 { (140, 142, 152) } else { (88, 90, 96) }
}

fn short(entries: &[u8], at: usize) -> Option<usize> {
    let bytes = entries.get(at..at + 2)?.try_into().ok()?;
    Some(usize::from(u16::from_ne_bytes(bytes)))
}

fn counters(v6: bool, entries: &[u8]) -> Option<Vec<u64>> {
    let (_, next, counter) = offsets(v6);
    let mut counters = Vec::new();
    let mut at = 0;
    while at < entries.len() {
        let bytes = entries.get(at + counter..at + counter + 8)?;
        counters.push(u64::from_ne_bytes(bytes.try_into().ok()?));
        at += short(entries, at + next).filter(|length| *length > 0)?;
    }
    Some(counters)
}

fn read(v6: bool, table: &Xtable) -> Option<(Vec<Entry>, Vec<u64>)> {
    let (target, next, _) = offsets(v6);
    let entries = &table.entries;
    let starts: BTreeMap<usize, &str> = table
        .hooks
        .iter()
        .zip(HOOKS)
        .filter_map(|(hook, name)| Some(((*hook)?.0, name)))
        .collect();
    let policies: Vec<usize> = table.hooks.iter().flatten().map(|hook| hook.1).collect();
    let mut layout: Vec<Entry> = Vec::new();
    let (mut chain, mut rule) = (String::new(), 0);
    let mut at = 0;
    while at < entries.len() {
        let length = short(entries, at + next).filter(|length| *length > 0)?;
        let target = at + short(entries, at + target)?;
        // `struct xt_entry_target`: a size of two bytes, then the name; what `ERROR` carries
        // behind these 32 bytes is the name of the user chain that begins.
        let name = entries.get(target + 2..target + 31)?;
        if let Some(name) = starts.get(&at) {
            (chain, rule) = ((*name).to_owned(), 0);
        }
        let policy = policies.contains(&at);
        let head = name.starts_with(b"ERROR\0");
        layout.push(Entry {
            chain: chain.clone(),
            rule: (!policy).then_some(rule),
            counts: !head,
        });
        rule += 1;
        if head {
            // The entry before the head of a user chain is the end of the user chain before.
            let end = layout.len().checked_sub(2).map(|end| &mut layout[end]);
            if let Some(end) = end.filter(|end| end.rule.is_some()) {
                end.counts = false;
            }
            let name = entries.get(target + 32..(target + 62).min(at + length))?;
            let end = name.iter().position(|byte| *byte == 0)?;
            (chain, rule) = (String::from_utf8_lossy(&name[..end]).into_owned(), 0);
        }
        at += length;
    }
    Some((layout, counters(v6, entries)?))
}
