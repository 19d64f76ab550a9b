//! Words that read as a packet, and words that do not.

use super::{add_to, parse};
use crate::packet::{Packet, PacketInterface, PacketPath};

fn split(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn read(text: &str) -> Packet {
    parse(&split(text)).unwrap_or_else(|error| panic!("{text}: {error} {:?}", error.hint))
}

/// What was understood, in our own words.
#[track_caller]
fn check(text: &str, understood: &str) {
    let packet = read(text);
    assert_eq!(packet.words(), understood, "{text}");
    let again = read(&packet.words());
    assert_eq!(again.words(), understood, "our own words read back");
    assert_eq!(again.path, packet.path);
}

#[track_caller]
fn refused(text: &str, argument: usize, message: &str, hint: &str) {
    let error = parse(&split(text)).expect_err(text);
    assert_eq!(error.to_string(), message);
    assert_eq!(error.argument, argument);
    assert_eq!(error.hint.unwrap_or_default(), hint);
}

#[test]
fn words_come_in_any_order() {
    let understood = "tcp from 203.0.113.9 to :22 in eth0 new syn";
    check("tcp from 203.0.113.9 to :22 in eth0 new", understood);
    check("new in eth0 to :22 from 203.0.113.9 tcp", understood);
    check("NEW IN eth0 TO :ssh FROM 203.0.113.9 TCP", understood);
}

#[test]
fn options_of_iptables_are_understood() {
    check(
        "-p tcp -s 203.0.113.9 --dport 22 -i eth0 -m conntrack --ctstate NEW",
        "tcp from 203.0.113.9 to :22 in eth0 new syn",
    );
    check(
        "--proto=udp --source=10.0.0.1 --sport=53 --destination=10.0.0.2",
        "udp from 10.0.0.1:53 to 10.0.0.2",
    );
    check("-p tcp --tcp-flags SYN,ACK SYN", "tcp syn");
}

#[test]
fn ends_have_addresses_ports_or_both() {
    check(
        "udp from 10.0.0.1:53 to 10.0.0.2",
        "udp from 10.0.0.1:53 to 10.0.0.2",
    );
    check(
        "udp from [2001:db8::1]:53 to 2001:db8::2",
        "udp from [2001:db8::1]:53 to 2001:db8::2",
    );
    check(
        "tcp from any to 192.0.2.1 port 443",
        "tcp to 192.0.2.1:443 new syn",
    );
    check(
        "tcp from any port 5 to any port 6",
        "tcp from :5 to :6 new syn",
    );
    check("tcp to ::ffff:192.0.2.1", "tcp to 192.0.2.1 new syn");
}

#[test]
fn a_service_is_a_port_and_a_protocol() {
    let note = |text: &str| read(text).notes.first().cloned().unwrap_or_default();
    check("ssh from 10.0.0.1", "tcp from 10.0.0.1 to :22 new syn");
    assert_eq!(note("ssh"), "`ssh` taken as TCP to port 22");
    check("dns", "udp to :53");
    assert_eq!(
        note("dns"),
        "`dns` taken as UDP to port 53; say `tcp dns` for TCP"
    );
    check("tcp dns", "tcp to :53 new syn");
    assert_eq!(note("tcp dns"), "`dns` taken as port 53");
    check("http", "tcp to :80 new syn");
    check("HTTPS to 192.0.2.1", "tcp to 192.0.2.1:443 new syn");
    check("udp https", "udp to :443");
    check("ntp out", "udp to :123 out");
    check("smtp established", "tcp to :25 established flags ack");
    check("dns syn", "tcp to :53 syn");
    check("udp to :dns", "udp to :53");
    refused("icmp ssh", 1, "`ssh`: icmp has no ports", "");
    refused(
        "ssh to :2222",
        2,
        "`:2222`: the port is already `ssh`, and a packet has one",
        "",
    );
}

#[test]
fn ports_are_said_with_or_without_a_colon() {
    check("udp from port 53", "udp from :53");
    check("tcp to port ssh", "tcp to :22 new syn");
    check(
        "udp from 10.0.0.1 port 5 to port 6",
        "udp from 10.0.0.1:5 to :6",
    );
    check("udp from port 5 port 5", "udp from :5");
    refused("tcp to port", 3, "`port` needs a port after it", "");
}

#[test]
fn a_direction_needs_no_interface() {
    let way = |text: &str| read(text).path;
    check("tcp to 10.0.0.2:22 out", "tcp to 10.0.0.2:22 out new syn");
    check("udp out to 10.0.0.2:53", "udp to 10.0.0.2:53 out");
    check("udp in to :53", "udp to :53");
    check("udp in eth0 out", "udp in eth0 forwarded");
    check("forward udp", "udp forwarded");
    check("udp in new", "udp new");
    assert_eq!(way("udp in"), PacketPath::Input);
    assert_eq!(way("udp out"), PacketPath::Output);
    assert_eq!(way("udp in out"), PacketPath::Forward);
    assert_eq!(way("forwarded udp out eth1"), PacketPath::Forward);
    check("udp out any", "udp out");
    check("udp -o dns", "udp -o dns");
    check("udp -i tcp -o eth0", "udp -i tcp out eth0");
    refused(
        "udp out 10.0.0.1",
        2,
        "`10.0.0.1`: not a word of the packet language",
        "write `from 10.0.0.1` or `to 10.0.0.1`",
    );
    refused(
        "out mac 02:00:5e:10:00:01",
        2,
        "`02:00:5e:10:00:01`: a packet that this host sends (`out`) has no sender's hardware address; say `in IFACE` as well for one that it forwards",
        "",
    );
}

/// A host with one address and a route to everywhere.
fn host() -> crate::Surroundings {
    crate::Surroundings {
        interfaces: Some(vec![crate::Interface {
            name: "eth0".into(),
            loopback: false,
            up: true,
            addresses: vec![("192.0.2.1".parse().unwrap(), 24)],
        }]),
        routes: Some(Vec::new()),
        ..crate::Surroundings::default()
    }
}

#[test]
fn this_host_is_an_end() {
    let settled = |text: &str| read(text).settle(&host());
    let to = settled("tcp to me:80");
    assert_eq!(to.words(), "tcp to 192.0.2.1:80 new syn");
    assert_eq!(to.path, PacketPath::Input);
    let from = settled("udp from me to 198.51.100.1:53");
    assert_eq!(
        from.words(),
        "udp from 192.0.2.1 to 198.51.100.1:53 out new"
    );
    assert_eq!(from.path, PacketPath::Output);
    check("udp to me:80", "udp to :80");
    refused(
        "udp to me out eth0",
        2,
        "`me`: a packet to this host does not leave it, but `eth0` is said",
        "",
    );
    refused(
        "udp from me in",
        2,
        "`me`: a packet from this host does not come in, but `in` is said",
        "",
    );
    let error = parse(&split("from me to me")).unwrap_err();
    assert_eq!(error.argument, 3);
}

#[test]
fn what_is_said_to_come_in_was_not_sent_here() {
    let sent = read("udp from 192.0.2.1 to 198.51.100.1").settle(&host());
    assert_eq!(sent.path, PacketPath::Output);
    let forged = read("udp in from 192.0.2.1 to 198.51.100.1").settle(&host());
    assert_eq!(forged.path, PacketPath::Forward);
}

#[test]
fn a_word_has_its_place_in_its_argument() {
    let words = ["tcp  form 10.0.0.1".to_owned()];
    let error = parse(&words).unwrap_err();
    assert_eq!((error.argument, error.at), (0, 5));
    let words = ["tcp".to_owned(), "--dport=99999".to_owned()];
    let error = parse(&words).unwrap_err();
    assert_eq!((error.argument, error.at), (1, 8));
}

#[test]
fn interfaces_say_the_way() {
    let way = |text: &str| read(text).path;
    assert_eq!(way("tcp in eth0"), PacketPath::Input);
    assert_eq!(way("tcp in eth0 out eth1"), PacketPath::Forward);
    assert_eq!(way("tcp out eth1"), PacketPath::Output);
    assert_eq!(way("tcp uid 0"), PacketPath::Output);
    assert_eq!(read("tcp out eth1").input, PacketInterface::None);
    assert_eq!(read("tcp in eth1").output, PacketInterface::None);
}

#[test]
fn names_of_icmp_belong_to_their_family() {
    check("echo-request", "icmp echo-request");
    check("ping ipv6", "icmpv6 echo-request");
    check(
        "ping from 2001:db8::1",
        "icmpv6 from 2001:db8::1 echo-request",
    );
    check("packet-too-big", "icmpv6 related packet-too-big");
    check(
        "neighbor-solicitation",
        "icmpv6 untracked neighbour-solicitation",
    );
    check("icmp type 3/4", "icmp related type 3/4");
    check("icmp fragmentation-needed", "icmp related type 3/4");
    check("icmp type 3 code 4", "icmp related type 3/4");
    check("ping6", "icmpv6 echo-request");
    check("frag-needed", "icmp related type 3/4");
    check(
        "nd-neighbor-solicit",
        "icmpv6 untracked neighbour-solicitation",
    );
    check("nd-router-advert", "icmpv6 untracked router-advertisement");
    check("icmpv6 type nd-redirect", "icmpv6 invalid redirect");
    check("mld-listener-query", "icmpv6 untracked type 130/0");
    check("admin-prohibited", "icmp related type 3/13");
    check("ipv6 admin-prohibited", "icmpv6 related type 1/1");
    refused(
        "ping6 to 10.0.0.1",
        0,
        "`ping6`: IPv6, but `10.0.0.1` is IPv4",
        "",
    );
}

#[test]
fn what_opens_no_connection_is_not_taken_as_new() {
    use surefoot_ruleset::model::{Field, ct_state};
    let state = |text: &str| {
        let settled = read(text).settle(&crate::Surroundings::default());
        settled.known(Field::CtState)
    };
    assert_eq!(state("ping"), Some(ct_state::NEW));
    assert_eq!(state("ping6"), Some(ct_state::NEW));
    assert_eq!(state("icmp echo-reply"), Some(ct_state::ESTABLISHED));
    assert_eq!(state("icmp port-unreachable"), Some(ct_state::RELATED));
    assert_eq!(state("packet-too-big"), Some(ct_state::RELATED));
    assert_eq!(state("nd-neighbor-advert"), Some(ct_state::UNTRACKED));
    assert_eq!(state("mld2-listener-report"), Some(ct_state::UNTRACKED));
    assert_eq!(state("icmp router-advertisement"), Some(ct_state::INVALID));
    assert_eq!(state("nd-redirect"), Some(ct_state::INVALID));
    assert_eq!(state("packet-too-big invalid"), Some(ct_state::INVALID));
    assert_eq!(state("nd-neighbor-advert new"), Some(ct_state::NEW));
}

#[test]
fn what_is_implied_is_filled_in_and_said() {
    check("to :22", "tcp to :22 new syn");
    assert_eq!(
        read("to :22").notes,
        [
            "taken as TCP, as only a port was given",
            "taken as the SYN of a new connection"
        ]
    );
    check("tcp established", "tcp established flags ack");
    check("flags syn,ack established", "tcp established flags syn,ack");
    check("syn ack", "tcp flags syn,ack");
    check("tcp fragment", "tcp fragment");
    check("proto 99", "proto 99");
    check(
        "mark 0x10 length 1500 ttl 64 dscp ef",
        "ipv4 mark 0x10 length 1500 ttl 64 dscp 46",
    );
}

#[test]
fn a_slip_is_met_with_the_word_that_was_meant() {
    let other = "not a word of the packet language";
    refused(
        "tpc to :22",
        0,
        &format!("`tpc`: {other}"),
        "did you mean `tcp`?",
    );
    refused(
        "tcp form 10.0.0.1",
        1,
        &format!("`form`: {other}"),
        "did you mean `from`?",
    );
    refused(
        "tcp establishd",
        1,
        &format!("`establishd`: {other}"),
        "did you mean `established`?",
    );
    refused(
        "tcp 22",
        1,
        &format!("`22`: {other}"),
        "a port? write `to :22`",
    );
    refused(
        "tcp 10.0.0.1",
        1,
        &format!("`10.0.0.1`: {other}"),
        "write `from 10.0.0.1` or `to 10.0.0.1`",
    );
    refused(
        "tcp eth0",
        1,
        &format!("`eth0`: {other}"),
        "an interface? write `in eth0` or `out eth0`",
    );
    refused(
        "tcp login",
        1,
        &format!("`login`: {other}"),
        "a service? write `to :login`",
    );
    refused(
        "22/tcp",
        0,
        &format!("`22/tcp`: {other}"),
        "write `tcp to :22`",
    );
    refused(
        "tcp/22",
        0,
        &format!("`tcp/22`: {other}"),
        "write `tcp to :22`",
    );
    refused(
        "shh from 10.0.0.1",
        0,
        &format!("`shh`: {other}"),
        "did you mean `ssh`?",
    );
    refused(
        "nd-neighbor-solict",
        0,
        &format!("`nd-neighbor-solict`: {other}"),
        "did you mean `nd-neighbor-solicit`?",
    );
    refused(
        "tcp to :htpps",
        2,
        "`:htpps`: `htpps` is no port",
        "did you mean `https`?",
    );
}

#[test]
fn values_are_checked() {
    refused(
        "from 10.0.0.0/8",
        1,
        "`10.0.0.0/8`: no address",
        "a packet has one address: give one of the network's",
    );
    refused(
        "from www.example.org",
        1,
        "`www.example.org`: no address",
        "names are not looked up: give the address",
    );
    refused(
        "from 203.0.113.300",
        1,
        "`203.0.113.300`: no address",
        "an IPv4 address has four numbers up to 255",
    );
    refused(
        "to 22",
        1,
        "`22`: no address",
        "a port stands behind a colon: `to :22`",
    );
    refused(
        "to :65536",
        1,
        "`:65536`: `65536` is no port",
        "ports go up to 65535",
    );
    refused(
        "to 2001:db8::1:22:33:44:55:66:77:88",
        1,
        "`2001:db8::1:22:33:44:55:66:77:88`: no address",
        "an IPv6 address with a port has brackets: [2001:db8::1]:22",
    );
    refused(
        "in eth+",
        1,
        "`eth+`: expected an interface's name",
        "a pattern stands for many: name one interface, such as eth0",
    );
    refused("ttl 256", 1, "`256`: too large: at most 255", "");
    refused(
        "tcp from",
        2,
        "`from` needs an address, such as 192.0.2.1, 192.0.2.1:22 or [2001:db8::1]:22 after it",
        "",
    );
    refused(
        "! tcp",
        0,
        "`!`: a packet has values, it cannot have `not` this one",
        "",
    );
}

#[test]
fn contradictions_are_refused() {
    refused(
        "from 10.0.0.1 to 2001:db8::1",
        3,
        "`2001:db8::1`: IPv6, but `10.0.0.1` is IPv4",
        "",
    );
    refused(
        "icmp to 2001:db8::1",
        0,
        "`icmp`: IPv4, but `2001:db8::1` is IPv6",
        "with IPv6 the protocol is `icmpv6`",
    );
    refused(
        "tcp udp",
        1,
        "`udp`: the protocol is already `tcp`, and a packet has one",
        "",
    );
    refused(
        "new established",
        1,
        "`established`: the state is already `new`, and a packet has one",
        "",
    );
    refused("icmp to :22", 2, "`:22`: icmp has no ports", "");
    refused(
        "udp syn",
        1,
        "`syn`: only TCP has flags, and this is udp",
        "",
    );
    refused(
        "tcp echo-request",
        1,
        "`echo-request`: an ICMP type, but this is tcp",
        "",
    );
    refused(
        "tcp fragment to :22",
        3,
        "`:22`: only the first fragment of a packet holds this",
        "leave it out, or leave `fragment` out",
    );
    refused(
        "in eth0 uid 0",
        3,
        "`0`: only a packet that this host sends has an owner, and this one comes in by `eth0`",
        "",
    );
    refused(
        "new reply",
        1,
        "`reply`: a new connection has no reply yet",
        "",
    );
    refused(
        "nd-echo ipv4 packet-too-big",
        0,
        "`nd-echo`: not a word of the packet language",
        "for example: tcp from 203.0.113.9 to :22 in eth0 new",
    );
    refused(
        "ipv4 packet-too-big",
        1,
        "`packet-too-big`: IPv6, but `ipv4` is IPv4",
        "",
    );
}

#[test]
fn saying_the_same_twice_is_no_contradiction() {
    check("tcp -p tcp to :22 --dport 22", "tcp to :22 new syn");
}

#[test]
fn words_win_over_a_capture_and_must_fit_it() {
    let captured = read("tcp from 10.0.0.1 to 10.0.0.2:22");
    let added = add_to(captured.clone(), &split("in eth0 out eth1 established")).unwrap();
    assert_eq!(
        added.words(),
        "tcp from 10.0.0.1 to 10.0.0.2:22 in eth0 out eth1 established syn"
    );
    assert_eq!(added.path, PacketPath::Forward);
    let error = add_to(captured, &split("udp")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`udp`: the captured packet has another protocol"
    );
}

#[test]
fn no_words_make_the_reader_panic() {
    let pool = [
        "tcp",
        "icmp",
        "icmpv6",
        "from",
        "to",
        "in",
        "out",
        ":22",
        "10.0.0.1",
        "[::1]:5",
        "[",
        "]:",
        "type",
        "code",
        "3/4",
        "echo-request",
        "any",
        "flags",
        "syn,",
        ",",
        "é",
        "--dport=",
        "=",
        "--tcp-flags",
        "uid",
        "new",
        "reply",
        "fragment",
        "port",
        "ssh",
        "dns",
        "me",
        "me:80",
        "ping6",
        "frag-needed",
        "forwarded",
        "-m",
        "!",
        "::",
        "",
        "255",
        "mac",
        "0:0:0:0:0:0",
        "99999999999999999999",
        "0x",
        "ttl",
        "mark",
        "--",
        "-",
        "dscp",
        "1e3",
        "\u{0}",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut understood = 0;
    for _ in 0..15_000 {
        let words: Vec<String> = (0..next(7))
            .map(|_| pool[next(pool.len())].to_owned())
            .collect();
        if let Ok(packet) = parse(&words) {
            understood += 1;
            let settled = packet.settle(&crate::Surroundings::default());
            let again = read(&settled.words());
            assert_eq!(
                again.settle(&crate::Surroundings::default()).words(),
                settled.words(),
                "{words:?}"
            );
        }
    }
    assert!(understood > 500, "only {understood} were understood");
}
