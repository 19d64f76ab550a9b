//! With hardly any memory there is an answer or a word about it, never a panic or a signal.

mod common;

use std::process::Command;

use common::program;

#[test]
fn too_little_memory_is_said_and_no_crash() {
    let (mut answered, mut refused) = (0, 0);
    for kilobytes in (12_000..=32_000)
        .step_by(1_000)
        .chain([48_000, 64_000, 100_000, 200_000])
    {
        let output = Command::new("sh")
            .current_dir(program().get_current_dir().expect("it is set"))
            .args([
                "-c",
                "ulimit -v \"$1\"; exec \"$2\" check -q --facts docs/examples/web1.surefoot",
                "sh",
            ])
            .arg(kilobytes.to_string())
            .arg(program().get_program())
            .output()
            .expect("a shell is there");
        let told = String::from_utf8_lossy(&output.stderr);
        let crashed = told.contains("panicked") || told.contains("memory allocation");
        match output.status.code() {
            Some(0 | 1) => answered += 1,
            Some(2) => {
                assert!(told.contains("not enough memory"), "{kilobytes}: {told}");
                refused += 1;
            }
            // There was no room for the program itself, so that its loader ended, or for what glibc
            // keeps of a thread, without which it goes no further.
            Some(127) | None if answered + refused == 0 && !crashed => {}
            None if told.contains("Fatal glibc error") => {}
            other => panic!("{kilobytes} kB: {other:?}, {told}"),
        }
    }
    assert!(answered > 0, "no try had memory enough");
}
