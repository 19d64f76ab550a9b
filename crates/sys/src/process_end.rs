//! How a process ended, asked of a file descriptor for it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The wait status of a process that has ended and was waited for, by any other process; none if
/// the kernel does not keep it (before Linux 6.15), or nothing is known yet.
pub fn wait_status_of(pidfd: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    let asked = u64::from(libc::PIDFD_INFO_EXIT);
    // SAFETY: the structure is made of integers alone, and zero is a value of each.
    let mut info: libc::pidfd_info = unsafe { std::mem::zeroed() };
    info.mask = asked;
    // SAFETY: the request's number holds the size of `pidfd_info`, and the kernel writes at most
    // that much to `info`, which outlives the call.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), libc::PIDFD_GET_INFO, &raw mut info) };
    if result == 0 {
        return Ok((info.mask & asked != 0).then_some(info.exit_code));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // An older kernel does not know the request; one process is gone, and left no word.
        Some(libc::ENOTTY | libc::EINVAL | libc::ESRCH) => Ok(None),
        _ => Err(error),
    }
}
