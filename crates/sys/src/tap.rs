//! Tap devices: network interfaces whose cable ends in a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

/// `struct ifreq` as `TUNSETIFF` reads it: a name, flags, and room for the rest of the union.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_short,
    rest: [u8; 22],
}

/// An Ethernet interface in the network namespace of the thread that opened it. It is gone when
/// this value is.
#[derive(Debug)]
pub struct Tap(File);

impl Tap {
    /// Makes an interface of that name.
    pub fn new(name: &str) -> io::Result<Self> {
        let mut request = Request {
            name: [0; libc::IFNAMSIZ],
            flags: 0,
            rest: [0; 22],
        };
        if name.is_empty() || name.len() >= request.name.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{name}` cannot name an interface"),
            ));
        }
        request.name[..name.len()].copy_from_slice(name.as_bytes());
        request.flags = libc::c_short::try_from(libc::IFF_TAP | libc::IFF_NO_PI)
            .expect("both are among the lower fifteen bits");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open("/dev/net/tun")?;
        // SAFETY: `request` has the size and layout of `struct ifreq` (40 bytes) and outlives the
        // call; `TUNSETIFF` reads name and flags and writes the name back.
        let done = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
        if done < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(file))
    }

    /// Lets the interface receive a frame. When this returns, the kernel has done with it.
    pub fn inject(&self, frame: &[u8]) -> io::Result<()> {
        let written = (&self.0).write(frame)?;
        if written == frame.len() {
            Ok(())
        } else {
            Err(io::Error::other("the interface took a part of the frame"))
        }
    }

    /// A frame that the interface has sent, if there is one.
    pub fn sent(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match (&self.0).read(buffer) {
            Ok(length) => Ok(Some(length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

const _: () = assert!(size_of::<Request>() == 40);
