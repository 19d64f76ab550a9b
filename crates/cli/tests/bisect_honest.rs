//! What `surefoot bisect` says of questions that cannot be answered: files that nothing reads, tests that change them,
//! files that are no configuration.

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Ran, program, ran};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for scratch"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("the folder can be written");
        path
    }

    /// Without a daemon: what the test reads is what there is.
    fn bisect(&self, config: &Path, test: &str, more: &[&str]) -> Ran {
        let mut command = program();
        command
            .arg("bisect")
            .arg(config)
            .args(["--test", test, "-q", "--within", "50s", "--state-dir"])
            .arg(self.path("state"))
            .args(more)
            .current_dir(self.0.path())
            .stdin(Stdio::null());
        ran(command.output().expect("it runs"))
    }
}

#[test]
fn files_that_nothing_reads_are_said_to_be_so() {
    let folder = Folder::new();
    let config = folder.write("a.conf", "one 1\ntwo 2\nthree 3\n");
    let ran = folder.bisect(&config, "exit 1", &[]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.out.starts_with("note: the structure"), "{}", ran.out);
    assert!(ran.out.contains("not solved:"), "{}", ran.out);
    assert!(
        ran.out.contains("nothing reads these files while it runs"),
        "{}",
        ran.out
    );
    // One that is read, and has no line that may go.
    let ran = folder.bisect(&config, "grep -q two a.conf && exit 1; exit 7", &[]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(!ran.out.contains("nothing reads"), "{}", ran.out);
    assert_eq!(
        fs::read_to_string(config).ok().as_deref(),
        Some("one 1\ntwo 2\nthree 3\n")
    );
}

#[test]
fn a_test_that_writes_to_the_file_is_refused_before_anything_is_changed() {
    let folder = Folder::new();
    let config = folder.write("a.conf", "one 1\n");
    let ran = folder.bisect(&config, "echo x >> a.conf; exit 1", &[]);
    assert_eq!(ran.status, 2, "{ran:?}");
    assert!(
        ran.err.contains("changes the configuration") && ran.err.contains("had 6 bytes"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("surefoot changed nothing") && !ran.err.contains("as it was before"),
        "{}",
        ran.err
    );
    assert!(!folder.path("state/changes/000001").exists());
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let folder = Folder::new();
    let config = folder.path("a.conf");
    let file = fs::File::create(&config).expect("a file");
    file.set_len(40 << 20).expect("a large one");
    let begun = Instant::now();
    let ran = folder.bisect(&config, "exit 1", &[]);
    assert_eq!(ran.status, 2, "{ran:?}");
    assert!(ran.err.contains("larger than 8 MB"), "{}", ran.err);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_file_that_is_there_by_two_links_is_one_file() {
    let folder = Folder::new();
    fs::create_dir(folder.path("sites")).expect("a folder");
    let real = folder.write("real.conf", "server {\n  root a;\n  bad on;\n}\n");
    for link in ["sites/one.conf", "sites/two.conf"] {
        symlink(&real, folder.path(link)).expect("a link");
    }
    let test = "grep -q bad sites/*.conf && exit 1; exit 0";
    let ran = folder.bisect(&folder.path("sites"), test, &["--as", "nginx"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(
        ran.out.contains("real.conf:3 causes the symptom"),
        "{}",
        ran.out
    );
    // Two includes that name it differently.
    let main = folder.write(
        "main.conf",
        "include sites/one.conf;\ninclude sites/two.conf;\n",
    );
    let ran = folder.bisect(&main, test, &["--as", "nginx"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(
        ran.out.contains("real.conf:3 causes the symptom"),
        "{}",
        ran.out
    );
    assert!(
        fs::read_to_string(&real).is_ok_and(|text| text.contains("bad on;"))
            && fs::symlink_metadata(folder.path("sites/one.conf"))
                .is_ok_and(|seen| seen.is_symlink())
    );
}

#[test]
fn a_deep_nest_of_blocks_is_read_in_time() {
    let folder = Folder::new();
    let open = "server {\n".repeat(200_000);
    let config = folder.write("nginx.conf", &format!("{open}{}", "}\n".repeat(200_000)));
    let begun = Instant::now();
    let ran = folder.bisect(&config, "exit 0", &["--syntax", "true"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    fs::write(&config, open).expect("it is written");
    let ran = folder.bisect(&config, "exit 0", &["--syntax", "true"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(40),
        "{:?}",
        begun.elapsed()
    );
}
