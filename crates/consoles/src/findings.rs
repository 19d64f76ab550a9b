//! What `surefoot check` says of consoles: where nobody can log on, and prompts that cannot work.

use surefoot_host::Host;
use surefoot_report::{Area, Certainty, Evidence, Finding, Place, Remedy, is_plain};

use crate::init_system::InitSystem;
use crate::inits::inittab::inittab_lines;
use crate::inits::{sysvinit, upstart};
use crate::kernel_console::ACTIVE;
use crate::last_resort::serves;
use crate::pages::PAGES;
use crate::platform::PromptNeed;
use crate::prompt::{LoginPrompt, PromptStart};
use crate::raspberry::why_port_off;
use crate::root_login::RootLogin;
use crate::setup_tree::{SetupPlace, SetupTree};
use crate::table::{ConsoleTable, KernelUse, TerminalPresence, TerminalRow};
use crate::terminal_name::is_virtual;

/// The area of these findings.
pub static AREA: Area = Area {
    word: "consoles",
    pages: PAGES,
    advice: None,
};

/// Compares the kernel's consoles, the place where the machine runs and the login prompts.
pub fn check(host: &Host) -> Vec<Finding> {
    let table = ConsoleTable::of(host);
    let tree = SetupTree::new(host.consoles.files.as_deref().unwrap_or_default());
    if table.init_unknown.is_some() || table.init.is_none() {
        return Vec::new();
    }
    let mut found: Vec<Finding> = silent_console(&table).into_iter().collect();
    found.extend(silent_view(&table));
    found.extend(silent_others(&table));
    found.extend(endless_boot(&table, &tree));
    found.extend(missing_terminals(&table, &tree));
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

/// Other terminals that the kernel writes to, each a console of its own for the one who reads it.
fn silent_others(table: &ConsoleTable) -> Vec<Finding> {
    let is_told = |row: &TerminalRow| {
        let name = Some(row.terminal.as_str());
        table.kernel.main.as_deref() == name || table.seen.terminal.as_deref() == name
    };
    let rows = table.terminals.iter().filter(|row| {
        row.kernel == KernelUse::Messages
            && matches!(row.needed, PromptNeed::Yes(_))
            && !is_told(row)
            && !is_served(table, &row.terminal)
    });
    let found = rows.map(|row| {
        let name = row.terminal.as_str();
        let mut found = AREA.finding(
            "CO007",
            match table.kernel.doubt {
                Some(_) => Certainty::Possibly,
                None => Certainty::Certainly,
            },
            format!("the kernel writes to {name} as well, and no login prompt is set up there"),
            "A console on this line shows how the machine boots, and takes no name.",
        );
        if let Some(place) = &table.kernel.place {
            let words = table.kernel.words.iter();
            let words: Vec<String> = words.map(|word| format!("console={}", word.name)).collect();
            found.evidence.push(evidence(place, words.join(" ")));
        }
        found.evidence.extend(idle_evidence(table, name));
        found.remedies = vec![add_remedy(name)];
        found
    });
    found.collect()
}

/// A default runlevel that ends the system.
fn endless_boot(table: &ConsoleTable, tree: &SetupTree<'_>) -> Option<Finding> {
    let level = match table.init? {
        InitSystem::Sysvinit => sysvinit::default_level(tree)?,
        InitSystem::Upstart | InitSystem::UpstartSysconfig => upstart::default_level(tree),
        _ => return None,
    };
    let what = sysvinit::end_in(level)?;
    let mut found = AREA.finding(
        "CO008",
        Certainty::Certainly,
        format!("the default runlevel is {level}, which {what} the system at each boot"),
        "The next boot ends by itself, before you can log in.",
    );
    let inittab = SetupPlace::file("/etc/inittab");
    let lines = inittab_lines(tree.text(&inittab.path).unwrap_or_default());
    let named = lines
        .iter()
        .find(|line| !line.is_comment && line.action == "initdefault");
    let (place, words) = match named {
        Some(line) => (
            SetupPlace::line(&inittab.path, line.number),
            format!("{}:{}:initdefault:", line.id, line.levels),
        ),
        None => (
            SetupPlace::file(upstart::DEFAULT_LEVEL_JOB),
            format!("env DEFAULT_RUNLEVEL={level}"),
        ),
    };
    found.remedies = vec![Remedy {
        what: "Name an ordinary runlevel there, 2 to 5, before the machine is started again"
            .to_owned(),
        commands: vec![format!("surefoot edit {}", place.path)],
    }];
    found.evidence = vec![evidence(&place, words)];
    Some(found)
}

fn missing_terminals(table: &ConsoleTable, tree: &SetupTree<'_>) -> Option<Finding> {
    // systemd does not start a getty whose terminal is not there.
    if table.init == Some(InitSystem::Systemd) {
        return None;
    }
    let boots = |row: &&TerminalRow| row.starts_at_boot() && row.terminal != "console";
    let rows = || table.terminals.iter().filter(boots);
    let gone: Vec<&TerminalRow> = rows()
        .filter(|row| matches!(row.exists, TerminalPresence::No(_)))
        .collect();
    let is_off = |row: &&TerminalRow| why_port_off(tree, &row.terminal).is_some();
    let (rows, certainty) = if gone.is_empty() {
        let unsure = rows().filter(|row| matches!(row.exists, TerminalPresence::Unknown(_)));
        let unsure = unsure.filter(|row| table.seen.is_container || is_off(row));
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
        Certainty::Possibly if table.seen.is_container => "may not exist in this container",
        Certainty::Possibly => "may not exist here",
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
    for row in &rows {
        if let TerminalPresence::No(why) | TerminalPresence::Unknown(why) = &row.exists
            && is_off(row)
        {
            let place = SetupPlace::file(format!("/dev/{}", row.terminal));
            found.evidence.push(evidence(&place, why.clone()));
        }
    }
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
        let mut wanted = table.started();
        // Not to be taken out again by this command.
        let needed = table.terminals.iter().filter(|row| matches!(row.needed, PromptNeed::Yes(_)));
        for row in needed {
            if !wanted.contains(&row.terminal.as_str()) {
                wanted.push(&row.terminal);
            }
        }
        wanted.retain(|name| is_plain(name));
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
