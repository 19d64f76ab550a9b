//! A machine whose rules, if it has any, let everything in.

use surefoot_report::{Evidence, Finding, Page, Place, Severity};

use super::evidence::{FindingExt, finding};
use crate::LoadedRules;
use surefoot_ruleset::model::{Hook, Policy, Statement, Table, Verdict};

pub(super) const PAGE: Page = Page {
    code: "FW023",
    title: "no rule filters anything",
    severity: Severity::Warning,
    text: "\
## What it is
No chain at input drops or rejects anything: not by a rule, not by its policy. There may be
no rules at all, or only rules that accept, count, log or rewrite.

## Why it matters
Every port on which a program listens, today or tomorrow, can be reached from every network that
this machine is on.

## How to see it yourself
    surefoot firewall show
    ss -tulpn

## How to mend it
Begin with what must stay open, and refuse the rest at the end; keep a second session open
while you do it. For IPv4 with iptables:

    iptables -A INPUT -i lo -j ACCEPT
    iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    iptables -A INPUT -p icmp -j ACCEPT
    iptables -A INPUT -p tcp --dport 22 -j ACCEPT
    iptables -A INPUT -j REJECT

and the same for IPv6 with ip6tables and -p icmpv6.

## When it is fine
When a firewall in front of this machine filters, or when nothing listens for strangers.
surefoot cannot see the first; `surefoot check` reports the second.
",
};

/// Finds a machine, or texts, without a rule that filters.
pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    if !loaded.are_complete() || loaded.firewall.tables.iter().any(filters_packets) {
        return Vec::new();
    }
    let evidence = Evidence {
        place: Place::Kernel {
            name: loaded.subject.clone(),
        },
        what: match loaded.firewall.tables.len() {
            0 => "there are no tables".to_owned(),
            1 => "1 table, and nothing in it drops or rejects".to_owned(),
            count => format!("{count} tables, and nothing in them drops or rejects"),
        },
        packets: None,
    };
    let found = finding(
        &PAGE,
        "no rule filters anything that arrives".to_owned(),
        "Every port on which a program listens can be reached from everywhere.",
    );
    vec![found.shown_by([evidence]).mend(
        "See what listens; then begin as `surefoot explain FW023` says",
        vec!["ss -tulpn".to_owned(), "surefoot firewall show".to_owned()],
    )]
}

/// Whether a table may keep something out, before or at input.
fn filters_packets(table: &Table) -> bool {
    let hooked = table.chains.iter().filter_map(|chain| chain.base.as_ref());
    let at_input = |hook: Hook| matches!(hook, Hook::Ingress | Hook::Prerouting | Hook::Input);
    let mut bases = hooked.filter(|base| at_input(base.hook)).peekable();
    if table.dormant || bases.peek().is_none() {
        return false;
    }
    let refuses = |statement: &Statement| match statement {
        Statement::Verdict(verdict) => !matches!(
            verdict,
            Verdict::Accept
                | Verdict::Return
                | Verdict::Continue
                | Verdict::Jump(_)
                | Verdict::Goto(_)
                | Verdict::Nat(_)
        ),
        // A verdict map may hold a drop.
        Statement::VerdictMap(_) => true,
        Statement::Match(_) | Statement::Effect(_) => false,
    };
    let mut rules = table.chains.iter().flat_map(|chain| &chain.rules);
    bases.any(|base| base.policy == Policy::Drop)
        || rules.any(|rule| rule.statements.iter().any(refuses))
}
