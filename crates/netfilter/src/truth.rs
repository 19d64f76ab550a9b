//! The answer of a match in three values.

use crate::packet::PacketInterface;
use surefoot_ruleset::model::NamePattern;

/// Whether something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    /// It does not hold.
    No,
    /// It holds.
    Yes,
    /// Not known.
    Maybe,
}

impl Truth {
    pub(crate) fn of(answer: bool) -> Self {
        if answer { Self::Yes } else { Self::No }
    }

    pub(crate) fn turned(self, negated: bool) -> Self {
        match self {
            Self::No if negated => Self::Yes,
            Self::Yes if negated => Self::No,
            other => other,
        }
    }

    /// Whether one of several things holds.
    pub(crate) fn any(answers: impl IntoIterator<Item = Self>) -> Self {
        let mut any = Self::No;
        for answer in answers {
            match answer {
                Self::Yes => return Self::Yes,
                Self::Maybe => any = Self::Maybe,
                Self::No => {}
            }
        }
        any
    }
}

/// Whether an interface has one of these names. Where there is none, the name is empty.
pub(crate) fn has_name(interface: &PacketInterface, names: &[NamePattern]) -> Truth {
    let name = match interface {
        PacketInterface::Named(name) => name,
        PacketInterface::None => "",
        PacketInterface::Unknown => {
            return if names.iter().any(|name| name.prefix && name.text.is_empty()) {
                Truth::Yes
            } else {
                Truth::Maybe
            };
        }
    };
    Truth::of(names.iter().any(|pattern| pattern.matches(name)))
}
