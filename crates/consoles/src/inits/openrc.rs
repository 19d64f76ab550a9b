//! `OpenRC` as process 1: the inittab is dead, and a service `agetty.PORT` in a runlevel starts the prompt.

use super::inittab::inittab_lines;
use crate::prompt::{LoginPrompt, PromptStart, SetupReading, is_prompt_program};
use crate::setup_tree::{SetupPlace, SetupTree};
use crate::terminal_name::{is_terminal_name, terminal_in};

/// The folder of the runlevels.
pub(crate) const RUNLEVELS: &str = "/etc/runlevels";

/// Reads the login prompts.
pub(crate) fn read(tree: &SetupTree<'_>) -> SetupReading {
    let mut reading = SetupReading::default();
    for level in tree.names(RUNLEVELS) {
        for service in tree.names(&format!("{RUNLEVELS}/{level}")) {
            let Some(terminal) = terminal_of_service(service) else {
                continue;
            };
            let place = SetupPlace::file(format!("{RUNLEVELS}/{level}/{service}"));
            if !["boot", "default", "sysinit"].contains(&level) {
                reading.idle(
                    terminal,
                    place,
                    format!("the runlevel {level} is not entered at boot"),
                );
            } else if !tree.exists(&format!("/etc/init.d/{service}")) {
                reading.idle(
                    terminal,
                    place,
                    format!("/etc/init.d/{service} is not there"),
                );
            } else {
                reading.prompts.push(LoginPrompt {
                    terminal: terminal.to_owned(),
                    by: format!("service {service}"),
                    place,
                    program: String::new(),
                    start: PromptStart::Boot,
                    remark: None,
                });
            }
        }
    }
    for service in tree.names("/etc/init.d") {
        let Some(terminal) = terminal_of_service(service) else {
            continue;
        };
        let told = |entry: &str| entry == terminal;
        if !reading.prompts.iter().any(|prompt| told(&prompt.terminal))
            && !reading.idle.iter().any(|entry| told(&entry.terminal))
        {
            let place = SetupPlace::file(format!("/etc/init.d/{service}"));
            reading.idle(terminal, place, "the service is in no runlevel");
        }
    }
    for line in inittab_lines(tree.text("/etc/inittab").unwrap_or_default()) {
        if let (false, true, Some(terminal)) = (
            line.is_comment,
            is_prompt_program(line.command),
            terminal_in(line.command),
        ) {
            let why = "openrc-init does not read this file";
            reading.idle(terminal, SetupPlace::line("/etc/inittab", line.number), why);
        }
    }
    reading
}

/// The terminal of `agetty.tty1`.
pub(crate) fn terminal_of_service(service: &str) -> Option<&str> {
    let (name, port) = service.split_once('.')?;
    (name.ends_with("getty") && is_terminal_name(port)).then_some(port)
}
