//! Gives up root's rights once the ports are taken.

use std::io;

use rustix::process::{Gid, Uid};
use thiserror::Error;

/// The user that owns nothing, on every Linux system.
const NOBODY: u32 = 65_534;

/// Why rights cannot be given up.
#[derive(Debug, Error)]
pub enum PrivilegeError {
    /// The user is unknown in this user namespace.
    #[error("this user namespace has no user {NOBODY} (nobody) to become")]
    NoUser,
    /// The system refuses.
    #[error("cannot become user {NOBODY} (nobody): {0}")]
    System(#[from] io::Error),
}

/// Becomes the user nobody if this is root; says whether it did.
///
/// The rights belong to the thread: call it before any other thread is made, so that all have them.
pub fn become_nobody() -> Result<bool, PrivilegeError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(false);
    }
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    let change = || -> io::Result<()> {
        rustix::thread::set_thread_groups(&[])?;
        rustix::thread::set_thread_res_gid(group, group, group)?;
        rustix::thread::set_thread_res_uid(user, user, user)?;
        Ok(())
    };
    match change() {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(PrivilegeError::NoUser),
        Err(error) => Err(error.into()),
    }
}
