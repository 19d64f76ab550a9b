//! The picture for a terminal: one line a rule, calls as a tree.

use std::fmt::Write as _;

use surefoot_report::{Paint, Style, escape};

use super::captions;
use super::count::{number_of, short_count};
use super::picture::{
    BaseView, ChainView, DrawnAs, DrawnCall, Picture, RuleView, SetView, TableView,
};

/// A verdict longer than this does not push the words of all rules aside.
const WIDEST_VERDICT: usize = 28;

/// Words get at least this many columns, however deep the tree is.
const NARROWEST: usize = 32;

/// Deeper trees than [`fn@super::picture`] draws are not followed.
const DEEPEST: usize = 64;

/// The picture as text; `width` is where long rules are wrapped.
pub fn text(picture: &Picture, style: Style, width: usize) -> String {
    let mut page = TextPage {
        out: String::new(),
        picture,
        style,
        width,
        seen: vec![false; picture.chains.len()],
    };
    for missing in &picture.missing {
        let _ = writeln!(page.out, "{}", escape(missing));
    }
    if picture.tables.is_empty() && picture.missing.is_empty() {
        page.out
            .push_str("no tables: nothing in what was read filters packets\n");
    }
    page.write_tables();
    for hook in &picture.hooks {
        let name = captions::hook_name(hook.layer, hook.hook);
        page.write_heading(&name, captions::hook_caption(hook.layer, hook.hook));
        for chain in &hook.chains {
            page.write_root(*chain, false);
        }
    }
    let mut last = None;
    for apart in &picture.apart {
        if last != Some(apart.why) {
            page.write_heading(captions::why_apart(apart.why), "");
            last = Some(apart.why);
        }
        page.write_root(apart.chain, true);
    }
    page.sets();
    page.out
}

struct TextPage<'p> {
    out: String,
    picture: &'p Picture,
    style: Style,
    width: usize,
    /// The chains that were drawn so far.
    seen: Vec<bool>,
}

/// The widths of a chain's columns.
struct ColumnWidths {
    number: usize,
    packets: usize,
    verdict: usize,
}

impl TextPage<'_> {
    fn write_heading(&mut self, title: &str, caption: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        let title = self.style.paint(Paint::Strong, title);
        let _ = match caption {
            "" => writeln!(self.out, "{title}"),
            caption => writeln!(self.out, "{title}: {caption}"),
        };
    }

    fn write_tables(&mut self) {
        let tables = &self.picture.tables;
        let name = |table: &TableView| escape(&table.full_name()).chars().count();
        let widest = tables.iter().map(name).max().unwrap_or(0);
        let backend = tables
            .iter()
            .map(|table| table.backend.len())
            .max()
            .unwrap_or(0);
        if !tables.is_empty() {
            self.write_heading("tables", "");
        }
        for table in tables {
            let full = table.full_name();
            let full = escape(&full);
            let chains = number_of(table.chains, "chain");
            let rules = number_of(table.rules, "rule");
            let dormant = if table.dormant {
                self.style.paint(Paint::Yellow, ", dormant: not in force")
            } else {
                String::new()
            };
            let _ = writeln!(
                self.out,
                "  {full:widest$}  {:backend$}  {chains}, {rules}{dormant}",
                table.backend
            );
            for other in &table.others {
                let _ = writeln!(self.out, "    {}", escape(other));
            }
        }
    }

    /// A chain that stands by itself, under its hook or apart from it.
    fn write_root(&mut self, at: usize, apart: bool) {
        let Some(chain) = self.picture.chains.get(at) else {
            return;
        };
        let table = captions::table_name(self.picture, chain.table);
        let name = format!("{} {}", escape(&table), escape(&chain.name));
        let _ = write!(self.out, "  {}", self.style.paint(Paint::Blue, &name));
        if let Some(base) = &chain.base {
            let hook = if apart {
                format!("{}, ", base.hook)
            } else {
                String::new()
            };
            let _ = write!(
                self.out,
                "  ({hook}{}), policy ",
                escape(&captions::base_caption(base))
            );
            let policy = self.style.paint(verdict_paint(base.policy), base.policy);
            self.out.push_str(&policy);
        }
        if chain.rules.is_empty() {
            let why = if chain.base.is_some() {
                "no rules"
            } else {
                "empty"
            };
            let _ = write!(self.out, "  {why}");
        }
        self.out.push('\n');
        self.chain(at, chain, "  ", 0);
    }

    fn chain(&mut self, at: usize, chain: &ChainView, prefix: &str, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        if let Some(seen) = self.seen.get_mut(at) {
            *seen = true;
        }
        let columns = self.column_widths(chain);
        let last = chain.rules.len().saturating_sub(1);
        for (row, rule) in chain.rules.iter().enumerate() {
            let ends = row == last && chain.base.is_none();
            self.rule(rule, &columns, prefix, ends, depth);
        }
        if let Some(base) = &chain.base {
            self.write_policy(base, &columns, prefix);
        }
    }

    fn column_widths(&self, chain: &ChainView) -> ColumnWidths {
        let exact = self.picture.exact;
        let packets = chain.rules.iter().filter_map(|rule| rule.packets);
        let policy = chain.base.as_ref().and_then(|base| base.packets);
        let verdicts = chain.rules.iter().map(|rule| letter_count(&verdict(rule)));
        let policy_word = chain.base.as_ref().map(|base| base.policy.len());
        ColumnWidths {
            number: chain.rules.len().to_string().len(),
            packets: packets
                .chain(policy)
                .map(|packets| short_count(packets, exact).len())
                .max()
                .unwrap_or(0),
            verdict: verdicts
                .chain(policy_word)
                .filter(|letters| *letters <= WIDEST_VERDICT)
                .max()
                .unwrap_or(0),
        }
    }

    /// The start of a row, up to the words; gives how many columns it takes.
    fn row_start(
        &mut self,
        columns: &ColumnWidths,
        prefix: &str,
        branch: char,
        number: &str,
        packets: Option<u64>,
        verdict: &str,
    ) -> usize {
        let style = self.style;
        let number = format!("{number:>width$}", width = columns.number);
        let _ = write!(
            self.out,
            "{prefix}{branch} {}",
            style.paint(Paint::Faint, &number)
        );
        let mut used = letter_count(prefix) + 2 + letter_count(&number);
        if columns.packets > 0 {
            let shown = packets.map_or_else(String::new, |it| short_count(it, self.picture.exact));
            let cell = format!("{shown:>width$}", width = columns.packets);
            let cell = match packets {
                Some(0) | None => style.paint(Paint::Faint, &cell),
                Some(_) => cell,
            };
            let _ = write!(self.out, "  {cell}");
            used += 2 + columns.packets;
        }
        let shown = style.paint(verdict_paint(verdict), verdict);
        let _ = write!(self.out, "  {shown}");
        used + 2 + letter_count(verdict)
    }

    #[expect(clippy::unused_self, reason = "reads like its siblings")]
    fn padding(&self, columns: &ColumnWidths, verdict: &str) -> usize {
        columns.verdict.saturating_sub(letter_count(verdict))
    }

    fn write_policy(&mut self, base: &BaseView, columns: &ColumnWidths, prefix: &str) {
        let used = self.row_start(columns, prefix, '└', "", base.packets, base.policy);
        let padding = self.padding(columns, base.policy);
        let words = [("everything else (policy)".to_owned(), None)];
        self.words(&words, (used, padding), "", false);
    }

    fn rule(
        &mut self,
        rule: &RuleView,
        columns: &ColumnWidths,
        prefix: &str,
        ends: bool,
        depth: usize,
    ) {
        let branch = if ends { '└' } else { '├' };
        let verdict = verdict(rule);
        let number = rule.number.to_string();
        let used = self.row_start(columns, prefix, branch, &number, rule.packets, &verdict);
        let below = format!("{prefix}{} ", if ends { ' ' } else { '│' });
        let opens = rule.ways.iter().any(|way| !way.keys.is_empty())
            || rule
                .call
                .as_ref()
                .is_some_and(|call| call.drawn == DrawnAs::Here);
        let mut words: Vec<(String, Option<Paint>)> = Vec::new();
        let safe = escape(&rule.words);
        words.extend(safe.split(' ').map(|word| (word.to_owned(), None)));
        if let Some(note) = rule.call.as_ref().and_then(|call| self.call_note(call)) {
            words.push((format!(" ({note})"), Some(Paint::Faint)));
        }
        if let Some(comment) = &rule.comment {
            let safe = escape(comment);
            let mut rest = safe.split(' ');
            let first = rest.next().filter(|first| !first.is_empty());
            words.extend(first.map(|first| (format!(" # {first}"), Some(Paint::Faint))));
            words.extend(rest.map(|word| (word.to_owned(), Some(Paint::Faint))));
        }
        words.retain(|(word, _)| !word.is_empty());
        let padding = self.padding(columns, &verdict);
        self.words(&words, (used, padding), &below, opens);
        if let Some(call) = &rule.call {
            self.write_called(call, &format!("{below} "), depth);
        }
        let last = rule.ways.len().saturating_sub(1);
        for (at, way) in rule.ways.iter().enumerate() {
            let branch = if at == last { '└' } else { '├' };
            let shown = escape(&way.verdict);
            let shown = self.style.paint(verdict_paint(&shown), &shown);
            let note = way.call.as_ref().and_then(|call| self.call_note(call));
            let note = note.map_or_else(String::new, |note| {
                format!("  {}", self.style.paint(Paint::Faint, &format!("({note})")))
            });
            let _ = writeln!(
                self.out,
                "{below} {branch} {} → {shown}{note}",
                escape(&way.keys)
            );
            if let Some(call) = &way.call {
                let side = if at == last { ' ' } else { '│' };
                self.write_called(call, &format!("{below} {side}  "), depth);
            }
        }
    }

    fn call_note(&self, call: &DrawnCall) -> Option<String> {
        let seen = call.chain.and_then(|at| self.seen.get(at)).copied();
        captions::call_caption(self.picture, call, seen.unwrap_or(false))
    }

    fn write_called(&mut self, call: &DrawnCall, prefix: &str, depth: usize) {
        if call.drawn == DrawnAs::Here
            && let Some(at) = call.chain
            && let Some(chain) = self.picture.chains.get(at)
        {
            self.chain(at, chain, prefix, depth + 1);
        }
    }

    /// The words of a rule, wrapped under each other; the tree goes on at their left. A word that
    /// starts with a space stands apart from the one before it.
    fn words(
        &mut self,
        words: &[(String, Option<Paint>)],
        (used, padding): (usize, usize),
        below: &str,
        opens: bool,
    ) {
        let start = used + padding + 2;
        let room = self.width.saturating_sub(start).max(NARROWEST);
        let mut column = 0;
        for (word, paint) in words {
            let bare = word.trim_start();
            if column == 0 {
                let _ = write!(self.out, "{:padding$}  ", "");
            } else if column + 1 + letter_count(word) > room {
                let side = if opens { "│" } else { " " };
                let indent = start.saturating_sub(letter_count(below) + 2);
                let _ = write!(self.out, "\n{below} {side}{:indent$}", "");
                column = 0;
            } else {
                let gap = 1 + letter_count(word) - letter_count(bare);
                let _ = write!(self.out, "{:gap$}", "");
                column += gap;
            }
            match paint {
                Some(paint) => self.out.push_str(&self.style.paint(*paint, bare)),
                None => self.out.push_str(bare),
            }
            column += letter_count(bare);
        }
        self.out.push('\n');
    }

    fn sets(&mut self) {
        let sets = &self.picture.sets;
        if sets.is_empty() {
            return;
        }
        self.write_heading("sets", "");
        let widest = |cell: fn(&SetView) -> String| {
            sets.iter()
                .map(|set| letter_count(&cell(set)))
                .max()
                .unwrap_or(0)
        };
        let columns = [widest(set_name), widest(set_of), widest(set_kind)];
        for set in sets {
            let (name, of, kind) = (set_name(set), set_of(set), set_kind(set));
            let content = match set.elements {
                Some(elements) => number_of(elements, "element"),
                None => "content unknown".to_owned(),
            };
            let dynamic = if set.dynamic { ", may change" } else { "" };
            let uses = match set.uses {
                0 => self.style.paint(Paint::Yellow, "no rule here names it"),
                uses => format!("named by {}", number_of(uses, "rule")),
            };
            let _ = writeln!(
                self.out,
                "  {name:0$}  {of:1$}  {kind:2$}  {content}{dynamic}, {uses}",
                columns[0], columns[1], columns[2]
            );
        }
    }
}

fn set_name(set: &SetView) -> String {
    format!("@{}", escape(&set.name))
}

fn set_of(set: &SetView) -> String {
    escape(&set.of).into_owned()
}

fn set_kind(set: &SetView) -> String {
    let map = if set.map { "map, " } else { "" };
    format!("{map}{}", escape(&set.kind))
}

/// `accept`, `jump f2b-sshd`.
fn verdict(rule: &RuleView) -> String {
    match &rule.call {
        Some(call) => format!("{} {}", rule.verdict, escape(&call.name)),
        None => rule.verdict.clone(),
    }
}

fn verdict_paint(verdict: &str) -> Paint {
    match verdict.split(' ').next().unwrap_or_default() {
        "accept" => Paint::Green,
        "drop" | "reject" => Paint::Red,
        "jump" | "goto" => Paint::Blue,
        "?" => Paint::Yellow,
        "count" | "continue" => Paint::Faint,
        _ => Paint::Strong,
    }
}

fn letter_count(text: &str) -> usize {
    text.chars().count()
}
