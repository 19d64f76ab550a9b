//! Which init system starts the login prompts, told by the program that the kernel starts and by the
//! files that are there.

use serde::Serialize;

use crate::inits;
use crate::kernel_console::{KernelConsoles, command_words};
use crate::prompt::SetupReading;
use crate::setup_tree::{SetupTree, has_ending};
use surefoot_host::resolve_link;

/// Made when systemd is installed, on every distribution.
const ENABLED_GETTYS: &str = "/etc/systemd/system/getty.target.wants";

/// Where a login prompt is linked that `openrc-init` starts.
const DEFAULT_RUNLEVEL: &str = "/etc/runlevels/default";

/// An init system, as far as login prompts are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InitSystem {
    /// systemd, on any distribution.
    Systemd,
    /// System V init: `/etc/inittab`.
    Sysvinit,
    /// busybox init: an `/etc/inittab` of its own form.
    Busybox,
    /// upstart with jobs in `/etc/init`.
    Upstart,
    /// upstart of before 0.6: jobs in `/etc/event.d`.
    UpstartEvents,
    /// upstart with `start-ttys`, as Red Hat had it: `/etc/sysconfig/init`.
    UpstartSysconfig,
    /// `openrc-init` as process 1.
    OpenrcInit,
    /// runit.
    Runit,
}

impl InitSystem {
    /// Its name for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Sysvinit => "System V init (/etc/inittab)",
            Self::Busybox => "busybox init (/etc/inittab)",
            Self::Upstart => "upstart (/etc/init)",
            Self::UpstartEvents => "upstart (/etc/event.d)",
            Self::UpstartSysconfig => "upstart (/etc/sysconfig/init)",
            Self::OpenrcInit => "OpenRC (/etc/runlevels)",
            Self::Runit => "runit (/etc/runit/runsvdir)",
        }
    }

    /// The names that process 1 may have under it.
    pub fn process_names(self) -> &'static [&'static str] {
        match self {
            Self::Systemd => &["systemd"],
            Self::Busybox => &["init", "busybox"],
            Self::OpenrcInit => &["openrc-init", "init"],
            Self::Runit => &["runit", "runit-init", "runsvdir", "init"],
            _ => &["init"],
        }
    }

    /// Tells the init system of a tree and the kernel's command line, and what makes that doubtful; an error
    /// says why it is impossible.
    pub fn of(tree: &SetupTree<'_>, line: &str) -> Result<(Self, Option<String>), String> {
        let words = command_words(line);
        // The last `init=` is the program that the kernel starts, whatever /sbin/init is.
        let told = words
            .iter()
            .rev()
            .find_map(|word| word.strip_prefix("init="));
        if let Some(named) = by_program(tree, told)? {
            return Ok((named, None));
        }
        let why = if tree.exists("/sbin/init") || tree.exists("/usr/sbin/init") {
            "/sbin/init does not say which it is"
        } else {
            "/sbin/init is not there"
        };
        let Some(found) = by_files(tree) else {
            return Err(unread(tree, "/etc/inittab").unwrap_or_else(|| {
                format!("{why}, and there are no files of an init system that surefoot knows")
            }));
        };
        // An upgrade leaves the files of the init system before.
        let has_services = tree.names(DEFAULT_RUNLEVEL);
        let has_services = has_services.iter().any(|name| name.starts_with("agetty."));
        let other = match found {
            Self::Systemd | Self::OpenrcInit => None,
            _ if tree.has_folder(ENABLED_GETTYS) => Some(("systemd", ENABLED_GETTYS)),
            _ => has_services.then_some(("OpenRC", DEFAULT_RUNLEVEL)),
        };
        if let Some((other, folder)) = other {
            return Err(format!(
                "{why}, and there are files of two: {}, {other} ({folder})",
                found.words()
            ));
        }
        Ok((found, Some(format!("told by its files: {why}"))))
    }

    /// Why what it starts is unknown although its program is there; nothing if it can be read.
    pub fn why_unread(self, tree: &SetupTree<'_>) -> Option<String> {
        match self {
            Self::Sysvinit | Self::Busybox => unread(tree, "/etc/inittab"),
            _ => None,
        }
    }

    /// Reads which login prompts it is set up to start.
    pub fn read(self, tree: &SetupTree<'_>, kernel: &KernelConsoles, line: &str) -> SetupReading {
        match self {
            Self::Systemd => inits::systemd::read(tree, kernel, line),
            Self::Sysvinit => inits::sysvinit::read(tree, kernel, line),
            Self::Busybox => inits::busybox::read(tree),
            Self::Upstart => inits::upstart::read(tree),
            Self::UpstartEvents => inits::event_d::read(tree),
            Self::UpstartSysconfig => inits::sysconfig::read(tree, kernel),
            Self::OpenrcInit => inits::openrc::read(tree),
            Self::Runit => inits::runit::read(tree, line),
        }
    }
}

fn unread(tree: &SetupTree<'_>, path: &str) -> Option<String> {
    (tree.exists(path) && tree.text(path).is_none())
        .then(|| format!("{path} is there and cannot be read"))
}

/// What `/sbin/init` is. Nothing if there is none, or its name and its words say nothing.
fn by_program(tree: &SetupTree<'_>, told: Option<&str>) -> Result<Option<InitSystem>, String> {
    for first in told.into_iter().chain(["/sbin/init", "/usr/sbin/init"]) {
        let mut path = first.to_owned();
        let of_line = told.filter(|_| Some(first) == told).unwrap_or_default();
        for _ in 0..8 {
            let words = tree.program(&path).unwrap_or_default();
            let text = tree.own_text(&path).filter(|_| tree.link(&path).is_none());
            let link = tree.link(&path).unwrap_or_default();
            let told = |name: &str| {
                link.contains(name)
                    || of_line.contains(name)
                    || words.iter().any(|word| word.eq_ignore_ascii_case(name))
                    || text.is_some_and(|text| text.contains(name))
            };
            let known = [
                ("busybox", InitSystem::Busybox),
                ("openrc-init", InitSystem::OpenrcInit),
                ("runit", InitSystem::Runit),
                ("upstart", InitSystem::Upstart),
                ("sysvinit", InitSystem::Sysvinit),
                ("systemd", InitSystem::Systemd),
                ("openrc", InitSystem::OpenrcInit),
            ];
            if let Some((_, init)) = known.iter().find(|(name, _)| told(name)) {
                return Ok(Some(match init {
                    InitSystem::Upstart => of_upstart(tree),
                    other => *other,
                }));
            }
            if told("s6-svscan") || link.contains("s6") {
                return Err("the init system is s6, which surefoot does not read".to_owned());
            }
            if link.is_empty() {
                break;
            }
            path = resolve_link(&path, link);
        }
    }
    Ok(None)
}

fn of_upstart(tree: &SetupTree<'_>) -> InitSystem {
    if tree.exists("/etc/init/start-ttys.conf") {
        InitSystem::UpstartSysconfig
    } else if !tree.has_folder("/etc/init") && tree.has_folder("/etc/event.d") {
        InitSystem::UpstartEvents
    } else {
        InitSystem::Upstart
    }
}

/// A tree without the program, or with one that says nothing of itself.
fn by_files(tree: &SetupTree<'_>) -> Option<InitSystem> {
    let has_jobs = tree
        .names("/etc/init")
        .iter()
        .any(|name| has_ending(name, "conf"));
    if tree.exists("/etc/init/start-ttys.conf")
        || tree.exists("/etc/init/rc-sysinit.conf")
        || (tree.exists("/sbin/initctl") && has_jobs)
        || tree.has_folder("/etc/event.d")
    {
        return Some(of_upstart(tree));
    }
    let is_used = |text: &&str| {
        let mut lines = text.lines().map(str::trim_start);
        // Where systemd came, comments are left that say so.
        lines.any(|line| !line.is_empty() && !line.starts_with('#'))
    };
    if let Some(text) = tree.text("/etc/inittab").filter(is_used) {
        // The first field of busybox's lines is empty or a terminal, and its actions have no runlevels.
        let is_busybox = tree.exists("/etc/alpine-release")
            || text.lines().any(|line| line.starts_with("::sysinit:"));
        return Some(if is_busybox {
            InitSystem::Busybox
        } else {
            InitSystem::Sysvinit
        });
    }
    if tree.has_folder("/etc/runit/runsvdir") {
        return Some(InitSystem::Runit);
    }
    let has_units = tree.has_folder("/etc/systemd/system")
        || tree.has_folder("/usr/lib/systemd/system")
        || tree.has_folder("/lib/systemd/system");
    if has_units {
        return Some(InitSystem::Systemd);
    }
    let has_ports = tree.has_folder("/etc/runlevels") || tree.exists("/sbin/openrc-init");
    has_ports.then_some(InitSystem::OpenrcInit)
}
