//! upstart of before 0.6: jobs in `/etc/event.d`, whatever they are called.

use super::upstart::jobs;
use crate::prompt::{LoginPrompt, PromptStart, SetupReading};
use crate::setup_tree::{SetupPlace, SetupTree};

/// The folder of the jobs.
pub(crate) const JOBS: &str = "/etc/event.d";

/// Reads the login prompts.
pub(crate) fn read(tree: &SetupTree<'_>) -> SetupReading {
    let mut reading = SetupReading::default();
    for job in jobs(tree, JOBS, "") {
        let place = SetupPlace::line(job.path, job.line);
        // What editors and packages leave behind is passed over.
        let is_left_over = job.name.starts_with('.')
            || [
                "~",
                ".bak",
                ".swp",
                ".rpmnew",
                ".rpmsave",
                ".dpkg-old",
                ".dpkg-dist",
            ]
            .iter()
            .any(|end| job.name.ends_with(end));
        if is_left_over {
            reading.idle(
                job.terminal,
                place,
                "upstart does not read files of such a name",
            );
        } else if let Some(why) = job.idle {
            reading.idle(job.terminal, place, why);
        } else {
            reading.prompts.push(LoginPrompt {
                terminal: job.terminal.to_owned(),
                by: format!("job {}", job.name),
                place,
                program: job.command.to_owned(),
                start: PromptStart::Boot,
                remark: None,
            });
        }
    }
    reading
}
