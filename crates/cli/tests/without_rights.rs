//! What an ordinary user is told: the facts that anybody may see, and by name those that are
//! missing.

mod common;

use std::fs;
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use surefoot_testkit::{Namespace, or_fail};

use common::program;

/// A place where anybody may run the program; the tests' own may be in a closed folder.
struct Copy {
    _folder: tempfile::TempDir,
    program: PathBuf,
}

fn copy() -> Copy {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), open).expect("it is ours");
    let copied = folder.path().join("surefoot");
    fs::copy(program().get_program(), &copied).expect("the program was built");
    Copy {
        _folder: folder,
        program: copied,
    }
}

/// The facts that the program writes when this shell command runs it as `$1`.
fn facts(script: &str) -> (Value, u16) {
    let namespace = or_fail(Namespace::new());
    let copy = copy();
    let looked = namespace.within(|| {
        namespace_is_up()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let output = Command::new("unshare")
            .args(["--mount", "sh", "-ec", script, "sh"])
            .arg(&copy.program)
            .current_dir("/")
            .output()?;
        Ok((unpack(&output)?, listener.local_addr()?.port()))
    });
    or_fail(looked)
}

fn namespace_is_up() -> io::Result<()> {
    let status = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other("ip cannot start the loopback interface"))
    }
}

fn unpack(output: &Output) -> io::Result<Value> {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(io::Error::other(format!("{}: {told}", output.status)));
    }
    let mut text = String::new();
    flate2::read::GzDecoder::new(output.stdout.as_slice()).read_to_string(&mut text)?;
    let capture: Value = serde_json::from_str(&text)?;
    Ok(capture["host"].clone())
}

fn missing(host: &Value) -> Vec<String> {
    let missing = host["missing"].as_array().expect("a list");
    let fact = |it: &Value| {
        assert!(
            !it["leaves_open"].as_str().expect("text").is_empty(),
            "{it}"
        );
        it["fact"].as_str().expect("text").to_owned()
    };
    missing.iter().map(fact).collect()
}

const NOBODY: &str = "setpriv --reuid=65534 --regid=65534 --clear-groups";

#[test]
fn a_user_sees_sockets_without_owners_and_no_rules() {
    let (host, port) = facts(&format!("exec {NOBODY} \"$1\" capture -q -"));
    let missing = missing(&host);
    for fact in [
        "files of other users' processes",
        "the rules of nft",
        "the rules of iptables-nft",
        "the rules of ip6tables-nft",
    ] {
        assert!(missing.iter().any(|it| it == fact), "{fact}: {missing:?}");
    }
    assert_eq!(host["rules_complete"], false);
    assert_eq!(host["rules"], Value::Array(Vec::new()));
    let sockets = host["sockets"].as_array().expect("anybody may list them");
    let listener = sockets
        .iter()
        .find(|it| it["port"] == port && it["state"] == 10);
    let listener = listener.unwrap_or_else(|| panic!("{sockets:?}"));
    assert_eq!(listener["owners"], Value::Array(Vec::new()));
    assert_ne!(listener["inode"], 0, "somebody has it");
    assert!(host["network"]["interfaces"].is_array());
    let processes = host["processes"].as_array().expect("anybody may list them");
    let first = processes
        .iter()
        .find(|it| it["pid"] == 1)
        .expect("the first process");
    assert_eq!(
        (&first["same_network"], &first["exe"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn a_user_is_told_that_processes_are_hidden() {
    for (hidepid, fact) in [
        ("1", "other users' processes"),
        ("2", "processes that are hidden from here"),
    ] {
        let script = format!(
            "mount -t proc -o hidepid={hidepid} proc /proc; exec {NOBODY} \"$1\" capture -q -"
        );
        let (host, _) = facts(&script);
        let missing = missing(&host);
        assert!(
            missing.iter().any(|it| it == fact),
            "{hidepid}: {missing:?}"
        );
        let processes = host["processes"].as_array().expect("a list");
        assert!(processes.iter().all(|it| it["pid"] != 1), "{processes:?}");
    }
}

#[test]
fn root_of_a_user_namespace_is_told_that_processes_are_hidden() {
    let script = format!(
        "mount -t proc -o hidepid=2 proc /proc; exec {NOBODY} unshare --user --map-root-user \"$1\" capture -q -"
    );
    let (host, _) = facts(&script);
    let missing = missing(&host);
    let fact = "processes that are hidden from here";
    assert!(missing.iter().any(|it| it == fact), "{missing:?}");
    let processes = host["processes"].as_array().expect("a list");
    assert!(processes.iter().all(|it| it["pid"] != 1), "{processes:?}");
}

#[test]
fn root_in_a_container_is_told_that_processes_are_outside() {
    let script = "exec unshare --pid --fork --mount-proc \"$1\" capture -q -";
    let (host, port) = facts(script);
    let missing = missing(&host);
    let fact = "processes that are hidden from here";
    assert!(missing.iter().any(|it| it == fact), "{missing:?}");
    let sockets = host["sockets"].as_array().expect("a list");
    let listener = sockets
        .iter()
        .find(|it| it["port"] == port && it["state"] == 10);
    assert_eq!(
        listener.expect("it is seen")["owners"],
        Value::Array(Vec::new())
    );
}

#[test]
fn root_is_told_nothing_of_the_kind() {
    let (host, port) = facts("exec \"$1\" capture -q -");
    let missing = missing(&host);
    // In a container or a user namespace, root is told what it cannot see.
    let first = fs::read_link("/proc/self/ns/pid").expect("proc is mounted");
    let users = fs::read_to_string("/proc/self/uid_map").expect("proc is mounted");
    if first.as_os_str() == "pid:[4026531836]" && users.contains(" 4294967295") {
        assert!(
            missing.iter().all(|it| !it.contains("processes")),
            "{missing:?}"
        );
    }
    assert_eq!(host["rules_complete"], true, "{missing:?}");
    let sockets = host["sockets"].as_array().expect("a list");
    let listener = sockets
        .iter()
        .find(|it| it["port"] == port && it["state"] == 10);
    let owners = &listener.expect("it is seen")["owners"];
    assert_eq!(owners, &Value::from(vec![std::process::id()]));
}

#[test]
fn a_file_and_a_folder_that_may_not_be_read_are_said_to_be_missing() {
    // The tree is the shell's own, so that nobody but root may read what it closes.
    let script = format!(
        "tree=$(mktemp -d); trap 'rm -r \"$tree\"' EXIT; chmod 755 \"$tree\"
         mkdir -p \"$tree/etc/cron.d\" \"$tree/etc/iptables\"
         echo 'ALL: ALL' > \"$tree/etc/hosts.deny\"; echo 'sshd: ALL' > \"$tree/etc/hosts.allow\"
         chmod 0 \"$tree/etc/hosts.deny\" \"$tree/etc/cron.d\" \"$tree/etc/iptables\"
         {NOBODY} \"$1\" capture -q --root \"$tree\" -"
    );
    let (host, _) = facts(&script);
    let missing = missing(&host);
    for path in ["hosts.deny", "cron.d", "iptables/rules.v4"] {
        let fact = format!("the file /etc/{path}");
        assert!(missing.contains(&fact), "{fact}: {missing:?}");
    }
    let wrappers = host["wrappers"].as_array().expect("a list");
    assert_eq!(wrappers.len(), 1, "what may be read is read: {wrappers:?}");
}

#[test]
fn whoever_may_not_read_the_rules_gets_no_answer_about_them() {
    let namespace = or_fail(Namespace::new());
    let copy = copy();
    let asked: [&[&str]; 4] = [
        &["firewall", "show"],
        &["firewall", "check"],
        &["firewall", "explain", "tcp", "to", ":22", "in", "eth0"],
        &["firewall", "why-not", "tcp", "to", ":22", "in", "eth0"],
    ];
    for words in asked {
        let ran = namespace.within(|| {
            Command::new("setpriv")
                .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
                .arg(&copy.program)
                .args(words)
                .current_dir("/")
                .output()
        });
        let output = ran.expect("setpriv runs");
        assert_eq!(output.status.code(), Some(3), "{words:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{words:?}: {output:?}");
    }
}

#[test]
fn rules_that_could_not_be_read_are_no_clean_bill() {
    let copy = copy();
    let run = |arguments: &[&str]| {
        Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&copy.program)
            .args(arguments)
            .current_dir("/")
            .output()
            .expect("setpriv is in util-linux")
    };
    let output = run(&["check", "--fail-on", "critical"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("not all rules could be read"), "{told}");
    let never = run(&["check", "--fail-on", "never"]);
    assert_eq!(never.status.code(), Some(0));
}
