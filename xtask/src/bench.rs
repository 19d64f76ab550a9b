//! The figures that the README names, measured against the peers in the same run.
//!
//! A figure is the best of several runs, as noise on a shared machine only ever adds time. A peer
//! that takes minutes is run once. Ratios are what counts; seconds depend on the machine.

use std::time::Instant;

use crate::packages;
use crate::run::{Outcome, command, run, say, target};

const SOCKETS: &str = "10000";
const RULES: &str = "1000";

/// Prints all figures.
pub(crate) fn all() -> Outcome {
    packages::for_benchmarks()?;
    run(&["cargo", "build", "--release", "--package", "surefoot"])?;
    run(&[
        "cargo",
        "build",
        "--release",
        "--package",
        "surefoot-testkit",
        "--example",
        "crowded",
    ])?;
    run(&[
        "cargo",
        "build",
        "--release",
        "--package",
        "surefoot-firewall",
        "--examples",
    ])?;
    let release = target().join("release");
    let surefoot = release.join("surefoot").display().to_string();
    let crowded = release.join("examples/crowded").display().to_string();

    say(&format!(
        "\n== one look at a machine with {SOCKETS} sockets and {RULES} rules"
    ));
    let ours = best_of(&crowded, "7", &[&surefoot, "check", "--quiet"])?;
    let lynis = best_of(
        &crowded,
        "1",
        &["lynis", "audit", "system", "--quick", "--quiet"],
    )?;
    say(&format!(
        "surefoot check              {ours:>9.3} s   (goal: at most 1.0 s)"
    ));
    say(&format!("lynis audit system --quick  {lynis:>9.3} s"));
    say(&format!(
        "ratio                       {:>9.0} x   (goal: at least 50 x)",
        lynis / ours
    ));

    say("\n== start-up");
    say(&format!(
        "surefoot --version          {:>9.2} ms  (goal: under 5 ms)",
        start_up(&surefoot)? * 1e3
    ));

    say("\n== reading and asking");
    for example in ["bench_parse", "bench_explain", "bench_dead"] {
        run(&[&release.join("examples").join(example).display().to_string()])?;
    }
    Ok(())
}

/// The fastest of some runs of a command on a crowded machine, in seconds.
fn best_of(crowded: &str, runs: &str, subject: &[&str]) -> Outcome<f64> {
    let mut words = vec!["unshare", "-n", crowded, SOCKETS, RULES, runs];
    words.extend(subject);
    say(&format!("$ {}", words.join(" ")));
    let output = command(&words)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.parse::<f64>().ok())
        .min_by(f64::total_cmp)
        .ok_or_else(|| "no run was timed".to_owned())
}

/// The fastest of many starts, in seconds.
fn start_up(surefoot: &str) -> Outcome<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..200 {
        let begin = Instant::now();
        let output = command(&[surefoot, "--version"])
            .output()
            .map_err(|error| error.to_string())?;
        best = best.min(begin.elapsed().as_secs_f64());
        if !output.status.success() {
            return Err(format!(
                "`{surefoot} --version` ended with {}",
                output.status
            ));
        }
    }
    Ok(best)
}
