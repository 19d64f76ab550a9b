//! Orders: a line that takes what another, narrower one behind it should get.
//!
//! Only siblings of one kind change places, each in the place of another. Any two of them stand in
//! different halves at exactly one level of halving: swapping all halves of a level at once tests all those
//! pairs with one candidate.

use super::verdict::SearchAnswer;
use super::{BisectSearch, StageEnd, TestOracle, TestOutcome};
use crate::tree::{ConfigEdit, UnitId};

/// Siblings of one kind.
#[derive(Clone)]
struct OrderClass {
    /// All units of the list.
    siblings: Vec<UnitId>,
    /// Those of the kind.
    members: Vec<UnitId>,
}

/// Two neighbouring runs of members that change places.
#[derive(Clone)]
struct HalfSwap {
    class: usize,
    from: usize,
    middle: usize,
    to: usize,
}

/// A first unit, a second, and the edit in which they have changed places.
type FoundOrder = (UnitId, UnitId, ConfigEdit);

impl<O: TestOracle> BisectSearch<'_, O> {
    /// Looks for a unit that cures when it stands elsewhere among its kind.
    pub(super) fn by_order(&mut self) -> Result<Option<SearchAnswer>, StageEnd<O::Stop>> {
        let classes = self.order_classes();
        for level in 0..usize::BITS {
            let swaps = swaps_at(&classes, level);
            if swaps.is_empty() {
                break;
            }
            if let Some(swap) = self.find_swap(&classes, &swaps)?
                && let Some((first, second, edit)) = self.narrow(&classes, &swap)?
            {
                return Ok(Some(self.judge_order(first, second, edit)));
            }
        }
        Ok(None)
    }

    /// Whether a unit that cures when it goes also cures when it only stands elsewhere.
    pub(super) fn order_of(
        &mut self,
        unit: UnitId,
    ) -> Result<Option<FoundOrder>, StageEnd<O::Stop>> {
        let siblings = self.tree.siblings(unit);
        let class = self.class_of(unit, siblings);
        let Some(at) = class.members.iter().position(|member| *member == unit) else {
            return Ok(None);
        };
        if let Some(found) = self.shift_back(&class, at)? {
            return Ok(Some(found));
        }
        self.shift_forward(&class, at)
    }

    /// Whether two units, each of which cures when it goes, also cure in the other order.
    pub(super) fn order_between(
        &mut self,
        one: UnitId,
        other: UnitId,
    ) -> Result<Option<FoundOrder>, StageEnd<O::Stop>> {
        let siblings = self.tree.siblings(one);
        let class = self.class_of(one, siblings);
        let place = |unit| class.members.iter().position(|member| *member == unit);
        let (Some(from), Some(to)) = (place(one), place(other)) else {
            return Ok(None);
        };
        let edit = class.moved(from, to);
        Ok((self.ask(&edit)? == TestOutcome::Fine).then_some((one, other, edit)))
    }

    /// The shortest way back that cures.
    fn shift_back(
        &mut self,
        class: &OrderClass,
        at: usize,
    ) -> Result<Option<FoundOrder>, StageEnd<O::Stop>> {
        let last = class.members.len() - 1;
        if at == last || self.ask(&class.moved(at, last))? != TestOutcome::Fine {
            return Ok(None);
        }
        let place = self.nearest_cure(class, at, last)?;
        let edit = class.moved(at, place);
        Ok(Some((class.members[at], class.members[place], edit)))
    }

    /// The shortest way to the front that cures.
    fn shift_forward(
        &mut self,
        class: &OrderClass,
        at: usize,
    ) -> Result<Option<FoundOrder>, StageEnd<O::Stop>> {
        if at == 0 || self.ask(&class.moved(at, 0))? != TestOutcome::Fine {
            return Ok(None);
        }
        let place = self.nearest_cure(class, at, 0)?;
        let edit = class.moved(at, place);
        Ok(Some((class.members[place], class.members[at], edit)))
    }

    /// The place nearest to a unit's own, towards one that is known to cure, that cures.
    fn nearest_cure(
        &mut self,
        class: &OrderClass,
        at: usize,
        cures: usize,
    ) -> Result<usize, StageEnd<O::Stop>> {
        let (mut symptom, mut fine) = (at, cures);
        while symptom.abs_diff(fine) > 1 {
            let middle = usize::midpoint(symptom, fine);
            if self.ask(&class.moved(at, middle))? == TestOutcome::Fine {
                fine = middle;
            } else {
                symptom = middle;
            }
        }
        Ok(fine)
    }

    fn class_of(&self, unit: UnitId, siblings: Vec<UnitId>) -> OrderClass {
        let kind = kind_of(&self.tree.unit(unit).word);
        let members = siblings.iter().copied();
        OrderClass {
            members: members
                .filter(|other| kind_of(&self.tree.unit(*other).word) == kind)
                .collect(),
            siblings,
        }
    }

    fn order_classes(&self) -> Vec<OrderClass> {
        let mut classes = Vec::new();
        for siblings in self.tree.sibling_lists() {
            if siblings
                .iter()
                .any(|id| self.tree.files[self.tree.unit(*id).file].is_fixed)
            {
                continue;
            }
            let mut seen: Vec<String> = Vec::new();
            for unit in &siblings {
                let kind = kind_of(&self.tree.unit(*unit).word);
                if seen.contains(&kind) {
                    continue;
                }
                seen.push(kind);
                let class = self.class_of(*unit, siblings.clone());
                if class.members.len() > 1 {
                    classes.push(class);
                }
            }
        }
        classes
    }

    /// One swap that cures by itself, of several.
    fn find_swap(
        &mut self,
        classes: &[OrderClass],
        swaps: &[HalfSwap],
    ) -> Result<Option<HalfSwap>, StageEnd<O::Stop>> {
        let outcome = self.ask(&edit_of(classes, swaps))?;
        match swaps {
            [] => return Ok(None),
            [swap] => return Ok((outcome == TestOutcome::Fine).then(|| swap.clone())),
            _ if outcome == TestOutcome::Symptom => return Ok(None),
            _ => {}
        }
        let (first, second) = swaps.split_at(swaps.len() / 2);
        match self.find_swap(classes, first)? {
            Some(swap) => Ok(Some(swap)),
            None => self.find_swap(classes, second),
        }
    }

    /// From two halves to two units.
    fn narrow(
        &mut self,
        classes: &[OrderClass],
        swap: &HalfSwap,
    ) -> Result<Option<FoundOrder>, StageEnd<O::Stop>> {
        let class = &classes[swap.class];
        // One of the first half has to stand behind one of the second.
        let mut runs = vec![(swap.from, swap.middle)];
        while let Some((from, to)) = runs.pop() {
            let edit = class.run_moved(from, to, swap.to);
            if self.ask(&edit)? != TestOutcome::Fine {
                continue;
            }
            if to - from == 1 {
                return self.shift_back_within(class, from, swap.to - 1);
            }
            let middle = from + (to - from) / 2;
            runs.push((middle, to));
            runs.push((from, middle));
        }
        Ok(None)
    }

    /// The shortest way back for one that is known to cure behind another.
    fn shift_back_within(
        &mut self,
        class: &OrderClass,
        at: usize,
        behind: usize,
    ) -> Result<Option<FoundOrder>, StageEnd<O::Stop>> {
        let place = self.nearest_cure(class, at, behind)?;
        let edit = class.moved(at, place);
        if self.ask(&edit)? != TestOutcome::Fine {
            return Ok(None);
        }
        Ok(Some((class.members[at], class.members[place], edit)))
    }
}

impl OrderClass {
    /// One member in the place of another, those between them moved up.
    fn moved(&self, from: usize, to: usize) -> ConfigEdit {
        let mut order = self.members.clone();
        let unit = order.remove(from);
        order.insert(to, unit);
        self.edit(&order)
    }

    /// A run of members behind those up to `end`.
    fn run_moved(&self, from: usize, to: usize, end: usize) -> ConfigEdit {
        let mut order = self.members.clone();
        order[from..end].rotate_left(to - from);
        self.edit(&order)
    }

    fn edit(&self, order: &[UnitId]) -> ConfigEdit {
        ConfigEdit::reordered(&self.siblings, self.placed(&self.siblings, order))
    }

    /// An order of the siblings with the members' places filled by `order`.
    fn placed(&self, siblings: &[UnitId], order: &[UnitId]) -> Vec<UnitId> {
        let mut next = order.iter();
        let mut filled = siblings.to_vec();
        for unit in &mut filled {
            if self.members.contains(unit)
                && let Some(chosen) = next.next()
            {
                *unit = *chosen;
            }
        }
        filled
    }
}

/// All swaps of halves at a level of halving.
fn swaps_at(classes: &[OrderClass], level: u32) -> Vec<HalfSwap> {
    let mut swaps = Vec::new();
    for (class, OrderClass { members, .. }) in classes.iter().enumerate() {
        let mut runs = vec![(0, members.len())];
        for _ in 0..level {
            runs = runs
                .into_iter()
                .filter(|(from, to)| to - from > 1)
                .flat_map(|(from, to)| {
                    let middle = from + (to - from) / 2;
                    [(from, middle), (middle, to)]
                })
                .collect();
        }
        let runs = runs.into_iter().filter(|(from, to)| to - from > 1);
        swaps.extend(runs.map(|(from, to)| HalfSwap {
            class,
            from,
            middle: from + (to - from) / 2,
            to,
        }));
    }
    swaps
}

/// The edit that makes several swaps.
fn edit_of(classes: &[OrderClass], swaps: &[HalfSwap]) -> ConfigEdit {
    let mut edit = ConfigEdit::default();
    for (number, class) in classes.iter().enumerate() {
        let mut order = class.members.clone();
        for swap in swaps.iter().filter(|swap| swap.class == number) {
            order[swap.from..swap.to].rotate_left(swap.middle - swap.from);
        }
        if order == class.members {
            continue;
        }
        let Some(first) = class.siblings.first() else {
            continue;
        };
        let so_far = edit.orders.get(first).unwrap_or(&class.siblings).clone();
        edit.reorder(&class.siblings, class.placed(&so_far, &order));
    }
    edit
}

/// The kind of a statement: what has the same first word, or decides about the same thing.
fn kind_of(word: &str) -> String {
    let word = word.to_ascii_lowercase();
    match &*word {
        "allow" | "deny" | "permit" => "allow or deny".to_owned(),
        "rewriterule" | "rewritecond" => "rewrite".to_owned(),
        "use_backend" | "default_backend" => "backend of a request".to_owned(),
        _ => word,
    }
}
