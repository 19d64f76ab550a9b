//! `surefoot stop`: says what will happen, sends the signal, waits, and tells how it ended.

use std::fmt::Write as _;

use clap::Args;
use surefoot_processes::{
    EndedProcess, ProcessEnd, ProcessPlight, StopError, StopExplanation, StopMember, StopOptions,
    StopPlan, StopReport, StopTarget, TargetError, carry_out, gather_stop_plan, signal_name,
    signal_number, signal_page,
};
use surefoot_report::escape;

use super::Status;
use super::signals::outcome;
use crate::args::AnswerFormat;
use crate::error::Failure;
use crate::input;
use crate::output::Output;

/// As many processes that are stopped along are named one by one.
const SHOWN: usize = 8;

/// Stop processes and say how they ended, or why they cannot be stopped
///
/// What will happen is said before a signal is sent: who it is, what it serves, whether TERM is caught,
/// ignored or blocked, whether something will start it again. Then it gets TERM or the daemon's own
/// signal, CONT if it is stopped, and KILL after the grace. Each signal goes through a file
/// descriptor of the process, so that no other process with its number can get it. The command that a
/// shell waits for is stopped along with the shell, whose traps run only after it.
///
/// Process 1, the shells and the ssh daemon above this command, the last login, and what a supervisor
/// would start again are refused without `--yes`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Targets:
  812              a process by number
  nginx, 'work*'   by name; with * for any text
  :8080            what listens on a port, never its clients
  unit:nginx       a unit of systemd, with the sockets that start it
  user:www-data    everything of a user
  tty:pts/3        everything on a terminal
  /mnt/data        what uses a file or a mount
  cgroup:PATH      everything in a control group and below it
  container:ID     everything in a container

Examples:
  surefoot stop 812 --dry-run               # say what would happen
  surefoot stop :8080
  surefoot stop 812 --tree --grace 30
  surefoot stop 812 --signal QUIT --no-kill

Exit status:
  0  all have ended; with --dry-run: all can be stopped
  1  a process survives or was started again, the port is still served, or
     nothing was sent
  2  bad usage, or there is no such process
  3  not permitted")]
pub(crate) struct StopArgs {
    /// What to stop
    #[arg(value_name = "TARGET", required_unless_present = "schema")]
    pub(crate) targets: Vec<String>,
    /// Say what would happen and send nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Seconds from the first signal to KILL; 10 if the daemon is not known to need more
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=86400))]
    pub(crate) grace: Option<u64>,
    /// The first signal; TERM if the daemon has none of its own
    #[arg(long, value_name = "SIGNAL", value_parser = signal)]
    pub(crate) signal: Option<u8>,
    /// Stop everything below the targets as well
    #[arg(long)]
    pub(crate) tree: bool,
    /// Send no KILL: what has not ended after the grace is left, and told
    #[arg(long, conflicts_with = "kill")]
    pub(crate) no_kill: bool,
    /// Send KILL even to a daemon that it harms
    #[arg(long)]
    pub(crate) kill: bool,
    /// Stop several unrelated processes of one name
    #[arg(long)]
    pub(crate) all: bool,
    /// Stop also what is protected or would be started again
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
    /// Print the JSON Schema of what `--format json` writes, and stop nothing
    #[arg(long)]
    pub(crate) schema: bool,
}

fn signal(word: &str) -> Result<u8, String> {
    let number = signal_number(word)
        .ok_or_else(|| "`surefoot signals --list` lists the signals".to_owned())?;
    match signal_page(number) {
        Some(page) if !page.default.ends() => Err(format!(
            "{0} does not end a process by default; `kill -{0} PID` sends it",
            page.name
        )),
        _ => Ok(number),
    }
}

/// Everything that is said, as JSON.
#[derive(serde::Serialize)]
struct StopAnswer<'a> {
    plan: &'a StopPlan,
    report: Option<&'a StopReport>,
}

pub(super) fn run(args: &StopArgs, output: &Output) -> Result<Status, Failure> {
    if args.schema {
        output.answer(include_str!("stop.schema.json"))?;
        return Ok(Status::Clean);
    }
    let targets: Result<Vec<StopTarget>, TargetError> = args
        .targets
        .iter()
        .map(|word| StopTarget::parse(word))
        .collect();
    let targets = targets.map_err(|error| failure(&error.into()))?;
    let options = StopOptions {
        grace: args.grace,
        signal: args.signal,
        tree: args.tree,
        kill: if args.no_kill {
            Some(false)
        } else {
            args.kill.then_some(true)
        },
        yes: args.yes,
        all: args.all,
    };
    let me = std::process::id();
    let plan =
        gather_stop_plan(&targets, options, input::now(), me).map_err(|error| failure(&error))?;
    let text = args.format == AnswerFormat::Text;
    if text {
        output.answer(&plan_text(&plan, args.dry_run))?;
    }
    let answer = |report: Option<&StopReport>| -> Result<(), Failure> {
        let plan = &plan;
        if !text {
            output.answer(&output.json_answer("stop", &StopAnswer { plan, report })?)?;
        }
        Ok(())
    };
    if !plan.refusals.is_empty() {
        answer(None)?;
        return Ok(Status::Findings);
    }
    if args.dry_run {
        answer(None)?;
        let hopeless = plan.members.iter().any(|member| member.signal.is_none());
        return Ok(if hopeless {
            Status::Findings
        } else {
            Status::Clean
        });
    }
    let closed = plan
        .members
        .iter()
        .find(|it| it.explanation.needs.is_some());
    if let Some(member) = closed {
        let what = format!(
            "not permitted to send a signal to {} (pid {}); nothing was sent",
            member.name, member.identity.pid
        );
        return Err(Failure::denied(what).hint("run it as root"));
    }
    let mut last = None;
    let mut tell = |ended: &EndedProcess| {
        if text && ended.asked && last.is_none() {
            last = output.answer(&ended_text(ended)).err();
        }
    };
    let report = carry_out(&plan, me, &mut tell).map_err(|error| failure(&error))?;
    if let Some(failure) = last {
        return Err(failure);
    }
    if text {
        output.answer(&rest_text(&report))?;
    }
    answer(Some(&report))?;
    Ok(
        if report.survivors.is_empty()
            && report.restarted.is_empty()
            && report.still_served.is_empty()
        {
            Status::Clean
        } else {
            Status::Findings
        },
    )
}

fn failure(error: &StopError) -> Failure {
    let what = error.to_string();
    let denied = |source: &std::io::Error| {
        let failure = Failure::io(what.clone(), source);
        if source.kind() == std::io::ErrorKind::PermissionDenied {
            failure.hint("run it as root, or as the user whom it belongs to")
        } else {
            failure
        }
    };
    match error {
        StopError::Read { source, .. }
        | StopError::Hold { source, .. }
        | StopError::Send { source, .. }
        | StopError::Systemctl(source) => denied(source),
        StopError::Target(TargetError::Ambiguous { .. }) => {
            Failure::input(what).hint("name one by its pid, or stop them all with `--all`")
        }
        StopError::Target(
            TargetError::NoSuchProcess(_) | TargetError::NoSuchName(_) | TargetError::Empty(_),
        ) => Failure::input(what).hint("`ps -e` lists the processes"),
        StopError::Target(TargetError::NothingListens(_)) => {
            Failure::input(what).hint("`ss -lntup` lists the listeners")
        }
        _ => Failure::input(what),
    }
}

fn plan_text(plan: &StopPlan, dry_run: bool) -> String {
    let mut text = String::new();
    for member in plan.members.iter().filter(|member| member.asked) {
        text.push_str(&member_text(member, plan.options));
    }
    let along: Vec<&StopMember> = plan.members.iter().filter(|member| !member.asked).collect();
    if !along.is_empty() {
        let names = along
            .iter()
            .take(SHOWN)
            .map(|it| format!("{} {}", it.name, it.identity.pid));
        let more = along.len().saturating_sub(SHOWN);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let names = names.collect::<Vec<_>>().join(", ");
        let mood = if dry_run || !plan.refusals.is_empty() {
            "would"
        } else {
            "will"
        };
        let why = match along.len() {
            _ if plan.options.tree => "",
            1 => ": a shell waits for it",
            _ => ": a shell waits for each",
        };
        let _ = writeln!(
            text,
            "{mood} be stopped along with it: {}{more}{why}",
            escape(&names)
        );
    }
    for unit in &plan.units {
        let _ = writeln!(text, "systemd stops {}", escape(unit));
    }
    for refusal in &plan.refusals {
        let _ = writeln!(
            text,
            "refused: {} (pid {}): {}",
            escape(&refusal.name),
            refusal.pid,
            escape(&refusal.why)
        );
        match &refusal.instead {
            Some(command) => {
                let _ = writeln!(text, "  the proper way:  {}", escape(command));
            }
            None if refusal.pid == 1 || refusal.pid == std::process::id() => {}
            None => text.push_str("  `--yes` does it nevertheless\n"),
        }
    }
    if !plan.refusals.is_empty() {
        text.push_str("nothing was sent\n");
    }
    text
}

fn member_text(member: &StopMember, options: StopOptions) -> String {
    let mut text = format!(
        "{} (pid {}), {} old, user {}",
        escape(&member.name),
        member.identity.pid,
        age(member.age),
        escape(&surefoot_host::user_name(member.uid).unwrap_or_else(|| member.uid.to_string()))
    );
    if let Some(unit) = &member.unit {
        let _ = write!(text, ", {}", escape(unit));
    }
    if let Some(container) = &member.container {
        let _ = write!(
            text,
            ", container {}",
            escape(container.get(..12).unwrap_or(container))
        );
    }
    text.push('\n');
    if !member.command.is_empty() {
        let _ = writeln!(text, "  runs {}", escape(&member.command.join(" ")));
    }
    if !member.serves.is_empty() {
        let _ = writeln!(text, "  listens on {}", escape(&member.serves.join(", ")));
    }
    if member.connections > 0 {
        let more = if member.connections > member.peers.len() {
            ", …"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "  connected: {} ({}{more})",
            member.connections,
            member.peers.join(", ")
        );
    }
    // Those of the first process of a namespace end with it.
    let ends_all = matches!(
        member.explanation.plight,
        ProcessPlight::FirstProcess | ProcessPlight::NamespaceInit
    );
    if !member.children.is_empty() && !ends_all {
        let pids: Vec<String> = member
            .children
            .iter()
            .take(SHOWN)
            .map(|it| it.pid.to_string())
            .collect();
        let more = if member.children.len() > SHOWN {
            ", …"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "  its children get no signal: {}{more} (`--tree` stops them, too)",
            pids.join(", ")
        );
    }
    if let Some(manners) = &member.manners {
        let _ = writeln!(text, "  {}", manners.why);
    }
    if let Some(restart) = member.restart.as_ref().filter(|_| options.yes) {
        let _ = writeln!(
            text,
            "  {} will start it again; the proper way: {}",
            escape(&restart.by),
            escape(&restart.command)
        );
    }
    if let Some(script) = member.script {
        let _ = writeln!(
            text,
            "  a shell waits for it (pid {script}): its script goes on then, and may start it again"
        );
    }
    text.push_str(&why_text(&member.explanation));
    text.push_str(&will_text(member, options));
    text
}

fn will_text(member: &StopMember, options: StopOptions) -> String {
    let Some(signal) = member.signal else {
        return "  will: nothing, since no signal does anything\n".to_owned();
    };
    let mut text = format!("  will: {}", signal_name(signal));
    if member.resume {
        text.push_str(", then CONT");
    }
    let _ = write!(text, " ({})", outcome(member.outcome));
    if signal != 9 {
        let _ = match (member.kill, member.explanation.on_kill) {
            (true, on_kill) => write!(
                text,
                ", KILL after {} s if it still runs ({})",
                member.grace,
                outcome(on_kill)
            ),
            (false, _) if options.kill == Some(false) => {
                write!(text, ", wait {} s, no KILL (`--no-kill`)", member.grace)
            }
            (false, _) => write!(
                text,
                ", wait {} s, no KILL, which would harm it (`--kill` sends it)",
                member.grace
            ),
        };
    }
    text.push('\n');
    text
}

fn why_text(explanation: &StopExplanation) -> String {
    let mut text = String::new();
    for why in &explanation.why {
        let _ = writeln!(text, "  {}", escape(why));
    }
    for remedy in &explanation.remedies {
        let _ = writeln!(text, "  to free it: {}", escape(&remedy.what));
        for command in &remedy.commands {
            let _ = writeln!(text, "    {}", escape(command));
        }
    }
    text
}

fn ended_text(ended: &EndedProcess) -> String {
    let name = escape(&ended.name);
    let Some(after) = ended.after else {
        return format!(
            "gone: {name} (pid {}) had ended before a signal was sent\n",
            ended.pid
        );
    };
    let how = match ended.end {
        ProcessEnd::Exited { code } => format!("exit code {code}"),
        ProcessEnd::Killed { signal, core } => {
            let core = if core { ", core dumped" } else { "" };
            format!("by signal {}{core}", signal_name(signal))
        }
        ProcessEnd::Unknown => "how is unknown".to_owned(),
    };
    format!(
        "ended: {name} (pid {}) after {after:.3} s: {how}\n",
        ended.pid
    )
}

/// What ended beside the targets, and by which signal if it was the same for all.
fn along_text(report: &StopReport) -> String {
    let along: Vec<&EndedProcess> = report.ended.iter().filter(|ended| !ended.asked).collect();
    let Some(first) = along.first() else {
        return String::new();
    };
    let what = match along.len() {
        1 => "1 child".to_owned(),
        count => format!("{count} children"),
    };
    let killed = along.iter().filter(|ended| ended.killed).count();
    let how = match first.end {
        ProcessEnd::Killed { signal, .. } if along.iter().all(|it| it.end == first.end) => {
            format!(", by {}", signal_name(signal))
        }
        _ if killed == along.len() => ", by KILL".to_owned(),
        _ if killed > 0 => format!(", {killed} of them by KILL"),
        _ => String::new(),
    };
    format!("{what} ended too{how}\n")
}

fn rest_text(report: &StopReport) -> String {
    let mut text = String::new();
    text.push_str(&along_text(report));
    for unit in &report.units {
        let _ = writeln!(text, "stopped: {}", escape(unit));
    }
    if !report.left.is_empty() {
        let pids: Vec<String> = report
            .left
            .iter()
            .take(SHOWN)
            .map(|it| it.pid.to_string())
            .collect();
        let more = if report.left.len() > SHOWN {
            ", …"
        } else {
            ""
        };
        let _ = writeln!(text, "children that run on: {}{more}", pids.join(", "));
    }
    for again in &report.restarted {
        let _ = writeln!(
            text,
            "started again: {} (pid {}), by {} (pid {}), {}",
            escape(&again.name),
            again.pid,
            escape(&again.by_name),
            again.by,
            match again.proper {
                Some(_) => "which has to be told",
                None => "which has to be stopped first",
            }
        );
        let command = match &again.proper {
            Some(command) => escape(command).into_owned(),
            None => format!("surefoot stop {} --tree", again.by),
        };
        let _ = writeln!(text, "  {command}");
    }
    for served in &report.still_served {
        let by = match served.pid {
            Some(pid) => format!("{} (pid {pid})", escape(&served.name)),
            None => "a process that is hidden from here".to_owned(),
        };
        let _ = writeln!(
            text,
            "still served: port {}, by {by}, which took it over\n  surefoot stop :{}",
            served.port, served.port
        );
    }
    for survivor in &report.survivors {
        let after = if survivor.killed { " after KILL" } else { "" };
        let _ = writeln!(
            text,
            "still there{after}: {} (pid {})",
            escape(&survivor.name),
            survivor.pid
        );
        if let Some(spared) = &survivor.spared {
            let _ = writeln!(text, "  {}", escape(spared));
        }
        if let Some(explanation) = &survivor.explanation {
            text.push_str(&why_text(explanation));
        }
    }
    text
}

/// Seconds in the largest unit that fits.
fn age(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86400),
    }
}
