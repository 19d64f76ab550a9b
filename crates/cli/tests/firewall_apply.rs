//! New rules are tried, proved and loaded, and the old ones come back exactly, with every backend, in network
//! namespaces.

mod common;
mod firewall_common;

use common::check;
use firewall_common::{BACKENDS, run_script};

#[test]
fn what_is_not_confirmed_is_taken_back_exactly() {
    for backend in BACKENDS {
        let script = format!(
            r#"{backend}
rules > before
firewall apply good --same-session --confirm-within 2s --no-save --no-wait --quiet; echo "ended with $?"
rules > new
cmp -s before new && echo "nothing was loaded"
wait_for_old; echo "back"
load < good; rules > loaded; diff <(sort loaded) <(sort new) && echo "as loaded by hand"
"$surefoot" changes --state-dir "$folder/state"
"#
        );
        let said = run_script(&script);
        check(
            &said,
            &[
                "ended with 0",
                "as loaded by hand",
                "\nback\n",
                "rolled back",
            ],
        );
        assert!(!said.contains("not back"), "{said}");
        assert!(!said.contains("nothing was loaded"), "{said}");
    }
}

#[test]
fn what_shuts_you_out_is_refused_and_nothing_is_touched() {
    for backend in &BACKENDS[..2] {
        let script = format!(
            r#"{backend}
rules > before
firewall apply shut --same-session; echo "ended with $?"
rules > now; cmp before now && echo "untouched"
firewall apply shut --same-session --even-if-locked-out --confirm-within 2s; echo "then $?"
rules > now; diff before now && echo "back"
"#
        );
        let said = run_script(&script);
        check(
            &said,
            &[
                "ended with 1",
                "untouched",
                "would not let through what must stay",
                "what this machine sends to itself (IPv4)",
                "this packet shows it",
                "The old rules are in force; nothing was changed.",
                "then 1",
                "were not confirmed",
                "\nback\n",
            ],
        );
    }
}

/// What `make` gives for `203.0.113.9 is dropped`, as a file of iptables-save or of nft.
#[test]
fn a_ban_of_one_address_is_shown_and_loaded_and_all_replies_stay() {
    let script = format!(
        r#"{}
cat > ban << 'END'
*filter
:INPUT ACCEPT [0:0]
-A INPUT -s 203.0.113.10/32 -j DROP
-A INPUT -i lo -j ACCEPT
-A INPUT -s 203.0.113.9/32 -j DROP
COMMIT
END
firewall apply ban --same-session --no-wait --no-save; echo "ban $?"
firewall rollback
printf '*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n' > all
firewall apply all --same-session --no-wait --no-save > out 2>&1; echo "all $?"
grep "^caused by\|replies to what" out
"#,
        BACKENDS[1]
    );
    let said = run_script(&script);
    check(
        &said,
        &[
            "replies to what this machine began (IPv4) was not accepted in full before",
            "ban 0",
            "all 1",
            "replies to what this machine began (IPv4)",
        ],
    );
    let script = r#"
cat > ban << 'END'
table inet f {
    chain i {
        type filter hook input priority 0; policy accept;
        ip saddr 203.0.113.10 drop
    }
}
END
firewall apply ban --same-session --no-wait --no-save; echo "ban $?"
firewall rollback
"#;
    check(
        &run_script(script),
        &[
            "accepted in part only from now on (no reason to refuse)",
            "replies to what this machine began (IPv4)\n    but for such as",
            "from 203.0.113.10",
            "proved for all packets to stay accepted",
            "no ssh connection is open, so nothing was proved about ssh",
            "ban 0",
        ],
    );
}

#[test]
fn what_is_confirmed_stays_and_is_undone_exactly() {
    for backend in &BACKENDS[2..] {
        let script = format!(
            r#"{backend}
rules > before
firewall apply good --confirm-within 20s; echo "without a session $?"
firewall apply good --same-session --confirm-within 20s --no-save --no-wait --quiet; echo "ended with $?"
rules > new
firewall apply good --same-session; echo "same $?"
firewall confirm; echo "unseen $?"
"$surefoot" confirm --state-dir "$folder/state"; echo "plain $?"
firewall confirm --same-session; echo "confirmed $?"
rules > now; cmp new now && echo "they stay"
firewall apply good --same-session; echo "again $?"
firewall rollback; echo "too late $?"
"$surefoot" undo 1 --state-dir "$folder/state" --confirm-within 3s; echo "undone $?"
rules > now; diff before now && echo "back"
# What is undone is armed, too.
"$surefoot" confirm --state-dir "$folder/state"; echo "plain undo $?"
for _ in $(seq 100); do rules > now; cmp -s new now && break; sleep 0.1; done
cmp new now && echo "the undo is taken back"
sleep 0.5
"$surefoot" undo 1 --state-dir "$folder/state"; echo "undone again $?"
firewall confirm --same-session; echo "undo confirmed $?"
rules > now; diff before now && echo "old for good"
"#
        );
        let said = run_script(&script);
        check(
            &said,
            &[
                "without a session 1",
                "you seem to be on a console",
                "ended with 0",
                "same 0",
                "and not confirmed yet",
                "unseen 1",
                "plain 1",
                "surefoot firewall confirm --same-session",
                "confirmed 0",
                "they stay",
                "again 0",
                "in force already",
                "too late 1",
                "undone 0",
                "\nback\n",
                "plain undo 1",
                "the undo is taken back",
                "undone again 0",
                "undo confirmed 0",
                "old for good",
            ],
        );
    }
}

#[test]
fn neighbours_that_are_no_longer_found_are_lost() {
    let script = r#"
ip -6 addr add 2001:db8::1/64 dev eth0 nodad
cat > new << 'END'
table inet f {
    chain i {
        type filter hook input priority 0; policy drop;
        iif lo accept
        ct state established,related accept
        tcp dport 22 accept
        icmp type echo-request accept
    }
}
END
firewall apply new --same-session --dry-run; echo "dry $?"
firewall apply new --same-session --no-wait --no-save; echo "ended with $?"
nft list ruleset | grep -q . || echo "untouched"
sed -i 's/icmp type echo-request/meta l4proto icmpv6/' new
firewall apply new --same-session --no-wait --no-save --quiet > /dev/null; echo "then $?"
firewall rollback
"#;
    let said = run_script(script);
    check(
        &said,
        &[
            "dry 1",
            "ended with 1",
            "IPv6 neighbour solicitation that comes by eth0",
            "IPv6 neighbour advertisement that comes by eth0",
            "untouched",
            "then 0",
        ],
    );
}

/// The answer as JSON has what the schema requires, and no words that it does not know.
#[test]
fn the_answer_is_as_the_schema_says() {
    let script = format!(
        r#"{}
firewall apply shut --same-session --format json > refused.json 2> said; echo "refused $?"
firewall apply good --same-session --dry-run --format json > tried.json 2> said; echo "tried $?"
"$surefoot" firewall apply --schema > schema.json
python3 - << 'END'
import json
schema = json.load(open("schema.json"))
def check(schema_part, value, at):
    if "$ref" in schema_part:
        schema_part = schema["$defs"][schema_part["$ref"].rsplit("/", 1)[1]]
    if "enum" in schema_part:
        assert value in schema_part["enum"], (at, value)
    if isinstance(value, dict) and "properties" in schema_part:
        assert set(schema_part["required"]) <= set(value) <= set(schema_part["properties"]), (at, set(value))
        for key, inner in value.items():
            check(schema_part["properties"][key], inner, at + "." + key)
    if isinstance(value, list) and "items" in schema_part:
        for inner in value:
            check(schema_part["items"], inner, at + "[]")
for name in ["refused", "tried"]:
    answer = json.load(open(name + ".json"))
    check(schema["properties"]["answer"], answer["answer"], name)
    print(name, answer["version"], answer["question"], answer["answer"]["outcome"])
END
"#,
        BACKENDS[2]
    );
    let said = run_script(&script);
    check(
        &said,
        &[
            "refused 1\n",
            "tried 0\n",
            "refused 1 apply refused",
            "tried 1 apply dry_run",
        ],
    );
}

#[test]
fn tables_that_see_frames_are_not_said_to_be_equal() {
    let script = r#"
heads=("arp a { chain i { type filter hook input" "netdev n { chain i { type filter hook ingress device eth0"
    "bridge b { chain i { type filter hook input")
for head in "${heads[@]}"; do
    echo "table $head priority 0; policy drop; }; }" > new
    firewall apply new --same-session --no-wait --no-save; echo "ended with $?"
    nft list ruleset | grep . || echo "untouched"
done
firewall apply new --same-session --no-wait --no-save --even-if-locked-out --quiet; echo "then $?"
firewall rollback
"#;
    let said = run_script(script);
    check(
        &said,
        &[
            "nft table arp a: its rules see frames",
            "nft table netdev n: its rules see frames",
            "nft table bridge b: its rules see frames",
            "not everything could be compared",
            "then 0",
        ],
    );
    assert_eq!(said.matches("ended with 1").count(), 3, "{said}");
    assert_eq!(said.matches("untouched").count(), 3, "{said}");
    assert!(!said.contains("equal:"), "{said}");
}

#[test]
fn sets_and_both_families_are_one_change() {
    let script = r#"
ipset create bad hash:ip
ipset add bad 203.0.113.9
iptables-nft -A INPUT -m set --match-set bad src -j DROP
cat > sets << 'END'
create bad hash:ip
add bad 203.0.113.10
create home hash:net
add home 192.0.2.0/24
END
cat > v4 << 'END'
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m set --match-set home src -j ACCEPT
-A INPUT -m set --match-set bad src -j DROP
COMMIT
*mangle
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
COMMIT
END
cat > v6 << 'END'
*filter
:INPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp --dport 25 -j REJECT
COMMIT
END
rules > before
firewall apply sets v4 v6 --same-session --no-save --no-wait --quiet --confirm-within 30s; echo "ended with $?"
rules
firewall rollback; echo "rolled back $?"
rules > now; diff before now && echo "back"
"#;
    let said = run_script(script);
    check(
        &said,
        &[
            "ended with 0",
            "add bad 203.0.113.10",
            "--match-set home src",
            "--dport 25",
            "TCPMSS",
            "rolled back 0",
            "\nback\n",
        ],
    );
}

#[test]
fn bad_input_is_refused_with_the_state_in_which_the_machine_is() {
    let script = r#"
iptables-nft -A INPUT -i lo -j ACCEPT
rules > before
printf '*filter\n-A INPUT -j NOWHERE\nCOMMIT\n' > unknown.v4
printf '*filter\n-A INPUT -p tcp --dport 22\n' > torn.v4
printf 'table inet x { chain y { frobnicate; }\n' > bad.nft
firewall apply bad.nft --same-session 2>&1 | grep -o "bad.nft:1:[0-9]*"
printf 'hello\n' > words
printf 'create a hash:ip\nadd a 300.1.2.3\n' > bad.set
printf '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m set --match-set none src -j DROP\nCOMMIT\n' > noset.v4
for file in unknown.v4 torn.v4 bad.nft words bad.set noset.v4 missing; do
    firewall apply $file --same-session > out 2> err; echo "$file: $?"
    grep -q 'nothing was changed' err || { echo "$file does not say the state"; cat err; }
    grep -q '^error: ' err || { echo "$file: no error"; cat err; }
done
rules > now; cmp before now && echo "untouched"
"#;
    let said = run_script(script);
    let files = [
        "unknown.v4",
        "torn.v4",
        "bad.nft",
        "words",
        "bad.set",
        "noset.v4",
        "missing",
    ];
    for file in files {
        check(&said, &[&format!("{file}: 2\n")]);
    }
    check(&said, &["untouched", "bad.nft:1:"]);
    for odd in ["does not say", "no error"] {
        assert!(!said.contains(odd), "{said}");
    }
}

#[test]
fn what_is_confirmed_is_saved_and_loads_again() {
    for (at, backend) in BACKENDS.iter().enumerate().skip(1) {
        let file = [
            "/etc/iptables/rules.v4",
            "/etc/iptables/rules.v4",
            "/etc/nftables.conf",
        ][at];
        let script = format!(
            r#"{backend}
firewall apply good --same-session --confirm-within 20s --no-wait --quiet > /dev/null; echo "ended with $?"
firewall confirm --same-session; echo "confirmed $?"
firewall save; echo "saved $?"
rules > new
cat {file}
{{ iptables-legacy -F; iptables-legacy -X; iptables-nft -F; iptables-nft -X; nft flush ruleset; }} 2> /dev/null
load < {file}; rules > now
diff <(grep -v ip6 new | sort) <(grep -v ip6 now | sort) | grep -v "tcp dport 25\|dport 25" > changed
grep -q "dport 22\|dport {{ 22" now && echo "loads again"
"$surefoot" undo --state-dir "$folder/state"; echo "undone $?"
ls {file} 2>&1
"#
        );
        let said = run_script(&script);
        check(
            &said,
            &[
                "ended with 0",
                "confirmed 0",
                &format!("saved in {file}"),
                "saved already",
                "saved 0",
                "Saved by surefoot",
                "loads again",
                "undone 0",
                "No such file",
            ],
        );
    }
}

#[test]
fn a_file_that_was_written_by_hand_is_put_aside() {
    let said = run_script(
        r#"
printf '#!/usr/sbin/nft -f\nflush ruleset\n# the web, from everywhere\ntable inet f {\n}\n' > /etc/nftables.conf
cp /etc/nftables.conf mine
nft add table inet g
firewall save; echo "saved $?"
cmp mine /etc/nftables.conf.by-hand && echo "kept"
grep -c "table inet g" /etc/nftables.conf
nft add table inet h
firewall save; echo "again $?"
ls /etc/nftables.conf*
"$surefoot" undo --state-dir "$folder/state"
"$surefoot" undo --state-dir "$folder/state"
cmp mine /etc/nftables.conf && ls /etc/nftables.conf*
"#,
    );
    check(
        &said,
        &[
            "saved 0",
            "note: /etc/nftables.conf had been written by hand",
            "kept",
            "again 0",
        ],
    );
    assert_eq!(said.matches("nftables.conf.by-hand\n").count(), 1, "{said}");
}

#[test]
fn where_a_system_is_unknown_nothing_is_saved() {
    let said = run_script(
        r#"
iptables-nft -A INPUT -i lo -j ACCEPT
echo ID=strange > /etc/os-release
firewall save; echo "ended with $?"
ls /etc/iptables 2>&1
for id in rhel alpine arch gentoo; do
    echo ID=$id > /etc/os-release
    firewall save --dry-run
done
"#,
    );
    check(
        &said,
        &[
            "ended with 2",
            "it is unknown where this system loads its rules from",
            "Nothing was written.",
            "No such file",
            "/etc/sysconfig/iptables",
            "/etc/iptables/rules-save",
            "/etc/iptables/iptables.rules",
            "/var/lib/iptables/rules-save",
        ],
    );
}

#[test]
fn a_flush_is_shown_armed_and_taken_back_and_keeps_policies() {
    let script = format!(
        r#"{}
iptables-nft -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080
nft -f - << 'END'
table inet own {{
    set s {{ type ipv4_addr; elements = {{ 203.0.113.7 }}; }}
    chain i {{ type filter hook input priority 5; policy accept; ip saddr @s drop; }}
}}
END
rules > before
firewall flush --same-session --no-wait; echo "flushed $?"
rules
firewall rollback; rules > now; diff before now && echo "back"
iptables-nft -P INPUT DROP
rules > before
firewall flush --same-session --no-wait --quiet > /dev/null; echo "shut $?"
rules > now; cmp before now && echo "untouched"
firewall flush --accept --nat --same-session --no-wait --quiet > /dev/null; echo "open $?"
iptables-nft-save; echo "end of open"
firewall rollback
firewall flush --rules good; echo "elsewhere $?"
"#,
        BACKENDS[1]
    );
    let said = run_script(&script);
    check(
        &said,
        &[
            "dropped → accepted",
            "flushed 0",
            "REDIRECT",
            "elements = { 203.0.113.7 }",
            "\nback\n",
            "shut 1",
            "untouched",
            "open 0",
            "elsewhere 2",
            "only the rules in force can be flushed",
        ],
    );
    let flushed = said
        .split("flushed 0")
        .nth(1)
        .and_then(|rest| rest.split("\nback\n").next());
    assert!(
        !flushed
            .expect("it was flushed")
            .contains("-s 203.0.113.9/32 -j DROP"),
        "{said}"
    );
    let open = said
        .split("open 0")
        .nth(1)
        .and_then(|rest| rest.split("end of open").next());
    let open = open.expect("it was opened");
    assert!(
        !open.contains("REDIRECT") && open.contains(":INPUT ACCEPT"),
        "{said}"
    );
}

#[test]
fn rules_to_begin_with_load_let_you_stay_and_have_no_findings() {
    let script = r#"
ip -6 addr add 2001:db8::1/64 dev eth0 nodad
firewall() { "$surefoot" firewall "$@"; }
state="--state-dir $folder/state"
for form in nft iptables ip6tables; do
    firewall init --as $form > init.$form || echo "init failed"
    firewall check --rules init.$form; echo "check $form $?"
done
firewall apply init.nft --same-session --no-wait --quiet $state > said; echo "nft $?"
firewall confirm --same-session $state; echo "confirmed $?"
nft -s list ruleset > first
nft flush ruleset
nft -f /etc/nftables.conf; nft -s list ruleset > second
firewall diff first second; echo "diff $?"
nft flush ruleset
firewall apply init.iptables init.ip6tables --same-session --no-wait --no-save --quiet $state > said; echo "tables $?"
firewall rollback $state
"#;
    let said = run_script(script);
    check(
        &said,
        &[
            "check nft 0",
            "check iptables 0",
            "check ip6tables 0",
            "nft 0",
            "confirmed 0",
            "equal",
            "diff 0",
            "tables 0",
        ],
    );
    assert!(!said.contains("init failed"), "{said}");
}

#[test]
fn what_drops_answers_for_a_trial_and_drops_again_exactly() {
    for backend in BACKENDS {
        let script = format!(
            r#"{backend}
load < good
rules > before
firewall try-reject --same-session --no-wait > said; echo "tried $?"
grep -c "dropped → rejected" said
rules > now
grep -ciE "reject.*(tcp.reset)" now
firewall confirm --same-session; echo "confirmed $?"
"$surefoot" undo --state-dir "$folder/state"; echo "undone $?"
firewall confirm --same-session
rules > now; diff before now && echo "exactly"
"#
        );
        let said = run_script(&script);
        check(
            &said,
            &["tried 0", "confirmed 0", "undone 0", "\nexactly\n"],
        );
        assert!(!said.contains("tried 0\n0\n"), "{said}");
    }
}
