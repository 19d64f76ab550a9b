//! A rule that was made for its place is loaded there, with every backend, and taken back or kept.

mod common;
#[expect(dead_code, reason = "other tests use its rules")]
mod firewall_common;

use common::check;
use firewall_common::run_script;

/// What every script begins with besides.
const MAKE: &str = r#"
make() { "$surefoot" firewall make --state-dir "$folder/state" --same-session --no-save --quiet "$@"; }
"#;

const IPTABLES: &str = "\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -j LOG
-A INPUT -j REJECT --reject-with icmp-port-unreachable
COMMIT
";

const NFT: &str = "\
table inet f {
    chain input {
        type filter hook input priority 0; policy drop;
        iif lo accept
        ct state established,related accept
        meta l4proto ipv6-icmp accept
        tcp dport 22 accept
        counter reject
    }
}
";

/// How rules are loaded and listed.
const BACKENDS: [(&str, &str, &str); 3] = [
    ("iptables-legacy-restore", "iptables-legacy-save", IPTABLES),
    ("iptables-nft-restore", "iptables-nft-save", IPTABLES),
    ("nft -f -", "nft -s list ruleset", NFT),
];

#[test]
fn a_rule_is_loaded_in_its_place_and_taken_back() {
    for (load, list, rules) in BACKENDS {
        let said = run_script(&format!(
            r#"{MAKE}
{load} << 'END'
{rules}END
list() {{ {list} | grep -v '^#' | sed -E 's/ \[[0-9]+:[0-9]+\]$//'; }}
list > before
make --dry-run https is accepted; echo "dry $?"
list > now; cmp before now && echo "untouched"
make --confirm-within 60s --no-wait https is accepted; echo "made $?"
list > now; diff before now | grep '^[<>]'
make --no-wait smtp is accepted; echo "second $?"
firewall rollback --quiet; echo "back $?"
list > now; cmp before now && echo "as before"
make --confirm-within 60s --no-wait https is accepted > /dev/null
firewall confirm --same-session --quiet; echo "kept $?"
make --no-wait https is accepted; echo "again $?"
"#
        ));
        check(
            &said,
            &[
                "can be made: https is accepted",
                "dry 0",
                "untouched",
                "made 0",
                "> ",
                "dport 443",
                "second 1",
                "back 0",
                "as before",
                "kept 0",
                "holds already: https is accepted",
                "again 0",
            ],
        );
        let added = said.lines().filter(|line| line.starts_with("> ")).count();
        let gone = said.lines().filter(|line| line.starts_with("< ")).count();
        assert!((1..=2).contains(&added) && gone == 0, "{said}");
    }
}

#[test]
fn a_rule_that_ends_the_way_in_is_refused_and_a_ban_that_it_passes_is_named() {
    let said = run_script(&format!(
        r#"{MAKE}
iptables-nft-restore << 'END'
{IPTABLES}END
iptables-nft-save | grep -v '^#' > before
make --no-wait tcp is dropped > answer 2>&1; echo "made $?"
iptables-nft-save | grep -v '^#' > now; cmp before now && echo "untouched"
make --print https is accepted; echo "print $?"
iptables-nft-save | grep -v '^#' > now; cmp before now && echo "untouched still"
iptables-nft -I INPUT 2 -s 203.0.113.9 -j DROP
make --print https is accepted 2> note; grep -o "longer reach rule 2 of filter INPUT: if that is a ban" note
make --print --with-exceptions https is accepted 2> note; grep -c "if that is a ban" note
"#
    ));
    check(
        &said,
        &[
            "made 1",
            "untouched",
            "print 0",
            "untouched still",
            "longer reach rule 2 of filter INPUT: if that is a ban",
            "\n0\n",
        ],
    );
}
