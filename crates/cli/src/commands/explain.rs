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
        pages.push(surefoot_check::page(&code.to_uppercase()).ok_or_else(|| {
            Failure::input(format!("there is no finding with the code `{code}`"))
                .hint("`surefoot explain` lists all codes")
        })?);
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
