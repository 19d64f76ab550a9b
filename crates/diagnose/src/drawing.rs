//! The chain and the answer as text.

use std::fmt::Write as _;

use crate::act::LookedAt;
use crate::chain::EdgeSource;
use crate::observation::{ConnectOutcome, HopFacts, ReplyOutcome, Scene};
use crate::rules::CauseCertainty;
use crate::verdict::{CauseBearing, DiagnosisVerdict, NamedCause, SceneDiagnosis};

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
            ReplyOutcome::Silent => "accepts, and says nothing".to_owned(),
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
        let _ = writeln!(text, "  {lead}{mark}{} (above)", hop.title());
        return;
    }
    let _ = writeln!(text, "  {lead}{mark}{}  {}", hop.title(), hop_state(hop));
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
        let _ = writeln!(text, "{}: {}\n", looked.target, symptom.outcome.words());
    } else {
        let _ = writeln!(
            text,
            "{}: {} after {}\n",
            symptom.question,
            symptom.outcome.words(),
            seconds(symptom.millis)
        );
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
    let words = verdict_words(answer);
    if !words.is_empty() {
        let _ = writeln!(text, "{words}");
    }
    for cause in &answer.causes {
        write_cause(cause, &mut text);
    }
    if answer.verdict == DiagnosisVerdict::Unknown {
        text.push_str(
            "  → Say what a good answer holds (--expect), or how you see the symptom (--test).\n",
        );
    }
    if !scene.unseen.is_empty() {
        text.push_str("\nNot seen:\n");
        for line in &scene.unseen {
            let _ = writeln!(text, "  {line}");
        }
    }
    let _ = writeln!(
        text,
        "\n{} hops, {}",
        scene.hops.len(),
        seconds(looked.millis)
    );
    text
}

/// The sentence above the causes; empty where the first of them says it all.
pub(crate) fn verdict_words(answer: &SceneDiagnosis) -> String {
    match (answer.verdict, &answer.unknown) {
        (DiagnosisVerdict::Named, _) => String::new(),
        (DiagnosisVerdict::Unknown, why) => {
            format!(
                "The cause is unknown: {}.",
                why.as_deref().unwrap_or("nothing was seen")
            )
        }
        (DiagnosisVerdict::Degraded, _) => "No symptom was seen, but:".to_owned(),
        (DiagnosisVerdict::Healthy, Some(why)) => {
            format!("Whether there is a symptom is unknown: {why}.")
        }
        (DiagnosisVerdict::Healthy, None) => "No symptom and no fault was seen.".to_owned(),
    }
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

fn write_cause(cause: &NamedCause, text: &mut String) {
    let _ = writeln!(text, "{}: {}", cause.label(), cause.what);
    for line in &cause.evidence {
        let _ = writeln!(text, "    {line}");
    }
    if let Some(why) = &cause.reservation {
        let _ = writeln!(text, "    but: {why}");
    }
    if cause.bearing != CauseBearing::Follows {
        for command in &cause.next {
            let _ = writeln!(text, "  → {command}");
        }
    }
    text.push('\n');
}

fn seconds(millis: u64) -> String {
    format!("{}.{} s", millis / 1000, millis % 1000 / 100)
}
