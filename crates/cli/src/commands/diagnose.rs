//! `surefoot diagnose`: the daemon and the cause behind a symptom, with the chain that leads there.

use std::io::{Read, Write};
use std::path::PathBuf;

use clap::Args;
use surefoot_diagnose::{
    DiagnoseError, DiagnoseQuestion, DiagnosisVerdict, look_and_diagnose, suggest_url,
    write_answer, write_page,
};
use surefoot_report::escape;

use super::Status;
use crate::args::AnswerFormat;
use crate::error::Failure;
use crate::input;
use crate::output::Output;
use crate::whole_file;

/// Find the daemon and the cause behind a page, a port or a unit that fails
///
/// The page is asked for once, and the chain behind it is found meanwhile: from listeners, open
/// connections, configurations, environments. Every hop is then asked at once in its own protocol.
/// The whole takes at most five seconds, also if hops hang. A cause is named only if the chain leads
/// to it and nothing that was seen speaks against it; otherwise it is unknown.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot diagnose http://shop.example/
  sudo surefoot diagnose http://127.0.0.1/login --method POST --data 'u=x'
  sudo surefoot diagnose http://127.0.0.1/ --expect 'Welcome'
  sudo surefoot diagnose :5432
  sudo surefoot diagnose nginx.service
  sudo surefoot diagnose :80 --test 'curl -s 127.0.0.1/cart | grep -q Total'
  sudo surefoot diagnose http://127.0.0.1/ --format json

Exit status:
  0  no symptom and no fault
  1  a cause or a fault is named, or the cause is unknown
  2  bad usage, or the target is not on this machine
  3  not permitted")]
pub(crate) struct DiagnoseArgs {
    /// A URL, a port as `:PORT`, or a unit or program by name
    #[arg(value_name = "TARGET", required_unless_present = "schema")]
    target: Option<String>,
    /// A text that a good answer holds
    #[arg(long, value_name = "TEXT")]
    expect: Option<String>,
    /// The method of the request; one other than GET is sent once, as it may change something
    #[arg(long, value_name = "METHOD", default_value = "GET", value_parser = method)]
    method: String,
    /// What is sent with the request
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// A command that shows the symptom: 0 is fine, all else is the symptom
    #[arg(long, value_name = "COMMAND")]
    test: Option<String>,
    /// Write the chain and the answer as a page, to a file that is not there yet
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    html: Option<PathBuf>,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    format: AnswerFormat,
    /// Print the JSON Schema of what `--format json` writes, and look at nothing
    #[arg(long)]
    schema: bool,
}

fn method(word: &str) -> Result<String, String> {
    if !word.is_empty() && word.chars().all(|letter| letter.is_ascii_alphabetic()) {
        Ok(word.to_ascii_uppercase())
    } else {
        Err("a method is a word of letters, such as POST".to_owned())
    }
}

pub(super) fn run(args: &DiagnoseArgs, output: &Output) -> Result<Status, Failure> {
    if args.schema {
        output.answer(include_str!("diagnose.schema.json"))?;
        return Ok(Status::Clean);
    }
    let question = DiagnoseQuestion {
        target: args.target.clone().unwrap_or_default(),
        expect: args.expect.clone(),
        method: args.method.clone(),
        data: args.data.clone(),
        test: args.test.clone(),
        now: input::now(),
        random: random(),
    };
    let looked = look_and_diagnose(&question).map_err(|error| failure(&error))?;
    if let Some(path) = &args.html {
        let page = write_page(&looked);
        whole_file::write(path, false, |file| file.write_all(page.as_bytes())).map_err(
            |error| Failure::io(format!("cannot write {} (--html)", path.display()), &error),
        )?;
    }
    output.answer(&match args.format {
        AnswerFormat::Text => shown(&write_answer(&looked)),
        AnswerFormat::Json => output.json_answer("diagnose", &looked)?,
    })?;
    Ok(match looked.diagnosis.verdict {
        DiagnosisVerdict::Healthy => Status::Clean,
        _ => Status::Findings,
    })
}

/// Random bytes; zeros where there are none, which only makes a first message of TLS less usual.
fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    if read.is_err() {
        bytes = [0; 32];
    }
    bytes
}

/// Text without what would speak to the terminal; its lines stay.
fn shown(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| escape(line).to_string()).collect();
    lines.join("\n") + "\n"
}

fn failure(error: &DiagnoseError) -> Failure {
    let failure = Failure::input(error.to_string());
    match error {
        DiagnoseError::Elsewhere { name, .. } => failure
            .hint("surefoot looks at this machine only: run it there")
            .hint(format!(
                "if a proxy in front sends requests for {name} here, ask for the address that it uses: http://127.0.0.1/"
            )),
        DiagnoseError::NoTarget(text) => match suggest_url(text) {
            Some(url) => failure.hint(format!("did you mean {url}?")),
            None => failure.hint("`ss -ltnp` lists what listens here"),
        },
        DiagnoseError::TestNotRun { .. } => {
            failure.hint("give --test a command that runs here, with its path")
        }
        DiagnoseError::Scheme(_) => failure.hint("give a port as `:PORT` for other protocols"),
        DiagnoseError::Unresolved { .. } => failure.hint("`getent ahosts NAME` shows what the name leads to"),
        DiagnoseError::Sockets(_) => failure.hint("run it with sudo"),
    }
}
