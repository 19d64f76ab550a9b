//! The change of loaded rules as the journal makes it.
//!
//! Before and after are listings of the same tables and sets, and one function brings the kernel to either
//! of them; so making the change, taking it back and undoing it later are the same act.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use surefoot_host::Interface;
use surefoot_journal::{
    Change, ChangeDescription, ChangeStanding, EntryRoom, JournalError, StoredContent, content_diff,
};

use super::rehearse::Rehearsal;
use super::tools::{RuleTools, read_state};
use crate::foreign::{ForeignChanges, carry_elements, foreign_units};
use crate::login::LoginRecord;
use crate::steps::steps_to;
use crate::units::{RuleState, UnitKey};

/// A change of the rules in the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesChange {
    title: String,
    tools: RuleTools,
    /// What is changed.
    keys: Vec<UnitKey>,
    /// The network whose rules they are, as `/proc` names it.
    network: String,
    /// The boot in which they were loaded.
    boot: String,
    /// Whether they are saved when they are confirmed.
    #[serde(default)]
    saved: bool,
    /// The interfaces that were there, with their numbers.
    #[serde(default)]
    interfaces: BTreeMap<String, u32>,
    /// The connections that were there.
    logins: LoginRecord,
    before: Option<StoredContent>,
    after: Option<StoredContent>,
    #[serde(skip)]
    planned: PlannedStates,
}

/// What was planned, until it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PlannedStates {
    /// What must be there; whatever is there is replaced if nothing is said.
    before: Option<RuleState>,
    after: RuleState,
}

/// Which way rules are loaded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LoadDirection {
    /// New ones: all, or none.
    Forth,
    /// Old ones: whatever of them can be.
    Back,
}

impl RulesChange {
    /// The name of this kind of change.
    pub const KIND: &'static str = "firewall rules";

    /// A change from the rules in force to those of a rehearsal.
    pub fn plan(
        title: String,
        tools: RuleTools,
        before: RuleState,
        rehearsal: Rehearsal,
        logins: LoginRecord,
    ) -> Self {
        Self {
            title,
            tools,
            keys: rehearsal.changed,
            network: String::new(),
            boot: String::new(),
            saved: false,
            interfaces: BTreeMap::new(),
            logins,
            before: None,
            after: None,
            planned: PlannedStates {
                before: Some(before),
                after: rehearsal.after,
            },
        }
    }

    /// Whether the rules are to be saved when they are confirmed.
    #[must_use]
    pub fn to_be_saved(mut self, saved: bool) -> Self {
        self.saved = saved;
        self
    }

    /// Whether the rules are to be saved when they are confirmed.
    pub fn is_to_be_saved(&self) -> bool {
        self.saved
    }

    /// The same, knowing the interfaces of the machine, of which some may be missing when it is taken back.
    #[must_use]
    pub fn with_interfaces(mut self, interfaces: &[Interface]) -> Self {
        let numbers = interfaces
            .iter()
            .map(|interface| (interface.name.clone(), interface.index));
        self.interfaces = numbers.collect();
        self
    }

    /// Reads the record of an entry.
    pub fn from_record(record: &Value) -> Option<Self> {
        serde_json::from_value(record.clone()).ok()
    }

    /// The connections that were there when the rules were loaded.
    pub fn logins(&self) -> &LoginRecord {
        &self.logins
    }

    fn state(
        room: &EntryRoom<'_>,
        kept: Option<&StoredContent>,
    ) -> Result<RuleState, JournalError> {
        let Some(kept) = kept else {
            return Ok(RuleState::default());
        };
        let bytes = room.vault.fetch(kept)?;
        serde_json::from_slice(&bytes).map_err(|error| JournalError::DamagedBackup {
            path: room.vault.folder().join(&kept.file),
            why: error.to_string(),
        })
    }

    fn now(&self, room: &EntryRoom<'_>) -> Result<RuleState, JournalError> {
        read_state(&self.tools, &|words, input| room.run_program(words, input))
    }

    /// Brings the rules to a state. Names of missing interfaces are numbers there; a chain at one is left out
    /// where it does not load.
    fn go_to(
        &self,
        state: &RuleState,
        room: &EntryRoom<'_>,
        direction: LoadDirection,
    ) -> Result<(), JournalError> {
        let run = |words: &[String], input: &[u8]| room.run_program(words, input);
        let steps = |state: &RuleState| {
            let sets = self.tools.set_names(&run)?;
            Ok::<_, JournalError>(steps_to(state, &self.keys, self.tools.has_nft(), &sets))
        };
        let missing = self.missing_interfaces();
        let state = state.with_numbers(&missing);
        let loaded = self.tools.run_steps(&steps(&state)?, &run);
        let Err(refusal) = loaded else { return Ok(()) };
        let reduced = state.without_devices(&missing);
        if reduced != state && self.tools.run_steps(&steps(&reduced)?, &run).is_ok() {
            return Ok(());
        }
        if direction == LoadDirection::Forth {
            return Err(refusal);
        }
        let tell = |line: &str| {
            room.warn(format!(
                "this rule cannot be loaded again and is left out: {line}"
            ));
        };
        self.tools.run_steps_back(&steps(&reduced)?, &run, &tell)
    }

    /// The interfaces that were there and are missing now.
    fn missing_interfaces(&self) -> BTreeMap<String, u32> {
        let text = std::fs::read_to_string("/proc/thread-self/net/dev");
        let Ok(text) = text else {
            return BTreeMap::new();
        };
        let there: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_once(':').map(|(name, _)| name.trim()))
            .collect();
        let mut missing = self.interfaces.clone();
        missing.retain(|name, _| !there.contains(&name.as_str()));
        missing
    }

    /// The states as which this one may be listed, as interfaces are missing.
    fn listed_forms(&self, state: &RuleState) -> [RuleState; 2] {
        let missing = self.missing_interfaces();
        let state = state.with_numbers(&missing);
        let reduced = state.without_devices(&missing);
        [state, reduced]
    }

    fn is_same_boot(&self) -> bool {
        self.boot == boot_name()
    }

    /// Refuses to act on the rules of another network than those that were changed.
    fn check_network(&self) -> Result<(), JournalError> {
        let here = network_name();
        if !self.is_same_boot() || self.network == here {
            return Ok(());
        }
        Err(JournalError::KindRefused {
            why: format!(
                "these rules were loaded in another network namespace, {}; this is {here}",
                self.network
            ),
        })
    }

    /// The old rules with the elements that other programs changed since, and what they changed; nothing if none
    /// did.
    fn merged(
        &self,
        before: &RuleState,
        after: &RuleState,
        now: &RuleState,
    ) -> Option<(RuleState, ForeignChanges)> {
        let missing = self.missing_interfaces();
        let [before, after, now] = [before, after, now].map(|state| state.with_numbers(&missing));
        let foreign = foreign_units(&before, &after, &now, &self.keys);
        let clients = self.logins.clients();
        let (merged, carried) = carry_elements(&before, &after, &now, (&self.keys, &clients));
        if foreign.is_empty() && carried.is_empty() {
            return None;
        }
        let diff = self.diff(&after, &now);
        Some((merged, ForeignChanges { carried, diff }))
    }

    fn diff(&self, from: &RuleState, to: &RuleState) -> String {
        let mut text = String::new();
        for key in &self.keys {
            let (old, new) = (from.normal(key), to.normal(key));
            if old != new {
                let bytes = |text: Option<String>| text.map(String::into_bytes);
                let (old, new) = (bytes(old), bytes(new));
                let diff = content_diff(&key.to_string(), old.as_deref(), new.as_deref());
                let _ = write!(text, "{diff}");
            }
        }
        text
    }
}

impl Change for RulesChange {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn describe(&self, room: &EntryRoom<'_>) -> Result<ChangeDescription, JournalError> {
        let before = Self::state(room, self.before.as_ref())?;
        let after = Self::state(room, self.after.as_ref())?;
        Ok(ChangeDescription {
            title: self.title.clone(),
            diff: self.diff(&before, &after),
            // Tables work together: whoever changes one while another is armed is proved nothing.
            touches: vec!["firewall rules".to_owned()],
        })
    }

    fn back_up(&mut self, room: &mut EntryRoom<'_>) -> Result<(), JournalError> {
        self.network = network_name();
        self.boot = boot_name();
        let now = self.now(room)?;
        if let Some(planned) = &self.planned.before {
            let changed = planned.changed_units(&now);
            if let Some(key) = changed.first() {
                return Err(JournalError::KindRefused {
                    why: format!("{key} was changed by another program meanwhile; begin again"),
                });
            }
        }
        let keep = |room: &mut EntryRoom<'_>, name: &str, state: &RuleState| {
            let bytes = serde_json::to_vec(state).unwrap_or_default();
            room.keep(name, &bytes)
        };
        self.before = Some(keep(room, "before", &now)?);
        self.after = Some(keep(room, "after", &self.planned.after)?);
        Ok(())
    }

    fn apply(&self, room: &EntryRoom<'_>) -> Result<(), JournalError> {
        self.check_network()?;
        let after = Self::state(room, self.after.as_ref())?;
        self.go_to(&after, room, LoadDirection::Forth)
    }

    fn verify(&self, room: &EntryRoom<'_>) -> Result<ChangeStanding, JournalError> {
        self.check_network()?;
        let now = self.now(room)?;
        let now = now.with_numbers(&self.missing_interfaces());
        let before = self.listed_forms(&Self::state(room, self.before.as_ref())?);
        let after = self.listed_forms(&Self::state(room, self.after.as_ref())?);
        let is_as = |key: &UnitKey, forms: &[RuleState; 2]| {
            let there = now.normal(key);
            forms.iter().any(|form| there == form.normal(key))
        };
        let mut keys = self.keys.iter();
        Ok(if keys.clone().all(|key| is_as(key, &after)) {
            ChangeStanding::After
        } else if keys.clone().all(|key| is_as(key, &before)) {
            ChangeStanding::Before
        } else if keys.all(|key| is_as(key, &before) || is_as(key, &after)) {
            ChangeStanding::Between
        } else {
            ChangeStanding::Elsewhere {
                diff: self.diff(&after[0], &now),
            }
        })
    }

    fn revert(&self, room: &EntryRoom<'_>) -> Result<(), JournalError> {
        if !self.is_same_boot() {
            room.note_left(
                "the machine was started anew since: the rules are those that it loads when it starts",
            );
            return Ok(());
        }
        self.check_network()?;
        let before = Self::state(room, self.before.as_ref())?;
        let after = Self::state(room, self.after.as_ref())?;
        // A listing that fails keeps nothing from being put back.
        let now = self.now(room).ok();
        let merged = now
            .as_ref()
            .and_then(|now| self.merged(&before, &after, now));
        let Some((merged, told)) = merged else {
            return self.go_to(&before, room, LoadDirection::Back);
        };
        let is_merged = merged != before && self.go_to(&merged, room, LoadDirection::Forth).is_ok();
        if !is_merged {
            self.go_to(&before, room, LoadDirection::Back)?;
        }
        room.note_left(format!("changed by other programs since:\n{}", told.diff));
        room.warn_left(told.in_words(is_merged));
        Ok(())
    }

    fn load(&self, room: &mut EntryRoom<'_>) -> Result<(), JournalError> {
        for kept in self.before.iter().chain(&self.after) {
            room.vault.load(kept)?;
        }
        Ok(())
    }

    fn reversal(&self, room: &EntryRoom<'_>) -> Result<Box<dyn Change>, JournalError> {
        Ok(Box::new(Self {
            before: None,
            after: None,
            planned: PlannedStates {
                before: None,
                after: Self::state(room, self.before.as_ref())?,
            },
            ..self.clone()
        }))
    }

    fn to_record(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// The name of this network; empty if it cannot be told.
fn network_name() -> String {
    let link = std::fs::read_link("/proc/thread-self/ns/net");
    link.map(|link| link.display().to_string())
        .unwrap_or_default()
}

/// The name of this boot; empty if it cannot be told.
fn boot_name() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    text.map(|text| text.trim().to_owned()).unwrap_or_default()
}
