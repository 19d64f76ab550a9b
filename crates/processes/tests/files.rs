//! What `/proc` and `systemctl show` print, read from files; the same files are where fuzzing begins.

use surefoot_host::{
    Host, MountedAt, Process, ProcessDetail, ProcessFiles, ThreadState, WaitingCall,
};
use surefoot_processes::{
    ProcessPlight, SignalOutcome, SignalSender, TERM, UnitState, WaitCause, explain_process,
    mask_has,
};

fn parse(text: &str) -> Process {
    let mut parts = text.split("\n====\n").map(str::as_bytes);
    let mut next = || parts.next().expect("four files");
    let files = ProcessFiles {
        status: next(),
        stat: next(),
        command_line: next(),
        control_groups: next(),
    };
    files.parse(812, 1000, false).expect("it is understood")
}

#[test]
fn a_daemon_is_read_with_its_unit() {
    let process = parse(include_str!("files/nginx.proc"));
    assert_eq!((process.name.as_str(), process.state), ("nginx", 'S'));
    assert_eq!((process.parent, process.started), (1, 1018));
    assert_eq!(process.unit.as_deref(), Some("nginx.service"));
    assert!(!mask_has(process.signals.ignored, TERM));
}

#[test]
fn a_name_with_brackets_a_secret_and_a_container_are_read() {
    let process = parse(include_str!("files/odd-name.proc"));
    assert_eq!((process.name.as_str(), process.state), ("a) (b", 'D'));
    assert_eq!(process.parent, 9);
    assert!(mask_has(process.signals.ignored, TERM));
    assert!(process.container.is_some_and(|id| id.len() == 64));
    assert!(
        !process.command.iter().any(|word| word == "hunter2"),
        "{:?}",
        process.command
    );
}

#[test]
fn a_unit_is_read() {
    let unit = UnitState::parse(include_str!("files/nginx.unit"));
    assert_eq!((unit.id.as_str(), unit.main), ("nginx.service", 812));
    assert!(unit.comes_back());
}

/// A process that waits for a file on a server, as `/proc/PID/stack` shows it.
fn waits_for_a_server(stack: &str, mount: Option<MountedAt>) -> ProcessDetail {
    let functions = stack.lines().filter_map(|line| {
        let frame = line.split_whitespace().nth(1)?;
        Some(frame.split('+').next()?.to_owned())
    });
    let stack: Vec<String> = functions.collect();
    let thread = ThreadState {
        tid: 812,
        state: 'D',
        wait_channel: stack.first().cloned(),
        ..ThreadState::default()
    };
    ProcessDetail {
        process: Process {
            pid: 812,
            parent: 1,
            name: "ls".to_owned(),
            state: 'D',
            wait_channel: stack.first().cloned(),
            ..Process::default()
        },
        threads: vec![thread],
        waits_in: Some(WaitingCall {
            tid: 812,
            number: 262,
            name: Some("newfstatat".to_owned()),
            path: Some("/mnt/data/report".to_owned()),
            mount,
        }),
        stack,
        ..ProcessDetail::default()
    }
}

#[test]
fn a_server_of_files_that_is_down_is_named_with_its_mount() {
    let stack = include_str!("files/nfs-down.stack");
    let mounted = |kind: &str, source: &str| MountedAt {
        point: "/mnt/data".to_owned(),
        kind: kind.to_owned(),
        source: source.to_owned(),
        minor: 51,
    };
    let host = Host::default();
    let sender = SignalSender::of(&host, 1);
    let explain =
        |stack: &str, mount| explain_process(&waits_for_a_server(stack, mount), &host, &sender);
    let told = explain(stack, Some(mounted("nfs4", "files1:/export")));
    let ProcessPlight::Uninterruptible {
        cause, killable, ..
    } = &told.plight
    else {
        panic!("{told:?}");
    };
    // The function says that KILL gets through.
    assert_eq!(
        (*cause, *killable),
        (WaitCause::NetworkFileSystem, Some(true))
    );
    assert_eq!(told.on_kill, SignalOutcome::Ends);
    let server = "the server behind /mnt/data (nfs4 from files1:/export) does not answer";
    assert!(told.why.iter().any(|why| why == server), "{:?}", told.why);
    let commands: Vec<&String> = told.remedies.iter().flat_map(|it| &it.commands).collect();
    assert_eq!(commands, ["umount -f -l /mnt/data"]);

    // Where it waits for a page that is on its way to the server, KILL may have to wait as well.
    let page = "[<0>] folio_wait_bit_common+0x1/0x2\n[<0>] nfs_wb_all+0x1/0x2 [nfs]\n";
    let told = explain(page, Some(mounted("nfs", "files1:/export")));
    assert_eq!(told.on_kill, SignalOutcome::Unknown, "{told:?}");
    // Other servers of files are told by the mount, and an unknown mount is looked for.
    let told = explain(
        "[<0>] wait_for_response+0x1/0x2 [cifs]\n",
        Some(mounted("cifs", "//files1/data")),
    );
    assert!(
        told.why.iter().any(|why| why.contains("//files1/data")),
        "{:?}",
        told.why
    );
    let told = explain(stack, None);
    assert!(
        told.remedies[0].commands[0].starts_with("findmnt -t nfs"),
        "{told:?}"
    );
    // A driver that hangs behind sysfs is no server.
    let driver = "[<0>] msleep+0x1/0x2\n[<0>] kernfs_fop_read_iter+0x1/0x2\n";
    let told = explain(driver, None);
    let ProcessPlight::Uninterruptible { cause, .. } = &told.plight else {
        panic!("{told:?}");
    };
    assert_eq!(*cause, WaitCause::Other);
}
