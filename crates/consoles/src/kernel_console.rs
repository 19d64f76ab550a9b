//! The kernel's console: what `console=` on its command line means.
//!
//! The last word names `/dev/console`. Of several words of one kind (ttyS0 and ttyS1; tty0 and tty1)
//! the kernel uses the first only; if the last word is such a one, `/dev/console` is the console that
//! was registered first, in practice the virtual terminal (the kernel's serial-console.rst).

use serde::Serialize;

use crate::setup_tree::SetupPlace;
use crate::terminal_name::{is_virtual, terminal_kind};

/// What a running kernel says of its consoles.
pub(crate) const ACTIVE: &str = "/sys/class/tty/console/active";

/// A word `console=`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsoleWord {
    /// The terminal.
    pub name: String,
    /// The speed, for a serial port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<String>,
    /// Whether the kernel uses it: it is the first of its kind.
    pub used: bool,
}

/// The kernel's consoles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KernelConsoles {
    /// The words of the command line, in their order.
    pub words: Vec<ConsoleWord>,
    /// Where `/dev/console` leads; none if unknown.
    pub main: Option<String>,
    /// All consoles that get the kernel's messages, the main one last.
    pub active: Vec<String>,
    /// Where this was read; none if nowhere.
    pub place: Option<SetupPlace>,
    /// Why something of this is uncertain or unknown.
    pub doubt: Option<String>,
    /// Consoles of hypervisors whose nodes are there, whether the kernel writes to them or not.
    #[serde(skip)]
    pub(crate) nodes: Vec<String>,
}

impl KernelConsoles {
    /// Reads a command line.
    pub fn of_line(line: &str, place: SetupPlace) -> Self {
        let mut words: Vec<ConsoleWord> = Vec::new();
        for word in command_words(line) {
            let Some(value) = word.strip_prefix("console=") else {
                continue;
            };
            let (name, speed) = console_value(value);
            if name.is_empty() || name == "null" || name == "ttynull" {
                continue;
            }
            let used = !words
                .iter()
                .any(|before| terminal_kind(&before.name) == terminal_kind(name));
            words.push(ConsoleWord {
                name: name.to_owned(),
                speed: speed.map(ToOwned::to_owned),
                used,
            });
        }
        let mut active: Vec<String> = words
            .iter()
            .filter(|word| word.used)
            .map(|word| word.name.clone())
            .collect();
        let mut doubt = None;
        let main = match words.last() {
            None => {
                doubt = Some("no console= is given: the kernel takes its own default".to_owned());
                None
            }
            Some(last) if last.used => Some(last.name.clone()),
            Some(last) => {
                // The virtual terminal is registered before any serial port.
                let first = active
                    .iter()
                    .find(|name| is_virtual(name))
                    .or_else(|| active.first())
                    .cloned();
                doubt = Some(format!(
                    "{} is the second of its kind and not used: /dev/console is the console that was \
                     registered first",
                    last.name
                ));
                first
            }
        };
        if let Some(main) = &main {
            active.retain(|name| name != main);
            active.push(main.clone());
        }
        Self {
            words,
            main,
            active,
            place: Some(place),
            doubt,
            nodes: Vec::new(),
        }
    }

    /// Those of a container: the kernel's are the host's, and not to be reached from inside.
    pub fn of_container() -> Self {
        Self {
            doubt: Some("the kernel's consoles are the host's, not the container's".to_owned()),
            ..Self::default()
        }
    }

    /// What a running kernel says: the active consoles, the main one last, and its command line.
    pub fn of_running(active: &[String], line: Option<(&str, SetupPlace)>) -> Self {
        let mut read = line.map_or_else(Self::default, |(line, place)| Self::of_line(line, place));
        // With no console at all, the command line has the last word.
        if !active.is_empty() {
            read.active = active.to_vec();
            read.main = active.last().cloned();
            read.place = Some(SetupPlace::file(ACTIVE));
            read.doubt = None;
        }
        read
    }

    /// The speed that the kernel uses on a terminal.
    pub fn speed_of(&self, terminal: &str) -> Option<&str> {
        let word = self.words.iter().find(|word| word.name == terminal)?;
        word.speed.as_deref()
    }

    /// The serial or hypervisor console, if there is one: the main one, else the last of the active.
    pub fn serial(&self) -> Option<&str> {
        let name = self.active.iter().rev().find(|name| !is_virtual(name));
        name.map(String::as_str)
    }
}

/// The terminal and the speed of `ttyS0,115200n8`, `uart8250,io,0x3f8,9600`, `ttyS0`.
fn console_value(value: &str) -> (&str, Option<&str>) {
    let (name, options) = value.split_once(',').unwrap_or((value, ""));
    if ["uart", "uart8250"].contains(&name) {
        // An early console on the port of ttyS0, which takes over.
        let speed = options.split(',').nth(2).map(leading_digits);
        return ("ttyS0", speed.filter(|digits| !digits.is_empty()));
    }
    let speed = leading_digits(options);
    let name = name.strip_prefix("/dev/").unwrap_or(name);
    (name, (!speed.is_empty()).then_some(speed))
}

fn leading_digits(text: &str) -> &str {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// The words of a kernel command line; quotes keep blanks in a word, and what follows `--` is init's.
pub(crate) fn command_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted) = (String::new(), false);
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            letter if letter.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            letter => word.push(letter),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    if let Some(end) = words.iter().position(|word| word == "--") {
        words.truncate(end);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (Vec<String>, Option<String>) {
        let read = KernelConsoles::of_line(line, SetupPlace::file("x"));
        (read.active, read.main)
    }

    #[test]
    fn the_last_kind_is_dev_console_and_the_first_of_a_kind_is_used() {
        let cases: &[(&str, &[&str], Option<&str>)] = &[
            (
                "console=ttyS0,115200 console=tty0",
                &["ttyS0", "tty0"],
                Some("tty0"),
            ),
            (
                "console=tty0 console=ttyS0,115200n8 ro",
                &["tty0", "ttyS0"],
                Some("ttyS0"),
            ),
            (
                "console=ttyS1 console=ttyS0 console=tty0",
                &["ttyS1", "tty0"],
                Some("tty0"),
            ),
            (
                "console=tty0 console=ttyS0 console=ttyS1",
                &["ttyS0", "tty0"],
                Some("tty0"),
            ),
            (
                "console=ttyS0 console=ttyAMA0",
                &["ttyS0", "ttyAMA0"],
                Some("ttyAMA0"),
            ),
            ("quiet splash", &[], None),
            ("console=hvc0 -- console=tty9", &["hvc0"], Some("hvc0")),
            (
                "console=uart8250,io,0x3f8,9600n8",
                &["ttyS0"],
                Some("ttyS0"),
            ),
            ("a=\"b console=tty1\" console=hvc0", &["hvc0"], Some("hvc0")),
            ("console= console=null", &[], None),
        ];
        for (line, active, main) in cases {
            let (is_active, is_main) = read(line);
            assert_eq!(is_active, *active, "{line}");
            assert_eq!(is_main.as_deref(), *main, "{line}");
        }
    }

    #[test]
    fn a_console_has_the_speed_that_the_kernel_was_told() {
        let read =
            KernelConsoles::of_line("console=ttyS1,57600n8 console=tty0", SetupPlace::file("x"));
        assert_eq!(read.speed_of("ttyS1"), Some("57600"));
        assert_eq!(read.serial(), Some("ttyS1"));
    }
}
