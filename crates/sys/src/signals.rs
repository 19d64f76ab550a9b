//! Signals that a process must outlive.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a signal that is watched came since it was last asked.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Lets signals pass without effect. A handler does that, and not `SIG_IGN`, which every program that is
/// started from here would inherit: a daemon that is restarted must not come up deaf to SIGTERM.
pub fn outlive_signals(numbers: &[i32]) -> io::Result<()> {
    numbers
        .iter()
        .try_for_each(|number| handle(*number, do_nothing))
}

/// Lets SIGINT, which Ctrl-C sends, pass with no other effect than that [`take_interrupt`] reports
/// it. Where it is ignored, as in what a script runs in the background, it stays so.
pub fn watch_interrupt() -> io::Result<()> {
    watch_unless_ignored(libc::SIGINT)
}

fn watch_unless_ignored(number: i32) -> io::Result<()> {
    // SAFETY: as in `handle`, zero is a value.
    let mut present: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: no new action is given, and the present one is written to a structure that outlives the call.
    let result = unsafe { libc::sigaction(number, std::ptr::null(), &raw mut present) };
    if result == 0 && present.sa_sigaction == libc::SIG_IGN {
        return Ok(());
    }
    handle(number, remember_interrupt)
}

/// Lets signals pass with no other effect than that [`take_interrupt`] tells them, even where they are ignored.
/// The signals that are left as they are where they are ignored are those of the second list.
pub fn watch_endings(always: &[i32], unless_ignored: &[i32]) -> io::Result<()> {
    for number in unless_ignored {
        watch_unless_ignored(*number)?;
    }
    always
        .iter()
        .try_for_each(|number| handle(*number, remember_interrupt))
}

/// Whether a signal that is watched came since this was last asked.
pub fn take_interrupt() -> bool {
    INTERRUPTED.swap(false, Ordering::SeqCst)
}

fn handle(number: i32, handler: extern "C" fn(libc::c_int)) -> io::Result<()> {
    // SAFETY: the structure is made of integers, a set of bits and an optional function; zero is a
    // value of each.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: `action` is initialised and outlives the call; both handlers touch nothing but a lock-free
    // flag, so they may run at any moment. The old action is not asked for.
    let result = unsafe { libc::sigaction(number, &raw const action, std::ptr::null_mut()) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

extern "C" fn do_nothing(_number: libc::c_int) {}

extern "C" fn remember_interrupt(_number: libc::c_int) {
    INTERRUPTED.store(true, Ordering::SeqCst);
}
