//! Reads one process in depth, from `/proc/PID` and the control groups.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;

use super::process::{ProcessSetting, read_process};
use super::{control_group, read_line, system_call};
use crate::detail::{
    MountedAt, ProcessDetail, ProcessIdentity, ProcessLink, ThreadState, WaitingCall,
};

/// Variables that supervisors set for the processes that they start. Nothing else is taken from
/// an environment, which may hold secrets.
const SUPERVISION: &[&str] = &[
    "SUPERVISOR_PROCESS_NAME",
    "SUPERVISOR_GROUP_NAME",
    "INVOCATION_ID",
    "PM2_HOME",
    "pm_id",
];

impl ProcessDetail {
    /// Reads one process of this machine; none if there is none of this number.
    pub fn live(pid: u32, keep_secrets: bool) -> io::Result<Option<Self>> {
        let folder = format!("/proc/{pid}");
        let setting = ProcessSetting::live(keep_secrets);
        let process = match read_process(pid, &folder, &setting) {
            Ok(Some(process)) => process,
            Ok(None) => return Ok(None),
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut detail = Self {
            process,
            ..Self::default()
        };
        match threads(&folder) {
            Ok(threads) => detail.threads = threads,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => detail.missing.push(format!("its threads: {error}")),
        }
        if detail.process.signals.blocked != 0 {
            detail.read_from_file = signals_read_from_files(&folder);
        }
        let groups = fs::read_to_string(format!("{folder}/cgroup")).unwrap_or_default();
        detail.control_group = control_group::path_of(&groups);
        detail.frozen_by = control_group::frozen(&groups);
        detail.directory = link(&format!("{folder}/cwd"));
        if let Ok(environment) = fs::read(format!("{folder}/environ")) {
            for entry in environment.split(|byte| *byte == 0) {
                let entry = String::from_utf8_lossy(entry);
                if let Some((key, value)) = entry.split_once('=')
                    && SUPERVISION.contains(&key)
                {
                    detail.supervision.insert(key.to_owned(), value.to_owned());
                }
            }
        }
        if let Some(thread) = detail.stuck_thread() {
            let tid = thread.tid;
            detail.stack = stack(&folder, tid);
            detail.waits_in = waiting_call(&folder, tid);
        }
        Ok(Some(detail))
    }

    /// A thread in uninterruptible sleep, or else the first that is not dead.
    pub fn stuck_thread(&self) -> Option<&ThreadState> {
        let all = &self.threads;
        let stuck = all.iter().find(|thread| thread.state == 'D');
        stuck.or_else(|| all.iter().find(|thread| thread.state != 'Z'))
    }
}

/// The signals of all `signalfd`s of a process, as a mask.
fn signals_read_from_files(folder: &str) -> u64 {
    let mut all = 0;
    for entry in fs::read_dir(format!("{folder}/fd"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let is_it = fs::read_link(entry.path())
            .is_ok_and(|target| target.as_os_str() == "anon_inode:[signalfd]");
        if !is_it {
            continue;
        }
        let name = entry.file_name();
        let told = fs::read_to_string(format!("{folder}/fdinfo/{}", name.to_string_lossy()));
        let told = told.unwrap_or_default();
        let masks = told
            .lines()
            .filter_map(|line| line.strip_prefix("sigmask:"));
        all |= masks
            .filter_map(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .fold(0, |all, mask| all | mask);
    }
    all
}

impl ProcessIdentity {
    /// The process that has this number now; none if there is none.
    pub fn live(pid: u32) -> Option<Self> {
        let link = ProcessLink::live(pid)?;
        Some(Self {
            pid,
            start_ticks: link.start_ticks,
        })
    }
}

fn is_gone(error: &io::Error) -> bool {
    /// `ESRCH`: the process ended while it was read.
    const NO_SUCH_PROCESS: i32 = 3;
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(NO_SUCH_PROCESS)
}

fn link(path: &str) -> Option<String> {
    let target = fs::read_link(path).ok()?;
    Some(target.to_string_lossy().into_owned())
}

fn threads(folder: &str) -> io::Result<Vec<ThreadState>> {
    let mut threads = Vec::new();
    for entry in fs::read_dir(format!("{folder}/task"))?.flatten() {
        let Some(tid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let folder = format!("{folder}/task/{tid}");
        // A thread that ends meanwhile is no thread any more.
        if let Ok(status) = fs::read(format!("{folder}/status")) {
            let mut thread = parse_thread(tid, &String::from_utf8_lossy(&status));
            thread.wait_channel = read_line(&format!("{folder}/wchan"))
                .filter(|function| !function.is_empty() && function != "0");
            threads.push(thread);
        }
    }
    threads.sort_unstable_by_key(|thread| thread.tid);
    Ok(threads)
}

fn parse_thread(tid: u32, status: &str) -> ThreadState {
    let mut thread = ThreadState {
        tid,
        ..ThreadState::default()
    };
    for line in status.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        let mask = || u64::from_str_radix(value, 16).unwrap_or(0);
        match key {
            "State" => thread.state = value.chars().next().unwrap_or('?'),
            "SigPnd" => thread.pending = mask(),
            "SigBlk" => thread.blocked = mask(),
            _ => {}
        }
    }
    thread
}

/// The functions in `/proc/PID/task/TID/stack`: `[<0>] do_wait+0x5a/0xe0`.
fn stack(folder: &str, tid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("{folder}/task/{tid}/stack")).unwrap_or_default();
    let function = |line: &str| {
        let name = line.split_once("] ")?.1.split('+').next()?;
        Some(name.trim().to_owned())
    };
    text.lines().filter_map(function).collect()
}

/// The system call of `/proc/PID/task/TID/syscall` and the file that its arguments name.
fn waiting_call(folder: &str, tid: u32) -> Option<WaitingCall> {
    let text = fs::read_to_string(format!("{folder}/task/{tid}/syscall")).ok()?;
    let mut words = text.split_whitespace();
    let number: i64 = words.next()?.parse().ok()?;
    let arguments: Vec<u64> = words
        .filter_map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok())
        .collect();
    let mut call = WaitingCall {
        tid,
        number,
        ..WaitingCall::default()
    };
    let Some(known) = system_call::find(number) else {
        return Some(call);
    };
    call.name = Some(known.name.to_owned());
    call.path = path_argument(folder, known.file, &arguments);
    if let Some(path) = &call.path {
        let mounts = fs::read_to_string(format!("{folder}/mountinfo")).unwrap_or_default();
        call.mount = mount_of(path, &mounts);
    }
    Some(call)
}

fn path_argument(
    folder: &str,
    file: system_call::FileArgument,
    arguments: &[u64],
) -> Option<String> {
    use system_call::FileArgument;
    /// `AT_FDCWD`, as the kernel shows it among unsigned arguments: the low half counts.
    const HERE: u32 = (-100_i32).cast_unsigned();
    let low = |at: usize| {
        arguments
            .get(at)
            .and_then(|word| u32::try_from(word & 0xffff_ffff).ok())
    };
    let text = |at: usize| text_at(folder, *arguments.get(at)?);
    let open_file = |at: usize| link(&format!("{folder}/fd/{}", low(at)?));
    let below = |base: Option<String>, path: String| {
        if path.starts_with('/') {
            Some(path)
        } else {
            Some(format!("{}/{path}", base?.trim_end_matches('/')))
        }
    };
    match file {
        FileArgument::None => None,
        FileArgument::Open => open_file(0),
        FileArgument::Path => below(link(&format!("{folder}/cwd")), text(0)?),
        FileArgument::PathBelow => {
            let base = if low(0)? == HERE {
                link(&format!("{folder}/cwd"))
            } else {
                open_file(0)
            };
            let path = text(1)?;
            if path.is_empty() {
                base
            } else {
                below(base, path)
            }
        }
    }
}

/// A text in the memory of a process, up to its zero.
fn text_at(folder: &str, address: u64) -> Option<String> {
    let memory = fs::File::open(format!("{folder}/mem")).ok()?;
    let mut text = Vec::new();
    let mut piece = [0; 256];
    // A page that is not there ends a read early, so read piece by piece.
    while text.len() < 4096 {
        let at = address.checked_add(u64::try_from(text.len()).ok()?)?;
        let length = memory.read_at(&mut piece, at).ok()?;
        let piece = piece.get(..length)?;
        if let Some(end) = piece.iter().position(|byte| *byte == 0) {
            text.extend_from_slice(piece.get(..end)?);
            return String::from_utf8(text).ok();
        }
        if length == 0 {
            return None;
        }
        text.extend_from_slice(piece);
    }
    None
}

/// The mount with the longest mount point above a path.
fn mount_of(path: &str, mountinfo: &str) -> Option<MountedAt> {
    let mounts = mountinfo.lines().filter_map(parse_mount);
    let above = mounts.filter(|mount| {
        let point = mount.point.trim_end_matches('/');
        path.strip_prefix(point)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    // Of two on one point the later one is on top.
    above.max_by_key(|mount| mount.point.len())
}

/// A line of `/proc/PID/mountinfo` (`Documentation/filesystems/proc.rst`).
fn parse_mount(line: &str) -> Option<MountedAt> {
    let (left, right) = line.split_once(" - ")?;
    let left: Vec<&str> = left.split(' ').collect();
    let mut right = right.split(' ');
    Some(MountedAt {
        point: unescape(left.get(4)?),
        minor: left.get(2)?.split_once(':')?.1.parse().ok()?,
        kind: right.next()?.to_owned(),
        source: unescape(right.next()?),
    })
}

/// Undoes the octal escapes of `mountinfo` (`\040` is a blank).
pub(super) fn unescape(word: &str) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let value = octal
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(value) = value {
            bytes.push(value);
            rest = after.get(3..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw - ext4 /dev/vda rw
30 22 0:47 / /mnt/my\\040files rw - fuse.sshfs me@far:/data rw
31 22 0:48 / /mnt rw - tmpfs tmpfs rw
";

    #[test]
    fn a_file_is_of_the_mount_with_the_longest_point_above_it() {
        let point = |path| mount_of(path, MOUNTS).map(|mount| mount.point);
        assert_eq!(point("/mnt/my files/x"), Some("/mnt/my files".into()));
        assert_eq!(point("/mnt/my filesystem"), Some("/mnt".into()));
        assert_eq!(point("/mntx"), Some("/".into()));
        let mount = mount_of("/mnt/my files", MOUNTS).unwrap();
        assert_eq!((mount.kind.as_str(), mount.minor), ("fuse.sshfs", 47));
    }

    #[test]
    fn a_thread_has_masks_of_its_own() {
        let status = "Name:\tx\nState:\tD (disk sleep)\nSigPnd:\t0000000000000100\nSigBlk:\t0000000000004000\n";
        let thread = parse_thread(7, status);
        assert_eq!(
            (thread.state, thread.pending, thread.blocked),
            ('D', 0x100, 0x4000)
        );
    }

    #[test]
    fn this_process_is_read_in_depth() {
        let me = ProcessDetail::live(std::process::id(), false)
            .unwrap()
            .unwrap();
        assert!(me.threads.len() >= 2 && me.frozen_by.is_none(), "{me:?}");
        assert_eq!(
            Some(me.process.identity()),
            ProcessIdentity::live(me.process.pid)
        );
        assert_eq!(me.process.namespace_pids.last(), Some(&me.process.pid));
        // Above the kernel's largest pid_max.
        assert_eq!(ProcessDetail::live(5_000_000, false).unwrap(), None);
    }
}
