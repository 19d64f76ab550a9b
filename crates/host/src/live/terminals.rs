//! The terminals that the running kernel has, and the place where the machine runs, as far as they tell
//! on which console a login prompt can be seen.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{major, makedev, minor};

use crate::{Platform, TerminalDevice};

/// The terminals that a login prompt can be on.
pub(super) fn devices() -> BTreeMap<String, TerminalDevice> {
    let listed = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| is_login_terminal(name)).collect()
    };
    let mut found = BTreeMap::new();
    for name in listed("/sys/class/tty").into_iter().chain(listed("/dev")) {
        let node = node_number(&name);
        let number = node.or_else(|| kernel_number(&name)).unwrap_or(0);
        let kind = super::read_line(&format!("/sys/class/tty/{name}/type"));
        let device = TerminalDevice {
            number,
            // Type 0 is a port for which no chip was found.
            has_port: kind.map(|kind| kind.trim() != "0"),
            has_node: node.is_some(),
        };
        found.insert(name, device);
    }
    found
}

/// Names of virtual terminals, serial ports and the consoles of hypervisors; not of pseudo-terminals.
fn is_login_terminal(name: &str) -> bool {
    let kinds = ["tty", "hvc", "hvsi", "xvc", "sclp_line", "ttysclp"];
    let has_number = name
        .bytes()
        .next_back()
        .is_some_and(|byte| byte.is_ascii_digit());
    let old_pseudo = name.strip_prefix("tty").is_some_and(|rest| {
        let first = rest.bytes().next();
        first.is_some_and(|byte| (b'a'..=b'e').contains(&byte) || (b'p'..=b'z').contains(&byte))
            && rest.len() == 2
    });
    has_number && !old_pseudo && kinds.iter().any(|kind| name.starts_with(kind))
}

/// The device number of a node, as `/proc/PID/stat` writes it.
fn node_number(name: &str) -> Option<u32> {
    let metadata = fs::metadata(format!("/dev/{name}")).ok()?;
    let device = metadata
        .file_type()
        .is_char_device()
        .then_some(metadata.rdev())?;
    Some(packed(major(device), minor(device)))
}

fn kernel_number(name: &str) -> Option<u32> {
    let line = super::read_line(&format!("/sys/class/tty/{name}/dev"))?;
    let (high, low) = line.trim().split_once(':')?;
    let device = makedev(high.parse().ok()?, low.parse().ok()?);
    Some(packed(major(device), minor(device)))
}

/// Bits 0 to 7 and 20 to 31 are the minor number, bits 8 to 19 the major one.
fn packed(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// Where the machine runs.
pub(super) fn platform() -> Platform {
    let dmi = |name: &str| super::read_line(&format!("/sys/class/dmi/id/{name}"));
    let text = |path: &str| fs::read_to_string(path).ok();
    let model = text("/proc/device-tree/model");
    Platform {
        hypervisor: super::read_line("/sys/hypervisor/type"),
        controls: text("/proc/xen/capabilities").is_some_and(|text| text.contains("control_d")),
        guest: super::read_line("/sys/hypervisor/guest_type"),
        maker: dmi("sys_vendor"),
        product: dmi("product_name"),
        container: container(),
        model: model.map(|model| model.trim_end_matches(['\0', '\n']).to_owned()),
        has_screen: has_screen(),
    }
}

/// The container manager, as it told process 1 or left on the disk.
fn container() -> Option<String> {
    if let Ok(environment) = fs::read("/proc/1/environ") {
        let told = environment
            .split(|byte| *byte == 0)
            .find_map(|word| word.strip_prefix(b"container="));
        if let Some(told) = told.filter(|told| !told.is_empty()) {
            return Some(String::from_utf8_lossy(told).into_owned());
        }
    }
    let written = super::read_line("/run/systemd/container")
        .or_else(|| super::read_line("/run/host/container-manager"));
    let left = || {
        let files = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")];
        let found = files.iter().find(|(path, _)| Path::new(path).exists());
        found.map(|(_, name)| (*name).to_owned())
    };
    written.or_else(left)
}

/// Whether a virtual terminal is drawn on anything; the dummy driver draws nothing.
fn has_screen() -> Option<bool> {
    let Ok(entries) = fs::read_dir("/sys/class/vtconsole") else {
        return Path::new("/sys/class/tty").is_dir().then_some(false);
    };
    let mut known = None;
    for entry in entries.flatten() {
        let part = |name: &str| super::read_line(&entry.path().join(name).display().to_string());
        if part("bind").as_deref() == Some("1") {
            let is_dummy = part("name").is_none_or(|name| name.contains("dummy"));
            known = Some(known.unwrap_or(false) || !is_dummy);
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::is_login_terminal;

    #[test]
    fn pseudo_terminals_are_left_out() {
        for name in ["tty1", "ttyS0", "hvc0", "xvc0", "ttyAMA0", "ttyUSB1"] {
            assert!(is_login_terminal(name), "{name}");
        }
        for name in [
            "tty",
            "ttyp0",
            "ptmx",
            "ttya3",
            "ttyprintk",
            "ptyp0",
            "console",
        ] {
            assert!(!is_login_terminal(name), "{name}");
        }
    }
}
