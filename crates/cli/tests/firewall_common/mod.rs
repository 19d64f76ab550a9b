//! Scripts in networks of their own, in which rules are changed.

use std::path::Path;
use std::process::{Command, Stdio};

/// What every script begins with: a network with two interfaces, and functions.
pub(crate) const BEGIN: &str = r#"set -u
cd "$folder"
# No service manager is reached from here.
mount -t tmpfs tmpfs /run
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
pub(crate) const BACKENDS: [&str; 3] = [
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

pub(crate) const FILES: &str = r"
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

/// Runs a script in network and process namespaces of its own and gives what it said.
pub(crate) fn run_script(script: &str) -> String {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let folder: &Path = scratch.path();
    let output = Command::new("timeout")
        .args(["-s", "KILL", "290"])
        // With the first process of the namespace all others end, watchdogs that still wait among them.
        .args(["unshare", "-n", "-m", "-p", "-f", "--mount-proc"])
        .args(["--kill-child", "bash", "-c"])
        .arg(format!("{BEGIN}{FILES}{script}"))
        .env("surefoot", env!("CARGO_BIN_EXE_surefoot"))
        .env("folder", folder)
        .env("XTABLES_LOCKFILE", folder.join("lock"))
        .stdin(Stdio::null())
        .output()
        .expect("unshare is there");
    super::common::both_outputs(&output)
}
