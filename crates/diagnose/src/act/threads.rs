//! What the threads of a process wait for: the socket that they read, and its peer.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

/// The system calls that read one file, by number, and those that poll.
#[cfg(target_arch = "x86_64")]
const CALLS: (&[u64], &[u64]) = (&[0, 45, 47], &[7, 271]);
#[cfg(target_arch = "aarch64")]
const CALLS: (&[u64], &[u64]) = (&[63, 207, 212], &[73]);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const CALLS: (&[u64], &[u64]) = (&[], &[]);

/// The numbers of the sockets that threads of a process wait to read from.
pub(super) fn awaited_sockets(pid: u32) -> Vec<u64> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let threads = threads.flatten().take(512);
    let files = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("syscall")).ok()?;
        awaited_file(pid, &text)
    });
    files
        .filter_map(|file| {
            let target = fs::read_link(format!("/proc/{pid}/fd/{file}")).ok()?;
            let text = target.to_string_lossy().into_owned();
            let inode = text.strip_prefix("socket:[")?;
            inode.trim_end_matches(']').parse().ok()
        })
        .collect()
}

/// The one file that a system call waits for.
fn awaited_file(pid: u32, text: &str) -> Option<u64> {
    let mut words = text.split_whitespace();
    let number: u64 = words.next()?.parse().ok()?;
    let mut arguments =
        words.filter_map(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok());
    let (reads, polls) = CALLS;
    if reads.contains(&number) {
        return arguments.next();
    }
    if !polls.contains(&number) {
        return None;
    }
    // `struct pollfd`: the file, then what is awaited (`POLLIN` is 1).
    let (place, count) = (arguments.next()?, arguments.next()?);
    if count != 1 {
        return None;
    }
    let mut entry = [0; 8];
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    memory.read_exact_at(&mut entry, place).ok()?;
    let [a, b, c, d, events, ..] = entry;
    let file = i32::from_le_bytes([a, b, c, d]);
    (events & 1 != 0).then(|| u64::try_from(file).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_names_its_file() {
        let reads = CALLS.0;
        if let Some(number) = reads.first() {
            let text = format!("{number} 0x5 0x7ffe 0x100 0x0 0x0 0x0 0x7ffd 0x7f00");
            assert_eq!(awaited_file(1, &text), Some(5));
        }
        assert_eq!(awaited_file(1, "running"), None);
    }
}
