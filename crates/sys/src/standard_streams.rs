//! The three streams that every program begins with.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;

/// Points standard input, output and error at `/dev/null`.
pub fn silence_standard_streams() -> io::Result<()> {
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    for standard in 0..=2 {
        // SAFETY: the call changes what three numbers stand for; nothing in this program owns them in
        // a way that the change could break, for they stay open.
        if unsafe { libc::dup2(null.as_raw_fd(), standard) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
