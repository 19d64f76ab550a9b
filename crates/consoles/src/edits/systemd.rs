//! Edits under systemd: links in `getty.target.wants`, and masks.

use super::inittab::with_speed;
use super::{ConsoleError, EditWish, EditWork};
use crate::inits::systemd::{
    OWN, UNIT_FOLDERS, is_automatic, mask_of, read, terminal_of_unit, unit_of, why_no_prompts,
};
use crate::inits::unit_files::exec_of;
use crate::prompt::PromptStart;
use crate::setup_tree::has_ending;
use crate::terminal_name::is_virtual;

/// Makes the edits.
pub(super) fn edit(work: &mut EditWork<'_>, wish: &EditWish<'_>) -> Result<(), ConsoleError> {
    if let Some(why) = why_no_prompts(&work.draft.tree(), work.line)
        && !wish.wanted.is_empty()
    {
        return Err(ConsoleError::InTheWay {
            what: format!(
                "{why}, so that no login prompt is started at boot; mend that first (systemctl unmask \
                 getty.target, systemctl set-default multi-user.target, or the boot loader's settings)"
            ),
        });
    }
    let reload = ["systemctl", "daemon-reload"];
    work.act(&reload, &reload);
    for terminal in wish.removed {
        remove(work, terminal)?;
    }
    for terminal in wish.added {
        add(work, terminal)?;
    }
    if let Some(speed) = work.speed {
        let named = wish.added.iter().chain(wish.respeeded);
        for terminal in named.filter(|name| !is_virtual(name) && *name != "console") {
            set_speed(work, terminal, speed);
        }
    }
    Ok(())
}

fn starts(work: &EditWork<'_>, terminal: &str) -> bool {
    let reading = read(&work.draft.tree(), work.kernel, work.line);
    reading
        .prompts
        .iter()
        .any(|prompt| prompt.terminal == terminal && prompt.start != PromptStart::Demand)
}

fn add(work: &mut EditWork<'_>, terminal: &str) -> Result<(), ConsoleError> {
    let unit = unit_of(terminal);
    unmask(work, &unit)?;
    if is_virtual(terminal) {
        unmask(work, &unit.replace("getty@", "autovt@"))?;
    }
    work.act(
        &["systemctl", "start", "--no-block", &unit],
        &["systemctl", "stop", "--no-block", &unit],
    );
    // What the generator makes needs no link.
    if starts(work, terminal) {
        return Ok(());
    }
    let template = match unit.split_once('@') {
        Some((kind, _)) => format!("{kind}@.service"),
        None => unit.clone(),
    };
    let target = format!("{}/{template}", template_folder(work, &template));
    work.draft
        .link(&format!("{OWN}/getty.target.wants/{unit}"), &target);
    Ok(())
}

/// The folder of a template: where it is, else where the link of another prompt leads.
fn template_folder(work: &EditWork<'_>, template: &str) -> String {
    let tree = work.draft.tree();
    let has = |folder: &&&str| tree.exists(&format!("{folder}/{template}"));
    if let Some(folder) = UNIT_FOLDERS.iter().find(has) {
        return (*folder).to_owned();
    }
    let wants = format!("{OWN}/getty.target.wants");
    let mut links = tree.names(&wants).into_iter().filter_map(|name| {
        let target = tree.link(&format!("{wants}/{name}"))?;
        Some(target.rsplit_once('/')?.0.to_owned())
    });
    links
        .next_back()
        .unwrap_or_else(|| "/lib/systemd/system".to_owned())
}

/// Removes a mask of exactly this unit.
fn unmask(work: &mut EditWork<'_>, unit: &str) -> Result<(), ConsoleError> {
    while let Some(mask) = mask_of(&work.draft.tree(), unit) {
        if mask != format!("{OWN}/{unit}") {
            return Err(ConsoleError::InTheWay {
                what: format!(
                    "{mask} masks {unit}, and others may depend on that; remove it first"
                ),
            });
        }
        work.draft.remove(&mask);
    }
    Ok(())
}

fn remove(work: &mut EditWork<'_>, terminal: &str) -> Result<(), ConsoleError> {
    let mut units = vec![unit_of(terminal)];
    // Links of this terminal, whatever the unit is called.
    let links: Vec<(String, String)> = {
        let tree = work.draft.tree();
        let reading = read(&tree, work.kernel, work.line);
        let prompts = reading.prompts.into_iter();
        prompts
            .filter(|prompt| prompt.terminal == terminal && has_ending(&prompt.by, "service"))
            .map(|prompt| (prompt.place.path, prompt.by))
            .collect()
    };
    for (path, unit) in links {
        if path.starts_with(OWN) {
            work.draft.remove(&path);
        }
        if !units.contains(&unit) {
            units.push(unit);
        }
    }
    let automatic = is_automatic(&work.draft.tree(), terminal);
    for unit in &units {
        work.act(
            &["systemctl", "stop", "--no-block", unit],
            &["systemctl", "start", "--no-block", unit],
        );
        // A unit that only its link started needs no mask.
        let named = terminal_of_unit(unit).is_some();
        if named && (automatic || starts(work, terminal)) {
            mask(work, unit)?;
        }
    }
    if automatic {
        mask(work, &format!("autovt@{terminal}.service"))?;
    }
    Ok(())
}

fn mask(work: &mut EditWork<'_>, unit: &str) -> Result<(), ConsoleError> {
    let path = format!("{OWN}/{unit}");
    let tree = work.draft.tree();
    if mask_of(&tree, unit).is_some() {
        return Ok(());
    }
    if tree.exists(&path) {
        return Err(ConsoleError::InTheWay {
            what: format!(
                "{path} is a unit of its own, which a mask would replace; move it away first"
            ),
        });
    }
    work.draft.link(&path, "/dev/null");
    Ok(())
}

/// A drop-in with the speed, if the unit does not have it already.
fn set_speed(work: &mut EditWork<'_>, terminal: &str, speed: u32) {
    let unit = unit_of(terminal);
    let exec = exec_of(&work.draft.tree(), &unit);
    let command = exec.map_or_else(
        || "-/sbin/agetty --keep-baud 115200,57600,38400,9600 %I $TERM".to_owned(),
        |(_, command)| command,
    );
    let new = with_speed(&command, Some(&speed.to_string())).replace("--keep-baud ", "");
    if new == command {
        return;
    }
    let path = format!("{OWN}/{unit}.d/50-surefoot.conf");
    work.draft
        .write(&path, format!("[Service]\nExecStart=\nExecStart={new}\n"));
    work.act(
        &["systemctl", "restart", "--no-block", &unit],
        &["systemctl", "restart", "--no-block", &unit],
    );
}
