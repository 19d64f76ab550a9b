//! Which init system a tree has, and what it starts at boot.

use super::files::Files;

/// Folders of systemd units, the strongest first.
const UNIT_FOLDERS: &[&str] = &[
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// What is started at boot.
#[derive(Debug, Default)]
pub(super) struct Boot {
    /// The init system's name; none if it is unknown.
    pub(super) init: Option<String>,
    /// What is started: the service's name, and the file that says so.
    started: Vec<(String, String)>,
}

impl Boot {
    pub(super) fn read(files: &Files) -> Self {
        let init = init(files);
        let mut started = Vec::new();
        match init.as_deref() {
            Some("systemd") => systemd(files, &mut started),
            Some("openrc") => openrc(files, &mut started),
            Some("sysvinit" | "upstart") => sysv(files, &mut started),
            // Not knowing who starts things, every way counts.
            _ => {
                systemd(files, &mut started);
                openrc(files, &mut started);
                sysv(files, &mut started);
            }
        }
        Self { init, started }
    }

    /// The file that has a service started at boot.
    pub(super) fn starts(&self, service: &str) -> Option<&str> {
        let found = self.started.iter().find(|(name, _)| name == service);
        found.map(|(_, by)| by.as_str())
    }

    /// Everything that is started, and the file that says so.
    pub(super) fn started(&self) -> impl Iterator<Item = (&str, &str)> {
        self.started
            .iter()
            .map(|(name, by)| (name.as_str(), by.as_str()))
    }
}

/// Tells the init system by the program that the kernel starts.
fn init(files: &Files) -> Option<String> {
    let target = files
        .link("/sbin/init")
        .or_else(|| files.link("/usr/sbin/init"));
    let name = if let Some(target) = target {
        let known = ["systemd", "openrc", "busybox", "runit", "upstart", "s6"];
        *known.iter().find(|name| target.contains(*name))?
    } else if !files.exists("/sbin/init") {
        return None;
    } else if files.exists("/etc/init/rc-sysinit.conf") {
        "upstart"
    } else if files.exists("/etc/inittab") {
        "sysvinit"
    } else {
        return None;
    };
    let openrc = files.exists("/etc/runlevels") && matches!(name, "busybox" | "sysvinit");
    Some(if openrc { "openrc" } else { name }.to_owned())
}

/// Units wanted or required by another one that is linked below `/etc`, without `.service`.
fn systemd(files: &Files, started: &mut Vec<(String, String)>) {
    let masked = |unit: &str| {
        files
            .link(&format!("/etc/systemd/system/{unit}"))
            .is_some_and(|to| to == "/dev/null")
    };
    for folder in UNIT_FOLDERS {
        for wants in files.names(folder) {
            let kind = wants.rsplit('.').next();
            if !matches!(kind, Some("wants" | "requires")) {
                continue;
            }
            for unit in files.names(&format!("{folder}/{wants}")) {
                if masked(&unit) {
                    continue;
                }
                let by = format!("{folder}/{wants}/{unit}");
                let name = unit.strip_suffix(".service").unwrap_or(&unit).to_owned();
                started.push((name, by));
            }
        }
    }
    // What has no unit of its own is started by the script's generator.
    let mut scripts = Vec::new();
    sysv(files, &mut scripts);
    for (name, by) in scripts {
        let unit = format!("{name}.service");
        let replaced = UNIT_FOLDERS
            .iter()
            .any(|folder| files.exists(&format!("{folder}/{unit}")));
        if !replaced {
            started.push((name, by));
        }
    }
}

/// Links `S20name` in the folders of the runlevels that end in a login.
fn sysv(files: &Files, started: &mut Vec<(String, String)>) {
    for level in ["S", "2", "3", "4", "5"] {
        for folder in [
            format!("/etc/rc{level}.d"),
            format!("/etc/rc.d/rc{level}.d"),
        ] {
            for link in files.names(&folder) {
                let number_and_name = link.strip_prefix('S').filter(|rest| {
                    rest.len() > 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_digit())
                });
                if let Some(name) = number_and_name.and_then(|rest| rest.get(2..)) {
                    started.push((name.to_owned(), format!("{folder}/{link}")));
                }
            }
        }
    }
}

/// Links in the folders of the runlevels.
fn openrc(files: &Files, started: &mut Vec<(String, String)>) {
    for level in ["sysinit", "boot", "default"] {
        for name in files.names(&format!("/etc/runlevels/{level}")) {
            let by = format!("/etc/runlevels/{level}/{name}");
            started.push((name, by));
        }
    }
}
