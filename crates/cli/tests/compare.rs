//! Rule sets compared with each other, with what a flush leaves, and by who reaches what.

mod common;

use common::{Ran, run};

const OLD: &str = "\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A INPUT -s 10.0.0.0/8 -p tcp --dport 22 -j ACCEPT
-A INPUT -p tcp -m multiport --dports 80,443 -j ACCEPT
COMMIT
";
/// The same in other words, but for port 8080.
const NEW: &str = "\
table ip filter {
	chain input {
		type filter hook input priority filter; policy drop;
		iifname \"lo\" accept
		ct state established,related accept
		ip saddr 10.0.0.0/8 tcp dport 22 accept
		tcp dport { 80, 443, 8080 } accept
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}
";

fn on_files(words: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let same = NEW.replace(", 8080", "");
    let texts = [("OLD", OLD), ("NEW", NEW), ("SAME", same.as_str())];
    let paths: Vec<(&str, String)> = texts
        .iter()
        .map(|(name, text)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("it is ours");
            (*name, path.display().to_string())
        })
        .collect();
    let words: Vec<&str> = words
        .iter()
        .map(|word| {
            let path = paths.iter().find(|(name, _)| name == word);
            path.map_or(*word, |(_, path)| path.as_str())
        })
        .collect();
    run(&words)
}

#[test]
fn rule_sets_are_compared_across_formats() {
    let ran = on_files(&["firewall", "diff", "OLD", "SAME"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.out.starts_with("equal"), "{ran:?}");
    let ran = on_files(&["firewall", "diff", "OLD", "NEW"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.out.contains("dropped → accepted"), "{ran:?}");
    assert!(
        ran.out.contains("- tcp to port 8080 not in lo invalid,new"),
        "{ran:?}"
    );
    let ran = on_files(&[
        "firewall",
        "diff",
        "--only",
        "not to port 8080",
        "OLD",
        "NEW",
    ]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let ran = on_files(&["firewall", "diff", "--format", "json", "OLD", "NEW"]);
    let json: serde_json::Value = serde_json::from_str(&ran.out).expect("it is JSON");
    assert_eq!(json["answer"]["verdict"], "different");
    let ran = on_files(&["firewall", "diff", "--only", "tpc", "OLD", "NEW"]);
    assert_eq!(ran.status, 2, "{ran:?}");
    let ran = on_files(&["firewall", "diff", "--live", "OLD", "NEW"]);
    assert_eq!(ran.status, 2, "{ran:?}");
}

#[test]
fn a_flush_is_told_beforehand() {
    let ran = on_files(&["firewall", "flush", "--dry-run", "--rules", "OLD"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    let shut = ran.out.find("iptables -F\n  what is cut off:");
    let open = ran
        .out
        .find("iptables -P INPUT ACCEPT; iptables -P FORWARD ACCEPT; iptables -F\n");
    assert!(shut.is_some() && shut < open, "{ran:?}");
    let ran = on_files(&["firewall", "flush", "--rules", "OLD"]);
    assert_eq!(ran.status, 2, "nothing is flushed: {ran:?}");
}

#[test]
fn who_reaches_what_is_a_row_for_each_kind_of_source() {
    let ran = on_files(&["firewall", "reach", "--rules", "OLD"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let row = "  from 10.0.0.0/8 not in lo\n    open:    tcp 22 (ssh); tcp 80 (http), 443 (https)";
    assert!(ran.out.contains(row), "{ran:?}");
    let ran = on_files(&["firewall", "reach", "--rules", "OLD", "--format", "svg"]);
    assert!(ran.out.starts_with("<svg"), "{ran:?}");
    assert!(
        ran.out
            .contains("from 10.0.0.0/8 not in lo: tcp 22 (ssh), open")
    );
}

#[test]
fn a_smaller_rule_set_is_written_and_does_the_same() {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let path = folder.path().join("rules");
    let dead = "-A INPUT -p tcp --dport 80 -s 10.0.0.1 -j DROP\n";
    let long = OLD.replace("COMMIT\n", &format!("{dead}COMMIT\n"));
    std::fs::write(&path, &long).expect("it is ours");
    let path = path.to_str().expect("its name is text");
    let ran = run(&["firewall", "simplify", path]);
    assert_eq!((ran.status, ran.out.as_str()), (0, OLD), "{ran:?}");
    assert!(
        ran.err.contains("1 rule and 0 chains can be removed"),
        "{ran:?}"
    );
    assert!(ran.err.contains("rule 4 of filter INPUT"), "{ran:?}");
}

/// Rules that the wrong set of packets passes if a set is taken to have room, or to stay as it is.
const FULL: &str = "\
table ip filter {
	set seen {
		type ipv4_addr
		size 2
		flags dynamic
	}
	chain input {
		type filter hook input priority filter; policy accept;
		tcp dport 22 add @seen { ip saddr } accept
		tcp dport 22 drop
	}
}
";

#[test]
fn no_command_takes_a_set_to_have_room() {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("it can be written");
        path.display().to_string()
    };
    let full = write("full.nft", FULL);
    let without = FULL.replace("\t\ttcp dport 22 drop\n", "");
    let without = write("without.nft", &without);
    let packet = ["tcp", "from", "203.0.113.9", "to", ":22", "in", "eth0"];
    let ran = run(&[&["firewall", "explain", "--rules", &full], &packet[..]].concat());
    assert!(
        ran.out.contains("\npossibly accepted or dropped\n"),
        "{ran:?}"
    );
    let sentence = "tcp to :22 in eth0 is accepted";
    let ran = run(&["firewall", "prove", "--rules", &full, sentence]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.out.starts_with("not proved"), "{ran:?}");
    let ran = run(&["firewall", "diff", &full, &without]);
    assert_eq!(ran.status, 1, "{ran:?}");
    let ran = run(&["firewall", "simplify", &full]);
    assert!(ran.out.contains("tcp dport 22 drop"), "{ran:?}");
    let ran = run(&["firewall", "check", "--format", "json", &full]);
    assert!(!ran.out.contains("FW022"), "{ran:?}");
    assert!(!ran.out.contains("FW025"), "{ran:?}");
}

fn compared(old: &str, new: &str, more: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let paths = [("old", old), ("new", new)].map(|(name, text)| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("it is ours");
        path.display().to_string()
    });
    let words = ["firewall", "diff", paths[0].as_str(), paths[1].as_str()];
    run(&[&words[..], more].concat())
}

fn filter(rules: &str) -> String {
    format!(
        "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n{rules}COMMIT\n"
    )
}

#[test]
fn what_packets_leave_behind_for_later_ones_is_compared() {
    let knock = "-A INPUT -p tcp --dport 22 -m recent --rcheck --name k -j ACCEPT\n";
    let limit = |port: u16, to: &str| {
        format!(
            "-A INPUT -p tcp --dport {port} -m hashlimit --hashlimit-upto 5/sec --hashlimit-name a --hashlimit-mode srcip -j {to}\n"
        )
    };
    let sets = |rule: &str| {
        format!(
            "table ip t {{\n set s {{ type ipv4_addr; flags dynamic,timeout; timeout 1m; }}\n chain input {{ type filter hook input priority 0; policy drop;\n  tcp dport 22 ip saddr @s accept\n{rule} }}\n}}\n"
        )
    };
    let raw = |rule: &str| {
        format!(
            "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{rule}COMMIT\n{}",
            filter("-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\n")
        )
    };
    let pairs = [
        (
            filter(&format!(
                "{knock}-A INPUT -p tcp --dport 4000 -m recent --set --name k -j DROP\n"
            )),
            filter(&format!("{knock}-A INPUT -p tcp --dport 4000 -j DROP\n")),
            "the list `k` of `recent`",
        ),
        (
            filter(&(limit(22, "ACCEPT") + &limit(23, "DROP"))),
            filter(&(limit(22, "ACCEPT") + "-A INPUT -p tcp --dport 23 -j DROP\n")),
            "the buckets `a` of `hashlimit`",
        ),
        (
            sets("  tcp dport 4000 add @s { ip saddr }\n"),
            sets("  tcp dport 4001 add @s { ip saddr }\n"),
            "the set `s`",
        ),
        (
            raw("-A PREROUTING -i eth0 -j CT --zone 1\n"),
            raw(""),
            "the zones of connection tracking",
        ),
        (
            raw("-A PREROUTING -p tcp --dport 21 -j CT --helper ftp\n"),
            raw(""),
            "the helpers of connection tracking",
        ),
    ];
    for (old, new, memory) in &pairs {
        for (old, new) in [(old, new), (new, old)] {
            let ran = compared(old, new, &[]);
            assert_eq!(ran.status, 1, "{ran:?}");
            assert!(ran.out.starts_with("possibly different"), "{ran:?}");
            assert!(ran.out.contains(memory), "{ran:?}");
        }
        // The same rules in another order of chains and with a comment are equal.
        let commented = old.replace("-j DROP", "-m comment --comment x -j DROP");
        let ran = compared(old, &commented, &[]);
        assert_eq!(ran.status, 0, "{ran:?}");
    }
    // What nothing asks may differ.
    let only_written =
        |rule: &str| filter(&format!("-A INPUT -p tcp --dport 4000 {rule}-j DROP\n"));
    let ran = compared(
        &only_written("-m recent --set --name k "),
        &only_written(""),
        &[],
    );
    assert_eq!(ran.status, 0, "{ran:?}");
}

#[test]
fn the_form_of_a_refusal_counts_if_that_is_asked_for() {
    let refused = |with: &str| {
        filter(&format!(
            "-A INPUT -p udp -j REJECT\n-A INPUT -p tcp --dport 22 -j REJECT --reject-with {with}\n"
        ))
    };
    let (reset, unreachable) = (refused("tcp-reset"), refused("icmp-port-unreachable"));
    let ran = compared(&reset, &unreachable, &[]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(
        ran.out.contains("left out, as no verdict depends on it"),
        "{ran:?}"
    );
    assert!(ran.out.contains("refused with tcp reset"), "{ran:?}");
    let ran = compared(&reset, &unreachable, &["--strict"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.out.starts_with("different"), "{ran:?}");
    assert!(ran.out.contains("tcp to port 22"), "{ran:?}");
    // nft's words for the same answers.
    let nft = "table ip filter {\n chain input { type filter hook input priority 0; policy drop;\n  meta l4proto udp reject\n  tcp dport 22 reject with tcp reset\n }\n chain forward { type filter hook forward priority 0; policy drop; }\n}\n";
    let ran = compared(&reset, nft, &["--strict"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let mss = |to: &str| {
        format!(
            "*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS {to}\nCOMMIT\n"
        )
    };
    let ran = compared(&mss("--set-mss 1400"), &mss("--clamp-mss-to-pmtu"), &[]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.out.contains("TCPMSS"), "{ran:?}");
    let ran = compared(
        &mss("--set-mss 1400"),
        &mss("--clamp-mss-to-pmtu"),
        &["--strict"],
    );
    assert_eq!(ran.status, 1, "{ran:?}");
}

fn nft(inside: &str, rules: &str) -> String {
    format!(
        "table ip t {{\n{inside}\n chain i {{\n  type filter hook input priority 0; policy drop\n{rules}\n }}\n}}\n"
    )
}

/// Rules that give the kernel's packets another end, each seen in the kernel to do so for packets that
/// come after others, or at once.
#[test]
fn what_a_rule_names_and_when_it_is_run_count() {
    let limited = "limit name \"l\" accept";
    let quota = "quota name \"q\" drop\naccept";
    let set = |inside: &str| format!("set s {{ type ipv4_addr; flags dynamic,timeout; {inside} }}");
    let filled = "ip saddr @s accept\ntcp dport 1 add @s { ip saddr }";
    let seen = "tcp dport 2 ip saddr @s accept";
    let asking =
        |inside: &str| format!("set s {{ type ipv4_addr; {inside} elements = {{ 10.9.0.1 }}; }}");
    let pairs = [
        // The order in one rule: which packets a limit counts.
        (
            nft(
                "",
                "tcp dport 22 limit rate 3/minute burst 2 packets accept",
            ),
            nft(
                "",
                "limit rate 3/minute burst 2 packets tcp dport 22 accept",
            ),
        ),
        (
            filter("-A INPUT -p tcp -m limit --limit 1/min -m tcp --dport 22 -j ACCEPT\n"),
            filter("-A INPUT -p tcp -m tcp --dport 22 -m limit --limit 1/min -j ACCEPT\n"),
        ),
        // What named objects do.
        (
            nft("limit l { rate 1/second; }", limited),
            nft("limit l { rate 1000/second; }", limited),
        ),
        (
            nft("quota q { over 300 bytes; }", quota),
            nft("quota q { over 1000 mbytes; }", quota),
        ),
        // How long elements stay, how many there can be, what they ask.
        (
            nft(&set("timeout 1s;"), filled),
            nft(&set("timeout 1h;"), filled),
        ),
        (nft(&set("size 1;"), filled), nft(&set("size 100;"), filled)),
        (
            nft(&set("elements = { 10.9.0.1 timeout 1m };"), seen),
            nft(&set("elements = { 10.9.0.1 timeout 1h };"), seen),
        ),
        (
            nft(&asking("limit rate 1/hour;"), seen),
            nft(&asking(""), seen),
        ),
        (
            nft(&asking("ct count over 2;"), seen),
            nft(&asking("ct count over 1000;"), seen),
        ),
        // The order of what is done at one place, and how often.
        (
            nft(
                &set(""),
                "tcp dport 1 add @s { ip saddr }\ntcp dport 1 delete @s { ip saddr }\nip saddr @s accept",
            ),
            nft(
                &set(""),
                "tcp dport 1 delete @s { ip saddr }\ntcp dport 1 add @s { ip saddr }\nip saddr @s accept",
            ),
        ),
        (
            nft(
                &set(""),
                "tcp dport 1 add @s { ip saddr }\ntcp dport 1 ip saddr @s accept",
            ),
            nft(
                &set(""),
                "tcp dport 1 ip saddr @s accept\ntcp dport 1 add @s { ip saddr }",
            ),
        ),
        (
            filter(
                "-A INPUT -m recent --rcheck --name x -j ACCEPT\n-A INPUT -p tcp --dport 1 -m recent --set --name x\n-A INPUT -p tcp --dport 1 -m recent --remove --name x\n",
            ),
            filter(
                "-A INPUT -m recent --rcheck --name x -j ACCEPT\n-A INPUT -p tcp --dport 1 -m recent --remove --name x\n-A INPUT -p tcp --dport 1 -m recent --set --name x\n",
            ),
        ),
        (
            filter(
                "-A INPUT -p tcp --dport 1 -m recent --set --name x\n-A INPUT -p tcp --dport 1 -m recent --set --name x\n-A INPUT -m recent --rcheck --hitcount 2 --name x -j ACCEPT\n",
            ),
            filter(
                "-A INPUT -p tcp --dport 1 -m recent --set --name x\n-A INPUT -m recent --rcheck --hitcount 2 --name x -j ACCEPT\n",
            ),
        ),
        // What is written and asked of a packet beside what is modelled.
        (
            nft(
                "chain p { type filter hook prerouting priority 0; tcp dport 22 ct label set 1; }",
                "ct label 1 accept",
            ),
            nft("", "ct label 1 accept"),
        ),
        (
            filter(
                "-A INPUT -p tcp --dport 1 -m connlabel --label 1 --set\n-A INPUT -m connlabel --label 1 -j ACCEPT\n",
            ),
            filter("-A INPUT -m connlabel --label 1 -j ACCEPT\n"),
        ),
        (
            nft(
                "",
                "tcp option maxseg size set 100\ntcp option maxseg size 100 drop\naccept",
            ),
            nft(
                "",
                "tcp option maxseg size 100 drop\ntcp option maxseg size set 100\naccept",
            ),
        ),
        (
            nft(
                "",
                "reset tcp option maxseg\ntcp option maxseg exists drop\naccept",
            ),
            nft(
                "",
                "tcp option maxseg exists drop\nreset tcp option maxseg\naccept",
            ),
        ),
        // By which address something is kept: before or after it is rewritten.
        (keyed(-150), keyed(-50)),
    ];
    let mut equal = Vec::new();
    for (old, new) in &pairs {
        for (old, new) in [(old, new), (new, old)] {
            let ran = compared(old, new, &[]);
            if ran.status != 1 {
                equal.push(format!("{old}\n{new}\n{ran:?}"));
            }
        }
        let ran = compared(old, &format!("{old}\n"), &[]);
        assert_eq!(ran.status, 0, "{old}\n{ran:?}");
    }
    assert!(equal.is_empty(), "{}", equal.join("\n\n"));
}

fn keyed(priority: i32) -> String {
    format!(
        "table ip t {{\n set s {{ type ipv4_addr; flags dynamic; }}\n chain d {{ type nat hook prerouting priority -100; tcp dport 1 dnat to 10.9.0.9; }}\n chain a {{ type filter hook prerouting priority {priority}; tcp dport 1 add @s {{ ip daddr }}; }}\n chain i {{ type filter hook input priority 0; policy drop; ip daddr @s accept; }}\n}}\n"
    )
}

/// Rules that do the same in other words.
#[test]
fn other_spellings_of_what_a_rule_names_are_equal() {
    let limited = "limit name \"l\" accept";
    let quota = "quota name \"q\" drop\naccept";
    let set = |inside: &str| format!("set s {{ type ipv4_addr; flags dynamic; {inside} }}");
    let filled = "ip saddr @s accept\ntcp dport 1 add @s { ip saddr }";
    for (old, new) in [
        (
            nft("limit l { rate 1/second; }", limited),
            nft(
                "limit l { rate 1/second burst 5 packets; }\n counter c { packets 3 bytes 180; }",
                limited,
            ),
        ),
        (
            nft("quota q { over 2 mbytes; }", quota),
            nft("quota q { over 2048 kbytes used 12 bytes; }", quota),
        ),
        (
            nft(&set("timeout 90s;"), filled),
            nft(
                &set("size 65535; timeout 1m30s; elements = { 10.0.0.1 expires 3s };"),
                filled,
            ),
        ),
    ] {
        let ran = compared(&old, &new, &[]);
        assert_eq!(ran.status, 0, "{old}\n{new}\n{ran:?}");
    }
}
