//! The rules that say a sentence, in the language of a table.

use surefoot_netfilter::traffic::{Traffic, UnsayableTraffic};
use surefoot_report::Source;
use surefoot_ruleset::model::{
    Chain, Family, Field, Match, Place, Range, Rule, Statement, Table, Verdict, ct_state,
};
use surefoot_ruleset::{Format, Input, load};

use super::PacketScope;
use super::refusal::MakeRefusal;
use super::spelling::{iptables_rules, nft_rule, protocols_of, ufw_command};

/// What a rule does with its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RuleVerdict {
    Accept,
    Drop,
    Reject,
}

/// What a rule asks of the connection beside the words of the sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StateAsked {
    Nothing,
    New,
    NewOrUntracked,
}

/// The packets that new rules are to match, and what becomes of them.
#[derive(Clone, Debug)]
pub(super) struct RuleWish<'a> {
    pub(super) traffic: &'a Traffic,
    pub(super) state: StateAsked,
    pub(super) verdict: RuleVerdict,
    /// The sentence, for a comment.
    pub(super) comment: Option<&'a str>,
}

/// A rule as it would stand in a text.
#[derive(Clone, Debug)]
pub(super) struct NewRule {
    /// The text that holds it alone.
    pub(super) source: Source,
    /// What the parser makes of it; its place is in that text.
    pub(super) rule: Rule,
    /// Everything behind `-A CHAIN`, or the whole rule of nft.
    pub(super) words: String,
}

impl RuleWish<'_> {
    /// The rules for a chain of this table.
    pub(super) fn rules_for(
        &self,
        table: &Table,
        chain: &Chain,
    ) -> Result<Vec<NewRule>, MakeRefusal> {
        let words = match table.family {
            Family::Ip => self.family_words(table, false)?,
            Family::Ip6 => self.family_words(table, true)?,
            Family::Inet => {
                let of = [
                    self.family_words(table, false)?,
                    self.family_words(table, true)?,
                ];
                let [fours, sixes] = of;
                let (both, fours): (Vec<_>, Vec<_>) =
                    fours.into_iter().partition(|one| sixes.contains(one));
                let sixes = sixes.into_iter().filter(|one| !both.contains(one));
                let sixes: Vec<_> = sixes.map(|one| one.in_family(true)).collect();
                let fours = fours.into_iter().map(|one| one.in_family(false)).collect();
                [both, fours, sixes].concat()
            }
            Family::Arp | Family::Bridge | Family::Netdev => return Err(MakeRefusal::OtherFamily),
        };
        words
            .into_iter()
            .map(|one| self.parsed(table, chain, &one))
            .collect()
    }

    /// The commands of ufw that make the rules for packets of one family on one way.
    pub(super) fn ufw_commands(
        &self,
        scope: PacketScope,
        in_front: bool,
    ) -> Result<Vec<String>, MakeRefusal> {
        let verb = match self.verdict {
            RuleVerdict::Accept => "allow",
            RuleVerdict::Drop => "deny",
            RuleVerdict::Reject => "reject",
        };
        let mut commands = Vec::new();
        for wanted in self.conjunctions(scope.v6)? {
            // ufw takes one protocol at a time.
            let protocols = protocols_of(&wanted).unwrap_or_default();
            let each: Vec<Vec<Match>> = match protocols.as_slice() {
                [] | [_] => vec![wanted],
                several => {
                    let only = |number: &u128| {
                        let one = Match::Field {
                            operand: Field::L4Proto.into(),
                            negated: false,
                            ranges: vec![Range::one(*number)],
                        };
                        [&wanted[..], &[one]].concat()
                    };
                    several.iter().map(only).collect()
                }
            };
            for one in each {
                let families = (scope.v6, self.traffic.v6);
                commands.push(ufw_command(&one, scope.way, (verb, in_front), families)?);
            }
        }
        Ok(commands)
    }

    fn conjunctions(&self, v6: bool) -> Result<Vec<Vec<Match>>, MakeRefusal> {
        self.traffic.conjunctions(v6).map_err(|why| match why {
            UnsayableTraffic::NamesSet => MakeRefusal::NamesSet,
            UnsayableTraffic::TooMany => MakeRefusal::TooManyRules,
        })
    }

    fn family_words(&self, table: &Table, v6: bool) -> Result<Vec<FamilyWords>, MakeRefusal> {
        let mut words = Vec::new();
        for mut wanted in self.conjunctions(v6)? {
            wanted.extend(self.state_match());
            if table.backend.is_iptables() {
                let rules = iptables_rules(&wanted, v6)?;
                words.extend(
                    rules
                        .into_iter()
                        .map(|text| FamilyWords { text, family: None }),
                );
            } else {
                words.push(FamilyWords {
                    text: nft_rule(&wanted)?,
                    family: None,
                });
            }
        }
        Ok(words)
    }

    fn state_match(&self) -> Option<Match> {
        let states: &[u128] = match self.state {
            StateAsked::Nothing => return None,
            StateAsked::New => &[ct_state::NEW],
            StateAsked::NewOrUntracked => &[ct_state::NEW, ct_state::UNTRACKED],
        };
        Some(Match::Field {
            operand: Field::CtState.into(),
            negated: false,
            ranges: states.iter().copied().map(Range::one).collect(),
        })
    }

    /// Reads the rule as the kernel's own tools would.
    fn parsed(
        &self,
        table: &Table,
        chain: &Chain,
        words: &FamilyWords,
    ) -> Result<NewRule, MakeRefusal> {
        let name = &chain.name;
        let (words, text, format) = if table.backend.is_iptables() {
            let target = match self.verdict {
                RuleVerdict::Accept => "ACCEPT",
                RuleVerdict::Drop => "DROP",
                RuleVerdict::Reject => "REJECT",
            };
            let comment = self.comment.map(comment_words);
            let comment = comment.map(|comment| format!("-m comment --comment \"{comment}\""));
            let target = format!("-j {target}");
            let words = joined([Some(words.text.as_str()), comment.as_deref(), Some(&target)]);
            // A built-in chain must have a policy.
            let policy = if chain.base.is_some() { "ACCEPT" } else { "-" };
            let text = format!(
                "*{}\n:{name} {policy} [0:0]\n-A {name} {words}\nCOMMIT\n",
                table.name
            );
            let format = Format::Iptables {
                family: table.family,
                backend: table.backend,
            };
            (words, text, format)
        } else {
            let verdict = match self.verdict {
                RuleVerdict::Accept => "accept",
                RuleVerdict::Drop => "drop",
                RuleVerdict::Reject => "reject",
            };
            let family = words.family.map(|v6| {
                if v6 {
                    "meta nfproto ipv6"
                } else {
                    "meta nfproto ipv4"
                }
            });
            let comment = self.comment.map(comment_words);
            let comment = comment.map(|comment| format!("comment \"{comment}\""));
            let words = joined([
                family,
                Some(words.text.as_str()),
                Some(verdict),
                comment.as_deref(),
            ]);
            let text = format!(
                "table {} {} {{\n chain {name} {{\n  {words}\n }}\n}}\n",
                table.family.word(),
                table.name,
            );
            (words, text, Format::NftText)
        };
        let loaded = load(vec![Input {
            name: "the new rule".to_owned(),
            text: text.clone(),
            format: Some(format),
        }]);
        let mut tables = loaded.firewall.tables.into_iter();
        let chains = tables.next().map(|table| table.chains).unwrap_or_default();
        let mut read = chains
            .into_iter()
            .find(|one| one.name == *name)
            .map(|one| one.rules)
            .unwrap_or_default();
        let whole = |rule: &Rule| {
            let verdict = match self.verdict {
                RuleVerdict::Accept => matches!(
                    rule.statements.last(),
                    Some(Statement::Verdict(Verdict::Accept))
                ),
                RuleVerdict::Drop => matches!(
                    rule.statements.last(),
                    Some(Statement::Verdict(Verdict::Drop))
                ),
                RuleVerdict::Reject => matches!(
                    rule.statements.last(),
                    Some(Statement::Verdict(Verdict::Reject { .. }))
                ),
            };
            let opaque = |one: &Statement| matches!(one, Statement::Match(wanted) if wanted.has_part(&|part| matches!(part, Match::Opaque(_))));
            verdict && !rule.statements.iter().any(opaque)
        };
        if !loaded.problems.is_empty() || read.len() != 1 || !read.iter().all(whole) {
            return Err(MakeRefusal::NotUnderstood(words));
        }
        let mut rule = read.remove(0);
        rule.number = 0;
        Ok(NewRule {
            source: Source::new("the new rule", text),
            rule,
            words,
        })
    }
}

/// The conditions of a rule, and the family that it must ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FamilyWords {
    text: String,
    family: Option<bool>,
}

impl FamilyWords {
    /// The same for one family of a table that sees both.
    fn in_family(mut self, v6: bool) -> Self {
        let starts = ["ip ", "ip6 ", "icmp ", "icmpv6 "];
        let says = |start: &&str| {
            self.text.starts_with(*start) || self.text.contains(&format!(" {start}"))
        };
        if !starts.iter().any(says) {
            self.family = Some(v6);
        }
        self
    }
}

fn joined<const N: usize>(parts: [Option<&str>; N]) -> String {
    let parts: Vec<&str> = parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(" ")
}

/// A comment that stands between quotes in every language.
fn comment_words(sentence: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " .,:/-_@()+".contains(c);
    let words = sentence.chars().filter(|c| plain(*c));
    // nft takes 128 characters.
    words.take(120).collect::<String>().trim().to_owned()
}

/// Puts rules into a chain before the one at `at`, and numbers the chain anew.
pub(super) fn insert(rules: &mut Vec<Rule>, at: usize, new: impl IntoIterator<Item = Rule>) {
    rules.splice(at..at, new);
    renumber(rules);
}

/// Numbers the rules of a chain from 1.
pub(super) fn renumber(rules: &mut [Rule]) {
    for (rule, number) in rules.iter_mut().zip(1..) {
        rule.number = number;
    }
}

/// The place of a rule that stands alone in the text with this index.
pub(super) fn place_in(source: usize, rule: &Rule) -> Place {
    Place {
        source: u16::try_from(source).unwrap_or(u16::MAX),
        span: rule.place.span,
    }
}
