//! The names of terminals: which words are some, of which kind they are, and lists of them as people
//! write them.

/// Kinds of terminal whose names are a word and a number or letters.
const KINDS: &[&str] = &["tty", "hvc", "hvsi", "xvc", "ttysclp", "sclp_line"];

/// Whether a word is the name of a terminal, without `/dev/`.
pub fn is_terminal_name(word: &str) -> bool {
    if ["console", "serial0", "serial1", "3270/tty1"].contains(&word) {
        return true;
    }
    let bare = ["lxc/", "tts/", "vc/", "pts/"]
        .iter()
        .find_map(|folder| word.strip_prefix(folder));
    if let Some(rest) = bare {
        return !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
    }
    word.len() <= 32
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && KINDS.iter().any(|kind| {
            word.strip_prefix(kind).is_some_and(|rest| {
                rest.bytes()
                    .next_back()
                    .is_some_and(|byte| byte.is_ascii_digit())
            })
        })
}

/// The terminal that a word names, with or without `/dev/`.
pub fn terminal_of(word: &str) -> Option<&str> {
    let word = word.trim_matches(['"', '\'']);
    let name = word.strip_prefix("/dev/").unwrap_or(word);
    is_terminal_name(name).then_some(name)
}

/// The first word of a command line that names a terminal.
pub(crate) fn terminal_in(command: &str) -> Option<&str> {
    command.split_whitespace().find_map(terminal_of)
}

/// Whether it is a virtual terminal: keyboard and screen of the machine.
pub fn is_virtual(name: &str) -> bool {
    virtual_number(name).is_some()
}

/// The number of a virtual terminal.
pub(crate) fn virtual_number(name: &str) -> Option<u32> {
    let digits = name
        .strip_prefix("tty")
        .or_else(|| name.strip_prefix("vc/"))?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// Why no kernel has a terminal of this name; nothing if one may.
pub(crate) fn why_impossible(name: &str) -> Option<&'static str> {
    match virtual_number(name) {
        Some(0) => return Some("it stands for the virtual terminal that is in front; name one"),
        Some(64..) => return Some("virtual terminals have the numbers 1 to 63"),
        _ => {}
    }
    let kind = terminal_kind(name);
    let number = name.get(kind.len()..).unwrap_or_default();
    let is_port = kind.starts_with("tty") || kind.starts_with("hv") || kind == "xvc";
    // The drivers with the most have 512.
    let is_absurd = number.len() > 1 && number.starts_with('0')
        || number.parse::<u32>().is_ok_and(|number| number > 511)
        || number.len() > 9;
    (is_port && is_absurd).then_some("no driver has a terminal of that number")
}

/// The driver of a terminal: its name without the number at the end.
pub(crate) fn terminal_kind(name: &str) -> &str {
    name.trim_end_matches(|letter: char| letter.is_ascii_digit())
}

/// The order in which terminals are listed: virtual ones first, numbers as numbers.
pub(crate) fn terminal_order(name: &str) -> (bool, &str, u32) {
    let kind = terminal_kind(name);
    let number = name
        .get(kind.len()..)
        .and_then(|digits| digits.parse().ok());
    (!is_virtual(name), kind, number.unwrap_or(0))
}

/// Reads a word of a list: `tty3`, `/dev/hvc0`, `tty1-tty3`, `tty1-3`, `tty[1-3]`.
pub fn expand_terminals(word: &str) -> Option<Vec<String>> {
    let word = word.strip_prefix("/dev/").unwrap_or(word);
    let range = |kind: &str, first: &str, last: &str| {
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        let fits = first <= last && last - first < 64 && is_terminal_name(&format!("{kind}{last}"));
        fits.then(|| (first..=last).map(|at| format!("{kind}{at}")).collect())
    };
    if is_terminal_name(word) {
        return Some(vec![word.to_owned()]);
    }
    if let Some((kind, rest)) = word.split_once('[') {
        let (first, last) = rest.strip_suffix(']')?.split_once('-')?;
        return range(kind, first, last);
    }
    let (first, last) = word.split_once('-')?;
    let kind = terminal_kind(first);
    let last = last.strip_prefix("/dev/").unwrap_or(last);
    range(
        kind,
        first.get(kind.len()..)?,
        last.strip_prefix(kind).unwrap_or(last),
    )
}

/// Whether a name matches a pattern of the shell with `*`, `?` and `[1-6]`.
pub fn glob_matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    // Positions in the pattern that are reached after each letter: no pattern takes long.
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    let close = |reached: &mut Vec<bool>| {
        for at in 0..pattern.len() {
            if reached[at] && pattern[at] == '*' {
                reached[at + 1] = true;
            }
        }
    };
    close(&mut reached);
    for letter in name {
        let mut next = vec![false; pattern.len() + 1];
        for at in (0..pattern.len()).filter(|at| reached[*at]) {
            match pattern[at] {
                '*' => next[at] = true,
                '?' => next[at + 1] = true,
                '[' => {
                    if let Some((end, holds)) = class_at(&pattern, at, letter) {
                        next[end] |= holds;
                    } else if letter == '[' {
                        next[at + 1] = true;
                    }
                }
                plain => next[at + 1] |= plain == letter,
            }
        }
        close(&mut next);
        reached = next;
    }
    reached[pattern.len()]
}

/// Where a class such as `[1-6]` or `[!3]` ends, and whether it holds a letter.
fn class_at(pattern: &[char], open: usize, letter: char) -> Option<(usize, bool)> {
    let negated = matches!(pattern.get(open + 1), Some('!' | '^'));
    let start = open + 1 + usize::from(negated);
    let length = pattern.iter().skip(start + 1).position(|it| *it == ']')? + 1;
    let members = pattern.get(start..start + length)?;
    let (mut at, mut holds) = (0, false);
    while let Some(first) = members.get(at) {
        if let (Some('-'), Some(last)) = (members.get(at + 1), members.get(at + 2)) {
            holds |= (*first..=*last).contains(&letter);
            at += 3;
        } else {
            holds |= *first == letter;
            at += 1;
        }
    }
    Some((start + length + 1, holds != negated))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_getty_names_its_terminal_anywhere_among_its_words() {
        let cases = [
            ("/sbin/getty 38400 tty1", Some("tty1")),
            ("/sbin/agetty -L 115200 /dev/ttyS0 vt100", Some("ttyS0")),
            ("/bin/start_getty 115200 ttyAMA0 vt102", Some("ttyAMA0")),
            ("/sbin/getty 38400 console", Some("console")),
            ("/sbin/agetty --noclear hvc0 linux", Some("hvc0")),
            ("/sbin/getty -L 0 115200 vt100", None),
            ("/bin/stty cs8", None),
        ];
        for (command, terminal) in cases {
            assert_eq!(terminal_in(command), terminal, "{command}");
        }
    }

    #[test]
    fn patterns_match_as_the_shell_has_them() {
        for (pattern, name, holds) in [
            ("/dev/tty[1-6]", "/dev/tty6", true),
            ("/dev/tty[1-6]", "/dev/tty7", false),
            ("/dev/tty[1-6]", "/dev/tty16", false),
            ("tty[!12]", "tty3", true),
            ("tty[!12]", "tty1", false),
            ("tty*", "ttyS0", true),
            ("*S?", "ttyS0", true),
            ("tty[]", "tty1", false),
            ("", "", true),
            ("***", "", true),
        ] {
            assert_eq!(glob_matches(pattern, name), holds, "{pattern} {name}");
        }
    }

    #[test]
    fn lists_are_written_in_several_ways() {
        for word in ["tty1-tty3", "tty1-3", "tty[1-3]", "/dev/tty1-/dev/tty3"] {
            let names = expand_terminals(word).unwrap_or_default();
            assert_eq!(names, ["tty1", "tty2", "tty3"], "{word}");
        }
        assert_eq!(expand_terminals("tty3-tty1"), None);
        assert_eq!(expand_terminals("eth0"), None);
        assert_eq!(expand_terminals("tty1-99999"), None);
    }
}
