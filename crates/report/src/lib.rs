//! What surefoot has to say, before anybody decides how it looks.
//!
//! A [`Finding`] says that a machine is wrong; a [`Problem`] says that an input is odd.
//! Both are plain values with a place to look at, and both serialise, so that whatever
//! a person is shown exists as JSON from the same value.
//! This crate never reads, prints or exits: it turns values into text and text stays a value.

mod finding;
mod problem;
mod source;

pub use finding::{
    Area, Certainty, Evidence, Finding, Place, Remedy, Report, Severity, Unknown, sort_worst_first,
};
pub use problem::{Level, Problem};
pub use source::{Position, Source, Span};
