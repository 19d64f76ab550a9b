//! `surefoot firewall simplify`: a smaller rule set that does the same.

use surefoot_firewall::exact::Budget;
use surefoot_firewall::{Surroundings, ask};

use super::Status;
use crate::args::{AnswerFormat, SimplifyArgs};
use crate::error::Failure;
use crate::input;
use crate::output::Output;
use crate::progress::Progress;

pub(super) fn run(args: &SimplifyArgs, output: &Output) -> Result<Status, Failure> {
    let given = input::rule_text(&args.file, args.rules_format, output)?;
    let progress = Progress::new(output.quiet());
    progress.step("following all packets");
    let simpler = ask::simplify(&given, &Surroundings::default(), Budget::default())
        .map_err(|why| Failure::input(why.words()))?;
    drop(progress);
    match args.format {
        AnswerFormat::Text => {
            output.answer(&simpler.text)?;
            output.remark(&simpler.summary(output.error_style(), output.width()));
        }
        AnswerFormat::Json => output.answer(&output.json_answer("simplify", &simpler)?)?,
    }
    Ok(Status::Clean)
}
