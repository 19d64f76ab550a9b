//! Several files as one tree of statements and blocks, and what a candidate makes of them.
//!
//! An include is a block: what it includes is below it. A file that is included twice is a root of its
//! own, as a change of it is a change in several places.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Serialize;

use crate::lens::{ConfigLens, ConfigNode, parse_config};

/// A statement or block of a [`ConfigTree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct UnitId(pub usize);

/// A file of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its name.
    pub path: String,
    /// Its content.
    pub text: Vec<u8>,
    /// Its structure.
    pub lens: ConfigLens,
    /// Whether it must stay as it is.
    pub is_fixed: bool,
    /// Whether it stands for a file as a whole: leaving its one unit out means an earlier content.
    pub is_whole: bool,
}

/// A statement or block with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigUnit {
    /// The number of its file.
    pub file: usize,
    /// The bytes that go with it.
    pub span: Range<usize>,
    /// Its first line, from 1.
    pub line: usize,
    /// Its last line.
    pub last_line: usize,
    /// Its first word.
    pub word: String,
    /// The block or include around it.
    pub parent: Option<UnitId>,
    /// What is in it.
    pub children: Vec<UnitId>,
    /// Whether it is a block.
    pub is_block: bool,
    /// Whether it must stay.
    pub is_protected: bool,
    /// Whether it goes with its block only.
    pub goes_with_block: bool,
}

/// What is changed of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigEdit {
    /// What is left out.
    pub deleted: BTreeSet<UnitId>,
    /// New orders of siblings, by the first of them as they stand in the file.
    pub orders: BTreeMap<UnitId, Vec<UnitId>>,
    /// Blocks of which the header goes and the content stays.
    pub unwrapped: BTreeSet<UnitId>,
    /// What is moved out of its block, to the place before it.
    pub lifted: BTreeSet<UnitId>,
}

impl ConfigEdit {
    /// Leaves units out.
    pub fn without(units: impl IntoIterator<Item = UnitId>) -> Self {
        Self {
            deleted: units.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Takes the header of a block away and leaves what is in it.
    pub fn unwrapping(block: UnitId) -> Self {
        Self {
            unwrapped: BTreeSet::from([block]),
            ..Self::default()
        }
    }

    /// Moves units out of their block.
    pub fn lifting(units: impl IntoIterator<Item = UnitId>) -> Self {
        Self {
            lifted: units.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Puts siblings into this order. The order as they stand is no change.
    pub fn reordered(siblings: &[UnitId], order: Vec<UnitId>) -> Self {
        let mut edit = Self::default();
        edit.reorder(siblings, order);
        edit
    }

    /// Adds a new order of siblings.
    pub fn reorder(&mut self, siblings: &[UnitId], order: Vec<UnitId>) {
        if let Some(first) = siblings.first()
            && siblings != order
        {
            self.orders.insert(*first, order);
        }
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The files of a configuration.
#[derive(Clone, Debug, Default)]
pub struct ConfigTree {
    /// The files, the main one first.
    pub files: Vec<SourceFile>,
    units: Vec<ConfigUnit>,
    roots: Vec<UnitId>,
}

impl ConfigTree {
    /// Adds a file below what includes it, and gives the includes that it has.
    pub fn add_file(
        &mut self,
        file: SourceFile,
        parent: Option<UnitId>,
    ) -> Vec<(UnitId, Vec<String>)> {
        let nodes = parse_config(file.lens, &file.text);
        let number = self.files.len();
        let lines = line_starts(&file.text);
        self.files.push(file);
        let mut includes = Vec::new();
        let added = self.add_nodes(&nodes, number, parent, &lines, &mut includes);
        match parent {
            Some(parent) => self.units[parent.0].children.extend(added),
            None => self.roots.extend(added),
        }
        includes
    }

    fn add_nodes(
        &mut self,
        nodes: &[ConfigNode],
        file: usize,
        parent: Option<UnitId>,
        lines: &[usize],
        includes: &mut Vec<(UnitId, Vec<String>)>,
    ) -> Vec<UnitId> {
        let mut added = Vec::new();
        for node in nodes {
            let id = UnitId(self.units.len());
            let text = &self.files[file].text;
            let body = &text[node.start..node.span.end.min(node.start + 256)];
            let body = String::from_utf8_lossy(body);
            let second = body
                .split_whitespace()
                .nth(1)
                .unwrap_or_default()
                .to_owned();
            let last = node.span.end.saturating_sub(1).max(node.start);
            let unit = ConfigUnit {
                goes_with_block: self.goes_with_block(file, &node.word, parent),
                file,
                span: node.span.clone(),
                line: line_of(lines, node.start),
                last_line: line_of(lines, last),
                word: node.word.clone(),
                parent,
                children: vec![],
                is_block: node.is_block,
                is_protected: self.files[file].is_fixed
                    || (!node.is_block && self.files[file].lens.is_protected(&node.word, &second)),
            };
            self.units.push(unit);
            if !node.includes.is_empty() {
                includes.push((id, node.includes.clone()));
            }
            let children = self.add_nodes(&node.children, file, Some(id), lines, includes);
            self.units[id.0].children = children;
            added.push(id);
        }
        added
    }

    fn goes_with_block(&self, file: usize, word: &str, parent: Option<UnitId>) -> bool {
        let lens = self.files[file].lens;
        let block = parent.map_or("", |parent| &self.unit(parent).word);
        lens.is_address(word) || lens.is_part_of_block(word, block)
    }

    /// A unit.
    pub fn unit(&self, id: UnitId) -> &ConfigUnit {
        &self.units[id.0]
    }

    /// All units.
    pub fn ids(&self) -> impl Iterator<Item = UnitId> + use<> {
        (0..self.units.len()).map(UnitId)
    }

    /// The outermost units.
    pub fn roots(&self) -> &[UnitId] {
        &self.roots
    }

    /// The units of a block that stand in the block's own file, or of a file.
    fn in_file(&self, list: &[UnitId], file: usize) -> Vec<UnitId> {
        let own = list.iter().copied();
        own.filter(|id| self.unit(*id).file == file).collect()
    }

    /// The units that stand beside a unit in the same file and block, itself among them, in order.
    pub fn siblings(&self, id: UnitId) -> Vec<UnitId> {
        let unit = self.unit(id);
        let list = match unit.parent {
            Some(parent) => &self.unit(parent).children,
            None => &self.roots,
        };
        self.in_file(list, unit.file)
    }

    /// All lists of siblings with two or more units.
    pub fn sibling_lists(&self) -> Vec<Vec<UnitId>> {
        let firsts = self
            .ids()
            .filter(|id| self.siblings(*id).first() == Some(id));
        firsts
            .map(|id| self.siblings(id))
            .filter(|list| list.len() > 1)
            .collect()
    }

    /// Whether one unit is inside of another.
    pub fn is_inside(&self, inner: UnitId, outer: UnitId) -> bool {
        let mut next = self.unit(inner).parent;
        while let Some(id) = next {
            if id == outer {
                return true;
            }
            next = self.unit(id).parent;
        }
        false
    }

    /// Whether a unit or something in it must stay. What an include brings stays when the include goes.
    pub fn must_stay(&self, id: UnitId) -> bool {
        let unit = self.unit(id);
        unit.is_protected
            || unit
                .children
                .iter()
                .any(|child| self.unit(*child).file == unit.file && self.must_stay(*child))
    }

    /// The same edit without what it says twice: a unit inside of another that goes.
    pub fn normalised(&self, edit: &ConfigEdit) -> ConfigEdit {
        let goes_with_another = |id: &UnitId| {
            let file = self.unit(*id).file;
            let mut next = self.unit(*id).parent;
            while let Some(around) = next.filter(|around| self.unit(*around).file == file) {
                if edit.deleted.contains(&around) {
                    return true;
                }
                next = self.unit(around).parent;
            }
            false
        };
        let deleted = edit.deleted.iter().copied();
        ConfigEdit {
            deleted: deleted.filter(|id| !goes_with_another(id)).collect(),
            ..edit.clone()
        }
    }

    /// The text of a unit, without the lines around it.
    pub fn text_of(&self, id: UnitId) -> String {
        let unit = self.unit(id);
        let text = &self.files[unit.file].text[unit.span.clone()];
        String::from_utf8_lossy(text).trim().to_owned()
    }

    /// The head of a block or a statement, as far as it is looked at.
    pub(crate) fn head_of(&self, id: UnitId, most: usize) -> String {
        let unit = self.unit(id);
        let text = &self.files[unit.file].text[unit.span.clone()];
        let text = &text[..text.len().min(most)];
        let end = if unit.is_block {
            text.iter().position(|byte| matches!(byte, b'{' | b'\n'))
        } else {
            None
        };
        String::from_utf8_lossy(&text[..end.unwrap_or(text.len())])
            .trim()
            .to_owned()
    }

    /// Where a unit stands: file and line.
    pub fn place_of(&self, id: UnitId) -> String {
        let unit = self.unit(id);
        let file = &self.files[unit.file];
        if file.is_whole {
            file.path.clone()
        } else {
            format!("{}:{}", file.path, unit.line)
        }
    }

    /// Before which unit something stands that is moved out of its block: the block, or where a header takes all
    /// that follows, the first one with a header.
    fn place_outside(&self, id: UnitId) -> Option<UnitId> {
        let block = self.unit(id).parent?;
        let beside = self.siblings(block);
        let is_headed = self.files[self.unit(block).file].lens.is_headed();
        let first = beside.into_iter().find(|unit| self.unit(*unit).is_block);
        first.filter(|_| is_headed).or(Some(block))
    }

    /// A file as an edit makes it.
    pub fn render(&self, file: usize, edit: &ConfigEdit) -> Vec<u8> {
        let mut out = Vec::new();
        let first = self.units.iter().position(|unit| unit.file == file);
        let top = first.map_or_else(Vec::new, |first| self.siblings(UnitId(first)));
        let text = &self.files[file].text;
        self.emit(&mut out, text, 0..text.len(), &top, edit);
        out
    }

    /// The files that an edit changes, as it makes them.
    pub fn changed_files(&self, edit: &ConfigEdit) -> Vec<(usize, Vec<u8>)> {
        let deleted = edit.deleted.iter();
        let touched: BTreeSet<usize> = deleted
            .chain(edit.orders.keys())
            .chain(&edit.unwrapped)
            .chain(&edit.lifted)
            .map(|id| self.unit(*id).file)
            .collect();
        touched
            .into_iter()
            .map(|file| (file, self.render(file, edit)))
            .collect()
    }

    fn emit(
        &self,
        out: &mut Vec<u8>,
        text: &[u8],
        range: Range<usize>,
        list: &[UnitId],
        edit: &ConfigEdit,
    ) {
        let order = list.first().and_then(|first| edit.orders.get(first));
        let order = order.map_or(list, Vec::as_slice);
        let mut at = range.start;
        for (slot, chosen) in list.iter().zip(order) {
            let place = &self.unit(*slot).span;
            out.extend_from_slice(&text[at..place.start]);
            at = place.end;
            for unit in edit
                .lifted
                .iter()
                .filter(|unit| self.place_outside(**unit) == Some(*slot))
            {
                out.extend_from_slice(&text[self.unit(*unit).span.clone()]);
                end_line(out);
            }
            if edit.lifted.contains(chosen) {
                continue;
            }
            if edit.deleted.contains(chosen) {
                continue;
            }
            let unit = self.unit(*chosen);
            let inner = self.in_file(&unit.children, unit.file);
            let ends = (inner.first(), inner.last());
            if let (Some(first), Some(last)) = ends
                && edit.unwrapped.contains(chosen)
            {
                let content = self.unit(*first).span.start..self.unit(*last).span.end;
                self.emit(out, text, content, &inner, edit);
                if text[place.clone()].last() == Some(&b'\n') {
                    end_line(out);
                }
            } else if inner.is_empty() {
                out.extend_from_slice(&text[unit.span.clone()]);
            } else {
                self.emit(out, text, unit.span.clone(), &inner, edit);
            }
            let ended_line = text[place.clone()].last() == Some(&b'\n');
            if chosen != slot && ended_line && out.last() != Some(&b'\n') {
                out.push(b'\n');
            }
        }
        out.extend_from_slice(&text[at..range.end]);
    }
}

fn end_line(out: &mut Vec<u8>) {
    if out.last().is_some_and(|last| *last != b'\n') {
        out.push(b'\n');
    }
}

fn line_starts(text: &[u8]) -> Vec<usize> {
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    std::iter::once(0)
        .chain(ends.map(|(at, _)| at + 1))
        .collect()
}

fn line_of(starts: &[usize], at: usize) -> usize {
    starts.partition_point(|start| *start <= at).max(1)
}
