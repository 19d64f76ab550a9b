//! What daemons wrote to systemd's journal, within a deadline.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::discover::{JournaldEntry, read_journald_line};
use crate::observation::{HopFacts, JOURNAL_SOURCE, LogLine};

/// So long before the symptom is looked.
const BEFORE: u64 = 600;
/// So many lines of before are kept for each hop.
const LINES_BEFORE: usize = 5;
/// No more of its output is read.
const MOST_BYTES: u64 = 4 << 20;

/// Adds to hops what they wrote to the journal; `since` is when the symptom began to be shown, in microseconds since
/// 1970. Says why where that cannot be seen.
pub(super) fn take_journald(hops: &mut [HopFacts], since: u64) -> Option<String> {
    let units: BTreeSet<&str> = hops.iter().filter_map(|hop| hop.unit.as_deref()).collect();
    let pids: BTreeSet<u32> = hops
        .iter()
        .filter(|hop| {
            hop.unit.is_some() || hop.processes.iter().any(|it| writes_to_journal(it.pid))
        })
        .flat_map(|hop| hop.processes.iter().map(|process| process.pid))
        .take(256)
        .collect();
    if units.is_empty() && pids.is_empty() {
        return None;
    }
    let is_kept = ["/run/log/journal", "/var/log/journal"]
        .iter()
        .any(|folder| Path::new(folder).is_dir());
    if !is_kept {
        return Some("systemd's journal: none is kept here".to_owned());
    }
    let entries = match ask_journalctl(&units, &pids, since / 1_000_000) {
        Ok(entries) => entries,
        Err(why) => return Some(format!("systemd's journal: {why}")),
    };
    for hop in hops {
        let is_own = |entry: &&JournaldEntry| {
            let has_pid = hop.processes.iter().any(|it| Some(it.pid) == entry.pid);
            has_pid || (entry.unit.is_some() && entry.unit == hop.unit)
        };
        let source = match (&hop.unit, hop.processes.first()) {
            (Some(unit), _) => format!("{JOURNAL_SOURCE}{unit}"),
            (None, Some(process)) => format!("{JOURNAL_SOURCE}{}", process.pid),
            (None, None) => continue,
        };
        let lines = entries.iter().filter(is_own).map(|entry| LogLine {
            file: source.clone(),
            text: entry.text.trim().chars().take(400).collect(),
            is_fresh: entry.micros >= since,
        });
        let mut lines: Vec<LogLine> = lines.filter(|line| !line.text.is_empty()).collect();
        let before = lines.iter().filter(|line| !line.is_fresh).count();
        hop.logs
            .extend(lines.split_off(before.saturating_sub(LINES_BEFORE)));
    }
    None
}

/// Whether the standard error of a process is a socket, as it is for what systemd starts.
fn writes_to_journal(pid: u32) -> bool {
    let target = std::fs::read_link(format!("/proc/{pid}/fd/2"));
    target.is_ok_and(|target| target.to_string_lossy().starts_with("socket:["))
}

fn ask_journalctl(
    units: &BTreeSet<&str>,
    pids: &BTreeSet<u32>,
    since: u64,
) -> Result<Vec<JournaldEntry>, String> {
    let mut matches: Vec<String> = Vec::new();
    for unit in units {
        matches.push(format!("_SYSTEMD_UNIT={unit}"));
        matches.push(format!("UNIT={unit}"));
    }
    matches.extend(pids.iter().map(|pid| format!("_PID={pid}")));
    let mut words: Vec<String> = [
        "-k",
        "1",
        "1.5",
        "journalctl",
        "-o",
        "json",
        "-q",
        "--no-pager",
    ]
    .map(str::to_owned)
    .to_vec();
    words.extend(["-n".to_owned(), "1000".to_owned()]);
    words.push(format!("--since=@{}", since.saturating_sub(BEFORE)));
    for (at, one) in matches.into_iter().enumerate() {
        if at > 0 {
            words.push("+".to_owned());
        }
        words.push(one);
    }
    let mut child = Command::new("timeout")
        .args(&words)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("journalctl cannot be run: {error}"))?;
    let mut bytes = Vec::new();
    if let Some(output) = child.stdout.take() {
        let read = output.take(MOST_BYTES).read_to_end(&mut bytes);
        read.map_err(|error| format!("journalctl cannot be read: {error}"))?;
    }
    let status = child
        .wait()
        .map_err(|error| format!("journalctl cannot be waited for: {error}"))?;
    match status.code() {
        Some(127) => return Err("there is no journalctl".to_owned()),
        Some(124 | 137) => return Err("journalctl did not end within 1.5 s".to_owned()),
        _ => {}
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().filter_map(read_journald_line).collect())
}
