//! Processes that the kernel holds: both freezers, a frozen file system, a FUSE daemon that is silent.
//! These need root and a kernel with the mechanism; where one is not to be had the test fails and says so.

mod subject;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use subject::{Subject, explained, runs, send, state, tell_progress, until};
use surefoot_processes::{
    ProcessPlight, SignalOutcome, StopOptions, StopTarget, WaitCause, carry_out, gather_stop_plan,
};

fn has_ended(pid: u32) -> bool {
    matches!(state(pid), 'Z' | 'X' | '-')
}

/// Says that a state was told rightly each time; a test ends at the first time that it was not.
fn tell_rightly(state: &str) {
    let runs = runs();
    tell_progress(&format!("{state}: told and freed, {runs} of {runs}"));
}

/// A control group of the test's own, removed with this value.
struct OwnGroup(PathBuf);

impl OwnGroup {
    /// Makes one below the mount of a hierarchy.
    fn make(mount: &Path, name: &str) -> Self {
        let folder = mount.join(format!("surefoot-test-{}-{name}", std::process::id()));
        std::fs::create_dir(&folder).expect("a control group can be made");
        Self(folder)
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.0.join(file), text).expect("the group can be told");
    }
}

impl Drop for OwnGroup {
    fn drop(&mut self) {
        // A group can be removed once the last process in it is reaped.
        for _ in 0..200 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A hierarchy of control groups; unmounted with this value if it was mounted for the test.
struct MountedHierarchy {
    path: PathBuf,
    own: Option<tempfile::TempDir>,
}

impl MountedHierarchy {
    /// Finds where a hierarchy is mounted, or mounts it where it is nowhere: a machine with systemd of
    /// today has version 2 only, and its kernel has the freezer of version 1 all the same.
    fn find_or_mount(kind: &str, option: &str) -> Self {
        let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
        let found = mounts.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let has = option.is_empty() || fields.get(3)?.split(',').any(|it| it == option);
            (fields.get(2)? == &kind && has).then(|| PathBuf::from(fields[1]))
        });
        if let Some(path) = found {
            return Self { path, own: None };
        }
        let folder = tempfile::tempdir().expect("a folder for scratch");
        let mut mount = Command::new("mount");
        mount.args(["-t", kind]);
        if !option.is_empty() {
            mount.args(["-o", option]);
        }
        let mounted = mount.arg("surefoot-test").arg(folder.path()).output();
        let mounted = mounted.expect("mount runs");
        assert!(
            mounted.status.success(),
            "this test needs root and a kernel with {kind} {option}: {mounted:?}"
        );
        Self {
            path: folder.path().to_owned(),
            own: Some(folder),
        }
    }
}

impl Drop for MountedHierarchy {
    fn drop(&mut self) {
        if self.own.is_some() {
            // What is left mounted keeps its folder, which shows it.
            let _ = Command::new("umount").arg(&self.path).status();
        }
    }
}

#[test]
fn the_freezer_of_version_one_keeps_kill_away_until_it_thaws() {
    let mount = MountedHierarchy::find_or_mount("cgroup", "freezer");
    for run in 0..runs() {
        let group = OwnGroup::make(&mount.path, &format!("one{run}"));
        let subject = Subject::start(&["plain"]);
        group.write("cgroup.procs", &subject.pid.to_string());
        group.write("freezer.state", "FROZEN");
        let frozen = || {
            std::fs::read_to_string(group.0.join("freezer.state"))
                .is_ok_and(|text| text.trim() == "FROZEN")
        };
        until("the freeze", frozen);
        let explanation = explained(subject.pid);
        assert_eq!(explanation.plight.word(), "frozen-v1", "{explanation:?}");
        assert_eq!(
            [explanation.on_term, explanation.on_kill],
            [SignalOutcome::Waits; 2]
        );
        let command = &explanation.remedies[0].commands[0];
        let file = group.0.join("freezer.state");
        assert!(
            command.ends_with(&file.display().to_string()) && command.contains("THAWED"),
            "{command}"
        );
        send(subject.pid, "KILL");
        std::thread::sleep(Duration::from_millis(50));
        assert!(!has_ended(subject.pid));
        // The command that was advised frees it.
        let status = Command::new("sh")
            .args(["-c", command])
            .status()
            .expect("a shell");
        assert!(status.success());
        until("the end", || has_ended(subject.pid));
    }
    tell_rightly("frozen-v1");
}

#[test]
fn the_freezer_of_version_two_lets_deadly_signals_through() {
    let mount = MountedHierarchy::find_or_mount("cgroup2", "");
    for (kind, on_term) in [
        ("plain", SignalOutcome::Ends),
        ("catches", SignalOutcome::Waits),
    ] {
        for run in 0..runs() {
            let group = OwnGroup::make(&mount.path, &format!("two{kind}{run}"));
            let subject = Subject::start(&[kind]);
            group.write("cgroup.procs", &subject.pid.to_string());
            group.write("cgroup.freeze", "1");
            let frozen = || {
                std::fs::read_to_string(group.0.join("cgroup.events"))
                    .is_ok_and(|text| text.contains("frozen 1"))
            };
            until("the freeze", frozen);
            let explanation = explained(subject.pid);
            assert_eq!(explanation.plight.word(), "frozen-v2", "{explanation:?}");
            assert_eq!(
                (explanation.on_term, explanation.on_kill),
                (on_term, SignalOutcome::Ends)
            );
            send(subject.pid, "TERM");
            if on_term == SignalOutcome::Ends {
                until("the end", || has_ended(subject.pid));
            } else {
                std::thread::sleep(Duration::from_millis(50));
                assert!(!has_ended(subject.pid));
                send(subject.pid, "KILL");
                until("the end", || has_ended(subject.pid));
            }
        }
        tell_rightly(&format!("frozen-v2, {kind}"));
    }
}

#[test]
fn a_control_group_is_stopped_with_what_no_parent_tells_of() {
    let mount = MountedHierarchy::find_or_mount("cgroup2", "");
    let group = OwnGroup::make(&mount.path, "orphans");
    // The orphan is in a session of its own, and its parent is gone.
    let script = format!(
        "echo $$ > {}/cgroup.procs; (setsid sleep 120 &) ; sleep 0.2; echo ready $$; exec sleep 120",
        group.0.display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let _subject = Subject::start_by(&mut command);
    let members =
        || surefoot_host::control_group_members(&group.0.display().to_string()).expect("members");
    assert_eq!(members().len(), 2);
    let target = StopTarget::ControlGroup(group.0.display().to_string());
    let options = StopOptions {
        grace: Some(2),
        ..StopOptions::default()
    };
    let me = std::process::id();
    let plan = gather_stop_plan(&[target], options, 0, me).expect("a plan");
    assert_eq!(plan.members.len(), 2);
    let report = carry_out(&plan, me, &mut |_| {}).expect("it is carried out");
    assert_eq!(
        (report.ended.len(), report.survivors.len()),
        (2, 0),
        "{report:?}"
    );
}

/// A file system in a file, mounted for the test and unmounted with this value.
struct OwnFileSystem {
    folder: tempfile::TempDir,
}

impl OwnFileSystem {
    fn make() -> Self {
        let folder = tempfile::tempdir().expect("a folder for scratch");
        let script = "set -e; cd \"$1\"; truncate -s 8M image; mkfs.ext4 -q -F image; mkdir on; mount -o loop image on";
        let status = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(folder.path())
            .status();
        assert!(
            status.is_ok_and(|it| it.success()),
            "this test needs root, mkfs.ext4 and loop devices"
        );
        Self { folder }
    }

    fn point(&self) -> PathBuf {
        self.folder.path().join("on")
    }

    fn tell(&self, option: &str) {
        let status = Command::new("fsfreeze")
            .arg(option)
            .arg(self.point())
            .status();
        assert!(status.is_ok_and(|it| it.success()), "fsfreeze {option}");
    }
}

impl Drop for OwnFileSystem {
    fn drop(&mut self) {
        let _ = Command::new("fsfreeze")
            .arg("-u")
            .arg(self.point())
            .stderr(std::process::Stdio::null())
            .status();
        for _ in 0..50 {
            if Command::new("umount")
                .arg(self.point())
                .status()
                .is_ok_and(|it| it.success())
            {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A mount of the test's own, given up with this value.
struct OwnMount(PathBuf);

impl Drop for OwnMount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_fuse_daemon_that_is_silent_is_named_with_the_way_to_cut_it_off() {
    for _ in 0..runs() {
        let folder = tempfile::tempdir().expect("a folder for scratch");
        let point = folder.path().join("on");
        std::fs::create_dir(&point).expect("it is made");
        let shown = point.to_str().expect("text");
        let _mount = OwnMount(point.clone());
        // This test needs root and a kernel with FUSE.
        let daemon = Subject::start(&["serves-nothing", shown]);
        let file = point.join("file");
        let mut subject = Subject::start(&["write", file.to_str().expect("text")]);
        subject.tell("go");
        let waits = || {
            let channel = std::fs::read_to_string(format!("/proc/{}/wchan", subject.pid));
            channel.is_ok_and(|channel| channel.contains("request_wait_answer"))
        };
        until("the wait for the daemon", waits);
        let explanation = explained(subject.pid);
        let ProcessPlight::Uninterruptible { cause, call, .. } = &explanation.plight else {
            panic!("{explanation:?}");
        };
        assert_eq!(*cause, WaitCause::FuseDaemon, "{explanation:?}");
        let mount = call.as_ref().and_then(|call| call.mount.as_ref());
        let mount = mount.unwrap_or_else(|| panic!("{explanation:?}"));
        assert_eq!(
            (mount.point.as_str(), mount.kind.as_str()),
            (shown, "fuse.silent")
        );
        let named = format!(
            "the program that serves {shown} (fuse.silent from surefoot-test) does not answer"
        );
        assert!(explanation.why.contains(&named), "{explanation:?}");
        send(subject.pid, "KILL");
        std::thread::sleep(Duration::from_millis(50));
        assert!(!has_ended(subject.pid), "KILL waits for the daemon");
        assert!(!has_ended(daemon.pid));
        // The commands that were advised free it, and the daemon need not be known for that.
        let script = explanation.remedies[0].commands.join("\n");
        let status = Command::new("sh").args(["-ec", &script]).status();
        assert!(status.expect("a shell").success(), "{script}");
        until("the end", || has_ended(subject.pid));
    }
    tell_rightly("silent FUSE daemon");
}

#[test]
fn a_frozen_file_system_is_named_with_the_file_and_the_way_to_thaw_it() {
    let file_system = OwnFileSystem::make();
    for run in 0..runs() {
        let file = file_system.point().join(format!("file{run}"));
        let path = file.to_str().expect("text");
        let mut subject = Subject::start(&["write", path]);
        file_system.tell("-f");
        subject.tell("go");
        until("state D", || state(subject.pid) == 'D');
        let explanation = explained(subject.pid);
        let ProcessPlight::Uninterruptible {
            cause,
            killable,
            call,
            ..
        } = &explanation.plight
        else {
            panic!("{explanation:?}");
        };
        assert_eq!(
            (*cause, *killable),
            (WaitCause::FrozenFileSystem, Some(false)),
            "{explanation:?}"
        );
        let call = call.as_ref().expect("root sees the system call");
        assert_eq!(call.path.as_deref(), Some(path));
        let point = call.mount.as_ref().map(|mount| mount.point.clone());
        assert_eq!(point.as_deref(), file_system.point().to_str());
        send(subject.pid, "KILL");
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(state(subject.pid), 'D');
        let command = &explanation.remedies[0].commands[0];
        let status = Command::new("sh")
            .args(["-c", command])
            .status()
            .expect("a shell");
        assert!(status.success(), "{command}");
        until("the end", || has_ended(subject.pid));
    }
    tell_rightly("frozen file system");
}
