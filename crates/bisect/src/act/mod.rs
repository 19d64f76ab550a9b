//! The part that acts: reads files, puts candidates in force, runs tests, puts everything back.

mod candidates;
mod changes;
mod conffiles;
mod guard;
mod intervention;
mod load;
mod pattern;
mod run;
mod settle;
mod shell;
mod trial;
mod way_back;

pub use changes::{ChangedFile, ChangedFiles, gather_changes};
pub use guard::{GuardLink, GuardOutcome, GuardStarter, guard_bisection};
pub use intervention::ConfigIntervention;
pub use load::{LoadedConfig, load_config};
pub use run::{
    BisectOptions, BisectRun, InterventionSetting, RestoredState, UntouchedState, run_bisect,
    run_changes,
};
pub use trial::{BisectProgress, TestCommands};
