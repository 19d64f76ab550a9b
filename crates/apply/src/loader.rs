//! Which mechanism a rule file is for. No I/O.

use std::collections::BTreeSet;

use surefoot_host::{Host, RulesOrigin};
use surefoot_ruleset::model::{Backend, Family};
use surefoot_ruleset::{Format, Input, guess_format};

use crate::error::ApplyError;
use crate::units::{RuleState, UnitKey};

/// A rule file that is to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// How it is named to people.
    pub name: String,
    /// What it holds.
    pub text: String,
    /// The mechanism that it is for.
    pub origin: RulesOrigin,
    /// Whether it is the JSON of nft.
    pub is_json: bool,
}

impl RuleFile {
    /// Tells which mechanism a text is for; `backend` is the machine's own for iptables.
    pub fn of_input(input: Input, backend: Backend) -> Result<Self, ApplyError> {
        let format = input
            .format
            .or_else(|| guess_format(&input.name, &input.text));
        let Some(format) = format else {
            return Err(ApplyError::UnknownFormat { file: input.name });
        };
        let is_legacy = backend == Backend::IptablesLegacy;
        let origin = match format {
            Format::Iptables { family, .. } => match (family, is_legacy) {
                (Family::Ip6, true) => RulesOrigin::Ip6tablesLegacy,
                (Family::Ip6, false) => RulesOrigin::Ip6tablesNft,
                (_, true) => RulesOrigin::IptablesLegacy,
                (_, false) => RulesOrigin::IptablesNft,
            },
            Format::NftJson | Format::NftText => RulesOrigin::Nft,
            Format::Ipset => RulesOrigin::Ipset,
        };
        Ok(Self {
            name: input.name,
            text: input.text,
            origin,
            is_json: format == Format::NftJson,
        })
    }
}

/// The changed nft tables to whose rules a file adds, as nothing in it empties them: such a file is often meant
/// to replace them.
pub fn tables_added_to(
    files: &[RuleFile],
    old: &RuleState,
    new: &RuleState,
    changed: &[UnitKey],
) -> Vec<UnitKey> {
    let is_nft = |file: &&RuleFile| file.origin == RulesOrigin::Nft;
    let empties = |file: &RuleFile| {
        let mut words = file.text.split(|letter: char| !letter.is_alphanumeric());
        words.any(|word| matches!(word, "flush" | "delete" | "destroy" | "replace" | "reset"))
    };
    if files.iter().filter(is_nft).any(empties) {
        return Vec::new();
    }
    let is_added_to = |key: &&UnitKey| {
        let has_rules = |text: &str| text.lines().any(|line| line.starts_with("\t\t"));
        key.origin == RulesOrigin::Nft
            && old.unit(key).is_some_and(|unit| has_rules(&unit.text))
            && new.unit(key).is_some()
    };
    changed.iter().filter(is_added_to).cloned().collect()
}

/// The backend of iptables that holds this machine's rules; nothing if neither does, or both.
pub fn backend_of_host(host: &Host) -> Option<Backend> {
    let has_rules = |origins: [RulesOrigin; 2]| {
        host.rules
            .iter()
            .filter(|listing| origins.contains(&listing.origin))
            .any(|listing| holds_rules(&listing.text))
    };
    let legacy = has_rules([RulesOrigin::IptablesLegacy, RulesOrigin::Ip6tablesLegacy]);
    let nft = has_rules([RulesOrigin::IptablesNft, RulesOrigin::Ip6tablesNft]);
    match (legacy, nft) {
        (true, false) => Some(Backend::IptablesLegacy),
        (false, true) => Some(Backend::IptablesNft),
        _ => None,
    }
}

/// Whether iptables printed a rule, a chain of the user's, or a policy that is not ACCEPT, of a table that is
/// its own.
fn holds_rules(text: &str) -> bool {
    let mut foreign: BTreeSet<&str> = BTreeSet::new();
    let mut is_own = true;
    text.lines().any(|line| {
        if let Some(rest) = line.strip_prefix("# Table `") {
            foreign.extend(rest.split('\'').next());
        }
        if let Some(name) = line.strip_prefix('*') {
            is_own = !foreign.contains(name.trim());
        }
        let policy = line.split_whitespace().nth(1);
        let says = line.starts_with('[') || line.starts_with("-A");
        is_own && (says || line.starts_with(':') && policy != Some("ACCEPT"))
    })
}
