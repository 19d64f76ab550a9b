//! The picture as a digraph for Graphviz.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use surefoot_report::escape;

use super::captions;
use super::picture::Picture;
use super::rows::{self, ChainBox};

/// More rule numbers than this on one edge are counted.
const MOST_NUMBERS: usize = 6;

/// The way of a packet between hooks.
const FLOW: [(&str, &str); 4] = [
    ("prerouting", "input"),
    ("prerouting", "forward"),
    ("forward", "postrouting"),
    ("output", "postrouting"),
];

/// The picture in the language of `dot`.
pub fn dot(picture: &Picture) -> String {
    let mut out = String::from(
        "digraph firewall {\n\
         \x20 graph [rankdir=LR, ranksep=0.6, nodesep=0.2, fontname=\"sans-serif\"];\n\
         \x20 node [shape=box, style=filled, fillcolor=white, fontname=\"monospace\", fontsize=10];\n\
         \x20 edge [fontname=\"sans-serif\", fontsize=9, color=\"#0969da\"];\n",
    );
    for (at, hook) in picture.hooks.iter().enumerate() {
        let name = captions::hook_name(hook.layer, hook.hook);
        let caption = captions::hook_caption(hook.layer, hook.hook);
        let _ = writeln!(
            out,
            "  h{at} [shape=cds, fillcolor=\"#ddf4ff\", fontname=\"sans-serif\", fontsize=12, label={}];",
            dot_quoted(&format!("{name}\n{caption}"))
        );
        // The chains of a hook one after the other, as a packet traverses them.
        let mut before = format!("h{at}");
        for chain in &hook.chains {
            let _ = writeln!(
                out,
                "  {before} -> c{chain} [color=\"#57606a\", penwidth=2];"
            );
            before = format!("c{chain}");
        }
    }
    for (from, to) in FLOW {
        let place = |wanted: &str| {
            let mut hooks = picture.hooks.iter();
            hooks.position(|hook| hook.layer == "ip" && hook.hook == wanted)
        };
        if let (Some(from), Some(to)) = (place(from), place(to)) {
            let _ = writeln!(out, "  h{from} -> h{to} [style=dashed, color=\"#57606a\"];");
        }
    }
    for (at, chain) in picture.chains.iter().enumerate() {
        let drawn = rows::of_chain(picture, chain);
        write_node(
            &mut out,
            at,
            &drawn,
            chain.base.as_ref().map(|base| base.policy),
        );
        write_edges(&mut out, at, &drawn);
    }
    write_apart(&mut out, picture);
    out.push_str("}\n");
    out
}

fn write_node(out: &mut String, at: usize, drawn: &ChainBox, policy: Option<&str>) {
    let mut label = String::new();
    let mut line = |words: &str| {
        label.push_str(&words.trim_end().replace('\\', "\\\\"));
        // Ends the line and sets it at the left.
        label.push_str("\\l");
    };
    line(&drawn.title);
    if !drawn.base.is_empty() {
        line(&drawn.base);
    }
    if !drawn.rows.is_empty() {
        line(" ");
    }
    for row in &drawn.rows {
        line(&format!("{}{}  {}", row.start, row.verdict, row.words));
    }
    let fill = match policy {
        Some("drop") => "#ffebe9",
        Some(_) => "#dafbe1",
        None => "white",
    };
    let _ = writeln!(
        out,
        "  c{at} [fillcolor=\"{fill}\", label=\"{}\"];",
        inner_label(&label)
    );
}

/// One edge for each chain called, with the numbers of the rules.
fn write_edges(out: &mut String, from: usize, drawn: &ChainBox) {
    let mut calls: BTreeMap<(usize, bool), Vec<u32>> = BTreeMap::new();
    for arrow in drawn.rows.iter().flat_map(|row| &row.arrows) {
        calls
            .entry((arrow.to, arrow.goto))
            .or_default()
            .push(arrow.rule);
    }
    for ((to, goto), rules) in calls {
        let shown = rules.iter().take(MOST_NUMBERS).map(u32::to_string);
        let mut label = shown.collect::<Vec<_>>().join(",");
        if rules.len() > MOST_NUMBERS {
            let _ = write!(label, ",… {} more", rules.len() - MOST_NUMBERS);
        }
        let style = if goto { ", style=dashed" } else { "" };
        let _ = writeln!(
            out,
            "  c{from} -> c{to} [label={}{style}];",
            dot_quoted(&label)
        );
    }
}

/// Chains that no hook leads to, together under the reason.
fn write_apart(out: &mut String, picture: &Picture) {
    let mut by_reason: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for apart in &picture.apart {
        by_reason.entry(apart.why).or_default().push(apart.chain);
    }
    for (at, (why, chains)) in by_reason.into_iter().enumerate() {
        let label = dot_quoted(captions::why_apart(why));
        let _ = write!(
            out,
            "  subgraph cluster_{at} {{ label={label}; color=\"#8c959f\";"
        );
        for chain in chains {
            let _ = write!(out, " c{chain};");
        }
        out.push_str(" }\n");
    }
}

/// A string of ours in quotes, line ends as line ends.
fn dot_quoted(words: &str) -> String {
    let lines: Vec<String> = words
        .lines()
        .map(|line| escape(line).replace('\\', "\\\\"))
        .collect();
    format!("\"{}\"", inner_label(&lines.join("\\n")))
}

/// What stands between quotes: `dot` reads HTML's entities even there.
fn inner_label(label: &str) -> String {
    label.replace('&', "&amp;").replace('"', "\\\"")
}
