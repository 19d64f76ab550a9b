//! Every question about all packets against each packet of a small universe, one by one.
//!
//! The rule sets tell apart a few thousand packets only; the walk of one packet says what happens to
//! each. `SUREFOOT_BRUTE_SETS` says how many rule sets there are.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may die, and asks how long it may take"
)]

mod universe;

use std::collections::BTreeSet;

use surefoot_firewall::LoadedRules;
use surefoot_firewall::ask::{
    DiffSide, DiffVerdict, FoundPacket, MakeOutcome, ProofVerdict, diff, find, make, prove, reach,
    simplify,
};
use surefoot_netfilter::Surroundings;
use surefoot_netfilter::exact::{Budget, ReachCell, RuleSurvey, dead_rules};
use surefoot_netfilter::packet::Packet;
use surefoot_netfilter::semantics::{Assumptions, End, EventKind, RecordLevel, evaluate_supposing};
use surefoot_netfilter::traffic::{Assertion, Traffic};
use surefoot_ruleset::Input;
use surefoot_ruleset::model::RuleAt;
use universe::{Chance, changed, packets, rules};

fn sets() -> u64 {
    std::env::var("SUREFOOT_BRUTE_SETS").map_or(300, |number| {
        number
            .parse()
            .expect("SUREFOOT_BRUTE_SETS is a number of rule sets")
    })
}

/// Rules, and what they do to each packet of the universe.
struct Judged {
    text: String,
    loaded: LoadedRules,
    ends: Vec<BTreeSet<End>>,
    /// The rules that some packet matches, certainly or perhaps.
    matched: BTreeSet<RuleAt>,
    /// The same of each packet.
    matched_by: Vec<BTreeSet<RuleAt>>,
}

impl Judged {
    fn new(text: String, universe: &[Packet]) -> Self {
        let loaded = LoadedRules::of_texts(vec![Input {
            name: "rules".into(),
            text: text.clone(),
            format: None,
        }]);
        assert!(loaded.are_complete(), "{text}");
        let mut matched_by = Vec::new();
        let ends = universe
            .iter()
            .map(|packet| {
                let answer = loaded.evaluate(packet, RecordLevel::All);
                let mut matched = BTreeSet::new();
                for event in &answer.events {
                    if let (Some(rule), EventKind::Matched | EventKind::Perhaps(_)) =
                        (event.rule, &event.what)
                    {
                        matched.insert(RuleAt {
                            table: event.table,
                            chain: event.chain,
                            rule,
                        });
                    }
                }
                matched_by.push(matched);
                answer.outcomes.iter().map(|one| one.end).collect()
            })
            .collect();
        Self {
            text,
            loaded,
            ends,
            matched: matched_by.iter().flatten().copied().collect(),
            matched_by,
        }
    }

    fn side(&self) -> DiffSide<'_> {
        DiffSide {
            rules: &self.loaded,
            whole: false,
        }
    }
}

#[test]
fn every_question_agrees_with_asking_packet_by_packet() {
    let universe = packets();
    let (mut redundant, mut made, mut refused) = (0, 0, 0);
    for seed in 0..sets() {
        let mut chance = Chance::new(seed + 1);
        let old = Judged::new(rules(&mut chance), &universe);
        let new = Judged::new(changed(&old.text, &mut chance), &universe);
        sentences(&old, &universe, &mut chance);
        decided(&old, &universe, &mut chance);
        dead(&old);
        redundant += needless(&old, &universe);
        differences(&old, &new, &universe);
        reaches(&old, &universe);
        smaller(&old, &universe);
        // Dear, so not of each rule set.
        if seed % 3 == 0 {
            match makes(&old, &universe, &mut chance) {
                MakeOutcome::Already => {}
                MakeOutcome::Made => made += 1,
                MakeOutcome::Refused => refused += 1,
            }
        }
    }
    assert!(redundant > 0, "no rule set had a redundant rule");
    eprintln!("rules were made of {made} sentences, and of {refused} not");
    assert!(made > 9 * refused, "too many sentences were refused");
}

/// What `make` says: with its rules the sentence holds for each packet, and no other packet ends otherwise.
fn makes(rules: &Judged, universe: &[Packet], chance: &mut Chance) -> MakeOutcome {
    let sentence = format!(
        "{} {} {} {} is {}",
        chance.one_of(&[
            "tcp",
            "udp",
            "tcp to :22",
            "tcp,udp to :53",
            "icmp",
            "tcp to :1-100"
        ]),
        chance.one_of(&[
            "from 10.0.0.0/31",
            "from 10.0.0.2",
            "not from 10.0.0.0/30",
            ""
        ]),
        chance.one_of(&["in eth0", "in eth+", ""]),
        chance.one_of(&["new", "state any", "", ""]),
        chance.one_of(&["accepted", "accepted", "dropped", "blocked", "rejected"]),
    );
    let assertion = Assertion::parse(&sentence).unwrap_or_else(|p| panic!("{sentence}: {p:?}"));
    let exceptions = chance.below(4) == 0;
    let made = make(&rules.loaded, &assertion, exceptions, Budget::default()).unwrap();
    let Some(after) = &made.after else {
        assert_ne!(made.outcome, MakeOutcome::Made);
        return made.outcome;
    };
    let meant = assertion.traffic.apart_from_loopback();
    let of_any_state = assertion.traffic.of_any_state().apart_from_loopback();
    for (packet, before) in universe.iter().zip(&rules.ends) {
        let answer = after.evaluate(packet, RecordLevel::Nothing);
        let now: BTreeSet<End> = answer.outcomes.iter().map(|one| one.end).collect();
        let told = || {
            format!(
                "{sentence}\n{}\n{:#?}\n{}",
                rules.text,
                made.insertions,
                packet.words()
            )
        };
        if meant.fits(packet) == Some(true) {
            let good = now.is_subset(&assertion.claim.ends);
            assert!(good || !made.exceptions.is_empty(), "{now:?}: {}", told());
        } else if of_any_state.fits(packet) != Some(true) {
            assert_eq!(now, *before, "{}", told());
        }
    }
    made.outcome
}

/// What `prove` and `find` say of a sentence.
fn sentences(rules: &Judged, universe: &[Packet], chance: &mut Chance) {
    for _ in 0..4 {
        let about = format!(
            "{} {} {} {} not fragment in",
            chance.one_of(&["tcp", "udp", "icmp", "tcp,udp", ""]),
            chance.one_of(&["from 10.0.0.0/31", "not from 10.0.0.0/30", ""]),
            chance.one_of(&["in eth0", "in eth+", "not in lo", ""]),
            chance.one_of(&["new", "state any", "established,related", "not invalid"]),
        );
        let said = chance.one_of(&["accepted", "not accepted", "dropped", "blocked"]);
        let sentence = format!("{about} is {said}");
        let assertion = Assertion::parse(&sentence).unwrap_or_else(|p| panic!("{sentence}: {p:?}"));
        let mut some = false;
        let (mut certainly_good, mut certainly_bad) = (false, false);
        let (mut maybe_good, mut maybe_bad) = (false, false);
        for (packet, ends) in universe.iter().zip(&rules.ends) {
            if assertion.traffic.fits(packet) != Some(true) {
                continue;
            }
            some = true;
            let good = ends.iter().filter(|end| assertion.claim.ends.contains(end));
            let good = good.count();
            maybe_good |= good > 0;
            maybe_bad |= good < ends.len();
            certainly_good |= good == ends.len();
            certainly_bad |= good == 0;
        }
        assert!(some, "{sentence}: no packet");
        let proof = prove(&rules.loaded, &assertion, Budget::default()).unwrap();
        let expected = match (certainly_bad, maybe_bad) {
            (true, _) => ProofVerdict::Fails,
            (false, true) => ProofVerdict::Open,
            _ => ProofVerdict::Holds,
        };
        assert_eq!(proof.verdict, expected, "{sentence}\n{}", rules.text);
        let search = find(&rules.loaded, &assertion, Budget::default()).unwrap();
        let expected = match (certainly_good, maybe_good) {
            (true, _) => FoundPacket::Certainly,
            (false, true) => FoundPacket::Possibly,
            _ => FoundPacket::None,
        };
        assert_eq!(search.found, expected, "find {sentence}\n{}", rules.text);
    }
}

/// What `find` says of packets that a rule decides about.
fn decided(rules: &Judged, universe: &[Packet], chance: &mut Chance) {
    for (t, table) in rules.loaded.firewall.tables.iter().enumerate() {
        for (c, chain) in table.chains.iter().enumerate() {
            if chain.rules.is_empty() {
                continue;
            }
            let rule = chance.below(chain.rules.len());
            let at = RuleAt {
                table: t,
                chain: c,
                rule,
            };
            let about = chance.one_of(&["tcp", "udp", "from 10.0.0.0/31", ""]);
            let sentence = format!(
                "{about} state any not fragment is decided by {}:{}",
                chain.name,
                rule + 1
            );
            let assertion = Assertion::parse(&sentence).unwrap();
            let search = find(&rules.loaded, &assertion, Budget::default()).unwrap();
            let mut matching = universe.iter().zip(&rules.matched_by);
            let expected = matching.any(|(packet, matched)| {
                assertion.traffic.fits(packet) == Some(true) && matched.contains(&at)
            });
            assert_eq!(
                search.found != FoundPacket::None,
                expected,
                "find {sentence}: {:?}\n{}",
                search.found,
                rules.text
            );
        }
    }
}

/// Without the rules that are dead or redundant no packet comes to another end; gives how many
/// redundant ones there are.
fn needless(rules: &Judged, universe: &[Packet]) -> usize {
    let surroundings = Surroundings::default();
    let mut survey =
        RuleSurvey::new(&rules.loaded.firewall, &surroundings, Budget::default()).unwrap();
    let dead: Vec<RuleAt> = survey.dead().unwrap().iter().map(|rule| rule.at).collect();
    let redundant = survey.redundant_rules(&dead).unwrap();
    let supposed = Assumptions {
        without: dead.iter().chain(&redundant).copied().collect(),
        ..Assumptions::default()
    };
    for (packet, ends) in universe.iter().zip(&rules.ends) {
        let answer = evaluate_supposing(
            &rules.loaded.firewall,
            &rules.loaded.index,
            &surroundings,
            packet,
            RecordLevel::Nothing,
            &supposed,
        );
        let without: BTreeSet<End> = answer.outcomes.iter().map(|one| one.end).collect();
        assert_eq!(
            &without, ends,
            "{packet:?} without {redundant:?} and {dead:?}\n{}",
            rules.text
        );
    }
    redundant.len()
}

/// Dead rules are those that no packet matches.
fn dead(rules: &Judged) {
    let found = dead_rules(
        &rules.loaded.firewall,
        &Surroundings::default(),
        Budget::default(),
    )
    .unwrap();
    let dead: BTreeSet<RuleAt> = found.iter().map(|rule| rule.at).collect();
    for rule in &dead {
        assert!(
            !rules.matched.contains(rule),
            "{rule:?} is not dead\n{}",
            rules.text
        );
    }
}

/// What `diff` says of each packet.
fn differences(old: &Judged, new: &Judged, universe: &[Packet]) {
    let difference = diff(
        old.side(),
        new.side(),
        &Surroundings::default(),
        &Traffic::default(),
        (10_000, Budget::default()),
    );
    let texts = || format!("{}\n{}", old.text, new.text);
    let changes: Vec<(_, Vec<Traffic>)> = difference
        .changes
        .iter()
        .map(|change| {
            assert!(change.complete, "{}", texts());
            let packets = change.packets.iter();
            let packets = packets.map(|words| {
                Traffic::parse(words).unwrap_or_else(|problem| panic!("{words}: {problem:?}"))
            });
            (change, packets.collect())
        })
        .collect();
    let mut differs = false;
    for (packet, (before, after)) in universe.iter().zip(old.ends.iter().zip(&new.ends)) {
        let mut certain = Vec::new();
        let mut possible = 0;
        for (change, packets) in &changes {
            if packets.iter().any(|one| one.fits(packet) == Some(true)) {
                if change.certain {
                    certain.push((change.before, change.after));
                } else if change.before != change.after {
                    possible += 1;
                }
            }
        }
        let said = format!("{} {before:?} {after:?}\n{}", packet.words(), texts());
        match (before.len(), after.len()) {
            (1, 1) if before == after => {
                // Marks that a packet leaves with may differ.
                certain.retain(|(before, after)| before != after);
                assert_eq!((certain.len(), possible), (0, 0), "{said}");
            }
            (1, 1) => {
                differs = true;
                let expected = (*before.first().unwrap(), *after.first().unwrap());
                assert_eq!(certain, [expected], "{said}");
            }
            _ => assert!(
                certain
                    .iter()
                    .all(|(end, other)| before.contains(end) && after.contains(other)),
                "{said}"
            ),
        }
    }
    if difference.verdict == DiffVerdict::Equal {
        assert!(!differs, "said to be equal\n{}", texts());
    }
    if differs {
        assert_eq!(difference.verdict, DiffVerdict::Different, "{}", texts());
    }
}

/// What `reach` says of each packet: it is in one row and one column, and the cell holds for it.
fn reaches(rules: &Judged, universe: &[Packet]) {
    let about = Traffic::parse("in state any not fragment").unwrap();

    let found = reach(&rules.loaded, &about, Budget::default());
    let [matrix] = found.as_slice() else {
        panic!("{} matrices\n{}", found.len(), rules.text);
    };
    let traffic = |words: &str| {
        let words = format!("{words} state any");
        Traffic::parse(&words).unwrap_or_else(|problem| panic!("{words}: {problem:?}"))
    };
    let services = matrix.services.iter();
    let services: Vec<Traffic> = services.map(|one| traffic(&one.packets)).collect();
    let rows: Vec<Vec<Traffic>> = matrix
        .sources
        .iter()
        .map(|row| row.from.iter().map(|words| traffic(words)).collect())
        .collect();
    let mut seen = vec![vec![BTreeSet::new(); services.len()]; rows.len()];
    for (packet, ends) in universe.iter().zip(&rules.ends) {
        let fits = |one: &Traffic| one.fits(packet) == Some(true);
        let row: Vec<usize> = (0..rows.len())
            .filter(|at| rows[*at].iter().any(fits))
            .collect();
        let column: Vec<usize> = (0..services.len())
            .filter(|at| fits(&services[*at]))
            .collect();
        let place = (row.len(), column.len());
        assert_eq!(place, (1, 1), "{}\n{}", packet.words(), rules.text);
        seen[row[0]][column[0]].extend(ends.iter().map(|end| *end == End::Accepted));
    }
    for (row, cells) in seen.iter().zip(&matrix.sources) {
        for (seen, cell) in row.iter().zip(&cells.cells) {
            let said = format!("{:?} {cell:?} {seen:?}\n{}", cells.from, rules.text);
            match cell {
                ReachCell::Open => assert!(!seen.contains(&false), "{said}"),
                ReachCell::Closed => assert!(!seen.contains(&true), "{said}"),
                ReachCell::Partly => {}
            }
        }
    }
}

/// What `simplify` leaves does the same with each packet.
fn smaller(rules: &Judged, universe: &[Packet]) {
    let input = Input {
        name: "rules".into(),
        text: rules.text.clone(),
        format: None,
    };
    let simpler = simplify(&input, &Surroundings::default(), Budget::default())
        .unwrap_or_else(|why| panic!("{}\n{}", why.words(), rules.text));
    assert!(simpler.proved, "{:?}\n{}", simpler.notes, rules.text);
    let left = Judged::new(simpler.text, universe);
    for (at, packet) in universe.iter().enumerate() {
        let said = format!("{}\n{}\n{}", packet.words(), rules.text, left.text);
        assert_eq!(left.ends[at], rules.ends[at], "{said}");
    }
}
