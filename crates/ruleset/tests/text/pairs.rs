//! Texts and their canonical form, side by side in `tests/rules`.
//!
//! `NAME.in` is printed as `NAME.ok`, and printing `NAME.ok` changes nothing. What is odd about
//! the input stands in `NAME.problems`, one `line:column: level: message` each; without that file
//! nothing may be odd. `NAME.ipset.in` is a dump of ipset, `NAME.nft.in` is for nft.
//! `UPDATE=1` writes the expected files anew; read the difference before you keep it.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read files"
)]

use std::fmt::Write;
use std::path::{Path, PathBuf};

use surefoot_report::Source;
use surefoot_ruleset::parse::{ipset, iptables, nft};
use surefoot_ruleset::{Input, load};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules")
}

/// The names of all `.in` files.
fn names() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let files = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let stems = files.filter_map(|name| name.strip_suffix(".in").map(str::to_owned));
    let mut names: Vec<String> = stems.collect();
    names.sort();
    names
}

fn canonical(name: &str, text: &str) -> String {
    match Path::new(name).extension().and_then(|end| end.to_str()) {
        Some("ipset") => ipset::print(&ipset::parse(text).0),
        Some("nft") => nft::print(&nft::parse_text(text).0),
        _ => iptables::print(&iptables::parse(text).0),
    }
}

fn problems(name: &str, text: &str) -> String {
    let source = Source::new(name, text);
    let loaded = load(vec![Input {
        name: name.to_owned(),
        text: text.to_owned(),
        format: None,
    }]);
    let mut out = String::new();
    for (_, problem) in &loaded.problems {
        let at = source.position(problem.span.unwrap_or_default().start);
        let level = format!("{:?}", problem.level).to_lowercase();
        writeln!(out, "{}:{}: {level}: {}", at.line, at.column, problem.what).unwrap();
    }
    out
}

#[test]
fn every_text_has_its_canonical_form_and_its_problems() {
    let update = std::env::var_os("UPDATE").is_some();
    let names = names();
    assert!(names.len() >= 40, "only {} cases", names.len());
    let mut wrong = Vec::new();
    for name in names {
        let file = |end: &str| folder().join(format!("{name}.{end}"));
        let text = std::fs::read_to_string(file("in")).unwrap();
        let (printed, odd) = (canonical(&name, &text), problems(&name, &text));
        if update {
            std::fs::write(file("ok"), &printed).unwrap();
            if odd.is_empty() {
                // It may not be there in the first place.
                let _ = std::fs::remove_file(file("problems"));
            } else {
                std::fs::write(file("problems"), &odd).unwrap();
            }
        }
        let expected = std::fs::read_to_string(file("ok")).unwrap_or_default();
        let expected_odd = std::fs::read_to_string(file("problems")).unwrap_or_default();
        if printed != expected {
            wrong.push(format!("{name}.ok:\n{expected}but printed:\n{printed}"));
        }
        if odd != expected_odd {
            wrong.push(format!("{name}.problems:\n{expected_odd}but found:\n{odd}"));
        }
        if canonical(&name, &printed) != printed {
            wrong.push(format!("{name}: printing {printed} again changes it"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_damage_makes_the_parser_panic_and_what_it_read_prints_as_a_fixpoint() {
    // A small generator of our own keeps the run the same every time.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    for name in names() {
        let text = std::fs::read(folder().join(format!("{name}.in"))).unwrap();
        for _ in 0..200 {
            let mut bytes = text.clone();
            for _ in 0..=next(4) {
                let at = next(bytes.len());
                match next(4) {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at, b"!\"-*:[\\\n ,/{};@$"[next(16)]),
                    2 if !bytes.is_empty() => drop(bytes.remove(at)),
                    _ if !bytes.is_empty() => bytes[at] = u8::try_from(next(256)).unwrap(),
                    _ => {}
                }
            }
            let damaged = String::from_utf8_lossy(&bytes).into_owned();
            problems(&name, &damaged);
            let once = canonical(&name, &damaged);
            assert_eq!(canonical(&name, &once), once, "{name}: {damaged}");
        }
    }
}
