//! `surefoot firewall why-not`: what stands between a packet and the wanted verdict.

use surefoot_firewall::ask;

use super::{Status, firewall_explain};
use crate::args::{AnswerFormat, Want, WhyNotArgs};
use crate::error::Failure;
use crate::output::Output;

pub(super) fn run(args: &WhyNotArgs, output: &Output) -> Result<Status, Failure> {
    let packet = firewall_explain::from_words(&args.packet)?;
    let rules = firewall_explain::rules(&args.rules, output)?;
    let want = match args.want {
        Want::Accept => ask::Want::Accept,
        Want::Drop => ask::Want::Drop,
        Want::Reject => ask::Want::Reject,
    };
    let mut answer = ask::why_not(
        &rules.loaded.firewall,
        &rules.index,
        &rules.surroundings,
        &packet,
        want,
    );
    if let Some(doubt) = rules.doubt(&packet) {
        answer.doubt(doubt);
    }
    output.answer(&match args.format {
        AnswerFormat::Text => answer.text(output.style(), output.width()),
        AnswerFormat::Json => output.json_answer("why-not", &answer)?,
    })?;
    super::remark_on_gaps(&rules, output);
    Ok(if answer.already {
        Status::Clean
    } else {
        Status::Findings
    })
}
