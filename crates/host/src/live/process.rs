//! Processes from `/proc`, and which of them hold which sockets.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::process::Signals;
use crate::{Host, Process, Socket};

/// What was read of the processes.
#[derive(Debug, Default)]
pub(super) struct Processes {
    all: Vec<Process>,
    /// Socket inode to the pids that hold it.
    holders: HashMap<u64, Vec<u32>>,
    /// How many processes did not let us look at their files.
    closed: usize,
    failed: Option<String>,
}

/// Seconds since 1970 at which the kernel was started (`btime` of `/proc/stat`).
pub(super) fn boot_time() -> Option<u64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

/// Reads all processes; the scan of open files, which is the slow part, uses every core.
pub(super) fn read(keep_secrets: bool) -> Processes {
    let pids = match pids() {
        Ok(pids) => pids,
        Err(error) => {
            return Processes {
                failed: Some(error.to_string()),
                ..Processes::default()
            };
        }
    };
    let setting = Setting {
        boot: boot_time().unwrap_or(0),
        network: fs::read_link("/proc/self/ns/net").ok(),
        keep_secrets,
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let parts: Vec<Processes> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                let (pids, setting) = (&pids, &setting);
                scope.spawn(move || {
                    let mut part = Processes::default();
                    for pid in pids.iter().skip(worker).step_by(workers) {
                        part.add(*pid, setting);
                    }
                    part
                })
            })
            .collect();
        threads.into_iter().map(super::join).collect()
    });
    let mut whole = Processes::default();
    for part in parts {
        whole.all.extend(part.all);
        whole.closed += part.closed;
        for (inode, pids) in part.holders {
            whole.holders.entry(inode).or_default().extend(pids);
        }
    }
    whole
}

/// What is the same for all processes.
struct Setting {
    boot: u64,
    network: Option<std::path::PathBuf>,
    keep_secrets: bool,
}

impl Processes {
    /// Adds a process, unless it has ended meanwhile.
    fn add(&mut self, pid: u32, setting: &Setting) {
        let folder = format!("/proc/{pid}");
        let Some(mut process) = process(pid, &folder, setting) else {
            return;
        };
        let mut sockets = 0;
        match fs::read_dir(format!("{folder}/fd")) {
            Ok(entries) => {
                for entry in entries.flatten() {
                    let Ok(target) = fs::read_link(entry.path()) else {
                        continue;
                    };
                    if let Some(inode) = socket_inode(&target) {
                        self.holders.entry(inode).or_default().push(pid);
                        sockets += 1;
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => self.closed += 1,
            Err(_) => {}
        }
        // Only who holds sockets can be a wrapped daemon; reading the maps of all is slow.
        if sockets > 0 {
            process.wrapped = fs::read(format!("{folder}/maps"))
                .ok()
                .map(|maps| maps.windows(8).any(|part| part == b"/libwrap"));
        }
        self.all.push(process);
    }
}

impl Host {
    /// Takes over what was read of the processes, without the owners of sockets.
    pub(super) fn take_processes(&mut self, processes: Processes) -> HashMap<u64, Vec<u32>> {
        if let Some(why) = processes.failed {
            self.miss("processes", why, "which programs run, wait or are stuck");
            return HashMap::new();
        }
        if processes.closed > 0 {
            let why = format!(
                "{} processes belong to others; run it as root",
                processes.closed
            );
            self.miss(
                "files of other users' processes",
                why,
                "which program owns which socket",
            );
        }
        self.processes = Some(processes.all);
        processes.holders
    }

    /// Takes over the sockets and names their owners.
    pub(super) fn take_sockets(
        &mut self,
        mut sockets: Vec<Socket>,
        holders: &HashMap<u64, Vec<u32>>,
    ) {
        for socket in &mut sockets {
            socket.owners = holders.get(&socket.inode).cloned().unwrap_or_default();
        }
        self.sockets = Some(sockets);
    }
}

fn pids() -> io::Result<Vec<u32>> {
    let entries = fs::read_dir("/proc")?;
    Ok(entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect())
}

fn socket_inode(target: &Path) -> Option<u64> {
    let name = target.to_str()?.strip_prefix("socket:[")?;
    name.strip_suffix(']')?.parse().ok()
}

fn process(pid: u32, folder: &str, setting: &Setting) -> Option<Process> {
    let status = fs::read(format!("{folder}/status")).ok()?;
    let stat = fs::read(format!("{folder}/stat")).ok()?;
    let mut process = parse_status(pid, &String::from_utf8_lossy(&status));
    parse_stat(&mut process, &String::from_utf8_lossy(&stat), setting.boot)?;
    if let Ok(command) = fs::read(format!("{folder}/cmdline")) {
        process.command = arguments(&command, setting.keep_secrets);
    }
    let link = |name: &str| fs::read_link(format!("{folder}/{name}"));
    process.exe = link("exe")
        .ok()
        .map(|path| path.to_string_lossy().into_owned());
    process.wait_channel = super::read_line(&format!("{folder}/wchan"))
        .filter(|function| !function.is_empty() && function != "0");
    process.same_network = link("ns/net")
        .ok()
        .zip(setting.network.as_ref())
        .map(|(a, b)| a == *b);
    if let Ok(groups) = fs::read_to_string(format!("{folder}/cgroup")) {
        process.unit = unit(&groups);
        process.container = container(&groups);
    }
    Some(process)
}

/// Reads `/proc/PID/status` (`Documentation/filesystems/proc.rst`).
fn parse_status(pid: u32, text: &str) -> Process {
    let mut process = Process {
        pid,
        ..Process::default()
    };
    let mut signals = Signals::default();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        let number = || value.parse().unwrap_or(0);
        let mask = || u64::from_str_radix(value, 16).unwrap_or(0);
        match key {
            "PPid" => process.parent = number(),
            "TracerPid" => process.tracer = number(),
            "Threads" => process.threads = number(),
            "Uid" => {
                let effective = value.split_whitespace().nth(1);
                process.uid = effective.and_then(|uid| uid.parse().ok()).unwrap_or(0);
            }
            "ShdPnd" => signals.pending = mask(),
            "SigBlk" => signals.blocked = mask(),
            "SigIgn" => signals.ignored = mask(),
            "SigCgt" => signals.caught = mask(),
            "CapEff" => process.capabilities = mask(),
            _ => {}
        }
    }
    process.signals = signals;
    process
}

/// Reads `/proc/PID/stat`; the name may hold spaces and brackets, so it ends at the last one.
fn parse_stat(process: &mut Process, text: &str, boot: u64) -> Option<()> {
    /// `PF_KTHREAD` of `include/linux/sched.h`.
    const KERNEL_THREAD: u64 = 0x0020_0000;
    /// `USER_HZ`: what user space is told, on every architecture that Debian has but one.
    const TICKS: u64 = 100;
    let name = text.find('(')? + 1..text.rfind(')')?;
    text.get(name.clone())?.clone_into(&mut process.name);
    let fields: Vec<&str> = text.get(name.end + 1..)?.split_whitespace().collect();
    process.state = fields.first()?.chars().next()?;
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    // Field N of proc_pid_stat(5) is at N - 3 here.
    let terminal = fields.get(4).and_then(|field| field.parse::<i32>().ok());
    process.terminal = terminal.map_or(0, i32::cast_unsigned);
    process.kernel = number(6)? & KERNEL_THREAD != 0;
    process.started = boot + number(19)? / TICKS;
    Some(())
}

/// Splits a command line and takes out what looks like a secret.
fn arguments(bytes: &[u8], keep_secrets: bool) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut arguments: Vec<String> = text
        .trim_end_matches('\0')
        .split('\0')
        .map(ToOwned::to_owned)
        .collect();
    if arguments == [""] {
        arguments.clear();
    }
    if !keep_secrets {
        hide_secrets(&mut arguments);
    }
    arguments
}

/// Words in an option's name that announce a secret.
const SECRET_WORDS: &[&str] = &[
    "pass", "secret", "token", "apikey", "api-key", "api_key", "auth",
];

/// Replaces the values of options, variables and URLs that look secret.
fn hide_secrets(arguments: &mut [String]) {
    let secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        SECRET_WORDS.iter().any(|word| name.contains(word))
    };
    let mut next_is_secret = false;
    for argument in arguments.iter_mut().skip(1) {
        if std::mem::take(&mut next_is_secret) && !argument.starts_with('-') {
            "***".clone_into(argument);
            continue;
        }
        let assigned = argument.split_once('=').filter(|(name, _)| secret(name));
        if let Some((name, _)) = assigned {
            *argument = format!("{name}=***");
        } else if argument.starts_with('-') && secret(argument) {
            next_is_secret = true;
        } else if let Some(hidden) = without_password(argument) {
            *argument = hidden;
        }
    }
}

/// `scheme://user:password@host` with the password taken out.
fn without_password(argument: &str) -> Option<String> {
    let (scheme, rest) = argument.split_once("://")?;
    let authority = rest.split('/').next()?;
    let (user, _) = authority.rsplit_once('@')?;
    let (name, _) = user.split_once(':')?;
    Some(format!("{scheme}://{name}:***{}", rest.get(user.len()..)?))
}

/// The systemd unit in a `/proc/PID/cgroup`.
fn unit(groups: &str) -> Option<String> {
    const KINDS: &[&str] = &[".service", ".socket", ".scope", ".mount", ".swap"];
    groups.lines().find_map(|line| {
        let path = line.splitn(3, ':').nth(2)?;
        let part = path
            .rsplit('/')
            .find(|part| KINDS.iter().any(|kind| part.ends_with(kind)))?;
        Some(part.to_owned())
    })
}

/// The container in a `/proc/PID/cgroup`: a group named by 64 hexadecimal digits, or by LXC.
fn container(groups: &str) -> Option<String> {
    groups.lines().find_map(|line| {
        let path = line.splitn(3, ':').nth(2)?;
        path.split('/').find_map(|part| {
            if let Some(name) = part.strip_prefix("lxc.payload.") {
                return Some(name.to_owned());
            }
            let part = part.strip_suffix(".scope").unwrap_or(part);
            let id = part.rsplit('-').next()?;
            let hexadecimal = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            hexadecimal.then(|| id.to_owned())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_ends_at_the_last_bracket() {
        let mut process = Process::default();
        let text = "7 (a) b (c) S 1 7 7 34816 7 4194560 1 2 3 4 5 6 7 8 20 0 1 0 5000 0 0";
        parse_stat(&mut process, text, 1000).unwrap();
        assert_eq!((process.name.as_str(), process.state), ("a) b (c", 'S'));
        assert_eq!((process.terminal, process.started), (34816, 1050));
        assert!(!process.kernel);
    }

    #[test]
    fn secrets_are_taken_out() {
        let hidden = |text: &str| arguments(text.replace(' ', "\0").as_bytes(), false).join(" ");
        assert_eq!(
            hidden("mysql --password=x -u root"),
            "mysql --password=*** -u root"
        );
        assert_eq!(hidden("tool --api-key abc run"), "tool --api-key *** run");
        assert_eq!(hidden("env DB_PASSWORD=x app"), "env DB_PASSWORD=*** app");
        assert_eq!(hidden("c https://me:pw@host/x"), "c https://me:***@host/x");
        assert_eq!(hidden("nginx -g daemon"), "nginx -g daemon");
        assert_eq!(arguments(b"a\0--token\0b\0", true), ["a", "--token", "b"]);
    }

    #[test]
    fn units_and_containers_come_from_the_control_group() {
        let id = "a".repeat(64);
        let group = format!("0::/system.slice/docker-{id}.scope\n");
        assert_eq!(container(&group), Some(id.clone()));
        assert_eq!(container(&format!("3:cpu:/docker/{id}\n")), Some(id));
        assert_eq!(
            unit("0::/system.slice/ssh.service\n"),
            Some("ssh.service".into())
        );
        assert_eq!((unit("0::/\n"), container("0::/\n")), (None, None));
    }

    #[test]
    fn this_process_is_among_those_that_are_read() {
        let processes = read(false);
        let me = processes
            .all
            .iter()
            .find(|process| process.pid == std::process::id());
        let me = me.expect("the test itself runs");
        assert!(me.threads >= 1 && !me.kernel && me.started > 0, "{me:?}");
        assert_eq!(me.same_network, Some(true));
    }
}
