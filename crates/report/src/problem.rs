//! Something odd in an input: the parser goes on and reports the place.

use serde::{Deserialize, Serialize};

use crate::Span;

/// How odd the input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Read, but not understood in full: it stays in the model as opaque text.
    Note,
    /// Read, with a guess that the message states.
    Warning,
    /// Not read: the program that owns the format would refuse it too, or its meaning is unknown.
    Error,
}

/// Something odd in an input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Problem {
    /// How odd.
    pub level: Level,
    /// What is wrong, lower case, no full stop.
    pub what: String,
    /// The bytes in the input; none where the format has no places (a value inside JSON).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// A word or two under the marked bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Problem {
    /// An input that cannot be read at `span`.
    pub fn error(span: Span, what: impl Into<String>) -> Self {
        Self::new(Level::Error, span, what)
    }

    /// An input that was read with a guess.
    pub fn warning(span: Span, what: impl Into<String>) -> Self {
        Self::new(Level::Warning, span, what)
    }

    /// An input that was kept without being understood.
    pub fn note(span: Span, what: impl Into<String>) -> Self {
        Self::new(Level::Note, span, what)
    }

    fn new(level: Level, span: Span, what: impl Into<String>) -> Self {
        Self {
            level,
            what: what.into(),
            span: Some(span),
            label: String::new(),
            help: None,
        }
    }

    /// Adds a word or two under the marked bytes.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
