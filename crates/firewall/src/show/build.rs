//! From the model to the picture.

use std::collections::HashMap;

use super::order::{
    CallAt, CallGraph, ChainAt, DrawOrder, ReachedChains, call_groups, called_chain, named_map,
    unreached_chains, verdict,
};
use super::picture::{
    Apart, BaseView, ChainView, DrawnCall, HookView, Picture, RuleView, Selection, TableView, Way,
    WhyApart,
};
use super::select::ChosenTables;
use super::sets::{SetUsers, sets};
use super::values::{MostShown, element_words};
use super::words::RuleSpeaker;
use surefoot_ruleset::model::{
    Backend, Base, Chain, ChainKind, Firewall, KeyPart, Policy, Rule, Statement, Table, Verdict,
};

/// A text longer than this is cut: the picture says where it stands.
const LONGEST_TEXT: usize = 1000;

/// Draws what is selected of a rule set.
pub fn picture(firewall: &Firewall, selection: &Selection) -> Picture {
    let tables = &firewall.tables;
    let chosen = ChosenTables::new(firewall, selection);
    let calls = CallGraph::new(tables);
    let mut order = DrawOrder::default();
    let mut hooks = Vec::new();
    let mut apart = Vec::new();
    let depth = selection.depth;
    if chosen.chain.is_some() {
        for root in chosen.named_chains(tables) {
            let chain = order.draw_chain(&calls, root, depth);
            apart.push((chain, WhyApart::Selected));
        }
    } else {
        for (layer, hook, roots) in chosen.hooks(tables) {
            let chains = roots.into_iter();
            let chains = chains
                .map(|root| order.draw_chain(&calls, root, depth))
                .collect();
            hooks.push(HookView {
                layer,
                hook: hook.word(),
                chains,
            });
        }
        if chosen.hook.is_none() {
            let mut reached = ReachedChains::default();
            for chain in order.chains.clone() {
                calls.reach(chain, &mut reached);
            }
            for (root, why) in unreached_chains(tables, &calls, &mut reached, |at| chosen.fits(at))
            {
                let chain = order.draw_chain(&calls, root, depth);
                apart.push((chain, why));
            }
        }
    }
    // What was too deep to be drawn in place is drawn apart, unless that is what was asked for.
    let mut next = 0;
    while let Some(cut) = order.cut.get(next).copied() {
        next += 1;
        if depth.is_none() && !order.at.contains_key(&cut) {
            let chain = order.draw_chain(&calls, cut, None);
            apart.push((chain, WhyApart::Deep));
        }
    }
    let mut apart: Vec<Apart> = apart
        .into_iter()
        .map(|(chain, why)| Apart { chain, why })
        .collect();
    apart.sort_by_key(|it| it.why);
    let builder = PictureBuilder::new(firewall, selection.exact, &calls, &order);
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
    let mut uses = SetUsers::default();
    for at in &order.chains {
        let table = place_of_table.get(&at.0).copied().unwrap_or_default();
        picture.chains.extend(builder.chain(*at, table, &mut uses));
    }
    picture.sets = sets(firewall, &chosen, &uses);
    picture
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

struct PictureBuilder<'a> {
    firewall: &'a Firewall,
    most: MostShown,
    /// The keys of a map are abbreviated if the map has a name, as the set is listed by itself.
    most_of_named: MostShown,
    calls: &'a CallGraph<'a>,
    order: &'a DrawOrder,
}

impl<'a> PictureBuilder<'a> {
    fn new(
        firewall: &'a Firewall,
        exact: bool,
        calls: &'a CallGraph<'a>,
        order: &'a DrawOrder,
    ) -> Self {
        Self {
            firewall,
            most: MostShown::of(exact),
            most_of_named: MostShown::of(false),
            calls,
            order,
        }
    }

    fn chain(&self, at: ChainAt, table: usize, uses: &mut SetUsers) -> Option<ChainView> {
        let model = self.firewall.tables.get(at.0)?;
        let chain = model.chains.get(at.1)?;
        let speaker = RuleSpeaker {
            firewall: self.firewall,
            table: model,
            most: self.most,
        };
        let rules = chain.rules.iter().enumerate();
        Some(ChainView {
            table,
            name: chain.name.clone(),
            base: chain.base.as_ref().map(|base| base_view(base, chain)),
            callers: self.calls.count_callers(at),
            rules: rules
                .map(|(number, rule)| {
                    uses.add_rule(at.0, rule);
                    self.rule(&speaker, at, number, rule)
                })
                .collect(),
        })
    }

    fn rule(&self, speaker: &RuleSpeaker<'_>, chain: ChainAt, at: usize, rule: &Rule) -> RuleView {
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
            call: verdict(rule).and_then(|verdict| self.call_of(speaker, chain, at, 0, verdict)),
            words: said.words,
            comment: rule.comment.clone(),
            ways: self.way_labels(speaker, chain, at, rule),
            source: place.map(|source| source.name.clone()),
            line: place.map(|source| source.line(rule.place.span.start)),
            text: cut_text(text),
        }
    }

    fn way_labels(
        &self,
        speaker: &RuleSpeaker<'_>,
        chain: ChainAt,
        at: usize,
        rule: &Rule,
    ) -> Vec<Way> {
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
            most.join(there.map(|it| element_words(parts, &it.key)), which.len())
        };
        (1..)
            .zip(call_groups(speaker.table, rule))
            .map(|(way, group)| Way {
                keys: keys(&group.elements, &lookup.key),
                verdict: speaker.short_verdict(group.verdict),
                call: self.call_of(speaker, chain, at, way, group.verdict),
            })
            .collect()
    }

    fn call_of(
        &self,
        speaker: &RuleSpeaker<'_>,
        from: ChainAt,
        rule: usize,
        way: usize,
        verdict: &Verdict,
    ) -> Option<DrawnCall> {
        let chain = called_chain(speaker.table, verdict)?;
        let to = (from.0, chain);
        Some(DrawnCall {
            name: speaker.table.chains.get(chain)?.name.clone(),
            chain: self.order.at.get(&to).copied(),
            drawn: self.order.drawn_as(CallAt { from, rule, way }, to),
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

fn cut_text(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
