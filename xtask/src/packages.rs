//! What the tests need beside Rust, from Debian's packages.

use crate::run::{Outcome, command, has, is_root, run_command, say};

/// A program that tests run, and the package that brings it.
const NEEDED: &[(&str, &str)] = &[
    ("iptables-nft-save", "iptables"),
    ("iptables-legacy-restore", "iptables"),
    ("nft", "nftables"),
    ("ipset", "ipset"),
    ("ip", "iproute2"),
    ("conntrack", "conntrack"),
    ("iperf", "iperf"),
    ("iperf3", "iperf3"),
    ("gcc", "gcc"),
    ("mkfs.ext4", "e2fsprogs"),
    ("fsfreeze", "util-linux"),
    ("g++", "g++"),
    ("xmllint", "libxml2-utils"),
    ("dot", "graphviz"),
    ("man", "man-db"),
    ("zsh", "zsh"),
    ("fish", "fish"),
];

/// What the benchmarks need on top.
const NEEDED_TO_COMPARE: &[(&str, &str)] = &[("lynis", "lynis")];

/// Installs what the tests need.
pub(crate) fn for_tests() -> Outcome {
    install(NEEDED)
}

/// Installs the peers that the benchmarks compare with.
pub(crate) fn for_benchmarks() -> Outcome {
    install(NEEDED)?;
    install(NEEDED_TO_COMPARE)
}

fn install(needed: &[(&str, &str)]) -> Outcome {
    let mut missing: Vec<&str> = needed
        .iter()
        .filter(|(program, _)| !has(program))
        .map(|(_, package)| *package)
        .collect();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !has("apt-get") {
        return Err(format!(
            "the tests need what Debian calls: {list}; install it and run again"
        ));
    }
    let sudo: &[&str] = if is_root() { &[] } else { &["sudo"] };
    let words = |rest: &[&'static str]| -> Vec<&str> { [sudo, rest].concat() };
    say(&format!("installing {list}"));
    let update = words(&["apt-get", "update", "-q"]);
    run_command(&mut command(&update), &update.join(" "))?;
    let mut install = words(&["apt-get", "install", "-y", "-q", "--no-install-recommends"]);
    install.extend(&missing);
    run_command(
        command(&install).env("DEBIAN_FRONTEND", "noninteractive"),
        &install.join(" "),
    )
}
