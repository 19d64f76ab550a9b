//! Rule files on disk, and what loads them at boot.

use std::collections::{BTreeSet, HashMap};

use super::boot::Boot;
use super::files::Files;
use crate::SavedRules;

/// A rule file with its usual place, and the services that load it from there.
struct Usual {
    path: &'static str,
    /// Each with a file that the service needs to load this path, or nothing.
    services: &'static [(&'static str, &'static str)],
}

const PLUGINS: &str = "/usr/share/netfilter-persistent/plugins.d";

/// Where distributions keep rules. Debian: netfilter-persistent's plugins and nftables.service;
/// Red Hat: iptables-services; Arch: iptables.service; Alpine and Gentoo: the scripts of `OpenRC`.
const USUAL: &[Usual] = &[
    Usual {
        path: "/etc/iptables/rules.v4",
        services: &[
            ("netfilter-persistent", "15-ip4tables"),
            ("iptables-persistent", ""),
        ],
    },
    Usual {
        path: "/etc/iptables/rules.v6",
        services: &[
            ("netfilter-persistent", "25-ip6tables"),
            ("iptables-persistent", ""),
        ],
    },
    Usual {
        path: "/etc/iptables/ipsets",
        services: &[("netfilter-persistent", "10-ipset")],
    },
    Usual {
        path: "/etc/iptables/rules",
        services: &[("iptables-persistent", "")],
    },
    Usual {
        path: "/etc/nftables.conf",
        services: &[("nftables", ""), ("netfilter-persistent", "15-nftables")],
    },
    Usual {
        path: "/etc/sysconfig/iptables",
        services: &[("iptables", "")],
    },
    Usual {
        path: "/etc/sysconfig/ip6tables",
        services: &[("ip6tables", "")],
    },
    Usual {
        path: "/etc/sysconfig/nftables.conf",
        services: &[("nftables", "")],
    },
    Usual {
        path: "/etc/sysconfig/ipset",
        services: &[("ipset", "")],
    },
    Usual {
        path: "/etc/iptables/iptables.rules",
        services: &[("iptables", "")],
    },
    Usual {
        path: "/etc/iptables/ip6tables.rules",
        services: &[("ip6tables", "")],
    },
    Usual {
        path: "/etc/iptables/rules-save",
        services: &[("iptables", "")],
    },
    Usual {
        path: "/etc/iptables/rules6-save",
        services: &[("ip6tables", "")],
    },
    Usual {
        path: "/var/lib/iptables/rules-save",
        services: &[("iptables", "")],
    },
    Usual {
        path: "/var/lib/ip6tables/rules-save",
        services: &[("ip6tables", "")],
    },
    Usual {
        path: "/var/lib/nftables/rules-save",
        services: &[("nftables", "")],
    },
    Usual {
        path: "/etc/nftables.nft",
        services: &[("nftables", "")],
    },
    Usual {
        path: "/etc/ipset.conf",
        services: &[("ipset", "")],
    },
    Usual {
        path: "/etc/iptables.rules",
        services: &[],
    },
    Usual {
        path: "/etc/ip6tables.rules",
        services: &[],
    },
    Usual {
        path: "/etc/iptables.up.rules",
        services: &[],
    },
    Usual {
        path: "/etc/ip6tables.up.rules",
        services: &[],
    },
    Usual {
        path: "/etc/iptables.conf",
        services: &[],
    },
    Usual {
        path: "/etc/iptables.save",
        services: &[],
    },
    Usual {
        path: "/etc/firewall.conf",
        services: &[],
    },
];

/// Programs that make rules themselves, by the service that starts them.
const MAKERS: &[&str] = &[
    "firewalld",
    "shorewall",
    "shorewall6",
    "ferm",
    "csf",
    "apf",
    "firehol",
    "arno-iptables-firewall",
    "fwbuilder",
    "nftables-geoip",
];

/// All rule files that are there, with what loads them at boot.
pub(super) fn find(files: &Files, boot: &Boot) -> Vec<SavedRules> {
    let scripts = scripts(files, boot);
    let mentions = Mentions::new(&scripts);
    let mut read: BTreeSet<String> = BTreeSet::new();
    let mut found: Vec<SavedRules> = Vec::new();
    for usual in USUAL {
        let Some(text) = files.text(usual.path) else {
            continue;
        };
        let mut loaders: Vec<String> = usual
            .services
            .iter()
            .filter_map(|(service, plugin)| loader(files, boot, service, plugin))
            .collect();
        loaders.extend(mentions.of(usual.path));
        read.insert(usual.path.to_owned());
        found.push(saved(usual.path, text, loaders, boot));
    }
    for script in &scripts {
        for path in restored(&script.text) {
            if read.insert(path.clone())
                && let Some(text) = files.text(&path)
            {
                let loaders = mentions.of(&path);
                found.push(saved(&path, text, loaders, boot));
            }
        }
    }
    found
}

fn saved(path: &str, text: String, loaders: Vec<String>, boot: &Boot) -> SavedRules {
    SavedRules {
        path: path.to_owned(),
        text,
        loaders,
        loaders_known: boot.init.is_some(),
    }
}

/// Programs that make rules of their own at boot.
pub(super) fn makers(files: &Files, boot: &Boot) -> Vec<String> {
    let mut makers: Vec<String> = MAKERS
        .iter()
        .filter_map(|maker| boot.starts(maker).map(|by| format!("{maker} ({by})")))
        .collect();
    let ufw = files.text("/etc/ufw/ufw.conf").unwrap_or_default();
    let enabled = ufw
        .lines()
        .any(|line| line.trim().eq_ignore_ascii_case("enabled=yes"));
    if let (true, Some(by)) = (enabled, boot.starts("ufw")) {
        makers.push(format!("ufw ({by}, /etc/ufw/ufw.conf)"));
    }
    makers
}

/// A service that loads a file, if it is started and has what it needs.
fn loader(files: &Files, boot: &Boot, service: &str, plugin: &str) -> Option<String> {
    let by = boot.starts(service)?;
    if !plugin.is_empty() && !files.exists(&format!("{PLUGINS}/{plugin}")) {
        return None;
    }
    Some(format!("{service} ({by})"))
}

/// A text that is run at boot.
struct Script {
    path: String,
    text: String,
}

/// Everything that is run at boot and may load rules by itself.
fn scripts(files: &Files, boot: &Boot) -> Vec<Script> {
    let mut paths = vec![
        "/etc/network/interfaces".to_owned(),
        "/etc/rc.local".to_owned(),
    ];
    for folder in [
        "/etc/network/interfaces.d",
        "/etc/network/if-pre-up.d",
        "/etc/network/if-up.d",
        "/etc/NetworkManager/dispatcher.d",
        "/etc/NetworkManager/dispatcher.d/pre-up.d",
        "/etc/networkd-dispatcher/routable.d",
        "/etc/networkd-dispatcher/configured.d",
        "/etc/local.d",
    ] {
        paths.extend(files.paths(folder));
    }
    for (name, _) in boot.started() {
        paths.push(format!("/etc/systemd/system/{name}.service"));
        paths.push(format!("/etc/init.d/{name}"));
    }
    paths.sort();
    paths.dedup();
    let mut scripts: Vec<Script> = Vec::new();
    for path in paths {
        if let Some(text) = files.text(&path) {
            scripts.push(Script { path, text });
        }
    }
    let mut timetables = files.paths("/etc/cron.d");
    timetables.push("/etc/crontab".into());
    timetables.push("/var/spool/cron/crontabs/root".into());
    for path in timetables {
        let text = files.text(&path).unwrap_or_default();
        let at_boot: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("@reboot"))
            .collect();
        if !at_boot.is_empty() {
            let text = at_boot.join("\n");
            scripts.push(Script { path, text });
        }
    }
    scripts
}

/// The scripts that name a path in a line that is not a comment, by path.
struct Mentions<'a>(HashMap<&'a str, Vec<&'a str>>);

impl<'a> Mentions<'a> {
    fn new(scripts: &'a [Script]) -> Self {
        let mut mentions: HashMap<&str, Vec<&str>> = HashMap::new();
        for script in scripts {
            let lines = script.text.lines();
            let lines = lines.filter(|line| !line.trim_start().starts_with('#'));
            for word in lines.flat_map(words).filter(|word| word.starts_with('/')) {
                let by = mentions.entry(word).or_default();
                if by.last() != Some(&script.path.as_str()) {
                    by.push(&script.path);
                }
            }
        }
        Self(mentions)
    }

    fn of(&self, path: &str) -> Vec<String> {
        let by = self.0.get(path).into_iter().flatten();
        by.map(|by| (*by).to_owned()).collect()
    }
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|char: char| char.is_whitespace() || "<>;&|'\"()=".contains(char))
        .filter(|word| !word.is_empty())
}

/// The paths that a script gives to a program that loads rules.
fn restored(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for line in text
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.starts_with('#'))
    {
        let loads = [
            "iptables-restore",
            "ip6tables-restore",
            "iptables-legacy-restore",
            "iptables-nft-restore",
            "ipset restore",
            "nft -f",
        ];
        let Some(at) = loads.iter().find_map(|word| line.find(word)) else {
            continue;
        };
        let rest = line.get(at..).unwrap_or_default();
        let word = words(rest).skip(1).find(|word| word.starts_with('/'));
        paths.extend(word.map(ToOwned::to_owned));
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_names_what_it_loads() {
        let text = "# iptables-restore < /old\n  pre-up iptables-restore < /root/fw.rules\n\
                    post-up nft -f '/root/n.nft'; true\n";
        assert_eq!(restored(text), ["/root/fw.rules", "/root/n.nft"]);
    }

    #[test]
    fn a_path_is_a_whole_word() {
        let script = |path: &str, text: &str| Script {
            path: path.into(),
            text: text.into(),
        };
        let scripts = [
            script("/a", "pre-up iptables-restore </etc/iptables.rules\n"),
            script("/b", "cat /etc/iptables.rules.old\n# /etc/iptables.rules\n"),
        ];
        let mentions = Mentions::new(&scripts);
        assert_eq!(mentions.of("/etc/iptables.rules"), ["/a"]);
        assert_eq!(mentions.of("/etc/iptables.rules.old"), ["/b"]);
        assert!(mentions.of("/etc/iptables").is_empty());
    }
}
