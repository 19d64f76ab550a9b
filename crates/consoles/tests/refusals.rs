//! What is refused before a prompt is claimed that will not be there: a missing program, a terminal that no
//! kernel has, files that cannot be read.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use common::{Layout, all_layouts};
use surefoot_consoles::{
    ConsoleError, ConsolePlan, ConsoleRequest, ConsoleTable, ConsoleWish, InitSystem, TerminalList,
    console_table_text, missing_programs, plan_consoles,
};
use surefoot_host::{Host, Platform, SetupContent};

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
            fs::write(&path, "#!/bin/sh\n").expect("it can be written");
            make_executable(&path, true);
        }
        assert!(missing_programs(&plan, root).is_empty(), "all are there");
        for program in ["agetty", "getty", "mingetty"] {
            fs::remove_file(root.join("sbin").join(program)).expect("it can be removed");
        }
        let told: Vec<String> = missing_programs(&plan, root)
            .iter()
            .map(ToString::to_string)
            .collect();
        // Each program that is missing is named, with all its terminals.
        let whole = told.join("\n");
        for terminal in &plan.wanted {
            assert_eq!(whole.matches(terminal).count(), 1, "{name}: {told:?}");
        }
        let first = "getty is not there; without it no login prompt starts on tty1";
        assert!(whole.contains(first), "{name}: {told:?}");
        assert_eq!(told.len(), if name == "rhel-5" { 2 } else { 1 }, "{told:?}");
    }
}

fn make_executable(path: &Path, is_executable: bool) {
    let mode = if is_executable { 0o755 } else { 0o644 };
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("its mode can be set");
}

#[test]
fn a_program_that_cannot_be_started_is_refused() {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let root = folder.path();
    layout("debian-7").write_below(root);
    let host = Host::at(root, 0);
    let plan = plan(&host, ConsoleWish::Add(vec!["tty3".to_owned()])).expect("it is planned");
    let getty = root.join("sbin/getty");
    fs::write(&getty, "#!/bin/sh\n").expect("it can be written");
    let refused = |words: &str| {
        let told = missing_programs(&plan, root);
        assert!(
            matches!(&told[..], [error] if error.to_string().contains(words)),
            "{words}: {told:?}"
        );
    };
    make_executable(&getty, false);
    refused(
        "/sbin/getty cannot be started: it is not executable; no login prompt would start on tty1",
    );
    make_executable(&getty, true);
    assert!(
        missing_programs(&plan, root).is_empty(),
        "it can be started"
    );
    fs::write(&getty, "").expect("it can be written");
    refused("/sbin/getty cannot be started: it is empty");
    fs::remove_file(&getty).expect("it can be removed");
    fs::create_dir(&getty).expect("it can be made");
    refused("/sbin/getty cannot be started: it is no file");
    fs::remove_dir(&getty).expect("it can be removed");
    // A link leads below the root, to a file that is judged.
    std::os::unix::fs::symlink("/sbin/agetty", &getty).expect("it can be linked");
    refused("/sbin/getty is not there");
    let agetty = root.join("sbin/agetty");
    fs::write(&agetty, "#!/bin/sh\n").expect("it can be written");
    make_executable(&agetty, false);
    refused("it is not executable");
    make_executable(&agetty, true);
    let told = missing_programs(&plan, root);
    assert!(told.is_empty(), "what the link leads to can be started");
}

/// Without the line whose id is there already, which would start a prompt when the first of them goes.
fn without_twin(text: &str) -> String {
    text.replace("1:2345:respawn:/sbin/getty 38400 tty9\n", "")
}

/// A layout whose kernel writes to the screen and to ttyS0, both with a prompt.
fn with_serial_console(name: &str, words: &str) -> Host {
    let mut layout = layout(name);
    for file in &mut layout.files {
        let SetupContent::Text(text) = &mut file.content else {
            continue;
        };
        *text = match file.path.as_str() {
            "/boot/grub/grub.cfg" => text
                .replace(" console=hvc0", "")
                .replace(" ro ", &format!(" ro {words} ")),
            "/etc/inittab" => {
                let text = text.replace("#T0:23:", "T0:23:");
                without_twin(&text).replace("hvc0:2345", "#vc0:2345")
            }
            _ => continue,
        };
    }
    layout.host()
}

#[test]
fn a_last_resort_keeps_its_prompt_unless_that_is_said() {
    let screen_first = "console=tty0 console=ttyS0,115200n8";
    let screen_last = "console=ttyS0,115200n8 console=tty0";
    for name in ["debian-12", "debian-7"] {
        for (words, list, lost) in [
            (screen_first, "tty1", Some("ttyS0")),
            (screen_first, "tty1,hvc0", Some("ttyS0")),
            (screen_first, "tty1-tty6", Some("ttyS0")),
            (screen_first, "tty1,ttyS0", None),
            (screen_first, "ttyS0", None),
            (screen_first, "1", None),
            // NEEDED says yes to it, since the kernel writes there.
            (screen_last, "tty1", Some("ttyS0")),
            (screen_last, "ttyS0", Some("tty1")),
            (screen_last, "tty2,ttyS0", None),
        ] {
            let host = with_serial_console(name, words);
            let wish = match TerminalList::parse(&[list.to_owned()]).expect("a list") {
                TerminalList::Count(count) => ConsoleWish::Count(count),
                TerminalList::Names(names) => ConsoleWish::Set(names),
            };
            let table = ConsoleTable::of(&host);
            assert!(table.started().contains(&"ttyS0"), "{name}");
            let mut request = ConsoleRequest::new(wish);
            let answer = plan_consoles(&host, &request);
            let Some(lost) = lost else {
                let plan = answer.unwrap_or_else(|error| panic!("{name}: set {list}: {error}"));
                assert!(plan.wanted.contains(&"ttyS0".to_owned()), "{name} {list}");
                continue;
            };
            let error = match answer {
                Ok(plan) => panic!("{name}: {words}: set {list}: {:?} goes", plan.removed),
                Err(error) => error,
            };
            assert!(
                matches!(&error, ConsoleError::ConsoleLost { terminal, .. } if terminal == lost),
                "{name}: {words}: set {list}: {error}"
            );
            request.may_lose_console = true;
            let plan = plan_consoles(&host, &request).expect("it is meant");
            let told = format!("{lost} loses its login prompt, and ");
            let is_told = plan.notes.iter().any(|note| note.starts_with(&told));
            assert!(is_told, "{name}: set {list}: {:?}", plan.notes);
        }
    }
}

#[test]
fn a_last_resort_is_not_removed_by_its_name_alone() {
    let screen_first = "console=tty0 console=ttyS0,115200n8";
    let screen_last = "console=ttyS0,115200n8 console=tty0";
    for name in ["debian-12", "debian-7"] {
        for (words, list, lost) in [
            (screen_first, "serial", true),
            (screen_first, "ttyS0", true),
            (screen_last, "ttyS0", true),
            (screen_first, "tty2", false),
        ] {
            let host = with_serial_console(name, words);
            let mut request = ConsoleRequest::new(ConsoleWish::Remove(vec![list.to_owned()]));
            let what = format!("{name}: {words}: remove {list}");
            let answer = plan_consoles(&host, &request);
            if !lost {
                answer.unwrap_or_else(|error| panic!("{what}: {error}"));
                continue;
            }
            let is_refused = matches!(
                &answer,
                Err(ConsoleError::ConsoleLost { terminal, .. }) if terminal == "ttyS0"
            );
            assert!(is_refused, "{what}: {answer:?}");
            request.may_lose_console = true;
            let plan = plan_consoles(&host, &request).expect("it is meant");
            assert_eq!(plan.removed, ["ttyS0"], "{what}");
        }
    }
}

#[test]
fn the_screen_of_a_machine_keeps_a_prompt() {
    let mut layout = layout("debian-7");
    for file in &mut layout.files {
        if let SetupContent::Text(text) = &mut file.content {
            *text = without_twin(text);
        }
    }
    let mut host = layout.host();
    host.consoles.platform = Some(Platform {
        has_screen: Some(true),
        ..Platform::default()
    });
    let set = |host: &Host, names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned());
        plan(host, ConsoleWish::Set(names.collect()))
    };
    let error = set(&host, &["hvc0"]).expect_err("the screen is left dark");
    assert!(
        error
            .to_string()
            .starts_with("tty1 would have no login prompt, and there is a screen"),
        "{error}"
    );
    set(&host, &["tty4", "hvc0"]).expect("one prompt on the screen is enough");
    let mut request = ConsoleRequest::new(ConsoleWish::Remove(vec!["hvc0".to_owned()]));
    let error = plan_consoles(&host, &request).expect_err("its name alone is no consent");
    assert!(
        matches!(&error, ConsoleError::ConsoleLost { terminal, .. } if terminal == "hvc0"),
        "{error}"
    );
    request.may_lose_console = true;
    let of_name = plan_consoles(&host, &request).expect("it is meant");
    let note = "hvc0 loses its login prompt, and it is the kernel's console";
    assert!(
        of_name.notes.iter().any(|told| told == note),
        "{:?}",
        of_name.notes
    );
}

#[test]
fn single_user_is_no_runlevel_for_login_prompts() {
    for (levels, told) in [
        ("2345", "no terminal has a login prompt there"),
        ("12345", "login prompts there: tty1"),
    ] {
        let mut layout = layout("debian-7");
        for file in &mut layout.files {
            if let SetupContent::Text(text) = &mut file.content {
                *text = without_twin(text)
                    .replace("id:2:initdefault", "id:1:initdefault")
                    .replace("1:2345:respawn", &format!("1:{levels}:respawn"));
            }
        }
        let host = layout.host();
        let shown = console_table_text(&ConsoleTable::of(&host));
        let what = format!("the default runlevel is 1, which is single user; {told}");
        assert!(shown.contains(&what), "{shown}");
        let error = plan(&host, ConsoleWish::Set(vec!["tty2".to_owned()])).expect_err("none");
        assert!(error.to_string().starts_with(&what), "{error}");
        assert!(error.to_string().contains("such as 2"), "{error}");
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
