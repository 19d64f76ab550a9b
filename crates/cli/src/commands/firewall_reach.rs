//! `surefoot firewall reach`: who can reach what.

use surefoot_firewall::ask;
use surefoot_firewall::exact::Budget;

use super::{Status, firewall_diff, firewall_explain};
use crate::args::{ReachArgs, ReachFormat};
use crate::error::Failure;
use crate::output::Output;
use crate::progress::Progress;

pub(super) fn run(args: &ReachArgs, output: &Output) -> Result<Status, Failure> {
    let about = firewall_diff::about(Some(&args.packets.join(" ")), output)?;
    let rules = firewall_explain::rules(&args.rules, output)?;
    let progress = Progress::new(output.quiet());
    progress.step("following all packets");
    let mut all = ask::reach(
        &rules.loaded.firewall,
        &rules.surroundings,
        &about,
        Budget::default(),
    );
    drop(progress);
    if let Some(doubt) = rules.general_doubt() {
        for one in &mut all {
            one.doubt(doubt.clone());
        }
    }
    output.answer(&match args.format {
        ReachFormat::Text => {
            let texts = all
                .iter()
                .map(|one| one.text(output.style(), output.width()));
            texts.collect::<Vec<_>>().join("\n")
        }
        ReachFormat::Json => output.json_answer("reach", &all)?,
        ReachFormat::Svg => ask::reach_svg(&all),
    })?;
    super::remark_on_gaps(&rules, output);
    Ok(Status::Clean)
}
