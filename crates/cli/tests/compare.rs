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
    assert!(ran.err.contains("1 rule and 0 chains can go"), "{ran:?}");
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
