//! `surefoot signals`: what a process does about its signals, and what each signal is for.

use std::fmt::Write as _;

use clap::Args;
use surefoot_host::{Host, LiveOptions, ProcessDetail};
use surefoot_processes::{
    SIGNALS, SignalHandling, SignalLine, SignalOutcome, SignalReport, SignalSender, report_signals,
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
  surefoot signals 812 --format json
  surefoot signals --list                   # what each signal is for

Exit status:
  0  shown
  2  bad usage, or there is no such process
  3  not permitted")]
pub(crate) struct SignalsArgs {
    /// The process, by its number
    #[arg(value_name = "PID", required_unless_present = "list", conflicts_with = "list", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pid: Option<u32>,
    /// List all signals with what each is for
    #[arg(long)]
    pub(crate) list: bool,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

pub(super) fn run(args: &SignalsArgs, output: &Output) -> Result<Status, Failure> {
    let Some(pid) = args.pid else {
        output.answer(&match args.format {
            AnswerFormat::Text => list(),
            AnswerFormat::Json => output.json_answer("signals-list", &SIGNALS)?,
        })?;
        return Ok(Status::Clean);
    };
    let detail = ProcessDetail::live(pid, false)
        .map_err(|error| Failure::io(format!("cannot read process {pid}"), &error))?
        .ok_or_else(|| no_such(pid))?;
    let host = Host::live_processes(&LiveOptions {
        now: input::now(),
        keep_secrets: false,
    });
    let sender = SignalSender::of(&host, std::process::id());
    let report = report_signals(&detail, &host, &sender);
    output.answer(&match args.format {
        AnswerFormat::Text => text(&report),
        AnswerFormat::Json => output.json_answer("signals", &report)?,
    })?;
    Ok(Status::Clean)
}

fn no_such(pid: u32) -> Failure {
    Failure::input(format!("there is no process {pid}")).hint("`ps -e` lists the processes")
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
