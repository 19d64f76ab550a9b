//! Finds a packet for which a sentence is true.

use crate::LoadedRules;
use crate::loaded::WeakenedAnswer;
use serde::Serialize;
use surefoot_report::{Paint, Problem, Style};

use super::explain::{Explanation, explain_witness};
use super::lines::AnswerLines;
use super::prove::{PacketScope, named_are_there, packets_claimed, scopes_of};
use surefoot_netfilter::exact::{
    AskedPackets, Budget, Exact, Exhausted, SymbolicQuestion, asked_fields,
};
use surefoot_netfilter::packet::Packet;
use surefoot_netfilter::semantics::End;
use surefoot_netfilter::traffic::{Assertion, Traffic};

/// Whether there is such a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindAnswer {
    /// The sentence.
    pub assertion: String,
    /// Whether there is one.
    pub found: FoundPacket,
    /// The packets that were looked at.
    pub scopes: Vec<PacketScope>,
    /// The packet, followed rule by rule.
    pub packet: Option<Explanation>,
    /// What was taken for granted, and what the answer could not take into account.
    pub notes: Vec<String>,
}

/// Whether there is such a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FoundPacket {
    /// There is none, whatever the unknown answers are.
    None,
    /// The question was too large.
    Unknown,
    /// There is one for some of the unknown answers.
    Possibly,
    /// This one.
    Certainly,
}

/// Looks for a packet for which the sentence is true.
///
/// # Errors
///
/// If it speaks of a set that the rules do not have.
pub fn find(
    rules: &LoadedRules,
    assertion: &Assertion,
    budget: Budget,
) -> Result<FindAnswer, Problem> {
    named_are_there(&rules.firewall, assertion)?;
    let mut search = FindAnswer {
        assertion: assertion.text.clone(),
        found: FoundPacket::None,
        scopes: Vec::new(),
        packet: None,
        notes: Vec::new(),
    };
    for scope in scopes_of(rules, &assertion.traffic, &mut search.notes) {
        search.scopes.push(scope);
        let answer = look_in_scope(rules, assertion, scope, budget);
        let (found, packet) = answer.unwrap_or((FoundPacket::Unknown, None));
        if found <= search.found {
            continue;
        }
        search.found = found;
        search.packet = packet.map(|mut packet| {
            packet.keep_only(&asked_fields(&rules.firewall));
            explain_witness(rules, &packet, false)
        });
        if found == FoundPacket::Certainly {
            break;
        }
    }
    Ok(rules.weaken(search))
}

fn look_in_scope(
    rules: &LoadedRules,
    assertion: &Assertion,
    scope: PacketScope,
    budget: Budget,
) -> Result<(FoundPacket, Option<Packet>), Exhausted> {
    let claim = &assertion.claim;
    let becomes: Vec<&Traffic> = claim.becomes.iter().collect();
    let mut exact = Exact::new(SymbolicQuestion {
        firewall: &rules.firewall,
        surroundings: &rules.surroundings,
        v6: scope.v6,
        path: scope.way,
        about: &assertion.traffic,
        and_about: &becomes,
        packets: AskedPackets::Ordinary,
        budget,
    })?;
    let wanted = packets_claimed(&mut exact, &rules.firewall, claim)?;
    let others = exact.other_than(wanted)?;
    let others = exact.possible_packets(others)?;
    let certainly = exact.outside_of(others)?;
    if let Some(packet) = exact.witness(certainly) {
        return Ok((FoundPacket::Certainly, Some(packet)));
    }
    let unknown = exact.packets_ending(&[End::Unknown].into())?;
    let wanted = exact.union_of(wanted, unknown)?;
    let possibly = exact.possible_packets(wanted)?;
    Ok(match exact.witness(possibly) {
        Some(packet) => (FoundPacket::Possibly, Some(packet)),
        None => (FoundPacket::None, None),
    })
}

impl WeakenedAnswer for FindAnswer {
    fn weaken(&mut self, why: &str) {
        self.found = match self.found {
            FoundPacket::Certainly => FoundPacket::Possibly,
            FoundPacket::None => FoundPacket::Unknown,
            other => other,
        };
        self.notes.insert(0, why.to_owned());
    }
}

impl FindAnswer {
    /// The answer, and the packet.
    pub fn text(&self, style: Style, width: usize) -> String {
        let mut out = AnswerLines::new(style, width);
        let (word, paint) = match self.found {
            FoundPacket::Certainly => ("there is one: ", Paint::Strong),
            FoundPacket::Possibly => ("there may be one: ", Paint::Yellow),
            FoundPacket::None => ("there is none: ", Paint::Strong),
            FoundPacket::Unknown => ("unknown: ", Paint::Yellow),
        };
        out.write_listed(word, paint, &self.assertion);
        let scopes: Vec<String> = self.scopes.iter().map(|scope| scope.words()).collect();
        if !scopes.is_empty() {
            out.write_wrapped(2, None, &format!("looked at: {}", scopes.join("; ")));
        }
        out.finish_with(self.packet.as_ref(), &self.notes)
    }
}

#[cfg(test)]
mod tests {
    use super::{FoundPacket, find};
    use crate::LoadedRules;

    use surefoot_netfilter::exact::Budget;

    use surefoot_netfilter::traffic::Assertion;
    use surefoot_ruleset::Input;

    fn search(sentence: &str) -> (FoundPacket, Option<String>) {
        let text = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -s 10.0.0.0/8 -p tcp --dport 22 -j ACCEPT\n-A INPUT -p tcp --dport 80 -m limit --limit 1/s -j ACCEPT\n-A INPUT -p udp --dport 5000:6000 -j REJECT\nCOMMIT\n";
        let input = Input {
            name: "t".into(),
            text: text.into(),
            format: None,
        };
        let rules = LoadedRules::of_texts(vec![input]);
        let assertion = Assertion::parse(sentence).unwrap();
        let search = find(&rules, &assertion, Budget::default()).unwrap();
        (search.found, search.packet.map(|packet| packet.packet))
    }

    #[test]
    fn a_packet_is_found_where_there_is_one() {
        let (found, packet) = search("tcp to :22 is accepted");
        assert_eq!(found, FoundPacket::Certainly);
        assert!(packet.unwrap().contains("from 10."));
        assert_eq!(
            search("not from 10.0.0.0/8 to :22 is accepted").0,
            FoundPacket::None
        );
        assert_eq!(search("http is accepted").0, FoundPacket::Possibly);
        let (found, packet) = search("udp is rejected");
        assert_eq!(found, FoundPacket::Certainly);
        assert!(packet.unwrap().contains(":5"));
    }
}
