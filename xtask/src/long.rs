//! `cargo xtask long NAME`: the full counts, of which an ordinary run takes a sample.

use crate::run::{Outcome, command, run_command};
use crate::{fuzz, packages, referee};

/// Packets in the long comparison with the kernel, over all rule sets.
const PACKETS: &str = "1000000";

/// Rule sets in the long comparison of boxes with a count of all packets.
const BOXES: &str = "10000";

/// Runs the long form of a test.
pub(crate) fn run(name: &str) -> Outcome {
    packages::for_tests()?;
    match name {
        "agreement" => referee::run(&["--packets", PACKETS]),
        "boxes" => {
            let words = [
                "cargo",
                "test",
                "--release",
                "-p",
                "surefoot-firewall",
                "--test",
                "boxes",
                "--test",
                "boxes_and_diagrams",
            ];
            let shown = format!("SUREFOOT_BOXES_SETS={BOXES} {}", words.join(" "));
            run_command(command(&words).env("SUREFOOT_BOXES_SETS", BOXES), &shown)
        }
        "fuzz" => fuzz::all(600),
        _ => Err(format!(
            "there is no long run `{name}`; there are: agreement, boxes, fuzz"
        )),
    }
}
