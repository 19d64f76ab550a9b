//! Stops processes: the part of this crate that touches the machine.
//!
//! [`gather_stop_plan`] looks and plans, [`carry_out`] sends and waits. Everything that decides is pure and
//! lives in the modules beside this one.

mod held;
mod look_times;
mod membership;
mod numbers;
mod report;
mod restarts;
mod run;
mod systemd;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use surefoot_host::{
    Host, LiveOptions, ProcessDetail, control_group_members, processes_using, terminal_device,
    user_number,
};
use thiserror::Error;

pub use held::ProcessEnd;
pub use report::{EndedProcess, RestartedProcess, ServedPort, StopReport, StopSurvivor};
pub use run::carry_out;

use crate::explanation::SignalSender;
use crate::plan::{StopInputs, StopOptions, StopPlan, companions_of, plan_stop};
use crate::plight::{ProcessPlight, classify};
use crate::target::{StopTarget, TargetError, find_in_facts, is_unit};

/// Why nothing can be stopped.
#[derive(Debug, Error)]
pub enum StopError {
    /// A target that is none or not there.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A process that cannot be read.
    #[error("cannot read process {pid}")]
    Read {
        /// The process.
        pid: u32,
        /// Why.
        source: io::Error,
    },
    /// A process that cannot be held.
    #[error("cannot hold process {pid} by a file descriptor, so no signal was sent to it")]
    Hold {
        /// The process.
        pid: u32,
        /// Why; `function not implemented` on kernels before Linux 5.3.
        source: io::Error,
    },
    /// A signal that cannot be sent.
    #[error("cannot send a signal to process {pid}")]
    Send {
        /// The process.
        pid: u32,
        /// Why.
        source: io::Error,
    },
    /// The program that speaks with systemd does not run.
    #[error("cannot run `systemctl`")]
    Systemctl(#[source] io::Error),
    /// Systemd does not run, so there are no units.
    #[error("`unit:{0}` is for systemd, which does not run here; name the process")]
    NoSystemd(String),
    /// Systemd does not know the unit.
    #[error("systemd knows no unit `{0}`; `systemctl list-units` lists them")]
    NoSuchUnit(String),
    /// Systemd did not stop it.
    #[error("`{command}` failed: {said}")]
    UnitNotStopped {
        /// The command.
        command: String,
        /// What it wrote.
        said: String,
    },
}

/// How often a process in state D is looked at, and how far apart: only what lasts is a state.
const LOOKS: usize = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Looks at the machine and plans; sends nothing. `me` is this process, `now` the seconds since 1970.
pub fn gather_stop_plan(
    targets: &[StopTarget],
    mut options: StopOptions,
    now: u64,
    me: u32,
) -> Result<StopPlan, StopError> {
    let host = Host::live_processes(&LiveOptions {
        now,
        keep_secrets: false,
    });
    let mut asked = BTreeSet::new();
    let mut stop_units = Vec::new();
    for target in targets {
        // All that is in there is meant, also what it forks meanwhile.
        options.tree |= matches!(
            target,
            StopTarget::ControlGroup(_) | StopTarget::Container(_)
        );
        asked.extend(find_target(
            target,
            &host,
            me,
            options.all,
            &mut stop_units,
        )?);
    }
    let mut details = read_details(asked.iter().copied(), &host)?;
    let companions = companions_of(&details, &host, options.tree);
    details.extend(read_details(companions.into_iter(), &host)?);
    let inputs = StopInputs {
        host: &host,
        details: &details,
        asked: &asked,
        units: &unit_states(&details),
        stop_units,
        ports: targets.iter().filter_map(port_of).collect(),
        sender: SignalSender::of(&host, me),
    };
    Ok(plan_stop(&inputs, options))
}

fn port_of(target: &StopTarget) -> Option<u16> {
    match target {
        StopTarget::Port(port) => Some(*port),
        _ => None,
    }
}

fn find_target(
    target: &StopTarget,
    host: &Host,
    me: u32,
    all: bool,
    stop_units: &mut Vec<String>,
) -> Result<Vec<u32>, StopError> {
    let not_found = |what: String| TargetError::NotFound(what);
    let processes = || {
        host.processes
            .iter()
            .flatten()
            .filter(|process| process.pid != me)
    };
    let some = |pids: Vec<u32>, what: String| {
        if pids.is_empty() {
            Err(TargetError::NothingThere(what).into())
        } else {
            Ok(pids)
        }
    };
    match target {
        StopTarget::Unit(name) => {
            if !systemd::runs() {
                return Err(StopError::NoSystemd(name.clone()));
            }
            let unit = systemd::unit_state(name)?;
            if unit.load == "not-found" {
                return Err(StopError::NoSuchUnit(name.clone()));
            }
            // A socket left behind would start its service again.
            stop_units.extend(unit.triggered_by.iter().cloned());
            stop_units.push(unit.id.clone());
            let members = processes().filter(|process| {
                process
                    .unit
                    .as_deref()
                    .is_some_and(|it| is_unit(it, &unit.id))
            });
            Ok(members.map(|process| process.pid).collect())
        }
        StopTarget::User(name) => {
            let number =
                user_number(name).ok_or_else(|| not_found(format!("there is no user `{name}`")))?;
            let pids = processes().filter(|process| process.uid == number);
            some(
                pids.map(|process| process.pid).collect(),
                format!("user `{name}`"),
            )
        }
        StopTarget::Terminal(name) => {
            let device = terminal_device(name)
                .ok_or_else(|| not_found(format!("there is no terminal `{name}`")))?;
            let pids = processes().filter(|process| process.terminal == device);
            some(
                pids.map(|process| process.pid).collect(),
                format!("terminal `{name}`"),
            )
        }
        StopTarget::File(path) => {
            let pids = processes_using(path)
                .map_err(|error| not_found(format!("cannot look at `{path}`: {error}")))?;
            let pids = pids.into_iter().filter(|pid| *pid != me).collect();
            some(
                pids,
                format!("`{path}`: no process that may be looked at uses it"),
            )
        }
        StopTarget::ControlGroup(name) => {
            let pids = control_group_members(name).map_err(|error| not_found(error.to_string()))?;
            some(pids, format!("control group `{name}`"))
        }
        _ => Ok(find_in_facts(target, host, me, all)?.unwrap_or_default()),
    }
}

/// Reads processes in depth; those that end meanwhile are left out.
fn read_details(
    pids: impl Iterator<Item = u32>,
    host: &Host,
) -> Result<Vec<ProcessDetail>, StopError> {
    let mut details = Vec::new();
    for pid in pids {
        let read =
            || ProcessDetail::live(pid, false).map_err(|source| StopError::Read { pid, source });
        let mut detail = read()?;
        for _ in 1..LOOKS {
            let stuck = detail.as_ref().is_some_and(|detail| {
                matches!(
                    classify(detail, host),
                    ProcessPlight::Uninterruptible { .. }
                )
            });
            if !stuck {
                break;
            }
            std::thread::sleep(BETWEEN_LOOKS);
            detail = read()?;
        }
        details.extend(detail);
    }
    Ok(details)
}

/// What systemd says of the services that the processes are in; nothing where it cannot be asked.
fn unit_states(details: &[ProcessDetail]) -> BTreeMap<String, crate::manners::UnitState> {
    let mut states = BTreeMap::new();
    if !systemd::runs() {
        return states;
    }
    for detail in details {
        if let Some(unit) = &detail.process.unit
            && unit.ends_with(".service")
            && !states.contains_key(unit)
            && let Ok(state) = systemd::unit_state(unit)
        {
            states.insert(unit.clone(), state);
        }
    }
    states
}
