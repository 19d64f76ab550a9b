//! `surefoot explain CODE...`: the pages behind findings.

use std::fmt::Write as _;

use surefoot_report::Page;

use super::Status;
use crate::args::{AnswerFormat, ExplainArgs};
use crate::error::Failure;
use crate::output::Output;

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
    let packet = surefoot_firewall::packet::words::parse(words).is_ok();
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
