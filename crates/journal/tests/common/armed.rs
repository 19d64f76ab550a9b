//! A machine with an armed change, on which other programs write.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use surefoot_journal::{
    ArmRequest, ChangeKinds, ChangeRequest, FileSetChange, Journal, JournalOptions, RecoveryReport,
    UnixMoment, WantedFile, WatchOutcome,
};

use super::faults::UnsyncedStorage;
use super::scenes::build_tree;
use super::{NOW, TestClock, journal};

/// A small machine with an armed change of `hosts`.
pub(crate) struct ArmedMachine {
    pub(crate) scratch: tempfile::TempDir,
}

impl ArmedMachine {
    pub(crate) fn new() -> Self {
        let machine = Self {
            scratch: tempfile::tempdir().expect("a folder for scratch"),
        };
        build_tree(&machine.etc());
        let wanted = WantedFile::content(machine.hosts(), b"armed\n".to_vec());
        machine.arm(vec![wanted]);
        machine
    }

    pub(crate) fn arm(&self, wanted: Vec<WantedFile>) {
        let change = FileSetChange::plan("armed", wanted, UnixMoment::at(NOW));
        let request = ChangeRequest {
            arm: Some(ArmRequest {
                within: 60,
                start: &|_| Ok(()),
            }),
            ..ChangeRequest::default()
        };
        let journal = self.journal();
        let session = journal.lock().expect("it is locked");
        session
            .perform(Box::new(change.expect("it is planned")), request)
            .expect("it is armed");
    }

    pub(crate) fn etc(&self) -> PathBuf {
        self.scratch.path().join("etc")
    }

    pub(crate) fn hosts(&self) -> PathBuf {
        self.etc().join("hosts")
    }

    pub(crate) fn journal(&self) -> Journal {
        journal(self.scratch.path(), Arc::new(UnsyncedStorage), 5)
    }

    /// The journal after the next boot.
    pub(crate) fn after_boot(&self) -> Journal {
        let clock = TestClock::default();
        clock.boot.store(2, Ordering::Relaxed);
        Journal::new(JournalOptions {
            storage: Arc::new(UnsyncedStorage),
            clock: Arc::new(clock),
            kinds: ChangeKinds::default(),
            ..JournalOptions::at(self.scratch.path().join("state"))
        })
    }

    /// The watchdog's time has come.
    pub(crate) fn let_time_pass(&self) {
        let journal = journal(self.scratch.path(), Arc::new(UnsyncedStorage), 1_000_000);
        let outcome = journal.watch(1).expect("it is reversed");
        assert_eq!(outcome, WatchOutcome::Reversed);
    }
}

pub(crate) fn text_of(path: &Path) -> String {
    fs::read_to_string(path).expect("it is read")
}

pub(crate) fn told(journal: &Journal) -> Vec<RecoveryReport> {
    journal.lock().expect("it is locked").recovered.clone()
}

/// The path that a sentence ends with.
pub(crate) fn kept_in(report: &RecoveryReport) -> PathBuf {
    let (_, path) = report.what.rsplit_once("is kept: ").expect("it says where");
    PathBuf::from(path)
}
