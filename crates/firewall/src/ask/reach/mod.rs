//! Who can reach what: every kind of source, and which services are open to it.

mod svg;

pub use svg::reach_svg;

use crate::LoadedRules;
use crate::loaded::WeakenedAnswer;
use serde::Serialize;
use surefoot_report::{Paint, Style};

use super::lines::AnswerLines;
use super::phrase::shortened;
use super::prove::{PacketScope, scopes_of};
use surefoot_netfilter::exact::{
    AskedPackets, Budget, Cube, CubeLimit, Exact, Exhausted, ReachCell, ReachedService,
    SymbolicQuestion,
};
use surefoot_netfilter::language::port_name;
use surefoot_netfilter::packet::value_words;
use surefoot_netfilter::traffic::Traffic;
use surefoot_ruleset::model::{Field, Range};

/// What the packets of one family and one way reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReachAnswer {
    /// Their family and way.
    pub scope: PacketScope,
    /// The services: protocols and ports that are treated alike.
    pub services: Vec<ServiceKind>,
    /// The sources, each with a cell for each service.
    pub sources: Vec<ReachRow>,
    /// What was taken for granted, and what the answer could not take into account.
    pub notes: Vec<String>,
}

/// Protocols and ports that are treated alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceKind {
    /// What they are called in a table.
    pub name: String,
    /// The packets, in the words of sentences.
    pub packets: String,
}

/// Sources that are treated alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReachRow {
    /// The interfaces and addresses; they may overlap.
    pub from: Vec<String>,
    #[serde(skip)]
    short: Vec<String>,
    /// What comes through to each service.
    pub cells: Vec<ReachCell>,
}

/// Looks at every source and every service of the packets that are asked about.
pub fn reach(rules: &LoadedRules, about: &Traffic, budget: Budget) -> Vec<ReachAnswer> {
    let mut notes = Vec::new();
    let scopes = scopes_of(rules, about, &mut notes);
    let mut all: Vec<ReachAnswer> = scopes
        .into_iter()
        .map(|scope| {
            reach_in_scope(rules, about, (scope, budget)).unwrap_or_else(|Exhausted| ReachAnswer {
                notes: vec!["the question was too large for an exact answer".into()],
                ..empty_reach(scope)
            })
        })
        .collect();
    if let Some(first) = all.first_mut() {
        first.notes.splice(0..0, notes);
    }
    all.into_iter().map(|one| rules.weaken(one)).collect()
}

fn empty_reach(scope: PacketScope) -> ReachAnswer {
    ReachAnswer {
        scope,
        services: Vec::new(),
        sources: Vec::new(),
        notes: Vec::new(),
    }
}

fn reach_in_scope(
    rules: &LoadedRules,
    about: &Traffic,
    (scope, budget): (PacketScope, Budget),
) -> Result<ReachAnswer, Exhausted> {
    let mut exact = Exact::new(SymbolicQuestion {
        firewall: &rules.firewall,
        surroundings: &rules.surroundings,
        v6: scope.v6,
        path: scope.way,
        about,
        and_about: &[],
        packets: AskedPackets::ForWords,
        budget,
    })?;
    let Some(matrix) = exact.reach_matrix()? else {
        return Ok(ReachAnswer {
            notes: vec![
                "there are too many kinds of sources and services for a table: ask for some of them with `--only`".into(),
            ],
            ..empty_reach(scope)
        });
    };
    let sources = matrix.sources.iter().zip(matrix.cells);
    Ok(ReachAnswer {
        services: service_kinds(&matrix.services),
        sources: sources
            .map(|(cubes, cells)| ReachRow {
                from: cubes
                    .iter()
                    .map(|cube| source_words(cube.words_without_state()))
                    .collect(),
                short: cubes.iter().map(short_source).collect(),
                cells,
            })
            .collect(),
        ..empty_reach(scope)
    })
}

fn short_source(cube: &Cube) -> String {
    source_words(cube.short_words_without_state())
}

fn source_words(words: String) -> String {
    if words.is_empty() {
        "from anywhere".to_owned()
    } else {
        words
    }
}

/// Names for the services; of each protocol the one with the most ports is "other ports".
fn service_kinds(services: &[ReachedService]) -> Vec<ServiceKind> {
    let count = |ranges: &[Range]| -> u128 { ranges.iter().map(|one| one.hi - one.lo + 1).sum() };
    let size =
        |service: &ReachedService| count(service.ports.as_ref().unwrap_or(&service.protocols));
    let like = |one: &ReachedService, other: &ReachedService| match (&one.ports, &other.ports) {
        (Some(_), Some(_)) => one.protocols == other.protocols,
        (None, None) => true,
        _ => false,
    };
    let kinds = services.iter().map(|service| {
        let others = services.iter().filter(|other| like(service, other));
        let largest = others.clone().count() > 1
            && others.clone().map(size).max() == Some(size(service))
            && size(service) > 64;
        ServiceKind {
            name: if largest {
                other_words(service)
            } else {
                service_words(service)
            },
            packets: packets_words(service),
        }
    });
    kinds.collect()
}

fn other_words(service: &ReachedService) -> String {
    match (&service.ports, service.protocols.first()) {
        (Some(_), Some(protocol)) => format!("other {} ports", protocol_words(*protocol)),
        _ => "other protocols".to_owned(),
    }
}

fn packets_words(service: &ReachedService) -> String {
    let limit = |field, values: &[Range]| CubeLimit {
        field,
        negated: false,
        values: values.to_vec(),
    };
    let mut fields = vec![limit(Field::L4Proto, &service.protocols)];
    let all_ports = [Range { lo: 0, hi: 65_535 }];
    if let Some(ports) = service
        .ports
        .as_ref()
        .filter(|ports| ports.as_slice() != all_ports)
    {
        fields.push(limit(Field::DstPort, ports));
    }
    let cube = Cube {
        fields,
        ..Cube::default()
    };
    cube.words_without_state()
}

fn service_words(service: &ReachedService) -> String {
    let protocols: Vec<String> = service
        .protocols
        .iter()
        .map(|range| protocol_words(*range))
        .collect();
    let protocols = protocols.join(", ");
    let Some(ports) = &service.ports else {
        return protocols;
    };
    if let [Range { lo: 0, hi: 65_535 }] = ports.as_slice() {
        return protocols;
    }
    let listed: Vec<String> = ports.iter().map(|range| port_words(*range)).collect();
    format!("{protocols} {}", listed.join(", "))
}

fn port_words(range: Range) -> String {
    if range.lo != range.hi {
        return format!("{}-{}", range.lo, range.hi);
    }
    let name = u16::try_from(range.lo).ok().and_then(port_name);
    match name {
        Some(name) => format!("{} ({name})", range.lo),
        None => range.lo.to_string(),
    }
}

fn protocol_words(range: Range) -> String {
    if range.lo == range.hi {
        value_words(Field::L4Proto, range.lo)
    } else {
        format!("protocols {}-{}", range.lo, range.hi)
    }
}

impl WeakenedAnswer for ReachAnswer {
    fn weaken(&mut self, why: &str) {
        for cell in self.sources.iter_mut().flat_map(|row| &mut row.cells) {
            *cell = ReachCell::Partly;
        }
        self.notes.insert(0, why.to_owned());
    }
}

impl ReachAnswer {
    /// The sources, each with what is open to it.
    pub fn text(&self, style: Style, width: usize) -> String {
        let mut out = AnswerLines::new(style, width);
        out.line(0, Paint::Strong, &self.scope.words());
        for row in &self.sources {
            out.blank();
            for (at, from) in row.short.iter().enumerate() {
                let head = if at == 0 { "  " } else { "  or " };
                out.write_listed(head, Paint::Faint, from);
            }
            for (cell, word, paint) in [
                (ReachCell::Open, "    open:    ", Paint::Green),
                (ReachCell::Partly, "    partly:  ", Paint::Yellow),
                (ReachCell::Closed, "    closed:  ", Paint::Red),
            ] {
                let services = self.services.iter().zip(&row.cells);
                let services: Vec<&str> = services
                    .filter(|(_, one)| **one == cell)
                    .map(|(service, _)| service.name.as_str())
                    .collect();
                if services.len() == self.services.len() {
                    out.write_listed(word, paint, "everything");
                } else if !services.is_empty() {
                    out.write_listed(word, paint, &services.join("; "));
                }
            }
        }
        for note in &self.notes {
            out.write_listed("note: ", Paint::Faint, note);
        }
        out.finish()
    }
}
