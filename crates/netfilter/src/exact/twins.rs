//! The unknown answers of two firewalls that are compared.
//!
//! A `limit` that stands in both gives one and the same answer, else every comparison would end in
//! "possibly". Rules are twins if their words are the same: first those in chains of one name, then
//! the others, each with the one in the same place of the order.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::definitions::definitions_of;
use super::diagram::Variable;
use super::side_effects::ComparedSideEffects;
use super::space::{UnknownAnswer, UnknownTopic};
use super::state::PacketRewrite;
use surefoot_ruleset::model::{
    Effect, Family, Firewall, Match, Nat, NatKind, Rule, RuleAt, Statement, Table, Verdict,
};

/// The unknown answers of the first firewall, for the second one to share.
#[derive(Clone, Debug)]
pub(crate) struct SharedUnknowns {
    /// The rules of the second firewall that stand in the first one, too.
    of_first: HashMap<RuleAt, RuleAt>,
    /// The rules of the first firewall that stand in the second one, too.
    paired: HashSet<RuleAt>,
    /// The chains of the second firewall that the first one has by the same name.
    chains: HashMap<(usize, usize), (usize, usize)>,
    second: bool,
    answers: HashMap<(Question, usize), Variable>,
    turns: HashMap<Question, usize>,
    /// The first variables that only the second firewall has.
    pub(crate) only_second: Vec<Variable>,
    /// Whether an answer was taken to be the same in both.
    pub(crate) any: bool,
    /// What the NAT rule under way writes; none where none is.
    pub(crate) writes: Option<NatWrite>,
    /// The side effects that the two are compared by.
    pub(crate) side_effects: ComparedSideEffects,
}

/// Who has an unknown answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum UnknownOwner {
    /// A rule of the first firewall, or its twin.
    Rule(RuleAt),
    /// A rule that only the second one has.
    Second(RuleAt),
    /// Some rule of a chain of the first firewall, or of the one of that name, that only one of the
    /// two has.
    SomeOf((usize, usize)),
    Kernel,
}

/// What a NAT rule writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NatWrite {
    /// What the map of a rule gives.
    ByMap(UnknownOwner),
    /// The address of an interface, and these ports.
    OwnAddress(Option<(u16, u16)>),
    /// One of these addresses, and these ports.
    Fixed(Option<(IpAddr, IpAddr)>, Option<(u16, u16)>),
}

/// Which rule tests what, of packets in which state, and by which rules they reached the chain.
/// What one of two firewalls tests once more, on other packets or by another way, must not be taken
/// for what both test.
type Question = (
    UnknownOwner,
    UnknownTopic,
    Option<PacketRewrite>,
    Vec<UnknownOwner>,
);

/// The result of asking for an unknown answer.
pub(crate) enum AskedUnknown {
    /// The other firewall has asked for the same.
    Before(Variable),
    /// It has not.
    First(UnknownPlace),
}

/// Where an answer is kept.
pub(crate) struct UnknownPlace(Option<(Question, usize)>);

impl SharedUnknowns {
    /// Finds the rules that are in both.
    pub(crate) fn new(first: &Firewall, second: &Firewall) -> Self {
        let of_first = paired_rules(first, second);
        Self {
            paired: of_first.values().copied().collect(),
            chains: paired_chains(first, second),
            of_first,
            second: false,
            answers: HashMap::new(),
            turns: HashMap::new(),
            only_second: Vec::new(),
            any: false,
            writes: None,
            side_effects: ComparedSideEffects::new([first, second]),
        }
    }

    /// From here on the second firewall asks.
    pub(crate) fn turn_to_second(&mut self) {
        self.second = true;
        self.turns.clear();
        self.writes = None;
    }

    /// The variable that the other firewall got for the same question.
    pub(crate) fn ask(
        &mut self,
        unknown: UnknownAnswer,
        topic: &UnknownTopic,
        (state, callers): (Option<&PacketRewrite>, &[RuleAt]),
    ) -> AskedUnknown {
        if !topic.can_be_shared() {
            return AskedUnknown::First(UnknownPlace(None));
        }
        let owner = match unknown {
            UnknownAnswer::Kernel => UnknownOwner::Kernel,
            UnknownAnswer::Rule(at) => self.owner_of(at),
        };
        let callers = match state {
            Some(_) => callers.iter().map(|at| self.owner_of_caller(*at)).collect(),
            None => Vec::new(),
        };
        let question = (owner, topic.clone(), state.cloned(), callers);
        let turn = self.turns.entry(question.clone()).or_default();
        let key = (question, *turn);
        *turn += 1;
        match self.answers.get(&key) {
            Some(variable) if self.second => {
                self.any |= unknown != UnknownAnswer::Kernel;
                AskedUnknown::Before(*variable)
            }
            _ => AskedUnknown::First(UnknownPlace(Some(key))),
        }
    }

    fn owner_of(&self, at: RuleAt) -> UnknownOwner {
        if !self.second {
            return UnknownOwner::Rule(at);
        }
        match self.of_first.get(&at) {
            Some(twin) => UnknownOwner::Rule(*twin),
            None => UnknownOwner::Second(at),
        }
    }

    /// A rule that calls a chain. One that was changed still leads there.
    fn owner_of_caller(&self, at: RuleAt) -> UnknownOwner {
        let chain = (at.table, at.chain);
        match self.owner_of(at) {
            UnknownOwner::Rule(at) if !self.second && !self.paired.contains(&at) => {
                UnknownOwner::SomeOf(chain)
            }
            UnknownOwner::Second(at) => match self.chains.get(&chain) {
                Some(chain) => UnknownOwner::SomeOf(*chain),
                None => UnknownOwner::Second(at),
            },
            owner => owner,
        }
    }

    /// Keeps a new answer's variable.
    pub(crate) fn remember_answer(&mut self, place: UnknownPlace, variable: Variable) {
        if self.second {
            self.only_second.push(variable);
        }
        if let Some(key) = place.0 {
            self.answers.insert(key, variable);
        }
    }

    /// Sets what a NAT rule writes: two that write the same rewrite a packet alike.
    pub(crate) fn remember_write(&mut self, at: RuleAt, nat: &Nat) {
        self.writes = Some(match (&nat.by_map, nat.kind) {
            (Some(_), _) => {
                let twin = self.of_first.get(&at).filter(|_| self.second);
                NatWrite::ByMap(match twin {
                    Some(twin) => UnknownOwner::Rule(*twin),
                    None if self.second => UnknownOwner::Second(at),
                    None => UnknownOwner::Rule(at),
                })
            }
            (None, NatKind::Masquerade | NatKind::Redirect) => NatWrite::OwnAddress(nat.ports),
            (None, _) => NatWrite::Fixed(nat.addresses, nat.ports),
        });
    }
}

/// The chains of the second firewall that the first one has by the same name.
fn paired_chains(first: &Firewall, second: &Firewall) -> HashMap<(usize, usize), (usize, usize)> {
    let named = |firewall: &Firewall| -> Vec<_> {
        let tables = firewall.tables.iter().enumerate();
        tables
            .flat_map(|(t, table)| {
                let chains = table.chains.iter().enumerate();
                chains.map(move |(c, chain)| {
                    let name = (table.family, table.name.clone(), chain.name.clone());
                    (name, (t, c))
                })
            })
            .collect()
    };
    let known: HashMap<_, _> = named(first).into_iter().rev().collect();
    let found = named(second).into_iter();
    found
        .filter_map(|(name, at)| Some((at, *known.get(&name)?)))
        .collect()
}

/// The twins of the second firewall's rules.
fn paired_rules(first: &Firewall, second: &Firewall) -> HashMap<RuleAt, RuleAt> {
    let mut twins = HashMap::new();
    let mut taken: HashSet<RuleAt> = HashSet::new();
    for by in [SameRule::InChain, SameRule::ByWords, SameRule::ByMeaning] {
        let mut known: HashMap<RuleIdentity, Vec<RuleAt>> = HashMap::new();
        for (at, table, chain, rule) in rules(first) {
            if !taken.contains(&at) && asks_unknown(rule) {
                let identity = by.identity(first, (table, chain, rule));
                known.entry(identity).or_default().push(at);
            }
        }
        for list in known.values_mut() {
            list.reverse();
        }
        for (at, table, chain, rule) in rules(second) {
            if twins.contains_key(&at) || !asks_unknown(rule) {
                continue;
            }
            let identity = by.identity(second, (table, chain, rule));
            if let Some(twin) = known.get_mut(&identity).and_then(Vec::pop) {
                twins.insert(at, twin);
                taken.insert(twin);
            }
        }
    }
    twins
}

/// What two rules have in common that are the same.
#[derive(PartialEq, Eq, Hash)]
struct RuleIdentity {
    family: Family,
    /// The table's and the chain's name, where these have to be the same.
    chain: Option<(String, String)>,
    said: RuleSaying,
    /// What it names is defined so.
    definitions: String,
}

/// What a rule says.
#[derive(PartialEq, Eq, Hash)]
enum RuleSaying {
    Words(String),
    Meaning(Vec<MeaningPart>),
}

/// A part of what a rule with a plain limit asks and does.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
enum MeaningPart {
    Limit(String),
    Statement(Statement),
}

/// What makes a rule of one firewall a rule of the other.
#[derive(Clone, Copy)]
enum SameRule {
    /// Its words, in the chain of the same name.
    InChain,
    /// Its words, wherever they stand.
    ByWords,
    /// What it tests and does, in the language of iptables or of nft.
    ByMeaning,
}

impl SameRule {
    fn identity(self, firewall: &Firewall, of: (&Table, Option<&str>, &Rule)) -> RuleIdentity {
        let (table, chain, rule) = of;
        let chain = chain.filter(|_| matches!(self, Self::InChain));
        let meaning = matches!(self, Self::ByMeaning).then(|| rule_meaning(rule));
        RuleIdentity {
            family: table.family,
            chain: chain.map(|chain| (table.name.clone(), chain.to_owned())),
            said: match meaning.flatten() {
                Some(meaning) => RuleSaying::Meaning(meaning),
                None => RuleSaying::Words(rule_words(firewall, rule)),
            },
            definitions: definitions_of(firewall, table, rule),
        }
    }
}

/// What a rule with a plain limit tests and does; none for others, which have one spelling only.
fn rule_meaning(rule: &Rule) -> Option<Vec<MeaningPart>> {
    let mut limited = false;
    let (mut meaning, mut after) = (Vec::new(), Vec::new());
    for statement in &rule.statements {
        after.push(match statement {
            Statement::Match(Match::Opaque(opaque)) => {
                limited = true;
                // It counts the packets that reach it: the statements before it tell which.
                after.sort();
                meaning.append(&mut after);
                meaning.push(MeaningPart::Limit(limit_meaning(&opaque.text)?));
                continue;
            }
            Statement::Match(Match::Lookup(_) | Match::Any { .. }) | Statement::VerdictMap(_) => {
                return None;
            }
            Statement::Effect(Effect::Log { .. } | Effect::Other { .. }) => continue,
            other => MeaningPart::Statement(other.clone()),
        });
    }
    // What is implied stands in another place.
    after.sort();
    meaning.append(&mut after);
    limited.then_some(meaning)
}

/// `-m limit --limit 3/min --limit-burst 5` and `limit rate 3/minute burst 5 packets` are one. Five is
/// the default of both.
pub(super) fn limit_meaning(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split(' ').collect();
    let (rate, burst) = match words[..] {
        ["-m", "limit", "--limit", rate] | ["limit", "rate", rate] => (rate, "5"),
        ["-m", "limit", "--limit", rate, "--limit-burst", burst]
        | ["limit", "rate", rate, "burst", burst, "packets"] => (rate, burst),
        _ => return None,
    };
    let (count, unit) = rate.split_once('/')?;
    let unit = ["second", "minute", "hour", "day"]
        .into_iter()
        .find(|name| !unit.is_empty() && name.starts_with(unit))?;
    Some(format!("limit {count}/{unit} {burst}"))
}

/// Whether there may be something unknown about a rule.
fn asks_unknown(rule: &Rule) -> bool {
    rule.statements.iter().any(|one| match one {
        Statement::Match(wanted) => {
            wanted.has_part(&|part| matches!(part, Match::Opaque(_) | Match::Lookup(_)))
        }
        Statement::Effect(effect) => matches!(effect, Effect::Forget { .. }),
        Statement::Verdict(verdict) => !matches!(
            verdict,
            Verdict::Accept | Verdict::Drop | Verdict::Reject { .. } | Verdict::Return
        ),
        Statement::VerdictMap(_) => true,
    })
}

fn rules(firewall: &Firewall) -> impl Iterator<Item = (RuleAt, &Table, Option<&str>, &Rule)> {
    firewall.tables.iter().enumerate().flat_map(|(t, table)| {
        table.chains.iter().enumerate().flat_map(move |(c, chain)| {
            chain.rules.iter().enumerate().map(move |(r, rule)| {
                let at = RuleAt {
                    table: t,
                    chain: c,
                    rule: r,
                };
                (at, table, Some(chain.name.as_str()), rule)
            })
        })
    })
}

/// Skips a word, or several that stand in quotes.
fn skip_quoted<'a>(words: &mut impl Iterator<Item = &'a str>) {
    let closes = |word: &str| word.ends_with('"') && !word.ends_with("\\\"");
    let first = words.next().unwrap_or_default();
    let open = first.starts_with('"') && !(first.len() > 1 && closes(first));
    if open {
        words.find(|word| closes(word));
    }
}

/// What makes a rule the same rule: its words without its comment, and without what the kernel counts
/// and numbers.
fn rule_words(firewall: &Firewall, rule: &Rule) -> String {
    let text = firewall.text(rule.place);
    let text = text.split(" # handle ").next().unwrap_or_default();
    let mut words: Vec<&str> = Vec::new();
    let mut all = text.split_whitespace().peekable();
    while let Some(word) = all.next() {
        let counted = word.starts_with('[') && word.ends_with(']') && word.contains(':');
        if counted && words.is_empty() {
            continue;
        }
        if matches!(word, "-A" | "--append") && words.is_empty() {
            all.next();
            continue;
        }
        if rule.comment.is_some()
            && (word == "--comment"
                || word == "comment" && all.peek().is_some_and(|it| it.starts_with('"')))
        {
            skip_quoted(&mut all);
            if words.ends_with(&["-m", "comment"]) {
                words.truncate(words.len() - 2);
            }
            continue;
        }
        words.push(word);
        if word == "packets" && words.len() > 1 && words[words.len() - 2] == "counter" {
            words.pop();
            for _ in 0..3 {
                all.next();
            }
        }
    }
    words.join(" ")
}
