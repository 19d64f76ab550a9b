//! Processes that are stuck, dead or refuse to stop.
//!
//! [`AREA`] and [`check`] are what `surefoot check` says of processes. [`explain_process`] says why one will or
//! will not end, [`report_signals`] what it does about signals. Both are pure: they read facts of a
//! [`surefoot_host::Host`] and a [`surefoot_host::ProcessDetail`], never the machine.

mod explanation;
mod findings;
mod plight;
mod signal;

pub use explanation::{
    SignalLine, SignalReport, SignalSender, StopExplanation, explain_process, named,
    report_signals, waiting_shell,
};
pub use findings::{AREA, check};
pub use plight::{
    ProcessPlight, SignalHandling, SignalOutcome, WaitCause, classify, handling_of,
    is_namespace_init, outcome_of_kill, outcome_of_request, outcome_of_term,
};
pub use signal::{
    CONT, DefaultAction, INT, KILL, QUIT, SIGNALS, STOP, SignalPage, TERM, mask_has, signal_name,
    signal_number, signal_page, signals_in,
};
