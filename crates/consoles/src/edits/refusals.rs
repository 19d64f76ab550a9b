//! What is refused although it could be done: each is a way to lock somebody out.

use surefoot_host::Host;

use super::{ConsoleError, ConsoleRequest};
use crate::last_resort::LostResort;
use crate::platform::SeenConsole;
use crate::running::RunningPrompt;
use crate::setup_tree::SetupTree;
use crate::table::{ConsoleTable, TerminalPresence, presence};
use crate::terminal_name::why_impossible;

/// Refuses terminals that no kernel has.
pub(super) fn refuse_impossible(added: &[String]) -> Result<(), ConsoleError> {
    for terminal in added {
        if let Some(why) = why_impossible(terminal) {
            return Err(ConsoleError::Impossible {
                terminal: terminal.clone(),
                why,
            });
        }
    }
    Ok(())
}

/// Refuses to take the prompt from a terminal where somebody is logged in: most init systems end what runs
/// for a prompt together with it.
pub(super) fn refuse_in_use(
    table: &ConsoleTable,
    removed: &[String],
    request: &ConsoleRequest,
) -> Result<(), ConsoleError> {
    for terminal in removed.iter().filter(|_| !request.may_end_sessions) {
        if let Some(RunningPrompt::InUse(program)) = table.row(terminal).map(|row| &row.running) {
            return Err(ConsoleError::InUse {
                terminal: terminal.clone(),
                program: program.clone(),
            });
        }
    }
    Ok(())
}

/// Refuses to take the prompt from a last resort, whether a list leaves it out or names it to be removed: its
/// name need not tell that it is one, and `serial` is none. That all prompts may go is a consent of its own.
pub(super) fn refuse_lost_console(
    lost: &[LostResort],
    wanted: &[String],
    request: &ConsoleRequest,
) -> Result<(), ConsoleError> {
    let Some(first) = lost.first() else {
        return Ok(());
    };
    if request.may_lose_console || wanted.is_empty() {
        return Ok(());
    }
    Err(ConsoleError::ConsoleLost {
        terminal: first.terminal.clone(),
        why: first.why.clone(),
    })
}

/// Refuses terminals that this machine is known not to have.
pub(super) fn refuse_missing(
    host: &Host,
    tree: &SetupTree<'_>,
    seen: &SeenConsole,
    added: &[String],
    request: &ConsoleRequest,
) -> Result<(), ConsoleError> {
    for terminal in added.iter().filter(|_| !request.may_be_missing) {
        if let TerminalPresence::No(why) = presence(host, tree, seen, terminal) {
            return Err(ConsoleError::NoDevice {
                terminal: terminal.clone(),
                why,
            });
        }
    }
    Ok(())
}
