//! Why a change of login prompts cannot be planned, each reason with what to do.

/// Why a change of login prompts cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsoleError {
    /// A word is no list of terminals.
    #[error("`{word}` names no terminal; write tty1, tty1-tty3, ttyS0, hvc0 or console")]
    NoTerminal {
        /// The word.
        word: String,
    },
    /// The word `serial` was used where no serial console is known.
    #[error("the kernel's command line names no serial console; name the terminal, such as ttyS0")]
    NoSerial,
    /// The init system is unknown.
    #[error("the init system is unknown: {why}")]
    UnknownInit {
        /// Why.
        why: String,
    },
    /// A terminal does not exist on this machine.
    #[error(
        "{terminal} does not exist here: {why}; a login prompt on it would be started again for ever"
    )]
    NoDevice {
        /// The terminal.
        terminal: String,
        /// What is missing.
        why: String,
    },
    /// A terminal that no kernel has.
    #[error("{terminal} cannot exist: {why}")]
    Impossible {
        /// The terminal.
        terminal: String,
        /// Why not.
        why: &'static str,
    },
    /// A terminal that is a last resort would lose its prompt.
    #[error(
        "{terminal} would have no login prompt, and {why}; when all else fails it is the one that is left"
    )]
    ConsoleLost {
        /// The terminal.
        terminal: String,
        /// Why it is a last resort.
        why: String,
    },
    /// A terminal that would lose its prompt is in use.
    #[error("{terminal} is in use ({program}), and taking the prompt away may end that session")]
    InUse {
        /// The terminal.
        terminal: String,
        /// What runs there.
        program: String,
    },
    /// No terminal would be left.
    #[error("no terminal would have a login prompt; name one to keep, or say that none is meant")]
    NoneLeft,
    /// Something in the files stands in the way.
    #[error("{what}")]
    InTheWay {
        /// What, with the next step.
        what: String,
    },
    /// The plan does not do what was asked for.
    #[error(
        "no safe edit was found: after it the login prompts would be on {would}, not on {wanted}{why}; change \
         {file} by hand"
    )]
    NotReached {
        /// Where they would be.
        would: String,
        /// Where they should be.
        wanted: String,
        /// What starts none, behind a bracket.
        why: String,
        /// The file that sets them up.
        file: String,
    },
}
