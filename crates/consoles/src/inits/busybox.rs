//! busybox init: an `/etc/inittab` whose first field is a terminal, or empty for init's own. Runlevels
//! are ignored, and an entry is started again without a limit. Without a file it starts shells.

use super::inittab::{InittabLine, inittab_lines, spoilt_by_return};
use crate::prompt::{LoginPrompt, PromptStart, SetupReading, is_prompt_program};
use crate::setup_tree::{SetupPlace, SetupTree};
use crate::terminal_name::{is_terminal_name, terminal_in};

/// Where the file is.
pub(crate) const INITTAB: &str = "/etc/inittab";

/// Reads the login prompts.
pub(crate) fn read(tree: &SetupTree<'_>) -> SetupReading {
    let mut reading = SetupReading::default();
    let Some(text) = tree.text(INITTAB) else {
        // The built-in table: a shell of root on each, after a press of Enter.
        for terminal in ["console", "tty2", "tty3", "tty4"] {
            reading.prompts.push(LoginPrompt {
                terminal: terminal.to_owned(),
                by: "busybox init without an inittab".to_owned(),
                place: SetupPlace::file(INITTAB),
                program: "a shell".to_owned(),
                start: PromptStart::Boot,
                remark: Some("a root shell without a password".to_owned()),
            });
        }
        return reading;
    };
    for line in inittab_lines(text) {
        let Some(terminal) = terminal_of_line(&line) else {
            continue;
        };
        let place = SetupPlace::line(INITTAB, line.number);
        if line.is_comment {
            reading.idle(terminal, place, "the line is a comment");
            continue;
        }
        if let Some(why) = spoilt_by_return(&line) {
            reading.idle(terminal, place, why);
            continue;
        }
        let program = line.command.trim_start_matches('-');
        let is_shell = ["/bin/sh", "/bin/ash", "/bin/bash"]
            .iter()
            .any(|shell| program.split_whitespace().next() == Some(shell));
        let asks = is_prompt_program(program);
        let remark = if is_shell {
            Some("a root shell without a password")
        } else if asks {
            None
        } else {
            Some("whether this program asks for a name is unknown")
        };
        reading.prompts.push(LoginPrompt {
            terminal: terminal.to_owned(),
            by: "inittab entry".to_owned(),
            place,
            program: line.command.to_owned(),
            start: if asks || is_shell {
                PromptStart::Boot
            } else {
                PromptStart::Unsure
            },
            remark: remark.map(ToOwned::to_owned),
        });
    }
    reading
}

/// The terminal of a line that asks for a name or gives a shell: what the getty names, else the first
/// field, else init's own console.
pub(crate) fn terminal_of_line<'a>(line: &InittabLine<'a>) -> Option<&'a str> {
    if !["respawn", "askfirst"].contains(&line.action) {
        return None;
    }
    let own = line.id.strip_prefix("/dev/").unwrap_or(line.id);
    let program = line.command.trim_start_matches('-');
    if let Some(terminal) = terminal_in(program) {
        return Some(terminal);
    }
    if is_terminal_name(own) {
        return Some(own);
    }
    let is_shell =
        program.starts_with("/bin/") && program.split_whitespace().next()?.ends_with("sh");
    (own.is_empty() && (is_prompt_program(program) || is_shell)).then_some("console")
}
