//! Network namespaces.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use rustix::thread::{LinkNameSpaceType, UnshareFlags};

/// A network namespace; the kernel removes it when this and everything in it is gone.
#[derive(Debug)]
pub struct NetworkNamespace(File);

impl NetworkNamespace {
    /// Makes a new one. The calling thread stays where it is.
    pub fn new() -> io::Result<Self> {
        // The thread that makes it ends right after, so that no thread has to return.
        std::thread::spawn(|| {
            // SAFETY: `NEWNET` changes which network this thread sees and nothing that memory
            // safety rests on; file descriptors stay shared.
            unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }?;
            File::open("/proc/thread-self/ns/net").map(Self)
        })
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the thread that makes the namespace died")))
    }

    /// Moves the calling thread into it, for good.
    pub fn enter(&self) -> io::Result<()> {
        rustix::thread::move_into_link_name_space(
            self.0.as_fd(),
            Some(LinkNameSpaceType::Network),
        )?;
        Ok(())
    }
}
