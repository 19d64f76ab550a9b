//! What keeps a bisection from being made.

use std::path::PathBuf;

use surefoot_journal::JournalError;

/// Why a bisection cannot be made, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum BisectError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration is no file and no folder with files.
    #[error("{} holds no configuration: {why}", path.display())]
    NoConfiguration {
        /// What was given.
        path: PathBuf,
        /// What is missing.
        why: &'static str,
    },
    /// The name of a file is not UTF-8.
    #[error("the name {} is not UTF-8", path.display())]
    StrangeName {
        /// The file.
        path: PathBuf,
    },
    /// A command cannot be run.
    #[error("cannot run `{command}`")]
    Run {
        /// The command.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// The syntax test refuses the configuration as it stands.
    #[error("the syntax test `{command}` refuses the untouched configuration: {said}")]
    SyntaxOfUntouched {
        /// The command.
        command: String,
        /// What it wrote.
        said: String,
    },
    /// The test itself changes a file.
    #[error(
        "the test `{command}` changes the configuration: {} had {before} bytes before it ran, and has {after} now",
        path.display()
    )]
    TestChanges {
        /// The command.
        command: String,
        /// The file.
        path: PathBuf,
        /// Its length before.
        before: usize,
        /// Its length now; 0 if it is gone.
        after: usize,
    },
    /// The reload fails before anything is changed.
    #[error("the reload `{command}` fails with the untouched configuration: it {how}")]
    ReloadOfUntouched {
        /// The command.
        command: String,
        /// How it ended and what it wrote.
        how: String,
    },
    /// Another program changed a file during the search.
    #[error("{} was changed by another program; its content is kept as {}", path.display(), kept.display())]
    ChangedMeanwhile {
        /// The file.
        path: PathBuf,
        /// Where what was written is kept.
        kept: PathBuf,
    },
    /// The folder of a file was moved or removed during the search.
    #[error("{} is another folder than at the start of the search, or gone", path.display())]
    FolderMoved {
        /// The folder.
        path: PathBuf,
    },
    /// Another program removed a file during the search, or put something else in its place.
    #[error("{} was removed by another program during the search", path.display())]
    FileGone {
        /// The file.
        path: PathBuf,
    },
    /// What the way back needs cannot be written.
    #[error("cannot write into {}", path.display())]
    Keep {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The daemon does not come back, even with the untouched configuration.
    #[error("the daemon does not come back with the untouched configuration: `{command}` {how}")]
    DaemonGone {
        /// The command that should bring it back.
        command: String,
        /// How it ended and what it wrote.
        how: String,
    },
    /// The process that would put everything back is gone.
    #[error("the guard that puts everything back is gone, so the search ended")]
    GuardGone,
    /// The person who waits has interrupted.
    #[error("interrupted")]
    Interrupted,
    /// The guard cannot be started.
    #[error("the guard that puts everything back cannot be started: {why}")]
    GuardFailed {
        /// Why.
        why: String,
    },
    /// The journal refuses or fails.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl BisectError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                "run it with sudo".to_owned()
            }
            Self::NoConfiguration { .. } => {
                "give the main file of the configuration, such as /etc/nginx/nginx.conf".to_owned()
            }
            Self::SyntaxOfUntouched { .. } => {
                "mend that first, or give another test with --syntax".to_owned()
            }
            Self::TestChanges { path, .. } => format!(
                "put {} right by hand, and give a --test that changes nothing; surefoot itself changed nothing",
                path.display()
            ),
            Self::ReloadOfUntouched { .. } => {
                "give a --reload that ends with 0 and starts a daemon that is down; see the daemon's log"
                    .to_owned()
            }
            Self::DaemonGone { command, .. } => {
                format!(
                    "the files are as they were; look at the daemon's log, then run `{command}`"
                )
            }
            Self::Journal(error) => return error.hint(),
            _ => return None,
        })
    }
}
