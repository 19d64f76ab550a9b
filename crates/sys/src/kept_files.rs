//! Files that a program was started with, and what it starts does not get.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Keeps every file above standard error from what a command starts, also those that this process was given by
/// the one that started it. Kernels before Linux 5.11 cannot do that; there it gets them.
pub fn keep_files_from(command: &mut Command) {
    let close_at_exec = || {
        // SAFETY: the call takes three numbers and marks files; it closes none before the new program is
        // there, which owns none of them. It may be made between fork and exec.
        let _ = unsafe {
            libc::syscall(
                libc::SYS_close_range,
                3,
                libc::c_uint::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            )
        };
        Ok(())
    };
    // SAFETY: what runs between fork and exec is one system call; it takes no lock and no memory.
    unsafe { command.pre_exec(close_at_exec) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd as _;

    #[test]
    fn what_is_started_gets_no_file_but_the_standard_ones() {
        let file = std::fs::File::open("/dev/null").expect("it is there");
        // A duplicate that a program inherits, as a shell gives one.
        // SAFETY: the call makes a new number for an open file.
        let given = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD, 50) };
        assert!(given >= 50);
        let listed = |keep: bool| {
            let mut command = Command::new("ls");
            command.arg("/proc/self/fd");
            if keep {
                keep_files_from(&mut command);
            }
            let output = command.output().expect("ls is there");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let is_given = |text: &str| text.lines().any(|line| line == given.to_string());
        assert!(is_given(&listed(false)), "without it the file is passed on");
        assert!(!is_given(&listed(true)));
    }
}
