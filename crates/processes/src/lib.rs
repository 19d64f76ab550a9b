//! Processes that are stuck, dead or refuse to stop, and how to stop them.
//!
//! [`AREA`] and [`check`] are what `surefoot check` says of processes. [`explain_process`] says why one will or
//! will not end, [`report_signals`] what it does about signals, [`plan_stop`] what stopping would do. These are
//! pure: they read facts of a [`surefoot_host::Host`] and a [`surefoot_host::ProcessDetail`]. The
//! module `act` alone touches the machine: [`gather_stop_plan`] and [`carry_out`].

mod act;
mod explanation;
mod findings;
mod manners;
mod plan;
mod plight;
mod protection;
mod signal;
mod target;

pub use act::{
    EndedProcess, ProcessEnd, RestartedProcess, ServedPort, StopError, StopReport, StopSurvivor,
    carry_out, gather_stop_plan,
};
pub use explanation::{
    SignalLine, SignalReport, SignalSender, StopExplanation, explain_process, named,
    report_signals, waiting_shell,
};
pub use findings::{AREA, check};
pub use manners::{DaemonManners, ProcessRestart, UnitState, manners_of, restart_of};
pub use plan::{
    DEFAULT_GRACE, StopInputs, StopMember, StopOptions, StopPlan, StopRefusal, companions_of,
    plan_stop,
};
pub use plight::{
    ProcessPlight, SignalHandling, SignalOutcome, WaitCause, classify, handling_of,
    is_namespace_init, outcome_of_kill, outcome_of_request, outcome_of_term,
};
pub use protection::protection_of;
pub use signal::{
    CONT, DefaultAction, INT, KILL, QUIT, SIGNALS, STOP, SignalPage, TERM, mask_has, signal_name,
    signal_number, signal_page, signals_in,
};
pub use target::{StopTarget, TargetError, find_in_facts, is_unit};
