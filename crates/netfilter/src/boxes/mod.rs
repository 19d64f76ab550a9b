//! Rules that no packet can match because of earlier rules of their chain, in rule sets of any size.
//!
//! A rule is a box, or a few: a run of values for each property that it asks for. A rule is dead if
//! the boxes of earlier rules that let nothing past hold all of its own. Callers, NAT and marks of
//! other chains are not looked at; who wants them asks [`crate::exact::dead_rules`], and pays for it.
//!
//! What is called dead is dead. What is called alive has a packet that shows it, as far as one chain
//! can tell which packets there are.

mod ask;
mod cover;
mod fields;
mod hiders;
mod product;
mod scale;
mod tree;
mod world;

pub use ask::Axis;
pub use scale::Value;

use crate::exact::{DeadRule, Why};
use crate::semantics::{sees, tracks_connections};
use ask::{Moving, Reader, changed_fields};
use cover::{Cover, Search};
use hiders::Dead;
use product::{Boxes, Fragments};
use surefoot_ruleset::model::{Backend, Chain, Firewall, RuleAt, Table};
use tree::Tree;

/// How long to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Steps for one rule, each some hundred nanoseconds.
    pub rule: u64,
    /// Steps for all rules together.
    pub all: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            rule: 20_000,
            all: 20_000_000,
        }
    }
}

/// What is known of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// No packet that comes to the chain can match it.
    Dead(Why),
    /// This packet, if it comes to the chain, comes to the rule and has what can be said of what it
    /// asks for.
    Alive(Witness),
    /// The budget did not suffice.
    Unknown,
}

/// A packet, as far as the rules of one chain look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Whether it is of IPv6.
    pub v6: bool,
    /// What it has.
    pub values: Vec<(Axis, Value)>,
}

/// What was found in all chains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The dead rules.
    pub dead: Vec<DeadRule>,
    /// How many rules the budget did not suffice for.
    pub unknown: usize,
}

/// The dead rules of every chain that sees IP packets.
pub fn dead_rules(firewall: &Firewall, budget: Budget) -> Found {
    dead_rules_of(firewall, budget, |_, _| true)
}

/// The dead rules of the chains that are asked about.
pub fn dead_rules_of(
    firewall: &Firewall,
    budget: Budget,
    asked: impl Fn(&Table, &Chain) -> bool,
) -> Found {
    let mut found = Found::default();
    let mut left = budget.all;
    for table in 0..firewall.tables.len() {
        let Some(looker) = Looker::new(firewall, table) else {
            continue;
        };
        let chains = firewall.tables[table].chains.iter().enumerate();
        let chains = chains.filter(|(_, chain)| asked(&firewall.tables[table], chain));
        for (chain, _) in chains {
            let lives = looker.chain(chain, budget.rule, &mut left, false);
            for (rule, life) in lives.into_iter().enumerate() {
                match life {
                    Life::Dead(why) => {
                        let at = RuleAt { table, chain, rule };
                        found.dead.push(DeadRule { at, why });
                    }
                    Life::Unknown => found.unknown += 1,
                    Life::Alive(_) => {}
                }
            }
        }
    }
    found
}

/// What is known of each rule of one chain; nothing if its table sees no IP packets.
pub fn lives(firewall: &Firewall, table: usize, chain: usize, budget: Budget) -> Vec<Life> {
    let mut left = budget.all;
    Looker::new(firewall, table).map_or_else(Vec::new, |looker| {
        looker.chain(chain, budget.rule, &mut left, true)
    })
}

/// What the chains of a table have in common.
struct Looker<'a> {
    firewall: &'a Firewall,
    table: usize,
    changed: std::collections::BTreeSet<surefoot_ruleset::model::Field>,
    moving: Moving,
    /// For each family that the table sees, what becomes of its fragments.
    families: Vec<(bool, Fragments)>,
}

impl<'a> Looker<'a> {
    fn new(firewall: &'a Firewall, at: usize) -> Option<Self> {
        let table = firewall.tables.get(at)?;
        let families: Vec<(bool, Fragments)> = [false, true]
            .into_iter()
            .filter(|v6| sees(table, *v6))
            .map(|v6| {
                let fragments = if tracks_connections(firewall, v6) {
                    Fragments::None
                } else if table.backend == Backend::IptablesLegacy {
                    Fragments::Seen
                } else {
                    Fragments::Misread
                };
                (v6, fragments)
            })
            .collect();
        (!families.is_empty()).then(|| Self {
            firewall,
            table: at,
            changed: changed_fields(table),
            moving: Moving::of(firewall, table),
            families,
        })
    }

    fn chain(&self, chain: usize, per_rule: u64, left: &mut u64, witnesses: bool) -> Vec<Life> {
        let mut lives: Option<Vec<Life>> = None;
        for (v6, fragments) in &self.families {
            let of_family = self.family(chain, (*v6, *fragments), per_rule, left, witnesses);
            lives = Some(match lives {
                None => of_family,
                Some(before) => before
                    .into_iter()
                    .zip(of_family)
                    .map(|(one, other)| either(one, other))
                    .collect(),
            });
        }
        lives.unwrap_or_default()
    }

    fn family(
        &self,
        chain: usize,
        (v6, fragments): (bool, Fragments),
        per_rule: u64,
        left: &mut u64,
        witnesses: bool,
    ) -> Vec<Life> {
        let table = &self.firewall.tables[self.table];
        let Some(rules) = table.chains.get(chain).map(|chain| &chain.rules) else {
            return Vec::new();
        };
        let reader = Reader {
            firewall: self.firewall,
            table,
            v6,
            changed: &self.changed,
            moving: &self.moving,
        };
        let asked = reader.rules(rules);
        let (boxes, scales, world) = Boxes::new(&asked, v6, fragments);
        drop(asked);
        let tree = Tree::new(&boxes);
        let mut search = Search::new();
        let mut lives = Vec::with_capacity(rules.len());
        for (number, rule) in (0..).zip(0..rules.len()) {
            let steps = per_rule.min(*left);
            search.steps = steps;
            let own = boxes.of(rule).map(|one| boxes.sides(one));
            let found = search.outside(&boxes, &world, own, Cover::Before(&tree, number));
            *left = left.saturating_sub(steps - search.steps);
            lives.push(match found {
                Ok(Some(point)) => Life::Alive(Witness {
                    v6,
                    values: if witnesses {
                        let scales = scales.all.iter().zip(&point);
                        scales
                            .map(|(scale, (class, _))| (scale.axis.clone(), scale.value(*class)))
                            .collect()
                    } else {
                        Vec::new()
                    },
                }),
                Ok(None) if search.used.is_empty() => Life::Dead(Why::Impossible),
                Ok(None) => {
                    let proof = std::mem::take(&mut search.used);
                    let dead = Dead {
                        rules,
                        boxes: &boxes,
                        tree: &tree,
                        world: &world,
                        at: RuleAt {
                            table: self.table,
                            chain,
                            rule,
                        },
                        proof: &proof,
                    };
                    Life::Dead(Why::Hidden(dead.hiders(&mut search)))
                }
                Err(cover::Spent) => Life::Unknown,
            });
        }
        lives
    }
}

/// What is known of a rule that sees both families.
fn either(one: Life, other: Life) -> Life {
    match (one, other) {
        (Life::Dead(mut why), Life::Dead(more)) => {
            why.join(more);
            Life::Dead(why)
        }
        (Life::Alive(witness), _) | (_, Life::Alive(witness)) => Life::Alive(witness),
        _ => Life::Unknown,
    }
}
