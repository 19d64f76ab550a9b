//! Which login prompts run now, and which terminals are in use, by the facts about processes.

use std::collections::BTreeMap;

use serde::Serialize;
use surefoot_host::{Host, Process};

use crate::inits::systemd::terminal_of_unit;
use crate::prompt::is_prompt_program;
use crate::terminal_name::terminal_in;

/// What runs on a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "answer", content = "what")]
pub enum RunningPrompt {
    /// A getty waits there: its process.
    Yes(u32),
    /// Somebody is logged in, so the prompt comes back after that.
    InUse(String),
    /// Nothing.
    No,
    /// Unknown, and why.
    Unknown(String),
}

impl RunningPrompt {
    /// The answer in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Yes(_) => "yes",
            Self::InUse(_) => "in use",
            Self::No => "no",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// Finds what runs on every terminal that has something.
pub(crate) fn running_prompts(host: &Host) -> BTreeMap<String, RunningPrompt> {
    let mut found = BTreeMap::new();
    let processes = host.processes.as_deref().unwrap_or_default();
    let by_number: BTreeMap<u32, &str> = host
        .consoles
        .devices
        .iter()
        .flatten()
        .map(|(name, device)| (device.number, name.as_str()))
        .collect();
    // The terminals of a container's processes are not this machine's, whatever they are called.
    let is_ours = |process: &&Process| {
        process.state != 'Z' && process.container.is_none() && process.namespace_pids.len() < 2
    };
    for process in processes.iter().filter(is_ours) {
        if let Some(terminal) = prompt_terminal(process, &by_number) {
            found.insert(terminal, RunningPrompt::Yes(process.pid));
            continue;
        }
        // The leader of a session on a terminal is who logged in there.
        let leads = process.session == process.pid && process.terminal != 0;
        if let Some(name) = by_number.get(&process.terminal).filter(|_| leads) {
            found
                .entry((*name).to_owned())
                .or_insert_with(|| RunningPrompt::InUse(process.name.clone()));
        }
    }
    found
}

/// The terminal on which a process asks for a name.
fn prompt_terminal(process: &Process, by_number: &BTreeMap<u32, &str>) -> Option<String> {
    let command = process.command.join(" ");
    if !is_prompt_program(&command) || process.name == "login" && !command.contains("getty") {
        return None;
    }
    // agetty of new versions gets its terminal as standard input, and `-` as the name.
    let named = terminal_in(&command).map(ToOwned::to_owned);
    let by_unit = || process.unit.as_deref().and_then(terminal_of_unit);
    let by_device = || {
        by_number
            .get(&process.terminal)
            .map(|name| (*name).to_owned())
    };
    named.or_else(by_unit).or_else(by_device)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, command: &str, unit: Option<&str>, terminal: u32) -> Process {
        Process {
            pid,
            name: command.split(' ').next().unwrap_or_default().to_owned(),
            command: command.split(' ').map(ToOwned::to_owned).collect(),
            state: 'S',
            session: pid,
            terminal,
            unit: unit.map(ToOwned::to_owned),
            ..Process::default()
        }
    }

    #[test]
    fn a_getty_is_found_by_its_words_its_unit_or_its_device() {
        let mut host = Host {
            processes: Some(vec![
                process(2, "agetty -o -p -- \\u --noclear tty1 linux", None, 0),
                process(
                    3,
                    "agetty -o -- \\u --noreset - linux",
                    Some("getty@tty2.service"),
                    0,
                ),
                process(4, "mingetty", None, 1027),
                process(5, "bash", None, 1028),
                Process {
                    namespace_pids: vec![6, 1],
                    ..process(6, "getty 38400 tty5", None, 0)
                },
            ]),
            ..Host::default()
        };
        let device = |number| surefoot_host::TerminalDevice {
            number,
            has_port: None,
            has_node: true,
        };
        host.consoles.devices = Some(BTreeMap::from([
            ("tty3".to_owned(), device(1027)),
            ("tty4".to_owned(), device(1028)),
        ]));
        let found = running_prompts(&host);
        assert_eq!(found.get("tty1"), Some(&RunningPrompt::Yes(2)));
        assert_eq!(found.get("tty2"), Some(&RunningPrompt::Yes(3)));
        assert_eq!(found.get("tty3"), Some(&RunningPrompt::Yes(4)));
        assert_eq!(
            found.get("tty4"),
            Some(&RunningPrompt::InUse("bash".to_owned()))
        );
        assert_eq!(found.get("tty5"), None, "it is a container's");
    }
}
