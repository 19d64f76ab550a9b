//! The files that decide which terminals get a login prompt and which one is the kernel's console,
//! for every init system, as they stand. `consoles` says what they mean.

use std::collections::BTreeMap;

use super::files::Files;
use crate::secret::hide_in_words;
use crate::{SetupContent, SetupFile};

/// Files that are kept whole.
const TEXTS: &[&str] = &[
    "/etc/alpine-release",
    "/etc/debian_version",
    "/etc/default/console-setup",
    "/etc/gentoo-release",
    "/etc/inittab",
    "/etc/login.defs",
    "/etc/lsb-release",
    "/etc/os-release",
    "/etc/pam.conf",
    "/etc/rc.conf",
    "/etc/redhat-release",
    "/etc/runit/2",
    "/etc/securetty",
    "/etc/sysconfig/init",
    "/etc/systemd/logind.conf",
    "/usr/lib/systemd/logind.conf",
    "/usr/share/securetty",
    "/boot/config.txt",
    "/boot/firmware/config.txt",
];

/// Settings of boot loaders: only what concerns kernels is kept, since passwords stand beside it.
const LOADERS: &[&str] = &[
    "/boot/grub/grub.cfg",
    "/boot/grub2/grub.cfg",
    "/boot/grub/grub.conf",
    "/boot/grub/menu.lst",
    "/boot/extlinux/extlinux.conf",
    "/boot/extlinux.conf",
    "/boot/syslinux/syslinux.cfg",
    "/boot/cmdline.txt",
    "/boot/firmware/cmdline.txt",
    "/etc/kernel/cmdline",
    "/etc/lilo.conf",
    "/etc/default/grub",
];

/// Programs that are looked for.
const PROGRAMS: &[&str] = &[
    "/bin/getty",
    "/lib/systemd/system-generators/systemd-getty-generator",
    "/sbin/agetty",
    "/sbin/getty",
    "/sbin/initctl",
    "/sbin/mingetty",
    "/sbin/openrc-init",
    "/sbin/telinit",
    "/usr/bin/agetty",
    "/usr/lib/systemd/system-generators/systemd-getty-generator",
    "/usr/sbin/agetty",
    "/usr/sbin/getty",
    "/usr/sbin/mingetty",
];

/// Words in a program that tell which init system it is.
const INIT_WORDS: &[&str] = &[
    "busybox",
    "BusyBox",
    "openrc",
    "runit",
    "s6-svscan",
    "systemd",
    "sysvinit",
    "upstart",
];

/// Folders whose files are kept, each with what a file's name must hold or end in.
const FOLDERS: &[(&str, &str)] = &[
    ("/etc/inittab.d", ".tab"),
    ("/etc/pam.d", "login"),
    ("/etc/pam.d", "system-"),
    ("/etc/pam.d", "common-"),
    ("/etc/pam.d", "base-"),
    ("/etc/pam.d", "other"),
    ("/usr/lib/pam.d", "login"),
    ("/etc/init.d", "agetty"),
    ("/etc/conf.d", "agetty"),
    ("/etc/systemd/logind.conf.d", ".conf"),
    ("/run/systemd/logind.conf.d", ".conf"),
    ("/usr/lib/systemd/logind.conf.d", ".conf"),
    ("/etc/systemd/system-generators", "getty"),
    ("/run/systemd/system-generators", "getty"),
    ("/usr/local/lib/systemd/system-generators", "getty"),
    ("/run/systemd/generator/getty.target.wants", ""),
    ("/boot/loader/entries", ".conf"),
];

/// Folders of units.
const UNIT_FOLDERS: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Folders of runit's services that are started.
const RUNIT_FOLDERS: &[&str] = &[
    "/etc/service",
    "/var/service",
    "/etc/runit/runsvdir/default",
];

/// Reads all of them.
pub(super) fn read(files: &Files) -> Vec<SetupFile> {
    let mut kept = KeptFiles {
        files,
        found: BTreeMap::new(),
    };
    kept.init_program();
    for path in TEXTS {
        kept.text(path);
    }
    for path in LOADERS {
        kept.loader(path);
    }
    for path in PROGRAMS {
        if files.exists(path) {
            kept.put(path, SetupContent::Program(Vec::new()));
        }
    }
    for (folder, part) in FOLDERS {
        for name in files.names(folder) {
            if name.contains(part) {
                let path = format!("{folder}/{name}");
                match *folder {
                    "/boot/loader/entries" => kept.loader(&path),
                    _ => kept.entry(&path),
                }
            }
        }
    }
    kept.upstart("/etc/init", 0);
    kept.upstart("/etc/event.d", 0);
    kept.systemd();
    kept.openrc();
    kept.runit();
    kept.found
        .into_iter()
        .map(|(path, content)| SetupFile { path, content })
        .collect()
}

struct KeptFiles<'a> {
    files: &'a Files,
    found: BTreeMap<String, SetupContent>,
}

impl KeptFiles<'_> {
    fn put(&mut self, path: &str, content: SetupContent) {
        self.found.entry(path.to_owned()).or_insert(content);
    }

    /// A text, whatever leads to it.
    fn text(&mut self, path: &str) {
        if let Some(text) = self.files.text(path) {
            self.put(path, SetupContent::Text(text));
        } else if self.files.exists(path) && !self.files.is_folder(path) {
            // It is there, and what it says is unknown.
            self.put(path, SetupContent::Program(Vec::new()));
        }
    }

    /// A link as a link, a text as a text.
    fn entry(&mut self, path: &str) {
        if let Some(target) = self.files.link(path) {
            self.put(path, SetupContent::Link(target));
        } else if let Some(bytes) = self.files.bytes(path) {
            let content = match String::from_utf8(bytes) {
                Ok(text) if !text.contains('\0') => SetupContent::Text(text),
                _ => SetupContent::Program(Vec::new()),
            };
            self.put(path, content);
        }
    }

    fn loader(&mut self, path: &str) {
        if let Some(text) = self.files.text(path) {
            let whole = path.ends_with("cmdline.txt") || path.ends_with("/cmdline");
            self.put(path, SetupContent::Text(kernel_lines(&text, whole)));
        }
    }

    /// `/sbin/init`, and every file on the way to the program: the last may have the only name that
    /// tells which it is.
    fn init_program(&mut self) {
        for first in ["/sbin/init", "/usr/sbin/init"] {
            let mut path = first.to_owned();
            for _ in 0..8 {
                let Some(target) = self.files.link(&path) else {
                    self.program(&path);
                    break;
                };
                let next = resolve_link(&path, &target);
                self.put(&path, SetupContent::Link(target));
                path = next;
            }
        }
    }

    fn program(&mut self, path: &str) {
        let Some(bytes) = self.files.bytes(path) else {
            return;
        };
        let content = match std::str::from_utf8(&bytes) {
            Ok(text) if bytes.len() < 4096 && !text.contains('\0') => {
                SetupContent::Text(text.to_owned())
            }
            _ => SetupContent::Program(words_in(&bytes)),
        };
        self.put(path, content);
    }

    /// Jobs of upstart, in sub-directories, too.
    fn upstart(&mut self, folder: &str, depth: usize) {
        for path in self.files.paths(folder) {
            if !self.files.is_folder(&path) {
                self.job(&path);
            } else if depth < 4 {
                self.upstart(&path, depth + 1);
            }
        }
    }

    /// A job of upstart: its text if it is about login prompts, else only that it is there.
    fn job(&mut self, path: &str) {
        let name = path.rsplit('/').next().unwrap_or_default();
        let names = [
            "rc-sysinit.conf",
            "start-ttys.conf",
            "serial.conf",
            "tty.conf",
        ];
        let text = self.files.text(path).unwrap_or_default();
        let counts = text.contains("getty")
            || names.contains(&name)
            || name
                .rsplit_once('.')
                .is_some_and(|(_, end)| end == "override")
            || ["tty", "hvc", "xvc", "console"]
                .iter()
                .any(|kind| name.starts_with(kind));
        if counts {
            self.entry(path);
        } else {
            self.put(path, SetupContent::Program(Vec::new()));
        }
    }

    fn systemd(&mut self) {
        // With one `/usr` for all, both names lead to the same units.
        let merged = self.files.link("/lib").is_some();
        for folder in UNIT_FOLDERS {
            if merged && folder.starts_with("/lib/") {
                continue;
            }
            for name in self.files.names(folder) {
                let path = format!("{folder}/{name}");
                let about_prompts = ["getty", "autovt", "logind"]
                    .iter()
                    .any(|word| name.contains(word));
                let ending = name.rsplit_once('.').map(|(_, end)| end);
                if matches!(ending, Some("wants" | "requires")) {
                    for unit in self.files.names(&path) {
                        if unit.contains("getty") || !folder.starts_with("/usr") {
                            self.entry(&format!("{path}/{unit}"));
                        }
                    }
                } else if ending == Some("d") && self.files.is_folder(&path) {
                    if about_prompts || name == "service.d" {
                        for part in self.files.names(&path) {
                            self.entry(&format!("{path}/{part}"));
                        }
                    }
                } else if about_prompts || name == "default.target" {
                    self.entry(&path);
                } else if folder.starts_with("/etc") && ending == Some("service") {
                    // A unit of one's own with a getty in it.
                    let text = self
                        .files
                        .link(&path)
                        .is_none()
                        .then(|| self.files.text(&path));
                    if let Some(text) = text.flatten().filter(|text| text.contains("getty")) {
                        self.put(&path, SetupContent::Text(text));
                    }
                }
            }
        }
    }

    fn openrc(&mut self) {
        for level in self.files.names("/etc/runlevels") {
            for name in self.files.names(&format!("/etc/runlevels/{level}")) {
                if name.contains("getty") {
                    self.entry(&format!("/etc/runlevels/{level}/{name}"));
                }
            }
        }
    }

    fn runit(&mut self) {
        let mut folders: Vec<String> = RUNIT_FOLDERS.iter().map(|it| (*it).to_owned()).collect();
        for name in self.files.names("/etc/runit/runsvdir") {
            folders.push(format!("/etc/runit/runsvdir/{name}"));
        }
        for folder in folders {
            if let Some(target) = self.files.link(&folder) {
                self.put(&folder, SetupContent::Link(target));
                continue;
            }
            for name in self.files.names(&folder) {
                let path = format!("{folder}/{name}");
                if self.files.link(&path).is_some() || !self.files.is_folder(&path) {
                    self.entry(&path);
                } else {
                    self.service(&path);
                }
            }
        }
        for name in self.files.names("/etc/sv") {
            self.service(&format!("/etc/sv/{name}"));
        }
    }

    /// The parts of one of runit's services, if it is about a terminal.
    fn service(&mut self, folder: &str) {
        let run = self.files.text(&format!("{folder}/run"));
        if folder.contains("getty") || run.is_some_and(|text| text.contains("getty")) {
            for part in ["run", "down", "conf", "finish", "supervise"] {
                self.entry(&format!("{folder}/{part}"));
            }
        }
    }
}

/// The absolute path that a link leads to, its own path being absolute.
pub fn resolve_link(link: &str, target: &str) -> String {
    let folder = link.rsplit_once('/').map_or("", |(folder, _)| folder);
    let whole = if target.starts_with('/') {
        target.to_owned()
    } else {
        format!("{folder}/{target}")
    };
    let mut steps: Vec<&str> = Vec::new();
    for step in whole.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    format!("/{}", steps.join("/"))
}

fn words_in(program: &[u8]) -> Vec<String> {
    let holds = |word: &str| {
        program
            .windows(word.len())
            .any(|window| window == word.as_bytes())
    };
    let found = INIT_WORDS.iter().filter(|word| holds(word));
    found.map(|word| (*word).to_owned()).collect()
}

/// The lines that say which kernel is started with which words; the others are left empty, so that
/// the numbers of the lines hold.
fn kernel_lines(text: &str, whole: bool) -> String {
    const BEGINNINGS: &[&str] = &[
        "append",
        "default",
        "fallback",
        "kernel",
        "label",
        "linux",
        "menuentry",
        "options",
        "saved_entry",
        "set default",
        "set kernelopts",
        "submenu",
        "title",
        "GRUB_CMDLINE",
        "GRUB_DEFAULT",
        "image",
        "}",
    ];
    let mut kept = String::new();
    for line in text.lines() {
        let start = line.trim_start();
        let counts = |word: &&str| {
            start
                .get(..word.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        if whole || BEGINNINGS.iter().any(counts) {
            let indent = line.len() - start.len();
            kept.push_str(line.get(..indent).unwrap_or_default());
            kept.push_str(&hide_in_words(start));
        }
        kept.push('\n');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_a_boot_loader_are_left_out() {
        let text = "set superusers=\"root\"\npassword_pbkdf2 root grub.pbkdf2.sha512.10000.AB\n\
                    menuentry 'Linux' {\n\tlinux /vmlinuz console=ttyS0 luks_password=geheim\n}\n";
        let kept = kernel_lines(text, false);
        assert!(!kept.contains("AB") && !kept.contains("geheim"), "{kept}");
        assert!(kept.contains("console=ttyS0"), "{kept}");
        assert_eq!(kept.lines().count(), text.lines().count());
    }
}
