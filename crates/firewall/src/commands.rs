//! Commands in the words of the backend that holds the rules.

use crate::LoadedRules;
use surefoot_ruleset::model::{Backend, Chain, Family, RuleAt, Table};

/// The program that changes an iptables table, with `-t` where it is needed.
pub(crate) fn iptables_program(table: &Table) -> String {
    let mut words = program_name(table, "");
    if table.name != "filter" {
        words.push_str(" -t ");
        words.push_str(&table.name);
    }
    words
}

/// `iptables-nft-save`, `ip6tables-legacy-restore` and so on; `end` is empty, `-save`, `-restore`.
pub(crate) fn program_name(table: &Table, end: &str) -> String {
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
pub(crate) fn twin_program(table: &Table) -> String {
    program_name(table, "")
        .replacen("iptables", "ip6tables", 1)
        .replace("ip6ip6", "ip6")
}

/// A rule put before the one at `before` (from 0), or at the end.
pub(crate) fn add_rule(
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
        return vec![format!(
            "{} {place} {iptables_words}",
            iptables_program(table)
        )];
    }
    let (family, name) = (table.family.word(), &table.name);
    let chain_words = format!("{family} {name} {}", chain.name);
    match before {
        None => nft_checked(&format!("add rule {chain_words} {nft_words}")),
        Some(0) => nft_checked(&format!("insert rule {chain_words} {nft_words}")),
        Some(at) => {
            let handle = chain.rules.get(at).and_then(|rule| rule.handle);
            let place = handle.map_or_else(|| "HANDLE".to_owned(), |handle| handle.to_string());
            let insert = format!("insert rule {chain_words} position {place} {nft_words}");
            let look = handle.is_none().then(|| look_for_handle(table, chain, at));
            look.into_iter().chain(nft_checked(&insert)).collect()
        }
    }
}

/// The commands that put several rules, one after the other, before the one at `before` (from 0) or at
/// the end; the words are those of the table's own language.
pub(crate) fn commands_to_insert(
    table: &Table,
    chain: &Chain,
    before: Option<usize>,
    rules: &[&str],
) -> Vec<Vec<String>> {
    let one = |(more, words): (usize, &&str)| match before {
        Some(at) if table.backend.is_iptables() => vec![format!(
            "{} -I {} {} {}",
            iptables_program(table),
            quoted(&chain.name),
            at + 1 + more,
            shell_words(words)
        )],
        _ => add_rule(table, chain, before, &shell_words(words), words),
    };
    rules.iter().enumerate().map(one).collect()
}

/// Shows the number that nft knows a rule by: a text without handles need not be what is loaded, and
/// an index into it could be another rule there.
fn look_for_handle(table: &Table, chain: &Chain, at: usize) -> String {
    format!(
        "nft -a list chain {} {} {} # HANDLE: the number at the end of rule {}",
        table.family.word(),
        quoted(&table.name),
        quoted(&chain.name),
        at + 1
    )
}

/// An nft command, preceded by the same as a dry run.
pub(crate) fn nft_checked(command: &str) -> Vec<String> {
    let word = quoted(command);
    vec![format!("nft -c {word} && nft {word}")]
}

/// The specification of an iptables rule: everything behind `-A CHAIN`, which `-I` and `-R` take.
pub(crate) fn specification(loaded: &LoadedRules, at: RuleAt) -> Option<&str> {
    let (chain, rule) = (loaded.chain(at)?, loaded.rule(at)?);
    let (_, rest) = loaded.firewall.text(rule.place).split_once("-A ")?;
    let rest = rest.trim_start().strip_prefix(chain.name.as_str())?;
    Some(rest.trim())
}

/// Words of an iptables rule for the shell: the text between the quotes of `iptables-save` is
/// foreign, and a shell would run the commands in it.
pub(crate) fn shell_words(rule: &str) -> String {
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

pub(crate) use surefoot_report::quoted;

#[cfg(test)]
mod tests {
    use super::{add_rule, shell_words};
    use surefoot_ruleset::{Format, Input, load};

    #[test]
    fn a_place_is_a_handle_or_says_how_to_find_one() {
        let before_the_second = |handle: &str| {
            let text = format!("table ip t {{\n chain c {{\n  accept\n  drop{handle}\n }}\n}}\n");
            let loaded = load(vec![Input {
                name: "t".to_owned(),
                text,
                format: Some(Format::NftText),
            }]);
            let table = &loaded.firewall.tables[0];
            add_rule(table, &table.chains[0], Some(1), "", "return")
        };
        assert_eq!(
            before_the_second(" # handle 7"),
            [
                "nft -c 'insert rule ip t c position 7 return' && nft 'insert rule ip t c position 7 return'"
            ]
        );
        assert_eq!(
            before_the_second(""),
            [
                "nft -a list chain ip t c # HANDLE: the number at the end of rule 2",
                "nft -c 'insert rule ip t c position HANDLE return' && nft 'insert rule ip t c position HANDLE return'",
            ]
        );
    }

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
