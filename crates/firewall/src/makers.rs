//! Chains and tables that a program made and will make again.
//!
//! Advice about how to write rules is of no use for them: they were not written by hand, and a
//! change by hand is gone when the program starts again.

use surefoot_ruleset::model::{Chain, Match, Rule, Statement, Table, Verdict};

/// Starts of chain names, and the program that uses them.
const CHAINS: &[(&str, &str)] = &[
    ("DOCKER", "docker"),
    ("KUBE-", "kube-proxy"),
    ("CNI-", "the container network"),
    ("NETAVARK", "podman"),
    ("cali-", "calico"),
    ("CILIUM_", "cilium"),
    ("OLD_CILIUM_", "cilium"),
    ("FLANNEL-", "flannel"),
    ("WEAVE", "weave"),
    ("LIBVIRT_", "libvirt"),
    ("f2b-", "fail2ban"),
    ("fail2ban-", "fail2ban"),
    ("sshguard", "sshguard"),
    ("crowdsec", "crowdsec"),
    ("CROWDSEC", "crowdsec"),
    ("ufw-", "ufw"),
    ("ufw6-", "ufw"),
    ("ts-", "tailscale"),
    ("neutron-", "neutron"),
    ("IN_", "firewalld"),
    ("FWDI_", "firewalld"),
    ("FWDO_", "firewalld"),
    ("FWD_", "firewalld"),
    ("PRE_", "firewalld"),
    ("POST_", "firewalld"),
    ("OUT_", "firewalld"),
    ("INPUT_ZONES", "firewalld"),
    ("INPUT_direct", "firewalld"),
    ("FORWARD_IN_ZONES", "firewalld"),
    ("FORWARD_OUT_ZONES", "firewalld"),
    ("FORWARD_direct", "firewalld"),
    ("OUTPUT_direct", "firewalld"),
    ("PREROUTING_ZONES", "firewalld"),
    ("PREROUTING_direct", "firewalld"),
    ("POSTROUTING_ZONES", "firewalld"),
    ("POSTROUTING_direct", "firewalld"),
    ("MINIUPNPD", "miniupnpd"),
];

/// Names of nft tables.
const TABLES: &[(&str, &str)] = &[
    ("firewalld", "firewalld"),
    ("netavark", "podman"),
    ("docker-", "docker"),
    ("kube-proxy", "kube-proxy"),
    ("libvirt_network", "libvirt"),
    ("cni_", "the container network"),
    ("lxd", "lxd"),
    ("incus", "incus"),
    ("f2b-", "fail2ban"),
    ("crowdsec", "crowdsec"),
    ("sshguard", "sshguard"),
    ("calico", "calico"),
];

/// Starts of comments.
const COMMENTS: &[(&str, &str)] = &[
    ("kubernetes", "kube-proxy"),
    ("kube-", "kube-proxy"),
    ("cali:", "calico"),
    ("flanneld", "flannel"),
    ("cilium", "cilium"),
    ("netavark", "podman"),
    ("generated for LXD", "lxd"),
    ("generated for Incus", "incus"),
];

/// The program that made a chain of this name.
pub(crate) fn of_chain(table: &Table, chain: &Chain) -> Option<&'static str> {
    // DOCKER-USER is the one chain of docker's that is meant to be written by hand.
    if chain.name == "DOCKER-USER" {
        return None;
    }
    of_table(table).or_else(|| maker_by_prefix(CHAINS, &chain.name))
}

/// The program that made the whole table.
pub(crate) fn of_table(table: &Table) -> Option<&'static str> {
    if table.backend.is_iptables() {
        return None;
    }
    maker_by_prefix(TABLES, &table.name)
}

/// The program that rules the filter of a table, if its own chains are called there: what is
/// written by hand beside them is gone, or in its way, at its next start.
pub(crate) fn maker_of_table(table: &Table) -> Option<&'static str> {
    let made = |maker: &&'static str| matches!(*maker, "ufw" | "firewalld");
    of_table(table).filter(made).or_else(|| {
        let chains = table.chains.iter();
        let mut makers = chains.filter_map(|chain| maker_by_prefix(CHAINS, &chain.name));
        makers.find(made)
    })
}

/// The program that made a rule: the rule stands in a chain of that program, leads to one, names
/// one of its interfaces or carries its comment.
pub(crate) fn of_rule(table: &Table, chain: &Chain, rule: &Rule) -> Option<&'static str> {
    of_chain(table, chain)
        .or_else(|| maker_by_prefix(COMMENTS, rule.comment.as_deref()?))
        .or_else(|| {
            rule.statements
                .iter()
                .find_map(|one| of_statement(table, one))
        })
}

fn of_statement(table: &Table, statement: &Statement) -> Option<&'static str> {
    match statement {
        Statement::Verdict(Verdict::Jump(to) | Verdict::Goto(to)) => {
            let to = table.chains.get(usize::try_from(to.0).ok()?)?;
            maker_by_prefix(CHAINS, &to.name)
        }
        Statement::Match(Match::InInterface { names, .. } | Match::OutInterface { names, .. }) => {
            names
                .iter()
                .any(|name| made_for_containers(&name.text))
                .then_some("a container engine")
        }
        _ => None,
    }
}

fn maker_by_prefix(list: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    list.iter()
        .find(|(start, _)| name.starts_with(start))
        .map(|(_, maker)| *maker)
}

/// Bridges and pairs that container engines make: no stranger comes by them.
pub(crate) fn made_for_containers(name: &str) -> bool {
    [
        "docker", "br-", "veth", "cni", "podman", "virbr", "lxcbr", "lxdbr", "cali", "flannel",
        "vnet",
    ]
    .iter()
    .any(|start| name.starts_with(start))
}
