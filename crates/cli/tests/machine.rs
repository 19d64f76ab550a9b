//! This machine, a tree and a capture: the same facts give the same findings.

mod common;

use std::process::Command;

use common::{program, ran, run};

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn codes(text: &str) -> Vec<String> {
    let findings = json(text)["findings"].as_array().expect("a list").clone();
    findings
        .iter()
        .map(|finding| finding["code"].as_str().expect("a code").to_owned())
        .collect()
}

#[test]
fn a_tree_is_looked_at_without_a_kernel() {
    let ran = run(&[
        "check",
        "--root",
        "docs/examples/strange-server",
        "--format",
        "json",
    ]);
    assert_eq!(ran.status, 1, "{ran:?}");
    let codes = codes(&ran.out);
    for code in ["ST001", "CO001"] {
        assert!(codes.contains(&code.to_owned()), "{code} in {codes:?}");
    }
    let unknowns = json(&ran.out)["unknowns"].to_string();
    assert!(
        unknowns.contains("sockets") && unknowns.contains("processes"),
        "{unknowns}"
    );
}

#[test]
fn a_capture_gives_the_findings_of_the_machine_to_the_byte() {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let capture = folder.path().join("machine.surefoot");
    let path = capture.to_str().expect("its name is text");
    let taken = run(&["capture", path]);
    assert_eq!(taken.status, 0, "{taken:?}");
    for format in ["text", "json", "sarif"] {
        let here = run(&["check", "--facts", path, "--format", format]);
        // Another machine: another network, another host name, another user, another folder.
        let elsewhere = ran(Command::new("unshare")
            .args([
                "-n",
                "-u",
                "--",
                "sh",
                "-c",
                "hostname elsewhere; cd /; exec \"$0\" \"$@\"",
            ])
            .arg(program().get_program())
            .args(["check", "--facts", path, "--format", format])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output()
            .expect("unshare is there"));
        assert_eq!(
            here.out, elsewhere.out,
            "{format}: {} {}",
            here.err, elsewhere.err
        );
        assert!(here.status < 2 && !here.out.is_empty(), "{here:?}");
        assert_eq!(here.status, elsewhere.status);
    }
}

#[test]
fn a_capture_is_readable_by_its_owner_only_and_never_overwritten_by_accident() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let capture = folder.path().join("machine.surefoot");
    let path = capture.to_str().expect("its name is text");
    assert_eq!(run(&["capture", path]).status, 0);
    let mode = std::fs::metadata(&capture)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = std::fs::read(&capture).expect("it can be read");
    assert_eq!(run(&["capture", path]).status, 2);
    assert_eq!(std::fs::read(&capture).expect("it can be read"), before);
    assert_eq!(run(&["capture", "--force", path]).status, 0);
    let left = std::fs::read_dir(folder.path())
        .expect("it can be listed")
        .count();
    assert_eq!(left, 1, "no scratch file is left");
}

#[test]
fn the_live_machine_gives_findings_in_every_format() {
    let text = run(&["check", "--fail-on", "never"]);
    assert_eq!(text.status, 0, "{text:?}");
    let sarif = json(&run(&["check", "--format", "sarif", "--fail-on", "never"]).out);
    assert_eq!(sarif["version"], "2.1.0");
    let found = json(&run(&["check", "--format", "json", "--fail-on", "never"]).out);
    assert!(
        found["findings"].is_array() && found["unknowns"].is_array(),
        "{found}"
    );
}

#[test]
fn a_severity_line_decides_what_is_shown_and_what_fails() {
    let tree = [
        "check",
        "--root",
        "docs/examples/strange-server",
        "--format",
        "json",
    ];
    let all = codes(&run(&tree).out);
    let worst = run(&[&tree[..], &["--least", "high"]].concat());
    assert!(codes(&worst.out).len() < all.len());
    assert_eq!(
        run(&[&tree[..], &["--fail-on", "never"]].concat()).status,
        0
    );
}

/// Files without a name are the matter here, and every tmpfs has them.
fn folder_in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").expect("a file system in memory")
}

#[test]
fn a_capture_that_is_killed_leaves_nothing_behind() {
    let folder = folder_in_memory();
    let path = folder.path().join("machine.surefoot");
    // The kernel kills whoever writes a file larger than this.
    let output = Command::new("sh")
        .args(["-c", "ulimit -f 1; exec \"$0\" capture -q \"$1\""])
        .arg(env!("CARGO_BIN_EXE_surefoot"))
        .arg(&path)
        .output()
        .expect("a shell");
    assert_eq!(output.status.code(), None, "a signal ends it: {output:?}");
    let left = std::fs::read_dir(folder.path()).expect("it can be listed");
    assert_eq!(left.count(), 0);
}

#[test]
fn a_capture_that_cannot_be_written_names_its_file() {
    let folder = folder_in_memory();
    let path = folder.path().join("no/such/machine.surefoot");
    let path = path.to_str().expect("its name is text");
    let ran = run(&["capture", "-q", path]);
    assert_eq!(ran.status, 2, "{ran:?}");
    assert!(
        ran.err.contains(&format!("cannot write `{path}`"))
            && !ran.err.replace(path, "").contains(".tmp"),
        "{ran:?}"
    );
    for special in ["/dev/null", "/dev"] {
        let ran = run(&["capture", "-q", "--force", special]);
        assert_eq!(ran.status, 2, "{ran:?}");
        assert!(ran.err.contains("not a regular file"), "{ran:?}");
    }
}
