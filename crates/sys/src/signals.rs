//! Signals that a process must outlive.

use std::io;

/// Lets signals pass without effect. A handler does that, and not `SIG_IGN`, which every program that is
/// started from here would inherit: a daemon that is restarted must not come up deaf to SIGTERM.
pub fn outlive_signals(numbers: &[i32]) -> io::Result<()> {
    for number in numbers {
        // SAFETY: the structure is made of integers, a set of bits and an optional function; zero is a
        // value of each.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = do_nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: `action` is initialised and outlives the call; the handler touches nothing, so it may
        // run at any moment. The old action is not asked for.
        let result = unsafe { libc::sigaction(*number, &raw const action, std::ptr::null_mut()) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

extern "C" fn do_nothing(_number: libc::c_int) {}
