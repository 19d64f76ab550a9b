//! Faults of the processes themselves: stopped, ended for want of memory, at a limit.

use super::{CauseCertainty, RuleMatch, count_waiting, service_command};
use crate::observation::{ProcessFacts, Scene};

/// Every process that serves is stopped or frozen.
pub(super) fn stopped(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let is_held = |process: &ProcessFacts| process.state == 'T' || process.is_frozen;
    let workers: Vec<&ProcessFacts> = facts.workers().collect();
    let held: Vec<&&ProcessFacts> = workers.iter().filter(|it| is_held(it)).collect();
    if held.is_empty() {
        return None;
    }
    let pids: Vec<String> = held.iter().map(|it| it.pid.to_string()).collect();
    let frozen = held.iter().any(|it| it.is_frozen);
    let how = if frozen {
        "frozen by its control group"
    } else {
        "stopped by a signal (state T)"
    };
    let mut evidence = vec![format!("process {}: {how}", pids.join(", "))];
    if let Some(listener) = facts.listener {
        evidence.push(format!(
            "{} to be accepted",
            count_waiting(listener.waiting)
        ));
    }
    Some(RuleMatch {
        what: format!("{} is {how}", facts.name()),
        evidence,
        next: vec![
            format!("surefoot signals {}", pids[0]),
            format!("kill -CONT {}", pids.join(" ")),
        ],
        // One that is stopped while others of it serve explains a part only.
        at_most: (held.len() < workers.len()).then_some(CauseCertainty::Possible),
        ..RuleMatch::default()
    })
}

/// It is gone, and the kernel says that it ended it.
pub(super) fn out_of_memory(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    if facts.fresh_memory_kills > 0 {
        return Some(RuleMatch {
            what: format!(
                "the kernel ended a process of {} for want of memory while it worked on the request",
                facts.title()
            ),
            evidence: vec![format!(
                "{} of the processes of its control group were ended meanwhile, for want of memory",
                facts.fresh_memory_kills
            )],
            next: vec![
                "journalctl -k --grep 'out of memory|oom-kill'".to_owned(),
                service_command(scene, hop, "show -p MemoryMax -p MemoryCurrent"),
            ],
            is_witnessed: true,
            ..RuleMatch::default()
        });
    }
    if !facts.is_dead() {
        return None;
    }
    let program = facts.program.as_deref()?;
    let short: String = program.chars().take(15).collect();
    let line = scene
        .out_of_memory
        .iter()
        .rev()
        .find(|line| line.contains(&format!("({short})")));
    let (evidence, at_most) = match (line, facts.memory_kills) {
        // Another process of that name may be meant.
        (Some(line), 0) => (
            format!("the kernel's log: {line}"),
            Some(CauseCertainty::Likely),
        ),
        (Some(line), _) => (format!("the kernel's log: {line}"), None),
        (None, 0) => return None,
        (None, kills) => (
            format!(
                "the kernel ended {kills} of the processes of its control group for want of memory"
            ),
            None,
        ),
    };
    Some(RuleMatch {
        what: format!("{program} is not running: the kernel ended it for want of memory"),
        evidence: vec![refused(scene, hop), evidence],
        next: vec![
            "journalctl -k --grep 'out of memory|oom-kill'".to_owned(),
            service_command(scene, hop, "start"),
        ],
        at_most,
        ..RuleMatch::default()
    })
}

/// The sentence that says that nothing listens.
pub(super) fn refused(scene: &Scene, hop: usize) -> String {
    match &scene.hops[hop].address {
        Some(address) => format!("a connection to {address} is refused: nothing listens there"),
        None => "nothing listens there".to_owned(),
    }
}

/// A process has as many files open as it may.
pub(super) fn open_files_limit(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let full = facts.workers().find(|process| {
        matches!(
            (process.open_files, process.open_files_limit),
            (Some(open), Some(limit)) if limit > 0 && open + 1 >= limit
        )
    })?;
    let (open, limit) = (full.open_files?, full.open_files_limit?);
    Some(RuleMatch {
        what: format!(
            "{} has as many files open as it may: new connections and files fail",
            facts.name()
        ),
        evidence: vec![format!(
            "process {}: {open} files open, {limit} allowed",
            full.pid
        )],
        next: vec![
            format!(
                "ls -l /proc/{}/fd | awk '{{print $NF}}' | sort | uniq -c | sort -n | tail",
                full.pid
            ),
            format!("prlimit --pid {} --nofile={}:", full.pid, limit * 4),
        ],
        is_witnessed: facts
            .logs
            .iter()
            .any(|line| line.is_fresh && line.text.contains("Too many open files")),

        ..RuleMatch::default()
    })
}
