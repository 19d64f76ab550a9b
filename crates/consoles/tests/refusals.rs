//! What is refused before a prompt is claimed that will not be there: a missing program, a terminal that no
//! kernel has, files that cannot be read.

mod common;

use std::fs;

use common::{Layout, all_layouts};
use surefoot_consoles::{
    ConsoleError, ConsolePlan, ConsoleRequest, ConsoleTable, ConsoleWish, InitSystem,
    check_programs, plan_consoles,
};
use surefoot_host::Host;

fn layout(name: &str) -> Layout {
    let mut layouts = all_layouts();
    layouts.retain(|layout| layout.name == name);
    layouts.pop().expect("it is there")
}

fn plan(host: &Host, wish: ConsoleWish) -> Result<ConsolePlan, ConsoleError> {
    plan_consoles(host, &ConsoleRequest::new(wish))
}

#[test]
fn a_program_that_is_not_there_is_named() {
    for name in ["debian-12", "rhel-5", "ubuntu-10.04"] {
        let folder = tempfile::tempdir().expect("a folder for scratch");
        let root = folder.path();
        layout(name).write_below(root);
        let host = Host::at(root, 0);
        let plan = plan(&host, ConsoleWish::Add(vec!["ttyS1".to_owned()])).expect("it is planned");
        for program in ["agetty", "getty", "mingetty"] {
            let path = root.join("sbin").join(program);
            fs::create_dir_all(root.join("sbin")).expect("it can be made");
            fs::write(path, "").expect("it can be written");
        }
        check_programs(&plan, root).expect("all are there");
        for program in ["agetty", "getty", "mingetty"] {
            fs::remove_file(root.join("sbin").join(program)).expect("it can be removed");
        }
        let error = check_programs(&plan, root).expect_err("none is there");
        assert!(
            error
                .to_string()
                .contains("getty is not there; without it tty1 gets"),
            "{name}: {error}"
        );
    }
}

#[test]
fn a_terminal_that_no_kernel_has_is_refused_and_can_be_removed() {
    let host = layout("rhel-5").host();
    for terminal in ["tty0", "tty64", "tty99999", "ttyS4711", "hvc00"] {
        let error = plan(&host, ConsoleWish::Add(vec![terminal.to_owned()])).expect_err(terminal);
        let is_it = matches!(error, ConsoleError::Impossible { .. });
        assert!(is_it, "{terminal}: {error}");
    }
    for terminal in ["tty63", "ttyS7", "ttyUSB12", "hvc0"] {
        plan(&host, ConsoleWish::Add(vec![terminal.to_owned()])).expect(terminal);
    }
    let folder = tempfile::tempdir().expect("a folder for scratch");
    layout("rhel-5").write_below(folder.path());
    let inittab = folder.path().join("etc/inittab");
    let mut text = fs::read_to_string(&inittab).expect("it is read");
    text.push_str("64:2345:respawn:/sbin/mingetty tty64\n");
    fs::write(&inittab, text).expect("it is written");
    let host = Host::at(folder.path(), 0);
    let plan = plan(&host, ConsoleWish::Remove(vec!["tty64".to_owned()])).expect("it is planned");
    assert_eq!(plan.removed, ["tty64"]);
}

#[test]
fn an_inittab_that_cannot_be_read_is_no_missing_init() {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    layout("rhel-5").write_below(folder.path());
    let inittab = folder.path().join("etc/inittab");
    fs::remove_file(&inittab).expect("it can be removed");
    // What is no plain file is not opened, for root either.
    let _socket = std::os::unix::net::UnixListener::bind(&inittab).expect("it can be made");
    for without_program in [false, true] {
        if without_program {
            fs::remove_file(folder.path().join("sbin/init")).unwrap_or_default();
        }
        let host = Host::at(folder.path(), 0);
        let table = ConsoleTable::of(&host);
        let why = table.init_unknown.expect("it is unknown");
        assert_eq!(why, "/etc/inittab is there and cannot be read");
        let error = plan(&host, ConsoleWish::Count(1)).expect_err("it is refused");
        assert!(matches!(error, ConsoleError::UnknownInit { .. }), "{error}");
    }
    let of_text = layout("rhel-5").host();
    assert_eq!(ConsoleTable::of(&of_text).init, Some(InitSystem::Sysvinit));
}
