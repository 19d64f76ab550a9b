//! What `surefoot check` says of consoles: where nobody can log on, and prompts that cannot work.

use surefoot_host::Host;
use surefoot_report::{
    Area, Certainty, Evidence, Finding, Page, Place, Remedy, Severity, is_plain,
};

use crate::init_system::InitSystem;
use crate::kernel_console::ACTIVE;
use crate::last_resort::serves;
use crate::platform::PromptNeed;
use crate::prompt::{LoginPrompt, PromptStart};
use crate::root_login::RootLogin;
use crate::setup_tree::SetupPlace;
use crate::table::{ConsoleTable, KernelUse, TerminalPresence, TerminalRow};
use crate::terminal_name::is_virtual;

/// The area of these findings.
pub static AREA: Area = Area {
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
  surefoot consoles
  cat /sys/class/tty/console/active
  cat /proc/cmdline
  ps -eo tty,args | grep getty

Mend it
  surefoot consoles add hvc0

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
  The getty ends at once and is started again, for ever: System V init logs \"respawning too
  fast\" and stops it for five minutes at a time, busybox init tries again every second and
  fills the log. It also means that the prompt which you expect is not there.

See it yourself
  surefoot consoles
  ls /sys/class/tty
  grep respawn /etc/inittab

Mend it
  surefoot consoles remove tty4

When it is fine
  When one image boots on several hypervisors and keeps a line for each.
",
    },
    Page {
        code: "CO003",
        title: "root is refused on the console by securetty",
        severity: Severity::Warning,
        text: "\
What it is
  The console has a login prompt, and /etc/securetty does not list it, while pam_securetty or
  the login program reads that list. pam_securetty lets root in on the kernel's consoles all the
  same, unless it has the option noconsole.

Why it matters
  On the day when only root's password is left, the last way in says \"Login incorrect\".

See it yourself
  surefoot consoles
  grep -n securetty /etc/pam.d/login
  cat /etc/securetty

Mend it
  surefoot consoles add hvc0        # adds the terminal to the list, too

When it is fine
  When root has no password, and you log in as somebody who may use sudo.
",
    },
    Page {
        code: "CO004",
        title: "the console that the hypervisor shows has no login prompt",
        severity: Severity::Warning,
        text: "\
What it is
  The machine runs where its owner sees one console: hvc0 of a Xen guest, the first serial port
  of a KVM guest or on EC2. No login prompt is set up there.

Why it matters
  `xl console`, `virsh console` or the provider's web page stay silent when you need them.

See it yourself
  surefoot consoles

Mend it
  surefoot consoles add ttyS0

When it is fine
  When you always have another way in, such as a screen over VNC.
",
    },
    Page {
        code: "CO005",
        title: "two login prompts share one terminal",
        severity: Severity::Warning,
        text: "\
What it is
  Two entries start a getty on the same terminal. Often one was copied from the other and the
  terminal in its command was not changed.

Why it matters
  The two take every second letter that you type from each other. The terminal that was meant has
  no prompt.

See it yourself
  surefoot consoles

Mend it
  surefoot consoles set tty1,hvc0   # the terminals that you want, one prompt each

When it is fine
  Never.
",
    },
    Page {
        code: "CO006",
        title: "a file about login prompts is never read",
        severity: Severity::Note,
        text: "\
What it is
  A file in the folder of the init system would start a login prompt, and its name keeps it from
  being read: upstart reads only names that end in .conf.

Why it matters
  Changes to such a file do nothing, and the next reader believes it.

See it yourself
  ls /etc/init

Mend it
  Remove it, or give it the right name: mv /etc/init/hvc0 /etc/init/hvc0.conf

When it is fine
  When it is a copy that is kept on purpose.
",
    },
];

/// Compares the kernel's consoles, the place where the machine runs and the login prompts.
pub fn check(host: &Host) -> Vec<Finding> {
    let table = ConsoleTable::of(host);
    if table.init_unknown.is_some() || table.init.is_none() {
        return Vec::new();
    }
    let mut found: Vec<Finding> = silent_console(&table).into_iter().collect();
    found.extend(silent_view(&table));
    found.extend(missing_terminals(&table));
    found.extend(root_refused(&table));
    found.extend(shared_terminals(&table));
    found.extend(unread_files(&table));
    found
}

fn evidence(place: &SetupPlace, what: impl Into<String>) -> Evidence {
    let place = match place.line {
        Some(line) => Place::Line {
            source: place.path.clone(),
            line,
            column: None,
        },
        None => Place::File {
            path: place.path.clone(),
        },
    };
    Evidence {
        place,
        what: what.into(),
        packets: None,
    }
}

fn of_prompt(prompt: &LoginPrompt) -> Evidence {
    evidence(
        &prompt.place,
        format!("a login prompt on {}", prompt.terminal),
    )
}

/// Whether you can log in at a console. On a virtual terminal a prompt that is started on demand will do.
fn is_served(table: &ConsoleTable, console: &str) -> bool {
    table.terminals.iter().any(|row| {
        let has_prompt = if is_virtual(console) && is_virtual(&row.terminal) {
            !row.prompts.is_empty()
        } else {
            row.starts_at_boot()
        };
        has_prompt && serves(&table.kernel, console, &row.terminal)
    })
}

fn silent_console(table: &ConsoleTable) -> Option<Finding> {
    let console = table.kernel.main.as_deref()?;
    if is_served(table, console) || ["ttynull", "netcon0"].contains(&console) {
        return None;
    }
    let certainty = match table.kernel.doubt {
        Some(_) => Certainty::Possibly,
        None => Certainty::Certainly,
    };
    let mut found = AREA.finding(
        "CO001",
        certainty,
        format!("the kernel's console is {console}, and no login prompt is set up there"),
        "When the network is down, you cannot log on at the console either.",
    );
    if let Some(place) = &table.kernel.place {
        let words: Vec<String> = table
            .kernel
            .words
            .iter()
            .map(|word| format!("console={}", word.name))
            .collect();
        let what = if words.is_empty() || place.path == ACTIVE {
            table.kernel.active.join(" ")
        } else {
            words.join(" ")
        };
        found.evidence.push(evidence(place, what));
    }
    found.evidence.extend(idle_evidence(table, console));
    let prompts = table.terminals.iter().flat_map(|row| &row.prompts);
    let at_boot = prompts.filter(|prompt| prompt.start != PromptStart::Demand);
    found.evidence.extend(at_boot.take(6).map(of_prompt));
    found.remedies = vec![add_remedy(console)];
    Some(found)
}

fn idle_evidence(table: &ConsoleTable, terminal: &str) -> Vec<Evidence> {
    let idle = table
        .row(terminal)
        .map(|row| row.idle.as_slice())
        .unwrap_or_default();
    idle.iter()
        .map(|entry| evidence(&entry.place, format!("starts nothing: {}", entry.why)))
        .collect()
}

fn add_remedy(terminal: &str) -> Remedy {
    if !is_plain(terminal) {
        // No terminal has such a name, and no command should hold it.
        return Remedy {
            what: "See what the kernel's command line says of the console, and mend it".to_owned(),
            commands: vec!["cat /proc/cmdline".to_owned()],
        };
    }
    Remedy {
        what: format!("Set up a login prompt on {terminal}"),
        commands: vec![format!("surefoot consoles add {terminal}")],
    }
}

/// The console that the hypervisor shows, if it is another one than the kernel's.
fn silent_view(table: &ConsoleTable) -> Option<Finding> {
    let seen = table.seen.terminal.as_deref()?;
    let place = table.seen.place.as_deref().unwrap_or("this place");
    let is_told = table.kernel.main.as_deref() == Some(seen);
    if is_told || seen == "console" || is_served(table, seen) {
        return None;
    }
    let mut found = AREA.finding(
        "CO004",
        Certainty::Certainly,
        format!("{place} shows {seen}, and no login prompt is set up there"),
        "The console that you reach from outside stays silent when the network is down.",
    );
    found.evidence = idle_evidence(table, seen);
    let prompts = table.terminals.iter().flat_map(|row| &row.prompts);
    let at_boot = prompts.filter(|prompt| prompt.start != PromptStart::Demand);
    found.evidence.extend(at_boot.take(6).map(of_prompt));
    found.remedies = vec![add_remedy(seen)];
    Some(found)
}

fn missing_terminals(table: &ConsoleTable) -> Option<Finding> {
    // systemd does not start a getty whose terminal is not there.
    if table.init == Some(InitSystem::Systemd) {
        return None;
    }
    let boots = |row: &&TerminalRow| row.starts_at_boot() && row.terminal != "console";
    let rows = || table.terminals.iter().filter(boots);
    let gone: Vec<&TerminalRow> = rows()
        .filter(|row| matches!(row.exists, TerminalPresence::No(_)))
        .collect();
    let (rows, certainty) = if gone.is_empty() && table.seen.is_container {
        let unsure = rows().filter(|row| matches!(row.exists, TerminalPresence::Unknown(_)));
        (unsure.collect(), Certainty::Possibly)
    } else {
        (gone, Certainty::Certainly)
    };
    if rows.is_empty() {
        return None;
    }
    let names: Vec<&str> = rows.iter().map(|row| row.terminal.as_str()).collect();
    let verb = match certainty {
        Certainty::Certainly => "do not exist",
        Certainty::Possibly => "may not exist in this container",
    };
    let mut found = AREA.finding(
        "CO002",
        certainty,
        format!(
            "login prompts are set up on terminals that {verb}: {}",
            names.join(", ")
        ),
        "Init starts them again and again, and the prompt that you expect is missing.",
    );
    found.evidence = rows
        .iter()
        .flat_map(|row| &row.prompts)
        .map(of_prompt)
        .collect();
    let plain: Vec<&str> = names.into_iter().filter(|name| is_plain(name)).collect();
    found.remedies = vec![Remedy {
        what: "See which terminals there are, and take these prompts out".to_owned(),
        commands: vec![
            "ls /sys/class/tty".to_owned(),
            format!("surefoot consoles remove {}", plain.join(" ")),
        ],
    }];
    Some(found)
}

fn root_refused(table: &ConsoleTable) -> Vec<Finding> {
    let matters = |row: &&TerminalRow| {
        matches!(row.root, RootLogin::Refused(_))
            && row.starts_at_boot()
            && (row.kernel == KernelUse::Main || matches!(row.needed, PromptNeed::Yes(_)))
    };
    let found = table.terminals.iter().filter(matters).map(|row| {
        let name = &row.terminal;
        let mut found = AREA.finding(
            "CO003",
            Certainty::Certainly,
            format!("root is refused on {name}, the console, by securetty"),
            "On the day when only root's password is left, the last way in is shut.",
        );
        found.evidence = row.prompts.iter().map(of_prompt).collect();
        let list = SetupPlace::file("/etc/securetty");
        found.evidence.push(evidence(&list, row.root.why()));
        found.remedies = vec![Remedy {
            what: format!("Let root log in on {name}"),
            commands: vec![format!("surefoot consoles add {name}")],
        }];
        found
    });
    found.collect()
}

fn shared_terminals(table: &ConsoleTable) -> Vec<Finding> {
    let boots = |row: &TerminalRow| {
        let prompts = row.prompts.iter();
        prompts
            .filter(|prompt| prompt.start == PromptStart::Boot)
            .count()
    };
    let rows = table.terminals.iter().filter(|row| boots(row) > 1);
    let found = rows.map(|row| {
        let mut found = AREA.finding(
            "CO005",
            Certainty::Certainly,
            format!("{} login prompts share {}", boots(row), row.terminal),
            "They take the letters that you type from each other, and another terminal may have none.",
        );
        found.evidence = row
            .prompts
            .iter()
            .map(|prompt| evidence(&prompt.place, format!("{} on {}", prompt.by, prompt.terminal)))
            .collect();
        let wanted: Vec<&str> = table.started().into_iter().filter(|name| is_plain(name)).collect();
        found.remedies = vec![Remedy {
            what: "Say which terminals you want; each gets one prompt".to_owned(),
            commands: vec![format!("surefoot consoles set {}", wanted.join(","))],
        }];
        found
    });
    found.collect()
}

fn unread_files(table: &ConsoleTable) -> Option<Finding> {
    let unread: Vec<_> = table
        .remarks
        .iter()
        .filter(|remark| remark.is_unread)
        .collect();
    let first = unread.first()?;
    let mut found = AREA.finding(
        "CO006",
        Certainty::Certainly,
        format!(
            "{} is never read: its name does not end in .conf",
            first.place
        ),
        "Changes to such a file do nothing, and the next reader believes it.",
    );
    found.evidence = unread
        .iter()
        .map(|remark| evidence(&remark.place, remark.what.clone()))
        .collect();
    Some(found)
}
