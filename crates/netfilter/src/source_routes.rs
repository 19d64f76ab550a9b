//! Matches that ask for the way back to a packet's source, answered by the routes of the host: nft's
//! `fib saddr . iif oif` (`nft_fib4_eval`, `nft_fib6_eval`) and iptables' `-m rpfilter`
//! (`rpfilter_mt`, `rpfilter_mt6`).
//!
//! Where the routes tell, such a match becomes a look-up of the interface and the source in a set, which every
//! engine knows. Where policy routing or several ways leave it open, it stays unknown.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use crate::route_ways::{COMMON_TABLES, RouteWay, covered_addresses, ways_to_addresses};
use crate::{Route, Surroundings};
use surefoot_ruleset::model::{
    Component, Content, Element, Family, Field, Firewall, Hook, KeyPart, Lookup, Match,
    NamePattern, Operand, Place, Range, Set, SetKind, SetRef, Statement,
};

/// Elements that a set may have; routes of the whole Internet leave the match unknown.
const MOST_ELEMENTS: usize = 4096;

/// What a match asks of the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct AskedWay {
    /// Whether it holds where there is a way back.
    found: bool,
    /// Whether any interface does.
    loose: bool,
    /// Whether an address of this host has a way back.
    accept_local: bool,
    /// Whether nft asks.
    nft: bool,
}

/// Answers the matches that the routes of the host answer; returns whether there were any.
pub fn resolve_source_routes(firewall: &mut Firewall, surroundings: &Surroundings) -> bool {
    let ways = WaysOfFamilies {
        surroundings,
        known: Default::default(),
    };
    let mut any = false;
    for table in &mut firewall.tables {
        let families: &[bool] = match table.family {
            Family::Ip => &[false],
            Family::Ip6 => &[true],
            Family::Inet => &[false, true],
            _ => continue,
        };
        for chain in &mut table.chains {
            let base = chain.base.as_ref();
            let at_prerouting = base.is_some_and(|base| base.hook == Hook::Prerouting);
            for statement in chain.rules.iter_mut().flat_map(|rule| &mut rule.statements) {
                let Statement::Match(wanted @ Match::Opaque(_)) = statement else {
                    continue;
                };
                if let Some(answer) = ways.answer(wanted, at_prerouting, families) {
                    *wanted = answer;
                    any = true;
                }
            }
        }
    }
    any
}

/// The ways back of IPv4 and IPv6, found when the first match asks for them.
struct WaysOfFamilies<'a> {
    surroundings: &'a Surroundings,
    known: [OnceCell<Option<SourceWays>>; 2],
}

impl WaysOfFamilies<'_> {
    /// The match in place of one that asks for the way back; none where it does not, or the routes leave
    /// it open.
    fn answer(&self, wanted: &Match, at_prerouting: bool, families: &[bool]) -> Option<Match> {
        let Match::Opaque(opaque) = wanted else {
            return None;
        };
        // Elsewhere nft does not pass over what comes in by loopback.
        let asked = asked_way(&opaque.text).filter(|asked| at_prerouting || !asked.nft)?;
        let mut of = vec![loopback(self.surroundings)];
        for v6 in families {
            let known = &self.known[usize::from(*v6)];
            let ways = known.get_or_init(|| SourceWays::new(*v6, self.surroundings));
            of.extend(ways.as_ref()?.matches(asked));
        }
        Some(Match::Any {
            negated: !asked.found,
            of,
        })
    }
}

/// What the words of a match ask, where they ask for the way back and for nothing else.
fn asked_way(text: &str) -> Option<AskedWay> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if let ["-m", "rpfilter", options @ ..] = words.as_slice() {
        let mut asked = AskedWay {
            found: true,
            loose: false,
            accept_local: false,
            nft: false,
        };
        for option in options {
            match *option {
                "--invert" => asked.found = false,
                "--loose" => asked.loose = true,
                "--accept-local" => asked.accept_local = true,
                // Without rules of policy routing the mark changes nothing.
                "--validmark" => {}
                _ => return None,
            }
        }
        return Some(asked);
    }
    let ["fib", rest @ ..] = words.as_slice() else {
        return None;
    };
    let at = rest.iter().position(|word| *word == "oif")?;
    let (flags, compared) = (rest.get(..at)?, rest.get(at + 1..)?);
    let flags: BTreeSet<&str> = flags.iter().copied().filter(|word| *word != ".").collect();
    let plain = BTreeSet::from(["saddr", "iif"]);
    let with_mark = BTreeSet::from(["saddr", "mark", "iif"]);
    if flags != plain && flags != with_mark {
        return None;
    }
    let found = match compared {
        ["missing" | "0" | "false"] | ["eq" | "==", "0" | "false" | "missing"] => false,
        ["exists" | "true"] | ["ne" | "!=", "0" | "false" | "missing"] => true,
        _ => return None,
    };
    Some(AskedWay {
        found,
        loose: false,
        accept_local: false,
        nft: true,
    })
}

/// What comes in by loopback always has a way back.
fn loopback(surroundings: &Surroundings) -> Match {
    let interfaces = surroundings.interfaces.iter().flatten();
    let loopback = interfaces.filter(|interface| interface.loopback);
    Match::InInterface {
        negated: false,
        names: loopback.map(|interface| exactly(&interface.name)).collect(),
    }
}

fn exactly(name: &str) -> NamePattern {
    NamePattern {
        text: name.to_owned(),
        prefix: false,
    }
}

/// The ways back to the addresses of one family.
struct SourceWays {
    v6: bool,
    /// By which interface, and the addresses; of those that have several ways all.
    by: Vec<(String, Range)>,
    /// Addresses of this host itself, by the interface that has them.
    here: Vec<(String, Range)>,
    /// Addresses of many hosts, by the interface of their route.
    to_many: Vec<(String, Range)>,
}

impl SourceWays {
    /// The ways, if the routes tell them.
    fn new(v6: bool, surroundings: &Surroundings) -> Option<Self> {
        surroundings.interfaces.as_ref()?;
        let routes = surroundings.routes.as_ref()?;
        let mut of_family = routes
            .iter()
            .filter(|route| route.destination.0.is_ipv6() == v6);
        let is_common = of_family.all(|route| COMMON_TABLES.contains(&route.table));
        if surroundings.refusing_rules || !is_common {
            return None;
        }
        let mut found = Self {
            v6,
            by: Vec::new(),
            here: Vec::new(),
            to_many: Vec::new(),
        };
        for (mut range, ways) in ways_to_addresses(v6, routes, None) {
            // The first address is like the next one.
            if range.lo == 1 {
                range.lo = 0;
            }
            let way = ways.first().filter(|_| ways.len() == 1)?;
            for part in parts_of_links(v6, range) {
                match way {
                    RouteWay::Here(name) => found.here.push((name.clone(), part)),
                    _ if v6 && is_of_links(part) => found.add_ways_of_links(routes, part),
                    RouteWay::By(name) => found.by.push((name.clone(), part)),
                    RouteWay::ToMany(Some(name)) => found.to_many.push((name.clone(), part)),
                    // Packets from a group are dropped before any rule.
                    RouteWay::Several if v6 && part.lo >= 0xff << 120 => {}
                    RouteWay::None | RouteWay::ToMany(None) => {}
                    RouteWay::Several => return None,
                }
            }
            if found.by.len() > MOST_ELEMENTS {
                return None;
            }
        }
        Some(found)
    }

    /// Of addresses that are good on one link the kernel looks for a way by the interface that the packet
    /// came in by (`RT6_LOOKUP_F_IFACE`), however wide the network of the route.
    fn add_ways_of_links(&mut self, routes: &[Route], range: Range) {
        let covering = routes.iter().filter(|route| {
            let covered = covered_addresses(route);
            let is_way = route.kind == 1 && route.destination.0.is_ipv6();
            is_way && covered.lo <= range.lo && range.hi <= covered.hi
        });
        let names: BTreeSet<&String> = covering
            .filter_map(|route| route.interface.as_ref())
            .collect();
        self.by
            .extend(names.into_iter().map(|name| (name.clone(), range)));
    }

    /// Matches of which one holds where there is a way back.
    fn matches(&self, asked: AskedWay) -> Vec<Match> {
        let (source, destination) = if self.v6 {
            (Field::Ip6Src, Field::Ip6Dst)
        } else {
            (Field::Ip4Src, Field::Ip4Dst)
        };
        let mut by: Vec<&(String, Range)> = self.by.iter().collect();
        if asked.accept_local {
            by.extend(&self.here);
        }
        // Of IPv4 nft takes every route but one to this host.
        if asked.nft && !self.v6 {
            by.extend(&self.to_many);
        }
        let mut matches = Vec::new();
        if asked.loose {
            let (of_links, others): (Vec<_>, Vec<_>) = by
                .into_iter()
                .partition(|(_, range)| self.v6 && is_of_links(*range));
            by = of_links;
            let ranges: BTreeSet<Range> = others.iter().map(|(_, range)| *range).collect();
            matches.push(Match::Field {
                operand: Operand::from(source),
                negated: false,
                ranges: ranges.into_iter().collect(),
            });
        }
        let elements = by
            .iter()
            .map(|(name, range)| vec![Component::Name(exactly(name)), Component::Numbers(*range)]);
        let key = vec![KeyPart::InInterface, KeyPart::Number(source.into())];
        matches.push(lookup(key, elements.collect()));
        if self.v6 && !asked.nft {
            // A host without an address has no way back, and is let through.
            matches.push(Match::Field {
                operand: Operand::from(source),
                negated: false,
                ranges: vec![Range::one(0)],
            });
        }
        if !self.v6 {
            // A host that asks for an address sends from none.
            let none = Range {
                lo: 0,
                hi: 0x00ff_ffff,
            };
            let groups = Range {
                lo: 0xe000_0000,
                hi: 0xe000_00ff,
            };
            let to = [groups, Range::one(0xffff_ffff)];
            let elements = to
                .into_iter()
                .map(|to| [none, to].map(Component::Numbers).into());
            let key = [source, destination].map(|field| KeyPart::Number(field.into()));
            matches.push(lookup(key.into(), elements.collect()));
        }
        matches
    }
}

/// The addresses of IPv6 that are good on one link only.
const OF_LINKS: Range = Range {
    lo: 0xfe80 << 112,
    hi: (0xfec0 << 112) - 1,
};

fn is_of_links(range: Range) -> bool {
    OF_LINKS.lo <= range.lo && range.hi <= OF_LINKS.hi
}

/// A range of addresses in parts that are good on one link only, or not.
fn parts_of_links(v6: bool, range: Range) -> Vec<Range> {
    if !v6 {
        return vec![range];
    }
    let cuts = [
        (0, OF_LINKS.lo - 1),
        (OF_LINKS.lo, OF_LINKS.hi),
        (OF_LINKS.hi + 1, u128::MAX),
    ];
    let parts = cuts.into_iter().map(|(lo, hi)| Range {
        lo: range.lo.max(lo),
        hi: range.hi.min(hi),
    });
    parts.filter(|part| part.lo <= part.hi).collect()
}

fn lookup(key: Vec<KeyPart>, elements: Vec<Vec<Component>>) -> Match {
    let element = |key| Element {
        key,
        except: false,
        value: None,
    };
    Match::Lookup(Lookup {
        key,
        negated: false,
        set: SetRef::Inline(Box::new(Set {
            name: String::new(),
            kind: SetKind::Nft {
                type_name: "routes of this host".to_owned(),
                map: false,
            },
            content: Content::Known(elements.into_iter().map(element).collect()),
            place: Place::default(),
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_ask_for_the_way_back_are_understood() {
        let found = |text: &str| asked_way(text).map(|asked| asked.found);
        assert_eq!(found("fib saddr . iif oif missing"), Some(false));
        assert_eq!(found("fib saddr . mark . iif oif exists"), Some(true));
        assert_eq!(found("fib saddr . iif oif != 0"), Some(true));
        assert_eq!(found("-m rpfilter --validmark --invert"), Some(false));
        assert_eq!(found("-m rpfilter --loose"), Some(true));
        assert_eq!(found("fib daddr . iif oif missing"), None);
        assert_eq!(found("fib saddr oif missing"), None);
        assert_eq!(found("fib saddr . iif oifname eth0"), None);
        assert_eq!(found("-m rpfilter --new-option"), None);
    }
}
