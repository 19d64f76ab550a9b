//! The rules of a machine, from its facts.

use surefoot_firewall::{LoadedFrom, LoadedRules, OPEN_WITHOUT_RULES};
use surefoot_host::{FactKind, Host, Missing, RuleListing, RulesOrigin};
use surefoot_report::Unknown;
use surefoot_ruleset::model::{Backend, Family};
use surefoot_ruleset::{Format, Input};

use crate::{subject, surroundings};

/// The rules that a machine has loaded; of a tree, those that it would load at boot.
pub fn loaded_rules(host: &Host) -> LoadedRules {
    let surroundings = surroundings::of_host(host);
    let inputs = if host.running {
        host.rules.iter().map(loaded_input).collect()
    } else {
        host.saved_rules
            .iter()
            .flatten()
            .filter(|saved| !saved.loaders.is_empty())
            .map(saved_input)
            .collect()
    };
    LoadedRules::read(subject(host), inputs, surroundings, loaded_from(host))
}

/// What of the machine's rules could not be read.
fn loaded_from(host: &Host) -> LoadedFrom {
    if host.running && host.rules_complete {
        return LoadedFrom::Machine(Vec::new());
    }
    let gap = |fact: &str, why: &str| Unknown {
        fact: fact.to_owned(),
        why: why.to_owned(),
        leaves_open: OPEN_WITHOUT_RULES.to_owned(),
    };
    let about_rules = |missing: &&Missing| missing.kind == FactKind::Rules;
    let missing = host.missing.iter().filter(about_rules);
    let mut gaps: Vec<Unknown> = missing.map(crate::unknown).collect();
    if !host.running {
        // What a tree's programs, units and scripts load when it runs is not in its files.
        gaps.push(gap(
            "the rules that are in force when this system runs",
            "a tree only shows which saved rules would be loaded at boot; what programs, scripts and other units load then is not followed",
        ));
        return LoadedFrom::Tree(gaps);
    }
    if gaps.is_empty() {
        gaps.push(gap(
            "all rules of this machine",
            "not everything that makes rules could be asked",
        ));
    }
    LoadedFrom::Machine(gaps)
}

fn loaded_input(rules: &RuleListing) -> Input {
    let iptables = |family, backend| Format::Iptables { family, backend };
    Input {
        name: rules.command.clone(),
        text: rules.text.clone(),
        format: Some(match rules.origin {
            RulesOrigin::IptablesLegacy => iptables(Family::Ip, Backend::IptablesLegacy),
            RulesOrigin::Ip6tablesLegacy => iptables(Family::Ip6, Backend::IptablesLegacy),
            RulesOrigin::IptablesNft => iptables(Family::Ip, Backend::IptablesNft),
            RulesOrigin::Ip6tablesNft => iptables(Family::Ip6, Backend::IptablesNft),
            RulesOrigin::Nft => Format::NftJson,
            RulesOrigin::Ipset => Format::Ipset,
        }),
    }
}

fn saved_input(saved: &surefoot_host::SavedRules) -> Input {
    Input {
        name: saved.path.clone(),
        text: saved.text.clone(),
        format: None,
    }
}
