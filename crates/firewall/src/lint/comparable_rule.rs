//! A rule in a form that is equal for equal rules of two texts.

use surefoot_ruleset::model::{
    Backend, ChainId, Content, Effect, ElementValue, Field, Firewall, Match, Place, Rule, Set,
    SetRef, Statement, Table, Verdict,
};

/// What a rule does, without where it stands: sets are told by their names, and chains by their places
/// in a list of the names that the rule uses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ComparableRule {
    statements: Vec<Statement>,
    chains: Vec<String>,
}

impl ComparableRule {
    pub(super) fn new(firewall: &Firewall, table: &Table, rule: &Rule) -> Self {
        let mut names = NamesOfRule {
            firewall,
            table,
            chains: Vec::new(),
        };
        let mut statements: Vec<Statement> = rule.statements.clone();
        if table.backend == Backend::Nft {
            statements.retain(|statement| !is_implied(statement));
        }
        for statement in &mut statements {
            names.statement(statement);
        }
        if table.backend.is_iptables() {
            // iptables shows the matches of a rule in an order of its own.
            statements.sort();
        }
        Self {
            statements,
            chains: names.chains,
        }
    }
}

/// What nft adds or leaves out of its own accord.
fn is_implied(statement: &Statement) -> bool {
    match statement {
        Statement::Match(Match::Field { operand, .. }) => matches!(
            operand.field,
            Field::L4Proto | Field::NfProto | Field::EtherType
        ),
        Statement::Effect(Effect::Other { .. }) => true,
        _ => false,
    }
}

/// Puts names where the model has indices, and leaves out words that say nothing more.
struct NamesOfRule<'a> {
    firewall: &'a Firewall,
    table: &'a Table,
    chains: Vec<String>,
}

impl NamesOfRule<'_> {
    fn statement(&mut self, statement: &mut Statement) {
        match statement {
            Statement::Match(wanted) => self.match_of(wanted),
            Statement::Effect(Effect::UpdateSet { set, text }) => {
                text.clear();
                self.set_ref(set);
            }
            Statement::Effect(_) => {}
            Statement::Verdict(verdict) => self.verdict(verdict),
            Statement::VerdictMap(lookup) => self.set_ref(&mut lookup.map),
        }
    }

    fn match_of(&mut self, wanted: &mut Match) {
        match wanted {
            Match::Lookup(lookup) => self.set_ref(&mut lookup.set),
            Match::Any { of, .. } => of.iter_mut().for_each(|one| self.match_of(one)),
            _ => {}
        }
    }

    fn verdict(&mut self, verdict: &mut Verdict) {
        match verdict {
            Verdict::Jump(to) | Verdict::Goto(to) => *to = self.chain(*to),
            Verdict::Reject { with } if self.table.backend == Backend::Nft => with.clear(),
            Verdict::Nat(nat) => {
                nat.text.clear();
                if let Some(map) = &mut nat.by_map {
                    self.set_ref(&mut map.1);
                }
            }
            _ => {}
        }
    }

    fn chain(&mut self, to: ChainId) -> ChainId {
        let chain = usize::try_from(to.0).ok();
        let chain = chain.and_then(|at| self.table.chains.get(at));
        self.chains
            .push(chain.map_or_else(String::new, |chain| chain.name.clone()));
        ChainId(u32::try_from(self.chains.len()).unwrap_or(u32::MAX))
    }

    fn set_ref(&mut self, set: &mut SetRef) {
        let named = |sets: &[Set], at: u32| {
            let set = usize::try_from(at).ok().and_then(|at| sets.get(at));
            SetRef::Missing(set.map_or_else(String::new, |set| set.name.clone()))
        };
        match set {
            SetRef::Ipset(at) => *set = named(&self.firewall.ipsets, *at),
            SetRef::Named(at) => *set = named(&self.table.sets, *at),
            SetRef::Missing(_) => {}
            SetRef::Inline(set) => self.inline(set),
        }
    }

    fn inline(&mut self, set: &mut Set) {
        set.name.clear();
        set.place = Place::default();
        if let Content::Known(elements) | Content::Dynamic(elements) = &mut set.content {
            // The keys of a set differ, so that they alone decide the order.
            elements.sort();
            for element in elements {
                if let Some(ElementValue::Verdict(verdict)) = &mut element.value {
                    self.verdict(verdict);
                }
            }
        }
    }
}
