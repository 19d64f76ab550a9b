//! Login prompts that were set really run: under a real systemd, System V init, busybox init, runit and
//! `OpenRC`, each as process 1 of namespaces of its own, at once and after it was started anew.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long an init system may take to boot, and its prompts to run.
const LONGEST_BOOT: Duration = Duration::from_secs(40);

/// A running init system.
struct RealInit {
    /// What made the namespaces.
    launcher: Child,
    /// Process 1, by its number outside.
    init: Pid,
    /// Where systemd's control groups are.
    groups: Option<PathBuf>,
}

/// An answer of surefoot, run inside.
#[derive(Debug)]
struct Answer {
    status: Option<i32>,
    out: String,
    err: String,
}

/// What `cargo xtask test` unpacks from Debian's packages.
fn unpacked() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../unpacked");
    assert!(
        [
            "sbin/telinit",
            "bin/busybox",
            "sbin/runit",
            "sbin/openrc-init"
        ]
        .iter()
        .all(|file| folder.join(file).exists()),
        "{} lacks an init system; `cargo xtask packages` unpacks them there",
        folder.display()
    );
    folder.canonicalize().expect("it is there")
}

impl RealInit {
    /// Boots an init system with the files of a folder.
    fn boot(kind: &str, work: &Path) -> Self {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_init");
        let groups = (kind == "systemd").then(|| control_group(work));
        // Whatever happens to this test, its namespaces end.
        let mut launcher = Command::new("timeout");
        launcher.args([
            "-s",
            "KILL",
            "300",
            "unshare",
            "-m",
            "-n",
            "-p",
            "-u",
            "-i",
            "-C",
            "--fork",
            "--kill-child",
        ]);
        launcher.args(["--propagation", "private", "bash"]);
        launcher.arg(scripts.join("boot.sh"));
        launcher.arg(kind).arg(work).arg(unpacked());
        launcher.arg(env!("CARGO_BIN_EXE_surefoot"));
        if let Some(groups) = &groups {
            // The launcher has to be in the group before its view of the groups is made.
            let enter = format!(
                "echo $$ > '{}/cgroup.procs' && exec \"$@\"",
                groups.display()
            );
            let words: Vec<_> = launcher.get_args().map(ToOwned::to_owned).collect();
            launcher = Command::new("bash");
            launcher
                .args(["-c", &enter, "enter", "timeout"])
                .args(words);
        }
        let log = fs::File::create(work.join("boot.log")).expect("it can be made");
        let copy = log.try_clone().expect("it is open");
        // No terminal of this test is the init's, and no signal of its group reaches the test.
        launcher
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(copy);
        let mut launcher = launcher.spawn().expect("unshare is there");
        let end = Instant::now() + LONGEST_BOOT;
        loop {
            let unshare = child_of(i32::try_from(launcher.id()).expect("it is a number"));
            if let Some(pid) = unshare.and_then(child_of)
                && runs_init(pid)
            {
                let init = Pid::from_raw(pid).expect("it is a number of a process");
                return Self {
                    launcher,
                    init,
                    groups,
                };
            }
            let told = || fs::read_to_string(work.join("boot.log")).unwrap_or_default();
            if let Some(status) = launcher.try_wait().expect("it is our child") {
                panic!(
                    "this test needs root: {kind} did not boot: {status}: {}",
                    told()
                );
            }
            assert!(Instant::now() < end, "{kind} does not boot: {}", told());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs surefoot inside.
    fn surefoot(&self, words: &[&str]) -> Answer {
        let output = Command::new("timeout")
            .args([
                "60",
                "nsenter",
                "-t",
                &self.init.as_raw_nonzero().to_string(),
            ])
            .args(["-m", "-u", "-i", "-n", "-p", "-r", "-w", "/surefoot"])
            .args(words)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output()
            .expect("timeout is there");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Answer {
            status: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// The terminals on which a prompt runs.
    fn running(&self) -> Vec<String> {
        let answer = self.surefoot(&["consoles", "--format", "json"]);
        let value: serde_json::Value =
            serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {answer:?}"));
        let rows = value["answer"]["terminals"]
            .as_array()
            .expect("a list")
            .clone();
        let runs = rows.iter().filter(|row| row["running"]["answer"] == "yes");
        let names = runs.map(|row| row["terminal"].as_str().expect("a name").to_owned());
        names.collect()
    }

    /// Waits until prompts run on exactly these terminals.
    fn await_prompts(&self, wanted: &[&str], when: &str) {
        let end = Instant::now() + LONGEST_BOOT;
        loop {
            let running = self.running();
            if running == wanted {
                return;
            }
            assert!(
                Instant::now() < end,
                "{when}: {running:?} run, and not {wanted:?}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Changes prompts, and sees that they are changed when the command ends.
    fn change(&self, words: &[&str], wanted: &[&str]) {
        let answer = self.surefoot(&[&["consoles"], words].concat());
        assert_eq!(answer.status, Some(0), "{words:?}: {answer:?}");
        assert!(answer.err.contains("in force"), "{words:?}: {answer:?}");
        assert_eq!(self.running(), wanted, "{words:?}: {answer:?}");
    }
}

impl Drop for RealInit {
    fn drop(&mut self) {
        // With process 1 every process of its namespace ends.
        let _ = kill_process(self.init, Signal::KILL);
        let _ = self.launcher.wait();
        if let Some(groups) = &self.groups {
            remove_groups(groups);
        }
    }
}

/// The first child of a process.
fn child_of(pid: i32) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Whether a process has become an init system.
fn runs_init(pid: i32) -> bool {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    ["init", "systemd", "busybox", "runit"].contains(&name.trim())
}

/// Makes a control group of the unified hierarchy.
fn control_group(work: &Path) -> PathBuf {
    let mounts = fs::read_to_string("/proc/mounts").expect("proc is mounted");
    let unified = mounts
        .lines()
        .find_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (place, kind) = (words.next()?, words.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(place))
        })
        .expect("this test needs a cgroup2 file system that is mounted");
    let name = work.file_name().expect("it has a name").to_string_lossy();
    let group = unified.join(format!("surefoot-test-{name}"));
    fs::create_dir_all(&group).expect("this test needs root, and control groups that it may make");
    group
}

/// Removes a control group and those below it, as soon as they are empty.
fn remove_groups(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove_groups(&entry.path());
        }
    }
    for _ in 0..100 {
        if fs::remove_dir(group).is_ok() || !group.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// All files below a folder with their contents, links with their targets.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        let metadata = fs::symlink_metadata(&path).expect("it is there");
        if metadata.is_dir() {
            found.extend(contents(&path));
        } else if metadata.is_symlink() {
            let target = fs::read_link(&path).expect("it is a link");
            found.push((path, target.into_os_string().into_encoded_bytes()));
        } else {
            let bytes = fs::read(&path).expect("it can be read");
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

/// A folder with the `/etc` of a system.
fn work_with(files: &[(&str, &str)], links: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let etc = folder.path().join("etc");
    let place = |name: &str| {
        let path = etc.join(name);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it can be made");
        path
    };
    let users = [
        ("passwd", "root::0:0:root:/root:/bin/sh\n"),
        ("group", "root:x:0:\ntty:x:5:\n"),
    ];
    for (name, text) in users.iter().chain(files) {
        fs::write(place(name), text).expect("it can be written");
    }
    for (name, target) in links {
        std::os::unix::fs::symlink(target, place(name)).expect("it can be linked");
    }
    folder
}

/// Sets prompts, looks at once and after a new start, and puts everything back.
fn set_and_start_anew(kind: &str, work: &Path, before: &[&str], steps: &[(&[&str], &[&str])]) {
    let etc = work.join("etc");
    let real = RealInit::boot(kind, work);
    real.await_prompts(before, "after the first boot");
    let files_before = contents(&etc);
    let mut last = before;
    for (words, wanted) in steps {
        real.change(words, wanted);
        last = wanted;
    }
    let (words, _) = steps.last().expect("a step");
    let files = contents(&etc);
    let again = real.surefoot(&[&["consoles"], *words].concat());
    assert_eq!(again.status, Some(0), "{again:?}");
    assert!(again.out.contains("as it is set up already"), "{again:?}");
    assert_eq!(contents(&etc), files, "{words:?} for the second time");
    drop(real);

    let real = RealInit::boot(kind, work);
    real.await_prompts(last, "after a new start");
    for number in (1..=steps.len()).rev() {
        let undone = real.surefoot(&["undo", &number.to_string()]);
        assert_eq!(undone.status, Some(0), "{undone:?}");
    }
    real.await_prompts(before, "after undo");
    assert_eq!(contents(&etc), files_before, "undone to the byte");
}

#[test]
fn under_system_v_init_the_prompts_that_are_set_run() {
    let inittab = "id:2:initdefault:\n\
                   1:2345:respawn:/sbin/getty 38400 tty1\n\
                   2:23:respawn:/sbin/getty 38400 tty2\n\
                   3:23:respawn:/sbin/getty 38400 tty3\n\
                   #T0:23:respawn:/sbin/getty -L hvc0 9600 vt100\n";
    let work = work_with(&[("inittab", inittab)], &[]);
    let steps: &[(&[&str], &[&str])] = &[
        (&["set", "1"], &["tty1"]),
        (
            &["set", "tty1-tty4,hvc0"],
            &["tty1", "tty2", "tty3", "tty4", "hvc0"],
        ),
        (&["remove", "tty2"], &["tty1", "tty3", "tty4", "hvc0"]),
    ];
    set_and_start_anew("sysvinit", work.path(), &["tty1", "tty2", "tty3"], steps);
}

#[test]
fn under_busybox_init_the_prompts_that_are_set_run() {
    let inittab = "::sysinit:/bin/true\n\
                   tty1::respawn:/sbin/getty 38400 tty1\n\
                   tty2::respawn:/sbin/getty 38400 tty2\n\
                   #hvc0::respawn:/sbin/getty -L 115200 hvc0 vt100\n";
    let work = work_with(&[("inittab", inittab)], &[]);
    let steps: &[(&[&str], &[&str])] = &[
        (&["set", "tty1,hvc0"], &["tty1", "hvc0"]),
        (&["add", "tty3"], &["tty1", "tty3", "hvc0"]),
    ];
    set_and_start_anew("busybox", work.path(), &["tty1", "tty2"], steps);
}

#[test]
fn under_systemd_the_prompts_that_are_set_run() {
    let wants = "systemd/system/getty.target.wants";
    let unit = "/lib/systemd/system/getty@.service";
    let links = [
        (format!("{wants}/getty@tty1.service"), unit),
        (format!("{wants}/getty@tty2.service"), unit),
        (
            "systemd/system/default.target".to_owned(),
            "/lib/systemd/system/multi-user.target",
        ),
    ];
    let links: Vec<(&str, &str)> = links
        .iter()
        .map(|(name, to)| (name.as_str(), *to))
        .collect();
    let machine = [("machine-id", "00000000000000000000000000000001\n")];
    let work = work_with(&machine, &links);
    // In a container the generator makes a prompt on the console.
    let steps: &[(&[&str], &[&str])] = &[
        (&["set", "tty1,console"], &["tty1", "console"]),
        (
            &["set", "tty1-tty4,console"],
            &["tty1", "tty2", "tty3", "tty4", "console"],
        ),
        (
            &["remove", "tty3,console", "--no-console"],
            &["tty1", "tty2", "tty4"],
        ),
    ];
    set_and_start_anew("systemd", work.path(), &["tty1", "tty2", "console"], steps);
}

/// The service of a login prompt as runit on Debian has it.
fn runit_service(terminal: &str) -> (String, String) {
    let run = format!("#!/bin/sh\nexec chpst -P getty 38400 {terminal} linux\n");
    (format!("sv/getty-{terminal}/run"), run)
}

/// Lets files below the `/etc` of a system be run.
fn make_executable(work: &Path, names: &[&str]) {
    use std::os::unix::fs::PermissionsExt as _;
    for name in names {
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(work.join("etc").join(name), mode).expect("its mode can be set");
    }
}

#[test]
fn under_runit_the_prompts_that_are_set_run() {
    let terminals = ["tty1", "tty2", "tty3"];
    let services = terminals.map(runit_service);
    let mut files: Vec<(&str, &str)> = services
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    // Neither boot scripts nor those of System V are run.
    files.extend([
        ("runit/native.boot.run", ""),
        ("runit/no.emulate.sysv", ""),
        ("runit/boot-run/10-none.sh", ""),
    ]);
    let mut links = vec![
        ("service".to_owned(), "runit/runsvdir/current".to_owned()),
        ("runit/runsvdir/current".to_owned(), "default".to_owned()),
    ];
    for terminal in terminals {
        let to = format!("/run/runit/supervise/getty-{terminal}");
        links.push((format!("sv/getty-{terminal}/supervise"), to));
    }
    for terminal in &terminals[..2] {
        let name = format!("runit/runsvdir/default/getty-{terminal}");
        links.push((name, format!("/etc/sv/getty-{terminal}")));
    }
    let links: Vec<(&str, &str)> = links
        .iter()
        .map(|(name, to)| (name.as_str(), to.as_str()))
        .collect();
    let work = work_with(&files, &links);
    let programs: Vec<&str> = services.iter().map(|(name, _)| name.as_str()).collect();
    make_executable(work.path(), &programs);
    let steps: &[(&[&str], &[&str])] = &[
        (&["set", "1"], &["tty1"]),
        (
            &["set", "tty1-tty4,hvc0"],
            &["tty1", "tty2", "tty3", "tty4", "hvc0"],
        ),
        (&["remove", "tty2"], &["tty1", "tty3", "tty4", "hvc0"]),
    ];
    set_and_start_anew("runit", work.path(), &["tty1", "tty2"], steps);
}

#[test]
fn under_openrc_the_prompts_that_are_set_run() {
    // `rc.conf` tells that devices and file systems are not to be looked after.
    let files = [
        ("rc.conf", "rc_sys=\"\"\nrc_logger=\"NO\"\n"),
        ("init.d/README", ""),
        ("fstab", ""),
    ];
    let links = [
        ("init.d/agetty.tty1", "agetty"),
        ("init.d/agetty.tty2", "agetty"),
        ("runlevels/default/agetty.tty1", "/etc/init.d/agetty.tty1"),
        ("runlevels/default/agetty.tty2", "/etc/init.d/agetty.tty2"),
    ];
    let work = work_with(&files, &links);
    let steps: &[(&[&str], &[&str])] = &[
        (&["set", "1"], &["tty1"]),
        (
            &["set", "tty1-tty3,hvc0"],
            &["tty1", "tty2", "tty3", "hvc0"],
        ),
        (&["remove", "tty2"], &["tty1", "tty3", "hvc0"]),
    ];
    set_and_start_anew("openrc", work.path(), &["tty1", "tty2"], steps);
}

#[test]
fn under_systemd_a_unit_that_restarts_stays_down_when_it_is_stopped() {
    let unit = "[Service]\nExecStart=/bin/sleep 1000\nRestart=always\nRestartSec=100ms\n";
    let files = [
        ("machine-id", "00000000000000000000000000000002\n"),
        ("systemd/system/again.service", unit),
    ];
    let links = [
        (
            "systemd/system/multi-user.target.wants/again.service",
            "/etc/systemd/system/again.service",
        ),
        (
            "systemd/system/default.target",
            "/lib/systemd/system/multi-user.target",
        ),
    ];
    let work = work_with(&files, &links);
    let real = RealInit::boot("systemd", work.path());
    let end = Instant::now() + LONGEST_BOOT;
    let started = loop {
        let dry = real.surefoot(&["stop", "unit:again", "--dry-run"]);
        if dry.out.contains("again.service") && dry.out.contains("(pid ") {
            break dry;
        }
        assert!(Instant::now() < end, "{dry:?}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let (_, rest) = started.out.split_once("(pid ").expect("its number");
    let pid = rest.split(')').next().expect("a number");
    // The process alone would come back, and that is said.
    let refused = real.surefoot(&["stop", pid]);
    assert_eq!(refused.status, Some(1), "{refused:?}");
    let proper = "the proper way:  surefoot stop unit:again.service";
    assert!(refused.out.contains(proper), "{refused:?}");
    let stopped = real.surefoot(&["stop", "unit:again"]);
    assert_eq!(stopped.status, Some(0), "{stopped:?}");
    assert!(
        stopped.out.contains("stopped: again.service"),
        "{stopped:?}"
    );
    // Long enough for a restart.
    std::thread::sleep(Duration::from_millis(600));
    let gone = real.surefoot(&["stop", "unit:again", "--dry-run"]);
    assert!(!gone.out.contains("(pid "), "{gone:?}");
}
