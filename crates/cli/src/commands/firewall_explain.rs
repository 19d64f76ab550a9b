//! `surefoot firewall explain`: one packet, followed to its verdict.

use std::path::Path;

use surefoot_firewall::ask;
use surefoot_firewall::packet::{Packet, pcap, words};
use surefoot_report::Certainty;

use super::Status;
use crate::args::{AnswerFormat, ExplainPacketArgs, RulesArgs};
use crate::error::Failure;
use crate::input;
use crate::output::Output;

pub(super) fn run(args: &ExplainPacketArgs, output: &Output) -> Result<Status, Failure> {
    let packet = match &args.pcap {
        Some(path) => from_file(path, args.number, &args.packet, output)?,
        None => from_words(&args.packet)?,
    };
    let rules = rules(&args.rules, output)?;
    let mut answer = ask::explain(
        &rules.loaded.firewall,
        &rules.index,
        &rules.surroundings,
        &packet,
        args.all || output.verbose(),
    );
    if let Some(doubt) = rules.doubt(&packet) {
        answer.certainty = Certainty::Possibly;
        answer.notes.insert(0, doubt);
    }
    output.answer(&match args.format {
        AnswerFormat::Text => answer.text(output.style(), output.width()),
        AnswerFormat::Json => output.json_answer("explain", &answer)?,
    })?;
    super::remark_on_gaps(&rules, output);
    Ok(Status::Clean)
}

/// The rules that a question is about.
pub(super) fn rules(args: &RulesArgs, output: &Output) -> Result<surefoot_check::Rules, Failure> {
    input::rules(&args.rules, args.rules_format, &args.facts, output)
}

/// The packet that words describe.
pub(super) fn from_words(given: &[String]) -> Result<Packet, Failure> {
    if given.iter().all(|word| word.trim().is_empty()) {
        return Err(Failure::input("no packet is given")
            .hint("say it in words, such as `ssh from 203.0.113.9`")
            .hint("`surefoot firewall explain --help` lists the words"));
    }
    words::parse(given).map_err(|error| Failure::word(given, &error))
}

fn from_file(
    path: &Path,
    number: usize,
    given: &[String],
    output: &Output,
) -> Result<Packet, Failure> {
    let bytes = input::packets(path)?;
    let (packet, summary) = pcap::read(&bytes, number).map_err(|error| {
        Failure::input(format!(
            "cannot read packet {number} of `{}`",
            path.display()
        ))
        .caused_by(&error)
    })?;
    output.remark(&format!("{}\n", surefoot_report::escape(&summary)));
    words::add_to(packet, given).map_err(|error| Failure::word(given, &error))
}
