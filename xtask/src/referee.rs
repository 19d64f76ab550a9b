//! `cargo xtask referee`: the kernel judges both evaluators, with as many packets as wanted.

use crate::packages;
use crate::run::{Outcome, command, run_command};

/// Runs the comparison, built as releases are.
pub(crate) fn run(words: &[&str]) -> Outcome {
    let (packets, seed) = match words {
        ["--packets", packets] => (*packets, "0"),
        ["--packets", packets, "--seed", seed] => (*packets, *seed),
        _ => return Err("usage: cargo xtask referee --packets N [--seed S]".to_owned()),
    };
    for number in [packets, seed] {
        if number.parse::<u64>().is_err() {
            return Err(format!("`{number}` is not a number"));
        }
    }
    packages::for_tests()?;
    let words = [
        "cargo",
        "test",
        "--release",
        "-p",
        "surefoot-testkit",
        "--test",
        "agreement",
        "--",
        "--nocapture",
        "the_evaluators_agree_with_the_kernel",
    ];
    let shown = format!(
        "SUREFOOT_AGREEMENT_PACKETS={packets} SUREFOOT_AGREEMENT_SEED={seed} {}",
        words.join(" ")
    );
    run_command(
        command(&words)
            .env("SUREFOOT_AGREEMENT_PACKETS", packets)
            .env("SUREFOOT_AGREEMENT_SEED", seed),
        &shown,
    )
}
