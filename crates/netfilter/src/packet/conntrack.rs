//! Connections as `conntrack -L` and `/proc/net/nf_conntrack` list them
//! (`net/netfilter/nf_conntrack_standalone.c`).

use std::net::IpAddr;

use super::pcap::FlowTuple;
use surefoot_report::{Problem, Span};

/// A connection of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedConnection {
    /// Ends of the first packet.
    pub original: FlowTuple,
    /// Ends of its answers.
    pub reply: FlowTuple,
    /// Type and code of what began it, with ICMP.
    pub icmp: Option<(u8, u8)>,
    /// The connection's mark.
    pub mark: Option<u32>,
    /// Packets of the original direction.
    pub packets: Option<u64>,
    /// Bytes of the original direction.
    pub bytes: Option<u64>,
}

impl ListedConnection {
    /// A TCP or UDP connection, from where it was begun.
    pub fn new(protocol: u8, from: (IpAddr, u16), to: (IpAddr, u16)) -> Self {
        let number = |address: IpAddr| match address {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        };
        let original = FlowTuple {
            v6: from.0.is_ipv6(),
            protocol,
            from: (number(from.0), from.1),
            to: (number(to.0), to.1),
        };
        Self {
            original,
            reply: original.with_ends_swapped(),
            icmp: None,
            mark: None,
            packets: None,
            bytes: None,
        }
    }
}

/// Reads a list: a connection on each line.
pub fn parse(text: &str) -> Result<Vec<ListedConnection>, Problem> {
    let mut list = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let words = line.trim();
        // conntrack's last line, on standard error, may have been kept.
        let skip = words.is_empty() || words.starts_with('#') || words.starts_with("conntrack v");
        if !skip {
            let listed = read_connection(words).map_err(|what| {
                let begin = start + line.len() - line.trim_start().len();
                Problem::error(Span::new(begin, begin + words.len()), what)
                    .help("lines are as `conntrack -L` prints them")
            })?;
            list.push(listed);
        }
        start += line.len();
    }
    Ok(list)
}

#[derive(Clone, Copy, Default)]
struct ConnectionTuple {
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    source_port: Option<u16>,
    destination_port: Option<u16>,
    id: Option<u16>,
}

fn read_connection(line: &str) -> Result<ListedConnection, String> {
    let mut words = line.split_whitespace();
    let mut first = words.next().unwrap_or_default();
    // `-o extended` puts the family and its number before.
    if matches!(first, "ipv4" | "ipv6") {
        words.next();
        first = words.next().unwrap_or_default();
    }
    let number = words.next().unwrap_or_default();
    let protocol: u8 = number
        .parse()
        .map_err(|_| format!("no protocol number behind `{first}`"))?;
    let mut tuples: Vec<ConnectionTuple> = Vec::new();
    let mut icmp = (None, None);
    let (mut mark, mut packets, mut bytes) = (None, None, None);
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            continue;
        };
        if key == "src" {
            tuples.push(ConnectionTuple::default());
        }
        let bad = || format!("`{word}` is not understood");
        let Some(tuple) = tuples.last_mut() else {
            continue;
        };
        let port = || value.parse::<u16>().map_err(|_| bad());
        match key {
            "src" => tuple.source = Some(value.parse().map_err(|_| bad())?),
            "dst" => tuple.destination = Some(value.parse().map_err(|_| bad())?),
            "sport" => tuple.source_port = Some(port()?),
            "dport" => tuple.destination_port = Some(port()?),
            "id" => {
                // A connection's own number comes last and may be larger.
                tuple.id = tuple.id.or(value.parse().ok());
            }
            "type" if tuples.len() == 1 => icmp.0 = Some(value.parse().map_err(|_| bad())?),
            "code" if tuples.len() == 1 => icmp.1 = Some(value.parse().map_err(|_| bad())?),
            "mark" => mark = Some(value.parse().map_err(|_| bad())?),
            "packets" => {
                let more: u64 = value.parse().map_err(|_| bad())?;
                packets = Some(packets.unwrap_or(0_u64).saturating_add(more));
            }
            "bytes" => {
                let more: u64 = value.parse().map_err(|_| bad())?;
                bytes = Some(bytes.unwrap_or(0_u64).saturating_add(more));
            }
            _ => {}
        }
    }
    let [original, reply, ..] = tuples.as_slice() else {
        return Err("a connection has `src=` and `dst=` twice, for both directions".into());
    };
    let original = tuple_ends(protocol, original)?;
    let reply = tuple_ends(protocol, reply)?;
    if original.v6 != reply.v6 {
        return Err("its two directions are of different families".into());
    }
    Ok(ListedConnection {
        original,
        reply,
        icmp: match (protocol, icmp) {
            (1 | 58, (Some(kind), Some(code))) => Some((kind, code)),
            _ => None,
        },
        mark,
        packets,
        bytes,
    })
}

fn tuple_ends(protocol: u8, tuple: &ConnectionTuple) -> Result<FlowTuple, String> {
    let (Some(source), Some(destination)) = (tuple.source, tuple.destination) else {
        return Err("a direction has no `src=` or no `dst=`".into());
    };
    if source.is_ipv6() != destination.is_ipv6() {
        return Err("a direction has addresses of two families".into());
    }
    let id = tuple.id.unwrap_or_default();
    let from = (source, tuple.source_port.unwrap_or(id));
    let to = (destination, tuple.destination_port.unwrap_or(id));
    Ok(ListedConnection::new(protocol, from, to).original)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_list_is_read_with_and_without_the_family_and_with_counters() {
        let text = "\
tcp      6 431999 ESTABLISHED src=192.0.2.9 dst=192.0.2.1 sport=40000 dport=22 packets=3 bytes=300 src=192.0.2.1 dst=192.0.2.9 sport=22 dport=40000 packets=2 bytes=200 [ASSURED] mark=7 use=1
ipv6     10 udp      17 29 src=2001:db8::1 dst=2001:db8::2 sport=5 dport=53 [UNREPLIED] src=2001:db8::2 dst=2001:db8::1 sport=53 dport=5 mark=0 use=1
icmp     1 29 src=192.0.2.9 dst=192.0.2.1 type=8 code=0 id=77 src=192.0.2.1 dst=192.0.2.9 type=0 code=0 id=77 use=1
conntrack v1.4.7 (conntrack-tools): 3 flow entries have been shown.
";
        let list = parse(text).expect("it is a list");
        assert_eq!(list.len(), 3);
        assert_eq!((list[0].packets, list[0].bytes), (Some(5), Some(500)));
        assert_eq!(list[0].mark, Some(7));
        assert_eq!(list[0].reply, list[0].original.with_ends_swapped());
        assert!(list[1].original.v6 && list[1].original.to.1 == 53);
        assert_eq!(list[2].icmp, Some((8, 0)));
    }

    #[test]
    fn what_is_no_connection_is_refused_at_its_place() {
        for (text, what) in [
            ("tcp six 1 src=1.2.3.4", "no protocol number behind `tcp`"),
            ("\ntcp 6 1 src=1.2.3.4 dst=1.2.3.5 sport=1 dport=2", "twice"),
            ("udp 17 1 src=1.2.3.x", "`src=1.2.3.x` is not understood"),
            (
                "udp 17 1 src=1.2.3.4 dst=::1 src=::1 dst=1.2.3.4",
                "two families",
            ),
        ] {
            let problem = parse(text).expect_err(text);
            assert!(problem.what.contains(what), "{}", problem.what);
        }
    }
}
