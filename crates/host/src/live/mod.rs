//! The facts of the running machine.
//!
//! Every source is read in a thread of its own, since the slow ones (the programs that print
//! rules, the scan of `/proc/PID/fd`) wait for different things.

mod control_group;
mod detail;
mod in_use;
mod link;
mod netfilter;
mod netlink;
mod network;
mod process;
mod program;
mod rules;
mod session;
mod settings;
mod socket;
mod system_call;
mod terminals;
mod unix_queue;

use std::path::Path;
use std::thread::{Builder, Scope, ScopedJoinHandle};

use crate::Host;

pub use control_group::control_group_members;
pub use in_use::{processes_using, terminal_device, user_name, user_number};
pub use process::ProcessFiles;
pub use rules::find_program;
pub use unix_queue::UnixListener;

/// What reading a machine live depends on, beside the machine.
#[derive(Clone, Debug, Default)]
pub struct LiveOptions {
    /// Seconds since 1970.
    pub now: u64,
    /// Whether words that look like passwords stay in command lines and mount options.
    pub keep_secrets: bool,
}

impl Host {
    /// Reads this machine. `step` gets the name of each thing that is read; nothing is changed, no
    /// packet sent.
    pub fn live(options: &LiveOptions, step: &(dyn Fn(&str) + Sync)) -> Self {
        let read_rules = || {
            step("firewall rules");
            rules::read()
        };
        let read_processes = || {
            step("processes");
            process::read(options.keep_secrets)
        };
        let read_sockets = || {
            step("sockets");
            socket::read()
        };
        let (mut host, network, sockets, processes, rules) = std::thread::scope(|scope| {
            let rules = begin(scope, &read_rules);
            let processes = begin(scope, &read_processes);
            let sockets = begin(scope, &read_sockets);
            step("the network");
            let network = network::read();
            step("files");
            let host = Self::of_tree(Path::new("/"), options.now);
            (host, network, sockets.end(), processes.end(), rules.end())
        });
        host.running = true;
        host.kernel = read_line("/proc/sys/kernel/osrelease");
        host.name = read_line("/proc/sys/kernel/hostname").or(host.name);
        host.booted = process::boot_time();
        match network {
            Ok(found) => {
                host.network = Some(found.network);
                for list in found.restless {
                    host.miss(
                        format!("a steady list of {list}"),
                        "it changed each time that it was read",
                        "whether one is left out",
                    );
                }
            }
            Err(error) => host.miss(
                "interfaces and routes",
                error,
                "which addresses are this machine's, and which rules see a packet",
            ),
        }
        host.take_rules(rules);
        let holders = host.take_processes(processes);
        match sockets {
            Ok(sockets) => {
                host.missing.extend(sockets.missing);
                host.take_sockets(sockets.all, sockets.vsock, &holders);
            }
            Err(error) => host.miss("sockets", error, "which programs wait for connections"),
        }
        step("kernel settings");
        host.read_running_settings();
        if !options.keep_secrets {
            host.hide_secrets();
        }
        host.put_in_order();
        host.find_session(std::process::id());
        host.missing.sort();
        host
    }
}

impl Host {
    /// Reads what this machine's consoles and login prompts depend on, and nothing else.
    pub fn live_consoles(options: &LiveOptions) -> Self {
        let mut host = Self::of_tree(Path::new("/"), options.now);
        host.running = true;
        host.kernel = read_line("/proc/sys/kernel/osrelease");
        host.name = read_line("/proc/sys/kernel/hostname").or(host.name);
        host.take_processes(process::read(options.keep_secrets));
        host.read_running_settings();
        if !options.keep_secrets {
            host.hide_secrets();
        }
        host.put_in_order();
        host
    }

    /// Reads the sockets of this network and nothing else; which processes hold them is left out.
    pub fn live_sockets() -> std::io::Result<Vec<crate::Socket>> {
        socket::read().map(|sockets| sockets.all)
    }

    /// Reads the processes and sockets of this machine and nothing else.
    pub fn live_processes(options: &LiveOptions) -> Self {
        let mut host = Self {
            running: true,
            taken: options.now,
            booted: process::boot_time(),
            kernel: read_line("/proc/sys/kernel/osrelease"),
            name: read_line("/proc/sys/kernel/hostname"),
            ..Self::default()
        };
        // Sockets first: a process that ends meanwhile leaves a socket without an owner, not an
        // owner without its socket.
        let sockets = socket::read();
        let holders = host.take_processes(process::read(options.keep_secrets));
        match sockets {
            Ok(sockets) => {
                host.missing.extend(sockets.missing);
                host.take_sockets(sockets.all, sockets.vsock, &holders);
            }
            Err(error) => host.miss("sockets", error, "which programs wait for connections"),
        }
        if !options.keep_secrets {
            host.hide_secrets();
        }
        host.put_in_order();
        host.find_session(std::process::id());
        host.missing.sort();
        host
    }
}

/// A job that runs in a thread of its own, or waits for its turn where there is none to have.
enum Begun<'scope, F, T> {
    Runs(ScopedJoinHandle<'scope, T>),
    Waits(&'scope F),
}

/// Begins a job; without memory or numbers for one more thread it is done when it is asked for.
fn begin<'scope, F, T>(scope: &'scope Scope<'scope, '_>, job: &'scope F) -> Begun<'scope, F, T>
where
    F: Fn() -> T + Sync,
    T: Send + 'scope,
{
    if is_cramped() {
        return Begun::Waits(job);
    }
    match Builder::new().spawn_scoped(scope, job) {
        Ok(thread) => Begun::Runs(thread),
        Err(_) => Begun::Waits(job),
    }
}

/// Whether the memory that may be had is so little that a thread might get its stack, yet not
/// what it needs to begin.
fn is_cramped() -> bool {
    const ENOUGH: u64 = 1 << 28;
    let limit = rustix::process::getrlimit(rustix::process::Resource::As);
    limit.current.is_some_and(|most| most < ENOUGH)
}

impl<F: Fn() -> T, T> Begun<'_, F, T> {
    /// What came of it.
    fn end(self) -> T {
        match self {
            Self::Waits(job) => job(),
            Self::Runs(thread) => match thread.join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            },
        }
    }
}

/// The first line of a small file, without its end; none if it cannot be read.
fn read_line(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.lines().next()?.trim().to_owned())
}
