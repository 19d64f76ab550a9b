//! Errors that keep surefoot from doing its job, each reported once, with the next step.

use std::fmt::Write as _;

use surefoot_netfilter::packet::words::WordError;
use surefoot_report::escape;

/// A command that could not answer.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    what: String,
    causes: Vec<String>,
    hints: Vec<String>,
    /// A rendered picture of the place in the input, printed above the message.
    picture: Option<String>,
    /// In which state the machine was left, the last line of the message.
    left: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Input,
    Permission,
    BrokenPipe,
    /// The error has been reported already.
    Said,
    /// A command that would be wrong to carry out.
    Refused,
    /// A change that failed and was taken back.
    RolledBack,
    /// A change that failed and could not be taken back.
    HalfDone,
}

impl Failure {
    /// Bad usage, bad input, or something that could not be read or written.
    pub(crate) fn input(what: impl Into<String>) -> Self {
        Self {
            kind: Kind::Input,
            what: what.into(),
            causes: vec![],
            hints: vec![],
            picture: None,
            left: None,
        }
    }

    /// A command that would be wrong to carry out.
    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self {
            kind: Kind::Refused,
            ..Self::input(what)
        }
    }

    /// A change that failed and was taken back.
    pub(crate) fn rolled_back(what: impl Into<String>) -> Self {
        Self {
            kind: Kind::RolledBack,
            ..Self::input(what)
        }
    }

    /// A change that failed and could not be taken back.
    pub(crate) fn half_done(what: impl Into<String>) -> Self {
        Self {
            kind: Kind::HalfDone,
            ..Self::input(what)
        }
    }

    /// What went wrong, and why, for a message of which it is the reason.
    pub(crate) fn reason(&self) -> String {
        let mut words = vec![self.what.as_str()];
        words.extend(self.causes.iter().map(String::as_str));
        words.join(": ")
    }

    /// Says in which state the machine was left.
    pub(crate) fn left(mut self, state: impl Into<String>) -> Self {
        self.left = Some(state.into().into_boxed_str());
        self
    }

    /// Adds in which state the machine was left, unless that is there already.
    pub(crate) fn left_unless(self, state: impl Into<String>) -> Self {
        if self.left.is_some() {
            self
        } else {
            self.left(state)
        }
    }

    /// Makes a failure that has been reported already.
    pub(crate) fn silent() -> Self {
        Self {
            kind: Kind::Said,
            ..Self::input("")
        }
    }

    /// Something that only another user may do.
    pub(crate) fn denied(what: impl Into<String>) -> Self {
        Self {
            kind: Kind::Permission,
            ..Self::input(what)
        }
    }

    /// A word of a packet that cannot be understood, shown in its place.
    pub(crate) fn word(given: &[String], error: &WordError) -> Self {
        let mut failure = Self::input(error.to_string()).picture(place(given, error));
        failure.hints.extend(error.hint.clone());
        let word = &error.word;
        if std::path::Path::new(word).is_file() {
            failure = failure.hint(format!(
                "a file with rules is given with `--rules {word}`, one with packets with `--pcap {word}`"
            ));
        }
        failure
    }

    /// A failed system call on a named object.
    pub(crate) fn io(what: impl Into<String>, error: &std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::PermissionDenied => Kind::Permission,
            std::io::ErrorKind::BrokenPipe => Kind::BrokenPipe,
            _ => Kind::Input,
        };
        Self {
            kind,
            ..Self::input(what)
        }
        .caused_by(error)
    }

    /// Adds an error and the errors under it.
    pub(crate) fn caused_by(mut self, error: &dyn std::error::Error) -> Self {
        self.causes.push(error.to_string());
        let mut next = error.source();
        while let Some(source) = next {
            self.causes.push(source.to_string());
            next = source.source();
        }
        self
    }

    /// Adds a reason that is no error of its own.
    pub(crate) fn because(mut self, why: impl Into<String>) -> Self {
        self.causes.push(why.into());
        self
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a picture of the place in the input.
    pub(crate) fn picture(mut self, picture: String) -> Self {
        self.picture = Some(picture);
        self
    }

    /// The exit status, as the manual lists it.
    pub(crate) fn status(&self) -> u8 {
        match self.kind {
            Kind::Input | Kind::Said => 2,
            Kind::Permission => 3,
            // The reader of our output has closed it on purpose.
            Kind::BrokenPipe => 0,
            Kind::Refused => 1,
            Kind::RolledBack => 4,
            Kind::HalfDone => 5,
        }
    }

    /// The message for standard error; none where nothing is wrong or all is already written.
    pub(crate) fn message(&self) -> Option<String> {
        if matches!(self.kind, Kind::BrokenPipe | Kind::Said) {
            return None;
        }
        let mut text = String::new();
        if let Some(picture) = &self.picture {
            text.push_str(picture);
            if !picture.ends_with('\n') {
                text.push('\n');
            }
        }
        let _ = writeln!(text, "error: {}", escape(&self.what));
        for cause in &self.causes {
            let _ = writeln!(text, "  caused by: {}", escape(cause));
        }
        for hint in &self.hints {
            let _ = writeln!(text, "  hint: {}", escape(hint));
        }
        if let Some(left) = &self.left {
            let _ = writeln!(text, "{}", escape(left));
        }
        Some(text)
    }
}

/// The words as they were given, with the one that is meant underlined.
fn place(given: &[String], error: &WordError) -> String {
    let mut line = String::new();
    let mut before = 0;
    for (at, argument) in given.iter().enumerate() {
        if at > 0 {
            line.push(' ');
        }
        if at == error.argument {
            let head = argument.get(..error.at).unwrap_or_default();
            before = line.chars().count() + escape(head).chars().count();
        }
        line.push_str(&escape(argument));
    }
    if error.argument >= given.len() {
        before = line.chars().count() + 1;
    }
    let length = escape(&error.word).chars().count().max(1);
    format!("  {line}\n  {}{}\n", " ".repeat(before), "^".repeat(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_cause_and_the_next_step() {
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let failure = Failure::io("cannot read `/etc/rules.v4`", &denied).hint("run it with sudo");
        assert_eq!(failure.status(), 3);
        assert_eq!(
            failure.message().unwrap(),
            "error: cannot read `/etc/rules.v4`\n  caused by: permission denied\n  hint: run it with sudo\n"
        );
    }

    #[test]
    fn a_broken_pipe_is_nobodys_fault() {
        let failure = Failure::io("x", &std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!((failure.status(), failure.message()), (0, None));
    }
}
