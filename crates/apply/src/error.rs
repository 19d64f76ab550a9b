//! What keeps rules from being tried or loaded.

use surefoot_journal::JournalError;

/// What keeps rules from being tried or loaded.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The text is no rule file of a known format.
    #[error("`{file}` is neither iptables-save, nor nft, nor ipset save")]
    UnknownFormat {
        /// The file.
        file: String,
    },
    /// The program that loads a file is missing.
    #[error("`{program}` is not installed; it loads {what}")]
    NoProgram {
        /// Its name.
        program: &'static str,
        /// What it loads.
        what: String,
    },
    /// There can be no network of its own to try the rules in.
    #[error("a network to try the rules in cannot be made")]
    NoRehearsal {
        /// Why.
        source: std::io::Error,
    },
    /// The rules that are in force do not load in a network of their own.
    #[error("the rules that are in force cannot be loaded again by their own programs")]
    NotLoadedAgain {
        /// Why.
        source: JournalError,
    },
    /// The kernel, or the program that loads it, refuses a file.
    #[error("`{file}` does not load")]
    FileRefused {
        /// The file.
        file: String,
        /// Why.
        source: JournalError,
    },
    /// The rules in force, loaded again, are not what they were.
    #[error("{unit}, loaded again, is not what it was; it could not be put back exactly")]
    NotPutBack {
        /// What it is.
        unit: String,
        /// From what it is to what it would be.
        diff: String,
    },
    /// The new rules, loaded as a listing, are not what the files made.
    #[error("{unit} does not load as the kernel lists it")]
    NotLoadedAsListed {
        /// What it is.
        unit: String,
        /// From what it is to what it would be.
        diff: String,
    },
    /// A chain has not the rules that a place was found among.
    #[error("`{chain}` has other rules than those that a place was looked for in")]
    OtherRules {
        /// The chain.
        chain: String,
    },
    /// Rules cannot be read or loaded.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl ApplyError {
    /// What to look at: a difference, where there is one.
    pub fn diff(&self) -> Option<&str> {
        match self {
            Self::NotPutBack { diff, .. } | Self::NotLoadedAsListed { diff, .. } => Some(diff),
            _ => None,
        }
    }
}
