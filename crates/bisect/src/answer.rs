//! What a search found, in the words of files and lines: for people and for programs.

use serde::Serialize;
use similar::TextDiff;

use crate::act::ChangedFiles;
use crate::search::{BisectCause, BisectVerdict, SearchAnswer, TestOutcome};
use crate::tree::{ConfigEdit, ConfigTree, UnitId};

/// A statement or block as a person finds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedUnit {
    /// Its file.
    pub file: String,
    /// Its first line; 0 if it is a whole file.
    pub line: usize,
    /// Its last line.
    pub last_line: usize,
    /// Its first line as it stands there, without the blanks around it.
    pub text: String,
}

/// What kind of cause it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CauseKind {
    /// One statement.
    One,
    /// Several that are all needed for the symptom.
    All,
    /// Several that must all go: with any one of them left the symptom stays.
    Any,
    /// Several that must go together.
    Together,
    /// An order of two.
    Order,
    /// One that stands in a block and should not (both are named), or a block with a header that should go.
    Place,
    /// None was found.
    Unknown,
}

/// A test that the answer rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownTest {
    /// What was changed.
    pub change: String,
    /// What the test said.
    pub outcome: TestOutcome,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedAnswer {
    /// How much was shown.
    pub verdict: BisectVerdict,
    /// What kind of cause it is.
    pub cause: CauseKind,
    /// What causes the symptom.
    pub culprits: Vec<NamedUnit>,
    /// The smallest change that cures, as a unified diff.
    pub cure: String,
    /// The tests that show it.
    pub shown: Vec<ShownTest>,
    /// Statements without which the symptom is there as well.
    pub also_without: Vec<NamedUnit>,
    /// Whether the search came to its end.
    pub is_complete: bool,
    /// What the test said instead, if an answer was found and did not hold when it was tested once more.
    pub not_confirmed: Option<TestOutcome>,
}

/// Names a unit.
pub fn name_unit(tree: &ConfigTree, id: UnitId) -> NamedUnit {
    let unit = tree.unit(id);
    let text = tree.text_of(id);
    let is_whole = tree.files[unit.file].is_whole;
    NamedUnit {
        file: tree.files[unit.file].path.clone(),
        line: if is_whole { 0 } else { unit.line },
        last_line: if is_whole { 0 } else { unit.last_line },
        text: text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_end()
            .to_owned(),
    }
}

impl NamedUnit {
    /// Where it is: `FILE:LINE`, or the file alone where it is a whole one.
    pub fn place(&self) -> String {
        if self.line == 0 {
            return self.file.clone();
        }
        format!("{}:{}", self.file, self.line)
    }

    /// The text, with how far a block reaches.
    pub fn shown(&self) -> String {
        if self.last_line > self.line {
            format!("{} … (to line {})", self.text, self.last_line)
        } else {
            self.text.clone()
        }
    }
}

/// Names what an answer says.
pub fn name_answer(tree: &ConfigTree, answer: &SearchAnswer, makers: &[UnitId]) -> NamedAnswer {
    let (cause, units) = match &answer.cause {
        BisectCause::One { unit } => (CauseKind::One, vec![*unit]),
        BisectCause::All { units } => (CauseKind::All, units.clone()),
        BisectCause::Any { units } => (CauseKind::Any, units.clone()),
        BisectCause::Together { units } => (CauseKind::Together, units.clone()),
        BisectCause::Order { first, second, .. } => (CauseKind::Order, vec![*first, *second]),
        BisectCause::Place { unit, block } => (
            CauseKind::Place,
            std::iter::once(*unit).chain(*block).collect(),
        ),
        BisectCause::Unknown => (CauseKind::Unknown, vec![]),
    };
    let shown = answer.proof.iter().map(|step| ShownTest {
        change: describe_edit(tree, &step.edit),
        outcome: step.outcome,
    });
    NamedAnswer {
        verdict: answer.verdict,
        cause,
        culprits: units.iter().map(|id| name_unit(tree, *id)).collect(),
        cure: cure_diff(tree, &answer.cure),
        shown: shown.collect(),
        also_without: if cause == CauseKind::Unknown {
            vec![]
        } else {
            makers.iter().map(|id| name_unit(tree, *id)).collect()
        },
        is_complete: answer.is_complete,
        not_confirmed: answer.untouched,
    }
}

/// An edit in a few words.
pub fn describe_edit(tree: &ConfigTree, edit: &ConfigEdit) -> String {
    let mut words = Vec::new();
    if !edit.deleted.is_empty() {
        let is_whole = |id: &UnitId| tree.files[tree.unit(*id).file].is_whole;
        let word = if edit.deleted.iter().all(is_whole) {
            "with the earlier content of"
        } else {
            "without"
        };
        let places = edit.deleted.iter().map(|id| tree.place_of(*id));
        words.push(format!(
            "{word} {}",
            places.collect::<Vec<_>>().join(" and ")
        ));
    }
    for id in &edit.unwrapped {
        let place = tree.place_of(*id);
        words.push(format!("without the header {place}, with what is below it"));
    }
    for id in &edit.lifted {
        let place = tree.place_of(*id);
        words.push(format!("{place} moved out of its block"));
    }
    for (first, order) in &edit.orders {
        let siblings = tree.siblings(*first);
        let moved = siblings
            .iter()
            .zip(order)
            .find(|(own, other)| own != other)
            .map(|(own, _)| *own);
        if let Some(moved) = moved {
            let at = order.iter().position(|id| *id == moved).unwrap_or_default();
            let behind = at.checked_sub(1).and_then(|at| order.get(at));
            words.push(match behind {
                Some(behind) => format!(
                    "{} moved behind {}",
                    tree.place_of(moved),
                    tree.place_of(*behind)
                ),
                None => format!("{} moved to the front", tree.place_of(moved)),
            });
        }
    }
    if words.is_empty() {
        "untouched".to_owned()
    } else {
        words.join(", ")
    }
}

/// The change from now to an earlier content of whole files, as a unified diff.
pub fn earlier_diff(changes: &ChangedFiles, tree: &ConfigTree, edit: &ConfigEdit) -> String {
    let files = edit.deleted.iter().map(|unit| tree.unit(*unit).file);
    let diffs = files.map(|file| {
        let file = &changes.files[file];
        unified_diff(&file.path.display().to_string(), &file.now, &file.earlier)
    });
    diffs.collect()
}

fn unified_diff(path: &str, before: &[u8], after: &[u8]) -> String {
    let (before, after) = (
        String::from_utf8_lossy(before),
        String::from_utf8_lossy(after),
    );
    let diff = TextDiff::from_lines(&*before, &*after);
    let mut unified = diff.unified_diff();
    unified.context_radius(2).header(path, path).to_string()
}

/// The change of an edit as a unified diff.
pub fn cure_diff(tree: &ConfigTree, edit: &ConfigEdit) -> String {
    let mut text = String::new();
    for (file, after) in tree.changed_files(edit) {
        let source = &tree.files[file];
        text.push_str(&unified_diff(&source.path, &source.text, &after));
    }
    text
}

/// How an outcome is called.
pub fn outcome_words(outcome: TestOutcome) -> &'static str {
    match outcome {
        TestOutcome::Fine => "fine",
        TestOutcome::Symptom => "the symptom",
        TestOutcome::Other => "something else is wrong",
        TestOutcome::Rejected => "refused by the syntax test",
    }
}

impl NamedAnswer {
    /// The answer as a sentence or two for people.
    pub fn sentence(&self) -> String {
        let places = |separator: &str| {
            let places = self.culprits.iter().map(NamedUnit::place);
            places.collect::<Vec<_>>().join(separator)
        };
        let cut_off = if self.is_complete {
            ""
        } else {
            " The search was not ended: there may be more."
        };
        let said = match self.cause {
            CauseKind::One if self.culprits.iter().all(|unit| unit.line == 0) => format!(
                "{} causes the symptom: with its earlier content all is fine.",
                places("")
            ),
            CauseKind::One => format!("{} causes the symptom: without it all is fine.", places("")),
            CauseKind::All => format!(
                "{} cause the symptom together: without any one of them it is gone.",
                places(" and ")
            ),
            CauseKind::Any => format!(
                "With any one of {} left the symptom stays: all of them must go.",
                places(" and ")
            ),
            CauseKind::Together => format!(
                "Without {} all is fine; leaving out fewer of them is not enough.",
                places(" and ")
            ),
            CauseKind::Order => format!(
                "{} stands before {}: in the other order all is fine.",
                self.culprits
                    .first()
                    .map(NamedUnit::place)
                    .unwrap_or_default(),
                self.culprits
                    .get(1)
                    .map(NamedUnit::place)
                    .unwrap_or_default()
            ),
            CauseKind::Place if self.culprits.len() == 2 => format!(
                "{} stands in the block {}: outside of it all is fine.",
                self.culprits[0].place(),
                self.culprits[1].place()
            ),
            CauseKind::Place => format!(
                "the header {} takes what stands below it: without the header all is fine.",
                places("")
            ),
            CauseKind::Unknown if self.verdict == BisectVerdict::NotReproducible => {
                "at the end of the search the untouched configuration did not show the symptom any more."
                    .to_owned()
            }
            CauseKind::Unknown if self.not_confirmed.is_some() => {
                "What was found did not cure when it was tested once more.".to_owned()
            }
            CauseKind::Unknown => {
                "No deletion and no move that was tested cures the symptom.".to_owned()
            }
        };
        format!("{said}{cut_off}")
    }
}
