//! upstart: jobs in `/etc/init`. Only files that end in `.conf` are read, in sub-directories, too. The
//! terminal is the one that the job's command names, whatever the job is called. `NAME.override` may
//! take a job out with `manual`.

use super::inittab::inittab_lines;
use crate::prompt::{LoginPrompt, PromptStart, SetupReading, SetupRemark, is_prompt_program};
use crate::setup_tree::{SetupPlace, SetupTree, numbered};
use crate::terminal_name::terminal_in;

/// The job that names the default runlevel.
pub(crate) const DEFAULT_LEVEL_JOB: &str = "/etc/init/rc-sysinit.conf";
/// The folder of the jobs.
pub(crate) const JOBS: &str = "/etc/init";

/// A job that runs a getty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpstartJob<'a> {
    /// The file.
    pub(crate) path: &'a str,
    /// Its name.
    pub(crate) name: String,
    /// The terminal that its command names.
    pub(crate) terminal: &'a str,
    /// The line of the command.
    pub(crate) line: u32,
    /// The command.
    pub(crate) command: &'a str,
    /// Why it is not started; none if it is.
    pub(crate) idle: Option<String>,
}

/// Reads the login prompts.
pub(crate) fn read(tree: &SetupTree<'_>) -> SetupReading {
    let mut reading = SetupReading::default();
    for path in tree.paths_below(JOBS) {
        let known = [".conf", ".override"].iter().any(|end| path.ends_with(end));
        let text = tree.text(path).unwrap_or_default();
        if !known && command_of(text).is_some() {
            reading.remarks.push(SetupRemark {
                place: SetupPlace::file(path),
                what: "upstart does not read it: its name does not end in `.conf`".to_owned(),
                is_unread: true,
            });
        }
    }
    for job in jobs(tree, JOBS, ".conf") {
        let place = SetupPlace::line(job.path, job.line);
        if let Some(why) = &job.idle {
            reading.idle(job.terminal, place, why.clone());
            continue;
        }
        if job.name != job.terminal && terminal_in(&job.name).is_some() {
            reading.remark(
                place.clone(),
                format!(
                    "job {} runs a getty on {}, not on {}",
                    job.name, job.terminal, job.name
                ),
            );
        }
        reading.prompts.push(LoginPrompt {
            terminal: job.terminal.to_owned(),
            by: format!("job {}", job.name),
            place,
            program: job.command.to_owned(),
            start: PromptStart::Boot,
            remark: None,
        });
    }
    reading
}

/// The jobs that run a getty on a terminal that they name.
pub(crate) fn jobs<'a>(tree: &SetupTree<'a>, folder: &str, ending: &str) -> Vec<UpstartJob<'a>> {
    let level = default_level(tree);
    let mut found = Vec::new();
    for path in tree.paths_below(folder) {
        let Some(stem) = path.strip_suffix(ending) else {
            continue;
        };
        let Some(text) = tree.text(path) else {
            continue;
        };
        let Some((line, command)) = command_of(text) else {
            continue;
        };
        let Some(terminal) = terminal_in(command) else {
            continue;
        };
        let name = stem
            .strip_prefix(folder)
            .unwrap_or(stem)
            .trim_start_matches('/');
        found.push(UpstartJob {
            path,
            name: name.to_owned(),
            terminal,
            line,
            command,
            idle: why_idle(tree, stem, text, level),
        });
    }
    found
}

/// The command of a job: its `exec`, or a line of its script that runs a getty.
fn command_of(text: &str) -> Option<(u32, &str)> {
    numbered(text).find_map(|(number, line)| {
        let line = line.trim();
        if line.starts_with('#') {
            return None;
        }
        let command = line.strip_prefix("exec").map_or(line, str::trim_start);
        (is_prompt_program(command) && !command.starts_with("start on"))
            .then_some((number, command))
    })
}

fn why_idle(tree: &SetupTree<'_>, stem: &str, text: &str, level: char) -> Option<String> {
    let override_path = format!("{stem}.override");
    let changes = tree.text(&override_path).unwrap_or_default();
    if has_line(changes, "manual") {
        return Some(format!("{override_path} says `manual`"));
    }
    if has_line(text, "manual") {
        return Some("the job says `manual`".to_owned());
    }
    let start = start_condition(changes)
        .or_else(|| start_condition(text))
        .unwrap_or_default();
    if start.is_empty() {
        return Some("the job has no `start on`".to_owned());
    }
    match starts_in(&start, level) {
        Some(false) => Some(format!("it is not for runlevel {level}, the default")),
        _ => None,
    }
}

fn has_line(text: &str, wanted: &str) -> bool {
    text.lines().any(|line| line.trim() == wanted)
}

/// All that stands behind `start on`, over lines that parentheses or a backslash hold together.
fn start_condition(text: &str) -> Option<String> {
    let mut conditions = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(rest) = line.trim().strip_prefix("start on") else {
            continue;
        };
        let mut whole = rest.to_owned();
        let open = |text: &str| {
            text.matches('(').count() > text.matches(')').count() || text.ends_with('\\')
        };
        while open(&whole) {
            let Some(next) = lines.next() else {
                break;
            };
            whole = format!("{} {}", whole.trim_end_matches('\\'), next.trim());
        }
        conditions.push_str(&whole);
        conditions.push('\n');
    }
    (!conditions.is_empty()).then_some(conditions)
}

/// Whether a condition holds in a runlevel; none if it does not speak of runlevels.
fn starts_in(condition: &str, level: char) -> Option<bool> {
    let mut spoken = None;
    let words = condition
        .split(|letter: char| letter.is_whitespace() || letter == '(' || letter == ')')
        .filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    for (at, word) in words.iter().enumerate() {
        let levels = if let Some(levels) = word.strip_prefix("RUNLEVEL=") {
            levels
        } else if *word == "runlevel" {
            words.get(at + 1).copied().unwrap_or_default()
        } else if let Some(levels) = word.strip_prefix("rc").filter(|rest| rest.len() == 1) {
            // `stopped rc2` of the first versions.
            levels
        } else {
            continue;
        };
        let levels = levels.strip_prefix("RUNLEVEL=").unwrap_or(levels);
        let holds = match levels.strip_prefix("[!") {
            Some(not) => !not.contains(level),
            None => levels.contains(level),
        };
        spoken = Some(spoken.unwrap_or(false) || holds);
    }
    spoken
}

/// The runlevel of an ordinary boot: `DEFAULT_RUNLEVEL` of the job that switches to it, or what the
/// inittab still says.
pub(crate) fn default_level(tree: &SetupTree<'_>) -> char {
    let inittab = tree.text("/etc/inittab").unwrap_or_default();
    let named = inittab_lines(inittab)
        .into_iter()
        .find(|line| !line.is_comment && line.action == "initdefault")
        .and_then(|line| line.levels.chars().next());
    let in_job = tree.text(DEFAULT_LEVEL_JOB).and_then(|text| {
        text.lines().find_map(|line| {
            let value = line.trim().strip_prefix("env DEFAULT_RUNLEVEL=")?;
            value.chars().next()
        })
    });
    named.or(in_job).unwrap_or('2')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_says_in_which_runlevels_a_job_starts() {
        for (condition, level, holds) in [
            ("stopped rc RUNLEVEL=[2345]", '2', Some(true)),
            ("stopped rc RUNLEVEL=[2345]", '1', Some(false)),
            ("runlevel [23]", '5', Some(false)),
            ("(runlevel [23] and (not-container))", '2', Some(true)),
            ("runlevel 2\n runlevel 3", '3', Some(true)),
            ("stopped rc RUNLEVEL=[!016]", '2', Some(true)),
            ("stopped rc3", '3', Some(true)),
            ("filesystem", '2', None),
        ] {
            assert_eq!(starts_in(condition, level), holds, "{condition}");
        }
    }

    #[test]
    fn a_condition_may_have_several_lines() {
        let text = "start on (stopped rc\n  and runlevel [2])\nexec x\n";
        let found = start_condition(text).unwrap_or_default();
        assert!(found.contains("runlevel [2]"), "{found}");
    }
}
