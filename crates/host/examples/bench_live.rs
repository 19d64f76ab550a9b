//! Reads this machine several times and prints the milliseconds of each time, the best last.
//!
//! `unshare -n crowded 10000 1000 1 bench_live /dev/stderr` measures a crowded machine.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Instant;
use surefoot_host::{Host, LiveOptions};

fn main() -> std::io::Result<()> {
    let to = std::env::args().nth(1);
    let path = to.as_deref().unwrap_or("/dev/stdout");
    let mut to = OpenOptions::new().append(true).open(path)?;
    let mut times = Vec::new();
    for _ in 0..7 {
        let begun = Instant::now();
        let host = Host::live(&LiveOptions::default(), &|_| {});
        let taken = begun.elapsed();
        let sockets = host.sockets.as_ref().map_or(0, Vec::len);
        writeln!(to, "{sockets} sockets: {:.1} ms", taken.as_secs_f64() * 1e3)?;
        times.push(taken);
    }
    let best = times.into_iter().min().unwrap_or_default();
    writeln!(to, "best: {:.1} ms", best.as_secs_f64() * 1e3)
}
