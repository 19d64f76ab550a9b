//! What the lints say of the rule sets in `tests/lints`.
//!
//! A case opens with comment lines that say what is expected and on which host, one fact a line:
//!
//! ```text
//! # fires: FW001 critical, FW009 note possibly
//! # quiet: FW003
//! # only: (as `fires`, and nothing else)
//! # live
//! # listener: tcp 0.0.0.0:22 sshd
//! # interface: eth0 203.0.113.1/24 2001:db8::1/64
//! # route: 0.0.0.0/0 eth0
//! # sysctl: net.ipv4.ip_forward=1
//! # session: 198.51.100.7:51000 203.0.113.1:22
//! ```
//!
//! Then the texts, each after a line `=== FORMAT`: `ip`, `ip6` (an iptables file), `ip legacy`,
//! `ip nft` and so on, `nft`, `ipset`; or `=== saved PATH by LOADER` for a file on disk, whose
//! loader is `nothing` or `?` where that is so.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read files"
)]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use surefoot_firewall::lint::{self, Facts};
use surefoot_firewall::model::{Backend, Family};
use surefoot_firewall::semantics::Index;
use surefoot_firewall::{
    Format, Input, Interface, Listener, Route, SavedRules, Session, Surroundings, load,
};
use surefoot_report::{Area, Certainty, Finding, Place};

/// What a case expects of one code.
#[derive(Clone, Debug, PartialEq)]
struct Expected {
    code: String,
    severity: Option<String>,
    possibly: bool,
}

#[derive(Default)]
struct Case {
    name: String,
    fires: Vec<Expected>,
    only: bool,
    quiet: Vec<String>,
    surroundings: Surroundings,
    inputs: Vec<Input>,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lints");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut cases: Vec<Case> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            read(name, &std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn read(name: &str, text: &str) -> Case {
    let mut parts = text.split("=== ");
    let mut case = Case {
        name: name.to_owned(),
        ..Case::default()
    };
    for line in parts.next().unwrap().lines() {
        let fact = line.trim_start_matches('#').trim();
        let (word, rest) = fact.split_once(':').unwrap_or((fact, ""));
        header(&mut case, word, rest.trim());
    }
    for part in parts {
        let (head, body) = part.split_once('\n').unwrap_or((part, ""));
        section(&mut case, head.trim(), body);
    }
    assert!(!case.inputs.is_empty(), "{name} holds no rules");
    case
}

fn header(case: &mut Case, word: &str, rest: &str) {
    let host = &mut case.surroundings;
    match word {
        "fires" | "only" => {
            case.only |= word == "only";
            for one in rest.split(',').map(str::trim).filter(|one| !one.is_empty()) {
                let words: Vec<&str> = one.split_whitespace().collect();
                case.fires.push(Expected {
                    code: words[0].to_owned(),
                    severity: words[1..]
                        .iter()
                        .find(|word| **word != "possibly")
                        .map(|word| (*word).to_owned()),
                    possibly: words.contains(&"possibly"),
                });
            }
        }
        "quiet" => case
            .quiet
            .extend(rest.split_whitespace().map(str::to_owned)),
        "live" => host.live = true,
        "listener" => {
            let listeners = host.listeners.get_or_insert_default();
            if rest == "none" {
                return;
            }
            let words: Vec<&str> = rest.split_whitespace().collect();
            let at: SocketAddr = words[1].parse().unwrap();
            listeners.push(Listener {
                protocol: if words[0] == "tcp" { 6 } else { 17 },
                address: at.ip(),
                port: at.port(),
                v6only: words.contains(&"v6only"),
                device: None,
                program: words.get(2).map(|word| (*word).to_owned()),
            });
        }
        "interface" => {
            let mut words = rest.split_whitespace();
            let name = words.next().unwrap().to_owned();
            let net = |word: &str| {
                let (address, length) = word.split_once('/').unwrap();
                (address.parse::<IpAddr>().unwrap(), length.parse().unwrap())
            };
            host.interfaces.get_or_insert_default().push(Interface {
                loopback: name == "lo",
                name,
                up: true,
                addresses: words.map(net).collect(),
            });
        }
        "route" => {
            let (net, name) = rest.split_once(' ').unwrap();
            let (address, length) = net.split_once('/').unwrap();
            host.routes.get_or_insert_default().push(Route {
                destination: (address.parse().unwrap(), length.parse().unwrap()),
                interface: Some(name.to_owned()),
                table: 254,
                metric: 0,
                kind: 1,
            });
        }
        "sysctl" => {
            let (key, value) = rest.split_once('=').unwrap();
            host.sysctls.insert(key.to_owned(), value.to_owned());
        }
        "session" => {
            let (client, server) = rest.split_once(' ').unwrap();
            let (client, server): (SocketAddr, SocketAddr) =
                (client.parse().unwrap(), server.parse().unwrap());
            host.session = Some(Session {
                client: client.ip(),
                client_port: client.port(),
                server: server.ip(),
                server_port: server.port(),
            });
        }
        "why" | "" => {}
        _ => panic!("{}: what is `{word}`?", case.name),
    }
}

fn section(case: &mut Case, head: &str, body: &str) {
    if head == "saved nothing" {
        case.surroundings.saved.get_or_insert_default();
        return;
    }
    if let Some(saved) = head.strip_prefix("saved ") {
        let (path, loader) = saved.split_once(" by ").unwrap();
        let saved = SavedRules {
            path: path.to_owned(),
            text: body.to_owned(),
            loaders: match loader {
                "nothing" | "?" => Vec::new(),
                loader => vec![loader.to_owned()],
            },
            loaders_known: loader != "?",
        };
        case.surroundings.saved.get_or_insert_default().push(saved);
        return;
    }
    let words: Vec<&str> = head.split_whitespace().collect();
    let format = match words[0] {
        "nft" => Format::NftText,
        "ipset" => Format::Ipset,
        "ip" | "ip6" => Format::Iptables {
            family: if words[0] == "ip" {
                Family::Ip
            } else {
                Family::Ip6
            },
            backend: match words.get(1) {
                Some(&"legacy") => Backend::IptablesLegacy,
                Some(&"nft") => Backend::IptablesNft,
                _ => Backend::Iptables,
            },
        },
        other => panic!("{}: what is the format `{other}`?", case.name),
    };
    case.inputs.push(Input {
        name: format!("{}-{}", words.join("-"), case.inputs.len() + 1),
        text: body.to_owned(),
        format: Some(format),
    });
}

fn findings(case: &Case) -> Vec<Finding> {
    let loaded = load(case.inputs.clone());
    assert_eq!(loaded.problems, [], "{} is read as it stands", case.name);
    let index = Index::new(&loaded.firewall);
    lint::check(&Facts {
        firewall: &loaded.firewall,
        index: &index,
        surroundings: &case.surroundings,
    })
}

fn list(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        format!(
            "  {} {} {:?}: {}\n",
            finding.code,
            finding.severity.word(),
            finding.certainty,
            finding.title
        )
    };
    findings.iter().map(line).collect()
}

#[test]
fn every_case_gives_the_findings_that_it_names() {
    let mut wrong = String::new();
    for case in cases() {
        let findings = findings(&case);
        let mut complain = |what: String| {
            let found = list(&findings);
            writeln!(wrong, "{}: {what}; found:\n{found}", case.name).unwrap();
        };
        for expected in &case.fires {
            let fits = findings.iter().any(|finding| {
                finding.code == expected.code
                    && expected
                        .severity
                        .as_ref()
                        .is_none_or(|word| word == finding.severity.word())
                    && expected.possibly == (finding.certainty == Certainty::Possibly)
            });
            if !fits {
                complain(format!("{expected:?} is missing"));
            }
        }
        for code in &case.quiet {
            if findings.iter().any(|finding| &finding.code == code) {
                complain(format!("{code} is a false alarm"));
            }
        }
        let named = |code: &String| case.fires.iter().any(|expected| &expected.code == code);
        if case.only
            && let Some(other) = findings.iter().find(|finding| !named(&finding.code))
        {
            complain(format!("{} is a false alarm", other.code));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_lint_has_a_case_that_fires_it_and_a_near_miss_that_does_not() {
    let cases = cases();
    for page in lint::pages() {
        let code = page.code.to_owned();
        let fires = |case: &Case| case.fires.iter().any(|expected| expected.code == code);
        assert!(cases.iter().any(fires), "no case fires {code}");
        let quiet = |case: &Case| case.quiet.contains(&code);
        assert!(cases.iter().any(quiet), "no near miss of {code}");
    }
}

#[test]
fn every_finding_can_be_looked_up_and_says_what_to_do() {
    for case in cases() {
        let pages: BTreeSet<&str> = lint::pages().iter().map(|page| page.code).collect();
        for finding in findings(&case) {
            let name = format!("{} {}", case.name, finding.code);
            assert!(pages.contains(finding.code.as_str()), "{name}");
            assert_eq!(finding.area, Area::Firewall, "{name}");
            assert!(!finding.title.ends_with('.'), "{name}: {}", finding.title);
            assert!(!finding.impact.is_empty(), "{name}");
            assert!(!finding.evidence.is_empty(), "{name} shows nothing");
            assert!(!finding.remedies.is_empty(), "{name} mends nothing");
            for evidence in &finding.evidence {
                assert!(!evidence.what.is_empty(), "{name}");
                let Place::Line { source, line, .. } = &evidence.place else {
                    continue;
                };
                let text = case.inputs.iter().find(|input| input.name == *source);
                if let Some(text) = text {
                    let lines = text.text.lines().count();
                    assert!(usize::try_from(*line).unwrap() <= lines, "{name}: {source}");
                }
            }
            for remedy in &finding.remedies {
                assert!(!remedy.what.ends_with('.'), "{name}: {}", remedy.what);
                for command in &remedy.commands {
                    assert!(!command.contains('\n'), "{name}: {command}");
                }
            }
        }
    }
}

#[test]
fn a_page_says_what_it_is_why_it_matters_how_to_see_and_mend_it_and_when_it_is_fine() {
    let mut codes = BTreeSet::new();
    for page in lint::pages() {
        assert!(codes.insert(page.code), "{} is used twice", page.code);
        let number = page.code.strip_prefix("FW").unwrap();
        assert!(number.len() == 3 && number.parse::<u16>().is_ok());
        let mut rest = page.text;
        for heading in [
            "## What it is\n",
            "## Why it matters\n",
            "## How to see it yourself\n",
            "## How to mend it\n",
            "## When it is fine\n",
        ] {
            let (_, after) = rest
                .split_once(heading)
                .unwrap_or_else(|| panic!("{}: no `{}`", page.code, heading.trim()));
            rest = after;
        }
        for line in page.text.lines() {
            assert!(line.chars().count() <= 100, "{}: {line}", page.code);
        }
        assert!(!page.title.ends_with('.'), "{}", page.code);
    }
    let pages = lint::pages();
    assert!(pages.windows(2).all(|pair| pair[0].code < pair[1].code));
}
