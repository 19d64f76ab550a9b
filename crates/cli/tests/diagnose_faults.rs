//! `surefoot diagnose` on real daemons with one fault each, in namespaces that end with the scene.
//!
//! An ordinary run plays ten of the faults; `SUREFOOT_FAULTS=all` plays all, `1/3` the first third, and a list of
//! names those.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// No scene takes longer, or it fails.
const LIMIT: &str = "120";

/// A fault, and what an answer must say.
#[derive(Clone, Copy)]
struct KnownFault {
    /// The function that plays it.
    name: &'static str,
    /// Whether an ordinary run plays it.
    is_sample: bool,
    /// The verdict.
    verdict: &'static str,
    /// One of these is in the name of the daemon that is named.
    daemons: &'static [&'static str],
    /// One of these is the rule.
    rules: &'static [&'static str],
}

const fn fault(
    name: &'static str,
    verdict: &'static str,
    daemons: &'static [&'static str],
    rules: &'static [&'static str],
) -> KnownFault {
    KnownFault {
        name,
        is_sample: false,
        verdict,
        daemons,
        rules,
    }
}

/// One that every run plays.
const fn sample(fault: KnownFault) -> KnownFault {
    KnownFault {
        is_sample: true,
        ..fault
    }
}

const APPS: &[&str] = &["127.0.0.1:3001", "127.0.0.1:3002"];
const DB: &[&str] = &["127.0.0.1:3306"];
const PG: &[&str] = &["127.0.0.1:5432"];
const REDIS: &[&str] = &["127.0.0.1:6379"];
const APACHE: &[&str] = &["127.0.0.1:8080"];
const NGINX: &[&str] = &["127.0.0.1:80"];
const FPM_PORT: &[&str] = &["127.0.0.1:9000"];
const FPM: &[&str] = &["php-fpm", "php.sock"];

/// The catalogue: 26 faults of a usual chain, and some of our own.
const FAULTS: &[KnownFault] = &[
    sample(fault("db_stopped", "named", DB, &["not-running"])),
    sample(fault("db_frozen", "named", DB, &["stopped-process"])),
    fault("wrong_db_port", "named", APPS, &["wrong-address"]),
    fault("apps_stopped", "named", APPS, &["not-running"]),
    sample(fault("one_app_stopped", "degraded", APPS, &["not-running"])),
    fault("apps_frozen", "named", APPS, &["stopped-process"]),
    fault("redis_stopped", "named", REDIS, &["not-running"]),
    fault("redis_frozen", "named", REDIS, &["stopped-process"]),
    sample(fault(
        "redis_full",
        "named",
        REDIS,
        &["memory-limit", "log"],
    )),
    fault("apache_stopped", "named", APACHE, &["not-running"]),
    fault("apache_frozen", "named", APACHE, &["stopped-process"]),
    fault("nginx_stopped", "named", NGINX, &["not-running"]),
    sample(fault("drop_to_db", "named", DB, &["dropped-on-the-way"])),
    fault("reject_to_db", "named", DB, &["refused-on-the-way"]),
    sample(fault("wrong_password", "named", APPS, &["log"])),
    fault("db_connections", "named", DB, &["complaint", "log"]),
    fault("no_table", "named", DB, &["log"]),
    fault("empty_table", "unknown", &[], &[]),
    fault("app_disk_full", "named", APPS, &["storage-full"]),
    fault("app_inodes_full", "named", APPS, &["storage-full"]),
    fault("db_disk_full", "degraded", DB, &["storage-full"]),
    fault("app_files", "named", APPS, &["open-files-limit"]),
    fault("apache_exhausted", "named", APPS, &["stopped-process"]),
    fault(
        "app_killed",
        "named",
        APPS,
        &["not-running", "out-of-memory"],
    ),
    sample(fault(
        "broken_config",
        "named",
        APACHE,
        &["broken-configuration"],
    )),
    fault("port_taken", "named", APACHE, &["port-taken"]),
    sample(fault(
        "fpm_permission",
        "named",
        FPM,
        &["socket-permission"],
    )),
    fault("fpm_stopped", "named", FPM, &["not-running"]),
    fault("fpm_exhausted", "named", FPM, &["workers-exhausted"]),
    sample(fault(
        "partner_hangs",
        "named",
        &["127.0.0.5:9400"],
        &["silent-peer"],
    )),
    fault("certificate_expired", "named", APACHE, &["certificate"]),
    fault("certificate_early", "named", APACHE, &["certificate"]),
    fault("rewrite_loop", "named", NGINX, &["log"]),
    fault("redirect_loop", "unknown", &[], &[]),
    fault(
        "stale_pid_file",
        "named",
        APACHE,
        &["stale-pid-file", "not-running"],
    ),
    fault("name_gone", "named", APPS, &["unresolved-name"]),
    fault("redis_misconf", "named", REDIS, &["complaint", "log"]),
    fault("backlog_overflow", "named", APACHE, &["queue-full"]),
    fault("redis_clients", "named", REDIS, &["complaint", "log"]),
    fault("quiet_db_stopped", "named", DB, &["not-running"]),
    fault("quiet_redis_and_unused", "named", REDIS, &["not-running"]),
    sample(fault("not_found", "unknown", &[], &[])),
    fault("healthy", "healthy", &[], &[]),
    sample(fault("bug_and_dead_redis", "unknown", &[], &[])),
    fault("bug_and_full_disk", "unknown", &[], &[]),
    fault("spin_and_frozen_redis", "named", APPS, &["hung"]),
    fault("own_500_and_dead_upstream", "unknown", &[], &[]),
    fault("nginx_files", "named", NGINX, &["open-files-limit", "log"]),
    fault("php_memory", "named", FPM_PORT, &["out-of-memory"]),
    fault("php_fatal", "named", FPM_PORT, &["log"]),
    fault("upstream_denied", "named", FPM, &["upstream-denied"]),
    fault("slow_query", "unknown", &[], &[]),
    fault("haproxy_503", "unknown", &[], &[]),
    sample(fault("other_vhost", "named", NGINX, &["virtual-host"])),
    fault("vhost_order", "named", NGINX, &["virtual-host"]),
    fault("vhost_asked_by_header", "named", NGINX, &["virtual-host"]),
    fault("vhost_default_is_meant", "unknown", &[], &[]),
    fault("stale_cache", "named", NGINX, &["lost-text"]),
    fault(
        "old_version_in_pool",
        "named",
        &["127.0.0.1:3001"],
        &["lost-text"],
    ),
    fault("localhost_names", "healthy", &[], &[]),
    fault("pg_healthy", "healthy", &[], &[]),
    fault("pg_stopped", "named", PG, &["not-running"]),
    fault("pg_frozen", "named", PG, &["stopped-process"]),
    fault("pg_connections", "named", PG, &["complaint", "log"]),
    fault("pg_no_table", "named", PG, &["log"]),
    fault("pg_locked", "unknown", &[], &[]),
    fault(
        "unit_dead",
        "named",
        &["shop@3001.service at 127.0.0.1:3001"],
        &["not-running"],
    ),
    fault("journal_words", "named", &["127.0.0.1:3001"], &["log"]),
    fault("fpm_queue", "named", FPM, &["workers-exhausted"]),
    fault(
        "haproxy_backend_down",
        "named",
        &[
            "127.0.0.1:3001",
            "127.0.0.1:3001, where the web server is expected",
        ],
        &["not-running"],
    ),
];

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnose_faults")
}

/// A database that each scene copies: it takes seconds to make.
fn database() -> &'static Path {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder for a database");
        let data = folder.path().join("data");
        let made = Command::new("timeout")
            .args(["60", "mariadb-install-db", "--no-defaults", "--user=root"])
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .args(["--innodb-log-file-size=4M", "--innodb-use-native-aio=0"])
            .arg(format!("--datadir={}", data.display()))
            .output()
            .expect("mariadb-install-db");
        let errors = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "no database: {errors}");
        let first = "CREATE DATABASE shop;\nCREATE TABLE shop.item (id INT) ENGINE=InnoDB;\nINSERT INTO shop.item VALUES (1),(2);\n\
            FLUSH PRIVILEGES;\nCREATE USER shop@'127.0.0.1' IDENTIFIED BY 'pw';\nGRANT ALL ON shop.* TO shop@'127.0.0.1';\n";
        let mut child = Command::new("timeout")
            .args(["60", "mariadbd", "--no-defaults", "--user=root", "--bootstrap"])
            .args(["--innodb-log-file-size=4M", "--innodb-use-native-aio=0"])
            .arg(format!("--datadir={}", data.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mariadbd");
        let mut input = child.stdin.take().expect("its input");
        std::io::Write::write_all(&mut input, first.as_bytes()).expect("it reads");
        drop(input);
        assert!(child.wait().expect("it ends").success(), "no tables");
        folder
    });
    Box::leak(folder.path().join("data").into_boxed_path())
}

/// Plays a fault and gives the answer of `surefoot diagnose`.
fn play(name: &str) -> Result<Value, String> {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let script = format!(
        ". {scripts}/world.sh\n. {scripts}/faults.sh\n{name}\n",
        scripts = scripts().display()
    );
    let output = Command::new("timeout")
        .args([
            "--kill-after=5",
            LIMIT,
            "unshare",
            "--net",
            "--mount",
            "--pid",
        ])
        .args([
            "--fork",
            "--kill-child",
            "--mount-proc",
            "bash",
            "-c",
            &script,
        ])
        .current_dir(folder.path())
        .env("surefoot", env!("CARGO_BIN_EXE_surefoot"))
        .env("scripts", scripts())
        .env("database", database())
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .expect("unshare");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(format!("{:?} {errors}", output.status));
    }
    let value: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("{error}: {errors}"))?;
    Ok(value["answer"].clone())
}

/// How an answer compares with what is true.
struct FaultGrade {
    is_right_daemon: bool,
    is_right_cause: bool,
    is_unknown: bool,
    is_confidently_wrong: bool,
    millis: u64,
    shown: String,
}

fn grade(fault: &KnownFault, answer: &Value) -> FaultGrade {
    let diagnosis = &answer["diagnosis"];
    let verdict = diagnosis["verdict"].as_str().unwrap_or_default();
    let first = &diagnosis["causes"][0];
    let text = |name: &str| first[name].as_str().unwrap_or_default();
    // A name at its end: `:80` is not `:8080`.
    let is_daemon = |wanted: &str| {
        text("daemon").ends_with(wanted)
            || (wanted.contains("php") && text("daemon").contains(wanted))
    };
    let names_one = matches!(verdict, "named" | "degraded");
    let is_right_daemon = if names_one {
        fault.daemons.iter().any(|wanted| is_daemon(wanted))
    } else {
        fault.verdict == verdict
    };
    let is_right_cause = is_right_daemon
        && verdict == fault.verdict
        && (!names_one || fault.rules.contains(&text("rule")));
    let is_unknown = verdict == "unknown";
    FaultGrade {
        is_right_daemon,
        is_right_cause,
        is_unknown,
        is_confidently_wrong: !is_right_cause && !is_unknown,
        millis: answer["millis"].as_u64().unwrap_or(u64::MAX),
        shown: format!("{verdict}: {} [{}]", text("what"), text("rule")),
    }
}

/// The faults that `SUREFOOT_FAULTS` asks for.
fn chosen_faults(chosen: &str) -> Vec<&'static KnownFault> {
    if let Some((part, parts)) = chosen.split_once('/') {
        let part: usize = part.parse().expect("a part, like 1/3");
        let parts: usize = parts.parse().expect("a number of parts, like 1/3");
        assert!((1..=parts).contains(&part), "no part {part} of {parts}");
        let place = |at: usize| FAULTS.len() * at / parts;
        return FAULTS[place(part - 1)..place(part)].iter().collect();
    }
    let names: Vec<&str> = chosen.split(',').collect();
    let is_chosen = |fault: &&KnownFault| match chosen {
        "" => fault.is_sample,
        "all" => true,
        _ => names.contains(&fault.name),
    };
    FAULTS.iter().filter(is_chosen).collect()
}

#[test]
fn faults_are_named_or_unknown_and_never_wrong() {
    let chosen = std::env::var("SUREFOOT_FAULTS").unwrap_or_default();
    let faults = chosen_faults(&chosen);
    assert!(!faults.is_empty(), "no fault of that name");
    let (mut daemons, mut causes, mut unknown, mut wrong) = (0, 0, 0, Vec::new());
    let mut broken = Vec::new();
    let mut slow = Vec::new();
    for (number, fault) in faults.iter().enumerate() {
        let answer = match play(fault.name) {
            Ok(answer) => answer,
            Err(why) => {
                println!(
                    "{:>2}/{} {:<24} NOT PLAYED: {why}",
                    number + 1,
                    faults.len(),
                    fault.name
                );
                broken.push(format!("{}: {why}", fault.name));
                continue;
            }
        };
        let grade = grade(fault, &answer);
        let mark = |is: bool| if is { "yes" } else { "NO" };
        println!(
            "{:>2}/{} {:<24} daemon {:<3} cause {:<3} {:>5} ms  {}",
            number + 1,
            faults.len(),
            fault.name,
            mark(grade.is_right_daemon),
            mark(grade.is_right_cause),
            grade.millis,
            grade.shown
        );
        if std::env::var_os("SUREFOOT_FAULTS_SHOW").is_some() {
            println!("{answer:#}");
        }
        daemons += usize::from(grade.is_right_daemon);
        causes += usize::from(grade.is_right_cause);
        unknown += usize::from(grade.is_unknown && fault.verdict != "unknown");
        if grade.is_confidently_wrong {
            wrong.push(format!(
                "{}: {}\n{:#}",
                fault.name, grade.shown, answer["diagnosis"]
            ));
        }
        if grade.millis > 5000 {
            slow.push(fault.name);
        }
    }
    let count = faults.len();
    println!(
        "{count} faults: daemon {daemons}, cause {causes}, unknown {unknown}, confident and wrong {}",
        wrong.len()
    );
    assert!(broken.is_empty(), "not played: {broken:#?}");
    assert!(
        wrong.is_empty(),
        "confident and wrong: {}",
        wrong.join("\n")
    );
    assert!(slow.is_empty(), "over 5 s: {slow:?}");
    assert!(
        daemons * 100 >= count * 95,
        "the right daemon in {daemons} of {count}"
    );
    assert!(
        causes * 100 >= count * 85,
        "the right cause in {causes} of {count}"
    );
    assert!(
        unknown * 100 <= count * 15,
        "unknown in {unknown} of {count}"
    );
}

#[test]
fn a_unit_says_who_should_be_there_and_what_it_needs() {
    let answer = play("unit_dead").expect("it is played");
    let cause = &answer["diagnosis"]["causes"][0];
    let next = cause["next"].to_string();
    assert!(next.contains("systemctl start shop@3001.service"), "{next}");
    let evidence = cause["evidence"].to_string();
    assert!(
        evidence.contains("shop@.service:5")
            && evidence.contains("is failed: its program ended with status 3"),
        "{evidence}"
    );
    let hops: Vec<&str> = (answer["scene"]["hops"].as_array().into_iter().flatten())
        .filter_map(|hop| hop["address"].as_str())
        .collect();
    assert!(
        hops.contains(&"127.0.0.1:3306") && hops.contains(&"127.0.0.1:6379"),
        "{hops:?}"
    );
    let changes = answer["scene"]["changes"].to_string();
    for file in ["shop.env was written", "nginx.conf was written"] {
        assert!(changes.contains(file), "{changes}");
    }
}

/// The daemons that a hold narrowed the symptom down to.
fn narrowed(answer: &Value) -> Vec<String> {
    let hops = &answer["scene"]["hops"];
    let narrowed = answer["holds"]["conclusion"]["narrowed_to"].as_array();
    let place = |at: &Value| usize::try_from(at.as_u64()?).ok();
    narrowed
        .into_iter()
        .flatten()
        .filter_map(|at| Some(hops[place(at)?]["address"].as_str()?.to_owned()))
        .collect()
}

#[test]
fn daemons_that_are_held_for_a_moment_show_who_takes_part() {
    let wanted: [(&str, &[&str]); 3] = [
        ("break_bug", APPS),
        ("break_quiet_no_table", &[APPS[0], APPS[1], DB[0]]),
        ("break_front", NGINX),
    ];
    for (name, daemons) in wanted {
        let answer = play(name).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(
            answer["diagnosis"]["verdict"], "unknown",
            "{name}: {answer:#}"
        );
        assert_eq!(narrowed(&answer), daemons, "{name}: {:#}", answer["holds"]);
        let downtime = answer["holds"]["downtime_millis"].as_u64();
        assert!(
            downtime.is_some_and(|it| it < 10_000),
            "{name}: {downtime:?}"
        );
        let is_front = name == "break_front";
        assert_eq!(answer["bisect"].is_object(), is_front, "{name}: {answer:#}");
    }
}

#[test]
fn nothing_is_held_where_that_shows_nothing_or_does_harm() {
    let answer = play("break_posted").expect("it is played");
    let notes = answer["holds"]["notes"].to_string();
    assert!(notes.contains("POST may change something"), "{notes}");
    assert_eq!(answer["holds"]["steps"], Value::Array(Vec::new()));
    let answer = play("break_frozen").expect("it is played");
    assert_eq!(answer["diagnosis"]["verdict"], "named");
    assert!(answer["holds"].is_null(), "{answer:#}");
}

#[test]
fn a_daemon_that_is_held_goes_on_when_surefoot_is_killed() {
    let answer = play("break_killed").expect("it is played");
    assert_eq!(answer["status"], 500, "it answers as before");
}
