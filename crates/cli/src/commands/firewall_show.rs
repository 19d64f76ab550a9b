//! `surefoot firewall show`: hooks, chains and rules as one picture.

use surefoot_firewall::show;

use super::Status;
use crate::args::{ShowArgs, ShowFormat};
use crate::error::Failure;
use crate::input;
use crate::output::Output;

pub(super) fn run(args: &ShowArgs, output: &Output) -> Result<Status, Failure> {
    if args.schema {
        output.answer(&show::schema())?;
        return Ok(Status::Clean);
    }
    let rules = input::rules(
        &[&args.files[..], &args.rules].concat(),
        args.rules_format,
        &args.facts,
        output,
    )?;
    let selection = show::Selection {
        table: args.table.clone(),
        chain: args.chain.clone(),
        hook: args.hook.clone(),
        depth: args.depth,
        exact: args.exact,
    };
    let picture = show::picture(&rules.loaded.firewall, &selection);
    if !picture.missing.is_empty() {
        return Err(Failure::input(picture.missing.join("; ")));
    }
    output.answer(&match args.format {
        ShowFormat::Text => show::text(&picture, output.style(), output.width()),
        ShowFormat::Json => show::json(&picture),
        ShowFormat::Dot => show::dot(&picture),
        ShowFormat::Svg => show::svg(&picture),
    })?;
    Ok(Status::Clean)
}
