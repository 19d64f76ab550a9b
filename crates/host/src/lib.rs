//! The facts of a machine.
//!
//! [`Host`] is everything surefoot knows about a machine, as plain data: read once from the
//! running kernel ([`Host::live`]), from a directory tree ([`Host::at`]) or from a file that
//! another machine wrote ([`Host::from_capture`]). This crate looks; it never judges and never
//! changes anything. What could not be read is `None` and stands in [`Host::missing`] with the
//! reason: an unknown fact is never shown as none.

mod capture;
mod config;
mod detail;
mod live;
mod missing;
mod network;
mod process;
mod rules;
mod secret;
mod socket;
mod tree;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use capture::CaptureError;
pub use config::{
    BlockDevice, Consoles, Getty, Mount, Platform, SetupContent, SetupFile, TerminalDevice,
    TextFile,
};
pub use detail::{
    FrozenGroup, MountedAt, ProcessDetail, ProcessIdentity, ProcessLink, ThreadState, WaitingCall,
};
pub use live::{
    LiveOptions, ProcessFiles, UnixListener, control_group_members, find_program, processes_using,
    terminal_device, user_name, user_number,
};
pub use missing::{FactKind, Missing};
pub use network::{Address, GroupMembership, Interface, Neighbour, Network, PolicyRule, Route};
pub use process::{Process, Signals};
pub use rules::{RuleListing, RulesOrigin, SavedRules};
pub use socket::{Socket, SocketKind, VsockListener};
pub use tree::resolve_link;

/// Everything surefoot knows about a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: Option<String>,
    /// `PRETTY_NAME` of `/etc/os-release`.
    pub system: Option<String>,
    /// The kernel's release; none for a tree.
    pub kernel: Option<String>,
    /// Seconds since 1970 at which the facts were read.
    pub taken: u64,
    /// Seconds since 1970 at which the machine was started; none for a tree.
    pub booted: Option<u64>,
    /// Whether this is a running machine, not a directory tree.
    pub running: bool,
    /// Interfaces, routes, neighbours.
    pub network: Option<Network>,
    /// TCP, UDP, raw and packet sockets.
    pub sockets: Option<Vec<Socket>>,
    /// Programs that wait on vsock, for a hypervisor or its guests.
    #[serde(default)]
    pub vsock: Option<Vec<VsockListener>>,
    /// Processes by pid.
    pub processes: Option<Vec<Process>>,
    /// The rules that are loaded, one text for each mechanism that could be asked.
    pub rules: Vec<RuleListing>,
    /// Whether every mechanism of the kernel could be asked for its rules.
    pub rules_complete: bool,
    /// Rule files on disk; none if the files could not be looked for.
    pub saved_rules: Option<Vec<SavedRules>>,
    /// Programs that make rules of their own at boot, such as ufw or firewalld, each with the
    /// file that says so.
    pub rule_makers: Vec<String>,
    /// `hosts.allow` and `hosts.deny`, those that are there.
    pub wrappers: Vec<TextFile>,
    /// Kernel settings by dotted name.
    pub sysctls: BTreeMap<String, String>,
    /// What `fstab` mounts; none if it could not be read.
    pub fstab: Option<Vec<Mount>>,
    /// Block devices; none for a tree.
    pub disks: Option<Vec<BlockDevice>>,
    /// Consoles and login prompts.
    pub consoles: Consoles,
    /// The connection that surefoot was started over: the client, then this host.
    pub session: Option<(SocketAddr, SocketAddr)>,
    /// What could not be read.
    pub missing: Vec<Missing>,
}

impl Host {
    /// The process of that number.
    pub fn process(&self, pid: u32) -> Option<&Process> {
        let processes = self.processes.as_deref()?;
        let at = processes
            .binary_search_by_key(&pid, |process| process.pid)
            .ok()?;
        processes.get(at)
    }

    /// The interface of that index.
    pub fn interface(&self, index: u32) -> Option<&Interface> {
        let network = self.network.as_ref()?;
        network
            .interfaces
            .iter()
            .find(|interface| interface.index == index)
    }
}
