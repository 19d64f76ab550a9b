//! What happens when no memory is left: a word and an exit status, not a signal.
//!
//! Without this the standard library ends the process by SIGABRT, which looks like a fault.

use std::alloc::{GlobalAlloc, Layout, System};

/// The exit status, as the manual lists it for what keeps an answer from being given.
const STATUS: i32 = 2;

/// The system's allocator, whose failures end the process in an orderly way; for a program to
/// name as its global allocator.
#[derive(Debug)]
pub struct OrEnd;

// SAFETY: every call is handed to `System` as it came, and what `System` gives is given on; where
// it has nothing to give, the call does not return.
unsafe impl GlobalAlloc for OrEnd {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `System`'s contract, which is ours.
        or_end(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        or_end(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above; `place` came from `System`, as all our places do.
        or_end(unsafe { System.realloc(place, layout, size) })
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }
}

fn or_end(place: *mut u8) -> *mut u8 {
    if !place.is_null() {
        return place;
    }
    let message = b"error: not enough memory\n";
    // SAFETY: the bytes live as long as the program; neither call allocates or returns to us
    // with anything that matters.
    unsafe {
        libc::write(2, message.as_ptr().cast(), message.len());
        libc::_exit(STATUS)
    }
}
