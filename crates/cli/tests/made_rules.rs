//! The commands that `firewall make` prints are run, and packets meet what the sentence says, with every
//! backend, in network namespaces.

use std::process::{Command, Stdio};

/// A host with rules, and a neighbour with two addresses that knocks at its ports.
const BEGIN: &str = r#"set -u
cd "$folder"
unshare -n sleep 60 & peer=$!
for _ in $(seq 200); do [ "$(readlink /proc/$peer/ns/net)" != "$(readlink /proc/self/ns/net)" ] && break; sleep 0.01; done
there() { nsenter --net=/proc/$peer/ns/net "$@"; }
ip link set lo up
ip link add eth0 type veth peer name eth1 netns $peer
ip addr add 192.0.2.1/24 dev eth0; ip link set eth0 up
ip route add 203.0.113.0/24 dev eth0
there ip link set lo up; there ip link set eth1 up
there ip addr add 192.0.2.9/24 dev eth1; there ip addr add 203.0.113.9/32 dev eth1
# Nothing listens: what the rules accept is answered with a reset at once.
knock() {
    there ip route replace 192.0.2.1/32 dev eth1 src "$2"
    there timeout 0.7 bash -c "exec 3<> /dev/tcp/192.0.2.1/$1" 2> /dev/null
    [ $? = 124 ] && echo "$1 from $2: dropped" || echo "$1 from $2: answered"
}
knocks() { for port in 22 443 5432; do for from in 192.0.2.9 203.0.113.9; do knock $port $from; done; done; }
make() {
    "$surefoot" firewall make --dry-run --quiet "$*" > said || { echo "not made:"; cat said; }
    "$surefoot" firewall make --quiet --print "$*" > commands
    sh -e commands || { echo "refused by the kernel's own tools:"; cat commands; }
    "$surefoot" firewall make --dry-run --quiet "$*" | head -1
}
"#;

const IPTABLES: &str = "
restore << 'END'
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp --dport 22 -j ACCEPT
-A INPUT -j LOG --log-prefix \"dropped: \"
COMMIT
END
";

const NFT: &str = "
nft -f - << 'END'
table inet f {
    chain input {
        type filter hook input priority 0; policy accept;
        iif lo accept
        ct state { established, related } accept
        tcp dport 22 accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
        counter drop
    }
}
END
";

/// The knocks before, and after each sentence.
const SENTENCES: &str = r#"
knocks > 0
make 'tcp from 192.0.2.0/24 to :5432 is accepted'; knocks > 1
make 'tcp,udp to :443 is accepted'; knocks > 2
make '203.0.113.9 is dropped'; knocks > 3
for step in 1 2 3; do echo "step $step"; diff $((step - 1)) $step | grep '^>'; done
kill $peer
"#;

fn run_script(script: &str) -> String {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let output = Command::new("timeout")
        .args(["90", "unshare", "-n", "bash", "-c"])
        .arg(format!("{BEGIN}{script}{SENTENCES}"))
        .env("surefoot", env!("CARGO_BIN_EXE_surefoot"))
        .env("folder", scratch.path())
        .env("XTABLES_LOCKFILE", scratch.path().join("lock"))
        .stdin(Stdio::null())
        .output()
        .expect("unshare is there");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    format!("{said}{errors}")
}

#[track_caller]
fn the_kernel_agrees(rules: &str) {
    let said = run_script(rules);
    let wanted = "\
holds already: tcp from 192.0.2.0/24 to :5432 is accepted
holds already: tcp,udp to :443 is accepted
holds already: 203.0.113.9 is dropped
step 1
> 5432 from 192.0.2.9: answered
step 2
> 443 from 192.0.2.9: answered
> 443 from 203.0.113.9: answered
step 3
> 22 from 203.0.113.9: dropped
> 443 from 203.0.113.9: dropped
";
    assert_eq!(said, wanted);
}

#[test]
fn legacy_iptables_does_what_the_sentence_says() {
    the_kernel_agrees(&format!(
        "restore() {{ iptables-legacy-restore; }}\n{IPTABLES}"
    ));
}

#[test]
fn iptables_on_nft_does_what_the_sentence_says() {
    the_kernel_agrees(&format!(
        "restore() {{ iptables-nft-restore; }}\n{IPTABLES}"
    ));
}

#[test]
fn nft_does_what_the_sentence_says() {
    the_kernel_agrees(NFT);
}
