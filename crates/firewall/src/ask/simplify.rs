//! A smaller rule set that does the same, proved to do so.
//!
//! Only what no packet ever reaches is removed: rules that none can match, and chains that no rule
//! leads to. So every rule that stays counts what it counted, and keeps its comment; the text that
//! stays is as it was written. The result is compared with the original, over all packets.

use crate::LoadedRules;
use std::collections::BTreeSet;

use serde::Serialize;
use surefoot_report::{Paint, Source, Span, Style};

use super::diff::{DiffSide, DiffVerdict, diff};
use super::lines::AnswerLines;
use super::name::NamedDecider;
use surefoot_netfilter::Surroundings;
use surefoot_netfilter::exact::{Budget, Exhausted, HidingRule, WhyDead, dead_rules};
use surefoot_netfilter::traffic::Traffic;
use surefoot_ruleset::Input;
use surefoot_ruleset::model::chain_name;
use surefoot_ruleset::model::{
    Chain, ChainId, Content, ElementValue, Firewall, Place, RuleAt, SetRef, Statement, Table,
    Verdict as RuleVerdict,
};

/// What was taken away, and what is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SimplerRules {
    /// The text that is left.
    pub text: String,
    /// The rules that were taken away.
    pub rules: Vec<RemovedRule>,
    /// The chains that were taken away.
    pub chains: Vec<String>,
    /// Why some of what could go has stayed.
    pub notes: Vec<String>,
    /// Whether the text is proved to do the same as the one given; if not, it is the one given.
    pub proved: bool,
}

/// A rule that was taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RemovedRule {
    /// The rule.
    pub rule: NamedDecider,
    /// The rules that take all its packets; none if there are no such packets.
    pub hidden_by: Vec<NamedDecider>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSimpler {
    /// The question was too large for an exact answer.
    TooLarge,
}

/// Removes the rules that no packet can match from the text of one file.
///
/// # Errors
///
/// If that cannot be found out.
pub fn simplify(
    input: &Input,
    surroundings: &Surroundings,
    budget: Budget,
) -> Result<SimplerRules, NotSimpler> {
    let rules = LoadedRules::of_texts(vec![input.clone()]);
    let firewall = &rules.firewall;
    let dead =
        dead_rules(firewall, surroundings, budget).map_err(|Exhausted| NotSimpler::TooLarge)?;
    let mut simpler = SimplerRules {
        text: String::new(),
        rules: Vec::new(),
        chains: Vec::new(),
        notes: Vec::new(),
        proved: true,
    };
    let Some(source) = firewall.sources.first() else {
        return Ok(simpler);
    };
    // What shares a line with something else stays, and so does what it leads to.
    let gone: BTreeSet<RuleAt> = dead
        .iter()
        .map(|rule| rule.at)
        .filter(|at| lines_of(source, rule_place(firewall, *at).span).is_some())
        .collect();
    let lines_of_chain = |table: &Table, chain: &Chain| -> Option<Vec<Span>> {
        let mut spans = vec![chain.place.span];
        if table.backend.is_iptables() {
            spans.extend(chain.rules.iter().map(|rule| rule.place.span));
        }
        spans.iter().map(|span| lines_of(source, *span)).collect()
    };
    let stays = |table: &Table, chain: &Chain| lines_of_chain(table, chain).is_none();
    let chains = unused_chains(firewall, &gone, stays);
    let mut cut: Vec<Span> = Vec::new();
    for (table, chain) in &chains {
        let of = &firewall.tables[*table];
        let content = &of.chains[*chain];
        cut.extend(lines_of_chain(of, content).unwrap_or_default());
        simpler.chains.push(chain_name(of, content));
    }
    for rule in &dead {
        if chains.contains(&(rule.at.table, rule.at.chain)) {
            continue;
        }
        let named = NamedDecider::rule(firewall, rule.at);
        if !gone.contains(&rule.at) {
            simpler.notes.push(format!(
                "{} can go, but shares a line with something else",
                named.name
            ));
            continue;
        }
        cut.extend(lines_of(source, rule_place(firewall, rule.at).span));
        simpler.rules.push(RemovedRule {
            rule: named,
            hidden_by: named_hiders(firewall, &rule.why),
        });
    }
    simpler.text = without_spans(&source.text, &mut cut);
    if is_proved_same(&rules, &simpler.text, input, (surroundings, budget))? {
        return Ok(simpler);
    }
    // What is not proved is not offered.
    Ok(SimplerRules {
        text: source.text.clone(),
        rules: Vec::new(),
        chains: Vec::new(),
        notes: vec![format!(
            "{} and {} seem to be met by no packet, but it was not proved that the rest does the same without them",
            counted_noun(simpler.rules.len(), "rule"),
            counted_noun(simpler.chains.len(), "chain")
        )],
        proved: false,
    })
}

fn rule_place(firewall: &Firewall, at: RuleAt) -> Place {
    firewall.tables[at.table].chains[at.chain].rules[at.rule].place
}

fn named_hiders(firewall: &Firewall, why: &WhyDead) -> Vec<NamedDecider> {
    match why {
        WhyDead::Hidden(by) => {
            let named = |hider: &HidingRule| NamedDecider::rule(firewall, hider.at);
            by.iter().map(named).collect()
        }
        WhyDead::Impossible | WhyDead::NeverSent => Vec::new(),
    }
}

/// Whether the smaller text does the same with every packet.
fn is_proved_same(
    old: &LoadedRules,
    text: &str,
    input: &Input,
    (surroundings, budget): (&Surroundings, Budget),
) -> Result<bool, NotSimpler> {
    let new = LoadedRules::of_texts(vec![Input {
        text: text.to_owned(),
        ..input.clone()
    }]);
    if !new.are_complete() {
        return Ok(false);
    }
    let difference = diff(
        DiffSide {
            rules: old,
            whole: true,
        },
        DiffSide {
            rules: &new,
            whole: true,
        },
        surroundings,
        &Traffic::default(),
        (4, budget),
    );
    match difference.verdict {
        DiffVerdict::Equal => Ok(true),
        DiffVerdict::Unknown => Err(NotSimpler::TooLarge),
        DiffVerdict::Open | DiffVerdict::Different => Ok(false),
    }
}

/// The chains that no rule leads to which stays, by table and index.
fn unused_chains(
    firewall: &Firewall,
    gone: &BTreeSet<RuleAt>,
    stays: impl Fn(&Table, &Chain) -> bool,
) -> BTreeSet<(usize, usize)> {
    let mut unused = BTreeSet::new();
    for (t, table) in firewall.tables.iter().enumerate() {
        let mut used: BTreeSet<usize> = BTreeSet::new();
        let mut todo: Vec<usize> = (0..table.chains.len())
            .filter(|c| table.chains[*c].base.is_some() || stays(table, &table.chains[*c]))
            .collect();
        // A map that packets fill may lead anywhere.
        todo.extend(table.sets.iter().flat_map(|set| led_to(&set.content)));
        while let Some(c) = todo.pop() {
            if !used.insert(c) {
                continue;
            }
            let rules = table.chains.get(c).map(|chain| chain.rules.as_slice());
            for (rule, content) in rules.unwrap_or_default().iter().enumerate() {
                let at = RuleAt {
                    table: t,
                    chain: c,
                    rule,
                };
                if !gone.contains(&at) {
                    let statements = content.statements.iter();
                    todo.extend(statements.flat_map(|statement| leads_to(table, statement)));
                }
            }
        }
        let rest = (0..table.chains.len()).filter(|c| !used.contains(c));
        unused.extend(rest.map(|c| (t, c)));
    }
    unused
}

fn leads_to(table: &Table, statement: &Statement) -> Vec<usize> {
    match statement {
        Statement::Verdict(verdict) => chain_of(verdict).into_iter().collect(),
        Statement::VerdictMap(map) => match &map.map {
            SetRef::Inline(set) => led_to(&set.content),
            SetRef::Named(at) => {
                let set = usize::try_from(*at).ok().and_then(|at| table.sets.get(at));
                set.map(|set| led_to(&set.content)).unwrap_or_default()
            }
            SetRef::Ipset(_) | SetRef::Missing(_) => Vec::new(),
        },
        Statement::Match(_) | Statement::Effect(_) => Vec::new(),
    }
}

fn led_to(content: &Content) -> Vec<usize> {
    let values = content
        .elements()
        .iter()
        .filter_map(|one| one.value.as_ref());
    let verdicts = values.filter_map(|value| match value {
        ElementValue::Verdict(verdict) => chain_of(verdict),
        ElementValue::Data(_) => None,
    });
    verdicts.collect()
}

fn chain_of(verdict: &RuleVerdict) -> Option<usize> {
    match verdict {
        RuleVerdict::Jump(ChainId(to)) | RuleVerdict::Goto(ChainId(to)) => {
            usize::try_from(*to).ok()
        }
        _ => None,
    }
}

/// The lines that hold these bytes and nothing else but counters and a handle.
fn lines_of(source: &Source, span: Span) -> Option<Span> {
    let text = source.text.as_str();
    let (start, end) = (
        usize::try_from(span.start).ok()?,
        usize::try_from(span.end).ok()?,
    );
    let before = text.get(..start)?;
    let after = text.get(end..)?;
    let from = before.rfind('\n').map_or(0, |at| at + 1);
    let to = after.find('\n').map_or(text.len(), |at| end + at + 1);
    let head = text.get(from..start)?.trim();
    let tail = text.get(end..to)?.trim();
    let counters = head.is_empty() || head.starts_with('[') && head.ends_with(']');
    let rest = tail.trim_start_matches(';').trim_start();
    let handle = rest.is_empty() || rest.starts_with('#');
    (counters && handle).then(|| Span::new(from, to))
}

/// The text without these lines.
fn without_spans(text: &str, cut: &mut [Span]) -> String {
    cut.sort_unstable_by_key(|span| span.start);
    let mut left = String::with_capacity(text.len());
    let mut at = 0;
    for span in cut {
        let (Ok(start), Ok(end)) = (usize::try_from(span.start), usize::try_from(span.end)) else {
            continue;
        };
        if let Some(kept) = text.get(at..start) {
            left.push_str(kept);
        }
        at = at.max(end);
    }
    left.push_str(text.get(at..).unwrap_or_default());
    left
}

impl SimplerRules {
    /// What was taken away, for people; the text is for programs.
    pub fn summary(&self, style: Style, width: usize) -> String {
        let mut out = AnswerLines::new(style, width);
        let (rules, chains) = (self.rules.len(), self.chains.len());
        if rules + chains == 0 {
            out.line(
                0,
                Paint::Strong,
                if self.notes.is_empty() {
                    "no rule can be removed: some packet matches each of them"
                } else {
                    "nothing was removed"
                },
            );
        } else {
            let words = format!(
                "{} and {} can be removed: the others do the same with every packet, proved",
                counted_noun(rules, "rule"),
                counted_noun(chains, "chain")
            );
            out.write_wrapped(0, Some(Paint::Strong), &words);
        }
        for chain in &self.chains {
            out.write_listed(
                "  - ",
                Paint::Faint,
                &format!("{chain}: no rule leads there"),
            );
        }
        for removed in &self.rules {
            let by: Vec<&str> = removed
                .hidden_by
                .iter()
                .map(|one| one.name.as_str())
                .collect();
            let why = if by.is_empty() {
                "no packet that it matches reaches it".to_owned()
            } else {
                format!("all its packets are taken by {}", by.join(", "))
            };
            out.write_listed(
                "  - ",
                Paint::Faint,
                &format!("{}: {why}", removed.rule.name),
            );
            out.named_below(4, &removed.rule);
        }
        for note in &self.notes {
            out.write_listed("note: ", Paint::Faint, note);
        }
        out.finish()
    }
}

fn counted_noun(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

impl NotSimpler {
    /// What went wrong, in a sentence.
    pub fn words(&self) -> String {
        match self {
            Self::TooLarge => "the rules are too many for an exact answer".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simpler(text: &str) -> SimplerRules {
        let input = Input {
            name: "t".into(),
            text: text.into(),
            format: None,
        };
        simplify(&input, &Surroundings::default(), Budget::default()).unwrap()
    }

    #[test]
    fn what_no_packet_meets_goes_and_the_rest_is_as_written() {
        let text = "# ours\n*filter\n:INPUT DROP [5:300]\n:OLD - [0:0]\n:WEB - [0:0]\n[1:60] -A INPUT -s 10.0.0.0/8 -j ACCEPT\n[0:0] -A INPUT -s 10.1.0.0/16 -p tcp -j OLD\n[7:420] -A INPUT -p tcp --dport 80 -m comment --comment \"the shop\" -j WEB\n[0:0] -A OLD -j DROP\n[7:420] -A WEB -j ACCEPT\nCOMMIT\n";
        let found = simpler(text);
        assert_eq!(found.chains, ["filter OLD"]);
        assert_eq!(found.rules.len(), 1);
        assert_eq!(found.rules[0].hidden_by.len(), 1);
        let left: Vec<&str> = text.lines().filter(|line| !line.contains("OLD")).collect();
        assert_eq!(found.text, left.join("\n") + "\n");
    }

    #[test]
    fn nft_keeps_its_form() {
        let text = "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority 0; policy drop;\n\t\tip saddr 10.0.0.0/8 accept\n\t\tip saddr 10.1.0.0/16 tcp dport 22 accept # handle 7\n\t\ttcp dport vmap { 80 : jump web }\n\t}\n\tchain web {\n\t\taccept\n\t}\n\tchain unused {\n\t\tdrop\n\t}\n}\n";
        let found = simpler(text);
        assert_eq!(found.chains, ["inet filter unused"]);
        assert_eq!(found.rules.len(), 1);
        assert!(found.text.contains("chain web"), "{}", found.text);
        assert!(!found.text.contains("10.1.0.0"), "{}", found.text);
        assert!(!found.text.contains("unused"), "{}", found.text);
    }

    #[test]
    fn a_line_with_more_than_the_rule_stays() {
        let text = "table ip f {\n chain i { type filter hook input priority 0; accept; ip saddr 10.0.0.1 drop; }\n}\n";
        let found = simpler(text);
        assert_eq!(found.text, text);
        assert_eq!(found.notes.len(), 1);
    }
}
