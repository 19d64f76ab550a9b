//! `surefoot firewall apply`: rules tried, proved, loaded under a watchdog, and kept when they are confirmed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use surefoot_apply::{
    AccessAnswer, AccessRisk, AccessVerdict, ApplyError, CutConnection, LoginRecord, Rehearsal,
    RuleFile, RuleState, RuleTools, RulesChange, UnitKey, access_questions, backend_of_host,
    cut_connections, frame_risks, policy_questions, prove_access, rehearse, rules_in_force,
    tables_added_to, zone_risks,
};
use surefoot_firewall::ask::{self, DiffSide, DiffVerdict, Difference, ProofVerdict};
use surefoot_firewall::{LoadedFrom, LoadedRules};
use surefoot_host::Interface;
use surefoot_journal::{
    ArmRequest, ChangeRequest, EntryState, Journal, JournalEntry, JournalError,
};
use surefoot_netfilter::exact::Budget;
use surefoot_netfilter::traffic::{Traffic, policy};
use surefoot_report::{Problem, Source, escape};

use super::Status;
use crate::args::{AnswerFormat, FactsArgs, RulesFormat};
use crate::error::Failure;
use crate::input;
use crate::journal::{self, StateDirArgs, escape_lines, failure};
use crate::output::Output;
use crate::progress::Progress;

/// Load rules that let you stay in, and take them back unless you confirm them
///
/// The files are loaded in a network of their own first. What the kernel made of them there is asked, for all
/// packets, whether the ssh connections stay, new ones from the same addresses get in, and loopback and replies
/// stay accepted, with every sentence of the policy; else nothing is touched, and a packet shows why. A ban, which
/// takes a part of the replies only, is shown and not refused. Then they are loaded, read back, and taken back after `--confirm-within`, whatever becomes of this terminal, unless
/// `surefoot firewall confirm` comes from a new connection. A table or a set that a file does not name stays; an nft
/// file adds to the tables that it names unless it empties them, as with `nft -f`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
The files are those of iptables-save, ip6tables-save, nft and ipset save, all in one change.

Examples:
  sudo surefoot firewall apply rules.v4 --dry-run
  sudo surefoot firewall apply rules.v4 rules.v6 --confirm-within 2m
  sudo surefoot firewall apply ruleset.nft
  sudo surefoot firewall confirm            # from a new connection: they stay
  sudo surefoot firewall rollback           # the old rules, now

Exit status:
  0  in force and confirmed, or nothing would change; --dry-run: would be loaded
  1  refused, as you might not stay in (--dry-run: would be), or not confirmed
     and taken back
  2  bad usage or bad input
  3  not permitted
  4  the change failed and was rolled back
  5  the change failed and the machine is not as it was before")]
pub(crate) struct ApplyArgs {
    /// The files; `-` is standard input
    #[arg(value_name = "FILE", required = true, value_hint = clap::ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Take the rules back after so long unless they are confirmed, such as 60s or 5m
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = journal::parse_duration)]
    confirm_within: u64,
    /// Try, prove and compare, and load nothing
    #[arg(long)]
    dry_run: bool,
    /// Load them although you might not stay in; they are taken back all the same unless they are
    /// confirmed
    #[arg(long)]
    even_if_locked_out: bool,
    /// Sentences that must hold [default: /etc/surefoot/firewall.policy, if it is there]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    policy: Option<PathBuf>,
    /// Accept no ssh connection above this process, as on a console or in tmux: every open ssh
    /// connection has to stay then
    #[arg(long)]
    same_session: bool,
    /// Do not save them when they are confirmed
    #[arg(long)]
    no_save: bool,
    /// Load them and return, without waiting for the confirmation
    #[arg(long)]
    no_wait: bool,
    /// The format of the files, where the text does not tell
    #[arg(long, value_enum, value_name = "FORMAT")]
    rules_format: Option<RulesFormat>,
    #[command(flatten)]
    state: StateDirArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    format: AnswerFormat,
}

/// Where the policy of a machine lies.
const POLICY: &str = "/etc/surefoot/firewall.policy";
/// Connections that are looked at, and that are shown.
const MOST_CONNECTIONS: usize = 2000;
const SHOWN_CONNECTIONS: usize = 10;
/// Parts of a change that are shown.
const PARTS: usize = 8;
/// What the comparison may cost for a family and a way: some seconds. What costs more is left out of what is
/// shown, and says so; whether you stay in is another question.
const BUDGET: Budget = Budget {
    nodes: 1 << 23,
    steps: 1 << 25,
};
/// What the watchdog may need behind the deadline.
const WATCHDOG_SECONDS: i64 = 3;
/// How often the entry is looked at while its confirmation is waited for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// What an application came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum ApplyOutcome {
    /// The rules in force are these already.
    Unchanged,
    /// You might not stay in.
    Refused,
    /// Tried and proved only.
    DryRun,
    /// In force until the deadline, unless that is confirmed.
    Armed,
    /// In force, and confirmed.
    Confirmed,
    /// Taken back.
    RolledBack,
}

/// An application as JSON.
#[derive(Serialize)]
struct ApplyAnswer<'a> {
    outcome: ApplyOutcome,
    changed: Vec<String>,
    access: &'a [AccessAnswer],
    risks: &'a [AccessRisk],
    cut: &'a [CutConnection],
    difference: Option<&'a Difference>,
    entry: Option<&'a JournalEntry>,
}

/// What was found before anything is touched.
struct PlannedRules {
    tools: RuleTools,
    before: RuleState,
    rehearsal: Rehearsal,
    interfaces: Vec<Interface>,
    logins: LoginRecord,
    access: Vec<AccessAnswer>,
    risks: Vec<AccessRisk>,
    added: Vec<UnitKey>,
    cut: Vec<CutConnection>,
    difference: Difference,
}

impl ApplyArgs {
    fn answer(
        &self,
        outcome: ApplyOutcome,
        planned: &PlannedRules,
        entry: Option<&JournalEntry>,
        output: &Output,
    ) -> Result<(), Failure> {
        if self.format == AnswerFormat::Text {
            return Ok(());
        }
        let changed = planned.rehearsal.changed.iter();
        let answer = ApplyAnswer {
            outcome,
            changed: changed.map(ToString::to_string).collect(),
            access: &planned.access,
            risks: &planned.risks,
            cut: &planned.cut,
            difference: Some(&planned.difference),
            entry,
        };
        output.answer(&output.json_answer("apply", &answer)?)
    }
}

pub(super) fn run(args: &ApplyArgs, output: &Output) -> Result<Status, Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::denied("only root may load rules")
            .hint("run it with sudo")
            .left("Nothing was changed."));
    }
    let planned = plan(args, output).map_err(|failure| failure.left_unless(UNTOUCHED))?;
    if planned.rehearsal.changed.is_empty() {
        args.answer(ApplyOutcome::Unchanged, &planned, None, output)?;
        output.remark("these rules are in force already; nothing was changed\n");
        return Ok(Status::Clean);
    }
    if args.format == AnswerFormat::Text {
        show(&planned, output)?;
    }
    let refused = refusal(args, &planned);
    if args.dry_run {
        args.answer(ApplyOutcome::DryRun, &planned, None, output)?;
        if let Some(failure) = refused {
            return Err(failure.left("Nothing was changed (--dry-run)."));
        }
        output.remark("these rules would be loaded; nothing was changed (--dry-run)\n");
        return Ok(Status::Clean);
    }
    if let Some(failure) = refused {
        args.answer(ApplyOutcome::Refused, &planned, None, output)?;
        return Err(failure.left(UNTOUCHED));
    }
    load(args, &planned, output)
}

const UNTOUCHED: &str = "The old rules are in force; nothing was changed.";

/// Reads, tries and proves; changes nothing.
fn plan(args: &ApplyArgs, output: &Output) -> Result<PlannedRules, Failure> {
    let mut inputs = Vec::new();
    for file in &args.files {
        inputs.push(input::rule_text(file, args.rules_format, output)?);
    }
    let host = input::host(&FactsArgs::default(), output)?;
    let in_force = surefoot_check::loaded_rules(&host);
    if !host.rules_complete {
        let mut failure = Failure::input("not all rules of this machine could be read");
        for unknown in in_force.unknowns() {
            failure = failure.because(format!("{}: {}", unknown.fact, unknown.why));
        }
        return Err(failure.hint("what cannot be read cannot be put back"));
    }
    let progress = Progress::new(output.quiet());
    progress.step("trying the rules in a network of their own");
    let backend = backend_of_host(&host).unwrap_or_else(RuleTools::usual_backend);
    let files: Vec<RuleFile> = inputs
        .into_iter()
        .map(|input| RuleFile::of_input(input, backend))
        .collect::<Result<_, _>>()
        .map_err(|error| apply_failure(&error))?;
    let mut origins: BTreeSet<_> = host.rules.iter().map(|listing| listing.origin).collect();
    origins.extend(files.iter().map(|file| file.origin));
    let tools = RuleTools::find(&origins).map_err(|error| apply_failure(&error))?;
    let before = rules_in_force(&tools).map_err(|error| failure(&error))?;
    let interfaces = host
        .network
        .as_ref()
        .map_or_else(Vec::new, |network| network.interfaces.clone());
    let rehearsal =
        rehearse(&tools, &before, &files, &interfaces).map_err(|error| apply_failure(&error))?;
    progress.step("proving that you stay in");
    let surroundings = in_force.surroundings.clone();
    let rules = |subject: &str, state: &RuleState| {
        LoadedRules::read(
            subject.to_owned(),
            state.inputs(),
            surroundings.clone(),
            LoadedFrom::Machine(Vec::new()),
        )
    };
    let old = rules("the rules in force", &before);
    let new = rules("the new rules", &rehearsal.after);
    let logins = LoginRecord::of_host(&host);
    let sessions: Vec<_> = if let Some(own) = logins.own {
        vec![own]
    } else {
        let open = logins.open.iter();
        open.map(|login| (login.client, login.server)).collect()
    };
    let access = prove(args, &sessions, &old, &new, output)?;
    let mut risks = zone_risks(&old, &new, &sessions).map_err(not_asked)?;
    risks.extend(frame_risks(&before, &rehearsal.after, &rehearsal.changed));
    progress.step("comparing");
    let side = |rules| DiffSide { rules, whole: true };
    let mut difference = ask::diff(
        side(&old),
        side(&new),
        &surroundings,
        &Traffic::default(),
        (PARTS, BUDGET),
    );
    for risk in &risks {
        if difference.verdict == DiffVerdict::Equal {
            difference.verdict = DiffVerdict::Unknown;
        }
        difference
            .notes
            .push(format!("{}: {}", risk.about, risk.why));
    }
    let added = tables_added_to(&files, &before, &rehearsal.after, &rehearsal.changed);
    let cut = cut_connections(&host, &old, &new, MOST_CONNECTIONS);
    Ok(PlannedRules {
        tools,
        before,
        rehearsal,
        interfaces,
        logins,
        access,
        risks,
        added,
        cut,
        difference,
    })
}

fn not_asked(problem: Problem) -> Failure {
    Failure::input(problem.what)
}

fn prove(
    args: &ApplyArgs,
    sessions: &[(SocketAddr, SocketAddr)],
    old: &LoadedRules,
    new: &LoadedRules,
    output: &Output,
) -> Result<Vec<AccessAnswer>, Failure> {
    let mut questions = access_questions(old, new, sessions).map_err(not_asked)?;
    let path = args.policy.clone().or_else(|| {
        let usual = Path::new(POLICY);
        usual.exists().then(|| usual.to_owned())
    });
    if let Some(path) = path {
        let source = Source::new(path.display().to_string(), input::policy(&path)?);
        let unread = |problems: &[Problem]| {
            Failure::input(format!("the policy `{}` is not understood", path.display())).picture(
                surefoot_report::problems(&source, problems, output.error_style()),
            )
        };
        let assertions = policy(&source.text).map_err(|problems| unread(&problems))?;
        for assertion in &assertions {
            super::check_traffic(new, &assertion.traffic)?;
        }
        let of_policy = policy_questions(assertions);
        prove_access(old, new, &of_policy).map_err(|problem| unread(&[problem]))?;
        questions.extend(of_policy);
    }
    prove_access(old, new, &questions).map_err(not_asked)
}

/// Shows what changes, what would be cut, and every sentence that is not proved.
fn show(planned: &PlannedRules, output: &Output) -> Result<(), Failure> {
    let (style, width) = (output.style(), output.width());
    output.answer(&planned.difference.text(style, width))?;
    let mut text = String::new();
    for answer in &planned.access {
        if matches!(answer.verdict, AccessVerdict::Lost | AccessVerdict::Unsure) {
            let _ = writeln!(text, "\n{}:", escape(&answer.about));
            text.push_str(&answer.proof.text(style, width));
        }
    }
    text.push_str(&in_part_text(&planned.access));
    if !planned.cut.is_empty() {
        text.push_str("\nconnections that are open now and would be cut:\n");
        for cut in planned.cut.iter().take(SHOWN_CONNECTIONS) {
            let program = cut.program.as_deref().unwrap_or("unknown program");
            let possibly = if cut.certain { "" } else { "  (possibly)" };
            let _ = writeln!(
                text,
                "  {} from {}, {}{possibly}",
                cut.local,
                cut.peer,
                escape(program)
            );
        }
        let more = planned.cut.len().saturating_sub(SHOWN_CONNECTIONS);
        if more > 0 {
            let _ = writeln!(text, "  and {more} more");
        }
    }
    text.push_str(&proved_text(&planned.access));
    output.answer(&text)?;
    if planned.logins.own.is_none() && planned.logins.open.is_empty() {
        output.complain("note: no ssh connection is open, so nothing was proved about ssh\n");
    }
    for key in &planned.added {
        output.complain(&format!(
            "note: no file empties {key}: its rules are added behind those that are there; to replace them, put \
             `table {name}` and `delete table {name}` on top, or `flush ruleset`\n",
            name = escape(&key.name)
        ));
    }
    for answer in &planned.access {
        if answer.verdict == AccessVerdict::WasNotSo {
            output.remark(&format!(
                "note: {} was not accepted in full before, and is not now\n",
                escape(&answer.about)
            ));
        }
    }
    Ok(())
}

/// What is not accepted for all packets any more, and still for most.
fn in_part_text(access: &[AccessAnswer]) -> String {
    let mut text = String::new();
    let in_part = |answer: &&AccessAnswer| answer.verdict == AccessVerdict::ChangedInPart;
    for answer in access.iter().filter(in_part) {
        if text.is_empty() {
            text.push_str("\naccepted in part only from now on (no reason to refuse):\n");
        }
        let _ = writeln!(text, "  {}", escape(&answer.about));
        if let Some(witness) = &answer.proof.witness {
            let words = match answer.proof.verdict {
                ProofVerdict::Fails => "but for such as",
                _ => "not certain for such as",
            };
            let _ = writeln!(text, "    {words} {}", escape(&witness.packet));
        }
    }
    text
}

/// What was proved.
fn proved_text(access: &[AccessAnswer]) -> String {
    let mut text = String::new();
    let mut told: Vec<&str> = Vec::new();
    let kept = |answer: &&AccessAnswer| answer.verdict == AccessVerdict::Kept;
    for answer in access.iter().filter(kept) {
        let about = match answer.about.as_str() {
            "the policy" => answer.proof.assertion.as_str(),
            about => about,
        };
        if told.contains(&about) {
            continue;
        }
        if told.is_empty() {
            text.push_str("\nproved for all packets to stay accepted, or as the policy says:\n");
        }
        told.push(about);
        let _ = writeln!(text, "  {}", escape(about));
    }
    text
}

/// Why the rules are not loaded.
fn refusal(args: &ApplyArgs, planned: &PlannedRules) -> Option<Failure> {
    if args.even_if_locked_out {
        return None;
    }
    let of = |verdict| {
        let answers = planned.access.iter();
        answers.filter(move |answer| answer.verdict == verdict)
    };
    let lost: Vec<&AccessAnswer> = of(AccessVerdict::Lost).collect();
    let unsure: Vec<&AccessAnswer> = of(AccessVerdict::Unsure).collect();
    let named = |answers: &[&AccessAnswer]| {
        let mut names: Vec<String> = Vec::new();
        for answer in answers {
            let name = match answer.about.as_str() {
                "the policy" => format!("the policy: {}", answer.proof.assertion),
                about => about.to_owned(),
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    };
    let failure = if !lost.is_empty() {
        let mut failure = Failure::refused("the new rules would not let through what must stay");
        for name in named(&lost) {
            failure = failure.because(name);
        }
        failure
    } else if !unsure.is_empty() || !planned.risks.is_empty() {
        let mut failure = Failure::refused("it is not certain that you stay in");
        for name in named(&unsure) {
            failure = failure.because(name);
        }
        for risk in &planned.risks {
            failure = failure.because(format!("{}: {}", risk.about, risk.why));
        }
        failure
    } else if planned.logins.own.is_none() && !args.same_session {
        return Some(
            Failure::refused(
                "no ssh connection is found above this process: you seem to be on a console, or in tmux, screen or mosh",
            )
            .because(match planned.logins.open.len() {
                0 => "no ssh connection is open at all".to_owned(),
                1 => "the one ssh connection that is open stays".to_owned(),
                count => format!("all {count} ssh connections that are open stay"),
            })
            .hint("if that is so, add `--same-session`"),
        );
    } else {
        return None;
    };
    Some(failure.hint("load them all the same, armed, with `--even-if-locked-out`"))
}

/// Loads the rules under a watchdog, and waits for the confirmation.
fn load(args: &ApplyArgs, planned: &PlannedRules, output: &Output) -> Result<Status, Failure> {
    let journal = args.state.journal();
    args.state.remind(output);
    let starter = args.state.watchdog()?;
    let session = journal::lock(&journal, output)?;
    let names: Vec<String> = args
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let change = RulesChange::plan(
        format!("firewall rules of {}", names.join(", ")),
        planned.tools.clone(),
        planned.before.clone(),
        planned.rehearsal.clone(),
        planned.logins.clone(),
    )
    .with_interfaces(&planned.interfaces)
    .to_be_saved(!args.no_save);
    let start = |entry: &JournalEntry| starter.start(&journal, entry);
    let request = ChangeRequest {
        origin: journal::origin(),
        command: journal::command_line(),
        arm: Some(ArmRequest {
            within: args.confirm_within,
            start: &start,
        }),
    };
    let entry = session
        .perform(Box::new(change), request)
        .map_err(|error| failure(&error).left_unless(UNTOUCHED))?;
    drop(session);
    if args.no_wait {
        args.answer(ApplyOutcome::Armed, planned, Some(&entry), output)?;
    }
    say_armed(&entry, output);
    output.remark(&guard_words(
        journal.is_watched_twice(entry.number),
        starter.systemd,
    ));
    if args.no_wait {
        return Ok(Status::Clean);
    }
    let entry = wait(&journal, &entry, output)?;
    let outcome = match entry.state {
        EntryState::Confirmed => ApplyOutcome::Confirmed,
        EntryState::Armed => ApplyOutcome::Armed,
        _ => ApplyOutcome::RolledBack,
    };
    args.answer(outcome, planned, Some(&entry), output)?;
    match outcome {
        ApplyOutcome::Confirmed => {
            output.remark("confirmed: the new rules stay\n");
            Ok(Status::Clean)
        }
        _ => Err(
            Failure::refused("the new rules were not confirmed and were taken back")
                .left("The old rules are in force."),
        ),
    }
}

/// The deadline is the answer, not a remark: `--quiet` does not hide it.
fn say_armed(entry: &JournalEntry, output: &Output) {
    let Some(arming) = &entry.arming else {
        return;
    };
    output.complain(&format!(
        "the new rules are in force until {}; keep them, from a new connection: surefoot firewall confirm; put the old ones back now: surefoot firewall rollback\n",
        journal::local_text(arming.deadline)
    ));
}

/// What brings the old rules back, and what it does not outlive.
fn guard_words(twice: bool, systemd: bool) -> String {
    let guards = match (twice, systemd) {
        (true, true) => {
            "two watchdogs, units of systemd that are started again when they are killed"
        }
        (false, true) => "a watchdog, a unit of systemd that is started again when it is killed",
        (true, false) => {
            "two watchdogs, each of which is enough; should both be killed, the next surefoot command brings the old \
             rules back"
        }
        (false, false) => {
            "one watchdog; should it be killed, the next surefoot command brings the old rules back"
        }
    };
    format!("the way back is guarded by {guards}\n")
}

/// Waits until the entry is confirmed or taken back; an interrupt takes it back at once, and so does a
/// deadline that the watchdog let pass.
fn wait(journal: &Journal, armed: &JournalEntry, output: &Output) -> Result<JournalEntry, Failure> {
    let deadline = armed
        .arming
        .as_ref()
        .map_or(armed.begun, |arming| arming.deadline);
    let progress = Progress::new(output.quiet());
    loop {
        let entry = journal
            .entry(armed.number)
            .map_err(|error| failure(&error).left("The watchdog takes the rules back."))?;
        if entry.state != EntryState::Armed {
            return Ok(entry);
        }
        let left = deadline.seconds - journal.now().seconds;
        progress.step(format!(
            "waiting for `surefoot firewall confirm` from a new connection: {} s",
            left.max(0)
        ));
        if surefoot_sys::take_interrupt() || left < -WATCHDOG_SECONDS {
            drop(progress);
            let session = journal::lock(journal, output)?;
            let entry = journal
                .entry(armed.number)
                .map_err(|error| failure(&error))?;
            if entry.state != EntryState::Armed {
                return Ok(entry);
            }
            let (entry, warnings) = session
                .roll_back(armed.number)
                .map_err(|error| failure(&error))?;
            for warning in warnings {
                output.complain(&format!("note: {}\n", escape(&warning)));
            }
            return Ok(entry);
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// An error of the crate, with its causes and the difference that it is about.
pub(super) fn apply_failure(error: &ApplyError) -> Failure {
    let failure = match error {
        ApplyError::Journal(error) => return failure(error),
        ApplyError::NoRehearsal { source }
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Failure::denied(error.to_string())
        }
        _ => Failure::input(error.to_string()),
    };
    // What a program says of a file has lines, and often a pointer to the place.
    let failure = match (error, std::error::Error::source(error)) {
        (
            ApplyError::FileRefused {
                source: JournalError::CommandFailed { how, .. },
                ..
            },
            _,
        ) => failure.picture(escape_lines(how)),
        (_, Some(source)) => failure.caused_by(source),
        (_, None) => failure,
    };
    match error.diff() {
        Some(diff) => failure.picture(escape_lines(diff)),
        None => failure,
    }
}
