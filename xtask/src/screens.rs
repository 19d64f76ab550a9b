//! Screens in documents: a `console` block whose first line is `$ surefoot …` is run, and what it
//! prints is put below the line.
//!
//! The block ends with `[exit status: N]` where the status is not 0. Commands run in the folder of
//! the workspace with nothing of the caller's environment but `PATH`, through `sh`, so that pipes
//! work as typed.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::{Outcome, root};

/// The document with every screen run again.
pub(crate) fn refresh(document: &str, surefoot: &Path) -> Outcome<String> {
    let mut fresh = String::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        fresh.push_str(line);
        fresh.push('\n');
        if line != "```console" {
            continue;
        }
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match block
            .first()
            .and_then(|line| line.strip_prefix("$ surefoot "))
        {
            Some(_) => fresh.push_str(&screen(block[0], surefoot)?),
            None => block
                .iter()
                .for_each(|line| fresh = format!("{fresh}{line}\n")),
        }
        fresh.push_str("```\n");
    }
    Ok(fresh)
}

fn screen(prompt: &str, surefoot: &Path) -> Outcome<String> {
    let typed = prompt.trim_start_matches("$ ");
    let folder = surefoot.parent().ok_or("the program has no folder")?;
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .args(["-c", &format!("{typed} 2>&1")])
        .current_dir(root())
        .env_clear()
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run `{typed}`: {error}"))?;
    let text = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
    let mut shown = format!("{prompt}\n");
    // The time that a step takes depends on the machine: lines about its progress are left out.
    let progress = |line: &&str| line.ends_with(" …") && !line.starts_with(' ');
    for line in text.lines().filter(|line| !progress(line)) {
        shown.extend([line, "\n"]);
    }
    if !shown.ends_with('\n') {
        shown.push('\n');
    }
    match output.status.code() {
        Some(0) => {}
        Some(code @ 1..=4) => shown.extend(["[exit status: ", &code.to_string(), "]\n"]),
        _ => return Err(format!("`{typed}` ended with {}", output.status)),
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_blocks_stay_as_they_are() {
        let text = "a\n```console\n$ ls\nx\n```\nb\n";
        assert_eq!(refresh(text, Path::new("/bin/true")).unwrap(), text);
    }
}
