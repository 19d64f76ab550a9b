//! The figures of the journal: how long a list of many entries takes, and what an entry costs over the
//! bare change beside its waits for the disk. `cargo run --release -p surefoot-journal --example
//! bench_journal` prints them.
#![allow(clippy::print_stdout, reason = "it prints figures")]

#[path = "../tests/common/unsynced.rs"]
mod unsynced;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use surefoot_journal::{ChangeRequest, FileSetChange, Journal, JournalOptions, WantedFile};
use unsynced::UnsyncedStorage;

/// How many entries.
const ENTRIES: usize = 10_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keep = std::env::args().nth(1);
    let scratch = tempfile::tempdir()?;
    let folder = keep.as_ref().map_or(scratch.path(), Path::new);
    std::fs::create_dir_all(folder)?;
    let path = folder.join("file");
    let journal = Journal::new(JournalOptions {
        storage: Arc::new(UnsyncedStorage),
        ..JournalOptions::at(folder.join("state"))
    });
    let mut longest = Duration::ZERO;
    let begun = Instant::now();
    for number in 0..ENTRIES {
        let begun = Instant::now();
        let text = format!("Port {number}\n").repeat(20);
        let session = journal.lock()?;
        let wanted = vec![WantedFile::content(&path, text.into_bytes())];
        let change = FileSetChange::plan("edit", wanted, journal.now())?;
        session.perform(Box::new(change), ChangeRequest::default())?;
        longest = longest.max(begun.elapsed());
    }
    let each = begun.elapsed() / u32::try_from(ENTRIES)?;
    let bare = bare_change(&path)?;
    println!("an entry without waits for the disk: {each:.2?} on average, {longest:.2?} at most");
    println!("the bare change (write beside, rename) without them: {bare:.2?}");
    for most in [20, ENTRIES] {
        let mut times: Vec<Duration> = (0..11)
            .map(|_| {
                let begun = Instant::now();
                let listed = journal.list(most).map(|listed| listed.len());
                assert_eq!(listed.ok(), Some(most));
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        println!(
            "list {most} of {ENTRIES}: median {:.2?}, worst {:.2?}",
            times[5], times[10]
        );
    }
    Ok(())
}

fn bare_change(path: &Path) -> io::Result<Duration> {
    let begun = Instant::now();
    for number in 0..1000 {
        let beside = path.with_extension("new");
        std::fs::write(&beside, format!("Port {number}\n").repeat(20))?;
        std::fs::rename(&beside, path)?;
    }
    Ok(begun.elapsed() / 1000)
}
