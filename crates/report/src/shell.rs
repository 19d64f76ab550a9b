//! Words for a shell: whatever a machine calls its things, a command that people paste means it as
//! one word and runs nothing else.

/// The word as a POSIX shell reads it back, in quotes where it needs them.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Whether a word means itself in every little language that a command may hold: a regular
/// expression between `|`, a format of `printf`, a name of a unit.
pub fn is_plain(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    !word.is_empty() && !word.starts_with('-') && word.chars().all(plain)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_types, reason = "the shell is the referee")]

    use super::{is_plain, quoted};

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
}
