//! What is asked for: the terminals that should have a login prompt, as people write them.

use super::ConsoleError;
use crate::kernel_console::KernelConsoles;
use crate::terminal_name::{expand_terminals, is_terminal_name, is_virtual};

/// Which terminals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleWish {
    /// Exactly these.
    Set(Vec<String>),
    /// So many virtual terminals; the others stay as they are.
    Count(u32),
    /// These, too.
    Add(Vec<String>),
    /// All but these.
    Remove(Vec<String>),
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleRequest {
    /// Which terminals.
    pub wish: ConsoleWish,
    /// The speed of serial terminals that get a prompt; none for the kernel's.
    pub speed: Option<u32>,
    /// How many virtual terminals get a prompt when you switch to them, under systemd.
    pub on_demand: Option<u32>,
    /// Whether a terminal may be set up that is known not to exist.
    pub may_be_missing: bool,
    /// Whether all prompts may go.
    pub may_leave_none: bool,
    /// Whether the kernel's console and others that are needed may lose their prompts.
    pub may_lose_console: bool,
    /// Whether a terminal may lose its prompt while somebody is logged in there.
    pub may_end_sessions: bool,
}

impl ConsoleRequest {
    /// A request with nothing but the terminals.
    pub fn new(wish: ConsoleWish) -> Self {
        Self {
            wish,
            speed: None,
            on_demand: None,
            may_be_missing: false,
            may_leave_none: false,
            may_lose_console: false,
            may_end_sessions: false,
        }
    }

    /// The terminals that should get a prompt at boot.
    pub(super) fn wanted(
        &self,
        now: &[String],
        kernel: &KernelConsoles,
    ) -> Result<Vec<String>, ConsoleError> {
        Ok(match &self.wish {
            ConsoleWish::Set(names) => settled(names, kernel)?,
            ConsoleWish::Count(count) => {
                let others = now.iter().filter(|name| !is_virtual(name)).cloned();
                (1..=*count)
                    .map(|at| format!("tty{at}"))
                    .chain(others)
                    .collect()
            }
            ConsoleWish::Add(names) => now.iter().cloned().chain(settled(names, kernel)?).collect(),
            ConsoleWish::Remove(names) => {
                let gone = settled(names, kernel)?;
                now.iter()
                    .filter(|name| !gone.contains(name))
                    .cloned()
                    .collect()
            }
        })
    }

    /// The serial terminals that are named, have a prompt already and are to get a speed.
    pub(super) fn respeeded(
        &self,
        now: &[String],
        kernel: &KernelConsoles,
    ) -> Result<Vec<String>, ConsoleError> {
        let (ConsoleWish::Set(names) | ConsoleWish::Add(names), Some(_)) = (&self.wish, self.speed)
        else {
            return Ok(Vec::new());
        };
        let mut named = settled(names, kernel)?;
        named.retain(|name| !is_virtual(name) && name != "console" && now.contains(name));
        Ok(named)
    }

    pub(super) fn named_to_remove(&self) -> Vec<String> {
        match &self.wish {
            ConsoleWish::Remove(names) => names.clone(),
            _ => Vec::new(),
        }
    }
}

/// The names, with the kernel's serial console in the place of `serial`.
fn settled(names: &[String], kernel: &KernelConsoles) -> Result<Vec<String>, ConsoleError> {
    let names = names.iter().map(|name| match name.as_str() {
        "serial" => kernel
            .serial()
            // What a boot loader's settings name need not be a terminal.
            .filter(|name| is_terminal_name(name))
            .map(ToOwned::to_owned)
            .ok_or(ConsoleError::NoSerial),
        _ => Ok(name.clone()),
    });
    names.collect()
}

/// A list of terminals as people write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TerminalList {
    /// One number: so many virtual terminals.
    Count(u32),
    /// Names; `serial` is the kernel's serial console.
    Names(Vec<String>),
}

impl TerminalList {
    /// Reads the words of a list: terminals, ranges, `serial`. One number alone is a count.
    pub fn parse(words: &[String]) -> Result<Self, ConsoleError> {
        let parts: Vec<&str> = words
            .iter()
            .flat_map(|word| word.split([',', ' ']))
            .filter(|word| !word.is_empty())
            .collect();
        if let [single] = parts.as_slice()
            && let Ok(count) = single.parse::<u32>()
            && count <= 63
        {
            return Ok(Self::Count(count));
        }
        let mut names = Vec::new();
        for part in parts {
            if part == "serial" {
                names.push(part.to_owned());
                continue;
            }
            let found = expand_terminals(part).ok_or_else(|| ConsoleError::NoTerminal {
                word: part.to_owned(),
            })?;
            names.extend(found);
        }
        Ok(Self::Names(names))
    }
}
