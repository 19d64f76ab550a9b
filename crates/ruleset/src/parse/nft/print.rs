//! The ruleset in one canonical form, near to what `nft list ruleset` prints.

use std::fmt::Write as _;

use super::anonymous::opens_block;
use super::lex::{NftToken, TokenKind};
use super::read::{ChainSyntax, Ruleset, SetSyntax, TableSyntax};

/// Deeper blocks are not set further in.
const DEEPEST_INDENT: usize = 16;

/// Writes the ruleset; reading it again gives the same one.
pub fn print(ruleset: &Ruleset<'_>) -> String {
    let mut out = String::new();
    for table in &ruleset.tables {
        print_table(&mut out, table);
    }
    out
}

fn print_table(out: &mut String, table: &TableSyntax<'_>) {
    let _ = writeln!(
        out,
        "table {} {} {{",
        table.family.word(),
        word(&table.name)
    );
    if table.dormant {
        out.push_str("\tflags dormant\n");
    }
    for other in &table.others {
        let _ = writeln!(out, "\t{other}");
    }
    for set in &table.sets {
        print_set(out, set);
    }
    for chain in &table.chains {
        print_chain(out, chain);
    }
    out.push_str("}\n");
}

fn print_set(out: &mut String, set: &SetSyntax<'_>) {
    let keyword = if set.map { "map" } else { "set" };
    let _ = writeln!(out, "\t{keyword} {} {{", word(&set.name));
    if !set.kind.is_empty() {
        let keyword = if set.is_typeof { "typeof" } else { "type" };
        let _ = writeln!(out, "\t\t{keyword} {}", words(&set.kind));
    }
    if !set.flags.is_empty() {
        let _ = writeln!(out, "\t\tflags {}", words(&set.flags));
    }
    for line in &set.properties {
        let _ = writeln!(out, "\t\t{}", words(line));
    }
    let inside: Vec<NftToken<'_>> = set
        .elements
        .iter()
        .filter(|token| !(token.kind == TokenKind::Punct && matches!(token.text, "{" | "}")))
        .filter(|token| token.kind != TokenKind::End)
        .copied()
        .collect();
    let elements: Vec<String> = inside
        .split(|token| token.kind == TokenKind::Punct && token.text == ",")
        .filter(|part| !part.is_empty())
        .map(words)
        .collect();
    if !elements.is_empty() {
        let _ = writeln!(out, "\t\telements = {{ {} }}", elements.join(", "));
    }
    out.push_str("\t}\n");
}

fn print_chain(out: &mut String, chain: &ChainSyntax<'_>) {
    let _ = writeln!(out, "\tchain {} {{", word(&chain.name));
    if !chain.base.is_empty() {
        let _ = write!(out, "\t\t{};", words(&chain.base));
        if let Some(policy) = chain.policy {
            let _ = write!(out, " policy {};", words(&[policy]));
        }
        out.push('\n');
    }
    for rule in &chain.rules {
        let _ = write!(out, "\t\t{}", words(&rule.tokens));
        if let Some(handle) = rule.handle {
            let _ = write!(out, " # handle {handle}");
        }
        out.push('\n');
    }
    out.push_str("\t}\n");
}

/// Words on one line, with the blanks that nft sets; a brace that the text forgot is closed.
/// The rules of a chain without a name stand on lines of their own.
pub(super) fn words(tokens: &[NftToken<'_>]) -> String {
    let mut line = String::new();
    let mut open: Vec<bool> = Vec::new();
    let mut new_line = false;
    for (at, token) in tokens.iter().enumerate() {
        let mut opens = false;
        match (token.kind, token.text) {
            (TokenKind::End, _) => {
                new_line = true;
                continue;
            }
            (TokenKind::Punct, "{") => {
                let before = at.checked_sub(1).and_then(|before| tokens.get(before));
                opens = opens_block(before, token);
                open.push(opens);
            }
            (TokenKind::Punct, "}") => new_line |= open.pop() == Some(true),
            _ => {}
        }
        let joins = token.kind == TokenKind::Punct && token.text == ",";
        let deep = open.iter().filter(|block| **block).count() - usize::from(opens);
        if std::mem::take(&mut new_line) {
            start_line(&mut line, deep);
        } else if !line.is_empty() && !joins {
            line.push(' ');
        }
        if token.kind == TokenKind::Quoted {
            let _ = write!(line, "\"{}\"", token.text);
        } else {
            line.push_str(token.text);
        }
        new_line = opens;
    }
    while let Some(block) = open.pop() {
        if block {
            start_line(&mut line, open.iter().filter(|block| **block).count());
        } else {
            line.push(' ');
        }
        line.push('}');
    }
    line
}

fn start_line(line: &mut String, deep: usize) {
    line.push('\n');
    line.push_str(&"\t".repeat(deep.min(DEEPEST_INDENT) + 2));
}

/// A name, in quotes where it would not be one word.
fn word(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-\\".contains(&byte);
    if !name.is_empty() && name.bytes().all(plain) {
        name.to_owned()
    } else {
        format!("\"{name}\"")
    }
}
