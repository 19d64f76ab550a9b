//! `cargo xtask bench journal`: what a journal of 10,000 entries costs. The list is timed as a whole
//! command, an entry beside the bare change, without the waits for the disk that both need.

use std::process::Stdio;
use std::time::Instant;

use crate::run::{Outcome, command, run, run_command, say, target};

/// How often the list is asked for.
const TIMES: usize = 21;

/// Prints the figures.
pub(crate) fn all() -> Outcome {
    run(&["cargo", "build", "--release", "--package", "surefoot"])?;
    let example = [
        "cargo",
        "run",
        "--release",
        "--package",
        "surefoot-journal",
        "--example",
        "bench_journal",
        "--",
    ];
    let folder = target().join("bench-journal");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
    }
    let place = folder.display().to_string();
    let words = [&example[..], &[&place]].concat();
    run_command(&mut command(&words), &words.join(" "))?;
    let surefoot = target().join("release/surefoot").display().to_string();
    let state = folder.join("state").display().to_string();
    for extra in [&[][..], &["--format", "json"], &["--all"]] {
        let words = [
            &[surefoot.as_str(), "changes", "--state-dir", &state],
            extra,
        ]
        .concat();
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let begun = Instant::now();
            let status = command(&words)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .map_err(|error| error.to_string())?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            if !status.success() {
                return Err(format!("`{}` ended with {status}", words.join(" ")));
            }
        }
        times.sort_by(f64::total_cmp);
        let goal = if extra.contains(&"--all") {
            "all 10,000"
        } else {
            "goal: under 50 ms"
        };
        say(&format!(
            "surefoot changes {:<16} median {:>6.1} ms, worst {:>6.1} ms   ({goal})",
            extra.join(" "),
            times[TIMES / 2],
            times[TIMES - 1]
        ));
    }
    std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())
}
