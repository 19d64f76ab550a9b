//! What surefoot has to say, and how it looks.
//!
//! A [`Finding`] says that a machine is wrong; a [`Problem`] says that an input is odd.
//! Both are plain values with a place to look at, and both serialise, so that whatever
//! a person is shown exists as JSON from the same value.
//! This crate never reads, prints or exits: it turns values into text and text stays a value.

mod area;
mod finding;
mod json;
mod page;
mod problem;
mod sarif;
mod shell;
mod snippet;
mod source;
mod style;
mod text;
mod wrap;

pub use area::Area;
pub use finding::{
    Certainty, Evidence, Finding, Place, Remedy, Report, Severity, Unknown, sort_worst_first,
};
pub use json::{json, schema};
pub use page::Page;
pub use problem::{Level, Problem};
pub use sarif::sarif;
pub use shell::{is_plain, quoted};
pub use snippet::problems;
pub use source::{Position, Source, Span};
pub use style::{Paint, Style, escape, escape_json};
pub use text::{PageOf, TextOptions, text};
pub use wrap::wrap;
