//! Which terminals get a login prompt, under every init system, and which one is the machine's console.
//!
//! [`ConsoleTable::of`] is pure: it reads the facts of a [`surefoot_host::Host`], which hold the files of
//! the init system as they stand. [`plan_consoles`] plans a change of them and reads it back.
//! The module `act` alone touches the machine. [`AREA`] and [`check`] are what `surefoot check` says of consoles.

mod act;
mod boot_line;
mod edits;
mod findings;
mod init_system;
mod inits;
mod kernel_console;
mod last_resort;
mod pages;
mod platform;
mod prompt;
mod raspberry;
mod root_login;
mod running;
mod setup_tree;
mod table;
mod table_text;
mod terminal_name;

pub use act::{
    ChangeError, ConsoleChange, PromptOutcome, missing_programs, plan_change, wait_for_prompts,
};
pub use edits::{
    ConsoleActs, ConsoleError, ConsolePlan, ConsoleRequest, ConsoleWish, SetupEdit, TerminalList,
    plan_consoles,
};
pub use findings::{AREA, check};
pub use init_system::InitSystem;
pub use kernel_console::{ConsoleWord, KernelConsoles};
pub use platform::{PromptNeed, SeenConsole};
pub use prompt::{IdleEntry, LoginPrompt, PromptStart, SetupReading, SetupRemark};
pub use root_login::RootLogin;
pub use running::RunningPrompt;
pub use setup_tree::{SetupPlace, SetupTree};
pub use table::{ConsoleTable, KernelUse, TerminalPresence, TerminalRow};
pub use table_text::console_table_text;
pub use terminal_name::{
    expand_terminals, glob_matches, is_terminal_name, is_virtual, terminal_of,
};
