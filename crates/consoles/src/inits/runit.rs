//! runit: what is linked in the runlevel's folder is started, unless its directory holds a file `down`.
//! The terminal is the one that the service's command names, else the end of the service's name.

use crate::kernel_console::command_words;
use crate::prompt::{LoginPrompt, PromptStart, SetupReading, is_prompt_program};
use crate::setup_tree::{SetupPlace, SetupTree, numbered};
use crate::terminal_name::{is_terminal_name, terminal_in};
use surefoot_host::resolve_link;

/// Where the services are.
pub(crate) const SERVICES: &str = "/etc/sv";
/// Where the folders of the runlevels are.
const RUNLEVELS: &str = "/etc/runit/runsvdir";

/// Reads the login prompts.
pub(crate) fn read(tree: &SetupTree<'_>, line: &str) -> SetupReading {
    let mut reading = SetupReading::default();
    let level = runlevel(tree, line);
    let mut linked: Vec<String> = Vec::new();
    for name in tree.names(&level) {
        let path = format!("{level}/{name}");
        let folder = match tree.link(&path) {
            Some(target) => resolve_link(&path, target),
            None => path.clone(),
        };
        let Some((terminal, program)) = terminal_of_service(tree, &folder, name) else {
            continue;
        };
        linked.push(folder.clone());
        if tree.exists(&format!("{folder}/down")) {
            let place = SetupPlace::file(format!("{folder}/down"));
            reading.idle(terminal, place, "a file `down` holds the service");
            continue;
        }
        reading.prompts.push(LoginPrompt {
            terminal,
            by: format!("service {name}"),
            place: SetupPlace::file(path),
            program,
            start: PromptStart::Boot,
            remark: None,
        });
    }
    for name in tree.names(SERVICES) {
        let folder = format!("{SERVICES}/{name}");
        if linked.contains(&folder) {
            continue;
        }
        if let Some((terminal, _)) = terminal_of_service(tree, &folder, name) {
            let why = format!("it is not linked in {level}");
            reading.idle(terminal, SetupPlace::file(folder), why);
        }
    }
    reading
}

/// The folder of the runlevel: the one that the kernel's command line names, else `default`; Debian has
/// `/etc/service`.
pub(crate) fn runlevel(tree: &SetupTree<'_>, line: &str) -> String {
    let named = command_words(line)
        .into_iter()
        .find(|word| word != "current" && tree.has_folder(&format!("{RUNLEVELS}/{word}")));
    let level = format!("{RUNLEVELS}/{}", named.as_deref().unwrap_or("default"));
    if tree.has_folder(&level) {
        return level;
    }
    let others = ["/etc/service", "/var/service"];
    let found = others.iter().find(|folder| tree.has_folder(folder));
    found.map_or(level, |folder| (*folder).to_owned())
}

/// The terminal of a service and its command.
fn terminal_of_service(tree: &SetupTree<'_>, folder: &str, name: &str) -> Option<(String, String)> {
    let run = format!("{folder}/run");
    let text = match tree.link(&run) {
        Some(target) => tree.text(&resolve_link(&run, target)),
        None => tree.text(&run),
    };
    let command = text.and_then(|text| {
        let lines = numbered(text).map(|(_, line)| line.trim());
        let mut commands =
            lines.filter(|line| !line.starts_with('#') && is_prompt_program(line_command(line)));
        commands.next().map(line_command)
    });
    let named = command.and_then(terminal_in);
    let of_name = name
        .rsplit_once('-')
        .map(|(_, end)| end)
        .filter(|end| name.contains("getty") && is_terminal_name(end));
    let terminal = named.or(of_name)?;
    Some((terminal.to_owned(), command.unwrap_or_default().to_owned()))
}

/// The command of a line of a script, behind `exec`, `setsid` and the like.
fn line_command(line: &str) -> &str {
    let mut rest = line;
    for word in ["exec ", "setsid ", "chpst -P "] {
        rest = rest.strip_prefix(word).unwrap_or(rest).trim_start();
    }
    rest
}
