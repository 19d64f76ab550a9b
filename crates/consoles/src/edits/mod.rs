//! Changing which terminals get a login prompt: the right edit for the init system that is there.
//!
//! A plan is made on a draft of the files and read back before it is given: an edit that would not set up
//! exactly what was asked for is refused, not shown.

mod console_error;
mod draft;
mod edit_diff;
mod inittab;
mod openrc;
mod refusals;
mod request;
mod runit;
mod securetty;
mod sysconfig;
mod systemd;
mod upstart;

use serde::Serialize;
use surefoot_host::Host;

use crate::init_system::InitSystem;
use crate::inits::logind;
use crate::kernel_console::KernelConsoles;
use crate::last_resort::{LostResort, lost_resorts};
use crate::platform::SeenConsole;
use crate::prompt::{IdleEntry, LoginPrompt, PromptStart, program_of};
use crate::raspberry::why_port_off;
use crate::root_login::RootLogin;
use crate::setup_tree::SetupTree;
use crate::table::{ConsoleTable, TerminalPresence, TerminalRow, kernel_of};
use crate::terminal_name::{is_virtual, terminal_order};
pub use console_error::ConsoleError;
pub(crate) use draft::SetupDraft;
pub use draft::SetupEdit;
use refusals::{refuse_impossible, refuse_in_use, refuse_lost_console, refuse_missing};
pub use request::{ConsoleRequest, ConsoleWish, TerminalList};

/// What to do on the running machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConsoleActs {
    /// Commands after the files are changed.
    pub apply: Vec<Vec<String>>,
    /// Commands after they are put back.
    pub revert: Vec<Vec<String>>,
    /// Commands before they are put back, which need what the change has made.
    #[serde(skip)]
    pub before_revert: Vec<Vec<String>>,
}

/// A change of login prompts, planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsolePlan {
    /// The init system.
    pub init: InitSystem,
    /// The terminals that get a prompt at boot after the change.
    pub wanted: Vec<String>,
    /// Those among them that get one by the change.
    pub added: Vec<String>,
    /// The terminals that lose theirs.
    pub removed: Vec<String>,
    /// The edits.
    pub edits: Vec<SetupEdit>,
    /// What to do at once.
    pub acts: ConsoleActs,
    /// What else to know.
    pub notes: Vec<String>,
    /// The programs that ask on the wanted terminals, each with the terminal.
    #[serde(skip)]
    pub(crate) programs: Vec<(String, String)>,
}

impl ConsolePlan {
    /// The edits as a unified diff, with the paths that the files have in their system.
    pub fn diff(&self) -> String {
        edit_diff::edit_diff(&self.edits)
    }
}

/// What the planners of the init systems work with.
pub(crate) struct EditWork<'a> {
    pub(crate) draft: SetupDraft,
    pub(crate) kernel: &'a KernelConsoles,
    pub(crate) line: &'a str,
    pub(crate) speed: Option<u32>,
    pub(crate) acts: ConsoleActs,
    pub(crate) notes: Vec<String>,
}

impl EditWork<'_> {
    /// The speed for a serial terminal: as asked for, as the kernel has it; none if neither says.
    pub(crate) fn speed_for(&self, terminal: &str) -> Option<String> {
        if is_virtual(terminal) {
            return None;
        }
        let asked = self.speed.map(|speed| speed.to_string());
        asked.or_else(|| self.kernel.speed_of(terminal).map(ToOwned::to_owned))
    }

    /// Runs a command after the change, and another one before it is taken back.
    pub(crate) fn act_and_unmake(&mut self, apply: &[&str], before_revert: &[&str]) {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        self.acts.apply.push(words(apply));
        self.acts.before_revert.push(words(before_revert));
    }

    /// Runs a command after the change, and another one after it is taken back.
    pub(crate) fn act(&mut self, apply: &[&str], revert: &[&str]) {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        if !apply.is_empty() {
            self.acts.apply.push(words(apply));
        }
        if !revert.is_empty() {
            self.acts.revert.push(words(revert));
        }
    }
}

/// Plans a change.
pub fn plan_consoles(host: &Host, request: &ConsoleRequest) -> Result<ConsolePlan, ConsoleError> {
    let files = host.consoles.files.as_deref().unwrap_or_default();
    let table = ConsoleTable::of(host);
    let Some(init) = table.init.filter(|_| table.init_unknown.is_none()) else {
        let why = table
            .init_unknown
            .unwrap_or_else(|| "nothing tells".to_owned());
        return Err(ConsoleError::UnknownInit { why });
    };
    let tree = SetupTree::new(files);
    let (kernel, line) = kernel_of(host, &tree);
    let now: Vec<String> = table.started().into_iter().map(ToOwned::to_owned).collect();
    let mut wanted = request.wanted(&now, &kernel)?;
    wanted.sort_by(|a, b| terminal_order(a).cmp(&terminal_order(b)));
    wanted.dedup();
    if wanted.is_empty() && !request.may_leave_none {
        return Err(ConsoleError::NoneLeft);
    }
    let twice = |terminal: &String| {
        let boots = |row: &TerminalRow| {
            let prompts = row.prompts.iter();
            prompts
                .filter(|prompt| prompt.start == PromptStart::Boot)
                .count()
                > 1
        };
        table.row(terminal).is_some_and(boots)
    };
    let added: Vec<String> = wanted
        .iter()
        .filter(|name| !now.contains(name))
        .cloned()
        .collect();
    let mut removed: Vec<String> = now
        .iter()
        .filter(|name| !wanted.contains(name))
        .cloned()
        .collect();
    // What is started on demand goes only if it is named.
    for name in request.named_to_remove() {
        let has_prompt = table.row(&name).is_some_and(|row| !row.prompts.is_empty());
        if has_prompt && !removed.contains(&name) {
            removed.push(name);
        }
    }
    refuse_impossible(&added)?;
    refuse_in_use(&table, &removed, request)?;
    let lost = lost_resorts(&table, &now, &wanted);
    refuse_lost_console(&lost, &wanted, request)?;
    refuse_missing(host, &tree, &table.seen, &added, request)?;
    let mut work = EditWork {
        draft: SetupDraft::new(files),
        kernel: &kernel,
        line: &line,
        speed: request.speed,
        acts: ConsoleActs::default(),
        notes: Vec::new(),
    };
    let double: Vec<String> = wanted.iter().filter(|name| twice(name)).cloned().collect();
    let respeeded = request.respeeded(&now, &kernel)?;
    edit(
        init,
        &mut work,
        &EditWish {
            added: &added,
            removed: &removed,
            double: &double,
            wanted: &wanted,
            respeeded: &respeeded,
        },
    )?;
    for terminal in &wanted {
        securetty::admit_root(&mut work, init, terminal);
    }
    if let Some(count) = request.on_demand {
        on_demand(init, &mut work, count)?;
    }
    let after = after_edit(host, &work.draft);
    check_reached(&after, &table, &wanted, &removed)?;
    if let Some(doubt) = &table.init_doubt {
        let found = init.words();
        work.notes
            .push(format!("the init system is {found}, {doubt}"));
    }
    tell(&mut work, &table, &after, &wanted, request);
    securetty::tell_left(&mut work, init, &removed);
    for LostResort { terminal, why } in &lost {
        work.notes
            .push(format!("{terminal} loses its login prompt, and {why}"));
    }
    let prompts = wanted
        .iter()
        .filter_map(|name| after.row(name))
        .flat_map(|row| &row.prompts);
    let programs = prompts
        .filter(|prompt| prompt.start != PromptStart::Demand)
        .filter_map(|prompt| {
            let program = program_of(&prompt.program)?.to_owned();
            Some((prompt.terminal.clone(), program))
        })
        .collect();
    let edits = work.draft.edits();
    if edits.is_empty() {
        work.acts = ConsoleActs::default();
    }
    Ok(ConsolePlan {
        init,
        wanted,
        added,
        removed,
        edits,
        acts: work.acts,
        notes: work.notes,
        programs,
    })
}

/// What is wanted of an init system.
pub(crate) struct EditWish<'a> {
    /// Terminals that get a prompt.
    pub(crate) added: &'a [String],
    /// Terminals that lose theirs.
    pub(crate) removed: &'a [String],
    /// Terminals that have two and keep one.
    pub(crate) double: &'a [String],
    /// All that have one afterwards.
    pub(crate) wanted: &'a [String],
    /// Those that have one already, and get another speed.
    pub(crate) respeeded: &'a [String],
}

fn edit(
    init: InitSystem,
    work: &mut EditWork<'_>,
    wish: &EditWish<'_>,
) -> Result<(), ConsoleError> {
    match init {
        InitSystem::Sysvinit => inittab::edit(work, wish, inittab::InittabKind::System),
        InitSystem::Busybox => inittab::edit(work, wish, inittab::InittabKind::Busybox),
        InitSystem::Upstart => upstart::edit(work, wish, "/etc/init", ".conf"),
        InitSystem::UpstartEvents => upstart::edit(work, wish, "/etc/event.d", ""),
        InitSystem::UpstartSysconfig => sysconfig::edit(work, wish),
        InitSystem::Systemd => systemd::edit(work, wish),
        InitSystem::OpenrcInit => {
            openrc::edit(work, wish);
            Ok(())
        }
        InitSystem::Runit => {
            runit::edit(work, wish);
            Ok(())
        }
    }
}

fn after_edit(host: &Host, draft: &SetupDraft) -> ConsoleTable {
    let mut after = Host {
        running: host.running,
        processes: host.processes.clone(),
        ..Host::default()
    };
    after.consoles = host.consoles.clone();
    after.consoles.files = Some(draft.files().to_vec());
    ConsoleTable::of(&after)
}

/// Reads the draft back: exactly the wanted terminals get a prompt, each one.
fn check_reached(
    after: &ConsoleTable,
    before: &ConsoleTable,
    wanted: &[String],
    removed: &[String],
) -> Result<(), ConsoleError> {
    let held = |terminal: &str| {
        let idle = after
            .row(terminal)
            .map(|row| row.idle.as_slice())
            .unwrap_or_default();
        idle.iter().any(|entry| entry.is_held)
    };
    let started: Vec<&str> = after.started();
    let reached = wanted
        .iter()
        .all(|name| started.contains(&name.as_str()) || held(name))
        && started
            .iter()
            .all(|name| wanted.iter().any(|wanted| wanted == name))
        && removed
            .iter()
            .all(|name| after.row(name).is_none_or(|row| row.prompts.is_empty()));
    if reached {
        return Ok(());
    }
    let idle: Vec<&IdleEntry> = wanted
        .iter()
        .filter(|name| !started.contains(&name.as_str()))
        .filter_map(|name| after.row(name))
        .flat_map(|row| &row.idle)
        .collect();
    let whys: Vec<&str> = idle.iter().map(|entry| entry.why.as_str()).collect();
    let file = before
        .terminals
        .iter()
        .flat_map(|row| &row.prompts)
        .map(|prompt| prompt.place.path.clone())
        .next();
    let list = |names: Vec<&str>| {
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    Err(ConsoleError::NotReached {
        why: if whys.is_empty() {
            String::new()
        } else {
            format!(" ({})", whys.join("; "))
        },
        would: list(started),
        wanted: list(wanted.iter().map(String::as_str).collect()),
        file: match (idle.first(), file) {
            // The reason names its own file.
            (Some(_), _) | (None, None) => "the init system's files".to_owned(),
            (None, Some(file)) => file,
        },
    })
}

fn on_demand(init: InitSystem, work: &mut EditWork<'_>, count: u32) -> Result<(), ConsoleError> {
    if init != InitSystem::Systemd {
        return Err(ConsoleError::InTheWay {
            what: "only systemd starts login prompts on demand; leave --on-demand out".to_owned(),
        });
    }
    let read = logind::read(&work.draft.tree());
    let reserved = if count < read.reserved {
        0
    } else {
        read.reserved
    };
    if (read.count, read.reserved) != (count, reserved) {
        let path = "/etc/systemd/logind.conf.d/50-surefoot.conf";
        let text = format!("[Login]\nNAutoVTs={count}\nReserveVT={reserved}\n");
        work.draft.write(path, text);
        work.notes
            .push("logind reads its settings at the next boot".to_owned());
    }
    Ok(())
}

/// What to know about the result.
fn tell(
    work: &mut EditWork<'_>,
    before: &ConsoleTable,
    after: &ConsoleTable,
    wanted: &[String],
    request: &ConsoleRequest,
) {
    let demand: Vec<&str> = after
        .terminals
        .iter()
        .filter(|row| {
            row.prompts
                .iter()
                .any(|prompt| prompt.start == PromptStart::Demand)
        })
        .map(|row| row.terminal.as_str())
        .collect();
    if let (Some(first), Some(last), ConsoleWish::Set(_) | ConsoleWish::Count(_)) =
        (demand.first(), demand.last(), &request.wish)
    {
        let which = if first == last {
            format!("{first} still gets")
        } else {
            format!("{first} to {last} still get")
        };
        work.notes.push(format!(
            "{which} a prompt when you switch there (logind); --on-demand 0 ends that"
        ));
    }
    for terminal in wanted {
        let Some(row) = after.row(terminal) else {
            continue;
        };
        match &row.root {
            RootLogin::Refused(why) => work
                .notes
                .push(format!("{terminal}: root is refused: {why}")),
            RootLogin::Unknown(why) => work.notes.push(format!(
                "{terminal}: whether root may log in is unknown: {why}"
            )),
            RootLogin::Allowed(_) => {}
        }
        let boots = |prompt: &&LoginPrompt| prompt.start != PromptStart::Demand;
        let mut prompts = row.prompts.iter().filter(boots);
        if let Some(first) = prompts.next()
            && first.start == PromptStart::Unsure
            && prompts.all(|prompt| prompt.start == PromptStart::Unsure)
        {
            work.notes.push(format!(
                "{terminal}: whether it gets a prompt is unknown: {}",
                first.remark.as_deref().unwrap_or("its files do not say")
            ));
        }
        if let TerminalPresence::Unknown(why) = &row.exists
            && (after.seen.is_container || why_port_off(&work.draft.tree(), terminal).is_some())
            && terminal != "console"
        {
            work.notes.push(format!(
                "{terminal} may not exist: {why}; init starts its prompt again for ever if it does not"
            ));
        }
    }
    let SeenConsole {
        place, terminal, ..
    } = &before.seen;
    if let (Some(place), Some(seen)) = (place, terminal)
        && !wanted.contains(seen)
        && !(is_virtual(seen) && wanted.iter().any(|name| is_virtual(name)))
    {
        work.notes
            .push(format!("{seen}, which {place} shows, has no login prompt"));
    }
}
