//! Whether the login prompts that were set up run: looked at until they do, or for so long.

use std::time::{Duration, Instant};

use serde::Serialize;
use surefoot_host::{Host, LiveOptions};

use crate::edits::ConsolePlan;
use crate::running::{RunningPrompt, running_prompts};

/// What runs after a change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PromptOutcome {
    /// The terminals whose prompt runs, or where somebody is logged in.
    pub running: Vec<String>,
    /// The terminals whose prompt should run and does not.
    pub silent: Vec<String>,
    /// The terminals whose prompt should have ended and runs on.
    pub lingering: Vec<String>,
}

impl PromptOutcome {
    /// Whether all is as it was set up.
    pub fn is_complete(&self) -> bool {
        self.silent.is_empty() && self.lingering.is_empty()
    }
}

/// Waits until exactly the prompts of a plan run.
pub fn wait_for_prompts(plan: &ConsolePlan, longest: Duration, now: u64) -> PromptOutcome {
    let end = Instant::now() + longest;
    loop {
        let options = LiveOptions {
            now,
            keep_secrets: false,
        };
        let outcome = outcome(plan, &Host::live_consoles(&options));
        if outcome.is_complete() || Instant::now() >= end {
            return outcome;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn outcome(plan: &ConsolePlan, host: &Host) -> PromptOutcome {
    let found = running_prompts(host);
    let main = host
        .consoles
        .active
        .as_ref()
        .and_then(|active| active.last());
    let on = |terminal: &String| {
        let other = match main {
            Some(main) if terminal == "console" => Some(main.as_str()),
            Some(main) if terminal == main => Some("console"),
            _ => None,
        };
        found.get(terminal).or_else(|| found.get(other?))
    };
    let mut outcome = PromptOutcome::default();
    for terminal in &plan.wanted {
        match on(terminal) {
            Some(RunningPrompt::Yes(_) | RunningPrompt::InUse(_)) => {
                outcome.running.push(terminal.clone());
            }
            _ => outcome.silent.push(terminal.clone()),
        }
    }
    for terminal in &plan.removed {
        if matches!(found.get(terminal), Some(RunningPrompt::Yes(_))) {
            outcome.lingering.push(terminal.clone());
        }
    }
    outcome
}
