//! What `/proc` and `systemctl show` print, read from files; the same files are where fuzzing begins.

use surefoot_host::ProcessFiles;
use surefoot_processes::{TERM, UnitState, mask_has};

fn parse(text: &str) -> surefoot_host::Process {
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
