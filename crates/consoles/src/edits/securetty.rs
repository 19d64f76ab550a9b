//! The list of terminals that root may log in on gets the terminals that are set up, where it counts.

use super::EditWork;
use crate::init_system::InitSystem;
use crate::inits::inittab::{change_lines, insert_line};
use crate::root_login::{
    RootLogin, SECURETTY, SecurettyReader, listed, root_login, securetty_reader,
};
use crate::setup_tree::numbered;
use crate::terminal_name::is_virtual;

/// Adds a terminal to the list if root would be refused on it without that.
pub(super) fn admit_root(work: &mut EditWork<'_>, init: InitSystem, terminal: &str) {
    let tree = work.draft.tree();
    if !tree.exists(SECURETTY) {
        return;
    }
    let list = listed(&tree).unwrap_or_default();
    if list.iter().any(|(_, name)| *name == terminal) {
        return;
    }
    // What upstart's job serial takes adds itself.
    let by_job_serial = init == InitSystem::UpstartSysconfig
        && work.kernel.main.as_deref() == Some(terminal)
        && !tree.exists(&format!("/etc/init/{terminal}.conf"));
    match root_login(&tree, Some(init), work.kernel, terminal, by_job_serial) {
        RootLogin::Allowed(_) => return,
        RootLogin::Refused(_) => {}
        // The list is there, and nothing says that it is not read.
        RootLogin::Unknown(_) => {
            if matches!(
                securetty_reader(&tree, Some(init)),
                SecurettyReader::Nothing(_)
            ) {
                return;
            }
        }
    }
    let text = tree.text(SECURETTY).unwrap_or_default().to_owned();
    let commented = numbered(&text).find(|(_, line)| {
        line.trim_start()
            .strip_prefix('#')
            .is_some_and(|rest| rest.trim() == terminal)
    });
    let changed = match commented {
        Some((line, _)) => change_lines(&text, |number, _| {
            (number == line).then(|| terminal.to_owned())
        }),
        None => insert_line(&text, None, terminal),
    };
    work.draft.write(SECURETTY, changed);
}

/// Says which terminals stay on the list without a prompt. They stay, as the distribution may have listed them,
/// and a prompt that comes back some day by other means must not shut root out.
pub(super) fn tell_left(work: &mut EditWork<'_>, init: InitSystem, removed: &[String]) {
    let tree = work.draft.tree();
    if matches!(
        securetty_reader(&tree, Some(init)),
        SecurettyReader::Nothing(_)
    ) {
        return;
    }
    let list = listed(&tree).unwrap_or_default();
    let left: Vec<&str> = removed
        .iter()
        .map(String::as_str)
        .filter(|name| !is_virtual(name) && list.iter().any(|(_, listed)| listed == name))
        .collect();
    if !left.is_empty() {
        let note = format!(
            "{SECURETTY} still lists {}: root may log in there if a prompt is set up again",
            left.join(", ")
        );
        work.notes.push(note);
    }
}
