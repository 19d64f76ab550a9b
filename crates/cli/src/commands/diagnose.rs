//! `surefoot diagnose`: the daemon and the cause behind a symptom, with the chain that leads there.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use surefoot_diagnose::{
    DiagnoseError, DiagnoseQuestion, DiagnosisVerdict, HoldError, HoldPlan, LookedAt, hold_and_ask,
    look_and_diagnose, offer_bisect, own_changes, plan_holds, suggest_url, write_answer,
    write_page,
};
use surefoot_report::escape;

use super::bisect_guard::intervention_setting;
use super::{Status, bisect};
use crate::args::AnswerFormat;
use crate::error::Failure;
use crate::input;
use crate::journal::{self, StateDirArgs};
use crate::output::Output;
use crate::progress::ProgressLine;
use crate::whole_file;

/// Find the daemon and the cause behind a page, a port or a unit that fails
///
/// The page is asked for once, and the chain behind it is found meanwhile: from listeners, open
/// connections, configurations, environments. Every hop is then asked at once in its own protocol.
/// The whole takes at most five seconds, also if hops hang. A cause is named only if the chain leads
/// to it and nothing that was seen speaks against it; otherwise it is unknown.
///
/// With `--break`, where the cause is unknown, the daemons behind the page are held (SIGSTOP) one after
/// another, each for a second or so, and the page is asked for meanwhile: a daemon without which the symptom is
/// the same has no part in it. Each hold is an armed entry of the journal: the daemon goes
/// on also if surefoot is killed. Databases and other stores come last. Where that leads to a configuration,
/// `surefoot bisect` is run on it.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot diagnose http://shop.example/
  sudo surefoot diagnose http://127.0.0.1/login --method POST --data 'u=x'
  sudo surefoot diagnose http://127.0.0.1/ --expect 'Welcome'
  sudo surefoot diagnose https://shop.example/ --resolve shop.example:127.0.0.1
  sudo surefoot diagnose http://127.0.0.1/ -H 'Host: shop.example'
  sudo surefoot diagnose :5432
  sudo surefoot diagnose nginx.service
  sudo surefoot diagnose :80 --test 'curl -s 127.0.0.1/cart | grep -q Total'
  sudo surefoot diagnose http://127.0.0.1/ --format json
  sudo surefoot diagnose http://127.0.0.1/ --break --downtime 5s

Exit status:
  0  no symptom and no fault
  1  a cause or a fault is named, or the cause is unknown
  2  bad usage, or the target is not on this machine
  3  not permitted
  4  with --break: a daemon could not be held; all is as it was
  5  with --break: a daemon or a file is not as it was before")]
pub(crate) struct DiagnoseArgs {
    /// A URL, a port as `:PORT`, or a unit or program by name
    #[arg(value_name = "TARGET", required_unless_present = "schema")]
    target: Option<String>,
    /// A text that a good answer holds; every hop that is asked the same is looked through for it
    #[arg(long, value_name = "TEXT", conflicts_with = "test")]
    expect: Option<String>,
    /// The method of the request; one other than GET is sent once, as it may change something
    #[arg(long, value_name = "METHOD", default_value = "GET", value_parser = method, conflicts_with = "test")]
    method: String,
    /// What is sent with the request
    #[arg(long, value_name = "DATA", conflicts_with = "test")]
    data: Option<String>,
    /// A header of the request, such as `Host: shop.example`; repeat it for more
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header, conflicts_with = "test")]
    headers: Vec<(String, String)>,
    /// Ask for HOST at this address, whatever the name leads to; repeat it for more
    #[arg(long, value_name = "HOST:ADDRESS", value_parser = resolved)]
    resolve: Vec<(String, IpAddr)>,
    /// A command that shows the symptom: 0 is fine, all else is the symptom
    #[arg(long, value_name = "COMMAND")]
    test: Option<String>,
    /// Where the cause is unknown, hold one daemon after another for a moment and see what changes
    #[arg(long = "break")]
    hold: bool,
    /// With --break: hold daemons, and search a configuration, for so long in all
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = journal::parse_duration, requires = "hold")]
    downtime: u64,
    /// List what changed within so long: files of the chain, packages, changes by surefoot; 0s for none
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = changes_within)]
    since: u64,
    #[command(flatten)]
    state: StateDirArgs,
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

/// A time, or none at all.
fn changes_within(word: &str) -> Result<u64, String> {
    match word {
        "0" | "0s" => Ok(0),
        _ => journal::parse_duration(word),
    }
}

/// A header of a request, without those on which the reading of the answer depends.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| "a header is a name, a colon and a value".to_owned())?;
    let is_token =
        |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
    if name.is_empty() || !name.chars().all(is_token) {
        return Err(format!("`{name}` is no name of a header"));
    }
    let value = value.trim();
    if value
        .chars()
        .any(|letter| letter.is_control() && letter != '\t')
    {
        return Err("a header is one line".to_owned());
    }
    let fixed = [
        "connection",
        "content-length",
        "transfer-encoding",
        "expect",
        "te",
        "upgrade",
    ];
    if fixed.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(format!("{name} is set by surefoot itself"));
    }
    if name.eq_ignore_ascii_case("host") && value.is_empty() {
        return Err("Host needs a name".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// `HOST:ADDRESS`, or `HOST:PORT:ADDRESS` as curl takes it.
fn resolved(text: &str) -> Result<(String, IpAddr), String> {
    let wrong = || format!("`{text}` is not HOST:ADDRESS, such as shop.example:127.0.0.1");
    let (host, rest) = text.split_once(':').ok_or_else(wrong)?;
    let address = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>();
    let found = address(rest).or_else(|error| match rest.split_once(':') {
        Some((port, rest)) if port.parse::<u16>().is_ok() => address(rest),
        _ => Err(error),
    });
    if host.is_empty() {
        return Err(wrong());
    }
    Ok((host.to_owned(), found.map_err(|_| wrong())?))
}

/// What is said of a request must be about one.
fn check_request(args: &DiagnoseArgs) -> Result<(), Failure> {
    let target = args.target.as_deref().unwrap_or_default();
    let has_request = args.data.is_some() || !args.headers.is_empty() || args.method != "GET";
    if !target.contains("://") && (has_request || args.expect.is_some()) {
        return Err(Failure::input(format!(
            "no page is asked of `{target}`, so that nothing can be sent or expected"
        ))
        .hint("give a URL, such as http://127.0.0.1/"));
    }
    if args.method == "HEAD" && args.expect.is_some() {
        return Err(Failure::input("an answer to HEAD has no text (--expect)").hint("ask with GET"));
    }
    Ok(())
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
    check_request(args)?;
    let question = DiagnoseQuestion {
        target: args.target.clone().unwrap_or_default(),
        expect: args.expect.clone(),
        method: args.method.clone(),
        data: args.data.clone(),
        headers: args.headers.clone(),
        resolve: args.resolve.clone(),
        test: args.test.clone(),
        now: input::now(),
        changes_within: args.since,
        random: random(),
    };
    if args.hold && !rustix::process::geteuid().is_root() {
        return Err(
            Failure::denied("only root may hold daemons (--break)").hint("run it with sudo")
        );
    }
    let mut looked = look_and_diagnose(&question).map_err(|error| failure(&error))?;
    if args.since > 0 {
        let since = question.now.saturating_sub(args.since);
        let own = own_changes(&args.state.journal(), since);
        looked.scene.changes.extend(own);
    }
    if args.hold {
        hold_daemons(args, &question, &mut looked, output)?;
    }
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
    if let (true, Some(offer)) = (args.hold, &looked.bisect)
        && args.format == AnswerFormat::Text
    {
        let spent = looked.holds.as_ref().map_or(0, |it| it.downtime_millis) / 1000;
        let left = args.downtime.saturating_sub(spent).max(1);
        output.answer(&format!(
            "\nThe configuration is searched, {left} s at most (--downtime):\n"
        ))?;
        bisect::run_offer(offer, left, &args.state, output)?;
    }
    Ok(match looked.diagnosis.verdict {
        DiagnosisVerdict::Healthy => Status::Clean,
        _ => Status::Findings,
    })
}

/// Holds one daemon after another where the cause is unknown, and adds what that shows.
fn hold_daemons(
    args: &DiagnoseArgs,
    question: &DiagnoseQuestion,
    looked: &mut LookedAt,
    output: &Output,
) -> Result<(), Failure> {
    if looked.diagnosis.verdict != DiagnosisVerdict::Unknown || looked.bisect.is_some() {
        return Ok(());
    }
    let plan = plan_holds(looked, question);
    if plan.obstacle.is_none() {
        output.complain(&plan_words(&plan, args.downtime));
    }
    let journal = args.state.journal();
    let session = journal::lock(&journal, output)?;
    let setting = intervention_setting(&journal, &session, &args.state)?;
    let downtime = Duration::from_secs(args.downtime);
    let line = ProgressLine::new(output.quiet() || args.format == AnswerFormat::Json);
    let mut watch = |name: &str, spent: Duration| {
        line.set(format!(
            "{} is held; {:.1} s of downtime so far",
            escape(name),
            spent.as_secs_f64()
        ));
    };
    let held = hold_and_ask(&plan, question, &setting, downtime, &mut watch);
    drop(line);
    let report = held.map_err(|error| match error {
        HoldError::Target(error) => failure(&error),
        HoldError::Journal(error) => journal::failure(&error),
    })?;
    if let Some([hop]) = report.conclusion.as_ref().map(|it| &it.narrowed_to[..]) {
        looked.bisect = offer_bisect(&looked.scene, *hop, question.expect.as_deref());
    }
    looked.holds = Some(report);
    Ok(())
}

/// What will be held, before it is.
fn plan_words(plan: &HoldPlan, downtime: u64) -> String {
    let mut text = format!(
        "The cause is unknown. Each of these is held for at most {}.{} s and goes on then, {downtime} s in all \
         (--downtime):\n",
        plan.each_millis / 1000,
        plan.each_millis % 1000 / 100
    );
    for daemon in &plan.daemons {
        let _ = writeln!(text, "  {}", escape(daemon));
    }
    for (daemon, why) in &plan.refused {
        let _ = writeln!(text, "  not {}: {}", escape(daemon), escape(why));
    }
    text
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
                "if a proxy in front sends requests for {name} here: --resolve {name}:127.0.0.1"
            )),
        DiagnoseError::NoTarget(text) => match suggest_url(text) {
            Some(url) => failure.hint(format!("did you mean {url}?")),
            None => failure.hint("`ss -ltnp` lists what listens here"),
        },
        DiagnoseError::TestNotRun { .. } => {
            failure.hint("give --test a command that runs here, with its path")
        }
        DiagnoseError::Scheme(_) => failure.hint("give a port as `:PORT` for other protocols"),
        DiagnoseError::Unresolved { .. } => {
            failure.hint("`getent ahosts NAME` shows what the name leads to")
        }
        DiagnoseError::Sockets(_) => failure.hint("run it with sudo"),
    }
}
