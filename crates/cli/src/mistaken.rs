//! Recognises a file that was given in the wrong place: the output of a similar command, a
//! capture where rules belong, rules where a capture belongs. The error then says what to type
//! instead.

use crate::error::Failure;

/// Bytes that are enough to know a text by.
pub(crate) const ENOUGH: usize = 64 * 1024;

/// What was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Firewall rules.
    Rules,
    /// A capture of a machine's facts.
    Facts,
    /// A capture of packets.
    Packets,
}

/// What a file is instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Facts,
    Gzip,
    Packets,
    Rules,
    IptablesCommands { v6: bool },
    IptablesList { v6: bool },
    NftTables,
    IpsetList,
    Wrapper,
}

/// The refusal of a file that is something else than was expected; none if it may be right.
pub(crate) fn mistaken(expected: Expected, shown: &str, bytes: &[u8]) -> Option<Failure> {
    let head = bytes.get(..ENOUGH).unwrap_or(bytes);
    let (what, hints) = words(expected, kind(head)?, shown)?;
    let failure = Failure::input(format!("`{shown}` {what}"));
    Some(hints.into_iter().fold(failure, Failure::hint))
}

fn words(expected: Expected, kind: Kind, shown: &str) -> Option<(&'static str, Vec<String>)> {
    let save = |v6: bool| {
        let programs = if v6 {
            "run `ip6tables-save > FILE`"
        } else {
            "run `iptables-save > FILE` (for IPv6 `ip6tables-save > FILE`)"
        };
        vec![format!(
            "{programs} and give that file: it holds every table, with its policies"
        )]
    };
    let path = match shown {
        "standard input" => "-",
        path => path,
    };
    Some(match (kind, expected) {
        (Kind::Facts, Expected::Facts)
        | (Kind::Packets, Expected::Packets)
        | (Kind::Rules, Expected::Rules)
        | (Kind::Gzip, Expected::Facts | Expected::Packets) => return None,
        (Kind::Facts, _) => (
            "is a capture of a machine's facts",
            vec![format!("give it with `--facts {path}`")],
        ),
        (Kind::Gzip, Expected::Rules) => (
            "is compressed",
            vec![
                format!("a capture of a machine's facts is given with `--facts {path}`"),
                format!("rules are unpacked first: `zcat {path}`, with `-` as the file"),
            ],
        ),
        (Kind::Packets, _) => (
            "is a capture of packets",
            vec![format!(
                "`surefoot firewall explain --pcap {path}` reads one"
            )],
        ),
        (Kind::Rules, _) => (
            "holds firewall rules",
            vec![
                format!("`surefoot firewall check {path}` and `firewall show {path}` read them"),
                format!("for `firewall explain` and `why-not` give them with `--rules {path}`"),
            ],
        ),
        (Kind::IptablesCommands { v6 }, _) => (
            "holds rules without their tables, as `iptables -S` prints them",
            save(v6),
        ),
        (Kind::IptablesList { v6 }, _) => (
            "is what `iptables -L` prints: a table for people, in which half of each rule is missing",
            save(v6),
        ),
        (Kind::NftTables, _) => (
            "names tables and holds no rules, as `nft list tables` prints them",
            vec!["run `nft list ruleset > FILE` and give that file".to_owned()],
        ),
        (Kind::IpsetList, _) => (
            "is what `ipset list` prints",
            vec!["run `ipset save > FILE` and give that file".to_owned()],
        ),
        (Kind::Wrapper, _) => (
            "is the summary of a firewall wrapper and not the rules that it makes",
            vec![
                "run `iptables-save > FILE` or `nft list ruleset > FILE` and give that file"
                    .to_owned(),
            ],
        ),
    })
}

fn kind(head: &[u8]) -> Option<Kind> {
    const PCAP: [&[u8]; 5] = [
        &[0xd4, 0xc3, 0xb2, 0xa1],
        &[0xa1, 0xb2, 0xc3, 0xd4],
        &[0x4d, 0x3c, 0xb2, 0xa1],
        &[0xa1, 0xb2, 0x3c, 0x4d],
        &[0x0a, 0x0d, 0x0d, 0x0a],
    ];
    if PCAP.iter().any(|magic| head.starts_with(magic)) {
        return Some(Kind::Packets);
    }
    if head.starts_with(&[0x1f, 0x8b]) {
        return Some(Kind::Gzip);
    }
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with('{') {
        return if text.contains("\"surefoot_capture\"") {
            Some(Kind::Facts)
        } else {
            text.contains("\"nftables\"").then_some(Kind::Rules)
        };
    }
    let lines = || {
        let lines = text.lines().map(str::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
    };
    let first = lines().next()?;
    let v6 = text.contains("ipv6-icmp") || text.contains("icmp6") || text.contains("::/0");
    let any = |starts: &str| lines().any(|line| line.starts_with(starts));
    if first.starts_with("Chain ") && (first.contains("(policy ") || first.contains("references)"))
    {
        return Some(Kind::IptablesList { v6 });
    }
    if first.starts_with("Name: ") && any("Type: ") {
        return Some(Kind::IpsetList);
    }
    if ["Status: active", "Status: inactive", "Firewall is "]
        .iter()
        .any(|start| first.starts_with(start))
        || any("services: ") && any("masquerade: ")
    {
        return Some(Kind::Wrapper);
    }
    if any("*") || any("create ") || any("iptables") || any("ip6tables") {
        return Some(Kind::Rules);
    }
    if ["-P ", "-N ", "-A "]
        .iter()
        .any(|start| first.starts_with(start))
    {
        return Some(Kind::IptablesCommands { v6 });
    }
    let table = |line: &str| line.starts_with("table ") && line.split_whitespace().count() == 3;
    if lines().all(|line| table(line) && !line.contains(['{', '}', ';'])) {
        return Some(Kind::NftTables);
    }
    (any("table ") || any("add table ") || first.starts_with("flush ruleset"))
        .then_some(Kind::Rules)
}

#[cfg(test)]
mod tests {
    use super::{Expected, mistaken};

    #[track_caller]
    fn refused(expected: Expected, bytes: &[u8], part: &str) {
        let failure = mistaken(expected, "F", bytes).expect("it is refused");
        let message = failure.message().expect("it says why");
        assert!(message.contains(part), "{message}");
        assert_eq!(failure.status(), 2);
    }

    #[track_caller]
    fn passes(expected: Expected, bytes: &[u8]) {
        assert!(mistaken(expected, "F", bytes).is_none());
    }

    #[test]
    fn the_output_of_the_command_next_door_is_known() {
        let rules = |bytes: &[u8], part| refused(Expected::Rules, bytes, part);
        rules(
            b"-P INPUT ACCEPT\n-A INPUT -j DROP\n",
            "`iptables-save > FILE`",
        );
        rules(
            b"-N f2b\n-A f2b -p ipv6-icmp -j DROP\n",
            "`ip6tables-save > FILE`",
        );
        rules(
            b"Chain INPUT (policy ACCEPT 3 packets, 90 bytes)\n pkts bytes target\n",
            "`iptables -L`",
        );
        rules(b"Chain f2b (1 references)\n", "`iptables-save > FILE`");
        rules(
            b"table inet filter\ntable ip nat\n",
            "`nft list ruleset > FILE`",
        );
        rules(b"Name: ban\nType: hash:ip\n", "`ipset save > FILE`");
        rules(b"Status: active\n\nTo  Action  From\n", "wrapper");
    }

    #[test]
    fn a_file_for_another_option_names_the_option() {
        let capture = b"{\n \"surefoot_capture\": 1}";
        refused(Expected::Rules, capture, "`--facts F`");
        refused(Expected::Packets, capture, "`--facts F`");
        refused(Expected::Rules, &[0x1f, 0x8b, 8], "`--facts F`");
        refused(Expected::Rules, &[0xd4, 0xc3, 0xb2, 0xa1], "--pcap F`");
        for rules in [
            b"*filter\nCOMMIT\n".as_slice(),
            b"# x\ntable ip x {\n}\n",
            b"{\"nftables\": []}",
            b"create ban hash:ip\nadd ban 192.0.2.1\n",
        ] {
            refused(Expected::Facts, rules, "`--rules F`");
            refused(Expected::Packets, rules, "`--rules F`");
            passes(Expected::Rules, rules);
        }
        passes(Expected::Facts, capture);
        passes(Expected::Facts, &[0x1f, 0x8b, 8]);
        passes(Expected::Packets, &[0xa1, 0xb2, 0xc3, 0xd4]);
    }

    #[test]
    fn what_is_not_known_is_left_to_the_parser() {
        for text in ["", "#!/bin/sh\niptables -P INPUT DROP\n", "define x = 1\n"] {
            passes(Expected::Rules, text.as_bytes());
        }
        passes(Expected::Facts, b"{}");
    }
}
