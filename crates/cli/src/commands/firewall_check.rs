//! `surefoot firewall check`: what is wrong with a rule set.

use super::{Status, check};
use crate::args::FirewallCheckArgs;
use crate::error::Failure;
use crate::input;
use crate::output::Output;

pub(super) fn run(args: &FirewallCheckArgs, output: &Output) -> Result<Status, Failure> {
    if args.findings.schema {
        return check::schema(output);
    }
    let rules = input::rules(
        &[&args.files[..], &args.rules].concat(),
        args.rules_format,
        &args.facts,
        output,
    )?;
    let report = surefoot_check::check_rules(&rules);
    check::findings(report, rules.withheld, &args.findings, output)
}
