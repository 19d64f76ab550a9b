//! What the tests need beside Rust, from Debian's packages.

use crate::run::{Outcome, command, has, is_root, run_command, say, target};

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
    ("perl", "perl-base"),
    ("agetty", "util-linux"),
    ("systemctl", "systemd"),
    ("curl", "curl"),
    ("git", "git"),
    ("nginx", "nginx-light"),
    ("apache2", "apache2-bin"),
    ("haproxy", "haproxy"),
    ("sshd", "openssh-server"),
    ("ssh-keygen", "openssh-client"),
    ("script", "bsdutils"),
    ("nsenter", "util-linux"),
    ("named", "bind9"),
    ("dig", "bind9-dnsutils"),
    ("php-fpm8.2", "php8.2-fpm"),
    ("cgi-fcgi", "libfcgi-bin"),
    ("mariadbd", "mariadb-server-core"),
    ("mariadb-install-db", "mariadb-server-core"),
    ("/usr/lib/postgresql/15/bin/postgres", "postgresql-15"),
    ("setpriv", "util-linux"),
    ("redis-server", "redis-server"),
    ("python3", "python3"),
    ("openssl", "openssl"),
    ("pgrep", "procps"),
];

/// Packages that would replace a part of this machine if they were installed: they are unpacked beside it.
const UNPACKED: &[(&str, &str)] = &[
    ("sbin/telinit", "sysvinit-core"),
    ("bin/busybox", "busybox-static"),
    ("sbin/runit", "runit"),
    ("sbin/openrc-init", "openrc"),
    ("usr/share/doc/librc1/copyright", "librc1"),
    ("usr/share/doc/libeinfo1/copyright", "libeinfo1"),
];

/// What the benchmarks need on top.
const NEEDED_TO_COMPARE: &[(&str, &str)] = &[("lynis", "lynis")];

/// Installs what the tests need.
pub(crate) fn for_tests() -> Outcome {
    install(NEEDED)?;
    unpack()
}

/// Unpacks packages in the target folder.
fn unpack() -> Outcome {
    let folder = target().join("unpacked");
    for (file, package) in UNPACKED {
        if folder.join(file).exists() {
            continue;
        }
        say(&format!("unpacking {package}"));
        let scratch = folder.join(package);
        std::fs::create_dir_all(&scratch).map_err(|error| error.to_string())?;
        let download = ["apt-get", "download", "-q", package];
        // A machine that never asked which packages there are has no list of them.
        if run_command(
            command(&download).current_dir(&scratch),
            &download.join(" "),
        )
        .is_err()
        {
            update()?;
            run_command(
                command(&download).current_dir(&scratch),
                &download.join(" "),
            )?;
        }
        let entries = std::fs::read_dir(&scratch).map_err(|error| error.to_string())?;
        for entry in entries {
            let archive = entry.map_err(|error| error.to_string())?.path();
            let (archive, to) = (archive.display().to_string(), folder.display().to_string());
            let words = ["dpkg-deb", "-x", &archive, &to];
            run_command(&mut command(&words), &words.join(" "))?;
        }
        std::fs::remove_dir_all(&scratch).map_err(|error| error.to_string())?;
        if !folder.join(file).exists() {
            return Err(format!("{package} brought no {file}"));
        }
    }
    Ok(())
}

/// Asks which packages there are.
fn update() -> Outcome {
    let words = as_root(&["apt-get", "update", "-q"]);
    run_command(&mut command(&words), &words.join(" "))
}

/// A command line for root.
fn as_root(words: &[&'static str]) -> Vec<&'static str> {
    let sudo: &[&str] = if is_root() { &[] } else { &["sudo"] };
    [sudo, words].concat()
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
    say(&format!("installing {list}"));
    update()?;
    let mut install: Vec<&str> =
        as_root(&["apt-get", "install", "-y", "-q", "--no-install-recommends"]);
    install.extend(&missing);
    run_command(
        command(&install).env("DEBIAN_FRONTEND", "noninteractive"),
        &install.join(" "),
    )
}
