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
