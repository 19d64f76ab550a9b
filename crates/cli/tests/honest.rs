//! Rule sets that were once answered with confidence and wrongly: by every command that can be asked.
//! What the kernel does with their like is in the kernel tests (rule sets 37 to 43, and `refusals`).

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

const OPEN_CHAINS: &str = ":INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n";

#[test]
fn what_output_does_to_a_packet_is_there_when_loopback_brings_it_in() {
    let mark = format!(
        "*mangle\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -o lo -p tcp --dport 80 -j MARK --set-mark 1\nCOMMIT\n*filter\n{OPEN_CHAINS}-A INPUT -i lo -m mark --mark 1 -j DROP\nCOMMIT\n"
    );
    let redirect = format!(
        "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080\nCOMMIT\n*filter\n{OPEN_CHAINS}-A INPUT -i lo -p tcp --dport 80 -j DROP\nCOMMIT\n"
    );
    let tracked = "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING -i lo -m conntrack --ctstate NEW -j DROP\nCOMMIT\n";
    let not_untracked = format!(
        "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING -i lo -j CT --notrack\nCOMMIT\n*filter\n{}-A INPUT -m conntrack --ctstate UNTRACKED -j ACCEPT\nCOMMIT\n",
        OPEN_CHAINS.replace("INPUT ACCEPT", "INPUT DROP")
    );
    for rules in [&mark, &redirect, tracked, &not_untracked] {
        let file = rule_file(rules);
        for way in [["in", "lo"], ["out", "lo"]] {
            let packet = ["tcp", "from", "127.0.0.1:4000", "to", "127.0.0.1:80"];
            let ran = file.ask("explain", &[&packet[..], &way, &["new"]].concat());
            assert!(ran.out.contains("\ndropped, certainly\n"), "{ran:?}");
            let sentence = format!("tcp to 127.0.0.1:80 {} lo is dropped", way[0]);
            let ran = file.ask("prove", &[&sentence]);
            assert_eq!(ran.status, 0, "{ran:?}");
        }
    }
}

#[test]
fn what_routing_refuses_is_seen_by_the_chains_before_it() {
    let file = rule_file(&format!(
        "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING ! -i lo -s 127.0.0.0/8 -j DROP\nCOMMIT\n*filter\n{OPEN_CHAINS}COMMIT\n"
    ));
    file.calls_nothing_idle();
    let ran = file.ask(
        "find",
        &["in eth0 from 127.0.0.1 state any is decided by raw PREROUTING:1"],
    );
    assert!(ran.out.starts_with("there is one"), "{ran:?}");
}

#[test]
fn no_host_can_have_the_address_of_a_group() {
    let file = rule_file(&format!("*filter\n{OPEN_CHAINS}COMMIT\n"));
    let packet = [
        "udp",
        "from",
        "224.0.0.5",
        "to",
        "192.0.2.1:53",
        "in",
        "eth0",
    ];
    let ran = file.ask("explain", &packet);
    assert!(ran.out.contains("\ndropped, certainly\n"), "{ran:?}");
    let ran = file.ask("prove", &["udp to :53 is accepted"]);
    assert_eq!(
        ran.status, 0,
        "what is no ordinary packet does not refute: {ran:?}"
    );
    let ran = file.ask("prove", &["udp from 224.0.0.5 to :53 in eth0 is dropped"]);
    assert_eq!(ran.status, 0, "{ran:?}");
}

#[test]
fn it_is_unknown_whether_loopback_addresses_are_let_in_from_outside() {
    let file = rule_file(
        "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp --dport 22 -j DNAT --to-destination 127.0.0.1:2222\nCOMMIT\n",
    );
    let ran = file.ask("explain", SSH);
    assert!(
        ran.out.contains("\npossibly accepted or dropped\n"),
        "{ran:?}"
    );
    assert!(ran.out.contains("route_localnet"), "{ran:?}");
}

#[test]
fn a_socket_may_be_known_at_input() {
    let file = rule_file(&input_chain("accept", "meta skuid 0 counter drop"));
    file.calls_nothing_idle();
    let ran = file.ask("explain", &[SSH, &["established"]].concat());
    assert!(!ran.out.contains("certainly"), "{ran:?}");
}

#[test]
fn a_broadcast_frame_may_hold_a_packet_to_one_host() {
    let file = rule_file(&format!(
        "*filter\n{OPEN_CHAINS}-A INPUT -m addrtype --dst-type LOCAL -m pkttype --pkt-type broadcast -j DROP\nCOMMIT\n"
    ));
    file.calls_nothing_idle();
    let ran = file.ask("prove", &["state any is accepted"]);
    assert_eq!(ran.status, 1, "{ran:?}");
}

#[test]
fn a_mark_may_send_a_packet_another_way() {
    let file = rule_file(
        "*mangle\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n-A OUTPUT -p udp --dport 53 -j MARK --set-mark 7\n-A POSTROUTING -o eth0 -p udp --dport 53 -j DROP\nCOMMIT\n",
    );
    let words = "udp from 10.0.1.1:4000 to 203.0.113.5:53 out eth1 new";
    let words: Vec<&str> = words.split(' ').collect();
    let ran = file.ask("explain", &words);
    assert!(!ran.out.contains("certainly"), "{ran:?}");
}

#[test]
fn a_type_of_ipv6_addresses_is_several_conditions() {
    let file = rule_file(&format!(
        "*filter\n{OPEN_CHAINS}-A INPUT -p tcp -m tcp --dport 22 -m addrtype --dst-type UNICAST -j DROP\n-A INPUT -p tcp -m tcp --dport 23 -m addrtype --dst-type UNICAST,MULTICAST -j DROP\nCOMMIT\n"
    ));
    for (port, end) in [("22", "dropped"), ("23", "accepted")] {
        let to = format!("[2001:db8::1]:{port}");
        let packet = ["tcp", "from", "2001:db8::9", "to", &to, "in", "eth0"];
        let words = [
            "firewall",
            "explain",
            "--rules-format",
            "v6",
            "--rules",
            &file.path,
        ];
        let ran = run(&[&words[..], &packet].concat());
        let expected = format!("\n{end}, certainly\n");
        assert!(ran.out.contains(&expected), "{ran:?}");
    }
}

#[test]
fn a_circle_that_no_packet_comes_to_is_loaded() {
    let file = rule_file(
        "table ip t {
 chain u0 { tcp dport 22 jump u0; }
 chain input { type filter hook input priority 0; policy drop; accept; }
}
",
    );
    let ran = file.ask("explain", SSH);
    assert!(ran.out.contains("\naccepted, certainly\n"), "{ran:?}");
    for command in ["show", "check", "simplify"] {
        let ran = run(&["firewall", command, &file.path]);
        assert!(ran.status < 2, "{command}: {ran:?}");
    }
}

#[test]
fn a_port_may_stand_behind_a_variable() {
    let file = rule_file(
        "define srv = 10.250.0.1
table ip t {
 chain n { type nat hook prerouting priority dstnat; tcp dport 22 dnat to $srv:2222; }
 chain f { type filter hook forward priority 0; policy drop; ip daddr 10.250.0.1 tcp dport 2222 accept; }
}
",
    );
    let ran = file.ask("explain", &[SSH, &["out", "eth1"]].concat());
    assert!(ran.out.contains("\naccepted, certainly\n"), "{ran:?}");
}

#[test]
fn legacy_iptables_jumps_as_deep_as_there_are_chains() {
    let mut lines = vec!["# Generated by iptables-save v1.8.9 (legacy)\n*filter".to_owned()];
    lines.push(OPEN_CHAINS.trim_end().to_owned());
    lines.extend((1..=20).map(|at| format!(":C{at} - [0:0]")));
    lines.push("-A INPUT -j C1".to_owned());
    lines.extend((1..20).map(|at| format!("-A C{at} -j C{}", at + 1)));
    lines.push("-A C20 -j DROP\nCOMMIT\n".to_owned());
    let ran = rule_file(&lines.join("\n")).ask("explain", SSH);
    assert!(ran.out.contains("\ndropped, certainly\n"), "{ran:?}");
}

#[test]
fn a_service_behind_out_is_no_interface() {
    let file = rule_file(&format!(
        "*filter\n{OPEN_CHAINS}-A OUTPUT -o eth0 -p tcp -m tcp --dport 25 -j REJECT\nCOMMIT\n"
    ));
    let ran = file.ask("prove", &["out smtp is accepted"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    let ran = file.ask("prove", &["out eth1 smtp is accepted"]);
    assert_eq!(ran.status, 0, "{ran:?}");
}

#[test]
fn this_host_sees_no_fragments_of_ipv4() {
    let file = rule_file(&format!(
        "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING -s 203.0.113.7 -f -j DROP\nCOMMIT\n*filter\n{}-A INPUT -f -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n",
        OPEN_CHAINS.replace("INPUT ACCEPT", "INPUT DROP")
    ));
    let fragment = |source: &str, protocol: &str| {
        let words = format!("{protocol} from {source} to 192.0.2.1 in eth0 fragment");
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        file.ask("explain", &words)
    };
    let ran = fragment("203.0.113.7", "tcp");
    assert!(ran.out.contains("\ndropped, certainly\n"), "{ran:?}");
    let ran = fragment("203.0.113.9", "tcp");
    assert!(
        ran.out.contains("\npossibly accepted or dropped\n"),
        "{ran:?}"
    );
    let ran = fragment("203.0.113.9", "udp");
    assert!(ran.out.contains("\ndropped, certainly\n"), "{ran:?}");
    let ran = file.ask("prove", &["fragment in eth0 state any is accepted"]);
    assert_eq!(ran.status, 1, "{ran:?}");
}

#[test]
fn chains_before_the_reassembly_see_fragments() {
    let file = rule_file(
        "table ip early {
 chain pre { type filter hook prerouting priority -450; policy accept; ip frag-off & 0x1fff != 0 counter drop; }
}
table ip filter {
 chain input { type filter hook input priority 0; policy drop; ct state established,related accept; tcp dport 22 accept; }
}
",
    );
    file.calls_nothing_idle();
    let ran = file.ask(
        "find",
        &["fragment in eth0 state any is decided by rule 1 of ip early pre"],
    );
    assert!(ran.out.starts_with("there is one"), "{ran:?}");
    let ran = run(&["firewall", "simplify", &file.path]);
    assert!(ran.out.contains("frag-off"), "{ran:?}");
}

#[test]
fn a_difference_about_fragments_is_one() {
    let plain = rule_file(&format!("*filter\n{OPEN_CHAINS}COMMIT\n"));
    for (chain, status) in [("FORWARD", 1), ("INPUT", 0)] {
        let file = rule_file(&format!(
            "*filter\n{OPEN_CHAINS}-A {chain} -f -j DROP\nCOMMIT\n"
        ));
        let ran = run(&["firewall", "diff", &file.path, &plain.path]);
        assert_eq!(ran.status, status, "{chain}: {ran:?}");
    }
}

#[test]
fn an_included_file_is_read_and_one_that_is_missing_is_told() {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let etc = folder.path().join("etc");
    let inside = etc.join("nftables.d");
    std::fs::create_dir_all(&inside).expect("it is ours");
    let write =
        |path: &std::path::Path, text: &str| std::fs::write(path, text).expect("it is ours");
    let main = etc.join("nftables.conf");
    write(
        &main,
        &input_chain(
            "drop",
            "  include \"/etc/nftables.d/*.nft\"\n  tcp dport 25 accept",
        ),
    );
    write(&inside.join("20-web.nft"), "# web\ntcp dport 80 accept\n");
    write(
        &inside.join("10-ssh.nft"),
        "include \"nftables.d/ssh.inc\"\n",
    );
    write(&inside.join("ssh.inc"), "\ntcp dport 22 drop\n");
    write(&inside.join(".hidden.nft"), "tcp dport 22 accept\n");
    let main = main.display().to_string();
    let explain = |port: &str| {
        let to = format!("192.0.2.1:{port}");
        run(&[
            "firewall", "explain", "--rules", &main, "tcp", "to", &to, "in", "eth0",
        ])
    };
    let ran = explain("22");
    assert!(ran.out.contains("dropped, certainly"), "{ran:?}");
    assert!(ran.out.contains("etc/nftables.d/ssh.inc:2"), "{ran:?}");
    let ran = explain("80");
    assert!(ran.out.contains("accepted, certainly"), "{ran:?}");
    assert!(ran.out.contains("etc/nftables.d/20-web.nft:2"), "{ran:?}");
    let ran = explain("25");
    assert!(ran.out.contains("etc/nftables.conf:5"), "{ran:?}");
    // A file that is missing hides rules: nothing is answered.
    std::fs::remove_file(inside.join("ssh.inc")).expect("it is ours");
    let ran = explain("80");
    assert_eq!(ran.status, 2, "{ran:?}");
    assert!(ran.err.contains("10-ssh.nft:1"), "{ran:?}");
    assert!(ran.err.contains("nftables.d/ssh.inc"), "{ran:?}");
    // A copy of /etc by another name means the files beside it, and says so.
    let copy = folder.path().join("copy");
    std::fs::rename(&etc, &copy).expect("it is ours");
    write(&copy.join("nftables.d/10-ssh.nft"), "tcp dport 22 drop\n");
    let main = copy.join("nftables.conf").display().to_string();
    let ran = run(&[
        "firewall", "explain", "--rules", &main, "tcp", "to", ":22", "in", "eth0",
    ]);
    assert!(ran.out.contains("dropped, certainly"), "{ran:?}");
    assert!(ran.err.contains("is 2 files of"), "{ran:?}");
    assert!(ran.err.contains("copy/nftables.d/*.nft"), "{ran:?}");
    // Elsewhere it is unknown whose files are meant.
    write(&copy.join("nftables.conf"), "include \"/opt/rules.nft\"\n");
    let ran = run(&["firewall", "show", &main]);
    assert_eq!(ran.status, 2, "{ran:?}");
    assert!(ran.err.contains("/opt/rules.nft"), "{ran:?}");
    // What is no file is not waited for.
    let pipe = copy.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo is there").success());
    write(&copy.join("nftables.conf"), "include \"/etc/pipe\"\n");
    let ran = run(&["firewall", "show", &main]);
    assert_eq!(ran.status, 2, "{ran:?}");
    assert!(ran.err.contains("is not a file"), "{ran:?}");
    // No file at all is told.
    write(
        &copy.join("nftables.conf"),
        "include \"/etc/none/*.nft\"\ntable ip t { }\n",
    );
    let ran = run(&["firewall", "show", &main]);
    assert!(ran.err.contains("is no file of"), "{ran:?}");
}

#[test]
fn what_nft_asks_for_before_a_rule_is_asked_there() {
    // A refusal with a reset is of TCP from the start of the rule: other packets get no mark.
    let rules = "  meta mark set 5 reject with tcp reset\n  meta mark 5 drop\n  accept";
    let ran = rule_file(&input_chain("drop", rules))
        .ask("explain", &["udp", "to", "192.0.2.1:53", "in", "eth0"]);
    assert!(ran.out.contains("accepted, certainly"), "{ran:?}");
    // A packet without the key of a set does not get past the statement.
    let rules = "table inet t {\n set s { type ipv4_addr; size 9; flags dynamic; }\n chain input { type filter hook input priority 0; policy drop;\n  delete @s { ip saddr } accept\n }\n}\n";
    let ran = rule_file(rules).ask(
        "explain",
        &[
            "tcp",
            "from",
            "2001:db8::9",
            "to",
            "2001:db8::1:22",
            "in",
            "eth0",
        ],
    );
    assert!(ran.out.contains("dropped, certainly"), "{ran:?}");
    // A set that is filled behind words that are not modelled is one that changes.
    let rules = "table ip t {\n set s { type ipv4_addr; size 9; flags dynamic; }\n chain input { type filter hook input priority 0; policy accept;\n  meta oifgroup 3 add @s { ip saddr }\n  ip saddr @s drop\n }\n}\n";
    let ran = rule_file(rules).ask("explain", SSH);
    assert!(!ran.out.contains("certainly"), "{ran:?}");
}
