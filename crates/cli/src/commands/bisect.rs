//! `surefoot bisect`: the lines of a configuration that cause a symptom, and everything put back.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use surefoot_bisect::{
    BisectError, BisectOptions, BisectProgress, BisectRun, BisectVerdict, ChangedFiles, ConfigLens,
    LOOKS_WITHOUT, NamedAnswer, NamedUnit, RestoredState, TestCommands, TestOutcome,
    UntouchedState, earlier_diff, gather_changes, name_answer, outcome_words, run_bisect,
    run_changes,
};
use surefoot_diagnose::BisectOffer;
use surefoot_report::escape;

use super::Status;
use super::bisect_guard::intervention_setting;
use crate::args::AnswerFormat;
use crate::error::Failure;
use crate::journal::{self, StateDirArgs};
use crate::known_checks::{CheckFor, KnownCheck};
use crate::output::Output;
use crate::progress::ProgressLine;

/// Find the lines of a configuration that cause a symptom, and put everything back
///
/// The configuration is searched from the full file on, with the files that it includes: blocks and lines are
/// left out and moved until the smallest such change is found that cures. Every candidate passes the syntax
/// test before the daemon sees it. The files are changed as an armed entry of the journal: they are put back,
/// inode and all, and the daemon is reloaded, when the search ends, when it is interrupted or killed, and at
/// the next start of surefoot after a power loss.
///
/// The test ends with 0 if all is fine, with 1 if the symptom is there, and with anything else if something
/// else is wrong, which is never taken for the symptom. A test that does not always show the symptom is
/// repeated as often as it needs.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot bisect /etc/nginx/nginx.conf --test 'sh hsts.sh' \\
      --syntax 'nginx -t' --reload 'nginx -s reload'
  sudo surefoot bisect /etc/haproxy --test 'sh pay.sh' --fix \\
      --syntax 'haproxy -c -f /etc/haproxy' --reload 'sh restart.sh'
  sudo surefoot bisect --changes --since 2d --test 'sh login.sh'

A test, hsts.sh: exit 0 is fine, 1 the symptom, anything else another fault:
  curl -sf localhost/site.css -D headers -o /dev/null || exit 2
  grep -qi ^strict-transport-security headers || exit 1

Exit status:
  0  the cause was found
  1  it was not found, or the test does not show the symptom
  2  bad usage or bad input
  3  not permitted
  4  the files cannot be put under intervention; all is as it was
  5  the daemon, or a file, is not as it was before")]
pub(crate) struct BisectArgs {
    /// The main file of the configuration, or a folder of files
    #[arg(value_name = "CONFIG", required_unless_present_any = ["schema", "changes"], value_hint = clap::ValueHint::AnyPath)]
    config: Option<PathBuf>,
    /// Run this in a shell to see whether the symptom is there: 0 fine, 1 the symptom, else something else
    #[arg(long, value_name = "COMMAND", required_unless_present = "schema")]
    test: Option<String>,
    // The help shows backticks, and a comment with this name needs them.
    #[arg(
        long,
        value_name = "COMMAND",
        help = "Run this in a shell to see whether the daemon would take the configuration; known by itself for \
                nginx, Apache, HAProxy, BIND, sshd, PHP-FPM and Postfix in their usual places"
    )]
    syntax: Option<String>,
    /// Run this in a shell to make the daemon take the configuration; it must start one that is down, and return
    /// when the new configuration answers (a short delay, as of nginx, is measured and waited for)
    #[arg(long, value_name = "COMMAND")]
    reload: Option<String>,
    /// Search whole files that changed, below CONFIG (else /etc), each with an earlier content: from the journal,
    /// git or etckeeper, the archive of its package, or a copy beside it such as FILE.dpkg-old and FILE~
    #[arg(long)]
    changes: bool,
    /// With --changes: only files that changed within so long, such as 2d; in git, since its last commit before
    #[arg(long, value_name = "TIME", value_parser = journal::parse_duration, requires = "changes")]
    since: Option<u64>,
    /// Show the smallest change that cures
    #[arg(long)]
    fix: bool,
    /// Take only the same output as on the untouched configuration for the symptom, whatever the status
    #[arg(long)]
    same_output: bool,
    /// The structure of the files, if their names and content do not tell it
    #[arg(long = "as", value_name = "SYNTAX", value_parser = lens)]
    lens: Option<ConfigLens>,
    /// End the search after so long, and say what is known by then
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = journal::parse_duration)]
    within: u64,
    /// How long one run of the test may take; a longer one counts as something else
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = journal::parse_duration)]
    test_limit: u64,
    /// How long one reload or syntax test may take
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = journal::parse_duration)]
    reload_limit: u64,
    #[command(flatten)]
    state: StateDirArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    format: AnswerFormat,
    /// Print the JSON Schema of what `--format json` writes, and test nothing
    #[arg(long)]
    schema: bool,
}

fn lens(word: &str) -> Result<ConfigLens, String> {
    ConfigLens::from_word(word).ok_or_else(|| {
        let words = ConfigLens::ALL.map(ConfigLens::word);
        format!("there are {}", words.join(", "))
    })
}

/// A file that was searched.
#[derive(Serialize)]
struct SearchedFile {
    path: String,
    syntax: ConfigLens,
    /// Whether it belongs to a package and stays as it is.
    fixed: bool,
}

/// The whole answer, as JSON.
#[derive(Serialize)]
struct BisectAnswer<'a> {
    files: Vec<SearchedFile>,
    notes: &'a [String],
    untouched: &'a UntouchedState,
    answer: Option<&'a NamedAnswer>,
    cost: &'a BisectProgress,
    seconds: f64,
    time_over: bool,
    interrupted: bool,
    restored: Option<&'a RestoredState>,
}

/// Runs the bisection that `surefoot diagnose --break` offers, within a time.
pub(super) fn run_offer(
    offer: &BisectOffer,
    within: u64,
    state: &StateDirArgs,
    output: &Output,
) -> Result<Status, Failure> {
    let args = BisectArgs {
        config: Some(PathBuf::from(&offer.config)),
        test: Some(offer.test.clone()),
        syntax: Some(offer.syntax.clone()),
        reload: Some(offer.reload.clone()),
        changes: false,
        since: None,
        fix: true,
        same_output: false,
        lens: None,
        within,
        test_limit: 10,
        reload_limit: 20,
        state: state.clone(),
        format: AnswerFormat::Text,
        schema: false,
    };
    run(&args, output)
}

pub(super) fn run(args: &BisectArgs, output: &Output) -> Result<Status, Failure> {
    if args.schema {
        output.answer(include_str!("bisect.schema.json"))?;
        return Ok(Status::Clean);
    }
    let everything = PathBuf::from("/etc");
    let config = match &args.config {
        Some(config) => config,
        None if args.changes => &everything,
        None => return Err(Failure::input("a configuration is needed")),
    };
    let test = args.test.clone().unwrap_or_default();
    let options = BisectOptions {
        config: config.clone(),
        lens: args.lens,
        commands: TestCommands {
            test,
            syntax: syntax_test(args, config)?,
            reload: args.reload.clone(),
            same_output: args.same_output,
            test_limit: Duration::from_secs(args.test_limit),
            reload_limit: Duration::from_secs(args.reload_limit),
        },
        within: Duration::from_secs(args.within),
        most_restarts: 5000,
        seed: 1,
    };
    args.state.remind(output);
    let journal = args.state.journal();
    let session = journal::lock(&journal, output)?;
    let setting = intervention_setting(&journal, &session, &args.state)?;
    let line = ProgressLine::new(output.quiet() || args.format == AnswerFormat::Json);
    let reloads = args.reload.is_some();
    let mut watch = |progress: &BisectProgress| line.set(progress_words(progress, reloads));
    let untouched = |error: BisectError| failure(&error).left_unless("Nothing was changed.");
    let (run, changes) = if args.changes {
        let since = args
            .since
            .map(|ago| journal.now().seconds - ago.cast_signed());
        let changes = gather_changes(config, since, &journal).map_err(untouched)?;
        if changes.files.is_empty() {
            return Err(no_changes(config, &changes));
        }
        let run = run_changes(&options, &changes, &setting, &mut watch).map_err(untouched)?;
        (run, Some(changes))
    } else {
        let run = run_bisect(&options, &setting, &mut watch).map_err(untouched)?;
        (run, None)
    };
    drop(line);
    conclude(args, &run, changes.as_ref(), output)
}

fn no_changes(folder: &std::path::Path, changes: &ChangedFiles) -> Failure {
    let what = format!(
        "no file below {} is known to differ from an earlier content",
        folder.display()
    );
    let mut failure = Failure::refused(what);
    for note in &changes.notes {
        failure = failure.because(note.clone());
    }
    failure
        .hint("with --since, files that changed without an earlier content are named")
        .left("Nothing was changed.")
}

/// The syntax test that is given, or the one that is known. A daemon is not reloaded without one.
fn syntax_test(args: &BisectArgs, config: &std::path::Path) -> Result<Option<String>, Failure> {
    if let Some(syntax) = &args.syntax {
        return Ok(Some(syntax.clone()));
    }
    let absolute = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
    let path = absolute.display().to_string();
    match KnownCheck::of(&path) {
        CheckFor::Known { check, program } => {
            let quoted = format!("'{}'", path.replace('\'', r"'\''"));
            let words = check.words.iter().map(|word| word.replace("{}", &quoted));
            let words: Vec<String> = std::iter::once(program).chain(words).collect();
            Ok(Some(words.join(" ")))
        }
        _ if args.reload.is_none() => Ok(None),
        _ => Err(Failure::input(format!(
            "no syntax test is known for {path}, and a daemon is not reloaded without one"
        ))
        .hint("give one with --syntax; `--syntax true` if there is none")),
    }
}

fn progress_words(progress: &BisectProgress, reloads: bool) -> String {
    let left = match progress.left {
        Some(left) => format!("about {left} left"),
        None => "unknown how many are left".to_owned(),
    };
    format!(
        "{}, {left}; {}, {} refused by the syntax test; {:.1} s of downtime",
        tried(progress, reloads),
        counted(progress.tests, "test"),
        progress.rejected,
        progress.downtime.as_secs_f64()
    )
}

/// How many candidates were in force.
fn tried(progress: &BisectProgress, reloads: bool) -> String {
    let what = if reloads { "reload" } else { "candidate" };
    counted(progress.restarts, what)
}

fn counted(number: usize, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

fn failure(error: &BisectError) -> Failure {
    let mut failure = match error {
        BisectError::Journal(error) => return journal::failure(error),
        BisectError::Read { path, source } => {
            return Failure::io(format!("cannot read {}", path.display()), source);
        }
        BisectError::ChangedMeanwhile { .. }
        | BisectError::FolderMoved { .. }
        | BisectError::FileGone { .. } => Failure::refused(error.to_string()),
        BisectError::DaemonGone { .. } => Failure::half_done(error.to_string()),
        BisectError::TestChanges { .. } => {
            Failure::input(error.to_string()).left("surefoot changed nothing.")
        }
        _ => Failure::input(error.to_string()),
    };
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        failure = failure.because(source.to_string());
        next = source.source();
    }
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn conclude(
    args: &BisectArgs,
    run: &BisectRun,
    changes: Option<&ChangedFiles>,
    output: &Output,
) -> Result<Status, Failure> {
    let tree = &run.loaded.tree;
    let named = run.answer.as_ref().map(|answer| {
        let mut named = name_answer(tree, answer, &run.makers);
        if let Some(changes) = changes {
            named.cure = earlier_diff(changes, tree, &answer.cure);
        }
        named
    });
    if args.format == AnswerFormat::Json {
        let files = tree.files.iter().map(|file| SearchedFile {
            path: file.path.clone(),
            syntax: file.lens,
            fixed: file.is_fixed,
        });
        let answer = BisectAnswer {
            files: files.collect(),
            notes: &run.loaded.notes,
            untouched: &run.untouched,
            answer: named.as_ref(),
            cost: &run.progress,
            seconds: (run.took.as_secs_f64() * 1000.0).round() / 1000.0,
            time_over: run.time_over,
            interrupted: run.interrupted,
            restored: run.restored.as_ref(),
        };
        output.answer(&output.json_answer("bisect", &answer)?)?;
    } else {
        output.answer(&text(args, run, named.as_ref()))?;
    }
    if let Some(restored) = run
        .restored
        .as_ref()
        .filter(|state| !state.warnings.is_empty())
    {
        let mut failure = Failure::half_done("the daemon or a file is not as it was before");
        for warning in &restored.warnings {
            failure = failure.because(warning.clone());
        }
        let see = format!("See `surefoot changes show {}`.", restored.entry);
        return Err(failure.left(see));
    }
    if let Some(restored) = &run.restored
        && let Some(outcome) = restored
            .test
            .filter(|outcome| *outcome != TestOutcome::Symptom)
    {
        let what = format!(
            "the files are as before, but the test says \"{}\" and not the symptom",
            outcome_words(outcome)
        );
        return Err(Failure::half_done(what)
            .because("the reload does not bring the daemon back, or it ran with another configuration before")
            .hint("restart the daemon, and run the test"));
    }
    if let Some(error) = &run.failed {
        return Err(failure(error).left_unless("The configuration is as it was before."));
    }
    let is_found = named.is_some_and(|answer| {
        !matches!(
            answer.verdict,
            BisectVerdict::NotSolved | BisectVerdict::NotReproducible
        )
    });
    Ok(if is_found {
        Status::Clean
    } else {
        Status::Findings
    })
}

fn text(args: &BisectArgs, run: &BisectRun, named: Option<&NamedAnswer>) -> String {
    let mut text = String::new();
    for note in &run.loaded.notes {
        let _ = writeln!(text, "note: {}", escape(note));
    }
    let whole = run.loaded.tree.files.iter().filter(|file| file.is_whole);
    let whole = whole.count();
    if whole > 0 {
        let _ = writeln!(
            text,
            "{whole} changed files with an earlier content were searched."
        );
    }
    let plain = run
        .loaded
        .tree
        .files
        .iter()
        .filter(|file| file.lens == ConfigLens::Lines && !file.is_whole);
    for file in plain {
        let _ = writeln!(
            text,
            "note: the structure of {} is unknown; each line was taken by itself (--as names one)",
            escape(&file.path)
        );
    }
    match &run.untouched {
        UntouchedState::Shown(steady) if steady.symptoms < steady.runs => {
            let _ = writeln!(
                text,
                "The test shows the symptom in {} of {} runs: \"fine\" was believed after {} in a row.",
                steady.symptoms, steady.runs, steady.repeats
            );
        }
        UntouchedState::Shown(_) => {}
        UntouchedState::NotShown(outcome) => not_shown(&mut text, run, *outcome),
        UntouchedState::Unclear => {
            let _ = writeln!(
                text,
                "not reproducible: on the untouched configuration the test ends with 0 or 1, and then with \
                 something else.\nMake it answer the same each time, then run this again. Nothing was changed."
            );
        }
    }
    if let Some(named) = named {
        answer_text(&mut text, args, named);
        let is_unmoved = run.progress.differing == 0 && run.progress.restarts > 0;
        if named.verdict == BisectVerdict::NotSolved && is_unmoved {
            text.push_str(unmoved_words(args.reload.is_some()));
        }
    }
    if run.interrupted {
        text.push_str("The search was interrupted.\n");
    }
    if run.time_over {
        text.push_str("The time was over before the search was (--within gives it more).\n");
    }
    if run.answer.is_some() {
        cost_text(&mut text, run, args.reload.is_some());
    }
    text
}

/// What may be the reason if no candidate changed what the test says.
fn unmoved_words(reloads: bool) -> &'static str {
    if reloads {
        "Whatever was left out, the test said the same: the daemon may not read these files, or not follow its reload.\n"
    } else {
        "Whatever was left out, the test said the same: nothing reads these files while it runs. If a daemon does, give\n\
         --reload; if the test is about a daemon that has its files elsewhere, give those.\n"
    }
}

fn not_shown(text: &mut String, run: &BisectRun, outcome: TestOutcome) {
    let _ = match outcome {
        TestOutcome::Fine => writeln!(
            text,
            "not reproducible: on the untouched configuration the test ended with 0 (fine) in all of {} runs.",
            run.progress.tests.max(LOOKS_WITHOUT)
        ),
        _ => writeln!(
            text,
            "not reproducible: on the untouched configuration the test ends neither with 0 (fine) nor with 1 \
             (the symptom)."
        ),
    };
    for line in run.said.lines().take(6) {
        let _ = writeln!(text, "  it wrote: {}", escape(line));
    }
    text.push_str("Nothing was changed.\n");
}

fn answer_text(text: &mut String, args: &BisectArgs, named: &NamedAnswer) {
    let (word, shown) = match named.verdict {
        BisectVerdict::OneMinimal => (
            "cause",
            "1-minimal: this change cures, and no part of it does.",
        ),
        BisectVerdict::Sufficient => (
            "cause",
            "sufficient: this change cures; a part of it may do so as well.",
        ),
        BisectVerdict::Order => ("cause", "an order: a move cures."),
        BisectVerdict::NotReproducible => ("not reproducible", ""),
        BisectVerdict::NotSolved => ("not solved", ""),
    };
    let _ = writeln!(text, "{word}: {}", escape(&named.sentence()));
    for unit in &named.culprits {
        unit_line(text, unit);
    }
    if !shown.is_empty() {
        let _ = writeln!(text, "{shown}");
    }
    if named.verdict == BisectVerdict::NotSolved && named.not_confirmed.is_none() {
        text.push_str(
            "A value or a missing line may be the cause. Next steps:\n  \
             --as lines: take each line by itself, where blocks were taken as a whole\n  \
             surefoot bisect --changes --since 2d: compare with earlier contents of the files\n",
        );
    }
    if let Some(outcome) = named.not_confirmed {
        let _ = writeln!(
            text,
            "The test said \"{}\" then. It may miss the symptom at times; or the daemon does not follow its files, as \
             a\nreload failed in silence: give a --reload that restarts it, and returns when it answers again.",
            outcome_words(outcome)
        );
    }
    if !named.shown.is_empty() {
        text.push_str("\nShown by these tests:\n");
    }
    for test in &named.shown {
        let _ = writeln!(
            text,
            "  {}: {}",
            escape(&test.change),
            outcome_words(test.outcome)
        );
    }
    if !named.also_without.is_empty() {
        text.push_str("\nWithout these the symptom is there as well:\n");
        for unit in &named.also_without {
            unit_line(text, unit);
        }
    }
    if args.fix && !named.cure.is_empty() {
        text.push_str("\nThe smallest change that was found to cure:\n");
        text.push_str(&journal::escape_lines(&named.cure));
    }
}

fn unit_line(text: &mut String, unit: &NamedUnit) {
    let _ = writeln!(
        text,
        "  {}  {}",
        escape(&unit.place()),
        escape(&unit.shown())
    );
}

fn cost_text(text: &mut String, run: &BisectRun, reloads: bool) {
    let cost = &run.progress;
    let _ = writeln!(
        text,
        "\n{}, {} refused by the syntax test, {} in {:.1} s; at most {:.1} s of downtime.",
        tried(cost, reloads),
        cost.rejected,
        counted(cost.tests, "test"),
        run.took.as_secs_f64(),
        cost.downtime.as_secs_f64()
    );
    let Some(restored) = &run.restored else {
        return;
    };
    let back = match restored.test {
        Some(TestOutcome::Symptom) => "the symptom is back, as it was.".to_owned(),
        Some(outcome) => format!("but the test now says \"{}\".", outcome_words(outcome)),
        None => String::new(),
    };
    let _ = writeln!(text, "Everything is put back; {back}");
}
