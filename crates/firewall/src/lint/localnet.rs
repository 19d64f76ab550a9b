//! Packets that claim a loopback address and come by another interface.

use std::net::{IpAddr, Ipv4Addr};

use surefoot_report::{Finding, Page, Place, Severity};

use super::evidence::{FindingExt, MOST_SHOWN, finding};
use super::probe::TCP;
use crate::LoadedRules;
use crate::commands::add_rule;
use surefoot_netfilter::semantics::{Decider, Outcome};
use surefoot_ruleset::model::Hook;

pub(super) const PAGE: Page = Page {
    code: "FW004",
    title: "127.0.0.0/8 is accepted from outside",
    severity: Severity::High,
    text: "\
## What it is
A packet with a loopback address comes in by an interface that is not `lo`, and no rule drops
it. The kernel throws such packets away by itself (`martian`), unless `route_localnet` is 1 for
the interface: then it treats 127.0.0.0/8 like any other network.

## Why it matters
A program that listens on 127.0.0.1 relies on being reachable from this host only; most ask
for no password there. With `route_localnet` a machine on the same network segment needs only
one route to reach all of them. kube-proxy and some guides to port forwarding turn it on
(CVE-2020-8558).

## How to see it yourself
    sysctl -a 2>/dev/null | grep 'route_localnet = 1'
    ss -ltnp src 127.0.0.0/8                    lists what relies on it

## How to mend it
Turn the setting off where nothing needs it. Where something does, drop such packets as early as
possible: `iptables -I INPUT 1 ! -i lo -s 127.0.0.0/8 -j DROP` and the same with `-d
127.0.0.0/8`. In nft: `iif != lo ip saddr 127.0.0.0/8 drop`. If packets are sent on to 127.0.0.1
on purpose, let the rule leave out connections that were rewritten: `-m conntrack ! --ctstate
DNAT`.

## When it is fine
With `route_localnet` at 0 on every interface, which is the kernel's default, the rule is belt
and braces only. IPv6 has no such setting: the kernel always drops ::1 from outside.
",
};

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let settings: Vec<(&String, &str)> = loaded
        .surroundings
        .sysctls
        .iter()
        .filter(|(name, _)| name.starts_with("net.ipv4.conf.") && name.ends_with(".route_localnet"))
        .map(|(name, value)| (name, value.trim()))
        .collect();
    let on: Vec<&(&String, &str)> = settings.iter().filter(|(_, value)| *value != "0").collect();
    let known = settings
        .iter()
        .any(|(name, _)| *name == "net.ipv4.conf.all.route_localnet");
    if (known && on.is_empty()) || !loaded.family_known(false) {
        return Vec::new();
    }
    let Some(way) = way_in(loaded) else {
        return Vec::new();
    };
    let found = if on.is_empty() {
        // Nothing is known of the host: only a rule set that sets out to keep strangers away is
        // worth a word, and only a quiet one.
        if !loaded.closed_by_default(false) {
            return Vec::new();
        }
        finding(
            &PAGE,
            "no rule drops 127.0.0.0/8 from outside".into(),
            "only the kernel's own check keeps strangers from services on 127.0.0.1; with `route_localnet` at 1 nothing would",
        )
        .with_severity(Severity::Note)
        .possibly(true)
        .shown_by(loaded.show_decider(way.by))
    } else {
        let settings = on.iter().take(2).map(|(name, value)| {
            let mut shown = loaded.kernel_evidence(format!("{name} = {value}"));
            shown.place = Place::File {
                path: format!("/proc/sys/{}", name.replace('.', "/")),
            };
            shown
        });
        let relying = loaded
            .surroundings
            .listeners
            .iter()
            .flatten()
            .filter(|listener| matches!(listener.address, IpAddr::V4(v4) if v4.is_loopback()))
            .take(MOST_SHOWN)
            .map(|listener| {
                let program = listener.program.as_deref().unwrap_or("a program");
                let kind = if listener.protocol == TCP {
                    "tcp"
                } else {
                    "udp"
                };
                loaded.kernel_evidence(format!(
                    "{program} on {kind} {}:{}",
                    listener.address, listener.port
                ))
            });
        finding(
            &PAGE,
            "services on 127.0.0.1 can be reached from the neighbouring network".into(),
            "`route_localnet` lets packets to 127.0.0.0/8 in by other interfaces, and no rule drops them",
        )
        .shown_by(settings)
        .shown_by(loaded.show_decider(way.by))
        .shown_by(relying)
    };
    vec![found.mend(
        "Drop loopback addresses that do not come over `lo`",
        drop_commands(loaded, way.by),
    )]
}

/// A packet from a neighbour to 127.0.0.1, or from there to here, that is certainly accepted.
fn way_in(loaded: &LoadedRules) -> Option<Outcome> {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let to = loaded.access_from_outside(false, |door, from| {
        loaded.opening_packet(door, from, TCP, 6_011).to(loopback)
    });
    to.open.or_else(|| {
        loaded
            .access_from_outside(false, |door, _| {
                loaded.opening_packet(door, loopback, TCP, 6_011)
            })
            .open
    })
}

fn drop_commands(loaded: &LoadedRules, by: Decider) -> Vec<String> {
    let Some((t, c)) = loaded.base_of(by, Hook::Input, false) else {
        return vec!["sysctl -w net.ipv4.conf.all.route_localnet=0".into()];
    };
    let table = &loaded.firewall.tables[t];
    [("-s", "saddr"), ("-d", "daddr")]
        .into_iter()
        .flat_map(|(option, word)| {
            add_rule(
                table,
                &table.chains[c],
                Some(0),
                &format!("! -i lo {option} 127.0.0.0/8 -j DROP"),
                &format!("iif != lo ip {word} 127.0.0.0/8 drop"),
            )
        })
        .collect()
}
