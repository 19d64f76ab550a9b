//! How findings are given: the options of every command that gives them, and the printing.

use clap::{Args, ValueEnum};
use surefoot_report::{Report, Severity};

use super::Status;
use crate::error::Failure;
use crate::output::Output;

/// How findings are given.
#[derive(Clone, Debug, Args)]
pub(crate) struct FindingsArgs {
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = FindingsFormat::Text)]
    pub(crate) format: FindingsFormat,
    /// Exit with 1 if a finding is at least this bad
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = Threshold::Warning)]
    pub(crate) fail_on: Threshold,
    /// Leave out findings milder than this; what is left out does not count for --fail-on
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = Least::Note)]
    pub(crate) least: Least,
    /// Print the page of each finding's code under it
    #[arg(long)]
    pub(crate) explain: bool,
    /// Print the JSON Schema of what `--format json` writes, and look at nothing
    #[arg(long)]
    pub(crate) schema: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FindingsFormat {
    Text,
    Json,
    Sarif,
}

/// The mildest findings that are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Least {
    Note,
    Warning,
    High,
    Critical,
}

impl Least {
    /// The severity of this name.
    pub(crate) fn severity(self) -> Severity {
        match self {
            Self::Note => Severity::Note,
            Self::Warning => Severity::Warning,
            Self::High => Severity::High,
            Self::Critical => Severity::Critical,
        }
    }
}

/// A line between findings that count and findings that do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Threshold {
    Note,
    Warning,
    High,
    Critical,
    /// No finding is bad enough
    Never,
}

impl Threshold {
    /// Whether a finding of this severity is at or above the line.
    pub(crate) fn is_met_by(self, severity: Severity) -> bool {
        match self {
            Self::Note => severity >= Severity::Note,
            Self::Warning => severity >= Severity::Warning,
            Self::High => severity >= Severity::High,
            Self::Critical => severity >= Severity::Critical,
            Self::Never => false,
        }
    }
}

/// Prints what describes the JSON form of findings.
pub(super) fn print_schema(output: &Output) -> Result<Status, Failure> {
    output.answer(&surefoot_report::schema(surefoot_check::areas()))?;
    Ok(Status::Clean)
}

/// Prints a report in the form that was asked for and judges it by `--fail-on`; `withheld` says that
/// some rules of the machine could not be read.
pub(super) fn print(
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
        FindingsFormat::Sarif => surefoot_report::sarif(&report, &surefoot_check::pages()),
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
