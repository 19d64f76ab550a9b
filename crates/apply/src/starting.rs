//! A good set of rules to begin with, for a host as it is: what serves the public, ssh, and what the protocols
//! need. No I/O.
//!
//! It accepts by name and refuses the rest by a last rule, with an answer, so that a forgotten service shows as
//! "refused" and not as a silence. Policies accept: a flush of the rules does not lock you out. What listens but is not known to be for everyone is listed, closed, with its rule as a comment.

use std::fmt::Write as _;
use std::net::IpAddr;

use surefoot_host::{Host, Socket, SocketKind};

/// The form in which rules are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartingForm {
    /// One file for both families.
    Nft,
    /// iptables-save.
    Iptables,
    /// ip6tables-save.
    Ip6tables,
}

/// A service of this host that other machines can reach.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ReachableService {
    protocol: &'static str,
    port: u16,
    program: String,
    is_public: bool,
}

/// Ports of services that are made for everyone: mail, web, names, ssh, VPNs.
const PUBLIC_TCP: &[u16] = &[22, 25, 53, 80, 143, 443, 465, 587, 853, 993, 995];
const PUBLIC_UDP: &[u16] = &[53, 123, 443, 500, 853, 1194, 4500, 51_820];
/// Programs that serve ssh, at whatever port.
const LOGIN_PROGRAMS: &[&str] = &["sshd", "dropbear"];
/// What a socket says of a state.
const LISTENING: u8 = 10;
const UNCONNECTED: u8 = 7;
/// Ports from here on are taken for a while by programs that ask, and serve nothing.
const FIRST_PASSING: u16 = 32_768;

/// Whether this host forwards packets of the family.
fn forwards(host: &Host) -> bool {
    ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"]
        .iter()
        .any(|name| {
            host.sysctls
                .get(*name)
                .is_some_and(|value| value.trim() == "1")
        })
}

/// The services that listen at other addresses than loopback's, with the port of this session among those of ssh.
fn reachable_services(host: &Host) -> Vec<ReachableService> {
    let mut services: Vec<ReachableService> = Vec::new();
    let sockets = host.sockets.iter().flatten();
    for socket in sockets.filter(|socket| is_reachable(socket)) {
        let owner = socket.owners.iter().find_map(|pid| host.process(*pid));
        let program = owner.map_or("", |process| process.name.as_str());
        let (protocol, known) = match socket.kind {
            SocketKind::Tcp => ("tcp", PUBLIC_TCP),
            _ => ("udp", PUBLIC_UDP),
        };
        services.push(ReachableService {
            protocol,
            port: socket.port,
            program: plain_word(program),
            is_public: is_login(program) || known.contains(&socket.port),
        });
    }
    if let Some((_, server)) = host.session {
        services.push(ReachableService {
            protocol: "tcp",
            port: server.port(),
            program: "sshd".to_owned(),
            is_public: true,
        });
    }
    // Where no daemon of ssh is found, one may come.
    if services.iter().all(|service| !is_login(&service.program)) {
        services.push(ReachableService {
            protocol: "tcp",
            port: 22,
            program: "ssh".to_owned(),
            is_public: true,
        });
    }
    services.sort_by(|one, other| {
        let key = |service: &ReachableService| (service.protocol, service.port, !service.is_public);
        key(one).cmp(&key(other))
    });
    services.dedup_by_key(|service| (service.protocol, service.port));
    services
}

impl ReachableService {
    fn is_login(&self) -> bool {
        self.protocol == "tcp" && (self.port == 22 || is_login(&self.program))
    }
}

fn is_login(program: &str) -> bool {
    LOGIN_PROGRAMS.iter().any(|name| program.starts_with(name))
}

fn is_reachable(socket: &Socket) -> bool {
    let serves = match socket.kind {
        SocketKind::Tcp => socket.state == LISTENING,
        SocketKind::Udp => socket.state == UNCONNECTED && socket.port < FIRST_PASSING,
        _ => false,
    };
    serves
        && socket.port != 0
        && socket
            .local
            .is_some_and(|address| !address.to_canonical().is_loopback())
}

/// A name as a comment of a rule can have it.
fn plain_word(name: &str) -> String {
    let is_plain = |letter: &char| letter.is_ascii_alphanumeric() || "-_.".contains(*letter);
    let word: String = name.chars().filter(is_plain).take(40).collect();
    if word.is_empty() {
        "unknown".to_owned()
    } else {
        word
    }
}

/// The rules, as a text that `surefoot firewall apply` loads.
pub fn starting_rules(host: &Host, form: StartingForm) -> String {
    let services = reachable_services(host);
    let mut text = match form {
        StartingForm::Nft => "#!/usr/sbin/nft -f\n".to_owned(),
        _ => String::new(),
    };
    text.push_str("# Rules to begin with, by surefoot. Read them, change them, then: surefoot firewall apply FILE\n");
    text.push_str(
        "# What is not named here is refused with an answer; once all works, drop it instead.\n",
    );
    for service in services.iter().filter(|service| !service.is_public) {
        let (protocol, port, program) = (service.protocol, service.port, &service.program);
        let rule = match form {
            StartingForm::Nft => format!("{protocol} dport {port} accept comment \"{program}\""),
            _ => format!(
                "-A SERVICES -p {protocol} -m {protocol} --dport {port} -m comment --comment {program} -j ACCEPT"
            ),
        };
        let _ = writeln!(
            text,
            "# Listens, and stays closed; for those who may reach it: {rule}"
        );
    }
    if forwards(host) {
        text.push_str(
            "# This host forwards packets: what it forwards is left to the rules that are there.\n",
        );
    }
    text.push('\n');
    let client = host.session.map(|(client, _)| client.ip().to_canonical());
    let closes = !forwards(host);
    match form {
        StartingForm::Nft => nft_rules(&mut text, &services, client, closes),
        StartingForm::Iptables => iptables_rules(&mut text, &services, (&IPV4, client), closes),
        StartingForm::Ip6tables => iptables_rules(&mut text, &services, (&IPV6, client), closes),
    }
    text
}

/// Where you are is not limited; each other address begins some connections a minute.
fn nft_login_rules(text: &mut String, port: u16, client: Option<IpAddr>) {
    if let Some(client) = client {
        let family = if client.is_ipv4() { "ip" } else { "ip6" };
        let _ = writeln!(
            text,
            "\t\t{family} saddr {client} tcp dport {port} accept comment \"from where you are\""
        );
    }
    for (name, family) in [("ssh4", "ip"), ("ssh6", "ip6")] {
        let _ = writeln!(
            text,
            "\t\ttcp dport {port} meter {name}-{port} {{ {family} saddr limit rate over 6/minute burst 10 packets }} \
             reject comment \"not so often\""
        );
    }
}

fn nft_rules(
    text: &mut String,
    services: &[ReachableService],
    client: Option<IpAddr>,
    closes_forward: bool,
) {
    text.push_str(NFT_BEGIN);
    for service in services.iter().filter(|service| service.is_public) {
        let (protocol, port, program) = (service.protocol, service.port, &service.program);
        if service.is_login() {
            nft_login_rules(text, port, client);
        }
        let _ = writeln!(
            text,
            "\t\t{protocol} dport {port} accept comment \"{program}\""
        );
    }
    text.push_str(NFT_INPUT);
    if closes_forward {
        text.push_str(NFT_FORWARD);
    }
    text.push_str("}\n");
}

const NFT_BEGIN: &str = r#"table inet firewall
delete table inet firewall
table inet firewall {
	chain icmp-types {
		icmp type { destination-unreachable, time-exceeded, parameter-problem } accept comment "errors of IPv4"
		icmp type echo-request accept comment "ping"
		icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept comment "errors of IPv6"
		icmpv6 type echo-request accept comment "ping"
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } ip6 hoplimit 255 accept comment "neighbours and routers"
		icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } ip6 saddr fe80::/10 accept comment "groups"
	}

	chain services {
"#;

const NFT_INPUT: &str = r#"	}

	chain input {
		type filter hook input priority filter; policy accept;
		iif "lo" accept comment "this machine itself"
		ct state established,related accept comment "connections that were accepted"
		meta l4proto { icmp, ipv6-icmp } jump icmp-types comment "before invalid, as neighbours are not tracked"
		ct state invalid drop comment "of no connection"
		udp dport 546 ip6 saddr fe80::/10 accept comment "DHCP of IPv6"
		ct state new jump services comment "what is for others"
		meta l4proto tcp reject with tcp reset comment "the rest, for now with an answer"
		reject comment "the rest, for now with an answer"
	}
"#;

const NFT_FORWARD: &str = r#"
	chain forward {
		type filter hook forward priority filter; policy accept;
		reject comment "this machine forwards nothing"
	}
"#;

/// What differs between the families of iptables.
struct FamilyWords {
    is_v4: bool,
    protocol: &'static str,
    /// Names of types, with why they are accepted.
    types: &'static [(&'static str, &'static str)],
    extra: &'static [&'static str],
    reject: &'static str,
}

const IPV4: FamilyWords = FamilyWords {
    is_v4: true,
    protocol: "icmp",
    types: &[
        ("-m icmp --icmp-type 3", "destination unreachable"),
        ("-m icmp --icmp-type 11", "time exceeded"),
        ("-m icmp --icmp-type 12", "parameter problem"),
        ("-m icmp --icmp-type 8", "ping"),
    ],
    extra: &[],
    reject: "icmp-port-unreachable",
};

const IPV6: FamilyWords = FamilyWords {
    is_v4: false,
    protocol: "ipv6-icmp",
    types: &[
        ("-m icmp6 --icmpv6-type 1", "destination unreachable"),
        ("-m icmp6 --icmpv6-type 2", "packet too big"),
        ("-m icmp6 --icmpv6-type 3", "time exceeded"),
        ("-m icmp6 --icmpv6-type 4", "parameter problem"),
        ("-m icmp6 --icmpv6-type 128", "ping"),
        ("-m icmp6 --icmpv6-type 134 -m hl --hl-eq 255", "routers"),
        (
            "-m icmp6 --icmpv6-type 135 -m hl --hl-eq 255",
            "neighbours ask",
        ),
        (
            "-m icmp6 --icmpv6-type 136 -m hl --hl-eq 255",
            "neighbours answer",
        ),
        ("-s fe80::/10 -m icmp6 --icmpv6-type 130", "groups"),
        ("-s fe80::/10 -m icmp6 --icmpv6-type 131", "groups"),
        ("-s fe80::/10 -m icmp6 --icmpv6-type 132", "groups"),
        ("-s fe80::/10 -m icmp6 --icmpv6-type 143", "groups"),
    ],
    extra: &["-s fe80::/10 -p udp -m udp --dport 546 -m comment --comment DHCP -j ACCEPT"],
    reject: "icmp6-port-unreachable",
};

fn iptables_rules(
    text: &mut String,
    services: &[ReachableService],
    (family, client): (&FamilyWords, Option<IpAddr>),
    closes_forward: bool,
) {
    let _ = write!(
        text,
        "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:SERVICES - [0:0]\n:{ICMP_CHAIN} - [0:0]\n"
    );
    let mut rule = |chain: &str, matches: &str, comment: &str, target: &str| {
        let blank = if matches.is_empty() { "" } else { " " };
        let _ = writeln!(
            text,
            "-A {chain}{blank}{matches} -m comment --comment \"{comment}\" -j {target}"
        );
    };
    let icmp = format!("-p {}", family.protocol);
    rule("INPUT", "-i lo", "this machine itself", "ACCEPT");
    let established = "-m conntrack --ctstate RELATED,ESTABLISHED";
    rule(
        "INPUT",
        established,
        "connections that were accepted",
        "ACCEPT",
    );
    rule(
        "INPUT",
        &icmp,
        "before invalid, as neighbours are not tracked",
        ICMP_CHAIN,
    );
    rule(
        "INPUT",
        "-m conntrack --ctstate INVALID",
        "of no connection",
        "DROP",
    );
    for (matches, why) in family.types {
        rule(ICMP_CHAIN, &format!("{icmp} {matches}"), why, "ACCEPT");
    }
    let last = format!("REJECT --reject-with {}", family.reject);
    let new = "-m conntrack --ctstate NEW";
    rule("INPUT", new, "what is for others", "SERVICES");
    for service in services.iter().filter(|service| service.is_public) {
        let (protocol, port) = (service.protocol, service.port);
        let matches = format!("-p {protocol} -m {protocol} --dport {port}");
        if service.is_login() {
            if let Some(client) = client.filter(|client| client.is_ipv4() == family.is_v4) {
                let from = format!("-s {client} {matches}");
                rule("SERVICES", &from, "from where you are", "ACCEPT");
            }
            let often = format!(
                "{matches} -m hashlimit --hashlimit-above 6/min --hashlimit-burst 10 --hashlimit-mode srcip \
                 --hashlimit-name ssh-{port}"
            );
            rule("SERVICES", &often, "not so often", &last);
        }
        rule("SERVICES", &matches, &service.program, "ACCEPT");
    }
    let answer = "the rest, for now with an answer";
    if closes_forward {
        rule("FORWARD", "", "this machine forwards nothing", &last);
    }
    for line in family.extra {
        let _ = writeln!(text, "-A INPUT {line}");
    }
    let mut rule = |matches: &str, target: &str| {
        let _ = writeln!(
            text,
            "-A INPUT {matches}-m comment --comment \"{answer}\" -j {target}"
        );
    };
    rule("-p tcp ", "REJECT --reject-with tcp-reset");
    rule("", &last);
    text.push_str("COMMIT\n");
}

/// The chain of the ICMP types that are accepted.
const ICMP_CHAIN: &str = "ICMP-TYPES";

#[cfg(test)]
mod tests {
    use surefoot_host::Process;

    use super::*;

    fn host() -> Host {
        let socket = |kind, local: &str, port, state, pid| Socket {
            kind,
            local: local.parse().ok(),
            port,
            peer: None,
            state,
            v6only: None,
            device: None,
            receive_queue: 0,
            send_queue: 0,
            uid: 0,
            inode: 1,
            owners: vec![pid],
        };
        let process = |pid, name: &str| Process {
            pid,
            name: name.to_owned(),
            ..Process::default()
        };
        Host {
            sockets: Some(vec![
                socket(SocketKind::Tcp, "0.0.0.0", 2222, LISTENING, 1),
                socket(SocketKind::Tcp, "::", 443, LISTENING, 2),
                socket(SocketKind::Tcp, "0.0.0.0", 5432, LISTENING, 3),
                socket(SocketKind::Tcp, "127.0.0.1", 6379, LISTENING, 2),
                socket(SocketKind::Udp, "0.0.0.0", 53, UNCONNECTED, 2),
                socket(SocketKind::Udp, "0.0.0.0", 40_000, UNCONNECTED, 2),
                socket(SocketKind::Tcp, "192.0.2.1", 443, 1, 2),
            ]),
            processes: Some(vec![
                process(1, "sshd"),
                process(2, "web \"x\"\n"),
                process(3, "postgres"),
            ]),
            ..Host::default()
        }
    }

    #[test]
    fn what_serves_everyone_is_accepted_and_the_rest_is_listed() {
        let text = starting_rules(&host(), StartingForm::Nft);
        for line in [
            "\t\ttcp dport 443 accept comment \"webx\"\n",
            "\t\ttcp dport 2222 accept comment \"sshd\"\n",
            "\t\tudp dport 53 accept comment \"webx\"\n",
            "# Listens, and stays closed; for those who may reach it: tcp dport 5432 accept comment \"postgres\"\n",
            "chain forward",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(!text.contains("6379") && !text.contains("40000"), "{text}");
        let v4 = starting_rules(&host(), StartingForm::Iptables);
        assert!(
            v4.contains(
                "-A SERVICES -p tcp -m tcp --dport 2222 -m comment --comment \"sshd\" -j ACCEPT\n"
            ),
            "{v4}"
        );
    }

    #[test]
    fn a_host_that_forwards_keeps_what_it_forwards() {
        let mut host = host();
        host.sysctls
            .insert("net.ipv4.ip_forward".to_owned(), "1".to_owned());
        assert!(!starting_rules(&host, StartingForm::Nft).contains("chain forward"));
        assert!(!starting_rules(&host, StartingForm::Iptables).contains("-A FORWARD"));
    }

    #[test]
    fn the_port_of_the_session_is_accepted_though_its_daemon_is_unknown() {
        let mut host = host();
        host.sockets = None;
        let ends = (
            "192.0.2.9:40000".parse().unwrap(),
            "192.0.2.1:2200".parse().unwrap(),
        );
        host.session = Some(ends);
        let text = starting_rules(&host, StartingForm::Nft);
        let from = "\t\tip saddr 192.0.2.9 tcp dport 2200 accept comment \"from where you are\"\n\t\ttcp dport 2200 meter";
        assert!(text.contains(from), "{text}");
        assert!(
            text.contains("\t\ttcp dport 2200 accept comment \"sshd\""),
            "{text}"
        );
    }
}
