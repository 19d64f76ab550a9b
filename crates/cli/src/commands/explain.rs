//! `surefoot explain CODE...`: the pages behind findings.

use std::fmt::Write as _;

use clap::Args;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use surefoot_report::Page;

use super::Status;
use crate::args::AnswerFormat;
use crate::error::Failure;
use crate::output::Output;

/// Print the pages behind findings' codes, or list all codes
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  surefoot explain
  surefoot explain FW004
  surefoot explain FW004 FW006 | less

Exit status:
  0  printed
  2  no finding has the code")]
pub(crate) struct ExplainArgs {
    /// The codes, such as FW004; without one, all codes are listed
    #[arg(value_name = "CODE", value_parser = Codes, hide_possible_values = true)]
    pub(crate) codes: Vec<String>,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// Takes any word as a code and offers those that there are; the command says more about a wrong
/// one than the parser could.
#[derive(Clone)]
struct Codes;

impl TypedValueParser for Codes {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let pages = surefoot_check::pages().into_iter();
        Some(Box::new(
            pages.map(|page| PossibleValue::new(page.code).help(page.title)),
        ))
    }
}

pub(super) fn run(args: &ExplainArgs, output: &Output) -> Result<Status, Failure> {
    let mut pages = Vec::new();
    for code in &args.codes {
        let page = surefoot_check::page(&code.to_uppercase());
        pages.push(page.ok_or_else(|| no_such(code, &args.codes))?);
    }
    output.answer(&match (args.format, pages.as_slice()) {
        (AnswerFormat::Text, []) => list(&surefoot_check::pages()),
        (AnswerFormat::Json, []) => output.json(&surefoot_check::pages())?,
        (AnswerFormat::Json, [page]) => output.json(page)?,
        (AnswerFormat::Json, pages) => output.json(&pages)?,
        (AnswerFormat::Text, pages) => {
            let pages: Vec<String> = pages.iter().map(|page| whole(page)).collect();
            pages.join("\n\n")
        }
    })?;
    Ok(Status::Clean)
}

fn no_such(code: &str, words: &[String]) -> Failure {
    let failure = Failure::input(format!("there is no finding with the code `{code}`"))
        .hint("`surefoot explain` lists all codes");
    let packet = surefoot_netfilter::packet::words::parse(words).is_ok();
    if packet {
        failure.hint(format!(
            "a packet is followed by `surefoot firewall explain {}`",
            words.join(" ")
        ))
    } else {
        failure
    }
}

fn whole(page: &Page) -> String {
    format!(
        "{} ({}): {}\n\n{}\n",
        page.code,
        page.severity.word(),
        page.title,
        page.text.trim_end()
    )
}

fn list(pages: &[&Page]) -> String {
    let mut text = String::new();
    for page in pages {
        let _ = writeln!(
            text,
            "{}  {:<8}  {}",
            page.code,
            page.severity.word(),
            page.title
        );
    }
    text
}
