//! What is wrong with a rule set: one file a rule of good practice.
//!
//! A lint that can ask the evaluator does so: it sends a packet and looks at its end, instead of
//! guessing from the shape of the rules. Where the answer depends on something unknown, the lint
//! says *possibly*, or nothing.

mod anonymous_sets;
mod boot;
mod boot_differs;
mod comparable_rule;
mod established_late;
mod established_never;
mod evidence;
mod families;
mod flush;
mod icmp_broad;
mod icmp_needed;
mod idle;
mod localnet;
mod log_without_limit;
mod long_chain;
mod loopback;
mod mixed_backends;
mod no_filter;
mod not_final;
mod not_loaded;
mod obscure;
mod policy_drop;
mod probe;
mod published;
mod silent_drop;
mod source_port;
mod ssh;
mod unused;

use surefoot_report::{Area, Finding, Page};

use crate::LoadedRules;

/// Finds what is wrong; the order is that of the codes.
pub fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let mut findings: Vec<Finding> = LINTS.iter().flat_map(|lint| lint(loaded)).collect();
    findings.sort_by(|one, other| one.code.cmp(&other.code));
    findings
}

/// The area of these findings.
pub static AREA: Area = Area {
    word: "firewall",
    pages: PAGES,
    advice: Some(
        "Mend one thing at a time and look again after each: the numbers of rules move with every \
         command that adds or deletes one.",
    ),
};

/// In the order of the codes: plain lints, some pages of a group, more lints, the group's other pages.
macro_rules! lints {
    ($($lint:ident),*; $group:ident: $($early:ident),*; $($more:ident),*; $($late:ident),* $(,)?) => {
        const LINTS: &[fn(&LoadedRules) -> Vec<Finding>] =
            &[$($lint::check,)* $($more::check,)* $group::check];
        const PAGES: &[Page] = &[
            $($lint::PAGE,)* $($group::$early::PAGE,)* $($more::PAGE,)* $($group::$late::PAGE),*
        ];
    };
}

lints![
    policy_drop,
    flush,
    loopback,
    localnet,
    icmp_broad,
    icmp_needed,
    established_late,
    silent_drop,
    obscure,
    long_chain,
    boot_differs,
    not_loaded,
    families,
    ssh,
    published,
    not_final,
    mixed_backends,
    log_without_limit,
    unused,
    source_port,
    anonymous_sets;
    idle: shadowed;
    no_filter,
    established_never;
    dead,
    redundant,
    never_entered,
];
