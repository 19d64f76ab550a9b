//! Rule sets that were once answered with confidence and wrongly: by every command that can be asked.
//! What the kernel does with their like is in the kernel tests (rule sets 37 to 39).

mod common;

use common::{Ran, run};

/// A packet, in the words of `explain`.
const SSH: &[&str] = &[
    "tcp",
    "from",
    "203.0.113.9",
    "to",
    "192.0.2.1:22",
    "in",
    "eth0",
];

struct RuleFile {
    _folder: tempfile::TempDir,
    path: String,
}

fn rule_file(rules: &str) -> RuleFile {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let path = folder.path().join("rules");
    std::fs::write(&path, rules).expect("it can be written");
    let path = path.display().to_string();
    RuleFile {
        _folder: folder,
        path,
    }
}

fn input_chain(policy: &str, rules: &str) -> String {
    format!(
        "table ip t {{\n chain input {{\n  type filter hook input priority 0; policy {policy};\n{rules}\n }}\n}}\n"
    )
}

impl RuleFile {
    fn ask(&self, command: &str, words: &[&str]) -> Ran {
        let before = ["firewall", command, "--rules", &self.path];
        run(&[&before[..], words].concat())
    }

    /// No command is certain of what becomes of ssh, and none calls a rule idle.
    #[track_caller]
    fn is_open(&self) {
        let ran = self.ask("explain", SSH);
        assert!(!ran.out.contains("certainly"), "{ran:?}");
        for verdict in ["accepted", "dropped"] {
            let sentence = format!("tcp to :22 in eth0 is {verdict}");
            let ran = self.ask("prove", &[&sentence]);
            assert_eq!(ran.status, 1, "{ran:?}");
            assert!(ran.out.starts_with("not proved"), "{ran:?}");
        }
        let ran = self.ask("reach", &["tcp", "to", ":22"]);
        assert!(ran.out.contains("partly"), "{ran:?}");
        self.calls_nothing_idle();
    }

    #[track_caller]
    fn calls_nothing_idle(&self) {
        let ran = run(&["firewall", "check", "--format", "json", &self.path]);
        for code in ["FW022", "FW025", "FW026", "FW027"] {
            assert!(!ran.out.contains(code), "{code}: {ran:?}");
        }
    }
}

#[test]
fn a_map_of_verdicts_with_a_strange_key_may_decide() {
    for rules in [
        "ip protocol . meta cpu vmap { udp . 0 : drop, tcp . 0 : accept }",
        "meta iifgroup 0 tcp dport vmap { 22 : accept, 80 : drop }",
        "tcp dport 22 meta iifgroup vmap @groups comment \"by group\"",
        "fib daddr . iif type vmap { blackhole : drop, local : accept }",
    ] {
        rule_file(&input_chain("drop", rules)).is_open();
    }
    let accepting = "meta iifgroup 0 tcp dport vmap { 22 : drop, 80 : accept }";
    rule_file(&input_chain("accept", accepting)).is_open();
}

#[test]
fn a_mark_that_may_have_been_set_is_unknown() {
    let rules = "meta iifgroup 0 meta mark set 5 counter\n  meta mark 5 tcp dport 22 drop";
    rule_file(&input_chain("accept", rules)).is_open();
    let rules = "meta mark set tcp sport map { 1-65535 : 5 } comment \"by port\"\n  meta mark 5 tcp dport 22 drop";
    rule_file(&input_chain("accept", rules)).is_open();
}

#[test]
fn nat_through_a_map_of_addresses_and_ports_rewrites() {
    let file = rule_file(
        "table ip t {
 chain pre { type nat hook prerouting priority dstnat; policy accept;
  iifname \"eth0\" dnat ip addr . port to tcp dport map { 80 : 203.0.113.5 . 8080 }
 }
 chain forward { type filter hook forward priority filter; policy drop;
  ct status dnat counter accept
 }
}
",
    );
    file.calls_nothing_idle();
    let sentence = "forwarded state any is decided by rule 1 of ip t forward";
    let ran = file.ask("find", &[sentence]);
    assert!(ran.out.starts_with("there may be one"), "{ran:?}");
    let ran = run(&["firewall", "simplify", &file.path]);
    assert!(ran.out.contains("ct status dnat counter accept"), "{ran:?}");
    let ran = run(&["firewall", "diff", &file.path, &file.path]);
    assert_eq!(ran.status, 0, "a file is equal to itself: {ran:?}");
}

#[test]
fn numbers_with_a_leading_zero_are_octal() {
    let file = rule_file(&input_chain("accept", "tcp dport 026 drop"));
    let ran = file.ask("explain", SSH);
    assert!(ran.out.contains("\ndropped, certainly\n"), "{ran:?}");
    let ran = file.ask("prove", &["tcp to :26 in eth0 is accepted"]);
    assert_eq!(ran.status, 0, "{ran:?}");
}

#[test]
fn a_nat_chain_runs_at_the_priority_of_nat() {
    let file = rule_file(
        "table ip nat {
 chain pre { type nat hook prerouting priority 0; policy accept;
  tcp dport 22 dnat to 10.9.0.1
 }
}
table ip filter {
 chain mid { type filter hook prerouting priority -50; policy accept; ip daddr 10.9.0.1 tcp dport 22 drop; }
}
",
    );
    let packet = [SSH, &["out", "eth1"]].concat();
    let ran = file.ask("explain", &packet);
    assert!(ran.out.contains("\ndropped, certainly\n"), "{ran:?}");
    file.calls_nothing_idle();
}

#[test]
fn a_chain_at_the_priority_of_connection_tracking_may_run_before_it() {
    let file = rule_file(
        "table ip t {
 chain pre { type filter hook prerouting priority -200; policy accept;
  ct state new tcp dport 22 drop
 }
}
",
    );
    let ran = file.ask("explain", SSH);
    assert!(
        ran.out.contains("\npossibly accepted or dropped\n"),
        "{ran:?}"
    );
    file.calls_nothing_idle();
}

#[test]
fn chains_made_in_turns_run_in_the_order_of_their_making() {
    let file = rule_file(
        "add table ip a
add table ip b
add chain ip a c1 { type filter hook input priority 0; policy accept; }
add chain ip b c2 { type filter hook input priority 0; policy accept; }
add chain ip a c3 { type filter hook input priority 0; policy accept; }
add rule ip b c2 meta mark set 1
add rule ip a c3 meta mark 1 tcp dport 22 drop
",
    );
    // c3 was made last, so it runs first and sees no mark.
    let ran = file.ask("explain", SSH);
    assert!(ran.out.contains("\naccepted, certainly\n"), "{ran:?}");
}

#[test]
fn a_reset_before_any_answer_is_new() {
    for flags in ["RST RST", "FIN FIN"] {
        let file = rule_file(&format!(
            "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -p tcp -m conntrack --ctstate NEW -m tcp --tcp-flags {flags} -j DROP\nCOMMIT\n"
        ));
        file.calls_nothing_idle();
        let ran = file.ask("find", &["state any is decided by INPUT:1"]);
        assert!(ran.out.starts_with("there is one"), "{ran:?}");
    }
}

#[test]
fn a_text_that_two_programs_load_differently_is_refused() {
    let policy =
        rule_file("*filter\n:INPUT - [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n");
    let twice = rule_file(
        "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n*filter\n-A INPUT -p tcp --dport 80 -j DROP\nCOMMIT\n",
    );
    for file in [policy, twice] {
        let ran = file.ask("explain", SSH);
        assert_eq!(ran.status, 2, "{ran:?}");
        assert!(ran.err.contains("policy"), "{ran:?}");
    }
}

#[test]
fn a_second_line_of_a_built_in_chain_leaves_its_rules() {
    let file = rule_file(
        "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 22 -j DROP\n:INPUT ACCEPT [0:0]\nCOMMIT\n",
    );
    let ran = file.ask("explain", SSH);
    assert!(ran.out.contains("\ndropped, certainly\n"), "{ran:?}");
}

#[test]
fn an_ethernet_header_is_not_there_on_the_loopback_and_on_the_way_out() {
    let file = rule_file(
        "table ip t {
 chain input { type filter hook input priority 0; policy accept; ether type ip tcp dport 22 drop; }
 chain output { type filter hook output priority 0; policy accept; udp dport 9 ether type ip drop; }
}
",
    );
    let ran = file.ask("explain", SSH);
    assert!(ran.out.contains("\ndropped, certainly\n"), "{ran:?}");
    for packet in [
        "tcp from 127.0.0.1 to 127.0.0.1:22 in lo",
        "udp from 192.0.2.1 to 203.0.113.9:9 out eth0",
    ] {
        let words: Vec<&str> = packet.split(' ').collect();
        let ran = file.ask("explain", &words);
        assert!(ran.out.contains("\naccepted, certainly\n"), "{ran:?}");
    }
}

#[test]
fn what_reject_sends_back_exists_in_one_protocol() {
    for (with, packet, other) in [
        ("tcp reset", "udp", "tcp"),
        (
            "icmpv6 type no-route",
            "udp from 203.0.113.9",
            "udp from 2001:db8::9",
        ),
        (
            "icmp type host-unreachable",
            "udp from 2001:db8::9",
            "udp from 203.0.113.9",
        ),
    ] {
        let rules = input_chain("accept", &format!("reject with {with}"));
        let file = rule_file(&rules.replace("table ip t", "table inet t"));
        for (packet, end) in [(packet, "accepted"), (other, "rejected")] {
            let words: Vec<&str> = packet.split(' ').chain(["in", "eth0", "new"]).collect();
            let ran = file.ask("explain", &words);
            let expected = format!("\n{end}, certainly\n");
            assert!(ran.out.contains(&expected), "{with}: {ran:?}");
        }
    }
}

#[test]
fn rules_that_are_deleted_by_their_handle_are_not_answered_about() {
    for line in [
        "delete rule ip t input handle 2",
        "replace rule ip t input handle 2 accept",
        "delete chain ip t handle 1",
    ] {
        let rules = input_chain("accept", "tcp dport 22 drop");
        let ran = rule_file(&format!("{rules}{line}\n")).ask("explain", SSH);
        assert_eq!(ran.status, 2, "{line}: {ran:?}");
    }
}

#[test]
fn a_table_that_is_declared_again_wakes_up() {
    let rules = input_chain("drop", "").replace("table ip t {", "table ip t {\n flags dormant;");
    let ran = rule_file(&rules).ask("explain", SSH);
    assert!(ran.out.contains("\naccepted, certainly\n"), "{ran:?}");
    let ran = rule_file(&format!("{rules}table ip t {{ }}\n")).ask("explain", SSH);
    assert!(ran.out.contains("\ndropped, certainly\n"), "{ran:?}");
}
