//! File name patterns of include directives: `*`, `?` and `[...]`, a folder at a time.

use std::path::{Component, Path, PathBuf};

/// The files that a pattern names, in the order of their names. A name without a pattern that is not there
/// gives nothing.
pub(super) fn matching_files(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let Component::Normal(name) = component else {
            for path in &mut found {
                path.push(component);
            }
            continue;
        };
        let text = name.to_string_lossy();
        if !text.contains(['*', '?', '[']) {
            for path in &mut found {
                path.push(name);
            }
            continue;
        }
        let mut next = Vec::new();
        for folder in &found {
            let Ok(entries) = std::fs::read_dir(folder) else {
                continue;
            };
            let mut names: Vec<String> = entries
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .filter(|name| !name.starts_with('.') || text.starts_with('.'))
                .filter(|name| matches(&text, name))
                .collect();
            names.sort_unstable();
            next.extend(names.into_iter().map(|name| folder.join(name)));
        }
        found = next;
    }
    let mut files = Vec::new();
    for path in found {
        if path.is_dir() {
            files.extend(matching_files(&path.join("*")));
        } else if path.is_file() {
            files.push(path);
        }
    }
    files
}

/// Whether a name matches a pattern.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    // The last star and where its match ends: on a mismatch it takes one letter more.
    let mut star: Option<(usize, usize)> = None;
    let (mut at, mut read) = (0, 0);
    while read < name.len() {
        let step = match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
                continue;
            }
            Some('[') => match set_matches(&pattern[at..], name[read]) {
                Some((length, true)) => Some(length),
                Some((_, false)) => None,
                None => (name[read] == '[').then_some(1),
            },
            Some('?') => Some(1),
            Some(letter) => (*letter == name[read]).then_some(1),
            None => None,
        };
        match (step, &mut star) {
            (Some(length), _) => {
                at += length;
                read += 1;
            }
            (None, Some((star_at, end))) => {
                *end += 1;
                at = *star_at + 1;
                read = *end;
            }
            (None, None) => return false,
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

/// The length of a set such as `[a-z]`, and whether a letter is in it; nothing if it has no end.
fn set_matches(pattern: &[char], letter: char) -> Option<(usize, bool)> {
    let end = pattern.iter().skip(2).position(|letter| *letter == ']')? + 2;
    let mut set = &pattern[1..end];
    let is_negated = matches!(set.first(), Some('!' | '^'));
    if is_negated {
        set = &set[1..];
    }
    let mut is_in = false;
    let mut at = 0;
    while at < set.len() {
        if set.get(at + 1) == Some(&'-') && at + 2 < set.len() {
            is_in |= (set[at]..=set[at + 2]).contains(&letter);
            at += 3;
        } else {
            is_in |= set[at] == letter;
            at += 1;
        }
    }
    Some((end + 1, is_in != is_negated))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_like_the_shell() {
        assert!(matches("*.conf", "a.conf"));
        assert!(!matches("*.conf", "a.conf~"));
        assert!(matches("?0-*.[ch]*", "10-x.conf"));
        assert!(matches("a*b*c", "aXbbYc"));
        assert!(!matches("a*b*c", "aXbbY"));
        assert!(matches("[!a]x", "bx") && !matches("[!a]x", "ax"));
        assert!(matches("[x", "[x"));
    }
}
