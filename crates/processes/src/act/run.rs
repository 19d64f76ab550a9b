//! Carries a plan out: the first signal, the wait, KILL, and how each process ended.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, Timespec, poll};
use surefoot_host::{Host, LiveOptions, ProcessDetail, ProcessIdentity, ProcessLink};

use super::held::{HeldProcess, HoldAttempt, ProcessEnd};
use super::look_times::{LOOK_AGAIN, LookTimes};
use super::membership::TreeMembers;
use super::numbers::LastNumber;
use super::report::{EndedProcess, StopReport, StopSurvivor};
use super::restarts::{watch_for_restarts, watch_for_successors};
use super::{StopError, systemd};
use crate::explanation::{SignalSender, explain_process};
use crate::plan::{StopMember, StopPlan};
use crate::signal::{CONT, KILL, STOP, TERM};

/// How long processes are waited for after KILL.
const AFTER_KILL: Duration = Duration::from_secs(2);

/// From how many processes on ends are taken together, and those of which time.
const MANY: usize = 32;
const TOGETHER: Duration = Duration::from_millis(1);

/// How long a tree is made to stand still before KILL, at most.
const STANDSTILL: Duration = Duration::from_millis(500);

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
    /// When it was seen to have ended, from the first signal on.
    ended: Option<Duration>,
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
        last_number: None,
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
    /// What the kernel had given last when all processes were looked at.
    last_number: Option<LastNumber>,
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
                    ended: None,
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
        let mut looks = LookTimes::new(self.begun);
        loop {
            self.collect_ended();
            let waiting = |process: &StoppingProcess| process.spared.is_none();
            if !self.going.iter().any(waiting) {
                // A member may have forked just before its end.
                if self.plan.options.tree && self.adopt()? > 0 {
                    continue;
                }
                return Ok(());
            }
            // What KILL has reached forks no more: the last look waits for the ends.
            let first_due = self.first_deadline();
            if self.plan.options.tree && looks.is_due(first_due) {
                let begun = Instant::now();
                self.adopt()?;
                looks.note(begun);
            }
            let now = Instant::now();
            let due = |process: &StoppingProcess| {
                process.spared.is_none() && !process.killed && process.deadline <= now
            };
            if self.going.iter().any(due) {
                self.kill_due(now)?;
                killed_at = Some(Instant::now());
            }
            if !looks.is_near(first_due) {
                self.resume_stopped()?;
            }
            let Some(next) = self.next_deadline(killed_at) else {
                return Ok(());
            };
            let next = looks.last_before(first_due).map_or(next, |at| next.min(at));
            let patience = next.saturating_duration_since(Instant::now());
            self.poll_ends(patience.min(LOOK_AGAIN));
        }
    }

    /// When the first of those that got no KILL is to get it.
    fn first_deadline(&self) -> Option<Instant> {
        let open = self.going.iter();
        let open = open.filter(|it| it.spared.is_none() && !it.killed);
        open.map(|process| process.deadline).min()
    }

    /// When something is to be done next; none if nothing is left but to give up.
    fn next_deadline(&self, killed_at: Option<Instant>) -> Option<Instant> {
        let now = Instant::now();
        let first = self.first_deadline();
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

    /// Notes which have ended, and when.
    fn note_ends(&mut self) {
        let mut places: Vec<PollFd<'_>> =
            self.going.iter().map(|it| it.held.poll_place()).collect();
        if poll(&mut places, Some(&Timespec::default())).is_err() {
            return;
        }
        let ready: Vec<bool> = places
            .iter()
            .map(|place| !place.revents().is_empty())
            .collect();
        let after = self.begun.elapsed();
        for (process, ready) in self.going.iter_mut().zip(ready) {
            if ready && process.ended.is_none() {
                process.ended = Some(after);
            }
        }
    }

    /// Takes those that have ended out and tells of them. How each ended takes a while to read, so the ends of the
    /// others are noted meanwhile.
    fn collect_ended(&mut self) {
        loop {
            self.note_ends();
            let mut left = MANY;
            let mut take = |process: &mut StoppingProcess| {
                let take = process.ended.is_some() && left > 0;
                left -= usize::from(take);
                take
            };
            let ended: Vec<StoppingProcess> = self.going.extract_if(.., |it| take(it)).collect();
            if ended.is_empty() {
                return;
            }
            for process in ended {
                let ended = EndedProcess {
                    pid: process.held.identity().pid,
                    name: process.name,
                    asked: process.asked,
                    after: process.ended.map(|after| after.as_secs_f64()),
                    killed: process.killed,
                    end: process.held.end(),
                };
                (self.tell)(&ended);
                self.report.ended.push(ended);
            }
        }
    }

    /// Takes in what the tree has forked since, sends the first signal, gives the number.
    fn adopt(&mut self) -> Result<usize, StopError> {
        let found = self.collect_newcomers()?;
        self.greet(&found)
    }

    /// Sends newcomers the first signal.
    fn greet(&mut self, found: &BTreeSet<u32>) -> Result<usize, StopError> {
        for process in &mut self.going {
            if found.contains(&process.held.identity().pid) {
                first_signal(process)?;
            }
        }
        Ok(found.len())
    }

    /// Takes in what the tree has forked since, without a signal.
    fn collect_newcomers(&mut self) -> Result<BTreeSet<u32>, StopError> {
        self.last_number = LastNumber::now();
        let links = ProcessLink::live_all();
        let links = links.map_err(|source| StopError::Read { pid: 0, source })?;
        self.take_in(&links)
    }

    /// Takes in what a tree that stands still has forked before. `members` are the places of its living
    /// members.
    fn collect_last(&mut self, members: &[ProcessLink]) -> Result<BTreeSet<u32>, StopError> {
        let now = LastNumber::now();
        let given = self.last_number.zip(now);
        let Some(given) = given.and_then(|(before, now)| before.given_until(&now)) else {
            return self.collect_newcomers();
        };
        self.last_number = now;
        let given = given.into_iter().filter_map(ProcessLink::live);
        let links: Vec<ProcessLink> = members.iter().copied().chain(given).collect();
        self.take_in(&links)
    }

    fn take_in(&mut self, links: &[ProcessLink]) -> Result<BTreeSet<u32>, StopError> {
        let found = self
            .tree
            .newcomers(self.me, links)
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
                ended: None,
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
        // What stands still already takes no harm from one more STOP, and a look at each would cost more.
        let mut moving: Vec<usize> = self.killable().collect();
        let mut links: Vec<Option<ProcessLink>> = Vec::new();
        loop {
            for at in &moving {
                if let Some(process) = self.going.get(*at) {
                    send(&process.held, STOP)?;
                }
            }
            if links.is_empty() {
                links = self.going.iter().map(|it| it.held.link()).collect();
            } else {
                for at in &moving {
                    if let (Some(process), Some(link)) = (self.going.get(*at), links.get_mut(*at)) {
                        *link = process.held.link();
                    }
                }
            }
            moving.retain(|at| links.get(*at).copied().flatten().is_some_and(moves));
            let is_late = begun.elapsed() > STANDSTILL;
            // What was started counts only when each member stands still.
            if !moving.is_empty() && !is_late {
                std::thread::yield_now();
                continue;
            }
            let members: Vec<ProcessLink> = links.iter().copied().flatten().collect();
            let found = self.collect_last(&members)?;
            if self.greet(&found)? == 0 || is_late {
                return Ok(());
            }
            moving = self.killable().collect();
            links.clear();
        }
    }

    /// The places of those that KILL may be sent to.
    fn killable(&self) -> impl Iterator<Item = usize> {
        let all = self.going.iter().enumerate();
        all.filter(|(_, it)| it.kill && it.spared.is_none())
            .map(|(at, _)| at)
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
        self.report.restarted = watch_for_restarts(self.plan, &self.report, self.me);
        self.report.still_served = watch_for_successors(self.plan, &self.report);
        self.report
    }
}

/// Whether a process can still fork.
fn moves(link: ProcessLink) -> bool {
    !matches!(link.state, 'T' | 't' | 'Z' | 'X' | 'D')
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
