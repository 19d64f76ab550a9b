//! What no proof of single packets covers: tables that look at frames, and connections that the kernel looks
//! for elsewhere than before. No I/O.

use std::net::SocketAddr;

use serde::Serialize;
use surefoot_firewall::LoadedRules;
use surefoot_firewall::ask::prove;
use surefoot_host::RulesOrigin;
use surefoot_report::Problem;
use surefoot_ruleset::model::{Effect, Firewall, Rule, Statement, Verdict};

use crate::access::{BUDGET, session_questions};
use crate::units::{RuleState, UnitKey};

/// Why it is not certain that you stay in, although every packet that was asked about is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessRisk {
    /// What it is about.
    pub about: String,
    /// Why nothing is proved.
    pub why: String,
}

/// The tables among the changed ones whose rules see frames, of which no question asks: those of arp, bridge
/// and netdev, and chains at `ingress` and `egress`.
pub fn frame_risks(old: &RuleState, new: &RuleState, changed: &[UnitKey]) -> Vec<AccessRisk> {
    let sees_frames = |key: &UnitKey, state: &RuleState| {
        key.origin == RulesOrigin::Nft
            && state.unit(key).is_some_and(|unit| {
                let family = key.name.split_whitespace().next();
                let text = &unit.text;
                matches!(family, Some("arp" | "bridge" | "netdev"))
                    || text.contains("hook ingress")
                    || text.contains("hook egress")
            })
    };
    let risk = |key: &UnitKey| {
        AccessRisk {
        about: key.to_string(),
        why: "its rules see frames (ARP, bridged or at a device), which no proof here covers: what they drop \
              can cut every connection"
            .to_owned(),
    }
    };
    let seen = |key: &&UnitKey| sees_frames(key, old) || sees_frames(key, new);
    changed.iter().filter(seen).map(risk).collect()
}

/// The sessions whose packets meet rules that say in which zone a connection is looked for, or that it is not
/// tracked, where these rules are others than before: the kernel does not find the running connection there.
pub fn zone_risks(
    old: &LoadedRules,
    new: &LoadedRules,
    sessions: &[(SocketAddr, SocketAddr)],
) -> Result<Vec<AccessRisk>, Problem> {
    let mut risks = Vec::new();
    if rules_of_tracking(&old.firewall) == rules_of_tracking(&new.firewall) {
        return Ok(risks);
    }
    let dropped = [old, new].map(|rules| rules.with_rules(with_drops(&rules.firewall)));
    for session in sessions {
        let questions = session_questions(&new.surroundings, session)?;
        for (rules, dropping) in [old, new].into_iter().zip(&dropped) {
            let mut meets = false;
            for question in &questions {
                let plain = prove(rules, &question.assertion, BUDGET)?.verdict;
                meets |= plain != prove(dropping, &question.assertion, BUDGET)?.verdict;
            }
            if meets {
                risks.push(AccessRisk {
                    about: format!("the ssh connection from {}", session.0),
                    why: "rules that change set its zone of connection tracking, or leave it untracked: the \
                          kernel does not find the running connection there"
                        .to_owned(),
                });
                break;
            }
        }
    }
    Ok(risks)
}

/// Whether a rule says how its packets are tracked. A zone that is not modelled is told by the words.
fn says_tracking(firewall: &Firewall, rule: &Rule) -> bool {
    let is_such = |statement: &Statement| {
        matches!(
            statement,
            Statement::Effect(Effect::CtZone(_) | Effect::NoTrack)
        )
    };
    let words: Vec<&str> = firewall.text(rule.place).split_whitespace().collect();
    let sets_zone = |three: &[&str]| matches!(three, ["zone", "set", _]);
    rule.statements.iter().any(is_such)
        || words.windows(3).any(sets_zone)
        || words.iter().any(|word| word.starts_with("--zone"))
}

fn rules_of_tracking(firewall: &Firewall) -> Vec<(&str, &str, &[Statement])> {
    let mut found = Vec::new();
    for table in &firewall.tables {
        for chain in &table.chains {
            let rules = chain.rules.iter();
            let such = rules.filter(|rule| says_tracking(firewall, rule));
            found.extend(such.map(|rule| (&*table.name, &*chain.name, &*rule.statements)));
        }
    }
    found
}

/// The same rules, with each that says how packets are tracked dropping them: whose verdict differs meets one.
fn with_drops(firewall: &Firewall) -> Firewall {
    let mut dropping = firewall.clone();
    let chains = dropping
        .tables
        .iter_mut()
        .flat_map(|table| &mut table.chains);
    for rule in chains.flat_map(|chain| &mut chain.rules) {
        if says_tracking(firewall, rule) {
            let is_match = |statement: &Statement| matches!(statement, Statement::Match(_));
            rule.statements.retain(is_match);
            rule.statements.push(Statement::Verdict(Verdict::Drop));
        }
    }
    dropping
}

#[cfg(test)]
mod tests {
    use surefoot_ruleset::{Format, Input};

    use super::*;

    const SHUT: &str = "table inet f { chain i { type filter hook input priority 0; policy drop; \
        iif lo accept; ct state established,related accept; tcp dport 22 accept; }; }\n";

    fn rules(text: &str) -> LoadedRules {
        LoadedRules::of_texts(vec![Input {
            name: "rules".to_owned(),
            text: text.to_owned(),
            format: Some(Format::NftText),
        }])
    }

    fn risks(old: &str, new: &str) -> usize {
        let session = (
            "192.0.2.9:40000".parse().unwrap(),
            "192.0.2.1:22".parse().unwrap(),
        );
        zone_risks(&rules(old), &rules(new), &[session])
            .unwrap()
            .len()
    }

    fn raw(hook: &str, rule: &str) -> String {
        format!(
            "{SHUT}table inet z {{ chain p {{ type filter hook {hook} priority -300; {rule}; }}; }}\n"
        )
    }

    #[test]
    fn a_zone_or_no_tracking_of_the_session_is_a_risk_and_of_others_is_none() {
        let zone = raw("prerouting", "tcp dport 22 ct zone set 5");
        let other = raw("prerouting", "tcp dport 22 ct zone set 6");
        assert_eq!(risks(SHUT, &zone), 1);
        assert_eq!(risks(&zone, SHUT), 1);
        assert_eq!(risks(&zone, &other), 1);
        assert_eq!(risks(&zone, &zone), 0);
        assert_eq!(risks(SHUT, &raw("output", "tcp sport 22 ct zone set 5")), 1);
        assert_eq!(risks(SHUT, &raw("prerouting", "tcp dport 22 notrack")), 1);
        assert_eq!(risks(SHUT, &raw("output", "tcp sport 22 notrack")), 1);
        assert_eq!(risks(SHUT, &raw("prerouting", "ct zone set mark")), 1);
        for unmet in ["udp dport 53 notrack", "tcp dport 80 ct zone set 5"] {
            assert_eq!(risks(SHUT, &raw("prerouting", unmet)), 0, "{unmet}");
        }
    }

    #[test]
    fn a_changed_table_that_sees_frames_is_a_risk() {
        let state = |text: &str| {
            let listings = [(RulesOrigin::Nft, text.to_owned())];
            RuleState::of_listings(&listings.into_iter().collect())
        };
        let count = |old: &str, new: &str| {
            let (old, new) = (state(old), state(new));
            frame_risks(&old, &new, &old.changed_units(&new)).len()
        };
        let table = |head: &str| format!("table {head} priority 0; policy drop;\n\t}}\n}}\n");
        for head in [
            "arp a {\n\tchain i {\n\t\ttype filter hook input",
            "bridge b {\n\tchain i {\n\t\ttype filter hook input",
            "netdev n {\n\tchain i {\n\t\ttype filter hook ingress device \"lo\"",
            "inet f {\n\tchain i {\n\t\ttype filter hook ingress device \"lo\"",
        ] {
            let table = table(head);
            assert_eq!(count("", &table), 1, "{head}");
            assert_eq!(count(&table, ""), 1, "{head}");
            assert_eq!(count(&table, &table), 0, "{head}");
        }
        let usual = table("inet f {\n\tchain i {\n\t\ttype filter hook input");
        assert_eq!(count("", &usual), 0);
    }
}
