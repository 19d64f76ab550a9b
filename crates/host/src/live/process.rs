//! Processes from `/proc`, and which of them hold which sockets.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::path::Path;

use rustix::fs::{CWD, Dir, Mode, OFlags, openat, readlinkat_raw};

use super::{Begun, begin};
use crate::process::Signals;
use crate::{FactKind, Host, Process, Socket, VsockListener};

/// What was read of the processes.
#[derive(Debug, Default)]
pub(super) struct Processes {
    all: Vec<Process>,
    /// Socket inode to the pids that hold it.
    holders: HashMap<u64, Vec<u32>>,
    /// How many processes did not let us look at their files.
    closed: usize,
    /// How many processes did not let us look at anything.
    hidden: usize,
    /// Why there may be more processes than are shown.
    veils: Vec<&'static str>,
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
    let setting = ProcessSetting::live(keep_secrets);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs: Vec<_> = (0..workers)
        .map(|worker| {
            let (pids, setting) = (&pids, &setting);
            move || {
                let mut part = Processes::default();
                for pid in pids.iter().skip(worker).step_by(workers) {
                    part.add(*pid, setting);
                }
                part
            }
        })
        .collect();
    let parts: Vec<Processes> = std::thread::scope(|scope| {
        let begun: Vec<_> = jobs.iter().map(|job| begin(scope, job)).collect();
        begun.into_iter().map(Begun::end).collect()
    });
    let mut whole = Processes {
        veils: veils(),
        ..Processes::default()
    };
    for part in parts {
        whole.all.extend(part.all);
        whole.closed += part.closed;
        whole.hidden += part.hidden;
        for (inode, pids) in part.holders {
            whole.holders.entry(inode).or_default().extend(pids);
        }
    }
    whole
}

/// What is the same for all processes.
pub(super) struct ProcessSetting {
    boot: u64,
    network: Option<std::path::PathBuf>,
    keep_secrets: bool,
}

impl ProcessSetting {
    /// Reads it for this machine.
    pub(super) fn live(keep_secrets: bool) -> Self {
        Self {
            boot: boot_time().unwrap_or(0),
            network: fs::read_link("/proc/thread-self/ns/net").ok(),
            keep_secrets,
        }
    }
}

impl Processes {
    /// Adds a process, unless it has ended meanwhile.
    fn add(&mut self, pid: u32, setting: &ProcessSetting) {
        let folder = format!("/proc/{pid}");
        let mut process = match read_process(pid, &folder, setting) {
            Ok(Some(process)) => process,
            Ok(None) => return,
            // `hidepid=1` shows that there is a process, and nothing of it.
            Err(error) => {
                self.hidden += usize::from(is_refused(&error));
                return;
            }
        };
        let sockets = match held(&folder, &process) {
            Ok(sockets) => sockets,
            Err(error) => {
                self.closed += usize::from(is_refused(&error));
                Vec::new()
            }
        };
        for inode in &sockets {
            self.holders.entry(*inode).or_default().push(pid);
        }
        // Only who holds sockets can be a wrapped daemon; reading the maps of all is slow.
        if !sockets.is_empty() {
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
            self.miss_kind(
                FactKind::Processes,
                "processes",
                why,
                "which programs run, wait or are stuck",
            );
            return HashMap::new();
        }
        if processes.closed > 0 {
            let why = format!(
                "{} processes belong to others; run it as root",
                processes.closed
            );
            self.miss_kind(
                FactKind::Processes,
                "files of other users' processes",
                why,
                "which program owns which socket",
            );
        }
        let open = "which programs run, and which program owns which socket";
        if processes.hidden > 0 {
            let why = format!(
                "{} show nothing of themselves; run it as root",
                processes.hidden
            );
            self.miss_kind(FactKind::Processes, "other users' processes", why, open);
        }
        for why in processes.veils {
            self.miss_kind(
                FactKind::Processes,
                "processes that are hidden from here",
                why,
                open,
            );
        }
        self.processes = Some(processes.all);
        processes.holders
    }

    /// Takes over the sockets and names their owners.
    pub(super) fn take_sockets(
        &mut self,
        mut sockets: Vec<Socket>,
        mut vsock: Option<Vec<VsockListener>>,
        holders: &HashMap<u64, Vec<u32>>,
    ) {
        for socket in vsock.iter_mut().flatten() {
            socket.owners = holders.get(&socket.inode).cloned().unwrap_or_default();
        }
        self.vsock = vsock;
        for socket in &mut sockets {
            socket.owners = holders.get(&socket.inode).cloned().unwrap_or_default();
        }
        self.sockets = Some(sockets);
    }
}

fn is_refused(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// The inodes of the sockets that a process holds.
fn held(folder: &str, process: &Process) -> io::Result<Vec<u64>> {
    let mut sockets = Vec::new();
    // If the first thread has ended and others go on, they have the files and it has none.
    if process.state == 'Z' && process.threads > 1 {
        for thread in fs::read_dir(format!("{folder}/task"))?.flatten() {
            sockets.extend(sockets_in(&thread.path().join("fd")).unwrap_or_default());
        }
        sockets.sort_unstable();
        sockets.dedup();
    } else {
        sockets = sockets_in(&Path::new(folder).join("fd"))?;
    }
    Ok(sockets)
}

fn sockets_in(folder: &Path) -> io::Result<Vec<u64>> {
    let folder = openat(
        CWD,
        folder,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let mut sockets = Vec::new();
    let mut place = [MaybeUninit::uninit(); 64];
    for entry in Dir::read_from(&folder)? {
        // A process that ends while it is read has no files any more.
        let Ok(entry) = entry else { break };
        // A longer target is cut, and is no socket's.
        if let Ok((target, _)) = readlinkat_raw(&folder, entry.file_name(), &mut place[..]) {
            sockets.extend(socket_inode(target));
        }
    }
    Ok(sockets)
}

/// Why `/proc` may not show every process of this machine.
fn veils() -> Vec<&'static str> {
    /// `PROC_PID_INIT_INO` of `linux/nsfs.h`: the namespace in which every process has a number.
    const FIRST: &str = "pid:[4026531836]";
    let mut veils = Vec::new();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    // Who may trace every process is shown every process; the number 0 alone does not do.
    if hides(&mounts) && !traces_all() {
        veils.push("/proc is mounted with `hidepid`; run it as root");
    }
    let namespace = fs::read_link("/proc/self/ns/pid");
    if namespace.is_ok_and(|namespace| namespace != Path::new(FIRST)) {
        veils.push("this is a PID namespace, such as a container; run it outside");
    }
    veils
}

/// Whether this process has `CAP_SYS_PTRACE` where it counts for every process.
fn traces_all() -> bool {
    /// `PROC_USER_INIT_INO` of `linux/nsfs.h`.
    const FIRST: &str = "user:[4026531837]";
    const SYS_PTRACE: u32 = 19;
    let status = fs::read("/proc/self/status").unwrap_or_default();
    let capabilities = parse_status(0, &String::from_utf8_lossy(&status)).capabilities;
    let namespace = fs::read_link("/proc/self/ns/user");
    capabilities & (1 << SYS_PTRACE) != 0 && namespace.is_ok_and(|it| it == Path::new(FIRST))
}

/// Whether the last mount on `/proc` hides processes altogether, by `/proc/self/mountinfo`.
fn hides(mounts: &str) -> bool {
    let on_proc = |line: &&str| line.split(' ').nth(4) == Some("/proc");
    mounts.lines().rfind(on_proc).is_some_and(|line| {
        let options = line.rsplit(' ').next().unwrap_or_default();
        options.split(',').any(|option| {
            let value = option.strip_prefix("hidepid=");
            value.is_some_and(|value| !matches!(value, "0" | "off" | "1" | "noaccess"))
        })
    })
}

pub(super) fn pids() -> io::Result<Vec<u32>> {
    let entries = fs::read_dir("/proc")?;
    Ok(entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect())
}

fn socket_inode(target: &[u8]) -> Option<u64> {
    let number = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// A process; none if it ends meanwhile.
pub(super) fn read_process(
    pid: u32,
    folder: &str,
    setting: &ProcessSetting,
) -> io::Result<Option<Process>> {
    let may_be_missing = |name: &str| fs::read(format!("{folder}/{name}")).unwrap_or_default();
    let files = ProcessFiles {
        status: &fs::read(format!("{folder}/status"))?,
        stat: &fs::read(format!("{folder}/stat"))?,
        command_line: &may_be_missing("cmdline"),
        control_groups: &may_be_missing("cgroup"),
    };
    let Some(mut process) = files.parse(pid, setting.boot, setting.keep_secrets) else {
        return Ok(None);
    };
    let link = |name: &str| fs::read_link(format!("{folder}/{name}"));
    process.exe = link("exe")
        .ok()
        .map(|path| path.to_string_lossy().into_owned());
    process.wait_channel = super::read_line(&format!("{folder}/wchan"))
        .filter(|function| !function.is_empty() && function != "0");
    let network = link("ns/net").ok();
    process.network = network.as_deref().and_then(namespace_inode);
    process.same_network = network.zip(setting.network.as_ref()).map(|(a, b)| a == *b);
    Ok(Some(process))
}

/// The files below `/proc/PID` that are text.
#[derive(Clone, Copy, Debug)]
pub struct ProcessFiles<'a> {
    /// `status`.
    pub status: &'a [u8],
    /// `stat`.
    pub stat: &'a [u8],
    /// `cmdline`.
    pub command_line: &'a [u8],
    /// `cgroup`.
    pub control_groups: &'a [u8],
}

impl ProcessFiles<'_> {
    /// The process that they tell of; none if `stat` is not understood. `boot` is when the machine was
    /// started, in seconds since 1970.
    pub fn parse(&self, pid: u32, boot: u64, keep_secrets: bool) -> Option<Process> {
        let mut process = parse_status(pid, &String::from_utf8_lossy(self.status));
        parse_stat(&mut process, &String::from_utf8_lossy(self.stat), boot)?;
        process.command = arguments(self.command_line, keep_secrets);
        let groups = String::from_utf8_lossy(self.control_groups);
        process.unit = unit(&groups);
        process.container = container(&groups);
        Some(process)
    }
}

/// The number in `net:[4026531840]`.
fn namespace_inode(target: &Path) -> Option<u64> {
    let number = target.to_str()?.split_once('[')?.1.strip_suffix(']')?;
    number.parse().ok()
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
            "NSpid" => {
                let numbers = value.split_whitespace();
                process.namespace_pids = numbers.filter_map(|word| word.parse().ok()).collect();
            }
            "CapEff" => process.capabilities = mask(),
            _ => {}
        }
    }
    process.signals = signals;
    process
}

/// Reads `/proc/PID/stat`; the name may hold spaces and brackets, so it ends at the last one.
pub(super) fn parse_stat(process: &mut Process, text: &str, boot: u64) -> Option<()> {
    /// `PF_KTHREAD` of `include/linux/sched.h`.
    const KERNEL_THREAD: u64 = 0x0020_0000;
    /// `USER_HZ`: what user space is told, on every architecture that Debian has but one.
    const TICKS: u64 = 100;
    let name = text.find('(')? + 1..text.rfind(')')?;
    text.get(name.clone())?.clone_into(&mut process.name);
    let fields: Vec<&str> = text.get(name.end + 1..)?.split_whitespace().collect();
    process.state = fields.first()?.chars().next()?;
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    let small = |at: usize| number(at).and_then(|value| u32::try_from(value).ok());
    // Field N of proc_pid_stat(5) is at N - 3 here.
    process.parent = small(1)?;
    process.group = small(2).unwrap_or(0);
    process.session = small(3).unwrap_or(0);
    let terminal = fields.get(4).and_then(|field| field.parse::<i32>().ok());
    process.terminal = terminal.map_or(0, i32::cast_unsigned);
    process.kernel = number(6)? & KERNEL_THREAD != 0;
    process.start_ticks = number(19)?;
    process.started = boot.saturating_add(process.start_ticks / TICKS);
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
        crate::secret::hide_in_arguments(&mut arguments);
    }
    arguments
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

/// The container in a `/proc/PID/cgroup`: a group named by 64 hexadecimal digits, or as LXC and systemd-nspawn do.
fn container(groups: &str) -> Option<String> {
    groups.lines().find_map(|line| {
        let path = line.splitn(3, ':').nth(2)?;
        let mut above = "";
        path.split('/').find_map(|part| {
            let folder = std::mem::replace(&mut above, part);
            let name = part.strip_suffix(".scope").unwrap_or(part);
            if let Some(name) = part.strip_prefix("lxc.payload.") {
                return Some(name.to_owned());
            }
            if matches!(folder, "lxc" | "lxc.payload") && !part.is_empty() {
                return Some(part.to_owned());
            }
            // Virtual machines are in such scopes as well.
            let machine = name
                .strip_prefix("machine-")
                .filter(|it| !it.starts_with("qemu"));
            let service = part.strip_prefix("systemd-nspawn@");
            let service = service.and_then(|it| it.strip_suffix(".service"));
            if let Some(name) = machine.filter(|_| name != part).or(service) {
                return Some(name.replace("\\x2d", "-"));
            }
            // What watches a container from outside has its number, too.
            let (kind, id) = name.rsplit_once('-').unwrap_or(("", name));
            let hexadecimal = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            (hexadecimal && !kind.ends_with("conmon")).then(|| id.to_owned())
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
    fn secrets_are_taken_out_unless_they_are_wanted() {
        assert_eq!(
            arguments(b"a\0--token\0b\0", false),
            ["a", "--token", "***"]
        );
        assert_eq!(arguments(b"a\0--token\0b\0", true), ["a", "--token", "b"]);
        assert!(arguments(b"", false).is_empty() && arguments(b"\0\0", false).is_empty());
    }

    #[test]
    fn units_and_containers_come_from_the_control_group() {
        let id = "a".repeat(64);
        let group = format!("0::/system.slice/docker-{id}.scope\n");
        assert_eq!(container(&group), Some(id.clone()));
        assert_eq!(
            container(&format!("3:cpu:/docker/{id}\n")),
            Some(id.clone())
        );
        for kind in ["libpod", "crio", "cri-containerd"] {
            let group = format!("0::/machine.slice/{kind}-{id}.scope/container\n");
            assert_eq!(container(&group), Some(id.clone()), "{kind}");
        }
        for kind in ["libpod-conmon", "crio-conmon"] {
            assert_eq!(
                container(&format!("0::/machine.slice/{kind}-{id}.scope\n")),
                None
            );
        }
        let named = |group: &str| container(&format!("0::{group}\n"));
        let web = Some("web-1".to_owned());
        assert_eq!(named("/lxc/web-1/user.slice"), web);
        assert_eq!(named("/lxc.payload.web-1/init.scope"), web);
        assert_eq!(named("/lxc.payload/web-1"), web);
        assert_eq!(named("/machine.slice/machine-web\\x2d1.scope/payload"), web);
        assert_eq!(
            named("/machine.slice/systemd-nspawn@web-1.service/payload"),
            web
        );
        for other in [
            "/lxc",
            "/lxc/",
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
            "/machine-x",
        ] {
            assert_eq!(named(other), None, "{other}");
        }
        assert_eq!(
            unit("0::/system.slice/ssh.service\n"),
            Some("ssh.service".into())
        );
        assert_eq!((unit("0::/\n"), container("0::/\n")), (None, None));
    }

    #[test]
    fn hidepid_hides_when_it_is_the_last_word() {
        let line =
            |options: &str| format!("24 1 0:22 / /proc rw,nosuid - proc proc rw,{options}\n");
        assert!(hides(&line("hidepid=2")) && hides(&line("gid=4,hidepid=invisible")));
        assert!(!hides(&line("hidepid=1")) && !hides(&line("hidepid=off")) && !hides(""));
        assert!(!hides(&format!("{}{}", line("hidepid=2"), line("gid=0"))));
    }

    #[test]
    fn a_process_that_is_gone_is_no_process() {
        let mut processes = Processes::default();
        let setting = ProcessSetting {
            boot: 0,
            network: None,
            keep_secrets: false,
        };
        // Above the kernel's largest pid_max.
        processes.add(5_000_000, &setting);
        assert!(processes.all.is_empty() && processes.hidden == 0 && processes.closed == 0);
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
        assert!(me.network.is_some_and(|inode| inode > 0), "{me:?}");
    }
}
