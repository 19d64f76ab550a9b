//! The search for the place of new rules: by packets for which the sentence does not hold.

use std::collections::{BTreeMap, BTreeSet};

use crate::LoadedRules;
use crate::commands::commands_to_insert;
use surefoot_netfilter::exact::Budget;
use surefoot_netfilter::packet::{FieldValue, Packet, PacketPath};
use surefoot_netfilter::semantics::{Decider, RecordLevel, sees};
use surefoot_netfilter::traffic::Assertion;
use surefoot_ruleset::model::{Field, Rule, RuleAt, chain_name};

use super::new_rules::{self, NewRule, RuleVerdict, RuleWish};
use super::place::{ChainPlace, ChainTaken, place_before, ufw_place};
use super::refusal::MakeRefusal;
use super::{MadeRule, RulePlace};
use crate::ask::name::NamedDecider;
use crate::ask::obstacle::first_obstacle;
use crate::ask::prove::{PacketScope, counterexample};

/// Packets that the search for a place may take.
const MOST_STEPS: usize = 64;

/// The search for the places of one reading.
pub(super) struct PlaceSearch<'a> {
    pub(super) before: &'a LoadedRules,
    pub(super) changed: LoadedRules,
    pub(super) wish: RuleWish<'a>,
    pub(super) taken: ChainTaken,
    pub(super) assertion: &'a Assertion,
    /// By table and chain: where the new rules stand now, and what they are.
    pub(super) placed: BTreeMap<(usize, usize), (usize, Vec<NewRule>)>,
    pub(super) exceptions: Vec<NamedDecider>,
    pub(super) decided_before: Vec<NamedDecider>,
    pub(super) budget: Budget,
}

impl PlaceSearch<'_> {
    /// Inserts rules until the sentence holds, for packets of all these families and ways.
    pub(super) fn settle(
        &mut self,
        scopes: &[PacketScope],
        exceptions: bool,
    ) -> Result<(), MakeRefusal> {
        if exceptions {
            return scopes
                .iter()
                .try_for_each(|scope| self.settle_with_exceptions(*scope));
        }
        for scope in scopes {
            self.settle_scope(*scope)?;
        }
        self.drop_needless(scopes)
    }

    /// Inserts rules once, where they change what becomes of such packets, and names what decides otherwise
    /// about others of them before they reach the new rules.
    fn settle_with_exceptions(&mut self, scope: PacketScope) -> Result<(), MakeRefusal> {
        let mut but_for = BTreeSet::new();
        let mut put = false;
        let mut last = None;
        for _ in 0..MOST_STEPS {
            let Some(packet) = self.wrong_packet(scope, &but_for)? else {
                return match last {
                    Some(named) if !put => Err(MakeRefusal::NoPlace(named)),
                    _ => Ok(()),
                };
            };
            let (by, place, named) = self.obstacle(&packet)?;
            let passed = self.named_before(by);
            if !put && self.put_if_it_helps(scope, place, &packet)? {
                put = true;
                but_for = but_for.into_iter().map(|at| self.pushed_down(at)).collect();
                self.decided_before.extend(passed);
                continue;
            }
            match by {
                Decider::Rule(at) if but_for.insert(at) => self.note_exception(by),
                _ => return Err(MakeRefusal::NoPlace(named.name)),
            }
            last = Some(named.name);
        }
        Err(MakeRefusal::TooLarge)
    }

    /// Where a rule stands now that the new ones are there.
    fn pushed_down(&self, mut at: RuleAt) -> RuleAt {
        if let Some((start, new)) = self.placed.get(&(at.table, at.chain))
            && at.rule >= *start
        {
            at.rule += new.len();
        }
        at
    }

    /// Puts the rules before a place, unless that does not change what becomes of the packet.
    fn put_if_it_helps(
        &mut self,
        scope: PacketScope,
        place: ChainPlace,
        packet: &Packet,
    ) -> Result<bool, MakeRefusal> {
        let place = match self.taken {
            ChainTaken::Ufw { in_front } => {
                ufw_place(&self.changed.firewall, scope, in_front).ok_or(MakeRefusal::NoRules)?
            }
            ChainTaken::Deciding | ChainTaken::Base => place,
        };
        let (changed, placed) = (self.changed.clone(), self.placed.clone());
        let there = self.put(place)?;
        let evaluation = self
            .changed
            .evaluate(&to_this_host(packet), RecordLevel::Nothing);
        let end = evaluation.certain();
        let helps = there && end.is_some_and(|end| self.assertion.claim.ends.contains(&end));
        if !helps {
            (self.changed, self.placed) = (changed, placed);
        }
        Ok(helps)
    }

    /// A packet for which the sentence does not hold and that none of these rules matches.
    fn wrong_packet(
        &self,
        scope: PacketScope,
        but_for: &BTreeSet<RuleAt>,
    ) -> Result<Option<Packet>, MakeRefusal> {
        let wrong = counterexample(&self.changed, self.assertion, (scope, but_for), self.budget)
            .map_err(|_| MakeRefusal::TooLarge)?;
        Ok(wrong.map(|packet| packet.settle(&self.changed.surroundings)))
    }

    /// What decides otherwise about a packet, and the place before it.
    fn obstacle(
        &self,
        packet: &Packet,
    ) -> Result<(Decider, ChainPlace, NamedDecider), MakeRefusal> {
        let ends = &self.assertion.claim.ends;
        let found = [to_this_host(packet), packet.clone()]
            .into_iter()
            .find_map(|packet| {
                let evaluation = self.changed.evaluate(&packet, RecordLevel::Mattered);
                Some((first_obstacle(&evaluation, ends)?, evaluation))
            });
        let ((by, seen), evaluation) = found.ok_or(MakeRefusal::Disagreement)?;
        let firewall = &self.changed.firewall;
        let named = NamedDecider::decider(firewall, by);
        let accepts = self.wish.verdict == RuleVerdict::Accept;
        let place = seen.and_then(|seen| {
            place_before(firewall, &evaluation, (by, seen), (accepts, self.taken))
        });
        let v6 = packet.is_v6();
        let unruled = !firewall.tables.iter().any(|table| sees(table, v6));
        let place = place.ok_or_else(|| match by {
            Decider::Kernel if unruled && v6 => MakeRefusal::NoRulesOf("IPv6", "ipv4"),
            Decider::Kernel if unruled => MakeRefusal::NoRulesOf("IPv4", "ipv6"),
            Decider::Refusal(_) | Decider::Kernel => MakeRefusal::KernelDecides(named.name.clone()),
            Decider::Rule(_) | Decider::Policy { .. } => MakeRefusal::NoPlace(named.name.clone()),
        })?;
        Ok((by, place, named))
    }

    /// Inserts rules until the sentence holds for the packets of one family and way.
    fn settle_scope(&mut self, scope: PacketScope) -> Result<(), MakeRefusal> {
        for _ in 0..MOST_STEPS {
            let Some(packet) = self.wrong_packet(scope, &BTreeSet::new())? else {
                return Ok(());
            };
            let (by, place, named) = self.obstacle(&packet)?;
            self.note_decider(by);
            if !self.put(place)? {
                return Err(MakeRefusal::NoPlace(named.name));
            }
        }
        Err(MakeRefusal::TooLarge)
    }

    /// Puts the rules before a place, or moves them up to it; whether there was something to do.
    fn put(&mut self, place: ChainPlace) -> Result<bool, MakeRefusal> {
        let key = (place.table, place.chain);
        let new = match self.placed.remove(&key) {
            // Packets that an earlier rule decides about are already treated differently by the new
            // rules.
            Some((now, new)) if place.at < now => new,
            Some(_) => return Ok(false),
            None => {
                let table = &self.before.firewall.tables[place.table];
                self.wish.rules_for(table, &table.chains[place.chain])?
            }
        };
        self.placed.insert(key, (place.at, new));
        self.changed = self.with_placed();
        Ok(true)
    }

    /// The rules before with the new ones.
    fn with_placed(&self) -> LoadedRules {
        let mut firewall = self.before.firewall.clone();
        for ((table, chain), (at, new)) in &self.placed {
            let mut added: Vec<Rule> = Vec::new();
            for one in new {
                let mut rule = one.rule.clone();
                rule.place = new_rules::place_in(firewall.sources.len(), &rule);
                firewall.sources.push(one.source.clone());
                added.push(rule);
            }
            new_rules::insert(
                &mut firewall.tables[*table].chains[*chain].rules,
                *at,
                added,
            );
        }
        self.before.with_rules(firewall)
    }

    /// Takes away what a later place made needless.
    fn drop_needless(&mut self, scopes: &[PacketScope]) -> Result<(), MakeRefusal> {
        for key in self.placed.keys().copied().collect::<Vec<_>>() {
            let Some(taken) = self.placed.remove(&key) else {
                continue;
            };
            let without = self.with_placed();
            let with = std::mem::replace(&mut self.changed, without);
            for scope in scopes {
                if self.wrong_packet(*scope, &BTreeSet::new())?.is_some() {
                    self.placed.insert(key, taken);
                    self.changed = with;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Remembers what decided, as it is called in the rules before.
    fn note_decider(&mut self, by: Decider) {
        if let Some(named) = self.named_before(by)
            && !self.decided_before.contains(&named)
        {
            self.decided_before.push(named);
        }
    }

    fn note_exception(&mut self, by: Decider) {
        if let Some(named) = self.named_before(by)
            && !self.exceptions.contains(&named)
        {
            self.exceptions.push(named);
        }
    }

    /// What decides under the changed rules, as it is called in the rules before; none for a new rule.
    fn named_before(&self, by: Decider) -> Option<NamedDecider> {
        let by = match by {
            Decider::Rule(mut at) => {
                if let Some((start, new)) = self.placed.get(&(at.table, at.chain))
                    && at.rule >= *start
                {
                    at.rule = at
                        .rule
                        .checked_sub(new.len())
                        .filter(|rule| rule >= start)?;
                }
                Decider::Rule(at)
            }
            other => other,
        };
        Some(NamedDecider::decider(&self.before.firewall, by))
    }

    /// What was inserted, as places of the rules before.
    pub(super) fn insertions(&self, scopes: &[PacketScope]) -> Result<Vec<MadeRule>, MakeRefusal> {
        let mut made: Vec<MadeRule> = Vec::new();
        let mut of_ufw: Vec<String> = Vec::new();
        if let ChainTaken::Ufw { in_front } = self.taken {
            for scope in scopes {
                for command in self.wish.ufw_commands(*scope, in_front)? {
                    if !of_ufw.contains(&command) {
                        of_ufw.push(command);
                    }
                }
            }
        }
        for ((table_at, chain_at), (at, new)) in &self.placed {
            let table = &self.before.firewall.tables[*table_at];
            let chain = &table.chains[*chain_at];
            let before = (*at < chain.rules.len()).then(|| {
                let at = RuleAt {
                    table: *table_at,
                    chain: *chain_at,
                    rule: *at,
                };
                NamedDecider::rule(&self.before.firewall, at)
            });
            let words: Vec<&str> = new.iter().map(|one| one.words.as_str()).collect();
            let commands =
                commands_to_insert(table, chain, before.is_some().then_some(*at), &words);
            for (one, mut commands) in new.iter().zip(commands) {
                if matches!(self.taken, ChainTaken::Ufw { .. }) {
                    commands = std::mem::take(&mut of_ufw);
                }
                let rule = if table.backend.is_iptables() {
                    format!("-A {} {}", chain.name, one.words)
                } else {
                    one.words.clone()
                };
                made.push(MadeRule {
                    chain: chain_name(table, chain),
                    before: before.clone(),
                    rule,
                    commands,
                    place: RulePlace {
                        backend: table.backend,
                        family: table.family,
                        table: table.name.clone(),
                        chain: chain.name.clone(),
                        at: *at,
                        rules: chain.rules.len(),
                    },
                });
            }
        }
        Ok(made)
    }
}

/// The packet as an ordinary one: where the addresses of this host are unknown, what comes in is for one of
/// them.
fn to_this_host(packet: &Packet) -> Packet {
    let mut packet = packet.clone();
    let kind = Field::DstAddressType;
    if packet.path == PacketPath::Input && packet.get(kind) == FieldValue::Unknown {
        packet.put(kind, FieldValue::Known(2));
    }
    packet
}
