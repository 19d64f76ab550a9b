//! What becomes of a test that this machine does not allow.

use std::fmt::Display;
use std::io::Write;

/// Gives what a privileged test needs, or fails the test. Only where `SUREFOOT_SKIP_PRIVILEGED=1`
/// asks for it, and never in CI, the test may be left out; then it says so and gives nothing.
#[track_caller]
pub fn or_skip<T, E: Display>(attempt: Result<T, E>) -> Option<T> {
    let why = match attempt {
        Ok(value) => return Some(value),
        Err(why) => why,
    };
    let skip = std::env::var_os("SUREFOOT_SKIP_PRIVILEGED").is_some_and(|value| value == "1");
    assert!(
        skip && std::env::var_os("CI").is_none(),
        "this test needs root, or `unshare -Urnm`: {why}"
    );
    let words = format!("NOT RUN, as SUREFOOT_SKIP_PRIVILEGED=1 asks: {why}\n");
    let _ = std::io::stderr().write_all(words.as_bytes());
    None
}
