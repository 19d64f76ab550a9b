//! Edits under runit: links in the runlevel's folder, and files `down`.

use super::inittab::with_speed;
use super::{EditWish, EditWork};
use crate::inits::inittab::change_lines;
use crate::inits::runit::{SERVICES, read, runlevel};
use crate::terminal_name::is_virtual;
use surefoot_host::resolve_link;

/// Makes the edits.
pub(super) fn edit(work: &mut EditWork<'_>, wish: &EditWish<'_>) {
    let level = runlevel(&work.draft.tree(), work.line);
    for terminal in wish.removed {
        let reading = read(&work.draft.tree(), work.line);
        for prompt in reading
            .prompts
            .iter()
            .filter(|prompt| prompt.terminal == *terminal)
        {
            let path = &prompt.place.path;
            if work.draft.tree().link(path).is_some() {
                work.draft.remove(path);
            } else {
                // A service that lies in the runlevel itself.
                work.draft.write(&format!("{path}/down"), String::new());
                work.act(&["sv", "down", path], &["sv", "up", path]);
            }
        }
    }
    for terminal in wish.added {
        add(work, &level, terminal);
    }
    for terminal in wish.respeeded {
        set_speed(work, &level, terminal);
    }
}

/// Gives the service of a terminal another speed: in its `conf`, else in its command.
fn set_speed(work: &mut EditWork<'_>, level: &str, terminal: &str) {
    let Some(speed) = work.speed_for(terminal) else {
        return;
    };
    let reading = read(&work.draft.tree(), work.line);
    for prompt in reading
        .prompts
        .iter()
        .filter(|prompt| prompt.terminal == terminal)
    {
        let path = &prompt.place.path;
        let folder = match work.draft.tree().link(path) {
            Some(target) => resolve_link(path, target),
            None => path.clone(),
        };
        let conf = format!("{folder}/conf");
        let (file, changed) = if work.draft.tree().exists(&conf) {
            let changed = change_lines(&work.draft.text(&conf), |_, line| {
                line.starts_with("BAUD_RATE=")
                    .then(|| format!("BAUD_RATE={speed}"))
            });
            (conf, changed)
        } else {
            let run = format!("{folder}/run");
            let changed = change_lines(&work.draft.text(&run), |_, line| {
                line.contains("getty")
                    .then(|| with_speed(line, Some(&speed)))
            });
            (run, changed)
        };
        if changed != work.draft.text(&file) {
            work.draft.write(&file, changed);
            let service = format!("{level}/{}", path.rsplit('/').next().unwrap_or_default());
            work.act(&["sv", "restart", &service], &["sv", "restart", &service]);
        }
    }
}

/// Lets a new service keep what runsv writes where the others keep it, outside `/etc`.
fn link_supervision(work: &mut EditWork<'_>, service: &str, name: &str) {
    let tree = work.draft.tree();
    let link = tree.names(SERVICES).iter().find_map(|other| {
        let target = tree.link(&format!("{SERVICES}/{other}/supervise"))?;
        target
            .strip_suffix(other)
            .map(|head| format!("{head}{name}"))
    });
    if let Some(target) = link {
        work.draft.link(&format!("{service}/supervise"), &target);
    }
}

fn add(work: &mut EditWork<'_>, level: &str, terminal: &str) {
    let tree = work.draft.tree();
    let reading = read(&tree, work.line);
    let known = reading.idle.iter().find(|entry| entry.terminal == terminal);
    let service = match known {
        Some(entry) => {
            let path = entry.place.path.as_str();
            path.strip_suffix("/down").unwrap_or(path).to_owned()
        }
        None => format!("{SERVICES}/agetty-{terminal}"),
    };
    let name = service.rsplit('/').next().unwrap_or_default().to_owned();
    let links: Vec<String> = tree
        .names(level)
        .iter()
        .map(|name| format!("{level}/{name}"))
        .collect();
    let is_linked = links.iter().any(|path| {
        *path == service
            || tree
                .link(path)
                .is_some_and(|target| resolve_link(path, target) == service)
    });
    let has_generic = tree.exists(&format!("{SERVICES}/agetty-generic/run"));
    let has_down = tree.exists(&format!("{service}/down"));
    if known.is_none() {
        link_supervision(work, &service, &name);
        let speed = work.speed_for(terminal).unwrap_or_else(|| {
            if is_virtual(terminal) {
                "38400"
            } else {
                "115200"
            }
            .to_owned()
        });
        let (options, kind) = if is_virtual(terminal) {
            ("", "linux")
        } else {
            ("-L", "vt100")
        };
        if has_generic {
            work.draft
                .link(&format!("{service}/run"), "../agetty-generic/run");
            let text = format!("GETTY_ARGS=\"{options}\"\nBAUD_RATE={speed}\nTERM_NAME={kind}\n");
            work.draft.write(&format!("{service}/conf"), text);
        } else {
            let words: Vec<&str> = ["exec", "agetty", options, terminal, &speed, kind]
                .into_iter()
                .filter(|word| !word.is_empty())
                .collect();
            let text = format!("#!/bin/sh\n{}\n", words.join(" "));
            work.draft.write_program(&format!("{service}/run"), text);
        }
    }
    if has_down {
        work.draft.remove(&format!("{service}/down"));
        let place = format!("{level}/{name}");
        work.act(&["sv", "up", &place], &["sv", "down", &place]);
    }
    if !is_linked {
        work.draft.link(&format!("{level}/{name}"), &service);
    }
}
