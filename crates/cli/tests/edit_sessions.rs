//! `edit` and its kin for programs (JSON), its placeholders, and what it leaves when it is interrupted.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

struct EditPlace {
    scratch: tempfile::TempDir,
}

impl EditPlace {
    fn new() -> Self {
        let place = Self {
            scratch: tempfile::tempdir().expect("a folder for scratch"),
        };
        for name in ["one", "two"] {
            fs::write(place.path(name), "old\n").expect("it is written");
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("it is read")
    }

    /// The words of a command, `ONE`, `TWO` and `STATE` being paths.
    fn words(&self, line: &[&str]) -> Vec<String> {
        let named = |word: &&str| match *word {
            "ONE" => self.path("one").display().to_string(),
            "TWO" => self.path("two").display().to_string(),
            "STATE" => self.path("state").display().to_string(),
            other => other.to_owned(),
        };
        line.iter().map(named).collect()
    }

    #[track_caller]
    fn run(&self, status: i32, line: &[&str]) -> common::Ran {
        let words = self.words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = common::run(&words);
        assert_eq!(ran.status, status, "{line:?}: {ran:?}");
        ran
    }

    /// The answer to a question, which must be all of standard output.
    #[track_caller]
    fn answer(&self, status: i32, question: &str, line: &[&str]) -> Value {
        let mut line = line.to_vec();
        line.splice(1..1, ["--state-dir", "STATE", "--format", "json"]);
        let ran = self.run(status, &line);
        let mut json: Value =
            serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out));
        assert_eq!(json["question"], question);
        assert_eq!(json["version"], 1);
        check_keys(&json["answer"]);
        json["answer"].take()
    }

    /// The folders of copies that are in the journal's.
    fn copies(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("state")).into_iter().flatten();
        let mut folders: Vec<PathBuf> = entries
            .map(|entry| entry.expect("it is read").path())
            .filter(|path| path.display().to_string().contains("/edit-"))
            .collect();
        folders.sort();
        folders
    }
}

/// Every answer is one of those in the schema, with the keys that it requires.
#[track_caller]
fn check_keys(answer: &Value) {
    let schema = common::run(&["changes", "--schema"]).out;
    let schema: Value = serde_json::from_str(&schema).expect("the schema is JSON");
    let kinds = &schema["properties"]["answer"]["oneOf"];
    let fits = kinds.as_array().expect("a list").iter().any(|kind| {
        let known: Vec<&String> = kind["properties"]
            .as_object()
            .expect("an object")
            .keys()
            .collect();
        let required = kind["required"].as_array().expect("a list");
        let given = answer.as_object().expect("an object");
        required
            .iter()
            .all(|key| given.contains_key(key.as_str().expect("a word")))
            && given.keys().all(|key| known.contains(&key))
    });
    assert!(fits, "{answer}");
    let entry = &schema["$defs"]["entry"]["properties"];
    for key in answer["entry"]
        .as_object()
        .into_iter()
        .flat_map(|entry| entry.keys())
    {
        assert!(entry.get(key).is_some(), "the schema has no {key}");
    }
}

const SED: [&str; 4] = ["--", "sed", "-i", "s/old/new/"];

#[test]
fn every_step_has_an_answer_for_programs() {
    let place = EditPlace::new();
    let edit = |extra: &[&'static str]| -> Vec<&'static str> {
        [&["edit", "ONE"][..], extra, &SED[..]].concat()
    };
    let dry = place.answer(0, "edit", &edit(&["--dry-run"]));
    assert_eq!(
        (&dry["outcome"], &dry["entry"]),
        (&"dry_run".into(), &Value::Null)
    );
    let edited = place.answer(0, "edit", &edit(&[]));
    assert_eq!(edited["outcome"], "applied");
    assert_eq!(edited["entry"]["number"], 1);
    assert!(
        edited["diff"]
            .as_str()
            .is_some_and(|diff| diff.contains("+new"))
    );
    assert!(edited["checks"][0]["not_checked"].is_string(), "{edited}");
    let none = place.answer(0, "edit", &edit(&[]));
    assert_eq!(none["outcome"], "unchanged");
    let undone = place.answer(0, "undo", &["undo"]);
    assert_eq!(
        (&undone["undone"], &undone["entry"]["undoes"]),
        (&1.into(), &1.into())
    );
    // What the command prints does not get into the answer.
    let noisy = [
        "edit",
        "ONE",
        "--confirm-within",
        "60s",
        "--",
        "sh",
        "-c",
        "echo x; echo new > $0",
    ];
    assert_eq!(place.answer(0, "edit", &noisy)["outcome"], "armed");
    let kept = place.answer(0, "confirm", &["confirm"]);
    assert_eq!(kept["entry"]["state"], "confirmed");
    let again = [
        "edit",
        "TWO",
        "--confirm-within",
        "60s",
        "--",
        "sed",
        "-i",
        "s/old/new/",
    ];
    place.answer(0, "edit", &again);
    let back = place.answer(0, "rollback", &["rollback"]);
    assert_eq!(back["entry"]["state"], "rolled_back");
    assert_eq!(
        (place.text("one"), place.text("two")),
        ("new\n".into(), "old\n".into())
    );
}

#[test]
fn braces_stand_for_the_copies_anywhere_in_a_command() {
    let place = EditPlace::new();
    let edit = [
        "edit",
        "--state-dir",
        "STATE",
        "ONE",
        "--",
        "sh",
        "-c",
        "sed -i s/old/new/ {}; test -n {}",
    ];
    place.run(0, &edit);
    assert_eq!(place.text("one"), "new\n");
    let both = [
        "edit",
        "--state-dir",
        "STATE",
        "ONE",
        "TWO",
        "--",
        "sh",
        "-c",
        "for it in {}; do echo both > $it; done",
    ];
    place.run(0, &both);
    let words = [
        "edit",
        "--state-dir",
        "STATE",
        "ONE",
        "TWO",
        "--",
        "sed",
        "-i",
        "{}",
        "-e",
        "s/both/word/",
    ];
    place.run(0, &words);
    assert_eq!(
        (place.text("one"), place.text("two")),
        ("word\n".into(), "word\n".into())
    );
}

#[test]
fn a_reload_works_in_the_root_folder_whoever_runs_it() {
    let place = EditPlace::new();
    let log = place.path("log").display().to_string();
    let reload = format!("pwd >> {log}");
    let mut line = vec![
        "edit",
        "--state-dir",
        "STATE",
        "--confirm-within",
        "60s",
        "--reload",
        &reload,
        "ONE",
    ];
    line.extend(SED);
    place.run(0, &line);
    place.run(0, &["rollback", "--state-dir", "STATE"]);
    assert_eq!(place.text("log"), "/\n/\n");
}

#[test]
fn a_list_of_no_changes_does_not_say_that_there_are_none() {
    let place = EditPlace::new();
    let mut line = vec!["edit", "--state-dir", "STATE", "ONE"];
    line.extend(SED);
    place.run(0, &line);
    let none = place.run(0, &["changes", "--state-dir", "STATE", "-n", "0"]);
    assert!(!none.err.contains("no changes yet"), "{none:?}");
    assert!(
        none.err.contains("1 older changes are left out"),
        "{none:?}"
    );
}

/// Runs an edit and presses Ctrl-C when a sign is there, as often as asked; gives its exit status and what
/// it said.
fn press_ctrl_c(place: &EditPlace, words: &[&str], times: usize) -> (Option<i32>, String) {
    use std::os::unix::process::CommandExt as _;
    let mut line = vec!["edit", "--state-dir", "STATE"];
    line.extend(words);
    let path = std::env::var("PATH").unwrap_or_default();
    // What a script starts in the background ignores SIGINT, and so would all that it starts.
    let surefoot = Command::new("env")
        .arg("--default-signal=INT")
        .arg(env!("CARGO_BIN_EXE_surefoot"))
        .args(place.words(&line))
        .env("PATH", format!("{}:{path}", place.scratch.path().display()))
        .env("SIGN", place.path("sign"))
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let group = i32::try_from(surefoot.id()).ok();
    let group = group.and_then(rustix::process::Pid::from_raw);
    for _ in 0..times {
        let begun = Instant::now();
        while !place.path("sign").exists() {
            assert!(begun.elapsed() < Duration::from_secs(20), "no sign");
            std::thread::sleep(Duration::from_millis(10));
        }
        fs::remove_file(place.path("sign")).expect("it is removed");
        // The shell has gone on to what it waits for.
        std::thread::sleep(Duration::from_millis(200));
        let interrupt = rustix::process::Signal::INT;
        rustix::process::kill_process_group(group.expect("a number"), interrupt)
            .expect("it is sent");
    }
    let output = surefoot.wait_with_output().expect("it is waited for");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[test]
fn ctrl_c_is_heeded_at_every_stage_and_the_state_of_the_machine_is_said() {
    let wait = "touch $SIGN; sleep 30";
    let change = ["ONE", "--", "sh", "-c", "echo new > $0"];
    // In the command.
    let place = EditPlace::new();
    let script = format!("echo new > $0; {wait}");
    let (status, said) = press_ctrl_c(&place, &["ONE", "--", "sh", "-c", &script], 1);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.ends_with("Nothing was changed.\n"), "{said}");
    // In a command that lives on.
    let script = "trap '' INT; echo new > $0; touch $SIGN; sleep 1";
    let (status, said) = press_ctrl_c(&place, &["ONE", "--", "sh", "-c", script], 1);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("it was interrupted"), "{said}");
    assert_eq!(place.text("one"), "old\n");
    // In the syntax check.
    let checker = place.path("findmnt");
    fs::write(&checker, format!("#!/bin/sh\n{wait}\n")).expect("it is written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&checker, mode).expect("it is set");
    let fstab = place.path("fstab");
    fs::write(&fstab, "none /tmp tmpfs defaults 0 0\n").expect("it is written");
    let name = fstab.display().to_string();
    let (status, said) = press_ctrl_c(&place, &[&name, "--", "sed", "-i", "s/none/tmp/"], 1);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.ends_with("Nothing was changed.\n"), "{said}");
    assert!(place.text("fstab").starts_with("none"));
    // While the daemon is reloaded: the files are put back, and it is reloaded again.
    let once = format!("test -e $SIGN.once && exit; touch $SIGN.once; {wait}");
    let words = [&["--reload", &once], &change[..]].concat();
    let (status, said) = press_ctrl_c(&place, &words, 1);
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("was interrupted"), "{said}");
    assert!(said.ends_with("All is as it was before.\n"), "{said}");
    assert_eq!(place.text("one"), "old\n");
    // And once more while it is reloaded for the old files.
    let words = [&["--reload", wait], &change[..]].concat();
    let (status, said) = press_ctrl_c(&place, &words, 2);
    assert_eq!(status, Some(5), "{said}");
    assert!(said.contains("the files are back, but"), "{said}");
    assert_eq!(place.text("one"), "old\n");
}

/// Starts an edit whose editor writes something and stays, and kills surefoot.
fn interrupt(place: &EditPlace, script: &str) {
    let script = format!("{script}; touch {}; sleep 5", place.path("typed").display());
    let words = place.words(&[
        "edit",
        "--state-dir",
        "STATE",
        "ONE",
        "--",
        "sh",
        "-c",
        &script,
    ]);
    let mut surefoot = Command::new(env!("CARGO_BIN_EXE_surefoot"))
        .args(&words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let begun = Instant::now();
    while !place.path("typed").exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "nothing was typed"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    // An edit that goes on is left alone.
    let listed = place.run(0, &["changes", "--state-dir", "STATE"]);
    assert!(!listed.err.contains("interrupted"), "{listed:?}");
    assert_eq!(place.copies().len(), 1);
    surefoot.kill().expect("it is killed");
    surefoot.wait().expect("it is waited for");
}

#[test]
fn what_was_typed_into_an_interrupted_edit_is_kept_and_told() {
    let place = EditPlace::new();
    interrupt(&place, "echo typed > $0");
    let told = place.run(0, &["changes", "--state-dir", "STATE"]);
    let (_, kept) = told.err.split_once("is kept: ").expect("it is told");
    let kept = Path::new(kept.lines().next().expect("a path"));
    let typed = fs::read_to_string(kept.join("0/one")).expect("it is there");
    assert_eq!(typed, "typed\n");
    assert_eq!(place.text("one"), "old\n");
    let again = place.run(0, &["changes", "--state-dir", "STATE"]);
    assert!(
        !again.err.contains("interrupted"),
        "it is told once: {again:?}"
    );
    // It goes with what is old, and not before.
    place.run(
        0,
        &[
            "changes",
            "prune",
            "--state-dir",
            "STATE",
            "--older-than",
            "1d",
        ],
    );
    assert!(kept.exists());
    std::thread::sleep(Duration::from_millis(2100));
    let pruned = [
        "changes",
        "prune",
        "--state-dir",
        "STATE",
        "--older-than",
        "1s",
    ];
    let pruned = place.run(0, &pruned);
    assert!(pruned.err.contains("forgot 1 kept versions"), "{pruned:?}");
    assert!(!kept.exists());
}

#[test]
fn an_interrupted_edit_without_a_word_leaves_nothing() {
    let place = EditPlace::new();
    interrupt(&place, "true");
    let told = place.run(0, &["changes", "--state-dir", "STATE"]);
    assert!(!told.err.contains("interrupted"), "{told:?}");
    assert_eq!(place.copies(), Vec::<PathBuf>::new());
}

#[test]
fn a_dry_run_that_is_refused_leaves_nothing() {
    let place = EditPlace::new();
    fs::write(place.path("fstab"), "none /tmp tmpfs defaults 0 0\n").expect("it is written");
    let fstab = place.path("fstab").display().to_string();
    let broken = [
        "edit",
        "--state-dir",
        "STATE",
        "--dry-run",
        &fstab,
        "--",
        "sh",
        "-c",
        "echo x >> $0",
    ];
    let refused = place.run(1, &broken);
    assert!(
        refused.err.contains("refuses the new version"),
        "{refused:?}"
    );
    assert_eq!(place.copies(), Vec::<PathBuf>::new());
}

#[test]
fn a_command_that_changes_the_file_itself_is_told_from_one_that_changes_nothing() {
    for (status, script) in [(1, "echo new > ONE"), (2, "echo new > ONE; exit 1")] {
        let place = EditPlace::new();
        let script = script.replace("ONE", &place.path("one").display().to_string());
        let line = [
            "edit",
            "--state-dir",
            "STATE",
            "ONE",
            "--",
            "sh",
            "-c",
            &script,
        ];
        let ran = place.run(status, &line);
        assert!(!ran.err.contains("Nothing was changed"), "{ran:?}");
        assert!(ran.err.contains("is not as it was"), "{ran:?}");
        let kept = ran.err.split("what it was before is kept: ").nth(1);
        let kept = kept.expect("it is kept").lines().next().expect("a line");
        let kept = Path::new(kept).join("0/one");
        assert_eq!(fs::read_to_string(kept).expect("it is read"), "old\n");
    }
}

#[test]
fn undo_without_a_number_does_not_pass_over_an_armed_change() {
    let place = EditPlace::new();
    let state = ["--state-dir", "STATE"];
    let change = ["--", "sh", "-c", "echo new > \"$0\""];
    place.run(0, &[&["edit"], &state[..], &["TWO"], &change[..]].concat());
    let armed = ["-q", "edit", "--confirm-within", "90s"];
    let ran = place.run(0, &[&armed[..], &state[..], &["ONE"], &change[..]].concat());
    assert!(
        ran.err.contains("surefoot rollback 2"),
        "quiet or not: {ran:?}"
    );
    let ran = place.run(1, &[&["undo"], &state[..]].concat());
    assert!(ran.err.contains("rollback 2"), "{ran:?}");
    assert_eq!(place.text("two"), "new\n");
    place.run(0, &[&["rollback"], &state[..]].concat());
    let ran = place.run(0, &[&["undo"], &state[..]].concat());
    assert!(ran.err.contains("/two) is undone"), "it says what: {ran:?}");
}
