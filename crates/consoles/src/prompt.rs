//! A login prompt as the files of an init system set it up, and what looks like one and is none.

use serde::Serialize;

use crate::setup_tree::SetupPlace;

/// When a login prompt is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PromptStart {
    /// At boot, because a file says so.
    Boot,
    /// At boot, because the init system makes it for a console.
    Generated,
    /// When somebody switches to the terminal.
    Demand,
    /// Unknown: it depends on what the files do not say.
    Unsure,
}

/// A login prompt that is set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoginPrompt {
    /// The terminal, without `/dev/`.
    pub terminal: String,
    /// What starts it, such as ``inittab entry `1` `` or `getty@tty1.service`.
    pub by: String,
    /// Where that is written.
    pub place: SetupPlace,
    /// The command that asks for the name, as far as it is written.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub program: String,
    /// When it is started.
    pub start: PromptStart,
    /// What else to know about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// An entry that looks like a login prompt and starts none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdleEntry {
    /// The terminal that it is about.
    pub terminal: String,
    /// Where it is written.
    pub place: SetupPlace,
    /// Why it starts nothing.
    pub why: String,
    /// Whether it starts one in another runlevel, where no graphical login has the terminal.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_held: bool,
}

/// Something about the files that is worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetupRemark {
    /// Where.
    pub place: SetupPlace,
    /// What.
    pub what: String,
    /// Whether the file is one that is never read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_unread: bool,
}

/// What the files of an init system say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SetupReading {
    /// The login prompts.
    pub prompts: Vec<LoginPrompt>,
    /// What looks like one and is none.
    pub idle: Vec<IdleEntry>,
    /// What else to know.
    pub remarks: Vec<SetupRemark>,
}

impl SetupReading {
    pub(crate) fn remark(&mut self, place: SetupPlace, what: impl Into<String>) {
        let what = what.into();
        self.remarks.push(SetupRemark {
            place,
            what,
            is_unread: false,
        });
    }

    pub(crate) fn idle(
        &mut self,
        terminal: impl Into<String>,
        place: SetupPlace,
        why: impl Into<String>,
    ) {
        self.idle.push(IdleEntry {
            terminal: terminal.into(),
            place,
            why: why.into(),
            is_held: false,
        });
    }
}

/// Whether a command asks for a name: a getty, or the login that one calls.
pub(crate) fn is_prompt_program(command: &str) -> bool {
    let first = command
        .split_whitespace()
        .map(|word| word.trim_start_matches(['-', '@', '+', '!', ':']))
        .find(|word| !word.is_empty() && !word.contains('=') && *word != "exec");
    let name = first
        .and_then(|word| word.rsplit('/').next())
        .unwrap_or_default();
    name.contains("getty") || ["login", "sulogin", "mlogin", "start_getty"].contains(&name)
}

/// The absolute path of the program of a command; nothing if it has none.
pub(crate) fn program_of(command: &str) -> Option<&str> {
    let mut words = command
        .split_whitespace()
        .map(|word| word.trim_start_matches(['-', '@', '+', '!', ':']));
    let first = words.find(|word| !word.is_empty() && !word.contains('=') && *word != "exec")?;
    let is_plain = first.starts_with('/') && !first.contains(['$', '%', '"', '\'', '\\']);
    is_plain.then_some(first)
}

/// The speed that a getty is given: the first word of digits, or of digits with commas.
pub(crate) fn speed_in(command: &str) -> Option<&str> {
    command.split_whitespace().skip(1).find_map(|word| {
        let first = word.split(',').next()?;
        let is_speed = (3..=7).contains(&first.len())
            && first.bytes().all(|byte| byte.is_ascii_digit())
            && word
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b',');
        is_speed.then_some(first)
    })
}
