//! `surefoot bisect` on real daemons, each in namespaces of its own that end with the test.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// No scene takes longer, or it fails.
const LIMIT: &str = "200";

/// Runs a scene and gives the answer of `surefoot bisect`.
#[expect(
    clippy::print_stdout,
    reason = "what a scene costs is looked up in the output"
)]
fn play(scene: &str) -> Value {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bisect_daemons");
    let read = |name: &str| std::fs::read_to_string(scripts.join(name)).expect("the scene");
    let script = format!("{}\n{}", read("prelude.sh"), read(&format!("{scene}.sh")));
    // The first process of the number space ends all others with itself.
    let words = [
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "bash",
        "-c",
    ];
    let output = Command::new("timeout")
        .args(["--kill-after=5", LIMIT, "unshare"])
        .args(words)
        .arg(&script)
        .current_dir(folder.path())
        .env("surefoot", env!("CARGO_BIN_EXE_surefoot"))
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .expect("unshare");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{scene}: {:?} {errors}",
        output.status
    );
    let value: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{scene}: {error}: {errors}"));
    let answer = value["answer"].clone();
    assert_eq!(answer["restored"]["test"], "symptom", "{scene}: {answer:#}");
    println!("{scene}: {} in {} s", answer["cost"], answer["seconds"]);
    answer
}

/// Checks what kind of cause it is and which lines are named: the end of each place, with its line.
#[track_caller]
fn check(scene: &str, verdict: &str, cause: &str, culprits: &[&str]) {
    let answer = play(scene);
    let found = &answer["answer"];
    let named: Vec<String> = found["culprits"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|unit| {
            format!(
                "{}:{}",
                unit["file"].as_str().unwrap_or_default(),
                unit["line"]
            )
        })
        .collect();
    let is_right = named.len() == culprits.len()
        && named
            .iter()
            .zip(culprits)
            .all(|(named, wanted)| named.ends_with(wanted));
    assert!(
        is_right && found["verdict"] == verdict && found["cause"] == cause,
        "{scene}: {answer:#}"
    );
}

#[test]
fn nginx_a_shadowed_location_is_an_order() {
    let places = ["conf/sites/shop.conf:8", "conf/sites/shop.conf:13"];
    check("nginx_shadowed", "an order", "order", &places);
}

#[test]
fn apache_one_wrong_character_in_a_rewrite_rule() {
    check(
        "apache_rewrite",
        "1-minimal",
        "one",
        &["conf/rewrite.conf:4"],
    );
}

#[test]
fn haproxy_one_line_of_an_access_list() {
    check("haproxy_acl", "1-minimal", "one", &["conf/haproxy.cfg:15"]);
}

#[test]
fn sshd_a_line_of_a_match_block() {
    check("sshd_match", "1-minimal", "one", &["conf/sshd_config:10"]);
}

#[test]
fn mysql_a_line_of_an_included_file() {
    check(
        "mysql_line",
        "1-minimal",
        "one",
        &["conf/conf.d/50-tuning.cnf:3"],
    );
}

/// Scenes of half a minute: all of them if `SUREFOOT_BISECT_SCENES` is `all`, else the first.
#[test]
fn longer_scenes() {
    let places = ["conf/pool.d/office.conf:8", "conf/pool.d/office.conf:10"];
    let scenes: [(&str, &str, &[&str]); 2] = [
        // An empty zone hides what a wider one knows.
        ("bind_empty_zone", "one", &["conf/private.conf:2"]),
        // Two lines, each of which breaks an export off.
        ("fpm_either", "any", &places),
    ];
    let all = std::env::var("SUREFOOT_BISECT_SCENES").is_ok_and(|word| word == "all");
    let count = if all { scenes.len() } else { 1 };
    for (scene, cause, culprits) in &scenes[..count] {
        check(scene, "1-minimal", cause, culprits);
    }
}
