//! Dead rules of single chains against a count of all packets: small universes in which every rule
//! is asked about every packet.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the long run is asked for by the environment; tests may panic"
)]

use std::collections::BTreeSet;

use surefoot_netfilter::boxes::{Budget, ClassValue, MatchAxis, RuleLife, rule_lives};
use surefoot_netfilter::exact::WhyDead;
use surefoot_ruleset::model::{
    Backend, Base, Chain, ChainKind, Component, Content, Element, Family, Field, Firewall, Hook,
    KeyPart, Lookup, Match, NamePattern, Opaque, Operand, Place, Policy, Range, Rule, Set, SetKind,
    SetRef, Statement, Table, Verdict, ct_state,
};

/// A packet of a small universe: what rules can ask of it.
#[derive(Clone, Debug)]
struct Packet {
    numbers: Vec<(Field, u128)>,
    input: &'static str,
    /// Words that hold.
    said: Vec<&'static str>,
}

impl Packet {
    fn get(&self, field: Field) -> Option<u128> {
        let mut numbers = self.numbers.iter();
        numbers
            .find(|(one, _)| *one == field)
            .map(|(_, number)| *number)
    }
}

/// What the rules of one set ask about; the packets differ in nothing else.
#[derive(Clone, Copy, Debug)]
struct Universe {
    v6: bool,
    addresses: bool,
    destinations: bool,
    protocols: bool,
    flags: bool,
    states: bool,
    names: bool,
    words: bool,
    /// Without conntrack there are fragments.
    fragments: bool,
}

const STATES: [u128; 5] = [
    ct_state::NEW,
    ct_state::ESTABLISHED,
    ct_state::RELATED,
    ct_state::INVALID,
    ct_state::UNTRACKED,
];
/// One name of each kind that the patterns tell apart.
const NAMES: [&str; 5] = ["", "eth0", "eth1", "lo", "wan"];
const WORDS: [&str; 2] = ["-m a", "-m b"];

impl Universe {
    fn draw(chance: &mut Chance) -> Self {
        let mut universe = Self {
            v6: chance.one_in(4),
            addresses: chance.one_in(2),
            destinations: chance.one_in(3),
            protocols: chance.one_in(2),
            flags: chance.one_in(3),
            states: chance.one_in(4),
            names: chance.one_in(4),
            words: chance.one_in(5),
            fragments: chance.one_in(4),
        };
        universe.protocols |= universe.flags;
        // Who asks for the state has conntrack, which puts fragments together.
        universe.states &= !universe.fragments;
        if !universe.addresses && !universe.names {
            universe.addresses = true;
        }
        // Enumerating everything at once takes long and shows no more.
        if universe.addresses && universe.destinations && universe.protocols {
            universe.names = false;
            universe.states = false;
        }
        universe
    }

    /// Every packet that the rules can tell apart. The largest number of each field stands for all
    /// that no rule names.
    fn packets(self) -> Vec<Packet> {
        let families: &[bool] = if self.v6 { &[false, true] } else { &[false] };
        let mut packets = Vec::new();
        for v6 in families {
            let (source, destination) = ends(*v6);
            let first = Packet {
                numbers: vec![(Field::NfProto, if *v6 { 10 } else { 2 })],
                input: "lo",
                said: Vec::new(),
            };
            let mut these = vec![first];
            each(
                &mut these,
                source,
                &upto(if self.addresses { 8 } else { 0 }),
            );
            each(
                &mut these,
                destination,
                &upto(if self.destinations { 3 } else { 0 }),
            );
            these = these
                .iter()
                .flat_map(|packet| self.with_transport(packet, *v6))
                .collect();
            let states = if self.states {
                &STATES[..]
            } else {
                &STATES[..1]
            };
            each(&mut these, Field::CtState, states);
            packets.extend(these);
        }
        if self.names {
            packets = product(&packets, &NAMES, |packet, name| packet.input = name);
        }
        if self.words {
            for word in WORDS {
                packets = product(&packets, &[false, true], |packet, holds| {
                    packet.said.extend(holds.then_some(word));
                });
            }
        }
        packets
    }

    fn with_transport(self, packet: &Packet, v6: bool) -> Vec<Packet> {
        let with = |more: &[(Field, u128)]| {
            let mut packet = packet.clone();
            packet.numbers.extend(more);
            packet
        };
        let (l4, port) = (Field::L4Proto, Field::DstPort);
        let whole = (Field::IsLaterFragment, 0);
        let icmp = if v6 {
            (58, Field::Icmp6Type)
        } else {
            (1, Field::IcmpType)
        };
        let mut packets = Vec::new();
        // One with ports that no rule names, one without, and the ICMP of the other family.
        let protocols: &[u128] = match (self.protocols, v6) {
            (false, _) => &[6],
            (true, false) => &[6, 17, 33, 2, 58],
            (true, true) => &[6, 17, 33, 2, 1],
        };
        for protocol in protocols {
            let ports = match protocol {
                1 | 2 | 58 => vec![None],
                _ if self.protocols => (0..=4).map(Some).collect(),
                _ => vec![Some(0)],
            };
            for number in ports {
                let mut more = vec![(l4, *protocol), whole];
                more.extend(number.map(|number| (port, number)));
                if *protocol == 6 {
                    let flags: &[u128] = if self.flags { &[0, 2, 16, 18] } else { &[0] };
                    packets.extend(flags.iter().map(|flags| {
                        more.push((Field::TcpFlags, *flags));
                        let packet = with(&more);
                        more.pop();
                        packet
                    }));
                } else {
                    packets.push(with(&more));
                }
            }
            if self.fragments {
                packets.push(with(&[(l4, *protocol), (Field::IsLaterFragment, 1)]));
            }
        }
        if self.protocols {
            packets.extend([0, 8, 1].map(|kind| with(&[(l4, icmp.0), whole, (icmp.1, kind)])));
            if self.fragments {
                packets.push(with(&[(l4, icmp.0), (Field::IsLaterFragment, 1)]));
            }
        }
        packets
    }
}

fn ends(v6: bool) -> (Field, Field) {
    if v6 {
        (Field::Ip6Src, Field::Ip6Dst)
    } else {
        (Field::Ip4Src, Field::Ip4Dst)
    }
}

fn upto(last: u128) -> Vec<u128> {
    (0..=last).collect()
}

fn each(packets: &mut Vec<Packet>, field: Field, numbers: &[u128]) {
    *packets = product(packets, numbers, |packet, number| {
        packet.numbers.push((field, number));
    });
}

fn product<T: Copy>(packets: &[Packet], all: &[T], put: impl Fn(&mut Packet, T)) -> Vec<Packet> {
    let mut more = Vec::with_capacity(packets.len() * all.len());
    for packet in packets {
        for one in all {
            let mut packet = packet.clone();
            put(&mut packet, *one);
            more.push(packet);
        }
    }
    more
}

/// The same numbers in every run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn among<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.next()).unwrap() % all.len()]
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn range(&mut self, last: u64) -> Range {
        let (a, b) = (self.below(last + 1), self.below(last + 1));
        Range {
            lo: a.min(b).into(),
            hi: a.max(b).into(),
        }
    }

    /// One range, or two that do not touch, now and then none.
    fn ranges(&mut self, last: u64) -> Vec<Range> {
        if self.one_in(20) {
            return Vec::new();
        }
        let mut ranges = vec![self.range(last)];
        if self.one_in(3) {
            let more = self.range(last);
            if ranges[0].hi + 1 < more.lo {
                ranges.push(more);
            }
        }
        ranges
    }
}

/// A random chain, with a set that it may look into.
fn firewall(universe: Universe, chance: &mut Chance) -> Firewall {
    let set = Set {
        name: "pairs".into(),
        kind: SetKind::Nft {
            type_name: "ipv4_addr . inet_service".into(),
            map: false,
        },
        content: Content::Known(
            (0..3)
                .map(|_| Element {
                    key: vec![
                        Component::Numbers(chance.range(7)),
                        Component::Numbers(chance.range(3)),
                    ],
                    except: false,
                    value: None,
                })
                .collect(),
        ),
        place: Place::default(),
    };
    let ipset = Set {
        name: "ports".into(),
        kind: SetKind::Ipset {
            type_name: "bitmap:port".into(),
        },
        content: Content::Known(
            [chance.range(3), chance.range(3)]
                .map(|range| Element {
                    key: vec![Component::Numbers(range)],
                    except: false,
                    value: None,
                })
                .into(),
        ),
        place: Place::default(),
    };
    let rules = 4 + chance.below(9);
    let rules = (0..rules).map(|_| rule(universe, chance)).collect();
    let base = |hook| {
        Some(Base {
            hook,
            priority: 0,
            kind: ChainKind::Filter,
            policy: Policy::Drop,
            devices: Vec::new(),
        })
    };
    let chain = |name: &str, base, rules| Chain {
        name: name.into(),
        base,
        rules,
        policy_counters: None,
        place: Place::default(),
    };
    // Conntrack runs because of this rule, and puts fragments together.
    let tracking = Statement::Match(field(Field::CtState, false, vec![Range::one(2)]));
    let elsewhere = if universe.fragments {
        Vec::new()
    } else {
        vec![made(vec![tracking])]
    };
    Firewall {
        tables: vec![Table {
            backend: if universe.fragments {
                Backend::IptablesLegacy
            } else {
                Backend::Nft
            },
            family: if universe.v6 {
                Family::Inet
            } else {
                Family::Ip
            },
            name: "filter".into(),
            dormant: false,
            chains: vec![
                chain("input", base(Hook::Input), rules),
                chain("output", base(Hook::Output), elsewhere),
            ],
            sets: vec![set],
            others: Vec::new(),
            place: Place::default(),
        }],
        ipsets: vec![ipset],
        ipsets_read: true,
        ..Firewall::default()
    }
}

fn made(statements: Vec<Statement>) -> Rule {
    Rule {
        number: 1,
        handle: None,
        counters: None,
        comment: None,
        statements,
        place: Place::default(),
    }
}

fn field(field: Field, negated: bool, ranges: Vec<Range>) -> Match {
    Match::Field {
        operand: field.into(),
        negated,
        ranges,
    }
}

fn rule(universe: Universe, chance: &mut Chance) -> Rule {
    let mut statements = Vec::new();
    for _ in 0..chance.below(4) {
        statements.push(Statement::Match(wanted(universe, chance, true)));
    }
    if chance.one_in(12) {
        statements.push(Statement::Match(Match::Opaque(Opaque {
            text: "limit rate 1/second".into(),
            stateful: true,
            memory: None,
        })));
    }
    statements.extend(match chance.below(8) {
        0..=2 => Some(Statement::Verdict(Verdict::Accept)),
        3..=4 => Some(Statement::Verdict(Verdict::Drop)),
        5 => Some(Statement::Verdict(Verdict::Return)),
        6 => Some(Statement::Verdict(Verdict::Reject { with: "x".into() })),
        _ => None,
    });
    made(statements)
}

fn wanted(universe: Universe, chance: &mut Chance, nest: bool) -> Match {
    let v6 = universe.v6 && chance.one_in(3);
    let (source, destination) = ends(v6);
    loop {
        let negated = chance.one_in(3);
        return match chance.below(12) {
            0..=1 if universe.addresses => field(source, negated, chance.ranges(7)),
            2 if universe.destinations => field(destination, negated, chance.ranges(2)),
            3 if universe.protocols => {
                let number = chance.among(&[1, 6, 17, 58]);
                field(Field::L4Proto, negated, vec![Range::one(number)])
            }
            4 if universe.protocols => field(Field::DstPort, negated, chance.ranges(3)),
            5 if universe.protocols => {
                let kind = if v6 {
                    Field::Icmp6Type
                } else {
                    Field::IcmpType
                };
                let number = chance.among(&[0, 8]);
                field(kind, negated, vec![Range::one(number)])
            }
            6 if universe.flags => Match::Field {
                operand: Operand {
                    field: Field::TcpFlags,
                    mask: Some(chance.among(&[2, 16, 18])),
                },
                negated,
                ranges: vec![Range::one(chance.among(&[0, 2, 16, 18]))],
            },
            7 if universe.states => {
                let states: BTreeSet<u128> = (0..2).map(|_| chance.among(&STATES)).collect();
                let ranges = states.into_iter().map(Range::one).collect();
                field(Field::CtState, negated, ranges)
            }
            8 if universe.names => {
                let (text, prefix) = chance.among(&[
                    ("eth0", false),
                    ("eth", true),
                    ("lo", false),
                    ("", true),
                    ("", false),
                ]);
                let text = text.to_owned();
                Match::InInterface {
                    negated,
                    names: vec![NamePattern { text, prefix }],
                }
            }
            9 if universe.words => Match::Opaque(Opaque {
                text: chance.among(&WORDS).into(),
                stateful: false,
                memory: None,
            }),
            10 if nest => Match::Any {
                negated,
                of: (0..=chance.below(2))
                    .map(|_| wanted(universe, chance, false))
                    .collect(),
            },
            11 if universe.protocols && universe.addresses => Match::Lookup(if chance.one_in(2) {
                Lookup {
                    key: vec![
                        KeyPart::Number(Field::Ip4Src.into()),
                        KeyPart::Number(Field::DstPort.into()),
                    ],
                    negated,
                    set: SetRef::Named(0),
                }
            } else {
                Lookup {
                    key: vec![KeyPart::Number(Field::DstPort.into())],
                    negated,
                    set: SetRef::Ipset(0),
                }
            }),
            _ => continue,
        };
    }
}

/// Whether the match holds; what counts earlier packets may.
fn holds(firewall: &Firewall, packet: &Packet, wanted: &Match) -> bool {
    match wanted {
        Match::Field {
            operand,
            negated,
            ranges,
        } => packet.get(operand.field).is_some_and(|number| {
            let number = number & operand.mask.unwrap_or(u128::MAX);
            ranges.iter().any(|range| range.contains(number)) != *negated
        }),
        Match::InInterface { negated, names } => {
            names.iter().any(|name| name.matches(packet.input)) != *negated
        }
        Match::Opaque(opaque) => opaque.stateful || packet.said.contains(&opaque.text.as_str()),
        Match::Any { negated, of } => of.iter().any(|one| holds(firewall, packet, one)) != *negated,
        Match::Lookup(lookup) => {
            let (set, ipset) = match lookup.set {
                SetRef::Ipset(_) => (&firewall.ipsets[0], true),
                _ => (&firewall.tables[0].sets[0], false),
            };
            let key: Option<Vec<u128>> = lookup
                .key
                .iter()
                .map(|part| match part {
                    KeyPart::Number(operand) => packet.get(operand.field),
                    _ => None,
                })
                .collect();
            let Some(key) = key else {
                return ipset && lookup.negated;
            };
            let inside = set.content.elements().iter().any(|element| {
                element.key.iter().zip(&key).all(
                    |(one, key)| matches!(one, Component::Numbers(range) if range.contains(*key)),
                )
            });
            inside != lookup.negated
        }
        Match::OutInterface { .. } | Match::Never => false,
    }
}

/// For each packet, which rules it matches.
fn matched(firewall: &Firewall, packet: &Packet) -> Vec<bool> {
    let rules = &firewall.tables[0].chains[0].rules;
    let one = |rule: &Rule| {
        rule.statements.iter().all(|statement| match statement {
            Statement::Match(wanted) => holds(firewall, packet, wanted),
            _ => true,
        })
    };
    rules.iter().map(one).collect()
}

fn takes(rule: &Rule) -> bool {
    let counts = |statement: &Statement| matches!(statement, Statement::Match(Match::Opaque(opaque)) if opaque.stateful);
    matches!(rule.statements.last(), Some(Statement::Verdict(_)))
        && !rule.statements.iter().any(counts)
}

fn kind(rule: &Rule) -> u8 {
    match rule.statements.last() {
        Some(Statement::Verdict(Verdict::Accept)) => 1,
        Some(Statement::Verdict(Verdict::Drop | Verdict::Reject { .. })) => 2,
        Some(Statement::Verdict(Verdict::Return)) => 3,
        _ => 0,
    }
}

/// Words for a condition that would be too many boxes.
fn is_too_long((axis, _): &(MatchAxis, ClassValue)) -> bool {
    matches!(axis, MatchAxis::Said(said) if !matches!(said, Match::Opaque(opaque) if WORDS.contains(&opaque.text.as_str())))
}

fn has_pairs_in_any(rule: &Rule) -> bool {
    let is_pairs = |one: &Match| matches!(one, Match::Lookup(lookup) if lookup.key.len() > 1);
    rule.statements.iter().any(|statement| {
        matches!(statement, Statement::Match(Match::Any { of, .. }) if of.iter().any(is_pairs))
    })
}

#[derive(Default)]
struct Tally {
    too_long: usize,
    alive: usize,
    impossible: usize,
    hidden: usize,
    several: usize,
}

fn compare(firewall: &Firewall, universe: Universe, tally: &mut Tally) {
    let rules = &firewall.tables[0].chains[0].rules;
    let found = rule_lives(firewall, 0, 0, Budget::default());
    assert_eq!(found.len(), rules.len());
    let takes: Vec<bool> = rules.iter().map(takes).collect();
    let all: Vec<Vec<bool>> = universe
        .packets()
        .iter()
        .map(|packet| matched(firewall, packet))
        .collect();
    let taker = |matched: &[bool]| (0..rules.len()).find(|rule| matched[*rule] && takes[*rule]);
    for (rule, life) in found.iter().enumerate() {
        let what = || {
            let rules: Vec<_> = rules.iter().map(|rule| &rule.statements).collect();
            let rules = rules.iter().map(|rule| format!("{rule:?}\n"));
            format!(
                "rule {rule} of\n{}in {universe:?}",
                rules.collect::<String>()
            )
        };
        let wants: Vec<&Vec<bool>> = all.iter().filter(|matched| matched[rule]).collect();
        let comes = |matched: &&Vec<bool>| taker(matched).is_none_or(|by| by >= rule);
        match life {
            RuleLife::Unknown => panic!("nothing is known of {}", what()),
            RuleLife::Alive(witness) if witness.values.iter().any(is_too_long) => {
                tally.too_long += 1;
            }
            RuleLife::Alive(witness) => {
                tally.alive += 1;
                assert!(wants.iter().any(comes), "{witness:?} comes to {}", what());
            }
            RuleLife::Dead(WhyDead::NeverSent) => panic!("one chain knows no callers: {}", what()),
            RuleLife::Dead(WhyDead::Impossible) => {
                tally.impossible += 1;
                assert!(wants.is_empty(), "somebody asks for {}", what());
            }
            RuleLife::Dead(WhyDead::Hidden(by)) => {
                tally.hidden += 1;
                tally.several += usize::from(by.len() > 1);
                // None of many pairs may be too many boxes: then it is asked for a little more.
                assert!(
                    !wants.is_empty() || has_pairs_in_any(&rules[rule]),
                    "nobody asks for {}",
                    what()
                );
                let hide = |without: Option<usize>| {
                    wants.iter().all(|matched| {
                        let mut by = by.iter().map(|hider| hider.at.rule);
                        by.any(|one| Some(one) != without && matched[one] && takes[one])
                    })
                };
                assert!(hide(None), "{by:?} do not hide {}", what());
                for hider in by {
                    let differs = kind(&rules[hider.at.rule]) != kind(&rules[rule])
                        || kind(&rules[rule]) == 0;
                    assert_eq!(hider.differs, differs, "{hider:?} and {}", what());
                    // With two families, a rule of one may do for both.
                    assert!(
                        universe.v6 || hider.differs || by.len() == 1 || !hide(Some(hider.at.rule)),
                        "{hider:?} of {by:?} is not needed for {}",
                        what()
                    );
                }
                let named: BTreeSet<usize> = by.iter().map(|hider| hider.at.rule).collect();
                for matched in &wants {
                    let by = taker(matched).unwrap();
                    assert!(
                        named.contains(&by) || kind(&rules[by]) == kind(&rules[rule]),
                        "{by} takes packets of {} and is not in {named:?}",
                        what()
                    );
                }
            }
        }
    }
}

#[test]
fn dead_and_alive_are_what_counting_all_packets_says() {
    let sets: u64 =
        std::env::var("SUREFOOT_BOXES_SETS").map_or(500, |number| number.parse().unwrap());
    let mut tally = Tally::default();
    for number in 1..=sets {
        let mut chance = Chance(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..4 {
            chance.next();
        }
        let universe = Universe::draw(&mut chance);
        compare(&firewall(universe, &mut chance), universe, &mut tally);
    }
    let enough = usize::try_from(sets).unwrap();
    assert!(tally.too_long < enough / 10, "{} too long", tally.too_long);
    let Tally {
        alive,
        impossible,
        hidden,
        several,
        ..
    } = tally;
    assert!(
        alive > 2 * enough
            && impossible > enough / 10
            && hidden > enough / 2
            && several > enough / 10,
        "{alive} alive, {impossible} impossible, {hidden} hidden, {several} by several: it shows little"
    );
}
