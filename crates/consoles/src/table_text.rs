//! The table as text for people.

use std::fmt::Write as _;

use surefoot_report::escape;

use crate::platform::PromptNeed;
use crate::prompt::PromptStart;
use crate::root_login::RootLogin;
use crate::table::{ConsoleTable, TerminalPresence, TerminalRow};

/// Writes the table, and under it what each answer rests on.
pub fn console_table_text(table: &ConsoleTable) -> String {
    let mut text = String::new();
    match (&table.init, &table.init_unknown) {
        (_, Some(why)) => {
            let _ = writeln!(text, "init system: unknown: {}", escape(why));
        }
        (Some(init), None) => {
            let doubt = table.init_doubt.as_deref();
            let doubt = doubt.map(|doubt| format!(", {}", escape(doubt)));
            let _ = writeln!(
                text,
                "init system: {}{}",
                init.words(),
                doubt.unwrap_or_default()
            );
        }
        (None, None) => {}
    }
    let _ = writeln!(text, "kernel console: {}", kernel_line(table));
    if let Some(place) = &table.seen.place {
        let shows = match &table.seen.terminal {
            Some(terminal) => format!(", which shows {terminal}"),
            None => String::new(),
        };
        let _ = writeln!(text, "runs on: {}{}", escape(place), escape(&shows));
    }
    if table.terminals.is_empty() {
        if table.init_unknown.is_none() {
            text.push_str("\nno terminal gets a login prompt\n");
        }
        return text;
    }
    text.push('\n');
    rows(table, &mut text);
    notes(table, &mut text);
    text
}

fn kernel_line(table: &ConsoleTable) -> String {
    let kernel = &table.kernel;
    let mut line = match &kernel.main {
        Some(main) => escape(main).into_owned(),
        None => "unknown".to_owned(),
    };
    if let Some(place) = &kernel.place {
        let _ = write!(line, " ({})", escape(&place.to_string()));
    }
    let others: Vec<&str> = kernel
        .active
        .iter()
        .filter(|name| Some(*name) != kernel.main.as_ref())
        .map(String::as_str)
        .collect();
    if !others.is_empty() {
        let _ = write!(line, "; messages also on {}", escape(&others.join(", ")));
    }
    for word in kernel.words.iter().filter(|word| !word.used) {
        let _ = write!(
            line,
            "; {} is not used: it is the second of its kind",
            escape(&word.name)
        );
    }
    if let Some(doubt) = &kernel.doubt {
        let _ = write!(line, "\n  {}", escape(doubt));
    }
    line
}

fn rows(table: &ConsoleTable, text: &mut String) {
    let head = [
        "TERMINAL",
        "EXISTS",
        "LOGIN",
        "RUNNING",
        "ROOT",
        "KERNEL",
        "NEEDED",
        "SET UP BY",
    ];
    let mut lines: Vec<[String; 8]> = vec![head.map(ToOwned::to_owned)];
    for row in &table.terminals {
        let by = row.prompts.first().map(|prompt| prompt.place.to_string());
        lines.push([
            escape(&row.terminal).into_owned(),
            row.exists.word().to_owned(),
            login_word(table, row).to_owned(),
            row.running.word().to_owned(),
            row.root.word().to_owned(),
            row.kernel.word().to_owned(),
            row.needed.word().to_owned(),
            escape(&by.unwrap_or_else(|| "-".to_owned())).into_owned(),
        ]);
    }
    let widths: Vec<usize> = (0..7)
        .map(|column| {
            lines
                .iter()
                .map(|line| line[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for line in lines {
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(text, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", line[7]);
    }
}

/// When a terminal gets a prompt, in words.
fn login_word(table: &ConsoleTable, row: &TerminalRow) -> &'static str {
    if table.init_unknown.is_some() {
        return "unknown";
    }
    let mut starts: Vec<PromptStart> = row.prompts.iter().map(|prompt| prompt.start).collect();
    starts.sort();
    match starts.first() {
        Some(PromptStart::Boot) if row.prompts.len() > 1 => "twice",
        Some(PromptStart::Boot) => "at boot",
        Some(PromptStart::Generated) => "generated",
        Some(PromptStart::Demand) => "on demand",
        Some(PromptStart::Unsure) => "unsure",
        None => "none",
    }
}

/// What is not said by a word in the table.
fn notes(table: &ConsoleTable, text: &mut String) {
    let mut lines: Vec<String> = Vec::new();
    for row in &table.terminals {
        let name = &row.terminal;
        for prompt in row.prompts.iter().skip(1) {
            lines.push(format!("{name}: also by {} ({})", prompt.by, prompt.place));
        }
        for prompt in &row.prompts {
            if let Some(remark) = &prompt.remark {
                lines.push(format!("{name}: {remark} ({})", prompt.place));
            }
        }
        for entry in &row.idle {
            lines.push(format!(
                "{name}: starts nothing, {}: {}",
                entry.place, entry.why
            ));
        }
        if let TerminalPresence::No(why) = &row.exists {
            lines.push(format!("{name}: does not exist: {why}"));
        }
        let is_needed = matches!(row.needed, PromptNeed::Yes(_));
        if let RootLogin::Refused(why) = &row.root
            && (is_needed || !row.prompts.is_empty())
        {
            lines.push(format!("{name}: root is refused: {why}"));
        }
        if is_needed && !row.starts_at_boot() && table.init_unknown.is_none() {
            lines.push(format!(
                "{name}: has no login prompt, and needs one: {}",
                row.needed.why()
            ));
        }
    }
    for remark in &table.remarks {
        lines.push(format!("{}: {}", remark.place, remark.what));
    }
    // What is unknown for all terminals is said once.
    for (column, why) in [
        (
            "EXISTS",
            common(table, |row| match &row.exists {
                TerminalPresence::Unknown(why) => Some(why.as_str()),
                _ => None,
            }),
        ),
        (
            "ROOT",
            common(table, |row| {
                matches!(row.root, RootLogin::Unknown(_)).then(|| row.root.why())
            }),
        ),
        (
            "NEEDED",
            common(table, |row| {
                matches!(row.needed, PromptNeed::Unknown(_)).then(|| row.needed.why())
            }),
        ),
    ] {
        for why in why {
            lines.push(format!("{column} unknown: {why}"));
        }
    }
    if !lines.is_empty() {
        text.push('\n');
    }
    for line in lines {
        let _ = writeln!(text, "{}", escape(&line));
    }
}

/// The different reasons for an answer, in their order.
fn common<'a>(
    table: &'a ConsoleTable,
    why: impl Fn(&'a TerminalRow) -> Option<&'a str>,
) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for reason in table.terminals.iter().filter_map(why) {
        if !found.contains(&reason) {
            found.push(reason);
        }
    }
    found
}
