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
mod run;
mod step;
mod tree;

use compile::{CompiledChain, RuleCompiler};
use key::FieldSlots;
pub use key::PacketKey;
use run::KeyRun;

use crate::Surroundings;
use crate::packet::{FieldValue, Packet, PacketPath};
use crate::semantics::{
    BaseAt, ChainOrder, Decider, End, LoadOrder, RuleIndex, base_chains, bridge_chains,
    can_do_nothing, has_flowtable, sees,
};
use surefoot_ruleset::model::{ChainKind, Field, Firewall, Hook, Policy, ct_state, ct_status};

/// The rules of all ways, ready for packets to be looked up.
#[derive(Clone, Debug)]
pub struct CompiledRules {
    ways: [CompiledWay; 6],
}

/// What packets of one family meet on one way.
#[derive(Clone, Debug)]
struct CompiledWay {
    /// Whether all that packets can meet is followed here.
    whole: bool,
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
    /// Nothing is forwarded.
    NoForwarding,
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
        if !way.whole || packet.get(Field::IsLaterFragment) == FieldValue::Known(1) {
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

    /// What becomes of the packet, and who decides; none if the evaluator has to be asked.
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
        let mut sure = true;
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
        match path {
            PacketPath::Output => {
                stages.push(HookStage::Routed);
                hook(Hook::Output, &mut stages);
                hook(Hook::Postrouting, &mut stages);
                hook(Hook::Egress, &mut stages);
            }
            PacketPath::Input => {
                hook(Hook::Ingress, &mut stages);
                hook(Hook::Prerouting, &mut stages);
                hook(Hook::Input, &mut stages);
            }
            PacketPath::Forward => {
                hook(Hook::Ingress, &mut stages);
                hook(Hook::Prerouting, &mut stages);
                stages.push(HookStage::Routed);
                let setting = if v6 {
                    "net.ipv6.conf.all.forwarding"
                } else {
                    "net.ipv4.ip_forward"
                };
                let forwards = surroundings.sysctls.get(setting);
                if forwards.is_some_and(|value| value.trim() == "0") {
                    stages.push(HookStage::NoForwarding);
                }
                stages.push(HookStage::Hop);
                hook(Hook::Forward, &mut stages);
                hook(Hook::Postrouting, &mut stages);
                hook(Hook::Egress, &mut stages);
            }
        }
        let around = [
            Hook::Prerouting,
            Hook::Input,
            Hook::Output,
            Hook::Postrouting,
        ];
        let flowtable = path == PacketPath::Forward && has_flowtable(firewall, v6);
        let tables = firewall.tables.iter().enumerate();
        Self {
            whole: sure && !bridge_chains(firewall, &around) && !flowtable,
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
