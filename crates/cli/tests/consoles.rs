//! `surefoot consoles` on a directory tree: shown, set, set again, undone, refused.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use common::{Ran, program, ran};

/// A copy of the example of a strange server.
fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    copy(
        Path::new("../../docs/examples/strange-server"),
        &folder.path().join("root"),
    );
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it can be made");
    for entry in fs::read_dir(from).expect("the example is there") {
        let path = entry.expect("it can be read").path();
        let target = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("it can be copied");
        }
    }
}

/// Runs a command on the tree, with a journal of its own.
fn consoles(folder: &Path, words: &[&str]) -> Ran {
    let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    words.insert(0, "consoles".to_owned());
    words.push("--root".to_owned());
    words.push(folder.join("root").display().to_string());
    if words.len() > 3 && !words[1].starts_with("--") {
        words.push("--state-dir".to_owned());
        words.push(folder.join("state").display().to_string());
    }
    let output = program()
        .args(&words)
        .output()
        .expect("the program was built");
    ran(output)
}

fn inittab(folder: &Path) -> String {
    fs::read_to_string(folder.join("root/etc/inittab")).expect("it can be read")
}

#[test]
fn what_is_set_is_shown_and_undone_to_the_byte() {
    let folder = tree();
    let before = inittab(folder.path());
    let dry = consoles(folder.path(), &["set", "tty1,hvc0", "--dry-run"]);
    assert_eq!(
        (dry.status, inittab(folder.path())),
        (0, before.clone()),
        "{dry:?}"
    );
    assert!(
        dry.out.contains("+h0:2345:respawn:/sbin/getty -L"),
        "{dry:?}"
    );

    let set = consoles(folder.path(), &["set", "tty1,hvc0"]);
    assert_eq!(set.status, 0, "{set:?}");
    let after = inittab(folder.path());
    assert!(
        after.contains("\n#2:23:respawn") && after.contains("hvc0"),
        "{after}"
    );
    let again = consoles(folder.path(), &["set", "tty1,hvc0"]);
    assert_eq!(again.status, 0, "{again:?}");
    assert!(again.out.contains("as it is set up already"), "{again:?}");
    assert_eq!(inittab(folder.path()), after);
    let shown = consoles(folder.path(), &["--format", "json"]);
    let answer: serde_json::Value = serde_json::from_str(&shown.out).expect("it is JSON");
    assert_eq!(
        answer["answer"]["terminals"][2]["terminal"], "hvc0",
        "{answer}"
    );
    assert_eq!(
        answer["answer"]["terminals"][2]["prompts"][0]["start"],
        "boot"
    );

    let state = folder.path().join("state");
    let undone = program()
        .args(["undo", "--state-dir"])
        .arg(&state)
        .output()
        .expect("the program was built");
    assert!(undone.status.success(), "{undone:?}");
    assert_eq!(inittab(folder.path()), before);
}

#[test]
fn the_only_working_prompt_is_not_given_up() {
    let folder = tree();
    let before = inittab(folder.path());
    let getty = folder.path().join("root/sbin/getty");
    let mode = |mode| fs::set_permissions(&getty, fs::Permissions::from_mode(mode));
    mode(0o644).expect("its mode can be set");
    let refused = consoles(folder.path(), &["set", "tty2"]);
    assert_eq!(refused.status, 1, "{refused:?}");
    let told =
        "/sbin/getty cannot be started: it is not executable; no login prompt would start on tty2";
    assert!(refused.err.contains(told), "{refused:?}");
    assert!(refused.err.contains("--missing"), "{refused:?}");
    mode(0o755).expect("its mode can be set");
    let grub = folder.path().join("root/etc/default/grub");
    fs::create_dir_all(grub.parent().expect("it is in a folder")).expect("it can be made");
    let line = "GRUB_CMDLINE_LINUX=\"console=tty0 console=ttyS0,115200n8\"\n";
    fs::write(&grub, line).expect("it can be written");
    let added = consoles(folder.path(), &["add", "ttyS0"]);
    assert_eq!(added.status, 0, "{added:?}");
    let with_serial = inittab(folder.path());
    assert_ne!(with_serial, before);
    let refused = consoles(folder.path(), &["set", "tty1"]);
    assert_eq!(refused.status, 1, "{refused:?}");
    let told = "name ttyS0 as well, or take its prompt with --no-console";
    assert!(refused.err.contains(told), "{refused:?}");
    assert_eq!(inittab(folder.path()), with_serial);
    let named = consoles(folder.path(), &["remove", "serial"]);
    assert_eq!(named.status, 1, "{named:?}");
    let told = "hint: take its prompt with --no-console, if that is meant";
    assert!(named.err.contains(told), "{named:?}");
    assert_eq!(inittab(folder.path()), with_serial);
    let note = "note: ttyS0 loses its login prompt, and it is the kernel's console";
    for words in [["set", "tty1"], ["remove", "serial"]] {
        let meant = [words.as_slice(), &["--no-console", "--dry-run"]].concat();
        let meant = consoles(folder.path(), &meant);
        assert_eq!(meant.status, 0, "{meant:?}");
        assert!(meant.err.contains(note), "{meant:?}");
    }
}

#[test]
fn what_cannot_be_done_says_why_and_changes_nothing() {
    let folder = tree();
    let before = inittab(folder.path());
    // A tree without a getty may be a part of a system: it is said, and no reason to refuse.
    fs::remove_file(folder.path().join("root/sbin/getty")).expect("it can be removed");
    let noted = consoles(folder.path(), &["set", "tty1,hvc0", "--dry-run"]);
    assert_eq!(noted.status, 0, "{noted:?}");
    let note = "note: /sbin/getty is not there; without it no login prompt starts on tty1, hvc0";
    assert!(noted.err.contains(note), "{noted:?}");
    for (words, status, told) in [
        (["set", "eth0"].as_slice(), 2, "`eth0` names no terminal"),
        (&["add", "3"], 2, "`surefoot consoles set 3`"),
        (&["remove", "tty1-tty2"], 1, "--none"),
        (&["set", "tty1", "--on-demand", "2"], 1, "only systemd"),
        (&["set", "tty1", "--baud", "1"], 2, "1 is not in"),
        (&["add", "tty64"], 2, "tty64 cannot exist"),
        (&["add", "ttyS99999"], 2, "no driver has a terminal"),
    ] {
        let told_by = consoles(folder.path(), words);
        assert_eq!(told_by.status, status, "{words:?}: {told_by:?}");
        assert!(told_by.err.contains(told), "{words:?}: {told_by:?}");
        assert_eq!(inittab(folder.path()), before, "{words:?}");
    }
}
