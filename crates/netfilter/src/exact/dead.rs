//! Rules that no packet can match where they stand, and what hides them.

use std::collections::{BTreeMap, BTreeSet};

use super::diagram::{Exhausted, Packets};
use super::{AskedPackets, Budget, Exact, SymbolicQuestion};
use crate::Surroundings;
use crate::packet::PacketPath;
use crate::semantics::sees;
use crate::stages::LOOPBACK;
use crate::traffic::Traffic;
use surefoot_ruleset::model::{Firewall, Rule, RuleAt, Statement, Verdict};

/// A rule that no packet can match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadRule {
    /// The rule.
    pub at: RuleAt,
    /// Why none can.
    pub why: WhyDead,
}

/// Why no packet can match a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyDead {
    /// There is no packet that it matches.
    Impossible,
    /// Earlier rules of its chain take all that it matches: none of these could be missing, and
    /// all of them that do something else are named.
    Hidden(Vec<HidingRule>),
    /// The rules that lead to its chain, or those before them, send no packet that it matches.
    NeverSent,
}

/// An earlier rule that takes packets from a dead one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HidingRule {
    /// The rule.
    pub at: RuleAt,
    /// Whether it does something else with them than the dead rule would.
    pub differs: bool,
}

impl HidingRule {
    /// A rule of a chain, before a dead one.
    pub(crate) fn new(rules: &[Rule], dead: RuleAt, rule: usize) -> Self {
        let theirs = rules.get(rule).and_then(decision_of);
        let own = rules.get(dead.rule).and_then(decision_of);
        Self {
            at: RuleAt { rule, ..dead },
            differs: theirs.is_none() || theirs != own,
        }
    }
}

/// Hiders of one rule that are looked at one by one.
const MOST_HIDERS: usize = 64;

/// All packets followed through a firewall, to find what it holds for nothing.
#[derive(Debug)]
pub struct RuleSurvey<'a> {
    pub(super) firewall: &'a Firewall,
    /// Each family and way.
    pub(super) ways: Vec<Exact>,
}

impl<'a> RuleSurvey<'a> {
    /// Follows the packets of each family and way.
    ///
    /// # Errors
    ///
    /// If the budget, for each of the six, does not suffice.
    pub fn new(
        firewall: &'a Firewall,
        surroundings: &Surroundings,
        budget: Budget,
    ) -> Result<Self, Exhausted> {
        let mut ways = Vec::new();
        for v6 in [false, true] {
            if !firewall.tables.iter().any(|table| sees(table, v6)) {
                continue;
            }
            for path in [PacketPath::Input, PacketPath::Forward, PacketPath::Output] {
                let mut exact = Exact::new(SymbolicQuestion {
                    firewall,
                    surroundings,
                    v6,
                    path,
                    about: &Traffic::default(),
                    and_about: &[],
                    packets: AskedPackets::All,
                    budget,
                })?;
                exact.followed.find_entered(&mut exact.space)?;
                ways.push(exact);
            }
        }
        Ok(Self { firewall, ways })
    }

    /// Returns every rule that no packet can match, over all ways and families; for a chain that no
    /// packet enters, the rules that would lead there.
    ///
    /// # Errors
    ///
    /// If the budget does not suffice.
    pub fn dead(&mut self) -> Result<Vec<DeadRule>, Exhausted> {
        let mut alive: BTreeSet<RuleAt> = BTreeSet::new();
        let mut seen: BTreeSet<RuleAt> = BTreeSet::new();
        for exact in &self.ways {
            for at in exact.visited_rules() {
                seen.insert(at);
                if !alive.contains(&at) && exact.can_match(at) {
                    alive.insert(at);
                }
            }
        }
        let dead: Vec<RuleAt> = seen.difference(&alive).copied().collect();
        let mut whys: BTreeMap<RuleAt, WhyDead> = BTreeMap::new();
        for exact in &mut self.ways {
            for at in &dead {
                if let Some(why) = exact.why_dead(self.firewall, *at)? {
                    let known = whys.entry(*at).or_insert(WhyDead::Impossible);
                    known.join_survey(why);
                }
            }
        }
        Ok(whys
            .into_iter()
            .map(|(at, why)| DeadRule { at, why })
            .collect())
    }

    /// The chains, by table and index, that rules lead to and that no packet enters, although some
    /// come to the chains in which those rules stand.
    pub fn never_entered(&self) -> Vec<(usize, usize)> {
        let mut entered = BTreeSet::new();
        for exact in &self.ways {
            let passages = exact.followed.passages.iter();
            for (passage, packets) in passages.zip(&exact.followed.entered) {
                if !packets.is_none() {
                    entered.insert(passage.chain);
                }
            }
        }
        let mut led_to = BTreeSet::new();
        for (table, chain) in &entered {
            let rules = &self.firewall.tables[*table].chains[*chain].rules;
            for statement in rules.iter().flat_map(|rule| &rule.statements) {
                if let Statement::Verdict(Verdict::Jump(to) | Verdict::Goto(to)) = statement
                    && let Ok(to) = usize::try_from(to.0)
                {
                    led_to.insert((*table, to));
                }
            }
        }
        led_to.difference(&entered).copied().collect()
    }
}

/// Every rule that no packet can match: see [`RuleSurvey::dead`].
///
/// # Errors
///
/// If the budget, for each of the six ways, does not suffice.
pub fn dead_rules(
    firewall: &Firewall,
    surroundings: &Surroundings,
    budget: Budget,
) -> Result<Vec<DeadRule>, Exhausted> {
    RuleSurvey::new(firewall, surroundings, budget)?.dead()
}

impl WhyDead {
    /// What holds for packets of another way, too.
    pub(crate) fn join_survey(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Hidden(all), Self::Hidden(more)) => {
                all.extend(more);
                all.sort_unstable();
                all.dedup();
            }
            (Self::Hidden(_), _) | (_, Self::Impossible) => {}
            (_, other) => *self = other,
        }
    }
}

impl Exact {
    /// The rules of every chain that some packet enters.
    fn visited_rules(&self) -> Vec<RuleAt> {
        let mut visited = BTreeSet::new();
        for (passage, entered) in self.followed.passages.iter().zip(&self.followed.entered) {
            let (table, chain) = passage.chain;
            if !entered.is_none() {
                let rules = 0..passage.hits.len();
                visited.extend(rules.map(|rule| RuleAt { table, chain, rule }));
            }
        }
        visited.into_iter().collect()
    }

    fn can_match(&self, at: RuleAt) -> bool {
        for (passage, entered) in self.followed.passages.iter().zip(&self.followed.entered) {
            if passage.chain != (at.table, at.chain) {
                continue;
            }
            for (reach, holds) in passage.hits.get(at.rule).into_iter().flatten() {
                if self.space.store.three_meet([*reach, *holds, *entered]) {
                    return true;
                }
            }
        }
        false
    }

    /// Why no packet of this way matches a dead rule; none if its chain is not entered.
    fn why_dead(&mut self, firewall: &Firewall, at: RuleAt) -> Result<Option<WhyDead>, Exhausted> {
        let mut why: Option<WhyDead> = None;
        for index in 0..self.followed.passages.len() {
            let passage = &self.followed.passages[index];
            if passage.chain != (at.table, at.chain) || self.followed.entered[index].is_none() {
                continue;
            }
            let conditions = passage.hits.get(at.rule).into_iter().flatten();
            let conditions: Vec<Packets> = conditions.map(|(_, holds)| *holds).collect();
            let wanted = self.space.store.unite_all(conditions)?;
            let wanted = self.space.store.and(wanted, self.space.world)?;
            let (wanted, others) = self.brought_by_kernel(index, wanted)?;
            let here = if wanted.is_none() && others.is_none() {
                WhyDead::Impossible
            } else if !others.is_none() && !self.other_side_enters(index)
                || self.reaches_rule(index, at.rule, wanted)
            {
                WhyDead::NeverSent
            } else {
                self.hiders(firewall, index, at, wanted)?
            };
            match &mut why {
                Some(why) => why.join_survey(here),
                None => why = Some(here),
            }
        }
        Ok(why)
    }

    /// Of these packets those that the kernel brings where the chain is entered, and those that it
    /// would bring elsewhere: loopback carries the ones, or the others. What it refuses is left out, and
    /// fragments that it puts together, unless nothing else is left.
    fn brought_by_kernel(
        &mut self,
        passage: usize,
        packets: Packets,
    ) -> Result<(Packets, Packets), Exhausted> {
        let lo = self.space.names.letter_of(LOOPBACK);
        let incoming = self.space.path != PacketPath::Output;
        let block = self.space.interface_block(incoming);
        let by_loopback = self.space.letters_condition(block, [lo])?;
        let refused = self.space.surely_refused()?;
        let mut brought = self.space.store.minus(packets, refused)?;
        if self.space.puts_together() {
            let fragments = self.space.fragments()?;
            let whole = self.space.store.minus(brought, fragments)?;
            brought = if whole.is_none() { brought } else { whole };
        }
        let here = match self.followed.passages[passage].by_loopback {
            Some(true) => by_loopback,
            Some(false) => !by_loopback,
            None => Packets::ALL,
        };
        Ok((
            self.space.store.and(brought, here)?,
            self.space.store.minus(brought, here)?,
        ))
    }

    /// Whether the chain is entered, too, by what loopback carries if this passage is one of others,
    /// or by others.
    fn other_side_enters(&self, passage: usize) -> bool {
        let this = &self.followed.passages[passage];
        let passages = self.followed.passages.iter().zip(&self.followed.entered);
        let mut others = passages.filter(|(other, entered)| {
            other.chain == this.chain && other.by_loopback != this.by_loopback && !entered.is_none()
        });
        others.next().is_some()
    }

    /// Whether packets reach the rule in its chain, wherever the chain is entered from.
    fn reaches_rule(&self, passage: usize, rule: usize, packets: Packets) -> bool {
        let reach = self.followed.passages[passage].reach.get(rule);
        reach.is_some_and(|reach| self.space.store.sets_meet(*reach, packets))
    }

    /// The earlier rules of the chain that take these packets, if it is they alone.
    fn hiders(
        &mut self,
        firewall: &Firewall,
        passage: usize,
        at: RuleAt,
        wanted: Packets,
    ) -> Result<WhyDead, Exhausted> {
        let rules = &firewall.tables[at.table].chains[at.chain].rules;
        let hider = |rule: usize| HidingRule::new(rules, at, rule);
        let mut takers: Vec<(HidingRule, Packets)> = Vec::new();
        let mut left = wanted;
        for rule in 0..at.rule {
            let reach = &self.followed.passages[passage].reach;
            let (Some(before), Some(after)) = (reach.get(rule), reach.get(rule + 1)) else {
                continue;
            };
            let (before, after) = (*before, *after);
            if before == after {
                continue;
            }
            let taken = self.space.store.minus(before, after)?;
            if !self.space.store.sets_meet(taken, left) {
                continue;
            }
            left = self.space.store.minus(left, taken)?;
            // What it asks for may hide more than what was left for it to take.
            let hidden = match rules.get(rule).and_then(decision_of) {
                Some(_) => {
                    let parts = &self.followed.passages[passage].hits[rule];
                    let parts = parts.iter().map(|(_, holds)| *holds).collect();
                    self.space.store.unite_all(parts)?
                }
                None => taken,
            };
            takers.push((hider(rule), hidden));
            if left.is_none() || takers.len() >= MOST_HIDERS {
                break;
            }
        }
        if !left.is_none() && takers.len() < MOST_HIDERS {
            return Ok(WhyDead::NeverSent);
        }
        // A rule that wants the same is left out if the others hide all without it.
        let mut kept: Vec<(HidingRule, Packets)> = takers.clone();
        for (candidate, _) in takers.iter().rev().filter(|(hider, _)| !hider.differs) {
            let others = kept.iter().filter(|(hider, _)| hider != candidate);
            let others = others.map(|(_, hidden)| *hidden).collect();
            let others = self.space.store.unite_all(others)?;
            if kept.len() > 1 && !self.space.store.sets_meet(wanted, !others) {
                kept.retain(|(hider, _)| hider != candidate);
            }
        }
        Ok(WhyDead::Hidden(
            kept.into_iter().map(|(hider, _)| hider).collect(),
        ))
    }
}

/// What a rule does with what it matches, if it decides at all.
#[derive(PartialEq, Eq)]
enum RuleDecision {
    Accept,
    Refuse,
    Return,
}

fn decision_of(rule: &Rule) -> Option<RuleDecision> {
    match rule.statements.last()? {
        Statement::Verdict(Verdict::Accept) => Some(RuleDecision::Accept),
        Statement::Verdict(Verdict::Drop | Verdict::Reject { .. }) => Some(RuleDecision::Refuse),
        Statement::Verdict(Verdict::Return) => Some(RuleDecision::Return),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use surefoot_ruleset::{Input, load};

    /// `chain:rule` with what hides it, rules from 1; `!` marks another verdict.
    fn dead(text: &str) -> Vec<String> {
        let input = Input {
            name: "t".into(),
            text: text.into(),
            format: None,
        };
        let firewall = load(vec![input]).firewall;
        let surroundings = Surroundings::default();
        let found = dead_rules(&firewall, &surroundings, Budget::default()).unwrap();
        let words = |one: &DeadRule| {
            let chain = &firewall.tables[one.at.table].chains[one.at.chain].name;
            let why = match &one.why {
                WhyDead::Impossible => "impossible".to_owned(),
                WhyDead::NeverSent => "never sent".to_owned(),
                WhyDead::Hidden(by) => {
                    let by = by.iter().map(|hider| {
                        let mark = if hider.differs { "!" } else { "" };
                        format!("{mark}{}", hider.at.rule + 1)
                    });
                    format!("by {}", by.collect::<Vec<_>>().join(","))
                }
            };
            format!("{chain}:{} {why}", one.at.rule + 1)
        };
        found.iter().map(words).collect()
    }

    fn filter(rules: &str) -> String {
        format!(
            "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:A - [0:0]\n{rules}COMMIT\n"
        )
    }

    #[test]
    fn several_rules_together_hide_one() {
        let text = filter(
            "-A INPUT -s 10.0.0.0/9 -j ACCEPT\n-A INPUT -s 10.128.0.0/9 -j DROP\n-A INPUT -s 10.0.0.0/8 -p tcp -j ACCEPT\n",
        );
        assert_eq!(dead(&text), ["INPUT:3 by 1,!2"]);
    }

    #[test]
    fn one_that_hides_all_is_enough() {
        let text = filter(
            "-A INPUT -s 10.1.0.0/16 -j ACCEPT\n-A INPUT -s 10.0.0.0/8 -j ACCEPT\n-A INPUT -s 10.1.2.0/23 -j ACCEPT\n-A INPUT -s 10.1.0.0/17 -j DROP\n",
        );
        assert_eq!(dead(&text), ["INPUT:3 by 1", "INPUT:4 by !1"]);
    }

    #[test]
    fn a_rule_can_ask_for_nothing_or_for_what_never_comes() {
        let text = filter(
            "-A INPUT -p tcp -j A\n-A A -p udp --dport 53 -j ACCEPT\n-A A -p tcp --dport 53 -j ACCEPT\n-A INPUT -i lo -o eth0 -j ACCEPT\n",
        );
        assert_eq!(dead(&text), ["INPUT:2 impossible", "A:1 never sent"]);
    }

    #[test]
    fn loopback_and_the_rest_are_hidden_by_rules_of_their_own() {
        let text = filter(
            "-A INPUT -i lo -j ACCEPT\n-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n-A INPUT -p tcp -m multiport --dports 80,443 -j ACCEPT\n-A INPUT -p tcp --dport 80 -s 10.0.0.1 -j DROP\n",
        );
        assert_eq!(dead(&text), ["INPUT:4 by !1,!2,!3"]);
    }

    #[test]
    fn what_earlier_chains_took_is_never_sent() {
        let text = format!(
            "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING ! -i lo -j DROP\nCOMMIT\n{}",
            filter("-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp --dport 22 -j ACCEPT\n")
        );
        assert_eq!(dead(&text), ["INPUT:2 never sent"]);
    }

    #[test]
    fn what_hangs_on_something_unknown_hides_nothing() {
        let text = filter(
            "-A INPUT -p tcp -m limit --limit 1/s -j ACCEPT\n-A INPUT -p tcp --dport 22 -j ACCEPT\n-A INPUT -m policy --dir in --pol ipsec -j DROP\n-A INPUT -p udp -m policy --dir in --pol ipsec -j DROP\n",
        );
        assert_eq!(dead(&text), ["INPUT:4 by 3"]);
    }

    #[test]
    fn a_rule_that_only_counts_is_not_dead() {
        let text = filter("-A INPUT -p tcp\n-A INPUT -p tcp -j LOG\n-A INPUT -p tcp -j ACCEPT\n");
        assert_eq!(dead(&text), Vec::<String>::new());
    }

    #[test]
    fn packets_with_their_last_hop_pass_prerouting() {
        let text = "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 198.51.100.9 -m ttl --ttl-lt 2 -j DROP\nCOMMIT\n";
        let input = Input {
            name: "t".into(),
            text: text.into(),
            format: None,
        };
        let firewall = load(vec![input]).firewall;
        let surroundings = Surroundings {
            interfaces: Some(vec![crate::Interface {
                name: "eth0".into(),
                loopback: false,
                up: true,
                addresses: vec![("192.0.2.1".parse().unwrap(), 24)],
            }]),
            routes: Some(Vec::new()),
            ..Surroundings::default()
        };
        let found = dead_rules(&firewall, &surroundings, Budget::default()).unwrap();
        assert_eq!(found, []);
    }
}
