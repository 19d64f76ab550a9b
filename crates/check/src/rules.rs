//! The rules of a host or of files, read once for every question.

use surefoot_firewall::lint;
use surefoot_host::{Host, LoadedRules, Missing, RulesOrigin};
use surefoot_netfilter::Surroundings;
use surefoot_netfilter::packet::Packet;
use surefoot_netfilter::semantics::Index;
use surefoot_report::{Finding, Level, Unknown};
use surefoot_ruleset::model::{Backend, Family, Table};
use surefoot_ruleset::{Format, Input, Loaded, load};

use crate::{subject, surroundings};

/// The question that every unread rule leaves open.
const OPEN: &str = "what the firewall lets through";

/// Rules, and what their answers depend on.
#[derive(Debug)]
pub struct Rules {
    /// The machine or the files that they are from.
    pub subject: String,
    /// The rules, and what was odd in their texts.
    pub loaded: Loaded,
    /// For quick answers.
    pub index: Index,
    /// The host around the rules; nothing is known of it where files are studied.
    pub surroundings: Surroundings,
    /// Whether these are all rules: no mechanism kept silent, and no text was unreadable.
    pub complete: bool,
    /// Whether a machine keeps some of its rules from us.
    pub withheld: bool,
    /// What of the rules could not be read.
    gaps: Vec<Unknown>,
    /// Whether these are texts that somebody gave, not a machine.
    given: bool,
}

/// Whether a machine keeps some of its rules from us.
pub fn withheld(host: &Host) -> bool {
    host.running && !host.rules_complete
}

impl Rules {
    /// The rules that a machine has loaded; of a tree, those that it would load at boot.
    pub fn of_host(host: &Host) -> Self {
        let surroundings = surroundings::of_host(host);
        let inputs = if host.running {
            host.rules.iter().map(loaded_input).collect()
        } else {
            host.saved_rules
                .iter()
                .flatten()
                .filter(|it| !it.loaders.is_empty())
                .map(saved_input)
                .collect()
        };
        // Of a tree nobody can say what its programs, units and scripts will load when it runs.
        let complete = host.running && host.rules_complete;
        let mut rules = Self::read(subject(host), inputs, surroundings, complete);
        rules.withheld = withheld(host);
        if !complete {
            let about_rules = |missing: &&Missing| missing.leaves_open == OPEN;
            rules.gaps = host
                .missing
                .iter()
                .filter(about_rules)
                .map(crate::unknown)
                .collect();
            if !host.running {
                rules.gaps.push(Unknown {
                    fact: "the rules that are in force when this system runs".to_owned(),
                    why: "a tree only shows which saved rules would be loaded at boot; what programs, scripts and other units load then is not followed".to_owned(),
                    leaves_open: OPEN.to_owned(),
                });
            } else if rules.gaps.is_empty() {
                rules.gaps.push(Unknown {
                    fact: "all rules of this machine".to_owned(),
                    why: "not everything that makes rules could be asked".to_owned(),
                    leaves_open: OPEN.to_owned(),
                });
            }
        }
        rules
    }

    /// The rules of files.
    pub fn of_files(inputs: Vec<Input>) -> Self {
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let subject = names.join(", ");
        let mut rules = Self::read(subject, inputs, Surroundings::default(), true);
        rules.given = true;
        rules
    }

    fn read(
        subject: String,
        inputs: Vec<Input>,
        mut surroundings: Surroundings,
        complete: bool,
    ) -> Self {
        let loaded = load(inputs);
        let index = Index::new(&loaded.firewall);
        let unreadable = loaded
            .problems
            .iter()
            .any(|(_, problem)| problem.level == Level::Error);
        let complete = complete && !unreadable;
        // What is not there may just not have been read: no lint may conclude from its absence.
        surroundings.live &= complete;
        Self {
            subject,
            loaded,
            index,
            surroundings,
            complete,
            withheld: false,
            gaps: Vec::new(),
            given: false,
        }
    }

    /// Why no answer about these rules can be certain, if that is so.
    pub fn general_doubt(&self) -> Option<String> {
        (!self.complete)
            .then(|| "not all rules could be read, so no answer about them is certain".to_owned())
    }

    /// Why no answer about a packet can be certain, if that is so.
    pub fn doubt(&self, packet: &Packet) -> Option<String> {
        if let Some(doubt) = self.general_doubt() {
            return Some(doubt);
        }
        let v6 = packet.clone().settle(&self.surroundings).is_v6();
        let (family, word) = if v6 {
            (Family::Ip6, "IPv6")
        } else {
            (Family::Ip, "IPv4")
        };
        let seen = |table: &Table| table.family == family || table.family == Family::Inet;
        let blind = self.given && !self.loaded.firewall.tables.iter().any(seen);
        blind.then(|| format!("no rules for {word} were given, so its verdict is unknown"))
    }

    /// What the firewall's lints find.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        lint::check(&lint::Facts {
            firewall: &self.loaded.firewall,
            index: &self.index,
            surroundings: &self.surroundings,
            all_rules_of: self.complete.then_some(self.subject.as_str()),
        })
    }

    /// The places that could not be read in full, one entry a text.
    pub fn unknowns(&self) -> Vec<Unknown> {
        let sources = (0_u16..).zip(&self.loaded.firewall.sources);
        let places = sources.filter_map(|(at, source)| {
            let here = self
                .loaded
                .problems
                .iter()
                .filter(|(source, _)| *source == at);
            let odd: Vec<_> = here.map(|(_, problem)| problem).collect();
            let worst = odd.iter().max_by_key(|problem| problem.level)?;
            let line = worst
                .span
                .map_or(1, |span| source.position(span.start).line);
            let unread = odd
                .iter()
                .filter(|problem| problem.level == Level::Error)
                .count();
            let places = |count: usize| {
                if count == 1 {
                    "1 place".to_owned()
                } else {
                    format!("{count} places")
                }
            };
            let (fact, leaves_open) = if unread > 0 {
                (places(unread), OPEN)
            } else {
                (
                    format!("the full meaning of {}", places(odd.len())),
                    "answers in which these matches decide; they say `possibly`",
                )
            };
            Some(Unknown {
                fact: format!("{fact} of {}", source.name),
                why: format!("line {line}: {}", worst.what),
                leaves_open: leaves_open.to_owned(),
            })
        });
        self.gaps.iter().cloned().chain(places).collect()
    }
}

fn loaded_input(rules: &LoadedRules) -> Input {
    let iptables = |family, backend| Format::Iptables { family, backend };
    Input {
        name: rules.command.clone(),
        text: rules.text.clone(),
        format: Some(match rules.origin {
            RulesOrigin::IptablesLegacy => iptables(Family::Ip, Backend::IptablesLegacy),
            RulesOrigin::Ip6tablesLegacy => iptables(Family::Ip6, Backend::IptablesLegacy),
            RulesOrigin::IptablesNft => iptables(Family::Ip, Backend::IptablesNft),
            RulesOrigin::Ip6tablesNft => iptables(Family::Ip6, Backend::IptablesNft),
            RulesOrigin::Nft => Format::NftJson,
            RulesOrigin::Ipset => Format::Ipset,
        }),
    }
}

fn saved_input(saved: &surefoot_host::SavedRules) -> Input {
    Input {
        name: saved.path.clone(),
        text: saved.text.clone(),
        format: None,
    }
}
