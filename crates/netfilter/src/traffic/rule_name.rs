//! A rule as people name it: `rule 4 of filter INPUT`, `INPUT:4`.

use surefoot_report::{Problem, Span};

use crate::language::WordToken;
use surefoot_ruleset::model::{Chain, Firewall, RuleAt, Table, chain_name};

/// The name of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleName {
    /// The chain, with as much of the table and the family before it as was said.
    pub chain: String,
    /// The rule's number in its chain, from 1.
    pub number: u32,
    /// Where the name stands.
    pub span: Span,
}

const FORMS: &str = "such as: rule 4 of filter INPUT, or INPUT:4";

impl RuleName {
    /// Reads `[rule] N of [[FAMILY] TABLE] CHAIN` or `[[FAMILY] TABLE] CHAIN:N`.
    pub(super) fn read(words: &[WordToken], whole: Span) -> Result<Self, Problem> {
        let (Some(first), Some(last)) = (words.first(), words.last()) else {
            return Err(Problem::error(whole, "a rule is missing").help(FORMS));
        };
        let span = Span {
            start: first.span().start,
            end: last.span().end,
        };
        let wrong = |what: String| Problem::error(span, what).help(FORMS);
        let mut words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        if words[0].eq_ignore_ascii_case("rule") {
            words.remove(0);
        }
        let number;
        if let [said, of, chain @ ..] = words.as_slice()
            && of.eq_ignore_ascii_case("of")
        {
            number = *said;
            words = chain.to_vec();
        } else {
            let last = words.pop().unwrap_or_default();
            let Some((chain, said)) = last.rsplit_once(':') else {
                return Err(wrong("this does not name a rule".into()));
            };
            number = said;
            words.push(chain);
        }
        let chain = words.join(" ");
        if chain.is_empty() {
            return Err(wrong("the rule's chain is missing".into()));
        }
        match number.parse() {
            Ok(number) if number > 0 => Ok(Self {
                chain,
                number,
                span,
            }),
            _ => Err(wrong(format!(
                "`{}` is no number of a rule",
                number.escape_debug()
            ))),
        }
    }

    /// The rules that are called so: one, or one of each family.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn find(&self, firewall: &Firewall) -> Result<Vec<RuleAt>, Problem> {
        let problem = |what: String| Problem::error(self.span, what);
        let mut chains = self.chains_meant(firewall);
        if chains.is_empty() {
            return Err(
                problem(format!("there is no chain `{}`", self.chain.escape_debug()))
                    .help("`surefoot firewall show` lists the chains"),
            );
        }
        // As `iptables` has it: without a table, filter is meant.
        let names = |chains: &[(RuleAt, &Table, &Chain)]| -> Vec<String> {
            let mut names: Vec<String> = chains
                .iter()
                .map(|(_, table, _)| table.name.clone())
                .collect();
            names.sort_unstable();
            names.dedup();
            names
        };
        if names(&chains).len() > 1 {
            chains.retain(|(_, table, _)| table.name == "filter");
        }
        if chains.is_empty() {
            let tables = names(&self.chains_meant(firewall)).join(", ");
            return Err(problem(format!(
                "several tables have a chain `{}`: {tables}",
                self.chain.escape_debug()
            ))
            .help("say the table before the chain"));
        }
        let mut found = Vec::new();
        for (at, _, chain) in &chains {
            let mut rules = chain.rules.iter();
            if let Some(rule) = rules.position(|rule| rule.number == self.number) {
                found.push(RuleAt { rule, ..*at });
            }
        }
        if found.is_empty() {
            let most = chains.iter().map(|(.., chain)| chain.rules.len()).max();
            return Err(problem(format!(
                "`{}` has {} rules",
                self.chain.escape_debug(),
                most.unwrap_or_default()
            )));
        }
        Ok(found)
    }

    fn chains_meant<'a>(&self, firewall: &'a Firewall) -> Vec<(RuleAt, &'a Table, &'a Chain)> {
        let mut found = Vec::new();
        for (t, table) in firewall.tables.iter().enumerate() {
            for (c, chain) in table.chains.iter().enumerate() {
                let name = chain_name(table, chain);
                let before = name.strip_suffix(self.chain.as_str());
                if before.is_some_and(|before| before.is_empty() || before.ends_with(' ')) {
                    let at = RuleAt {
                        table: t,
                        chain: c,
                        rule: 0,
                    };
                    found.push((at, table, chain));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use crate::traffic::Assertion;
    use surefoot_ruleset::{Input, load};

    /// The rules' texts, or what is wrong.
    fn named(words: &str) -> Result<Vec<String>, String> {
        let text = "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -j ACCEPT\nCOMMIT\n\
            *mangle\n:INPUT ACCEPT [0:0]\n:PREROUTING ACCEPT [0:0]\n-A INPUT -p icmp -j ACCEPT\nCOMMIT\n\
            *filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp -j ACCEPT\nCOMMIT\n";
        let firewall = load(vec![Input {
            name: "t".into(),
            text: text.into(),
            format: None,
        }])
        .firewall;
        let sentence = format!("anything is decided by {words}");
        let assertion = Assertion::parse(&sentence).map_err(|problem| problem.what)?;
        let (by, _) = assertion.claim.by.expect("it names a rule");
        let found = by.find(&firewall).map_err(|problem| problem.what)?;
        Ok(found
            .into_iter()
            .map(|at| {
                let table = &firewall.tables[at.table];
                format!("{} {} {}", table.name, table.chains[at.chain].name, at.rule)
            })
            .collect())
    }

    #[test]
    fn rules_are_found_by_the_names_that_answers_give_them() {
        let one = |name: &str| Ok(vec![name.to_owned()]);
        assert_eq!(named("rule 2 of filter INPUT"), one("filter INPUT 1"));
        assert_eq!(named("INPUT:2"), one("filter INPUT 1"));
        assert_eq!(named("mangle INPUT:1"), one("mangle INPUT 0"));
        assert_eq!(named("1 of nat PREROUTING"), one("nat PREROUTING 0"));
    }

    #[test]
    fn what_names_no_rule_is_an_error() {
        let wrong = |words: &str| named(words).unwrap_err();
        assert_eq!(wrong("OUTPUT:1"), "there is no chain `OUTPUT`");
        assert_eq!(wrong("INPUT:3"), "`INPUT` has 2 rules");
        assert_eq!(wrong("INPUT"), "this does not name a rule");
        assert_eq!(wrong("INPUT:0"), "`0` is no number of a rule");
        assert_eq!(
            wrong("PREROUTING:1"),
            "several tables have a chain `PREROUTING`: mangle, nat"
        );
        assert_eq!(wrong(""), "a rule is missing");
    }
}
