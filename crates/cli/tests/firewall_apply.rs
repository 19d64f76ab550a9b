//! New rules are tried, proved and loaded, and the old ones come back exactly, with every backend, in network
//! namespaces.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use common::{both_outputs, check};

/// What every script begins with: a network with two interfaces, and functions.
const BEGIN: &str = r#"set -u
cd "$folder"
# The files of a system are those of a copy.
mkdir etc
cp -a /etc/. etc
mount --bind etc /etc
rm -rf /etc/os-release /etc/iptables /etc/nftables.conf /etc/ufw /etc/firewalld
echo ID=debian > /etc/os-release
ip link set lo up
ip link add eth0 type veth peer name eth1
ip link set eth0 up; ip link set eth1 up
ip addr add 192.0.2.1/24 dev eth0
firewall() { "$surefoot" firewall "$@" --state-dir "$folder/state"; }
# Everything but comments and counters.
rules() {
    for save in iptables-nft-save ip6tables-nft-save iptables-legacy-save ip6tables-legacy-save; do
        $save 2> /dev/null | grep -v '^#' | sed -E 's/ \[[0-9]+:[0-9]+\]$//'
    done
    nft -s list ruleset 2> /dev/null
    ipset save | sed -E 's/ initval [^ ]*//; s/ hashsize [^ ]*//' | sort
}
wait_for_old() {
    for _ in $(seq 300); do rules > now; cmp -s before now && return; sleep 0.05; done
    echo "the old rules are not back:"; diff before now
}
"#;

/// Rules in force at the beginning, by backend, with an IPv4 file that lets in what is needed and one that
/// locks everybody out.
const BACKENDS: [&str; 3] = [
    r"
load() { iptables-legacy-restore; }
iptables-legacy -A INPUT -i lo -j ACCEPT
iptables-legacy -A INPUT -s 203.0.113.9 -j DROP
ip6tables-legacy -A INPUT -p tcp --dport 25 -j DROP
cp v4.good good; cp v4.shut shut
",
    r"
load() { iptables-nft-restore; }
iptables-nft -A INPUT -i lo -j ACCEPT
iptables-nft -A INPUT -s 203.0.113.9 -j DROP
ip6tables-nft -A INPUT -p tcp --dport 25 -j DROP
cp v4.good good; cp v4.shut shut
",
    r"
load() { nft -f -; }
nft -f - << 'END'
table inet f {
    set bad { type ipv4_addr; flags interval; elements = { 203.0.113.0/24, 198.51.100.7 }; }
    chain input {
        type filter hook input priority 0; policy accept;
        iif lo counter accept
        ip saddr @bad counter drop
    }
}
END
cp nft.good good; cp nft.shut shut
",
];

const FILES: &str = r"
cat > v4.good << 'END'
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp --dport ssh -j ACCEPT
COMMIT
END
cat > v4.shut << 'END'
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p tcp --dport 2222 -j ACCEPT
COMMIT
END
cat > nft.good << 'END'
flush ruleset
define ways = { 22, 443 }
table inet f {
    chain input {
        type filter hook input priority 0; policy drop;
        iif lo accept
        ct state established,related accept
        tcp dport $ways accept
        meta l4proto ipv6-icmp accept
    }
}
END
cat > nft.shut << 'END'
flush ruleset
table inet f {
    chain input { type filter hook input priority 0; policy drop; }
}
END
";

/// Runs a script in a network namespace of its own and gives what it said.
fn run_script(script: &str) -> String {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let folder: &Path = scratch.path();
    let output = Command::new("timeout")
        .args(["290", "unshare", "-n", "-m", "bash", "-c"])
        .arg(format!("{BEGIN}{FILES}{script}"))
        .env("surefoot", env!("CARGO_BIN_EXE_surefoot"))
        .env("folder", folder)
        .env("XTABLES_LOCKFILE", folder.join("lock"))
        .stdin(Stdio::null())
        .output()
        .expect("unshare is there");
    both_outputs(&output)
}

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
firewall confirm; echo "unseen $?"
"$surefoot" confirm --state-dir "$folder/state"; echo "plain $?"
firewall confirm --same-session; echo "confirmed $?"
rules > now; cmp new now && echo "they stay"
firewall apply good --same-session; echo "again $?"
firewall rollback; echo "too late $?"
"$surefoot" undo --state-dir "$folder/state"; echo "undone $?"
rules > now; diff before now && echo "back"
"#
        );
        let said = run_script(&script);
        check(
            &said,
            &[
                "without a session 1",
                "you seem to be on a console",
                "ended with 0",
                "unseen 1",
                "plain 1",
                "surefoot firewall confirm",
                "confirmed 0",
                "they stay",
                "again 0",
                "in force already",
                "too late 1",
                "undone 0",
                "\nback\n",
            ],
        );
    }
}

#[test]
fn old_rules_come_back_where_an_interface_that_they_name_is_gone() {
    let script = r#"
ip link add dm0 type veth peer name dm1
nft -f - << 'END'
table inet f {
    set s { type iface_index; elements = { "dm0", "lo" }; }
    chain i {
        type filter hook input priority 0; policy accept;
        iif "dm0" accept
        iif vmap { "dm0" : accept, "eth0" : continue }
        iifname "dm0" counter
        ip saddr 203.0.113.9 drop
    }
    chain g { type filter hook ingress device "dm0" priority 0; }
}
table netdev n {
    chain d { type filter hook ingress devices = { dm0, eth0 } priority 0; ip saddr 203.0.113.9 drop; }
}
END
for way in deadline hand undo; do
    rules > before
    [ $way = deadline ] && within=2s || within=30s
    firewall apply nft.shut --same-session --even-if-locked-out --confirm-within $within --no-save --no-wait --quiet
    echo "$way $?"
    [ $way = undo ] && firewall confirm --same-session
    ip link del dm0
    sed -e 's/iif "dm0"/iif @/; s/{ "dm0"/{ @/; s/, "dm0"/, @/; s/"dm0" :/@ :/' before > expected
    back=no
    [ $way = hand ] && firewall rollback
    [ $way = undo ] && "$surefoot" undo --state-dir "$folder/state"
    for _ in $(seq 80); do
        rules > now
        sed -E 's/iif [0-9]+/iif @/; s/\{ [0-9]+/{ @/; s/, [0-9]+/, @/; s/[0-9]+ :/@ :/' now > found
        # Old kernels remove what is at a missing device, and some list elements in another order.
        grep -c . found > /dev/null && grep -q "iif @ accept" found && { back=yes; break; }
        sleep 0.1
    done
    echo "back after $way: $back"
    diff expected found > differs || cat differs
    ip link add dm0 type veth peer name dm1
    nft -f - << 'END'
flush ruleset
table inet f {
    chain i {
        type filter hook input priority 0; policy accept;
        iif "dm0" accept
        ip saddr 203.0.113.9 drop
    }
}
END
done
"$surefoot" changes --state-dir "$folder/state"
"#;
    let said = run_script(script);
    check(
        &said,
        &[
            "deadline 0",
            "back after deadline: yes",
            "back after hand: yes",
            "back after undo: yes",
        ],
    );
    assert!(!said.contains("cannot be reversed"), "{said}");
}

#[test]
fn what_other_programs_did_meanwhile_is_told_and_their_elements_stay() {
    let script = format!(
        r#"{}
rules > before
sed 's/table inet f {{/&\n set bad {{ type ipv4_addr; flags interval; }}/' good > new
firewall apply new --same-session --confirm-within 30s --no-save --no-wait --quiet; echo "ended with $?"
nft add element inet f bad {{ 203.0.114.66 }}
nft add rule inet f input tcp dport 9 drop
firewall rollback; echo "rolled back $?"
nft list set inet f bad
rules > now; diff before now
"$surefoot" changes show --state-dir "$folder/state" | grep -c "dport 9"
# At a deadline it is told by the next command.
ipset create own hash:ip
iptables-nft -A INPUT -m set --match-set own src -j DROP
printf 'create own hash:ip\nadd own 203.0.113.5\n' > sets
firewall apply sets --same-session --confirm-within 2s --no-save --no-wait --quiet; echo "sets $?"
ipset add own 203.0.113.77
for _ in $(seq 100); do ipset test own 203.0.113.5 2> /dev/null || break; sleep 0.05; done
ipset save own
"$surefoot" changes --state-dir "$folder/state"
"#,
        BACKENDS[2]
    );
    let said = run_script(&script);
    check(
        &said,
        &[
            "rolled back 0",
            "other programs changed these rules since they were loaded",
            "+203.0.114.66",
            "and nothing else; they changed: + element 203.0.114.66, + tcp dport 9 drop",
            "dport 9 drop",
            "203.0.114.66",
            "sets 0",
            "add own 203.0.113.77",
            "was rolled back: other programs changed",
        ],
    );
    assert!(!said.contains("add own 203.0.113.5"), "{said}");
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
    check(&said, &["untouched"]);
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

/// Kills what runs a program, before or after one of its runs. `kill_at` holds the number and the word.
const KILLER: &str = r#"
mkdir real
for name in nft xtables-legacy-multi; do
    cp "$(readlink -f "$(command -v $name)")" real/$name
    cat > real/killer-$name << END
#!/bin/bash
name=\$(basename "\$0")
[ -e $folder/kill_at ] || exec -a "\$name" $folder/real/$name "\$@"
read at when < $folder/kill_at
echo "\$name \$*" >> $folder/runs
number=\$(wc -l < $folder/runs)
[ "\$number/\$when" = "\$at/before" ] && { kill -9 \$PPID; exit 9; }
(exec -a "\$name" $folder/real/$name "\$@")
status=\$?
[ "\$number/\$when" = "\$at/after" ] && kill -9 \$PPID
exit \$status
END
    chmod 755 real/killer-$name
    mount --bind real/killer-$name "$(readlink -f "$(command -v $name)")"
done
# Tells whether the rules are the old or the new ones.
which_rules() {
    rules > now
    cmp -s before now && { echo old; return; }
    cmp -s new now && { echo new; return; }
    echo neither
}
apply_both() { firewall apply v4.good nft.add --same-session --no-save --no-wait --quiet --confirm-within "$@" > /dev/null 2>&1; }
"#;

#[test]
fn killed_at_any_program_the_rules_are_old_or_new_and_the_journal_says_which() {
    // Of the runs, counted from the end of a whole application; those behind it are the watchdog's.
    let all = std::env::var_os("SUREFOOT_ROLLBACK_ALL").is_some();
    let chosen: Vec<i32> = if all {
        (-30..=8).collect()
    } else {
        vec![-4, -3, 1]
    };
    let listed: Vec<String> = chosen.iter().map(ToString::to_string).collect();
    let listed = listed.join(" ");
    let script = format!(
        r#"{}{KILLER}
cat > nft.add << 'END'
table inet g {{
    chain forward {{ type filter hook forward priority 10; policy drop; }}
}}
END
rules > before
echo "0 never" > kill_at
apply_both 30s; echo "whole $?"
whole=$(wc -l < runs)
rm kill_at
rules > new
firewall rollback > /dev/null 2>&1
[ "$(which_rules)" = old ] || echo "not rolled back"
for at in {listed}; do
    for when in before after; do
        : > runs
        echo "$((whole + at)) $when" > kill_at
        apply_both 2s

        # The watchdog's own runs come when its time is over.
        [ $at -gt 0 ] && sleep 2.5
        rm kill_at
        # The next start settles what is half-done.
        "$surefoot" changes --state-dir "$folder/state" > listed 2>&1
        found=$(which_rules)

        # A note may stand before the list.
        state=$(grep -E '^ +[0-9]+ ' listed | head -n 1 | grep -oE 'armed|rolled back|half-done' || echo none)
        case "$found/$state" in
        old/none|old/"rolled back"|new/armed) echo "settled $when $(sed -n "$((whole + at))p" runs)" ;;
        *) echo "WRONG $at $when: $found, $state"; cat listed ;;
        esac
        for _ in $(seq 80); do
            [ "$(which_rules)" = old ] && break
            sleep 0.05
        done
        [ "$(which_rules)" = old ] || echo "WRONG $at $when: not back: $(which_rules)"
        "$surefoot" changes --state-dir "$folder/state" > /dev/null 2>&1
    done
done
"#,
        BACKENDS[0]
    );
    let said = run_script(&script);
    assert!(!said.contains("WRONG"), "{said}");
    let settled = said.matches("settled").count();
    assert_eq!(settled, chosen.len() * 2, "{said}");
    // The loads are among them.
    check(
        &said,
        &["whole 0", "after iptables-legacy-restore", "after nft -f"],
    );
}

#[test]
fn a_watchdog_that_is_killed_is_not_needed_while_apply_waits() {
    let script = format!(
        r#"{}
rules > before
firewall apply good --same-session --confirm-within 4s --quiet > said 2>&1 & apply=$!
for _ in $(seq 600); do grep -q "in force until" said && break; sleep 0.05; done
for process in /proc/[0-9]*; do
    [ "$(readlink $process/ns/net)" = "$(readlink /proc/self/ns/net)" ] || continue
    [ "$(readlink $process/exe)" = "$surefoot" ] || continue
    tr '\0' ' ' < $process/cmdline | grep -q ' watchdog' && kill -9 "${{process#/proc/}}" && echo "killed"
done
wait $apply; echo "ended with $?"; cat said
rules > now; diff before now && echo "back"
"#,
        BACKENDS[1]
    );
    let said = run_script(&script);
    check(&said, &["killed", "ended with 1", "taken back", "\nback\n"]);
}

/// The watchdogs of the journal, first and second, by what they are told.
const FIND_WATCHDOGS: &str = r#"
watchdogs() {
    for process in /proc/[0-9]*; do
        words=$(tr '\0' ' ' 2> /dev/null < $process/cmdline)
        case "$words" in
        *"watchdog --state-dir $folder/state "*--second*) [ $1 = second ] && echo "${process#/proc/}" ;;
        *"watchdog --state-dir $folder/state "*) [ $1 = first ] && echo "${process#/proc/}" ;;
        esac
    done
}
"#;

#[test]
fn a_watchdog_that_is_killed_or_stopped_has_a_second_one() {
    let script = format!(
        r#"{}{FIND_WATCHDOGS}
rules > before
for signal in KILL STOP; do
    firewall apply good --same-session --confirm-within 3s --no-save --no-wait; echo "ended with $?"
    first=$(watchdogs first)
    kill -$signal $first && echo "sent $signal"
    begun=$(date +%s%N)
    wait_for_old
    echo "back after $(( ($(date +%s%N) - begun) / 1000000 )) ms"
    kill -CONT $first 2> /dev/null
done
for _ in $(seq 100); do [ -z "$(watchdogs first)$(watchdogs second)" ] && break; sleep 0.05; done
echo "left: $(watchdogs first) $(watchdogs second)"
"$surefoot" changes --state-dir "$folder/state"
"#,
        BACKENDS[2]
    );
    let said = run_script(&script);
    check(
        &said,
        &[
            "sent KILL",
            "sent STOP",
            "the way back is guarded by two watchdogs, each of which is enough",
            "left:  \n",
        ],
    );
    assert_eq!(said.matches("rolled back ").count(), 2, "{said}");
    assert!(!said.contains("not back"), "{said}");
    for part in said.split("back after ").skip(1) {
        let time: u32 = part
            .split(' ')
            .next()
            .and_then(|word| word.parse().ok())
            .expect("a time");
        assert!(time < 6000, "{said}");
    }
}
