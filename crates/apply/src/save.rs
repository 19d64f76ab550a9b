//! Where a system loads its rules from when it starts, and what has to stand there. No I/O.

use std::fmt::Write as _;

use surefoot_host::{Host, RulesOrigin, SavedRules};

use crate::units::{RuleState, normal_lines};

/// The ways in which distributions keep rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveHabit {
    /// netfilter-persistent, `/etc/nftables.conf`.
    Debian,
    /// iptables-services, `/etc/sysconfig`.
    RedHat,
    /// `OpenRC`, `/etc/iptables`.
    Alpine,
    /// `/etc/iptables`, `/etc/nftables.conf`.
    Arch,
    /// `OpenRC`, `/var/lib/iptables`.
    Gentoo,
    /// nftables of SUSE.
    Suse,
}

/// A file that holds the rules of some mechanisms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedFile {
    /// The mechanism.
    pub origin: RulesOrigin,
    /// Its path.
    pub path: String,
    /// What has to stand there.
    pub text: String,
    /// What stands there now.
    pub there: Option<String>,
    /// What loads it at boot; empty if nothing does.
    pub loaders: Vec<String>,
    /// What makes it be loaded at boot, to be typed.
    pub enable: &'static str,
}

impl SaveHabit {
    /// Tells the habit by `/etc/os-release`.
    pub fn of_os_release(text: &str) -> Option<Self> {
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim_matches(['"', '\'']).to_owned())
        };
        let id = value("ID=").unwrap_or_default();
        let like = value("ID_LIKE=").unwrap_or_default();
        let of_word = |word: &str| match word {
            "debian" | "ubuntu" => Some(Self::Debian),
            "rhel" | "fedora" | "centos" => Some(Self::RedHat),
            "alpine" => Some(Self::Alpine),
            "arch" => Some(Self::Arch),
            "gentoo" => Some(Self::Gentoo),
            "suse" | "opensuse" | "sles" => Some(Self::Suse),
            word if word.starts_with("opensuse") => Some(Self::Suse),
            _ => None,
        };
        of_word(&id).or_else(|| like.split_whitespace().find_map(of_word))
    }

    /// The usual place of a mechanism's rules, and what makes them be loaded.
    fn place(self, origin: RulesOrigin) -> (&'static str, &'static str) {
        const PERSISTENT: &str =
            "apt-get install iptables-persistent && systemctl enable netfilter-persistent";
        const SETS: &str =
            "apt-get install ipset-persistent && systemctl enable netfilter-persistent";
        const SERVICES: &str =
            "dnf install iptables-services && systemctl enable iptables ip6tables";
        let six = matches!(
            origin,
            RulesOrigin::Ip6tablesLegacy | RulesOrigin::Ip6tablesNft
        );
        match (self, origin) {
            (Self::Debian | Self::Arch | Self::Suse, RulesOrigin::Nft) => {
                ("/etc/nftables.conf", "systemctl enable nftables")
            }
            (Self::RedHat, RulesOrigin::Nft) => {
                ("/etc/sysconfig/nftables.conf", "systemctl enable nftables")
            }
            (Self::Alpine, RulesOrigin::Nft) => ("/etc/nftables.nft", "rc-update add nftables"),
            (Self::Gentoo, RulesOrigin::Nft) => {
                ("/var/lib/nftables/rules-save", "rc-update add nftables")
            }
            (Self::Debian, RulesOrigin::Ipset) => ("/etc/iptables/ipsets", SETS),
            (Self::RedHat, RulesOrigin::Ipset) => (
                "/etc/sysconfig/ipset",
                "dnf install ipset-service && systemctl enable ipset",
            ),
            (Self::Arch | Self::Suse, RulesOrigin::Ipset) => {
                ("/etc/ipset.conf", "systemctl enable ipset")
            }
            (Self::Alpine, RulesOrigin::Ipset) => ("/etc/ipset.d/surefoot", "rc-update add ipset"),
            (Self::Gentoo, RulesOrigin::Ipset) => {
                ("/var/lib/ipset/rules-save", "rc-update add ipset")
            }
            (Self::Debian, _) if six => ("/etc/iptables/rules.v6", PERSISTENT),
            (Self::Debian, _) => ("/etc/iptables/rules.v4", PERSISTENT),
            (Self::RedHat, _) if six => ("/etc/sysconfig/ip6tables", SERVICES),
            (Self::RedHat, _) => ("/etc/sysconfig/iptables", SERVICES),
            (Self::Alpine, _) if six => ("/etc/iptables/rules6-save", "rc-update add ip6tables"),
            (Self::Alpine, _) => ("/etc/iptables/rules-save", "rc-update add iptables"),
            (Self::Gentoo, _) if six => {
                ("/var/lib/ip6tables/rules-save", "rc-update add ip6tables")
            }
            (Self::Gentoo, _) => ("/var/lib/iptables/rules-save", "rc-update add iptables"),
            (Self::Arch | Self::Suse, _) if six => (
                "/etc/iptables/ip6tables.rules",
                "systemctl enable ip6tables",
            ),
            (Self::Arch | Self::Suse, _) => {
                ("/etc/iptables/iptables.rules", "systemctl enable iptables")
            }
        }
    }
}

/// Whether a person wrote rules, and not a program that lists them: comments, variables and included files would
/// be lost by a listing.
pub fn is_written_by_hand(text: &str) -> bool {
    let is_listed = ["# Saved by surefoot", "# Generated by "];
    let mut lines = text.lines().take(5);
    if lines.any(|line| is_listed.iter().any(|head| line.starts_with(head))) {
        return false;
    }
    text.lines().any(|line| {
        let words = line.trim_start();
        let is_comment = words.starts_with('#') && !words.starts_with("#!");
        is_comment
            || ["define ", "include ", "redefine "]
                .iter()
                .any(|word| words.starts_with(word))
    })
}

/// The program that makes this host's rules itself, with the command that keeps them there.
pub fn rule_keeper(host: &Host) -> Option<(String, &'static str)> {
    let maker = host.rule_makers.first()?;
    let word = maker.split_whitespace().next().unwrap_or_default();
    let command = match word {
        "ufw" => "ufw allow ..., and ufw status",
        "firewalld" => "firewall-cmd --runtime-to-permanent",
        _ => "its own configuration",
    };
    Some((maker.clone(), command))
}

/// The files that have to hold the rules in force, one a mechanism that holds some or has a file.
pub fn files_to_save(host: &Host, state: &RuleState, habit: SaveHabit) -> Vec<SavedFile> {
    let mut files = Vec::new();
    let saved = host.saved_rules.as_deref().unwrap_or_default();
    let has_iptables = state.units.iter().any(|unit| {
        matches!(
            unit.key.origin,
            RulesOrigin::IptablesNft | RulesOrigin::Ip6tablesNft
        )
    });
    for origin in [
        RulesOrigin::Ipset,
        RulesOrigin::IptablesLegacy,
        RulesOrigin::Ip6tablesLegacy,
        RulesOrigin::IptablesNft,
        RulesOrigin::Ip6tablesNft,
        RulesOrigin::Nft,
    ] {
        if state.units.iter().all(|unit| unit.key.origin != origin) {
            continue;
        }
        let (path, enable) = habit.place(origin);
        let file = |path: &str| saved.iter().find(|file| file.path == path);
        let there = file(path);
        let loaded: Option<&SavedRules> = there.filter(|file| !file.loaders.is_empty());
        files.push(SavedFile {
            origin,
            path: path.to_owned(),
            text: saved_text(state, origin, has_iptables),
            there: there.map(|file| file.text.clone()),
            loaders: loaded.map(|file| file.loaders.clone()).unwrap_or_default(),
            enable,
        });
    }
    files
}

/// What loads a mechanism's rules, without counters.
fn saved_text(state: &RuleState, origin: RulesOrigin, has_iptables: bool) -> String {
    let mut text = String::new();
    let units = || state.units.iter().filter(|unit| unit.key.origin == origin);
    match origin {
        RulesOrigin::Nft => {
            text.push_str("#!/usr/sbin/nft -f\n# Saved by surefoot.\n\n");
            if has_iptables {
                // What iptables made stays.
                for unit in units() {
                    let _ = writeln!(text, "table {0}\ndelete table {0}", unit.key.name);
                }
            } else {
                text.push_str("flush ruleset\n");
            }
        }
        RulesOrigin::Ipset => {}
        _ => text.push_str("# Saved by surefoot.\n"),
    }
    for unit in units() {
        if origin == RulesOrigin::Nft {
            text.push('\n');
        }
        text.push_str(&normal_lines(unit));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_wrote_is_told_from_listings() {
        for text in [
            "#!/usr/sbin/nft -f\n\n# ssh from home\ntable inet f {\n}\n",
            "define home = 192.0.2.9\ntable inet f {\n}\n",
            "*filter\n# the web\n-A INPUT -j ACCEPT\nCOMMIT\n",
        ] {
            assert!(is_written_by_hand(text), "{text}");
        }
        for text in [
            "#!/usr/sbin/nft -f\n# Saved by surefoot.\n\nflush ruleset\n",
            "# Generated by iptables-save v1.8.9\n*filter\n# Completed\n",
            "#!/usr/sbin/nft -f\nflush ruleset\ntable inet f {\n}\n",
            "",
        ] {
            assert!(!is_written_by_hand(text), "{text}");
        }
    }
}
