//! A chain that is one long list, and how it could be split without changing what it does.
//!
//! Two ways are looked for. Neighbouring rules that differ in one address only are one rule with a
//! set. Neighbouring rules that all ask for the same property (an interface, a protocol) go into
//! one chain for each of its values: as the values exclude each other, their order among
//! themselves does not matter, and what stands before and after stays there.

use std::collections::{BTreeMap, HashMap};

use surefoot_report::{Finding, Page, Severity};

use super::Facts;
use super::commands::{add, iptables, nft_checked, program, quoted};
use super::evidence::{Say, finding, full_name};
use super::makers;
use crate::model::{Chain, Field, Match, Range, Rule, Statement, Table, Verdict};
use crate::semantics::RuleAt;

pub(super) const PAGE: Page = Page {
    code: "FW010",
    title: "a long chain that should be split",
    severity: Severity::Note,
    text: "\
## What it is
A chain holds a hundred rules or more in one list, and there is a way to split it that changes
nothing of what it does.

## Why it matters
Rules are tried one after the other: the packet that matches none of three hundred pays for
three hundred. And nobody can read such a list: whether a rule in the middle does anything
depends on all those above it.

## How to see it yourself
    iptables -S INPUT | wc -l
    iptables -L INPUT -nvx --line-numbers        where the packets are, and how far down

## How to mend it
Where the rules differ only in an address, put the addresses in a set and ask it once: `ipset`
with `-m set --match-set NAME src`, in nft `ip saddr @NAME`. A set of thousands costs one
look-up. Where the rules all ask for an interface or a protocol, make a chain for each and jump
to it:
    iptables -N INPUT-eth0
    iptables -I INPUT 12 -i eth0 -j INPUT-eth0
The finding proposes one of the two with the numbers of the rules. Fill the new chain first,
then put the jump in front of the old rules; they never match again, which their counters show,
and can be deleted. Rules with RETURN or goto are left where they are: they would end another
chain.

## When it is fine
If the list is made by a program, change it there. If established traffic is accepted at the
top, the list is only paid for by new connections, and the gain is in reading it.
",
};

/// Rules from which on a chain is long.
const LONG: usize = 100;
/// Rules that a split has to gather.
const WORTH: usize = 32;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (t, table) in facts.firewall.tables.iter().enumerate() {
        for (c, chain) in table.chains.iter().enumerate() {
            if chain.rules.len() < LONG || makers::of_chain(table, chain).is_some() {
                continue;
            }
            let at = RuleAt {
                table: t,
                chain: c,
                rule: 0,
            };
            let set = gather(chain).filter(|run| run.len >= WORTH);
            let split = split(chain).filter(|split| split.saving >= WORTH);
            match (set, split) {
                (Some(run), split) if split.as_ref().is_none_or(|split| split.saving < run.len) => {
                    findings.extend(propose_set(facts, at, &run));
                }
                (_, Some(split)) => findings.push(propose_split(facts, at, &split)),
                _ => {}
            }
        }
    }
    findings
}

/// Neighbouring rules that are the same but for one field.
struct Run {
    start: usize,
    len: usize,
    field: Field,
}

/// The longest run of rules that differ in one address or port.
fn gather(chain: &Chain) -> Option<Run> {
    let fields = [
        Field::Ip4Src,
        Field::Ip6Src,
        Field::Ip4Dst,
        Field::Ip6Dst,
        Field::DstPort,
    ];
    let mut best: Option<Run> = None;
    for field in fields {
        let mut start = 0;
        let mut before: Option<Vec<&Statement>> = None;
        for at in 0..=chain.rules.len() {
            let rest = chain.rules.get(at).and_then(|rule| without(rule, field));
            if rest.is_some() && rest == before {
                continue;
            }
            let len = at - start;
            if before.is_some() && best.as_ref().is_none_or(|best| len > best.len) {
                best = Some(Run { start, len, field });
            }
            start = at;
            before = rest;
        }
    }
    best.filter(|best| best.len > 1)
}

/// The rule without its plain question for the field; nothing if it has none, or does more than
/// decide.
fn without(rule: &Rule, field: Field) -> Option<Vec<&Statement>> {
    let mut asked = false;
    let mut rest = Vec::new();
    for statement in &rule.statements {
        match statement {
            Statement::Match(Match::Field {
                operand,
                negated: false,
                ranges,
            }) if operand.field == field && operand.mask.is_none() && ranges.len() == 1 => {
                asked = true;
            }
            Statement::Match(Match::Opaque(opaque)) if opaque.stateful => return None,
            Statement::Effect(crate::model::Effect::Other { .. }) => {}
            other => rest.push(other),
        }
    }
    asked.then_some(rest)
}

fn propose_set(facts: &Facts<'_>, at: RuleAt, run: &Run) -> Option<Finding> {
    let (table, chain) = (facts.table(at)?, facts.chain(at)?);
    let name = full_name(table, chain);
    let (first, last) = (run.start + 1, run.start + run.len);
    let (word, option, ipset, kind, nft) = match run.field {
        Field::Ip4Src => ("source", "-s", "hash:net family inet", "src", "ip saddr"),
        Field::Ip6Src => ("source", "-s", "hash:net family inet6", "src", "ip6 saddr"),
        Field::Ip4Dst => (
            "destination",
            "-d",
            "hash:net family inet",
            "dst",
            "ip daddr",
        ),
        Field::Ip6Dst => (
            "destination",
            "-d",
            "hash:net family inet6",
            "dst",
            "ip6 daddr",
        ),
        _ => (
            "port",
            "--dport",
            "bitmap:port range 0-65535",
            "dst",
            "th dport",
        ),
    };
    let set = format!("{}-{first}", chain.name.to_lowercase());
    let rule = chain.rules.get(run.start)?;
    let commands = if table.backend.is_iptables() {
        let words = facts.firewall.text(rule.place).trim();
        let (_, rest) = words.split_once("-A ")?;
        let rest = rest.trim_start().strip_prefix(chain.name.as_str())?.trim();
        let value = value_after(rest, option)?;
        let matches = format!("-m set --match-set {} {kind}", quoted(&set));
        let one = rest.replacen(&format!("{option} {value}"), &matches, 1);
        let (program, chain_word) = (iptables(table), quoted(&chain.name));
        vec![
            format!("ipset create {} {ipset}", quoted(&set)),
            // Line 1 of `-S` is the policy, so rule N is line N + 1.
            format!(
                "{program} -S {chain_word} | sed -n '{},{}s/.* {option} \\([^ ]*\\).*/add {set} \\1/p' | ipset -exist restore",
                first + 1,
                last + 1
            ),
            format!("{program} -I {chain_word} {first} {one}"),
        ]
    } else {
        vec![format!(
            "nft -a list chain {} {} {}",
            table.family.word(),
            table.name,
            chain.name
        )]
    };
    let last_at = RuleAt {
        rule: last - 1,
        ..at
    };
    Some(
        finding(
            &PAGE,
            format!("{name} holds {} rules; {first} to {last} differ in the {word} only", chain.rules.len()),
            format!(
                "one rule with a set (in nft: `{nft} @{set}`) does the same with one look-up instead of {}",
                run.len
            ),
        )
        .shown_by([
            facts.show_rule(RuleAt {
                rule: run.start,
                ..at
            }),
            facts.show_rule(last_at),
        ])
        .mend(
            "Fill a set, and ask it in front of the old rules, which never match then and can be deleted",
            commands,
        ),
    )
}

/// The word after an option.
fn value_after<'a>(words: &'a str, option: &str) -> Option<&'a str> {
    let mut words = words.split_whitespace();
    words.find(|word| *word == option)?;
    words.next()
}

/// What a rule is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum By {
    In,
    Out,
    Protocol,
    SourceNet,
    DestinationNet,
}

impl By {
    const ALL: [Self; 5] = [
        Self::In,
        Self::Out,
        Self::Protocol,
        Self::SourceNet,
        Self::DestinationNet,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::In => "the incoming interface",
            Self::Out => "the outgoing interface",
            Self::Protocol => "the protocol",
            Self::SourceNet => "the network they come from",
            Self::DestinationNet => "the network they go to",
        }
    }

    /// The value, in the words of both programs' matches; two values exclude each other.
    fn value(self, rule: &Rule) -> Option<Value> {
        rule.statements
            .iter()
            .find_map(|statement| match (self, statement) {
                (
                    Self::In,
                    Statement::Match(Match::InInterface {
                        negated: false,
                        names,
                    }),
                )
                | (
                    Self::Out,
                    Statement::Match(Match::OutInterface {
                        negated: false,
                        names,
                    }),
                ) => {
                    let [name] = names.as_slice() else {
                        return None;
                    };
                    (!name.prefix && !name.text.is_empty()).then(|| Value::Name(name.text.clone()))
                }
                (
                    by,
                    Statement::Match(Match::Field {
                        operand,
                        negated: false,
                        ranges,
                    }),
                ) if operand.mask.is_none() => {
                    let [range] = ranges.as_slice() else {
                        return None;
                    };
                    match (by, operand.field) {
                        (Self::Protocol, Field::L4Proto) => match range.lo {
                            _ if range.lo != range.hi => None,
                            6 => Some(Value::Name("tcp".into())),
                            17 => Some(Value::Name("udp".into())),
                            1 => Some(Value::Name("icmp".into())),
                            58 => Some(Value::Name("ipv6-icmp".into())),
                            _ => None,
                        },
                        (Self::SourceNet, Field::Ip4Src)
                        | (Self::DestinationNet, Field::Ip4Dst) => sixteen(*range),
                        _ => None,
                    }
                }
                _ => None,
            })
    }
}

/// The /16 that holds the whole range.
fn sixteen(range: Range) -> Option<Value> {
    let net = range.lo >> 16;
    (net == range.hi >> 16).then_some(Value::Net(net))
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Value {
    Name(String),
    Net(u128),
}

impl Value {
    fn word(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Net(net) => format!("{}.{}.0.0/16", net >> 8 & 0xff, net & 0xff),
        }
    }

    /// A chain's name can have 28 characters.
    fn chain(&self, of: &str) -> String {
        let end = match self {
            Self::Name(name) => name.clone(),
            Self::Net(net) => format!("{}.{}", net >> 8 & 0xff, net & 0xff),
        };
        let room = 27_usize.saturating_sub(end.len());
        let start: String = of.chars().take(room).collect();
        format!("{start}-{end}")
    }
}

/// A run of rules and the groups that it falls into.
struct Split {
    by: By,
    start: usize,
    len: usize,
    groups: BTreeMap<Value, usize>,
    /// Rules that a packet no longer has to be compared with, at least.
    saving: usize,
}

/// The split that saves most.
fn split(chain: &Chain) -> Option<Split> {
    let mut best: Option<Split> = None;
    for by in By::ALL {
        let mut run: Option<(usize, HashMap<Value, usize>)> = None;
        for at in 0..=chain.rules.len() {
            let value = chain
                .rules
                .get(at)
                .filter(|rule| movable(rule))
                .and_then(|rule| by.value(rule));
            if let Some(value) = value {
                let (_, groups) = run.get_or_insert_with(|| (at, HashMap::new()));
                *groups.entry(value).or_default() += 1;
                continue;
            }
            let Some((start, groups)) = run.take() else {
                continue;
            };
            let len = at - start;
            let largest = groups.values().copied().max().unwrap_or(len);
            let saving = len.saturating_sub(largest).saturating_sub(groups.len());
            if groups.len() > 1 && best.as_ref().is_none_or(|best| saving > best.saving) {
                best = Some(Split {
                    by,
                    start,
                    len,
                    groups: groups.into_iter().collect(),
                    saving,
                });
            }
        }
    }
    best
}

/// Whether the rule does the same in a chain that is jumped to.
fn movable(rule: &Rule) -> bool {
    !rule.statements.iter().any(|statement| {
        matches!(
            statement,
            Statement::Verdict(Verdict::Return | Verdict::Goto(_) | Verdict::Unknown(_))
                | Statement::VerdictMap(_)
        )
    })
}

fn propose_split(facts: &Facts<'_>, at: RuleAt, split: &Split) -> Finding {
    let table = &facts.firewall.tables[at.table];
    let chain = &table.chains[at.chain];
    let name = full_name(table, chain);
    let (first, last) = (split.start + 1, split.start + split.len);
    let mut groups: Vec<(&Value, usize)> = split
        .groups
        .iter()
        .map(|(value, size)| (value, *size))
        .collect();
    groups.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let parts: Vec<String> = groups
        .iter()
        .take(6)
        .map(|(value, size)| format!("{} for {}", size, value.word()))
        .collect();
    let largest = groups.first().map_or(0, |(_, size)| *size);
    let more = if groups.len() > 6 {
        format!(" and {} more", groups.len() - 6)
    } else {
        String::new()
    };
    finding(
        &PAGE,
        format!(
            "{name} holds {} rules; {first} to {last} can be split by {}",
            chain.rules.len(),
            split.by.word()
        ),
        format!(
            "a chain for each ({}{more}): a packet meets at most {} of these rules instead of {}",
            parts.join(", "),
            largest + groups.len(),
            split.len
        ),
    )
    .shown_by([
        facts.show_rule(RuleAt {
            rule: split.start,
            ..at
        }),
        facts.show_rule(RuleAt {
            rule: last - 1,
            ..at
        }),
    ])
    .mend(
        "Fill a chain for each value, then jump to it in front of the old rules, which never match then and can be deleted",
        commands(table, chain, split, &groups),
    )
}

fn commands(
    table: &Table,
    chain: &Chain,
    split: &Split,
    groups: &[(&Value, usize)],
) -> Vec<String> {
    let (first, last) = (split.start + 1, split.start + split.len);
    let mut commands = Vec::new();
    // The jumps come last: each moves the numbers of the old rules.
    let mut jumps = Vec::new();
    for (value, _) in groups.iter().take(6) {
        let new = value.chain(&chain.name);
        let word = value.word();
        let (option, nft) = match split.by {
            By::In => ("-i", "iifname"),
            By::Out => ("-o", "oifname"),
            By::Protocol => ("-p", "meta l4proto"),
            By::SourceNet => ("-s", "ip saddr"),
            By::DestinationNet => ("-d", "ip daddr"),
        };
        if table.backend.is_iptables() {
            let (program_word, old) = (iptables(table), quoted(&chain.name));
            let new = quoted(&new);
            let pattern = match value {
                Value::Net(net) => format!("{}\\.{}\\.[^ ]*", net >> 8 & 0xff, net & 0xff),
                Value::Name(name) => name.replace('.', "\\."),
            };
            commands.push(format!("{program_word} -N {new}"));
            commands.push(format!(
                "{{ echo '*{}'; {program_word} -S {old} | sed -n '{},{}{{/ {option} {pattern}\\( \\|$\\)/s/^-A {old} /-A {new} /p}}'; echo COMMIT; }} | {} --noflush",
                table.name,
                first + 1,
                last + 1,
                program(table, "-restore")
            ));
            commands.push(format!(
                "{program_word} -I {old} {first} {option} {word} -j {new}"
            ));
        } else {
            let new: String = new.replace(['.', '-'], "_");
            let place = format!("{} {}", table.family.word(), table.name);
            commands.extend(nft_checked(&format!("add chain {place} {new}")));
            jumps.extend(add(
                table,
                chain,
                Some(split.start),
                "",
                &format!("{nft} {word} jump {new}"),
            ));
        }
    }
    commands.extend(jumps);
    commands
}
