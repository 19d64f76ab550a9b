//! The picture as a drawing for a browser: one file, no script, nothing fetched.

mod layout;

use std::fmt::Write as _;

use surefoot_report::escape;

use self::layout::{LEFT, LINE, Layout, PAD, PlacedBox, TOP, layout};
use super::count::number_of;
use super::picture::Picture;

/// With more arrows than this to boxes that stand elsewhere, an arrow cannot be followed; the names
/// in the rules are links then.
const MOST_FAR_ARROWS: usize = 60;

const STYLE: &str = "
text { font: 11px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #1f2328; white-space: pre; }
.title { font-weight: bold; }
.heading { font: bold 17px sans-serif; }
.caption, .faint { fill: #57606a; }
.caption { font: 12px sans-serif; }
.accept { fill: #1a7f37; font-weight: bold; }
.drop { fill: #cf222e; font-weight: bold; }
.call { fill: #0969da; font-weight: bold; }
.odd { fill: #9a6700; font-weight: bold; }
.box { fill: #ffffff; stroke: #8c959f; }
.box:target { stroke: #bf8700; stroke-width: 3; }
.base { fill: #ddf4ff; }
.base-drop { fill: #ffebe9; }
.user { fill: #f6f8fa; }
.absent { fill: #f6f8fa; stroke: #d0d7de; stroke-dasharray: 4 3; }
path { fill: none; stroke: #0969da; stroke-width: 1.2; }
path.far { opacity: 0.35; }
path.goto { stroke-dasharray: 6 3; }
path.flow { stroke: #57606a; stroke-width: 2; }
";

/// The picture as SVG.
pub fn svg(picture: &Picture) -> String {
    let layout = layout(picture);
    let sets = set_lines(picture);
    let width = layout.width.max(820);
    let height = layout.height + sets.len().saturating_mul(LINE) + 2 * LINE;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 z\" style=\"fill:#57606a;stroke:none\"/></marker></defs>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        xml_escaped(&picture_title(picture))
    );
    draw_map(&mut out, &layout);
    for missing in &picture.missing {
        let y = TOP - 8;
        let _ = writeln!(
            out,
            "<text class=\"heading\" x=\"{LEFT}\" y=\"{y}\">{}</text>",
            xml_escaped(missing)
        );
    }
    for (at, column) in layout.columns.iter().enumerate() {
        let _ = writeln!(
            out,
            "<text class=\"heading\" id=\"h{at}\" x=\"{x}\" y=\"{y}\">{}</text>\n<text class=\"caption\" x=\"{x}\" y=\"{below}\">{}</text>",
            xml_escaped(&column.title),
            xml_escaped(column.caption),
            x = column.x,
            y = TOP + 18,
            below = TOP + 36
        );
    }
    // Arrows lie under the boxes, so that no text is crossed out.
    draw_arrows(&mut out, &layout);
    for (at, placed) in layout.boxes.iter().enumerate() {
        if let Some(placed) = placed {
            let policy = picture.chains.get(at).and_then(|chain| chain.base.as_ref());
            let kind = match policy.map(|base| base.policy) {
                Some("drop") => "base-drop",
                Some(_) => "base",
                None => "user",
            };
            draw_box(&mut out, at, placed, kind);
        }
    }
    let mut y = layout.height + LINE;
    for line in sets {
        let _ = writeln!(
            out,
            "<text x=\"{LEFT}\" y=\"{y}\">{}</text>",
            xml_escaped(&line)
        );
        y += LINE;
    }
    out.push_str("</svg>\n");
    out
}

fn picture_title(picture: &Picture) -> String {
    let rules = picture.tables.iter().map(|table| table.rules).sum();
    format!(
        "Firewall: {}, {}, {}",
        number_of(picture.tables.len(), "table"),
        number_of(picture.chains.len(), "chain"),
        number_of(rules, "rule")
    )
}

/// The hooks of IP as a packet goes through them; those that have chains are links.
fn draw_map(out: &mut String, layout: &Layout) {
    const BOXES: [(&str, usize, usize); 6] = [
        ("prerouting", 24, 62),
        ("input", 184, 24),
        ("this host", 344, 24),
        ("output", 504, 24),
        ("forward", 344, 100),
        ("postrouting", 664, 62),
    ];
    const WAYS: [&str; 6] = [
        "M144 72 C164 72 164 44 184 44",
        "M144 92 C224 92 224 120 344 120",
        "M304 44 L344 44",
        "M464 44 L504 44",
        "M464 120 C584 120 584 92 664 92",
        "M624 44 C644 44 644 72 664 72",
    ];
    if layout.columns.iter().all(|column| column.hook.is_none()) {
        return;
    }
    for way in WAYS {
        let _ = writeln!(
            out,
            "<path class=\"flow\" d=\"{way}\" marker-end=\"url(#arrow)\"/>"
        );
    }
    for (name, x, y) in BOXES {
        let column = layout
            .columns
            .iter()
            .position(|column| column.hook == Some(name));
        let class = match (column, name) {
            (Some(_), _) => "box base",
            (None, "this host") => "box",
            (None, _) => "box absent",
        };
        let (middle, baseline) = (x + 60, y + 25);
        let shape = format!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"120\" height=\"40\" rx=\"6\"/>\
             <text class=\"title\" text-anchor=\"middle\" x=\"{middle}\" y=\"{baseline}\">{name}</text>"
        );
        let _ = match column {
            Some(at) => writeln!(out, "<a href=\"#h{at}\">{shape}</a>"),
            None => writeln!(out, "{shape}"),
        };
    }
}

fn draw_arrows(out: &mut String, layout: &Layout) {
    let all = || {
        let boxes = layout.boxes.iter().flatten();
        boxes.flat_map(|from| {
            let rows = from.drawn.rows.iter().enumerate();
            rows.flat_map(move |(row, it)| it.arrows.iter().map(move |arrow| (from, row, arrow)))
        })
    };
    let far = all().filter(|(_, _, arrow)| !arrow.owns).count();
    for (from, row, arrow) in all() {
        if !arrow.owns && far > MOST_FAR_ARROWS {
            continue;
        }
        let Some(Some(to)) = layout.boxes.get(arrow.to) else {
            continue;
        };
        let (x1, y1) = (from.x + from.width, from.row_y(row));
        let (x2, y2) = (to.x, to.title_y());
        // An arrow back to the left swings out on both sides.
        let swing = if x2 >= x1 {
            (x2 - x1).div_ceil(2).clamp(16, 160)
        } else {
            44
        };
        let class = match (arrow.owns, arrow.goto) {
            (true, false) => "",
            (true, true) => " class=\"goto\"",
            (false, false) => " class=\"far\"",
            (false, true) => " class=\"far goto\"",
        };
        let _ = writeln!(
            out,
            "<path{class} d=\"M{x1} {y1} C{} {y1} {} {y2} {x2} {y2}\" marker-end=\"url(#arrow)\"/>",
            x1 + swing,
            x2.saturating_sub(swing)
        );
    }
}

fn draw_box(out: &mut String, at: usize, placed: &PlacedBox, kind: &str) {
    let PlacedBox {
        drawn,
        x,
        y,
        width,
        height,
    } = placed;
    let head = layout::head_height(drawn);
    let left = x + PAD;
    let _ = writeln!(
        out,
        "<g><rect class=\"box\" id=\"c{at}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\"/>\
         <rect class=\"{kind}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\
         <text class=\"title\" x=\"{left}\" y=\"{}\">{}</text>",
        x + 1,
        y + 1,
        width - 2,
        head - 4,
        y + PAD + LINE - 4,
        xml_escaped(&drawn.title)
    );
    if !drawn.base.is_empty() {
        let below = y + PAD + 2 * LINE - 4;
        let _ = writeln!(
            out,
            "<text class=\"faint\" x=\"{left}\" y=\"{below}\">{}</text>",
            xml_escaped(&drawn.base)
        );
    }
    for (number, row) in drawn.rows.iter().enumerate() {
        let baseline = placed.row_y(number) + 4;
        let mut line = format!("<text x=\"{left}\" y=\"{baseline}\" xml:space=\"preserve\">");
        if !row.whole.is_empty() {
            let _ = write!(line, "<title>{}</title>", xml_escaped(&row.whole));
        }
        let _ = write!(
            line,
            "<tspan class=\"faint\">{}</tspan><tspan class=\"{}\">{}</tspan>  {}</text>",
            xml_escaped(&row.start),
            verdict_class(&row.verdict),
            xml_escaped(&row.verdict),
            xml_escaped(&row.words)
        );
        let _ = match row.arrows.as_slice() {
            [arrow] => writeln!(out, "<a href=\"#c{}\">{line}</a>", arrow.to),
            _ => writeln!(out, "{line}"),
        };
    }
    out.push_str("</g>\n");
}

fn verdict_class(verdict: &str) -> &'static str {
    match verdict.split(' ').next().unwrap_or_default() {
        "accept" => "accept",
        "drop" | "reject" => "drop",
        "jump" | "goto" => "call",
        "?" => "odd",
        "count" | "continue" | "…" => "faint",
        _ => "title",
    }
}

fn set_lines(picture: &Picture) -> Vec<String> {
    const MOST: usize = 40;
    let mut lines: Vec<String> = Vec::new();
    for set in picture.sets.iter().take(MOST) {
        let content = set.elements.map_or_else(
            || "content unknown".to_owned(),
            |it| number_of(it, "element"),
        );
        lines.push(format!(
            "@{} ({}, {}): {content}, named by {}",
            set.name,
            set.of,
            set.kind,
            number_of(set.uses, "rule")
        ));
    }
    let more = picture.sets.len().saturating_sub(MOST);
    if more > 0 {
        lines.push(format!("… {}", number_of(more, "more set")));
    }
    lines
}

/// Words as text or as the value of an attribute. What XML cannot hold is made visible.
pub(crate) fn xml_escaped(words: &str) -> String {
    let safe = escape(words);
    let mut out = String::with_capacity(safe.len());
    for char in safe.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
