//! Rules changed over a real ssh connection: what locks out is refused, only a new connection confirms, and the
//! old rules are back in time whatever becomes of the connection and of surefoot.

mod common;

use std::process::{Command, Stdio};
use std::sync::Mutex;

use common::{both_outputs, check};

/// The network, the daemon, and functions.
const SERVER: &str = include_str!("remote/server.sh");
/// How long new rules may stay in these tests, in seconds.
const WITHIN: f64 = 3.0;

const BACKENDS: [&str; 3] = ["legacy", "nftables", "nft"];
const FATAL: [&str; 6] = ["all", "port", "interface", "flush", "six", "set"];
const DEATHS: [&str; 5] = ["terminal", "kill", "stop", "network", "timeout"];

/// Runs a script at a server of its own and gives what it said.
fn at_server(backend: &str, script: &str) -> String {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let folder = scratch.path();
    let output = Command::new("timeout")
        .args(["-s", "KILL", "90"])
        // With the first process of the namespace all others end: daemons, clients, watchdogs.
        .args(["unshare", "-n", "-m", "-p", "-f", "--mount-proc"])
        .args(["--kill-child", "bash", "-c"])
        .arg(format!("{SERVER}\n{script}"))
        .env("surefoot", env!("CARGO_BIN_EXE_surefoot"))
        .env("folder", folder)
        .env("backend", backend)
        .stdin(Stdio::null())
        .output()
        .expect("unshare is there");
    both_outputs(&output)
}

/// Does work on several threads, and gives what went wrong.
fn side_by_side<T: Send>(work: Vec<T>, threads: usize, act: impl Fn(T) -> Option<String> + Sync) {
    let queue = Mutex::new(work);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(next) = queue.lock().expect("no thread died").pop() else {
                        break;
                    };
                    if let Some(words) = act(next) {
                        wrong.lock().expect("no thread died").push(words);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no thread died");
    assert!(
        wrong.is_empty(),
        "{} of them:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// How a trial dies: what is done once the new rules are in force.
fn death(name: &str) -> &'static str {
    match name {
        // When `script` is killed its terminal is gone, and all that run on it get SIGHUP.
        "terminal" => "kill -9 $terminal",
        "kill" => {
            "kill -9 $(pgrep -f \"^$surefoot firewall apply .*$folder/state\" || pgrep -f \"iptables-apply -t 3 $folder\" | head -n 1)"
        }
        "stop" => {
            "kill -STOP $(pgrep -f \"^$surefoot firewall apply .*$folder/state\" || pgrep -f \"iptables-apply -t 3 $folder\" | head -n 1)"
        }
        "network" => "at_client ip link set eth1 down",
        _ => "true",
    }
}

/// One fatal change and one way to die; gives what went wrong.
fn trial(backend: &str, fatal: &str, dying: &str, command: &str) -> Result<f64, String> {
    let act = death(dying);
    // A table that iptables-restore replaces moves behind the others.
    let loose = if command.starts_with("iptables") {
        "sort"
    } else {
        "cat"
    };
    let script = format!(
        r#"
[ {fatal} = six ] && server=2001:db8::1
loose={loose}
rules > before
cat > command << END
cd $folder && exec {command}
END
sed -i "s,FILES,$(files {fatal}),; s,FIRST,$folder/{fatal}.v4," command
at_client script -qfec "ssh -tt $SSH_OPTIONS root@$server bash $folder/command" /dev/null > typed 2>&1 < /dev/null &
terminal=$!
wait_for new 40 || {{ tr '\r' '\n' < typed | tail -n 12; ps -ef --forest | grep -F "$folder"; $surefoot changes show --state-dir $folder/state; exit; }}
begun=$(cat moment)
{act}
wait_for old 12 || {{ diff before there; cat typed; "$surefoot" changes show --state-dir "$folder/state"; exit; }}
echo "stayed $begun $(cat moment)"
"#
    );
    let said = at_server(backend, &script);
    let moments = said.split_once("stayed ").map(|(_, rest)| rest);
    let mut numbers = moments.unwrap_or_default().split_whitespace();
    let mut next = || numbers.next().and_then(|word| word.parse::<f64>().ok());
    match (next(), next()) {
        (Some(begun), Some(ended)) => Ok(ended - begun),
        _ => Err(format!("{backend}, {fatal}, {dying}: {said}")),
    }
}

/// What is typed at the server.
const APPLY: &str = "$surefoot firewall apply FILES --even-if-locked-out --confirm-within 3s --state-dir $folder/state";

#[test]
fn the_old_rules_are_back_in_time_whatever_happens() {
    let all = std::env::var_os("SUREFOOT_ROLLBACK_ALL").is_some();
    // Side by side with other tests everything is late.
    let late = if all { 1.0 } else { 2.5 };
    let threads = if all { 3 } else { 6 };
    let mut trials = Vec::new();
    for (row, fatal) in FATAL.iter().enumerate() {
        for (column, dying) in DEATHS.iter().enumerate() {
            for (number, backend) in BACKENDS.iter().enumerate() {
                // A sample that has every change, every death and every backend together with each other.
                let place = row * DEATHS.len() + column;
                if all || place.is_multiple_of(2) && place / 2 % 3 == number {
                    trials.push((*backend, *fatal, *dying));
                }
            }
        }
    }
    side_by_side(trials, threads, |(backend, fatal, dying)| {
        let name = format!("{backend}, {fatal}, {dying}");
        match trial(backend, fatal, dying, APPLY) {
            Ok(stayed) => {
                if all {
                    let _ = std::io::Write::write_all(
                        &mut std::io::stderr(),
                        format!("{name}: back after {stayed:.2} s\n").as_bytes(),
                    );
                }
                let in_time = (WITHIN - 1.5..WITHIN + late).contains(&stayed);
                (!in_time).then(|| format!("{name}: {stayed:.2} s"))
            }
            Err(words) => Some(words),
        }
    });
}

/// The program of Debian's that exists for this, in the same trials: the harness sees what it leaves behind.
#[test]
fn iptables_apply_leaves_the_new_rules_when_it_is_killed() {
    let all = std::env::var_os("SUREFOOT_ROLLBACK_ALL").is_some();
    let (fatal, deaths): (&[&str], &[&str]) = if all {
        (&["all", "port", "interface", "flush"], &DEATHS)
    } else {
        (&["flush"], &["kill"])
    };
    let mut trials = Vec::new();
    for fatal in fatal {
        trials.extend(deaths.iter().map(|dying| (*fatal, *dying)));
    }
    let (tried, back) = (trials.len(), Mutex::new(0));
    side_by_side(trials, 8, |(fatal, dying)| {
        let said = trial("nftables", fatal, dying, "iptables-apply -t 3 FIRST");
        let words = match &said {
            Ok(stayed) if *stayed < WITHIN + 1.0 => {
                *back.lock().expect("no thread died") += 1;
                format!("back after {stayed:.2} s")
            }
            Ok(stayed) => format!("late, after {stayed:.2} s"),
            Err(words) if words.contains("no old rules within") => "not back".to_owned(),
            Err(words) => return Some(words.clone()),
        };
        let line = format!("iptables-apply, {fatal}, {dying}: {words}\n");
        let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
        None
    });
    let back = back.into_inner().expect("no thread died");
    assert!(back < tried, "{back} of {tried} came back");
}

#[test]
fn what_locks_the_session_out_is_refused() {
    let trials: Vec<(&str, &str)> = FATAL
        .iter()
        .enumerate()
        .map(|(at, fatal)| (BACKENDS[at % 3], *fatal))
        .collect();
    side_by_side(trials, 3, |(backend, fatal)| {
        let script = format!(
            r#"
[ {fatal} = six ] && server=2001:db8::1
over_ssh root@$server "cd $folder && $surefoot firewall apply $(files {fatal}) --state-dir $folder/state"
echo "refused $?"
rules | cmp - before && echo untouched
over_ssh root@$server true && echo "still in"
"#
        );
        let said = at_server(backend, &script);
        let address = if fatal == "six" {
            "2001:db8::9"
        } else {
            "192.0.2.9"
        };
        let wanted = [
            "refused 1".to_owned(),
            "untouched".to_owned(),
            "still in".to_owned(),
            format!("a new ssh connection from {address}"),
            "this packet shows it".to_owned(),
        ];
        let missing = wanted.iter().find(|words| !said.contains(words.as_str()))?;
        Some(format!("{backend}, {fatal}: no `{missing}` in {said}"))
    });
}

#[test]
fn only_a_new_connection_confirms() {
    let said = at_server(
        "nft",
        r#"
sed 's/dport 22 /dport { 22, 443 } /' old.nft > new.nft
apply="$surefoot firewall apply new.nft --confirm-within 60s --no-save --no-wait --quiet --state-dir $folder/state"
confirm="$surefoot firewall confirm --state-dir $folder/state"
# An older connection that waits for a word, and one that carries several sessions.
over_ssh root@$server "cd $folder; while ! [ -e go ]; do sleep 0.1; done; $confirm; echo older \$?" > older 2>&1 &
older=$!
over_ssh -M -S $folder/master -o ControlPersist=60 root@$server true
for _ in $(seq 100); do [ -S master ] && break; sleep 0.05; done
over_ssh -S $folder/master root@$server "cd $folder && $apply; echo applied \$?; $confirm; echo same \$?"
over_ssh -S $folder/master root@$server "$confirm; echo carried \$?"
touch go
wait $older
cat older
# No ssh daemon is above what a terminal multiplexer starts.
over_ssh root@$server "cd $folder; setsid -f bash -c '$confirm; echo loose \$?' > loose 2>&1; sleep 2; cat loose"
over_ssh root@$server "$confirm; echo new \$?"
over_ssh -S $folder/master -O exit root@$server
nft list ruleset | grep -c 443
"#,
    );
    check(
        &said,
        &[
            "applied 0",
            "same 1",
            "in which the rules were loaded",
            "carried 1",
            "older 1",
            "is older than the rules",
            "loose 1",
            "no ssh connection is found",
            "new 0",
            "is confirmed",
        ],
    );
}

#[test]
fn rules_to_begin_with_let_the_session_stay_and_nat_is_proved_as_it_is_dialed() {
    let said = at_server(
        "nft",
        r#"
nft flush ruleset
state="--state-dir $folder/state"
over_ssh root@$server "cd $folder; $surefoot firewall init > init.nft; grep 'from where you are' init.nft
    $surefoot firewall apply init.nft --no-wait --no-save $state > init.said 2>&1; echo begun \$?; tail -n 5 init.said"
over_ssh root@$server "$surefoot firewall confirm $state; echo in anew \$?"
nft flush ruleset
# ssh by a port that is led to its own.
nft -f - << 'END'
table inet n {
    chain p { type nat hook prerouting priority dstnat; tcp dport 2022 redirect to :22; }
}
END
sed 's/dport 22 /dport 22 accept\n tcp dport 2022 /' old.nft > without.nft
{ cat without.nft; nft list table inet n; } > with.nft
for name in without with; do
    over_ssh -p 2022 root@$server "cd $folder
        $surefoot firewall apply $name.nft --no-wait --no-save $state > $name.said 2>&1; echo $name \$?"
    grep 'which NAT leads to' $name.said
    # Not by surefoot's own state: the rules go back.
    over_ssh -p 2022 root@$server "$surefoot firewall rollback $state" || true
done
"#,
    );
    check(
        &said,
        &[
            "ip saddr 192.0.2.9 tcp dport 22 accept",
            "begun 0",
            "in anew 0",
            "without 1",
            "a new ssh connection from 192.0.2.9 to 192.0.2.1:2022, which NAT leads to 192.0.2.1:22",
            "with 0",
        ],
    );
}
