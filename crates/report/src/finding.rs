//! The result of an analysis: what is wrong, how sure we are, what shows it, what mends it.

use serde::{Deserialize, Serialize};

use crate::Area;

/// How much a finding matters. The order is the order of the list: worst last, so that
/// `a > b` reads "a is worse than b".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    Note,
    /// Should be mended in working hours.
    Warning,
    /// A stranger can do harm, or you can be locked out; mend it today.
    High,
    /// The machine is open, or one ordinary command away from being cut off.
    Critical,
}

impl Severity {
    /// All severities, mildest first.
    pub const ALL: [Self; 4] = [Self::Note, Self::Warning, Self::High, Self::Critical];

    /// The word that is shown and typed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// How sure the analysis is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// It holds unless something named in the finding holds.
    Possibly,
    /// The facts leave no other reading.
    Certainly,
}

/// Where a piece of evidence can be looked up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Place {
    /// A place in a file or in the output of a command; lines and columns count from 1.
    Line {
        /// A path, or the command line whose output was read.
        source: String,
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1, where one is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        column: Option<u32>,
    },
    /// A whole file, or a kernel setting.
    File {
        /// Its path.
        path: String,
    },
    /// A thing of the running kernel: a socket, a process, an interface.
    Kernel {
        /// How an administrator would name it, such as `tcp [::]:22` or `pid 714`.
        name: String,
    },
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line {
                source,
                line,
                column: Some(column),
            } => {
                write!(f, "{source}:{line}:{column}")
            }
            Self::Line {
                source,
                line,
                column: None,
            } => write!(f, "{source}:{line}"),
            Self::File { path } => f.write_str(path),
            Self::Kernel { name } => f.write_str(name),
        }
    }
}

/// One fact that shows a finding to be true.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Evidence {
    /// Where it stands.
    pub place: Place,
    /// What stands there: the rule's text, the setting's value.
    pub what: String,
    /// Packets counted by the rule, where it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
}

/// What to do about a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Remedy {
    /// What the commands achieve, as an imperative sentence without full stop.
    pub what: String,
    /// Exact commands, in order, that can be pasted into a root shell.
    pub commands: Vec<String>,
}

/// Something that is wrong with a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's code, such as `FW004`; `surefoot explain CODE` prints its page.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// How sure we are.
    pub certainty: Certainty,
    /// The part of the machine.
    pub area: &'static Area,
    /// One line: what is wrong.
    pub title: String,
    /// What could happen because of it, in a sentence or two.
    pub impact: String,
    /// What shows it, most telling first.
    pub evidence: Vec<Evidence>,
    /// What mends it, best first.
    pub remedies: Vec<Remedy>,
}

/// A fact that could not be had, and the questions that it leaves open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Unknown {
    /// The missing fact.
    pub fact: String,
    /// Why it is missing.
    pub why: String,
    /// What surefoot therefore does not say.
    pub leaves_open: String,
}

/// The answer of a command that gives findings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The machine or the file that was looked at.
    pub subject: String,
    /// Worst first, see [`sort_worst_first`].
    pub findings: Vec<Finding>,
    /// The facts that were unknown.
    pub unknowns: Vec<Unknown>,
}

/// Sorts findings worst first: by severity, then by how sure we are, then by code and text,
/// so that equal facts give an equal list.
pub fn sort_worst_first(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        (b.severity, b.certainty)
            .cmp(&(a.severity, a.certainty))
            .then_with(|| (&a.code, &a.title, &a.evidence).cmp(&(&b.code, &b.title, &b.evidence)))
    });
}
