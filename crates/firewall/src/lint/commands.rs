//! Commands in the words of the backend that holds the rules.

use crate::model::{Backend, Chain, Family, Table};

/// The program that changes an iptables table, with `-t` where it is needed.
pub(super) fn iptables(table: &Table) -> String {
    let mut words = program(table, "");
    if table.name != "filter" {
        words.push_str(" -t ");
        words.push_str(&table.name);
    }
    words
}

/// `iptables-nft-save`, `ip6tables-legacy-restore` and so on; `end` is empty, `-save`, `-restore`.
pub(super) fn program(table: &Table, end: &str) -> String {
    let family = if table.family == Family::Ip6 {
        "ip6tables"
    } else {
        "iptables"
    };
    let backend = match table.backend {
        Backend::IptablesLegacy => "-legacy",
        Backend::IptablesNft => "-nft",
        Backend::Iptables | Backend::Nft => "",
    };
    format!("{family}{backend}{end}")
}

/// The program for the table of the same backend in IPv6.
pub(super) fn twin(table: &Table) -> String {
    program(table, "")
        .replacen("iptables", "ip6tables", 1)
        .replace("ip6ip6", "ip6")
}

/// A rule put before the one at `before` (from 0), or at the end.
pub(super) fn add(
    table: &Table,
    chain: &Chain,
    before: Option<usize>,
    iptables_words: &str,
    nft_words: &str,
) -> Vec<String> {
    let before = before.filter(|at| *at < chain.rules.len());
    if table.backend.is_iptables() {
        let place = match before {
            Some(at) => format!("-I {} {}", quoted(&chain.name), at + 1),
            None => format!("-A {}", quoted(&chain.name)),
        };
        return vec![format!("{} {place} {iptables_words}", iptables(table))];
    }
    let (family, name) = (table.family.word(), &table.name);
    let rule = match before {
        None => format!("add rule {family} {name} {} {nft_words}", chain.name),
        Some(0) => format!("insert rule {family} {name} {} {nft_words}", chain.name),
        Some(at) => match chain.rules.get(at).and_then(|rule| rule.handle) {
            Some(handle) => format!(
                "insert rule {family} {name} {} position {handle} {nft_words}",
                chain.name
            ),
            None => format!(
                "insert rule {family} {name} {} index {at} {nft_words}",
                chain.name
            ),
        },
    };
    nft_checked(&rule)
}

/// An nft command, preceded by the same as a dry run.
pub(super) fn nft_checked(command: &str) -> Vec<String> {
    let word = quoted(command);
    vec![format!("nft -c {word} && nft {word}")]
}

/// Words of an iptables rule for the shell: what stands between the quotes of `iptables-save` is
/// somebody else's text, in which a shell would run what it finds.
pub(super) fn shell_words(rule: &str) -> String {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = rule.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (end, Some(open)) if end == open => quote = None,
            ('\\', Some('"')) => word.get_or_insert_default().extend(letters.next()),
            (blank, None) if blank.is_whitespace() => words.extend(word.take()),
            (other, _) => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
        .iter()
        .map(|word| quoted(word))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word for the shell.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::shell_words;

    #[test]
    fn nothing_in_a_rule_is_run_by_the_shell_that_it_is_pasted_into() {
        assert_eq!(
            shell_words(" -p tcp --dport 22 -j LOG "),
            "-p tcp --dport 22 -j LOG"
        );
        let evil = r#"-m comment --comment "$(touch /tmp/x) `id` \"q\"" ! -s 10.0.0.0/8"#;
        let safe = r#"-m comment --comment '$(touch /tmp/x) `id` "q"' '!' -s 10.0.0.0/8"#;
        assert_eq!(shell_words(evil), safe);
        assert_eq!(
            shell_words("--comment \"it's\" ;reboot"),
            r"--comment 'it'\''s' ';reboot'"
        );
        assert_eq!(shell_words("--log-prefix \"\""), "--log-prefix ''");
    }
}
