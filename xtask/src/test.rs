//! `cargo xtask test`: one command from a clean checkout to a verdict.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::run::{Outcome, command, is_root, run, say};
use crate::{docs, fuzz, packages, tidy};

/// How long each fuzz target runs; enough to go through the seeds and break what is brittle.
const SECONDS_OF_FUZZING: u32 = 8;

/// Installs what is needed and runs everything.
pub(crate) fn everything() -> Outcome {
    packages::for_tests()?;
    lints()?;
    let tally = tests()?;
    docs::check()?;
    fuzz::all(SECONDS_OF_FUZZING)?;
    say("");
    if tally.skipped > 0 {
        say("skipped: what needs rule sets from outside the project (SUREFOOT_RULESETS)");
    }
    say(&format!(
        "{} passed, {} failed, {} skipped",
        tally.passed, tally.failed, tally.skipped
    ));
    Ok(())
}

/// What a reader of the code would object to.
pub(crate) fn lints() -> Outcome {
    run(&["cargo", "fmt", "--all", "--check"])?;
    run(&[
        "cargo",
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])?;
    tidy::check()
}

#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
    /// Tests that need what is not part of the project, see [`SKIPPED_BECAUSE`].
    skipped: u64,
    /// Tests that were left out for any other reason, by their names.
    left_out: Vec<String>,
}

/// How long one test program may run, in seconds: one that hangs fails, with its name, and the rest still run.
const LIMIT_OF_A_PROGRAM: u32 = 1800;

/// The one reason for which a test may be skipped, as `#[ignore]` gives it.
const SKIPPED_BECAUSE: &str = "needs SUREFOOT_RULESETS";

/// Runs all tests, shows their output and adds up what they report.
fn tests() -> Outcome<Tally> {
    let mut words = vec!["cargo", "test", "--workspace", "--no-fail-fast"];
    if std::env::var_os("SUREFOOT_RULESETS").is_some() {
        words.extend(["--", "--include-ignored"]);
    }
    let mut runner = format!("timeout --verbose --kill-after=10 {LIMIT_OF_A_PROGRAM}");
    if !is_root() {
        // The tests make network namespaces; in a user namespace every user may.
        runner.insert_str(0, "unshare -Urnm ");
    }
    let mut cargo = command(&words);
    for machine in ["X86_64", "AARCH64"] {
        cargo.env(
            format!("CARGO_TARGET_{machine}_UNKNOWN_LINUX_GNU_RUNNER"),
            &runner,
        );
    }
    say(&format!("\n$ {}", words.join(" ")));
    let mut child = cargo
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    let output = child.stdout.take().ok_or("cargo has no output")?;
    let mut tally = Tally::default();
    for line in BufReader::new(output).lines() {
        let line = line.map_err(|error| format!("cannot read cargo's output: {error}"))?;
        say(&line);
        tally.add(&line);
    }
    let status = child
        .wait()
        .map_err(|error| format!("cannot wait for cargo: {error}"))?;
    if !status.success() || tally.failed > 0 {
        say(&format!(
            "{} passed, {} failed, {} skipped",
            tally.passed,
            tally.failed.max(1),
            tally.skipped
        ));
        return Err("tests failed".to_owned());
    }
    if tally.passed == 0 {
        return Err("no test ran".to_owned());
    }
    if !tally.left_out.is_empty() {
        return Err(format!(
            "tests were left out: {}",
            tally.left_out.join(", ")
        ));
    }
    Ok(tally)
}

impl Tally {
    /// Adds a line of a test program: `test NAME ... ignored, REASON` or its closing line,
    /// `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; ...`.
    fn add(&mut self, line: &str) {
        if let Some((name, reason)) = line.split_once(" ... ignored") {
            if reason.ends_with(SKIPPED_BECAUSE) {
                self.skipped += 1;
            } else {
                self.left_out.push(name.to_owned());
            }
        }
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        let words: Vec<&str> = result
            .split([' ', ';'])
            .filter(|word| !word.is_empty())
            .collect();
        for pair in words.windows(2) {
            let Ok(count) = pair[0].parse::<u64>() else {
                continue;
            };
            match pair[1] {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn counts_of_all_test_programs_are_added_up() {
        let mut tally = Tally::default();
        for line in [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test outside::every_rule_set_is_read ... ignored, needs SUREFOOT_RULESETS",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            tally.add(line);
        }
        assert_eq!((tally.passed, tally.failed, tally.skipped), (15, 2, 1));
        assert!(tally.left_out.is_empty());
    }

    #[test]
    fn a_test_may_only_be_skipped_for_the_reason_that_is_known() {
        let mut tally = Tally::default();
        tally.add("test slow ... ignored");
        tally.add("test other ... ignored, takes long");
        assert_eq!(tally.left_out.len(), 2);
        assert_eq!(tally.skipped, 0);
    }
}
