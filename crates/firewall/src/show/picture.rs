//! The picture of a rule set as a plain value; every form is drawn from it.

use serde::Serialize;

/// What of a rule set is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only tables of this name, `filter` or `inet filter`.
    pub table: Option<String>,
    /// Only chains of this name, and what they call.
    pub chain: Option<String>,
    /// Only chains at this hook, such as `input`.
    pub hook: Option<String>,
    /// Calls are not followed deeper than this; 0 shows base chains only.
    pub depth: Option<usize>,
    /// Counters and long lists in full.
    pub exact: bool,
}

/// A rule set, drawn as the kernel goes through it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Picture {
    /// Whether counters and long lists are shown in full.
    pub exact: bool,
    /// The tables that fit the selection, by backend.
    pub tables: Vec<TableView>,
    /// The hooks in the order in which a packet traverses them.
    pub hooks: Vec<HookView>,
    /// Chains that no hook leads to, and chains that were asked for by name.
    pub apart: Vec<Apart>,
    /// All chains that are shown, in the order of the drawing; the other lists index this one.
    pub chains: Vec<ChainView>,
    /// The sets that the chains shown can name.
    pub sets: Vec<SetView>,
    /// What the selection asked for and is not there.
    pub missing: Vec<String>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableView {
    /// What holds it: `iptables-legacy`, `iptables-nft`, `iptables` or `nft`.
    pub backend: &'static str,
    /// nft's word for the packets that it sees.
    pub family: &'static str,
    /// Its name.
    pub name: String,
    /// Loaded, but in force nowhere.
    pub dormant: bool,
    /// How many chains it has.
    pub chains: usize,
    /// How many rules.
    pub rules: usize,
    /// Flowtables, helpers, quotas and the like.
    pub others: Vec<String>,
}

impl TableView {
    /// `ip filter`.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.family, self.name)
    }
}

/// A hook, with the chains that the kernel calls there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HookView {
    /// Where in the kernel: `device`, `bridge`, `arp` or `ip`.
    pub layer: &'static str,
    /// nft's word for it.
    pub hook: &'static str,
    /// Base chains by priority, as indices into [`Picture::chains`].
    pub chains: Vec<usize>,
}

/// A chain that is drawn on its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Apart {
    /// Index into [`Picture::chains`].
    pub chain: usize,
    /// Why it stands apart.
    pub why: WhyApart,
}

/// Why a chain is drawn on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WhyApart {
    /// It was asked for by name.
    Selected,
    /// It is called, but too deep to be drawn there.
    Deep,
    /// Its table is dormant.
    Dormant,
    /// No call of it was read, but a map whose elements are not all known may call it.
    Unsure,
    /// Nothing calls it.
    Uncalled,
    /// It is called only by chains that no hook leads to.
    Unreached,
}

/// A chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainView {
    /// Index into [`Picture::tables`].
    pub table: usize,
    /// Its name.
    pub name: String,
    /// How the kernel calls it; none for a user chain.
    pub base: Option<BaseView>,
    /// How many rules and maps call it.
    pub callers: usize,
    /// Its rules in order.
    pub rules: Vec<RuleView>,
}

/// How the kernel calls a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BaseView {
    /// nft's word for the hook.
    pub hook: &'static str,
    /// Lower is earlier.
    pub priority: i32,
    /// `filter`, `nat` or `route`.
    pub kind: &'static str,
    /// `accept` or `drop`.
    pub policy: &'static str,
    /// The devices of an ingress or egress chain.
    pub devices: Vec<String>,
    /// Packets that met the policy, where the text has them.
    pub packets: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleView {
    /// Its number in the chain, from 1.
    pub number: u32,
    /// nft's handle, where known.
    pub handle: Option<u64>,
    /// Packets counted, where it counts.
    pub packets: Option<u64>,
    /// Bytes counted.
    pub bytes: Option<u64>,
    /// One word: `accept`, `jump`; what it does where it does not decide, such as `log`.
    pub verdict: String,
    /// The chain that it calls.
    pub call: Option<DrawnCall>,
    /// Conditions, changes and the particulars of the verdict.
    pub words: String,
    /// Its comment.
    pub comment: Option<String>,
    /// The ways of a verdict map.
    pub ways: Vec<Way>,
    /// The name of the text it stands in.
    pub source: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// As it is written, cut where it is very long.
    pub text: String,
}

/// One way out of a verdict map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Way {
    /// The keys that lead there.
    pub keys: String,
    /// The verdict in words.
    pub verdict: String,
    /// The chain that it calls.
    pub call: Option<DrawnCall>,
}

/// A call of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DrawnCall {
    /// The name of the chain.
    pub name: String,
    /// Index into [`Picture::chains`]; none if it is not shown at all.
    pub chain: Option<usize>,
    /// Where the chain is drawn.
    pub drawn: DrawnAs,
}

/// Where a called chain is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DrawnAs {
    /// Under this call.
    Here,
    /// Somewhere else: a chain is drawn once.
    Elsewhere,
    /// It encloses this call: a loop, which the kernel refuses to load.
    Loop,
    /// Nowhere, because calls are followed only so deep.
    Deeper,
}

/// A set or a map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetView {
    /// `ipset`, or the table that has it.
    pub of: String,
    /// Its name.
    pub name: String,
    /// Its type as written.
    pub kind: String,
    /// Whether it maps to something.
    pub map: bool,
    /// How many elements were read; none if its content is unknown.
    pub elements: Option<usize>,
    /// Whether packets or timeouts may change it.
    pub dynamic: bool,
    /// How many rules of the chains shown name it.
    pub uses: usize,
}
