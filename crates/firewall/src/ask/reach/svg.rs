//! The matrices as a drawing for a browser: one file, no script, nothing fetched.

use std::fmt::Write as _;

use super::ReachAnswer;
use crate::show::xml_escaped;
use surefoot_netfilter::exact::ReachCell;

const STYLE: &str = "
text { font: 12px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #1f2328; white-space: pre; }
.heading { font: bold 17px sans-serif; }
.open { fill: #2da44e; }
.partly { fill: #d4a72c; }
.closed { fill: #eaeef2; }
rect { stroke: #ffffff; stroke-width: 2; }
";
const SIDE: usize = 24;
const LETTER: usize = 8;
const MARGIN: usize = 20;
/// Letters of a label that are drawn; the whole is shown when the mouse rests on it.
const LONGEST: usize = 60;

/// One matrix below the other.
pub fn reach_svg(all: &[ReachAnswer]) -> String {
    let mut body = String::new();
    let (mut top, mut width) = (MARGIN, 400);
    for reach in all {
        let (bottom, right) = draw_matrix(&mut body, reach, top);
        top = bottom + 2 * MARGIN;
        width = width.max(right + MARGIN);
    }
    let _ = writeln!(body, "<g>");
    let mut x = MARGIN;
    for (class, word) in [("open", "open"), ("partly", "partly"), ("closed", "closed")] {
        let _ = writeln!(
            body,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{top}\" width=\"{SIDE}\" height=\"{SIDE}\"/><text x=\"{}\" y=\"{}\">{word}</text>",
            x + SIDE + 6,
            top + 16
        );
        x += SIDE + 90;
    }
    let _ = writeln!(body, "</g>");
    let height = top + SIDE + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>Who can reach what</title>\n<style>{STYLE}</style>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

/// Draws a matrix from `top` on; gives its lower and its right edge.
fn draw_matrix(body: &mut String, reach: &ReachAnswer, top: usize) -> (usize, usize) {
    let rows: Vec<String> = reach
        .sources
        .iter()
        .map(|row| row.short.join(" or "))
        .collect();
    let longest = |labels: &[String]| {
        let lengths = labels.iter().map(|label| cut_label(label).chars().count());
        lengths.max().unwrap_or(0) * LETTER
    };
    let left = MARGIN + longest(&rows) + 10;
    let services: Vec<String> = reach.services.iter().map(|one| one.name.clone()).collect();
    // Labels of columns rise at 45 degrees.
    let head = longest(&services) * 71 / 100 + 2 * MARGIN;
    let first = top + 24 + head;
    let _ = writeln!(
        body,
        "<text class=\"heading\" x=\"{MARGIN}\" y=\"{}\">{}</text>",
        top + 16,
        xml_escaped(&reach.scope.words())
    );
    for (at, service) in services.iter().enumerate() {
        let (x, y) = (left + at * SIDE + SIDE / 2, first - 6);
        let _ = writeln!(
            body,
            "<text x=\"{x}\" y=\"{y}\" transform=\"rotate(-45 {x} {y})\">{}<title>{}</title></text>",
            xml_escaped(&cut_label(service)),
            xml_escaped(service)
        );
    }
    for (at, (row, label)) in reach.sources.iter().zip(&rows).enumerate() {
        let y = first + at * SIDE;
        let _ = writeln!(
            body,
            "<text x=\"{MARGIN}\" y=\"{}\">{}<title>{}</title></text>",
            y + 16,
            xml_escaped(&cut_label(label)),
            xml_escaped(&row.from.join(" or "))
        );
        for (column, cell) in row.cells.iter().enumerate() {
            let class = match cell {
                ReachCell::Open => "open",
                ReachCell::Partly => "partly",
                ReachCell::Closed => "closed",
            };
            let service = services.get(column).map_or("", String::as_str);
            let _ = writeln!(
                body,
                "<rect class=\"{class}\" x=\"{}\" y=\"{y}\" width=\"{SIDE}\" height=\"{SIDE}\"><title>{}: {}, {class}</title></rect>",
                left + column * SIDE,
                xml_escaped(label),
                xml_escaped(service)
            );
        }
    }
    let bottom = first + reach.sources.len() * SIDE;
    (bottom, left + services.len() * SIDE + head)
}

fn cut_label(label: &str) -> String {
    super::shortened(label, LONGEST)
}
