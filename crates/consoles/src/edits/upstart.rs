//! Edits of upstart's jobs.

use super::inittab::with_speed;
use super::{ConsoleError, EditWish, EditWork};
use crate::inits::inittab::change_lines;
use crate::inits::upstart::{UpstartJob, jobs};
use crate::setup_tree::has_ending;
use crate::terminal_name::is_virtual;

/// The ending of a job that is kept and not read.
const KEPT: &str = ".disabled";

/// Makes the edits of jobs in a folder.
pub(super) fn edit(
    work: &mut EditWork<'_>,
    wish: &EditWish<'_>,
    folder: &str,
    ending: &str,
) -> Result<(), ConsoleError> {
    for terminal in wish.added {
        add_job(work, folder, ending, terminal)?;
    }
    for terminal in wish.respeeded {
        set_speed(work, folder, ending, terminal);
    }
    for terminal in wish.removed {
        let found = jobs_of(work, folder, ending, terminal);
        for (path, name) in found {
            stop_job(work, ending, &path, &name);
        }
    }
    for terminal in wish.double {
        // The job that is called like the terminal stays.
        let found = jobs_of(work, folder, ending, terminal);
        let own = found
            .iter()
            .position(|(_, name)| name == terminal)
            .unwrap_or(0);
        for (at, (path, name)) in found.into_iter().enumerate() {
            if at != own {
                stop_job(work, ending, &path, &name);
            }
        }
    }
    Ok(())
}

/// Gives the jobs of a terminal another speed.
fn set_speed(work: &mut EditWork<'_>, folder: &str, ending: &str, terminal: &str) {
    let speed = work.speed_for(terminal);
    let tree = work.draft.tree();
    let found = jobs(&tree, folder, ending);
    let lines: Vec<(String, u32, String)> = found
        .iter()
        .filter(|job| job.terminal == terminal && job.idle.is_none())
        .map(|job| (job.path.to_owned(), job.line, job.name.clone()))
        .collect();
    for (path, line, name) in lines {
        let text = work.draft.text(&path);
        let changed = change_lines(&text, |number, old| {
            (number == line).then(|| with_speed(old, speed.as_deref()))
        });
        if changed != text {
            work.draft.write(&path, changed);
            work.act(&["initctl", "stop", &name], &["initctl", "stop", &name]);
            work.act(&["initctl", "start", &name], &["initctl", "start", &name]);
        }
    }
}

/// The started jobs of a terminal: file and name.
fn jobs_of(
    work: &EditWork<'_>,
    folder: &str,
    ending: &str,
    terminal: &str,
) -> Vec<(String, String)> {
    let tree = work.draft.tree();
    let found = jobs(&tree, folder, ending);
    let started = found
        .iter()
        .filter(|job| job.terminal == terminal && job.idle.is_none());
    started
        .map(|job| (job.path.to_owned(), job.name.clone()))
        .collect()
}

/// Takes a job out: an override where upstart knows them, else another name; what lies in event.d is
/// read whatever its name is, so its conditions become comments.
fn stop_job(work: &mut EditWork<'_>, ending: &str, path: &str, name: &str) {
    let text = work.draft.text(path);
    if ending.is_empty() {
        let changed = change_lines(&text, |_, line| {
            line.trim_start()
                .starts_with("start on")
                .then(|| format!("#{line}"))
        });
        work.draft.write(path, changed);
    } else if knows_overrides(work) {
        let over = path.replace(".conf", ".override");
        let mut changes = work.draft.text(&over);
        if !changes.is_empty() && !changes.ends_with('\n') {
            changes.push('\n');
        }
        changes.push_str("manual\n");
        work.draft.write(&over, changes);
    } else {
        work.draft.write(&format!("{path}{KEPT}"), text);
        work.draft.remove(path);
    }
    work.act(&["initctl", "stop", name], &["initctl", "start", name]);
}

/// Whether this upstart reads overrides: 1.3 and later do, which Ubuntu has since 11.04.
fn knows_overrides(work: &EditWork<'_>) -> bool {
    let tree = work.draft.tree();
    let jobs = tree.paths_below("/etc/init");
    if jobs.iter().any(|path| has_ending(path, "override")) {
        return true;
    }
    let release = tree.text("/etc/lsb-release").and_then(|text| {
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix("DISTRIB_RELEASE="))?;
        value.trim().replace('.', "").parse::<u32>().ok()
    });
    release.is_some_and(|release| release >= 1104)
}

/// Gives a terminal a job: one that is kept, held or runs on another terminal is mended, else it is made.
pub(super) fn add_job(
    work: &mut EditWork<'_>,
    folder: &str,
    ending: &str,
    terminal: &str,
) -> Result<(), ConsoleError> {
    let path = format!("{folder}/{terminal}{ending}");
    let kept = format!("{path}{KEPT}");
    let name = terminal.to_owned();
    let tree = work.draft.tree();
    let found = jobs(&tree, folder, ending);
    let job = found
        .iter()
        .find(|job| job.terminal == terminal && job.idle.is_some());
    let wrong = found
        .iter()
        .find(|job| job.path == path && job.terminal != terminal && job.idle.is_none());
    if let Some(job) = job {
        let changed = revived(work, job);
        let path = job.path.to_owned();
        match changed {
            Revival::Override(over, text) if text.trim().is_empty() => work.draft.remove(&over),
            Revival::Override(over, text) => work.draft.write(&over, text),
            Revival::Text(text) => work.draft.write(&path, text),
            Revival::Impossible(why) => return Err(ConsoleError::InTheWay { what: why }),
        }
    } else if let Some(job) = wrong {
        // A copy of another job in which the terminal was not changed.
        let (line, old) = (job.line, job.terminal.to_owned());
        let speed = work.speed_for(terminal);
        let text = work.draft.text(&path);
        let changed = change_lines(&text, |number, text| {
            let replaced = text.replace(&old, terminal);
            (number == line).then(|| with_speed(&replaced, speed.as_deref()))
        });
        work.draft.write(&path, changed);
        work.act(&["initctl", "stop", &name], &[]);
    } else if let Some(text) = tree.text(&kept).map(ToOwned::to_owned) {
        work.draft.remove(&kept);
        work.draft.write(&path, text);
    } else if tree.exists(&path) {
        return Err(ConsoleError::InTheWay {
            what: format!(
                "{path} is there and is no job with a login prompt on {terminal}; move it away first"
            ),
        });
    } else {
        let text = new_job(work, &found, terminal);
        work.draft.write(&path, text);
    }
    work.act(&["initctl", "start", &name], &["initctl", "stop", &name]);
    Ok(())
}

/// How a job that is not started comes back.
enum Revival {
    Override(String, String),
    Text(String),
    Impossible(String),
}

fn revived(work: &EditWork<'_>, job: &UpstartJob<'_>) -> Revival {
    let over = job.path.replace(".conf", ".override");
    let changes = work.draft.text(&over);
    if changes.lines().any(|line| line.trim() == "manual") {
        let lines = changes
            .split_inclusive('\n')
            .filter(|line| line.trim() != "manual");
        return Revival::Override(over, lines.collect());
    }
    let text = work.draft.text(job.path);
    let changed = change_lines(&text, |_, line| {
        let trimmed = line.trim_start();
        if trimmed == "manual" {
            return Some(format!("#{line}"));
        }
        let bare = trimmed.strip_prefix('#')?.trim_start();
        bare.starts_with("start on").then(|| bare.to_owned())
    });
    if changed == text {
        return Revival::Impossible(format!(
            "{} has conditions that do not hold in the default runlevel; change its `start on`",
            job.path
        ));
    }
    Revival::Text(changed)
}

/// A job like the others of its kind, else the usual one.
fn new_job(work: &EditWork<'_>, others: &[UpstartJob<'_>], terminal: &str) -> String {
    let model = others
        .iter()
        .find(|job| job.idle.is_none() && is_virtual(job.terminal) && is_virtual(terminal));
    if let Some(job) = model {
        let text = work.draft.text(job.path);
        // A word that only begins with the other's name is another one.
        let words = text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric());
        let replaced = words.map(|piece| {
            let end = piece
                .char_indices()
                .next_back()
                .filter(|(_, letter)| !letter.is_ascii_alphanumeric())
                .map_or(piece.len(), |(at, _)| at);
            match piece.get(..end) {
                Some(word) if word == job.terminal => format!("{terminal}{}", &piece[end..]),
                _ => piece.to_owned(),
            }
        });
        return replaced.collect();
    }
    let tree = work.draft.tree();
    let speed = work
        .speed_for(terminal)
        .unwrap_or_else(|| "115200".to_owned());
    let red_hat = tree.exists("/etc/init/start-ttys.conf");
    let command = match (red_hat, is_virtual(terminal)) {
        (true, _) => format!("/sbin/agetty /dev/{terminal} {speed} vt100-nav"),
        (false, true) => format!("/sbin/getty -8 38400 {terminal}"),
        (false, false) => format!("/sbin/getty -L {speed} {terminal} vt102"),
    };
    let (start, stop) = if tree.has_folder("/etc/event.d") && !tree.has_folder("/etc/init") {
        (
            "start on stopped rc2\nstart on stopped rc3\nstart on stopped rc4\nstart on stopped rc5",
            "stop on runlevel 0\nstop on runlevel 1\nstop on runlevel 6",
        )
    } else if red_hat {
        (
            "start on stopped rc RUNLEVEL=[2345]",
            "stop on runlevel [S016]",
        )
    } else {
        (
            "start on stopped rc RUNLEVEL=[2345]",
            "stop on runlevel [!2345]",
        )
    };
    format!("# {terminal} - getty\n\n{start}\n{stop}\n\nrespawn\nexec {command}\n")
}
