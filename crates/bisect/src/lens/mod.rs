//! The structure of a configuration: which bytes are a statement, which are a block.
//!
//! A lens gives the extent of every statement and block and leaves everything else, comments and empty
//! lines, to the text. So printing what was parsed gives the same bytes, and leaving a node out
//! removes its bytes and no others.

mod apache;
mod base;
mod braces;
mod detect;
mod lines;
mod sections;
mod yaml;

use std::fmt;
use std::ops::Range;

use serde::Serialize;

pub(crate) use base::base_units;

/// How a configuration is structured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfigLens {
    /// Directives and `<Sections>` of the Apache web server.
    Apache,
    /// Statements that end with `;`, blocks in braces: nginx.
    Nginx,
    /// The same, with a `;` behind each block: BIND, ISC DHCP.
    Bind,
    /// Sections that begin with their keyword: `HAProxy`.
    Haproxy,
    /// `[sections]`: systemd units, `my.cnf`, PHP-FPM.
    Ini,
    /// Lines, and `Match` blocks that reach to the next one: OpenSSH's server.
    Sshd,
    /// YAML, by indentation.
    Yaml,
    /// Each line by itself.
    Lines,
}

impl ConfigLens {
    /// All lenses.
    pub const ALL: [Self; 8] = [
        Self::Apache,
        Self::Nginx,
        Self::Bind,
        Self::Haproxy,
        Self::Ini,
        Self::Sshd,
        Self::Yaml,
        Self::Lines,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Apache => "apache",
            Self::Nginx => "nginx",
            Self::Bind => "bind",
            Self::Haproxy => "haproxy",
            Self::Ini => "ini",
            Self::Sshd => "sshd",
            Self::Yaml => "yaml",
            Self::Lines => "lines",
        }
    }

    /// The lens of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lens| lens.word() == word)
    }

    /// The lens for a file, by its name and content; [`ConfigLens::Lines`] if it is none of the others.
    pub fn detect(path: &str, text: &[u8]) -> Self {
        detect::detect_lens(path, text)
    }

    /// Whether a statement with this first word names a file by which a daemon is found again, such as
    /// its pid file. Without it a reload loses its daemon.
    pub fn is_protected(self, word: &str, second: &str) -> bool {
        let word = word.to_ascii_lowercase();
        match self {
            Self::Nginx => word == "pid",
            Self::Apache | Self::Sshd => word == "pidfile",
            Self::Haproxy => word == "pidfile" || (word == "stats" && second == "socket"),
            Self::Bind => word == "pid-file",
            Self::Ini => ["pid", "pid-file", "pid_file", "pidfile", "socket"].contains(&&*word),
            Self::Yaml | Self::Lines => {
                ["pid", "pidfile", "pid_file", "pid-file"].contains(&&*word)
            }
        }
    }
}

impl ConfigLens {
    /// Whether a block is nothing without this statement: it only goes together with it.
    pub fn is_part_of_block(self, word: &str, block: &str) -> bool {
        match (self, block) {
            (Self::Bind, "zone") => matches!(word, "type" | "file"),
            (Self::Bind, "channel") => matches!(word, "file" | "syslog" | "stderr" | "null"),
            _ => false,
        }
    }

    /// Whether a statement says where the daemon is reached. Without it the daemon takes its default, which may
    /// be in the way of the real address ever after; so it only goes together with its block.
    pub fn is_address(self, word: &str) -> bool {
        let word = word.to_ascii_lowercase();
        let words: &[&str] = match self {
            Self::Nginx | Self::Apache => &["listen"],
            Self::Haproxy => &["bind"],
            Self::Bind => &["listen-on", "listen-on-v6"],
            Self::Sshd => &["port", "listenaddress"],
            Self::Ini | Self::Lines => &["listen", "port", "bind-address", "bind_address", "bind"],
            Self::Yaml => &[],
        };
        words.contains(&&*word)
    }
}

impl ConfigLens {
    /// Whether a header takes all lines up to the next one, and a block has no end of its own.
    pub fn is_headed(self) -> bool {
        matches!(self, Self::Haproxy | Self::Ini | Self::Sshd)
    }
}

impl fmt::Display for ConfigLens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A statement, or a block with what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigNode {
    /// The bytes that go when it is left out: whole lines where it has its lines for itself.
    pub span: Range<usize>,
    /// Where its own text begins.
    pub start: usize,
    /// The first word.
    pub word: String,
    /// The files that it includes, as it writes them.
    pub includes: Vec<String>,
    /// What is in the block.
    pub children: Vec<ConfigNode>,
    /// Whether it is a block, if only an empty one.
    pub is_block: bool,
}

/// Reads the structure of a text. Never fails: what is not understood is a statement with its full
/// extent.
pub fn parse_config(lens: ConfigLens, text: &[u8]) -> Vec<ConfigNode> {
    match lens {
        ConfigLens::Apache => apache::parse_sections(text),
        ConfigLens::Nginx => braces::parse_braces(text, braces::BraceStyle::Nginx),
        ConfigLens::Bind => braces::parse_braces(text, braces::BraceStyle::Bind),
        ConfigLens::Haproxy => sections::parse_headed(text, &sections::HAPROXY),
        ConfigLens::Ini => sections::parse_headed(text, &sections::INI),
        ConfigLens::Sshd => sections::parse_headed(text, &sections::SSHD),
        ConfigLens::Yaml => yaml::parse_indented(text),
        ConfigLens::Lines => lines::parse_lines(text),
    }
}

/// How deep blocks are taken apart; what is deeper belongs to the block around it as a whole.
const DEEPEST: usize = 64;

/// The words of a statement: at blanks, without quotes.
fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut begun = false;
    for letter in text.chars() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                begun = true;
            }
            (None, letter) if letter.is_whitespace() => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (_, letter) => {
                word.push(letter);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests;
