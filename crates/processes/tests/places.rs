//! Processes that are named by a place: a terminal, a container, a port that changes hands.

mod subject;

use std::path::{Path, PathBuf};
use std::process::Command;

use subject::{Subject, send, state, until};
use surefoot_processes::{
    SignalOutcome, StopError, StopOptions, StopPlan, StopReport, StopTarget, TargetError,
    carry_out, gather_stop_plan,
};

const QUICK: StopOptions = StopOptions {
    grace: Some(2),
    signal: None,
    tree: false,
    kill: None,
    yes: false,
    all: false,
};

fn plan(word: &str) -> Result<StopPlan, StopError> {
    let target = StopTarget::parse(word)?;
    gather_stop_plan(&[target], QUICK, 0, std::process::id())
}

fn stop(word: &str) -> StopReport {
    let plan = plan(word).expect("a plan");
    assert_eq!(plan.refusals, []);
    carry_out(&plan, std::process::id(), &mut |_| {}).expect("it is carried out")
}

fn pids_of(plan: &StopPlan) -> Vec<u32> {
    let asked = plan.members.iter().filter(|member| member.asked);
    let mut pids: Vec<u32> = asked.map(|member| member.identity.pid).collect();
    pids.sort_unstable();
    pids
}

#[test]
fn all_on_a_terminal_are_stopped_and_none_beside_it() {
    // Each runs two processes on a terminal of its own, the second of which says `ready`.
    let on_a_terminal = || {
        let program = subject::program().display();
        let line = format!("sleep 120 & exec {program} catches");
        let mut command = Command::new("script");
        command.args(["-qfec", &line, "/dev/null"]);
        command.env("SHELL", "/bin/sh");
        Subject::start_by(&mut command)
    };
    let ours = on_a_terminal();
    let other = on_a_terminal();
    let terminal = |pid: u32| {
        let link = std::fs::read_link(format!("/proc/{pid}/fd/0")).expect("it has an input");
        link.to_string_lossy().into_owned()
    };
    let device = terminal(ours.pid);
    assert!(device.starts_with("/dev/pts/"), "{device}");
    let short = device.replace("/dev/", "tty:");
    let plan = plan(&short).expect("a plan");
    assert_eq!(pids_of(&plan).len(), 2, "{plan:?}");
    assert!(pids_of(&plan).contains(&ours.pid));
    let report = stop(&device);
    assert_eq!(
        (report.survivors.len(), report.ended.len()),
        (0, 2),
        "{report:?}"
    );
    assert!(matches!(state(ours.pid), 'Z' | '-'));
    assert_eq!(
        state(other.pid),
        'S',
        "what is on another terminal is left alone"
    );
    // Its own terminal goes with `script`, which is ended and reaped with its value.
    stop(&terminal(other.pid));
}

/// Nested control groups of a test's own, removed with this value.
struct NestedGroup {
    all: Vec<PathBuf>,
}

impl NestedGroup {
    /// Makes a group for each part of a path below the mount of any hierarchy that takes processes.
    fn make(path: &str) -> Self {
        let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
        let mut points = mounts.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let is_group = matches!(*fields.get(2)?, "cgroup" | "cgroup2");
            let is_plain = !fields.get(3)?.split(',').any(|it| it == "cpuset");
            (is_group && is_plain).then(|| PathBuf::from(fields[1]))
        });
        let top = points.next().expect("this test needs control groups");
        let mut group = Self { all: Vec::new() };
        let mut folder = top.join(format!("surefoot-test-{}", std::process::id()));
        if !folder.exists() {
            std::fs::create_dir(&folder).expect("this test needs root, for a control group");
        }
        for part in path.split('/') {
            folder.push(part);
            if !folder.exists() {
                std::fs::create_dir(&folder).expect("it can be made");
                group.all.push(folder.clone());
            }
        }
        group
    }

    fn folder(&self) -> &Path {
        self.all.last().expect("it was made")
    }

    fn take(&self, pid: u32) {
        let file = self.folder().join("cgroup.procs");
        std::fs::write(file, pid.to_string()).expect("it takes processes");
    }
}

impl Drop for NestedGroup {
    fn drop(&mut self) {
        // A group can be removed once the last process in it is reaped.
        for folder in self.all.iter().rev() {
            until_quiet(|| std::fs::remove_dir(folder).is_ok());
        }
        if let Some(top) = self.all.first().and_then(|first| first.parent()) {
            let _ = std::fs::remove_dir(top);
        }
    }
}

fn until_quiet(mut is_so: impl FnMut() -> bool) {
    for _ in 0..200 {
        if is_so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn all_in_a_container_are_stopped_and_its_watcher_is_not() {
    let id: String = "7f3a".repeat(16);
    for (name, path) in [
        ("7f3a7f3a7f3a", format!("docker/{id}")),
        ("7f3a7f3a7f3a", format!("system.slice/docker-{id}.scope")),
        (
            "7f3a7f3a7f3a",
            format!("machine.slice/libpod-{id}.scope/container"),
        ),
        ("7f3a7f3a7f3a", format!("kubepods/besteffort/pod1/{id}")),
        ("sf-web-1", "lxc/sf-web-1".to_owned()),
        ("sf-web-1", "lxc.payload.sf-web-1/system.slice".to_owned()),
        (
            "sf-web-1",
            "machine.slice/machine-sf\\x2dweb\\x2d1.scope".to_owned(),
        ),
    ] {
        let group = NestedGroup::make(&path);
        let watch = NestedGroup::make(&format!("conmon/libpod-conmon-{id}.scope"));
        let inside = [Subject::start(&["plain"]), Subject::start(&["plain"])];
        let watcher = Subject::start(&["plain"]);
        for subject in &inside {
            group.take(subject.pid);
        }
        watch.take(watcher.pid);
        let word = format!("container:{name}");
        let mut wanted = inside.each_ref().map(|subject| subject.pid);
        wanted.sort_unstable();
        assert_eq!(pids_of(&plan(&word).expect("a plan")), wanted, "{path}");
        let report = stop(&word);
        assert_eq!(
            (report.survivors.len(), report.ended.len()),
            (0, 2),
            "{path}: {report:?}"
        );
        assert_eq!(state(watcher.pid), 'S', "{path}");
        let again = plan(&word);
        let is_empty = matches!(
            &again,
            Err(StopError::Target(TargetError::NoSuchContainer(_)))
        );
        assert!(is_empty, "{path}: {again:?}");
    }
}

/// What a server begins with: a listening socket, whose port is in a file.
const LISTEN: &str = "import os, signal, socket, subprocess, sys, time
s = socket.create_server(('127.0.0.1', 0))
with open('port', 'w') as f: print(s.getsockname()[1], file=f)
";

const READY: &str = "print('ready', os.getpid(), flush=True)\n";

/// A server in Python; its port is in the folder.
fn serve(folder: &Path, script: &str) -> (Subject, u16) {
    let mut command = Command::new("python3");
    command.args(["-c", &format!("{LISTEN}{script}")]);
    let subject = Subject::start_by(command.current_dir(folder));
    let port = std::fs::read_to_string(folder.join("port")).expect("it is written");
    (subject, port.trim().parse().expect("a number"))
}

#[test]
fn a_port_that_another_process_takes_over_is_told() {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    // It starts its successor, which keeps the socket, when it is told to end.
    let script = format!(
        "s.set_inheritable(True)
def hand_over(*_):
    after = subprocess.Popen(['sleep', '60'], close_fds=False)
    with open('successor', 'w') as f: print(after.pid, file=f)
    os._exit(0)
signal.signal(signal.SIGTERM, hand_over)
{READY}while True: time.sleep(60)"
    );
    let (subject, port) = serve(folder.path(), &script);
    let report = stop(&format!(":{port}"));
    let successor = std::fs::read_to_string(folder.path().join("successor"));
    let successor: u32 = successor
        .expect("it was started")
        .trim()
        .parse()
        .expect("a number");
    let told: Vec<(u16, Option<u32>)> = report
        .still_served
        .iter()
        .map(|served| (served.port, served.pid))
        .collect();
    send(successor, "KILL");
    assert_eq!(told, [(port, Some(successor))], "{report:?}");
    assert!(report.ended.iter().any(|ended| ended.pid == subject.pid));

    // A port that is free afterwards is not told.
    let (subject, port) = serve(folder.path(), &format!("{READY}time.sleep(60)"));
    let report = stop(&format!(":{port}"));
    assert_eq!(report.still_served, [], "{report:?}");
    assert!(report.ended.iter().any(|ended| ended.pid == subject.pid));
}

#[test]
fn peers_that_children_serve_are_counted() {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let script = format!(
        "{READY}for _ in range(2):
    c, _ = s.accept()
    if os.fork() == 0:
        s.close()
        time.sleep(60)
    c.close()
open('served', 'w').close()
time.sleep(60)"
    );
    let (subject, port) = serve(folder.path(), &script);
    let clients =
        [(); 2].map(|()| std::net::TcpStream::connect(("127.0.0.1", port)).expect("it serves"));
    until("both children", || folder.path().join("served").exists());
    let plan = plan(&subject.pid.to_string()).expect("a plan");
    let mut wanted = clients
        .each_ref()
        .map(|it| it.local_addr().expect("connected").to_string());
    let mut peers = plan.members[0].peers.clone();
    wanted.sort_unstable();
    peers.sort_unstable();
    let children: Vec<u32> = plan.members[0]
        .children
        .iter()
        .map(|child| child.pid)
        .collect();
    for child in children {
        send(child, "KILL");
    }
    assert_eq!((plan.members[0].connections, peers), (2, wanted.to_vec()));
}

#[test]
fn what_blocks_term_keeps_it_pending_and_that_is_foretold() {
    let subject = Subject::start(&["blocks"]);
    let made = plan(&subject.pid.to_string()).expect("a plan");
    let member = &made.members[0];
    assert_eq!(
        (member.outcome, member.signal),
        (SignalOutcome::Waits, Some(15))
    );
    assert_eq!(member.explanation.on_kill, SignalOutcome::Ends);
    assert!(member.kill && !member.resume, "{member:?}");
    send(subject.pid, "TERM");
    let detail = subject::detail(subject.pid);
    let pending = detail
        .threads
        .iter()
        .fold(detail.process.signals.pending, |all, it| all | it.pending);
    assert_eq!(pending & (1 << 14), 1 << 14, "TERM stays pending");
    let report = stop(&subject.pid.to_string());
    assert!(report.ended.iter().all(|ended| ended.killed), "{report:?}");
}
