//! `cargo xtask long NAME`: the full counts, of which an ordinary run takes a sample.

use crate::run::{Outcome, command, run_command};
use crate::{fuzz, packages, referee};

/// Packets in the long comparison with the kernel, over all rule sets.
const PACKETS: &str = "1000000";

/// Rule sets in the long comparisons with asking packet by packet.
const SETS: &str = "10000";

/// Runs the long form of a test.
pub(crate) fn run(name: &str) -> Outcome {
    packages::for_tests()?;
    match name {
        "agreement" => referee::run(&["--packets", PACKETS]),
        "boxes" => release_tests(
            "surefoot-netfilter",
            &["--test", "engines", "--", "boxes", "--nocapture"],
            ("SUREFOOT_BOXES_SETS", SETS),
        ),
        "brute" => release_tests(
            "surefoot-firewall",
            &["--test", "questions", "--", "brute", "--nocapture"],
            ("SUREFOOT_BRUTE_SETS", SETS),
        ),
        "crash-points" => journal_tests().and_then(|()| loading_tests()),
        "faults" => fault_tests(),
        "fuzz" => fuzz::all(600),
        "interventions" => intervention_tests(),
        "stop" => stop_tests(),
        "throughput" => release_tests(
            "surefoot-throughput",
            &[
                "--test",
                "foreign_clients",
                "--test",
                "own_client",
                "--",
                "--nocapture",
            ],
            ("SUREFOOT_THROUGHPUT_SECONDS", "10"),
        ),
        "lockouts" => release_tests(
            "surefoot-apply",
            &["--test", "lockouts", "--", "--nocapture"],
            ("SUREFOOT_LOCKOUTS", "100"),
        ),
        "make" => release_tests(
            "surefoot-testkit",
            &["--test", "made", "--", "--nocapture"],
            ("SUREFOOT_MADE_PAIRS", "200"),
        ),
        "rollback" => rollback_tests(),
        "watchdog" => watchdog_tests(),
        _ => Err(format!(
            "there is no long run `{name}`; there are: agreement, boxes, brute, crash-points, faults, \
             fuzz, interventions, lockouts, make, rollback, stop, throughput, watchdog"
        )),
    }
}

/// Every change of a firewall that locks out, with every way in which surefoot or its connection ends, for every
/// mechanism; and the same with `iptables-apply`.
fn rollback_tests() -> Outcome {
    let words = [
        "cargo",
        "test",
        "-p",
        "surefoot",
        "--test",
        "firewall_remote",
        "--",
        "--nocapture",
        "--test-threads=1",
    ];
    let shown = format!("SUREFOOT_ROLLBACK_ALL=1 {}", words.join(" "));
    run_command(command(&words).env("SUREFOOT_ROLLBACK_ALL", "1"), &shown)
}

/// Every program that loads or lists rules while they are applied, with surefoot killed before and after it.
fn loading_tests() -> Outcome {
    let words = [
        "cargo",
        "test",
        "-p",
        "surefoot",
        "--test",
        "firewall_back",
        "killed_at",
        "--",
        "--nocapture",
    ];
    let shown = format!("SUREFOOT_ROLLBACK_ALL=1 {}", words.join(" "));
    run_command(command(&words).env("SUREFOOT_ROLLBACK_ALL", "1"), &shown)
}

/// Runs tests of a crate with a variable that says how much they do; the words choose the tests, as
/// `cargo test` takes them.
fn release_tests(package: &str, chosen: &[&str], (variable, number): (&str, &str)) -> Outcome {
    let mut words = vec!["cargo", "test", "--release", "-p", package];
    words.extend(chosen);
    let shown = format!("{variable}={number} {}", words.join(" "));
    run_command(command(&words).env(variable, number), &shown)
}

/// Every point at which the journal can be interrupted, and every generated tree: some minutes, which an
/// optimised build would not shorten, as the time goes into files.
fn journal_tests() -> Outcome {
    let words = [
        "cargo",
        "test",
        "-p",
        "surefoot-journal",
        "--",
        "--nocapture",
    ];
    let shown = format!("SUREFOOT_CRASH_POINTS=all {}", words.join(" "));
    run_command(command(&words).env("SUREFOOT_CRASH_POINTS", "all"), &shown)
}

/// Every state of a process twenty times, trees of a thousand, and a storm of forks in a small space of numbers.
/// The time goes into the kernel's work and the tests' waits, which an optimised build would not shorten.
fn stop_tests() -> Outcome {
    let words = [
        "cargo",
        "test",
        "-p",
        "surefoot-processes",
        "--test",
        "states",
        "--test",
        "frozen",
        "--test",
        "mixed",
        "--test",
        "stopping",
        "--test",
        "trees",
        "--test",
        "storm",
        "--",
        "--nocapture",
        "--test-threads=1",
    ];
    let variables = [
        ("SUREFOOT_STOP_RUNS", "20"),
        ("SUREFOOT_STOP_TREE", "1000"),
        ("SUREFOOT_STOP_MIXED", "200"),
        ("SUREFOOT_STORM_FORKS", "100000"),
    ];
    let chosen =
        variables.map(|(name, number)| (name, std::env::var(name).unwrap_or(number.to_owned())));
    let shown: Vec<String> = chosen
        .iter()
        .map(|(name, number)| format!("{name}={number}"))
        .collect();
    let shown = format!("{} {}", shown.join(" "), words.join(" "));
    run_command(command(&words).envs(chosen), &shown)
}

/// Every fault of the catalogue on real daemons: a line for each, and a table at the end.
fn fault_tests() -> Outcome {
    let words = [
        "cargo",
        "test",
        "-p",
        "surefoot",
        "--test",
        "diagnose_faults",
        "--",
        "--nocapture",
    ];
    let shown = format!("SUREFOOT_FAULTS=all {}", words.join(" "));
    run_command(command(&words).env("SUREFOOT_FAULTS", "all"), &shown)
}

/// A bisection killed at sixty moments, and all scenes with real daemons.
fn intervention_tests() -> Outcome {
    let words = [
        "cargo",
        "test",
        "-p",
        "surefoot",
        "--test",
        "bisect",
        "--test",
        "bisect_daemons",
        "--",
        "--nocapture",
    ];
    let variables = [
        ("SUREFOOT_BISECT_KILLS", "300"),
        ("SUREFOOT_BISECT_SCENES", "all"),
    ];
    let shown = format!("SUREFOOT_BISECT_KILLS=300 {}", words.join(" "));
    run_command(command(&words).envs(variables), &shown)
}

/// Twenty of each way in which the watchdog has to bring a file back.
fn watchdog_tests() -> Outcome {
    let words = [
        "cargo",
        "test",
        "-p",
        "surefoot",
        "--test",
        "watchdog",
        "--",
        "--nocapture",
    ];
    let shown = format!("SUREFOOT_WATCHDOG_RUNS=20 {}", words.join(" "));
    run_command(command(&words).env("SUREFOOT_WATCHDOG_RUNS", "20"), &shown)
}
