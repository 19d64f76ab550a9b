//! Single rules in their places among those in force, as files that can be loaded. No I/O.

use surefoot_firewall::ask::{MadeRule, RulePlace};
use surefoot_host::RulesOrigin;
use surefoot_ruleset::model::{Backend, Family};

use crate::error::ApplyError;
use crate::loader::RuleFile;
use crate::units::{RuleState, UnitKey};

/// The files that put rules into those in force, one a table. Of iptables it is the whole table; nft takes
/// the rules alone.
///
/// # Errors
///
/// If a chain has not the rules that the places were found among.
pub fn files_with_rules(state: &RuleState, made: &[MadeRule]) -> Result<Vec<RuleFile>, ApplyError> {
    let mut files: Vec<RuleFile> = Vec::new();
    let mut placed: Vec<&RulePlace> = Vec::new();
    for rule in made {
        let place = &rule.place;
        let in_chain = placed.iter().filter(|other| is_in_chain_of(other, place));
        let new = NewLines {
            before: in_chain
                .clone()
                .filter(|other| other.at <= place.at)
                .count(),
            in_chain: in_chain.count(),
        };
        placed.push(place);
        let key = unit_of(place);
        let unit = state.unit(&key);
        let changed = || ApplyError::OtherRules {
            chain: rule.chain.clone(),
        };
        let name = key.to_string();
        if !files.iter().any(|file| file.name == name) {
            let text = match key.origin {
                RulesOrigin::Nft => String::new(),
                _ => unit.ok_or_else(changed)?.text.clone(),
            };
            files.push(RuleFile {
                name: name.clone(),
                text,
                origin: key.origin,
                is_json: false,
            });
        }
        let Some(file) = files.iter_mut().find(|file| file.name == name) else {
            continue;
        };
        let text = &mut file.text;
        if key.origin == RulesOrigin::Nft {
            text.push_str(&nft_command(place, new, &rule.rule));
        } else {
            *text = with_line(text, place, new, &rule.rule).ok_or_else(changed)?;
        }
    }
    Ok(files)
}

/// New rules that the chain of a place has already: those before the place, and all.
#[derive(Clone, Copy)]
struct NewLines {
    before: usize,
    in_chain: usize,
}

fn is_in_chain_of(one: &RulePlace, other: &RulePlace) -> bool {
    unit_of(one) == unit_of(other) && one.chain == other.chain
}

fn unit_of(place: &RulePlace) -> UnitKey {
    let (origin, name) = match (place.backend, place.family) {
        (Backend::Nft, family) => {
            let name = format!("{} {}", family.word(), place.table);
            return UnitKey {
                origin: RulesOrigin::Nft,
                name,
            };
        }
        (Backend::IptablesLegacy, Family::Ip6) => (RulesOrigin::Ip6tablesLegacy, &place.table),
        (Backend::IptablesLegacy, _) => (RulesOrigin::IptablesLegacy, &place.table),
        (_, Family::Ip6) => (RulesOrigin::Ip6tablesNft, &place.table),
        (_, _) => (RulesOrigin::IptablesNft, &place.table),
    };
    UnitKey {
        origin,
        name: name.clone(),
    }
}

fn nft_command(place: &RulePlace, new: NewLines, rule: &str) -> String {
    let chain = format!("{} {} {}", place.family.word(), place.table, place.chain);
    if place.at < place.rules {
        format!(
            "insert rule {chain} index {} {rule}\n",
            place.at + new.before
        )
    } else {
        format!("add rule {chain} {rule}\n")
    }
}

/// The text of a table with a line for the rule.
fn with_line(text: &str, place: &RulePlace, new: NewLines, rule: &str) -> Option<String> {
    let is_of_chain = |line: &&str| {
        let line = line.trim_start();
        // Counters.
        let line = match line.strip_prefix('[') {
            Some(rest) => rest.split_once("] ").map_or(line, |(_, rule)| rule),
            None => line,
        };
        let mut words = line.split(' ');
        words.next() == Some("-A") && words.next() == Some(place.chain.as_str())
    };
    let lines: Vec<&str> = text.lines().collect();
    let of_chain: Vec<usize> = (0..lines.len())
        .filter(|at| lines.get(*at).is_some_and(is_of_chain))
        .collect();
    if of_chain.len() != place.rules + new.in_chain {
        return None;
    }
    let commit = lines.iter().position(|line| line.trim() == "COMMIT")?;
    let at = of_chain
        .get(place.at + new.before)
        .copied()
        .unwrap_or(commit);
    let mut text: String = String::new();
    for (number, line) in lines.iter().enumerate() {
        if number == at {
            text.push_str(rule);
            text.push('\n');
        }
        text.push_str(line);
        text.push('\n');
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::RuleUnit;

    fn place(backend: Backend, at: usize) -> RulePlace {
        let nft = backend == Backend::Nft;
        RulePlace {
            backend,
            family: if nft { Family::Inet } else { Family::Ip },
            table: if nft { "f" } else { "filter" }.to_owned(),
            chain: if nft { "in" } else { "INPUT" }.to_owned(),
            at,
            rules: 2,
        }
    }

    fn made(place: RulePlace, rule: &str) -> MadeRule {
        MadeRule {
            chain: place.chain.clone(),
            before: None,
            rule: rule.to_owned(),
            commands: Vec::new(),
            place,
        }
    }

    fn state() -> RuleState {
        let text = "*filter\n:INPUT DROP [0:0]\n:INPUT2 - [0:0]\n[1:2] -A INPUT -i lo -j ACCEPT\n\
            -A INPUT2 -j DROP\n-A INPUT -j DROP\nCOMMIT\n";
        RuleState {
            units: vec![RuleUnit {
                key: UnitKey {
                    origin: RulesOrigin::IptablesNft,
                    name: "filter".to_owned(),
                },
                text: text.to_owned(),
            }],
        }
    }

    #[test]
    fn rules_stand_before_the_one_that_was_meant_in_their_order() {
        let backend = Backend::IptablesNft;
        let rules = [
            made(place(backend, 1), "-A INPUT -p tcp -j ACCEPT"),
            made(place(backend, 1), "-A INPUT -p udp -j ACCEPT"),
            made(place(backend, 2), "-A INPUT -p esp -j ACCEPT"),
        ];
        let files = files_with_rules(&state(), &rules).unwrap();
        assert_eq!(files.len(), 1);
        let lines: Vec<&str> = files[0].text.lines().skip(3).collect();
        let expected = [
            "[1:2] -A INPUT -i lo -j ACCEPT",
            "-A INPUT2 -j DROP",
            "-A INPUT -p tcp -j ACCEPT",
            "-A INPUT -p udp -j ACCEPT",
            "-A INPUT -j DROP",
            "-A INPUT -p esp -j ACCEPT",
            "COMMIT",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn nft_takes_the_rules_alone() {
        let rules = [
            made(place(Backend::Nft, 1), "tcp dport 22 accept"),
            made(place(Backend::Nft, 1), "tcp dport 23 accept"),
            made(place(Backend::Nft, 2), "accept"),
        ];
        let files = files_with_rules(&RuleState::default(), &rules).unwrap();
        assert_eq!(
            files[0].text,
            "insert rule inet f in index 1 tcp dport 22 accept\n\
             insert rule inet f in index 2 tcp dport 23 accept\n\
             add rule inet f in accept\n"
        );
    }

    #[test]
    fn a_chain_with_other_rules_takes_none() {
        let place = RulePlace {
            rules: 5,
            ..place(Backend::IptablesNft, 1)
        };
        let rules = [made(place, "-A INPUT -j ACCEPT")];
        let error = files_with_rules(&state(), &rules).unwrap_err();
        assert!(matches!(error, ApplyError::OtherRules { .. }), "{error}");
    }
}
