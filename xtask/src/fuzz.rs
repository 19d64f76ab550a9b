//! Runs the fuzz targets for a bounded time each.
//!
//! libFuzzer needs coverage counters in the code. The flags below are those of `cargo fuzz`
//! without a sanitizer: the code under test has no `unsafe`, and so they work on stable Rust.
//! Seeds are the inputs of the parser tests; what libFuzzer finds on top stays in the target
//! folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Outcome, command, root, run_command, say, target};

const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// A fuzz target: a program of `fuzz/src/bin`, with what its first lines say about it.
#[derive(Debug, PartialEq)]
struct Target {
    name: String,
    /// `//! Dictionary: NAME`, a file of `fuzz/dictionaries`.
    dictionary: Option<String>,
    /// `//! Seeds: ENDING...`, the endings of the test inputs that seed it.
    seeds: Vec<String>,
}

impl Target {
    /// Reads what the module documentation of a target says.
    fn from_source(name: &str, source: &str) -> Self {
        let header = |word: &str| {
            let mut lines = source.lines().take_while(|line| line.starts_with("//!"));
            lines.find_map(|line| line.strip_prefix("//! ")?.strip_prefix(word))
        };
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Self {
            name: name.to_owned(),
            dictionary: header("Dictionary: ").map(str::to_owned),
            seeds: header("Seeds: ").map(words).unwrap_or_default(),
        }
    }
}

/// All targets, by name: the programs of `fuzz/src/bin`.
fn all_targets() -> Outcome<Vec<Target>> {
    let folder = root().join("fuzz/src/bin");
    let mut targets = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let source = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        targets.push(Target::from_source(&name, &source));
    }
    targets.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(targets)
}

/// Runs every target for so many seconds.
pub(crate) fn all(seconds: u32) -> Outcome {
    let folder = target().join("fuzz");
    let triple = host_triple()?;
    let words = [
        "cargo",
        "build",
        "--release",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--bins",
        "--target",
        &triple,
    ];
    let mut build = command(&words);
    build
        .env("CARGO_TARGET_DIR", &folder)
        .env("RUSTFLAGS", COVERAGE);
    run_command(&mut build, &words.join(" "))?;
    let mut seeds = test_inputs(&root().join("crates"))?;
    seeds.extend(test_inputs(&root().join("docs/examples"))?);
    let mut failed = Vec::new();
    let targets = all_targets()?;
    for target in &targets {
        let program = folder.join(&triple).join("release").join(&target.name);
        if let Err(why) = fuzz(target, &program, &folder, &seeds, seconds) {
            say(&why);
            failed.push(target.name.as_str());
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("fuzz targets that failed: {}", failed.join(", ")))
    }
}

fn fuzz(
    target: &Target,
    program: &Path,
    folder: &Path,
    seeds: &[PathBuf],
    seconds: u32,
) -> Outcome {
    let corpus = folder.join("corpus").join(&target.name);
    let crashes = folder.join("crashes").join(&target.name);
    fs::create_dir_all(&corpus).map_err(|error| error.to_string())?;
    fs::create_dir_all(&crashes).map_err(|error| error.to_string())?;
    let mut planted = 0;
    for seed in seeds {
        let name = seed.file_name().unwrap_or_default().to_string_lossy();
        if target.seeds.iter().any(|ending| name.ends_with(ending)) {
            fs::copy(seed, corpus.join(&*name)).map_err(|error| format!("{name}: {error}"))?;
            planted += 1;
        }
    }
    say(&format!("\nfuzz target {}: {planted} seeds", target.name));
    let corpus = corpus.display().to_string();
    let crashes = format!("-artifact_prefix={}/", crashes.display());
    let time = format!("-max_total_time={seconds}");
    let dictionary = target
        .dictionary
        .as_ref()
        .map(|name| format!("-dict={}/fuzz/dictionaries/{name}.dict", root().display()));
    let program = program.display().to_string();
    let mut words = vec![
        program.as_str(),
        "-timeout=10",
        "-rss_limit_mb=4096",
        "-max_len=65536",
        "-verbosity=0",
        "-print_final_stats=1",
        &time,
        &crashes,
    ];
    words.extend(dictionary.as_deref());
    words.push(&corpus);
    run_command(&mut command(&words), &words.join(" "))
}

/// The test inputs of all crates.
fn test_inputs(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            found.extend(test_inputs(&path)?);
        } else if path.extension().is_some_and(|ending| ending != "rs") {
            found.push(path);
        }
    }
    Ok(found)
}

fn host_triple() -> Outcome<String> {
    let output = command(&["rustc", "-vV"])
        .output()
        .map_err(|error| error.to_string())?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
        .ok_or_else(|| "rustc does not say what it builds for".to_owned())
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn a_target_says_what_seeds_it() {
        let source = "//! Why.\n//!\n//! Seeds: .in .v4\n//! Dictionary: iptables\n#![no_main]\n";
        let target = Target::from_source("rules", source);
        assert_eq!(target.seeds, [".in", ".v4"]);
        assert_eq!(target.dictionary.as_deref(), Some("iptables"));
        let bare = Target::from_source("wire", "//! Why.\n#![no_main]\n//! Seeds: .in\n");
        assert_eq!((bare.seeds.len(), bare.dictionary), (0, None));
    }
}
