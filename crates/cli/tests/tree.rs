//! A directory tree shows what would be loaded at boot, and no more: no answer from it is certain.

mod common;

use std::fs;

use common::program;

#[test]
fn a_tree_gives_no_certain_answer_about_packets() {
    let root = tempfile::tempdir().expect("a folder for scratch");
    let etc = root.path().join("etc");
    fs::create_dir_all(&etc).expect("it is ours");
    fs::write(etc.join("rc.local"), "#!/bin/sh\niptables -P INPUT DROP\n").expect("it is ours");
    let explained = program()
        .args(["firewall", "explain", "--root"])
        .arg(root.path())
        .args([
            "ssh",
            "from",
            "203.0.113.9",
            "in",
            "eth0",
            "--format",
            "json",
        ])
        .output()
        .expect("the program was built");
    let told = String::from_utf8_lossy(&explained.stderr).into_owned();
    let answer: serde_json::Value = serde_json::from_slice(&explained.stdout).expect(&told);
    assert_eq!(answer["answer"]["certainty"], "possibly", "{answer}");
    let checked = program()
        .args(["check", "--format", "json", "--root"])
        .arg(root.path())
        .output()
        .expect("the program was built");
    let report = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(!report.contains("FW023"), "{report}");
    assert!(
        report.contains("in force when this system runs"),
        "{report}"
    );
}

#[test]
fn a_console_whose_prompt_is_masked_has_none() {
    let root = tempfile::tempdir().expect("a folder for scratch");
    let units = root.path().join("etc/systemd/system");
    fs::create_dir_all(&units).expect("it is ours");
    fs::create_dir_all(root.path().join("etc/default")).expect("it is ours");
    fs::create_dir_all(root.path().join("sbin")).expect("it is ours");
    std::os::unix::fs::symlink("/lib/systemd/systemd", root.path().join("sbin/init"))
        .expect("it is ours");
    fs::write(
        root.path().join("etc/default/grub"),
        "GRUB_CMDLINE_LINUX=\"console=ttyS0\"\n",
    )
    .expect("it is ours");
    let findings = || {
        let checked = program()
            .args(["check", "--format", "json", "--root"])
            .arg(root.path())
            .output()
            .expect("the program was built");
        String::from_utf8_lossy(&checked.stdout).into_owned()
    };
    assert!(!findings().contains("CO001"), "systemd makes one by itself");
    std::os::unix::fs::symlink("/dev/null", units.join("serial-getty@ttyS0.service"))
        .expect("it is ours");
    assert!(findings().contains("CO001"), "{}", findings());
}
