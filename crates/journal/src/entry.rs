//! An entry of the journal: its words, its form on disk, and reading it back. No I/O.
//!
//! An entry is one JSON document that a person can read. Its last line of defence is a checksum
//! over its content, so that a flipped bit is called damage and not believed. It is made for accidents:
//! entries are written and read by root alone, and a text made to deceive can have any CRC-32.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::moment::UnixMoment;

/// The version of the form that is written.
pub const ENTRY_VERSION: u64 = 1;

/// The name of the form.
const FORMAT: &str = "surefoot journal entry";

/// A change that was made, or begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Its number, from 1.
    pub number: u64,
    /// What it is, in a few words.
    pub title: String,
    /// Which kind of change it is.
    pub kind: String,
    /// Who made it, from where.
    pub origin: ChangeOrigin,
    /// The command line.
    pub command: Vec<String>,
    /// When it was begun.
    pub begun: UnixMoment,
    /// Where it stands.
    pub state: EntryState,
    /// What is under way; what a crash interrupts is seen here.
    pub under_way: Option<WorkUnderWay>,
    /// Whether the change was made as a whole.
    #[serde(default)]
    pub complete: bool,
    /// The entry that it undoes.
    #[serde(default)]
    pub undoes: Option<u64>,
    /// The entry that undid it.
    #[serde(default)]
    pub undone_by: Option<u64>,
    /// The reversal that was armed.
    #[serde(default)]
    pub arming: Option<EntryArming>,
    /// The things that it touches, such as paths of files.
    pub touches: Vec<String>,
    /// A word of chance that makes its temporary names its own.
    pub tag: String,
    /// What the kind of change needs to know.
    pub change: Value,
    /// What was done, step by step.
    pub log: Vec<LogStep>,
    /// Sentences of the log that no user has seen yet, as the watchdog was alone. The next start
    /// shows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<String>,
}

/// Who changed the machine, and from where; handed in by the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeOrigin {
    /// The user whose rights were used.
    pub user: String,
    /// The user who logged in, where that is another.
    #[serde(default)]
    pub login: Option<String>,
    /// The terminal.
    #[serde(default)]
    pub terminal: Option<String>,
    /// The address of the SSH client.
    #[serde(default)]
    pub ssh_client: Option<String>,
}

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// Written down; nothing is changed yet.
    Planned,
    /// A reversal waits for its confirmation.
    Armed,
    /// Changed.
    Applied,
    /// Changed, and confirmed while armed.
    Confirmed,
    /// Put back, as it failed or was not confirmed.
    RolledBack,
    /// Undone by a later entry.
    Undone,
    /// In force no more, as a later entry changed the same things. Never stored: it follows from
    /// the later entries.
    Superseded,
}

impl EntryState {
    /// Whether what the entry did is in force.
    pub fn is_in_force(self) -> bool {
        matches!(self, Self::Armed | Self::Applied | Self::Confirmed)
    }
}

impl fmt::Display for EntryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Planned => "planned",
            Self::Armed => "armed",
            Self::Applied => "applied",
            Self::Confirmed => "confirmed",
            Self::RolledBack => "rolled back",
            Self::Undone => "undone",
            Self::Superseded => "superseded",
        })
    }
}

/// What is being done, from the moment before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkUnderWay {
    /// The change is being made.
    Applying,
    /// The change is being taken back.
    Reverting,
}

/// A reversal that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryArming {
    /// When it will be reversed, by the wall clock.
    pub deadline: UnixMoment,
    /// When, in milliseconds since boot: no change of the clock moves it.
    pub deadline_uptime: u64,
    /// The boot in which it was armed.
    pub boot: String,
}

/// A step of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogStep {
    /// When.
    pub at: UnixMoment,
    /// What, as a sentence without a full stop.
    pub step: String,
}

/// Why a text is no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryProblem {
    /// It cannot be read.
    #[error("{0}")]
    Damaged(String),
    /// It was written by a newer surefoot.
    #[error("it has format {0}, which this surefoot does not know")]
    Newer(u64),
}

impl JournalEntry {
    /// Adds a step to the log.
    pub(crate) fn note(&mut self, at: UnixMoment, step: impl Into<String>) {
        self.log.push(LogStep {
            at,
            step: step.into(),
        });
    }

    /// The text of its file.
    pub fn to_text(&self) -> String {
        let mut fields = match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            other => unreachable!("an entry is an object: {other:?}"),
        };
        fields.insert("format".to_owned(), FORMAT.into());
        fields.insert("version".to_owned(), ENTRY_VERSION.into());
        let checksum = checksum(&fields);
        fields.insert("crc32".to_owned(), checksum.into());
        let mut text = serde_json::to_string_pretty(&fields).unwrap_or_default();
        text.push('\n');
        text
    }

    /// A text with the checksum that it should have; nothing if it is no JSON object. For the tests of
    /// [`JournalEntry::from_text`], from which the checksum keeps nearly everything out.
    pub fn with_checksum(text: &[u8]) -> Option<Vec<u8>> {
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(text) else {
            return None;
        };
        fields.remove("crc32");
        let checksum = checksum(&fields);
        fields.insert("crc32".to_owned(), checksum.into());
        serde_json::to_vec(&fields).ok()
    }

    /// Reads the text of its file.
    pub fn from_text(text: &[u8]) -> Result<Self, EntryProblem> {
        match Self::from_own_text(text) {
            Some(entry) => Ok(entry),
            None => Self::from_any_text(text),
        }
    }

    /// Reads a text in the very form that [`JournalEntry::to_text`] writes, several times as fast; nothing if
    /// it is in another one, or if anything is wrong with it. A list of all entries is made of such readings.
    fn from_own_text(text: &[u8]) -> Option<Self> {
        let format = format!("\n  \"format\": \"{FORMAT}\",\n");
        let version = format!("\n  \"version\": {ENTRY_VERSION}\n}}\n");
        find(text, format.as_bytes())?;
        if !text.ends_with(version.as_bytes()) {
            return None;
        }
        // A line break in a string is escaped, and what is deeper stands further to the right.
        let key = b"\n  \"crc32\": ";
        let at = find(text, key)?;
        let (before, rest) = text.split_at(at);
        let rest = rest.get(key.len()..)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (written, after) = rest.split_at(digits);
        let written: u32 = std::str::from_utf8(written).ok()?.parse().ok()?;
        let compact = without_blanks(&[before, after.strip_prefix(b",")?].concat());
        (crc32fast::hash(&compact) == written)
            .then(|| serde_json::from_slice(text).ok())
            .flatten()
    }

    /// Reads the text in any form that means the same.
    fn from_any_text(text: &[u8]) -> Result<Self, EntryProblem> {
        let damaged = |why: &str| EntryProblem::Damaged(why.to_owned());
        let value: Value = serde_json::from_slice(text)
            .map_err(|error| EntryProblem::Damaged(format!("it is no JSON: {error}")))?;
        let Value::Object(mut fields) = value else {
            return Err(damaged("it is no JSON object"));
        };
        if fields.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(damaged("it does not say that it is an entry"));
        }
        match fields.get("version").and_then(Value::as_u64) {
            Some(version) if version > ENTRY_VERSION => return Err(EntryProblem::Newer(version)),
            Some(1..) => {}
            _ => return Err(damaged("it does not say its version")),
        }
        let written = fields.remove("crc32").and_then(|value| value.as_u64());
        if written != Some(u64::from(checksum(&fields))) {
            return Err(damaged("its checksum is not the one that was written"));
        }
        serde_json::from_value(Value::Object(fields))
            .map_err(|error| EntryProblem::Damaged(error.to_string()))
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// A text of JSON without what stands between its words.
fn without_blanks(text: &[u8]) -> Vec<u8> {
    let mut compact = Vec::with_capacity(text.len());
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in text {
        if in_string || !byte.is_ascii_whitespace() {
            compact.push(*byte);
        }
        in_string ^= *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
    }
    compact
}

/// The checksum over the compact form, whose keys are in order.
fn checksum(fields: &Map<String, Value>) -> u32 {
    crc32fast::hash(serde_json::to_string(fields).unwrap_or_default().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_entry() -> JournalEntry {
        JournalEntry {
            number: 3,
            title: "edit /etc/fstab".to_owned(),
            kind: "files".to_owned(),
            origin: ChangeOrigin {
                user: "root".to_owned(),
                ..ChangeOrigin::default()
            },
            command: vec!["surefoot".to_owned(), "edit".to_owned()],
            begun: UnixMoment::at(1_795_794_000),
            state: EntryState::Applied,
            under_way: None,
            complete: true,
            undoes: None,
            undone_by: None,
            arming: None,
            touches: vec!["/etc/fstab".to_owned()],
            tag: "1a2b".to_owned(),
            change: Value::Null,
            log: vec![],
            untold: vec![],
        }
    }

    #[test]
    fn an_entry_reads_back_as_it_was_written() {
        let entry = sample_entry();
        assert_eq!(
            JournalEntry::from_text(entry.to_text().as_bytes()),
            Ok(entry)
        );
    }

    #[test]
    fn the_quick_reading_knows_its_own_form_and_no_other() {
        let mut entry = sample_entry();
        entry.title = "a \\ \" b\n  \"crc32\": 7, \u{1} ä".to_owned();
        entry.change = serde_json::json!({"crc32": 5, "x": ["", " ", 1.5, {}], "format": "y"});
        let text = entry.to_text();
        assert_eq!(
            JournalEntry::from_own_text(text.as_bytes()),
            Some(entry.clone())
        );
        assert_eq!(
            JournalEntry::from_any_text(text.as_bytes()),
            Ok(entry.clone())
        );
        let compact = JournalEntry::with_checksum(text.as_bytes()).expect("it is JSON");
        assert_eq!(JournalEntry::from_own_text(&compact), None);
        assert_eq!(JournalEntry::from_text(&compact), Ok(entry));
        let other = text.replace("ä", "b");
        assert_eq!(JournalEntry::from_own_text(other.as_bytes()), None);
    }

    #[test]
    fn every_flipped_bit_is_damage() {
        let text = sample_entry().to_text().into_bytes();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut flipped = text.clone();
                flipped[at] ^= 1 << bit;
                match JournalEntry::from_text(&flipped) {
                    Err(EntryProblem::Damaged(_)) => {}
                    // White space between the fields, and a bit in the version's digit.
                    Err(EntryProblem::Newer(_)) => assert_eq!(text[at], b'1'),
                    Ok(read) => assert_eq!(read, sample_entry()),
                }
            }
        }
    }

    #[test]
    fn a_newer_version_is_not_called_damage() {
        let text = sample_entry().to_text();
        let newer = text.replace("\"version\": 1", "\"version\": 2");
        assert_eq!(
            JournalEntry::from_text(newer.as_bytes()),
            Err(EntryProblem::Newer(2))
        );
    }
}
