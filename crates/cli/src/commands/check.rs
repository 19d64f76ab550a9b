//! `surefoot check`: one look at a machine, worst first.

use surefoot_report::{Report, sarif};

use super::Status;
use crate::args::{CheckArgs, FindingsArgs, FindingsFormat, Threshold};
use crate::error::Failure;
use crate::input;
use crate::output::Output;

pub(super) fn run(args: &CheckArgs, output: &Output) -> Result<Status, Failure> {
    if args.findings.schema {
        return schema(output);
    }
    let host = input::host(&args.facts, output)?;
    let report = surefoot_check::check(&host);
    let commands = report
        .findings
        .iter()
        .any(|finding| !finding.remedies.is_empty());
    if !host.running && commands {
        output.remark(
            "the commands are for the system in the tree: run them in a chroot, or once it runs\n",
        );
    }
    findings(
        report,
        surefoot_check::withheld(&host),
        &args.findings,
        output,
    )
}

/// Prints what describes the JSON form of findings.
pub(super) fn schema(output: &Output) -> Result<Status, Failure> {
    output.answer(&surefoot_report::schema())?;
    Ok(Status::Clean)
}

/// Prints a report in the form that was asked for and judges it by `--fail-on`; `withheld` says that
/// some rules of the machine could not be read.
pub(super) fn findings(
    mut report: Report,
    withheld: bool,
    args: &FindingsArgs,
    output: &Output,
) -> Result<Status, Failure> {
    let all = report.findings.len();
    let least = args.least.severity();
    report.findings.retain(|finding| finding.severity >= least);
    let left_out = all - report.findings.len();
    let text = match args.format {
        FindingsFormat::Text => surefoot_report::text(
            &report,
            &surefoot_report::TextOptions {
                style: output.style(),
                width: output.width(),
                page: if args.explain || output.verbose() {
                    Some(&page)
                } else {
                    None
                },
            },
        ),
        FindingsFormat::Json => surefoot_report::json(&report),
        FindingsFormat::Sarif => sarif(&report, &surefoot_check::pages()),
    };
    output.answer(&text)?;
    if left_out > 0 {
        let (findings, are) = if left_out == 1 {
            ("finding", "is")
        } else {
            ("findings", "are")
        };
        output.remark(&format!(
            "{left_out} {findings} milder than {} {are} left out (--least)\n",
            least.word()
        ));
    }
    let failed = report
        .findings
        .iter()
        .any(|finding| args.fail_on.is_met_by(finding.severity));
    Ok(if failed {
        Status::Findings
    } else if withheld && args.fail_on != Threshold::Never {
        // Nothing was found among the rules that could be read: that is no clean bill.
        output.remark("not all rules could be read, so the exit status is 3\n");
        Status::Incomplete
    } else {
        Status::Clean
    })
}

/// The text behind a code, for a renderer that knows no areas.
fn page(code: &str) -> Option<String> {
    surefoot_check::page(code).map(|page| page.text.to_owned())
}
