//! The walk through hooks, base chains, rules and jumps.

use std::collections::BTreeSet;

use super::bases::{
    BaseAt, ChainOrder, LoadOrder, base_chains, bridge_chains, can_do_nothing, has_flowtable, sees,
};
use super::flow::{DecidedBy, Flow, merge_flows};
use super::index::{FlowHull, RuleBlock, RuleIndex};
use super::route::interface_to;
use super::rule::CallDepth;
use super::{
    Assumptions, Decider, End, Evaluation, EventKind, ObservedMatch, Outcome, RecordLevel,
    TraceEvent,
};
use crate::Surroundings;
use crate::packet::{FieldValue, Packet, PacketInterface, PacketPath, route_to, to_address};
use surefoot_ruleset::model::RuleAt;
use surefoot_ruleset::model::{
    Backend, Base, ChainKind, Field, Firewall, Hook, Policy, ct_state, ct_status,
};

/// Rules that nearly matched and are recorded in one chain.
const MOST_NEAR: usize = 8;
/// Rules, times the flows that look at them, before the walk gives up and says so.
const MOST_STEPS: u64 = 1_000_000;
/// What it costs to go into a chain, in such steps.
const STEPS_OF_A_CALL: u64 = 256;
/// Events that are kept; a longer way is not for people.
const MOST_EVENTS: usize = 100_000;
/// Flows that are kept apart for the sake of who decided.
pub(super) const MOST_FLOWS: usize = 32;
/// Flows at which the walk gives up and says so.
const TOO_MANY_FLOWS: usize = 4096;
/// `NFT_JUMP_STACK_SIZE`.
pub(crate) const DEEPEST_JUMP: u32 = 16;
/// Jumps and gotos together; only a loop of gotos gets there.
pub(crate) const DEEPEST: u32 = 128;

/// Follows a settled packet through the rules.
pub fn evaluate(
    firewall: &Firewall,
    index: &RuleIndex,
    surroundings: &Surroundings,
    packet: &Packet,
    record: RecordLevel,
) -> Evaluation {
    let supposed = Assumptions::default();
    evaluate_supposing(firewall, index, surroundings, packet, record, &supposed)
}

/// Follows a settled packet through the rules as they would be.
pub fn evaluate_supposing(
    firewall: &Firewall,
    index: &RuleIndex,
    surroundings: &Surroundings,
    packet: &Packet,
    record: RecordLevel,
    supposed: &Assumptions,
) -> Evaluation {
    let walk = |as_read| {
        let mut walk = PacketWalk {
            firewall,
            index,
            surroundings,
            packet,
            record,
            supposed,
            mixed: false,
            as_read,
            order_unknown: false,
            steps: 0,
            exhausted: false,
            outcomes: BTreeSet::new(),
            events: Vec::new(),
            notes: Vec::new(),
            several_ways: false,
            place: WalkPosition {
                hook: Hook::Prerouting,
                kind: ChainKind::Filter,
            },
        };
        walk.run();
        walk
    };
    let mut answer = walk(true);
    if answer.order_unknown {
        let other = walk(false);
        answer.outcomes.extend(other.outcomes);
        answer.several_ways = true;
        for note in other.notes {
            answer.note(note);
        }
    }
    let mut notes = packet.notes.clone();
    notes.extend(answer.notes);
    notes.dedup();
    Evaluation {
        outcomes: answer.outcomes.into_iter().collect(),
        events: answer.events,
        notes,
        several_ways: answer.several_ways,
        steps: answer.steps,
    }
}

pub(super) struct PacketWalk<'a> {
    pub(super) firewall: &'a Firewall,
    index: &'a RuleIndex,
    pub(super) surroundings: &'a Surroundings,
    packet: &'a Packet,
    pub(super) record: RecordLevel,
    pub(super) supposed: &'a Assumptions,
    /// Whether several flows look at the rule, so that one that fails tells something, too.
    pub(super) mixed: bool,
    /// Whether what was read first is taken to have been loaded first.
    as_read: bool,
    /// Whether chains met whose order nothing tells.
    order_unknown: bool,
    steps: u64,
    exhausted: bool,
    outcomes: BTreeSet<Outcome>,
    events: Vec<TraceEvent>,
    notes: Vec<String>,
    several_ways: bool,
    pub(super) place: WalkPosition,
}

#[derive(Clone, Copy)]
pub(super) struct WalkPosition {
    pub(super) hook: Hook,
    kind: ChainKind,
}

/// What is left after a rule or a chain.
#[derive(Default)]
pub(super) struct WalkRest {
    /// Goes on with the next rule, or with the caller.
    pub(super) on: Vec<Flow>,
    /// Left this base chain by accept.
    pub(super) accepted: Vec<Flow>,
    /// RETURN: leaves this chain.
    pub(super) returned: Vec<Flow>,
}

impl PacketWalk<'_> {
    fn run(&mut self) {
        let flow = vec![Flow::new(self.packet)];
        if self.packet.path == PacketPath::Output {
            let flows = self.walk_established(flow, Hook::Output);
            let mut flows = self.walk_hook(Hook::Output, flows);
            for flow in flows.iter_mut().filter(|flow| flow.rewritten.destination) {
                // It is routed again (`nf_nat_ipv4_local_fn`).
                flow.output = PacketInterface::Unknown;
            }
            let flows = self.walk_hook(Hook::Postrouting, flows);
            let flows = self.walk_hook(Hook::Egress, flows);
            self.walk_bridge(&flows, &[Hook::Output, Hook::Postrouting]);
            return self.pass(flows);
        }
        let flow = self.walk_hook(Hook::Ingress, flow);
        let flows = self.walk_established(flow, Hook::Prerouting);
        let flows = self.at_prerouting(flows);
        let (mut input, mut forward) = (Vec::new(), Vec::new());
        for flow in flows {
            let (here, through) = self.possible_ways(&flow);
            if here {
                let mut flow = flow.clone();
                flow.output = PacketInterface::None;
                input.push(flow);
            }
            if through {
                forward.push(flow);
            }
        }
        let input = self.walk_hook(Hook::Input, input);
        self.walk_bridge(&input, &[Hook::Prerouting, Hook::Input]);
        self.pass(input);
        if forward.is_empty() {
            return;
        }
        let setting = if self.packet.is_v6() {
            "net.ipv6.conf.all.forwarding"
        } else {
            "net.ipv4.ip_forward"
        };
        match self
            .surroundings
            .sysctls
            .get(setting)
            .map(|value| value.trim())
        {
            Some("0") => {
                self.note(format!(
                    "{setting} is 0: routing drops the packet before the forward hook"
                ));
                for flow in forward {
                    self.end(&flow, End::Dropped, Decider::Kernel);
                }
                return;
            }
            Some(_) => {}
            None => self.note(format!(
                "{setting} is unknown; taken as 1, as nothing is forwarded otherwise"
            )),
        }
        let forward: Vec<Flow> = forward
            .into_iter()
            .filter_map(|flow| self.one_hop_less(flow))
            .collect();
        self.walk_flowtable(&forward);
        let forward = self.walk_hook(Hook::Forward, forward);
        let forward = self.walk_hook(Hook::Postrouting, forward);
        let forward = self.walk_hook(Hook::Egress, forward);
        let around = [
            Hook::Prerouting,
            Hook::Input,
            Hook::Output,
            Hook::Postrouting,
        ];
        self.walk_bridge(&forward, &around);
        self.pass(forward);
    }

    /// Frames that come or leave by a bridge meet rules that are not followed.
    fn walk_bridge(&mut self, flows: &[Flow], hooks: &[Hook]) {
        if flows.is_empty() || !bridge_chains(self.firewall, hooks) {
            return;
        }
        self.note("rules for frames (`table bridge`) are not followed: if the packet comes or leaves by a bridge, they decide too".into());
        for flow in flows {
            self.end(flow, End::Unknown, Decider::Kernel);
        }
    }

    /// Once a flow is in a flowtable, its packets no longer meet the forward hook
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

    /// Routing takes one off the time to live before the forward hook (`ip_forward`,
    /// `ip6_forward`), and drops what has no more than one.
    fn one_hop_less(&mut self, mut flow: Flow) -> Option<Flow> {
        let v6 = self.packet.is_v6();
        let field = if v6 { Field::HopLimit } else { Field::Ttl };
        if let FieldValue::Known(left) = flow.get(field) {
            if left <= 1 {
                self.note(
                    "the packet has no hop left: routing drops it before the forward hook".into(),
                );
                self.end(&flow, End::Dropped, Decider::Kernel);
                return None;
            }
            flow.put(field, FieldValue::Known(left - 1));
        }
        Some(flow)
    }

    /// The outgoing interface is not yet known at prerouting.
    fn at_prerouting(&mut self, flows: Vec<Flow>) -> Vec<Flow> {
        let flows = flows
            .into_iter()
            .map(|mut flow| {
                flow.output = PacketInterface::None;
                flow
            })
            .collect();
        let mut flows = self.walk_hook(Hook::Prerouting, flows);
        for flow in &mut flows {
            flow.output = if flow.rewritten.destination {
                self.out_interface(flow)
            } else {
                self.packet.output.clone()
            };
        }
        flows
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

    /// A packet of a connection that was set up earlier is rewritten as that was, without the
    /// rules being asked; if there are such rules, both readings are followed.
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

    pub(super) fn end(&mut self, flow: &Flow, end: End, by: Decider) {
        self.outcomes.insert(Outcome {
            end,
            by,
            hangs: flow.hangs.clone(),
        });
    }

    pub(super) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Notes that a fact is unknown, and that the packet was followed whichever way it is.
    fn note_several_ways(&mut self, note: String) {
        self.several_ways = true;
        self.note(note);
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
        for base in bases {
            if flows.is_empty() {
                break;
            }
            let BaseAt {
                early,
                table: t,
                chain: c,
                kind,
                policy,
            } = base;
            self.place = WalkPosition { hook, kind };
            let elsewhere;
            (flows, elsewhere) = self.on_device(t, c, flows);
            flows = if early {
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
            flows.extend(elsewhere);
            flows = merge_flows(flows, MOST_FLOWS);
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

    fn base_chain(&mut self, t: usize, c: usize, policy: Policy, flows: Vec<Flow>) -> Vec<Flow> {
        if flows.is_empty() {
            return flows;
        }
        let backend = self.firewall.tables[t].backend;
        let flows = flows
            .into_iter()
            .map(|flow| read_fragment(flow, backend))
            .collect();
        let rest = self.walk_chain(t, c, flows, CallDepth { jumps: 0, all: 0 });
        let mut passed = rest.accepted;
        let by = Decider::Policy { table: t, chain: c };
        if !rest.on.is_empty() {
            self.record_event(t, c, None, EventKind::Policy, 0, Vec::new());
        }
        let supposed = self.supposed.policies.get(&(t, c));
        let policy = supposed.copied().unwrap_or(policy);
        for mut flow in rest.on {
            match policy {
                Policy::Accept => {
                    self.decide_by(&mut flow, by);
                    passed.push(flow);
                }
                Policy::Drop => self.end(&flow, End::Dropped, by),
            }
        }
        passed
    }

    pub(super) fn decide_by(&self, flow: &mut Flow, by: Decider) {
        let main = matches!(self.place.hook, Hook::Input | Hook::Forward | Hook::Output)
            && self.place.kind == ChainKind::Filter;
        let rule = matches!(by, Decider::Rule(_));
        let weight = u8::from(main) * 2 + u8::from(rule);
        if flow
            .decided
            .as_ref()
            .is_none_or(|decided| decided.weight <= weight)
        {
            flow.decided = Some(DecidedBy { weight, by });
        }
    }

    pub(super) fn record_event(
        &mut self,
        table: usize,
        chain: usize,
        rule: Option<usize>,
        what: EventKind,
        depth: u32,
        saw: Vec<ObservedMatch>,
    ) {
        if self.record == RecordLevel::Nothing || self.events.len() > MOST_EVENTS {
            return;
        }
        if self.events.len() == MOST_EVENTS {
            self.note("the way is too long to be shown in full".into());
        }
        self.events.push(TraceEvent {
            hook: self.place.hook,
            table,
            chain,
            rule,
            what,
            depth,
            saw,
        });
    }

    /// Runs a chain; `on` and RETURN both leave it by its end.
    pub(super) fn walk_chain(
        &mut self,
        t: usize,
        c: usize,
        mut flows: Vec<Flow>,
        depth: CallDepth,
    ) -> WalkRest {
        let mut rest = WalkRest::default();
        self.steps += STEPS_OF_A_CALL;
        let firewall = self.firewall;
        let chain = &firewall.tables[t].chains[c];
        let mut ended = Vec::new();
        let mut at = 0;
        let mut near = MOST_NEAR;
        let mut room = TOO_MANY_FLOWS;
        let mut block = RuleBlock::new();
        let mut questions: Vec<FlowHull> = flows.iter().map(FlowHull::new).collect();
        while !flows.is_empty() && at < chain.rules.len() {
            if self.record != RecordLevel::All {
                let next = self.index.next(t, c, at, &questions, &mut block);
                if self.record == RecordLevel::Mattered {
                    let last = next.unwrap_or(chain.rules.len());
                    self.near_misses((t, c, at..last), &flows, &questions, depth, &mut near);
                }
                match next {
                    Some(next) => at = next,
                    None => break,
                }
            }
            self.steps += u64::try_from(flows.len()).unwrap_or(u64::MAX);
            if self.steps > MOST_STEPS || flows.len() > TOO_MANY_FLOWS {
                self.give_up(&flows);
                return rest;
            }
            let here = RuleAt {
                table: t,
                chain: c,
                rule: at,
            };
            if flows.iter().all(|flow| self.fails_at_once(here, flow)) {
                if self.record != RecordLevel::Nothing && !self.supposed.without.contains(&here) {
                    for flow in &flows {
                        self.record_failed(here, flow, depth);
                    }
                }
                at += 1;
                continue;
            }
            let before = flows.len();
            let after = self.walk_rule(here, flows, depth);
            let changed = before != after.rest.on.len() || after.changed;
            flows = after.rest.on;
            rest.accepted.extend(after.rest.accepted);
            ended.extend(after.rest.returned);
            if rest.accepted.len() > room {
                rest.accepted = merge_flows(rest.accepted, MOST_FLOWS);
                room = TOO_MANY_FLOWS.max(2 * rest.accepted.len());
                if rest.accepted.len() > TOO_MANY_FLOWS {
                    self.give_up(&rest.accepted);
                    self.give_up(&flows);
                    return WalkRest::default();
                }
            }
            if changed {
                flows = merge_flows(flows, MOST_FLOWS);
                questions = flows.iter().map(FlowHull::new).collect();
                block = RuleBlock::new();
            }
            at += 1;
        }
        ended.extend(flows);
        rest.on = merge_flows(ended, MOST_FLOWS);
        rest.accepted = merge_flows(rest.accepted, MOST_FLOWS);
        rest
    }

    /// Records rules that ask for the packet's own port but that it cannot match otherwise.
    fn near_misses(
        &mut self,
        (t, c, mut rules): (usize, usize, std::ops::Range<usize>),
        flows: &[Flow],
        questions: &[FlowHull],
        depth: CallDepth,
        left: &mut usize,
    ) {
        let (Some(flow), Some(question)) = (flows.first(), questions.first()) else {
            return;
        };
        while *left > 0
            && let Some(rule) = self.index.same_port(t, c, rules.clone(), question)
        {
            *left -= 1;
            let at = RuleAt {
                table: t,
                chain: c,
                rule,
            };
            self.record_failed(at, flow, depth);
            rules.start = rule + 1;
        }
    }

    fn give_up(&mut self, flows: &[Flow]) {
        if !self.exhausted {
            self.exhausted = true;
            self.note("too many possible ways through the rules: the search was stopped".into());
        }
        for flow in flows.iter().take(1) {
            self.end(flow, End::Unknown, Decider::Kernel);
        }
    }
}

/// Whether the packet visits a nat chain: the first one of a connection does. An ICMP error about
/// a connection is rewritten as that was (`nf_nat_ipv4_fn`); what else is RELATED is a first packet.
fn asks_nat(flow: &Flow, hook: Hook) -> Option<bool> {
    if is_already_rewritten(flow, hook) {
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

/// Once one nat chain has fixed an end, the others of the hook are not asked.
fn is_already_rewritten(flow: &Flow, hook: Hook) -> bool {
    match hook {
        Hook::Prerouting | Hook::Output => flow.rewritten.destination,
        _ => flow.rewritten.source,
    }
}

/// A fragment that is not the first has no transport header, and `ip_tables` knows that. In
/// `nf_tables` a comparison that the kernel has a short cut for reads the fragment's data as if it
/// were one (seen with 6.18 in `tcp dport 22` and in what `iptables-nft -p tcp --dport 22` makes).
fn read_fragment(mut flow: Flow, backend: Backend) -> Flow {
    if flow.get(Field::IsLaterFragment) != FieldValue::Known(1) {
        return flow;
    }
    let value = if backend == Backend::IptablesLegacy {
        FieldValue::Absent
    } else {
        FieldValue::Unknown
    };
    let v6 = flow.get(Field::NfProto) == FieldValue::Known(10);
    let fields: &[Field] = match flow.get(Field::L4Proto) {
        FieldValue::Known(1) if !v6 => &[Field::IcmpType, Field::IcmpCode],
        FieldValue::Known(58) if v6 => &[Field::Icmp6Type, Field::Icmp6Code],
        FieldValue::Known(6) => &[Field::SrcPort, Field::DstPort, Field::TcpFlags],
        FieldValue::Known(17 | 33 | 132 | 136) => &[Field::SrcPort, Field::DstPort],
        _ => &[],
    };
    for field in fields {
        flow.put(*field, value);
    }
    flow
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
