//! From what was written to the model.

use std::collections::{HashMap, HashSet};

use surefoot_report::Problem;

use super::anonymous;
use super::lex::NftToken;
use super::read::{ChainSyntax, Ruleset, SetSyntax, TableSyntax};
use super::rule::Scope;
use super::selector::selector_types;
use super::set::{Gives, asks_of_elements, elements};
use super::value::Type;
use crate::model::{
    self, Backend, Base, ChainKind, Content, Effect, Family, Hook, Place, Policy, SetKind, SetRef,
    Statement,
};

/// Gives the tables their meaning; `source` is the index of the text.
pub fn lower(ruleset: &Ruleset<'_>, source: u16, problems: &mut Vec<Problem>) -> Vec<model::Table> {
    let tables = ruleset.tables.iter();
    tables
        .map(|table| lower_table(table, source, problems))
        .collect()
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn lower_table(table: &TableSyntax<'_>, source: u16, problems: &mut Vec<Problem>) -> model::Table {
    let (table, blocks) = anonymous::named(table, problems);
    let table = table.as_ref();
    let named = |at: usize, name: &str| (name.to_owned(), index(at));
    let chains: HashMap<String, u32> = (0..)
        .zip(&table.chains)
        .map(|(at, chain)| named(at, &chain.name))
        .collect();
    let sets: HashMap<String, u32> = (0..)
        .zip(&table.sets)
        .map(|(at, set)| named(at, &set.name))
        .collect();
    let types: Vec<Option<(Vec<Type>, Vec<Type>)>> = table.sets.iter().map(types_of).collect();
    let asking = (0..)
        .zip(&table.sets)
        .filter(|(_, set)| {
            let properties = set.properties.iter().filter_map(|words| words.first());
            properties.chain(&set.elements).any(asks_of_elements)
        })
        .map(|(at, set)| (index(at), set.name.clone()))
        .collect();
    let scope = Scope {
        asking,
        family: table.family,
        source,
        chains,
        blocks,
        sets,
        types: &types,
    };
    let mut lowered = model::Table {
        backend: Backend::Nft,
        family: table.family,
        name: table.name.clone(),
        dormant: table.dormant,
        chains: table
            .chains
            .iter()
            .map(|chain| lower_chain(chain, table.family, &scope, problems))
            .collect(),
        sets: Vec::new(),
        others: table.others.clone(),
        place: Place {
            source,
            span: table.span,
        },
    };
    let updated = updated_sets(&lowered.chains);
    lowered.sets = table
        .sets
        .iter()
        .enumerate()
        .map(|(at, set)| {
            let dynamic = updated.contains(&index(at));
            lower_set(set, types[at].as_ref(), dynamic, &scope, problems)
        })
        .collect();
    lowered
}

fn updated_sets(chains: &[model::Chain]) -> HashSet<u32> {
    let rules = chains.iter().flat_map(|chain| &chain.rules);
    rules
        .flat_map(|rule| &rule.statements)
        .filter_map(|statement| match statement {
            Statement::Effect(Effect::UpdateSet {
                set: SetRef::Named(at),
                ..
            }) => Some(*at),
            _ => None,
        })
        .collect()
}

fn lower_chain(
    chain: &ChainSyntax<'_>,
    family: Family,
    scope: &Scope<'_>,
    problems: &mut Vec<Problem>,
) -> model::Chain {
    let base = (!chain.base.is_empty())
        .then(|| {
            let found = base_of(chain, family);
            if found.is_none() {
                let what = format!("chain `{}`: hook or priority is not understood", chain.name);
                problems.push(Problem::error(chain.span, what));
            }
            found
        })
        .flatten();
    let rules = (1..).zip(&chain.rules);
    model::Chain {
        name: chain.name.clone(),
        base,
        rules: rules
            .map(|(number, rule)| scope.rule(number, rule, problems))
            .collect(),
        policy_counters: None,
        place: Place {
            source: scope.source,
            span: chain.span,
        },
    }
}

/// `type filter hook input priority filter + 10`, with `device "eth0"` before `priority`.
fn base_of(chain: &ChainSyntax<'_>, family: Family) -> Option<Base> {
    let words: Vec<&str> = chain.base.iter().map(|token| token.text).collect();
    let after = |word: &str| {
        let at = words.iter().position(|other| *other == word)?;
        words.get(at + 1..)
    };
    let hook = match *after("hook")?.first()? {
        "ingress" => Hook::Ingress,
        "prerouting" => Hook::Prerouting,
        "input" => Hook::Input,
        "forward" => Hook::Forward,
        "output" => Hook::Output,
        "postrouting" => Hook::Postrouting,
        "egress" => Hook::Egress,
        _ => return None,
    };
    let kind = match *after("type")?.first()? {
        "filter" => ChainKind::Filter,
        "nat" => ChainKind::Nat,
        "route" => ChainKind::Route,
        _ => return None,
    };
    let priority = after("priority")?;
    let policy = match chain
        .policy
        .map(|token| token.text)
        .or_else(|| after("policy")?.first().copied())
    {
        None | Some("accept") => Policy::Accept,
        Some("drop") => Policy::Drop,
        Some(_) => return None,
    };
    let devices = after("device").or_else(|| after("devices")).unwrap_or(&[]);
    Some(Base {
        hook,
        priority: priority_of(&priority.concat(), family)?,
        kind,
        policy,
        devices: devices
            .iter()
            .take_while(|word| **word != "priority" && **word != "}")
            .filter(|word| !matches!(**word, "=" | "{" | ","))
            .map(|word| (*word).to_owned())
            .collect(),
    })
}

/// `filter`, `-150`, `dstnat+5` (`include/uapi/linux/netfilter_ipv4.h`, `netfilter_bridge.h`).
fn priority_of(text: &str, family: Family) -> Option<i32> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let split = text.find(['+', '-']).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(split)?;
    let bridge = family == Family::Bridge;
    let base: i32 = match name {
        "raw" => -300,
        "mangle" => -150,
        "dstnat" if bridge => -300,
        "dstnat" => -100,
        "filter" if bridge => -200,
        "filter" => 0,
        "out" if bridge => 100,
        "security" => 50,
        "srcnat" if bridge => 300,
        "srcnat" => 100,
        _ => return None,
    };
    let offset: i32 = if rest.is_empty() {
        0
    } else {
        rest.parse().ok()?
    };
    base.checked_add(offset)
}

/// The types of a set's key and of what it maps to.
fn types_of(set: &SetSyntax<'_>) -> Option<(Vec<Type>, Vec<Type>)> {
    let colon = set.kind.iter().position(|token| token.text == ":");
    let (key, data) = match colon {
        Some(at) => (&set.kind[..at], &set.kind[at + 1..]),
        None => (set.kind.as_slice(), &[][..]),
    };
    let types = |words: &[NftToken<'_>]| {
        if set.is_typeof {
            return selector_types(words);
        }
        let mut types = Vec::new();
        for word in words
            .iter()
            .filter(|word| word.text != "." && word.text != "interval")
        {
            types.push(Type::named(word.text)?);
        }
        Some(types)
    };
    let data = if data.iter().any(|word| word.text == "verdict") {
        Vec::new()
    } else {
        types(data)?
    };
    let key = types(key)?;
    (!key.is_empty()).then_some((key, data))
}

fn lower_set(
    set: &SetSyntax<'_>,
    types: Option<&(Vec<Type>, Vec<Type>)>,
    updated: bool,
    scope: &Scope<'_>,
    problems: &mut Vec<Problem>,
) -> model::Set {
    let read = |words: &[NftToken<'_>]| scope.verdict(words);
    let found = types.and_then(|(key, data)| {
        let gives = match (set.map, data.is_empty()) {
            (false, _) => Gives::Nothing,
            (true, true) => Gives::Verdict(&read),
            (true, false) => Gives::Data(data),
        };
        elements(&set.elements, key, &gives)
    });
    let dynamic = updated
        || set.timeout
        || set
            .flags
            .iter()
            .any(|flag| matches!(flag.text, "dynamic" | "timeout"));
    let content = match found {
        _ if set.uncertain => Content::Unknown,
        Some(elements) if dynamic => Content::Dynamic(elements),
        Some(elements) => Content::Known(elements),
        None => {
            let what = format!(
                "elements of `{}` are not understood: its content counts as unknown",
                set.name
            );
            problems.push(Problem::note(set.span, what));
            Content::Unknown
        }
    };
    let words: Vec<_> = set.kind.iter().map(|token| token.text).collect();
    model::Set {
        name: set.name.clone(),
        kind: SetKind::Nft {
            type_name: words.join(" "),
            map: set.map,
        },
        content,
        place: Place {
            source: scope.source,
            span: set.span,
        },
    }
}
