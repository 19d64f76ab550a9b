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
watchdogs() {
    for process in /proc/[0-9]*; do
        mapfile -d '' -t words 2> /dev/null < "$process/cmdline" || continue
        [[ "${words[*]}" == *"watchdog --state-dir $state "* ]] && echo "${process#/proc/}"
    done
}
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

/// What a script said on its standard output and standard error.
struct ScriptRun {
    said: String,
    errors: String,
}

impl ScriptRun {
    /// The moment that stands behind a word.
    #[track_caller]
    fn moment(&self, word: &str) -> f64 {
        let rest = self.said.split_once(word);
        let rest = rest.unwrap_or_else(|| panic!("no `{word}`: {}\n{}", self.said, self.errors));
        let number = rest.1.split_whitespace().next().expect("a number");
        number.parse().expect("a number")
    }
}

/// Runs the script in a mount namespace of its own, in a folder on a small disk of its own, then waits for
/// the file to be the old one, for at most ten seconds.
fn run_script(script: &str) -> ScriptRun {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let folder = scratch.path();
    let whole = format!(
        r#"set -u
mount -t tmpfs -o size=4m,mode=755 tmpfs "$folder"
mkdir "$folder/sub"
echo old > "$file"
{EDIT}
{script}
for _ in $(seq 1000); do grep -q old "$file" 2> /dev/null && break; sleep 0.01; done
echo "back after $(date +%s.%N)"
grep old "$file"
"$surefoot" changes show --state-dir "$state" 1
"#
    );
    let output = Command::new("unshare")
        .args(["-m", "bash", "-c", &whole])
        .env("surefoot", env!("CARGO_BIN_EXE_surefoot"))
        .env("folder", folder)
        .env("state", folder.join("state"))
        .env("file", folder.join("sub/file"))
        .stdin(Stdio::null())
        .output()
        .expect("unshare is there");
    let run = ScriptRun {
        said: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert!(
        run.said.contains("\nold\n"),
        "the file is back: {}\n{}",
        run.said,
        run.errors
    );
    run
}

/// The watchdog must bring the file back in time.
#[track_caller]
fn check(name: &str, script: &str) {
    for number in 1..=runs() {
        let run = run_script(script);
        let stayed = run.moment("back after ") - run.moment("changed at ");
        let line = format!("{name}, run {number}: back {stayed:.2} s after it was changed\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
        let errors = &run.errors;
        assert!(
            stayed < WITHIN.as_secs_f64() + 1.0,
            "{name}, run {number}: {stayed} s\n{errors}"
        );
        assert!(
            stayed > WITHIN.as_secs_f64() - 1.0,
            "{name}, run {number}: not by the watchdog, after {stayed} s\n{errors}"
        );
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
fn signals_that_end_a_session_are_sent_to_the_watchdog() {
    let script = format!(
        r#"(edit); {CHANGED}
for process in $(watchdogs); do
    echo "found a watchdog"
    kill -HUP $process; kill -INT $process; kill -TERM $process
done"#
    );
    check("HUP, INT and TERM", &script);
    let run = run_script(&script);
    assert!(run.said.contains("found a watchdog"), "{}", run.said);
}

#[test]
fn a_watchdog_that_was_killed_is_started_again_by_the_next_surefoot() {
    let script = format!(
        r#"(edit); {CHANGED}
kill -KILL $(watchdogs)
"$surefoot" changes --state-dir "$state" 2>&1
"$surefoot" changes --state-dir "$state" 2>&1"#
    );
    let run = run_script(&script);
    let told = run
        .said
        .matches("watchdog of entry 1 was gone; it is started again");
    assert_eq!(told.count(), 1, "{}", run.said);
    check("killed watchdog", &script);
}

/// What keeps the watchdog from its work for a second after the deadline, and its end.
fn check_hindered(name: &str, hinder: &str, release: &str, wanted: &str) {
    let script = format!(
        r#"(edit); {CHANGED}
{hinder}
sleep 3
"$surefoot" confirm --state-dir "$state" 2>&1
{release}
echo "released at $(date +%s.%N)""#
    );
    let run = run_script(&script);
    let late = run.moment("back after ") - run.moment("released at ");
    let line = format!("{name}: back {late:.2} s after it was let\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    assert!(late < 4.0, "{name}: {late} s\n{}", run.errors);
    assert!(run.said.contains(wanted), "{name}: {}", run.said);
    let refused = "entry 1 is being put back, so it cannot be confirmed";
    assert!(run.said.contains(refused), "{name}: {}", run.said);
    let left = "The change is put back as soon as nothing is in the way.";
    assert!(run.said.contains(left), "{name}: {}", run.said);
    assert!(
        run.said.contains("the watchdog tries again"),
        "{}",
        run.said
    );
    assert!(run.said.contains("all is as before"), "{}", run.said);
}

#[test]
fn a_folder_that_was_moved_away_is_waited_for() {
    let (away, back) = (
        r#"mv "$folder/sub" "$folder/away""#,
        r#"mv "$folder/away" "$folder/sub""#,
    );
    check_hindered(
        "moved away",
        away,
        back,
        "is not there: it was renamed or removed",
    );
}

#[test]
fn a_file_on_which_something_is_mounted_is_waited_for() {
    let (cover, uncover) = (
        r#"echo cover > "$folder/cover"; mount --bind "$folder/cover" "$file""#,
        r#"grep -q cover "$file" || echo "what is mounted is changed" >&2; umount "$file""#,
    );
    check_hindered("file covered", cover, uncover, "cannot be reversed yet");
}

#[test]
fn what_is_mounted_over_the_folder_is_left_alone() {
    let (cover, uncover) = (
        r#"mount -t tmpfs tmpfs "$folder/sub"; echo theirs > "$file""#,
        r#"grep -q theirs "$file" && echo "the other file stays"; umount "$folder/sub""#,
    );
    check_hindered("folder covered", cover, uncover, "the other file stays");
}

/// Runs `edit` with a reload, and gives how long it took.
fn edit_with_reload(reload: &str, scratch: &Path) -> (common::Ran, Duration) {
    let (file, state) = (scratch.join("file"), scratch.join("state"));
    fs::write(&file, "old\n").expect("it is written");
    let begun = Instant::now();
    let ran = common::run(&[
        "edit",
        "--state-dir",
        &state.display().to_string(),
        "--confirm-within",
        "3s",
        "--reload",
        reload,
        &file.display().to_string(),
        "--",
        "sh",
        "-c",
        "echo new > \"$0\"",
    ]);
    (ran, begun.elapsed())
}

#[test]
fn a_reload_that_outlasts_the_deadline_is_ended_and_told() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    // The second time, when the old file is back, it ends at once.
    let reload = format!(
        "cd '{}'; test -e once && exit; touch once; sleep 30",
        scratch.path().display()
    );
    let (ran, took) = edit_with_reload(&reload, scratch.path());
    assert_eq!(ran.status, 4, "{ran:?}");
    assert!(ran.err.contains("did not end within 2."), "{ran:?}");
    assert!(ran.err.ends_with("All is as it was before.\n"), "{ran:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(read(&scratch.path().join("file")), "old\n");
}

#[test]
fn a_reload_that_leaves_a_child_behind_is_not_waited_for() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let (ran, took) = edit_with_reload("sleep 8 & pwd", scratch.path());
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let state = scratch.path().join("state").display().to_string();
    let confirmed = common::run(&["confirm", "--state-dir", &state]);
    assert_eq!(confirmed.status, 0, "{confirmed:?}");
    assert_eq!(read(&scratch.path().join("file")), "new\n");
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
