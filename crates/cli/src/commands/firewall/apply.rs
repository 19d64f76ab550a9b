//! `surefoot firewall apply`: rules tried, proved, loaded under a watchdog, and kept when they are confirmed.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use surefoot_apply::{
    AccessAnswer, AccessRisk, CutConnection, LoginRecord, Rehearsal, RuleFile, RuleState,
    RuleTools, UnitKey, access_questions, backend_of_host, cut_connections, dialed_address,
    dialed_questions, frame_risks, leads_elsewhere, policy_questions, prove_access, rehearse,
    rules_in_force, tables_added_to, zone_risks,
};
use surefoot_firewall::ask::{self, DiffSide, DiffVerdict, Difference, MadeRules};
use surefoot_firewall::{LoadedFrom, LoadedRules};
use surefoot_host::Interface;
use surefoot_journal::JournalEntry;
use surefoot_netfilter::exact::Budget;
use surefoot_netfilter::traffic::{Traffic, policy};
use surefoot_report::{Problem, Source};
use surefoot_ruleset::Input;

use super::Status;
use super::apply_words::{apply_failure, refusal, show};
use super::arming::{load, say_armed};
use crate::args::{AnswerFormat, FactsArgs, RulesFormat};
use crate::error::Failure;
use crate::input;
use crate::journal::{self, StateDirArgs, failure};
use crate::output::Output;
use crate::progress::Progress;

/// Load rules that let you stay in, and take them back unless you confirm them
///
/// The files are loaded in a network of their own first. What the kernel made of them there is asked, for all
/// packets, whether the ssh connections stay, new ones from the same addresses get in, and loopback and replies
/// stay accepted, with every sentence of the policy; else nothing is touched, and a packet shows why. A ban, which
/// takes a part of the replies only, is shown and not refused. Then they are loaded, read back, and taken back
/// after `--confirm-within`, whatever becomes of this terminal, unless `surefoot firewall confirm` comes from a new
/// connection. A table or a set that a file does not name stays; an nft file adds to the tables that it names
/// unless it empties them, as with `nft -f`.
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
    #[arg(value_name = "FILE", required_unless_present = "schema", value_hint = clap::ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Try, prove and compare, and load nothing
    #[arg(long)]
    dry_run: bool,
    /// The format of the files, where the text does not tell
    #[arg(long, value_enum, value_name = "FORMAT")]
    rules_format: Option<RulesFormat>,
    /// Do not save them when they are confirmed
    #[arg(long)]
    no_save: bool,
    #[command(flatten)]
    options: ApplyOptions,
    /// The form of the answer; `surefoot firewall apply --schema` prints the JSON Schema
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    format: AnswerFormat,
    /// Print the JSON Schema of what `--format json` writes, and load nothing
    #[arg(long)]
    schema: bool,
}

/// How rules are loaded that might lock you out.
#[derive(Debug, Args)]
pub(super) struct ApplyOptions {
    /// Take the rules back after so long unless they are confirmed, such as 60s or 5m
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = journal::parse_duration)]
    pub(super) confirm_within: u64,
    /// Load them although you might not stay in; they are taken back all the same unless they are
    /// confirmed
    #[arg(long)]
    pub(super) even_if_locked_out: bool,
    /// Sentences that must hold [default: /etc/surefoot/firewall.policy, if it is there]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(super) policy: Option<PathBuf>,
    /// Accept no ssh connection above this process, as on a console or in tmux: every open ssh
    /// connection has to stay then
    #[arg(long)]
    pub(super) same_session: bool,
    /// Load them and return, without waiting for the confirmation
    #[arg(long)]
    pub(super) no_wait: bool,
    #[command(flatten)]
    pub(super) state: StateDirArgs,
}

/// Rules that are to be loaded.
pub(super) struct RulesRequest<'a> {
    /// What the change is called in the journal.
    pub(super) title: String,
    /// Where they come from.
    pub(super) source: RulesSource<'a>,
    /// Whether they are tried and proved only.
    pub(super) dry_run: bool,
    /// Whether they are saved when they are confirmed.
    pub(super) saves: bool,
    /// The rules that were made for their places, if these are such.
    pub(super) made: Option<&'a MadeRules>,
    pub(super) options: &'a ApplyOptions,
    pub(super) format: AnswerFormat,
}

/// Where rules come from that are to be loaded.
pub(super) enum RulesSource<'a> {
    /// Files of the user's.
    Files(Vec<Input>),
    /// The rules in force, changed.
    Changed(&'a dyn Fn(&RuleState) -> Result<Vec<RuleFile>, Failure>),
}

/// Where the policy of a machine lies.
const POLICY: &str = "/etc/surefoot/firewall.policy";
/// Connections that are looked at.
const MOST_CONNECTIONS: usize = 2000;
/// Parts of a change that are shown.
const PARTS: usize = 8;
/// What the comparison may cost for a family and a way: some seconds. What costs more is left out of what is
/// shown, and says so; whether you stay in is another question.
const BUDGET: Budget = Budget {
    nodes: 1 << 23,
    steps: 1 << 25,
};
/// What an application came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ApplyOutcome {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<&'a MadeRules>,
    changed: Vec<String>,
    access: &'a [AccessAnswer],
    risks: &'a [AccessRisk],
    cut: &'a [CutConnection],
    difference: Option<&'a Difference>,
    entry: Option<&'a JournalEntry>,
}

/// What was found before anything is touched.
pub(super) struct PlannedRules {
    pub(super) tools: RuleTools,
    pub(super) before: RuleState,
    pub(super) rehearsal: Rehearsal,
    pub(super) interfaces: Vec<Interface>,
    pub(super) logins: LoginRecord,
    pub(super) access: Vec<AccessAnswer>,
    pub(super) risks: Vec<AccessRisk>,
    pub(super) added: Vec<UnitKey>,
    pub(super) cut: Vec<CutConnection>,
    pub(super) difference: Difference,
}

impl RulesRequest<'_> {
    pub(super) fn answer(
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
            made: self.made,
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
    if args.schema {
        output.answer(include_str!("apply.schema.json"))?;
        return Ok(Status::Clean);
    }
    let names = args.files.iter().map(|file| file.display().to_string());
    let names: Vec<String> = names.collect();
    let mut inputs = Vec::new();
    for file in &args.files {
        let input = input::rule_text(file, args.rules_format, output);
        inputs.push(input.map_err(|failure| failure.left_unless(UNTOUCHED))?);
    }
    let request = RulesRequest {
        title: format!("firewall rules of {}", names.join(", ")),
        source: RulesSource::Files(inputs),
        dry_run: args.dry_run,
        saves: !args.no_save,
        made: None,
        options: &args.options,
        format: args.format,
    };
    apply_rules(request, output)
}

/// Tries, proves, shows and loads rules, and waits for their confirmation.
pub(super) fn apply_rules(request: RulesRequest<'_>, output: &Output) -> Result<Status, Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::denied("only root may load rules")
            .hint("run it with sudo")
            .left("Nothing was changed."));
    }
    let mut request = request;
    let source = std::mem::replace(&mut request.source, RulesSource::Files(Vec::new()));
    let args = &request;
    let planned = plan(args, source, output).map_err(|failure| failure.left_unless(UNTOUCHED))?;
    if planned.rehearsal.changed.is_empty() {
        let armed = super::confirm::armed_entry(&args.options.state.journal(), "confirmed").ok();
        let outcome = match &armed {
            Some(_) => ApplyOutcome::Armed,
            None => ApplyOutcome::Unchanged,
        };
        args.answer(outcome, &planned, armed.as_ref(), output)?;
        if let Some(entry) = armed {
            output.remark(&format!(
                "these rules are loaded, by {}, and not confirmed yet; nothing was changed now\n",
                journal::call(&entry)
            ));
            say_armed(&entry, output);
        } else {
            output.remark("these rules are in force already; nothing was changed\n");
        }
        return Ok(Status::Clean);
    }
    if args.format == AnswerFormat::Text {
        show(&planned, output)?;
    }
    let refused = refusal(args.options, &planned);
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

pub(super) const UNTOUCHED: &str = "The old rules are in force; nothing was changed.";

/// Reads, tries and proves; changes nothing.
fn plan(
    args: &RulesRequest<'_>,
    source: RulesSource<'_>,
    output: &Output,
) -> Result<PlannedRules, Failure> {
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
    let mut files: Vec<RuleFile> = Vec::new();
    let mut change = None;
    match source {
        RulesSource::Files(inputs) => {
            for input in inputs {
                files.push(
                    RuleFile::of_input(input, backend).map_err(|error| apply_failure(&error))?,
                );
            }
        }
        RulesSource::Changed(act) => change = Some(act),
    }
    let mut origins: BTreeSet<_> = host.rules.iter().map(|listing| listing.origin).collect();
    origins.extend(files.iter().map(|file| file.origin));
    let tools = RuleTools::find(&origins).map_err(|error| apply_failure(&error))?;
    let before = rules_in_force(&tools).map_err(|error| failure(&error))?;
    if let Some(change) = change {
        files = change(&before)?;
    }
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
    if let Some(meant) = args.made.and_then(|made| made.after.as_ref()) {
        are_as_meant(&new, meant)?;
    }
    let logins = LoginRecord::of_host(&host);
    let sessions: Vec<_> = if let Some(own) = logins.own {
        vec![own]
    } else {
        let open = logins.open.iter();
        open.map(|login| (login.client, login.server)).collect()
    };
    let mut access = prove(args.options, &sessions, &old, &new, output)?;
    let (dialed, unlisted) = dialed_access(&sessions, &old, &new)?;
    access.extend(dialed);
    let mut risks = zone_risks(&old, &new, &sessions).map_err(not_asked)?;
    risks.extend(unlisted);
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
    let added = if args.made.is_some() {
        Vec::new()
    } else {
        tables_added_to(&files, &before, &rehearsal.after, &rehearsal.changed)
    };
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

/// The kernel's list of connections.
const CONNECTIONS: &str = "/proc/thread-self/net/nf_conntrack";

/// Proves that new connections to the addresses that NAT leads to the ssh daemon are accepted. Where the kernel
/// does not list its connections it is unknown which those are.
fn dialed_access(
    sessions: &[(SocketAddr, SocketAddr)],
    old: &LoadedRules,
    new: &LoadedRules,
) -> Result<(Vec<AccessAnswer>, Vec<AccessRisk>), Failure> {
    if !leads_elsewhere(&old.firewall) {
        return Ok((Vec::new(), Vec::new()));
    }
    let Ok(list) = std::fs::read_to_string(CONNECTIONS) else {
        let risk = |(client, _): &(SocketAddr, SocketAddr)| {
            AccessRisk {
            about: format!("the ssh connection from {client}"),
            why: "rules in force lead packets elsewhere (NAT), and the kernel does not list its connections: which \
                  address was dialed is unknown"
                .to_owned(),
        }
        };
        return Ok((Vec::new(), sessions.iter().map(risk).collect()));
    };
    let mut questions = Vec::new();
    for session in sessions {
        if let Some(dialed) = dialed_address(&list, *session) {
            let of_session = dialed_questions(&new.surroundings, *session, dialed);
            questions.extend(of_session.map_err(not_asked)?);
        }
    }
    let answers = prove_access(old, new, &questions).map_err(not_asked)?;
    Ok((answers, Vec::new()))
}

/// Whether the kernel made of rules what was proved of them.
fn are_as_meant(new: &LoadedRules, meant: &LoadedRules) -> Result<(), Failure> {
    let side = |rules| DiffSide { rules, whole: true };
    let difference = ask::diff(
        side(meant),
        side(new),
        &meant.surroundings,
        &Traffic::default(),
        (PARTS, BUDGET),
    );
    if difference.verdict == DiffVerdict::Equal {
        return Ok(());
    }
    let shown = difference.text(surefoot_report::Style::Plain, 80);
    Err(
        Failure::refused("the kernel does not make of the rule what was proved of it")
            .picture(shown),
    )
}

fn not_asked(problem: Problem) -> Failure {
    Failure::input(problem.what)
}

fn prove(
    args: &ApplyOptions,
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
