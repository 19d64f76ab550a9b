//! The findings about consoles: each fires on a layout where it should, and not on its near miss.

mod common;

use common::{Layout, all_layouts};
use surefoot_consoles::{ConsoleRequest, ConsoleTable, ConsoleWish, check, plan_consoles};
use surefoot_host::{Host, Platform, Process, SetupContent, TerminalDevice};

fn layout(name: &str) -> Layout {
    let mut layouts = all_layouts().into_iter();
    layouts
        .find(|layout| layout.name == name)
        .expect("the layout is there")
}

/// The host of a layout with one text in a file changed.
fn changed(name: &str, path: &str, from: &str, to: &str) -> Host {
    let mut host = layout(name).host();
    let files = host.consoles.files.as_mut().expect("it has files");
    let file = files
        .iter_mut()
        .find(|file| file.path == path)
        .expect("the file is there");
    let SetupContent::Text(text) = &mut file.content else {
        panic!("{path} is no text");
    };
    assert!(text.contains(from), "{path}: {text}");
    *text = text.replace(from, to);
    host
}

fn codes(host: &Host) -> Vec<String> {
    check(host)
        .into_iter()
        .map(|finding| finding.code)
        .collect()
}

fn has(host: &Host, code: &str) -> bool {
    codes(host).iter().any(|found| found == code)
}

#[test]
fn the_kernels_console_needs_a_prompt() {
    assert!(has(&layout("field-comment-is-no-login").host(), "CO001"));
    let live = changed("field-comment-is-no-login", "/etc/inittab", "#s0:", "s0:");
    assert!(!has(&live, "CO001"));
    // A virtual terminal in front is any of them.
    let front = changed(
        "field-comment-is-no-login",
        "/boot/grub/grub.cfg",
        "console=tty0 console=ttyS0,115200",
        "console=ttyS0,115200 console=tty0",
    );
    assert!(!has(&front, "CO001"));
    // systemd makes the prompt itself, unless it is masked.
    assert!(!has(&layout("ubuntu-22.04").host(), "CO001"));
    let off = changed(
        "ubuntu-22.04",
        "/boot/grub/grub.cfg",
        "console=ttyS0",
        "console=ttyS0 systemd.getty_auto=0",
    );
    assert!(has(&off, "CO001"));
}

#[test]
fn prompts_on_terminals_that_may_be_missing_are_told() {
    let container = check(&layout("field-container").host());
    let found = container
        .iter()
        .find(|finding| finding.code == "CO002")
        .expect("it fires");
    assert!(
        found.title.contains("tty1, tty2, tty3, tty4"),
        "{}",
        found.title
    );
    let outside = changed("field-container", "/etc/rc.conf", "lxc", "");
    assert!(!has(&outside, "CO002"));
}

#[test]
fn a_port_without_hardware_does_not_exist() {
    let device = |has_port| TerminalDevice {
        number: 0,
        has_port,
        has_node: true,
    };
    let mut host = layout("field-wrapper").host();
    let devices = |port| {
        [
            ("tty1".to_owned(), device(None)),
            ("ttyS0".to_owned(), device(Some(port))),
        ]
    };
    host.consoles.devices = Some(devices(true).into());
    assert!(!has(&host, "CO002"));
    host.consoles.devices = Some(devices(false).into());
    assert!(has(&host, "CO002"));
}

#[test]
fn root_is_refused_only_where_no_exception_counts() {
    let name = "field-root-refused";
    assert!(has(&layout(name).host(), "CO003"));
    assert!(!has(
        &changed(name, "/etc/pam.d/login", " noconsole", ""),
        "CO003"
    ));
    assert!(!has(
        &changed(name, "/etc/securetty", "#hvc0", "hvc0"),
        "CO003"
    ));
    assert!(!has(
        &changed(name, "/etc/pam.d/login", "pam_securetty", "pam_other"),
        "CO003"
    ));
}

#[test]
fn the_console_that_the_hypervisor_shows_needs_a_prompt() {
    let seen = |platform: Platform, ports: &[(&str, bool)]| {
        let mut host = layout("debian-5").host();
        let devices = ports.iter().map(|(name, has_port)| {
            let device = TerminalDevice {
                number: 0,
                has_port: Some(*has_port),
                has_node: true,
            };
            ((*name).to_owned(), device)
        });
        host.consoles.devices = Some(devices.collect());
        host.consoles.platform = Some(platform);
        (ConsoleTable::of(&host).seen.terminal, has(&host, "CO004"))
    };
    let made = |maker: &str, product: &str| Platform {
        maker: Some(maker.to_owned()),
        product: Some(product.to_owned()),
        ..Platform::default()
    };
    let xen = Platform {
        hypervisor: Some("xen".to_owned()),
        guest: Some("PV".to_owned()),
        ..Platform::default()
    };
    let terminal = |name: &str| Some(name.to_owned());
    assert_eq!(
        seen(xen.clone(), &[("hvc0", true)]),
        (terminal("hvc0"), true)
    );
    assert_eq!(
        seen(xen.clone(), &[("xvc0", true)]),
        (terminal("xvc0"), true)
    );
    let control = Platform {
        controls: true,
        ..xen
    };
    assert_eq!(seen(control, &[]), (None, false));
    assert_eq!(
        seen(made("QEMU", "Standard PC"), &[("ttyS0", true)]),
        (terminal("ttyS0"), true)
    );
    assert_eq!(
        seen(made("QEMU", "Standard PC"), &[("ttyS0", false)]),
        (None, false)
    );
    assert_eq!(
        seen(made("Amazon EC2", "m5.large"), &[("ttyS0", true)]),
        (terminal("ttyS0"), true)
    );
    assert_eq!(
        seen(made("Dell Inc.", "PowerEdge"), &[("ttyS0", true)]),
        (None, false)
    );
}

#[test]
fn a_machine_without_a_screen_needs_no_virtual_terminals() {
    let mut host = layout("debian-5").host();
    let needed = |host: &Host| {
        let table = ConsoleTable::of(host);
        table.row("tty2").expect("it has a row").needed.word()
    };
    assert_eq!(needed(&host), "unknown");
    for has_screen in [false, true] {
        host.consoles.platform = Some(Platform {
            has_screen: Some(has_screen),
            ..Platform::default()
        });
        assert_eq!(needed(&host), "no", "{has_screen}");
    }
}

#[test]
fn two_prompts_on_one_terminal_and_a_file_that_is_never_read() {
    let name = "field-job-of-another-name";
    let found = codes(&layout(name).host());
    assert!(
        found.contains(&"CO005".to_owned()) && found.contains(&"CO006".to_owned()),
        "{found:?}"
    );
    // What is advised for the one does not undo what is advised for the other.
    let findings = check(&layout(name).host());
    let double = findings.iter().find(|finding| finding.code == "CO005");
    let commands = double.map(|finding| finding.remedies[0].commands.clone());
    let command = "surefoot consoles set tty1,tty2,hvc0".to_owned();
    assert_eq!(commands, Some(vec![command]));
    let mended = changed(name, "/etc/init/hvc0.conf", "38400 tty1", "38400 hvc0");
    assert!(!has(&mended, "CO005"));
    assert!(!has(&layout("ubuntu-10.04").host(), "CO006"));
}

#[test]
fn what_is_unknown_gives_no_finding() {
    assert!(codes(&Host::default()).is_empty());
    let mut empty = Host::default();
    empty.consoles.files = Some(Vec::new());
    assert!(codes(&empty).is_empty());
}

#[test]
fn a_terminal_that_is_in_use_keeps_its_prompt() {
    let mut host = layout("debian-5").host();
    host.running = true;
    let device = TerminalDevice {
        number: 1026,
        has_port: None,
        has_node: true,
    };
    host.consoles.devices = Some([("tty2".to_owned(), device)].into());
    let process = |pid: u32, name: &str, terminal: u32| Process {
        pid,
        name: name.to_owned(),
        command: vec![name.to_owned()],
        state: 'S',
        session: pid,
        terminal,
        ..Process::default()
    };
    host.processes = Some(vec![process(1, "init", 0), process(300, "bash", 1026)]);
    let mut request = ConsoleRequest::new(ConsoleWish::Remove(vec!["tty2".to_owned()]));
    let refused = plan_consoles(&host, &request).expect_err("bash would end");
    assert!(
        refused.to_string().contains("tty2 is in use (bash)"),
        "{refused}"
    );
    request.may_end_sessions = true;
    assert_eq!(
        plan_consoles(&host, &request).map(|plan| plan.removed),
        Ok(vec!["tty2".to_owned()])
    );
}

#[test]
fn a_serial_console_that_is_no_terminal_is_not_set_up() {
    let name = "field-comment-is-no-login";
    let host = changed(name, "/boot/grub/grub.cfg", "console=ttyS0", "console=1t");
    let request = ConsoleRequest::new(ConsoleWish::Add(vec!["serial".to_owned()]));
    let refused = plan_consoles(&host, &request).expect_err("it is no terminal");
    assert!(
        refused.to_string().contains("no serial console"),
        "{refused}"
    );
}

#[test]
fn a_second_console_of_the_kernel_that_is_silent_is_named_beside_the_first() {
    let name = "field-comment-is-no-login";
    let two = changed(
        name,
        "/boot/grub/grub.cfg",
        "console=tty0 console=ttyS0,115200",
        "console=hvc0 console=ttyS0,115200",
    );
    let titles: Vec<String> = check(&two).into_iter().map(|it| it.title).collect();
    for title in [
        "the kernel's console is ttyS0, and no login prompt is set up there",
        "the kernel writes to hvc0 as well, and no login prompt is set up there",
    ] {
        assert!(titles.iter().any(|it| it == title), "{titles:?}");
    }
    // The screen is served by any prompt on a virtual terminal.
    assert!(!has(&layout(name).host(), "CO007"));
    // A serial line beside the screen, which the init system leaves alone.
    assert!(has(&layout("field-serial-not-last").host(), "CO007"));
}

#[test]
fn a_default_runlevel_that_ends_the_system_is_found() {
    for (name, path, from) in [
        ("debian-5", "/etc/inittab", "id:2:initdefault:"),
        ("rhel-6", "/etc/inittab", "id:3:initdefault:"),
    ] {
        assert!(!has(&layout(name).host(), "CO008"), "{name}");
        for (level, what) in [("0", "halts"), ("6", "reboots")] {
            let host = changed(name, path, from, &format!("id:{level}:initdefault:"));
            let found = check(&host);
            let found = found.iter().find(|finding| finding.code == "CO008");
            let found = found.unwrap_or_else(|| panic!("{name} {level}"));
            assert!(found.title.contains(what), "{found:?}");
            assert_eq!(
                found.remedies[0].commands,
                [format!("surefoot edit {path}")]
            );
        }
    }
    let host = changed("debian-5", "/etc/inittab", "id:2:", "id:6:");
    let add = ConsoleRequest::new(ConsoleWish::Add(vec!["ttyS1".to_owned()]));
    let refused = plan_consoles(&host, &add).expect_err("no prompt would start");
    let why = "the default runlevel is 6, which reboots the system at each boot";
    assert!(refused.to_string().contains(why), "{refused}");
    // Of several runlevels init takes the highest.
    let several = changed("debian-5", "/etc/inittab", "id:2:", "id:06:");
    assert!(has(&several, "CO008"));
    let several = changed("debian-5", "/etc/inittab", "id:2:", "id:02:");
    assert!(!has(&several, "CO008"));
}

#[test]
fn a_port_that_the_firmware_leaves_off_is_possibly_missing() {
    let found = check(&layout("field-wrapper").host());
    let found = found.iter().find(|finding| finding.code == "CO002");
    let found = found.expect("the port is off");
    assert!(
        found.title.contains("may not exist here: ttyS0"),
        "{found:?}"
    );
}

#[test]
fn a_terminal_that_stays_on_the_list_without_a_prompt_is_told() {
    let name = "field-root-refused";
    let host = changed(name, "/etc/securetty", "#hvc0", "hvc0");
    let mut request = ConsoleRequest::new(ConsoleWish::Set(vec!["tty1".to_owned()]));
    request.may_lose_console = true;
    let plan = plan_consoles(&host, &request).expect("it is planned");
    let is_told = |note: &String| note.starts_with("/etc/securetty still lists hvc0: ");
    assert!(plan.notes.iter().any(is_told), "{:?}", plan.notes);
}
