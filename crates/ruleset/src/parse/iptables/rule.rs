//! Reads the words of one rule.

use std::borrow::Cow;

use surefoot_report::{Problem, Span};

use super::modules::{
    BASE, FoundOption, Module, ModuleOption, find_match, find_option, find_short, find_target,
    is_known_option,
};
use super::names;
use super::syntax::{DumpRule, Extension, Given, Target};
use super::words::{Word, Words};
use crate::model::Counters;

/// Place of the target in the list of modules that `find_option` searches.
const TARGET: usize = usize::MAX;

/// Reads what follows `-A CHAIN`; `rule` has its span already.
pub(super) fn read_rule<'a>(
    mut words: Words<'a>,
    mut rule: DumpRule<'a>,
    problems: &mut Vec<Problem>,
) -> DumpRule<'a> {
    let mut reader = OptionReader {
        rule: &mut rule,
        problems,
        negation: None,
    };
    while let Some(word) = words.next() {
        reader.word(&word, &mut words);
    }
    if let Some(span) = reader.negation {
        reader.stray(span, "!", "a `!` with no option after it");
    }
    if let Some(at) = words.open_quote {
        let end = rule.span.end as usize;
        problems.push(
            Problem::error(Span::new(at, end), "this quote does not close")
                .help("end the quoted text with `\"`"),
        );
    }
    rule
}

struct OptionReader<'r, 'a> {
    rule: &'r mut DumpRule<'a>,
    problems: &'r mut Vec<Problem>,
    /// A `!` whose option has not come yet.
    negation: Option<Span>,
}

impl<'a> OptionReader<'_, 'a> {
    fn word(&mut self, word: &Word<'a>, words: &mut Words<'a>) {
        let span = Span::new(word.start, word.end);
        if word.text == "!" && !word.quoted {
            if let Some(before) = self.negation.replace(span) {
                self.stray(before, "!", "two `!` in a row");
            }
        } else if let Some(long) = word.text.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            match self.find(name) {
                FoundOption::One(at, option) => {
                    // An attached value is rare, so a copy costs nothing that counts.
                    let value = value.map(|value| Cow::Owned(value.to_owned()));
                    self.option(at, option, value, word, words);
                }
                FoundOption::Ambiguous => {
                    let what = format!("`--{name}` is the start of more than one option");
                    self.problems.push(Problem::error(span, what));
                    self.unknown(word, words);
                }
                FoundOption::None => {
                    self.problems.push(self.without_owner(name, span));
                    self.unknown(word, words);
                }
            }
        } else if let Some(short) = word.text.strip_prefix('-') {
            let letter = short.chars().next().map_or(0, char::len_utf8);
            let (letter, rest) = short.split_at(letter);
            if let Some(option) = find_short(letter) {
                let value = (!rest.is_empty()).then(|| Cow::Owned(rest.to_owned()));
                self.option(0, option, value, word, words);
            } else {
                let what = format!("there is no option `{}`", word.text);
                self.problems.push(Problem::error(span, what));
                self.unknown(word, words);
            }
        } else {
            let what = format!("`{}` belongs to no option", word.text);
            self.stray(span, &word.text, &what);
        }
    }

    /// Records a word that stands where none can: a program that loads the text would refuse it.
    fn stray(&mut self, span: Span, word: &str, what: &str) {
        self.problems.push(Problem::error(span, what));
        let mut name = String::new();
        quote_into(word, &mut name);
        self.push(
            0,
            Given {
                option: None,
                name: Cow::Owned(name),
                negated: false,
                value: None,
                second: None,
                span,
            },
        );
    }

    fn find(&mut self, name: &str) -> FoundOption {
        let found = self.find_loaded(name);
        if found != FoundOption::None {
            return found;
        }
        // `-p tcp --dport 22` loads the protocol's match by itself.
        let protocol = self.rule.base.iter().find(|given| given.name == "protocol");
        let Some(module) = protocol.and_then(|given| implied_match(given.value())) else {
            return found;
        };
        let loaded = |extension: &Extension<'_>| extension.module == Some(module);
        if self.rule.matches.iter().any(loaded) {
            return found;
        }
        let alone = find_option(name, std::iter::once((0, module)));
        if let FoundOption::One(_, option) = alone {
            let span = protocol.map_or(self.rule.span, |given| given.span);
            self.rule.matches.push(Extension {
                name: Cow::Borrowed(module.name),
                module: Some(module),
                options: Vec::new(),
                span,
            });
            return FoundOption::One(self.rule.matches.len(), option);
        }
        alone
    }

    /// What is odd about an option that nothing so far has. A strange module may have options that
    /// we do not know; a known option before what it belongs to is refused by iptables itself.
    fn without_owner(&self, name: &str, span: Span) -> Problem {
        let strange = |extension: &Extension<'_>| extension.module.is_none();
        let target = self.rule.target.iter().map(|target| &target.extension);
        if !self.rule.matches.iter().chain(target).any(strange) && is_known_option(name) {
            let what = format!("`--{name}` stands before the match or target that it belongs to");
            return Problem::error(span, what).help("write `-p`, `-m` or `-j` first");
        }
        let what = format!("no match or target of this rule has an option `--{name}`");
        Problem::note(span, what).label("kept as it stands")
    }

    fn find_loaded(&self, name: &str) -> FoundOption {
        let matches = self.rule.matches.iter().enumerate();
        let target = self.rule.target.as_ref();
        let modules = std::iter::once((0, &BASE))
            .chain(matches.filter_map(|(at, found)| found.module.map(|module| (at + 1, module))))
            .chain(
                target
                    .and_then(|target| target.extension.module)
                    .map(|module| (TARGET, module)),
            );
        find_option(name, modules)
    }

    fn option(
        &mut self,
        at: usize,
        option: &'static ModuleOption,
        attached: Option<Cow<'a, str>>,
        word: &Word<'a>,
        words: &mut Words<'a>,
    ) {
        let mut span = Span::new(word.start, word.end);
        let mut negated = false;
        if let Some(before) = self.negation.take() {
            negated = true;
            span.start = before.start;
        }
        let mut values = [attached, None];
        if option.arity == 0 && values[0].take().is_some() {
            let what = format!("`--{}` takes no value", option.name);
            self.problems.push(Problem::error(span, what));
        }
        for (nth, value) in values.iter_mut().enumerate() {
            if nth >= usize::from(option.arity) || value.is_some() {
                continue;
            }
            let mut next = words.next();
            if let Some(mark) = next
                .as_ref()
                .filter(|w| nth == 0 && !w.quoted && w.text == "!")
            {
                let mark = Span::new(mark.start, mark.end);
                let what = format!("`!` after `--{}`: an old spelling", option.name);
                self.problems.push(
                    Problem::warning(mark, what)
                        .label("read as a negation")
                        .help("put it before the option; today's iptables-restore refuses this"),
                );
                negated = !negated;
                next = words.next();
            }
            let Some(next) = next else {
                let what = format!("`--{}` needs a value", option.name);
                self.problems.push(Problem::error(span, what));
                self.rule.unfinished = Some(Box::new(Given {
                    option: None,
                    name: Cow::Owned(format!("--{}", option.name)),
                    negated,
                    value: None,
                    second: None,
                    span,
                }));
                return;
            };
            span.end = Span::new(0, next.end).end;
            *value = Some(next.text);
        }
        let [value, second] = values;
        self.keep(
            at,
            Given {
                option: Some(option),
                name: Cow::Borrowed(option.name),
                negated,
                value,
                second,
                span,
            },
        );
    }

    /// Puts an option where it belongs; those that only name a module become one.
    fn keep(&mut self, at: usize, given: Given<'a>) {
        if at != 0 {
            return self.push(at, given);
        }
        if given.negated
            && !matches!(&*given.name, "source" | "destination" | "protocol")
            && !matches!(&*given.name, "in-interface" | "out-interface" | "fragment")
        {
            let what = format!("`!` cannot stand before `--{}`", given.name);
            self.problems.push(Problem::error(given.span, what));
        }
        match &*given.name {
            "match" => {
                let name = given.value.unwrap_or_default();
                let module = find_match(&name);
                if module.is_none() {
                    let what = format!("the match `{name}` is unknown");
                    self.problems.push(Problem::note(given.span, what));
                }
                if self.rule.matches.is_empty() {
                    self.rule.matches.reserve_exact(2);
                }
                self.rule.matches.push(Extension {
                    name: module.map_or(name, |module| Cow::Borrowed(module.name)),
                    module,
                    options: Vec::new(),
                    span: given.span,
                });
            }
            "jump" | "goto" => {
                let goto = &*given.name == "goto";
                if self.rule.target.is_some() {
                    let what = "a second target: a rule has one";
                    self.stray(given.span, given.value(), what);
                    return;
                }
                let name = given.value.unwrap_or_default();
                let module = if goto { None } else { find_target(&name) };
                self.rule.target = Some(Target {
                    goto,
                    extension: Extension {
                        name,
                        module,
                        options: Vec::new(),
                        span: given.span,
                    },
                });
            }
            "set-counters" => {
                let counters = given.value().parse().ok().zip(given.second().parse().ok());
                if let Some((packets, bytes)) = counters {
                    self.rule.counters = Some(Counters { packets, bytes });
                } else {
                    let what = "`-c` needs two numbers";
                    self.problems.push(Problem::error(given.span, what));
                }
            }
            "table" => {
                let what = "`-t` has no place here: the `*table` line says which table it is";
                self.problems.push(Problem::error(given.span, what));
            }
            "wait" => {}
            _ => self.push(0, given),
        }
    }

    /// Keeps an unknown option, with every word up to the next option.
    fn unknown(&mut self, word: &Word<'a>, words: &mut Words<'a>) {
        let mut span = Span::new(word.start, word.end);
        let mut text = String::new();
        if word.quoted {
            quote_into(&word.text, &mut text);
        } else {
            text.push_str(&word.text);
        }
        while let Some(next) = words.peek() {
            if !next.quoted && (next.text.starts_with('-') || next.text == "!") {
                break;
            }
            text.push(' ');
            quote_into(&next.text, &mut text);
            span.end = Span::new(0, next.end).end;
            words.next();
        }
        let negated = match self.negation.take() {
            Some(before) => {
                span.start = before.start;
                true
            }
            None => false,
        };
        let at = match &self.rule.target {
            Some(target) if target.extension.module.is_none() || self.rule.matches.is_empty() => {
                TARGET
            }
            Some(target)
                if self
                    .rule
                    .matches
                    .iter()
                    .all(|m| m.span < target.extension.span) =>
            {
                TARGET
            }
            _ => self.rule.matches.len(),
        };
        self.push(
            at,
            Given {
                option: None,
                name: Cow::Owned(text),
                negated,
                value: None,
                second: None,
                span,
            },
        );
    }

    fn push(&mut self, at: usize, given: Given<'a>) {
        let options = match (at, &mut self.rule.target) {
            (0, _) => &mut self.rule.base,
            (TARGET, Some(target)) => &mut target.extension.options,
            (at, _) => match self.rule.matches.get_mut(at - 1) {
                Some(extension) => &mut extension.options,
                None => &mut self.rule.base,
            },
        };
        // Most matches have one option, most rules few; a hundred thousand of them add up.
        if options.is_empty() {
            options.reserve_exact(if at == 0 { 3 } else { 1 });
        }
        options.push(given);
    }
}

/// The match that a protocol brings along.
fn implied_match(protocol: &str) -> Option<&'static Module> {
    let name = names::protocol_number(protocol).and_then(names::protocol_name)?;
    find_match(name)
}

/// Writes a word so that it reads as one word again.
pub(in crate::parse) fn quote_into(word: &str, out: &mut String) {
    let plain = |byte: u8| byte > b' ' && byte != b'"' && byte != b'\\' && byte != b'\'';
    let special = word.is_empty() || word == "!" || word.starts_with('-');
    if !special && word.bytes().all(plain) {
        out.push_str(word);
        return;
    }
    out.push('"');
    for letter in word.chars() {
        if matches!(letter, '"' | '\\' | '\'') {
            out.push('\\');
        }
        out.push(letter);
    }
    out.push('"');
}
