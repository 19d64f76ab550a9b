//! One rule set, from its loading to what the evaluators had to say of its packets.

use std::collections::BTreeMap;

use surefoot_netfilter::Surroundings;
use surefoot_netfilter::exact::{AskedPackets, Budget, Exact, SymbolicQuestion};
use surefoot_netfilter::lookup::CompiledRules;
use surefoot_netfilter::packet::{Packet, PacketPath};
use surefoot_netfilter::semantics::{End, RuleIndex};
use surefoot_netfilter::traffic::Traffic;
use surefoot_ruleset::model::{Field, Firewall};
use surefoot_testkit::Observation;

use crate::case::Case;
use crate::judge::{Judgement, judge, judge_lookup, kernel_end, met};
use crate::session::Session;
use crate::tally::Tally;

/// The reading of the written text is asked about every packet; the readings of what the kernel
/// shows about one in so many.
const OTHER_READINGS: usize = 4;
/// All packets at once are asked about one in so many.
const AT_ONCE: usize = 4;
/// Differences that are shown of one case.
const SHOWN: usize = 3;
/// `RTN_UNICAST`.
const SOMEWHERE_ELSE: u128 = 1;

/// Sends so many packets through a rule set and compares.
pub(crate) fn hold(case: &Case, packets: usize, seed: u64) -> (Tally, (usize, usize)) {
    let mut session =
        Session::new(case, seed).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let indices: Vec<RuleIndex> = session
        .loaded
        .models
        .iter()
        .map(|model| RuleIndex::new(&model.firewall))
        .collect();
    let lookup = CompiledRules::new(
        &session.loaded.models[0].firewall,
        &indices[0],
        &session.loaded.surroundings,
    );
    // A listing of what is loaded does not tell the order of loading.
    let listed = Surroundings {
        live: true,
        ..session.loaded.surroundings.clone()
    };
    let mut tally = Tally {
        rule_sets: 1,
        random: usize::from(case.random),
        ..Tally::default()
    };
    let backend = case.backend();
    let mut at_once = AtOnce::default();
    session.run(packets, |models, surroundings, shot, seen| {
        tally.packets += 1;
        tally.count("path", &format!("{:?}", shot.path).to_lowercase());
        tally.count("backend", backend);
        let v6 = shot.frame.packet.is_v6();
        tally.count("family", if v6 { "IPv6" } else { "IPv4" });
        for kind in met(&models[0].firewall, seen) {
            tally.count("met", kind);
        }
        for (at, (model, index)) in models.iter().zip(&indices).enumerate() {
            if at > 0 && !tally.packets.is_multiple_of(OTHER_READINGS) {
                break;
            }
            let around = if at == 0 { surroundings } else { &listed };
            match judge(&model.firewall, index, around, &shot.packet, seen) {
                Judgement::Agrees => tally.walk.agree += 1,
                Judgement::Among => tally.walk.open += 1,
                Judgement::Differs(why) => {
                    tally.walk.differ += 1;
                    if tally.walk.differ <= SHOWN {
                        tally.show(|| format!("{}, {}: {why}{shot}", case.name, model.text));
                    }
                }
            }
        }
        match judge_lookup(&models[0].firewall, &lookup, &shot.packet, seen) {
            Judgement::Agrees => tally.lookup.agree += 1,
            Judgement::Among => tally.lookup.open += 1,
            Judgement::Differs(why) => {
                tally.lookup.differ += 1;
                if tally.lookup.differ <= SHOWN {
                    tally.show(|| format!("{}, looked up: {why}{shot}", case.name));
                }
            }
        }
        if !tally.packets.is_multiple_of(AT_ONCE) || !fits(&shot.packet) {
            return;
        }
        let firewall = &models[0].firewall;
        match at_once.ask(firewall, surroundings, v6, &shot.packet, seen) {
            Some(Judgement::Agrees) => tally.exact.agree += 1,
            Some(Judgement::Among) => tally.exact.open += 1,
            Some(Judgement::Differs(why)) => {
                tally.exact.differ += 1;
                if tally.exact.differ <= SHOWN {
                    tally.show(|| format!("{}, all at once: {why}\n{shot}", case.name));
                }
            }
            None => {}
        }
    });
    tally.exhausted = at_once.0.values().filter(|exact| exact.is_none()).count();
    (tally, session.coverage())
}

/// The answers for all packets of a family and a path, or nothing where they would be too large.
#[derive(Default)]
struct AtOnce(BTreeMap<(bool, &'static str), Option<Exact>>);

impl AtOnce {
    fn ask(
        &mut self,
        firewall: &Firewall,
        surroundings: &Surroundings,
        v6: bool,
        packet: &Packet,
        seen: &Observation,
    ) -> Option<Judgement> {
        let path = match packet.path {
            PacketPath::Input => "input",
            PacketPath::Forward => "forward",
            PacketPath::Output => "output",
        };
        let question = SymbolicQuestion {
            firewall,
            surroundings,
            v6,
            path: packet.path,
            about: &Traffic::default(),
            and_about: &[],
            packets: AskedPackets::Ordinary,
            budget: Budget {
                nodes: 1 << 22,
                steps: 1 << 27,
            },
        };
        let exact = self
            .0
            .entry((v6, path))
            .or_insert_with(|| Exact::new(question).ok());
        let Ok(ends) = exact.as_mut()?.ends_of(packet) else {
            *exact = None;
            return None;
        };
        let end = kernel_end(firewall, seen)?;
        Some(if ends.is_empty() {
            Judgement::Differs(format!(
                "no such packet exists; the kernel ends with {end:?}"
            ))
        } else if ends.len() == 1 && ends.contains(&end) {
            Judgement::Agrees
        } else if ends.contains(&end) || ends.contains(&End::Unknown) {
            Judgement::Among
        } else {
            Judgement::Differs(format!("{ends:?}; the kernel ends with {end:?}"))
        })
    }
}

/// Whether the packet takes the way that the facts say. What goes to this host in spite of its
/// address does so by a rule of routing that they do not hold; and what has no hop left is not
/// forwarded, so that nobody asks about it under that name.
fn fits(packet: &Packet) -> bool {
    let hops = packet
        .known(Field::Ttl)
        .or(packet.known(Field::HopLimit))
        .unwrap_or_default();
    match packet.path {
        PacketPath::Input => packet.known(Field::DstAddressType) != Some(SOMEWHERE_ELSE),
        PacketPath::Forward => hops > 1,
        PacketPath::Output => true,
    }
}
