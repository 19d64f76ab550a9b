//! `surefoot signals`: what a process does about its signals, and what each signal is for.

use std::fmt::Write as _;

use clap::Args;
use surefoot_host::{Host, LiveOptions, ProcessDetail};
use surefoot_processes::{
    SIGNALS, SignalHandling, SignalLine, SignalOutcome, SignalReport, SignalSender, StopTarget,
    TargetError, find_in_facts, report_signals,
};
use surefoot_report::escape;

use super::Status;
use crate::args::AnswerFormat;
use crate::error::Failure;
use crate::input;
use crate::output::Output;

/// Show which signals a process catches, ignores, blocks or has pending
///
/// Each signal that the process does not leave alone is listed by name, with what the default would
/// do. Below stands what TERM and KILL would do to the process now, and why. Nothing is sent.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  surefoot signals 812
  surefoot signals nginx                    # every process of that name
  surefoot signals 812 --format json
  surefoot signals --list                   # what each signal is for

Exit status:
  0  shown
  2  bad usage, or there is no such process
  3  not permitted")]
pub(crate) struct SignalsArgs {
    /// The process, by its number, its name or its port, as for `surefoot stop`
    #[arg(value_name = "PROCESS", required_unless_present_any = ["list", "schema"], conflicts_with = "list")]
    pub(crate) process: Option<String>,
    /// List all signals with what each is for
    #[arg(long)]
    pub(crate) list: bool,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
    /// Print the JSON Schema of what `--format json` writes, and look at nothing
    #[arg(long)]
    pub(crate) schema: bool,
}

pub(super) fn run(args: &SignalsArgs, output: &Output) -> Result<Status, Failure> {
    if args.schema {
        output.answer(include_str!("signals.schema.json"))?;
        return Ok(Status::Clean);
    }
    let Some(word) = &args.process else {
        output.answer(&match args.format {
            AnswerFormat::Text => list(),
            AnswerFormat::Json => output.json_answer("signals-list", &SIGNALS)?,
        })?;
        return Ok(Status::Clean);
    };
    let host = Host::live_processes(&LiveOptions {
        now: input::now(),
        keep_secrets: false,
    });
    let me = std::process::id();
    let pids = find(word, &host, me)?;
    let sender = SignalSender::of(&host, me);
    let mut reports = Vec::new();
    for pid in &pids {
        let detail = ProcessDetail::live(*pid, false)
            .map_err(|error| Failure::io(format!("cannot read process {pid}"), &error))?;
        // One that ended meanwhile has nothing to show, unless it is all that was asked for.
        reports.extend(detail.map(|detail| report_signals(&detail, &host, &sender)));
    }
    let [first, others @ ..] = &reports[..] else {
        return Err(no_such(&TargetError::NoSuchName(word.clone())));
    };
    output.answer(&match args.format {
        AnswerFormat::Text => {
            let texts: Vec<String> = reports.iter().map(text).collect();
            texts.join("\n")
        }
        AnswerFormat::Json if others.is_empty() => output.json_answer("signals", first)?,
        AnswerFormat::Json => output.json_answer("signals-of-several", &reports)?,
    })?;
    Ok(Status::Clean)
}

/// The processes that a word means.
fn find(word: &str, host: &Host, me: u32) -> Result<Vec<u32>, Failure> {
    let found = StopTarget::parse(word)
        .and_then(|target| find_in_facts(&target, host, me, true))
        .map_err(|error| no_such(&error))?;
    found.ok_or_else(|| {
        Failure::input(format!(
            "`{word}` names no process by number, name, port, unit or container"
        ))
        .hint("`surefoot stop --dry-run` takes users, terminals, files and control groups, too")
    })
}

fn no_such(error: &TargetError) -> Failure {
    Failure::input(error.to_string()).hint("`ps -e` lists the processes")
}

fn list() -> String {
    let mut text = String::new();
    for page in SIGNALS {
        let _ = writeln!(
            text,
            "{:>2}  {:<6}  {:<23}  {}",
            page.number,
            page.name,
            page.default.words(),
            page.purpose
        );
    }
    text.push_str(
        "34 to 64  RTMIN to RTMAX: ends the process; the programs' own, and these queue\n",
    );
    text
}

fn text(report: &SignalReport) -> String {
    let mut text = format!(
        "{} (pid {}), {} {}\n",
        escape(&report.name),
        report.pid,
        report.threads,
        if report.threads == 1 {
            "thread"
        } else {
            "threads"
        }
    );
    // A signal that does its default, and that only some threads block, is nothing to look at.
    let dull = |line: &&SignalLine| line.handling == SignalHandling::Default && !line.pending;
    for line in report.signals.iter().filter(|line| !dull(line)) {
        let handling = handling_words(line, report.threads);
        let _ = writeln!(
            text,
            "  {:<8} {handling:<24} by default: {}",
            line.name, line.by_default
        );
    }
    let partly = report.signals.iter().filter(dull).count();
    if partly > 0 {
        let _ = writeln!(
            text,
            "  {partly} more are blocked in some of its threads, not in all"
        );
    }
    if report.signals.is_empty() {
        text.push_str("  every signal does its default\n");
    }
    let explanation = &report.explanation;
    let _ = writeln!(
        text,
        "\nTERM now: {}\nKILL now: {}",
        outcome(explanation.on_term),
        outcome(explanation.on_kill)
    );
    for why in &explanation.why {
        let _ = writeln!(text, "  {}", escape(why));
    }
    for remedy in &explanation.remedies {
        let _ = writeln!(text, "{}", escape(&remedy.what));
        for command in &remedy.commands {
            let _ = writeln!(text, "  {}", escape(command));
        }
    }
    text
}

/// What a process does about a signal, in words.
fn handling_words(line: &SignalLine, threads: usize) -> String {
    let mut words = match line.handling {
        SignalHandling::Default => "default",
        SignalHandling::Caught => "caught",
        SignalHandling::Ignored => "ignored",
        SignalHandling::Blocked => "blocked",
    }
    .to_owned();
    if line.blocked_in > 0 && line.handling != SignalHandling::Blocked {
        let _ = write!(words, ", blocked in {} of {threads}", line.blocked_in);
    }
    if line.pending {
        words.push_str(", pending");
    }
    words
}

/// What comes of a signal, in words.
pub(super) fn outcome(outcome: SignalOutcome) -> &'static str {
    match outcome {
        SignalOutcome::Ends => "ends it",
        SignalOutcome::ProgramDecides => "the program decides",
        SignalOutcome::Nothing => "does nothing",
        SignalOutcome::Waits => "stays pending",
        SignalOutcome::Unknown => "unknown",
    }
}
