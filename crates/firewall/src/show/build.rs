//! From the model to the picture.

use std::collections::{HashMap, HashSet};

use super::order::{
    CallAt, Calls, ChainAt, Order, Reached, called, groups, named_map, unreached, verdict,
};
use super::picture::{
    Apart, BaseView, Call, ChainView, HookView, Picture, RuleView, Selection, SetView, TableView,
    Way, Why,
};
use super::values::{Most, element};
use super::words::Speaker;
use crate::model::{
    Backend, Base, Chain, ChainKind, Content, Effect, Family, Firewall, Hook, KeyPart, Match,
    Policy, Rule, Set, SetKind, SetRef, Statement, Table, Verdict,
};

/// A text longer than this is cut: the picture says where it stands.
const LONGEST_TEXT: usize = 1000;

/// Draws what is selected of a rule set.
pub fn picture(firewall: &Firewall, selection: &Selection) -> Picture {
    let tables = &firewall.tables;
    let chosen = Chosen::new(firewall, selection);
    let calls = Calls::new(tables);
    let mut order = Order::default();
    let mut hooks = Vec::new();
    let mut apart = Vec::new();
    let depth = selection.depth;
    if chosen.chain.is_some() {
        for root in chosen.named_chains(tables) {
            let chain = order.draw(&calls, root, depth);
            apart.push((chain, Why::Selected));
        }
    } else {
        for (layer, hook, roots) in chosen.hooks(tables) {
            let chains = roots.into_iter();
            let chains = chains.map(|root| order.draw(&calls, root, depth)).collect();
            hooks.push(HookView {
                layer,
                hook: hook.word(),
                chains,
            });
        }
        if chosen.hook.is_none() {
            let mut reached = Reached::default();
            for chain in order.chains.clone() {
                calls.reach(chain, &mut reached);
            }
            for (root, why) in unreached(tables, &calls, &mut reached, |at| chosen.fits(at)) {
                let chain = order.draw(&calls, root, depth);
                apart.push((chain, why));
            }
        }
    }
    // What was too deep to be drawn in place is drawn apart, unless that is what was asked for.
    let mut next = 0;
    while let Some(cut) = order.cut.get(next).copied() {
        next += 1;
        if depth.is_none() && !order.at.contains_key(&cut) {
            let chain = order.draw(&calls, cut, None);
            apart.push((chain, Why::Deep));
        }
    }
    let mut apart: Vec<Apart> = apart
        .into_iter()
        .map(|(chain, why)| Apart { chain, why })
        .collect();
    apart.sort_by_key(|it| it.why);
    let builder = Builder::new(firewall, selection.exact, &calls, &order);
    let mut picture = Picture {
        exact: selection.exact,
        tables: Vec::new(),
        hooks,
        apart,
        chains: Vec::with_capacity(order.chains.len()),
        sets: Vec::new(),
        missing: chosen.missing(tables),
    };
    let mut place_of_table = HashMap::new();
    let mut fitting: Vec<usize> = (0..tables.len()).filter(|at| chosen.fits(*at)).collect();
    fitting.sort_by_key(|at| tables.get(*at).map(|table| table.backend));
    for at in fitting {
        place_of_table.insert(at, picture.tables.len());
        picture.tables.extend(tables.get(at).map(table_view));
    }
    let mut uses = Uses::default();
    for at in &order.chains {
        let table = place_of_table.get(&at.0).copied().unwrap_or_default();
        picture.chains.extend(builder.chain(*at, table, &mut uses));
    }
    picture.sets = sets(firewall, &chosen, &uses);
    picture
}

/// The parts of a rule set that a selection leaves.
struct Chosen<'s> {
    tables: Vec<bool>,
    chain: Option<&'s str>,
    ignore_case: bool,
    hook: Option<&'s str>,
    table: Option<&'s str>,
}

impl<'s> Chosen<'s> {
    fn new(firewall: &Firewall, selection: &'s Selection) -> Self {
        let wanted = selection.table.as_deref().map(str::trim);
        let fits = |table: &Table| {
            wanted.is_none_or(|wanted| match wanted.split_once(char::is_whitespace) {
                Some((family, name)) => table.family.word() == family && table.name == name.trim(),
                None => table.name == wanted,
            })
        };
        let tables: Vec<bool> = firewall.tables.iter().map(fits).collect();
        let chain = selection.chain.as_deref();
        let mut names = firewall.tables.iter().flat_map(|table| &table.chains);
        let ignore_case = chain.is_some_and(|wanted| !names.any(|chain| chain.name == wanted));
        Self {
            tables,
            chain,
            ignore_case,
            hook: selection.hook.as_deref(),
            table: wanted,
        }
    }

    fn fits(&self, table: usize) -> bool {
        self.tables.get(table).copied().unwrap_or(false)
    }

    fn fits_hook(&self, base: Option<&Base>) -> bool {
        self.hook
            .is_none_or(|hook| base.is_some_and(|base| base.hook.word().eq_ignore_ascii_case(hook)))
    }

    fn named_chains(&self, tables: &[Table]) -> Vec<ChainAt> {
        let wanted = self.chain.unwrap_or_default();
        let named =
            |name: &str| name == wanted || (self.ignore_case && name.eq_ignore_ascii_case(wanted));
        let mut found = Vec::new();
        for (at, table) in tables.iter().enumerate().filter(|(at, _)| self.fits(*at)) {
            let chains = table.chains.iter().enumerate();
            let chains = chains
                .filter(|(_, chain)| named(&chain.name) && self.fits_hook(chain.base.as_ref()));
            found.extend(chains.map(|(chain, _)| (at, chain)));
        }
        found
    }

    /// The base chains by hook, each hook's by priority.
    fn hooks(&self, tables: &[Table]) -> Vec<(&'static str, Hook, Vec<ChainAt>)> {
        let mut found: Vec<((u8, Hook), i32, ChainAt)> = Vec::new();
        for (at, table) in tables.iter().enumerate().filter(|(at, _)| self.fits(*at)) {
            for (chain, there) in table.chains.iter().enumerate() {
                if let Some(base) = &there.base
                    && !table.dormant
                    && self.fits_hook(Some(base))
                {
                    let key = (layer(table.family, base.hook), base.hook);
                    found.push((key, base.priority, (at, chain)));
                }
            }
        }
        // The sort is stable: what has one priority stays in the order of the texts.
        found.sort_by_key(|(key, priority, _)| (*key, *priority));
        let mut hooks: Vec<(&'static str, Hook, Vec<ChainAt>)> = Vec::new();
        for ((layer, hook), _, chain) in found {
            let layer = LAYERS.get(usize::from(layer)).copied().unwrap_or("ip");
            match hooks.last_mut() {
                Some((last, at, chains)) if (*last, *at) == (layer, hook) => chains.push(chain),
                _ => hooks.push((layer, hook, vec![chain])),
            }
        }
        hooks
    }

    fn missing(&self, tables: &[Table]) -> Vec<String> {
        let mut missing = Vec::new();
        if let Some(wanted) = self.table
            && !self.tables.contains(&true)
        {
            let names = tables
                .iter()
                .map(|table| format!("{} {}", table.family.word(), table.name));
            missing.push(format!("no table is called `{wanted}`{}", there_are(names)));
        }
        if let Some(wanted) = self.chain
            && self.named_chains(tables).is_empty()
        {
            let hook = self
                .hook
                .map_or_else(String::new, |hook| format!(" at the hook `{hook}`"));
            let fitting = tables.iter().enumerate().filter(|(at, _)| self.fits(*at));
            let names = fitting
                .flat_map(|(_, table)| &table.chains)
                .filter(|chain| self.fits_hook(chain.base.as_ref()))
                .map(|chain| chain.name.clone());
            let there_are = there_are(names);
            missing.push(format!("no chain{hook} is called `{wanted}`{there_are}"));
        } else if let Some(wanted) = self.hook
            && self.chain.is_none()
            && self.hooks(tables).is_empty()
        {
            missing.push(format!("no chain stands at a hook `{wanted}`"));
        }
        missing
    }
}

/// `; there are: INPUT,FORWARD`: what could have been meant, each name once.
fn there_are(names: impl Iterator<Item = String>) -> String {
    let mut known = HashSet::new();
    let names: Vec<String> = names.filter(|name| known.insert(name.clone())).collect();
    if names.is_empty() {
        return String::new();
    }
    let total = names.len();
    let list = Most::of(false).join(names.into_iter(), total);
    format!("; there are: {list}")
}

/// In the order in which a packet meets them: on the way in, in a bridge, ARP, IP, on the way out.
const LAYERS: [&str; 5] = ["device", "bridge", "arp", "ip", "device"];

fn layer(family: Family, hook: Hook) -> u8 {
    match (family, hook) {
        (_, Hook::Egress) => 4,
        (_, Hook::Ingress) | (Family::Netdev, _) => 0,
        (Family::Bridge, _) => 1,
        (Family::Arp, _) => 2,
        (Family::Ip | Family::Ip6 | Family::Inet, _) => 3,
    }
}

fn table_view(table: &Table) -> TableView {
    TableView {
        backend: match table.backend {
            Backend::IptablesLegacy => "iptables-legacy",
            Backend::IptablesNft => "iptables-nft",
            Backend::Iptables => "iptables",
            Backend::Nft => "nft",
        },
        family: table.family.word(),
        name: table.name.clone(),
        dormant: table.dormant,
        chains: table.chains.len(),
        rules: table.chains.iter().map(|chain| chain.rules.len()).sum(),
        others: table.others.clone(),
    }
}

/// Which sets the rules name, and how often.
#[derive(Default)]
struct Uses(HashMap<(Option<usize>, u32), usize>);

impl Uses {
    fn add(&mut self, table: usize, set: &SetRef) {
        let key = match set {
            SetRef::Ipset(at) => (None, *at),
            SetRef::Named(at) => (Some(table), *at),
            SetRef::Inline(_) | SetRef::Missing(_) => return,
        };
        *self.0.entry(key).or_default() += 1;
    }

    fn add_rule(&mut self, table: usize, rule: &Rule) {
        for statement in &rule.statements {
            match statement {
                Statement::Match(condition) => self.add_condition(table, condition, 0),
                Statement::Effect(Effect::UpdateSet { set }) => self.add(table, set),
                Statement::VerdictMap(lookup) => self.add(table, &lookup.map),
                Statement::Verdict(Verdict::Nat(nat)) => {
                    if let Some(by_map) = &nat.by_map {
                        self.add(table, &by_map.1);
                    }
                }
                Statement::Effect(_) | Statement::Verdict(_) => {}
            }
        }
    }

    fn add_condition(&mut self, table: usize, condition: &Match, depth: u8) {
        match condition {
            Match::Lookup(lookup) => self.add(table, &lookup.set),
            Match::Any { of, .. } if depth < 8 => {
                for condition in of {
                    self.add_condition(table, condition, depth + 1);
                }
            }
            _ => {}
        }
    }
}

fn sets(firewall: &Firewall, chosen: &Chosen<'_>, uses: &Uses) -> Vec<SetView> {
    let everything = chosen.chain.is_none() && chosen.hook.is_none();
    let any_iptables = firewall
        .tables
        .iter()
        .enumerate()
        .any(|(at, table)| chosen.fits(at) && table.backend.is_iptables());
    let nothing_chosen = everything && chosen.table.is_none();
    let mut views = Vec::new();
    let mut add = |of: String, key: (Option<usize>, u32), set: &Set, all: bool| {
        let uses = uses.0.get(&key).copied().unwrap_or(0);
        if all || uses > 0 {
            views.push(set_view(of, set, uses));
        }
    };
    for (at, set) in (0..).zip(&firewall.ipsets) {
        let all = nothing_chosen || (everything && any_iptables);
        add("ipset".to_owned(), (None, at), set, all);
    }
    for (at, table) in firewall
        .tables
        .iter()
        .enumerate()
        .filter(|(at, _)| chosen.fits(*at))
    {
        for (set_at, set) in (0..).zip(&table.sets) {
            let of = format!("{} {}", table.family.word(), table.name);
            add(of, (Some(at), set_at), set, everything);
        }
    }
    views
}

fn set_view(of: String, set: &Set, uses: usize) -> SetView {
    let (kind, map) = match &set.kind {
        SetKind::Nft { type_name, map } => (type_name.clone(), *map),
        SetKind::Ipset { type_name } => (type_name.clone(), false),
        SetKind::List { .. } => ("list:set".to_owned(), false),
    };
    let elements = match (&set.kind, &set.content) {
        (SetKind::List { members }, _) => Some(members.len()),
        (_, Content::Known(elements) | Content::Dynamic(elements)) => Some(elements.len()),
        (_, Content::Unknown) => None,
    };
    SetView {
        of,
        name: set.name.clone(),
        kind,
        map,
        elements,
        dynamic: matches!(set.content, Content::Dynamic(_)),
        uses,
    }
}

struct Builder<'a> {
    firewall: &'a Firewall,
    most: Most,
    /// The keys of a map are told shortly if the map has a name: the set is listed by itself.
    most_of_named: Most,
    calls: &'a Calls<'a>,
    order: &'a Order,
}

impl<'a> Builder<'a> {
    fn new(firewall: &'a Firewall, exact: bool, calls: &'a Calls<'a>, order: &'a Order) -> Self {
        Self {
            firewall,
            most: Most::of(exact),
            most_of_named: Most::of(false),
            calls,
            order,
        }
    }

    fn chain(&self, at: ChainAt, table: usize, uses: &mut Uses) -> Option<ChainView> {
        let model = self.firewall.tables.get(at.0)?;
        let chain = model.chains.get(at.1)?;
        let speaker = Speaker {
            firewall: self.firewall,
            table: model,
            most: self.most,
        };
        let rules = chain.rules.iter().enumerate();
        Some(ChainView {
            table,
            name: chain.name.clone(),
            base: chain.base.as_ref().map(|base| base_view(base, chain)),
            callers: self.calls.callers(at),
            rules: rules
                .map(|(number, rule)| {
                    uses.add_rule(at.0, rule);
                    self.rule(&speaker, at, number, rule)
                })
                .collect(),
        })
    }

    fn rule(&self, speaker: &Speaker<'_>, chain: ChainAt, at: usize, rule: &Rule) -> RuleView {
        let said = speaker.rule(rule);
        let place = self.firewall.sources.get(usize::from(rule.place.source));
        let text = self.firewall.text(rule.place).trim();
        let counted = rule.counters;
        RuleView {
            number: rule.number,
            handle: rule.handle,
            packets: counted.map(|counted| counted.packets),
            bytes: counted.map(|counted| counted.bytes),
            verdict: said.verdict,
            call: verdict(rule).and_then(|verdict| self.call(speaker, chain, at, 0, verdict)),
            words: said.words,
            comment: rule.comment.clone(),
            ways: self.ways(speaker, chain, at, rule),
            source: place.map(|source| source.name.clone()),
            line: place.map(|source| source.line(rule.place.span.start)),
            text: cut(text),
        }
    }

    fn ways(&self, speaker: &Speaker<'_>, chain: ChainAt, at: usize, rule: &Rule) -> Vec<Way> {
        let named = named_map(rule);
        if named.is_some_and(|map| !self.order.spells_out(map, chain, at)) {
            return Vec::new();
        }
        let lookup = rule
            .statements
            .iter()
            .find_map(|statement| match statement {
                Statement::VerdictMap(lookup) => Some(lookup),
                _ => None,
            });
        let Some(lookup) = lookup else {
            return Vec::new();
        };
        let elements = speaker
            .set(&lookup.map)
            .map_or(&[][..], |set| set.content.elements());
        let most = if named.is_some() {
            self.most_of_named
        } else {
            self.most
        };
        let keys = |which: &[usize], parts: &[KeyPart]| {
            let there = which.iter().filter_map(|at| elements.get(*at));
            most.join(there.map(|it| element(parts, &it.key)), which.len())
        };
        (1..)
            .zip(groups(speaker.table, rule))
            .map(|(way, group)| Way {
                keys: keys(&group.elements, &lookup.key),
                verdict: speaker.short_verdict(group.verdict),
                call: self.call(speaker, chain, at, way, group.verdict),
            })
            .collect()
    }

    fn call(
        &self,
        speaker: &Speaker<'_>,
        from: ChainAt,
        rule: usize,
        way: usize,
        verdict: &Verdict,
    ) -> Option<Call> {
        let chain = called(speaker.table, verdict)?;
        let to = (from.0, chain);
        Some(Call {
            name: speaker.table.chains.get(chain)?.name.clone(),
            chain: self.order.at.get(&to).copied(),
            drawn: self.order.drawn(CallAt { from, rule, way }, to),
        })
    }
}

fn base_view(base: &Base, chain: &Chain) -> BaseView {
    BaseView {
        hook: base.hook.word(),
        priority: base.priority,
        kind: match base.kind {
            ChainKind::Filter => "filter",
            ChainKind::Nat => "nat",
            ChainKind::Route => "route",
        },
        policy: match base.policy {
            Policy::Accept => "accept",
            Policy::Drop => "drop",
        },
        devices: base.devices.clone(),
        packets: chain.policy_counters.map(|counted| counted.packets),
        bytes: chain.policy_counters.map(|counted| counted.bytes),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
