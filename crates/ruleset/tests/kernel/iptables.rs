//! What we print, the kernel takes; what it then shows means the same.
//!
//! Runs `iptables-restore` and `iptables-save` in a network namespace of its own.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests read files and run programs"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use surefoot_ruleset::model::{Backend, Family, Firewall, Statement, Verdict};
use surefoot_ruleset::parse::iptables;
use surefoot_ruleset::{Format, Input, load};

/// Loads a text in a new namespace and returns what is shown afterwards.
fn through_kernel(tables: &str, text: &str) -> Result<String, String> {
    let script = format!("{tables}-restore && {tables}-save");
    let mut child = Command::new("unshare")
        .args([
            "--map-root-user",
            "--net",
            "timeout",
            "20",
            "sh",
            "-c",
            &script,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // A refusal closes the pipe early, which its message explains better.
    let _ = input.write_all(text.as_bytes());
    drop(input);
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// One line per chain and rule, with names in place of indices and without places.
fn meaning(family: Family, text: &str) -> Vec<String> {
    let backend = Backend::Iptables;
    let loaded = load(vec![Input {
        name: "t".to_owned(),
        text: text.to_owned(),
        format: Some(Format::Iptables { family, backend }),
    }]);
    let Firewall { tables, .. } = loaded.firewall;
    let mut lines = Vec::new();
    for table in &tables {
        let name = |id: &u32| &table.chains[usize::try_from(*id).unwrap()].name;
        for chain in &table.chains {
            for rule in &chain.rules {
                let statements = rule.statements.iter().map(|statement| match statement {
                    Statement::Verdict(Verdict::Jump(to)) => format!("jump {}", name(&to.0)),
                    Statement::Verdict(Verdict::Goto(to)) => format!("goto {}", name(&to.0)),
                    other => format!("{other:?}"),
                });
                // iptables shows a rule's matches in an order of its own.
                let mut statements: Vec<String> = statements.collect();
                statements.sort();
                let (table, chain) = (&table.name, &chain.name);
                lines.push(format!("{table} {chain} {:?} {statements:?}", rule.comment));
            }
        }
    }
    lines.sort();
    lines
}

#[test]
fn printed_rules_mean_the_same_after_the_kernel_has_had_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    let names = [
        ("iptables", Family::Ip, "0001-plain"),
        ("iptables", Family::Ip, "0003-negation"),
        ("iptables", Family::Ip, "0004-old-negation"),
        ("iptables", Family::Ip, "0005-counters"),
        ("iptables", Family::Ip, "0007-crlf"),
        ("iptables", Family::Ip, "0008-dotted-masks"),
        ("iptables", Family::Ip, "0009-quoted-comments"),
        ("iptables", Family::Ip, "0015-aliases"),
        ("iptables", Family::Ip, "0024-iprange"),
        ("iptables", Family::Ip, "0025-addrtype"),
        ("iptables", Family::Ip, "0029-nat"),
        ("iptables", Family::Ip, "0032-goto-and-empty-target"),
        ("ip6tables", Family::Ip6, "0044-ip6"),
    ];
    for (tables, family, name) in names {
        let text = std::fs::read_to_string(folder.join(format!("{name}.in"))).unwrap();
        let printed = iptables::print(&iptables::parse(&text).0);
        for backend in ["nft", "legacy"] {
            let shown = through_kernel(&format!("{tables}-{backend}"), &printed);
            let shown = shown.unwrap_or_else(|why| panic!("{name} {backend}: {why}\n{printed}"));
            assert_eq!(
                meaning(family, &shown),
                meaning(family, &text),
                "{name} {backend}:\n{shown}"
            );
        }
    }
}
