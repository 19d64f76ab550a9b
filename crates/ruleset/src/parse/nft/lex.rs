//! Words of nft's language, with their places.
//!
//! nft's own lexer changes its mind with the grammar; ours does not: an address with its prefix,
//! port or range is one word, and who knows the type of the value takes it apart.

use surefoot_report::Span;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Letters, numbers, addresses, `@set`, `$variable`.
    Word,
    /// A quoted text; the token's text has no quotes.
    Quoted,
    /// An operator, a brace, a comma.
    Punct,
    /// A newline or a semicolon.
    End,
    /// Stands for the block of a chain without a name; never made by the lexer.
    Block,
    /// The number in a `# handle 7` comment.
    Handle,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NftToken<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// Its text.
    pub text: &'a str,
    /// Where it stands.
    pub span: Span,
}

/// Cuts a text into tokens; every text has some.
pub(super) fn lex(text: &str) -> Vec<NftToken<'_>> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::with_capacity(text.len() / 5);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        let (kind, skip) = match byte {
            b'\n' | b';' => (TokenKind::End, 1),
            b'\\' | b' ' | b'\t' | b'\r' => {
                at += 1;
                // A backslash joins the next line to this one.
                if byte == b'\\' {
                    let rest = &bytes[at..];
                    at += match rest {
                        [b'\n', ..] => 1,
                        [b'\r', b'\n', ..] => 2,
                        _ => 0,
                    };
                }
                continue;
            }
            b'#' => {
                let end = find(bytes, at, |b| b == b'\n');
                let comment = text.get(at + 1..end).unwrap_or("").trim();
                if let Some(number) = comment.strip_prefix("handle ") {
                    tokens.push(NftToken {
                        kind: TokenKind::Handle,
                        text: number.trim(),
                        span: Span::new(at, end),
                    });
                }
                at = end;
                continue;
            }
            b'"' => {
                let end = find(bytes, at + 1, |b| b == b'"' || b == b'\n');
                let closed = bytes.get(end) == Some(&b'"');
                at = if closed { end + 1 } else { end };
                tokens.push(NftToken {
                    kind: TokenKind::Quoted,
                    text: text.get(start + 1..end).unwrap_or(""),
                    span: Span::new(start, at),
                });
                continue;
            }
            b'{' | b'}' | b'(' | b')' | b',' | b'|' | b'&' | b'^' => (TokenKind::Punct, 1),
            b'!' | b'=' | b'<' | b'>' => {
                let two = matches!(
                    bytes.get(at..at + 2),
                    Some(b"!=" | b"==" | b"<=" | b">=" | b"<<" | b">>")
                );
                (TokenKind::Punct, if two { 2 } else { 1 })
            }
            _ => {
                let end = find(bytes, at, ends_word);
                let word = &bytes[at..end];
                // `22: accept`, but not `fe80::`.
                let colon = word.len() > 1 && word.ends_with(b":") && !word.ends_with(b"::");
                (TokenKind::Word, end - at - usize::from(colon))
            }
        };
        at += skip;
        tokens.push(NftToken {
            kind,
            text: text.get(start..at).unwrap_or(""),
            span: Span::new(start, at),
        });
    }
    tokens
}

fn find(bytes: &[u8], from: usize, stop: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(from..).unwrap_or(&[]);
    from + rest.iter().position(|b| stop(*b)).unwrap_or(rest.len())
}

fn ends_word(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t'
            | b'\r'
            | b'\n'
            | b';'
            | b'{'
            | b'}'
            | b'('
            | b')'
            | b','
            | b'|'
            | b'&'
            | b'^'
            | b'!'
            | b'='
            | b'<'
            | b'>'
            | b'"'
            | b'#'
            | b'\\'
    )
}
