//! Files of init systems, of boot loaders and of securetty: no panic, whatever stands in them and whichever
//! terminals are asked for, also after the planned edits.
//!
//! Seeds: .layout
//! Dictionary: console_files
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_consoles::{
    ConsoleRequest, ConsoleTable, ConsoleWish, SetupEdit, TerminalList, check, console_table_text,
    plan_consoles,
};
use surefoot_host::{Host, SetupContent, SetupFile};

fuzz_target!(|text: &str| {
    let mut parts = text.split("\n==== ");
    let head = parts.next().unwrap_or_default();
    let mut files: Vec<SetupFile> = Vec::new();
    for part in parts.take(64) {
        let (title, body) = part.split_once('\n').unwrap_or((part, ""));
        let (path, content) = if let Some((path, target)) = title.split_once(" -> ") {
            (path, SetupContent::Link(target.to_owned()))
        } else if let Some((path, words)) = title.split_once(" is a program") {
            let words = words.split_whitespace().map(str::to_owned).collect();
            (path, SetupContent::Program(words))
        } else {
            (title, SetupContent::Text(body.to_owned()))
        };
        let is_path = path.starts_with('/') && !path.ends_with('/') && !path.contains("//");
        if is_path && files.iter().all(|file| file.path != path) {
            files.push(SetupFile {
                path: path.to_owned(),
                content,
            });
        }
    }
    let mut host = Host::default();
    host.consoles.files = Some(files);
    let table = ConsoleTable::of(&host);
    let _ = console_table_text(&table);
    let _ = check(&host);
    for line in head.lines().filter_map(|line| line.strip_prefix("? ")).take(8) {
        let words: Vec<String> = line.split(' ').skip(1).map(str::to_owned).collect();
        let wish = match TerminalList::parse(&words) {
            Ok(TerminalList::Count(count)) => ConsoleWish::Count(count),
            Ok(TerminalList::Names(names)) if line.starts_with("add") => ConsoleWish::Add(names),
            Ok(TerminalList::Names(names)) if line.starts_with("remove") => ConsoleWish::Remove(names),
            Ok(TerminalList::Names(names)) => ConsoleWish::Set(names),
            Err(_) => continue,
        };
        let request = ConsoleRequest::new(wish);
        let Ok(plan) = plan_consoles(&host, &request) else {
            continue;
        };
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
        let _ = plan_consoles(&after, &request);
    }
});
