//! Says what is going on once a step takes longer than half a second.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A step that is over before this is not worth a word.
const PATIENCE: Duration = Duration::from_millis(500);

/// Shows the current step on standard error; its line is gone when this is dropped.
pub(crate) struct Progress {
    steps: Option<Sender<String>>,
    painter: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts to watch; says nothing at all if `quiet`.
    pub(crate) fn new(quiet: bool) -> Self {
        if quiet {
            return Self {
                steps: None,
                painter: None,
            };
        }
        let (steps, inbox) = mpsc::channel();
        // Without memory for one more thread the work is done in silence.
        let painter = std::thread::Builder::new().spawn(move || paint(&inbox));
        Self {
            steps: painter.is_ok().then_some(steps),
            painter: painter.ok(),
        }
    }

    /// Names the step that begins now.
    pub(crate) fn step(&self, what: impl Into<String>) {
        if let Some(steps) = &self.steps {
            // The painter ends only after us.
            let _ = steps.send(what.into());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.steps.take());
        if let Some(painter) = self.painter.take() {
            let _ = painter.join();
        }
    }
}

/// Waits for steps and draws those that last.
fn paint(inbox: &Receiver<String>) {
    let mut current: Option<String> = None;
    let mut bar: Option<ProgressBar> = None;
    loop {
        match inbox.recv_timeout(PATIENCE) {
            Ok(step) => {
                if let Some(bar) = bar.take() {
                    bar.finish_and_clear();
                }
                current = Some(step);
            }
            Err(RecvTimeoutError::Timeout) => {
                if let (Some(step), None) = (&current, &bar) {
                    bar = Some(draw(step));
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                if let Some(bar) = bar {
                    bar.finish_and_clear();
                }
                return;
            }
        }
    }
}

fn draw(step: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        // A log wants lines, not a spinner.
        let _ = writeln!(std::io::stderr(), "{step} …");
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message(step.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} … {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// One line on standard error that is written anew with every step of a long search.
pub(crate) struct ProgressLine(Option<ProgressBar>);

impl ProgressLine {
    /// A line; none at all if `quiet`, or where no terminal would show it.
    pub(crate) fn new(quiet: bool) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} … {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(Some(bar))
    }

    /// Says how far it is.
    pub(crate) fn set(&self, text: String) {
        if let Some(bar) = &self.0 {
            bar.set_message(text);
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}
