//! What is generated and yet committed: the manual pages, the completions, the schema and the
//! screens of the guide. Written here, and compared in every test run, so that they cannot go stale.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Outcome, command, root, run, say, target};
use crate::screens;

/// Documents whose screens are real output.
const WITH_SCREENS: &[&str] = &["README.md", "docs/GUIDE.md"];

/// Commands that print a schema, and the file that publishes it.
const SCHEMAS: &[(&[&str], &str)] = &[
    (&["check"], "findings.json"),
    (&["bisect"], "bisect.json"),
    (&["consoles"], "consoles.json"),
    (&["diagnose"], "diagnose.json"),
    (&["firewall", "apply"], "firewall-apply.json"),
    (&["firewall", "show"], "firewall-show.json"),
    (&["changes"], "changes.json"),
    (&["throughput", "client"], "throughput.json"),
    (&["stop"], "stop.json"),
    (&["signals"], "signals.json"),
];

/// Writes everything that is generated.
pub(crate) fn write() -> Outcome {
    for (path, text) in generated()? {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        }
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(())
}

/// Fails if something that is generated is not what it would be now.
pub(crate) fn check() -> Outcome {
    let mut stale = Vec::new();
    for (path, text) in generated()? {
        let there = fs::read_to_string(&path).unwrap_or_default();
        if there != text {
            say(&format!(
                "{} is stale:\n{}",
                path.display(),
                first_difference(&there, &text)
            ));
            stale.push(path);
        }
    }
    if stale.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{} documents are stale; `cargo xtask docs` writes them",
            stale.len()
        ))
    }
}

/// All generated files with the text that they should have.
fn generated() -> Outcome<Vec<(PathBuf, String)>> {
    run(&["cargo", "build", "--quiet", "--package", "surefoot"])?;
    let surefoot = target().join("debug/surefoot");
    let mut files = Vec::new();

    let scratch = target().join("man");
    fs::create_dir_all(&scratch).map_err(|error| error.to_string())?;
    run(&[
        &surefoot.display().to_string(),
        "man",
        &scratch.display().to_string(),
    ])?;
    for entry in fs::read_dir(&scratch).map_err(|error| error.to_string())? {
        let page = entry.map_err(|error| error.to_string())?;
        let text = fs::read_to_string(page.path()).map_err(|error| error.to_string())?;
        files.push((root().join("docs/man").join(page.file_name()), text));
    }
    for (shell, file) in [
        ("bash", "surefoot.bash"),
        ("zsh", "_surefoot"),
        ("fish", "surefoot.fish"),
    ] {
        let text = output_of(&surefoot, &["completions", shell])?;
        files.push((root().join("docs/completions").join(file), text));
    }
    for (words, file) in SCHEMAS {
        let schema = output_of(&surefoot, &[words, ["--schema"].as_slice()].concat())?;
        files.push((root().join("docs/schema").join(file), schema));
    }
    for document in WITH_SCREENS {
        let path = root().join(document);
        let text = fs::read_to_string(&path).map_err(|error| format!("{document}: {error}"))?;
        files.push((path, screens::refresh(&text, &surefoot)?));
    }
    files.sort();
    Ok(files)
}

fn output_of(surefoot: &Path, words: &[&str]) -> Outcome<String> {
    let program = surefoot.display().to_string();
    let words: Vec<&str> = std::iter::once(program.as_str())
        .chain(words.iter().copied())
        .collect();
    let output = command(&words)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!(
            "`{}` ended with {}",
            words.join(" "),
            output.status
        ));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

fn first_difference(there: &str, wanted: &str) -> String {
    let mut lines = there.lines().zip(wanted.lines()).enumerate();
    match lines.find(|(_, (a, b))| a != b) {
        Some((at, (a, b))) => format!("  line {}\n  - {a}\n  + {b}", at + 1),
        None => format!(
            "  {} lines, should be {}",
            there.lines().count(),
            wanted.lines().count()
        ),
    }
}
