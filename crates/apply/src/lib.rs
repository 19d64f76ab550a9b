//! Changing a firewall without locking yourself out.
//!
//! New rules are first loaded in a network of their own ([`rehearse`]), together with the rules that are in
//! force and back again: what the kernel lists there is what was meant, and the way back is known to work
//! before it is needed. The listing is what [`prove_access`] asks whether you stay in. [`RulesChange`] then
//! loads it, one transaction a mechanism, and takes it back exactly, through the journal and its watchdog.

mod access;
mod act;
mod cut;
mod devices;
mod dialed;
mod emptied;
mod error;
mod foreign;
mod insertion;
mod loader;
mod login;
mod rejecting;
mod risk;
mod save;
mod starting;
mod staying;
mod steps;
mod units;
mod verdict;

pub use access::{AccessQuestion, access_questions, policy_questions};
pub use act::{
    Rehearsal, RuleTools, RulesChange, loaded_alone, read_state, rehearse, rules_in_force,
};
pub use cut::{CutConnection, cut_connections};
pub use dialed::{dialed_address, dialed_questions, leads_elsewhere};
pub use emptied::{FlushWishes, emptied_rules};
pub use error::ApplyError;
pub use insertion::files_with_rules;
pub use loader::{RuleFile, backend_of_host, tables_added_to};
pub use login::{ConfirmProblem, LoginConnection, LoginRecord, find_logins};
pub use rejecting::{RejectingRules, rejecting_rules};
pub use risk::{AccessRisk, frame_risks, zone_risks};
pub use save::{SaveHabit, SavedFile, files_to_save, is_written_by_hand, rule_keeper};
pub use starting::{StartingForm, starting_rules};
pub use steps::{LoadStep, steps_to};
pub use units::{RuleState, RuleUnit, UnitKey};
pub use verdict::{AccessAnswer, AccessVerdict, prove_access};
