//! Facts that could not be read, and what stays unknown without them.

use serde::{Deserialize, Serialize};

use crate::{Host, SocketKind};

/// A fact that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Missing {
    /// The fact.
    pub fact: String,
    /// Why it could not be read.
    pub why: String,
    /// The questions that stay open without it.
    pub leaves_open: String,
    /// Which kind of fact it is.
    #[serde(default)]
    pub kind: FactKind,
}

/// The kinds of facts whose absence makes other answers uncertain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactKind {
    /// The rules of a mechanism.
    Rules,
    /// Processes, or what they hold open.
    Processes,
    /// Whether sockets of this kind are bound to a device, and whether they refuse IPv4.
    SocketDetails(SocketKind),
    /// No answer is weakened without it.
    Other,
    /// A capture of surefoot 0.1 did not say.
    #[default]
    Unsaid,
}

impl Missing {
    /// The kind, by the sentences of surefoot 0.1 where a capture does not say it.
    pub(crate) fn settle_kind(&mut self) {
        if self.kind != FactKind::Unsaid {
            return;
        }
        let details = |(kind, word): &(SocketKind, &str)| {
            (self.fact == format!("details of {word} sockets")).then_some(*kind)
        };
        let sockets = [
            (SocketKind::Tcp, "tcp"),
            (SocketKind::Udp, "udp"),
            (SocketKind::Udplite, "udplite"),
            (SocketKind::Raw, "raw"),
            (SocketKind::Packet, "packet"),
        ];
        self.kind = if self.leaves_open == "what the firewall lets through" {
            FactKind::Rules
        } else if self.fact.contains("processes") {
            FactKind::Processes
        } else {
            let kind = sockets.iter().find_map(details);
            kind.map_or(FactKind::Other, FactKind::SocketDetails)
        };
    }
}

impl Host {
    /// Notes that a fact could not be read.
    pub(crate) fn miss(
        &mut self,
        fact: impl Into<String>,
        why: impl std::fmt::Display,
        leaves_open: impl Into<String>,
    ) {
        self.miss_kind(FactKind::Other, fact, why, leaves_open);
    }

    /// Notes that a fact could not be read on which answers about others depend.
    pub(crate) fn miss_kind(
        &mut self,
        kind: FactKind,
        fact: impl Into<String>,
        why: impl std::fmt::Display,
        leaves_open: impl Into<String>,
    ) {
        self.missing.push(Missing {
            fact: fact.into(),
            why: why.to_string(),
            leaves_open: leaves_open.into(),
            kind,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_without_kinds_gets_them_from_its_sentences() {
        let kind = |fact: &str, leaves_open: &str| {
            let text = format!(
                r#"{{"fact": "{fact}", "why": "no permission", "leaves_open": "{leaves_open}"}}"#
            );
            let mut missing: Missing = serde_json::from_str(&text).unwrap();
            missing.settle_kind();
            missing.kind
        };
        let rules = kind("`nft -j list ruleset`", "what the firewall lets through");
        assert_eq!(rules, FactKind::Rules);
        let processes = kind("files of other users' processes", "who owns which socket");
        assert_eq!(processes, FactKind::Processes);
        let details = kind("details of udp sockets", "whether one is bound");
        assert_eq!(details, FactKind::SocketDetails(SocketKind::Udp));
        assert_eq!(kind("sockets", "who listens"), FactKind::Other);
    }
}
