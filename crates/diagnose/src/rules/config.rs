//! Faults of a configuration that keep a daemon from running.

use super::process::refused;
use super::{RuleMatch, quote, service_command};
use crate::chain::HopProtocol;
use crate::observation::Scene;

/// It is not running, and its own test finds its configuration wrong.
pub(super) fn broken(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let config = facts.config.as_ref()?;
    let complaint = config.complaint.as_ref()?;
    if !facts.is_dead() {
        return None;
    }
    Some(RuleMatch {
        what: format!(
            "{} is not running, and its configuration is wrong: it cannot start",
            facts.title()
        ),
        evidence: vec![refused(scene, hop), format!("{}: {complaint}", config.test)],
        next: vec![
            config.test.clone(),
            format!(
                "surefoot bisect {} --syntax true --reload true --test {}",
                quote(&config.file),
                quote(&config.test)
            ),
            format!("surefoot edit {}", quote(&config.file)),
            service_command(scene, hop, "start"),
        ],
        ..RuleMatch::default()
    })
}

/// It is not running, and its pid file names a process of another program.
pub(super) fn stale_pid_file(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let file = facts.config.as_ref()?.pid_file.as_ref()?;
    let holder = file.holder.as_ref()?;
    let program = facts.program.as_ref()?;
    if !facts.is_dead()
        || holder.starts_with(program.as_str())
        || program.starts_with(holder.as_str())
    {
        return None;
    }
    Some(RuleMatch {
        what: format!(
            "{} is not running, and its pid file names a process of another program",
            facts.title()
        ),
        evidence: vec![
            refused(scene, hop),
            format!("{} holds {}, which is {holder} now", file.path, file.pid),
        ],
        next: vec![
            format!("ps -p {}", file.pid),
            format!(
                "rm {}   # once you have seen that it is not {program}",
                quote(&file.path)
            ),
            service_command(scene, hop, "start"),
        ],
        ..RuleMatch::default()
    })
}

/// Another program listens at the port that a configuration gives to this daemon.
pub(super) fn port_taken(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    facts.listener?;
    let config = facts.config.as_ref()?;
    let wanted = facts.program.as_ref()?;
    let holder = facts.processes.first()?;
    let is_other = !holder.name.starts_with(wanted.as_str()) && !wanted.starts_with(&holder.name);
    if !is_other || facts.protocol == HopProtocol::Tcp {
        return None;
    }
    let address = facts.address.as_ref()?;
    Some(RuleMatch {
        what: format!(
            "{address} is taken by {} (process {}); {wanted} should be there and cannot start",
            holder.name, holder.pid
        ),
        evidence: vec![
            format!("{} gives {address} to {wanted}", config.file),
            format!("process {} ({}) listens there", holder.pid, holder.name),
        ],
        next: vec![
            format!("surefoot stop --dry-run {}", holder.pid),
            service_command(scene, hop, "start"),
        ],
        ..RuleMatch::default()
    })
}
