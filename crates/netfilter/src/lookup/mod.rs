//! Looks packets up, millions a second: for one packet after another the answer that
//! [`crate::semantics::evaluate`] gives, where one look at the rules settles it.
//!
//! What the rules of one way ask for becomes a number in a slot; a rule becomes a few comparisons;
//! a long chain gets a tree that leads to the first rule that matches. Whatever the rules leave
//! open, or change in ways that are not followed here (NAT, fragments, sets that packets fill),
//! is not answered: the evaluator has to be asked. `docs/design/005-look-up.md` says why it is
//! built like this, with figures.

mod compile;
mod key;
mod refusal_test;
mod run;
mod step;
mod tree;

use compile::{CompiledChain, RuleCompiler};
use key::FieldSlots;
pub use key::PacketKey;
use refusal_test::RefusalTest;
use run::KeyRun;

use crate::Surroundings;
use crate::packet::{FieldValue, Packet, PacketInterface, PacketPath};
use crate::semantics::{
    BaseAt, ChainOrder, Decider, End, LoadOrder, RuleIndex, base_chains, bridge_chains,
    can_do_nothing, has_flowtable, sees,
};
use crate::stages::{ARRIVING, LOOPBACK, SENT, Stage, THROUGH, TO_HERE};
use surefoot_ruleset::model::{
    Chain, ChainKind, Effect, Field, Firewall, Hook, Policy, Rule, Statement, ct_state, ct_status,
};

/// The rules of all ways, ready for packets to be looked up.
#[derive(Clone, Debug)]
pub struct CompiledRules {
    ways: [CompiledWay; 6],
}

/// The rules that packets of one family can reach on one way.
#[derive(Clone, Debug)]
struct CompiledWay {
    /// Whether all rules that packets can reach are followed here.
    whole: bool,
    refusals: RefusalTest,
    nat: bool,
    slots: FieldSlots,
    chains: Vec<CompiledChain>,
    /// The steps of all rules.
    steps: Vec<step::CompiledStep>,
    stages: Vec<HookStage>,
}

/// A station on the way.
#[derive(Clone, Copy, Debug)]
enum HookStage {
    Base(CompiledBase),
    /// From here on the outgoing interface is known.
    Routed,
    /// Routing takes one off the time to live.
    Hop,
}

/// A base chain, as a hook calls it.
#[derive(Clone, Copy, Debug)]
struct CompiledBase {
    table: usize,
    chain: usize,
    compiled: usize,
    policy: Policy,
    /// Whether it stands before conntrack.
    early: bool,
    /// What a decision of the chain's own weighs, and a rule one more.
    weight: u8,
    nat: NatStage,
}

/// Who visits a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NatStage {
    /// Every packet: it is no nat chain.
    Everybody,
    /// The first packet of each connection.
    First,
    /// The same, if something outside the rules tracks connections.
    Perhaps,
}

impl CompiledRules {
    /// Compiles the rules.
    pub fn new(firewall: &Firewall, index: &RuleIndex, surroundings: &Surroundings) -> Self {
        let way = |path, v6| CompiledWay::new(firewall, index, surroundings, path, v6);
        Self {
            ways: [
                way(PacketPath::Input, false),
                way(PacketPath::Forward, false),
                way(PacketPath::Output, false),
                way(PacketPath::Input, true),
                way(PacketPath::Forward, true),
                way(PacketPath::Output, true),
            ],
        }
    }

    /// Makes a settled packet ready; none if the evaluator has to be asked about it.
    pub fn key(&self, packet: &Packet) -> Option<PacketKey> {
        let place = match packet.path {
            PacketPath::Input => 0,
            PacketPath::Forward => 1,
            PacketPath::Output => 2,
        } + if packet.is_v6() { 3 } else { 0 };
        let way = &self.ways[place];
        let fragment = packet.get(Field::IsLaterFragment) == FieldValue::Known(1)
            || matches!(packet.known(Field::Ip4FragmentOffset), Some(part) if part & 0x3fff != 0);
        if !way.whole || fragment || goes_by_loopback(packet) || way.refusals.may_refuse(packet) {
            return None;
        }
        let old = !matches!(
            packet.get(Field::CtState),
            FieldValue::Known(ct_state::NEW | ct_state::INVALID | ct_state::UNTRACKED)
        );
        let untouched = matches!(packet.known(Field::CtStatus),
            Some(status) if status & (ct_status::SNAT | ct_status::DNAT) == 0);
        if way.nat && old && !untouched {
            return None;
        }
        Some(way.slots.read_packet(place, packet))
    }

    /// Returns what becomes of the packet, and what decides; none if the evaluator has to be asked.
    pub fn judge(&self, key: &PacketKey) -> Option<(End, Decider)> {
        KeyRun::new(self.ways.get(key.way)?, key).finish()
    }
}

impl CompiledWay {
    fn new(
        firewall: &Firewall,
        index: &RuleIndex,
        surroundings: &Surroundings,
        path: PacketPath,
        v6: bool,
    ) -> Self {
        let mut compiler = RuleCompiler::new(firewall, v6);
        let mut stages = Vec::new();
        let (mut sure, mut followed) = (true, true);
        let loaded = LoadOrder {
            listed: surroundings.live,
            as_read: true,
        };
        let mut hook = |hook, stages: &mut Vec<HookStage>| {
            let (bases, order) = base_chains(firewall, hook, v6, loaded);
            let on_device = matches!(hook, Hook::Ingress | Hook::Egress);
            sure &= !matches!(order, ChainOrder::Unknown | ChainOrder::Open)
                && (bases.is_empty() || !on_device);
            for base in bases {
                let tracked = index.tracks_connections(v6);
                if base.kind == ChainKind::Nat && !tracked && can_do_nothing(firewall, &base) {
                    continue;
                }
                let compiled = compiler.compile_chain(base.table, base.chain);
                stages.push(HookStage::Base(CompiledBase::new(
                    base, hook, compiled, tracked,
                )));
            }
        };
        let tables: &[&[Stage]] = match path {
            PacketPath::Output => &[SENT],
            PacketPath::Input => &[ARRIVING, TO_HERE],
            PacketPath::Forward => &[ARRIVING, THROUGH],
        };
        if path == PacketPath::Output {
            stages.push(HookStage::Routed);
        }
        for stage in tables.iter().copied().flatten() {
            match *stage {
                Stage::Hook(one) => hook(one, &mut stages),
                Stage::Routing if path == PacketPath::Forward => stages.push(HookStage::Routed),
                Stage::Hop => stages.push(HookStage::Hop),
                Stage::Flowtable => followed &= !has_flowtable(firewall, v6),
                Stage::Frames(hooks) => followed &= !bridge_chains(firewall, hooks),
                // What NAT rewrites, what is refused, fragments and what goes by loopback, the evaluator follows.
                Stage::Connection(_)
                | Stage::Refusals(_)
                | Stage::Reassembly
                | Stage::Unrouted
                | Stage::Routing
                | Stage::Rerouting
                | Stage::Loopback => {}
            }
        }
        let tables = firewall.tables.iter().enumerate();
        // Before the input hook the kernel may find the socket of a packet.
        let asks_sockets = [Field::Uid, Field::Gid]
            .iter()
            .any(|field| compiler.slots.has(*field));
        let finds_sockets = path == PacketPath::Input && asks_sockets;
        Self {
            whole: sure && followed && !finds_sockets && !routes_again(firewall, path, v6),
            refusals: RefusalTest::new(path, v6, surroundings),
            nat: tables
                .filter(|(_, table)| sees(table, v6))
                .any(|(at, _)| index.has_nat(at)),
            slots: compiler.slots,
            chains: compiler.chains,
            steps: compiler.steps,
            stages,
        }
    }
}

/// Whether it was sent to this host itself.
fn goes_by_loopback(packet: &Packet) -> bool {
    let by = match packet.path {
        PacketPath::Input => &packet.input,
        PacketPath::Output => &packet.output,
        PacketPath::Forward => return false,
    };
    matches!(by, PacketInterface::Named(name) if name == LOOPBACK)
}

/// Whether rules may have packets that this host sends routed again.
fn routes_again(firewall: &Firewall, path: PacketPath, v6: bool) -> bool {
    let changes = |rule: &Rule| {
        rule.statements.iter().any(|statement| {
            matches!(
                statement,
                Statement::Effect(
                    Effect::SetMark { .. }
                        | Effect::CopyMark { .. }
                        | Effect::Set { .. }
                        | Effect::Forget { .. }
                )
            )
        })
    };
    let routes = |chain: &Chain| {
        let base = chain.base.as_ref();
        base.is_some_and(|base| base.kind == ChainKind::Route && base.hook == Hook::Output)
    };
    path == PacketPath::Output
        && firewall.tables.iter().any(|table| {
            let rules = table.chains.iter().flat_map(|chain| &chain.rules);
            sees(table, v6) && table.chains.iter().any(routes) && rules.into_iter().any(changes)
        })
}

impl CompiledBase {
    fn new(base: BaseAt, hook: Hook, compiled: usize, tracked: bool) -> Self {
        let main = matches!(hook, Hook::Input | Hook::Forward | Hook::Output)
            && base.kind == ChainKind::Filter;
        Self {
            table: base.table,
            chain: base.chain,
            compiled,
            policy: base.policy,
            early: base.early,
            weight: u8::from(main) * 2,
            nat: match (base.kind, tracked) {
                (ChainKind::Filter | ChainKind::Route, _) => NatStage::Everybody,
                (ChainKind::Nat, true) => NatStage::First,
                (ChainKind::Nat, false) => NatStage::Perhaps,
            },
        }
    }
}
