//! A machine with an armed change, on which other programs write.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use surefoot_journal::{
    ArmRequest, ChangeKinds, ChangeRequest, FileSetChange, Journal, JournalClock, JournalOptions,
    RecoveryReport, UnixMoment, WantedFile, WatchOutcome,
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
        let machine = Self::unarmed();
        build_tree(&machine.etc());
        let wanted = WantedFile::content(machine.hosts(), b"armed\n".to_vec());
        machine.arm(vec![wanted]);
        machine
    }

    /// An empty one.
    pub(crate) fn unarmed() -> Self {
        Self {
            scratch: tempfile::tempdir().expect("a folder for scratch"),
        }
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

    /// The same journal after it was moved.
    pub(crate) fn journal_in(&self, folder: &Path) -> Journal {
        Journal::new(JournalOptions {
            state_dir: folder.to_owned(),
            ..self.journal_at(&Arc::default())
        })
    }

    fn journal_at(&self, clock: &Arc<TestClock>) -> JournalOptions {
        clock.boot.store(1, Ordering::Relaxed);
        JournalOptions {
            storage: Arc::new(UnsyncedStorage),
            clock: Arc::clone(clock) as Arc<dyn JournalClock>,
            retry_for: Duration::ZERO,
            retry_without_record: Duration::from_millis(200),
            ..JournalOptions::at(self.scratch.path().join("state"))
        }
    }

    /// A watchdog waits, something is done, and if that did not settle the entry its time comes.
    pub(crate) fn watch_while(&self, act: impl FnOnce()) -> WatchOutcome {
        self.watch_with(|wait_until_ready| {
            wait_until_ready();
            act();
        })
    }

    /// As [`ArmedMachine::watch_while`], with the entry made on the way: the watchdog waits for it.
    pub(crate) fn watch_with(&self, act: impl FnOnce(&dyn Fn())) -> WatchOutcome {
        self.watch_for(Duration::ZERO, act)
    }

    /// As [`ArmedMachine::watch_with`], by a watchdog that tries for so long.
    pub(crate) fn watch_for(
        &self,
        retry_for: Duration,
        act: impl FnOnce(&dyn Fn()),
    ) -> WatchOutcome {
        let clock = Arc::default();
        let journal = Journal::new(JournalOptions {
            retry_for,
            ..self.journal_at(&clock)
        });
        let folder = journal.entry_folder(1);
        let wait_for = |path: &Path| {
            let begun = Instant::now();
            while !path.exists() {
                let shown = path.display();
                assert!(begun.elapsed() < Duration::from_secs(10), "no {shown}");
                std::thread::sleep(Duration::from_millis(2));
            }
        };
        std::thread::scope(|scope| {
            let watchdog = scope.spawn(|| {
                wait_for(&folder.join("entry.json"));
                journal.watch(1)
            });
            act(&|| wait_for(&folder.join("watchdog")));
            // Long enough for a look.
            std::thread::sleep(Duration::from_millis(300));
            clock.uptime.store(1_000_000, Ordering::Relaxed);
            let outcome = watchdog.join().expect("it does not panic");
            outcome.expect("it ends well")
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
