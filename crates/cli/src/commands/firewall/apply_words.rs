//! What `surefoot firewall apply` and its like say: what changes, what was proved, why rules are refused.

use std::fmt::Write as _;

use surefoot_apply::{AccessAnswer, AccessVerdict, ApplyError};
use surefoot_firewall::ask::ProofVerdict;
use surefoot_journal::JournalError;
use surefoot_report::escape;

use super::apply::{ApplyOptions, PlannedRules};
use crate::error::Failure;
use crate::journal::{escape_lines, failure};
use crate::output::Output;

/// Connections that are shown.
const SHOWN_CONNECTIONS: usize = 10;

/// Shows what changes, what would be cut, and every sentence that is not proved.
pub(super) fn show(planned: &PlannedRules, output: &Output) -> Result<(), Failure> {
    let (style, width) = (output.style(), output.width());
    output.answer(&planned.difference.text(style, width))?;
    let mut text = String::new();
    for answer in &planned.access {
        if matches!(answer.verdict, AccessVerdict::Lost | AccessVerdict::Unsure) {
            let _ = writeln!(text, "\n{}:", escape(&answer.about));
            text.push_str(&answer.proof.text(style, width));
        }
    }
    text.push_str(&in_part_text(&planned.access));
    if !planned.cut.is_empty() {
        text.push_str("\nconnections that are open now and would be cut:\n");
        for cut in planned.cut.iter().take(SHOWN_CONNECTIONS) {
            let program = cut.program.as_deref().unwrap_or("unknown program");
            let possibly = if cut.certain { "" } else { "  (possibly)" };
            let _ = writeln!(
                text,
                "  {} from {}, {}{possibly}",
                cut.local,
                cut.peer,
                escape(program)
            );
        }
        let more = planned.cut.len().saturating_sub(SHOWN_CONNECTIONS);
        if more > 0 {
            let _ = writeln!(text, "  and {more} more");
        }
    }
    text.push_str(&proved_text(&planned.access));
    output.answer(&text)?;
    if planned.logins.own.is_none() && planned.logins.open.is_empty() {
        output.complain("note: no ssh connection is open, so nothing was proved about ssh\n");
    }
    for key in &planned.added {
        output.complain(&format!(
            "note: no file empties {key}: its rules are added behind those that are there; to replace them, put \
             `table {name}` and `delete table {name}` on top, or `flush ruleset`\n",
            name = escape(&key.name)
        ));
    }
    for answer in &planned.access {
        if answer.verdict == AccessVerdict::WasNotSo {
            output.remark(&format!(
                "note: {} was not accepted in full before, and is not now\n",
                escape(&answer.about)
            ));
        }
    }
    Ok(())
}

/// What is not accepted for all packets any more, and still for most.
fn in_part_text(access: &[AccessAnswer]) -> String {
    let mut text = String::new();
    let in_part = |answer: &&AccessAnswer| answer.verdict == AccessVerdict::ChangedInPart;
    for answer in access.iter().filter(in_part) {
        if text.is_empty() {
            text.push_str("\naccepted in part only from now on (no reason to refuse):\n");
        }
        let _ = writeln!(text, "  {}", escape(&answer.about));
        if let Some(witness) = &answer.proof.witness {
            let words = match answer.proof.verdict {
                ProofVerdict::Fails => "but for such as",
                _ => "not certain for such as",
            };
            let _ = writeln!(text, "    {words} {}", escape(&witness.packet));
        }
    }
    text
}

/// What was proved.
fn proved_text(access: &[AccessAnswer]) -> String {
    let mut text = String::new();
    let mut told: Vec<&str> = Vec::new();
    let kept = |answer: &&AccessAnswer| answer.verdict == AccessVerdict::Kept;
    for answer in access.iter().filter(kept) {
        let about = match answer.about.as_str() {
            "the policy" => answer.proof.assertion.as_str(),
            about => about,
        };
        if told.contains(&about) {
            continue;
        }
        if told.is_empty() {
            text.push_str("\nproved for all packets to stay accepted, or as the policy says:\n");
        }
        told.push(about);
        let _ = writeln!(text, "  {}", escape(about));
    }
    text
}

/// Why the rules are not loaded.
pub(super) fn refusal(args: &ApplyOptions, planned: &PlannedRules) -> Option<Failure> {
    if args.even_if_locked_out {
        return None;
    }
    let of = |verdict| {
        let answers = planned.access.iter();
        answers.filter(move |answer| answer.verdict == verdict)
    };
    let lost: Vec<&AccessAnswer> = of(AccessVerdict::Lost).collect();
    let unsure: Vec<&AccessAnswer> = of(AccessVerdict::Unsure).collect();
    let named = |answers: &[&AccessAnswer]| {
        let mut names: Vec<String> = Vec::new();
        for answer in answers {
            let name = match answer.about.as_str() {
                "the policy" => format!("the policy: {}", answer.proof.assertion),
                about => about.to_owned(),
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    };
    let failure = if !lost.is_empty() {
        let mut failure = Failure::refused("the new rules would not let through what must stay");
        for name in named(&lost) {
            failure = failure.because(name);
        }
        failure
    } else if !unsure.is_empty() || !planned.risks.is_empty() {
        let mut failure = Failure::refused("it is not certain that you stay in");
        for name in named(&unsure) {
            failure = failure.because(name);
        }
        for risk in &planned.risks {
            failure = failure.because(format!("{}: {}", risk.about, risk.why));
        }
        failure
    } else if planned.logins.own.is_none() && !args.same_session {
        return Some(
            Failure::refused(
                "no ssh connection is found above this process: you seem to be on a console, or in tmux, screen or mosh",
            )
            .because(match planned.logins.open.len() {
                0 => "no ssh connection is open at all".to_owned(),
                1 => "the one ssh connection that is open stays".to_owned(),
                count => format!("all {count} ssh connections that are open stay"),
            })
            .hint("if that is so, add `--same-session`"),
        );
    } else {
        return None;
    };
    Some(failure.hint("load them all the same, armed, with `--even-if-locked-out`"))
}

/// An error of the crate, with its causes and the difference that it is about.
pub(super) fn apply_failure(error: &ApplyError) -> Failure {
    let failure = match error {
        ApplyError::Journal(error) => return failure(error),
        ApplyError::NoRehearsal { source }
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Failure::denied(error.to_string())
        }
        _ => Failure::input(error.to_string()),
    };
    // What a program says of a file has lines, and often a pointer to the place.
    let failure = match (error, std::error::Error::source(error)) {
        (
            ApplyError::FileRefused {
                file,
                source: JournalError::CommandFailed { how, .. },
            },
            _,
        ) => failure.picture(escape_lines(
            &how.replace("/dev/stdin:", &format!("{file}:")),
        )),
        (_, Some(source)) => failure.caused_by(source),
        (_, None) => failure,
    };
    match error.diff() {
        Some(diff) => failure.picture(escape_lines(diff)),
        None => failure,
    }
}
