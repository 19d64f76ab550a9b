//! System V init: `/etc/inittab`, and `/etc/inittab.d/*.tab` in new versions.
//!
//! An id has one to four characters; a line with a longer one is dropped, and so is a later line with
//! the same id. An entry runs in the runlevels that it names, in all of them if it names none.

use super::inittab::{InittabLine, inittab_lines, spoilt_by_return};
use crate::kernel_console::{KernelConsoles, command_words};
use crate::prompt::{LoginPrompt, PromptStart, SetupReading, is_prompt_program};
use crate::setup_tree::{SetupPlace, SetupTree, has_ending};
use crate::terminal_name::{is_virtual, terminal_in};

/// The longest id that init keeps.
pub(crate) const LONGEST_ID: usize = 4;

/// Reads the login prompts.
pub(crate) fn read(tree: &SetupTree<'_>, kernel: &KernelConsoles, line: &str) -> SetupReading {
    let mut reading = SetupReading::default();
    let mut ids: Vec<String> = Vec::new();
    let level = default_level(tree);
    for path in paths(tree) {
        let text = tree.text(&path).unwrap_or_default();
        for line in inittab_lines(text) {
            read_line(&path, &line, level, &mut ids, &mut reading);
        }
    }
    if let Some(what) = no_ordinary_level(level, &reading) {
        reading.remark(SetupPlace::file("/etc/inittab"), what);
    }
    // Newer versions add prompts for `console=` if they are told to.
    let words = command_words(line);
    if words.iter().any(|word| word == "init.autocon=1") {
        for name in kernel.active.iter().filter(|name| !is_virtual(name)) {
            if reading
                .prompts
                .iter()
                .all(|prompt| prompt.terminal != *name)
            {
                reading.prompts.push(LoginPrompt {
                    terminal: name.clone(),
                    by: "init.autocon=1".to_owned(),
                    place: kernel.place.clone().unwrap_or_default(),
                    program: String::new(),
                    start: PromptStart::Generated,
                    remark: None,
                });
            }
        }
    }
    reading
}

/// The inittab and what is read behind it.
pub(crate) fn paths(tree: &SetupTree<'_>) -> Vec<String> {
    let parts = tree.names("/etc/inittab.d").into_iter();
    let parts = parts
        .filter(|name| has_ending(name, "tab"))
        .map(|name| format!("/etc/inittab.d/{name}"));
    std::iter::once("/etc/inittab".to_owned())
        .chain(parts)
        .collect()
}

/// The runlevel of an ordinary boot; nothing if none is named. Of several that are named init takes the
/// highest.
pub(crate) fn default_level(tree: &SetupTree<'_>) -> Option<char> {
    let text = tree.text("/etc/inittab")?;
    let lines = inittab_lines(text);
    let line = lines
        .iter()
        .find(|line| !line.is_comment && line.action == "initdefault")?;
    line.levels.chars().max()
}

/// What a runlevel does that ends the system; nothing if it does not.
pub(crate) fn end_in(level: char) -> Option<&'static str> {
    match level {
        '0' => Some("halts"),
        '6' => Some("reboots"),
        _ => None,
    }
}

/// That the default runlevel is single user or ends the system, and which terminals have a prompt in it;
/// nothing if it is an ordinary one.
pub(crate) fn no_ordinary_level(level: Option<char>, reading: &SetupReading) -> Option<String> {
    let what = match level? {
        '1' | 'S' | 's' => "is single user".to_owned(),
        level => format!("{} the system at each boot", end_in(level)?),
    };
    let level = level.unwrap_or_default();
    let names: Vec<&str> = reading
        .prompts
        .iter()
        .map(|prompt| prompt.terminal.as_str())
        .collect();
    let which = if names.is_empty() {
        "no terminal has a login prompt there".to_owned()
    } else {
        format!("login prompts there: {}", names.join(", "))
    };
    Some(format!(
        "the default runlevel is {level}, which {what}; {which}"
    ))
}

/// The terminal of a line, if it asks for a name there: that of a getty, or of a program that gets a
/// terminal as an argument and is started again when it ends.
pub(crate) fn terminal_of_line<'a>(line: &InittabLine<'a>) -> Option<&'a str> {
    let acts = ["respawn", "ondemand", "once", "wait", "off"].contains(&line.action);
    if !acts {
        return None;
    }
    let terminal = terminal_in(line.command)?;
    (is_prompt_program(line.command) || ["respawn", "off"].contains(&line.action))
        .then_some(terminal)
}

fn read_line(
    path: &str,
    line: &InittabLine<'_>,
    level: Option<char>,
    ids: &mut Vec<String>,
    reading: &mut SetupReading,
) {
    let place = SetupPlace::line(path, line.number);
    let Some(terminal) = terminal_of_line(line) else {
        if !line.is_comment {
            ids.push(line.id.to_owned());
        }
        return;
    };
    if line.is_comment {
        reading.idle(terminal, place, "the line is a comment");
        return;
    }
    if let Some(why) = spoilt_by_return(line) {
        reading.idle(terminal, place, why);
        return;
    }
    if line.id.is_empty() || line.id.len() > LONGEST_ID {
        let why = format!(
            "init drops the line: the id `{}` has over {LONGEST_ID} characters",
            line.id
        );
        reading.idle(terminal, place, why);
        return;
    }
    if ids.iter().any(|id| id == line.id) {
        let why = format!("init drops the line: the id `{}` is there already", line.id);
        reading.idle(terminal, place, why);
        return;
    }
    ids.push(line.id.to_owned());
    if line.action == "off" {
        reading.idle(terminal, place, "its action is `off`");
        return;
    }
    let mut start = PromptStart::Boot;
    match level {
        Some(level) if !line.levels.is_empty() && !line.levels.contains(level) => {
            let why = format!(
                "it is for the runlevels {}, and the default is {level}",
                line.levels
            );
            reading.idle(terminal, place, why);
            return;
        }
        None if !line.levels.is_empty() && !line.levels.contains(['2', '3', '4', '5']) => {
            let why = format!("it is for the runlevels {} only", line.levels);
            reading.idle(terminal, place, why);
            return;
        }
        _ => {}
    }
    let asks = is_prompt_program(line.command);
    if !asks {
        start = PromptStart::Unsure;
    }
    reading.prompts.push(LoginPrompt {
        terminal: terminal.to_owned(),
        by: format!("inittab entry `{}`", line.id),
        place,
        program: line.command.to_owned(),
        start,
        remark: (!asks).then(|| "whether this program asks for a name is unknown".to_owned()),
    });
}
