//! What packets to send: at the edges of what the rules ask for, and a little beside them.

use std::collections::BTreeMap;

use surefoot_netfilter::packet::PacketPath;
use surefoot_ruleset::model::{
    Component, Effect, Element, Field, Firewall, KeyPart, Match, NamePattern, Operand, Range,
    SetRef, Statement, Table, Verdict,
};

use crate::case::{is_list, matches};
use crate::chance::Chance;

/// A packet as far as it is thought of: fields that matter, not yet a packet that can be.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) v6: bool,
    pub(crate) path: PacketPath,
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) fields: BTreeMap<Field, u128>,
}

/// Draws packets for a rule set.
pub(crate) struct Drawer<'a> {
    firewall: &'a Firewall,
    interfaces: Vec<String>,
    /// The edges of everything that the rules compare a field with.
    edges: BTreeMap<Field, Vec<u128>>,
    rules: Vec<At>,
    callers: BTreeMap<(usize, usize), Vec<At>>,
    /// The rules that set a mark.
    setters: Vec<At>,
}

#[derive(Clone, Copy)]
struct At {
    table: usize,
    chain: usize,
    rule: usize,
}

/// How many callers up a rule in a user chain is made reachable.
const DEEPEST: u32 = 6;

impl<'a> Drawer<'a> {
    pub(crate) fn new(firewall: &'a Firewall, interfaces: Vec<String>) -> Self {
        let mut edges: BTreeMap<Field, Vec<u128>> = BTreeMap::new();
        let mut note = |operand: &Operand, range: &Range| {
            let edges = edges.entry(operand.field).or_default();
            edges.extend([range.lo, range.hi]);
            edges.extend(range.lo.checked_sub(1));
            edges.extend(range.hi.checked_add(1));
        };
        for (wanted, table) in matches(firewall) {
            match wanted {
                Match::Field {
                    operand, ranges, ..
                } => {
                    for range in ranges {
                        note(operand, range);
                    }
                }
                Match::Lookup(lookup) => {
                    let table = &firewall.tables[table];
                    for element in elements(firewall, table, &lookup.set) {
                        note_element(&lookup.key, element, &mut note);
                    }
                }
                _ => {}
            }
        }
        let (mut rules, mut callers) = (Vec::new(), BTreeMap::<_, Vec<At>>::new());
        let mut setters = Vec::new();
        for (t, table) in firewall.tables.iter().enumerate() {
            for (c, chain) in table.chains.iter().enumerate() {
                for (r, rule) in chain.rules.iter().enumerate() {
                    let at = At {
                        table: t,
                        chain: c,
                        rule: r,
                    };
                    rules.push(at);
                    for statement in &rule.statements {
                        match statement {
                            Statement::Verdict(Verdict::Jump(to) | Verdict::Goto(to)) => {
                                let to = usize::try_from(to.0).unwrap();
                                callers.entry((t, to)).or_default().push(at);
                            }
                            Statement::Effect(Effect::SetMark { .. } | Effect::CopyMark { .. }) => {
                                setters.push(at);
                            }
                            Statement::VerdictMap(map) => {
                                for element in elements(firewall, table, &map.map) {
                                    note_element(&map.key, element, &mut note);
                                }
                            }
                            _ => {}
                        }
                    }
                }
            }
        }
        Self {
            firewall,
            interfaces,
            edges,
            rules,
            callers,
            setters,
        }
    }

    /// Every edge of these fields.
    pub(crate) fn edges(&self, fields: &[Field]) -> Vec<u128> {
        fields
            .iter()
            .filter_map(|field| self.edges.get(field))
            .flatten()
            .copied()
            .collect()
    }

    /// Draws a packet.
    pub(crate) fn draw(&self, chance: &mut Chance, families: &[bool]) -> Draft {
        let mut draft = Draft {
            v6: *chance.pick(families).unwrap(),
            path: *chance
                .pick(&[PacketPath::Input, PacketPath::Forward, PacketPath::Output])
                .unwrap(),
            input: chance.pick(&self.interfaces).unwrap().clone(),
            output: chance.pick(&self.interfaces).unwrap().clone(),
            fields: BTreeMap::new(),
        };
        for (field, edges) in &self.edges {
            if chance.percent(60) {
                draft.fields.insert(*field, *chance.pick(edges).unwrap());
            }
        }
        // Packets made for one rule reach it; those made for two are where rules meet.
        for _ in 0..2 {
            if chance.percent(60) && !self.rules.is_empty() {
                let at = *chance.pick(&self.rules).unwrap();
                self.aim(at, &mut draft, chance, 0);
            }
        }
        draft
    }

    /// Makes the draft meet a rule, or pass it by a hair.
    fn aim(&self, at: At, draft: &mut Draft, chance: &mut Chance, depth: u32) {
        if depth < DEEPEST
            && let Some(callers) = self.callers.get(&(at.table, at.chain))
        {
            let caller = *chance.pick(callers).unwrap();
            self.aim(caller, draft, chance, depth + 1);
        }
        let table = &self.firewall.tables[at.table];
        let rule = &table.chains[at.chain].rules[at.rule];
        // No packet comes in with a mark; an earlier rule must have set it.
        let asks_mark = |statement: &Statement| {
            matches!(statement, Statement::Match(Match::Field { operand, .. })
                if matches!(operand.field, Field::Mark | Field::CtMark))
        };
        if depth < DEEPEST
            && rule.statements.iter().any(asks_mark)
            && let Some(setter) = chance.pick(&self.setters)
        {
            self.aim(*setter, draft, chance, depth + 1);
        }
        for statement in &rule.statements {
            match statement {
                Statement::Match(wanted) => self.meet(table, wanted, draft, chance),
                Statement::VerdictMap(map) => {
                    let elements = elements(self.firewall, table, &map.map);
                    if let Some(element) = chance.pick(&elements) {
                        self.meet_element(&map.key, element, draft, chance);
                    }
                }
                _ => {}
            }
        }
    }

    fn meet(&self, table: &Table, wanted: &Match, draft: &mut Draft, chance: &mut Chance) {
        match wanted {
            Match::Field {
                operand,
                negated,
                ranges,
            } => {
                if let Some(range) = chance.pick(ranges) {
                    put(draft, *operand, *range, *negated, chance);
                }
            }
            Match::InInterface { negated, names } => {
                if let Some(name) = self.interface(names, *negated, chance) {
                    draft.input = name;
                }
            }
            Match::OutInterface { negated, names } => {
                if let Some(name) = self.interface(names, *negated, chance) {
                    draft.output = name;
                }
            }
            Match::Lookup(lookup) => {
                let elements = elements(self.firewall, table, &lookup.set);
                if let Some(element) = chance.pick(&elements) {
                    self.meet_element(&lookup.key, element, draft, chance);
                }
            }
            Match::Any { of, .. } => {
                if let Some(one) = chance.pick(of) {
                    self.meet(table, one, draft, chance);
                }
            }
            Match::Never | Match::Opaque(_) => {}
        }
    }

    fn interface(
        &self,
        names: &[NamePattern],
        negated: bool,
        chance: &mut Chance,
    ) -> Option<String> {
        let fitting: Vec<&String> = self
            .interfaces
            .iter()
            .filter(|name| names.iter().any(|pattern| pattern.matches(name)) != negated)
            .collect();
        chance.pick(&fitting).map(|name| (*name).clone())
    }

    fn meet_element(
        &self,
        key: &[KeyPart],
        element: &Element,
        draft: &mut Draft,
        chance: &mut Chance,
    ) {
        for (part, component) in key.iter().zip(&element.key) {
            match (part, component) {
                (KeyPart::Number(operand), Component::Numbers(range)) => {
                    put(draft, *operand, *range, false, chance);
                }
                (KeyPart::InInterface, Component::Name(name)) => {
                    if let Some(name) = self.interface(std::slice::from_ref(name), false, chance) {
                        draft.input = name;
                    }
                }
                (KeyPart::OutInterface, Component::Name(name)) => {
                    if let Some(name) = self.interface(std::slice::from_ref(name), false, chance) {
                        draft.output = name;
                    }
                }
                _ => {}
            }
        }
    }
}

/// Puts an end of the range into the field, or a value next to it; with `outside` mostly next to it.
fn put(draft: &mut Draft, operand: Operand, range: Range, outside: bool, chance: &mut Chance) {
    let beside = chance.percent(25) != outside;
    let low = chance.percent(50);
    let value = match (beside, low) {
        (false, true) => range.lo,
        (false, false) => range.hi,
        (true, true) => range.lo.wrapping_sub(1),
        (true, false) => range.hi.wrapping_add(1),
    };
    let mut operand = operand;
    operand.field = of_first_packet(operand.field);
    // Bits that the rule does not look at may be anything.
    let old = if chance.percent(50) {
        u128::from(chance.next()) & domain(operand.field)
    } else {
        draft.fields.get(&operand.field).copied().unwrap_or(0)
    };
    let value = match operand.mask {
        None => value,
        Some(mask) => (old & !mask) | (value & mask),
    };
    draft.fields.insert(operand.field, value);
}

fn note_element(key: &[KeyPart], element: &Element, note: &mut impl FnMut(&Operand, &Range)) {
    for (part, component) in key.iter().zip(&element.key) {
        if let (KeyPart::Number(operand), Component::Numbers(range)) = (part, component) {
            note(operand, range);
        }
    }
}

/// The elements of a set, or of all members of a list of sets.
fn elements<'a>(firewall: &'a Firewall, table: &'a Table, set: &'a SetRef) -> Vec<&'a Element> {
    let set = match set {
        SetRef::Ipset(at) => &firewall.ipsets[usize::try_from(*at).unwrap()],
        SetRef::Named(at) => &table.sets[usize::try_from(*at).unwrap()],
        SetRef::Inline(set) => set,
        SetRef::Missing(_) => return Vec::new(),
    };
    if is_list(&set.kind)
        && let surefoot_ruleset::model::SetKind::List { members } = &set.kind
    {
        return members
            .iter()
            .flat_map(|member| elements(firewall, table, member))
            .collect();
    }
    set.content.elements().iter().collect()
}

/// In the first packet of a connection, what conntrack remembers is what the packet says.
fn of_first_packet(field: Field) -> Field {
    match field {
        Field::CtOriginalIp4Src => Field::Ip4Src,
        Field::CtOriginalIp4Dst => Field::Ip4Dst,
        Field::CtOriginalIp6Src => Field::Ip6Src,
        Field::CtOriginalIp6Dst => Field::Ip6Dst,
        Field::CtOriginalSrcPort => Field::SrcPort,
        Field::CtOriginalDstPort => Field::DstPort,
        Field::CtProtocol => Field::L4Proto,
        other => other,
    }
}

/// The bits that a field has, of those that rules mask.
fn domain(field: Field) -> u128 {
    match field {
        Field::TcpFlags | Field::Tos | Field::TrafficClass | Field::IcmpType => 0xff,
        Field::Ip4Src | Field::Ip4Dst => 0xffff_ffff,
        Field::Ip6Src | Field::Ip6Dst => u128::from(u64::MAX),
        _ => 0,
    }
}
