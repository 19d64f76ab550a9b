//! Why no rule is made.

use thiserror::Error;

use super::spelling::UnsayableMatch;

/// Why no rule is made of a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum MakeRefusal {
    /// Only these ends can be had by one rule.
    #[error(
        "a rule can be made of `is accepted`, `is dropped`, `is rejected` and `is blocked` only"
    )]
    OtherClaim,
    /// There is nothing to make a rule for.
    #[error(
        "no such packet exists: the words contradict each other, or what is known of this host"
    )]
    NoPacket,
    /// There is no base chain that the packets reach.
    #[error("no rules for these packets were given or are loaded, so there is no place for a rule")]
    NoRules,
    /// A family has no rules at all.
    #[error(
        "there are no rules for {0}, so its packets are accepted: say `{1}` in the sentence, or begin rules for {0} first"
    )]
    NoRulesOf(&'static str, &'static str),
    /// What is unknown of the rules could make the proof wrong.
    #[error("{0}")]
    Doubtful(String),
    /// A set of the rules is named.
    #[error(
        "a sentence that names a set is not made into a rule: add the addresses to that set, or name them"
    )]
    NamesSet,
    /// It would take more rules than an administrator would read.
    #[error("it would take too many rules: name fewer addresses, ports or protocols")]
    TooManyRules,
    /// A match has no words.
    #[error(transparent)]
    Unsayable(#[from] UnsayableMatch),
    /// Another program owns the rules, and its language is not spoken here.
    #[error(
        "firewalld owns these rules and would undo a rule that is put beside its own: use `firewall-cmd --permanent --add-rich-rule`, then ask again whether the sentence holds"
    )]
    OwnedByFirewalld,
    /// Frames, not packets.
    #[error("what decides is a table of frames (arp, bridge or netdev), for which no rule is made")]
    OtherFamily,
    /// Our own rule was not read back as it was meant.
    #[error("the rule `{0}` is not understood: this is a defect of surefoot, please report it")]
    NotUnderstood(String),
    /// The kernel decides before any rule could.
    #[error("{0} decides about such packets, and no rule can change that")]
    KernelDecides(String),
    /// A rule before the decision does not do.
    #[error(
        "a rule before {0} does not change what becomes of such packets: they are rewritten on the way, or another table decides"
    )]
    NoPlace(String),
    /// The question was too large.
    #[error("the question is too large for an exact answer; ask about fewer packets")]
    TooLarge,
    /// The two evaluators do not agree.
    #[error(
        "the two evaluators do not agree about a packet: this is a defect of surefoot, please report it"
    )]
    Disagreement,
    /// Others than the packets of the sentence would change.
    #[error("the rule would also change what happens to other packets")]
    OthersChange,
    /// It could not be proved that nothing else changes.
    #[error("it cannot be proved that nothing else would change")]
    OthersUnknown,
}
