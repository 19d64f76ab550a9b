//! Looking: what connects the pure parts with the machine. Only what is here reads, connects or starts anything.

mod breaking;
mod builder;
mod config_place;
mod front;
mod given;
mod hold;
mod hop_files;
mod hop_states;
mod journald;
mod log_tail;
mod look;
mod names;
mod probe;
mod program_files;
mod question;
mod recent_files;
mod samples;
mod threads;
mod units;

pub use breaking::{HoldPlan, HoldReport, HoldStep, hold_and_ask, plan_holds};
pub use hold::DaemonHold;
pub use look::{LookedAt, look_and_diagnose};
pub use question::DiagnoseQuestion;
pub use recent_files::own_changes;
