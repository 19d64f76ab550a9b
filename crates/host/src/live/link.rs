//! Reads a process's place in the tree. A stop reads it of every process between its look and its
//! signal, so this takes from the line no more than it needs, and no memory of its own.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::str::SplitAsciiWhitespace;

use crate::detail::{ProcessIdentity, ProcessLink};

/// Longer than any line of `/proc/PID/stat`: 52 numbers and a name of 64 bytes.
const LINE: usize = 2048;

impl ProcessLink {
    /// Reads one process of this machine; none if there is none of this number.
    pub fn live(pid: u32) -> Option<Self> {
        let mut line = [0; LINE];
        parse_link(pid, read_line(pid, &mut line)?)
    }

    /// Reads all processes of this machine.
    pub fn live_all() -> io::Result<Vec<Self>> {
        let pids = super::process::pids()?;
        Ok(pids.into_iter().filter_map(Self::live).collect())
    }

    /// The number that a new process was given last, as this process's namespace counts; none where the
    /// kernel does not say.
    pub fn last_given() -> Option<u32> {
        let line = fs::read_to_string("/proc/loadavg").ok()?;
        line.split_ascii_whitespace().next_back()?.parse().ok()
    }

    /// How many numbers there are for processes.
    pub fn numbers() -> Option<u32> {
        let line = fs::read_to_string("/proc/sys/kernel/pid_max").ok()?;
        line.trim_end().parse().ok()
    }

    /// The wait status of a process that has ended and is not reaped; none if it is not to be seen.
    pub fn wait_status(identity: &ProcessIdentity) -> Option<i32> {
        /// `exit_code` of `proc_pid_stat(5)`, counted from what follows the state.
        const EXIT_CODE: usize = 48;
        let mut line = [0; LINE];
        let line = read_line(identity.pid, &mut line)?;
        let link = parse_link(identity.pid, line)?;
        let (_, mut fields) = fields_of(line)?;
        let status = fields.nth(EXIT_CODE)?.parse().ok()?;
        (link.start_ticks == identity.start_ticks && link.state == 'Z').then_some(status)
    }
}

/// The line of a process, in one piece, which the kernel gives to whom has room for it.
fn read_line(pid: u32, room: &mut [u8; LINE]) -> Option<&[u8]> {
    let mut file = File::open(format!("/proc/{pid}/stat")).ok()?;
    let length = file.read(room).ok()?;
    room.get(..length)
}

/// The state and what follows it. The name before may hold spaces, brackets and any byte, and ends at the last
/// bracket.
fn fields_of(line: &[u8]) -> Option<(char, SplitAsciiWhitespace<'_>)> {
    let name_end = line.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(line.get(name_end + 1..)?).ok()?;
    let mut fields = fields.split_ascii_whitespace();
    Some((fields.next()?.chars().next()?, fields))
}

/// Reads `/proc/PID/stat`.
fn parse_link(pid: u32, line: &[u8]) -> Option<ProcessLink> {
    let (state, mut fields) = fields_of(line)?;
    let parent = fields.next()?.parse().ok()?;
    // A process that is being taken away has the group and session -1.
    let group = fields.next()?.parse().unwrap_or(0);
    let session = fields.next()?.parse().unwrap_or(0);
    // Field 22 of proc_pid_stat(5); the session is field 6.
    let start_ticks = fields.nth(15)?.parse().ok()?;
    Some(ProcessLink {
        pid,
        parent,
        group,
        session,
        state,
        start_ticks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_brackets_and_odd_bytes_misleads_nothing() {
        let line =
            b"71 (a) Z 1 (\xff) S 70 69 68 34816 71 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9";
        let link = parse_link(71, line).expect("it is a line");
        let expected = ProcessLink {
            pid: 71,
            parent: 70,
            group: 69,
            session: 68,
            state: 'S',
            start_ticks: 4711,
        };
        assert_eq!(link, expected);
        let leaving = b"71 (a) X 0 -1 -1 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9";
        let link = parse_link(71, leaving).expect("it is a line");
        assert_eq!((link.group, link.start_ticks), (0, 4711));
        for wrong in ["", "71 (a", "71 (a)", "71 (a) S 70 69 68 34816"] {
            assert_eq!(parse_link(71, wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn it_is_what_the_full_reader_says() {
        let me = std::process::id();
        let link = ProcessLink::live(me).expect("this process is there");
        let detail = crate::ProcessDetail::live(me, false).expect("it can be read");
        let process = detail.expect("it is there").process;
        assert_eq!(
            (link.parent, link.session, link.start_ticks),
            (process.parent, process.session, process.start_ticks)
        );
    }
}
