//! systemd: links in `getty.target.wants`, what the getty generator makes of the kernel's consoles at
//! boot, and what logind starts when you switch to a virtual terminal. A mask beats all of them.

use super::logind;
use super::unit_files::{UnitConditions, conditions_of, exec_of, own_file};
use crate::kernel_console::{KernelConsoles, command_words};
use crate::prompt::{LoginPrompt, PromptStart, SetupReading, is_prompt_program};
use crate::setup_tree::{SetupPlace, SetupTree, has_ending};
use crate::terminal_name::{is_virtual, terminal_in, virtual_number};

/// Folders of units, the strongest first.
pub(crate) const UNIT_FOLDERS: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The folder that an administrator's units are in.
pub(crate) const OWN: &str = UNIT_FOLDERS[0];

/// What the generator made at this boot.
const GENERATED: &str = "/run/systemd/generator/getty.target.wants";

/// Reads the login prompts.
pub(crate) fn read(tree: &SetupTree<'_>, kernel: &KernelConsoles, line: &str) -> SetupReading {
    let mut reading = SetupReading::default();
    let off = why_no_prompts(tree, line);
    wanted(tree, line, off.as_deref(), &mut reading);
    generated(tree, kernel, line, &mut reading);
    if why_no_services(tree, line).is_none() {
        on_demand(tree, &mut reading);
    }
    if tree
        .text("/etc/default/console-setup")
        .is_some_and(|text| text.contains("ACTIVE_CONSOLES"))
    {
        reading.remark(
            SetupPlace::file("/etc/default/console-setup"),
            "ACTIVE_CONSOLES is about fonts and keyboards here, not about login prompts",
        );
    }
    reading
}

/// The terminal of a unit's name: `getty@tty1.service`, `serial-getty@ttyS0.service`.
pub(crate) fn terminal_of_unit(unit: &str) -> Option<String> {
    let name = unit.strip_suffix(".service")?;
    if name == "console-getty" {
        return Some("console".to_owned());
    }
    let (kind, instance) = name.split_once('@')?;
    let known = kind == "getty" || kind == "autovt" || kind.ends_with("-getty");
    if !known || instance.is_empty() {
        return None;
    }
    // A dash in a unit's name is a slash in the terminal's.
    let instance = instance.replace('-', "/");
    Some(match kind {
        "container-getty" => format!("pts/{instance}"),
        _ => instance,
    })
}

/// The unit that gives a terminal its prompt.
pub(crate) fn unit_of(terminal: &str) -> String {
    let instance = terminal.replace('/', "-");
    if terminal == "console" {
        "console-getty.service".to_owned()
    } else if is_virtual(terminal) {
        format!("getty@{instance}.service")
    } else if let Some(number) = terminal.strip_prefix("pts/") {
        format!("container-getty@{number}.service")
    } else {
        format!("serial-getty@{instance}.service")
    }
}

/// Where a unit is masked: a link to `/dev/null`, or an empty file, in a folder above the unit's own; the
/// template's mask counts for its instances.
pub(crate) fn mask_of(tree: &SetupTree<'_>, unit: &str) -> Option<String> {
    let mut names = vec![unit.to_owned()];
    if let Some((kind, _)) = unit.split_once('@') {
        names.push(format!("{kind}@.service"));
    }
    for name in names {
        for folder in UNIT_FOLDERS {
            let path = format!("{folder}/{name}");
            if !tree.exists(&path) {
                continue;
            }
            let is_masked =
                tree.link(&path) == Some("/dev/null") || tree.own_text(&path) == Some("");
            if is_masked {
                return Some(path);
            }
            // A unit in a stronger folder hides the mask behind it.
            break;
        }
    }
    None
}

/// Targets that start no login prompt, whatever wants one.
const WITHOUT_PROMPTS: &[&str] = &[
    "rescue.target",
    "emergency.target",
    "runlevel1.target",
    "halt.target",
    "poweroff.target",
    "reboot.target",
];

/// Why a boot starts no login prompt that is set up; nothing if it does.
pub(crate) fn why_no_prompts(tree: &SetupTree<'_>, line: &str) -> Option<String> {
    let mask = mask_of(tree, "getty.target");
    mask.map(|mask| format!("{mask} masks getty.target"))
        .or_else(|| why_no_services(tree, line))
}

/// Why a boot starts few services, and none that asks for a name; nothing if it is an ordinary one.
fn why_no_services(tree: &SetupTree<'_>, line: &str) -> Option<String> {
    let words = command_words(line);
    let of_line = words.iter().rev().find_map(|word| match word.as_str() {
        "single" | "s" | "S" | "1" | "rescue" => Some("rescue.target"),
        "emergency" | "-b" => Some("emergency.target"),
        "2" | "3" | "4" | "5" => Some("multi-user.target"),
        other => other.strip_prefix("systemd.unit="),
    });
    if let Some(target) = of_line {
        return WITHOUT_PROMPTS
            .contains(&target)
            .then(|| format!("the kernel's command line boots into {target}"));
    }
    let mut folders = UNIT_FOLDERS
        .iter()
        .map(|folder| format!("{folder}/default.target"));
    let path = folders.find(|path| tree.exists(path))?;
    let target = tree.link(&path)?.rsplit('/').next()?;
    WITHOUT_PROMPTS
        .contains(&target)
        .then(|| format!("{path} boots into {target}"))
}

/// The folders of links that an ordinary boot follows and that [`why_no_prompts`] is about.
const ORDINARY_WANTS: &[&str] = &["getty.target", "multi-user.target", "graphical.target"];

/// Prompts that a target wants by a link.
fn wanted(tree: &SetupTree<'_>, line: &str, off: Option<&str>, reading: &mut SetupReading) {
    for folder in UNIT_FOLDERS {
        for wants in tree.names(folder) {
            if !has_ending(wants, "wants") && !has_ending(wants, "requires") {
                continue;
            }
            for unit in tree.names(&format!("{folder}/{wants}")) {
                let path = format!("{folder}/{wants}/{unit}");
                let place = SetupPlace::file(path);
                let exec = exec_of(tree, unit);
                let named = terminal_of_unit(unit);
                let terminal = match &exec {
                    // A unit of one's own says in its command where it asks.
                    Some((_, command)) if named.is_none() && is_prompt_program(command) => {
                        terminal_in(command).map(ToOwned::to_owned)
                    }
                    _ => named,
                };
                let Some(terminal) = terminal else { continue };
                let target = wants.rsplit_once('.').map_or(wants, |(target, _)| target);
                match off.filter(|_| ORDINARY_WANTS.contains(&target)) {
                    Some(why) => reading.idle(terminal, place, why),
                    None => add(
                        tree,
                        unit,
                        &terminal,
                        line,
                        (place, PromptStart::Boot),
                        reading,
                    ),
                }
            }
        }
    }
}

fn add(
    tree: &SetupTree<'_>,
    unit: &str,
    terminal: &str,
    line: &str,
    (place, start): (SetupPlace, PromptStart),
    reading: &mut SetupReading,
) {
    let is_there = |prompt: &LoginPrompt| prompt.terminal == terminal && prompt.by == unit;
    if reading.prompts.iter().any(is_there) {
        return;
    }
    if let Some(mask) = mask_of(tree, unit) {
        let why = format!("{mask} masks {unit}");
        if !reading
            .idle
            .iter()
            .any(|entry| entry.terminal == terminal && entry.why == why)
        {
            reading.idle(terminal, place, why);
        }
        return;
    }
    let exec = exec_of(tree, unit).map(|(_, command)| command);
    if let Some(own) = own_file(tree, unit).filter(|_| exec.is_none()) {
        reading.idle(
            terminal,
            place,
            format!("{own} has no ExecStart= in [Service]"),
        );
        return;
    }
    let doubt = match conditions_of(tree, unit, terminal, line) {
        UnitConditions::Hold => None,
        UnitConditions::Unknown(told) => Some(format!("starts only if {told} holds")),
        UnitConditions::Fail(told) => {
            reading.idle(
                terminal,
                place,
                format!("{unit} is skipped, as {told} does not hold"),
            );
            return;
        }
    };
    let autologin = exec.as_deref().and_then(|command| {
        let mut words = command.split_whitespace();
        words.find(|word| ["--autologin", "-a"].contains(word))?;
        words.next()
    });
    let no_prompt = exec
        .as_deref()
        .is_some_and(|command| !is_prompt_program(command));
    let remark = match autologin {
        Some(user) => Some(format!("logs {user} in without a password")),
        None if no_prompt => Some("whether this program asks for a name is unknown".to_owned()),
        None => doubt.clone(),
    };
    reading.prompts.push(LoginPrompt {
        terminal: terminal.to_owned(),
        by: unit.to_owned(),
        place,
        program: exec.unwrap_or_default(),
        start: if no_prompt || doubt.is_some() {
            PromptStart::Unsure
        } else {
            start
        },
        remark,
    });
}

/// What systemd-getty-generator makes for every active console that is no virtual terminal.
fn generated(
    tree: &SetupTree<'_>,
    kernel: &KernelConsoles,
    line: &str,
    reading: &mut SetupReading,
) {
    for unit in tree.names(GENERATED) {
        if let Some(terminal) = terminal_of_unit(unit) {
            let place = SetupPlace::file(format!("{GENERATED}/{unit}"));
            let start = (place, PromptStart::Generated);
            add(tree, unit, &terminal, line, start, reading);
        }
    }
    let place = kernel.place.clone().unwrap_or_default();
    let off = why_no_generator(tree, line);
    let named = kernel.active.iter().chain(&kernel.nodes);
    for terminal in named.filter(|name| !is_virtual(name)) {
        let unit = unit_of(terminal);
        let is_there = |prompt: &LoginPrompt| prompt.terminal == *terminal;
        if reading.prompts.iter().any(is_there) || terminal == "console" {
            continue;
        }
        if let Some(why) = &off {
            reading.idle(terminal, place.clone(), why.clone());
        } else {
            let start = (place.clone(), PromptStart::Generated);
            add(tree, &unit, terminal, line, start, reading);
        }
    }
}

/// Why the generator makes nothing, or nothing that is started; none if it works.
pub(crate) fn why_no_generator(tree: &SetupTree<'_>, line: &str) -> Option<String> {
    if let Some(why) = why_no_prompts(tree, line) {
        return Some(why);
    }
    let is_off = |word: &String| {
        word.strip_prefix("systemd.getty_auto=")
            .is_some_and(|value| ["0", "no", "false", "off", "n", "f"].contains(&value))
    };
    if command_words(line).iter().any(is_off) {
        return Some("systemd.getty_auto=0 switches the generator off".to_owned());
    }
    let folders = ["/run", "/etc", "/usr/local/lib"];
    folders.iter().find_map(|top| {
        let path = format!("{top}/systemd/system-generators/systemd-getty-generator");
        let masked = tree.link(&path) == Some("/dev/null") || tree.own_text(&path) == Some("");
        masked.then(|| format!("{path} masks the generator"))
    })
}

/// Virtual terminals that logind starts a prompt on when you switch to them.
fn on_demand(tree: &SetupTree<'_>, reading: &mut SetupReading) {
    if mask_of(tree, "systemd-logind.service").is_some() {
        return;
    }
    let auto = logind::read(tree);
    for number in auto.numbers() {
        let terminal = format!("tty{number}");
        if reading
            .prompts
            .iter()
            .any(|prompt| prompt.terminal == terminal)
        {
            continue;
        }
        if let Some(mask) = mask_of(tree, &format!("autovt@{terminal}.service")) {
            reading.idle.retain(|entry| entry.terminal != terminal);
            let why = format!("{mask} masks autovt@{terminal}.service");
            reading.idle(terminal, SetupPlace::file(mask), why);
            continue;
        }
        let mask = mask_of(tree, &format!("getty@{terminal}.service"));
        reading.prompts.push(LoginPrompt {
            by: "systemd-logind".to_owned(),
            place: auto.place.clone(),
            program: String::new(),
            start: if mask.is_some() {
                PromptStart::Unsure
            } else {
                PromptStart::Demand
            },
            remark: mask
                .map(|mask| format!("{mask} does not reliably stop autovt@{terminal}.service")),
            terminal,
        });
    }
}

/// The number of a virtual terminal that logind may give a prompt.
pub(crate) fn is_automatic(tree: &SetupTree<'_>, terminal: &str) -> bool {
    virtual_number(terminal).is_some_and(|number| logind::read(tree).numbers().contains(&number))
}
