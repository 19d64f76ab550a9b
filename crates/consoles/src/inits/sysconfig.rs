//! upstart as Fedora 13 and RHEL 6 have it: the job `start-ttys` sources `/etc/sysconfig/init` and starts
//! a getty on every terminal that `ACTIVE_CONSOLES` names, a list of words with patterns of the shell;
//! `serial` starts one on the line that is `/dev/console`. Of `/etc/inittab` only the runlevel counts.

use super::inittab::inittab_lines;
use super::upstart;
use crate::kernel_console::KernelConsoles;
use crate::prompt::{IdleEntry, LoginPrompt, PromptStart, SetupReading};
use crate::setup_tree::{SetupPlace, SetupTree, numbered};
use crate::terminal_name::{glob_matches, is_virtual, terminal_in, terminal_of};

/// The settings.
pub(crate) const SETTINGS: &str = "/etc/sysconfig/init";
/// The job that reads them.
pub(crate) const START_TTYS: &str = "/etc/init/start-ttys.conf";
/// The job for the console on a serial line.
pub(crate) const SERIAL: &str = "/etc/init/serial.conf";

/// Reads the login prompts.
pub(crate) fn read(tree: &SetupTree<'_>, kernel: &KernelConsoles) -> SetupReading {
    let mut reading = upstart::read(tree);
    let level = upstart::default_level(tree);
    let (place, value) = active_consoles(tree);
    for word in value.split_whitespace() {
        for terminal in terminals_of(word) {
            if level == '5' && terminal == x_terminal(tree) {
                reading.idle.push(IdleEntry {
                    terminal,
                    place: place.clone(),
                    why: "the graphical login has it in runlevel 5".to_owned(),
                    is_held: true,
                });
                continue;
            }
            let serial = !is_virtual(&terminal);
            reading.prompts.push(LoginPrompt {
                terminal,
                by: "job start-ttys".to_owned(),
                place: place.clone(),
                program: tty_command(tree),
                start: PromptStart::Boot,
                remark: serial
                    .then(|| "mingetty is for virtual terminals and sets no speed".to_owned()),
            });
        }
    }
    serial(tree, kernel, &mut reading);
    for line in inittab_lines(tree.text("/etc/inittab").unwrap_or_default()) {
        if let (false, Some(terminal)) = (line.is_comment, terminal_in(line.command)) {
            let why = "upstart reads nothing but the runlevel from this file";
            reading.idle(terminal, SetupPlace::line("/etc/inittab", line.number), why);
        }
    }
    reading
}

/// The value of `ACTIVE_CONSOLES`, and where it is set: the settings count more than the job.
pub(crate) fn active_consoles(tree: &SetupTree<'_>) -> (SetupPlace, String) {
    for (path, prefix) in [(SETTINGS, ""), (START_TTYS, "env ")] {
        let text = tree.text(path).unwrap_or_default();
        let key = format!("{prefix}ACTIVE_CONSOLES=");
        let found = numbered(text)
            .filter_map(|(number, line)| Some((number, line.trim().strip_prefix(key.as_str())?)))
            .last();
        if let Some((number, value)) = found {
            return (SetupPlace::line(path, number), shell_value(value));
        }
    }
    (SetupPlace::file(START_TTYS), String::new())
}

/// The value of an assignment of the shell, without quotes and comment.
fn shell_value(text: &str) -> String {
    let text = text.trim();
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => text.split(quote).nth(1).unwrap_or_default().to_owned(),
        _ => text
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned(),
    }
}

/// The terminals of a word: a name as it is, a pattern as far as it names virtual terminals and the
/// usual ports.
fn terminals_of(word: &str) -> Vec<String> {
    if !word.contains(['*', '?', '[']) {
        return terminal_of(word)
            .map(ToOwned::to_owned)
            .into_iter()
            .collect();
    }
    let candidates = (1..64)
        .map(|at| format!("tty{at}"))
        .chain((0..4).map(|at| format!("ttyS{at}")))
        .chain((0..8).map(|at| format!("hvc{at}")));
    candidates
        .filter(|name| glob_matches(word, &format!("/dev/{name}")))
        .collect()
}

fn x_terminal(tree: &SetupTree<'_>) -> String {
    let set = |path: &str, key: &str| {
        let text = tree.text(path)?;
        let value = text
            .lines()
            .rev()
            .find_map(|line| line.trim().strip_prefix(key))?;
        terminal_of(value.trim())
    };
    let name = set(SETTINGS, "X_TTY=").or_else(|| set(START_TTYS, "env X_TTY="));
    name.unwrap_or("tty1").to_owned()
}

fn tty_command(tree: &SetupTree<'_>) -> String {
    let text = tree.text("/etc/init/tty.conf").unwrap_or_default();
    let exec = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("exec "));
    exec.unwrap_or_default().trim().to_owned()
}

/// Whether `serial` gives the console a prompt: if `/dev/console` is a serial line.
fn serial(tree: &SetupTree<'_>, kernel: &KernelConsoles, reading: &mut SetupReading) {
    let starts = tree
        .text(SERIAL)
        .is_some_and(|text| text.lines().any(|line| line.trim().starts_with("start on")));
    let Some(main) = kernel.main.as_deref().filter(|_| starts) else {
        return;
    };
    if is_virtual(main) || reading.prompts.iter().any(|prompt| prompt.terminal == main) {
        return;
    }
    reading.prompts.push(LoginPrompt {
        terminal: main.to_owned(),
        by: "job serial".to_owned(),
        place: SetupPlace::file(SERIAL),
        program: "/sbin/agetty".to_owned(),
        start: PromptStart::Generated,
        remark: Some("it also adds the terminal to /etc/securetty".to_owned()),
    });
}
