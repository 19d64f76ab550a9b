//! The terminals that are left when all else fails: the kernel's console, and those on which a prompt is
//! needed. Here is the one meaning of "a prompt serves a console", for findings and for changes.

use crate::kernel_console::KernelConsoles;
use crate::platform::PromptNeed;
use crate::table::{ConsoleTable, KernelUse, TerminalPresence};
use crate::terminal_name::is_virtual;

/// A last resort that has a prompt and would have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LostResort {
    /// The terminal that loses its prompt.
    pub(crate) terminal: String,
    /// Why it is a last resort, as the end of a sentence.
    pub(crate) why: String,
}

/// Whether you can log in at a console by a prompt on a terminal: it is on the same one, be it under the name
/// of `/dev/console`, or both are virtual terminals, which share a screen.
pub(crate) fn serves(kernel: &KernelConsoles, console: &str, terminal: &str) -> bool {
    fn real<'a>(kernel: &'a KernelConsoles, name: &'a str) -> &'a str {
        match &kernel.main {
            Some(main) if name == "console" => main,
            _ => name,
        }
    }
    let (console, terminal) = (real(kernel, console), real(kernel, terminal));
    console == terminal || (is_virtual(console) && is_virtual(terminal))
}

/// The last resorts of a machine, each with why it is one: the kernel's console first.
fn last_resorts(table: &ConsoleTable) -> Vec<(&str, String)> {
    let kernel = "it is the kernel's console";
    let main = table.kernel.main.as_deref();
    let mut found: Vec<(&str, String)> = main
        .map(|name| (name, kernel.to_owned()))
        .into_iter()
        .collect();
    // A prompt on a terminal that does not exist is no loss.
    let rows = || {
        let rows = table.terminals.iter();
        rows.filter(|row| !matches!(row.exists, TerminalPresence::No(_)))
    };
    let consoles = rows().filter(|row| row.kernel == KernelUse::Main);
    found.extend(consoles.map(|row| (row.terminal.as_str(), kernel.to_owned())));
    found.extend(rows().filter_map(|row| match &row.needed {
        PromptNeed::Yes(why) => Some((row.terminal.as_str(), why.clone())),
        _ => None,
    }));
    found
}

/// The last resorts at which you can log in now, and could not if only the wanted terminals had a prompt.
pub(crate) fn lost_resorts(
    table: &ConsoleTable,
    now: &[String],
    wanted: &[String],
) -> Vec<LostResort> {
    let mut lost: Vec<LostResort> = Vec::new();
    for (console, why) in last_resorts(table) {
        let by = |names: &[String]| {
            let mut serving = names
                .iter()
                .filter(|name| serves(&table.kernel, console, name));
            let own = names.iter().find(|name| *name == console);
            own.or_else(|| serving.next()).cloned()
        };
        let (Some(terminal), None) = (by(now), by(wanted)) else {
            continue;
        };
        if lost.iter().all(|one| one.terminal != terminal) {
            lost.push(LostResort { terminal, why });
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup_tree::SetupPlace;

    #[test]
    fn one_screen_is_one_console_and_a_serial_port_is_another() {
        let kernel =
            KernelConsoles::of_line("console=tty0 console=ttyS0,115200n8", SetupPlace::file("x"));
        for (console, terminal, is_served) in [
            ("ttyS0", "ttyS0", true),
            ("ttyS0", "console", true),
            ("console", "ttyS0", true),
            ("ttyS0", "tty1", false),
            ("console", "tty1", false),
            ("tty0", "tty2", true),
            ("tty1", "tty2", true),
            ("tty1", "ttyS0", false),
        ] {
            assert_eq!(
                serves(&kernel, console, terminal),
                is_served,
                "{console} {terminal}"
            );
        }
        let unknown = KernelConsoles::default();
        assert!(serves(&unknown, "console", "console"));
        assert!(!serves(&unknown, "console", "tty1"));
    }
}
