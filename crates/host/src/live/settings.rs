//! Settings, consoles and disks that only the running kernel knows.

use std::fs;

use crate::{BlockDevice, Host, TextFile};

/// Settings that analyses ask for, one a file.
const SINGLE: &[&str] = &[
    "kernel.pid_max",
    "net.ipv4.icmp_echo_ignore_all",
    "net.ipv4.icmp_echo_ignore_broadcasts",
    "net.ipv4.ip_forward",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_nonlocal_bind",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv6.bindv6only",
    "net.netfilter.nf_conntrack_count",
    "net.netfilter.nf_conntrack_helper",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_tcp_be_liberal",
    "net.netfilter.nf_conntrack_tcp_loose",
    "net.bridge.bridge-nf-call-ip6tables",
    "net.bridge.bridge-nf-call-iptables",
];

/// Settings of every interface, and of `all` and `default`.
const BY_INTERFACE: &[(&str, &[&str])] = &[
    (
        "ipv4",
        &[
            "accept_redirects",
            "accept_source_route",
            "arp_announce",
            "arp_ignore",
            "drop_gratuitous_arp",
            "forwarding",
            "route_localnet",
            "rp_filter",
            "accept_local",
            "drop_unicast_in_l2_multicast",
            "send_redirects",
        ],
    ),
    (
        "ipv6",
        &[
            "accept_ra",
            "accept_redirects",
            "accept_source_route",
            "disable_ipv6",
            "drop_unicast_in_l2_multicast",
            "force_forwarding",
            "forwarding",
        ],
    ),
];

impl Host {
    /// Reads what only the running kernel knows.
    pub(super) fn read_running_settings(&mut self) {
        for name in SINGLE {
            self.sysctl(name, &format!("/proc/sys/{}", name.replace('.', "/")));
        }
        for (family, settings) in BY_INTERFACE {
            let folder = format!("/proc/sys/net/{family}/conf");
            for interface in names(&folder) {
                for setting in *settings {
                    // A dot in an interface's name is a slash in the setting's, as sysctl(8) does.
                    let name = interface.replace('.', "/");
                    let path = format!("{folder}/{interface}/{setting}");
                    self.sysctl(&format!("net.{family}.conf.{name}.{setting}"), &path);
                }
            }
        }
        self.consoles.command_line = super::read_line("/proc/cmdline").map(|text| TextFile {
            path: "/proc/cmdline".to_owned(),
            text,
        });
        self.consoles.active = super::read_line("/sys/class/tty/console/active")
            .map(|line| line.split_whitespace().map(ToOwned::to_owned).collect());
        let terminals = names("/sys/class/tty");
        self.consoles.terminals = (!terminals.is_empty()).then_some(terminals);
        self.consoles.devices = Some(super::terminals::devices());
        self.consoles.platform = Some(super::terminals::platform());
        self.read_init();
        self.read_disks();
    }

    fn sysctl(&mut self, name: &str, path: &str) {
        if let Some(value) = super::read_line(path) {
            self.sysctls.insert(name.to_owned(), value);
        }
    }

    /// The files tell which init system is installed; only the process tells which one runs.
    fn read_init(&mut self) {
        let running = super::read_line("/proc/1/comm").unwrap_or_default();
        let installed = self.consoles.init.as_deref();
        let runs = match installed {
            Some("systemd") => running == "systemd",
            Some("runit") => running.starts_with("runit"),
            Some(_) => ["init", "openrc-init", "busybox"].contains(&running.as_str()),
            None => false,
        };
        if !runs {
            self.consoles.init = None;
            self.consoles.gettys = None;
            let why = format!("process 1 is `{running}`, no init system that surefoot knows");
            self.miss(
                "what is started at boot",
                why,
                "login prompts, and what loads rules",
            );
            for saved in self.saved_rules.iter_mut().flatten() {
                saved.loaders_known = false;
            }
        }
    }

    fn read_disks(&mut self) {
        if let Err(error) = fs::read_dir("/sys/class/block") {
            self.miss(
                "block devices",
                error,
                "whether what is mounted at boot is there",
            );
            return;
        }
        let mut disks: Vec<BlockDevice> = names("/sys/class/block")
            .into_iter()
            .map(|name| BlockDevice {
                links: Some(links_of(&name)),
                name,
                uuid: None,
            })
            .collect();
        for uuid in names("/dev/disk/by-uuid") {
            let target = fs::read_link(format!("/dev/disk/by-uuid/{uuid}"));
            let name = target
                .ok()
                .and_then(|path| path.file_name().map(ToOwned::to_owned));
            let disk = disks
                .iter_mut()
                .find(|disk| Some(disk.name.as_ref()) == name.as_deref());
            if let Some(disk) = disk {
                disk.uuid = Some(uuid);
            }
        }
        for folder in names("/dev/disk") {
            for link in names(&format!("/dev/disk/{folder}")) {
                let path = format!("/dev/disk/{folder}/{link}");
                let target = fs::read_link(&path);
                let name = target
                    .ok()
                    .and_then(|path| path.file_name().map(ToOwned::to_owned));
                let disk = disks
                    .iter_mut()
                    .find(|disk| Some(disk.name.as_ref()) == name.as_deref());
                if let Some(links) = disk.and_then(|disk| disk.links.as_mut()) {
                    links.push(path);
                }
            }
        }
        self.disks = Some(disks);
    }
}

/// The name that device-mapper gave a device.
fn links_of(name: &str) -> Vec<String> {
    let given = super::read_line(&format!("/sys/class/block/{name}/dm/name"));
    given
        .map(|it| format!("/dev/mapper/{it}"))
        .into_iter()
        .collect()
}

/// The names in a folder, sorted.
fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}
