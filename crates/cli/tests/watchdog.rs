//! The watchdog brings the file back: when the terminal is closed, when surefoot is killed or stopped,
//! when the disk is full or read-only. Within the time set plus one second.

mod common;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long the change may stay.
const WITHIN: Duration = Duration::from_secs(2);

/// What the script is told: `$surefoot`, `$state`, `$file`. The reload keeps surefoot busy while things
/// happen to it, and its lock held.
const EDIT: &str = r#"
edit() { exec "$surefoot" edit --state-dir "$state" --confirm-within 2s "$@" "$file" -- sh -c 'echo new > "$0"'; }
wait_for_new() {
    for _ in $(seq 500); do grep -q new "$file" && return; sleep 0.02; done
    echo "the file was never changed" >&2
    exit 1
}
"#;

/// How many times each is tried: `SUREFOOT_WATCHDOG_RUNS`, else once.
fn runs() -> usize {
    let wanted = std::env::var("SUREFOOT_WATCHDOG_RUNS").ok();
    wanted.and_then(|number| number.parse().ok()).unwrap_or(1)
}

/// Runs the script in a mount namespace of its own, in a folder on a small disk of its own.
#[track_caller]
fn check(name: &str, script: &str) {
    for run in 1..=runs() {
        let scratch = tempfile::tempdir().expect("a folder for scratch");
        let folder = scratch.path();
        let whole = format!(
            r#"set -u
mount -t tmpfs -o size=4m,mode=755 tmpfs "$folder"
echo old > "$file"
{EDIT}
{script}
wait_for_old
echo "back after $(date +%s.%N)"
"#
        );
        let whole = whole.replace(
            "wait_for_old\n",
            "for _ in $(seq 500); do grep -q old \"$file\" && break; sleep 0.01; done\n",
        );
        let begun = Instant::now();
        let output = Command::new("unshare")
            .args(["-m", "bash", "-c", &whole])
            .env("surefoot", env!("CARGO_BIN_EXE_surefoot"))
            .env("folder", folder)
            .env("state", folder.join("state"))
            .env("file", folder.join("file"))
            .stdin(Stdio::null())
            .output()
            .expect("unshare is there");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("back after"), "{name}: {said}\n{errors}");
        assert!(said.contains("changed at "), "{name}: {said}\n{errors}");
        let moment = |word: &str| -> f64 {
            let rest = said.split_once(word).expect("it is said").1;
            let number = rest.split_whitespace().next().expect("a number");
            number.parse().expect("a number")
        };
        let stayed = moment("back after ") - moment("changed at ");
        let line = format!("{name}, run {run}: back {stayed:.2} s after it was changed\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
        assert!(
            stayed < WITHIN.as_secs_f64() + 1.0,
            "{name}, run {run}: {stayed} s\n{errors}"
        );
        assert!(
            stayed > WITHIN.as_secs_f64() - 1.0,
            "{name}, run {run}: not by the watchdog, after {stayed} s\n{errors}"
        );
        assert!(begun.elapsed() < Duration::from_secs(12), "{name}");
    }
}

const CHANGED: &str = "wait_for_new; echo changed at $(date +%s.%N)";

#[test]
fn nothing_happens_and_it_is_not_confirmed() {
    check("not confirmed", &format!("(edit); {CHANGED}"));
}

#[test]
fn the_terminal_is_closed() {
    // When `script` is killed its terminal is gone, and all that run on it get SIGHUP. The shell that it
    // starts is the user's, or any: exported functions do not reach every one.
    let script = format!(
        r#"cat > "$folder/script" << 'END'
{EDIT} edit --reload 'sleep 30'
END
script -qec 'exec bash "$folder/script"' /dev/null > /dev/null 2>&1 < /dev/null &
terminal=$!
{CHANGED}
kill -9 $terminal"#
    );
    check("terminal closed", &script);
}

#[test]
fn surefoot_is_killed() {
    let script = format!("edit --reload 'sleep 30' & pid=$!\n{CHANGED}\nkill -9 $pid");
    check("kill -9", &script);
}

#[test]
fn surefoot_is_stopped_while_it_holds_the_lock() {
    let script = format!("edit --reload 'sleep 30' & pid=$!\n{CHANGED}\nkill -STOP $pid");
    check("SIGSTOP", &script);
}

#[test]
fn the_disk_is_full() {
    let script = format!(
        r#"(edit); {CHANGED}
dd if=/dev/zero of="$folder/filler" bs=4k 2> /dev/null
echo more > "$folder/more" 2> /dev/null && [ -s "$folder/more" ] && echo "not full" >&2"#
    );
    check("full", &script);
}

#[test]
fn the_disk_is_read_only() {
    let script = format!(
        r#"(edit); {CHANGED}
mount -o remount,ro "$folder"
touch "$folder/more" 2> /dev/null && echo "not read-only" >&2"#
    );
    check("read-only", &script);
}

#[test]
fn what_is_confirmed_stays() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let (file, state) = (scratch.path().join("file"), scratch.path().join("state"));
    fs::write(&file, "old\n").expect("it is written");
    let run = |words: &[&str]| {
        let mut words: Vec<&str> = words.to_vec();
        let state = state.display().to_string();
        words.insert(1, "--state-dir");
        words.insert(2, &state);
        common::run(&words)
    };
    let name = file.display().to_string();
    let edited = run(&[
        "edit",
        "--confirm-within",
        "1s",
        &name,
        "--",
        "sh",
        "-c",
        "echo new > \"$0\"",
    ]);
    assert_eq!(edited.status, 0, "{}", edited.err);
    let confirmed = run(&["confirm"]);
    assert_eq!(confirmed.status, 0, "{}", confirmed.err);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(read(&file), "new\n");
    let undone = run(&["undo"]);
    assert_eq!(undone.status, 0, "{}", undone.err);
    assert_eq!(read(&file), "old\n");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("it is read")
}
