//! `fstab`, as fstab(5) has it.

use crate::Mount;

/// Every line that mounts something; what has no target is left out.
pub(super) fn parse(text: &str) -> Vec<Mount> {
    (1..)
        .zip(text.lines())
        .filter_map(|(line, words)| mount(line, words))
        .collect()
}

fn mount(line: u32, text: &str) -> Option<Mount> {
    let text = text.trim_start();
    if text.starts_with('#') {
        return None;
    }
    let mut words = text.split_whitespace();
    Some(Mount {
        line,
        device: unescape(words.next()?),
        target: unescape(words.next()?),
        kind: words.next().unwrap_or("auto").to_owned(),
        options: words
            .next()
            .unwrap_or("defaults")
            .split(',')
            .map(ToOwned::to_owned)
            .collect(),
    })
}

/// `\040` and its like stand for blanks, as getmntent(3) writes them.
fn unescape(word: &str) -> String {
    let escapes = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    escapes
        .iter()
        .fold(word.to_owned(), |word, (from, to)| word.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_numbers_and_words_their_meaning() {
        let text = "# /dev/sda1 / ext4\n\n/dev/sda1 / ext4 errors=remount-ro,noatime 0 1\nUUID=a /my\\040disk xfs\nbroken\n";
        let mounts = parse(text);
        assert_eq!(mounts.len(), 2);
        assert_eq!((mounts[0].line, mounts[0].target.as_str()), (3, "/"));
        assert_eq!(mounts[0].options, ["errors=remount-ro", "noatime"]);
        assert_eq!((mounts[1].line, mounts[1].target.as_str()), (4, "/my disk"));
        assert_eq!(mounts[1].options, ["defaults"]);
    }
}
