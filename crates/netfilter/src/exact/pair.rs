//! Follows the same packets through two firewalls, and finds those whose verdict differs.

use super::diagram::{Exhausted, Packets};
use super::space::{PacketSpace, UnknownAnswer};
use super::state::PacketRewrite;
use super::twins::SharedUnknowns;
use super::word::BitVector;
use super::{AskedPackets, Budget, Cube, FollowedQuestion};
use crate::Surroundings;
use crate::packet::{Packet, PacketPath};
use crate::semantics::End;
use crate::traffic::Traffic;
use surefoot_ruleset::model::{Field, Firewall, RuleAt};

/// All packets of one family and one way, followed through two firewalls.
#[derive(Clone, Debug)]
pub struct RulePair {
    pub(super) space: PacketSpace,
    pub(super) old: FollowedQuestion,
    pub(super) new: FollowedQuestion,
    /// The packets that both accept as the same packets, over what is unknown, too.
    alike: Packets,
    /// Whether it is unknown what becomes of some later fragments: what `nf_tables` reads in place of
    /// the header that they lack depends on their data.
    pub unknown_fragments: bool,
}

/// Packets whose verdict differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DifferingPackets {
    /// Where the first firewall lets them end.
    pub old: End,
    /// Where the second one does; the same if they are accepted as other packets.
    pub new: End,
    /// The packets for which that is so whatever the unknown answers are.
    pub certainly: Packets,
    /// The others for which it may be so.
    pub possibly: Packets,
    /// Both over what is unknown, too.
    all: Packets,
}

/// The firewall on whose rule an answer depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhoseRule {
    /// A rule of the first firewall.
    Old(RuleAt),
    /// A rule of the second one.
    New(RuleAt),
}

/// Two firewalls, and the packets that are asked about.
#[derive(Clone, Copy, Debug)]
pub struct PairQuestion<'a> {
    /// The old rules.
    pub old: &'a Firewall,
    /// The new rules.
    pub new: &'a Firewall,
    /// The machine that both stand on.
    pub surroundings: &'a Surroundings,
    /// Whether packets of IPv6 are compared.
    pub v6: bool,
    /// The way of the packets.
    pub path: PacketPath,
    /// The packets that are compared.
    pub about: &'a Traffic,
    /// Packets that are not compared, where there are such.
    pub apart_from: Option<&'a Traffic>,
    /// How long to look.
    pub budget: Budget,
}

/// What a packet can have become when it is accepted.
const BECOMES: &[Field] = &[
    Field::Ip4Src,
    Field::Ip6Src,
    Field::Ip4Dst,
    Field::Ip6Dst,
    Field::SrcPort,
    Field::DstPort,
    Field::Mark,
    Field::CtMark,
    Field::Tos,
    Field::TrafficClass,
    Field::Ttl,
    Field::HopLimit,
    Field::CtState,
];

impl RulePair {
    /// Follows all packets through both.
    pub fn new(question: PairQuestion) -> Result<Self, Exhausted> {
        let mut names = question.about.names();
        names.extend(question.apart_from.into_iter().flat_map(Traffic::names));
        let mut space = PacketSpace::new(
            &[question.old, question.new],
            question.surroundings,
            (question.v6, question.path),
            false,
            &names,
            question.budget,
        )?;
        let state = PacketRewrite::default();
        let mut about = space.packets_about(question.old, &state, question.about)?;
        if let Some(others) = question.apart_from {
            let others = space.packets_about(question.old, &state, others)?;
            about = space.store.minus(about, others)?;
        }
        space.narrow_world(about, AskedPackets::ForWords)?;
        space.leave_out_loopback()?;
        space.find_common()?;
        space.twins = Some(SharedUnknowns::new(question.old, question.new));
        let mut old = FollowedQuestion::new(&mut space, question.old, question.surroundings)?;
        if let Some(twins) = &mut space.twins {
            twins.turn_to_second();
        }
        let mut new = FollowedQuestion::new(&mut space, question.new, question.surroundings)?;
        let fragments = space.later_fragments()?;
        let mut unknown_fragments = false;
        for side in [&mut old, &mut new] {
            let unknown = side.end(&mut space, End::Unknown)?;
            unknown_fragments |= space.store.sets_meet(unknown, fragments);
        }
        let alike = accepted_alike(&mut space, &mut old, &mut new)?;
        space.forget_common();
        Ok(Self {
            space,
            old,
            new,
            alike,
            unknown_fragments,
        })
    }

    /// Whether there are packets at all.
    pub fn is_empty(&self) -> bool {
        self.space.world.is_none()
    }

    /// Whether answers that depend on the past were taken to be the same in both.
    pub fn shares_answers(&self) -> bool {
        self.space.twins.as_ref().is_some_and(|twins| twins.any)
    }

    /// The packets whose verdict differs, by their verdicts.
    pub fn find_differences(&mut self) -> Result<Vec<DifferingPackets>, Exhausted> {
        let mut found = Vec::new();
        let after = self.new.all_ends(&mut self.space)?;
        for (old, before) in self.old.all_ends(&mut self.space)? {
            for (new, after) in after.iter().copied() {
                let mut all = self.space.store.and(before, after)?;
                if old == new {
                    if old != End::Accepted {
                        continue;
                    }
                    all = self.space.store.minus(all, self.alike)?;
                }
                let (certainly, possibly) = self.sure_and_open(all)?;
                if certainly.is_none() && possibly.is_none() {
                    continue;
                }
                found.push(DifferingPackets {
                    old,
                    new,
                    certainly,
                    possibly,
                    all,
                });
            }
        }
        Ok(found)
    }

    /// The packets that are in a set whatever the unknown answers are, and the others that may be.
    pub(super) fn sure_and_open(
        &mut self,
        packets: Packets,
    ) -> Result<(Packets, Packets), Exhausted> {
        let first = self.space.first_unknown;
        let perhaps = self.space.store.possibly(packets, first)?;
        // Nothing unknown is in it.
        if perhaps.is_none() || perhaps == packets {
            return Ok((perhaps, Packets::NONE));
        }
        let others = self.space.store.minus(self.space.world, packets)?;
        let others = self.space.store.possibly(others, first)?;
        Ok((
            self.space.store.minus(perhaps, others)?,
            self.space.store.and(perhaps, others)?,
        ))
    }

    /// Readable parts of a set, so many at most, and whether they are all.
    pub fn cubes(&mut self, packets: Packets, most: usize) -> Result<(Vec<Cube>, bool), Exhausted> {
        self.space.cubes(packets, most)
    }

    /// One packet of a set, as ordinary as it can be.
    pub fn witness(&mut self, packets: Packets) -> Option<Packet> {
        self.space.witness(packets)
    }

    /// Returns what it depends on whether the verdict on this packet differs so.
    pub fn hangs(
        &mut self,
        differing: &DifferingPackets,
        packet: &Packet,
    ) -> Result<Vec<WhoseRule>, Exhausted> {
        let like = self.space.packets_like(packet)?;
        let here = self.space.store.and(differing.all, like)?;
        let first = self.space.first_unknown;
        let mut whose = Vec::new();
        for variable in self.space.store.looks_at(here, first) {
            let at = usize::try_from(variable - first).unwrap_or(usize::MAX);
            let second = self.space.twins.as_ref();
            let second = second.is_some_and(|twins| twins.only_second.contains(&variable));
            whose.extend(match self.space.unknown.get(at) {
                Some(UnknownAnswer::Rule(at)) if second => Some(WhoseRule::New(*at)),
                Some(UnknownAnswer::Rule(at)) => Some(WhoseRule::Old(*at)),
                _ => None,
            });
        }
        whose.sort_unstable();
        whose.dedup();
        Ok(whose)
    }
}

/// The packets that both accept and that are the same packets when they leave or arrive.
fn accepted_alike(
    space: &mut PacketSpace,
    old: &mut FollowedQuestion,
    new: &mut FollowedQuestion,
) -> Result<Packets, Exhausted> {
    let (before, after) = (
        old.end(space, End::Accepted)?,
        new.end(space, End::Accepted)?,
    );
    let both = space.store.and(before, after)?;
    let before = by_words(space, &old.passed)?;
    let after = by_words(space, &new.passed)?;
    let mut alike = Vec::new();
    for (words, packets) in &before {
        if let Some((_, others)) = after.iter().find(|(other, _)| other == words) {
            alike.push(space.store.and(*packets, *others)?);
        }
    }
    let same_words = space.store.unite_all(alike)?;
    let mut left = space.store.minus(both, same_words)?;
    let mut alike = vec![same_words];
    for (words, packets) in &before {
        if left.is_none() {
            break;
        }
        let packets = space.store.and(*packets, left)?;
        for (others, after) in after.iter().filter(|(other, _)| other != words) {
            let here = space.store.and(packets, *after)?;
            if here.is_none() {
                continue;
            }
            let mut same = here;
            for (a, b) in words.iter().zip(others).filter(|(a, b)| a != b) {
                let equal = space.same_number(UnknownAnswer::Kernel, a, b)?;
                let missing = space.store.or(a.there, b.there)?;
                let equal = space.store.or(equal, !missing)?;
                same = space.store.and(same, equal)?;
            }
            alike.push(same);
            left = space.store.minus(left, here)?;
        }
    }
    space.store.unite_all(alike)
}

type Leaving = Vec<(Vec<BitVector>, Packets)>;

/// The accepted packets by what they are when they leave or arrive.
fn by_words(
    space: &mut PacketSpace,
    passed: &[(PacketRewrite, Packets)],
) -> Result<Leaving, Exhausted> {
    let mut parts: std::collections::BTreeMap<Vec<BitVector>, Vec<Packets>> =
        std::collections::BTreeMap::new();
    for (state, packets) in passed {
        let mut words = Vec::with_capacity(BECOMES.len());
        for field in BECOMES {
            words.push(state.word(space, *field)?);
        }
        parts.entry(words).or_default().push(*packets);
    }
    let mut leaving = Vec::with_capacity(parts.len());
    for (words, parts) in parts {
        leaving.push((words, space.store.unite_all(parts)?));
    }
    Ok(leaving)
}

#[cfg(test)]
mod tests {
    use super::*;
    use surefoot_ruleset::{Input, load};

    fn firewall(rules: &str) -> Firewall {
        let text = format!(
            "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n{rules}COMMIT\n"
        );
        nat(&text)
    }

    fn nat(text: &str) -> Firewall {
        load(vec![Input {
            name: "t".into(),
            text: text.into(),
            format: None,
        }])
        .firewall
    }

    fn compare(old: &Firewall, new: &Firewall, path: PacketPath) -> Vec<(End, End, bool, bool)> {
        let mut pair = RulePair::new(PairQuestion {
            old,
            new,
            surroundings: &Surroundings::default(),
            v6: false,
            path,
            about: &Traffic::default(),
            apart_from: None,
            budget: Budget::default(),
        })
        .unwrap();
        let found = pair.find_differences().unwrap();
        found
            .iter()
            .map(|one| {
                let (sure, open) = (!one.certainly.is_none(), !one.possibly.is_none());
                (one.old, one.new, sure, open)
            })
            .collect()
    }

    #[test]
    fn the_same_is_equal_and_what_differs_is_found() {
        let old = firewall(
            "-A INPUT -p tcp --dport 22 -j ACCEPT\n-A INPUT -p tcp --dport 80 -j ACCEPT\n",
        );
        let turned = firewall(
            "-A INPUT -p tcp --dport 80 -j ACCEPT\n-A INPUT -p tcp --dport 22 -j ACCEPT\n",
        );
        let less = firewall("-A INPUT -p tcp --dport 22 -j ACCEPT\n");
        assert_eq!(compare(&old, &turned, PacketPath::Input), []);
        let found = compare(&old, &less, PacketPath::Input);
        assert_eq!(found, [(End::Accepted, End::Dropped, true, false)]);
        assert_eq!(compare(&old, &less, PacketPath::Forward), []);
    }

    #[test]
    fn a_limit_in_both_is_one_answer_and_in_one_an_open_one() {
        let limited = "-A INPUT -p tcp --dport 22 -m limit --limit 5/min -j ACCEPT\n";
        let more = format!("-A INPUT -p udp -j ACCEPT\n{limited}");
        let found = compare(&firewall(limited), &firewall(&more), PacketPath::Input);
        assert_eq!(found, [(End::Dropped, End::Accepted, true, false)]);
        let open = firewall("-A INPUT -p tcp --dport 22 -j ACCEPT\n");
        let found = compare(&firewall(limited), &open, PacketPath::Input);
        assert_eq!(found, [(End::Dropped, End::Accepted, false, true)]);
    }

    #[test]
    fn a_limit_gives_one_answer_whatever_other_packets_are_marked() {
        let limited = "-A A -p tcp --dport 22 -m limit --limit 5/sec -j ACCEPT\n";
        let rules = |marks: &str| {
            nat(&format!(
                "*filter\n:INPUT DROP [0:0]\n:A - [0:0]\n-A INPUT -s 10.0.0.0/8 -p tcp -j A\n-A INPUT -p tcp -j A\n{marks}{limited}COMMIT\n"
            ))
        };
        let marks = rules("-A A -p icmp -j MARK --set-mark 2\n");
        assert_eq!(compare(&marks, &rules(""), PacketPath::Input), []);
    }

    #[test]
    fn a_limit_gives_one_answer_whatever_rules_lead_there_for_no_packet() {
        let limited = "-A B -p tcp --dport 22 -m limit --limit 5/sec -j ACCEPT\n";
        let rules = |jump: &str| {
            nat(&format!(
                "*filter\n:INPUT DROP [0:0]\n:A - [0:0]\n:B - [0:0]\n-A INPUT -p udp -j A\n-A INPUT -j B\n{jump}{limited}COMMIT\n"
            ))
        };
        let idle = rules("-A A -p tcp -g B\n");
        assert_eq!(compare(&idle, &rules(""), PacketPath::Input), []);
        let once_more = rules("-A INPUT -p tcp -j B\n");
        let found = compare(&rules(""), &once_more, PacketPath::Input);
        assert_eq!(found, [(End::Dropped, End::Accepted, false, true)]);
    }

    #[test]
    fn a_limit_gives_one_answer_where_a_rule_that_leads_there_was_changed() {
        let rules = |jump: &str| {
            nat(&format!(
                "*filter\n:INPUT DROP [0:0]\n:A - [0:0]\n{jump}-A A -p tcp --dport 22 -m limit --limit 5/sec -j ACCEPT\nCOMMIT\n"
            ))
        };
        let (old, new) = (rules("-A INPUT -j A\n"), rules("-A INPUT -p tcp -j A\n"));
        assert_eq!(compare(&old, &new, PacketPath::Input), []);
    }

    #[test]
    fn a_limit_is_the_same_in_the_other_language() {
        let old = firewall(
            "-A INPUT -p tcp --dport 22 -m limit --limit 3/min -j ACCEPT\n-A INPUT -p icmp -m limit --limit 9/sec --limit-burst 20 -j ACCEPT\n",
        );
        let rules = |burst: u8| {
            nat(&format!(
                "table ip filter {{\n chain INPUT {{ type filter hook input priority 0; policy drop;\n tcp dport 22 limit rate 3/minute burst {burst} packets counter accept\n meta l4proto icmp limit rate 9/second burst 20 packets accept\n }}\n chain FORWARD {{ type filter hook forward priority 0; policy drop; }}\n}}\n"
            ))
        };
        assert_eq!(compare(&old, &rules(5), PacketPath::Input), []);
        let found = compare(&old, &rules(6), PacketPath::Input);
        assert!(!found.is_empty(), "another burst is another limit");
    }

    #[test]
    fn a_comment_changes_no_answer() {
        let rules = |comment: &str| {
            nat(&format!(
                "*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp --dport 22 -m limit --limit 5/sec {comment}-j ACCEPT\nCOMMIT\n"
            ))
        };
        let plain = rules("");
        for comment in ["ssh", "\"ssh\"", "\"ssh for \\\"us\\\" all\""] {
            let said = rules(&format!("-m comment --comment {comment} "));
            assert_eq!(compare(&plain, &said, PacketPath::Input), [], "{comment}");
        }
    }

    #[test]
    fn other_destinations_are_another_fate() {
        let to = |address: &str| {
            nat(&format!(
                "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp --dport 80 -j DNAT --to-destination {address}\nCOMMIT\n"
            ))
        };
        let found = compare(&to("10.0.0.1"), &to("10.0.0.2"), PacketPath::Forward);
        assert!(
            found
                .iter()
                .any(|(old, new, sure, _)| (*old, *new) == (End::Accepted, End::Accepted) && *sure),
            "{found:?}"
        );
        assert_eq!(
            compare(&to("10.0.0.1"), &to("10.0.0.1"), PacketPath::Forward),
            []
        );
        let range = to("10.0.0.1-10.0.0.9");
        assert_eq!(compare(&range, &range, PacketPath::Forward), []);
        let wider = compare(&range, &to("10.0.0.1-10.0.0.10"), PacketPath::Forward);
        assert!(!wider.is_empty());
    }
}
