//! The old rules come back: where interfaces are gone, where other programs changed them meanwhile, and whatever is
//! killed or stopped on the way.

mod common;
mod firewall_common;

use common::check;
use firewall_common::{BACKENDS, run_script};

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
    [ $way = undo ] && "$surefoot" undo --state-dir "$folder/state" && firewall confirm --same-session
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
        # The next start settles what is half-done, unless the second watchdog is at it.
        for _ in $(seq 50); do
            "$surefoot" changes --state-dir "$folder/state" > listed 2>&1
            grep -E '^ +[0-9]+ ' listed | head -n 1 | grep -q half-done || break
            sleep 0.1
        done
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

/// The journal on a disk that is full at one write or another.
#[test]
fn on_a_full_disk_the_rules_are_old_or_come_back() {
    let all = std::env::var_os("SUREFOOT_ROLLBACK_ALL").is_some();
    let pages: Vec<u32> = if all {
        (1..=40).collect()
    } else {
        vec![3, 9, 13, 16, 20]
    };
    let listed: Vec<String> = pages.iter().map(ToString::to_string).collect();
    let script = format!(
        r#"{}
rules > before
mkdir disk
disk() {{ "$surefoot" firewall "$@" --state-dir "$folder/disk/state"; }}
for pages in {}; do
    mount -t tmpfs -o size=$((pages * 4))k tmpfs disk
    disk apply good --same-session --no-save --no-wait --quiet --confirm-within 2s > said 2>&1; status=$?
    rules > now
    if cmp -s before now; then echo "$pages: old, $status"; else echo "$pages: new, $status"; fi
    # Whatever is said, it says in which state the rules are.
    [ $status -eq 0 ] || grep -q "nothing was changed\|Nothing was changed\|as it was before" said || {{ echo "WRONG $pages"; cat said; }}
    cmp -s before now || [ $status -eq 0 ] || echo "WRONG $pages: new with $status"
    wait_for_old
    for _ in $(seq 100); do umount disk 2> /dev/null && break; sleep 0.1; done
done
"#,
        BACKENDS[2],
        listed.join(" ")
    );
    let said = run_script(&script);
    check(&said, &[": new, 0\n", ": old, "]);
    assert!(
        !said.contains("WRONG") && !said.contains("not back"),
        "{said}"
    );
}
