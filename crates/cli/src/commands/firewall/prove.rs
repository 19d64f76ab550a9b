//! `surefoot firewall prove` and `find`: sentences about packets, for all of them and for one.

use std::path::{Path, PathBuf};

use clap::Args;
use surefoot_firewall::ask::{self, FoundPacket, Proof, ProofVerdict};
use surefoot_netfilter::exact::Budget;
use surefoot_netfilter::traffic::{Assertion, policy};
use surefoot_report::{Problem, Source};

use super::Status;
use crate::args::{AnswerFormat, RulesArgs};
use crate::error::Failure;
use crate::input;
use crate::output::Output;

/// Prove that a sentence holds for all packets, or show one for which it does not
///
/// All packets are followed at once through every table and hook, NAT included. What no rule set
/// tells (a limit, a set that packets fill) is taken both ways: a sentence holds only if it does so
/// whatever the answer is.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Sentences:
  PACKETS is [not] accepted | dropped | rejected | blocked | queued
  PACKETS is accepted as PACKETS     what they have become, after NAT
  PACKETS is [not] decided by RULE   rule 4 of filter INPUT, or INPUT:4

Packets, in any order; what is left out may be anything:
  tcp   udp,icmp   proto 47          protocols
  ssh   https   dns                  services: protocol and port
  from ENDS   to ENDS                ends: 10.0.0.0/8   10.0.0.1-10.0.0.9   me
                                     {10.0.0.0/8, 192.0.2.7}:22,80   :1024-65535
                                     [2001:db8::/32]:22   @NAME, a set of the rules
  in eth0,eth+   out eth1            interfaces; both together: forwarded
  forwarded   out                    the way; else packets to this host are meant
  new   established,related          states; without one, first packets are meant;
                                     `state any` means all; original, reply
  syn   ping   type 3/4   ipv6   uid 1000   ctmark 1   ttl 64   length 0-1500
  not                                turns the next of these round

A policy file has one sentence on each line; `#` begins a comment.

Examples:
  sudo surefoot firewall prove ssh from 10.0.0.0/8 is accepted
  sudo surefoot firewall prove 'not from 10.0.0.0/8 to :22,3306 new is blocked'
  sudo iptables-save > rules.v4
  surefoot firewall prove --rules rules.v4 telnet in eth0 is blocked
  sudo surefoot firewall prove --all --policy firewall.policy

Exit status:
  0  every sentence holds
  1  one does not, or is not proved
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct ProveArgs {
    /// A sentence; without one the policy is read
    #[arg(value_name = "SENTENCE", num_args = 0.., conflicts_with = "policy")]
    pub(crate) assertion: Vec<String>,
    /// Read the sentences from this file [default: /etc/surefoot/firewall.policy]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) policy: Option<PathBuf>,
    /// Go on behind a sentence that does not hold
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// Find a packet that matches a statement
///
/// The opposite of `prove`: one packet is enough. It is shown with its way through the rules.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Sentences are those of `surefoot firewall prove --help`.

Examples:
  sudo surefoot firewall find not from 10.0.0.0/8 to :22 is accepted
  sudo iptables-save > rules.v4
  surefoot firewall find --rules rules.v4 udp in eth0 is rejected
  surefoot firewall find --rules rules.v4 forwarded new is accepted

Exit status:
  0  there certainly is one
  1  there is none, or it depends on something unknown
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct FindArgs {
    /// The sentence
    #[arg(value_name = "SENTENCE", num_args = 1.., required = true)]
    pub(crate) sentence: Vec<String>,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// Where the policy of a machine lies.
const POLICY: &str = "/etc/surefoot/firewall.policy";

pub(super) fn run(args: &ProveArgs, output: &Output) -> Result<Status, Failure> {
    let (source, assertions) = assertions(args, output)?;
    let rules = super::rules(&args.rules, output)?;
    for assertion in &assertions {
        super::check_traffic(&rules, &assertion.traffic)?;
    }
    let mut proofs: Vec<Proof> = Vec::new();
    for assertion in &assertions {
        let proof = ask::prove(&rules, assertion, Budget::default())
            .map_err(|problem| unread(&source, &[problem], output))?;
        let holds = proof.verdict == ProofVerdict::Holds;
        proofs.push(proof);
        if !holds && !args.all {
            break;
        }
    }
    let failed = proofs
        .iter()
        .any(|proof| proof.verdict != ProofVerdict::Holds);
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

/// `surefoot firewall find`: a packet for which a sentence is true.
pub(super) fn find(args: &FindArgs, output: &Output) -> Result<Status, Failure> {
    let sentence = args.sentence.join(" ");
    let source = Source::new("arguments", sentence);
    let assertion =
        Assertion::parse(&source.text).map_err(|problem| unread(&source, &[problem], output))?;
    let rules = super::rules(&args.rules, output)?;
    super::check_traffic(&rules, &assertion.traffic)?;
    let search = ask::find(&rules, &assertion, Budget::default())
        .map_err(|problem| unread(&source, &[problem], output))?;
    output.answer(&match args.format {
        AnswerFormat::Text => search.text(output.style(), output.width()),
        AnswerFormat::Json => output.json_answer("find", &search)?,
    })?;
    super::remark_on_gaps(&rules, output);
    Ok(if search.found == FoundPacket::Certainly {
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

pub(super) fn unread(source: &Source, problems: &[Problem], output: &Output) -> Failure {
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
