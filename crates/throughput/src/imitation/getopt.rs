//! Reads a command line as the C library does: letters that may be joined, long names that may be cut
//! short, `--` before what is no option.

use std::fmt::Write as _;

use thiserror::Error;

/// Whether an option takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueRule {
    /// It takes none.
    Never,
    /// It needs one.
    Always,
    /// It takes one that is joined to it.
    Perhaps,
}

/// An option of a program.
#[derive(Clone, Copy, Debug)]
pub(super) struct OptionForm {
    /// Its letter.
    pub(super) letter: Option<char>,
    /// Its long name.
    pub(super) name: &'static str,
    /// Whether it takes a value.
    pub(super) value: ValueRule,
    /// What its value is called in the help.
    pub(super) metavariable: &'static str,
    /// What it does, in the help; an empty text is left out there.
    pub(super) help: &'static str,
}

/// An option that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GivenOption {
    /// The long name of its form.
    pub(super) name: &'static str,
    /// Its value.
    pub(super) value: Option<String>,
}

/// What is wrong with a command line, in the words of the C library.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommandLineError {
    /// A letter that means nothing.
    #[error("invalid option -- '{0}'")]
    UnknownLetter(char),
    /// A name that means nothing.
    #[error("unrecognized option '--{0}'")]
    UnknownName(String),
    /// The beginning of several names.
    #[error("option '--{0}' is ambiguous")]
    Ambiguous(String),
    /// A letter without its value.
    #[error("option requires an argument -- '{0}'")]
    LetterWithoutValue(char),
    /// A name without its value.
    #[error("option '--{0}' requires an argument")]
    NameWithoutValue(&'static str),
    /// A value for an option that takes none.
    #[error("option '--{0}' doesn't allow an argument")]
    UnwantedValue(&'static str),
}

/// Takes a command line apart: the options in their order, and what is none.
pub(super) fn read_options(
    forms: &[OptionForm],
    words: &[String],
) -> Result<(Vec<GivenOption>, Vec<String>), CommandLineError> {
    let mut given = Vec::new();
    let mut rest = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            rest.extend(words.by_ref().cloned());
        } else if let Some(name) = word.strip_prefix("--") {
            let (name, joined) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            let form = find_name(forms, name)?;
            let value = match (form.value, joined) {
                (ValueRule::Never, Some(_)) => {
                    return Err(CommandLineError::UnwantedValue(form.name));
                }
                (ValueRule::Never, None) => None,
                (ValueRule::Perhaps, joined) => joined,
                (ValueRule::Always, Some(value)) => Some(value),
                (ValueRule::Always, None) => Some(
                    words
                        .next()
                        .cloned()
                        .ok_or(CommandLineError::NameWithoutValue(form.name))?,
                ),
            };
            let name = form.name;
            given.push(GivenOption { name, value });
        } else if word.len() > 1 && word.starts_with('-') {
            read_letters(forms, &word[1..], &mut words, &mut given)?;
        } else {
            rest.push(word.clone());
        }
    }
    Ok((given, rest))
}

/// Reads letters that are joined; one that takes a value takes the rest of the word, or the next.
fn read_letters<'a>(
    forms: &[OptionForm],
    letters: &str,
    words: &mut impl Iterator<Item = &'a String>,
    given: &mut Vec<GivenOption>,
) -> Result<(), CommandLineError> {
    for (at, letter) in letters.char_indices() {
        let form = forms
            .iter()
            .find(|form| form.letter == Some(letter))
            .ok_or(CommandLineError::UnknownLetter(letter))?;
        let joined = &letters[at + letter.len_utf8()..];
        let name = form.name;
        let value = match form.value {
            ValueRule::Never => {
                given.push(GivenOption { name, value: None });
                continue;
            }
            ValueRule::Perhaps if joined.is_empty() => None,
            ValueRule::Always if joined.is_empty() => Some(
                words
                    .next()
                    .cloned()
                    .ok_or(CommandLineError::LetterWithoutValue(letter))?,
            ),
            ValueRule::Perhaps | ValueRule::Always => Some(joined.to_owned()),
        };
        given.push(GivenOption { name, value });
        break;
    }
    Ok(())
}

fn find_name<'a>(forms: &'a [OptionForm], name: &str) -> Result<&'a OptionForm, CommandLineError> {
    if let Some(form) = forms.iter().find(|form| form.name == name) {
        return Ok(form);
    }
    let mut matching = forms.iter().filter(|form| form.name.starts_with(name));
    match (matching.next(), matching.next()) {
        (Some(form), None) => Ok(form),
        (Some(_), Some(_)) => Err(CommandLineError::Ambiguous(name.to_owned())),
        (None, _) => Err(CommandLineError::UnknownName(name.to_owned())),
    }
}

/// The help of a list of options.
pub(super) fn help_lines(forms: &[OptionForm]) -> String {
    let mut text = String::new();
    for form in forms.iter().filter(|form| !form.help.is_empty()) {
        let letter = form
            .letter
            .map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
        let value = match form.value {
            ValueRule::Never => String::new(),
            ValueRule::Always => format!(" {}", form.metavariable),
            ValueRule::Perhaps => format!("[={}]", form.metavariable),
        };
        let head = format!("  {letter}--{}{value}", form.name);
        let _ = writeln!(text, "{head:<34} {}", form.help);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn form(letter: char, name: &'static str, value: ValueRule) -> OptionForm {
        OptionForm {
            letter: Some(letter),
            name,
            value,
            metavariable: "X",
            help: "",
        }
    }

    const FORMS: &[OptionForm] = &[
        form('u', "udp", ValueRule::Never),
        form('t', "time", ValueRule::Always),
        form('d', "debug", ValueRule::Perhaps),
        form('b', "bitrate", ValueRule::Always),
        form('B', "bind", ValueRule::Always),
        form('x', "bind-dev", ValueRule::Always),
    ];

    fn read(line: &str) -> Result<String, CommandLineError> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let (given, rest) = read_options(FORMS, &words)?;
        let given = given.iter().map(|one| match &one.value {
            Some(value) => format!("{}={value}", one.name),
            None => one.name.to_owned(),
        });
        let all: Vec<String> = given.chain(rest).collect();
        Ok(all.join(" "))
    }

    #[test]
    fn letters_and_names_are_read_as_the_c_library_does() {
        for (line, expected) in [
            ("-ut5", "udp time=5"),
            ("-u -t 5 host", "udp time=5 host"),
            ("--time=5 --ti 6", "time=5 time=6"),
            ("-d --debug=4 -d3", "debug debug=4 debug=3"),
            ("--bind x", "bind=x"),
            ("-t -5", "time=-5"),
            ("-u -- -t", "udp -t"),
            ("- -u", "udp -"),
        ] {
            assert_eq!(read(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_as_the_c_library_does() {
        for (line, expected) in [
            ("-uQ", "invalid option -- 'Q'"),
            ("--foo", "unrecognized option '--foo'"),
            ("--bi 1", "option '--bi' is ambiguous"),
            ("-t", "option requires an argument -- 't'"),
            ("--time", "option '--time' requires an argument"),
            ("--udp=1", "option '--udp' doesn't allow an argument"),
        ] {
            let error = read(line).expect_err(line).to_string();
            assert_eq!(error, expected);
        }
    }
}
