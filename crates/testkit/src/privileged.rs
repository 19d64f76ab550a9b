//! What a test says that this machine does not allow to run.

use std::fmt::Display;

/// Returns what a privileged test needs, or fails the test: a test that cannot run has not passed.
#[track_caller]
pub fn or_fail<T, E: Display>(attempt: Result<T, E>) -> T {
    match attempt {
        Ok(value) => value,
        Err(why) => panic!("this test needs root, or `unshare -Urnm`: {why}"),
    }
}
