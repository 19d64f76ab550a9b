//! Points at rules, chains and tables.

use surefoot_report::{Certainty, Evidence, Finding, Page, Place, Remedy, Severity};

use super::AREA;
use crate::LoadedRules;
use surefoot_netfilter::semantics::Decider;
use surefoot_ruleset::model;
use surefoot_ruleset::model::RuleAt;

/// Most places that one finding shows; it says how many there are.
pub(super) const MOST_SHOWN: usize = 5;

/// Returns a finding of the page's code and severity, `Certainty::Certainly` by default.
pub(super) fn finding(page: &Page, title: String, impact: impl Into<String>) -> Finding {
    let impact = sentence_case(&impact.into());
    AREA.finding(page.code, Certainty::Certainly, title, impact)
}

/// A capital at the start, unless it is something to type, and a full stop at the end.
fn sentence_case(words: &str) -> String {
    let mut rest = words.chars();
    let first = rest.next().into_iter().flat_map(char::to_uppercase);
    let mut sentence: String = first.chain(rest).collect();
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}

/// Words about the rest where there is more than one.
pub(super) fn words_about_the_rest(number: usize) -> &'static str {
    if number > 1 {
        "; the others likewise"
    } else {
        ""
    }
}

/// Says the rest of a finding, piece by piece.
pub(super) trait FindingExt {
    fn with_severity(self, severity: Severity) -> Self;
    fn possibly(self, possibly: bool) -> Self;
    fn shown_by(self, evidence: impl IntoIterator<Item = Evidence>) -> Self;
    fn mend(self, what: impl Into<String>, commands: Vec<String>) -> Self;
}

impl FindingExt for Finding {
    fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    fn possibly(mut self, possibly: bool) -> Self {
        if possibly {
            self.certainty = Certainty::Possibly;
        }
        self
    }

    fn shown_by(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    fn mend(mut self, what: impl Into<String>, commands: Vec<String>) -> Self {
        self.remedies.push(Remedy {
            what: what.into(),
            commands,
        });
        self
    }
}

impl LoadedRules {
    pub(crate) fn table(&self, at: RuleAt) -> Option<&model::Table> {
        self.firewall.tables.get(at.table)
    }

    pub(crate) fn chain(&self, at: RuleAt) -> Option<&model::Chain> {
        self.table(at)?.chains.get(at.chain)
    }

    pub(crate) fn rule(&self, at: RuleAt) -> Option<&model::Rule> {
        self.chain(at)?.rules.get(at.rule)
    }

    /// The rule with its words and what it has counted.
    pub(crate) fn show_rule(&self, at: RuleAt) -> Evidence {
        let Some(rule) = self.rule(at) else {
            return self.kernel_evidence("a rule that is not there");
        };
        let words = self.firewall.text(rule.place).trim();
        let packets = rule.counters.map(|counters| counters.packets);
        self.at(rule.place, words.to_owned(), packets)
    }

    /// The policy of a base chain and what has met it.
    pub(super) fn show_policy(&self, table: &model::Table, chain: &model::Chain) -> Evidence {
        let policy = match chain.base.as_ref().map(|base| base.policy) {
            Some(model::Policy::Accept) => "policy accept",
            Some(model::Policy::Drop) => "policy drop",
            None => "no policy",
        };
        let what = format!("{}: {policy}", full_name(table, chain));
        let packets = chain.policy_counters.map(|counters| counters.packets);
        self.at(chain.place, what, packets)
    }

    /// Any place with words about it.
    pub(super) fn at(
        &self,
        place: model::Place,
        what: impl Into<String>,
        packets: Option<u64>,
    ) -> Evidence {
        let what = what.into();
        match self.firewall.position(place) {
            Some((source, position)) => Evidence {
                place: Place::Line {
                    source: source.to_owned(),
                    line: position.line,
                    column: Some(position.column),
                },
                what,
                packets,
            },
            None => self.kernel_evidence(what),
        }
    }

    /// Something of the running kernel, named by its words.
    #[expect(clippy::unused_self, reason = "reads like its siblings")]
    pub(super) fn kernel_evidence(&self, what: impl Into<String>) -> Evidence {
        let what = what.into();
        Evidence {
            place: Place::Kernel { name: what.clone() },
            what,
            packets: None,
        }
    }
}

impl LoadedRules {
    /// Who decided, as something to look at; nothing where no rule or policy did.
    pub(super) fn show_decider(&self, by: Decider) -> Vec<Evidence> {
        match by {
            Decider::Rule(at) => vec![self.show_rule(at)],
            Decider::Policy { table, chain } => {
                let table = self.firewall.tables.get(table);
                let chain = table.and_then(|table| Some((table, table.chains.get(chain)?)));
                chain
                    .map(|(table, chain)| self.show_policy(table, chain))
                    .into_iter()
                    .collect()
            }
            Decider::Refusal(_) | Decider::Kernel => Vec::new(),
        }
    }
}

/// A chain as an administrator names it: `INPUT` of iptables' filter table, else with its table.
pub(super) fn full_name(table: &model::Table, chain: &model::Chain) -> String {
    if table.backend.is_iptables() {
        let family = if table.family == model::Family::Ip6 {
            "IPv6 "
        } else {
            ""
        };
        if table.name == "filter" {
            format!("{family}{}", chain.name)
        } else {
            format!("{family}{} {}", table.name, chain.name)
        }
    } else {
        format!("{} {} {}", table.family.word(), table.name, chain.name)
    }
}

/// `1 rule`, `2 rules`.
pub(super) fn counted_noun(number: usize, one: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {one}s")
    }
}
