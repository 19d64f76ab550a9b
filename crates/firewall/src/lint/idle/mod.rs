//! What is there and does nothing, found by following all packets at once.
//!
//! One walk answers three questions, which would cost as much each. What one earlier rule hides alone
//! is found chain by chain, and is not said again.

pub(super) mod dead;
pub(super) mod never_entered;
pub(super) mod redundant;
pub(super) mod shadowed;

use surefoot_report::Finding;

use crate::LoadedRules;
use crate::commands::{iptables_program, quoted};
use crate::makers;
use surefoot_netfilter::boxes;
use surefoot_netfilter::exact::{Budget, RuleSurvey};
use surefoot_ruleset::model::{Chain, RuleAt, Table};

/// Beyond it each chain is looked at by itself.
const BUDGET: Budget = Budget {
    nodes: 1 << 21,
    steps: 1 << 22,
};

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    check_within(loaded, BUDGET)
}

fn check_within(loaded: &LoadedRules, budget: Budget) -> Vec<Finding> {
    let shadowed = shadowed::shadowed_rules(loaded);
    let mut findings = shadowed::report_shadowed(loaded, &shadowed);
    let survey = RuleSurvey::new(&loaded.firewall, &loaded.surroundings, budget);
    let exact = survey.and_then(|mut survey| {
        let dead = survey.dead()?;
        let gone: Vec<RuleAt> = dead.iter().map(|rule| rule.at).collect();
        // The two are notes only; without them the rest is still true.
        let redundant = survey.redundant_rules(&gone).unwrap_or_default();
        Ok((dead, redundant, survey.never_entered()))
    });
    let Ok((dead, redundant_rules, chains)) = exact else {
        let of_people = |table: &Table, chain: &Chain| {
            chain.rules.len() > 1 && makers::of_chain(table, chain).is_none()
        };
        let budget = boxes::Budget::default();
        let dead = boxes::dead_rules_of(&loaded.firewall, budget, of_people).dead;
        findings.extend(dead::report_dead(loaded, dead, true, &shadowed));
        return findings;
    };
    findings.extend(dead::report_dead(loaded, dead, false, &shadowed));
    findings.extend(redundant::report_redundant(loaded, &redundant_rules));
    findings.extend(never_entered::report_chains(loaded, &chains));
    findings
}

/// Shows a chain with the numbers of its rules, or with their handles.
fn listing_command(table: &Table, chain: &Chain) -> String {
    if table.backend.is_iptables() {
        format!(
            "{} -L {} -nv --line-numbers",
            iptables_program(table),
            quoted(&chain.name)
        )
    } else {
        let (family, table) = (table.family.word(), &table.name);
        format!("nft -a list chain {family} {table} {}", chain.name)
    }
}
