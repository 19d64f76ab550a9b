//! The ways back of `surefoot bisect` where another program was at the files, or the search was killed: what
//! the other wrote is kept, and an entry that is settled never touches a file again.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::program;

const CONFIG: &str = "one\ntwo\nbad\nfour\nfive\nsix\n";

/// A configuration whose daemon copies it, with commands that need the working folder.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    /// `event` runs once, within the test of a candidate.
    fn new(event: &str) -> Self {
        let scene = Self {
            folder: tempfile::tempdir().expect("a folder for scratch"),
        };
        fs::create_dir(scene.path("conf")).expect("a folder");
        scene.write("conf/shop.conf", CONFIG);
        scene.write("running", CONFIG);
        scene.write(
            "reload.sh",
            "[ -e slow ] && sleep 60; cp conf/shop.conf running\n",
        );
        // The daemon has a candidate once it runs without one of the lines.
        scene.write(
            "test.sh",
            &format!(
                "if [ ! -e met ] && ! cmp -s running first; then touch met\n{event}\nfi\n! grep -q bad running\n"
            ),
        );
        scene.write("first", CONFIG);
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the folder can be written");
    }

    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    fn command(&self) -> Command {
        let mut command = program();
        command
            .args(["bisect", "conf/shop.conf", "-q", "--state-dir", "state"])
            .args(["--test", "sh test.sh", "--syntax", "true"])
            .args(["--reload", "sh reload.sh", "--within", "60s"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, more: &[&str]) -> (Option<i32>, String) {
        told(&self.command().args(more).output().expect("it runs"))
    }

    /// Runs it, kills it when the event has made the file `kill`, and gives what was said once the guard ended.
    fn run_and_kill(&self) -> String {
        let said = fs::File::create(self.path("said")).expect("a file");
        let mut command = self.command();
        command.stdout(Stdio::null()).stderr(said);
        let mut child = command.spawn().expect("it starts");
        self.wait("the event", || self.path("kill").exists());
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        self.wait("the guard", || {
            self.read("said")
                .is_some_and(|said| said.contains("is put back as it was"))
                && self.read("running").as_deref() == self.read("conf/shop.conf").as_deref()
        });
        self.read("said").unwrap_or_default()
    }

    fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(
                begun.elapsed() < Duration::from_secs(40),
                "waited in vain for {what}: {:?} {:?}",
                self.read("said"),
                self.read("conf/shop.conf")
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A later start, which settles what is open.
    fn start_again(&self) -> String {
        let mut command = program();
        command
            .args(["changes", "--state-dir", "state"])
            .current_dir(self.folder.path());
        told(&command.output().expect("it runs")).1
    }

    fn kept(&self) -> Option<String> {
        self.read("state/changes/000001/vault/foreign-0")
    }
}

fn told(output: &Output) -> (Option<i32>, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let both = text(&output.stdout) + &text(&output.stderr);
    (output.status.code(), both)
}

#[test]
fn an_entry_that_is_settled_never_touches_the_file_again() {
    let scene = Scene::new("rm -f conf/.surefoot-*");
    let (status, said) = scene.run(&[]);
    assert_eq!(status, Some(5), "{said}");
    assert!(said.contains("itself was gone"), "{said}");
    assert_eq!(scene.read("conf/shop.conf").as_deref(), Some(CONFIG));
    for text in ["later\n", "later still\n"] {
        scene.write("conf/shop.conf", text);
        let said = scene.start_again();
        assert_eq!(
            scene.read("conf/shop.conf").as_deref(),
            Some(text),
            "{said}"
        );
        assert!(!said.contains("itself was gone"), "{said}");
    }
}

#[test]
fn what_another_program_wrote_is_left_where_the_file_itself_is_gone() {
    let scene = Scene::new("rm -f conf/.surefoot-*; echo mine > conf/shop.conf");
    let (status, said) = scene.run(&[]);
    assert_eq!(status, Some(5), "{said}");
    assert!(
        said.contains("is left as it is; the version before is kept: "),
        "{said}"
    );
    assert_eq!(scene.read("conf/shop.conf").as_deref(), Some("mine\n"));
}

#[test]
fn after_a_kill_too_what_another_program_wrote_is_kept_and_told() {
    for event in [
        "echo mine > conf/shop.conf; touch kill; sleep 1",
        "echo mine > other; mv other conf/shop.conf; touch kill; sleep 1",
    ] {
        let scene = Scene::new(event);
        let said = scene.run_and_kill();
        assert!(
            said.contains("had been changed by another program"),
            "{said}"
        );
        assert_eq!(scene.read("conf/shop.conf").as_deref(), Some(CONFIG));
        assert_eq!(scene.kept().as_deref(), Some("mine\n"));
    }
}

#[test]
fn after_a_kill_a_candidate_is_not_kept_and_the_reload_runs_where_it_ran() {
    let scene = Scene::new("touch kill; sleep 1");
    let said = scene.run_and_kill();
    assert!(
        !said.contains("another program") && !said.contains("may not run"),
        "{said}"
    );
    assert_eq!(scene.read("running").as_deref(), Some(CONFIG));
    assert_eq!(scene.kept(), None);
    let left = fs::read_dir(scene.path("conf")).expect("a folder").count();
    assert_eq!(left, 1);
}

#[test]
fn a_folder_that_was_moved_is_told_and_nothing_is_made_in_its_place() {
    let scene = Scene::new("mv conf g; mkdir conf");
    let (status, said) = scene.run(&[]);
    assert_eq!(status, Some(5), "{said}");
    assert!(
        said.contains("is another folder than at the start;")
            && said.contains("it may hold a candidate"),
        "{said}"
    );
    assert_eq!(
        fs::read_dir(scene.path("conf")).expect("a folder").count(),
        0
    );
    scene.write("conf/shop.conf", "later\n");
    let said = scene.start_again();
    assert_eq!(
        scene.read("conf/shop.conf").as_deref(),
        Some("later\n"),
        "{said}"
    );
}

#[test]
fn the_limit_of_a_reload_holds_on_the_way_back() {
    let scene = Scene::new("touch slow");
    let begun = Instant::now();
    let (status, said) = scene.run(&["--reload-limit", "1s"]);
    assert_eq!(status, Some(5), "{said}");
    assert!(said.contains("did not end within 1 s"), "{said}");
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}
