//! The daemon and the cause behind a symptom.
//!
//! What was seen of a chain of daemons is a [`Scene`]: hops, edges, and observations of each. The rules of
//! [`CAUSE_RULES`] go from observations to causes, and [`diagnose_scene`] weighs them: a cause that no observation
//! connects with the symptom is not named, and where nothing is left the answer is *unknown*. All of this is pure;
//! only `act` looks at the machine.

mod act;
mod chain;
pub mod discover;
mod drawing;
mod error;
mod html_page;
mod localise;
mod observation;
mod offer;
mod recent;
mod rules;
mod target;
mod verdict;
pub mod wire;

pub use act::{
    DaemonHold, DiagnoseQuestion, HoldPlan, HoldReport, HoldStep, LookedAt, hold_and_ask,
    look_and_diagnose, own_changes, plan_holds,
};
pub use chain::{ChainEdge, EdgeSource, HopAddress, HopProtocol};
pub use drawing::{draw_chain, hop_state, write_answer};
pub use error::{DiagnoseError, HoldError};
pub use html_page::write_page;
pub use localise::{HoldConclusion, HoldEffect, HoldGroup, HoldSearch, hold_obstacle};
pub use observation::{
    CertificateFacts, ConfigFacts, ConnectOutcome, HopFacts, ListenerFacts, LogLine, NameFacts,
    PidFileFacts, ProbeFacts, ProcessFacts, ReplyOutcome, Scene, ShownSymptom, SocketFile,
    StorageFacts, SymptomOutcome,
};
pub use offer::{BisectOffer, offer_bisect};
pub use recent::RecentChange;
pub use rules::{CAUSE_RULES, CauseCertainty, CauseRule, FaultEffect};
pub use target::{AskedTarget, AskedUrl, parse_target, suggest_url};
pub use verdict::{CauseBearing, DiagnosisVerdict, NamedCause, SceneDiagnosis, diagnose_scene};
