//! A rule set as one picture: hooks in the kernel's order, chains by priority, jumps as a tree.
//!
//! An administrator who inherits a machine has to see which chains a packet reaches first. So the
//! picture follows the packet and not the files: every backend is in it at once, a user chain
//! stands where it is called, and chains that are never called come last.
//! [`fn@picture`] makes a plain value; text, JSON, Graphviz and SVG are drawn from the same value.

mod build;
mod captions;
mod count;
mod dot;
mod order;
mod picture;
mod rows;
mod schema;
mod select;
mod sets;
mod svg;
mod text;
mod values;
mod words;

use serde::Serialize;

pub use build::picture;
pub use dot::dot;
pub use picture::{
    Apart, BaseView, ChainView, DrawnAs, DrawnCall, HookView, Picture, RuleView, Selection,
    SetView, TableView, Way, WhyApart,
};
pub use schema::schema;
pub use svg::svg;
pub(crate) use svg::xml_escaped;
pub use text::text;

/// The version of the JSON document; it goes up when a field changes its meaning or goes away.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    tool: Tool,
    #[serde(flatten)]
    picture: &'a Picture,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

/// The picture as a JSON document with a version; [`fn@schema`] describes it.
pub fn json(picture: &Picture) -> String {
    let document = Document {
        version: VERSION,
        tool: Tool {
            name: "surefoot",
            version: env!("CARGO_PKG_VERSION"),
        },
        picture,
    };
    let text = serde_json::to_string_pretty(&document);
    text.expect("our values have text keys only, and writing to memory does not fail") + "\n"
}
