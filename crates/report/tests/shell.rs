//! Words that a shell reads back as they were.

#![expect(clippy::disallowed_types, reason = "the shell is the referee")]

use surefoot_report::{is_plain, quoted};

const NASTY: &[&str] = &[
    "plain-word.service",
    "x;touch ${HOME}_PWNED;.service",
    "$(id)",
    "`id`",
    "a b",
    "it's",
    "'",
    "\\",
    "\n",
    "*",
    "~",
    "#",
    "&& id",
    "",
    "ü\u{202e}",
    "-rf",
    "!!",
];

#[test]
fn a_shell_reads_back_what_was_quoted() {
    for word in NASTY {
        let script = format!("printf %s {}", quoted(word));
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .expect("there is a shell");
        assert!(output.status.success(), "{script}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), *word, "{script}");
    }
}

#[test]
fn only_what_means_itself_everywhere_is_plain() {
    let plain: Vec<&&str> = NASTY.iter().filter(|word| is_plain(word)).collect();
    assert_eq!(plain, [&"plain-word.service"]);
    assert!(is_plain("/dev/sda1") && is_plain("ttyS0"));
}
