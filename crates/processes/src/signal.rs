//! Signals by number and name, with what each is for and what it does to a program that has no
//! handler for it (signal(7), `kernel/signal.c`).

use serde::Serialize;

/// What a signal does to a program that neither catches nor ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DefaultAction {
    /// Ends it.
    Terminate,
    /// Ends it and writes a core file, if the limits let it.
    Core,
    /// Stops it until CONT.
    Stop,
    /// Lets it go on if it is stopped.
    Continue,
    /// Nothing.
    Ignore,
}

impl DefaultAction {
    /// Whether it ends the process.
    pub fn ends(self) -> bool {
        matches!(self, Self::Terminate | Self::Core)
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Terminate => "ends the process",
            Self::Core => "ends it with a core dump",
            Self::Stop => "stops it until CONT",
            Self::Continue => "lets it go on",
            Self::Ignore => "nothing",
        }
    }
}

/// A signal, as `surefoot signals --list` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SignalPage {
    /// Its number.
    pub number: u8,
    /// Its name without `SIG`.
    pub name: &'static str,
    /// What it does by default.
    pub default: DefaultAction,
    /// What it is for.
    pub purpose: &'static str,
}

/// TERM.
pub const TERM: u8 = 15;
/// KILL.
pub const KILL: u8 = 9;
/// INT.
pub const INT: u8 = 2;
/// QUIT.
pub const QUIT: u8 = 3;
/// STOP.
pub const STOP: u8 = 19;
/// CONT.
pub const CONT: u8 = 18;

use DefaultAction::{Continue, Core, Ignore, Stop, Terminate};

const fn page(
    number: u8,
    name: &'static str,
    default: DefaultAction,
    purpose: &'static str,
) -> SignalPage {
    SignalPage {
        number,
        name,
        default,
        purpose,
    }
}

/// The 31 standard signals as Linux numbers them on x86, ARM, RISC-V, POWER and s390.
pub static SIGNALS: &[SignalPage] = &[
    page(
        1,
        "HUP",
        Terminate,
        "the terminal is gone; many daemons read their configuration again",
    ),
    page(2, "INT", Terminate, "Ctrl-C; PostgreSQL: fast shutdown"),
    page(
        3,
        "QUIT",
        Core,
        "Ctrl-\\; nginx: finish requests, then end; JVM: print the threads' stacks",
    ),
    page(
        4,
        "ILL",
        Core,
        "the program ran an instruction that does not exist",
    ),
    page(5, "TRAP", Core, "a breakpoint"),
    page(6, "ABRT", Core, "the program gave up itself: abort(3)"),
    page(
        7,
        "BUS",
        Core,
        "memory that cannot be had, such as a mapped file that was cut short",
    ),
    page(8, "FPE", Core, "a division by zero"),
    page(
        9,
        "KILL",
        Terminate,
        "ends the process at once; cannot be caught, blocked or ignored",
    ),
    page(
        10,
        "USR1",
        Terminate,
        "the program's own; many daemons reopen their logs",
    ),
    page(
        11,
        "SEGV",
        Core,
        "the program used memory that is not its own",
    ),
    page(12, "USR2", Terminate, "the program's own"),
    page(
        13,
        "PIPE",
        Terminate,
        "nothing reads the pipe or socket that was written to",
    ),
    page(14, "ALRM", Terminate, "a timer of alarm(2) has run out"),
    page(
        15,
        "TERM",
        Terminate,
        "the polite request to end: tidy up and go",
    ),
    page(16, "STKFLT", Terminate, "unused"),
    page(17, "CHLD", Ignore, "a child has ended, stopped or goes on"),
    page(18, "CONT", Continue, "go on after a stop"),
    page(
        19,
        "STOP",
        Stop,
        "stops the process; cannot be caught, blocked or ignored",
    ),
    page(20, "TSTP", Stop, "Ctrl-Z"),
    page(21, "TTIN", Stop, "a background job reads from its terminal"),
    page(22, "TTOU", Stop, "a background job writes to its terminal"),
    page(
        23,
        "URG",
        Ignore,
        "urgent data on a socket; the Go runtime switches goroutines with it",
    ),
    page(24, "XCPU", Core, "the limit of CPU time is used up"),
    page(25, "XFSZ", Core, "the limit of the file size is reached"),
    page(26, "VTALRM", Terminate, "a timer of CPU time has run out"),
    page(27, "PROF", Terminate, "a profiler's timer"),
    page(
        28,
        "WINCH",
        Ignore,
        "the terminal has a new size; Apache: finish requests, then end",
    ),
    page(29, "IO", Terminate, "a file or socket is ready"),
    page(30, "PWR", Terminate, "the power fails"),
    page(
        31,
        "SYS",
        Core,
        "a system call that a filter forbids (seccomp)",
    ),
];

/// The page of a standard signal.
pub fn signal_page(number: u8) -> Option<&'static SignalPage> {
    SIGNALS.iter().find(|page| page.number == number)
}

/// The name of a signal without `SIG`; a real-time signal is named from the nearer end.
pub fn signal_name(number: u8) -> String {
    if let Some(page) = signal_page(number) {
        return page.name.to_owned();
    }
    match number {
        34 => "RTMIN".to_owned(),
        35..=49 => format!("RTMIN+{}", number - 34),
        50..=63 => format!("RTMAX-{}", 64 - number),
        64 => "RTMAX".to_owned(),
        // The C library keeps 32 and 33 for its threads.
        _ => format!("{number}"),
    }
}

/// The number of a signal that is given as `TERM`, `SIGTERM`, `term` or `15`.
pub fn signal_number(word: &str) -> Option<u8> {
    if let Ok(number) = word.parse() {
        return (1..=64).contains(&number).then_some(number);
    }
    let upper = word.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    (1..=64).find(|number| signal_name(*number) == name)
}

/// Whether a mask has a signal.
pub fn mask_has(mask: u64, number: u8) -> bool {
    number > 0 && number <= 64 && mask & (1 << (number - 1)) != 0
}

/// The signals of a mask, lowest first.
pub fn signals_in(mask: u64) -> Vec<u8> {
    (1..=64).filter(|number| mask_has(mask, *number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_number() {
        for number in (1..=31).chain(34..=64) {
            let name = signal_name(number);
            assert_eq!(signal_number(&name), Some(number), "{name}");
            assert_eq!(signal_number(&format!("sig{name}")), Some(number));
        }
        assert_eq!(SIGNALS.len(), 31);
        for wrong in ["", "SIG", "0", "65", "NOPE", "TERMX"] {
            assert_eq!(signal_number(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn bit_14_is_term() {
        assert_eq!(signals_in(0x4000), [TERM]);
        assert_eq!(signals_in(0x100), [KILL]);
        assert_eq!(signals_in(1 | 1 << 63), [1, 64]);
        assert!(!mask_has(u64::MAX, 0) && !mask_has(u64::MAX, 65));
    }
}
