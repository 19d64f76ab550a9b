//! A new kind of change is one type and one line; it is recorded, undone and recovered like the others.

mod common;

use std::path::PathBuf;
use std::sync::Arc;

use common::TestClock;
use common::faults::UnsyncedStorage;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use surefoot_journal::{
    Change, ChangeDescription, ChangeKinds, ChangeRequest, ChangeStanding, EntryRoom, EntryState,
    Journal, JournalError, JournalOptions,
};

/// A word in a place: what a setting of the kernel is like.
#[derive(Clone, Serialize, Deserialize)]
struct KernelSetting {
    place: PathBuf,
    before: String,
    after: String,
}

impl KernelSetting {
    fn read(&self) -> Result<String, JournalError> {
        std::fs::read_to_string(&self.place).map_err(|source| JournalError::Io {
            action: "read",
            path: self.place.clone(),
            source,
        })
    }

    fn set(&self, value: &str) -> Result<(), JournalError> {
        std::fs::write(&self.place, value).map_err(|source| JournalError::Io {
            action: "set",
            path: self.place.clone(),
            source,
        })
    }
}

impl Change for KernelSetting {
    fn kind(&self) -> &'static str {
        "kernel setting"
    }
    fn describe(&self, _: &EntryRoom<'_>) -> Result<ChangeDescription, JournalError> {
        Ok(ChangeDescription {
            title: "set it".to_owned(),
            diff: format!("-{}\n+{}\n", self.before, self.after),
            touches: vec![self.place.display().to_string()],
        })
    }
    fn back_up(&mut self, _: &mut EntryRoom<'_>) -> Result<(), JournalError> {
        self.before = self.read()?;
        Ok(())
    }
    fn apply(&self, _: &EntryRoom<'_>) -> Result<(), JournalError> {
        self.set(&self.after)
    }
    fn verify(&self, _: &EntryRoom<'_>) -> Result<ChangeStanding, JournalError> {
        Ok(match self.read()? {
            now if now == self.after => ChangeStanding::After,
            now if now == self.before => ChangeStanding::Before,
            now => ChangeStanding::Elsewhere { diff: now },
        })
    }
    fn revert(&self, _: &EntryRoom<'_>) -> Result<(), JournalError> {
        self.set(&self.before)
    }
    fn reversal(&self, _: &EntryRoom<'_>) -> Result<Box<dyn Change>, JournalError> {
        Ok(Box::new(Self {
            after: self.before.clone(),
            ..self.clone()
        }))
    }
    fn to_record(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[test]
fn a_kind_of_its_own_is_undone_by_another_process() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let place = scratch.path().join("setting");
    std::fs::write(&place, "0").expect("it is written");
    let journal = |kinds| {
        Journal::new(JournalOptions {
            storage: Arc::new(UnsyncedStorage),
            clock: Arc::new(TestClock::default()),
            kinds,
            ..JournalOptions::at(scratch.path().join("state"))
        })
    };
    let known = || ChangeKinds::default().with::<KernelSetting>("kernel setting");
    let change = KernelSetting {
        place: place.clone(),
        before: String::new(),
        after: "1".to_owned(),
    };
    let first = journal(known());
    let session = first.lock().expect("it is locked");
    session
        .perform(Box::new(change), ChangeRequest::default())
        .expect("it is set");
    assert_eq!(std::fs::read_to_string(&place).expect("it is read"), "1");
    drop(session);
    // A program that does not know the kind says so and does no harm.
    let stranger = journal(ChangeKinds::default());
    let session = stranger.lock().expect("it is locked");
    let error = session.undo(1, false, ChangeRequest::default());
    assert!(matches!(
        error,
        Err(JournalError::UnknownKind { number: 1, .. })
    ));
    drop(session);
    let second = journal(known());
    let session = second.lock().expect("it is locked");
    session
        .undo(1, false, ChangeRequest::default())
        .expect("it is undone");
    assert_eq!(std::fs::read_to_string(&place).expect("it is read"), "0");
    assert_eq!(
        second.entry(1).expect("it is there").state,
        EntryState::Undone
    );
}
