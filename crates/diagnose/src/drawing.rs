//! The chain and the answer as text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::act::{HoldReport, LookedAt};
use crate::chain::EdgeSource;
use crate::localise::{HoldEffect, hold_obstacle};
use crate::observation::{ConnectOutcome, HopFacts, ReplyOutcome, Scene, SymptomOutcome};
use crate::recent::change_lines;
use crate::rules::{CauseCertainty, log_command};
use crate::verdict::{CauseBearing, DiagnosisVerdict, NamedCause, SceneDiagnosis, deepest_failing};

/// A text in one line: what a machine calls its files and programs makes no lines of its own.
fn flat(text: &str) -> String {
    text.replace('\n', "\\n").replace('\r', "\\r")
}

/// What came of asking a hop, in a few words.
pub fn hop_state(hop: &HopFacts) -> String {
    let held = hop
        .workers()
        .filter(|it| it.state == 'T' || it.is_frozen)
        .count();
    if held > 0 {
        return format!("{held} of its processes stopped");
    }
    let Some(probe) = &hop.probe else {
        return "not asked".to_owned();
    };
    match (&probe.connect, &probe.reply) {
        (ConnectOutcome::Connected, reply) => match reply {
            ReplyOutcome::Good(text) => format!("answers: {text}"),
            ReplyOutcome::Complaint { text, .. } => format!("says {text}"),
            ReplyOutcome::Silent => "accepts, no answer within 2 s".to_owned(),
            ReplyOutcome::Closed => "ends the connection".to_owned(),
            ReplyOutcome::Garbled(_) => "answers in another protocol".to_owned(),
            ReplyOutcome::NotAsked => "accepts connections".to_owned(),
        },
        (ConnectOutcome::Refused, _) => "refuses connections".to_owned(),
        (ConnectOutcome::TimedOut, _) => "no answer to a connection".to_owned(),
        (ConnectOutcome::Missing, _) => "no such socket".to_owned(),
        (ConnectOutcome::QueueFull, _) => "its queue is full".to_owned(),
        (ConnectOutcome::Unresolved(_), _) => "the name cannot be resolved".to_owned(),
        (ConnectOutcome::Failed(why), _) => why.clone(),
        (ConnectOutcome::Untried, _) => "not asked".to_owned(),
    }
}

/// Draws the chain as a tree, with what each hop answers and how the way to it is known.
pub fn draw_chain(scene: &Scene) -> String {
    let mut text = String::new();
    let mut drawn = vec![false; scene.hops.len()];
    for front in 0..scene.front_count() {
        draw_hop(scene, front, None, &[], &mut drawn, &mut text);
    }
    text
}

fn draw_hop(
    scene: &Scene,
    at: usize,
    reason: Option<&EdgeSource>,
    rails: &[bool],
    drawn: &mut [bool],
    text: &mut String,
) {
    let Some(hop) = scene.hops.get(at) else {
        return;
    };
    let mut lead = String::new();
    for (depth, goes_on) in rails.iter().enumerate() {
        let is_last = depth + 1 == rails.len();
        lead.push_str(match (is_last, goes_on) {
            (true, true) => "├─ ",
            (true, false) => "└─ ",
            (false, true) => "│  ",
            (false, false) => "   ",
        });
    }
    let is_weak = matches!(reason, Some(EdgeSource::Program { .. }));
    let mark = if is_weak { "? " } else { "" };
    let seen = std::mem::replace(&mut drawn[at], true);
    if seen {
        let _ = writeln!(text, "  {lead}{mark}{} (above)", flat(&hop.title()));
        return;
    }
    let _ = writeln!(
        text,
        "  {lead}{mark}{}  {}",
        flat(&hop.title()),
        flat(&hop_state(hop))
    );
    let edges: Vec<_> = scene.edges_from(at).collect();
    for (number, edge) in edges.iter().enumerate() {
        let mut below = rails.to_vec();
        below.push(number + 1 < edges.len());
        draw_hop(scene, edge.to, edge.sources.first(), &below, drawn, text);
    }
}

/// The whole answer as text.
pub fn write_answer(looked: &LookedAt) -> String {
    let (scene, answer) = (&looked.scene, &looked.diagnosis);
    let mut text = String::new();
    let symptom = &scene.symptom;
    if symptom.question.is_empty() {
        let _ = writeln!(
            text,
            "{}: {}\n",
            flat(&looked.target),
            flat(&symptom.outcome.words())
        );
    } else {
        let _ = writeln!(
            text,
            "{}: {} after {}\n",
            flat(&symptom.question),
            flat(&symptom.outcome.words()),
            seconds(symptom.millis)
        );
    }
    let is_advice = |line: &&String| line.contains("run it as root");
    for line in scene.unseen.iter().filter(is_advice) {
        let _ = writeln!(text, "Not seen: {}\n", flat(line));
    }
    text.push_str(&draw_chain(scene));
    if scene
        .edges
        .iter()
        .any(|edge| matches!(edge.sources.first(), Some(EdgeSource::Program { .. })))
    {
        text.push_str("  ? the program names this address; no connection was seen\n");
    }
    text.push('\n');
    let words = verdict_words(scene, answer);
    if !words.is_empty() {
        let _ = writeln!(text, "{}", flat(&words));
    }
    let mut told = BTreeSet::new();
    for (number, cause) in answer.causes.iter().enumerate() {
        if number > 0 {
            text.push('\n');
        }
        write_cause(cause, &mut told, &mut text);
    }
    for hint in hints(looked) {
        let _ = writeln!(text, "  → {}", flat(&hint));
    }
    if let Some(holds) = &looked.holds {
        for line in hold_lines(holds) {
            let _ = writeln!(text, "{}", flat(&line));
        }
    }
    if let Some(offer) = &looked.bisect {
        let _ = writeln!(
            text,
            "Which lines of {} do it:\n  → {}",
            flat(&offer.config),
            flat(&offer.command())
        );
    }
    if answer.verdict != DiagnosisVerdict::Healthy && !scene.changes.is_empty() {
        text.push_str("\nChanged lately (which shows nothing by itself):\n");
        for line in change_lines(scene) {
            let _ = writeln!(text, "  {}", flat(&line));
        }
    }
    let unseen: Vec<&String> = scene.unseen.iter().filter(|it| !is_advice(it)).collect();
    if !unseen.is_empty() {
        text.push_str("\nNot seen:\n");
        for line in unseen {
            let _ = writeln!(text, "  {}", flat(line));
        }
    }
    let _ = writeln!(text, "\n{}, {}", count_hops(scene), seconds(looked.millis));
    text
}

/// The sentence above the causes; empty where the first of them says it all.
pub(crate) fn verdict_words(scene: &Scene, answer: &SceneDiagnosis) -> String {
    match (answer.verdict, &answer.unknown) {
        (DiagnosisVerdict::Named, _) => String::new(),
        (DiagnosisVerdict::Unknown | DiagnosisVerdict::Degraded, Some(why))
            if !scene.symptom.outcome.is_wrong() =>
        {
            format!("Whether there is a symptom is unknown: {why}.")
        }
        (DiagnosisVerdict::Unknown, why) => {
            format!(
                "The cause is unknown: {}.",
                why.as_deref().unwrap_or("nothing was seen")
            )
        }
        (DiagnosisVerdict::Degraded, _) => "No symptom was seen, but:".to_owned(),
        (DiagnosisVerdict::Healthy, _) if scene.symptom.outcome == SymptomOutcome::NotAsked => {
            "No fault was seen; no page was asked for.".to_owned()
        }
        (DiagnosisVerdict::Healthy, _) if scene.hops.iter().any(is_complaining) => {
            "No symptom was seen, and no fault of what is known to be used.".to_owned()
        }
        (DiagnosisVerdict::Healthy, _) => "No symptom and no fault was seen.".to_owned(),
    }
}

/// Whether a hop does not answer as it should, used or not.
fn is_complaining(hop: &HopFacts) -> bool {
    let reply = hop.probe.as_ref().map(|probe| &probe.reply);
    hop.is_dead() || hop.is_silent() || matches!(reply, Some(ReplyOutcome::Complaint { .. }))
}

impl NamedCause {
    /// What it is to the symptom, in a word or two.
    pub fn label(&self) -> &'static str {
        match (self.bearing, self.certainty) {
            (CauseBearing::Causes, CauseCertainty::Certain) => "cause",
            (CauseBearing::Causes, CauseCertainty::Likely) => "likely cause",
            (CauseBearing::Causes, CauseCertainty::Possible) => "possible cause",
            (CauseBearing::Follows, _) => "follows from it",
            (CauseBearing::Degrades, _) => "weakens the system",
            (CauseBearing::Latent, _) => "also seen",
        }
    }
}

fn write_cause(cause: &NamedCause, told: &mut BTreeSet<String>, text: &mut String) {
    let _ = writeln!(text, "{}: {}", cause.label(), flat(&cause.what));
    for line in &cause.evidence {
        let _ = writeln!(text, "    {}", flat(line));
    }
    if let Some(why) = &cause.reservation {
        let _ = writeln!(text, "    but: {}", flat(why));
    }
    if cause.bearing != CauseBearing::Follows {
        // A command that several causes lead to is printed once.
        for command in &cause.next {
            if told.insert(command.clone()) {
                let _ = writeln!(text, "  → {}", flat(command));
            }
        }
    }
}

/// What holding daemons showed, in lines.
pub(crate) fn hold_lines(holds: &HoldReport) -> Vec<String> {
    let mut lines = vec![String::new()];
    if !holds.steps.is_empty() {
        lines.push("Held for a moment, and asked meanwhile:".to_owned());
    }
    for step in &holds.steps {
        let shows = match step.effect {
            Some(HoldEffect::Same) => "the same without it: it has no part in it",
            Some(HoldEffect::Changed) => "it takes part",
            None => "this shows nothing: the same but later, or it was not held as a whole",
        };
        lines.push(format!("  {}: {}: {shows}", step.daemon, step.answer));
    }
    for (daemon, why) in &holds.refused {
        lines.push(format!("  {daemon}: not held: {why}"));
    }
    for note in &holds.notes {
        lines.push(format!("note: {note}"));
    }
    if let Some(conclusion) = &holds.conclusion {
        lines.push(format!("{}.", conclusion.sentence));
    }
    if let [first, .., last] | [first @ last] = &holds.steps[..] {
        let entries = if first.entry == last.entry {
            format!("entry {}", first.entry)
        } else {
            format!("entries {} to {}", first.entry, last.entry)
        };
        lines.push(format!(
            "All of them go on; {} of downtime in all (`surefoot changes` has it as {entries}).",
            seconds(holds.downtime_millis)
        ));
    }
    lines
}

/// How many hops, in words.
pub(crate) fn count_hops(scene: &Scene) -> String {
    match scene.hops.len() {
        1 => "1 hop".to_owned(),
        count => format!("{count} hops"),
    }
}

/// What to do next where no cause is named.
pub(crate) fn hints(looked: &LookedAt) -> Vec<String> {
    let (scene, answer) = (&looked.scene, &looked.diagnosis);
    match (&scene.symptom.outcome, answer.verdict) {
        (SymptomOutcome::Status(500..), DiagnosisVerdict::Unknown) => deepest_failing(scene)
            .into_iter()
            .filter_map(|at| scene.hops.get(at))
            .map(log_hint)
            .chain(hold_hint(looked))
            .collect(),
        (_, DiagnosisVerdict::Unknown) => hold_hint(looked).into_iter().collect(),
        (SymptomOutcome::Fine, DiagnosisVerdict::Healthy | DiagnosisVerdict::Degraded)
            if !looked.says_what_is_good =>
        {
            vec![
                "If it is wrong all the same, say what a good answer holds (--expect), or how you see it (--test)."
                    .to_owned(),
            ]
        }
        _ => Vec::new(),
    }
}

/// That one daemon after another could be held.
fn hold_hint(looked: &LookedAt) -> Option<String> {
    let has_page = looked.scene.symptom.question.starts_with("GET ")
        || looked.scene.symptom.question.starts_with("test: ");
    let can = looked.holds.is_none()
        && has_page
        && looked.scene.hops.len() > looked.scene.front_count()
        && hold_obstacle(&looked.scene).is_none();
    can.then(|| {
        "the same with --break: each daemon is held for a moment, to see which takes part"
            .to_owned()
    })
}

/// Where a hop says what went wrong.
fn log_hint(hop: &HopFacts) -> String {
    let title = hop.title();
    match (hop.logs.last(), &hop.unit, hop.processes.first()) {
        (Some(line), _, _) => format!("{}   # the log of {title}", log_command(&line.file, 50)),
        (None, Some(unit), _) => format!("journalctl -n 50 -u {unit}   # the log of {title}"),
        (None, None, Some(process)) => {
            format!(
                "ls -l /proc/{}/fd/2   # where {title} writes its errors",
                process.pid
            )
        }
        _ => format!("the log of {title} is unknown"),
    }
}

fn seconds(millis: u64) -> String {
    format!("{}.{} s", millis / 1000, millis % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{ProbeFacts, ShownSymptom};
    use crate::verdict::diagnose_scene;
    use crate::{ChainEdge, HopAddress, HopProtocol};

    fn dead(port: u16) -> HopFacts {
        HopFacts {
            address: Some(HopAddress::Tcp(([127, 0, 0, 1], port).into())),
            program: Some("app".to_owned()),
            protocol: HopProtocol::Http,
            is_here: true,
            probe: Some(ProbeFacts {
                connect: ConnectOutcome::Refused,
                ..ProbeFacts::default()
            }),
            ..HopFacts::default()
        }
    }

    fn looked(scene: Scene) -> LookedAt {
        LookedAt {
            target: ":80".to_owned(),
            diagnosis: diagnose_scene(&scene),
            scene,
            says_what_is_good: false,
            millis: 7,
            holds: None,
            bisect: None,
        }
    }

    #[test]
    fn a_next_step_is_printed_once_and_the_advice_comes_first() {
        let edge = |to| ChainEdge {
            from: 0,
            to,
            sources: Vec::new(),
            pool: None,
            verifies_certificate: false,
            by_name: None,
        };
        let text = write_answer(&looked(Scene {
            symptom: ShownSymptom {
                outcome: SymptomOutcome::Status(502),
                ..ShownSymptom::default()
            },
            hops: vec![HopFacts::default(), dead(1), dead(2)],
            edges: vec![edge(1), edge(2)],
            unseen: vec!["files of others; run it as root".to_owned()],
            ..Scene::default()
        }));
        assert_eq!(text.matches("→ systemctl start app").count(), 1, "{text}");
        assert_eq!(text.matches("run it as root").count(), 1, "{text}");
        let second = text.lines().nth(2).unwrap_or_default();
        assert!(second.contains("run it as root"), "{text}");
        assert!(
            !text.contains("\n\n\n") && !text.contains("--expect"),
            "{text}"
        );
    }

    #[test]
    fn a_name_makes_no_line_of_its_own() {
        let text = write_answer(&looked(Scene {
            hops: vec![HopFacts {
                program: Some("a\nlikely cause: forged".to_owned()),
                ..HopFacts::default()
            }],
            ..Scene::default()
        }));
        assert!(
            !text.contains("\nlikely cause") && text.contains("a\\nlikely"),
            "{text}"
        );
    }

    #[test]
    fn one_hop_is_one_hop_and_a_good_page_may_be_wrong() {
        let text = write_answer(&looked(Scene {
            symptom: ShownSymptom {
                question: "GET http://a/".to_owned(),
                outcome: SymptomOutcome::Fine,
                ..ShownSymptom::default()
            },
            hops: vec![HopFacts::default()],
            ..Scene::default()
        }));
        assert!(
            text.contains("\n1 hop, 0.0 s") && text.contains("--expect"),
            "{text}"
        );
    }
}
