//! What a command reads: the facts of a machine, or files with rules.

use std::fs::File;
use std::io::{ErrorKind, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use surefoot_firewall::LoadedRules;
use surefoot_host::Host;
use surefoot_report::{Level, Problem};
use surefoot_ruleset::model::{Backend, Family};
use surefoot_ruleset::{Format, Input};

use crate::args::{FactsArgs, RulesFormat};
use crate::error::Failure;
use crate::included_files::IncludedFiles;
use crate::mistaken::{self, Expected, mistaken};
use crate::output::Output;
use crate::progress::Progress;
use crate::whole_file;

/// No rule file is as large as this: 700,000 rules of kube-proxy take 100 MiB.
const LARGEST_RULE_FILE: u64 = 1 << 30;

/// The facts that the arguments ask for.
pub(crate) fn host(args: &FactsArgs, output: &Output) -> Result<Host, Failure> {
    let progress = Progress::new(output.quiet());
    if let Some(path) = &args.facts {
        progress.step(format!("reading {}", shown(path)));
        return capture(path);
    }
    if let Some(root) = &args.root {
        progress.step(format!("reading {}", root.display()));
        return tree(root);
    }
    Ok(Host::live(
        &surefoot_host::LiveOptions {
            now: now(),
            keep_secrets: false,
        },
        &|step| {
            progress.step(format!("reading {step}"));
        },
    ))
}

/// The facts of a directory tree.
pub(crate) fn tree(root: &Path) -> Result<Host, Failure> {
    if !root.is_dir() {
        let failure = Failure::input(format!("`{}` is not a directory", root.display()));
        return Err(if root.is_file() {
            failure.hint(format!(
                "a capture of a machine's facts is given with `--facts {}`",
                root.display()
            ))
        } else {
            failure.hint("give the root of a mounted system, such as /mnt")
        });
    }
    Ok(Host::at(root, now()))
}

/// Seconds since 1970, the only clock there is.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// How a path that was given is named to people.
fn shown(path: &Path) -> String {
    if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    }
}

fn capture(path: &Path) -> Result<Host, Failure> {
    let shown = shown(path);
    refuse_directory(path, "a directory tree is given with `--root DIR`")?;
    let mut from: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let file = File::open(path)
            .map_err(|error| Failure::io(format!("cannot open `{shown}`"), &error))?;
        Box::new(file)
    };
    let mut head = Vec::new();
    from.by_ref()
        .take(mistaken::ENOUGH as u64)
        .read_to_end(&mut head)
        .map_err(|error| Failure::io(format!("cannot read `{shown}`"), &error))?;
    if let Some(failure) = mistaken(Expected::Facts, &shown, &head) {
        return Err(failure);
    }
    Host::from_capture(head.as_slice().chain(from)).map_err(|error| {
        Failure::input(format!("cannot read the capture `{shown}`"))
            .caused_by(&error)
            .hint("`surefoot capture FILE` writes one")
    })
}

/// The rules of files, or of the machine that the arguments ask for.
pub(crate) fn rules(
    files: &[PathBuf],
    format: Option<RulesFormat>,
    facts: &FactsArgs,
    output: &Output,
) -> Result<LoadedRules, Failure> {
    if files.is_empty() {
        let host = host(facts, output)?;
        let rules = surefoot_check::loaded_rules(&host);
        if host.running && !rules.are_complete() && host.rules.is_empty() {
            let mut failure = Failure::denied("the rules of this machine could not be read");
            for unknown in rules.unknowns() {
                failure = failure.because(format!("{}: {}", unknown.fact, unknown.why));
            }
            if !rustix::process::geteuid().is_root() {
                failure = failure.hint("run it as root");
            }
            return Err(failure);
        }
        return Ok(rules);
    }
    let progress = Progress::new(output.quiet());
    let mut inputs = Vec::new();
    for file in files {
        progress.step(format!("reading {}", shown(file)));
        inputs.push(Input {
            name: shown(file),
            text: text(file)?,
            format: format.map(format_of),
        });
    }
    progress.step("reading the rules");
    let mut included = IncludedFiles::default();
    let rules = LoadedRules::of_texts_including(inputs, &mut included);
    drop(progress);
    for remark in included.remarks() {
        output.remark(&format!("{}\n", surefoot_report::escape(remark)));
    }
    refuse_unreadable(&rules, output)?;
    Ok(rules)
}

/// The text of one rule file, which can be read as rules.
pub(crate) fn rule_text(
    file: &Path,
    format: Option<RulesFormat>,
    output: &Output,
) -> Result<Input, Failure> {
    let input = Input {
        name: shown(file),
        text: text(file)?,
        format: format.map(format_of),
    };
    refuse_unreadable(&LoadedRules::of_texts(vec![input.clone()]), output)?;
    Ok(input)
}

fn format_of(format: RulesFormat) -> Format {
    match format {
        RulesFormat::V4 => Format::Iptables {
            family: Family::Ip,
            backend: Backend::Iptables,
        },
        RulesFormat::V6 => Format::Iptables {
            family: Family::Ip6,
            backend: Backend::Iptables,
        },
        RulesFormat::Nft => Format::NftText,
        RulesFormat::NftJson => Format::NftJson,
        RulesFormat::Ipset => Format::Ipset,
    }
}

/// Reads a whole file; bytes that are not UTF-8 are replaced, as they can only be in comments.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    let shown = shown(path);
    refuse_directory(
        path,
        "a machine's directory tree is given with `--root DIR`",
    )?;
    let bytes = bytes(path)?;
    if let Some(failure) = mistaken(Expected::Rules, &shown, &bytes) {
        return Err(failure);
    }
    if bytes.len() as u64 > LARGEST_RULE_FILE {
        return Err(Failure::input(format!(
            "`{shown}` is larger than 1 GiB; that is no rule file"
        )));
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// The words of a policy.
pub(crate) fn policy(path: &Path) -> Result<String, Failure> {
    refuse_directory(path, "a policy is one file")?;
    String::from_utf8(bytes(path)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::input(format!(
            "`{}` is no text: byte {at} is not UTF-8",
            shown(path)
        ))
    })
}

/// The bytes of a file with packets.
pub(crate) fn packets(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = bytes(path)?;
    mistaken(Expected::Packets, &shown(path), &bytes).map_or(Ok(bytes), Err)
}

/// Packets as they come, and how their file is named.
pub(crate) fn packet_stream(path: &Path) -> Result<(Box<dyn Read>, String), Failure> {
    refuse_directory(
        path,
        "packets are in one file, as `tcpdump -w FILE` writes it",
    )?;
    let shown = shown(path);
    let mut from: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let file = File::open(path)
            .map_err(|error| Failure::io(format!("cannot open `{shown}`"), &error))?;
        Box::new(file)
    };
    let mut head = Vec::new();
    from.by_ref()
        .take(mistaken::ENOUGH as u64)
        .read_to_end(&mut head)
        .map_err(|error| Failure::io(format!("cannot read `{shown}`"), &error))?;
    match mistaken(Expected::Packets, &shown, &head) {
        Some(failure) => Err(failure),
        None => Ok((Box::new(std::io::Cursor::new(head).chain(from)), shown)),
    }
}

/// A text, and how its file is named.
pub(crate) fn lines(path: &Path) -> Result<(String, String), Failure> {
    refuse_directory(path, "a list is one file")?;
    let text = String::from_utf8_lossy(&bytes(path)?).into_owned();
    Ok((shown(path), text))
}

fn refuse_directory(path: &Path, hint: &str) -> Result<(), Failure> {
    if path.is_dir() {
        return Err(Failure::input(format!("`{}` is a directory", path.display())).hint(hint));
    }
    Ok(())
}

/// Reads the bytes of a file, or of standard input for `-`.
fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(LARGEST_RULE_FILE + 1)
            .read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(LARGEST_RULE_FILE + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::io(format!("cannot read `{}`", path.display()), &error))?;
    Ok(bytes)
}

/// Ends the command if a text could not be read; says what was not understood.
fn refuse_unreadable(rules: &LoadedRules, output: &Output) -> Result<(), Failure> {
    let style = output.error_style();
    for (at, source) in rules.firewall.sources.iter().enumerate() {
        let problems: Vec<Problem> = rules
            .problems
            .iter()
            .filter(|(source, _)| usize::from(*source) == at)
            .map(|(_, problem)| problem.clone())
            .collect();
        let errors: Vec<Problem> = problems
            .iter()
            .filter(|problem| problem.level == Level::Error)
            .cloned()
            .collect();
        if !errors.is_empty() {
            return Err(Failure::input(format!("`{}` cannot be read", source.name))
                .picture(surefoot_report::problems(source, &errors, style)));
        }
        if output.verbose() && !problems.is_empty() {
            output.remark(&surefoot_report::problems(source, &problems, style));
        } else if !problems.is_empty() {
            let places = match problems.len() {
                1 => "1 place".to_owned(),
                count => format!("{count} places"),
            };
            output.remark(&format!(
                "{}: {places} not understood in full; answers hold whatever they mean (-v shows them)\n",
                surefoot_report::escape(&source.name)
            ));
        }
    }
    Ok(())
}

/// Writes a capture where it is asked for, readable by its owner only.
pub(crate) fn write_capture(host: &Host, path: &Path, force: bool) -> Result<(), Failure> {
    let shown = path.display();
    let failed = |error: &std::io::Error| Failure::io(format!("cannot write `{shown}`"), error);
    if path == Path::new("-") {
        let mut stdout = std::io::stdout().lock();
        return host
            .write_capture(&mut stdout)
            .and_then(|()| stdout.flush())
            .map_err(|e| failed(&e));
    }
    let there_already = || {
        Failure::input(format!("`{shown}` is there already"))
            .hint("choose another name, or replace it with --force")
    };
    if let Ok(there) = path.metadata() {
        if !there.is_file() {
            return Err(Failure::input(format!("`{shown}` is not a regular file"))
                .hint("choose another name; `-` is standard output"));
        }
        if !force {
            return Err(there_already());
        }
    }
    let written = whole_file::write(path, force, |file| host.write_capture(file));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => there_already(),
        ErrorKind::NotFound => failed(&error).hint("its folder is not there"),
        _ => failed(&error),
    })
}
