//! Packets in words as the conjunctions of conditions that rules are made of.

use super::{ConditionPart, Traffic, TrafficCondition};
use crate::packet::PacketPath;
use surefoot_ruleset::model::{Field, Match, NamePattern, Range};

/// Conjunctions that one sentence may need.
const MOST_CONJUNCTIONS: usize = 64;

/// Why packets cannot be said by the matches of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsayableTraffic {
    /// They are told by a set of the rules.
    NamesSet,
    /// There are too many kinds of them.
    TooMany,
}

impl Traffic {
    /// The same packets with another thing said of the connection: nothing, so that packets of every
    /// state are meant.
    ///
    /// Packets of which something was said are left as they are.
    #[must_use]
    pub fn of_any_state(&self) -> Self {
        let mut all = self.clone();
        if all.taken_as_new {
            // The reader puts this condition last.
            all.conditions.pop();
            all.taken_as_new = false;
        }
        all
    }

    /// The same packets without those that this host sends to itself, unless an interface is named.
    #[must_use]
    pub fn apart_from_loopback(&self) -> Self {
        let mut others = self.clone();
        if self.names().is_empty() {
            let names = vec![NamePattern {
                text: "lo".to_owned(),
                prefix: false,
            }];
            let negated = true;
            let outside = if self.way == Some(PacketPath::Output) {
                Match::OutInterface { negated, names }
            } else {
                Match::InInterface { negated, names }
            };
            others.conditions.push(TrafficCondition {
                negated: false,
                parts: vec![ConditionPart::Match(outside)],
            });
        }
        others
    }

    /// The packets of one family as conjunctions of matches, of which one holds.
    ///
    /// # Errors
    ///
    /// If no matches say them.
    pub fn conjunctions(&self, v6: bool) -> Result<Vec<Vec<Match>>, UnsayableTraffic> {
        let mut found = vec![Vec::new()];
        if self.v6.is_some_and(|said| said != v6) {
            found.clear();
        }
        for TrafficCondition { negated, parts } in &self.conditions {
            let ways = if *negated {
                let mut ways = Vec::new();
                for part in parts {
                    ways.extend(ways_of(part, true, v6)?);
                }
                ways
            } else {
                let mut ways = vec![Vec::new()];
                for part in parts {
                    ways = each_with_each(&ways, &ways_of(part, false, v6)?)?;
                }
                ways
            };
            found = each_with_each(&found, &ways)?;
        }
        let mut each: Vec<Vec<Match>> = Vec::new();
        for one in found {
            if !each.contains(&one) {
                each.push(one);
            }
        }
        Ok(each)
    }
}

/// The conjunctions of which one holds where the part does, or where it does not.
fn ways_of(
    part: &ConditionPart,
    negated: bool,
    v6: bool,
) -> Result<Vec<Vec<Match>>, UnsayableTraffic> {
    match part {
        ConditionPart::Match(wanted) if is_of_other_family(wanted, v6) => {
            // It holds for no packet of this family.
            Ok(if negated {
                vec![Vec::new()]
            } else {
                Vec::new()
            })
        }
        // Every code of a type is meant: none is left out.
        ConditionPart::Match(wanted) if is_any_code(wanted) => Ok(if negated {
            Vec::new()
        } else {
            vec![vec![wanted.clone()]]
        }),
        ConditionPart::Match(wanted) => Ok(vec![vec![turned(wanted, negated)]]),
        ConditionPart::InSet { .. } => Err(UnsayableTraffic::NamesSet),
        ConditionPart::Any(of) | ConditionPart::All(of) => {
            // What holds for one of several fails for each of them.
            if matches!(part, ConditionPart::Any(_)) == negated {
                let mut ways = vec![Vec::new()];
                for one in of {
                    ways = each_with_each(&ways, &ways_of(one, negated, v6)?)?;
                }
                return Ok(ways);
            }
            let mut ways = Vec::new();
            for one in of {
                ways.extend(ways_of(one, negated, v6)?);
            }
            Ok(ways)
        }
    }
}

fn each_with_each(
    some: &[Vec<Match>],
    others: &[Vec<Match>],
) -> Result<Vec<Vec<Match>>, UnsayableTraffic> {
    if some.len() * others.len() > MOST_CONJUNCTIONS {
        return Err(UnsayableTraffic::TooMany);
    }
    let pairs = some
        .iter()
        .flat_map(|one| others.iter().map(move |other| [&one[..], other].concat()));
    Ok(pairs.collect())
}

fn turned(wanted: &Match, by: bool) -> Match {
    let mut wanted = wanted.clone();
    if let Match::Field { negated, .. }
    | Match::InInterface { negated, .. }
    | Match::OutInterface { negated, .. } = &mut wanted
    {
        *negated ^= by;
    }
    wanted
}

/// Whether it is the code of an ICMP message, whichever.
fn is_any_code(wanted: &Match) -> bool {
    let Match::Field {
        operand,
        negated: false,
        ranges,
    } = wanted
    else {
        return false;
    };
    let is_code = matches!(operand.field, Field::IcmpCode | Field::Icmp6Code);
    is_code && matches!(ranges.as_slice(), [Range { lo: 0, hi: 255 }])
}

fn is_of_other_family(wanted: &Match, v6: bool) -> bool {
    let Match::Field { operand, .. } = wanted else {
        return false;
    };
    match operand.field {
        Field::Ip4Src | Field::Ip4Dst | Field::IcmpType | Field::IcmpCode | Field::Ttl => v6,
        Field::Ip6Src | Field::Ip6Dst | Field::Icmp6Type | Field::Icmp6Code | Field::HopLimit => {
            !v6
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(words: &str) -> [usize; 2] {
        let traffic = Traffic::parse(words).unwrap().of_any_state();
        [false, true].map(|v6| traffic.conjunctions(v6).unwrap().len())
    }

    #[test]
    fn a_family_has_its_own_conjunctions() {
        assert_eq!(counts("tcp to :22"), [1, 1]);
        assert_eq!(counts("tcp from 10.0.0.0/8 to :22"), [1, 0]);
        assert_eq!(counts("from {10.0.0.0/8, 2001:db8::/32}"), [1, 1]);
        assert_eq!(counts("ipv6 ping"), [0, 1]);
    }

    #[test]
    fn several_things_turned_round_are_several_conjunctions() {
        assert_eq!(counts("not ssh in eth0"), [2, 2]);
        assert_eq!(counts("not from 10.0.0.0/8"), [1, 1]);
        assert_eq!(counts("icmp not type 8")[0], 1);
    }

    #[test]
    fn a_set_is_no_match() {
        let traffic = Traffic::parse("from @blocked").unwrap();
        assert_eq!(traffic.conjunctions(false), Err(UnsayableTraffic::NamesSet));
    }
}
