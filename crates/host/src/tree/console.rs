//! Which terminals get a login prompt at boot, by the files of the init system.

use super::boot::Boot;
use super::files::Files;
use crate::{Getty, TextFile};

/// The kernel's command line as the boot loader's settings have it.
pub(super) fn command_line(files: &Files) -> Option<TextFile> {
    let path = "/etc/default/grub";
    let text = files.text(path)?;
    let value = |key: &str| {
        let line = text
            .lines()
            .rev()
            .find_map(|line| line.trim().strip_prefix(key));
        line.map(|value| value.trim().trim_matches(['"', '\'']))
    };
    let parts = [
        value("GRUB_CMDLINE_LINUX="),
        value("GRUB_CMDLINE_LINUX_DEFAULT="),
    ];
    let words: Vec<&str> = parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    (!words.is_empty()).then(|| TextFile {
        path: path.to_owned(),
        text: words.join(" "),
    })
}

/// The login prompts that are set up; none if the init system is unknown.
pub(super) fn gettys(files: &Files, boot: &Boot) -> Option<Vec<Getty>> {
    let mut gettys = match boot.init.as_deref()? {
        "systemd" => systemd(boot),
        "sysvinit" | "openrc" | "busybox" => inittab(&files.text("/etc/inittab")?),
        "upstart" => upstart(files),
        "runit" => runit(files),
        _ => return None,
    };
    gettys.sort_by(|a, b| {
        a.terminal
            .cmp(&b.terminal)
            .then_with(|| a.from.cmp(&b.from))
    });
    gettys.dedup_by(|a, b| a.terminal == b.terminal);
    Some(gettys)
}

/// Units and generators whose name links to `/dev/null` (systemd.unit(5), systemd.generator(7)).
pub(super) fn masked(files: &Files) -> Vec<String> {
    let mut masked = Vec::new();
    for folder in [
        "/etc/systemd/system",
        "/run/systemd/system",
        "/etc/systemd/system-generators",
        "/run/systemd/system-generators",
        "/usr/local/lib/systemd/system-generators",
    ] {
        let names = files.names(folder).into_iter();
        masked.extend(names.filter(|name| {
            name.contains("getty")
                && files.link(&format!("{folder}/{name}")).as_deref() == Some("/dev/null")
        }));
    }
    masked
}

/// `getty@tty1`, `serial-getty@ttyS0`, `console-getty`.
fn systemd(boot: &Boot) -> Vec<Getty> {
    let getty = |(name, by): (&str, &str)| {
        let (kind, terminal) = name.split_once('@').unwrap_or((name, "console"));
        let is_getty = kind == "getty" || kind.ends_with("-getty") || kind == "autovt";
        is_getty.then(|| Getty {
            terminal: terminal.to_owned(),
            from: by.to_owned(),
        })
    };
    boot.started().filter_map(getty).collect()
}

/// Lines `id:runlevels:respawn:/sbin/getty 38400 tty1` of inittab(5). In busybox's, the first
/// field is the terminal itself.
fn inittab(text: &str) -> Vec<Getty> {
    let mut gettys = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with('#') {
            continue;
        }
        let mut fields = line.splitn(4, ':');
        let (Some(id), Some(levels), Some(action), Some(command)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        // Level 0 stops, 1 is for repairs, 6 restarts: no prompt is meant for them alone.
        let logs_in = levels.is_empty() || levels.contains(['2', '3', '4', '5']);
        if !logs_in || !["respawn", "askfirst", "ondemand"].contains(&action.trim()) {
            continue;
        }
        let from = format!("/etc/inittab:{number}");
        if let Some(terminal) = terminal(command).or_else(|| terminal(id)) {
            gettys.push(Getty { terminal, from });
        }
    }
    gettys
}

/// Upstart's jobs `/etc/init/ttyN.conf` with an `exec` of a getty.
fn upstart(files: &Files) -> Vec<Getty> {
    let mut gettys = Vec::new();
    for path in files.paths("/etc/init") {
        let Some(job) = path.strip_suffix(".conf") else {
            continue;
        };
        // An override that says `manual` takes the job out.
        let overridden = files.text(&format!("{job}.override"));
        if overridden.is_some_and(|text| text.lines().any(|line| line.trim() == "manual")) {
            continue;
        }
        let text = files.text(&path).unwrap_or_default();
        let starts = text
            .lines()
            .any(|line| line.trim_start().starts_with("start on"));
        let exec = (1..)
            .zip(text.lines())
            .find(|(_, line)| line.trim_start().starts_with("exec") && line.contains("getty"));
        if let (true, Some((number, line))) = (starts, exec)
            && let Some(terminal) = terminal(line)
        {
            let from = format!("{path}:{number}");
            gettys.push(Getty { terminal, from });
        }
    }
    gettys
}

/// Services `agetty-tty1` or `getty-tty1` of the running set.
fn runit(files: &Files) -> Vec<Getty> {
    let mut gettys = Vec::new();
    for folder in [
        "/etc/runit/runsvdir/default",
        "/etc/service",
        "/var/service",
    ] {
        for name in files.names(folder) {
            let after = name.split_once("getty-").map(|(_, after)| after.to_owned());
            if let Some(terminal) = after {
                let from = format!("{folder}/{name}");
                gettys.push(Getty { terminal, from });
            }
        }
    }
    gettys
}

/// The first word that names a terminal.
fn terminal(words: &str) -> Option<String> {
    let kinds = ["tty", "hvc", "xvc", "ttyS", "ttyAMA", "console", "sclp"];
    let mut words = words
        .split_whitespace()
        .map(|word| word.trim_start_matches("/dev/"));
    let found = words.find(|word| {
        let is_name = word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_name && kinds.iter().any(|kind| word.starts_with(kind))
    });
    found.map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminals(text: &str) -> Vec<String> {
        inittab(text)
            .into_iter()
            .map(|getty| getty.terminal)
            .collect()
    }

    #[test]
    fn inittab_names_terminals_in_the_command_or_in_front() {
        let text = "1:2345:respawn:/sbin/getty 38400 tty1\n\
                    #T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100\n\
                    h0:2345:respawn:/sbin/agetty --noclear hvc0 linux\n\
                    si::sysinit:/etc/init.d/rcS\n\
                    s:1:respawn:/sbin/sulogin tty9\n";
        assert_eq!(terminals(text), ["tty1", "hvc0"]);
        assert_eq!(
            terminals("ttyS0::respawn:/sbin/getty -L 0 115200\n"),
            ["ttyS0"]
        );
    }

    #[test]
    fn a_tree_boots_with_the_words_of_its_loader() {
        let folder = std::env::temp_dir().join(format!("surefoot-grub-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("etc/default")).unwrap();
        let text = "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX='console=hvc0'\n";
        std::fs::write(folder.join("etc/default/grub"), text).unwrap();
        let found = command_line(&Files::new(&folder));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found.unwrap().text, "console=hvc0 quiet");
    }

    #[test]
    fn every_getty_says_where_it_stands() {
        let gettys = inittab("\n1:2345:respawn:/sbin/getty 38400 tty1\n");
        assert_eq!(gettys[0].from, "/etc/inittab:2");
    }
}
