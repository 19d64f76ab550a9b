//! Carries a plan out: the first signal, the wait, KILL, and how each process ended.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, Timespec, poll};
use serde::Serialize;
use surefoot_host::{Host, LiveOptions, ProcessDetail, ProcessIdentity};

use super::held::{HeldProcess, HoldAttempt, ProcessEnd};
use super::membership::TreeMembers;
use super::{StopError, systemd};
use crate::explanation::{SignalSender, StopExplanation, explain_process};
use crate::plan::{StopMember, StopPlan};
use crate::signal::{CONT, KILL, STOP, TERM};

/// How long processes are waited for after KILL.
const AFTER_KILL: Duration = Duration::from_secs(2);

/// How often a tree is looked through for new members, and stopped members are resumed.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// From how many processes on ends are taken together, and those of which time.
const MANY: usize = 32;
const TOGETHER: Duration = Duration::from_millis(1);

/// How long a parent is watched after the end of its child, and a script that waited for it.
const AFTER_PARENT: Duration = Duration::from_millis(100);
const AFTER_SCRIPT: Duration = Duration::from_millis(1500);
const BETWEEN_GLANCES: Duration = Duration::from_millis(20);

/// How long a tree is made to stand still before KILL, at most.
const STANDSTILL: Duration = Duration::from_millis(500);

/// How it went.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StopReport {
    /// The processes that ended, in the order of their ends.
    pub ended: Vec<EndedProcess>,
    /// The processes that did not end.
    pub survivors: Vec<StopSurvivor>,
    /// Children of stopped processes that run on.
    pub left: Vec<ProcessIdentity>,
    /// Units that systemd has stopped.
    pub units: Vec<String>,
    /// Processes that run the same program again, started by the same parent since.
    pub restarted: Vec<RestartedProcess>,
}

/// A process that took the place of one that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestartedProcess {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// The process that ended.
    pub instead_of: u32,
    /// The parent of both.
    pub by: u32,
    /// The parent's name.
    pub by_name: String,
    /// The command that stops it for good, where one is known.
    pub proper: Option<String>,
}

/// A process that ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EndedProcess {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Whether it was asked for.
    pub asked: bool,
    /// Seconds from the first signal to its end; none if it was gone before.
    pub after: Option<f64>,
    /// Whether KILL was sent.
    pub killed: bool,
    /// How it ended.
    pub end: ProcessEnd,
}

/// A process that did not end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StopSurvivor {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Whether KILL was sent.
    pub killed: bool,
    /// Why it was not signalled to the end, where that is our doing.
    pub spared: Option<String>,
    /// Its state now.
    pub explanation: Option<StopExplanation>,
}

/// A process on its way.
struct StoppingProcess {
    held: HeldProcess,
    name: String,
    asked: bool,
    signal: u8,
    kill: bool,
    deadline: Instant,
    killed: bool,
    spared: Option<String>,
}

/// Sends what the plan says, waits, and tells how it ended. `tell` hears of each end at once.
pub fn carry_out(
    plan: &StopPlan,
    me: u32,
    tell: &mut dyn FnMut(&EndedProcess),
) -> Result<StopReport, StopError> {
    let mut run = StopRun {
        plan,
        me,
        begun: Instant::now(),
        going: Vec::new(),
        tree: TreeMembers::default(),
        report: StopReport::default(),
        tell,
    };
    allow_many_files();
    run.hold_all()?;
    if !plan.units.is_empty() {
        systemd::stop_units(&plan.units)?;
        run.report.units.clone_from(&plan.units);
    }
    run.send_first()?;
    run.wait()?;
    Ok(run.finish())
}

/// A tree of a thousand processes takes a thousand file descriptors.
fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where this is refused, a small tree still can be stopped.
    let _ = setrlimit(Resource::Nofile, limit);
}

struct StopRun<'a> {
    plan: &'a StopPlan,
    me: u32,
    begun: Instant,
    going: Vec<StoppingProcess>,
    tree: TreeMembers,
    report: StopReport,
    tell: &'a mut dyn FnMut(&EndedProcess),
}

impl StopRun<'_> {
    /// Holds every process of the plan before the first signal is sent.
    fn hold_all(&mut self) -> Result<(), StopError> {
        for member in &self.plan.members {
            if member.signal.is_none() {
                self.report.survivors.push(StopSurvivor {
                    pid: member.identity.pid,
                    name: member.name.clone(),
                    killed: false,
                    spared: None,
                    explanation: Some(member.explanation.clone()),
                });
                continue;
            }
            match hold(&member.identity)? {
                HoldAttempt::Gone => self.gone(member),
                HoldAttempt::Held(held) => self.going.push(StoppingProcess {
                    held,
                    name: member.name.clone(),
                    asked: member.asked,
                    signal: member.signal.unwrap_or(KILL),
                    kill: member.kill,
                    deadline: self.begun + Duration::from_secs(member.grace),
                    killed: false,
                    spared: None,
                }),
            }
        }
        Ok(())
    }

    fn gone(&mut self, member: &StopMember) {
        let ended = EndedProcess {
            pid: member.identity.pid,
            name: member.name.clone(),
            asked: member.asked,
            after: None,
            killed: false,
            end: ProcessEnd::Unknown,
        };
        (self.tell)(&ended);
        self.report.ended.push(ended);
    }

    fn send_first(&mut self) -> Result<(), StopError> {
        self.begun = Instant::now();
        if self.plan.options.tree {
            for process in &self.going {
                if let HoldAttempt::Held(held) = hold(process.held.identity())? {
                    self.tree.insert(held);
                }
            }
        }
        if self.plan.options.tree {
            // What was forked since the plan, while everything that it can be known by is there.
            let begun = Instant::now();
            while !self.collect_newcomers()?.is_empty() && begun.elapsed() < STANDSTILL {}
        }
        for process in &mut self.going {
            let pid = process.held.identity().pid;
            let member = self
                .plan
                .members
                .iter()
                .find(|member| member.identity.pid == pid);
            if let Some(member) = member {
                process.deadline = self.begun + Duration::from_secs(member.grace);
            }
            if let Some(member) = member.filter(|member| member.asked)
                && let Some(other) = other_program(member)
            {
                process.spared = Some(format!("it runs another program now, {other}; look again"));
                continue;
            }
            first_signal(process)?;
        }
        Ok(())
    }

    /// Waits for the ends, and sends KILL to what outlasts its grace.
    fn wait(&mut self) -> Result<(), StopError> {
        // KILL may have been the first signal; its end takes a moment, too.
        let killed_first = self.going.iter().any(|process| process.killed);
        let mut killed_at = killed_first.then(Instant::now);
        let mut looked = self.begun;
        let mut look_took = Duration::ZERO;
        loop {
            self.collect_ended();
            let now = Instant::now();
            let waiting = |process: &StoppingProcess| process.spared.is_none();
            if !self.going.iter().any(waiting) {
                // A member may have forked just before its end.
                if self.plan.options.tree && self.adopt()? > 0 {
                    continue;
                }
                return Ok(());
            }
            // A look that would last past a deadline is left out: the tree stands still for one then.
            let first_due = self.going.iter().filter(|it| waiting(it) && !it.killed);
            let is_near = first_due
                .map(|process| process.deadline)
                .min()
                .is_some_and(|first| first.saturating_duration_since(now) < look_took * 2);
            if self.plan.options.tree && looked.elapsed() >= LOOK_AGAIN && !is_near {
                let begun = Instant::now();
                self.adopt()?;
                looked = Instant::now();
                look_took = begun.elapsed();
            }
            let now = Instant::now();
            let due = |process: &StoppingProcess| {
                process.spared.is_none() && !process.killed && process.deadline <= now
            };
            if self.going.iter().any(due) {
                self.kill_due(now)?;
                killed_at = Some(Instant::now());
            }
            self.resume_stopped()?;
            let next = self.next_deadline(killed_at);
            let Some(next) = next else {
                return Ok(());
            };
            let patience = next.saturating_duration_since(Instant::now());
            self.poll_ends(patience.min(LOOK_AGAIN));
        }
    }

    /// When something is to be done next; none if nothing is left but to give up.
    fn next_deadline(&self, killed_at: Option<Instant>) -> Option<Instant> {
        let now = Instant::now();
        let open = self
            .going
            .iter()
            .filter(|it| it.spared.is_none() && !it.killed);
        let first = open.map(|process| process.deadline).min();
        let last = killed_at.map(|at| at + AFTER_KILL).filter(|end| *end > now);
        match (first, last) {
            (Some(first), Some(last)) => Some(first.min(last)),
            (first, last) => first.or(last),
        }
    }

    fn poll_ends(&self, patience: Duration) {
        let living = self.going.iter().filter(|process| process.spared.is_none());
        let mut places: Vec<PollFd<'_>> = living.map(|process| process.held.poll_place()).collect();
        let patience = Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(1),
            tv_nsec: i64::from(patience.subsec_nanos()),
        };
        // An interrupted wait is a short one.
        let _ = poll(&mut places, Some(&patience));
        if places.len() > MANY {
            // Many end at once: they are taken together, not each with a look at all others.
            std::thread::sleep(TOGETHER);
        }
    }

    /// Takes those that have ended out and tells of them.
    fn collect_ended(&mut self) {
        let (ended, going) = std::mem::take(&mut self.going)
            .into_iter()
            .partition(|process: &StoppingProcess| process.held.has_ended());
        self.going = going;
        let after = self.begun.elapsed().as_secs_f64();
        let ended: Vec<StoppingProcess> = ended;
        for process in ended {
            let ended = EndedProcess {
                pid: process.held.identity().pid,
                name: process.name,
                asked: process.asked,
                after: Some(after),
                killed: process.killed,
                end: process.held.end(),
            };
            (self.tell)(&ended);
            self.report.ended.push(ended);
        }
    }

    /// Takes in what the tree has forked since, sends the first signal, gives the number.
    fn adopt(&mut self) -> Result<usize, StopError> {
        let found = self.collect_newcomers()?;
        for process in &mut self.going {
            if found.contains(&process.held.identity().pid) {
                first_signal(process)?;
            }
        }
        Ok(found.len())
    }

    /// Takes in what the tree has forked since, without a signal.
    fn collect_newcomers(&mut self) -> Result<BTreeSet<u32>, StopError> {
        let found = self
            .tree
            .newcomers(self.me)
            .map_err(|source| StopError::Read { pid: 0, source })?;
        let mut pids = BTreeSet::new();
        for held in found {
            let pid = held.identity().pid;
            // The tree keeps its own hold: the one here is given up when the process has ended.
            let HoldAttempt::Held(second) = hold(held.identity())? else {
                continue;
            };
            self.tree.insert(second);
            pids.insert(pid);
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let latest = self.plan.members.iter().map(|member| member.grace).max();
            self.going.push(StoppingProcess {
                held,
                name: name.trim_end().to_owned(),
                asked: false,
                signal: self.plan.options.signal.unwrap_or(TERM),
                kill: self
                    .plan
                    .members
                    .iter()
                    .all(|member| member.kill || !member.asked),
                deadline: self.begun + Duration::from_secs(latest.unwrap_or(0)),
                killed: false,
                spared: None,
            });
        }
        Ok(pids)
    }

    fn kill_due(&mut self, now: Instant) -> Result<(), StopError> {
        if self.plan.options.tree {
            self.stand_still()?;
        }
        // The youngest first: a child that outlives its parent for a moment would be resumed by the
        // kernel (SIGHUP and SIGCONT to an orphaned group) and could fork.
        self.going
            .sort_by_key(|process| std::cmp::Reverse(process.held.identity().start_ticks));
        for process in &mut self.going {
            if process.killed || process.spared.is_some() || process.deadline > now {
                continue;
            }
            if process.kill {
                process.killed = true;
                send(&process.held, KILL)?;
            } else {
                process.spared = Some("KILL was not sent".to_owned());
            }
        }
        Ok(())
    }

    /// Stops the whole tree, so that nothing forks between the look and KILL.
    fn stand_still(&mut self) -> Result<(), StopError> {
        let begun = Instant::now();
        loop {
            let mut moving = 0;
            for process in self
                .going
                .iter()
                .filter(|it| it.kill && it.spared.is_none())
            {
                let state = process.held.link().map_or('X', |link| link.state);
                if !matches!(state, 'T' | 't' | 'Z' | 'X' | 'D') {
                    moving += 1;
                    send(&process.held, STOP)?;
                }
            }
            let is_late = begun.elapsed() > STANDSTILL;
            // A look at all processes counts only when each member stands still.
            if moving > 0 && !is_late {
                std::thread::yield_now();
                continue;
            }
            if self.adopt()? == 0 || is_late {
                return Ok(());
            }
        }
    }

    /// Lets go on what stopped itself meanwhile, so that it can take its signal.
    fn resume_stopped(&self) -> Result<(), StopError> {
        let waiting =
            |it: &&StoppingProcess| !it.killed && it.spared.is_none() && it.signal != KILL;
        for process in self.going.iter().filter(waiting) {
            if process.held.link().is_some_and(|link| link.state == 'T') {
                send(&process.held, CONT)?;
            }
        }
        Ok(())
    }

    /// Explains what is left.
    fn finish(mut self) -> StopReport {
        let host = if self.going.is_empty() {
            Host::default()
        } else {
            Host::live_processes(&LiveOptions::default())
        };
        let sender = SignalSender::of(&host, self.me);
        for process in std::mem::take(&mut self.going) {
            let pid = process.held.identity().pid;
            let detail = ProcessDetail::live(pid, false).ok().flatten();
            self.report.survivors.push(StopSurvivor {
                pid,
                name: process.name,
                killed: process.killed,
                spared: process.spared,
                explanation: detail.map(|detail| explain_process(&detail, &host, &sender)),
            });
        }
        let children = self.plan.members.iter().flat_map(|member| &member.children);
        self.report.left = children
            .filter(|child| ProcessIdentity::live(child.pid).as_ref() == Some(*child))
            .cloned()
            .collect();
        self.report.restarted = self.watch_for_restarts();
        self.report
    }

    /// Whether systemd starts it again, and was not asked to stop its unit.
    fn has_keeper(&self, member: &StopMember) -> bool {
        let is_stopped = |unit: &String| self.plan.units.contains(unit);
        member.restart.is_some() && !member.unit.as_ref().is_some_and(is_stopped)
    }

    /// Looks whether a parent starts again what has ended: for a moment, and longer where a script has
    /// waited for it.
    fn watch_for_restarts(&self) -> Vec<RestartedProcess> {
        let ended = |member: &&StopMember| {
            let mut ended = self.report.ended.iter();
            ended.any(|it| it.pid == member.identity.pid && it.after.is_some())
        };
        let all: BTreeSet<u32> = self.plan.members.iter().map(|it| it.identity.pid).collect();
        let above = Host::live_processes(&LiveOptions::default()).ancestors(self.me);
        let watched: Vec<&StopMember> = self
            .plan
            .members
            .iter()
            .filter(|member| member.asked && (member.parent > 1 || self.has_keeper(member)))
            .filter(|member| !all.contains(&member.parent) && !above.contains(&member.parent))
            .filter(ended)
            .collect();
        if watched.is_empty() {
            return Vec::new();
        }
        let is_kept = |member: &&StopMember| member.script.is_some() || member.restart.is_some();
        let patience = if watched.iter().any(is_kept) {
            AFTER_SCRIPT
        } else {
            AFTER_PARENT
        };
        let begun = Instant::now();
        loop {
            let found = restarted(&watched);
            if !found.is_empty() || begun.elapsed() >= patience {
                return found;
            }
            std::thread::sleep(BETWEEN_GLANCES);
        }
    }
}

/// The processes that have the command line and the parent of one of these, and another number.
fn restarted(watched: &[&StopMember]) -> Vec<RestartedProcess> {
    let host = Host::live_processes(&LiveOptions::default());
    let again = |member: &StopMember| {
        let same = host.children(member.parent).find(|child| {
            // A parent forks before the child runs the program: the command line tells.
            let later = child.start_ticks >= member.identity.start_ticks;
            later
                && child.pid != member.identity.pid
                && child.state != 'Z'
                && !member.children.iter().any(|it| it.pid == child.pid)
                && child.command == member.command
                && !member.siblings.contains(&child.pid)
        })?;
        Some(RestartedProcess {
            pid: same.pid,
            name: same.name.clone(),
            instead_of: member.identity.pid,
            by: member.parent,
            by_name: host
                .process(member.parent)
                .map(|parent| parent.name.clone())
                .unwrap_or_default(),
            proper: member.restart.as_ref().map(|it| it.command.clone()),
        })
    };
    watched.iter().filter_map(|member| again(member)).collect()
}

fn hold(identity: &ProcessIdentity) -> Result<HoldAttempt, StopError> {
    HeldProcess::open(identity).map_err(|source| StopError::Hold {
        pid: identity.pid,
        source,
    })
}

fn send(held: &HeldProcess, signal: u8) -> Result<bool, StopError> {
    let pid = held.identity().pid;
    match held.send(signal) {
        Ok(there) => Ok(there),
        Err(source) => Err(StopError::Send { pid, source }),
    }
}

fn first_signal(process: &mut StoppingProcess) -> Result<(), StopError> {
    if process.signal == KILL {
        process.killed = true;
    }
    send(&process.held, process.signal)?;
    if process.signal != KILL && process.held.link().is_some_and(|link| link.state == 'T') {
        send(&process.held, CONT)?;
    }
    Ok(())
}

/// The program that a process runs, if it is not the planned one any more.
fn other_program(member: &StopMember) -> Option<String> {
    let planned = member.exe.as_deref()?.trim_end_matches(" (deleted)");
    let target = std::fs::read_link(format!("/proc/{}/exe", member.identity.pid)).ok()?;
    let now = target.to_string_lossy();
    let now = now.trim_end_matches(" (deleted)");
    (now != planned).then(|| now.to_owned())
}
