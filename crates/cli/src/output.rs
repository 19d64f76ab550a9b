//! Where words go: data to standard output, everything else to standard error.

use std::io::{IsTerminal, Write};

use crate::args::{ColorWhen, Voice};
use crate::error::Failure;

/// Standard output and standard error, with what the user asked of them.
pub(crate) struct Output {
    voice: Voice,
}

impl Output {
    pub(crate) fn new(voice: Voice) -> Self {
        Self { voice }
    }

    /// Whether the user wants more than the answer.
    pub(crate) fn verbose(&self) -> bool {
        self.voice.verbose
    }

    /// Whether the user wants nothing but the answer.
    pub(crate) fn quiet(&self) -> bool {
        self.voice.quiet
    }

    /// Whether standard output gets colour.
    pub(crate) fn style(&self) -> surefoot_report::Style {
        self.style_of(std::io::stdout().is_terminal())
    }

    /// Whether standard error gets colour.
    pub(crate) fn error_style(&self) -> surefoot_report::Style {
        self.style_of(std::io::stderr().is_terminal())
    }

    fn style_of(&self, terminal: bool) -> surefoot_report::Style {
        let asked_for_none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let colour = match self.voice.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => terminal && !asked_for_none && !dumb,
        };
        if colour {
            surefoot_report::Style::Colour
        } else {
            surefoot_report::Style::Plain
        }
    }

    /// The width to wrap text at: the terminal's, at most 100; 80 where there is none.
    #[expect(clippy::unused_self, reason = "who answers needs to hold the output")]
    pub(crate) fn width(&self) -> usize {
        let size = rustix::termios::tcgetwinsize(std::io::stdout());
        size.map_or(80, |size| usize::from(size.ws_col))
            .clamp(40, 100)
    }

    /// Writes the answer.
    #[expect(clippy::unused_self, reason = "who answers needs to hold the output")]
    pub(crate) fn answer(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::io("cannot write to standard output", &error))
    }

    /// A value as JSON for people and programs.
    #[expect(clippy::unused_self, reason = "who answers needs to hold the output")]
    pub(crate) fn json(&self, value: &impl serde::Serialize) -> Result<String, Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::input("cannot write the answer as JSON").caused_by(&error))?;
        Ok(surefoot_report::escape_json(text) + "\n")
    }

    /// The answer to a question as JSON, with the question and the version of its form.
    pub(crate) fn json_answer(
        &self,
        question: &'static str,
        answer: &impl serde::Serialize,
    ) -> Result<String, Failure> {
        self.json(&Envelope {
            version: 1,
            question,
            answer,
        })
    }

    /// Writes a remark, unless the user wants none. A remark that cannot be written is lost.
    pub(crate) fn remark(&self, text: &str) {
        if !self.voice.quiet {
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
    }

    /// Writes an error, whatever the user wants.
    #[expect(clippy::unused_self, reason = "who answers needs to hold the output")]
    pub(crate) fn complain(&self, text: &str) {
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

/// What stands around every answer.
#[derive(serde::Serialize)]
struct Envelope<'a, T> {
    version: u32,
    question: &'static str,
    answer: &'a T,
}
