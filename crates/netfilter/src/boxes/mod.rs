//! Rules that no packet can match because of earlier rules of their chain, in rule sets of any size.
//!
//! A rule is a box, or a few: a run of values for each property that it matches on. A rule is dead
//! if the boxes of earlier rules that let nothing past hold all of its own. Callers, NAT and marks
//! of other chains are not looked at; [`crate::exact::dead_rules`] takes them into account, at a
//! price.
//!
//! A rule that is called dead is dead. A rule that is called alive has a packet that shows it, as
//! far as one chain can tell which packets there are.

mod ask;
mod cover;
mod fields;
mod hiders;
mod product;
mod scale;
mod tree;
mod world;

pub use ask::MatchAxis;
pub use scale::ClassValue;

use crate::exact::{DeadRule, WhyDead};
use crate::semantics::{sees, tracks_connections};
use ask::{MovingSets, RuleReader, changed_fields};
use cover::{CoverSearch, CoverTree};
use hiders::Dead;
use product::{FragmentChoice, RuleBoxes};
use surefoot_ruleset::model::{Backend, Chain, Firewall, RuleAt, Table};
use tree::BoxTree;

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

/// Whether a packet can match a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleLife {
    /// No packet that reaches the chain can match it.
    Dead(WhyDead),
    /// This packet, if it reaches the chain, reaches the rule and matches as much of it as limits
    /// can express.
    Alive(ChainWitness),
    /// The budget did not suffice.
    Unknown,
}

/// A packet, as far as the rules of one chain look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainWitness {
    /// Whether it is of IPv6.
    pub v6: bool,
    /// What it has.
    pub values: Vec<(MatchAxis, ClassValue)>,
}

/// What was found in all chains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainFindings {
    /// The dead rules.
    pub dead: Vec<DeadRule>,
    /// How many rules the budget did not suffice for.
    pub unknown: usize,
}

/// The dead rules of every chain that sees IP packets.
pub fn dead_rules(firewall: &Firewall, budget: Budget) -> ChainFindings {
    dead_rules_of(firewall, budget, |_, _| true)
}

/// The dead rules of the chains that are asked about.
pub fn dead_rules_of(
    firewall: &Firewall,
    budget: Budget,
    asked: impl Fn(&Table, &Chain) -> bool,
) -> ChainFindings {
    let mut found = ChainFindings::default();
    let mut left = budget.all;
    for table in 0..firewall.tables.len() {
        let Some(looker) = ChainLooker::new(firewall, table) else {
            continue;
        };
        let chains = firewall.tables[table].chains.iter().enumerate();
        let chains = chains.filter(|(_, chain)| asked(&firewall.tables[table], chain));
        for (chain, _) in chains {
            let lives = looker.chain_lives(chain, budget.rule, &mut left, false);
            for (rule, life) in lives.into_iter().enumerate() {
                match life {
                    RuleLife::Dead(why) => {
                        let at = RuleAt { table, chain, rule };
                        found.dead.push(DeadRule { at, why });
                    }
                    RuleLife::Unknown => found.unknown += 1,
                    RuleLife::Alive(_) => {}
                }
            }
        }
    }
    found
}

/// What is known of each rule of one chain; nothing if its table sees no IP packets.
pub fn rule_lives(
    firewall: &Firewall,
    table: usize,
    chain: usize,
    budget: Budget,
) -> Vec<RuleLife> {
    let mut left = budget.all;
    ChainLooker::new(firewall, table).map_or_else(Vec::new, |looker| {
        looker.chain_lives(chain, budget.rule, &mut left, true)
    })
}

/// What the chains of a table have in common.
struct ChainLooker<'a> {
    firewall: &'a Firewall,
    table: usize,
    changed: std::collections::BTreeSet<surefoot_ruleset::model::Field>,
    moving: MovingSets,
    /// For each family that the table sees, what becomes of its fragments.
    families: Vec<(bool, FragmentChoice)>,
}

impl<'a> ChainLooker<'a> {
    fn new(firewall: &'a Firewall, at: usize) -> Option<Self> {
        let table = firewall.tables.get(at)?;
        let families: Vec<(bool, FragmentChoice)> = [false, true]
            .into_iter()
            .filter(|v6| sees(table, *v6))
            .map(|v6| {
                let fragments = if tracks_connections(firewall, v6) {
                    FragmentChoice::None
                } else if table.backend == Backend::IptablesLegacy {
                    FragmentChoice::Seen
                } else {
                    FragmentChoice::Misread
                };
                (v6, fragments)
            })
            .collect();
        (!families.is_empty()).then(|| Self {
            firewall,
            table: at,
            changed: changed_fields(table),
            moving: MovingSets::of(firewall, table),
            families,
        })
    }

    fn chain_lives(
        &self,
        chain: usize,
        per_rule: u64,
        left: &mut u64,
        witnesses: bool,
    ) -> Vec<RuleLife> {
        let mut lives: Option<Vec<RuleLife>> = None;
        for (v6, fragments) in &self.families {
            let of_family = self.family_lives(chain, (*v6, *fragments), per_rule, left, witnesses);
            lives = Some(match lives {
                None => of_family,
                Some(before) => before
                    .into_iter()
                    .zip(of_family)
                    .map(|(one, other)| combine_lives(one, other))
                    .collect(),
            });
        }
        lives.unwrap_or_default()
    }

    fn family_lives(
        &self,
        chain: usize,
        (v6, fragments): (bool, FragmentChoice),
        per_rule: u64,
        left: &mut u64,
        witnesses: bool,
    ) -> Vec<RuleLife> {
        let table = &self.firewall.tables[self.table];
        let Some(rules) = table.chains.get(chain).map(|chain| &chain.rules) else {
            return Vec::new();
        };
        let reader = RuleReader {
            firewall: self.firewall,
            table,
            v6,
            changed: &self.changed,
            moving: &self.moving,
        };
        let asked = reader.asked_of_rules(rules);
        let (boxes, scales, world) = RuleBoxes::new(&asked, v6, fragments);
        drop(asked);
        let tree = BoxTree::new(&boxes);
        let mut search = CoverSearch::new();
        let mut lives = Vec::with_capacity(rules.len());
        for (number, rule) in (0..).zip(0..rules.len()) {
            let steps = per_rule.min(*left);
            search.steps = steps;
            let own = boxes.boxes_of_rule(rule).map(|one| boxes.sides_at(one));
            let found = search.find_outside(&boxes, &world, own, CoverTree::Before(&tree, number));
            *left = left.saturating_sub(steps - search.steps);
            lives.push(match found {
                Ok(Some(point)) => RuleLife::Alive(ChainWitness {
                    v6,
                    values: if witnesses {
                        let scales = scales.all.iter().zip(&point);
                        scales
                            .map(|(scale, (class, _))| {
                                (scale.axis.clone(), scale.class_value(*class))
                            })
                            .collect()
                    } else {
                        Vec::new()
                    },
                }),
                Ok(None) if search.used.is_empty() => RuleLife::Dead(WhyDead::Impossible),
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
                    RuleLife::Dead(WhyDead::Hidden(dead.hiders(&mut search)))
                }
                Err(cover::SearchSpent) => RuleLife::Unknown,
            });
        }
        lives
    }
}

/// What is known of a rule that sees both families.
fn combine_lives(one: RuleLife, other: RuleLife) -> RuleLife {
    match (one, other) {
        (RuleLife::Dead(mut why), RuleLife::Dead(more)) => {
            why.join_survey(more);
            RuleLife::Dead(why)
        }
        (RuleLife::Alive(witness), _) | (_, RuleLife::Alive(witness)) => RuleLife::Alive(witness),
        _ => RuleLife::Unknown,
    }
}
