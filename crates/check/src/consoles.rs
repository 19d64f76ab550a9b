//! Consoles that nobody can log on to, and login prompts on terminals that do not exist.

use surefoot_host::{Getty, Host};
use surefoot_report::{
    Area, Certainty, Evidence, Finding, Page, Place, Remedy, Severity, is_plain,
};

/// The area of these findings.
pub(crate) static AREA: Area = Area {
    word: "consoles",
    pages: PAGES,
    advice: None,
};

const PAGES: &[Page] = &[
    Page {
        code: "CO001",
        title: "the kernel's console has no login prompt",
        severity: Severity::Warning,
        text: "\
What it is
  The kernel writes to a console (the last `console=` of its command line, or what the
  hypervisor chose) on which no getty is set up.

Why it matters
  When the network is down, the console is the only way in. With no login prompt on it you can
  watch the machine and do nothing. It happens when a guest moves to another hypervisor: the
  console was tty1 and is now hvc0 or ttyS0.

See it yourself
  cat /sys/class/tty/console/active
  cat /proc/cmdline
  ps -eo tty,args | grep getty

Mend it
  Add a getty there: a line in /etc/inittab and `telinit q`, or
  systemctl enable --now serial-getty@hvc0.service

When it is fine
  When the console is only a log and takes no input.
",
    },
    Page {
        code: "CO002",
        title: "a login prompt is set up on a terminal that does not exist",
        severity: Severity::Warning,
        text: "\
What it is
  The init system starts a getty on a terminal that this kernel does not have.

Why it matters
  The getty ends at once and is started again, for ever: init logs \"respawning too fast\" and
  stops it for five minutes at a time. It also means that the prompt which you expect is
  not there.

See it yourself
  ls /sys/class/tty
  grep respawn /etc/inittab

Mend it
  Take the line out, or give it the terminal's new name, and tell init: telinit q

When it is fine
  When one image boots on several hypervisors and keeps a line for each.
",
    },
];

/// Compares the kernel's consoles with the login prompts.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let Some(gettys) = &host.consoles.gettys else {
        return Vec::new();
    };
    let mut found: Vec<Finding> = dead_console(host, gettys).into_iter().collect();
    found.extend(missing_terminals(host, gettys));
    found
}

/// The console that `/dev/console` leads to: what the kernel says, else the last one it was told.
fn console(host: &Host) -> Option<(String, Evidence)> {
    let shown = |place: &str, what: &str| Evidence {
        place: Place::File {
            path: place.to_owned(),
        },
        what: what.to_owned(),
        packets: None,
    };
    if let Some(active) = &host.consoles.active {
        let last = active.last()?;
        let evidence = shown("/sys/class/tty/console/active", &active.join(" "));
        return Some((last.clone(), evidence));
    }
    let line = host.consoles.command_line.as_ref()?;
    let mut told = line
        .text
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("console="));
    let name = told.next_back()?.split(',').next()?;
    Some((name.to_owned(), shown(&line.path, &line.text)))
}

fn dead_console(host: &Host, gettys: &[Getty]) -> Option<Finding> {
    let (console, evidence) = console(host)?;
    let is_virtual = |name: &str| {
        name.strip_prefix("tty")
            .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    // tty0 is whichever virtual terminal is in front.
    let served = gettys.iter().any(|getty| {
        getty.terminal == console
            || getty.terminal == "console"
            || (console == "tty0" && is_virtual(&getty.terminal))
    });
    // systemd makes gettys for serial and hypervisor consoles at boot, without a file.
    let line = host
        .consoles
        .command_line
        .as_ref()
        .map_or("", |line| line.text.as_str());
    let generated = host.consoles.init.as_deref() == Some("systemd")
        && !line
            .split_whitespace()
            .any(|word| word == "systemd.getty_auto=0")
        && !host.consoles.masked.iter().any(|name| {
            ["systemd-getty-generator", "serial-getty@.service"].contains(&name.as_str())
                || *name == format!("serial-getty@{console}.service")
        });
    if served || generated || console == "ttynull" || console == "netcon0" {
        return None;
    }
    let mut found = AREA.finding(
        "CO001",
        Certainty::Certainly,
        format!("the kernel's console is {console}, and no login prompt is set up there"),
        "When the network is down, you cannot log on at the console either.",
    );
    found.evidence.push(evidence);
    found.evidence.extend(gettys.iter().take(6).map(prompt));
    found.remedies = vec![remedy(host, &console)];
    Some(found)
}

fn prompt(getty: &Getty) -> Evidence {
    Evidence {
        place: Place::File {
            path: getty.from.clone(),
        },
        what: format!("a login prompt on {}", getty.terminal),
        packets: None,
    }
}

fn remedy(host: &Host, console: &str) -> Remedy {
    let what = format!("Set up a login prompt on {console}");
    if !is_plain(console) {
        // No terminal has such a name, and no command should hold it.
        return Remedy {
            what: "See what the kernel's command line says of the console, and mend it".to_owned(),
            commands: vec!["cat /proc/cmdline".to_owned()],
        };
    }
    let id = console
        .get(console.len().saturating_sub(2)..)
        .unwrap_or("c0");
    let commands = match host.consoles.init.as_deref() {
        Some("systemd") => vec![format!(
            "systemctl enable --now serial-getty@{console}.service"
        )],
        Some("upstart") => vec![
            format!(
                "printf 'start on stopped rc RUNLEVEL=[2345]\\nrespawn\\nexec /sbin/getty -8 38400 {console}\\n' > /etc/init/{console}.conf"
            ),
            format!("start {console}"),
        ],
        _ => vec![
            format!(
                "printf '{id}:2345:respawn:/sbin/getty 38400 {console} vt100\\n' >> /etc/inittab"
            ),
            "telinit q".to_owned(),
        ],
    };
    Remedy { what, commands }
}

fn missing_terminals(host: &Host, gettys: &[Getty]) -> Option<Finding> {
    // systemd does not start a getty whose terminal is not there.
    if host.consoles.init.as_deref() == Some("systemd") {
        return None;
    }
    let terminals = host.consoles.terminals.as_ref()?;
    let gone: Vec<&Getty> = gettys
        .iter()
        .filter(|getty| getty.terminal != "console" && !terminals.contains(&getty.terminal))
        .collect();
    if gone.is_empty() {
        return None;
    }
    let names: Vec<&str> = gone.iter().map(|getty| getty.terminal.as_str()).collect();
    let mut found = AREA.finding(
        "CO002",
        Certainty::Certainly,
        format!(
            "login prompts are set up on terminals that do not exist: {}",
            names.join(", ")
        ),
        "Init starts them again and again, and the prompt that you expect is missing.",
    );
    found.evidence = gone.into_iter().map(prompt).collect();
    found.remedies = vec![Remedy {
        what: "See which terminals there are, take the lines out, tell init".to_owned(),
        commands: vec!["ls /sys/class/tty".to_owned(), "telinit q".to_owned()],
    }];
    Some(found)
}
