//! Edits of an inittab: lines are commented out, brought back or added; every other byte stays.

use super::{ConsoleError, EditWish, EditWork};
use crate::inits::inittab::{InittabLine, change_lines, inittab_lines, insert_line};
use crate::inits::{busybox, sysvinit};
use crate::prompt::{is_prompt_program, speed_in};
use crate::terminal_name::{is_virtual, terminal_in, terminal_of};

/// Whose inittab it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InittabKind {
    /// System V init's.
    System,
    /// busybox init's.
    Busybox,
}

const INITTAB: &str = "/etc/inittab";

/// Makes the edits.
pub(super) fn edit(
    work: &mut EditWork<'_>,
    wish: &EditWish<'_>,
    kind: InittabKind,
) -> Result<(), ConsoleError> {
    if work.draft.tree().text(INITTAB).is_none() {
        return Err(ConsoleError::InTheWay {
            what: format!(
                "{INITTAB} is not there; write one first, since init does other things without it"
            ),
        });
    }
    let paths = match kind {
        InittabKind::System => sysvinit::paths(&work.draft.tree()),
        InittabKind::Busybox => vec![INITTAB.to_owned()],
    };
    for path in &paths {
        let text = work.draft.text(path);
        if inittab_lines(&text)
            .iter()
            .any(|line| line.has_return && !line.is_comment)
        {
            return Err(ConsoleError::InTheWay {
                what: format!(
                    "lines of {path} end in a carriage return, which init takes for a part of them; \
                     mend that first: surefoot edit {path} -- sed -i 's/\\r$//'"
                ),
            });
        }
    }
    if kind == InittabKind::System {
        let tree = work.draft.tree();
        let reading = sysvinit::read(&tree, work.kernel, work.line);
        let level = sysvinit::default_level(&tree);
        let odd = sysvinit::no_ordinary_level(level, &reading);
        if let Some(why) = odd.filter(|_| !wish.added.is_empty()) {
            return Err(ConsoleError::InTheWay {
                what: format!(
                    "{why}; choose an ordinary runlevel first, such as 2 in the line `initdefault` of {INITTAB}"
                ),
            });
        }
    }
    for terminal in wish.removed {
        for path in &paths {
            comment_out(work, path, kind, terminal, 0);
        }
    }
    for terminal in wish.double {
        comment_out(work, INITTAB, kind, terminal, 1);
    }
    for terminal in wish.added {
        add(work, kind, &paths, terminal);
    }
    for terminal in wish.respeeded {
        for path in &paths {
            set_speed(work, path, kind, terminal);
        }
    }
    match kind {
        InittabKind::System => work.act(&["/sbin/telinit", "q"], &["/sbin/telinit", "q"]),
        InittabKind::Busybox => work.act(&["kill", "-HUP", "1"], &["kill", "-HUP", "1"]),
    }
    Ok(())
}

fn terminal_of_line<'a>(kind: InittabKind, line: &InittabLine<'a>) -> Option<&'a str> {
    match kind {
        InittabKind::System => sysvinit::terminal_of_line(line),
        InittabKind::Busybox => busybox::terminal_of_line(line),
    }
}

/// Puts a `#` before the lines of a terminal, but for the first so many.
fn comment_out(
    work: &mut EditWork<'_>,
    path: &str,
    kind: InittabKind,
    terminal: &str,
    kept: usize,
) {
    let text = work.draft.text(path);
    let lines = inittab_lines(&text);
    let numbers: Vec<u32> = lines
        .iter()
        .filter(|line| {
            !line.is_comment
                && line.action != "off"
                && terminal_of_line(kind, line) == Some(terminal)
        })
        .map(|line| line.number)
        .skip(kept)
        .collect();
    if numbers.is_empty() {
        return;
    }
    let changed = change_lines(&text, |number, line| {
        numbers.contains(&number).then(|| format!("#{line}"))
    });
    work.draft.write(path, changed);
}

/// Gives the live lines of a terminal another speed.
fn set_speed(work: &mut EditWork<'_>, path: &str, kind: InittabKind, terminal: &str) {
    let text = work.draft.text(path);
    let numbers: Vec<u32> = inittab_lines(&text)
        .iter()
        .filter(|line| !line.is_comment && terminal_of_line(kind, line) == Some(terminal))
        .map(|line| line.number)
        .collect();
    let speed = work.speed_for(terminal);
    let changed = change_lines(&text, |number, line| {
        numbers
            .contains(&number)
            .then(|| with_speed(line, speed.as_deref()))
    });
    if changed != text {
        work.draft.write(path, changed);
    }
}

/// Gives a terminal a prompt: a line of it that starts nothing is mended or uncommented, else one is added.
fn add(work: &mut EditWork<'_>, kind: InittabKind, paths: &[String], terminal: &str) {
    for wants_comment in [false, true] {
        for path in paths {
            let text = work.draft.text(path);
            let lines = inittab_lines(&text);
            let found = lines.iter().find(|line| {
                line.is_comment == wants_comment
                    && terminal_of_line(kind, line) == Some(terminal)
                    && is_prompt_program(line.command.trim_start_matches('-'))
            });
            let Some(found) = found else {
                continue;
            };
            let new = revive(work, kind, found, terminal);
            let changed = change_lines(&text, |number, _| {
                (number == found.number).then(|| new.clone())
            });
            work.draft.write(path, changed);
            return;
        }
    }
    let text = work.draft.text(INITTAB);
    let lines = inittab_lines(&text);
    let prompts: Vec<&InittabLine<'_>> = lines
        .iter()
        .filter(|line| {
            terminal_of_line(kind, line).is_some()
                && is_prompt_program(line.command.trim_start_matches('-'))
        })
        .collect();
    let live = prompts.iter().rev().find(|line| !line.is_comment);
    let after = live.or_else(|| prompts.last()).map(|line| line.number);
    let command = new_command(work, kind, &prompts, terminal);
    let new = match kind {
        InittabKind::System => {
            let id = free_id(work, paths, terminal, None);
            let levels = levels_with(work, live.map_or("2345", |line| line.levels));
            format!("{id}:{levels}:respawn:{command}")
        }
        InittabKind::Busybox if terminal == "console" => format!("::respawn:{command}"),
        InittabKind::Busybox => format!("{terminal}::respawn:{command}"),
    };
    work.draft.write(INITTAB, insert_line(&text, after, &new));
}

/// A line that starts nothing, as it must be to start something.
fn revive(
    work: &EditWork<'_>,
    kind: InittabKind,
    line: &InittabLine<'_>,
    terminal: &str,
) -> String {
    let command = with_speed(line.command, work.speed_for(terminal).as_deref());
    if kind == InittabKind::Busybox {
        return format!("{}:{}:respawn:{command}", line.id, line.levels);
    }
    let paths = sysvinit::paths(&work.draft.tree());
    let id = free_id(work, &paths, terminal, Some(line));
    let levels = levels_with(work, line.levels);
    format!("{id}:{levels}:respawn:{command}")
}

/// The runlevels of a line, with the default one among them.
fn levels_with(work: &EditWork<'_>, levels: &str) -> String {
    match sysvinit::default_level(&work.draft.tree()) {
        Some(level) if !levels.is_empty() && !levels.contains(level) => format!("{levels}{level}"),
        _ => levels.to_owned(),
    }
}

/// An id that no live line has: the line's own if it can stay, else one made of the terminal's name.
fn free_id(
    work: &EditWork<'_>,
    paths: &[String],
    terminal: &str,
    own: Option<&InittabLine<'_>>,
) -> String {
    let tree = work.draft.tree();
    let mut taken: Vec<&str> = Vec::new();
    for path in paths {
        let lines = inittab_lines(tree.text(path).unwrap_or_default());
        let others = lines
            .into_iter()
            .filter(|line| !line.is_comment && Some(line) != own);
        taken.extend(others.map(|line| line.id));
    }
    let number_at = terminal.find(|letter: char| letter.is_ascii_digit());
    let digits = number_at
        .and_then(|at| terminal.get(at..))
        .unwrap_or_default();
    let short = match terminal.strip_prefix("tty") {
        Some(rest) => rest.to_owned(),
        None if terminal == "console" => "co".to_owned(),
        None => format!("{}{digits}", terminal.get(..1).unwrap_or("g")),
    };
    let end: String = short.chars().rev().take(sysvinit::LONGEST_ID).collect();
    let end: String = end.chars().rev().collect();
    let candidates = own
        .map(|line| line.id.to_owned())
        .into_iter()
        .chain([end, format!("c{digits}"), format!("t{digits}")])
        .chain((1..1000).map(|at| format!("g{at}")));
    let fits = |id: &String| {
        (1..=sysvinit::LONGEST_ID).contains(&id.len()) && !taken.contains(&id.as_str())
    };
    candidates
        .into_iter()
        .find(fits)
        .unwrap_or_else(|| "gt".to_owned())
}

/// A command with another speed.
pub(super) fn with_speed(command: &str, speed: Option<&str>) -> String {
    let (Some(old), Some(new)) = (speed_in(command), speed) else {
        return command.to_owned();
    };
    let mut done = false;
    let words: Vec<String> = command
        .split(' ')
        .map(|word| {
            if !done && word.split(',').next() == Some(old) {
                done = true;
                return new.to_owned();
            }
            word.to_owned()
        })
        .collect();
    words.join(" ")
}

/// A command for a terminal that has no line: as the others of its kind have it, else the usual one.
fn new_command(
    work: &EditWork<'_>,
    kind: InittabKind,
    prompts: &[&InittabLine<'_>],
    terminal: &str,
) -> String {
    let of_kind = prompts.iter().find(|line| {
        let named = terminal_in(line.command);
        named.is_some_and(|named| is_virtual(named) == is_virtual(terminal) && named != "console")
    });
    if let Some(line) = of_kind.filter(|_| terminal != "console") {
        let words: Vec<String> = line
            .command
            .split(' ')
            .map(|word| match terminal_of(word) {
                Some(name) => word.replace(name, terminal),
                None => word.to_owned(),
            })
            .collect();
        return with_speed(&words.join(" "), work.speed_for(terminal).as_deref());
    }
    let speed = work.speed_for(terminal);
    let tree = work.draft.tree();
    let uses_agetty = prompts.iter().any(|line| line.command.contains("/agetty"));
    let has = |program: &str| tree.exists(program);
    if is_virtual(terminal) {
        return if uses_agetty || (!has("/sbin/getty") && has("/sbin/agetty")) {
            format!("/sbin/agetty 38400 {terminal} linux")
        } else {
            format!("/sbin/getty 38400 {terminal}")
        };
    }
    let speed = speed.unwrap_or_else(|| "115200".to_owned());
    let agetty = uses_agetty || (!has("/sbin/getty") && has("/sbin/agetty"));
    if agetty && kind == InittabKind::System {
        format!("/sbin/agetty -L {speed} {terminal} vt100")
    } else {
        format!("/sbin/getty -L {speed} {terminal} vt100")
    }
}
