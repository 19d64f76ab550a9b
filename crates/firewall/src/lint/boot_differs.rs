//! Rules in force that are not the ones which the next boot loads.

use std::collections::{BTreeMap, BTreeSet};

use surefoot_report::{Evidence, Finding, Page, Place, Severity};

use super::boot::{ChainDifference, RulesGroup, SavedText, compare_chains, saved_files};
use super::evidence::{FindingExt, MOST_SHOWN, counted_noun, finding};
use super::ssh;
use crate::LoadedRules;
use crate::commands::quoted;
use crate::makers;
use surefoot_ruleset::model::{Chain, Firewall, Policy, RuleAt, Table};

pub(super) const PAGE: Page = Page {
    code: "FW011",
    title: "the rules in force are not those that boot",
    severity: Severity::Critical,
    text: "\
## What it is
Something loads a file of rules at boot, and the kernel holds other rules than that file: a rule
was added or deleted by hand and not saved, or the file was edited and not loaded.

## Why it matters
Both look fine until the next boot. Then a port that was opened in a hurry is shut again, or an
address that was blocked gets in, and it happens when the firewall is the last suspect: after a
power cut, after an update. If it is the way in for SSH that is missing in the file, the machine
comes up and you cannot log on.

## How to see it yourself
    diff -u /etc/iptables/rules.v4 <(iptables-save)
    nft -c -f /etc/nftables.conf && nft list ruleset

## How to mend it
Decide which of the two is right. If the running rules are:
    cp -p FILE FILE.before && iptables-save > FILE
for nft: `{ echo 'flush ruleset'; nft list ruleset; }`. If the file is, test it, then load it
while a second session is open: `iptables-restore --test FILE && iptables-restore FILE`. Change
files and load them, rather than the kernel and save it; then the two cannot part.

## When it is fine
Rules that docker, kube-proxy, libvirt, fail2ban and the like add while they run are left out of
the comparison, as they should not be in the file. Elements of sets are not compared.
",
};

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    if !loaded.surroundings.live {
        return Vec::new();
    }
    let Some(saved) = saved_files(loaded) else {
        return Vec::new();
    };
    let boots: Vec<&SavedText<'_>> = saved.iter().filter(|one| one.boots()).collect();
    RulesGroup::ALL
        .into_iter()
        .filter_map(|group| group_finding(loaded, group, &boots))
        .collect()
}

/// What differs between the kernel and the file.
#[derive(Default)]
struct BootDifferences {
    only_live: Vec<RuleAt>,
    only_file: Vec<RuleAt>,
    order: Vec<String>,
    policies: Vec<String>,
}

impl BootDifferences {
    fn is_empty(&self) -> bool {
        self.only_live.is_empty()
            && self.only_file.is_empty()
            && self.order.is_empty()
            && self.policies.is_empty()
    }
}

fn group_finding(
    loaded: &LoadedRules,
    group: RulesGroup,
    boots: &[&SavedText<'_>],
) -> Option<Finding> {
    let files: Vec<&&SavedText<'_>> = boots.iter().filter(|one| one.holds(group)).collect();
    // Two files for the same rules: which one counts depends on their order at boot.
    let [file] = files.as_slice() else {
        return None;
    };
    let broken = file
        .rules
        .problems
        .iter()
        .any(|(_, problem)| problem.level == surefoot_report::Level::Error);
    if broken || file.includes() || file.rules.firewall.tables.iter().all(nothing_in) {
        return None;
    }
    let differences = find_differences(loaded, group, &file.rules.firewall)?;
    if differences.is_empty() {
        return None;
    }
    let path = &file.file.path;
    let mut parts = Vec::new();
    if !differences.only_live.is_empty() {
        parts.push(format!(
            "{} only in force",
            counted_noun(differences.only_live.len(), "rule")
        ));
    }
    if !differences.only_file.is_empty() {
        parts.push(format!(
            "{} only in {path}",
            counted_noun(differences.only_file.len(), "rule")
        ));
    }
    if !differences.order.is_empty() {
        parts.push(format!("another order in {}", differences.order.join(", ")));
    }
    if !differences.policies.is_empty() {
        parts.push("other policies".to_owned());
    }
    let locked = locked_out(loaded, file);
    let (severity, impact) = if locked {
        (
            Severity::Critical,
            "with the rules that boot, a new SSH connection from your address would not get in",
        )
    } else {
        (
            Severity::High,
            "the next boot silently brings the file's rules back: what was opened is shut, what was blocked gets in",
        )
    };
    let mut found = finding(
        &PAGE,
        format!(
            "the next boot changes the {} rules: {}",
            group.word(),
            parts.join(", ")
        ),
        impact,
    )
    .with_severity(severity)
    .possibly(group == RulesGroup::Nft || !file.is_understood())
    .shown_by(evidence_of(loaded, file, &differences));
    for (what, commands) in remedies_for(loaded, group, path) {
        found = found.mend(what, commands);
    }
    Some(found)
}

fn nothing_in(table: &Table) -> bool {
    table.chains.iter().all(|chain| chain.rules.is_empty())
}

fn find_differences(
    loaded: &LoadedRules,
    group: RulesGroup,
    file: &Firewall,
) -> Option<BootDifferences> {
    let live = &loaded.firewall;
    let of = |firewall: &'_ Firewall| -> BTreeSet<(surefoot_ruleset::model::Family, String)> {
        firewall
            .tables
            .iter()
            .filter(|table| RulesGroup::of(table) == group && makers::of_table(table).is_none())
            .map(|table| (table.family, table.name.clone()))
            .collect()
    };
    let mut names = of(file);
    if group == RulesGroup::Nft {
        // nft's files begin with `flush ruleset`: what is not in them is not there after a boot.
        names.extend(of(live));
    }
    let mut differences = BootDifferences::default();
    for (family, name) in names {
        let find = |firewall: &'_ Firewall| -> Vec<usize> {
            let tables = firewall.tables.iter().enumerate();
            tables
                .filter(|(_, table)| {
                    RulesGroup::of(table) == group && table.family == family && table.name == name
                })
                .map(|(at, _)| at)
                .collect()
        };
        let used = |at: &usize| !nothing_in(&live.tables[*at]);
        let mut in_force = find(live);
        if in_force.len() > 1 {
            // Legacy and nf_tables both have a table of this name.
            in_force.retain(used);
        }
        if in_force.len() > 1 {
            return None;
        }
        compare_tables(
            (live, in_force.first().copied()),
            (file, find(file).first().copied()),
            &mut differences,
        );
    }
    Some(differences)
}

type Side<'a> = (&'a Firewall, Option<usize>);

fn compare_tables(live: Side<'_>, file: Side<'_>, differences: &mut BootDifferences) {
    let (live_chains, file_chains) = (by_name(live), by_name(file));
    let names: BTreeSet<&str> = live_chains
        .keys()
        .chain(file_chains.keys())
        .copied()
        .collect();
    for name in names {
        let (now, then) = (live_chains.get(name), file_chains.get(name));
        let ChainDifference {
            only_first,
            only_second,
            order,
        } = compare_chains(
            now.map(|(_, table, chain)| (live.0, *table, *chain)),
            then.map(|(_, table, chain)| (file.0, *table, *chain)),
        );
        if let Some((first, ..)) = now {
            let at = |rule| RuleAt { rule, ..*first };
            differences.only_live.extend(only_first.into_iter().map(at));
        }
        if let Some((first, ..)) = then {
            let at = |rule| RuleAt { rule, ..*first };
            differences
                .only_file
                .extend(only_second.into_iter().map(at));
        }
        if order {
            differences.order.push(name.to_owned());
        }
        let policy = |found: Option<&(RuleAt, &Table, &Chain)>| {
            found.and_then(|(.., chain)| Some(chain.base.as_ref()?.policy))
        };
        if let (Some(now), Some(then)) = (policy(now), policy(then))
            && now != then
        {
            differences.policies.push(format!(
                "{name}: {} now, {} in the file",
                policy_word(now),
                policy_word(then)
            ));
        }
    }
}

fn policy_word(policy: Policy) -> &'static str {
    match policy {
        Policy::Accept => "ACCEPT",
        Policy::Drop => "DROP",
    }
}

/// The chains of a table with the places of their first rules.
fn by_name((firewall, at): Side<'_>) -> BTreeMap<&str, (RuleAt, &Table, &Chain)> {
    let Some((t, table)) = at.and_then(|at| Some((at, firewall.tables.get(at)?))) else {
        return BTreeMap::new();
    };
    let chains = table.chains.iter().enumerate();
    chains
        .map(|(c, chain)| {
            let first = RuleAt {
                table: t,
                chain: c,
                rule: 0,
            };
            (chain.name.as_str(), (first, table, chain))
        })
        .collect()
}

fn evidence_of(
    loaded: &LoadedRules,
    file: &SavedText<'_>,
    differences: &BootDifferences,
) -> Vec<Evidence> {
    let live = differences.only_live.iter().take(MOST_SHOWN - 2).map(|at| {
        let mut shown = loaded.show_rule(*at);
        shown.what = format!("only in force: {}", shown.what);
        shown
    });
    let disk = differences.only_file.iter().take(MOST_SHOWN - 2).map(|at| {
        let mut shown = file.rules.show_rule(*at);
        shown.what = format!("only in the file: {}", shown.what);
        shown
    });
    let policies = differences.policies.iter().map(|words| {
        let mut shown = loaded.kernel_evidence(format!("policy of {words}"));
        shown.place = Place::File {
            path: file.file.path.clone(),
        };
        shown
    });
    let order = differences.order.iter().map(|name| {
        let mut shown =
            loaded.kernel_evidence(format!("the rules of {name} stand in another order"));
        shown.place = Place::File {
            path: file.file.path.clone(),
        };
        shown
    });
    let loaders = file.file.loaders.iter().take(1).map(|loader| {
        let mut shown = loaded.kernel_evidence(format!("loaded at boot by {loader}"));
        shown.place = Place::File {
            path: file.file.path.clone(),
        };
        shown
    });
    live.chain(disk)
        .chain(policies)
        .chain(order)
        .chain(loaders)
        .collect()
}

/// Whether the administrator can log on again now, but could not after a boot.
fn locked_out(loaded: &LoadedRules, file: &SavedText<'_>) -> bool {
    ssh::session_finding(loaded).is_none() && ssh::session_finding(&file.rules).is_some()
}

fn remedies_for(
    loaded: &LoadedRules,
    group: RulesGroup,
    path: &str,
) -> Vec<(&'static str, Vec<String>)> {
    let path = quoted(path);
    let table = loaded
        .firewall
        .tables
        .iter()
        .find(|table| RulesGroup::of(table) == group && !nothing_in(table));
    let (save, test) = match (group, table) {
        (RulesGroup::Nft, _) => (
            "{ echo 'flush ruleset'; nft list ruleset; }".to_owned(),
            format!("nft -c -f {path}"),
        ),
        (group, table) => {
            let fallback = if group == RulesGroup::V6 {
                "ip6tables"
            } else {
                "iptables"
            };
            let word = |end: &str| {
                table.map_or_else(
                    || format!("{fallback}{end}"),
                    |table| crate::commands::program_name(table, end),
                )
            };
            (word("-save"), format!("{} --test {path}", word("-restore")))
        }
    };
    vec![
        (
            "Keep what is in force: save it where the boot finds it",
            vec![
                format!("diff -u {path} <({save})"),
                format!("cp -p {path} {path}.before && {save} > {path}"),
            ],
        ),
        (
            "Or keep the file: test it, and load it with a second session open",
            vec![test],
        ),
    ]
}
