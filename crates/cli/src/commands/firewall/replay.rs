//! `surefoot firewall replay`: what new rules would have done to traffic that was seen.

use std::cell::Cell;
use std::path::PathBuf;

use clap::Args;
use surefoot_firewall::LoadedRules;
use surefoot_firewall::ask::{Replay, Replayed};
use surefoot_netfilter::packet::conntrack::{self, ListedConnection};
use surefoot_netfilter::{Interface, Surroundings};
use surefoot_report::Source;

use super::Status;
use super::diff::{files, has_facts, side};
use crate::args::{AnswerFormat, FactsArgs, RulesFormat};
use crate::error::Failure;
use crate::input;
use crate::output::Output;
use crate::progress::Progress;

/// Say what new rules would have done to traffic that was seen
///
/// Every packet of a capture is followed through the old rules and the new ones, in the state that
/// conntrack would have given it. Connections of a list, or those that this machine has now, are
/// judged by their first packet and by later ones.
#[derive(Debug, Args)]
#[command(after_long_help = "\
CAPTURE is a pcap or pcapng file, as tcpdump writes it; `-` is standard input. NEW is a rule file as
in `--rules`; several have commas between them.

Examples:
  sudo surefoot firewall replay monday.pcap rules.new
  sudo tcpdump -i eth0 -w - | sudo surefoot firewall replay - rules.new
  surefoot firewall replay --old rules.v4 --me 192.0.2.1 monday.pcap rules.new
  sudo conntrack -L | sudo surefoot firewall replay --conntrack - rules.new
  sudo surefoot firewall replay --sockets rules.new

Exit status:
  0  nothing of this traffic would change
  1  something would, or that is unknown
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct ReplayArgs {
    /// The capture and the new rules; with `--conntrack` or `--sockets` the new rules alone
    #[arg(value_name = "CAPTURE NEW", num_args = 1..=2, required = true, value_hint = clap::ValueHint::FilePath)]
    pub(crate) files: Vec<String>,
    /// Judge the connections that `conntrack -L` or `/proc/net/nf_conntrack` lists
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with = "sockets")]
    pub(crate) conntrack: Option<PathBuf>,
    /// Judge the connections that the machine has now
    #[arg(long)]
    pub(crate) sockets: bool,
    /// The old rules [default: those that are loaded]
    #[arg(long, value_name = "FILES", value_hint = clap::ValueHint::FilePath)]
    pub(crate) old: Option<String>,
    /// Addresses of the host that the traffic was seen on [default: this machine's]
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) me: Vec<std::net::IpAddr>,
    /// The interface that was captured on, where the capture does not name it
    #[arg(long, value_name = "IFACE")]
    pub(crate) on: Option<String>,
    /// Show so many connections of each kind, and so many rules that decide
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) facts: FactsArgs,
    /// The format of the rules, where the text does not tell
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) rules_format: Option<RulesFormat>,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// The traffic.
enum Traffic {
    Capture(Box<dyn std::io::Read>, String),
    Listed(Vec<ListedConnection>),
}

pub(super) fn run(args: &ReplayArgs, output: &Output) -> Result<Status, Failure> {
    let (capture, new) = match args.files.as_slice() {
        [capture, new] if args.conntrack.is_none() && !args.sockets => (Some(capture), new),
        [new] if args.conntrack.is_some() || args.sockets => (None, new),
        [_] => {
            return Err(Failure::input("give a capture and the new rules")
                .hint("`--conntrack FILE` or `--sockets` stand for a capture"));
        }
        _ => {
            return Err(Failure::input(
                "with `--conntrack` or `--sockets` give the new rules alone",
            ));
        }
    };
    let new = input::rules(&files(new), args.rules_format, &args.facts, output)?;
    let old = match &args.old {
        Some(old) => input::rules(&files(old), args.rules_format, &args.facts, output)?,
        None => input::rules(&[], args.rules_format, &args.facts, output)?,
    };
    let surroundings = surroundings(args, &old, output)?;
    let traffic = traffic(args, capture, output)?;
    let mut replay = Replay::new(
        side(&old, args.old.is_none() && old.are_complete()),
        side(&new, false),
        &surroundings,
        args.on.as_deref(),
    );
    match traffic {
        Traffic::Capture(from, shown) => {
            let progress = Progress::new(output.quiet());
            let told = Cell::new(0);
            progress.step("replaying");
            let tell = |packets: u64| {
                if packets >= told.get() + TOLD_EVERY {
                    told.set(packets);
                    progress.step(format!("replaying: {packets} packets so far"));
                }
            };
            replay.replay_capture(from, tell).map_err(|error| {
                Failure::input(format!("cannot read packets of `{shown}`")).caused_by(&error)
            })?;
        }
        Traffic::Listed(list) => list
            .iter()
            .for_each(|listed| replay.judge_connection(listed)),
    }
    let mut replayed = replay.finish(args.limit);
    for rules in [&old, &new] {
        replayed.notes.extend(rules.doubt().map(str::to_owned));
    }
    output.answer(&match args.format {
        AnswerFormat::Text => replayed.text(output.style(), output.width()),
        AnswerFormat::Json => output.json_answer("replay", &replayed)?,
    })?;
    super::remark_on_gaps(&old, output);
    Ok(status(&replayed, &[&old, &new]))
}

/// Packets after which one says again how many there were: more than the half second that a step
/// must last to be shown.
const TOLD_EVERY: u64 = 4_000_000;

fn status(replayed: &Replayed, rules: &[&LoadedRules]) -> Status {
    let changes = replayed
        .groups
        .iter()
        .any(|it| it.group.is_change() && it.totals.packets > 0);
    let doubt = rules.iter().any(|rules| rules.doubt().is_some());
    let judged = replayed.groups.iter().any(|it| it.totals.packets > 0);
    let all_judged = judged && replayed.whole && !replayed.not_judged.iter().any(|it| it.open);
    if changes || doubt || !all_judged || replayed.elsewhere {
        Status::Findings
    } else {
        Status::Clean
    }
}

/// The host that the traffic was seen on.
fn surroundings(
    args: &ReplayArgs,
    old: &LoadedRules,
    output: &Output,
) -> Result<Surroundings, Failure> {
    let mut surroundings = if args.old.is_some() && (has_facts(&args.facts) || args.me.is_empty()) {
        surefoot_check::loaded_rules(&input::host(&args.facts, output)?).surroundings
    } else {
        old.surroundings.clone()
    };
    if !args.me.is_empty() {
        let longest = |address: &std::net::IpAddr| if address.is_ipv4() { 32 } else { 128 };
        surroundings.interfaces = Some(vec![Interface {
            name: args.on.clone().unwrap_or_default(),
            loopback: false,
            up: true,
            addresses: args.me.iter().map(|it| (*it, longest(it))).collect(),
        }]);
        if args.old.is_some() && !has_facts(&args.facts) {
            surroundings.routes = Some(Vec::new());
        }
    }
    if surroundings.interfaces.is_none() {
        return Err(Failure::input(
            "the addresses of the host are unknown, so it is unknown which packets were for it",
        )
        .hint("give them with `--me ADDRESS,ADDRESS`, or the host's facts with `--facts FILE`"));
    }
    Ok(surroundings)
}

fn traffic(
    args: &ReplayArgs,
    capture: Option<&String>,
    output: &Output,
) -> Result<Traffic, Failure> {
    if let Some(capture) = capture {
        let (from, shown) = input::packet_stream(capture.as_ref())?;
        return Ok(Traffic::Capture(from, shown));
    }
    let Some(list) = &args.conntrack else {
        let host = input::host(&args.facts, output)?;
        let list = surefoot_check::connections(&host);
        return list.map(Traffic::Listed).ok_or_else(|| {
            Failure::denied("the sockets of this machine could not be read").hint("run it as root")
        });
    };
    let (name, text) = input::lines(list)?;
    let list = conntrack::parse(&text).map_err(|problem| {
        let source = Source::new(&name, text.clone());
        Failure::input(format!("`{name}` is no list of connections")).picture(
            surefoot_report::problems(&source, &[problem], output.error_style()),
        )
    })?;
    Ok(Traffic::Listed(list))
}
