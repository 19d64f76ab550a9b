//! Legacy tables and `nf_tables` side by side: each program shows one half.

use surefoot_report::{Finding, Page, Severity};

use super::evidence::{FindingExt, MOST_SHOWN, counted_noun, finding};
use crate::LoadedRules;
use crate::commands::program_name;
use surefoot_ruleset::model::{Backend, Policy, Table};

pub(super) const PAGE: Page = Page {
    code: "FW017",
    title: "legacy tables and nf_tables are both in force",
    severity: Severity::Warning,
    text: "\
## What it is
The kernel holds two packet filters: the old `ip_tables` and the newer `nf_tables`. Here both
have rules. `iptables-legacy` writes the one, `iptables-nft` and `nft` write the other; the
plain name `iptables` is one of the two, as the machine's alternatives say.

## Why it matters
A packet has to pass both. `iptables -L` shows one half, so that a rule which is plainly there
seems to have no effect, and a port that the listing opens stays shut. A flush empties one half
only. Their order at a hook depends on which was loaded first.

## How to see it yourself
    iptables-legacy-save; iptables-nft-save; nft list ruleset
    update-alternatives --display iptables

## How to mend it
Choose one; nf_tables is the one that is maintained. Take the legacy rules over with
`iptables-legacy-save | iptables-nft-restore --noflush`, tested first with `--test`, look that
they are there, then empty the legacy tables: policies to ACCEPT first, then the rules, or the
flush cuts you off. Then find out which program wrote to the legacy tables, or they come back at
its next start.

## When it is fine
A container engine or a VPN that was built against legacy keeps its own few chains there; as
long as only such a program writes them, and you know that you have to look at both.
",
};

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let in_force = |table: &&Table| !table.dormant && does_something(table);
    let tables = || loaded.firewall.tables.iter().filter(in_force);
    let legacy: Vec<&Table> = tables()
        .filter(|table| table.backend == Backend::IptablesLegacy)
        .collect();
    let newer: Vec<&Table> = tables()
        .filter(|table| matches!(table.backend, Backend::IptablesNft | Backend::Nft))
        .collect();
    if legacy.is_empty() || newer.is_empty() {
        return Vec::new();
    }
    let show = |table: &&Table| {
        let rules = table.chains.iter().map(|chain| chain.rules.len()).sum();
        let what = format!(
            "{} {} {}: {}",
            backend_word(table.backend),
            table.family.word(),
            table.name,
            counted_noun(rules, "rule")
        );
        loaded.at(table.place, what, None)
    };
    let half = MOST_SHOWN.div_ceil(2);
    let found = finding(
        &PAGE,
        "legacy tables and nf_tables are both in force".into(),
        "each packet has to pass both, and each listing shows only one of them, so that neither is the whole answer",
    )
    .shown_by(legacy.iter().take(half).map(show))
    .shown_by(newer.iter().take(half).map(show));
    let mut commands = Vec::new();
    for table in legacy {
        let save = program_name(table, "-save");
        let restore = save.replace("-legacy-save", "-nft-restore");
        let line = format!(
            "{save} -t {name} > /root/legacy-{family}-{name}.rules && {restore} --noflush --test /root/legacy-{family}-{name}.rules",
            name = table.name,
            family = table.family.word(),
        );
        commands.push(line);
    }
    vec![found.mend(
        "Save the legacy rules and try them on nf_tables, without loading them; then go on as `surefoot explain FW017` says",
        commands,
    )]
}

fn does_something(table: &Table) -> bool {
    table.chains.iter().any(|chain| {
        !chain.rules.is_empty()
            || chain
                .base
                .as_ref()
                .is_some_and(|base| base.policy == Policy::Drop)
    })
}

fn backend_word(backend: Backend) -> &'static str {
    match backend {
        Backend::IptablesLegacy => "legacy",
        Backend::IptablesNft => "iptables-nft",
        Backend::Iptables => "iptables",
        Backend::Nft => "nft",
    }
}
