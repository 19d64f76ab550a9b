//! ssh connections that NAT of this machine leads to the daemon: the address that was dialed is another than the
//! daemon's own. No I/O.
//!
//! A new connection dials that address again, so it is what has to be asked about.

use std::net::{IpAddr, SocketAddr};

use surefoot_netfilter::Surroundings;
use surefoot_netfilter::packet::conntrack;
use surefoot_netfilter::traffic::Assertion;
use surefoot_report::Problem;
use surefoot_ruleset::model::{Firewall, NatKind, Statement, Verdict};

use crate::access::{AccessQuestion, OPENING, door_words, doors_of, end};

/// TCP.
const TCP: u8 = 6;

/// Whether rules lead packets to other addresses than those that they come for.
pub fn leads_elsewhere(firewall: &Firewall) -> bool {
    let leads = |statement: &Statement| match statement {
        Statement::Verdict(Verdict::Nat(nat)) => {
            matches!(
                nat.kind,
                NatKind::Dnat | NatKind::Redirect | NatKind::Netmap
            )
        }
        _ => false,
    };
    let chains = firewall.tables.iter().flat_map(|table| &table.chains);
    let mut rules = chains.flat_map(|chain| &chain.rules);
    rules.any(|rule| rule.statements.iter().any(leads))
}

/// The address that the client of a connection dialed, as the kernel's list of connections says, if it is another
/// than the one at which the daemon answers.
pub fn dialed_address(
    list: &str,
    (client, server): (SocketAddr, SocketAddr),
) -> Option<SocketAddr> {
    let socket = |v6: bool, (number, port): (u128, u16)| {
        let address = if v6 {
            IpAddr::from(number.to_be_bytes())
        } else {
            IpAddr::from(u32::try_from(number).unwrap_or_default().to_be_bytes())
        };
        SocketAddr::new(address, port)
    };
    // Each line by itself: what is odd in one hides no other.
    let connections = list
        .lines()
        .filter_map(|line| conntrack::parse(line).ok())
        .flatten();
    connections
        .filter(|connection| connection.original.protocol == TCP)
        .find_map(|connection| {
            let (original, reply) = (connection.original, connection.reply);
            let answers = socket(reply.v6, reply.from);
            let dialed = socket(original.v6, original.to);
            let is_it = socket(original.v6, original.from) == client && answers == server;
            (is_it && dialed != server).then_some(dialed)
        })
}

/// That a new connection to the address that was dialed is accepted as one to the daemon.
pub fn dialed_questions(
    surroundings: &Surroundings,
    (client, server): (SocketAddr, SocketAddr),
    dialed: SocketAddr,
) -> Result<Vec<AccessQuestion>, Problem> {
    let mut questions = Vec::new();
    for door in doors_of(surroundings, client.ip(), server.ip()) {
        let (comes, _) = door_words(door.as_deref());
        let (from, to) = (end(client.ip()), end(dialed.ip()));
        let (port, own) = (dialed.port(), server.port());
        let becomes = end(server.ip());
        let mut assertion = Assertion::parse(&format!(
            "tcp {comes} from {from}:1024-65535 to {to}:{port} new is accepted as to {becomes}:{own}"
        ))?;
        assertion.traffic = assertion.traffic.with_tcp_flags(OPENING);
        questions.push(AccessQuestion {
            about: format!(
                "a new ssh connection from {} to {dialed}, which NAT leads to {server}",
                client.ip()
            ),
            assertion,
            otherwise: None,
            only_stays: false,
            core: Vec::new(),
        });
    }
    Ok(questions)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
ipv4     2 tcp      6 431999 ESTABLISHED src=192.0.2.9 dst=192.0.2.1 sport=40000 dport=443 src=192.0.2.1 \
dst=192.0.2.9 sport=22 dport=40000 [ASSURED] mark=0 zone=0 use=2
ipv4     2 tcp      6 431999 ESTABLISHED src=192.0.2.9 dst=192.0.2.1 sport=40001 dport=22 src=192.0.2.1 \
dst=192.0.2.9 sport=22 dport=40001 [ASSURED] mark=0 zone=0 use=2
odd
";

    #[test]
    fn the_dialed_address_is_that_of_the_first_packet() {
        let server = "192.0.2.1:22".parse().unwrap();
        let dialed = |client: &str| dialed_address(LIST, (client.parse().unwrap(), server));
        assert_eq!(dialed("192.0.2.9:40000"), "192.0.2.1:443".parse().ok());
        assert_eq!(dialed("192.0.2.9:40001"), None);
        assert_eq!(dialed("192.0.2.9:40002"), None);
    }
}
