//! What the lints say of the rule sets in this folder; how a case is written stands in `case`.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests read files and run programs"
)]

mod case;
mod remedies;

use std::collections::BTreeSet;
use std::fmt::Write;

use case::{Case, cases, findings};
use surefoot_firewall::lint;
use surefoot_report::{Certainty, Finding, Place};
use surefoot_ruleset::load;

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
        let problems = load(case.inputs.clone()).problems;
        assert_eq!(problems, [], "{} is read as it stands", case.name);
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
    for page in lint::AREA.pages {
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
        let pages: BTreeSet<&str> = lint::AREA.pages.iter().map(|page| page.code).collect();
        for finding in findings(&case) {
            let name = format!("{} {}", case.name, finding.code);
            assert!(pages.contains(finding.code.as_str()), "{name}");
            assert_eq!(finding.area, &lint::AREA, "{name}");
            assert!(!finding.title.ends_with('.'), "{name}: {}", finding.title);
            let impact = &finding.impact;
            assert!(
                impact.ends_with('.') && !impact.starts_with(char::is_lowercase),
                "{name}"
            );
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
    for page in lint::AREA.pages {
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
    let pages = lint::AREA.pages;
    assert!(pages.windows(2).all(|pair| pair[0].code < pair[1].code));
}

#[test]
fn no_damage_makes_a_lint_panic() {
    // A small generator of our own keeps the run the same every time.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    for mut case in cases() {
        let texts: Vec<String> = case.inputs.iter().map(|input| input.text.clone()).collect();
        if texts.iter().any(|text| text.len() > 20_000) {
            continue;
        }
        for _ in 0..25 {
            for (input, text) in case.inputs.iter_mut().zip(&texts) {
                let mut bytes = text.clone().into_bytes();
                for _ in 0..=next(5) {
                    let at = next(bytes.len());
                    match next(5) {
                        0 => bytes.truncate(at.max(40)),
                        1 => bytes.insert(at, b"!\"-*:[\\\n ,/+{}@"[next(15)]),
                        2 if !bytes.is_empty() => drop(bytes.remove(at)),
                        3 if !bytes.is_empty() => {
                            // A line twice, elsewhere: rules in odd places.
                            let line = String::from_utf8_lossy(&bytes[at..]).into_owned();
                            let line = line.lines().nth(1).unwrap_or_default().to_owned() + "\n";
                            let start = bytes[..at].iter().rposition(|byte| *byte == b'\n');
                            let start = start.map_or(0, |start| start + 1);
                            bytes.splice(start..start, line.into_bytes());
                        }
                        _ if !bytes.is_empty() => bytes[at] = u8::try_from(next(256)).unwrap(),
                        _ => {}
                    }
                }
                input.text = String::from_utf8_lossy(&bytes).into_owned();
            }
            case.surroundings.live ^= next(2) == 0;
            findings(&case);
        }
    }
}
