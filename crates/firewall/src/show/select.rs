//! The part of a rule set that is selected.

use std::collections::HashSet;

use super::order::ChainAt;
use super::picture::Selection;
use super::values::MostShown;
use surefoot_ruleset::model::{Base, Family, Firewall, Hook, Table};

/// The parts of a rule set that a selection leaves.
pub(super) struct ChosenTables<'s> {
    tables: Vec<bool>,
    pub(super) chain: Option<&'s str>,
    ignore_case: bool,
    pub(super) hook: Option<&'s str>,
    pub(super) table: Option<&'s str>,
}

impl<'s> ChosenTables<'s> {
    pub(super) fn new(firewall: &Firewall, selection: &'s Selection) -> Self {
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

    pub(super) fn fits(&self, table: usize) -> bool {
        self.tables.get(table).copied().unwrap_or(false)
    }

    fn fits_hook(&self, base: Option<&Base>) -> bool {
        self.hook
            .is_none_or(|hook| base.is_some_and(|base| base.hook.word().eq_ignore_ascii_case(hook)))
    }

    pub(super) fn named_chains(&self, tables: &[Table]) -> Vec<ChainAt> {
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
    pub(super) fn hooks(&self, tables: &[Table]) -> Vec<(&'static str, Hook, Vec<ChainAt>)> {
        let mut found: Vec<((u8, Hook), i32, ChainAt)> = Vec::new();
        for (at, table) in tables.iter().enumerate().filter(|(at, _)| self.fits(*at)) {
            for (chain, there) in table.chains.iter().enumerate() {
                if let Some(base) = &there.base
                    && !table.dormant
                    && self.fits_hook(Some(base))
                {
                    let key = (layer_of(table.family, base.hook), base.hook);
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

    pub(super) fn missing(&self, tables: &[Table]) -> Vec<String> {
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
            let fitting = tables.iter().enumerate().filter(|(at, _)| self.fits(*at));
            let bases = fitting
                .flat_map(|(_, table)| &table.chains)
                .filter_map(|chain| chain.base.as_ref());
            let there_are = there_are(bases.map(|base| base.hook.word().to_owned()));
            missing.push(format!("no chain stands at a hook `{wanted}`{there_are}"));
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
    let list = MostShown::of(false).join(names.into_iter(), total);
    format!("; there are: {list}")
}

/// In the order in which a packet traverses them: on the way in, in a bridge, ARP, IP, on the way
/// out.
const LAYERS: [&str; 5] = ["device", "bridge", "arp", "ip", "device"];

fn layer_of(family: Family, hook: Hook) -> u8 {
    match (family, hook) {
        (_, Hook::Egress) => 4,
        (_, Hook::Ingress) | (Family::Netdev, _) => 0,
        (Family::Bridge, _) => 1,
        (Family::Arp, _) => 2,
        (Family::Ip | Family::Ip6 | Family::Inet, _) => 3,
    }
}
