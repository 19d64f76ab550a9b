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

use compile::{Chain, Compiler};
pub use key::Key;
use key::Slots;
use run::Run;

use crate::Surroundings;
use crate::packet::{Packet, Path, Value};
use crate::semantics::{
    BaseAt, CONNTRACK, Decider, End, Index, Order, bases, bridge_chains, can_do_nothing,
    has_flowtable, sees,
};
use surefoot_ruleset::model::{ChainKind, Field, Firewall, Hook, Policy, ct_state, ct_status};

/// The rules of all ways, ready for packets to be looked up.
#[derive(Clone, Debug)]
pub struct Lookup {
    ways: [Way; 6],
}

/// What packets of one family meet on one way.
#[derive(Clone, Debug)]
struct Way {
    /// Whether all that packets can meet is followed here.
    whole: bool,
    nat: bool,
    slots: Slots,
    chains: Vec<Chain>,
    /// The steps of all rules.
    steps: Vec<step::Step>,
    stages: Vec<Stage>,
}

/// A station on the way.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Base(Base),
    /// From here on the outgoing interface is known.
    Routed,
    /// Routing takes one off the time to live.
    Hop,
    /// Nothing is forwarded.
    NoForwarding,
}

/// A base chain, as a hook calls it.
#[derive(Clone, Copy, Debug)]
struct Base {
    table: usize,
    chain: usize,
    compiled: usize,
    policy: Policy,
    /// Whether it stands before conntrack.
    early: bool,
    /// What a decision of the chain's own weighs, and a rule one more.
    weight: u8,
    nat: Nat,
}

/// Who visits a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nat {
    /// Every packet: it is no nat chain.
    Everybody,
    /// The first packet of each connection.
    First,
    /// The same, if something outside the rules tracks connections.
    Perhaps,
}

impl Lookup {
    /// Compiles the rules.
    pub fn new(firewall: &Firewall, index: &Index, surroundings: &Surroundings) -> Self {
        let way = |path, v6| Way::new(firewall, index, surroundings, path, v6);
        Self {
            ways: [
                way(Path::Input, false),
                way(Path::Forward, false),
                way(Path::Output, false),
                way(Path::Input, true),
                way(Path::Forward, true),
                way(Path::Output, true),
            ],
        }
    }

    /// Makes a settled packet ready; none if the evaluator has to be asked about it.
    pub fn key(&self, packet: &Packet) -> Option<Key> {
        let place = match packet.path {
            Path::Input => 0,
            Path::Forward => 1,
            Path::Output => 2,
        } + if packet.is_v6() { 3 } else { 0 };
        let way = &self.ways[place];
        if !way.whole || packet.get(Field::IsLaterFragment) == Value::Known(1) {
            return None;
        }
        let old = !matches!(
            packet.get(Field::CtState),
            Value::Known(ct_state::NEW | ct_state::INVALID | ct_state::UNTRACKED)
        );
        let untouched = matches!(packet.known(Field::CtStatus),
            Some(status) if status & (ct_status::SNAT | ct_status::DNAT) == 0);
        if way.nat && old && !untouched {
            return None;
        }
        Some(way.slots.read(place, packet))
    }

    /// What becomes of the packet, and who decides; none if the evaluator has to be asked.
    pub fn judge(&self, key: &Key) -> Option<(End, Decider)> {
        Run::new(self.ways.get(key.way)?, key).finish()
    }
}

impl Way {
    fn new(
        firewall: &Firewall,
        index: &Index,
        surroundings: &Surroundings,
        path: Path,
        v6: bool,
    ) -> Self {
        let mut compiler = Compiler::new(firewall, v6);
        let mut stages = Vec::new();
        let mut sure = true;
        let mut hook = |hook, stages: &mut Vec<Stage>| {
            let (bases, order) = bases(firewall, hook, v6, true);
            let on_device = matches!(hook, Hook::Ingress | Hook::Egress);
            sure &= order != Order::Unknown && (bases.is_empty() || !on_device);
            for base in bases {
                let tracked = index.tracks(v6);
                if base.kind == ChainKind::Nat && !tracked && can_do_nothing(firewall, &base) {
                    continue;
                }
                let compiled = compiler.chain(base.table, base.chain);
                stages.push(Stage::Base(Base::new(base, hook, compiled, tracked)));
            }
        };
        match path {
            Path::Output => {
                stages.push(Stage::Routed);
                hook(Hook::Output, &mut stages);
                hook(Hook::Postrouting, &mut stages);
                hook(Hook::Egress, &mut stages);
            }
            Path::Input => {
                hook(Hook::Ingress, &mut stages);
                hook(Hook::Prerouting, &mut stages);
                hook(Hook::Input, &mut stages);
            }
            Path::Forward => {
                hook(Hook::Ingress, &mut stages);
                hook(Hook::Prerouting, &mut stages);
                stages.push(Stage::Routed);
                let setting = if v6 {
                    "net.ipv6.conf.all.forwarding"
                } else {
                    "net.ipv4.ip_forward"
                };
                let forwards = surroundings.sysctls.get(setting);
                if forwards.is_some_and(|value| value.trim() == "0") {
                    stages.push(Stage::NoForwarding);
                }
                stages.push(Stage::Hop);
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
        let flowtable = path == Path::Forward && has_flowtable(firewall, v6);
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

impl Base {
    fn new(base: BaseAt, hook: Hook, compiled: usize, tracked: bool) -> Self {
        let main = matches!(hook, Hook::Input | Hook::Forward | Hook::Output)
            && base.kind == ChainKind::Filter;
        Self {
            table: base.table,
            chain: base.chain,
            compiled,
            policy: base.policy,
            early: base.priority <= CONNTRACK && matches!(hook, Hook::Prerouting | Hook::Output),
            weight: u8::from(main) * 2,
            nat: match (base.kind, tracked) {
                (ChainKind::Filter | ChainKind::Route, _) => Nat::Everybody,
                (ChainKind::Nat, true) => Nat::First,
                (ChainKind::Nat, false) => Nat::Perhaps,
            },
        }
    }
}
