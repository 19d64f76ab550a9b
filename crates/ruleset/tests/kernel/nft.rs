//! What we print, nft takes; and its text and its JSON of one ruleset mean the same to us.
//!
//! Runs `nft` in a network namespace of its own.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests read files and run programs"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use surefoot_report::Level;
use surefoot_ruleset::model::{Content, SetRef, Statement, Verdict};
use surefoot_ruleset::parse::nft;
use surefoot_ruleset::{Format, Input, Loaded, load};

/// Loads a text in a new namespace; gives what nft then lists as text and as JSON.
fn through_kernel(text: &str) -> Result<(String, String), String> {
    let script = "nft -f - && nft -a list ruleset && echo SPLIT && nft -j list ruleset";
    let mut child = Command::new("unshare")
        .args([
            "--map-root-user",
            "--net",
            "timeout",
            "20",
            "sh",
            "-c",
            script,
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
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let both = String::from_utf8(output.stdout).unwrap();
    let (text, json) = both.split_once("SPLIT\n").unwrap();
    Ok((text.to_owned(), json.to_owned()))
}

fn read(format: Format, text: &str) -> Loaded {
    load(vec![Input {
        name: "t".to_owned(),
        text: text.to_owned(),
        format: Some(format),
    }])
}

/// One line for each chain, set and rule, with names in place of indices and without places.
/// Handles and counters are the kernel's; a file has none.
fn meaning(loaded: &Loaded, from_kernel: bool) -> Vec<String> {
    // The kernel gives the elements of a set in an order of its own.
    let sorted = |content: &Content| match content {
        Content::Known(elements) | Content::Dynamic(elements) => {
            let mut elements: Vec<String> = elements.iter().map(|it| format!("{it:?}")).collect();
            elements.sort();
            format!("{} {elements:?}", matches!(content, Content::Dynamic(_)))
        }
        other @ Content::Unknown => format!("{other:?}"),
    };
    let mut lines = Vec::new();
    for table in &loaded.firewall.tables {
        let chain_name = |id: u32| &table.chains[usize::try_from(id).unwrap()].name;
        let set_name = |set: &SetRef| match set {
            SetRef::Named(at) => table.sets[usize::try_from(*at).unwrap()].name.clone(),
            // A set of the rule's own has the rule's place, which differs between two texts.
            SetRef::Inline(set) => format!("{:?} {}", set.kind, sorted(&set.content)),
            other => format!("{other:?}"),
        };
        lines.push(format!(
            "table {:?} {} {}",
            table.family, table.name, table.dormant
        ));
        for set in &table.sets {
            lines.push(format!(
                "{} set {} {:?} {}",
                table.name,
                set.name,
                set.kind,
                sorted(&set.content)
            ));
        }
        for chain in &table.chains {
            lines.push(format!(
                "{} chain {} {:?}",
                table.name, chain.name, chain.base
            ));
            for rule in &chain.rules {
                let statements: Vec<String> = rule
                    .statements
                    .iter()
                    .map(|statement| match statement {
                        Statement::Verdict(Verdict::Jump(to)) => {
                            format!("jump {}", chain_name(to.0))
                        }
                        Statement::Verdict(Verdict::Goto(to)) => {
                            format!("goto {}", chain_name(to.0))
                        }
                        Statement::VerdictMap(map) => {
                            format!("{:?} vmap {}", map.key, set_name(&map.map))
                        }
                        Statement::Match(surefoot_ruleset::model::Match::Lookup(lookup)) => {
                            format!(
                                "{:?} {} {}",
                                lookup.key,
                                lookup.negated,
                                set_name(&lookup.set)
                            )
                        }
                        Statement::Effect(surefoot_ruleset::model::Effect::Log { prefix }) => {
                            format!("log {prefix}")
                        }
                        other => format!("{other:?}"),
                    })
                    .collect();
                lines.push(format!(
                    "{} {} {} {:?} {:?} {:?} {statements:?}",
                    table.name,
                    chain.name,
                    rule.number,
                    rule.handle.filter(|_| from_kernel),
                    rule.counters.filter(|_| from_kernel),
                    rule.comment
                ));
            }
        }
    }
    lines.sort();
    lines
}

const CASES: &[&str] = &[
    "0101-hosts-and-states",
    "0102-sets-and-maps",
    "0103-commands",
];

fn case(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    std::fs::read_to_string(folder.join(format!("{name}.nft.in"))).unwrap()
}

#[test]
fn text_and_json_of_one_ruleset_mean_the_same() {
    for name in CASES {
        let (text, json) =
            through_kernel(&case(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
        let (from_text, from_json) = (read(Format::NftText, &text), read(Format::NftJson, &json));
        for loaded in [&from_text, &from_json] {
            let errors = loaded
                .problems
                .iter()
                .filter(|(_, it)| it.level == Level::Error);
            assert_eq!(errors.count(), 0, "{name}: {:?}\n{text}", loaded.problems);
        }
        let printed = &from_json.firewall.sources[0].text;
        same(
            name,
            &meaning(&from_json, true),
            &meaning(&from_text, true),
            printed,
        );
    }
}

#[test]
fn printed_rules_mean_the_same_after_the_kernel_has_had_them() {
    for name in CASES {
        let input = case(name);
        let printed = nft::print(&nft::parse_text(&input).0);
        let (shown, _) =
            through_kernel(&printed).unwrap_or_else(|why| panic!("{name}: {why}\n{printed}"));
        let before = meaning(&read(Format::NftText, &input), false);
        let after = meaning(&read(Format::NftText, &shown), false);
        same(name, &after, &before, &shown);
    }
}

#[track_caller]
fn same(name: &str, found: &[String], wanted: &[String], text: &str) {
    let only = |a: &[String], b: &[String]| -> Vec<String> {
        a.iter().filter(|line| !b.contains(line)).cloned().collect()
    };
    let (more, less) = (only(found, wanted), only(wanted, found));
    assert!(
        more.is_empty() && less.is_empty(),
        "{name}: found {more:#?}\nwanted {less:#?}\n{text}"
    );
}
