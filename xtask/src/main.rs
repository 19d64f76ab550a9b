//! Everything CI runs, in the order in which CI runs it.
//!
//! Only the standard library is used, so that this builds in a second on a fresh machine.

mod bench;
mod bench_journal;
mod bench_throughput;
mod docs;
mod fuzz;
mod long;
mod packages;
mod referee;
mod run;
mod screens;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test                install what the tests need from Debian's packages, then run everything:
                      format, lints, invariants, tests
  lint                format, clippy and invariants only
  packages            install and unpack what the tests need from Debian's packages
  docs [--check]      write the manual pages and the screens of the guide; or say what is stale
  fuzz [SECONDS]      run every fuzz target for so long (default 10)
  referee --packets N [--seed S]
                      hold both evaluators against the kernel with so many packets
  bench               print the figures that the README names, against the peers, as ratios
  bench throughput    print rates and CPU of `surefoot throughput` beside iperf and iperf3
  bench journal       print what a journal of 10,000 entries costs
  long NAME           the full counts: agreement, boxes, brute, crash-points, faults, fuzz,
                      interventions, make, rollback, stop, throughput, watchdog
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => test::everything(),
        ["lint"] => test::lints(),
        ["packages"] => packages::for_tests(),
        ["docs"] => docs::write(),
        ["docs", "--check"] => docs::check(),
        ["fuzz"] => fuzz::all(10),
        ["fuzz", seconds] => match seconds.parse() {
            Ok(seconds) => fuzz::all(seconds),
            Err(_) => Err(format!("`{seconds}` is not a number of seconds")),
        },
        ["bench"] => bench::all(),
        ["bench", "journal"] => bench_journal::all(),
        ["bench", "throughput"] => bench_throughput::all(),
        ["referee", words @ ..] => referee::run(words),
        ["long", name] => long::run(name),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            run::say(&format!("\nxtask: {why}"));
            ExitCode::FAILURE
        }
    }
}
