//! `surefoot firewall save`: the rules in force, written where this system loads them from when it starts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use surefoot_apply::{
    RuleFile, RuleTools, SaveHabit, SavedFile, files_to_save, is_written_by_hand, loaded_alone,
    rule_keeper, rules_in_force,
};
use surefoot_host::Host;
use surefoot_journal::{
    ChangeRequest, FileSetChange, Journal, JournalSession, WantedFile, look_at,
};
use surefoot_report::escape;

use super::Status;
use super::apply_words::apply_failure;
use crate::args::FactsArgs;
use crate::error::Failure;
use crate::input;
use crate::journal::{self, StateDirArgs, escape_lines, failure};
use crate::output::Output;

/// Write the rules in force where this system loads them from when it starts
///
/// Debian's netfilter-persistent and /etc/nftables.conf, Red Hat's /etc/sysconfig, the places of Alpine, Arch, Gentoo
/// and SUSE. What is written is loaded in a network of its own first, and has to make the rules in force. A file that
/// makes them already stays as it is; one that was written by hand is put aside, beside it. Where ufw, firewalld or another program makes the rules, nothing is written.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall save --dry-run
  sudo surefoot firewall save
  sudo surefoot undo                        # put the old files back

Exit status:
  0  saved, or all was saved already
  1  refused, as another program makes the rules
  2  bad usage, or the rules or the system are unknown
  3  not permitted
  4  the change failed and was rolled back
  5  the change failed and the machine is not as it was before")]
pub(crate) struct SaveArgs {
    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    state: StateDirArgs,
}

const UNTOUCHED: &str = "Nothing was written.";

pub(super) fn run(args: &SaveArgs, output: &Output) -> Result<Status, Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::denied("only root may read and save all rules")
            .hint("run it with sudo")
            .left(UNTOUCHED));
    }
    let planned = plan(output).map_err(|failure| failure.left_unless(UNTOUCHED))?;
    if args.dry_run {
        let change = file_change(&planned, &args.state.journal())?;
        if let Some(change) = change {
            output.answer(&escape_lines(&change.diff()))?;
        }
        output.remark("nothing was written (--dry-run)\n");
        tell_loaders(&planned, output);
        return Ok(Status::Clean);
    }
    let journal = args.state.journal();
    args.state.remind(output);
    let session = journal::lock(&journal, output)?;
    write(&planned, &journal, &session, output)?;
    Ok(Status::Clean)
}

/// Saves the rules that were confirmed just now.
pub(super) fn save_confirmed(
    journal: &Journal,
    session: &JournalSession<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let saved = plan(output).and_then(|planned| write(&planned, journal, session, output));
    saved.map_err(|failure| {
        failure.left("The new rules are in force and stay; they are not saved: the next boot loads other ones.")
    })
}

/// A file, and whether it makes the rules in force already.
struct PlannedFile {
    file: SavedFile,
    is_saved: bool,
}

/// Finds the places, and tries what stands there and what would.
fn plan(output: &Output) -> Result<Vec<PlannedFile>, Failure> {
    let host = input::host(&FactsArgs::default(), output)?;
    if let Some((maker, command)) = rule_keeper(&host) {
        return Err(
            Failure::refused(format!("{maker} makes this machine's rules when it starts"))
                .hint(format!("keep them there: {command}")),
        );
    }
    if !host.rules_complete {
        return Err(Failure::input(
            "not all rules of this machine could be read",
        ));
    }
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let habit = SaveHabit::of_os_release(&release).ok_or_else(|| {
        Failure::input("it is unknown where this system loads its rules from")
            .hint("iptables-save, ip6tables-save, ipset save and nft list ruleset print them")
    })?;
    let origins: BTreeSet<_> = host.rules.iter().map(|listing| listing.origin).collect();
    let tools = RuleTools::find(&origins).map_err(|error| apply_failure(&error))?;
    let state = rules_in_force(&tools).map_err(|error| failure(&error))?;
    let files = files_to_save(&host, &state, habit);
    let wanted: Vec<RuleFile> = files
        .iter()
        .map(|file| as_rules(file, &file.text))
        .collect();
    let made = tried(&tools, &wanted, &host)?;
    if let Some(key) = state.changed_units(&made).first() {
        return Err(Failure::input(format!(
            "{key} would not be the same when it is loaded again, so it is not saved"
        )));
    }
    let there: Option<Vec<RuleFile>> = files
        .iter()
        .map(|file| file.there.as_ref().map(|text| as_rules(file, text)))
        .collect();
    // What does not load is not what is in force.
    let made = there.and_then(|there| tried(&tools, &there, &host).ok());
    let differs = made.map(|made| state.changed_units(&made));
    let planned = files.into_iter().map(|file| PlannedFile {
        is_saved: differs
            .as_ref()
            .is_some_and(|keys| keys.iter().all(|key| key.origin != file.origin)),
        file,
    });
    Ok(planned.collect())
}

fn as_rules(file: &SavedFile, text: &str) -> RuleFile {
    RuleFile {
        name: file.path.clone(),
        text: text.to_owned(),
        origin: file.origin,
        is_json: false,
    }
}

fn tried(
    tools: &RuleTools,
    files: &[RuleFile],
    host: &Host,
) -> Result<surefoot_apply::RuleState, Failure> {
    let network = host.network.as_ref();
    let interfaces = network.map_or(&[][..], |network| &network.interfaces);
    loaded_alone(tools, files, interfaces).map_err(|error| apply_failure(&error))
}

/// The change of the files that do not make the rules in force; none if all do.
fn file_change(
    planned: &[PlannedFile],
    journal: &Journal,
) -> Result<Option<FileSetChange>, Failure> {
    let mut wanted: Vec<WantedFile> = Vec::new();
    let mut made: Vec<PathBuf> = Vec::new();
    for planned in planned.iter().filter(|planned| !planned.is_saved) {
        let path = Path::new(&planned.file.path);
        let folder = path.parent().unwrap_or(path).to_owned();
        if !folder.is_dir() && !made.contains(&folder) {
            wanted.push(WantedFile::folder(&folder, 0o755));
            made.push(folder);
        }
        let seen = look_at(path).map_err(|error| failure(&error).left(UNTOUCHED))?;
        let text = planned.file.text.clone().into_bytes();
        if let Some((aside, old)) = seen
            .content
            .as_deref()
            .and_then(|content| put_aside(path, content))
        {
            wanted.push(WantedFile::content_and_mode(&aside, old, 0o640));
        }
        let file = if seen.content.is_some() {
            WantedFile::content(path, text)
        } else {
            WantedFile::content_and_mode(path, text, 0o640)
        };
        wanted.push(file.expecting(seen.state));
    }
    if wanted.is_empty() {
        return Ok(None);
    }
    FileSetChange::plan("save the firewall's rules", wanted, journal.now())
        .map(Some)
        .map_err(|error| failure(&error).left(UNTOUCHED))
}

/// A name for what is in a file, with its content, where a person wrote it: comments, variables and files that
/// it includes are in no listing.
fn put_aside(path: &Path, content: &[u8]) -> Option<(PathBuf, Vec<u8>)> {
    let text = String::from_utf8_lossy(content);
    if !is_written_by_hand(&text) {
        return None;
    }
    (1..100)
        .map(|number| {
            let mut name = path.as_os_str().to_owned();
            name.push(".by-hand");
            if number > 1 {
                name.push(format!("-{number}"));
            }
            PathBuf::from(name)
        })
        .find(|aside| std::fs::symlink_metadata(aside).is_err())
        .map(|aside| (aside, content.to_owned()))
}

fn write(
    planned: &[PlannedFile],
    journal: &Journal,
    session: &JournalSession<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let Some(change) = file_change(planned, journal)? else {
        output.remark("the rules in force are saved already\n");
        tell_loaders(planned, output);
        return Ok(());
    };
    let request = ChangeRequest {
        origin: journal::origin(),
        command: journal::command_line(),
        arm: None,
    };
    let entry = session
        .perform(Box::new(change), request)
        .map_err(|error| failure(&error).left_unless(UNTOUCHED))?;
    let names = planned.iter().filter(|planned| !planned.is_saved);
    let names: Vec<String> = names
        .map(|planned| escape(&planned.file.path).into_owned())
        .collect();
    output.remark(&format!(
        "saved in {}; `surefoot undo {}` puts the old files back\n",
        names.join(", "),
        entry.number
    ));
    let asides = entry
        .touches
        .iter()
        .filter(|path| path.contains(".by-hand"));
    for aside in asides {
        let aside = escape(aside);
        let path = aside.split(".by-hand").next().unwrap_or_default();
        output.complain(&format!(
            "note: {path} had been written by hand: what stood there, with its comments, is in {aside}; what is saved \
             is a listing\n"
        ));
    }
    tell_loaders(planned, output);
    Ok(())
}

/// Says of which file nothing is known that loads it.
fn tell_loaders(planned: &[PlannedFile], output: &Output) {
    let mut told: Vec<&str> = Vec::new();
    for planned in planned {
        let file = &planned.file;
        if !file.loaders.is_empty() || told.contains(&file.enable) {
            continue;
        }
        // What loads a file that was not there is unknown; a file that is there says it.
        if file.there.is_some() {
            output.complain(&format!(
                "note: nothing is found that loads {} when the machine starts\n",
                file.path
            ));
        }
        output.complain(&format!(
            "note: make sure that it is loaded: {}\n",
            file.enable
        ));
        told.push(file.enable);
    }
}
