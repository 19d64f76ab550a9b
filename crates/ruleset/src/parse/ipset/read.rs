//! Reads and writes the lines.

use std::borrow::Cow;

use surefoot_report::{Problem, Span};

use crate::parse::iptables::{Words, quote_into};

/// The lines of a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File<'a> {
    /// In order.
    pub lines: Vec<Line<'a>>,
}

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Makes a set.
    Create,
    /// Adds an element.
    Add,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// What it does.
    pub verb: Verb,
    /// The set's name.
    pub set: Cow<'a, str>,
    /// The set's type, or the element.
    pub word: Cow<'a, str>,
    /// The settings in order.
    pub settings: Vec<Setting<'a>>,
    /// The whole line.
    pub span: Span,
}

/// A setting, such as `timeout 300` or `nomatch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its value, if it has one.
    pub value: Option<Cow<'a, str>>,
}

impl Line<'_> {
    /// Whether the setting is there.
    pub fn has(&self, name: &str) -> bool {
        self.settings.iter().any(|setting| setting.name == name)
    }

    /// The setting's value.
    pub fn value(&self, name: &str) -> Option<&str> {
        let found = self.settings.iter().find(|setting| setting.name == name)?;
        found.value.as_deref()
    }
}

/// Settings that stand alone. `comment` does so in `create` only.
fn is_flag(verb: Verb, name: &str) -> bool {
    let flags = [
        "counters", "skbinfo", "forceadd", "nomatch", "wildcard", "-exist", "-!",
    ];
    flags.contains(&name) || (verb == Verb::Create && name == "comment")
}

/// Reads a text; whatever cannot be read is left out and reported.
pub fn parse(text: &str) -> (File<'_>, Vec<Problem>) {
    let mut file = File::default();
    let mut problems = Vec::new();
    let mut start = 0;
    for raw in text.split_inclusive('\n') {
        let line = raw.trim_end();
        let inner = line.trim_start();
        if !inner.is_empty() && !inner.starts_with('#') {
            let at = start + line.len() - inner.len();
            file.lines.extend(read_line(inner, at, &mut problems));
        }
        start += raw.len();
    }
    (file, problems)
}

fn read_line<'a>(line: &'a str, at: usize, problems: &mut Vec<Problem>) -> Option<Line<'a>> {
    let span = Span::new(at, at + line.len());
    let mut words = Words::new(line, at).map(|word| word.text);
    let verb = words.next()?;
    let verb = match &*verb {
        "create" | "-N" | "--create" => Verb::Create,
        "add" | "-A" | "--add" => Verb::Add,
        "COMMIT" => return None,
        _ => {
            let what = format!("`{verb}` is not followed: only create and add are");
            problems.push(Problem::error(span, what));
            return None;
        }
    };
    let (Some(set), Some(word)) = (words.next(), words.next()) else {
        let what = match verb {
            Verb::Create => "a set needs a name and a type",
            Verb::Add => "the name of a set and an element are needed",
        };
        problems.push(Problem::error(span, what));
        return None;
    };
    let mut settings = Vec::new();
    while let Some(name) = words.next() {
        let value = if is_flag(verb, &name) {
            None
        } else {
            let value = words.next();
            if value.is_none() {
                let what = format!("`{name}` needs a value");
                problems.push(Problem::error(span, what));
                break;
            }
            value
        };
        settings.push(Setting { name, value });
    }
    Some(Line {
        verb,
        set,
        word,
        settings,
        span,
    })
}

/// Writes the lines in one spelling.
pub fn print(file: &File<'_>) -> String {
    let mut out = String::new();
    for line in &file.lines {
        out.push_str(match line.verb {
            Verb::Create => "create",
            Verb::Add => "add",
        });
        let settings = line
            .settings
            .iter()
            .flat_map(|setting| std::iter::once(&setting.name).chain(&setting.value));
        for word in [&line.set, &line.word].into_iter().chain(settings) {
            out.push(' ');
            quote_into(word, &mut out);
        }
        out.push('\n');
    }
    out
}
