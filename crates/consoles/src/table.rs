//! The table of a machine's terminals: which have a login prompt, what starts it, whether it runs, who may
//! log in, and which of them is the kernel's console.

use std::collections::BTreeMap;

use serde::Serialize;
use surefoot_host::Host;

use crate::boot_line::boot_line;
use crate::init_system::InitSystem;
use crate::kernel_console::KernelConsoles;
use crate::platform::{PromptNeed, SeenConsole, container_kind, prompt_need, seen_console};
use crate::prompt::{IdleEntry, LoginPrompt, PromptStart, SetupReading, SetupRemark};
use crate::raspberry::{resolve_serial0, why_port_off};
use crate::root_login::{RootLogin, root_login};
use crate::running::{RunningPrompt, running_prompts};
use crate::setup_tree::{SetupPlace, SetupTree};
use crate::terminal_name::{is_virtual, terminal_order};

/// Whether a terminal exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "answer", content = "why")]
pub enum TerminalPresence {
    /// It does.
    Yes,
    /// It does not.
    No(String),
    /// Unknown.
    Unknown(String),
}

impl TerminalPresence {
    /// The answer in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No(_) => "no",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// What the kernel does with a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KernelUse {
    /// `/dev/console` leads to it.
    Main,
    /// It gets the kernel's messages.
    Messages,
    /// It gets them while it is in front.
    Front,
    /// Nothing.
    None,
    /// Unknown.
    Unknown,
}

impl KernelUse {
    /// The answer in a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Main => "console",
            Self::Messages => "messages",
            Self::Front => "in front",
            Self::None => "-",
            Self::Unknown => "unknown",
        }
    }
}

/// A terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TerminalRow {
    /// Its name, without `/dev/`.
    pub terminal: String,
    /// Whether it exists.
    pub exists: TerminalPresence,
    /// The login prompts that are set up on it.
    pub prompts: Vec<LoginPrompt>,
    /// Entries that look like a prompt on it and start none.
    pub idle: Vec<IdleEntry>,
    /// Whether a prompt runs on it.
    pub running: RunningPrompt,
    /// Whether root may log in.
    pub root: RootLogin,
    /// What the kernel does with it.
    pub kernel: KernelUse,
    /// Whether a prompt is needed on it, here.
    pub needed: PromptNeed,
}

impl TerminalRow {
    /// Whether it gets a prompt at boot, as far as is known.
    pub fn starts_at_boot(&self) -> bool {
        self.prompts
            .iter()
            .any(|prompt| prompt.start != PromptStart::Demand)
    }
}

/// All terminals that matter on a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsoleTable {
    /// The init system; none if unknown.
    pub init: Option<InitSystem>,
    /// Why the init system, or what it starts, is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_unknown: Option<String>,
    /// What makes the init system doubtful.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_doubt: Option<String>,
    /// The kernel's consoles.
    pub kernel: KernelConsoles,
    /// Where the machine runs.
    pub seen: SeenConsole,
    /// The terminals.
    pub terminals: Vec<TerminalRow>,
    /// What else to know about the files.
    pub remarks: Vec<SetupRemark>,
}

impl ConsoleTable {
    /// Makes the table of a machine, of a directory tree or of a capture.
    pub fn of(host: &Host) -> Self {
        let files = host.consoles.files.as_deref().unwrap_or_default();
        let tree = SetupTree::new(files);
        let (kernel, line) = kernel_of(host, &tree);
        let FoundSetup {
            init,
            unknown: init_unknown,
            doubt: init_doubt,
            reading,
        } = read_setup(host, &tree, &kernel, &line);
        let seen = seen_console(
            host.consoles.platform.as_ref(),
            host.consoles.devices.as_ref(),
            &tree,
            &kernel,
        );
        let running = running_prompts(host);
        let mut names: Vec<String> = reading
            .prompts
            .iter()
            .map(|prompt| prompt.terminal.clone())
            .chain(reading.idle.iter().map(|entry| entry.terminal.clone()))
            .chain(kernel.active.iter().filter(|name| *name != "tty0").cloned())
            .chain(
                kernel
                    .words
                    .iter()
                    .filter(|word| word.name != "tty0")
                    .map(|word| word.name.clone()),
            )
            .chain(seen.terminal.clone())
            .chain(
                running
                    .iter()
                    .filter(|(_, what)| matches!(what, RunningPrompt::Yes(_)))
                    .map(|(name, _)| name.clone()),
            )
            .collect();
        names.sort_by(|a, b| terminal_order(a).cmp(&terminal_order(b)));
        names.dedup();
        let terminals = names
            .into_iter()
            .map(|terminal| {
                let prompts: Vec<LoginPrompt> =
                    of_terminal(&reading.prompts, |prompt| prompt.terminal == terminal);
                let by_job_serial = prompts.iter().any(|prompt| prompt.by == "job serial");
                TerminalRow {
                    exists: presence(host, &tree, &seen, &terminal),
                    idle: of_terminal(&reading.idle, |entry| entry.terminal == terminal),
                    running: running_on(host, &running, &kernel, &terminal),
                    root: if host.consoles.files.is_some() {
                        root_login(&tree, init, &kernel, &terminal, by_job_serial)
                    } else {
                        RootLogin::Unknown("the files were not read".to_owned())
                    },
                    kernel: kernel_use(&kernel, &terminal),
                    needed: prompt_need(&seen, &kernel, !host.running, &terminal),
                    prompts,
                    terminal,
                }
            })
            .collect();
        Self {
            init,
            init_unknown,
            init_doubt,
            kernel,
            seen,
            terminals,
            remarks: reading.remarks,
        }
    }

    /// The row of a terminal.
    pub fn row(&self, terminal: &str) -> Option<&TerminalRow> {
        self.terminals.iter().find(|row| row.terminal == terminal)
    }

    /// The terminals that get a prompt at boot, without what is unsure.
    pub fn started(&self) -> Vec<&str> {
        let rows = self.terminals.iter().filter(|row| row.starts_at_boot());
        rows.map(|row| row.terminal.as_str()).collect()
    }
}

fn of_terminal<T: Clone>(all: &[T], is_it: impl Fn(&T) -> bool) -> Vec<T> {
    all.iter().filter(|one| is_it(one)).cloned().collect()
}

/// The kernel's consoles and its command line: of the running kernel, else of the next boot.
pub(crate) fn kernel_of(host: &Host, tree: &SetupTree<'_>) -> (KernelConsoles, String) {
    let given = host.consoles.command_line.as_ref();
    if container_kind(host.consoles.platform.as_ref(), tree).is_some() {
        let text = given.map(|line| line.text.clone()).unwrap_or_default();
        return (KernelConsoles::of_container(), text);
    }
    if let Some(active) = host.consoles.active.as_deref().filter(|_| host.running) {
        let line = given.map(|line| (line.text.as_str(), SetupPlace::file(&line.path)));
        let text = given.map(|line| line.text.clone()).unwrap_or_default();
        let mut kernel = KernelConsoles::of_running(active, line);
        let devices = host.consoles.devices.iter().flatten();
        kernel.nodes = devices
            .filter(|(name, device)| device.has_node && GENERATED_FOR.contains(&name.as_str()))
            .map(|(name, _)| name.clone())
            .collect();
        return (kernel, text);
    }
    let found = boot_line(tree);
    let (text, place, doubt) = match (found, given) {
        (Some(line), _) if !host.running => (line.text, line.place, line.doubt),
        (_, Some(line)) => (line.text.clone(), SetupPlace::file(&line.path), None),
        (Some(line), None) => (line.text, line.place, line.doubt),
        (None, None) => {
            let doubt =
                "no boot loader's settings with a kernel command line were found".to_owned();
            let kernel = KernelConsoles {
                doubt: Some(doubt),
                ..KernelConsoles::default()
            };
            return (kernel, String::new());
        }
    };
    let mut kernel = KernelConsoles::of_line(&text, place);
    kernel.doubt = doubt.or(kernel.doubt);
    resolve_serial0(&mut kernel, tree, host.consoles.platform.as_ref());
    (kernel, text)
}

/// Consoles for which systemd makes a prompt wherever their node is.
const GENERATED_FOR: &[&str] = &["hvc0", "xvc0", "hvsi0", "sclp_line0", "ttysclp0"];

/// An init system, why it or its doings are unknown, and what it starts.
#[derive(Default)]
struct FoundSetup {
    init: Option<InitSystem>,
    unknown: Option<String>,
    doubt: Option<String>,
    reading: SetupReading,
}

impl FoundSetup {
    fn unknown(init: Option<InitSystem>, why: String) -> Self {
        Self {
            init,
            unknown: Some(why),
            ..Self::default()
        }
    }
}

/// What is set up, by files, or for old captures by the facts that were taken then.
fn read_setup(
    host: &Host,
    tree: &SetupTree<'_>,
    kernel: &KernelConsoles,
    line: &str,
) -> FoundSetup {
    if host.consoles.files.is_none() {
        return read_old_capture(host, kernel, line);
    }
    let (init, doubt) = match InitSystem::of(tree, line) {
        Ok(found) => found,
        Err(why) => return FoundSetup::unknown(None, why),
    };
    if let Some(why) = init.why_unread(tree) {
        return FoundSetup::unknown(Some(init), why);
    }
    let first = host.process(1).filter(|_| host.running);
    if let Some(first) = first
        && !init.process_names().contains(&first.name.as_str())
    {
        let why = format!(
            "process 1 is `{}`, and the files are those of {}",
            first.name,
            init.words()
        );
        return FoundSetup::unknown(None, why);
    }
    FoundSetup {
        init: Some(init),
        // Process 1 is the better witness.
        doubt: doubt.filter(|_| first.is_none()),
        reading: init.read(tree, kernel, line),
        unknown: None,
    }
}

fn read_old_capture(host: &Host, kernel: &KernelConsoles, line: &str) -> FoundSetup {
    let Some(gettys) = &host.consoles.gettys else {
        let why = "the files that set login prompts up were not read".to_owned();
        return FoundSetup::unknown(None, why);
    };
    let prompts = gettys.iter().map(|getty| LoginPrompt {
        terminal: getty.terminal.clone(),
        by: "its settings".to_owned(),
        place: place_of(&getty.from),
        program: String::new(),
        start: PromptStart::Boot,
        remark: None,
    });
    let mut reading = SetupReading {
        prompts: prompts.collect(),
        ..SetupReading::default()
    };
    let init = of_word(host.consoles.init.as_deref());
    if init == Some(InitSystem::Systemd) {
        generated_then(host, kernel, line, &mut reading);
    }
    FoundSetup {
        init,
        reading,
        ..FoundSetup::default()
    }
}

/// What systemd's generator made, as far as an old capture tells.
fn generated_then(host: &Host, kernel: &KernelConsoles, line: &str, reading: &mut SetupReading) {
    let masked = |name: &str| host.consoles.masked.iter().any(|masked| masked == name);
    let off = masked("systemd-getty-generator")
        || masked("serial-getty@.service")
        || line
            .split_whitespace()
            .any(|word| word == "systemd.getty_auto=0");
    for terminal in kernel.active.iter().filter(|name| !is_virtual(name)) {
        if !off && !masked(&format!("serial-getty@{terminal}.service")) {
            reading.prompts.push(LoginPrompt {
                terminal: terminal.clone(),
                by: "systemd-getty-generator".to_owned(),
                place: kernel.place.clone().unwrap_or_default(),
                program: String::new(),
                start: PromptStart::Generated,
                remark: None,
            });
        }
    }
}

fn of_word(word: Option<&str>) -> Option<InitSystem> {
    Some(match word? {
        "systemd" => InitSystem::Systemd,
        "upstart" => InitSystem::Upstart,
        "runit" => InitSystem::Runit,
        "busybox" => InitSystem::Busybox,
        _ => InitSystem::Sysvinit,
    })
}

/// A place that was written as `path:line`.
fn place_of(from: &str) -> SetupPlace {
    match from.rsplit_once(':') {
        Some((path, line)) => match line.parse() {
            Ok(line) => SetupPlace::line(path, line),
            Err(_) => SetupPlace::file(from),
        },
        None => SetupPlace::file(from),
    }
}

/// Whether a terminal exists, be it in a table or not.
pub(crate) fn presence(
    host: &Host,
    tree: &SetupTree<'_>,
    seen: &SeenConsole,
    terminal: &str,
) -> TerminalPresence {
    if terminal == "console" {
        return TerminalPresence::Yes;
    }
    let Some(devices) = &host.consoles.devices else {
        return match &host.consoles.terminals {
            Some(names) if names.iter().any(|name| name == terminal) => TerminalPresence::Yes,
            Some(_) => TerminalPresence::No("the kernel has no such terminal".to_owned()),
            None if seen.is_container => {
                TerminalPresence::Unknown("a container has it only if it is given one".to_owned())
            }
            None => TerminalPresence::Unknown(
                why_port_off(tree, terminal)
                    .unwrap_or_else(|| "a directory tree has no devices".to_owned()),
            ),
        };
    };
    match devices.get(terminal) {
        None => TerminalPresence::No("the kernel has no such terminal".to_owned()),
        Some(device) if device.has_port == Some(false) => {
            TerminalPresence::No("there is no hardware behind the port".to_owned())
        }
        Some(device) if !device.has_node => {
            TerminalPresence::No(format!("/dev/{terminal} is not there"))
        }
        Some(_) => TerminalPresence::Yes,
    }
}

fn running_on(
    host: &Host,
    running: &BTreeMap<String, RunningPrompt>,
    kernel: &KernelConsoles,
    terminal: &str,
) -> RunningPrompt {
    if !host.running || host.processes.is_none() {
        let why = if host.running {
            "processes were not read"
        } else {
            "nothing runs in a directory tree"
        };
        return RunningPrompt::Unknown(why.to_owned());
    }
    let main = kernel.main.as_deref();
    let found = running.get(terminal).or_else(|| {
        // A prompt on the console is one on the terminal that it leads to.
        let other = if terminal == "console" {
            main?
        } else if main == Some(terminal) {
            "console"
        } else {
            return None;
        };
        running.get(other)
    });
    found.cloned().unwrap_or(RunningPrompt::No)
}

fn kernel_use(kernel: &KernelConsoles, terminal: &str) -> KernelUse {
    if kernel.main.as_deref() == Some(terminal) || terminal == "console" {
        KernelUse::Main
    } else if kernel.active.iter().any(|name| name == terminal) {
        KernelUse::Messages
    } else if is_virtual(terminal) && kernel.active.iter().any(|name| name == "tty0") {
        KernelUse::Front
    } else if kernel.place.is_none() || (kernel.active.is_empty() && is_virtual(terminal)) {
        KernelUse::Unknown
    } else {
        KernelUse::None
    }
}
