//! The change of a state that is no file: a text that a program prints and another loads.
//!
//! The earlier state is kept as the text that loads it, so that the watchdog can put it back or,
//! after a crash, any user who can run the program.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::change::{Change, ChangeDescription, ChangeStanding, EntryRoom};
use crate::command::run_command;
use crate::error::JournalError;
use crate::file_diff::content_diff;
use crate::file_state::StoredContent;

/// The name of this kind of change.
pub(crate) const LOADED_TEXT: &str = "loaded text";

/// A state that one program prints and one loads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedTextChange {
    title: String,
    /// What is changed, such as `nftables`.
    thing: String,
    /// Prints the state.
    print: Vec<String>,
    /// Loads the state from its standard input.
    load: Vec<String>,
    before: Option<StoredContent>,
    after: Option<StoredContent>,
    #[serde(skip)]
    new_text: Vec<u8>,
}

impl LoadedTextChange {
    /// A change of a thing to a text. `print` prints what is loaded now, in a form that `load`
    /// reads from its standard input.
    pub fn new(
        title: impl Into<String>,
        thing: impl Into<String>,
        print: Vec<String>,
        load: Vec<String>,
        new_text: Vec<u8>,
    ) -> Self {
        Self {
            title: title.into(),
            thing: thing.into(),
            print,
            load,
            before: None,
            after: None,
            new_text,
        }
    }

    fn text(
        room: &EntryRoom<'_>,
        content: Option<&StoredContent>,
    ) -> Result<Vec<u8>, JournalError> {
        content.map_or_else(|| Ok(vec![]), |content| room.vault.fetch(content))
    }
}

/// The lines that count: comments carry times and counts that change by themselves.
fn significant_lines(text: &[u8]) -> Vec<&[u8]> {
    text.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .collect()
}

impl Change for LoadedTextChange {
    fn kind(&self) -> &'static str {
        LOADED_TEXT
    }

    fn describe(&self, room: &EntryRoom<'_>) -> Result<ChangeDescription, JournalError> {
        let old = Self::text(room, self.before.as_ref())?;
        let new = Self::text(room, self.after.as_ref())?;
        Ok(ChangeDescription {
            title: self.title.clone(),
            diff: content_diff(&self.thing, Some(&old), Some(&new)),
            touches: vec![self.thing.clone()],
        })
    }

    fn back_up(&mut self, room: &mut EntryRoom<'_>) -> Result<(), JournalError> {
        let there = run_command(&self.print, b"", room.command_bounds())?;
        self.before = Some(room.keep("before", &there)?);
        self.after = Some(room.keep("after", &self.new_text)?);
        Ok(())
    }

    fn apply(&self, room: &EntryRoom<'_>) -> Result<(), JournalError> {
        let text = Self::text(room, self.after.as_ref())?;
        run_command(&self.load, &text, room.command_bounds()).map(drop)
    }

    fn verify(&self, room: &EntryRoom<'_>) -> Result<ChangeStanding, JournalError> {
        let there = run_command(&self.print, b"", room.command_bounds())?;
        let after = Self::text(room, self.after.as_ref())?;
        let before = Self::text(room, self.before.as_ref())?;
        let now = significant_lines(&there);
        Ok(if now == significant_lines(&after) {
            ChangeStanding::After
        } else if now == significant_lines(&before) {
            ChangeStanding::Before
        } else {
            ChangeStanding::Elsewhere {
                diff: content_diff(&self.thing, Some(&after), Some(&there)),
            }
        })
    }

    fn revert(&self, room: &EntryRoom<'_>) -> Result<(), JournalError> {
        let text = Self::text(room, self.before.as_ref())?;
        run_command(&self.load, &text, room.command_bounds()).map(drop)
    }

    fn load(&self, room: &mut EntryRoom<'_>) -> Result<(), JournalError> {
        if let Some(content) = &self.before {
            room.vault.load(content)?;
        }
        Ok(())
    }

    fn reversal(&self, room: &EntryRoom<'_>) -> Result<Box<dyn Change>, JournalError> {
        Ok(Box::new(Self {
            before: None,
            after: None,
            new_text: Self::text(room, self.before.as_ref())?,
            ..self.clone()
        }))
    }

    fn to_record(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
