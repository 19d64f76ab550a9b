//! What a flush would leave behind, before you type it.
//!
//! A flush deletes rules and keeps policies, or takes whole tables away; what then changes is a
//! comparison of two rule sets like any other.

use crate::LoadedRules;
use serde::Serialize;
use surefoot_report::{Paint, Style};

use super::diff::{DiffSide, Difference, change_lines, diff};
use super::lines::AnswerLines;
use surefoot_netfilter::exact::Budget;
use surefoot_netfilter::packet::{FieldValue, Packet, PacketInterface, PacketPath};
use surefoot_netfilter::semantics::{End, RecordLevel};
use surefoot_netfilter::traffic::Traffic;
use surefoot_ruleset::model::{Backend, Family, Field, Firewall, Policy, Table, ct_state};

/// One way to flush, and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlushedRules {
    /// The commands, in order.
    pub commands: Vec<String>,
    /// What becomes of the session in which they are typed; none if it is unknown.
    pub session: Option<SessionAfter>,
    /// What changes.
    pub difference: Difference,
}

/// What becomes of an administrator's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionAfter {
    /// Its packets still come in.
    Stays,
    /// They may no longer.
    Unknown,
    /// They no longer do.
    CutOff,
}

/// What a way to flush does to a table.
#[derive(Clone, Copy)]
enum FlushEffect {
    Empty { policies: bool },
    Remove,
}

/// What each usual way to flush would change.
pub fn flush(rules: &LoadedRules, (most, budget): (usize, Budget)) -> Vec<FlushedRules> {
    // A family without tables has no rules before and after.
    let old = DiffSide { rules, whole: true };
    let mut flushed = Vec::new();
    for (commands, about, does) in ways_to_flush(&rules.firewall) {
        let mut after = rules.firewall.clone();
        for table in &mut after.tables {
            if about(table) && !matches!(does, FlushEffect::Remove) {
                empty_table(table, matches!(does, FlushEffect::Empty { policies: true }));
            }
        }
        if matches!(does, FlushEffect::Remove) {
            for table in &mut after.tables {
                if about(table) {
                    table.chains.clear();
                }
            }
        }
        let after = rules.with_rules(after);
        let new = DiffSide {
            rules: &after,
            whole: true,
        };
        let difference = diff(
            old,
            new,
            &rules.surroundings,
            &Traffic::default(),
            (most, budget),
        );
        flushed.push(FlushedRules {
            commands,
            session: session_after(&after),
            difference,
        });
    }
    flushed
}

type Way = (Vec<String>, Box<dyn Fn(&Table) -> bool>, FlushEffect);

/// The commands that people type, for what there is.
fn ways_to_flush(firewall: &Firewall) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    let is_filter = |table: &&Table| table.backend.is_iptables() && table.name == "filter";
    let filters: Vec<&Table> = firewall.tables.iter().filter(is_filter).collect();
    for family in [Family::Ip, Family::Ip6] {
        let of_family: Vec<&&Table> = filters
            .iter()
            .filter(|table| table.family == family)
            .collect();
        for table in &of_family {
            let backend = table.backend;
            let program = iptables_program(backend, family, of_family.len() > 1);
            let about = move |table: &Table| {
                (table.backend, table.family) == (backend, family) && table.name == "filter"
            };
            ways.push((
                vec![format!("{program} -F")],
                Box::new(about),
                FlushEffect::Empty { policies: false },
            ));
            let dropping: Vec<String> = table
                .chains
                .iter()
                .filter(|chain| {
                    chain
                        .base
                        .as_ref()
                        .is_some_and(|base| base.policy == Policy::Drop)
                })
                .map(|chain| format!("{program} -P {} ACCEPT", chain.name))
                .collect();
            if !dropping.is_empty() {
                let flush = format!("{program} -F");
                ways.push((
                    dropping.into_iter().chain([flush]).collect(),
                    Box::new(about),
                    FlushEffect::Empty { policies: true },
                ));
            }
        }
    }
    let by_nft = |table: &Table| matches!(table.backend, Backend::Nft | Backend::IptablesNft);
    if firewall.tables.iter().any(by_nft) {
        ways.push((
            vec!["nft flush ruleset".to_owned()],
            Box::new(by_nft),
            FlushEffect::Remove,
        ));
    }
    ways
}

fn iptables_program(backend: Backend, family: Family, several: bool) -> String {
    let program = if family == Family::Ip6 {
        "ip6tables"
    } else {
        "iptables"
    };
    match backend {
        Backend::IptablesLegacy if several => format!("{program}-legacy"),
        Backend::IptablesNft if several => format!("{program}-nft"),
        _ => program.to_owned(),
    }
}

fn empty_table(table: &mut Table, policies: bool) {
    for chain in &mut table.chains {
        chain.rules.clear();
        if let Some(base) = &mut chain.base
            && policies
        {
            base.policy = Policy::Accept;
        }
    }
}

/// Whether the packets of the administrator's own session still come in and go out.
fn session_after(rules: &LoadedRules) -> Option<SessionAfter> {
    let session = rules.surroundings.session.as_ref()?;
    let there = (session.client, session.client_port);
    let here = (session.server, session.server_port);
    let mut after = SessionAfter::Stays;
    for (path, from, to) in [
        (PacketPath::Input, there, here),
        (PacketPath::Output, here, there),
    ] {
        let mut packet = Packet::new(path)
            .with(Field::CtState, ct_state::ESTABLISHED)
            .with(Field::L4Proto, 6_u8)
            .with(Field::SrcPort, from.1)
            .with(Field::DstPort, to.1);
        let v6 = from.0.is_ipv6();
        let fields = if v6 {
            [Field::Ip6Src, Field::Ip6Dst]
        } else {
            [Field::Ip4Src, Field::Ip4Dst]
        };
        for (field, address) in fields.into_iter().zip([from.0, to.0]) {
            packet.put(field, FieldValue::Known(address_number(address)));
        }
        packet.put(Field::NfProto, FieldValue::Known(if v6 { 10 } else { 2 }));
        packet.input = if path == PacketPath::Input {
            PacketInterface::Unknown
        } else {
            PacketInterface::None
        };
        let packet = packet.settle(&rules.surroundings);
        let answer = rules.evaluate(&packet, RecordLevel::Nothing);
        after = match answer.certain() {
            Some(End::Accepted) => after,
            Some(End::Dropped | End::Rejected) => return Some(SessionAfter::CutOff),
            _ => SessionAfter::Unknown,
        };
    }
    Some(after)
}

fn address_number(address: std::net::IpAddr) -> u128 {
    match address {
        std::net::IpAddr::V4(address) => address.to_bits().into(),
        std::net::IpAddr::V6(address) => address.to_bits(),
    }
}

/// All ways as text for a terminal.
pub fn flush_text(all: &[FlushedRules], style: Style, width: usize) -> String {
    let mut out = AnswerLines::new(style, width);
    if all.is_empty() {
        out.line(
            0,
            Paint::Strong,
            "there is nothing that a flush would delete",
        );
    }
    for (at, way) in all.iter().enumerate() {
        if at > 0 {
            out.blank();
        }
        out.line(0, Paint::Strong, &way.commands.join("; "));
        match way.session {
            Some(SessionAfter::CutOff) => {
                out.line(2, Paint::Red, "your own session is cut off");
            }
            Some(SessionAfter::Unknown) => {
                out.line(
                    2,
                    Paint::Yellow,
                    "it is unknown whether your own session stays",
                );
            }
            Some(SessionAfter::Stays) => out.line(2, Paint::Green, "your own session stays"),
            None => {}
        }
        write_part(&mut out, way, "what is cut off:", |before, after| {
            before == End::Accepted && after != End::Accepted
        });
        write_part(&mut out, way, "what becomes reachable:", |before, after| {
            before != End::Accepted && after == End::Accepted
        });
        write_part(&mut out, way, "what else changes:", |before, after| {
            (before == End::Accepted) == (after == End::Accepted)
        });
        if way.difference.changes.is_empty() {
            out.line(2, Paint::Green, "nothing changes");
        }
        for note in &way.difference.notes {
            out.write_listed("  note: ", Paint::Faint, note);
        }
    }
    out.finish()
}

fn write_part(
    out: &mut AnswerLines,
    way: &FlushedRules,
    title: &str,
    fits: impl Fn(End, End) -> bool,
) {
    let changes = way.difference.changes.iter();
    let changes: Vec<_> = changes
        .filter(|change| fits(change.before, change.after))
        .collect();
    if changes.is_empty() {
        return;
    }
    out.line(2, Paint::Strong, title);
    for change in changes {
        change_lines(out, change, 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use surefoot_netfilter::{Session, Surroundings};
    use surefoot_ruleset::Input;

    type Outcome = (String, Option<SessionAfter>, Vec<(End, End)>);

    fn flushed(text: &str) -> Vec<Outcome> {
        let mut rules = LoadedRules::of_texts(vec![Input {
            name: "t".into(),
            text: text.into(),
            format: None,
        }]);
        rules.surroundings = Surroundings {
            session: Some(Session {
                client: "10.0.0.9".parse().unwrap(),
                client_port: 50_000,
                server: "192.0.2.1".parse().unwrap(),
                server_port: 22,
            }),
            ..Surroundings::default()
        };
        let limits = (8, Budget::default());
        flush(&rules, limits)
            .into_iter()
            .map(|way| {
                let changes = way.difference.changes.iter();
                let ends = changes
                    .map(|change| (change.before, change.after))
                    .collect();
                (way.commands.join("; "), way.session, ends)
            })
            .collect()
    }

    #[test]
    fn a_dropping_policy_shuts_out_and_an_accepting_one_opens() {
        let text = "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -s 10.0.0.0/8 -p tcp --dport 22 -j ACCEPT\nCOMMIT\n";
        let (cut, open) = ((End::Accepted, End::Dropped), (End::Dropped, End::Accepted));
        assert_eq!(
            flushed(text),
            [
                ("iptables -F".into(), Some(SessionAfter::CutOff), vec![cut]),
                (
                    "iptables -P INPUT ACCEPT; iptables -F".into(),
                    Some(SessionAfter::Stays),
                    vec![open]
                ),
            ]
        );
    }

    #[test]
    fn without_tables_everything_is_open() {
        let text = "table inet filter {\n chain input {\n  type filter hook input priority 0; policy drop;\n  tcp dport 22 accept\n }\n}\n";
        let found = flushed(text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "nft flush ruleset");
        assert_eq!(found[0].1, Some(SessionAfter::Stays));
        assert!(found[0].2.contains(&(End::Dropped, End::Accepted)));
    }
}
