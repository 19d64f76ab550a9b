//! What a layout asks, as requests and as text.

use std::fmt::Write as _;

use surefoot_consoles::{
    ConsolePlan, ConsoleRequest, ConsoleTable, ConsoleWish, SetupEdit, TerminalList,
    console_table_text, plan_consoles,
};
use surefoot_host::{Host, SetupContent, SetupFile};

use super::Layout;

/// The request of a line such as `add ttyS0 --baud 9600`.
pub(crate) fn request_of(line: &str) -> ConsoleRequest {
    let words: Vec<&str> = line.split(' ').collect();
    let value = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1)?.parse().ok()
    };
    let list = words
        .iter()
        .skip(1)
        .take_while(|word| !word.starts_with("--"));
    let list: Vec<String> = list.map(|word| (*word).to_owned()).collect();
    let list = TerminalList::parse(&list).expect("a list of terminals");
    let wish = match (words[0], list) {
        ("set", TerminalList::Count(count)) => ConsoleWish::Count(count),
        ("set", TerminalList::Names(names)) => ConsoleWish::Set(names),
        ("add", TerminalList::Names(names)) => ConsoleWish::Add(names),
        ("remove", TerminalList::Names(names)) => ConsoleWish::Remove(names),
        other => panic!("{line}: {other:?}"),
    };
    ConsoleRequest {
        speed: value("--baud"),
        on_demand: value("--on-demand"),
        may_lose_console: words.contains(&"--no-console"),
        ..ConsoleRequest::new(wish)
    }
}

/// The answer to a line.
pub(crate) fn answer(layout: &Layout, line: &str) -> String {
    if line == "show" {
        return console_table_text(&ConsoleTable::of(&layout.host()));
    }
    match plan_consoles(&layout.host(), &request_of(line)) {
        Ok(plan) => plan_text(&plan),
        Err(error) => format!("error: {error}\n"),
    }
}

fn plan_text(plan: &ConsolePlan) -> String {
    let mut text = format!("login prompts at boot: {}\n", plan.wanted.join(", "));
    for (what, names) in [("added", &plan.added), ("removed", &plan.removed)] {
        if !names.is_empty() {
            let _ = writeln!(text, "{what}: {}", names.join(", "));
        }
    }
    for edit in &plan.edits {
        match edit {
            SetupEdit::Write {
                path,
                before,
                text: after,
                program,
            } => {
                let before = before.as_deref().unwrap_or_default();
                let diff = similar::TextDiff::from_lines(before, after);
                let kind = if *program { " (a program)" } else { "" };
                let _ = write!(
                    text,
                    "write {path}{kind}\n{}",
                    diff.unified_diff().context_radius(1)
                );
            }
            SetupEdit::Link { path, target } => {
                let _ = writeln!(text, "link {path} -> {target}");
            }
            SetupEdit::Remove { path } => {
                let _ = writeln!(text, "remove {path}");
            }
        }
    }
    if plan.edits.is_empty() {
        text.push_str("nothing to change\n");
    }
    for words in &plan.acts.apply {
        let _ = writeln!(text, "run {}", words.join(" "));
    }
    for note in &plan.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

/// The facts after the edits of a plan.
pub(crate) fn host_after(host: &Host, plan: &ConsolePlan) -> Host {
    let mut after = host.clone();
    let mut files = after.consoles.files.take().unwrap_or_default();
    for edit in &plan.edits {
        files.retain(|file| file.path != edit.path());
        let content = match edit {
            SetupEdit::Write { text, .. } => SetupContent::Text(text.clone()),
            SetupEdit::Link { target, .. } => SetupContent::Link(target.clone()),
            SetupEdit::Remove { .. } => continue,
        };
        files.push(SetupFile {
            path: edit.path().to_owned(),
            content,
        });
    }
    after.consoles.files = Some(files);
    after
}
