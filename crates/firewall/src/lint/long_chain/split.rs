//! Neighbouring rules that all ask for the same property: a chain for each of its values.
//!
//! As the values exclude each other, the order of the groups does not matter, and what stands
//! before and after the run stays there.

use std::collections::{BTreeMap, HashMap};

use surefoot_report::Finding;

use super::PAGE;
use crate::LoadedRules;
use crate::commands::{add_rule, iptables_program, nft_checked, program_name, quoted};
use crate::lint::evidence::{FindingExt, finding, full_name};
use surefoot_ruleset::model::{
    Chain, Field, Match, Range, Rule, RuleAt, Statement, Table, Verdict,
};

/// What a rule is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum SplitField {
    In,
    Out,
    Protocol,
    SourceNet,
    DestinationNet,
}

impl SplitField {
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
    fn value(self, rule: &Rule) -> Option<SplitValue> {
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
                    (!name.prefix && !name.text.is_empty())
                        .then(|| SplitValue::Name(name.text.clone()))
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
                            6 => Some(SplitValue::Name("tcp".into())),
                            17 => Some(SplitValue::Name("udp".into())),
                            1 => Some(SplitValue::Name("icmp".into())),
                            58 => Some(SplitValue::Name("ipv6-icmp".into())),
                            _ => None,
                        },
                        (Self::SourceNet, Field::Ip4Src)
                        | (Self::DestinationNet, Field::Ip4Dst) => upper_sixteen(*range),
                        _ => None,
                    }
                }
                _ => None,
            })
    }
}

/// The /16 that holds the whole range.
fn upper_sixteen(range: Range) -> Option<SplitValue> {
    let net = range.lo >> 16;
    (net == range.hi >> 16).then_some(SplitValue::Net(net))
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum SplitValue {
    Name(String),
    Net(u128),
}

impl SplitValue {
    fn word(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Net(net) => format!("{}.{}.0.0/16", net >> 8 & 0xff, net & 0xff),
        }
    }

    /// A chain's name can have 28 characters.
    fn chain_name(&self, of: &str) -> String {
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
pub(super) struct ChainSplit {
    by: SplitField,
    start: usize,
    len: usize,
    groups: BTreeMap<SplitValue, usize>,
    /// Rules that a packet no longer has to be compared with, at least.
    pub(super) saving: usize,
}

/// The split that saves most.
pub(super) fn split(chain: &Chain) -> Option<ChainSplit> {
    let mut best: Option<ChainSplit> = None;
    for by in SplitField::ALL {
        let mut run: Option<(usize, HashMap<SplitValue, usize>)> = None;
        for at in 0..=chain.rules.len() {
            let value = chain
                .rules
                .get(at)
                .filter(|rule| is_movable(rule))
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
                best = Some(ChainSplit {
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
fn is_movable(rule: &Rule) -> bool {
    !rule.statements.iter().any(|statement| {
        matches!(
            statement,
            Statement::Verdict(Verdict::Return | Verdict::Goto(_) | Verdict::Unknown(_))
                | Statement::VerdictMap(_)
        )
    })
}

/// A chain for each value in place of the run.
pub(super) fn propose_split(loaded: &LoadedRules, at: RuleAt, split: &ChainSplit) -> Finding {
    let table = &loaded.firewall.tables[at.table];
    let chain = &table.chains[at.chain];
    let name = full_name(table, chain);
    let (first, last) = (split.start + 1, split.start + split.len);
    let mut groups: Vec<(&SplitValue, usize)> = split
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
            "a chain for each ({}{more}): a packet traverses at most {} of these rules instead of {}",
            parts.join(", "),
            largest + groups.len(),
            split.len
        ),
    )
    .shown_by([
        loaded.show_rule(RuleAt {
            rule: split.start,
            ..at
        }),
        loaded.show_rule(RuleAt {
            rule: last - 1,
            ..at
        }),
    ])
    .mend(
        "Fill a chain for each value, then jump to it in front of the old rules, which never match then and can be deleted",
        split_commands(table, chain, split, &groups),
    )
}

fn split_commands(
    table: &Table,
    chain: &Chain,
    split: &ChainSplit,
    groups: &[(&SplitValue, usize)],
) -> Vec<String> {
    let (first, last) = (split.start + 1, split.start + split.len);
    let mut commands = Vec::new();
    // The jumps come last: each moves the numbers of the old rules.
    let mut jumps = Vec::new();
    for (value, _) in groups.iter().take(6) {
        let new = value.chain_name(&chain.name);
        let word = value.word();
        let (option, nft) = match split.by {
            SplitField::In => ("-i", "iifname"),
            SplitField::Out => ("-o", "oifname"),
            SplitField::Protocol => ("-p", "meta l4proto"),
            SplitField::SourceNet => ("-s", "ip saddr"),
            SplitField::DestinationNet => ("-d", "ip daddr"),
        };
        if table.backend.is_iptables() {
            let (program_word, old) = (iptables_program(table), quoted(&chain.name));
            let new = quoted(&new);
            let pattern = match value {
                SplitValue::Net(net) => format!("{}\\.{}\\.[^ ]*", net >> 8 & 0xff, net & 0xff),
                SplitValue::Name(name) => name.replace('.', "\\."),
            };
            commands.push(format!("{program_word} -N {new}"));
            commands.push(format!(
                "{{ echo '*{}'; {program_word} -S {old} | sed -n '{},{}{{/ {option} {pattern}\\( \\|$\\)/s/^-A {old} /-A {new} /p}}'; echo COMMIT; }} | {} --noflush",
                table.name,
                first + 1,
                last + 1,
                program_name(table, "-restore")
            ));
            commands.push(format!(
                "{program_word} -I {old} {first} {option} {word} -j {new}"
            ));
        } else {
            let new: String = new.replace(['.', '-'], "_");
            let place = format!("{} {}", table.family.word(), table.name);
            commands.extend(nft_checked(&format!("add chain {place} {new}")));
            jumps.extend(add_rule(
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
