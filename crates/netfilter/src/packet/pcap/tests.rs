//! Captures made byte by byte.

use super::read;
use crate::Surroundings;
use crate::packet::{FieldValue, Packet, PacketInterface, PacketPath, words};
use surefoot_ruleset::model::{Field, ct_state};

fn tcp(flags: u8) -> Vec<u8> {
    let mut header = vec![0x9c, 0x40, 0, 22, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, flags];
    header.extend([0xff, 0xff, 0, 0, 0, 0]);
    // The maximum segment size is the one option.
    header.extend([2, 4, 5, 0xb4]);
    header
}

fn ip4(protocol: u8, fragment: u16, from: [u8; 4], to: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap();
    let mut packet = vec![0x45, 0x10];
    packet.extend(length.to_be_bytes());
    packet.extend([0x12, 0x34]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(from);
    packet.extend(to);
    packet.extend(payload);
    packet
}

const HERE: [u8; 4] = [192, 0, 2, 1];
const THERE: [u8; 4] = [203, 0, 113, 9];

fn syn() -> Vec<u8> {
    ip4(6, 0x4000, THERE, HERE, &tcp(2))
}

fn ip6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x6b, 0x80, 0, 0];
    packet.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    packet.extend([next, 63]);
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    packet.extend(payload);
    packet
}

fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0x5e, 0x10, 0, 1, 2, 0, 0x5e, 0x10, 0, 2];
    frame.extend(kind.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A classic file, little-endian with microseconds.
fn pcap(link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend(65535_u32.to_le_bytes());
    file.extend(link.to_le_bytes());
    for frame in frames {
        let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
        file.extend([1, 0, 0, 0, 2, 0, 0, 0]);
        file.extend(length);
        file.extend(length);
        file.extend(frame);
    }
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let length = u32::try_from(12 + body.len()).unwrap();
    let mut block = kind.to_be_bytes().to_vec();
    block.extend(length.to_be_bytes());
    block.extend(body);
    block.extend(length.to_be_bytes());
    block
}

/// A pcapng file, big-endian, with one interface and a direction for each packet.
fn pcapng(link: u16, name: &str, frames: &[(Vec<u8>, u32)]) -> Vec<u8> {
    let section = [
        0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255,
    ];
    let mut file = block(0x0a0d_0d0a, &section);
    let mut interface = link.to_be_bytes().to_vec();
    interface.extend([0, 0, 0, 0, 255, 255]);
    interface.extend([0, 2]);
    interface.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
    interface.extend(name.as_bytes());
    interface.resize(interface.len().next_multiple_of(4), 0);
    interface.extend([0, 0, 0, 0]);
    file.extend(block(1, &interface));
    // Somebody's own block stands between.
    file.extend(block(0x0bad, &[1, 2, 3, 4]));
    for (frame, direction) in frames {
        let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
        let mut packet = vec![0; 12];
        packet.extend(length);
        packet.extend(length);
        packet.extend(frame);
        packet.resize(packet.len().next_multiple_of(4), 0);
        packet.extend([0, 2, 0, 4]);
        packet.extend(direction.to_be_bytes());
        packet.extend([0, 0, 0, 0]);
        file.extend(block(6, &packet));
    }
    file
}

#[track_caller]
fn packet(file: &[u8], number: usize) -> Packet {
    read(file, number)
        .unwrap_or_else(|error| panic!("{error}"))
        .0
}

#[track_caller]
fn check(link: u32, frame: &[u8], understood: &str) -> Packet {
    let packet = packet(&pcap(link, &[frame.to_vec()]), 1);
    assert_eq!(packet.words(), understood);
    packet
}

#[track_caller]
fn refused(file: &[u8], number: usize, message: &str) {
    assert_eq!(read(file, number).unwrap_err().to_string(), message);
}

const SYN: &str = "tcp from 203.0.113.9:40000 to 192.0.2.1:22 new syn length 44 ttl 64";

#[test]
fn every_link_type_gives_the_same_packet() {
    let ip = syn();
    check(101, &ip, SYN);
    check(228, &ip, SYN);
    check(0, &[&[2, 0, 0, 0], &ip[..]].concat(), SYN);
    let with_mac = format!("{SYN} mac 02:00:5e:10:00:02");
    check(1, &ethernet(0x0800, &ip), &with_mac);
    // The upper bits of the link type tell of a checksum behind the frame.
    check(0x5000_0001, &ethernet(0x0800, &ip), &with_mac);
    let cooked = [
        &[0, 0, 0, 1, 0, 6, 2, 0, 0x5e, 0x10, 0, 2, 0, 0, 8, 0],
        &ip[..],
    ]
    .concat();
    check(113, &cooked, &with_mac);
    let cooked2 = [
        &[
            8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0x5e, 0x10, 0, 2, 0, 0,
        ],
        &ip[..],
    ]
    .concat();
    check(276, &cooked2, &with_mac);
}

#[test]
fn both_byte_orders_and_both_clocks_are_read() {
    let little = pcap(101, &[syn()]);
    let mut nanoseconds = little.clone();
    nanoseconds[..4].copy_from_slice(&[0x4d, 0x3c, 0xb2, 0xa1]);
    assert_eq!(packet(&nanoseconds, 1).words(), SYN);
    let mut big = little;
    for word in [0, 4, 8, 12, 16, 20, 24, 28, 32, 36] {
        big[word..word + 4].reverse();
    }
    assert_eq!(packet(&big, 1).words(), SYN);
}

#[test]
fn a_vlan_tag_is_passed_and_said() {
    let tagged = ethernet(0x8100, &[&[0, 12, 8, 0], &syn()[..]].concat());
    let packet = check(1, &tagged, &format!("{SYN} mac 02:00:5e:10:00:02"));
    assert!(packet.notes.iter().any(|note| note.contains("VLAN 12")));
}

#[test]
fn what_goes_out_is_sent_by_this_host() {
    let cooked = [
        &[0, 4, 0, 1, 0, 6, 2, 0, 0x5e, 0x10, 0, 2, 0, 0, 8, 0],
        &syn()[..],
    ]
    .concat();
    assert_eq!(packet(&pcap(113, &[cooked]), 1).path, PacketPath::Output);
}

#[test]
fn pcapng_names_the_interface_and_the_direction() {
    let frame = ethernet(0x0800, &syn());
    let file = pcapng(
        1,
        "eth0",
        &[(frame.clone(), 1), (frame.clone(), 2), (frame, 0)],
    );
    let (first, summary) = read(&file, 1).unwrap();
    assert_eq!(first.input, PacketInterface::named("eth0"));
    assert_eq!(
        summary,
        "packet 1 on eth0: tcp from 203.0.113.9:40000 to 192.0.2.1:22 in eth0 new syn length 44 \
         ttl 64 mac 02:00:5e:10:00:02, 58 bytes"
    );
    let second = packet(&file, 2);
    assert_eq!(
        (second.path, second.output),
        (PacketPath::Output, PacketInterface::named("eth0"))
    );
    assert_eq!(packet(&file, 3).input, PacketInterface::Unknown);
}

#[test]
fn a_log_of_netfilter_has_mark_and_owner() {
    let mut frame = vec![2, 0, 0, 0];
    for (kind, value) in [
        (2_u16, vec![0, 0, 0, 7]),
        (11, vec![0, 0, 3, 0xe8]),
        (9, syn()),
    ] {
        frame.extend(u16::try_from(4 + value.len()).unwrap().to_le_bytes());
        frame.extend(kind.to_le_bytes());
        frame.extend(&value);
        frame.resize(frame.len().next_multiple_of(4), 0);
    }
    let packet = packet(&pcap(239, &[frame]), 1);
    assert_eq!(packet.known(Field::Mark), Some(7));
    assert_eq!(packet.known(Field::Uid), Some(1000));
    assert_eq!(packet.path, PacketPath::Output);
}

#[test]
fn only_the_first_fragment_has_ports() {
    let first = check(101, &ip4(6, 0x2000, THERE, HERE, &tcp(2)), SYN);
    assert_eq!(first.known(Field::Ip4FragmentOffset), Some(0x2000));
    check(
        101,
        &ip4(6, 0x0005, THERE, HERE, &tcp(2)),
        "tcp from 203.0.113.9 to 192.0.2.1 fragment length 44 ttl 64",
    );
    let fragment = |offset: u8| ip6(44, &[&[6, 0, 0, offset, 0, 0, 0, 1], &tcp(2)[..]].concat());
    check(
        101,
        &fragment(1),
        "tcp from [2001:db8::1]:40000 to [2001:db8::2]:22 new syn length 72 ttl 63",
    );
    check(
        101,
        &fragment(8),
        "tcp from 2001:db8::1 to 2001:db8::2 fragment length 72 ttl 63",
    );
}

#[test]
fn the_last_header_of_ipv6_is_the_protocol() {
    let options = ip6(
        0,
        &[
            &[60, 0, 1, 4, 0, 0, 0, 0, 58, 0, 1, 4, 0, 0, 0, 0],
            &[128, 0, 0, 0, 0, 9, 0, 1][..],
        ]
        .concat(),
    );
    let packet = check(
        101,
        &options,
        "icmpv6 from 2001:db8::1 to 2001:db8::2 new echo-request length 64 ttl 63",
    );
    assert_eq!(packet.known(Field::Ip6NextHeader), Some(0));
    assert_eq!(packet.known(Field::TrafficClass), Some(0xb8));
}

#[test]
fn what_was_cut_off_stays_unknown() {
    let cut = &syn()[..24];
    check(
        101,
        cut,
        "tcp from 203.0.113.9:40000 to 192.0.2.1:22 new length 44 ttl 64",
    );
    let mut file = pcap(101, &[cut.to_vec()]);
    file[36..40].copy_from_slice(&44_u32.to_le_bytes());
    let (_, summary) = read(&file, 1).unwrap();
    assert!(
        summary.ends_with("44 bytes, of which the capture left out 20"),
        "{summary}"
    );
}

#[test]
fn options_of_tcp_are_known_to_be_there_or_not() {
    let packet = check(101, &syn(), SYN);
    assert_eq!(packet.known(Field::TcpOption(2)), Some(1));
    assert_eq!(packet.known(Field::TcpOption(8)), Some(0));
    // The option is longer than the header.
    let mut broken = syn();
    broken[41] = 12;
    let packet = check(101, &broken, SYN);
    assert_eq!(packet.known(Field::TcpOption(2)), None);
}

#[test]
fn packets_before_tell_the_state() {
    let mut back = tcp(0x12);
    back[..4].copy_from_slice(&[0, 22, 0x9c, 0x40]);
    let answer = ip4(6, 0, HERE, THERE, &back);
    let unreachable = [&[3, 3, 0, 0, 0, 0, 0, 0], &syn()[..28]].concat();
    let error = ip4(1, 0, HERE, THERE, &unreachable);
    let file = pcap(101, &[syn(), answer, syn(), error]);
    let state = |number| {
        let packet = packet(&file, number);
        (packet.words(), packet.notes.last().cloned().unwrap())
    };
    assert!(state(1).0.contains(" new "));
    let (answer, note) = state(2);
    assert!(answer.contains(" established "), "{answer}");
    assert_eq!(
        note,
        "its state is taken as established: packet 1 went the other way"
    );
    assert!(state(3).0.contains(" established "));
    let (error, note) = state(4);
    assert_eq!(
        error,
        "icmp from 192.0.2.1 to 203.0.113.9 related type 3/3 length 56 ttl 64"
    );
    assert_eq!(
        note,
        "its state is taken as related: it speaks of the connection of packet 1"
    );
}

#[test]
fn what_begins_no_connection_is_not_new() {
    let alone = |flags: u8| {
        let packet = packet(&pcap(101, &[ip4(6, 0, THERE, HERE, &tcp(flags))]), 1);
        packet.known(Field::CtState)
    };
    for flags in [0x02, 0x10, 0xc2, 0x18] {
        assert_eq!(alone(flags), Some(ct_state::NEW), "{flags:#x}");
    }
    for flags in [0x12, 0x04, 0x14, 0x03, 0x00, 0x29, 0x11] {
        assert_eq!(alone(flags), Some(ct_state::INVALID), "{flags:#x}");
    }
    let icmp = |kind: u8| {
        let message = [kind, 4, 0, 0, 0, 0, 0, 0];
        let packet = packet(&pcap(101, &[ip4(1, 0, THERE, HERE, &message)]), 1);
        packet.known(Field::CtState)
    };
    assert_eq!(icmp(8), Some(ct_state::NEW));
    for kind in [0, 3, 5, 11, 99] {
        assert_eq!(icmp(kind), Some(ct_state::INVALID), "{kind}");
    }
    // Of its connection, the capture holds one end only.
    let file = pcap(101, &[syn(), ip4(6, 0, THERE, HERE, &tcp(0x11))]);
    assert_eq!(
        packet(&file, 2).known(Field::CtState),
        Some(ct_state::ESTABLISHED)
    );
}

#[test]
fn behind_an_authentication_header_of_ipv6_nothing_is_certain() {
    let authentication = [6, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1].iter();
    let authentication = authentication.chain(&[0; 12]).copied();
    let mut bytes = vec![0x60, 0, 0, 0, 0, 44, 51, 64];
    bytes.extend([0xfd; 32]);
    bytes.extend(authentication);
    bytes.extend(tcp(2));
    let packet = packet(&pcap(101, &[bytes]), 1);
    assert_eq!(packet.known(Field::Ip6NextHeader), Some(51));
    for field in [Field::L4Proto, Field::DstPort] {
        assert_eq!(packet.get(field), FieldValue::Unknown, "{field:?}");
    }
}

#[test]
fn words_add_what_a_capture_does_not_hold() {
    let captured = packet(&pcap(101, &[syn()]), 1);
    let words: Vec<String> = ["in", "eth0", "out", "eth1", "established"]
        .map(str::to_owned)
        .into();
    let added = words::add_to(captured, &words)
        .unwrap()
        .settle(&Surroundings::default());
    assert_eq!(added.path, PacketPath::Forward);
    assert_eq!(
        added.words(),
        "tcp from 203.0.113.9:40000 to 192.0.2.1:22 in eth0 out eth1 established syn length 44 \
         ttl 64 dscp 4"
    );
    assert!(
        !added.notes.iter().any(|note| note.contains("state")),
        "{:?}",
        added.notes
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    refused(b"", 1, "the file is too short for a capture (at byte 0)");
    refused(
        b"hello world",
        1,
        "neither a pcap nor a pcapng file (at byte 0)",
    );
    assert_eq!(
        read(&[0x1f, 0x8b, 8, 0], 1).unwrap_err().hint.unwrap(),
        "it is compressed: unpack it first"
    );
    let file = pcap(101, &[syn()]);
    refused(&file, 0, "packets are counted from 1");
    refused(&file, 2, "there is no packet 2: the capture holds 1 packet");
    refused(
        &file[..60],
        1,
        "the capture ends inside a packet (at byte 24)",
    );
    refused(
        &pcap(1, &[ethernet(0x0806, &[0; 28])]),
        1,
        "an ARP packet: the rules for IP do not see it",
    );
    refused(
        &pcap(147, &[syn()]),
        1,
        "packets of link type 147 are not read",
    );
    refused(
        &pcap(101, &[vec![0x75, 0, 0]]),
        1,
        "no IP packet: its version is 7",
    );
    refused(
        &pcap(101, &[syn()[..10].to_vec()]),
        1,
        "too little of the packet was captured for its IP header",
    );
}

#[test]
fn no_bytes_make_the_reader_panic() {
    let quoted = [&[3, 1, 0, 0, 0, 0, 0, 0], &syn()[..]].concat();
    let files = [
        pcap(
            1,
            &[ethernet(0x8100, &[&[0, 1, 8, 0], &syn()[..]].concat())],
        ),
        pcap(101, &[syn(), ip4(1, 0, HERE, THERE, &quoted)]),
        pcap(
            101,
            &[ip6(44, &[&[6, 0, 0, 1, 0, 0, 0, 1], &tcp(2)[..]].concat())],
        ),
        pcapng(
            1,
            "eth0",
            &[
                (ethernet(0x0800, &syn()), 1),
                (ethernet(0x86dd, &ip6(51, &[58, 4, 0, 0, 0, 0, 0, 0])), 2),
            ],
        ),
        pcap(239, &[vec![2, 0, 0, 0, 5, 0, 9, 0, 0x45, 0, 0, 0]]),
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    let mut understood = 0;
    for file in &files {
        for _ in 0..4000 {
            let mut bytes = file.clone();
            for _ in 0..=next(4) {
                let at = next(bytes.len());
                match next(4) {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at, [0, 1, 0xff, 0x7f][next(4)]),
                    _ if !bytes.is_empty() => bytes[at] = u8::try_from(next(256)).unwrap(),
                    _ => {}
                }
            }
            for number in 1..=2 {
                if let Ok((packet, _)) = read(&bytes, number) {
                    understood += 1;
                    let _ = packet.settle(&Surroundings::default()).words();
                }
            }
        }
    }
    assert!(understood > 4000, "only {understood} were understood");
}
