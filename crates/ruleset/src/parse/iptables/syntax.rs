//! What was written, word for word.

use std::borrow::Cow;

use surefoot_report::Span;

use super::modules::{Module, ModuleOption};
use crate::model::{Backend, Counters, Family};

/// A text: usually one dump, sometimes several in a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File<'a> {
    /// The dumps in order.
    pub dumps: Vec<Dump<'a>>,
}

/// What one run of `iptables-save` printed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dump<'a> {
    /// The family that the header names.
    pub family: Option<Family>,
    /// The mechanism that the header names.
    pub backend: Option<Backend>,
    /// The tables in order.
    pub tables: Vec<DumpTable<'a>>,
}

/// The lines from `*table` to `COMMIT`.
#[derive(Clone, Debug, PartialEq)]
pub struct DumpTable<'a> {
    /// Its name.
    pub name: &'a str,
    /// The chains in order, with their rules.
    pub chains: Vec<DumpChain<'a>>,
    /// The `*table` line.
    pub span: Span,
}

/// A chain and its rules.
#[derive(Clone, Debug, PartialEq)]
pub struct DumpChain<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// `ACCEPT`, `DROP`, or `-` for a user chain.
    pub policy: &'a str,
    /// Packets and bytes that met the policy.
    pub counters: Option<Counters>,
    /// The rules in order.
    pub rules: Vec<DumpRule<'a>>,
    /// The `:chain` line, or that of the first rule if there is none.
    pub span: Span,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DumpRule<'a> {
    /// What it has counted.
    pub counters: Option<Counters>,
    /// The options that need no module: `-s -d -i -o -p -f`.
    pub base: Vec<Given<'a>>,
    /// The matches in order.
    pub matches: Vec<Extension<'a>>,
    /// The target.
    pub target: Option<Target<'a>>,
    /// The option at the end of the line whose value is missing.
    pub unfinished: Option<Box<Given<'a>>>,
    /// The line without its counters.
    pub span: Span,
}

/// A target, and how it is reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Target<'a> {
    /// `-g` in place of `-j`.
    pub goto: bool,
    /// The target and its options.
    pub extension: Extension<'a>,
}

/// A match or a target with its options.
#[derive(Clone, Debug, PartialEq)]
pub struct Extension<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// What we know of it.
    pub module: Option<&'static Module>,
    /// Its options in order.
    pub options: Vec<Given<'a>>,
    /// The words that name it.
    pub span: Span,
}

/// An option as given.
#[derive(Clone, Debug, PartialEq)]
pub struct Given<'a> {
    /// What we know of it; none for an option that no module has.
    pub option: Option<&'static ModuleOption>,
    /// Its canonical name, without dashes; for an unknown option the words as they stand.
    pub name: Cow<'a, str>,
    /// Whether a `!` stands before it.
    pub negated: bool,
    /// Its value.
    pub value: Option<Cow<'a, str>>,
    /// Its second value.
    pub second: Option<Cow<'a, str>>,
    /// From the first word to the last.
    pub span: Span,
}

impl Given<'_> {
    /// The value, or the empty text.
    pub fn value(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }

    /// The second value, or the empty text.
    pub fn second(&self) -> &str {
        self.second.as_deref().unwrap_or_default()
    }
}

impl<'a> Extension<'a> {
    /// The option of that name.
    pub fn option(&self, name: &str) -> Option<&Given<'a>> {
        self.options.iter().find(|given| given.name == name)
    }

    /// The value of the option of that name.
    pub fn value_of(&self, name: &str) -> Option<&str> {
        self.option(name).map(Given::value)
    }
}
