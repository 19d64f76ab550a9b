//! Holds one daemon after another for a moment and asks again each time: which of them makes the symptom.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::Serialize;
use surefoot_bisect::{GuardLink, InterventionSetting};
use surefoot_host::{Host, LiveOptions};
use surefoot_journal::{ArmRequest, ChangeRequest, JournalEntry, JournalError};

use super::hold::{DaemonHold, HeldProcess, state_and_start};
use super::hop_files::environment;
use super::look::{LookedAt, ask_once, fronts_of};
use super::names::KnownNames;
use super::question::DiagnoseQuestion;
use crate::error::HoldError;
use crate::localise::{HoldConclusion, HoldEffect, HoldSearch, hold_obstacle};
use crate::observation::{HopFacts, ShownSymptom, SymptomOutcome};
use crate::target::{AskedTarget, parse_target};

/// A daemon is held no longer for one question.
const LONGEST_PATIENCE: Duration = Duration::from_secs(2);
/// The symptom may take so long to be as before once a daemon goes on.
const BACK_WITHIN: Duration = Duration::from_secs(3);
/// How much longer than the question the watchdog waits, in seconds.
const AFTER_THE_QUESTION: u64 = 4;
/// How often the symptom is shown before anything is held.
const LOOKS: usize = 3;

/// What will be held, before it is.
#[derive(Clone, Debug, Serialize)]
pub struct HoldPlan {
    /// Why nothing can be held; nothing if something can.
    pub obstacle: Option<String>,
    /// The daemons that may be held.
    pub daemons: Vec<String>,
    /// Those that may not, each with the reason.
    pub refused: Vec<(String, String)>,
    /// How long one is held at most, in milliseconds.
    pub each_millis: u64,
    /// What is known before anything is held.
    pub conclusion: Option<HoldConclusion>,
    #[serde(skip)]
    search: Option<HoldSearch>,
}

/// A daemon that was held.
#[derive(Clone, Debug, Serialize)]
pub struct HoldStep {
    /// Who.
    pub daemon: String,
    /// The entry of the journal.
    pub entry: u64,
    /// What came back meanwhile, in words.
    pub answer: String,
    /// What that shows; nothing if it was not held as a whole, or the same answer came later.
    pub effect: Option<HoldEffect>,
    /// How long it was held, in milliseconds.
    pub millis: u64,
}

/// What holding daemons showed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct HoldReport {
    /// Each daemon that was held, in this order.
    pub steps: Vec<HoldStep>,
    /// How long daemons were held or the symptom was another one, in milliseconds.
    pub downtime_millis: u64,
    /// What it shows; nothing if it was ended early.
    pub conclusion: Option<HoldConclusion>,
    /// Those that may not be held, each with the reason.
    pub refused: Vec<(String, String)>,
    /// Why it was ended early, and what a person has to be told.
    pub notes: Vec<String>,
}

/// The processes that this one lives by.
fn own_ancestors(host: &Host) -> Vec<u32> {
    let mut found = host.ancestors(std::process::id());
    found.extend([std::process::id(), 1]);
    found
}

/// Why a hop's processes may not be held, beyond what was seen of them.
fn refusal(hop: &HopFacts, ancestors: &[u32]) -> Option<String> {
    for process in &hop.processes {
        if ancestors.contains(&process.pid) {
            return Some("this command runs below it".to_owned());
        }
        if environment(process.pid).contains_key("WATCHDOG_USEC") {
            return Some("its unit has a watchdog, which would end it while it is held".to_owned());
        }
    }
    None
}

/// Plans what to hold for a symptom whose cause is unknown. Nothing is changed.
pub fn plan_holds(looked: &LookedAt, question: &DiagnoseQuestion) -> HoldPlan {
    let patience = patience_for(looked.scene.symptom.millis);
    let mut plan = HoldPlan {
        obstacle: hold_obstacle(&looked.scene),
        daemons: Vec::new(),
        refused: Vec::new(),
        each_millis: millis(patience),
        conclusion: None,
        search: None,
    };
    let is_page = matches!(parse_target(&question.target), Ok(AskedTarget::Url(_)));
    if plan.obstacle.is_none() && question.test.is_none() && !is_page {
        plan.obstacle = Some("no page was asked for: give a URL, or --test".to_owned());
    }
    if plan.obstacle.is_none() && question.test.is_none() && !is_safe(&question.method) {
        plan.obstacle = Some(format!(
            "it takes asking several times, and {} may change something each time",
            question.method
        ));
    }
    if plan.obstacle.is_some() {
        return plan;
    }
    let host = look_at_processes();
    let ancestors = own_ancestors(&host);
    let search = HoldSearch::new(&looked.scene, &|hop| refusal(hop, &ancestors));
    plan.daemons = search.open().map(|group| group.name.clone()).collect();
    for group in search.groups.iter().filter(|group| !group.is_front) {
        if let Some(why) = &group.refused {
            plan.refused.push((group.name.clone(), why.clone()));
        }
    }
    if plan.daemons.is_empty() {
        plan.obstacle = Some(if plan.refused.is_empty() {
            "nothing was found behind it".to_owned()
        } else {
            "no daemon behind it can be held".to_owned()
        });
    }
    plan.conclusion = Some(search.conclude());
    plan.search = Some(search);
    plan
}

fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}

/// Longer than the symptom takes: what waits for a held daemon is told apart from what does not.
fn patience_for(usual: u64) -> Duration {
    (Duration::from_millis(usual) * 4 + Duration::from_millis(500))
        .clamp(Duration::from_millis(800), LONGEST_PATIENCE)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What an answer says, without its numbers: a time or the number of a request differs each time.
fn signature(shown: &ShownSymptom) -> (SymptomOutcome, String) {
    let digits = |letter: char| if letter.is_ascii_digit() { '#' } else { letter };
    (
        shown.outcome.clone(),
        shown.answer.chars().map(digits).collect(),
    )
}

/// The symptom as it is without an intervention.
struct UsualSymptom {
    outcome: SymptomOutcome,
    /// What it says, where that is always the same.
    text: Option<String>,
    /// The longest that it took, in milliseconds.
    slowest: u64,
}

impl UsualSymptom {
    /// Nothing if it is not steady.
    fn of(looks: &[ShownSymptom]) -> Option<Self> {
        let (outcome, text) = signature(looks.first()?);
        let mut signatures = looks.iter().map(signature);
        if !signatures.clone().all(|(other, _)| other == outcome) {
            return None;
        }
        let is_steady = signatures.all(|(_, other)| other == text);
        Some(Self {
            outcome,
            text: is_steady.then_some(text),
            slowest: looks.iter().map(|look| look.millis).max().unwrap_or(0),
        })
    }

    fn is(&self, shown: &ShownSymptom) -> bool {
        let (outcome, text) = signature(shown);
        outcome == self.outcome && self.text.as_ref().is_none_or(|usual| *usual == text)
    }
}

/// Holds the daemons of a plan, one after another, and asks each time. When this returns they all go on.
pub fn hold_and_ask(
    plan: &HoldPlan,
    question: &DiagnoseQuestion,
    setting: &InterventionSetting<'_>,
    downtime: Duration,
    watcher: &mut dyn FnMut(&str, Duration),
) -> Result<HoldReport, HoldError> {
    let mut report = HoldReport {
        refused: plan.refused.clone(),
        ..HoldReport::default()
    };
    if let Some(obstacle) = &plan.obstacle {
        report.notes.push(format!("nothing was held: {obstacle}"));
        report.conclusion.clone_from(&plan.conclusion);
        return Ok(report);
    }
    let Some(mut search) = plan.search.clone() else {
        return Ok(report);
    };
    let host = look_at_processes();
    let fronts = fronts_of(
        &parse_target(&question.target)?,
        question,
        &host,
        &KnownNames::default(),
    )?;
    let Some(front) = fronts.first() else {
        return Ok(report);
    };
    let ask = |patience| ask_once(question, front, patience);
    let looks: Vec<ShownSymptom> = (0..LOOKS).map(|_| ask(LONGEST_PATIENCE)).collect();
    let Some(usual) = UsualSymptom::of(&looks) else {
        let told: Vec<String> = looks.iter().map(|look| look.outcome.words()).collect();
        report.notes.push(format!(
            "nothing was held: asked {LOOKS} times, it answers differently ({})",
            told.join(", ")
        ));
        return Ok(report);
    };
    if !usual.outcome.is_wrong() {
        report
            .notes
            .push("nothing was held: the symptom is gone now".to_owned());
        return Ok(report);
    }
    let patience = patience_for(usual.slowest);
    let mut spent = Duration::ZERO;
    // On a busy machine the same answer may come later for no reason: then it is held once more.
    let mut again: BTreeSet<usize> = BTreeSet::new();
    while let Some(group) = search.next() {
        if (setting.interrupted)() {
            report.notes.push("it was interrupted".to_owned());
            break;
        }
        if spent + patience > downtime {
            report.notes.push(format!(
                "the downtime that is allowed is used up ({} s)",
                downtime.as_secs()
            ));
            break;
        }
        let name = search.groups[group].name.clone();
        watcher(&name, spent);
        let pids = search.groups[group].pids.clone();
        let began = Instant::now();
        let (step, warnings) = hold_one(&name, &pids, setting, &usual, &|| ask(patience))?;
        report.notes.extend(warnings);
        if let Some(effect) = step.effect {
            search.record(group, effect);
        } else if !again.insert(group) {
            search.groups[group].refused = Some("holding it showed nothing, twice".to_owned());
        }
        report.steps.push(step);
        let is_back = wait_until_back(&ask, &usual);
        spent += began.elapsed();
        if !is_back {
            report.notes.push(format!(
                "after {name} was let go on, the symptom is not what it was: nothing more was held"
            ));
            break;
        }
    }
    report.downtime_millis = millis(spent);
    report.conclusion = Some(search.conclude());
    Ok(report)
}

/// The processes of a daemon as they are now: those that are known, and what they have started since.
fn processes_now(pids: &[u32], host: &Host) -> Vec<HeldProcess> {
    let mut found: BTreeSet<u32> = BTreeSet::new();
    let mut ordered: Vec<HeldProcess> = Vec::new();
    let mut waiting: Vec<u32> = pids.to_vec();
    while let Some(pid) = waiting.pop() {
        let Some(process) = host.process(pid) else {
            continue;
        };
        if !found.insert(pid) {
            continue;
        }
        if let Some((state, begun)) = state_and_start(pid)
            && !matches!(state, 'Z' | 'X')
        {
            ordered.push(HeldProcess {
                pid,
                begun,
                name: process.name.clone(),
            });
        }
        let children = host.children(pid);
        waiting.extend(
            children
                .filter(|it| it.name == process.name)
                .map(|it| it.pid),
        );
    }
    // Who starts the others comes first.
    ordered.sort_by_key(|process| (process.begun, process.pid));
    ordered
}

fn look_at_processes() -> Host {
    Host::live_processes(&LiveOptions {
        now: 0,
        keep_secrets: false,
    })
}

/// Holds a daemon, asks, and lets it go on.
fn hold_one(
    name: &str,
    pids: &[u32],
    setting: &InterventionSetting<'_>,
    usual: &UsualSymptom,
    ask: &dyn Fn() -> ShownSymptom,
) -> Result<(HoldStep, Vec<String>), HoldError> {
    let change = DaemonHold::new(
        format!("hold {name}"),
        processes_now(pids, &look_at_processes()),
    );
    let link: RefCell<Option<GuardLink>> = RefCell::new(None);
    let start = |entry: &JournalEntry| -> Result<(), JournalError> {
        setting.watchdog.start(setting.journal, entry)?;
        let guard = setting.guard.start(entry.number);
        let guard = guard.map_err(|error| JournalError::WatchdogFailed {
            why: error.to_string(),
        })?;
        link.replace(Some(guard));
        Ok(())
    };
    let request = ChangeRequest {
        origin: setting.origin.clone(),
        command: setting.command.clone(),
        arm: Some(ArmRequest {
            within: LONGEST_PATIENCE.as_secs() + AFTER_THE_QUESTION,
            start: &start,
        }),
    };
    let began = Instant::now();
    let entry = setting.session.perform(Box::new(change), request)?;
    let shown = ask();
    let is_whole = processes_now(pids, &look_at_processes())
        .iter()
        .all(|process| state_and_start(process.pid).is_none_or(|(state, _)| state == 'T'));
    let (_, warnings) = setting.session.roll_back(entry.number)?;
    let held = began.elapsed();
    drop(link.take());
    // The same answer after a wait may be that of a short timeout: it shows nothing.
    let effect = match usual.is(&shown) {
        true if shown.millis <= usual.slowest * 2 + 30 => Some(HoldEffect::Same),
        true => None,
        false => Some(HoldEffect::Changed),
    };
    let step = HoldStep {
        daemon: name.to_owned(),
        entry: entry.number,
        answer: format!(
            "{} after {}.{:03} s",
            shown.outcome.words(),
            shown.millis / 1000,
            shown.millis % 1000
        ),
        effect: effect.filter(|_| is_whole),
        millis: millis(held),
    };
    Ok((step, warnings))
}

/// Whether the symptom is as it was; a balancer may take a moment to see that a daemon is back.
fn wait_until_back(ask: &dyn Fn(Duration) -> ShownSymptom, usual: &UsualSymptom) -> bool {
    let began = Instant::now();
    loop {
        if usual.is(&ask(LONGEST_PATIENCE)) {
            return true;
        }
        if began.elapsed() > BACK_WITHIN {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
