//! `cargo xtask test`: one command from a clean checkout to a verdict.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::run::{Outcome, command, in_ci, is_root, run, say};
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
    say(&format!(
        "{} passed, {} failed, {} skipped",
        tally.passed, tally.failed, tally.ignored
    ));
    if in_ci() && tally.ignored > 0 {
        return Err(format!(
            "{} tests were skipped; nothing may be skipped here",
            tally.ignored
        ));
    }
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
    ignored: u64,
}

/// Runs all tests, shows their output and adds up what they report.
fn tests() -> Outcome<Tally> {
    let words = ["cargo", "test", "--workspace", "--no-fail-fast"];
    let mut cargo = command(&words);
    if !is_root() {
        // The tests make network namespaces; a user namespace lets everybody make them.
        cargo.env(
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER",
            "unshare -Urnm",
        );
        cargo.env(
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
            "unshare -Urnm",
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
        if let Some(result) = line.strip_prefix("test result: ") {
            tally.add(result);
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("cannot wait for cargo: {error}"))?;
    if !status.success() || tally.failed > 0 {
        say(&format!(
            "{} passed, {} failed",
            tally.passed,
            tally.failed.max(1)
        ));
        return Err("tests failed".to_owned());
    }
    if tally.passed == 0 {
        return Err("no test ran".to_owned());
    }
    Ok(tally)
}

impl Tally {
    /// Adds a line such as `ok. 12 passed; 0 failed; 1 ignored; 0 measured; ...`.
    fn add(&mut self, result: &str) {
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
                "ignored" => self.ignored += count,
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
        tally.add(
            "ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        );
        tally.add("FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!((tally.passed, tally.failed, tally.ignored), (15, 2, 1));
    }
}
