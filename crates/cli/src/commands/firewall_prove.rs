//! `surefoot firewall prove` and `find`: sentences about packets, for all of them and for one.

use std::path::{Path, PathBuf};

use surefoot_firewall::ask::{self, Found, Proof, Verdict};
use surefoot_firewall::exact::Budget;
use surefoot_firewall::traffic::{Assertion, policy};
use surefoot_report::{Problem, Source};

use super::{Status, firewall_explain};
use crate::args::{AnswerFormat, FindArgs, ProveArgs};
use crate::error::Failure;
use crate::input;
use crate::output::Output;

/// Where the policy of a machine lies.
const POLICY: &str = "/etc/surefoot/firewall.policy";

pub(super) fn run(args: &ProveArgs, output: &Output) -> Result<Status, Failure> {
    let (source, assertions) = assertions(args, output)?;
    let rules = firewall_explain::rules(&args.rules, output)?;
    let mut proofs: Vec<Proof> = Vec::new();
    for assertion in &assertions {
        let mut proof = ask::prove(
            &rules.loaded.firewall,
            &rules.index,
            &rules.surroundings,
            assertion,
            Budget::default(),
        )
        .map_err(|problem| unread(&source, &[problem], output))?;
        if let Some(doubt) = rules.general_doubt() {
            proof.doubt(doubt);
        }
        let holds = proof.verdict == Verdict::Holds;
        proofs.push(proof);
        if !holds && !args.all {
            break;
        }
    }
    let failed = proofs.iter().any(|proof| proof.verdict != Verdict::Holds);
    let left = assertions.len() - proofs.len();
    match args.format {
        AnswerFormat::Text => {
            let texts = proofs
                .iter()
                .map(|proof| proof.text(output.style(), output.width()));
            output.answer(&texts.collect::<Vec<_>>().join("\n"))?;
        }
        AnswerFormat::Json => output.answer(&output.json_answer("prove", &proofs)?)?,
    }
    if left > 0 {
        output.remark(&format!(
            "{left} more were not looked at: `--all` looks at every one\n"
        ));
    }
    super::remark_on_gaps(&rules, output);
    Ok(if failed {
        Status::Findings
    } else {
        Status::Clean
    })
}

/// `surefoot firewall find`: a packet for which a sentence is so.
pub(super) fn find(args: &FindArgs, output: &Output) -> Result<Status, Failure> {
    let sentence = args.sentence.join(" ");
    let source = Source::new("arguments", sentence);
    let assertion =
        Assertion::parse(&source.text).map_err(|problem| unread(&source, &[problem], output))?;
    let rules = firewall_explain::rules(&args.rules, output)?;
    let mut search = ask::find(
        &rules.loaded.firewall,
        &rules.index,
        &rules.surroundings,
        &assertion,
        Budget::default(),
    )
    .map_err(|problem| unread(&source, &[problem], output))?;
    if let Some(doubt) = rules.general_doubt() {
        search.doubt(doubt);
    }
    output.answer(&match args.format {
        AnswerFormat::Text => search.text(output.style(), output.width()),
        AnswerFormat::Json => output.json_answer("find", &search)?,
    })?;
    super::remark_on_gaps(&rules, output);
    Ok(if search.found == Found::Certainly {
        Status::Clean
    } else {
        Status::Findings
    })
}

/// The sentences, and the text that they stand in.
fn assertions(args: &ProveArgs, output: &Output) -> Result<(Source, Vec<Assertion>), Failure> {
    if args.assertion.is_empty() {
        let path = args.policy.clone().unwrap_or_else(|| default_policy(args));
        let text = input::policy(&path).map_err(|failure| {
            if args.policy.is_some() {
                failure
            } else {
                failure
                    .hint("say a sentence, such as: surefoot firewall prove ssh from 10.0.0.0/8 is accepted")
                    .hint("or write such sentences to that file, one on each line")
            }
        })?;
        let source = Source::new(path.display().to_string(), text);
        let assertions =
            policy(&source.text).map_err(|problems| unread(&source, &problems, output))?;
        if assertions.is_empty() {
            return Err(Failure::input(format!(
                "`{}` holds no sentence",
                path.display()
            )));
        }
        return Ok((source, assertions));
    }
    // An argument with blanks is a sentence of its own; other arguments make one together.
    let sentences: Vec<String> = if args.assertion.iter().all(|one| one.contains(' ')) {
        args.assertion.clone()
    } else {
        vec![args.assertion.join(" ")]
    };
    let source = Source::new("arguments", sentences.join("\n"));
    let assertions = policy(&source.text).map_err(|problems| unread(&source, &problems, output))?;
    Ok((source, assertions))
}

/// The policy of this machine, or of the tree that is looked at.
fn default_policy(args: &ProveArgs) -> PathBuf {
    match &args.rules.facts.root {
        Some(root) => root.join(POLICY.trim_start_matches('/')),
        None => Path::new(POLICY).to_owned(),
    }
}

fn unread(source: &Source, problems: &[Problem], output: &Output) -> Failure {
    let count = problems.len();
    Failure::input(if count == 1 {
        "a sentence is not understood".to_owned()
    } else {
        format!("{count} sentences are not understood")
    })
    .picture(surefoot_report::problems(
        source,
        problems,
        output.error_style(),
    ))
    .hint("`surefoot firewall prove --help` lists the words")
}
