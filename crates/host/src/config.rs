//! Configuration files that matter, as they stand, and what is read out of them.

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

/// A login prompt that is meant to run on a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Getty {
    /// The terminal's name without `/dev/`, such as `tty1`.
    pub terminal: String,
    /// What starts it: a file with its line, or a unit.
    pub from: String,
}

/// The kernel's consoles and who asks for a name on them.
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
}
