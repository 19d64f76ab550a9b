//! The commands that a finding offers are taken by the real programs, and mend what it says.
//!
//! Each rule set of this folder is loaded into a network namespace of its own and shown again;
//! the commands are run there, and what is shown then is looked at once more.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use surefoot_report::Finding;
use surefoot_ruleset::model::{Backend, Family};
use surefoot_ruleset::{Format, Input};

use super::case::{Case, cases, findings};

/// Codes whose first remedy leaves nothing of the finding. The others look first, mend one rule of
/// several, or leave the deleting to the reader.
const MENDED: &[&str] = &[
    "FW001", "FW002", "FW003", "FW004", "FW006", "FW007", "FW008", "FW013", "FW014", "FW015",
    "FW016", "FW019",
];
/// Programs that change the machine outside of the namespace.
const NOT_RUN: &[&str] = &[
    "apt-get",
    "netfilter-persistent",
    "systemctl",
    "ufw ",
    "firewall-cmd",
    "/etc/",
];

/// Runs a script in a new namespace whose /root is empty.
fn in_namespace(script: &str) -> Result<String, String> {
    let mut child = Command::new("unshare")
        .args(["--map-root-user", "--net", "--mount", "timeout", "30"])
        .args(["bash", "-euo", "pipefail", "-s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let script = format!("mount -t tmpfs tmpfs /root\n{script}");
    let mut input = child.stdin.take().unwrap();
    // A failure closes the pipe early, which its message explains better.
    let _ = input.write_all(script.as_bytes());
    drop(input);
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The commands that write and show the rules of a format.
fn programs(format: Option<Format>) -> (String, String) {
    match format.unwrap() {
        Format::Iptables { family, backend } => {
            let name = if family == Family::Ip6 {
                "ip6tables"
            } else {
                "iptables"
            };
            let backend = match backend {
                Backend::IptablesLegacy => "-legacy",
                Backend::IptablesNft => "-nft",
                _ => "",
            };
            (
                format!("{name}{backend}-restore"),
                format!("{name}{backend}-save"),
            )
        }
        Format::NftText | Format::NftJson => ("nft -f -".into(), "nft -a list ruleset".into()),
        Format::Ipset => ("ipset restore".into(), "ipset save".into()),
    }
}

fn loading(case: &Case) -> String {
    let mut script = String::new();
    for input in &case.inputs {
        let (write, _) = programs(input.format);
        writeln!(
            script,
            "{write} <<'END-OF-RULES'\n{}\nEND-OF-RULES",
            input.text
        )
        .unwrap();
    }
    script
}

const CUT: &str = "=== next ===";

/// Loads the case, runs the commands and reads what is there then.
fn after(case: &Case, commands: &[String]) -> Result<Case, String> {
    let mut script = loading(case);
    script.push_str("{\n");
    for command in commands {
        writeln!(script, "{command}").unwrap();
    }
    script.push_str(":\n} >/dev/null\n");
    let mut inputs = case.inputs.clone();
    if let Some(program) = commands
        .iter()
        .find_map(|command| command.strip_prefix("ip6tables"))
    {
        // The rules of a family that had none.
        let backend = match program {
            end if end.starts_with("-legacy") => Backend::IptablesLegacy,
            end if end.starts_with("-nft") => Backend::IptablesNft,
            _ => Backend::Iptables,
        };
        let format = Some(Format::Iptables {
            family: Family::Ip6,
            backend,
        });
        if inputs.iter().all(|input| input.format != format) {
            inputs.push(Input {
                name: "new".to_owned(),
                text: String::new(),
                format,
            });
        }
    }
    for input in &inputs {
        let (_, show) = programs(input.format);
        writeln!(script, "{show}; echo '{CUT}'").unwrap();
    }
    let shown = in_namespace(&script)?;
    let cut = format!("{CUT}\n");
    let inputs = inputs.iter().zip(shown.split(&cut));
    Ok(Case {
        name: case.name.clone(),
        surroundings: case.surroundings.clone(),
        inputs: inputs
            .map(|(input, text)| Input {
                text: text.to_owned(),
                ..input.clone()
            })
            .collect(),
        ..Case::default()
    })
}

/// A namespace of an ordinary user takes no batch larger than the socket's buffer, which only real
/// root may enlarge (`SO_SNDBUFFORCE`).
const LARGEST: usize = 60_000;

fn runs_here(command: &str) -> bool {
    !NOT_RUN.iter().any(|word| command.contains(word))
}

/// Whether nothing of the finding should be left; a command that only keeps a copy mends nothing.
fn mends(finding: &Finding, commands: &[String]) -> bool {
    MENDED.contains(&finding.code.as_str())
        && !commands.iter().any(|command| command.contains("/root/"))
}

fn still_there(finding: &Finding, case: &Case) -> bool {
    findings(case)
        .iter()
        .any(|other| other.code == finding.code && other.title == finding.title)
}

#[test]
fn the_same_rules_as_json_give_the_same_findings() {
    let mut compared = 0;
    for case in cases() {
        let nft = |input: &Input| input.format == Some(Format::NftText);
        if !case.inputs.iter().all(nft) || too_large(&case) {
            continue;
        }
        let shown = |command: &str, format: Format| {
            let script = format!("{}{command}", loading(&case));
            let text = in_namespace(&script).unwrap();
            let case = Case {
                surroundings: case.surroundings.clone(),
                inputs: vec![Input {
                    name: command.to_owned(),
                    text,
                    format: Some(format),
                }],
                ..Case::default()
            };
            let said = |finding: &Finding| {
                let commands: Vec<_> = finding.remedies.iter().map(|it| &it.commands).collect();
                let what: Vec<_> = finding.evidence.iter().map(|it| &it.what).collect();
                let said = format!("{} {}\n{commands:?}\n{what:?}", finding.code, finding.title);
                // nft's text puts names of interfaces in quotes; what we make of its JSON does not.
                said.replace(['"', '\\'], "")
            };
            findings(&case).iter().map(said).collect::<Vec<_>>()
        };
        let text = shown("nft -a list ruleset", Format::NftText);
        let json = shown("nft -j list ruleset", Format::NftJson);
        assert_eq!(text, json, "{}", case.name);
        compared += 1;
    }
    assert!(compared >= 10, "only {compared} compared");
}

fn too_large(case: &Case) -> bool {
    case.inputs.iter().any(|input| input.text.len() > LARGEST)
}

#[test]
fn every_command_is_taken_and_mends_what_the_finding_says() {
    let mut wrong = String::new();
    let (mut run, mut mended) = (0, 0);
    for case in cases() {
        if too_large(&case) {
            continue;
        }
        let shown = match after(&case, &[]) {
            Ok(shown) => shown,
            Err(why) => {
                writeln!(wrong, "{}: does not load: {why}", case.name).unwrap();
                continue;
            }
        };
        for finding in findings(&shown) {
            for (number, remedy) in finding.remedies.iter().enumerate() {
                let commands = &remedy.commands;
                if commands.is_empty() || !commands.iter().all(|command| runs_here(command)) {
                    continue;
                }
                let name = format!("{} {}: {commands:#?}", case.name, finding.code);
                run += 1;
                match after(&case, commands) {
                    Err(why) => writeln!(wrong, "{name}\nis refused: {why}").unwrap(),
                    Ok(then) if number == 0 && mends(&finding, commands) => {
                        mended += 1;
                        if still_there(&finding, &then) {
                            writeln!(wrong, "{name}\nmends nothing: {}", finding.title).unwrap();
                        }
                    }
                    Ok(_) => {}
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(run >= 60 && mended >= 40, "only {run} run, {mended} mended");
}
