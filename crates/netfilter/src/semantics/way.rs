//! What each stage of the way does to one packet.

use std::cell::LazyCell;
use std::rc::Rc;

use super::bases::{
    BaseAt, ChainOrder, LoadOrder, base_chains, bridge_chains, can_do_nothing, has_flowtable, sees,
};
use super::flow::{Flow, merge_flows, routed_by};
use super::matching::test_plain_match;
use super::route::{interface_to, policy_may_route};
use super::walk::{MOST_FLOWS, PacketWalk, WalkPosition};
use super::{Decider, End};
use crate::packet::{FieldValue, Packet, PacketInterface, PacketPath, route_to, to_address};
use crate::refusals::KernelRefusals;
use crate::stages::{ARRIVING, LOOPBACK, LOOPED, RefusalPoint, SENT, Stage, THROUGH, TO_HERE};
use crate::truth::Truth;
use surefoot_ruleset::model::{Base, ChainKind, Field, Hook, ct_state, ct_status};

impl PacketWalk<'_> {
    pub(super) fn run(&mut self) {
        let mut flow = Flow::new(self.packet);
        let by_loopback =
            self.packet.path == PacketPath::Input && flow.input == PacketInterface::named(LOOPBACK);
        if by_loopback {
            // It was sent before it came in.
            flow.input = PacketInterface::None;
            flow.output = PacketInterface::named(LOOPBACK);
            for field in [Field::MacSrc, Field::MacDst] {
                flow.put(field, FieldValue::Absent);
            }
            for field in [Field::Uid, Field::Gid] {
                flow.put(field, FieldValue::Unknown);
            }
            return self.follow(SENT, vec![flow]);
        }
        let way = match self.packet.path {
            PacketPath::Output => SENT,
            PacketPath::Input | PacketPath::Forward => ARRIVING,
        };
        self.follow(way, vec![flow]);
    }

    fn follow(&mut self, stages: &[Stage], mut flows: Vec<Flow>) {
        for stage in stages {
            flows = match *stage {
                Stage::Hook(hook) => self.walk_hook(hook, flows),
                Stage::Connection(hook) => self.walk_established(flows, hook),
                Stage::Refusals(point) => self.refuse(point, flows),
                Stage::Reassembly if self.packet.is_v6() => flows,
                Stage::Reassembly => self.reassemble(flows),
                Stage::Unrouted => without_output(flows),
                Stage::Routing => return self.route(flows),
                Stage::Rerouting => route_again(flows),
                Stage::Hop => flows.into_iter().map(one_hop_less).collect(),
                Stage::Flowtable => {
                    self.walk_flowtable(&flows);
                    flows
                }
                Stage::Frames(hooks) => {
                    self.walk_bridge(&flows, hooks);
                    flows
                }
                Stage::Loopback => self.loop_back(flows),
            };
            if flows.is_empty() {
                return;
            }
        }
        self.pass(flows);
    }

    /// Sends the packet to this host, through it, or both ways if it is unknown which.
    fn route(&mut self, mut flows: Vec<Flow>) {
        for flow in &mut flows {
            flow.output = if flow.rewritten.destination {
                self.out_interface(flow)
            } else {
                self.packet.output.clone()
            };
        }
        let (mut input, mut forward) = (Vec::new(), Vec::new());
        for flow in flows {
            let (here, through) = self.possible_ways(&flow);
            if here {
                let mut flow = flow.clone();
                flow.output = PacketInterface::None;
                // The socket of a packet may be found before the input hook (`tcp_v4_early_demux`).
                flow.put(Field::Uid, FieldValue::Unknown);
                flow.put(Field::Gid, FieldValue::Unknown);
                input.push(flow);
            }
            if through {
                forward.push(flow);
            }
        }
        if !input.is_empty() {
            self.follow(TO_HERE, input);
        }
        if !forward.is_empty() {
            self.follow(THROUGH, forward);
        }
    }

    /// Behind a chain of type route, and iptables' mangle OUTPUT, a packet is routed again if rules
    /// there have changed what routing may ask for (`ip_route_me_harder`).
    fn route_changed(&mut self, mut flow: Flow) -> Flow {
        let routed = routed_by(&flow);
        if routed == flow.routed {
            return flow;
        }
        let [.., four, six] = routed;
        let elsewhere = [four, six] != flow.routed[flow.routed.len() - 2..];
        // The table of local addresses is asked first.
        let stays_here = self.packet.path == PacketPath::Input
            || flow.get(Field::DstAddressType) == FieldValue::Known(2);
        if elsewhere || policy_may_route(self.surroundings) && !stays_here {
            self.note_several_ways(
                "a rule changes what routing depends on (the mark, for example): the outgoing interface is unknown from there on".into(),
            );
            flow.output = PacketInterface::Unknown;
        }
        flow.routed = routed;
        flow
    }

    /// What was sent by the loopback interface comes in again; the rest has left.
    fn loop_back(&mut self, flows: Vec<Flow>) -> Vec<Flow> {
        let (mut looped, mut left) = (Vec::new(), Vec::new());
        for flow in flows {
            let by_loopback = self.goes_by_loopback(&flow);
            if by_loopback != Truth::No {
                looped.push(come_back(flow.clone()));
            }
            if by_loopback != Truth::Yes {
                left.push(flow);
            }
        }
        if !looped.is_empty() {
            self.follow(LOOPED, looped);
        }
        left
    }

    /// Whether what is sent comes in again. An interface that was left unsaid is taken to lead
    /// elsewhere; one that rules have made unknown may be any.
    fn goes_by_loopback(&self, flow: &Flow) -> Truth {
        match (&flow.output, flow.get(Field::DstAddressType)) {
            (PacketInterface::Named(name), _) => Truth::of(name == LOOPBACK),
            (PacketInterface::Unknown, FieldValue::Known(2)) => Truth::Yes,
            (PacketInterface::None, _) | (PacketInterface::Unknown, FieldValue::Known(_)) => {
                Truth::No
            }
            (PacketInterface::Unknown, _) if self.packet.output == PacketInterface::Unknown => {
                Truth::No
            }
            (PacketInterface::Unknown, _) => Truth::Maybe,
        }
    }

    /// Takes out what the kernel drops besides the rules. What was left unsaid of a packet is taken to
    /// be as in an ordinary one; what rules have made unknown may be anything.
    fn refuse(&mut self, point: RefusalPoint, flows: Vec<Flow>) -> Vec<Flow> {
        let v6 = self.packet.is_v6();
        let refusals = self.refusals();
        let unchanged = LazyCell::new(|| Flow::new(self.packet));
        let mut passed = Vec::new();
        'flows: for flow in flows {
            for refused in refusals.at(point) {
                let mut rewritten = false;
                let holds =
                    refused
                        .when
                        .iter()
                        .all(|wanted| match test_plain_match(&flow, wanted) {
                            Truth::Yes => true,
                            Truth::No => false,
                            Truth::Maybe => {
                                rewritten = true;
                                test_plain_match(&unchanged, wanted) != Truth::Maybe
                            }
                        });
                if !holds {
                    continue;
                }
                self.end(&flow, End::Dropped, Decider::Refusal(refused.why));
                if rewritten {
                    continue;
                }
                let interface = match &flow.input {
                    PacketInterface::Named(name) => Some(name.as_str()),
                    PacketInterface::None | PacketInterface::Unknown => None,
                };
                let settings = refused.why.settings(v6, interface);
                if refused.sure {
                    let by = settings.map_or_else(String::new, |by| format!(" ({by} decide this)"));
                    self.note(format!(
                        "{}: the kernel drops the packet whatever the rules say{by}",
                        refused.why
                    ));
                    continue 'flows;
                }
                let by = settings.unwrap_or_else(|| "facts of the host".to_owned());
                self.note_several_ways(format!(
                    "{}: whether the kernel drops such packets depends on {by}, which are unknown: both cases were followed",
                    refused.why
                ));
            }
            passed.push(flow);
        }
        if point == RefusalPoint::Forwarded && !passed.is_empty() {
            self.note_forwarding(v6);
        }
        passed
    }

    /// What the kernel refuses from the packet's source, found out once.
    fn refusals(&mut self) -> Rc<KernelRefusals> {
        let (packet, surroundings) = (self.packet, self.surroundings);
        let refusals = self.refusals.get_or_insert_with(|| {
            let v6 = packet.is_v6();
            let source = if v6 { Field::Ip6Src } else { Field::Ip4Src };
            Rc::new(KernelRefusals::new(v6, surroundings, packet.known(source)))
        });
        Rc::clone(refusals)
    }

    fn note_forwarding(&mut self, v6: bool) {
        let setting = if v6 {
            "net.ipv6.conf.all.forwarding"
        } else {
            "net.ipv4.ip_forward"
        };
        if !self.surroundings.sysctls.contains_key(setting) {
            self.note(format!(
                "{setting} is unknown; taken as 1, as nothing is forwarded otherwise"
            ));
        }
    }

    /// Frames that arrive or leave by a bridge traverse rules that are not followed.
    fn walk_bridge(&mut self, flows: &[Flow], hooks: &[Hook]) {
        if flows.is_empty() || !bridge_chains(self.firewall, hooks) {
            return;
        }
        self.note("rules for frames (`table bridge`) are not followed: if the packet comes or leaves by a bridge, they decide too".into());
        for flow in flows {
            self.end(flow, End::Unknown, Decider::Kernel);
        }
    }

    /// Once a flow is in a flowtable, its packets no longer traverse the forward hook
    /// (`nf_flow_offload_ip_hook`).
    fn walk_flowtable(&mut self, flows: &[Flow]) {
        let old = |flow: &&Flow| {
            matches!(
                flow.get(Field::L4Proto),
                FieldValue::Known(6 | 17) | FieldValue::Unknown
            ) && matches!(
                flow.get(Field::CtState),
                FieldValue::Known(ct_state::ESTABLISHED) | FieldValue::Unknown
            )
        };
        let Some(flow) = flows.iter().find(old) else {
            return;
        };
        if has_flowtable(self.firewall, self.packet.is_v6()) {
            self.note("there is a flowtable: packets of a flow that is in it pass without meeting the forward hook".into());
            self.end(flow, End::Accepted, Decider::Kernel);
        }
    }

    /// The interface by which a packet with a new destination leaves, where the routes tell.
    fn out_interface(&mut self, flow: &Flow) -> PacketInterface {
        let v6 = self.packet.is_v6();
        let field = if v6 { Field::Ip6Dst } else { Field::Ip4Dst };
        let FieldValue::Known(number) = flow.get(field) else {
            return PacketInterface::Unknown;
        };
        let address = to_address(number, v6);
        let Some(name) = interface_to(address, self.surroundings) else {
            return PacketInterface::Unknown;
        };
        if let Some((_, network)) = route_to(address, self.surroundings) {
            self.note(format!(
                "taken to leave by {name}, as the route to {network} says of the rewritten destination"
            ));
        }
        PacketInterface::named(name)
    }

    /// Whether the packet goes to this host, through it, or either.
    fn possible_ways(&mut self, flow: &Flow) -> (bool, bool) {
        if !flow.rewritten.destination {
            return (
                self.packet.path == PacketPath::Input,
                self.packet.path == PacketPath::Forward,
            );
        }
        let v6 = self.packet.is_v6();
        let field = if v6 { Field::Ip6Dst } else { Field::Ip4Dst };
        match (flow.get(Field::DstAddressType), flow.get(field)) {
            (FieldValue::Known(2..=5), _) => (true, false),
            (FieldValue::Known(_), _) => (false, true),
            (_, FieldValue::Known(number)) => {
                self.note_several_ways(format!(
                    "it is unknown whether {} is an address of this host: both cases were followed",
                    to_address(number, v6)
                ));
                (true, true)
            }
            _ => {
                self.note_several_ways(
                    "the rewritten destination is unknown: both cases were followed".into(),
                );
                (true, true)
            }
        }
    }

    /// A packet of a connection that was set up earlier is rewritten as that connection was,
    /// without traversing the rules; if there are such rules, both readings are followed.
    fn walk_established(&mut self, flows: Vec<Flow>, hook: Hook) -> Vec<Flow> {
        let known = matches!(self.packet.known(Field::CtStatus),
            Some(status) if status & (ct_status::SNAT | ct_status::DNAT) == 0);
        let state = self.packet.known(Field::CtState);
        if known
            || !matches!(state, Some(ct_state::ESTABLISHED | ct_state::RELATED))
            || !self.has_nat()
        {
            return flows;
        }
        self.note(
            "the rules hold NAT, and it is unknown whether this connection was rewritten when it began".into(),
        );
        let v6 = self.packet.is_v6();
        let mut both = Vec::new();
        for flow in flows {
            let mut rewritten = flow.clone();
            rewritten.put(
                if v6 { Field::Ip6Dst } else { Field::Ip4Dst },
                FieldValue::Unknown,
            );
            rewritten.put(Field::DstAddressType, FieldValue::Unknown);
            if flow.get(Field::DstPort) != FieldValue::Absent {
                rewritten.put(Field::DstPort, FieldValue::Unknown);
                rewritten.put(Field::SetDstPort, FieldValue::Unknown);
            }
            rewritten.rewritten.destination = hook == Hook::Prerouting;
            both.push(flow);
            both.push(rewritten);
        }
        both
    }

    fn has_nat(&self) -> bool {
        let v6 = self.packet.is_v6();
        let mut tables = self.firewall.tables.iter().enumerate();
        tables.any(|(at, table)| sees(table, v6) && self.index.has_nat(at))
    }

    fn pass(&mut self, flows: Vec<Flow>) {
        for flow in flows {
            let by = flow
                .decided
                .as_ref()
                .map_or(Decider::Kernel, |decided| decided.by);
            self.end(&flow, End::Accepted, by);
        }
    }

    /// Runs the base chains of a hook; gives what passes all of them.
    fn walk_hook(&mut self, hook: Hook, mut flows: Vec<Flow>) -> Vec<Flow> {
        let v6 = self.packet.is_v6();
        let loaded = LoadOrder {
            listed: self.surroundings.live,
            as_read: self.as_read,
        };
        let (bases, order) = base_chains(self.firewall, hook, v6, loaded);
        match order {
            ChainOrder::Sure => {}
            ChainOrder::AsWritten => self.note(format!(
                "base chains at {} have the same priority; the one that stands later was taken to run first, as it does if it was loaded later",
                hook.word()
            )),
            ChainOrder::Open => {
                self.order_unknown = true;
                self.note(format!(
                    "more than two base chains at {} have the same priority, and their loading order is unknown: not every order was followed",
                    hook.word()
                ));
                for flow in flows.iter().take(1) {
                    self.end(flow, End::Unknown, Decider::Kernel);
                }
            }
            ChainOrder::Unknown => {
                self.order_unknown = true;
                self.note(format!(
                    "base chains at {} have the same priority, or that of connection tracking, and their loading order is unknown: both orders were followed",
                    hook.word()
                ));
            }
        }
        let mut whole =
            !matches!(hook, Hook::Prerouting | Hook::Output) || !self.index.tracks_connections(v6);
        for base in bases {
            if flows.is_empty() {
                break;
            }
            if !whole && !base.sees_fragments {
                flows = self.reassemble(flows);
                whole = true;
            }
            let BaseAt {
                early,
                table: t,
                chain: c,
                kind,
                policy,
                sees_fragments: _,
            } = base;
            self.place = WalkPosition { hook, kind };
            let elsewhere;
            (flows, elsewhere) = self.on_device(t, c, flows);
            let looped = flows.iter().any(|flow| flow.looped);
            flows = if early && !looped {
                let hidden = flows.into_iter().map(hide_connection).collect();
                let flows = self.base_chain(t, c, policy, hidden);
                flows
                    .into_iter()
                    .map(|flow| self.show_connection(flow))
                    .collect()
            } else if kind == ChainKind::Nat {
                let (first, later) = self.asking_nat(&base, hook, flows);
                let mut flows = self.base_chain(t, c, policy, first);
                flows.extend(later);
                flows
            } else {
                self.base_chain(t, c, policy, flows)
            };
            if kind == ChainKind::Route && hook == Hook::Output {
                flows = flows
                    .into_iter()
                    .map(|flow| self.route_changed(flow))
                    .collect();
            }
            flows.extend(elsewhere);
            flows = merge_flows(flows, MOST_FLOWS);
        }
        if !whole {
            flows = self.reassemble(flows);
        }
        flows
    }

    /// Puts fragments together: of the whole packet, what stands in other fragments is unknown.
    fn reassemble(&mut self, mut flows: Vec<Flow>) -> Vec<Flow> {
        let mut any = false;
        for flow in &mut flows {
            any |= flow.become_whole();
        }
        if any {
            self.note("fragments are put together before the rules see them: the answer is for the whole packet".into());
        }
        flows
    }

    /// Which flows visit a nat chain, and which do not. Without a connection none does
    /// (`nf_nat_inet_fn`).
    fn asking_nat(
        &mut self,
        base: &BaseAt,
        hook: Hook,
        flows: Vec<Flow>,
    ) -> (Vec<Flow>, Vec<Flow>) {
        let tracked = self.index.tracks_connections(self.packet.is_v6());
        if !tracked && can_do_nothing(self.firewall, base) {
            return (Vec::new(), flows);
        }
        if !tracked {
            self.note_several_ways("no rule enables connection tracking. NAT chains only run if something else has enabled it, which is unknown: both cases were followed".into());
        }
        let (mut first, mut later) = (Vec::new(), Vec::new());
        for flow in flows {
            match asks_nat(&flow, hook) {
                Some(true) if tracked => first.push(flow),
                Some(false) => later.push(flow),
                Some(true) | None => {
                    first.push(flow.clone());
                    later.push(flow);
                }
            }
        }
        (first, later)
    }

    /// Which flows pass a device that the chain is hooked to, and which do not; other chains see
    /// all.
    fn on_device(&mut self, t: usize, c: usize, flows: Vec<Flow>) -> (Vec<Flow>, Vec<Flow>) {
        let firewall = self.firewall;
        let base = firewall.tables[t].chains[c].base.as_ref();
        let on_device = |base: &&Base| matches!(base.hook, Hook::Ingress | Hook::Egress);
        let Some(base) = base.filter(on_device) else {
            return (flows, Vec::new());
        };
        if base.devices.is_empty() {
            // `nft -j` of version 1.0.6 does not tell the device.
            self.note(
                "the device of a chain at ingress or egress is unknown: both cases were followed"
                    .into(),
            );
            return (flows.clone(), flows);
        }
        let (mut here, mut elsewhere) = (Vec::new(), Vec::new());
        for flow in flows {
            let interface = if base.hook == Hook::Ingress {
                &flow.input
            } else {
                &flow.output
            };
            match interface {
                PacketInterface::Named(name) if base.devices.contains(name) => here.push(flow),
                PacketInterface::Named(_) | PacketInterface::None => elsewhere.push(flow),
                PacketInterface::Unknown => {
                    here.push(flow.clone());
                    elsewhere.push(flow);
                }
            }
        }
        (here, elsewhere)
    }

    fn show_connection(&self, mut flow: Flow) -> Flow {
        if flow.untracked {
            return flow;
        }
        flow.put(Field::CtState, self.packet.get(Field::CtState));
        for field in Packet::connection_fields() {
            flow.put(*field, self.packet.get(*field));
        }
        flow
    }
}

/// The outgoing interface is not yet known at prerouting.
fn without_output(mut flows: Vec<Flow>) -> Vec<Flow> {
    for flow in &mut flows {
        flow.output = PacketInterface::None;
    }
    flows
}

/// The flow as it comes in by the loopback interface.
fn come_back(mut flow: Flow) -> Flow {
    flow.input = PacketInterface::named(LOOPBACK);
    flow.output = PacketInterface::None;
    flow.looped = true;
    for field in [Field::Uid, Field::Gid] {
        flow.put(field, FieldValue::Absent);
    }
    flow
}

/// Forgets the way out of rewritten packets: it is unknown where routing sends them.
fn route_again(mut flows: Vec<Flow>) -> Vec<Flow> {
    for flow in flows.iter_mut().filter(|flow| flow.rewritten.destination) {
        flow.output = PacketInterface::Unknown;
    }
    flows
}

fn one_hop_less(mut flow: Flow) -> Flow {
    for field in [Field::Ttl, Field::HopLimit] {
        if let FieldValue::Known(left) = flow.get(field) {
            flow.put(field, FieldValue::Known(left.saturating_sub(1)));
        }
    }
    flow
}

/// Whether the packet visits a nat chain: the first one of a connection does. An ICMP error about
/// a connection is rewritten as that was (`nf_nat_ipv4_fn`); what else is RELATED is a first packet.
fn asks_nat(flow: &Flow, hook: Hook) -> Option<bool> {
    if flow.looped || is_already_rewritten(flow, hook) {
        return Some(false);
    }
    match flow.get(Field::CtState) {
        FieldValue::Known(ct_state::NEW) => Some(true),
        FieldValue::Known(ct_state::RELATED) => match flow.get(Field::L4Proto) {
            FieldValue::Known(protocol) => Some(!matches!(protocol, 1 | 58)),
            _ => None,
        },
        FieldValue::Known(_) => Some(false),
        FieldValue::Absent | FieldValue::Unknown => None,
    }
}

/// Once one nat chain has fixed an end, the others of the hook are not traversed.
fn is_already_rewritten(flow: &Flow, hook: Hook) -> bool {
    match hook {
        Hook::Prerouting | Hook::Output => flow.rewritten.destination,
        _ => flow.rewritten.source,
    }
}

/// Before conntrack a packet has no connection, which both backends call INVALID.
fn hide_connection(mut flow: Flow) -> Flow {
    if !flow.untracked {
        flow.put(Field::CtState, FieldValue::Known(ct_state::INVALID));
    }
    for field in Packet::connection_fields() {
        flow.put(*field, FieldValue::Absent);
    }
    flow
}
