//! Measures how many packets a second are looked up, and how many of them the evaluator has to be
//! asked about. The packets are drawn from what the rules ask for, so that they go deep.

#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "an example measures and prints"
)]

#[path = "../../ruleset/examples/rules/mod.rs"]
mod rules;

use std::time::{Duration, Instant};

use surefoot_netfilter::Surroundings;
use surefoot_netfilter::lookup::{CompiledRules, PacketKey};
use surefoot_netfilter::packet::{Packet, PacketInterface, PacketPath};
use surefoot_netfilter::semantics::{RecordLevel, RuleIndex, evaluate};
use surefoot_ruleset::model::{Field, Firewall, Match, Statement};
use surefoot_ruleset::{Input, load};

/// Packets that are looked up, again and again.
const PACKETS: usize = 16_384;
/// Packets that the evaluator is asked about, for comparison.
const WALKED: usize = 512;
const RUNS: u32 = 9;

fn main() {
    measure(1000, 2.0);
    measure(rules::RULES, 0.5);
}

fn measure(count: u32, goal: f64) {
    let firewall = load(vec![Input {
        name: "rules".into(),
        text: rules::text(count),
        format: None,
    }])
    .firewall;
    let surroundings = Surroundings::default();
    let index = RuleIndex::new(&firewall);
    let begin = Instant::now();
    let lookup = CompiledRules::new(&firewall, &index, &surroundings);
    let compiled = begin.elapsed();
    let packets = packets(&firewall);
    let keys: Vec<PacketKey> = packets
        .iter()
        .map(|packet| lookup.key(packet).unwrap())
        .collect();
    let mut best = Duration::MAX;
    let mut answered = 0;
    for _ in 0..RUNS {
        let begin = Instant::now();
        answered = keys
            .iter()
            .filter(|key| lookup.judge(key).is_some())
            .count();
        best = best.min(begin.elapsed());
    }
    let begin = Instant::now();
    for packet in packets.iter().take(WALKED) {
        let answer = evaluate(
            &firewall,
            &index,
            &surroundings,
            packet,
            RecordLevel::Nothing,
        );
        assert!(!answer.outcomes.is_empty());
    }
    let walked = begin.elapsed();
    let rate = |packets: usize, time: Duration| packets as f64 / time.as_secs_f64() / 1e6;
    println!(
        "look-up at {count:>6} rules: {:>6.2} million packets a second (goal: {goal}), {:.1} % answered; \
         one by one {:.3} million; compiled in {:.1} ms",
        rate(PACKETS, best),
        100.0 * answered as f64 / PACKETS as f64,
        rate(WALKED, walked),
        compiled.as_secs_f64() * 1e3,
    );
}

/// Half of the packets match some rule's addresses and ports, half are any.
fn packets(firewall: &Firewall) -> Vec<Packet> {
    let rules: Vec<_> = firewall
        .tables
        .iter()
        .flat_map(|table| &table.chains)
        .flat_map(|chain| &chain.rules)
        .collect();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..PACKETS)
        .map(|number| {
            let address = |bits: u64| std::net::Ipv4Addr::from((bits >> 32) as u32).into();
            let mut packet = Packet::new(PacketPath::Input)
                .from(address(next()))
                .to(address(next()))
                .with(
                    Field::MacSrc,
                    u128::from(next() & 0xffff_ffff) | 0x0200 << 32,
                )
                .with(Field::L4Proto, if next() % 4 == 0 { 17_u8 } else { 6 })
                .with(Field::SrcPort, u128::from(next() % 65_536))
                .with(Field::DstPort, u128::from(next() % 65_536));
            packet.input = PacketInterface::named("eth0");
            if number % 2 == 0 {
                let rule = rules[usize::try_from(next()).unwrap() % rules.len()];
                for statement in &rule.statements {
                    if let Statement::Match(Match::Field {
                        operand,
                        negated: false,
                        ranges,
                    }) = statement
                        && let (None, Some(range)) = (operand.mask, ranges.first())
                        && matches!(
                            operand.field,
                            Field::Ip4Src | Field::Ip4Dst | Field::L4Proto | Field::DstPort
                        )
                    {
                        let width = range.hi - range.lo + 1;
                        packet = packet.with(operand.field, range.lo + u128::from(next()) % width);
                    }
                }
            }
            packet.settle(&Surroundings::default())
        })
        .collect()
}
