//! Rule sets read wrongly on purpose. A comparison that does not notice would prove nothing.

use surefoot_ruleset::model::{
    Component, Effect, Element, Field, Firewall, KeyPart, Match, Nat, Operand, Policy, Range, Rule,
    SetKind, SetRef, Statement, Table, Verdict, ct_state,
};

/// A way to misread rules. It is given the number of the place to err at, and says whether there
/// was such a place.
pub(crate) struct Mutation {
    pub(crate) name: &'static str,
    err: fn(&mut Firewall, &mut usize) -> bool,
}

impl Mutation {
    /// All the wrong readings of this kind.
    pub(crate) fn mutants<'a>(
        &'a self,
        firewall: &'a Firewall,
    ) -> impl Iterator<Item = Firewall> + 'a {
        (0..).map_while(|place| {
            let mut mutant = firewall.clone();
            let mut left = place;
            (self.err)(&mut mutant, &mut left).then_some(mutant)
        })
    }
}

/// The kinds of wrong readings.
pub(crate) const ALL: &[Mutation] = &[
    Mutation {
        name: "a negation is overlooked, or seen where there is none",
        err: |firewall, left| {
            in_matches(firewall, left, |wanted| match wanted {
                Match::Field { negated, .. }
                | Match::InInterface { negated, .. }
                | Match::OutInterface { negated, .. }
                | Match::Any { negated, .. } => flip(negated),
                Match::Lookup(lookup) => flip(&mut lookup.negated),
                Match::Never | Match::Opaque(_) => false,
            })
        },
    },
    Mutation {
        name: "a condition is overlooked",
        err: |firewall, left| {
            in_matches(firewall, left, |wanted| {
                *wanted = Match::Any {
                    negated: true,
                    of: Vec::new(),
                };
                true
            })
        },
    },
    Mutation {
        name: "a range is one longer",
        err: |firewall, left| {
            in_matches(firewall, left, |wanted| match wanted {
                Match::Field {
                    operand, ranges, ..
                } => {
                    let last = ranges.last_mut();
                    last.is_some_and(|range| can_be_longer(*operand, *range) && longer(range))
                }
                _ => false,
            })
        },
    },
    Mutation {
        name: "a range begins one later",
        err: |firewall, left| {
            in_matches(firewall, left, |wanted| match wanted {
                Match::Field { ranges, .. } => ranges.first_mut().is_some_and(|range| {
                    range.lo = range.lo.saturating_add(1);
                    true
                }),
                _ => false,
            })
        },
    },
    Mutation {
        name: "a mask is overlooked",
        err: |firewall, left| {
            in_matches(firewall, left, |wanted| match wanted {
                Match::Field { operand, .. } => operand.mask.take().is_some(),
                _ => false,
            })
        },
    },
    Mutation {
        name: "a rule is overlooked",
        err: |firewall, left| {
            in_rules(firewall, left, |rule| {
                rule.statements.insert(0, Statement::Match(Match::Never));
                true
            })
        },
    },
    Mutation {
        name: "RETURN is taken for ACCEPT",
        err: |firewall, left| {
            becomes(firewall, left, |verdict| match verdict {
                Verdict::Return => Some(Verdict::Accept),
                _ => None,
            })
        },
    },
    Mutation {
        name: "a goto is taken for a jump",
        err: |firewall, left| {
            becomes(firewall, left, |verdict| match verdict {
                Verdict::Goto(to) => Some(Verdict::Jump(*to)),
                _ => None,
            })
        },
    },
    Mutation {
        name: "a jump is taken for a goto",
        err: |firewall, left| {
            becomes(firewall, left, |verdict| match verdict {
                Verdict::Jump(to) => Some(Verdict::Goto(*to)),
                _ => None,
            })
        },
    },
    Mutation {
        name: "NAT rewrites nothing",
        err: |firewall, left| {
            becomes(firewall, left, |verdict| match verdict {
                Verdict::Nat(_) => Some(Verdict::Accept),
                _ => None,
            })
        },
    },
    Mutation {
        name: "a rule with a verdict goes on",
        err: |firewall, left| {
            becomes(firewall, left, |verdict| match verdict {
                Verdict::Accept | Verdict::Drop | Verdict::Reject { .. } => Some(Verdict::Continue),
                _ => None,
            })
        },
    },
    Mutation {
        name: "a policy is the other one",
        err: |firewall, left| {
            in_chains(firewall, left, |chain| {
                chain.base.as_mut().is_some_and(|base| {
                    base.policy = match base.policy {
                        Policy::Accept => Policy::Drop,
                        Policy::Drop => Policy::Accept,
                    };
                    true
                })
            })
        },
    },
    Mutation {
        name: "priorities count backwards",
        err: |firewall, left| {
            if firewall.tables.len() < 2 || *left > 0 {
                return false;
            }
            for table in &mut firewall.tables {
                for base in table
                    .chains
                    .iter_mut()
                    .filter_map(|chain| chain.base.as_mut())
                {
                    base.priority = -base.priority;
                }
            }
            true
        },
    },
    Mutation {
        name: "of equal priorities the earlier chain runs first",
        err: |firewall, left| {
            let texts = firewall.tables.iter().map(|table| table.place.source);
            let one_text = texts.clone().min() == texts.max();
            // Within a text the place tells which chain was made first.
            let chains = firewall.tables.iter().flat_map(|table| &table.chains);
            let mut starts: Vec<u32> = chains.map(|chain| chain.place.span.start).collect();
            starts.sort_unstable();
            let chains = firewall
                .tables
                .iter_mut()
                .flat_map(|table| &mut table.chains);
            for chain in chains {
                let start = &mut chain.place.span.start;
                if let Ok(at) = starts.binary_search(start) {
                    *start = starts[starts.len() - 1 - at];
                }
            }
            firewall.tables.reverse();
            let level = firewall.tables.windows(2).any(|pair| {
                let bases = |table: &Table| -> Vec<_> {
                    let bases = table.chains.iter().filter_map(|chain| chain.base.as_ref());
                    bases.map(|base| (base.hook, base.priority)).collect()
                };
                bases(&pair[0])
                    .iter()
                    .any(|base| bases(&pair[1]).contains(base))
            });
            *left == 0 && one_text && level
        },
    },
    Mutation {
        name: "nomatch is overlooked",
        err: |firewall, left| in_elements(firewall, left, |element| flip_off(&mut element.except)),
    },
    Mutation {
        name: "an element of a set is overlooked",
        err: |firewall, left| {
            in_elements(firewall, left, |element| {
                for component in &mut element.key {
                    if let Component::Numbers(range) = component {
                        (range.lo, range.hi) = (u128::MAX, u128::MAX);
                        return true;
                    }
                }
                false
            })
        },
    },
    Mutation {
        name: "a mark is set without its mask",
        err: |firewall, left| {
            in_statements(firewall, left, |statement| match statement {
                Statement::Effect(Effect::SetMark { and, .. }) if *and != 0 => {
                    *and = 0;
                    true
                }
                Statement::Effect(Effect::CopyMark {
                    from_mask, to_mask, ..
                }) if *from_mask != u32::MAX || *to_mask != u32::MAX => {
                    (*from_mask, *to_mask) = (u32::MAX, u32::MAX);
                    true
                }
                _ => false,
            })
        },
    },
    Mutation {
        name: "a change is overlooked",
        err: |firewall, left| {
            in_statements(firewall, left, |statement| match statement {
                Statement::Effect(
                    Effect::SetMark { .. }
                    | Effect::CopyMark { .. }
                    | Effect::NoTrack
                    | Effect::Set { .. },
                ) => {
                    *statement = Statement::Effect(Effect::Other {
                        text: "overlooked".into(),
                    });
                    true
                }
                _ => false,
            })
        },
    },
    Mutation {
        name: "NAT forgets the port",
        err: |firewall, left| in_nat(firewall, left, |nat| nat.ports.take().is_some()),
    },
    Mutation {
        name: "NAT forgets the address",
        err: |firewall, left| in_nat(firewall, left, |nat| nat.addresses.take().is_some()),
    },
    Mutation {
        name: "a range ends one earlier",
        err: |firewall, left| {
            in_matches(firewall, left, |wanted| match wanted {
                Match::Field { ranges, .. } => ranges.last_mut().is_some_and(shorter),
                _ => false,
            })
        },
    },
    Mutation {
        name: "the end of an interval in a set is not in it",
        err: |firewall, left| {
            in_elements(firewall, left, |element| {
                element.key.iter_mut().any(|component| match component {
                    Component::Numbers(range) => shorter(range),
                    Component::Name(_) => false,
                })
            })
        },
    },
    Mutation {
        name: "RELATED is taken for NEW",
        err: |firewall, left| {
            in_matches(firewall, left, |wanted| match wanted {
                Match::Field {
                    operand, ranges, ..
                } if operand.field == Field::CtState => swap_states(operand, ranges),
                _ => false,
            })
        },
    },
    Mutation {
        name: "a verdict map has no answer",
        err: |firewall, left| {
            in_statements(firewall, left, |statement| {
                let map = matches!(statement, Statement::VerdictMap(_));
                if map {
                    *statement = Statement::Effect(Effect::Other {
                        text: "overlooked".into(),
                    });
                }
                map
            })
        },
    },
    Mutation {
        name: "source and destination are taken for each other",
        err: |firewall, left| {
            in_matches(firewall, left, |wanted| match wanted {
                Match::Field { operand, .. } => turn(operand),
                Match::Lookup(lookup) => lookup.key.iter_mut().any(|part| match part {
                    KeyPart::Number(operand) => turn(operand),
                    _ => false,
                }),
                _ => false,
            })
        },
    },
    Mutation {
        name: "the interfaces are taken for each other",
        err: |firewall, left| {
            in_matches(firewall, left, |wanted| {
                let turned = match wanted {
                    Match::InInterface { negated, names } => Match::OutInterface {
                        negated: *negated,
                        names: names.clone(),
                    },
                    Match::OutInterface { negated, names } => Match::InInterface {
                        negated: *negated,
                        names: names.clone(),
                    },
                    _ => return false,
                };
                *wanted = turned;
                true
            })
        },
    },
    Mutation {
        name: "the wildcard of an interface is overlooked",
        err: |firewall, left| {
            in_matches(firewall, left, |wanted| match wanted {
                Match::InInterface { names, .. } | Match::OutInterface { names, .. } => {
                    names.iter_mut().any(|name| flip_off(&mut name.prefix))
                }
                _ => false,
            })
        },
    },
    Mutation {
        name: "ACCEPT in a user chain only leaves the chain",
        err: |firewall, left| {
            let chains = firewall
                .tables
                .iter_mut()
                .flat_map(|table| &mut table.chains);
            let users = chains.filter(|chain| chain.base.is_none());
            let rules = users.flat_map(|chain| &mut chain.rules);
            at_turn(
                rules.flat_map(|rule| &mut rule.statements),
                left,
                |statement| {
                    let accept = matches!(statement, Statement::Verdict(Verdict::Accept));
                    if accept {
                        *statement = Statement::Verdict(Verdict::Return);
                    }
                    accept
                },
            )
        },
    },
    Mutation {
        name: "the last of several values is overlooked",
        err: |firewall, left| {
            in_matches(firewall, left, |wanted| match wanted {
                Match::Field { ranges, .. } if ranges.len() > 1 => ranges.pop().is_some(),
                Match::Any { of, .. } if of.len() > 1 => of.pop().is_some(),
                _ => false,
            })
        },
    },
    Mutation {
        name: "a rule stands one further down",
        err: |firewall, left| {
            let chains = firewall
                .tables
                .iter_mut()
                .flat_map(|table| &mut table.chains);
            for chain in chains {
                let pairs = chain.rules.len().saturating_sub(1);
                if *left < pairs {
                    chain.rules.swap(*left, *left + 1);
                    return true;
                }
                *left -= pairs;
            }
            false
        },
    },
];

fn flip(flag: &mut bool) -> bool {
    *flag = !*flag;
    true
}

/// Whether packets come with the number behind the range, too.
fn can_be_longer(operand: Operand, range: Range) -> bool {
    let most = match operand.field {
        Field::SrcPort | Field::DstPort | Field::Ip4Id | Field::Length => 0xffff,
        Field::Ip4Src | Field::Ip4Dst => 0xffff_ffff,
        Field::Ttl | Field::HopLimit | Field::IcmpType | Field::Icmp6Type => 0xff,
        Field::Ip6Src | Field::Ip6Dst => u128::MAX,
        _ => 0,
    };
    operand.mask.is_none() && range.hi < most
}

fn longer(range: &mut Range) -> bool {
    range.hi += 1;
    true
}

fn shorter(range: &mut Range) -> bool {
    let long = range.lo < range.hi;
    range.hi -= u128::from(long);
    long
}

/// Takes the source's field for the destination's, and the other way round.
fn turn(operand: &mut Operand) -> bool {
    operand.field = match operand.field {
        Field::Ip4Src => Field::Ip4Dst,
        Field::Ip4Dst => Field::Ip4Src,
        Field::Ip6Src => Field::Ip6Dst,
        Field::Ip6Dst => Field::Ip6Src,
        Field::SrcPort => Field::DstPort,
        Field::DstPort => Field::SrcPort,
        Field::SetSrcPort => Field::SetDstPort,
        Field::SetDstPort => Field::SetSrcPort,
        _ => return false,
    };
    true
}

/// Takes RELATED for NEW and NEW for RELATED, where only one of them is asked for.
fn swap_states(operand: &mut Operand, ranges: &mut [Range]) -> bool {
    let swap = |state: u128| match state {
        ct_state::RELATED => ct_state::NEW,
        ct_state::NEW => ct_state::RELATED,
        other => other,
    };
    if let Some(mask) = &mut operand.mask {
        let both = ct_state::RELATED | ct_state::NEW;
        if *mask & both == both || *mask & both == 0 {
            return false;
        }
        *mask ^= both;
        return ranges.iter().all(|range| range.lo == 0 && range.hi == 0);
    }
    let before: Vec<Range> = ranges.to_vec();
    for range in &mut *ranges {
        (range.lo, range.hi) = (swap(range.lo), swap(range.hi));
    }
    ranges.sort_by_key(|range| range.lo);
    *ranges != *before && ranges.iter().all(|range| range.lo <= range.hi)
}

fn flip_off(flag: &mut bool) -> bool {
    std::mem::take(flag)
}

/// Calls the change place by place until the one whose turn it is has been changed.
fn at_turn<'a, T: Clone + 'a>(
    places: impl Iterator<Item = &'a mut T>,
    left: &mut usize,
    change: impl Fn(&mut T) -> bool,
) -> bool {
    for place in places {
        let mut changed = place.clone();
        if change(&mut changed) {
            if *left == 0 {
                *place = changed;
                return true;
            }
            *left -= 1;
        }
    }
    false
}

fn in_chains(
    firewall: &mut Firewall,
    left: &mut usize,
    change: impl Fn(&mut surefoot_ruleset::model::Chain) -> bool,
) -> bool {
    let chains = firewall
        .tables
        .iter_mut()
        .flat_map(|table| &mut table.chains);
    at_turn(chains, left, change)
}

fn in_rules(firewall: &mut Firewall, left: &mut usize, change: impl Fn(&mut Rule) -> bool) -> bool {
    let chains = firewall
        .tables
        .iter_mut()
        .flat_map(|table| &mut table.chains);
    at_turn(chains.flat_map(|chain| &mut chain.rules), left, change)
}

fn in_statements(
    firewall: &mut Firewall,
    left: &mut usize,
    change: impl Fn(&mut Statement) -> bool,
) -> bool {
    let rules = firewall
        .tables
        .iter_mut()
        .flat_map(|table| &mut table.chains)
        .flat_map(|chain| &mut chain.rules);
    at_turn(rules.flat_map(|rule| &mut rule.statements), left, change)
}

fn in_matches(
    firewall: &mut Firewall,
    left: &mut usize,
    change: impl Fn(&mut Match) -> bool,
) -> bool {
    in_statements(firewall, left, |statement| match statement {
        Statement::Match(wanted) => change(wanted),
        _ => false,
    })
}

fn in_nat(firewall: &mut Firewall, left: &mut usize, change: fn(&mut Nat) -> bool) -> bool {
    in_statements(firewall, left, |statement| match statement {
        Statement::Verdict(Verdict::Nat(nat)) => change(nat),
        _ => false,
    })
}

/// Changes a verdict, in a rule or in a verdict map.
fn becomes(
    firewall: &mut Firewall,
    left: &mut usize,
    new: fn(&Verdict) -> Option<Verdict>,
) -> bool {
    use surefoot_ruleset::model::ElementValue;
    in_statements(firewall, left, |statement| match statement {
        Statement::Verdict(verdict) => new(verdict).is_some_and(|new| {
            *verdict = new;
            true
        }),
        _ => false,
    }) || in_elements(firewall, left, |element| match &mut element.value {
        Some(ElementValue::Verdict(verdict)) => new(verdict).is_some_and(|new| {
            *verdict = new;
            true
        }),
        _ => false,
    })
}

/// Changes an element of a set with a name, or of one that stands in a rule.
fn in_elements(
    firewall: &mut Firewall,
    left: &mut usize,
    change: impl Fn(&mut Element) -> bool + Copy,
) -> bool {
    use surefoot_ruleset::model::{Content, Set};
    fn elements(set: &mut Set) -> &mut [Element] {
        match &mut set.content {
            Content::Known(elements) if !matches!(set.kind, SetKind::List { .. }) => elements,
            _ => &mut [],
        }
    }
    let named = firewall
        .ipsets
        .iter_mut()
        .chain(firewall.tables.iter_mut().flat_map(|table| &mut table.sets));
    if at_turn(named.flat_map(elements), left, change) {
        return true;
    }
    let statements = firewall
        .tables
        .iter_mut()
        .flat_map(|table| &mut table.chains)
        .flat_map(|chain| &mut chain.rules)
        .flat_map(|rule| &mut rule.statements);
    let inline = statements.filter_map(|statement| match statement {
        Statement::Match(Match::Lookup(lookup)) => match &mut lookup.set {
            SetRef::Inline(set) => Some(&mut **set),
            _ => None,
        },
        Statement::VerdictMap(map) => match &mut map.map {
            SetRef::Inline(set) => Some(&mut **set),
            _ => None,
        },
        _ => None,
    });
    at_turn(inline.flat_map(elements), left, change)
}
