//! `edit`, `changes`, `undo`, `confirm` and `rollback` as sessions at a shell.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::Ran;

/// A folder with a file, and a journal of its own.
struct EditSession {
    scratch: tempfile::TempDir,
}

impl EditSession {
    fn new() -> Self {
        let scratch = tempfile::tempdir().expect("a folder for scratch");
        let session = Self { scratch };
        fs::write(session.file(), "Port 22\n").expect("it is written");
        session
    }

    fn folder(&self) -> PathBuf {
        self.scratch.path().canonicalize().expect("it is there")
    }

    fn file(&self) -> PathBuf {
        self.folder().join("file")
    }

    /// Runs surefoot; `FILE` stands for the file.
    fn run(&self, words: &[&str]) -> Ran {
        let file = self.file().display().to_string();
        let state = self.folder().join("state").display().to_string();
        let mut all: Vec<&str> = words
            .iter()
            .map(|word| if *word == "FILE" { &file } else { *word })
            .collect();
        let behind = match words {
            ["changes", "show" | "prune", ..] => 2,
            _ => 1,
        };
        all.insert(behind, &state);
        all.insert(behind, "--state-dir");
        common::run(&all)
    }

    #[track_caller]
    fn check(&self, words: &[&str], status: i32, content: &str) -> Ran {
        let ran = self.run(words);
        assert_eq!(ran.status, status, "{}\n{}", ran.out, ran.err);
        let there = fs::read_to_string(self.file()).expect("it is there");
        assert_eq!(there, content, "{}", ran.err);
        ran
    }
}

const EDIT: [&str; 6] = ["edit", "FILE", "--", "sed", "-i", "s/22/2222/"];

#[test]
fn a_file_is_edited_listed_shown_and_put_back() {
    let session = EditSession::new();
    fs::set_permissions(session.file(), fs::Permissions::from_mode(0o640)).expect("it is set");
    let edited = session.check(&EDIT, 0, "Port 2222\n");
    assert!(
        edited.out.contains("-Port 22\n+Port 2222\n"),
        "{}",
        edited.out
    );
    assert!(
        edited.err.contains("put it back: surefoot undo 1"),
        "{}",
        edited.err
    );
    let mode = fs::metadata(session.file())
        .expect("it is there")
        .permissions();
    assert_eq!(mode.mode() & 0o7777, 0o640);
    let listed = session.check(&["changes"], 0, "Port 2222\n");
    assert!(
        listed.out.contains("  applied      edit /"),
        "{}",
        listed.out
    );
    let shown = session.check(&["changes", "show", "1"], 0, "Port 2222\n");
    assert!(shown.out.contains("+Port 2222"), "{}", shown.out);
    assert!(shown.out.contains("applied and verified"), "{}", shown.out);
    session.check(&["undo"], 0, "Port 22\n");
    session.check(&["undo", "2"], 0, "Port 2222\n");
    let json = session.check(&["changes", "--format", "json"], 0, "Port 2222\n");
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(json["answer"]["entries"].as_array().map(Vec::len), Some(3));
    session.check(&["changes", "prune", "--keep", "1"], 0, "Port 2222\n");
    let listed = session.check(&["changes"], 0, "Port 2222\n");
    assert_eq!(listed.out.lines().count(), 1, "{}", listed.out);
}

#[test]
fn undo_of_what_was_changed_since_is_refused_with_the_difference() {
    let session = EditSession::new();
    session.check(&EDIT, 0, "Port 2222\n");
    fs::write(session.file(), "Port 4444\n").expect("it is written");
    let refused = session.check(&["undo"], 1, "Port 4444\n");
    assert!(
        refused.err.contains("-Port 2222\n+Port 4444\n"),
        "{}",
        refused.err
    );
    assert!(
        refused.err.ends_with("Nothing was changed.\n"),
        "{}",
        refused.err
    );
    session.check(&["undo", "1", "--force"], 0, "Port 22\n");
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_changed() {
    let session = EditSession::new();
    session.check(&["edit", "FILE", "--", "true"], 0, "Port 22\n");
    for (words, status, said) in [
        (&["undo"][..], 1, "no entry that can be undone"),
        (&["undo", "7"], 2, "the journal has no entry 7"),
        (&["confirm"], 1, "no entry that can be confirmed"),
        (&["rollback", "7"], 2, "the journal has no entry 7"),
        (
            &["edit", "/dev/null", "--", "true"],
            2,
            "/dev/null is a device",
        ),
        (
            &["edit", "/nowhere/file", "--", "true"],
            2,
            "has no folder to be in",
        ),
        (
            &["edit", "FILE", "--", "false"],
            2,
            "`false` ended with exit status: 1",
        ),
        (&["edit", "FILE"], 2, "no terminal for an editor"),
        (&["changes", "show"], 1, "no entry that can be shown"),
    ] {
        let ran = session.check(words, status, "Port 22\n");
        assert!(ran.err.contains(said), "{words:?}: {}", ran.err);
    }
    let same = session.check(&["edit", "FILE", "--", "true"], 0, "Port 22\n");
    assert!(same.err.contains("changed nothing"), "{}", same.err);
    let dry = ["edit", "--dry-run", "FILE", "--", "sed", "-i", "s/22/1/"];
    let dry = session.check(&dry, 0, "Port 22\n");
    assert!(dry.out.contains("+Port 1\n"), "{}", dry.out);
    assert!(session.run(&["changes"]).out.is_empty());
}

#[test]
fn a_file_that_changes_while_it_is_edited_is_not_overwritten() {
    let session = EditSession::new();
    let name = session.file().display().to_string();
    let script = format!("echo theirs > {name}; echo mine > \"$0\"");
    let ran = session.check(&["edit", "FILE", "--", "sh", "-c", &script], 1, "theirs\n");
    let kept = ran
        .err
        .split("your version is kept: ")
        .nth(1)
        .expect("it is kept");
    let kept = Path::new(kept.lines().next().expect("a line")).join("0/file");
    assert_eq!(fs::read_to_string(kept).expect("it is there"), "mine\n");
}

#[test]
fn a_syntax_check_refuses_and_a_failing_reload_puts_back() {
    let session = EditSession::new();
    let fstab = session.folder().join("fstab");
    fs::write(&fstab, "none /tmp tmpfs defaults 0 0\n").expect("it is written");
    let name = fstab.display().to_string();
    let broken = ["edit", &name, "--", "sh", "-c", "echo 'nonsense' >> \"$0\""];
    let refused = session.run(&broken);
    assert_eq!(refused.status, 1, "{}", refused.err);
    assert!(
        refused.err.contains("refuses the new version"),
        "{}",
        refused.err
    );
    assert!(
        !fs::read_to_string(&fstab)
            .expect("it is there")
            .contains("nonsense")
    );
    let failing = [
        "edit", "--reload", "exit 3", "FILE", "--", "sed", "-i", "s/22/1/",
    ];
    let failed = session.check(&failing, 5, "Port 22\n");
    assert!(failed.err.contains("exit status: 3"), "{}", failed.err);
    // It fails as well when the old file is back, and that is not hidden.
    for wanted in [
        "on the way back: the files are back, but",
        "It was put back, except for what is named above",
    ] {
        assert!(failed.err.contains(wanted), "{}", failed.err);
    }
    let shown = session.run(&["changes", "show", "1"]);
    assert!(!shown.out.contains("all is as before"), "{}", shown.out);
    let other = session.folder().join("ran");
    let once = format!("test -e {0} && exit; touch {0}; exit 3", other.display());
    let failing = [
        "edit", "--reload", &once, "FILE", "--", "sed", "-i", "s/22/1/",
    ];
    let failed = session.check(&failing, 4, "Port 22\n");
    assert!(
        failed.err.ends_with("All is as it was before.\n"),
        "{}",
        failed.err
    );
}

#[test]
fn an_armed_change_is_rolled_back_on_demand() {
    let session = EditSession::new();
    let mut words = EDIT.to_vec();
    words.splice(1..1, ["--confirm-within", "30s"]);
    let armed = session.check(&words, 0, "Port 2222\n");
    assert!(
        armed.err.contains("keep it: surefoot confirm 1"),
        "{}",
        armed.err
    );
    session.check(&["rollback"], 0, "Port 22\n");
}

/// What a disk can be like that takes no change.
const BAD_DISKS: &str = r#"
mount -t tmpfs -o mode=755 tmpfs "$folder"
cd "$folder"
try() {
    "$surefoot" edit --state-dir state "$1" -- sh -c 'echo new >> "$0"' > out 2>&1
    echo "$1: status $?"
    cat out
}
echo old > place && echo other > other && mount --bind other place && try place
mkdir ro && mount -t tmpfs tmpfs ro && echo old > ro/file && mount -o remount,ro ro && try ro/file
mkdir full && mount -t tmpfs -o size=64k tmpfs full && echo old > full/file
dd if=/dev/zero of=full/filler bs=4k 2> /dev/null
try full/file
cat place ro/file full/file
mkdir st && mount -t tmpfs -o size=64k tmpfs st && dd if=/dev/zero of=st/filler bs=4k 2> /dev/null
"$surefoot" edit --state-dir st other -- sh -c 'echo new >> "$0"' 2>&1
cat other
"#;

#[test]
fn a_mount_point_a_read_only_and_a_full_disk_are_clear_errors() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let output = std::process::Command::new("unshare")
        .args(["-m", "bash", "-c", BAD_DISKS])
        .env("surefoot", env!("CARGO_BIN_EXE_surefoot"))
        .env("folder", scratch.path())
        .output()
        .expect("unshare is there");
    let said = String::from_utf8_lossy(&output.stdout);
    for wanted in [
        "place: status 2\n",
        "/place is a mount point\n",
        "ro/file: status 2\n",
        "/ro/file is on a file system that is read-only\n",
        "full/file: status 4\n",
        "No space left on device",
        "All is as it was before.\nother\nold\nold\n",
        "Nothing was changed.\nother\n",
    ] {
        assert!(said.contains(wanted), "{wanted}\n{said}");
    }
}

#[test]
fn a_journal_in_which_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let state = scratch.path().join("state");
    fs::create_dir(&state).expect("it can be made");
    let open_to_all = fs::Permissions::from_mode(0o777);
    fs::set_permissions(&state, open_to_all).expect("it is ours");
    let file = scratch.path().join("file");
    fs::write(&file, "old\n").expect("it can be written");
    let (state, name) = (state.display().to_string(), file.display().to_string());
    let edit: &[&str] = &[
        "edit",
        "--state-dir",
        &state,
        &name,
        "--",
        "sh",
        "-c",
        "echo new > \"$0\"",
    ];
    for words in [
        edit,
        &["changes", "--state-dir", &state],
        &["undo", "--state-dir", &state],
    ] {
        let ran = common::run(words);
        assert_eq!(ran.status, 2, "{words:?}: {ran:?}");
        assert!(ran.err.contains("other users can write to it"), "{ran:?}");
    }
    assert_eq!(fs::read_to_string(&file).expect("it is read"), "old\n");
}

#[test]
fn a_name_that_is_not_text_ends_in_no_panic() {
    use std::os::unix::ffi::OsStrExt;
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let file = scratch
        .path()
        .join(std::ffi::OsStr::from_bytes(b"na\xffme"));
    fs::write(&file, "old\n").expect("it can be written");
    let output = common::program()
        .arg("edit")
        .arg("--state-dir")
        .arg(scratch.path().join("state"))
        .arg(&file)
        .args(["--", "sh", "-c", "echo new > \"$0\""])
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read_to_string(&file).expect("it is read"), "new\n");
}

#[test]
fn a_journal_that_was_named_and_is_not_there_is_an_error_and_is_not_made() {
    let session = EditSession::new();
    for words in [
        &["changes"][..],
        &["changes", "show"],
        &["changes", "prune", "--keep", "1"],
        &["undo"],
        &["confirm"],
        &["rollback"],
    ] {
        let ran = session.run(words);
        assert_eq!(ran.status, 2, "{words:?}: {}", ran.err);
        assert!(
            ran.err.contains("there is no journal in") && ran.err.contains("check the name"),
            "{words:?}: {}",
            ran.err
        );
        assert!(!session.folder().join("state").exists(), "{words:?}");
    }
    // A folder that is something else is no journal either.
    fs::create_dir(session.folder().join("state")).expect("it is made");
    let ran = session.run(&["changes"]);
    assert_eq!(ran.status, 2, "{}", ran.err);
}

#[test]
fn times_are_local_and_say_how_far_from_utc() {
    let session = EditSession::new();
    session.check(&EDIT, 0, "Port 2222\n");
    let state = session.folder().join("state").display().to_string();
    for (zone, ahead) in [
        ("UTC", "+00:00"),
        ("XYZ-5:30", "+05:30"),
        ("XYZ8", "-08:00"),
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_surefoot"))
            .args(["changes", "--state-dir", &state])
            .env("TZ", zone)
            .output()
            .expect("it runs");
        let listed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(listed.contains(&format!(" {ahead}  applied")), "{listed}");
    }
}

#[test]
fn dashes_that_were_forgotten_before_a_command_are_named() {
    let session = EditSession::new();
    for command in [&["sed", "-i", "s/22/1/"][..], &["true"]] {
        let words = [&["edit", "FILE"], command].concat();
        let ran = session.check(&words, 2, "Port 22\n");
        let wanted = format!("-- {}", command[0]);
        assert!(ran.err.contains(&wanted), "{}", ran.err);
    }
}

#[test]
fn an_entry_whose_record_is_gone_is_listed_and_does_not_hide_what_undo_means() {
    let session = EditSession::new();
    session.check(&EDIT, 0, "Port 2222\n");
    let record = session.folder().join("state/changes/000001/entry.json");
    fs::remove_file(record).expect("it is removed");
    let listed = session.run(&["changes"]);
    assert_eq!(listed.status, 0, "{}", listed.err);
    assert!(listed.out.contains("cannot be read: "), "{}", listed.out);
    assert!(listed.out.contains("it is missing"), "{}", listed.out);
    let undone = session.check(&["undo"], 2, "Port 2222\n");
    assert!(undone.err.contains("may be entry 1"), "{}", undone.err);
}
