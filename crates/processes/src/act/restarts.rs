//! Watches whether a parent starts again what was stopped, and whether a port is served by another process then.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use surefoot_host::{Host, LiveOptions};

use super::report::{RestartedProcess, ServedPort, StopReport};
use crate::plan::{StopMember, StopPlan};

/// How long a parent is watched after the end of its child, and a script that waited for it.
const AFTER_PARENT: Duration = Duration::from_millis(100);
const AFTER_SCRIPT: Duration = Duration::from_millis(1500);
const BETWEEN_GLANCES: Duration = Duration::from_millis(20);

/// Whether systemd starts it again, and was not asked to stop its unit.
fn has_keeper(member: &StopMember, plan: &StopPlan) -> bool {
    let is_stopped = |unit: &String| plan.units.contains(unit);
    member.restart.is_some() && !member.unit.as_ref().is_some_and(is_stopped)
}

/// Looks whether a parent starts again what has ended: for a moment, and longer where a script has
/// waited for it.
pub(super) fn watch_for_restarts(
    plan: &StopPlan,
    report: &StopReport,
    me: u32,
) -> Vec<RestartedProcess> {
    let ended = |member: &&StopMember| {
        let mut ended = report.ended.iter();
        ended.any(|it| it.pid == member.identity.pid && it.after.is_some())
    };
    let all: BTreeSet<u32> = plan.members.iter().map(|it| it.identity.pid).collect();
    let above = Host::live_processes(&LiveOptions::default()).ancestors(me);
    let watched: Vec<&StopMember> = plan
        .members
        .iter()
        .filter(|member| member.asked && (member.parent > 1 || has_keeper(member, plan)))
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

/// The ports of the plan that others serve now: a successor takes a moment to come.
pub(super) fn watch_for_successors(plan: &StopPlan, report: &StopReport) -> Vec<ServedPort> {
    if plan.ports.is_empty() {
        return Vec::new();
    }
    let begun = Instant::now();
    loop {
        let found = successors(plan, report);
        if !found.is_empty() || begun.elapsed() >= AFTER_PARENT {
            return found;
        }
        std::thread::sleep(BETWEEN_GLANCES);
    }
}

fn successors(plan: &StopPlan, report: &StopReport) -> Vec<ServedPort> {
    let host = Host::live_processes(&LiveOptions::default());
    // Survivors are told of by themselves.
    let survives = |pid: &u32| report.survivors.iter().any(|it| it.pid == *pid);
    let mut found: Vec<ServedPort> = Vec::new();
    for socket in host.sockets.iter().flatten() {
        if !socket.waits() || !plan.ports.contains(&socket.port) {
            continue;
        }
        if socket.owners.iter().any(survives) {
            continue;
        }
        let pid = socket.owners.first().copied();
        let process = pid.and_then(|pid| host.process(pid));
        let served = ServedPort {
            port: socket.port,
            pid,
            name: process.map(|it| it.name.clone()).unwrap_or_default(),
        };
        if !found.contains(&served) {
            found.push(served);
        }
    }
    found
}
