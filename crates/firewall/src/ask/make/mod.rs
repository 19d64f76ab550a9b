//! From a sentence to the rule that makes it true, at the one place where it changes nothing else.
//!
//! The place is searched by the packets for which the sentence does not hold: a rule goes before what
//! decides about such a packet, and further up as long as another packet is decided about before it.
//! What was found is proved twice: the sentence holds for all packets of the new rules, and no packet
//! that the sentence does not mean comes to another end.

mod new_rules;
mod place;
mod refusal;
mod spelling;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use surefoot_report::Problem;

use crate::LoadedRules;
use crate::commands::commands_to_insert;
use crate::makers::maker_of_table;
use surefoot_netfilter::exact::Budget;
use surefoot_netfilter::packet::{FieldValue, Packet, PacketPath};
use surefoot_netfilter::semantics::{Decider, End, RecordLevel};
use surefoot_netfilter::traffic::{Assertion, Claim, Traffic};
use surefoot_ruleset::model::{
    Field, Firewall, Match, Rule, RuleAt, Statement, Verdict, chain_name,
};

use super::diff::{DiffSide, DiffVerdict, Difference, diff_besides};
use super::name::NamedDecider;
use super::prove::{PacketScope, ProofVerdict, counterexample, named_are_there, prove, scopes_of};
use new_rules::{NewRule, RuleVerdict, RuleWish, StateAsked};
use place::{ChainPlace, ChainTaken, first_obstacle, place_before, ufw_place};
use refusal::MakeRefusal;

/// Packets that the search for a place may take.
const MOST_STEPS: usize = 64;
/// Parts of a change that is not wanted which are told.
const PARTS: usize = 4;

/// What becomes of a sentence.
#[derive(Clone, Debug, Serialize)]
pub struct MadeRules {
    /// The sentence.
    pub assertion: String,
    /// Whether it holds now.
    pub outcome: MakeOutcome,
    /// The rules to insert, in order.
    pub insertions: Vec<MadeRule>,
    /// What decides otherwise about some of the packets, before the new rules and behind them.
    pub exceptions: Vec<NamedDecider>,
    /// What decided otherwise about some of the packets, and does no more.
    pub decided_before: Vec<NamedDecider>,
    /// The packets for which the sentence was proved.
    pub scopes: Vec<PacketScope>,
    /// The packets of which it was proved that nothing else becomes of them.
    pub unchanged: Vec<PacketScope>,
    /// Why nothing is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// What else would change, where that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_changes: Option<Box<Difference>>,
    /// What was taken for granted.
    pub notes: Vec<String>,
    /// The rules as they will be.
    #[serde(skip)]
    pub after: Option<LoadedRules>,
}

/// What becomes of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MakeOutcome {
    /// It holds already.
    Already,
    /// Rules make it hold, and nothing else changes.
    Made,
    /// No such rules were found.
    Refused,
}

/// A rule to insert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MadeRule {
    /// The chain, such as `filter INPUT`.
    pub chain: String,
    /// The rule that it goes before; none at the end of the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<NamedDecider>,
    /// The rule, as it stands in a text of that language.
    pub rule: String,
    /// The commands that insert it, to be run in order.
    pub commands: Vec<String>,
}

/// Looks for the rules that make a sentence true.
///
/// With `exceptions` they go before what decides about ordinary packets of the sentence, and what decides
/// before about others of them (a ban, a test for broken packets) is left there and named. With the rules of
/// ufw this is always so, as its own chains come first.
///
/// # Errors
///
/// If it speaks of a set or a rule that is not there.
pub fn make(
    rules: &LoadedRules,
    assertion: &Assertion,
    exceptions: bool,
    budget: Budget,
) -> Result<MadeRules, Problem> {
    named_are_there(&rules.firewall, assertion)?;
    let mut made = MadeRules {
        assertion: assertion.text.clone(),
        outcome: MakeOutcome::Refused,
        insertions: Vec::new(),
        exceptions: Vec::new(),
        decided_before: Vec::new(),
        scopes: Vec::new(),
        unchanged: Vec::new(),
        refusal: None,
        other_changes: None,
        notes: Vec::new(),
        after: None,
    };
    if let Err(failed) = made.search(rules, assertion, exceptions, budget) {
        made.refusal = Some(failed.why.to_string());
        made.other_changes = failed.changes;
        made.decided_before = failed.decided_before;
    }
    Ok(made)
}

/// What a rule for first packets leaves as it is.
const OPEN_STAY: &str = "connections that are open now stay so, as the rule is for first packets";

/// An attempt that came to nothing.
struct FailedAttempt {
    why: MakeRefusal,
    changes: Option<Box<Difference>>,
    decided_before: Vec<NamedDecider>,
}

impl From<MakeRefusal> for FailedAttempt {
    fn from(why: MakeRefusal) -> Self {
        Self {
            why,
            changes: None,
            decided_before: Vec::new(),
        }
    }
}

/// One way to understand the sentence, and one way to say it.
struct Reading {
    /// What is proved. What this host sends to itself is left out, unless an interface is named.
    assertion: Assertion,
    state: StateAsked,
    note: Option<&'static str>,
}

/// One attempt: what is asked, how it is understood, and which chain takes the rule.
struct MakeQuestion<'a> {
    rules: &'a LoadedRules,
    /// The packets in the words of the sentence.
    said: &'a Traffic,
    reading: &'a Reading,
    verdict: RuleVerdict,
    taken: ChainTaken,
    exceptions: bool,
    budget: Budget,
}

impl MadeRules {
    fn search(
        &mut self,
        rules: &LoadedRules,
        assertion: &Assertion,
        exceptions: bool,
        budget: Budget,
    ) -> Result<(), FailedAttempt> {
        let verdict =
            rule_verdict(&assertion.claim, &rules.firewall).ok_or(MakeRefusal::OtherClaim)?;
        if let Some(doubt) = rules.doubt() {
            return Err(MakeRefusal::Doubtful(doubt.to_owned()).into());
        }
        let owner = rules.firewall.tables.iter().find_map(maker_of_table);
        if owner == Some("firewalld") {
            return Err(MakeRefusal::OwnedByFirewalld.into());
        }
        let ufw = owner == Some("ufw");
        let mut failed = None;
        for reading in readings(assertion, verdict, (&rules.firewall, ufw)) {
            let proof = prove(rules, &reading.assertion, budget)
                .map_err(|problem| MakeRefusal::Doubtful(problem.what))?;
            match proof.verdict {
                ProofVerdict::Holds => {
                    self.outcome = MakeOutcome::Already;
                    self.scopes = proof.scopes;
                    self.notes = proof.notes;
                    return Ok(());
                }
                ProofVerdict::Empty => return Err(MakeRefusal::NoPacket.into()),
                ProofVerdict::Unknown => return Err(MakeRefusal::TooLarge.into()),
                ProofVerdict::Open | ProofVerdict::Fails => {}
            }
            let in_front = ChainTaken::Ufw { in_front: true };
            let behind = ChainTaken::Ufw { in_front: false };
            // A rule that blocks goes before all chains that could accept.
            let chains: &[ChainTaken] = match (ufw, verdict) {
                (true, RuleVerdict::Accept) => &[behind, in_front],
                (true, _) => &[in_front],
                (false, RuleVerdict::Accept) => &[ChainTaken::Deciding, ChainTaken::Base],
                (false, _) => &[ChainTaken::Base],
            };
            for taken in chains {
                let asked = MakeQuestion {
                    rules,
                    said: &assertion.traffic,
                    reading: &reading,
                    verdict,
                    taken: *taken,
                    exceptions: exceptions || ufw,
                    budget,
                };
                match self.attempt(&asked) {
                    Ok(()) => return Ok(()),
                    // What the first reading fails at is what people can do something about.
                    Err(why) => failed = failed.or(Some(why)),
                }
            }
        }
        Err(failed.unwrap_or_else(|| MakeRefusal::NoRules.into()))
    }

    fn attempt(&mut self, asked: &MakeQuestion) -> Result<(), FailedAttempt> {
        let MakeQuestion {
            rules,
            reading,
            budget,
            ..
        } = *asked;
        let comments = comments_are_usual(&rules.firewall);
        let mut search = PlaceSearch {
            before: rules,
            changed: rules.clone(),
            wish: RuleWish {
                traffic: &asked.said.of_any_state(),
                state: reading.state,
                verdict: asked.verdict,
                comment: comments.then_some(reading.assertion.text.as_str()),
            },
            taken: asked.taken,
            assertion: &reading.assertion,
            placed: BTreeMap::new(),
            exceptions: Vec::new(),
            decided_before: Vec::new(),
            budget,
        };
        let mut notes = Vec::new();
        let scopes = scopes_of(rules, &reading.assertion.traffic, &mut notes);
        for scope in &scopes {
            let settled = if asked.exceptions {
                search.settle_with_exceptions(*scope)
            } else {
                search.settle_scope(*scope)
            };
            if let Err(why) = settled {
                return Err(FailedAttempt {
                    decided_before: search.decided_before,
                    ..why.into()
                });
            }
        }
        let proof = prove(&search.changed, &reading.assertion, budget)
            .map_err(|problem| MakeRefusal::Doubtful(problem.what))?;
        if proof.verdict != ProofVerdict::Holds && search.exceptions.is_empty() {
            return Err(MakeRefusal::Disagreement.into());
        }
        let side = |rules| DiffSide { rules, whole: true };
        let others = diff_besides(
            side(rules),
            side(&search.changed),
            &rules.surroundings,
            (&reading.assertion.traffic, &scopes),
            (PARTS, budget),
        );
        if others.verdict != DiffVerdict::Equal {
            let why = if others.verdict == DiffVerdict::Unknown {
                MakeRefusal::OthersUnknown
            } else {
                MakeRefusal::OthersChange
            };
            return Err(FailedAttempt {
                why,
                changes: Some(Box::new(others)),
                decided_before: search.decided_before,
            });
        }
        self.insertions = search.insertions(&scopes)?;
        self.exceptions = search.exceptions;
        self.decided_before = search.decided_before;
        self.scopes = proof.scopes;
        self.unchanged = others.scopes;
        self.notes = proof.notes;
        self.notes.extend(reading.note.map(str::to_owned));
        self.after = Some(search.changed);
        self.outcome = MakeOutcome::Made;
        Ok(())
    }
}

/// The search for the places of one reading.
struct PlaceSearch<'a> {
    before: &'a LoadedRules,
    changed: LoadedRules,
    wish: RuleWish<'a>,
    taken: ChainTaken,
    assertion: &'a Assertion,
    /// By table and chain: where the new rules stand now, and what they are.
    placed: BTreeMap<(usize, usize), (usize, Vec<NewRule>)>,
    exceptions: Vec<NamedDecider>,
    decided_before: Vec<NamedDecider>,
    budget: Budget,
}

impl PlaceSearch<'_> {
    /// Inserts rules once, where they change what becomes of such packets, and names what decides otherwise
    /// about others of them before the new rules are asked.
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
            if !put && self.put_if_it_helps(scope, place, &packet)? {
                put = true;
                but_for = but_for.into_iter().map(|at| self.pushed_down(at)).collect();
                self.note_decider(by);
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
        let place = place.ok_or_else(|| match by {
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
            if !self.put(place)? {
                return Err(MakeRefusal::NoPlace(named.name));
            }
            self.note_decider(by);
        }
        Err(MakeRefusal::TooLarge)
    }

    /// Puts the rules before a place, or moves them up to it.
    /// Whether there was something to do.
    fn put(&mut self, place: ChainPlace) -> Result<bool, MakeRefusal> {
        let key = (place.table, place.chain);
        let mut at = place.at;
        let new = match self.placed.remove(&key) {
            // What stands before the new rules already came to another end by them.
            Some((now, new)) if at < now => {
                let chain = &mut self.changed.firewall.tables[place.table].chains[place.chain];
                chain.rules.drain(now..now + new.len());
                new
            }
            Some(_) => return Ok(false),
            None => {
                let table = &self.changed.firewall.tables[place.table];
                self.wish.rules_for(table, &table.chains[place.chain])?
            }
        };
        let mut firewall = std::mem::take(&mut self.changed.firewall);
        let mut added: Vec<Rule> = Vec::new();
        for one in &new {
            let mut rule = one.rule.clone();
            rule.place = new_rules::place_in(firewall.sources.len(), &rule);
            firewall.sources.push(one.source.clone());
            added.push(rule);
        }
        let rules = &mut firewall.tables[place.table].chains[place.chain].rules;
        at = at.min(rules.len());
        new_rules::insert(rules, at, added);
        self.placed.insert(key, (at, new));
        self.changed = self.before.with_rules(firewall);
        Ok(true)
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
    fn insertions(&self, scopes: &[PacketScope]) -> Result<Vec<MadeRule>, MakeRefusal> {
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

/// The verdict of a rule that makes a claim true; none if no single rule does.
fn rule_verdict(claim: &Claim, firewall: &Firewall) -> Option<RuleVerdict> {
    if claim.becomes.is_some() || claim.by.is_some() {
        return None;
    }
    let ends = &claim.ends;
    if *ends == BTreeSet::from([End::Accepted]) {
        return Some(RuleVerdict::Accept);
    }
    match (
        ends.contains(&End::Dropped),
        ends.contains(&End::Rejected),
        ends.contains(&End::Accepted),
    ) {
        (true, false, false) => Some(RuleVerdict::Drop),
        (false, true, false) => Some(RuleVerdict::Reject),
        // As the host does it.
        (true, true, false) => {
            let has = |is: &dyn Fn(&Verdict) -> bool| {
                let chains = firewall.tables.iter().flat_map(|table| &table.chains);
                let mut statements = chains
                    .flat_map(|chain| &chain.rules)
                    .flat_map(|rule| &rule.statements);
                statements.any(|one| matches!(one, Statement::Verdict(verdict) if is(verdict)))
            };
            let rejects = has(&|verdict| matches!(verdict, Verdict::Reject { .. }));
            let drops = has(&|verdict| matches!(verdict, Verdict::Drop));
            Some(if rejects && !drops {
                RuleVerdict::Reject
            } else {
                RuleVerdict::Drop
            })
        }
        _ => None,
    }
}

/// The ways to understand a sentence and to say it, the best first.
fn readings(
    assertion: &Assertion,
    verdict: RuleVerdict,
    (firewall, ufw): (&Firewall, bool),
) -> Vec<Reading> {
    let of = |traffic: &Traffic| {
        let mut about = assertion.clone();
        about.traffic = traffic.apart_from_loopback();
        about
    };
    let reading = |state, note| Reading {
        assertion: of(&assertion.traffic),
        state,
        note,
    };
    if !assertion.traffic.taken_as_new {
        return vec![reading(StateAsked::Nothing, None)];
    }
    if ufw {
        // Only first packets come to the chains that ufw keeps for these rules.
        let blocks = verdict != RuleVerdict::Accept;
        return vec![reading(StateAsked::Nothing, blocks.then_some(OPEN_STAY))];
    }
    let news = [StateAsked::New, StateAsked::NewOrUntracked];
    if verdict != RuleVerdict::Accept {
        let note = "all packets are meant, those of connections that are open now, too: say `new` for first packets only";
        let mut readings = vec![Reading {
            assertion: of(&assertion.traffic.of_any_state()),
            state: StateAsked::Nothing,
            note: Some(note),
        }];
        readings.push(reading(StateAsked::Nothing, Some(OPEN_STAY)));
        readings.extend(news.map(|state| reading(state, Some(OPEN_STAY))));
        return readings;
    }
    let mut states = vec![StateAsked::Nothing, news[0], news[1]];
    if asks_state(firewall) {
        states.rotate_left(1);
        states.swap(1, 2);
    }
    states
        .into_iter()
        .map(|state| reading(state, None))
        .collect()
}

/// Whether the rules that accept a port ask for the state of the connection as well, as a rule.
fn asks_state(firewall: &Firewall) -> bool {
    let chains = firewall.tables.iter().flat_map(|table| &table.chains);
    let (mut with, mut without) = (0, 0);
    for rule in chains.flat_map(|chain| &chain.rules) {
        let accepts = |one: &Statement| matches!(one, Statement::Verdict(Verdict::Accept));
        let asks = |field: Field| {
            let is =
                |one: &Match| matches!(one, Match::Field { operand, .. } if operand.field == field);
            rule.statements
                .iter()
                .any(|one| matches!(one, Statement::Match(wanted) if wanted.has_part(&is)))
        };
        if rule.statements.iter().any(accepts) && asks(Field::DstPort) {
            *if asks(Field::CtState) {
                &mut with
            } else {
                &mut without
            } += 1;
        }
    }
    with > without
}

/// Whether most rules that decide have comments.
fn comments_are_usual(firewall: &Firewall) -> bool {
    let chains = firewall.tables.iter().flat_map(|table| &table.chains);
    let decides = |rule: &&Rule| {
        let ends = |one: &Statement| {
            matches!(
                one,
                Statement::Verdict(Verdict::Accept | Verdict::Drop | Verdict::Reject { .. })
            )
        };
        rule.statements.iter().any(ends)
    };
    let rules: Vec<&Rule> = chains
        .flat_map(|chain| &chain.rules)
        .filter(decides)
        .collect();
    let with = rules.iter().filter(|rule| rule.comment.is_some()).count();
    with * 2 > rules.len()
}
