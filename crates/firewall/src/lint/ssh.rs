//! The way in for the administrator: open to him, and not to a million guesses.

use std::net::IpAddr;

use surefoot_report::{Finding, Page, Severity};

use super::evidence::{FindingExt, finding};
use super::probe::TCP;
use crate::LoadedRules;
use crate::commands::add_rule;
use crate::makers;
use surefoot_netfilter::packet::{Packet, PacketInterface, PacketPath};
use surefoot_netfilter::semantics::{Decider, End, Outcome};
use surefoot_ruleset::model::{Family, Field, Hook, ct_state};

pub(super) const PAGE: Page = Page {
    code: "FW014",
    title: "SSH cannot be reached, or can be tried without limit",
    severity: Severity::Critical,
    text: "\
## What it is
Either a new SSH connection would not get in: from your own address, or from anywhere. Or it
gets in from everywhere, any number of times.

## Why it matters
Rules that cut SSH off are not noticed at once: the session that is open lives on, because
packets of an established connection are accepted. It is the next login that fails, and the next
reboot or the next lost line makes it the only one. An SSH port without limit collects thousands
of password guesses a day; they fill the logs and one day one of them fits.

## How to see it yourself
    surefoot firewall explain tcp from YOUR-ADDRESS to :22 new
    ssh -o ConnectTimeout=5 HOST true            from a second window, before you close the first
    journalctl -u ssh --since today | grep -c 'Failed password'

## How to mend it
Insert a rule that accepts SSH, from your network if you can name one. Against guessing, use
keys and turn passwords off (`PasswordAuthentication no`), and let each address begin only a few
connections a minute:
    iptables -I INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -m hashlimit
      --hashlimit-name ssh --hashlimit-mode srcip --hashlimit-above 6/min
      --hashlimit-burst 10 -j REJECT
Keep one session open while you try.

## When it is fine
A machine that is only run from its console needs no SSH. With keys only, the guesses are noise.
fail2ban, sshguard and crowdsec limit as well; where one of them is found, that is not reported.
",
};

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let (ports, known) = ssh_ports(loaded);
    if let Some(found) = session_finding(loaded) {
        return vec![found];
    }
    let mut findings = Vec::new();
    for port in ports {
        if let Some(found) = unreachable_finding(loaded, port, known) {
            findings.push(found);
        } else if let Some(found) = unlimited_finding(loaded, port, known) {
            findings.push(found);
        }
    }
    findings
}

/// The ports of SSH, and whether they are known rather than guessed.
fn ssh_ports(loaded: &LoadedRules) -> (Vec<u16>, bool) {
    let Some(listeners) = &loaded.surroundings.listeners else {
        return (vec![22], false);
    };
    let mut ports: Vec<u16> = listeners
        .iter()
        .filter(|listener| listener.protocol == TCP && !listener.address.is_loopback())
        .filter(|listener| match listener.program.as_deref() {
            Some(program) => program == "sshd" || program == "dropbear",
            // systemd listens for it where the socket unit is used, and nothing says who else may.
            None => listener.port == 22,
        } || (listener.port == 22 && listener.program.as_deref() == Some("systemd")))
        .map(|listener| listener.port)
        .collect();
    ports.sort_unstable();
    ports.dedup();
    (ports, true)
}

/// Whether the administrator could log on a second time from the same place.
pub(super) fn session_finding(loaded: &LoadedRules) -> Option<Finding> {
    let session = loaded
        .surroundings
        .session
        .filter(|_| loaded.surroundings.live)?;
    if session.client.is_loopback() {
        return None;
    }
    let at = interface_of(loaded, session.server);
    let doors = at.map_or_else(|| loaded.all_doors(), |door| vec![door]);
    let mut first = None;
    for door in doors {
        let packet = loaded
            .opening_packet(&door, session.client, TCP, session.server_port)
            .to(session.server)
            .settle(&loaded.surroundings);
        let outcome = loaded.certain_end(&packet)?;
        if !matches!(outcome.end, End::Dropped | End::Rejected) {
            return None;
        }
        first.get_or_insert(outcome);
    }
    let outcome = first?;
    let v6 = session.server.is_ipv6();
    Some(
        finding(
            &PAGE,
            format!(
                "a new SSH connection from your address {} to port {} would not get in",
                session.client, session.server_port
            ),
            "the session you are in lives on only because it is established: once it ends, you are out",
        )
        .shown_by(loaded.show_decider(outcome.by))
        .mend(
            "Let new connections in from your own address, before anything else",
            let_in(loaded, outcome.by, v6, session.server_port, Some(session.client)),
        ),
    )
}

fn interface_of(loaded: &LoadedRules, own: IpAddr) -> Option<String> {
    let interfaces = loaded.surroundings.interfaces.as_ref()?;
    let interface = interfaces.iter().find(|interface| {
        interface
            .addresses
            .iter()
            .any(|(address, _)| *address == own)
    })?;
    Some(interface.name.clone())
}

fn let_in(
    loaded: &LoadedRules,
    by: Decider,
    v6: bool,
    port: u16,
    from: Option<IpAddr>,
) -> Vec<String> {
    let Some((t, c)) = loaded.base_of(by, Hook::Input, v6) else {
        return Vec::new();
    };
    let (source, nft_source) = from.map_or_else(Default::default, |from| {
        let word = if v6 { "ip6" } else { "ip" };
        (format!("-s {from} "), format!("{word} saddr {from} "))
    });
    let table = &loaded.firewall.tables[t];
    match (makers::maker_of_table(table), from) {
        (Some("ufw"), Some(from)) => {
            return vec![format!(
                "ufw insert 1 allow from {from} to any port {port} proto tcp"
            )];
        }
        (Some("ufw"), None) => return vec![format!("ufw limit {port}/tcp")],
        (Some("firewalld"), _) => {
            return vec![
                format!("firewall-cmd --add-port={port}/tcp"),
                format!("firewall-cmd --permanent --add-port={port}/tcp"),
            ];
        }
        _ => {}
    }
    add_rule(
        table,
        &table.chains[c],
        Some(0),
        &format!("-p tcp {source}--dport {port} -j ACCEPT"),
        &format!("{nft_source}tcp dport {port} accept"),
    )
}

/// Whether no host at all gets in.
fn unreachable_finding(loaded: &LoadedRules, port: u16, known: bool) -> Option<Finding> {
    let mut shut = None;
    for v6 in [false, true] {
        // Of a family without rules nothing is known in a file, and all is open on a host.
        if !loaded.family_known(v6) || !loaded.family_used(v6) {
            continue;
        }
        if loaded.filters_at(Hook::Input, v6).is_empty() {
            return None;
        }
        for door in loaded.all_doors() {
            let mut packet = Packet::new(PacketPath::Input)
                .with(Field::NfProto, if v6 { 10_u8 } else { 2 })
                .with(Field::L4Proto, TCP)
                .with(Field::DstPort, port)
                .with(Field::TcpFlags, 2_u8)
                .with(Field::CtState, ct_state::NEW)
                .with(Field::PacketType, 0_u8);
            packet.input = PacketInterface::named(&door);
            let outcome = loaded.certain_end(&packet.settle(&loaded.surroundings))?;
            if !matches!(outcome.end, End::Dropped | End::Rejected) {
                return None;
            }
            shut.get_or_insert((v6, outcome));
        }
    }
    let (v6, outcome) = shut?;
    Some(
        finding(
            &PAGE,
            format!("SSH on port {port} cannot be reached from any address"),
            "once you are logged off, only the console is left",
        )
        .with_severity(if known && loaded.surroundings.live {
            Severity::High
        } else {
            Severity::Warning
        })
        .possibly(!known)
        .shown_by(loaded.show_decider(outcome.by))
        .mend(
            "Let SSH in; better, name your own network as the source",
            let_in(loaded, outcome.by, v6, port, None),
        ),
    )
}

/// Whether any host may try without limit, in a rule set that is careful otherwise.
fn unlimited_finding(loaded: &LoadedRules, port: u16, known: bool) -> Option<Finding> {
    if is_watched(loaded) {
        return None;
    }
    let found: Vec<(bool, Outcome)> = [false, true]
        .into_iter()
        .filter(|v6| loaded.family_used(*v6))
        .filter_map(|v6| Some((v6, loaded.port_access(v6, TCP, port).open?)))
        .filter(|(v6, _)| loaded.closed_by_default(*v6))
        .collect();
    let mut report = finding(
        &PAGE,
        format!("any host may try SSH on port {port} without limit"),
        "password guesses cost their senders nothing, fill the logs, and need to succeed only once",
    )
    .with_severity(Severity::Warning)
    .possibly(!known);
    let mut commands = Vec::new();
    for (v6, way) in &found {
        let evidence = loaded.show_decider(way.by);
        if report.evidence == evidence {
            continue;
        }
        report = report.shown_by(evidence);
        let Decider::Rule(at) = way.by else {
            continue;
        };
        let (table, chain) = (loaded.table(at)?, loaded.chain(at)?);
        match makers::maker_of_table(table) {
            Some("ufw") => {
                commands.push(format!("ufw limit {port}/tcp"));
                break;
            }
            Some("firewalld") => {
                commands.push(format!(
                    "firewall-cmd --add-rich-rule='rule port port=\"{port}\" protocol=\"tcp\" accept limit value=\"6/m\"'"
                ));
                commands.push(format!("firewall-cmd --remove-port={port}/tcp"));
                if port == 22 {
                    commands.push("firewall-cmd --remove-service=ssh".to_owned());
                }
                break;
            }
            _ => {}
        }
        // A table of both families needs a line for each; the first ends up in front.
        let words: &[&str] = match (table.family, *v6) {
            (Family::Inet, _) => &["ip6", "ip"],
            (_, true) => &["ip6"],
            (_, false) => &["ip"],
        };
        let nft = |word: &str| {
            format!(
                "tcp dport {port} ct state new meter ssh{word} {{ {word} saddr limit rate over 6/minute burst 10 packets }} counter reject"
            )
        };
        let iptables = format!(
            "-p tcp --dport {port} -m conntrack --ctstate NEW -m hashlimit --hashlimit-name ssh --hashlimit-mode srcip --hashlimit-above 6/min --hashlimit-burst 10 -j REJECT"
        );
        if table.backend.is_iptables() {
            commands.extend(add_rule(table, chain, Some(at.rule), &iptables, ""));
        } else {
            for word in words {
                commands.extend(add_rule(table, chain, Some(at.rule), "", &nft(word)));
            }
        }
    }
    if report.evidence.is_empty() {
        return None;
    }
    Some(report.mend(
        "Let each address begin six connections a minute; yours is established already",
        commands,
    ))
}

/// Whether a program watches the log and bans.
fn is_watched(loaded: &LoadedRules) -> bool {
    let bans = |name: &str| {
        ["f2b-", "fail2ban", "sshguard", "crowdsec", "CROWDSEC"]
            .iter()
            .any(|start| name.starts_with(start))
    };
    let firewall = &loaded.firewall;
    firewall.ipsets.iter().any(|set| bans(&set.name))
        || firewall.tables.iter().any(|table| {
            bans(&table.name)
                || table.chains.iter().any(|chain| bans(&chain.name))
                || table.sets.iter().any(|set| bans(&set.name))
        })
}
