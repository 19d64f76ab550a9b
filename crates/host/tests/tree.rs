//! Directory trees: what files say of a machine that does not run, hostile trees included.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use surefoot_host::Host;
use surefoot_testkit::or_fail;

/// A tree of these files, each a path and a text.
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it can be made");
        fs::write(path, text).expect("it can be written");
    }
    folder
}

fn link(folder: &Path, from: &str, to: &str) {
    let from = folder.join(from);
    fs::create_dir_all(from.parent().expect("it is in a folder")).expect("it can be made");
    symlink(to, from).expect("it can be linked");
}

fn loaders(host: &Host, path: &str) -> Vec<String> {
    let saved = host.saved_rules.as_ref().expect("files were looked for");
    let found = saved.iter().find(|saved| saved.path == path);
    found
        .unwrap_or_else(|| panic!("{path} in {saved:?}"))
        .loaders
        .clone()
}

const RULES: (&str, &str) = ("etc/iptables/rules.v4", "*filter\nCOMMIT\n");
const NFT: (&str, &str) = ("etc/nftables.conf", "table inet t {\n}\n");
const SYSTEMD: (&str, &str) = ("lib/systemd/systemd", "");

#[test]
fn systemd_starts_what_a_target_wants_and_no_mask_hides() {
    let folder = tree(&[RULES, NFT, SYSTEMD]);
    link(folder.path(), "sbin/init", "/lib/systemd/systemd");
    assert!(loaders(&Host::at(folder.path(), 0), "/etc/nftables.conf").is_empty());
    let wants = "etc/systemd/system/sysinit.target.wants/nftables.service";
    link(folder.path(), wants, "/lib/systemd/system/nftables.service");
    let host = Host::at(folder.path(), 0);
    let by = loaders(&host, "/etc/nftables.conf");
    assert_eq!(by, [format!("nftables (/{wants})")]);
    assert_eq!(host.consoles.init.as_deref(), Some("systemd"));
    link(
        folder.path(),
        "etc/systemd/system/nftables.service",
        "/dev/null",
    );
    assert!(loaders(&Host::at(folder.path(), 0), "/etc/nftables.conf").is_empty());
}

#[test]
fn netfilter_persistent_needs_its_plugin() {
    let folder = tree(&[RULES, SYSTEMD]);
    link(folder.path(), "sbin/init", "../lib/systemd/systemd");
    let wants = "etc/systemd/system/multi-user.target.wants/netfilter-persistent.service";
    link(
        folder.path(),
        wants,
        "/lib/systemd/system/netfilter-persistent.service",
    );
    assert!(loaders(&Host::at(folder.path(), 0), "/etc/iptables/rules.v4").is_empty());
    let plugin = folder
        .path()
        .join("usr/share/netfilter-persistent/plugins.d/15-ip4tables");
    fs::create_dir_all(plugin.parent().expect("a folder")).expect("it can be made");
    fs::write(plugin, "").expect("it can be written");
    assert_eq!(
        loaders(&Host::at(folder.path(), 0), "/etc/iptables/rules.v4").len(),
        1
    );
}

#[test]
fn scripts_of_the_network_load_rules_too() {
    let folder = tree(&[
        ("sbin/init", ""),
        ("etc/inittab", "id:2:initdefault:\n"),
        ("root/fw", "*filter\nCOMMIT\n"),
        (
            "etc/network/if-pre-up.d/fw",
            "#!/bin/sh\niptables-restore < /root/fw\n",
        ),
    ]);
    let host = Host::at(folder.path(), 0);
    assert_eq!(loaders(&host, "/root/fw"), ["/etc/network/if-pre-up.d/fw"]);
}

#[test]
fn makers_of_rules_are_told() {
    let folder = tree(&[("etc/ufw/ufw.conf", "ENABLED=yes\n"), SYSTEMD]);
    link(folder.path(), "sbin/init", "/lib/systemd/systemd");
    assert!(
        Host::at(folder.path(), 0).rule_makers.is_empty(),
        "it is not started"
    );
    link(
        folder.path(),
        "etc/systemd/system/multi-user.target.wants/ufw.service",
        "/lib/systemd/system/ufw.service",
    );
    assert_eq!(Host::at(folder.path(), 0).rule_makers.len(), 1);
}

#[test]
fn links_never_lead_out_of_the_tree() {
    let outside = tree(&[("secret", "ALL: ALL\n")]);
    let folder = tree(&[("inside", "sshd: ALL\n")]);
    let secret = outside.path().join("secret");
    link(
        folder.path(),
        "etc/hosts.deny",
        secret.to_str().expect("text"),
    );
    link(folder.path(), "etc/hosts.allow", "/inside");
    link(
        folder.path(),
        "etc/fstab",
        "../../../../../../../../etc/fstab",
    );
    let host = Host::at(folder.path(), 0);
    let read: Vec<&str> = host
        .wrappers
        .iter()
        .map(|file| file.text.as_str())
        .collect();
    assert_eq!(
        read,
        ["sshd: ALL\n"],
        "an absolute link begins at the tree's root"
    );
    assert_eq!(host.fstab, None);
}

#[test]
fn what_is_no_plain_file_is_never_waited_for() {
    let folder = tree(&[("etc/keep", "")]);
    let fifo = folder.path().join("etc/hosts.allow");
    let made = std::process::Command::new("mkfifo")
        .arg(&fifo)
        .status()
        .expect("mkfifo runs");
    assert!(made.success());
    link(folder.path(), "etc/hosts.deny", "hosts.deny");
    fs::create_dir(folder.path().join("etc/fstab")).expect("it can be made");
    link(folder.path(), "etc/inittab", "/dev/zero");
    let host = Host::at(folder.path(), 0);
    assert!(host.wrappers.is_empty() && host.fstab.is_none());
    let missing: Vec<&str> = host.missing.iter().map(|it| it.fact.as_str()).collect();
    for fact in ["hosts.allow", "hosts.deny"] {
        let fact = format!("the file /etc/{fact}");
        assert!(missing.contains(&fact.as_str()), "{fact}: {missing:?}");
    }
}

#[test]
fn a_file_that_is_too_large_is_said_to_be_missing() {
    let folder = tree(&[("etc/hosts.deny", "")]);
    let file = fs::File::create(folder.path().join("etc/hosts.deny")).expect("it can be made");
    file.set_len(65 << 20).expect("a file can have holes");
    let host = Host::at(folder.path(), 0);
    assert!(host.wrappers.is_empty());
    let told = host
        .missing
        .iter()
        .find(|it| it.fact.contains("hosts.deny"));
    let why = told.map(|it| it.why.as_str());
    assert_eq!(why, Some("it is larger than 64 MiB"), "{:?}", host.missing);
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let folder = tree(&[]);
    fs::create_dir(folder.path().join("etc")).expect("it can be made");
    fs::write(folder.path().join("etc/hosts.deny"), b"ALL: ALL \xff\xfe\n").expect("written");
    let host = Host::at(folder.path(), 0);
    assert_eq!(host.wrappers[0].text, "ALL: ALL \u{fffd}\u{fffd}\n");
}

#[test]
fn an_empty_tree_knows_nothing_and_says_so() {
    let folder = tree(&[]);
    let host = Host::at(folder.path(), 7);
    assert_eq!(
        (host.taken, host.running, &host.consoles.init),
        (7, false, &None)
    );
    assert!(host.fstab.is_none() && host.network.is_none() && host.sockets.is_none());
    assert!(host.missing.len() >= 4, "{:?}", host.missing);
}

#[test]
fn passwords_of_mounts_do_not_leave() {
    let folder = tree(&[(
        "etc/fstab",
        "//h/s /s cifs user=me,password=hunter2,ro 0 0\n",
    )]);
    let host = Host::at(folder.path(), 0);
    let mounts = host.fstab.expect("it is there");
    assert_eq!(mounts[0].options, ["user=me", "password=***", "ro"]);
}

#[test]
fn links_may_go_up_and_around_within_the_tree() {
    let folder = tree(&[("data/real/hosts", "ALL: LOCAL\n")]);
    link(
        folder.path(),
        "etc/hosts.allow",
        "../../../data/./link/hosts",
    );
    link(folder.path(), "data/link", "/data//real/");
    link(folder.path(), "etc/hosts.deny", "no-file/..");
    let host = Host::at(folder.path(), 0);
    assert_eq!(host.wrappers.len(), 1, "{:?}", host.missing);
    assert_eq!(host.wrappers[0].text, "ALL: LOCAL\n");
}

#[test]
fn a_folder_that_may_not_be_listed_is_said_to_be_missing() {
    let folder = tree(&[RULES, ("etc/cron.d/job", "")]);
    // Not even root lists a folder with a name that is no text whole.
    let odd = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"etc/cron.d/\xff");
    fs::write(folder.path().join(odd), "").expect("any bytes are a name");
    link(folder.path(), "etc/local.d", "local.d");
    let host = Host::at(folder.path(), 0);
    let facts: Vec<&str> = host.missing.iter().map(|it| it.fact.as_str()).collect();
    for fact in ["the file /etc/cron.d", "the file /etc/local.d"] {
        assert!(facts.contains(&fact), "{fact}: {facts:?}");
    }
}

#[test]
fn a_root_that_is_none_leaves_everything_open() {
    let folder = tree(&[("file", "")]);
    for name in ["file", "absent"] {
        let host = Host::at(&folder.path().join(name), 0);
        assert!(host.saved_rules.is_none() && host.fstab.is_none());
        let told = host.missing.iter().any(|it| it.fact == "every file");
        assert!(told, "{name}: {:?}", host.missing);
    }
}

#[test]
fn devices_are_not_opened_and_null_is_an_empty_file() {
    let folder = tree(&[("etc/keep", ""), ("dev/keep", "")]);
    // A device is mounted where root of a user namespace may not make one. The mount ends with the
    // mount namespace in which `unshare -Urnm` runs the tests.
    let device = |path: &str, minor: &str, name: &str| {
        let script = r#"mknod "$1" c 1 "$2" || { touch "$1" && mount --bind "/dev/$3" "$1"; }"#;
        let made = std::process::Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(folder.path().join(path))
            .args([minor, name])
            .output()
            .expect("sh runs");
        let why = String::from_utf8_lossy(&made.stderr).into_owned();
        made.status.success().then_some(()).ok_or(why)
    };
    or_fail(device("dev/null", "3", "null"));
    or_fail(device("etc/fstab", "5", "zero"));
    link(folder.path(), "etc/hosts.deny", "/dev/null");
    let host = Host::at(folder.path(), 0);
    assert_eq!(host.wrappers.len(), 1, "{:?}", host.missing);
    assert_eq!(host.wrappers[0].text, "");
    assert_eq!(host.fstab, None);
    let told = host
        .missing
        .iter()
        .find(|it| it.fact == "the file /etc/fstab");
    assert_eq!(told.map(|it| it.why.as_str()), Some("it is no plain file"));
}
