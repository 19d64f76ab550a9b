//! Which console the place where a machine runs shows to its owner.

use std::collections::BTreeMap;

use serde::Serialize;
use surefoot_host::{Platform, TerminalDevice};

use crate::kernel_console::KernelConsoles;
use crate::setup_tree::SetupTree;
use crate::terminal_name::{is_virtual, virtual_number};

/// Whether a login prompt is needed on a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "answer", content = "why")]
pub enum PromptNeed {
    /// It is.
    Yes(String),
    /// It is not.
    No(String),
    /// Unknown.
    Unknown(String),
}

impl PromptNeed {
    /// The answer in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Yes(_) => "yes",
            Self::No(_) => "no",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Why.
    pub fn why(&self) -> &str {
        match self {
            Self::Yes(why) | Self::No(why) | Self::Unknown(why) => why,
        }
    }
}

/// Where the machine runs, and the console that is seen there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SeenConsole {
    /// The place in words, such as `a Xen guest`; none if unknown.
    pub place: Option<String>,
    /// The terminal that its owner sees; none if unknown.
    pub terminal: Option<String>,
    /// Whether it is a container, which has no virtual terminals of its own.
    pub is_container: bool,
    /// Whether there is a screen; none if unknown.
    pub has_screen: Option<bool>,
}

/// The kind of container that this is; none if it is none, as far as is known.
pub(crate) fn container_kind(platform: Option<&Platform>, tree: &SetupTree<'_>) -> Option<String> {
    const KINDS: &[&str] = &[
        "lxc",
        "docker",
        "podman",
        "openvz",
        "vserver",
        "systemd-nspawn",
    ];
    // OpenRC is told by hand which kind of system it starts.
    let rc_sys = tree.text("/etc/rc.conf").and_then(|text| {
        let value = text
            .lines()
            .rev()
            .find_map(|line| line.trim().strip_prefix("rc_sys="))?;
        Some(value.trim().trim_matches(['"', '\'']).to_owned())
    });
    platform
        .and_then(|platform| platform.container.clone())
        .or(rc_sys.filter(|kind| KINDS.contains(&kind.as_str())))
}

/// Tells which console is seen.
pub(crate) fn seen_console(
    platform: Option<&Platform>,
    devices: Option<&BTreeMap<String, TerminalDevice>>,
    tree: &SetupTree<'_>,
    kernel: &KernelConsoles,
) -> SeenConsole {
    if let Some(kind) = container_kind(platform, tree) {
        return SeenConsole {
            place: Some(format!("a container ({kind})")),
            terminal: Some("console".to_owned()),
            is_container: true,
            has_screen: Some(false),
        };
    }
    let Some(platform) = platform else {
        return SeenConsole::default();
    };
    let port = |name: &str| {
        devices.is_some_and(|devices| {
            devices
                .get(name)
                .is_some_and(|device| device.has_port.unwrap_or(true))
        })
    };
    let maker = platform.maker.as_deref().unwrap_or_default();
    let product = platform.product.as_deref().unwrap_or_default();
    let says = |word: &str| maker.contains(word) || product.contains(word);
    let xen = platform.hypervisor.as_deref() == Some("xen");
    let (place, terminal) = if xen && platform.controls {
        ("the controlling domain of Xen", None)
    } else if xen
        && ["PV", "PVH"].contains(&platform.guest.as_deref().unwrap_or("PV"))
        && !says("HVM")
    {
        // Kernels of the time of RHEL 5 call it xvc0.
        (
            "a Xen guest",
            Some(if port("xvc0") { "xvc0" } else { "hvc0" }),
        )
    } else if says("Amazon EC2") {
        ("EC2", Some("ttyS0"))
    } else if xen {
        (
            "a fully virtualised Xen guest",
            port("ttyS0").then_some("ttyS0"),
        )
    } else if says("Google") {
        ("Google Compute Engine", Some("ttyS0"))
    } else if says("QEMU") || says("KVM") || says("OpenStack") || says("DigitalOcean") {
        ("a KVM guest", port("ttyS0").then_some("ttyS0"))
    } else if says("VMware") {
        ("a VMware guest", None)
    } else if says("VirtualBox") || says("innotek") {
        ("a VirtualBox guest", None)
    } else if maker.contains("Microsoft") && says("Virtual") {
        ("a Hyper-V guest", None)
    } else {
        return SeenConsole {
            place: platform.model.clone().or_else(|| platform.product.clone()),
            terminal: None,
            is_container: false,
            has_screen: platform.has_screen,
        };
    };
    let terminal = terminal.map(ToOwned::to_owned).or_else(|| {
        // A port that the kernel is told to use is one that its owner reads.
        kernel.serial().map(ToOwned::to_owned)
    });
    SeenConsole {
        place: Some(place.to_owned()),
        terminal,
        is_container: false,
        has_screen: platform.has_screen,
    }
}

/// Whether a prompt is needed on a terminal.
pub(crate) fn prompt_need(
    seen: &SeenConsole,
    kernel: &KernelConsoles,
    is_tree: bool,
    terminal: &str,
) -> PromptNeed {
    let place = seen.place.as_deref().unwrap_or("this place");
    if seen.terminal.as_deref() == Some(terminal) {
        return PromptNeed::Yes(format!("{place} shows it"));
    }
    if seen.is_container {
        return if terminal == "console" {
            PromptNeed::Yes("it is the container's console".to_owned())
        } else {
            PromptNeed::No(format!(
                "{place} has no such terminal unless it is given one"
            ))
        };
    }
    if kernel.main.as_deref() == Some(terminal) {
        return PromptNeed::Yes("it is the kernel's console".to_owned());
    }
    if let Some(number) = virtual_number(terminal) {
        return match seen.has_screen {
            Some(false) => PromptNeed::No("there is no screen".to_owned()),
            Some(true) if number == 1 => PromptNeed::Yes("there is a screen".to_owned()),
            Some(true) => PromptNeed::No("one prompt is enough on one screen".to_owned()),
            None if number > 1 && seen.terminal.is_some() => {
                PromptNeed::No("one prompt is enough on one screen".to_owned())
            }
            None => PromptNeed::Unknown(unknown_why(is_tree)),
        };
    }
    if kernel.active.iter().any(|name| name == terminal) && !is_virtual(terminal) {
        return PromptNeed::Yes("the kernel writes to it".to_owned());
    }
    PromptNeed::Unknown(unknown_why(is_tree))
}

fn unknown_why(is_tree: bool) -> String {
    if is_tree {
        "files do not tell where the system runs".to_owned()
    } else {
        "which console is seen here is unknown".to_owned()
    }
}
