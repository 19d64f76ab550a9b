//! A chain as a box of lines, for the forms that draw boxes and arrows.

use surefoot_report::escape;

use super::captions;
use super::count::short_count;
use super::picture::{ChainView, DrawnAs, DrawnCall, Picture, RuleView, Way};

/// More rules than this in one box are counted, unless everything is asked for.
const MOST_RULES: usize = 40;

/// Words longer than this are cut; the text and JSON have them whole.
const LONGEST: usize = 72;

/// A box.
#[derive(Debug, Default)]
pub(super) struct ChainBox {
    /// The names of table and chain.
    pub(super) title: String,
    /// How the kernel calls it; empty for a user chain.
    pub(super) base: String,
    /// The rules.
    pub(super) rows: Vec<PictureRow>,
}

/// A line of a box; all words are safe for a terminal.
#[derive(Debug, Default)]
pub(super) struct PictureRow {
    /// Number and packets, padded so that they stand in columns.
    pub(super) start: String,
    /// The verdict, with the chain that it calls.
    pub(super) verdict: String,
    /// The rest.
    pub(super) words: String,
    /// What the rule says in whole, and where; empty for a line that is no rule.
    pub(super) whole: String,
    /// The chains that it calls.
    pub(super) arrows: Vec<CallArrow>,
}

/// A call that is drawn as an arrow.
#[derive(Clone, Debug)]
pub(super) struct CallArrow {
    /// Index into [`Picture::chains`].
    pub(super) to: usize,
    /// The number of the rule.
    pub(super) rule: u32,
    /// Whether it does not come back.
    pub(super) goto: bool,
    /// Whether the chain stands here because of this call.
    pub(super) owns: bool,
}

/// Lays out a chain as lines.
pub(super) fn of_chain(picture: &Picture, chain: &ChainView) -> ChainBox {
    let table = captions::table_name(picture, chain.table);
    let shown = if picture.exact || chain.rules.len() <= MOST_RULES + 1 {
        chain.rules.len()
    } else {
        MOST_RULES
    };
    let exact = picture.exact;
    let policy = chain.base.as_ref().and_then(|base| base.packets);
    let packets = chain
        .rules
        .iter()
        .take(shown)
        .filter_map(|rule| rule.packets);
    let widest = packets.chain(policy).map(|it| short_count(it, exact).len());
    let widest = widest.max().unwrap_or(0);
    let numbers = shown.to_string().len();
    let start = |number: &str, packets: Option<u64>| {
        let packets = packets.map_or_else(String::new, |it| short_count(it, exact));
        let gap = if widest > 0 { 2 } else { 0 };
        format!("{number:>numbers$}{:gap$}{packets:>widest$}  ", "")
    };
    let mut rows: Vec<PictureRow> = Vec::with_capacity(shown + 2);
    for rule in chain.rules.iter().take(shown) {
        rows.push(PictureRow {
            start: start(&rule.number.to_string(), rule.packets),
            ..of_rule(picture, rule)
        });
        let ways = if exact || rule.ways.len() <= MOST_RULES + 1 {
            rule.ways.len()
        } else {
            MOST_RULES
        };
        let (told, counted) = rule.ways.split_at(ways);
        for way in told {
            rows.push(PictureRow {
                start: start("", None),
                verdict: escape(&way.verdict).into_owned(),
                words: cut_words(&format!("if {}", escape(&way.keys))),
                whole: String::new(),
                arrows: way_arrow(rule, way).into_iter().collect(),
            });
        }
        if !counted.is_empty() {
            rows.push(PictureRow {
                start: start("", None),
                verdict: "…".to_owned(),
                words: format!("{} more ways", counted.len()),
                arrows: counted
                    .iter()
                    .filter_map(|way| way_arrow(rule, way))
                    .collect(),
                ..PictureRow::default()
            });
        }
    }
    let hidden = chain.rules.get(shown..).unwrap_or_default();
    if !hidden.is_empty() {
        rows.push(PictureRow {
            start: start("", None),
            verdict: "…".to_owned(),
            words: format!("{} more rules", hidden.len()),
            arrows: hidden.iter().flat_map(arrows_of).collect(),
            ..PictureRow::default()
        });
    }
    if let Some(base) = &chain.base {
        rows.push(PictureRow {
            start: start("", base.packets),
            verdict: base.policy.to_owned(),
            words: "everything else (policy)".to_owned(),
            ..PictureRow::default()
        });
    }
    ChainBox {
        title: format!("{} {}", escape(&table), escape(&chain.name)),
        base: chain.base.as_ref().map_or_else(String::new, |base| {
            let what = captions::base_caption(base);
            format!("{}, {}, policy {}", base.hook, escape(&what), base.policy)
        }),
        rows,
    }
}

fn of_rule(picture: &Picture, rule: &RuleView) -> PictureRow {
    let mut words = escape(&rule.words).into_owned();
    if let Some(comment) = rule.comment.as_ref().filter(|comment| !comment.is_empty()) {
        let gap = if words.is_empty() { "" } else { "  " };
        words.push_str(gap);
        words.push_str("# ");
        words.push_str(&escape(comment));
    }
    let verdict = match &rule.call {
        Some(call) => {
            // A box is visible, so only what the picture does not show is written.
            let note = match call.drawn {
                DrawnAs::Loop | DrawnAs::Deeper => captions::call_caption(picture, call, true),
                DrawnAs::Here | DrawnAs::Elsewhere => None,
            };
            let note = note.map_or_else(String::new, |note| format!(" ({note})"));
            format!("{} {}{note}", rule.verdict, escape(&call.name))
        }
        None => rule.verdict.clone(),
    };
    let place = match (&rule.source, rule.line) {
        (Some(source), Some(line)) => format!("{}:{line}: ", escape(source)),
        _ => String::new(),
    };
    PictureRow {
        start: String::new(),
        verdict,
        words: cut_words(&words),
        whole: format!("{place}{}", escape(&rule.text)),
        arrows: own_arrow(rule).into_iter().collect(),
    }
}

fn own_arrow(rule: &RuleView) -> Option<CallArrow> {
    arrow_of(rule.call.as_ref()?, rule.number, rule.verdict == "goto")
}

fn way_arrow(rule: &RuleView, way: &Way) -> Option<CallArrow> {
    let goto = way.verdict.starts_with("goto");
    arrow_of(way.call.as_ref()?, rule.number, goto)
}

/// All arrows of a rule, those of its ways too.
fn arrows_of(rule: &RuleView) -> Vec<CallArrow> {
    let ways = rule.ways.iter().filter_map(|way| way_arrow(rule, way));
    own_arrow(rule).into_iter().chain(ways).collect()
}

fn arrow_of(call: &DrawnCall, rule: u32, goto: bool) -> Option<CallArrow> {
    Some(CallArrow {
        to: call.chain?,
        rule,
        goto,
        owns: call.drawn == DrawnAs::Here,
    })
}

fn cut_words(words: &str) -> String {
    match words.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", words.get(..at).unwrap_or_default()),
        None => words.to_owned(),
    }
}
