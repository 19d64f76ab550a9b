//! `surefoot firewall flush --dry-run`: what a flush would leave behind.

use surefoot_firewall::ask;
use surefoot_firewall::exact::Budget;

use super::{Status, firewall_explain};
use crate::args::{AnswerFormat, FlushArgs};
use crate::error::Failure;
use crate::output::Output;
use crate::progress::Progress;

/// Parts of a change that are shown, unless all are asked for.
const PARTS: usize = 6;
/// Parts that are looked for if all are asked for.
const ALL_PARTS: usize = 1000;

pub(super) fn run(args: &FlushArgs, output: &Output) -> Result<Status, Failure> {
    let rules = firewall_explain::rules(&args.rules, output)?;
    let progress = Progress::new(output.quiet());
    progress.step("comparing");
    let most = if args.all { ALL_PARTS } else { PARTS };
    let mut ways = ask::flush(
        &rules.loaded.firewall,
        &rules.index,
        &rules.surroundings,
        (most, Budget::default()),
    );
    drop(progress);
    if let Some(doubt) = rules.general_doubt() {
        for way in &mut ways {
            way.difference.doubt(doubt.clone());
        }
    }
    output.answer(&match args.format {
        AnswerFormat::Text => ask::flush_text(&ways, output.style(), output.width()),
        AnswerFormat::Json => output.json_answer("flush", &ways)?,
    })?;
    super::remark_on_gaps(&rules, output);
    let changes = |way: &ask::Flushed| way.difference.verdict != ask::DiffVerdict::Equal;
    Ok(if ways.iter().any(changes) {
        Status::Findings
    } else {
        Status::Clean
    })
}
