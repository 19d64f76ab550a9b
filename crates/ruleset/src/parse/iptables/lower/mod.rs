//! From what was written to what it means.
//!
//! The semantics are those of the kernel's `xt_*` modules. What is not modelled becomes opaque
//! text; nothing is dropped.

mod address_type;
mod base;
mod matches;
mod sets;
mod targets;

use std::collections::HashMap;

use surefoot_report::{Problem, Span};

use super::print::{print_extension, print_given};
use super::read::builtin_chains;
use super::syntax::{self, Dump, Extension, Given};
use crate::model::{
    Backend, Base, Chain, ChainId, ChainKind, Effect, Family, Field, Hook, KernelMemory, Match,
    Opaque, Operand, Place, Policy, Range, Rule, Set, Statement, Table,
};

/// What the meaning of a dump depends on besides its words.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    /// [`Family::Ip`] or [`Family::Ip6`].
    pub family: Family,
    /// What holds the tables.
    pub backend: Backend,
    /// Index of the text in [`crate::model::Firewall::sources`].
    pub source: u16,
    /// The ipsets that rules can name.
    pub ipsets: &'c [Set],
}

/// Gives the meaning of a dump's tables.
pub fn lower(dump: &Dump<'_>, context: Context<'_>, problems: &mut Vec<Problem>) -> Vec<Table> {
    let tables = dump.tables.iter();
    tables
        .map(|table| lower_table(table, context, problems))
        .collect()
}

fn lower_table(
    table: &syntax::DumpTable<'_>,
    context: Context<'_>,
    problems: &mut Vec<Problem>,
) -> Table {
    let names = table.chains.iter().zip(0..);
    let mut lowering = Lowering {
        context,
        chains: names
            .map(|(chain, at)| (&*chain.name, ChainId(at)))
            .collect(),
        problems,
    };
    let chains = table.chains.iter();
    Table {
        backend: context.backend,
        family: context.family,
        name: table.name.to_owned(),
        dormant: false,
        chains: chains
            .map(|chain| lowering.chain(table.name, chain))
            .collect(),
        sets: Vec::new(),
        others: Vec::new(),
        place: lowering.place(table.span),
    }
}

struct Lowering<'l> {
    context: Context<'l>,
    chains: HashMap<&'l str, ChainId>,
    problems: &'l mut Vec<Problem>,
}

impl Lowering<'_> {
    fn place(&self, span: Span) -> Place {
        Place {
            source: self.context.source,
            span,
        }
    }

    fn ip6(&self) -> bool {
        self.context.family == Family::Ip6
    }

    /// The field of this table's family.
    fn of_family(&self, ip4: Field, ip6: Field) -> Field {
        if self.ip6() { ip6 } else { ip4 }
    }

    fn chain(&mut self, table: &str, chain: &syntax::DumpChain<'_>) -> Chain {
        let mut rules = Vec::with_capacity(chain.rules.len());
        let mut statements = Vec::new();
        for rule in &chain.rules {
            self.rule(rule, &mut statements, &mut rules);
        }
        Chain {
            name: chain.name.clone().into_owned(),
            base: base_of(table, chain),
            rules,
            policy_counters: chain.counters,
            place: self.place(chain.span),
        }
    }

    /// Appends the rule; one whose `-s` or `-d` lists addresses is several, as when it is loaded.
    /// `statements` is empty, and only there so that each rule keeps no more room than it needs.
    fn rule(
        &mut self,
        written: &syntax::DumpRule<'_>,
        statements: &mut Vec<Statement>,
        rules: &mut Vec<Rule>,
    ) {
        let other = if self.ip6() { "ipv4" } else { "ipv6" };
        if written.base.iter().any(|given| given.name == other) {
            return;
        }
        let destinations = addresses(written, "destination");
        for source in addresses(written, "source") {
            for destination in destinations.clone() {
                for given in &written.base {
                    let word = match &*given.name {
                        "source" => source,
                        "destination" => destination,
                        _ => given.value(),
                    };
                    self.base_option(given, word, statements);
                }
                let mut comment: Option<String> = None;
                for extension in &written.matches {
                    if extension.name == "comment" {
                        let text = extension.value_of("comment").unwrap_or_default();
                        match &mut comment {
                            Some(before) => {
                                before.push_str("; ");
                                before.push_str(text);
                            }
                            None => comment = Some(text.to_owned()),
                        }
                    } else {
                        self.extension(written, extension, statements);
                    }
                }
                let unfinished = written.unfinished.as_deref().into_iter().map(opaque_option);
                statements.extend(unfinished.map(matched));
                if let Some(target) = &written.target {
                    self.target(target, statements);
                }
                let mut kept = Vec::with_capacity(statements.len());
                kept.append(statements);
                rules.push(Rule {
                    number: u32::try_from(rules.len() + 1).unwrap_or(u32::MAX),
                    handle: None,
                    counters: written.counters,
                    comment,
                    statements: kept,
                    place: self.place(written.span),
                });
            }
        }
    }

    /// Says that a value cannot be understood, and keeps its words as a condition.
    fn not_understood(&mut self, extension: &Extension<'_>, given: &Given<'_>, why: &str) -> Match {
        let what = format!("`--{} {}`: {why}", given.name, given.value());
        let too_large = |word: &str| word.parse::<u64>().is_ok_and(|port| port > 65_535);
        let is_port = given.name.contains("port");
        self.problems.push(
            if is_port && given.value().split([',', ':', '-']).any(too_large) {
                Problem::error(given.span, format!("{what}; ports end at 65535"))
            } else {
                Problem::note(given.span, what).label("not evaluated")
            },
        );
        opaque(extension)
    }
}

/// The addresses of `-s` or `-d`; one empty word if the option is absent.
fn addresses<'r>(rule: &'r syntax::DumpRule<'_>, name: &str) -> std::str::Split<'r, char> {
    let given = rule.base.iter().find(|given| given.name == name);
    given.map_or("", Given::value).split(',')
}

/// Makes a match of which only the words are known.
fn opaque(extension: &Extension<'_>) -> Match {
    let mut text = String::new();
    print_extension("-m", extension, &mut text);
    Match::Opaque(Opaque {
        text,
        stateful: extension.module.is_none_or(|module| module.stateful),
        memory: memory_of(extension),
    })
}

/// Returns the named state that a match tests, and changes by the test, and that other rules share.
fn memory_of(extension: &Extension<'_>) -> Option<KernelMemory> {
    let named = |option: &str| extension.value_of(option).map(str::to_owned);
    match &*extension.name {
        "recent" => {
            let name = named("name").unwrap_or_else(|| "DEFAULT".to_owned());
            Some(KernelMemory::RecentList(name))
        }
        "hashlimit" => named("hashlimit-name").map(KernelMemory::HashLimit),
        _ => None,
    }
}

/// `recent --set` writes the address down, and matches (`recent_mt`).
fn recent_set(extension: &Extension<'_>) -> Option<Effect> {
    let known = |given: &Given<'_>| {
        let plain = ["set", "name", "mask", "rsource", "rdest"];
        !given.negated && plain.contains(&&*given.name)
    };
    extension.option("set")?;
    extension.options.iter().all(known).then_some(())?;
    let mut text = String::new();
    print_extension("-m", extension, &mut text);
    Some(Effect::Remember {
        memory: memory_of(extension)?,
        text,
    })
}

fn opaque_option(given: &Given<'_>) -> Match {
    let mut text = String::new();
    print_given(given, &mut text);
    Match::Opaque(Opaque {
        text,
        stateful: given.option.is_none(),
        memory: None,
    })
}

fn field(field: Field, negated: bool, ranges: Vec<Range>) -> Match {
    Match::Field {
        operand: field.into(),
        negated,
        ranges,
    }
}

fn masked(field: Field, mask: u128, negated: bool, ranges: Vec<Range>) -> Match {
    Match::Field {
        operand: Operand {
            field,
            mask: Some(mask),
        },
        negated,
        ranges,
    }
}

/// Port matches, ICMP matches and the like look at the first fragment only.
fn not_later_fragment() -> Match {
    field(Field::IsLaterFragment, false, vec![Range::one(0)])
}

fn base_of(table: &str, chain: &syntax::DumpChain<'_>) -> Option<Base> {
    if !builtin_chains(table).contains(&&*chain.name) {
        return None;
    }
    let hook = match &*chain.name {
        "PREROUTING" => Hook::Prerouting,
        "INPUT" => Hook::Input,
        "FORWARD" => Hook::Forward,
        "OUTPUT" => Hook::Output,
        _ => Hook::Postrouting,
    };
    let source_nat = matches!(hook, Hook::Input | Hook::Postrouting);
    let (priority, kind) = match table {
        "raw" => (-300, ChainKind::Filter),
        "mangle" if hook == Hook::Output => (-150, ChainKind::Route),
        "mangle" => (-150, ChainKind::Filter),
        "nat" if source_nat => (100, ChainKind::Nat),
        "nat" => (-100, ChainKind::Nat),
        "security" => (50, ChainKind::Filter),
        _ => (0, ChainKind::Filter),
    };
    let policy = if chain.policy == "DROP" {
        Policy::Drop
    } else {
        Policy::Accept
    };
    Some(Base {
        hook,
        priority,
        kind,
        policy,
        devices: Vec::new(),
    })
}

fn matched(of: Match) -> Statement {
    Statement::Match(of)
}
