//! Prints the facts of a directory tree, or of this machine, as JSON.

use std::io::Write;
use surefoot_host::{Host, LiveOptions};

fn main() -> std::io::Result<()> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let host = match std::env::args().nth(1) {
        Some(root) => Host::at(root.as_ref(), now),
        None => Host::live(
            &LiveOptions {
                now,
                keep_secrets: false,
            },
            &|_| {},
        ),
    };
    // Standard output writes line by line by itself, which a crowded machine makes slow.
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    serde_json::to_writer_pretty(&mut output, &host)?;
    writeln!(output)?;
    output.flush()
}
