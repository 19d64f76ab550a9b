//! What stopping will do, worked out and said before anything is sent.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use surefoot_host::{Host, Process, ProcessDetail, ProcessIdentity, SocketKind};

use crate::explanation::{
    SignalSender, StopExplanation, explain_process, foreground_of, waiting_shell,
};
use crate::manners::{DaemonManners, ProcessRestart, UnitState, manners_of, restart_of};
use crate::plight::{
    ProcessPlight, SignalHandling, SignalOutcome, handling_of, is_namespace_init,
    outcome_of_request,
};
use crate::protection::protection_of;
use crate::signal::{KILL, TERM};

/// Seconds from the first signal to KILL if nothing else is said.
pub const DEFAULT_GRACE: u64 = 10;

/// As many peers of a process are named.
const PEERS_SHOWN: usize = 5;

/// How processes are to be stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StopOptions {
    /// Seconds from the first signal to KILL; the daemon's own if none.
    pub grace: Option<u64>,
    /// The first signal; the daemon's own, or TERM, if none.
    pub signal: Option<u8>,
    /// Whether everything below the targets is stopped, too.
    pub tree: bool,
    /// Whether KILL may be sent; if none, unless it does lasting harm.
    pub kill: Option<bool>,
    /// Whether protection and supervisors are overridden.
    pub yes: bool,
    /// Whether a name may mean several unrelated processes.
    pub all: bool,
}

/// What will be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StopPlan {
    /// The processes, targets first.
    pub members: Vec<StopMember>,
    /// The units that systemd is asked to stop, with the sockets that would start them again.
    pub units: Vec<String>,
    /// The ports that are to be free afterwards.
    pub ports: Vec<u16>,
    /// Why nothing is sent at all.
    pub refusals: Vec<StopRefusal>,
    /// How it is done.
    pub options: StopOptions,
}

/// A process that is to be stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StopMember {
    /// Which process exactly.
    #[serde(flatten)]
    pub identity: ProcessIdentity,
    /// Its name.
    pub name: String,
    /// Its program.
    pub exe: Option<String>,
    /// Its command line, secrets taken out.
    pub command: Vec<String>,
    /// Its user.
    pub uid: u32,
    /// Seconds since it began.
    pub age: u64,
    /// Its unit.
    pub unit: Option<String>,
    /// Its container.
    pub container: Option<String>,
    /// Whether it was asked for itself; if not, it is below a target or holds one up.
    pub asked: bool,
    /// Its children that are not stopped with it.
    pub children: Vec<ProcessIdentity>,
    /// What it listens on.
    pub serves: Vec<String>,
    /// How many peers are connected, to children that serve the same ports as well.
    pub connections: usize,
    /// The first of them.
    pub peers: Vec<String>,
    /// The daemon's own way.
    pub manners: Option<DaemonManners>,
    /// What starts it again.
    pub restart: Option<ProcessRestart>,
    /// Its parent.
    pub parent: u32,
    /// Other processes of its parent that run the same command line already.
    #[serde(skip)]
    pub siblings: Vec<u32>,
    /// The shell that waits for it: a script that goes on when it ends, and may start it again.
    pub script: Option<u32>,
    /// Its state, and what signals do.
    pub explanation: StopExplanation,
    /// The first signal; none if no signal does anything.
    pub signal: Option<u8>,
    /// What comes of it.
    pub outcome: SignalOutcome,
    /// Whether CONT follows, since it is stopped.
    pub resume: bool,
    /// Seconds until KILL.
    pub grace: u64,
    /// Whether KILL is sent after the grace.
    pub kill: bool,
}

/// Why nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StopRefusal {
    /// The process.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// The reason.
    pub why: String,
    /// The command that does it properly.
    pub instead: Option<String>,
}

/// What plans are made of.
#[derive(Debug)]
pub struct StopInputs<'a> {
    /// The processes and sockets around.
    pub host: &'a Host,
    /// The processes to stop in depth, targets first.
    pub details: &'a [ProcessDetail],
    /// Those that were asked for.
    pub asked: &'a BTreeSet<u32>,
    /// What systemd says of the units that they are in.
    pub units: &'a BTreeMap<String, UnitState>,
    /// Units that systemd is to stop.
    pub stop_units: Vec<String>,
    /// Ports whose listeners were asked for.
    pub ports: Vec<u16>,
    /// Who sends.
    pub sender: SignalSender,
}

/// Plans the stop.
pub fn plan_stop(inputs: &StopInputs<'_>, options: StopOptions) -> StopPlan {
    let all: BTreeSet<u32> = inputs
        .details
        .iter()
        .map(|detail| detail.process.pid)
        .collect();
    let mut plan = StopPlan {
        units: inputs.stop_units.clone(),
        ports: inputs.ports.clone(),
        options,
        ..StopPlan::default()
    };
    for detail in inputs.details {
        let member = plan_member(detail, inputs, &all, options);
        plan.refusals
            .extend(refusal_of(&member, inputs, &all, options));
        plan.members.push(member);
    }
    plan
}

/// The processes that have to be stopped with the targets: all below them and in the groups and
/// sessions that they lead, or else the foreground command that a shell waits for.
pub fn companions_of(targets: &[ProcessDetail], host: &Host, tree: bool) -> Vec<u32> {
    let asked: BTreeSet<u32> = targets.iter().map(|detail| detail.process.pid).collect();
    let mut found = BTreeSet::new();
    if tree {
        found.clone_from(&asked);
        let mut before = 0;
        while found.len() > before {
            before = found.len();
            let leads = |number: u32, at: fn(&Process) -> u32| {
                let leader = host.process(number);
                found.contains(&number) && leader.is_some_and(|leader| at(leader) == number)
            };
            let belongs = |process: &&Process| {
                found.contains(&process.parent)
                    || leads(process.group, |it| it.group)
                    || leads(process.session, |it| it.session)
            };
            let all = host.processes.iter().flatten();
            let more: Vec<u32> = all.filter(belongs).map(|process| process.pid).collect();
            found.extend(more);
        }
    } else {
        found.extend(
            targets
                .iter()
                .filter_map(|detail| waiting_shell(detail, host)),
        );
    }
    found.retain(|pid| !asked.contains(pid));
    found.into_iter().collect()
}

fn plan_member(
    detail: &ProcessDetail,
    inputs: &StopInputs<'_>,
    all: &BTreeSet<u32>,
    options: StopOptions,
) -> StopMember {
    let process = &detail.process;
    let host = inputs.host;
    let explanation = explain_process(detail, host, &inputs.sender);
    let manners = manners_of(detail);
    let asked_for = options.signal.or(manners.map(|manners| manners.signal));
    // What the kernel drops need not be waited for.
    let is_dropped = is_namespace_init(detail)
        && handling_of(detail, TERM) == SignalHandling::Default
        && options.kill != Some(false);
    let signal = asked_for.unwrap_or(if is_dropped { KILL } else { TERM });
    let resume = explanation.plight == ProcessPlight::Stopped && signal != KILL;
    let hopeless = matches!(
        explanation.plight,
        ProcessPlight::Zombie { .. } | ProcessPlight::KernelThread | ProcessPlight::FirstProcess
    );
    let outcome = if signal == KILL {
        explanation.on_kill
    } else {
        // It is not stopped any more when CONT has followed.
        let then = if resume {
            &ProcessPlight::Plain
        } else {
            &explanation.plight
        };
        let handling = handling_of(detail, signal);
        if resume && handling == SignalHandling::Blocked {
            // Between fork and exec everything is blocked; it may let the signal through when it goes on.
            SignalOutcome::Unknown
        } else {
            outcome_of_request(then, handling, is_namespace_init(detail))
        }
    };
    let harmful = manners.is_some_and(|manners| manners.kill_harms);
    let unit = process
        .unit
        .as_ref()
        .and_then(|unit| inputs.units.get(unit));
    let connected: Vec<String> = peers(process, host);
    StopMember {
        identity: process.identity(),
        name: process.name.clone(),
        exe: process.exe.clone(),
        command: process.command.clone(),
        uid: process.uid,
        age: host.taken.saturating_sub(process.started),
        unit: process.unit.clone(),
        container: process.container.clone(),
        asked: inputs.asked.contains(&process.pid),
        children: host
            .children(process.pid)
            .filter(|child| !all.contains(&child.pid) && child.state != 'Z')
            .map(Process::identity)
            .collect(),
        serves: listeners(process, host),
        connections: connected.len(),
        peers: connected.into_iter().take(PEERS_SHOWN).collect(),
        restart: restart_of(detail, host, unit),
        parent: process.parent,
        siblings: host
            .children(process.parent)
            .filter(|other| other.pid != process.pid && other.command == process.command)
            .map(|other| other.pid)
            .collect(),
        script: host
            .process(process.parent)
            .filter(|parent| foreground_of(parent, host) == Some(process.pid))
            // A person's shell goes on with the person.
            .filter(|parent| !host.ancestors(inputs.sender.pid).contains(&parent.pid))
            .map(|parent| parent.pid),
        signal: (!hopeless).then_some(signal),
        outcome,
        resume,
        grace: options
            .grace
            .or(manners.map(|manners| manners.grace))
            .unwrap_or(DEFAULT_GRACE),
        kill: options.kill.unwrap_or(!harmful) && !hopeless,
        manners,
        explanation,
    }
}

fn refusal_of(
    member: &StopMember,
    inputs: &StopInputs<'_>,
    all: &BTreeSet<u32>,
    options: StopOptions,
) -> Option<StopRefusal> {
    let pid = member.identity.pid;
    let refuse = |why: String, instead: Option<String>| {
        Some(StopRefusal {
            pid,
            name: member.name.clone(),
            why,
            instead,
        })
    };
    if let Some(why) = protection_of(pid, all, inputs.host, inputs.sender.pid) {
        // No `--yes` makes these two a sensible wish.
        if !options.yes || pid == 1 || pid == inputs.sender.pid {
            let shut_down =
                (pid == 1 && takes_shutdown(member)).then(|| "shutdown -h now".to_owned());
            return refuse(why, shut_down);
        }
    }
    if options.yes || !member.asked {
        return None;
    }
    let restart = member.restart.as_ref()?;
    // Systemd does not start again what it was asked to stop.
    let by_unit = member
        .unit
        .as_ref()
        .is_some_and(|unit| inputs.stop_units.contains(unit));
    if restart.pid == 1 && by_unit {
        return None;
    }
    // What starts it again goes with it.
    if restart.pid != 1 && all.contains(&restart.pid) {
        return None;
    }
    refuse(
        format!("{} would start it again", restart.by),
        Some(restart.command.clone()),
    )
}

/// Whether process 1 is an init that `shutdown` speaks with. In a container it may be any program.
fn takes_shutdown(first: &StopMember) -> bool {
    ["init", "systemd", "upstart"].contains(&first.name.as_str())
        && !first
            .exe
            .as_ref()
            .is_some_and(|exe| exe.ends_with("/busybox"))
}

fn owned<'a>(
    process: &'a Process,
    host: &'a Host,
) -> impl Iterator<Item = &'a surefoot_host::Socket> {
    let sockets = host.sockets.iter().flatten();
    sockets.filter(|socket| socket.owners.contains(&process.pid))
}

fn listeners(process: &Process, host: &Host) -> Vec<String> {
    let mut words: Vec<String> = owned(process, host)
        .filter(|socket| socket.waits())
        .map(|socket| {
            let kind = match socket.kind {
                SocketKind::Udp | SocketKind::Udplite => "udp",
                _ => "tcp",
            };
            match socket.local {
                Some(address) if !address.is_unspecified() => {
                    format!("{kind} {}", std::net::SocketAddr::new(address, socket.port))
                }
                _ => format!("{kind} :{}", socket.port),
            }
        })
        .collect();
    words.sort();
    words.dedup();
    words
}

fn peers(process: &Process, host: &Host) -> Vec<String> {
    let ports: BTreeSet<u16> = owned(process, host)
        .filter(|socket| socket.waits())
        .map(|socket| socket.port)
        .collect();
    // Daemons that fork serve each peer in a child.
    let is_below = |owner: &u32| host.ancestors(*owner).contains(&process.pid);
    let sockets = host.sockets.iter().flatten();
    let connected = sockets.filter(|socket| {
        let is_connected = socket.state == 1;
        let owners = &socket.owners;
        let by_child = || ports.contains(&socket.port) && owners.iter().any(is_below);
        is_connected && (owners.contains(&process.pid) || by_child())
    });
    connected
        .filter_map(|socket| socket.peer)
        .map(|(address, port)| std::net::SocketAddr::new(address, port).to_string())
        .collect()
}
