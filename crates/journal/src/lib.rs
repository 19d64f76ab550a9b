//! The journal: every change to a machine recorded, undoable, safe to interrupt.
//!
//! A change is a value ([`Change`]) with five acts: describe, back up, apply, verify, revert. The
//! journal writes it down with what it replaces before anything is touched, makes it, checks it, and
//! can take it back: at once if it fails, at a deadline if it is not confirmed, later if it is
//! undone, at the next start if it was interrupted. The change of a set of files is built in. The
//! journal knows nothing of firewalls, daemons or whatever else is changed.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use surefoot_journal::*;
//! # let folder = std::env::temp_dir().join(format!("journal-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let path = folder.join("motd");
//! let journal = Journal::new(JournalOptions::at(folder.join("state")));
//! let session = journal.lock()?;
//! let wanted = WantedFile::content(&path, b"be careful\n".to_vec());
//! let change = FileSetChange::plan("say hello", vec![wanted], journal.now())?;
//! let made = session.perform(Box::new(change), ChangeRequest::default())?;
//! session.undo(made.number, false, ChangeRequest::default())?;
//! assert!(!path.exists());
//! # drop(session);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```

mod as_text;
mod change;
mod clock;
mod command;
mod displaced;
mod entry;
mod error;
mod file_diff;
mod file_flags;
mod file_make;
mod file_plan;
mod file_reach;
mod file_set;
mod file_state;
mod file_swap;
mod held_entry;
mod inherited;
mod journal;
mod loaded_text;
mod lock;
mod moment;
mod numbering;
mod perform;
mod prune;
mod recover;
mod standing;
mod storage;
mod undo;
mod vault;
mod watchdog;
mod watchdog_start;

pub use change::{Change, ChangeDescription, ChangeKinds, ChangeStanding, EntryRoom};
pub use clock::{JournalClock, SystemClock};
pub use command::run_program;
pub use entry::{
    ChangeOrigin, ENTRY_VERSION, EntryArming, EntryProblem, EntryState, JournalEntry, LogStep,
    WorkUnderWay,
};
pub use error::{JournalError, TargetProblem};
pub use file_diff::content_diff;
pub use file_flags::FileFlags;
pub use file_plan::WantedFile;
pub use file_set::{FileSetChange, resolve_target};
pub use file_state::{FileAttributes, FileState, FileTimes, SeenFile, StoredContent, look_at};
pub use journal::{Journal, JournalOptions, ListedEntry};
pub use loaded_text::LoadedTextChange;
pub use lock::JournalSession;
pub use moment::{MomentError, UnixMoment};
pub use perform::{ArmRequest, ChangeRequest};
pub use prune::PrunePolicy;
pub use recover::RecoveryReport;
pub use storage::{RealStorage, Storage};
pub use vault::ContentVault;
pub use watchdog::{WatchOutcome, become_watchdog};
pub use watchdog_start::{WatchdogStarter, systemd_runs};
