//! The sets that the rules shown can name.

use std::collections::HashMap;

use super::picture::SetView;
use super::select::ChosenTables;
use surefoot_ruleset::model::{
    Content, Effect, Firewall, Match, Rule, Set, SetKind, SetRef, Statement, Verdict,
};

/// Which sets the rules name, and how often.
#[derive(Default)]
pub(super) struct SetUsers(HashMap<(Option<usize>, u32), usize>);

impl SetUsers {
    fn add(&mut self, table: usize, set: &SetRef) {
        let key = match set {
            SetRef::Ipset(at) => (None, *at),
            SetRef::Named(at) => (Some(table), *at),
            SetRef::Inline(_) | SetRef::Missing(_) => return,
        };
        *self.0.entry(key).or_default() += 1;
    }

    pub(super) fn add_rule(&mut self, table: usize, rule: &Rule) {
        for statement in &rule.statements {
            match statement {
                Statement::Match(condition) => self.add_condition(table, condition, 0),
                Statement::Effect(Effect::UpdateSet { set, .. }) => self.add(table, set),
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

pub(super) fn sets(
    firewall: &Firewall,
    chosen: &ChosenTables<'_>,
    uses: &SetUsers,
) -> Vec<SetView> {
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
