//! A strange machine as a capture, and what has to be found on it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use surefoot_check::{areas, check, check_areas, page, pages};
use surefoot_host::Host;
use surefoot_report::{Report, Severity};

fn machine() -> Host {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/web1.surefoot");
    let file = std::fs::File::open(path).expect("the example is there");
    Host::from_capture(file).expect("the example is a capture")
}

fn titles(report: &Report, code: &str) -> Vec<String> {
    let found = report
        .findings
        .iter()
        .filter(|finding| finding.code == code);
    found.map(|finding| finding.title.clone()).collect()
}

#[test]
fn every_area_finds_what_is_wrong() {
    let report = check(&machine());
    for code in [
        "FW001", "EX002", "EX003", "PR001", "PR002", "CO001", "ST001", "ST002",
    ] {
        assert!(!titles(&report, code).is_empty(), "{code} in {report:#?}");
    }
    let order: Vec<Severity> = report
        .findings
        .iter()
        .map(|finding| finding.severity)
        .collect();
    assert!(order.is_sorted_by(|a, b| a >= b), "worst first: {order:?}");
    for finding in &report.findings {
        assert!(page(&finding.code).is_some(), "{} has a page", finding.code);
        assert!(
            !finding.evidence.is_empty(),
            "{}: no evidence",
            finding.title
        );
        assert!(!finding.remedies.is_empty(), "{}: no remedy", finding.title);
    }
}

#[test]
fn a_private_service_counts_once_the_firewall_lets_strangers_in() {
    let mut host = machine();
    assert!(
        titles(&check(&host), "EX001").is_empty(),
        "the policy keeps strangers out"
    );
    for rules in &mut host.rules {
        rules.text = rules.text.replace(":INPUT DROP", ":INPUT ACCEPT");
    }
    let open = titles(&check(&host), "EX001");
    assert_eq!(open.len(), 2, "mysqld and redis-server: {open:?}");
}

#[test]
fn rules_that_could_not_be_read_never_look_like_a_closed_door() {
    let mut host = machine();
    host.rules_complete = false;
    host.rules.clear();
    let report = check(&host);
    let doors = report
        .findings
        .iter()
        .filter(|finding| finding.code.starts_with("EX00"));
    for door in doors {
        assert!(!door.impact.contains("keeps strangers out"), "{door:?}");
    }
}

#[test]
fn missing_facts_are_told() {
    let mut host = machine();
    host.sockets = None;
    host.missing.push(surefoot_host::Missing {
        fact: "sockets".into(),
        why: "no permission".into(),
        leaves_open: "who listens".into(),
        kind: surefoot_host::FactKind::Other,
    });
    let report = check(&host);
    assert!(
        report
            .unknowns
            .iter()
            .any(|unknown| unknown.fact == "sockets")
    );
    assert!(titles(&report, "EX002").is_empty());
}

#[test]
fn the_same_facts_give_the_same_report() {
    assert_eq!(check(&machine()), check(&machine()));
}

#[test]
fn codes_are_unique_and_in_order() {
    let codes: Vec<&str> = pages().iter().map(|page| page.code).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
}

#[test]
fn threads_of_a_dead_leader_are_no_zombies_and_the_young_are_left_alone() {
    let mut host = machine();
    let taken = host.taken;
    for process in host.processes.iter_mut().flatten() {
        if process.state == 'Z' {
            process.threads = 3;
        }
        if process.state == 'D' {
            process.started = taken - 5;
        }
    }
    let report = check(&host);
    assert!(titles(&report, "PR001").is_empty() && titles(&report, "PR002").is_empty());
}

#[test]
fn stable_names_and_present_disks_are_fine() {
    let mut host = machine();
    for mount in host.fstab.iter_mut().flatten() {
        mount.device = mount
            .device
            .replace("/dev/sda1", "UUID=1f0c0f35-7d1b-44a7-8a3c-0d2a6d8f9b11");
        mount.device = mount.device.replace("/dev/sda2", "/dev/mapper/swap");
    }
    let report = check(&host);
    assert!(titles(&report, "ST001").is_empty() && titles(&report, "ST002").is_empty());
}

#[test]
fn a_console_with_a_prompt_is_fine() {
    let mut host = machine();
    host.consoles.active = Some(vec!["tty0".into()]);
    assert!(
        titles(&check(&host), "CO001").is_empty(),
        "tty1 serves tty0"
    );
    host.consoles.active = Some(vec!["ttyS0".into()]);
    assert_eq!(titles(&check(&host), "CO001").len(), 1);
    host.consoles.init = Some("systemd".into());
    assert!(
        titles(&check(&host), "CO001").is_empty(),
        "systemd makes one by itself"
    );
    host.consoles.init = Some("sysvinit".into());
    host.consoles.terminals = Some(vec!["tty1".into()]);
    assert_eq!(titles(&check(&host), "CO002").len(), 1, "tty2 is gone");
}

#[test]
fn a_wrapped_daemon_makes_the_rules_count() {
    let mut host = machine();
    for process in host.processes.iter_mut().flatten() {
        process.wrapped = Some(process.name == "sshd");
    }
    assert!(titles(&check(&host), "EX003").is_empty());
}

#[test]
fn rules_that_filter_nothing_are_told() {
    let mut host = machine();
    assert!(titles(&check(&host), "FW023").is_empty());
    for rules in &mut host.rules {
        let lines = rules.text.replace(":INPUT DROP", ":INPUT ACCEPT");
        let kept: Vec<&str> = lines
            .lines()
            .filter(|line| !line.contains("-j DROP"))
            .collect();
        rules.text = kept.join("\n") + "\n";
    }
    assert_eq!(titles(&check(&host), "FW023").len(), 1);
    host.rules.clear();
    assert_eq!(
        titles(&check(&host), "FW023").len(),
        1,
        "no rules filter nothing either"
    );
    host.rules_complete = false;
    assert!(
        titles(&check(&host), "FW023").is_empty(),
        "rules that were not read may filter"
    );
}

/// The machine with its policy open and one more socket, made from the listener of redis.
fn with_socket(change: impl FnOnce(&mut surefoot_host::Socket)) -> Host {
    let mut host = machine();
    for rules in &mut host.rules {
        rules.text = rules.text.replace(":INPUT DROP", ":INPUT ACCEPT");
    }
    let sockets = host.sockets.as_mut().expect("they are known");
    let mut socket = sockets
        .iter()
        .find(|it| it.port == 6379)
        .expect("redis")
        .clone();
    sockets.retain(|it| it.port != 6379 && it.port != 3306);
    change(&mut socket);
    sockets.push(socket);
    host
}

#[test]
fn one_address_or_a_mapped_one_is_exposed_and_a_bound_one_is_not() {
    for (local, expected) in [
        ("192.0.2.10", 1),
        ("::ffff:0.0.0.0", 1),
        ("::ffff:127.0.0.1", 0),
    ] {
        let host = with_socket(|it| it.local = Some(local.parse().expect("an address")));
        let found = titles(&check(&host), "EX001");
        assert_eq!(found.len(), expected, "{local}: {found:?}");
    }
    let mut host = with_socket(|it| it.device = Some(77));
    let mut lo = host
        .network
        .as_ref()
        .expect("it is known")
        .interfaces
        .first()
        .expect("one")
        .clone();
    (lo.index, lo.name, lo.flags) = (77, "lo".into(), 0x9);
    let network = host.network.as_mut().expect("it is known");
    network.interfaces.push(lo);
    assert!(titles(&check(&host), "EX001").is_empty(), "bound to lo");
}

#[test]
fn high_ports_may_be_clients_and_sockets_without_ports_are_told() {
    use surefoot_host::SocketKind::{Packet, Udp};
    let host = with_socket(|it| (it.kind, it.state, it.port) = (Udp, 7, 51_820));
    let found = titles(&check(&host), "EX002");
    assert!(found.iter().any(|it| it.contains("51820/udp")), "{found:?}");
    let host = with_socket(|it| (it.kind, it.state, it.port) = (Packet, 7, 3));
    assert_eq!(titles(&check(&host), "EX004").len(), 1);
}

#[test]
fn other_network_namespaces_are_not_known() {
    let mut host = machine();
    let is_told = |host: &Host| {
        let unknowns = check(host).unknowns;
        unknowns
            .iter()
            .any(|it| it.fact.contains("network namespace"))
    };
    assert!(!is_told(&host));
    let processes = host.processes.as_mut().expect("they are known");
    let process = processes.last_mut().expect("one");
    (process.same_network, process.network) = (Some(false), Some(4_026_532_000));
    assert!(is_told(&host));
}

#[test]
fn each_daemon_that_a_line_names_is_judged_by_itself() {
    let mut host = machine();
    for process in host.processes.iter_mut().flatten() {
        process.wrapped = Some(process.name == "sshd");
    }
    host.wrappers[1].text = "redis-server: ALL\n".into();
    let found = titles(&check(&host), "EX003");
    assert!(
        found.len() == 1 && found[0].contains("redis-server"),
        "{found:?}"
    );
    host.wrappers[1].text = "sshd: ALL\n".into();
    assert!(titles(&check(&host), "EX003").is_empty());
}

#[test]
fn disks_are_looked_for_by_every_name() {
    let mut host = machine();
    for disk in host.disks.iter_mut().flatten() {
        let label = "/dev/disk/by-label/my\\x20data".to_owned();
        disk.links = Some(vec![label, "/dev/mapper/vg-root".into()]);
    }
    for (device, expected) in [
        ("LABEL=my data", 0),
        ("LABEL=other", 1),
        ("PARTUUID=0815-01", 1),
        ("/dev/mapper/vg-root", 0),
        ("/dev/mapper/vg-home", 1),
        ("/dev/disk/by-id/gone", 1),
    ] {
        let mount = host
            .fstab
            .as_mut()
            .and_then(|it| it.get_mut(1))
            .expect("one");
        mount.device = device.into();
        let found = titles(&check(&host), "ST002");
        assert_eq!(found.len(), expected, "{device}: {found:?}");
    }
    for disk in host.disks.iter_mut().flatten() {
        disk.links = None;
    }
    assert!(titles(&check(&host), "ST002").is_empty(), "an old capture");
}

#[test]
fn the_published_schema_is_that_of_all_areas() {
    let published = include_str!("../../../docs/schema/findings.json");
    let schema = surefoot_report::schema(areas());
    assert_eq!(published, schema, "`cargo xtask docs` writes it");
}

#[test]
fn every_area_has_a_word_of_its_own_and_codes_of_its_own() {
    let words: BTreeSet<&str> = areas().map(|area| area.word).collect();
    assert_eq!(words.len(), areas().count());
    let codes: BTreeSet<&str> = pages().iter().map(|page| page.code).collect();
    assert_eq!(codes.len(), pages().len());
    for area in areas() {
        assert!(!area.pages.is_empty(), "{}", area.word);
        assert!(area.word.bytes().all(|byte| byte.is_ascii_lowercase()));
    }
}

#[test]
fn an_area_that_is_asked_for_gives_what_it_gives_among_all() {
    let host = machine();
    let all = check(&host);
    let mut found = 0;
    for area in areas() {
        let report = check_areas(&host, |other| other == area);
        let same = all.findings.iter().filter(|finding| finding.area == area);
        assert!(report.findings.iter().eq(same), "{}", area.word);
        assert_eq!(report.unknowns, all.unknowns);
        found += report.findings.len();
    }
    assert_eq!(found, all.findings.len());
}
