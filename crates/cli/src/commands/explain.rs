//! `surefoot explain CODE`: the page behind a finding.

use std::fmt::Write as _;

use surefoot_report::Page;

use super::Status;
use crate::args::{AnswerFormat, ExplainArgs};
use crate::error::Failure;
use crate::output::Output;

pub(super) fn run(args: &ExplainArgs, output: &Output) -> Result<Status, Failure> {
    let Some(code) = &args.code else {
        let pages = surefoot_check::pages();
        output.answer(&match args.format {
            AnswerFormat::Text => list(&pages),
            AnswerFormat::Json => output.json(&pages)?,
        })?;
        return Ok(Status::Clean);
    };
    let page = surefoot_check::page(&code.to_uppercase()).ok_or_else(|| {
        Failure::input(format!("there is no finding with the code `{code}`"))
            .hint("`surefoot explain` lists all codes")
    })?;
    output.answer(&match args.format {
        AnswerFormat::Text => whole(page),
        AnswerFormat::Json => output.json(page)?,
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
