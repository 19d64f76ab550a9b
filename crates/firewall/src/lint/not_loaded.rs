//! Rules that are in force now and gone after the next boot.

use surefoot_report::{Finding, Page, Place, Severity};

use super::boot::{RulesGroup, SavedText, saved_files, written_by_hand};
use super::evidence::{FindingExt, MOST_SHOWN, counted_noun, finding};
use crate::LoadedRules;

pub(super) const PAGE: Page = Page {
    code: "FW012",
    title: "nothing loads the rules at boot",
    severity: Severity::High,
    text: "\
## What it is
The kernel holds rules, and nothing on this machine puts them back after a boot: there is no
file with them, or there is one that no service and no script reads.

## Why it matters
iptables and nft change the running kernel only. After the next power cut, kernel update or
reboot by a colleague the machine runs without a filter, silently, as nothing fails. It may be
months until then, and the rules are forgotten.

## How to see it yourself
    systemctl is-enabled nftables netfilter-persistent iptables
    ls -l /etc/iptables /etc/nftables.conf /etc/sysconfig/iptables
    grep -rs -e iptables-restore -e 'nft -f' /etc/network /etc/rc.local /etc/systemd/system

## How to mend it
Debian and Ubuntu, iptables: `apt-get install iptables-persistent`, then `netfilter-persistent
save`. nft: write the rules with `flush ruleset` before them to /etc/nftables.conf, check the
file with `nft -c -f`, and `systemctl enable nftables`, without starting it. Red Hat: `dnf
install iptables-services`, `service iptables save`, `systemctl enable iptables`. IPv6 has a
file and, on Red Hat, a service of its own. Then boot once while you can reach the console.

## When it is fine
Rules of docker, kube-proxy, libvirt, fail2ban and the like are made again when these start, and
are not counted. Neither are those of ufw, firewalld and other programs that make all rules
themselves. A script of your own that surefoot did not find may load them; then this finding is
wrong.
",
};

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    if !loaded.surroundings.live {
        return Vec::new();
    }
    let Some(saved) = saved_files(loaded) else {
        return Vec::new();
    };
    RulesGroup::ALL
        .into_iter()
        .filter_map(|group| group_finding(loaded, group, &saved))
        .collect()
}

fn group_finding(
    loaded: &LoadedRules,
    group: RulesGroup,
    saved: &[SavedText<'_>],
) -> Option<Finding> {
    let rules = written_by_hand(loaded, group);
    if rules.is_empty() {
        return None;
    }
    // What iptables-nft made can be saved and loaded as nft's.
    let loads =
        |one: &&SavedText<'_>| one.boots() && (one.holds(group) || one.holds(RulesGroup::Nft));
    if saved.iter().any(|one| loads(&one)) {
        return None;
    }
    let idle: Vec<&SavedText<'_>> = saved.iter().filter(|one| one.holds(group)).collect();
    let number = counted_noun(rules.len(), "rule");
    let word = group.word();
    let (title, sure) = match idle.first() {
        Some(file) => (
            format!(
                "nothing loads {} at boot: {number} for {word} will be gone",
                file.file.path
            ),
            idle.iter().all(|one| one.file.loaders_known),
        ),
        None => (
            format!("no file holds the {number} for {word}: the next boot loses them"),
            false,
        ),
    };
    let files = idle.iter().take(2).map(|one| {
        let mut shown =
            loaded.kernel_evidence("no service or script that runs at boot names this file");
        shown.place = Place::File {
            path: one.file.path.clone(),
        };
        shown
    });
    Some(
        finding(
            &PAGE,
            title,
            "after the next boot the machine runs without these rules, and nothing says so",
        )
        .possibly(!sure)
        .shown_by(files)
        .shown_by(
            rules
                .iter()
                .take(MOST_SHOWN - 2)
                .map(|at| loaded.show_rule(*at)),
        )
        .mend(
            "Write the rules where a service loads them at boot (Debian's way)",
            saving_commands(group),
        ),
    )
}

fn saving_commands(group: RulesGroup) -> Vec<String> {
    let words: &[&str] = match group {
        RulesGroup::V4 | RulesGroup::V6 => &[
            "apt-get install iptables-persistent",
            "netfilter-persistent save",
            "systemctl is-enabled netfilter-persistent",
        ],
        RulesGroup::Nft => &[
            "{ echo 'flush ruleset'; nft list ruleset; } > /etc/nftables.conf.new",
            "nft -c -f /etc/nftables.conf.new && mv /etc/nftables.conf.new /etc/nftables.conf",
            "systemctl enable nftables",
        ],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}
