//! `surefoot bisect` with a daemon of the test's own: what it says, what it leaves, and that a kill at any
//! moment leaves the files as they were and the daemon running.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Ran, program, ran};

/// A configuration, a daemon that copies what it reads to `running`, and a test.
struct Scene {
    folder: tempfile::TempDir,
}

const CONFIG: &str = "\
# shop
server {
    listen 80;
    root /srv/shop;
    header one;
    location /a {
        cache 5;
        header two;
    }
    location /b {
        cache 7;
    }
}
";

/// The daemon needs `listen` to run, and `server` to be accepted.
const RELOAD: &str = r#"
cd "$(dirname "$0")"; echo >> events
[ -s pid ] && kill "$(cat pid)" 2> /dev/null
grep -q listen conf/shop.conf || { echo "no listener" >&2; exit 1; }
cp conf/shop.conf running
sleep 120 < /dev/null > /dev/null 2>&1 &
echo $! > pid
"#;

const SYNTAX: &str = r#"
cd "$(dirname "$0")"; echo >> events
[ "$(grep -c '{' conf/shop.conf)" = "$(grep -c '}' conf/shop.conf)" ] && grep -q server conf/shop.conf
"#;

/// The header of the server is lost where a location has one of its own.
const TEST: &str = r#"
cd "$(dirname "$0")"; echo >> events
kill -0 "$(cat pid)" 2> /dev/null || { echo "no answer"; exit 2; }
grep -q 'root' running || { echo "404"; exit 2; }
grep -q 'header two' running && { echo "header lost"; exit 1; }
exit 0
"#;

impl Scene {
    fn new() -> Self {
        let scene = Self {
            folder: tempfile::tempdir().expect("a folder for scratch"),
        };
        fs::create_dir(scene.path("conf")).expect("a folder");
        scene.write("conf/shop.conf", CONFIG);
        scene.write("reload.sh", RELOAD);
        scene.write("syntax.sh", SYNTAX);
        scene.write("test.sh", TEST);
        let mode = fs::Permissions::from_mode(0o640);
        fs::set_permissions(scene.config(), mode).expect("the mode");
        let reloaded = Command::new("sh").arg(scene.path("reload.sh")).status();
        assert!(reloaded.expect("sh").success());
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.path("conf/shop.conf")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the folder can be written");
    }

    fn command(&self) -> Command {
        self.with_words(program())
    }

    fn with_words(&self, mut command: Command) -> Command {
        let script = |name: &str| format!("sh {}", self.path(name).display());
        command
            .arg("bisect")
            .arg(self.config())
            .arg("--state-dir")
            .arg(self.path("state"))
            .args(["--test", &script("test.sh")])
            .args(["--syntax", &script("syntax.sh")])
            .args(["--reload", &script("reload.sh")])
            .args(["--within", "60s", "--test-limit", "20s", "-q"])
            .stdin(Stdio::null());
        command
    }

    fn run(&self, more: &[&str]) -> Ran {
        ran(self.command().args(more).output().expect("it runs"))
    }

    /// Everything that must come back.
    fn state_of_file(&self) -> (u64, u32, i64, i64, i64, u64, String) {
        let seen = fs::symlink_metadata(self.config()).expect("it is there");
        (
            seen.ino(),
            seen.mode(),
            seen.mtime(),
            seen.mtime_nsec(),
            i64::from(seen.uid()),
            seen.nlink(),
            fs::read_to_string(self.config()).expect("it is text"),
        )
    }

    /// Whether the daemon runs with the configuration as it stands.
    fn daemon_runs(&self) -> bool {
        let process = fs::read_to_string(self.path("pid")).unwrap_or_default();
        let stat = fs::read_to_string(format!("/proc/{}/stat", process.trim())).unwrap_or_default();
        let is_alive = stat.contains("sleep") && !stat.contains(") Z");
        is_alive && fs::read(self.path("running")).ok() == fs::read(self.config()).ok()
    }

    fn leftovers(&self) -> Vec<String> {
        let names = |folder: &Path| {
            let entries = fs::read_dir(folder).into_iter().flatten();
            let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            names.collect::<Vec<String>>()
        };
        let mut left = names(&self.path("conf"));
        left.retain(|name| name != "shop.conf");
        left.extend(names(&self.path("state/open")));
        left
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let process = fs::read_to_string(self.path("pid")).unwrap_or_default();
        if let Ok(process) = process.trim().parse::<u32>() {
            let _ = Command::new("kill").arg(process.to_string()).status();
        }
    }
}

#[test]
fn the_line_is_named_and_everything_is_put_back() {
    let scene = Scene::new();
    let before = scene.state_of_file();
    let ran = scene.run(&["--fix"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let place = format!("{}:8", scene.config().display());
    assert!(
        ran.out.starts_with(&format!("cause: {place} causes")),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("-        header two;\n"), "{}", ran.out);
    assert!(ran.out.contains("the symptom is back"), "{}", ran.out);
    assert_eq!(scene.state_of_file(), before);
    assert!(scene.daemon_runs());
    assert_eq!(scene.leftovers(), [""; 0]);
}

#[test]
fn the_answer_as_json_names_the_same() {
    let scene = Scene::new();
    let ran = scene.run(&["--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&ran.out).expect("it is JSON");
    let answer = &value["answer"]["answer"];
    assert_eq!(
        (ran.status, &answer["verdict"]),
        (0, &"1-minimal".into()),
        "{ran:?}"
    );
    assert_eq!(answer["culprits"][0]["line"], 8);
    assert_eq!(value["answer"]["restored"]["test"], "symptom");
}

#[test]
fn a_test_that_does_not_show_the_symptom_changes_nothing() {
    let scene = Scene::new();
    let before = scene.state_of_file();
    for (test, said) in [
        ("exit 0", "ended with 0 (fine)"),
        ("echo strange; exit 7", "it wrote: strange"),
        (
            "cd \"$(dirname \"$0\")\"; n=$(cat n 2> /dev/null || echo 0); n=$((n+1)); echo $n > n; exit $((n % 3))",
            "and then with something else",
        ),
    ] {
        scene.write("test.sh", test);
        let ran = scene.run(&[]);
        assert_eq!(ran.status, 1, "{ran:?}");
        assert!(
            ran.out.starts_with("not reproducible: ") && ran.out.contains(said),
            "{ran:?}"
        );
        assert_eq!(scene.state_of_file(), before);
    }
}

#[test]
fn a_symptom_that_comes_and_goes_is_looked_for_often_enough() {
    let scene = Scene::new();
    // Three of four runs miss it.
    let miss =
        "n=$(($(cat n 2> /dev/null || echo 0) + 1)); echo $n > n; [ $((n % 4)) = 0 ] || exit 0\n";
    let cut = TEST.replace(
        "grep -q 'header two'",
        &format!("{miss}grep -q 'header two'"),
    );
    scene.write("test.sh", &cut);
    let ran = scene.run(&[]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(
        ran.out.starts_with("The test shows the symptom in 12 of "),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("shop.conf:8 causes"), "{}", ran.out);
}

#[test]
fn an_output_that_differs_is_another_fault() {
    let scene = Scene::new();
    scene.write(
        "test.sh",
        &TEST.replace("exit 2", "exit 1").replace("exit 1", "exit 9"),
    );
    let ran = scene.run(&["--same-output"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.out.contains("shop.conf:8 causes"), "{}", ran.out);
}

#[test]
fn what_is_broken_before_is_said_before() {
    let scene = Scene::new();
    let ran = scene.run(&["--as", "nonsense"]);
    assert_eq!(ran.status, 2, "{ran:?}");
    scene.write("syntax.sh", "echo 'line 3: no'; exit 1");
    let ran = scene.run(&[]);
    assert_eq!(ran.status, 2, "{ran:?}");
    assert!(
        ran.err
            .contains("refuses the untouched configuration: line 3: no"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("Nothing was changed."), "{}", ran.err);
}

#[test]
fn a_daemon_is_not_reloaded_without_a_syntax_test() {
    let scene = Scene::new();
    let mut command = program();
    command
        .arg("bisect")
        .arg(scene.config())
        .args(["--test", "exit 1", "--reload", "true"]);
    command.arg("--state-dir").arg(scene.path("state"));
    let ran = ran(command.stdin(Stdio::null()).output().expect("it runs"));
    assert_eq!(ran.status, 2, "{ran:?}");
    assert!(ran.err.contains("no syntax test is known"), "{}", ran.err);
}

#[test]
fn a_daemon_that_does_not_come_back_is_told_loudly() {
    let scene = Scene::new();
    let before = scene.state_of_file();
    let once = "cd \"$(dirname \"$0\")\"; [ -e once ] || exec touch once\n";
    let fails = format!("{once}echo 'cannot bind :80' >&2; exit 1");
    scene.write("reload.sh", &fails);
    let ran = scene.run(&[]);
    assert_eq!(ran.status, 5, "{ran:?}");
    assert!(ran.err.contains("the daemon may not run"), "{}", ran.err);
    assert!(ran.err.contains("cannot bind :80"), "{}", ran.err);
    assert_eq!(scene.state_of_file(), before);
    assert_eq!(scene.leftovers(), [""; 0]);
}

#[test]
fn a_test_that_removes_the_file_is_told_with_the_place_of_its_content() {
    let scene = Scene::new();
    // It removes it in the search, and again when it is back.
    let removes = "[ \"$(wc -l < events)\" -gt 30 ] && rm -f conf/shop.conf\n";
    let test = TEST
        .replace("exit 1; }", "code=1; }")
        .replace("exit 0\n", "");
    let test = format!(
        "{}{removes}exit \"${{code:-0}}\"\n",
        test.replace("echo >> events\n", "echo >> events; code=0\n")
    );
    scene.write("test.sh", &test);
    let ran = scene.run(&[]);
    assert_eq!(ran.status, 5, "{ran:?}");
    assert!(
        ran.err.contains("changed or removed it then"),
        "{}",
        ran.err
    );
    assert!(!scene.config().exists(), "the test has the last word");
    let kept = scene.path("state/changes/000001/vault/0-before");
    assert_eq!(fs::read_to_string(kept).ok().as_deref(), Some(CONFIG));
    assert!(
        ran.err.contains("state/changes/000001/vault"),
        "{}",
        ran.err
    );
}

#[test]
fn a_reload_that_fails_from_the_start_changes_nothing() {
    let scene = Scene::new();
    let before = scene.state_of_file();
    scene.write("reload.sh", "echo one; echo two; exit 1");
    let ran = scene.run(&[]);
    assert_eq!(ran.status, 2, "{ran:?}");
    assert!(
        ran.err.contains("ended with 1: one | two") && ran.err.contains("give a --reload"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("Nothing was changed."), "{}", ran.err);
    assert_eq!(scene.state_of_file(), before);
}

#[test]
fn a_reload_that_returns_before_it_is_seen_is_waited_for() {
    let scene = Scene::new();
    let late = RELOAD.replace(
        "cp conf/shop.conf running",
        "cp conf/shop.conf next; (sleep 0.15; mv next running) < /dev/null > /dev/null 2>&1 &",
    );
    scene.write("reload.sh", &late);
    let ran = scene.run(&[]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.out.contains("shop.conf:8 causes"), "{}", ran.out);
}

#[test]
fn a_folder_of_the_whole_system_is_refused() {
    for folder in ["/", "/etc"] {
        let scene = Scene::new();
        let mut command = program();
        command.args(["bisect", folder, "--test", "exit 1", "--state-dir"]);
        command.arg(scene.path("state"));
        let ran = ran(command.stdin(Stdio::null()).output().expect("it runs"));
        assert_eq!(ran.status, 2, "{ran:?}");
        assert!(
            ran.err.contains("a folder of the whole system")
                && ran.err.contains("give the main file"),
            "{}",
            ran.err
        );
    }
}

#[test]
fn a_daemon_that_does_not_follow_its_files_is_found_out() {
    let scene = Scene::new();
    let before = scene.state_of_file();
    // Once it runs without the culprit, every reload fails in silence.
    let stuck = "cd \"$(dirname \"$0\")\"; grep -q 'header two' running || exit 0\n";
    scene.write("reload.sh", &format!("{stuck}{RELOAD}"));
    let ran = scene.run(&[]);
    assert_eq!(ran.status, 5, "{ran:?}");
    assert!(
        ran.out
            .contains("not reproducible: at the end of the search"),
        "{}",
        ran.out
    );
    assert!(
        ran.err
            .contains("the reload does not bring the daemon back"),
        "{}",
        ran.err
    );
    assert_eq!(scene.state_of_file(), before);
}

#[test]
fn what_another_program_writes_meanwhile_is_kept_and_ends_the_search() {
    let scene = Scene::new();
    let before = scene.state_of_file();
    // The fourth test, which is one of a candidate, finds that the file was written by someone else.
    scene.write(
        "test.sh",
        &format!("cd \"$(dirname \"$0\")\"; echo >> runs; [ \"$(wc -l < runs)\" = 14 ] && echo mine > conf/shop.conf\n{TEST}"),
    );
    let ran = scene.run(&[]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(
        ran.err.contains("was changed by another program"),
        "{}",
        ran.err
    );
    let kept = ran
        .err
        .split("kept as ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next());
    let kept = fs::read_to_string(kept.expect("a name")).expect("it is there");
    assert_eq!(kept, "mine\n");
    assert_eq!(scene.state_of_file(), before);
}

#[test]
fn an_interrupt_puts_everything_back_and_says_so() {
    let scene = Scene::new();
    scene.write("test.sh", &format!("sleep 0.1\n{TEST}"));
    let before = scene.state_of_file();
    // What a script starts in the background ignores SIGINT, and so would all that it starts.
    let mut command = Command::new("env");
    command
        .arg("--default-signal=INT")
        .arg(env!("CARGO_BIN_EXE_surefoot"));
    let child = scene
        .with_words(command)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.expect("it starts");
    let begun = Instant::now();
    // Once the file is another one, the search is under way.
    while scene.state_of_file().0 == before.0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "no search began");
        std::thread::sleep(Duration::from_millis(5));
    }
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.expect("kill").success());
    let ran = ran(child.wait_with_output().expect("it ends"));
    assert!(ran.out.contains("The search was interrupted."), "{ran:?}");
    assert!(ran.out.contains("Everything is put back"), "{ran:?}");
    assert_eq!(scene.state_of_file(), before);
    assert!(scene.daemon_runs());
    assert_eq!(scene.leftovers(), [""; 0]);
}

#[test]
fn of_several_files_that_changed_the_one_is_named() {
    let scene = Scene::new();
    // Three files with earlier contents: a copy, a commit and an entry of the journal.
    fs::create_dir(scene.path("etc")).expect("a folder");
    let script = r#"
        set -e
        cd "$0/etc"
        echo new > a.conf; echo old > a.conf.dpkg-old
        echo old > b.conf; echo old > d.conf; git init -q .
        git add b.conf d.conf
        git -c user.name=t -c user.email=t@example.org commit -qm first
        echo bad > b.conf
        echo old > c.conf; "$1" edit -q --state-dir "$0/state" "$PWD/c.conf" -- sh -c 'echo new > "$0"'
    "#;
    let made = Command::new("bash")
        .args(["-c", script])
        .arg(scene.folder.path())
        .arg(env!("CARGO_BIN_EXE_surefoot"))
        .env("HOME", scene.folder.path())
        .output()
        .expect("bash");
    assert!(made.status.success(), "{made:?}");
    let mut command = program();
    command
        .args(["bisect", "--changes", "--fix", "-q", "--state-dir"])
        .arg(scene.path("state"))
        .arg(scene.path("etc"))
        .args(["--test", "! grep -q bad b.conf"])
        .current_dir(scene.path("etc"))
        .env("HOME", scene.folder.path());
    let ran = ran(command.stdin(Stdio::null()).output().expect("it runs"));
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(
        ran.out
            .starts_with("3 changed files with an earlier content"),
        "{}",
        ran.out
    );
    let named = format!("cause: {} causes", scene.path("etc/b.conf").display());
    assert!(ran.out.contains(&named), "{}", ran.out);
    assert!(
        ran.out.contains("changed since commit") && ran.out.contains("-bad\n+old\n"),
        "{}",
        ran.out
    );
    assert_eq!(
        fs::read_to_string(scene.path("etc/b.conf")).ok().as_deref(),
        Some("bad\n")
    );
}

/// At how many moments it is killed: `SUREFOOT_BISECT_KILLS`, else so many.
fn kills() -> u32 {
    let wanted = std::env::var("SUREFOOT_BISECT_KILLS").ok();
    wanted.and_then(|number| number.parse().ok()).unwrap_or(60)
}

fn start(scene: &Scene) -> Child {
    let mut command = scene.command();
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("it starts")
}

/// Kills a search after so many of its events and a little later; says whether the kill found it running. The file
/// must then be as it was, and the daemon run with it.
fn kill_at(scene: &Scene, wanted: u64, pause: Duration, point: u32) -> bool {
    let events = || fs::metadata(scene.path("events")).map_or(0, |seen| seen.len());
    let before = scene.state_of_file();
    let from = events();
    let mut child = start(scene);
    let begun = Instant::now();
    while events() < from + wanted && child.try_wait().expect("a child").is_none() {
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "point {point} is not reached"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(pause);
    child.kill().expect("it can be killed");
    let ended = child.wait().expect("it ends");
    let killed = Instant::now();
    loop {
        let is_back =
            scene.state_of_file() == before && scene.leftovers().is_empty() && scene.daemon_runs();
        if is_back {
            return !ended.success();
        }
        assert!(
            killed.elapsed() < Duration::from_secs(60),
            "point {point}: {:?} instead of {before:?}, left {:?}, daemon runs: {}",
            scene.state_of_file(),
            scene.leftovers(),
            scene.daemon_runs()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_kill_at_any_moment_leaves_the_file_as_it_was_and_the_daemon_running() {
    const SCENES: u32 = 6;
    let scene = Scene::new();
    let events = || fs::metadata(scene.path("events")).map_or(0, |seen| seen.len());
    let start_at = events();
    let whole = start(&scene).wait().expect("it ends");
    assert!(whole.success(), "{whole}");
    // Each command of a search is an event: a kill follows one of them, at once or a little later.
    let length = events() - start_at;
    let points = kills();
    let of_scene = |number: u32| {
        let scene = Scene::new();
        let points_of = (0..points).filter(|point| point % SCENES == number);
        let hits = points_of.map(|point| {
            // The last steps may be fewer where the machine is quick.
            let wanted = 1 + length * 4 * u64::from(point) / (5 * u64::from(points));
            let pause = Duration::from_millis(u64::from(point % 5) * 6);
            u32::from(kill_at(&scene, wanted, pause, point))
        });
        hits.sum::<u32>()
    };
    let hit: u32 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..SCENES)
            .map(|number| scope.spawn(move || of_scene(number)))
            .collect();
        let ended = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended.map(|hits| hits.expect("a scene that holds")).sum()
    });
    println!("{hit} of {points} kills found the search running; all came back");
    assert!(
        hit * 10 >= points * 7,
        "{hit} of {points} kills found it running"
    );
}
