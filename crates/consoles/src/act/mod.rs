//! Carrying out a planned change of login prompts: through the journal, then on the running machine.

mod change;
mod rooted;
mod wait;

pub use change::{ChangeError, ConsoleChange, missing_programs, plan_change};
pub use wait::{PromptOutcome, wait_for_prompts};
