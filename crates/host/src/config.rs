//! Configuration files that matter, as they stand, and what is read out of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A text file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextFile {
    /// Its path.
    pub path: String,
    /// What it holds; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// A line of `fstab` that mounts something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Line in the file, from 1.
    pub line: u32,
    /// The device, as it is written.
    pub device: String,
    /// Where it goes.
    pub target: String,
    /// The file system.
    pub kind: String,
    /// The options.
    pub options: Vec<String>,
}

/// A block device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockDevice {
    /// The kernel's name, such as `sda1`.
    pub name: String,
    /// Its file system's UUID, where udev knows it.
    pub uuid: Option<String>,
    /// Its other names in `/dev/mapper` and `/dev/disk/by-*`, as whole paths; none if not looked for.
    #[serde(default)]
    pub links: Option<Vec<String>>,
}

/// A file that login prompts or the kernel's console depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupFile {
    /// Its path.
    pub path: String,
    /// What is there.
    #[serde(flatten)]
    pub content: SetupContent,
}

/// What is at the path of a [`SetupFile`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SetupContent {
    /// A text file. Of a boot loader's settings only the lines about kernels are kept.
    Text(String),
    /// A symbolic link, as it is written.
    Link(String),
    /// A program, or a file that only has to be there, with the words that tell which one it is.
    Program(Vec<String>),
}

/// A terminal that the running kernel has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalDevice {
    /// Its device number, as processes have it.
    pub number: u32,
    /// Whether there is hardware behind a serial port; none if it is no such port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_port: Option<bool>,
    /// Whether its node is in `/dev`.
    pub has_node: bool,
}

/// Where the machine runs, as far as that decides which console can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `/sys/hypervisor/type`, such as `xen`.
    pub hypervisor: Option<String>,
    /// Whether this is the domain that controls the others, from `/proc/xen/capabilities`.
    pub controls: bool,
    /// The kind of Xen guest, from `/sys/hypervisor/guest_type`: `PV`, `PVH`, `HVM`.
    pub guest: Option<String>,
    /// The maker and the product of the machine, from DMI.
    pub maker: Option<String>,
    /// The product.
    pub product: Option<String>,
    /// The container manager that started it, such as `lxc`.
    pub container: Option<String>,
    /// The model of a board, from the device tree.
    pub model: Option<String>,
    /// Whether a screen is drawn; none if unknown.
    pub has_screen: Option<bool>,
}

/// A login prompt that is meant to run on a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Getty {
    /// The terminal's name without `/dev/`, such as `tty1`.
    pub terminal: String,
    /// What starts it: a file with its line, or a unit.
    pub from: String,
}

/// The kernel's consoles and the programs that prompt for a login on them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consoles {
    /// The kernel's command line, and the file that it stands in: `/proc/cmdline`, or for a tree
    /// the boot loader's settings.
    pub command_line: Option<TextFile>,
    /// The consoles that the kernel writes to now, the preferred one last, as in
    /// `/sys/class/tty/console/active`.
    pub active: Option<Vec<String>>,
    /// The init system: `systemd`, `sysvinit`, `upstart`, `openrc`, `runit`, `busybox`, `s6`.
    pub init: Option<String>,
    /// The login prompts that the init system is set up to start.
    pub gettys: Option<Vec<Getty>>,
    /// What systemd is told never to start, of the gettys and of what makes them at boot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<String>,
    /// The terminals that the kernel has, as in `/sys/class/tty`; none for a tree.
    pub terminals: Option<Vec<String>>,
    /// The files that login prompts depend on; none in captures of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<SetupFile>>,
    /// The terminals that a login prompt can be on, by name; none for a tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<BTreeMap<String, TerminalDevice>>,
    /// Where the machine runs; none for a tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}
