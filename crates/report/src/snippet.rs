//! Problems in an input, shown the way rustc does: the line, the mark, what to do.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level as Title, Renderer, Snippet};

use crate::{Level, Problem, Source, Style, escape};

/// More problems than this in one text are counted, not shown.
const SHOWN: usize = 20;

/// A line is shown up to this length, so that a text without line ends does not flood a terminal.
const WIDEST: usize = 200;

/// The problems of a text, in its order.
pub fn problems(source: &Source, problems: &[Problem], style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colour => Renderer::styled(),
    };
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort_by_key(|problem| problem.span);
    let mut out = String::new();
    for problem in sorted.iter().take(SHOWN) {
        out.push_str(&one(source, problem, &renderer));
        out.push_str("\n\n");
    }
    let more = sorted.len().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(out, "and {more} more in {}\n", escape(&source.name));
    }
    out
}

fn one(source: &Source, problem: &Problem, renderer: &Renderer) -> String {
    let title = match problem.level {
        Level::Error => Title::ERROR,
        Level::Warning => Title::WARNING,
        Level::Note => Title::NOTE,
    };
    let what = escape(&problem.what);
    let name = escape(&source.name);
    let label = escape(&problem.label);
    let help = problem.help.as_deref().map(escape);
    let (line, number, mark) = line_of(source, problem);
    let mut group: Group<'_> = title.primary_title(&*what).element(
        Snippet::source(&*line)
            .line_start(number)
            .path(&*name)
            .annotation(AnnotationKind::Primary.span(mark).label(&*label)),
    );
    if let Some(help) = &help {
        group = group.element(Title::HELP.message(&**help));
    }
    renderer.render(&[group])
}

/// The line of a problem made safe to show, its number, and the marked bytes in it.
fn line_of(source: &Source, problem: &Problem) -> (String, usize, Range<usize>) {
    let span = problem.span.unwrap_or_default();
    let position = source.position(span.start);
    let text = source
        .text
        .lines()
        .nth(position.line as usize - 1)
        .unwrap_or("");
    let column = position.column as usize - 1;
    let marked = source
        .slice(span)
        .lines()
        .next()
        .unwrap_or("")
        .chars()
        .count()
        .max(1);
    // What is far from the mark is cut away on both sides.
    let from = column.saturating_sub(WIDEST / 2);
    let chars = text.chars().skip(from).take(WIDEST);
    let mut line = String::new();
    let mut mark = None;
    let mut end = 0;
    for (at, char) in (from..).zip(chars) {
        if at == column {
            mark = Some(line.len());
        }
        line.push_str(&escape(char.encode_utf8(&mut [0; 4])));
        if at < column + marked {
            end = line.len();
        }
    }
    let start = mark.unwrap_or(line.len());
    (line, position.line as usize, start..end.max(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    #[test]
    fn a_problem_shows_line_column_mark_and_help() {
        let source = Source::new("rules", "*filter\n-A INPUT -j ACEPT\n");
        let problem = Problem::error(Span::new(20, 25), "no chain `ACEPT`")
            .label("not there")
            .help("did you mean ACCEPT?");
        let expected = "\
error: no chain `ACEPT`
 --> rules:2:13
  |
2 | -A INPUT -j ACEPT
  |             ^^^^^ not there
  |
  = help: did you mean ACCEPT?

";
        assert_eq!(problems(&source, &[problem], Style::Plain), expected);
    }

    #[test]
    fn spans_that_are_not_of_the_text_do_no_harm() {
        let texts =
            ["", "é", "a\u{1b}[2Jb\n", "\n\n", "x".repeat(5000).as_str()].map(str::to_owned);
        for text in texts {
            for (start, end) in [
                (0, 0),
                (0, 1),
                (1, 1),
                (1, 2),
                (3, 2),
                (7, 9999),
                (4000, 4001),
            ] {
                let problem = Problem::error(Span::new(start, end), "w");
                let shown = problems(&Source::new("n", text.as_str()), &[problem], Style::Plain);
                assert!(!shown.contains('\u{1b}') && shown.len() < 2000, "{shown}");
            }
        }
    }

    #[test]
    fn thousands_of_problems_do_not_flood() {
        let source = Source::new("n", "a\n".repeat(5000));
        let many: Vec<Problem> = (0..5000)
            .map(|at| Problem::note(Span::new(at * 2, at * 2 + 1), "odd"))
            .collect();
        let shown = problems(&source, &many, Style::Plain);
        assert!(
            shown.lines().count() < 200 && shown.contains("and 4980 more"),
            "{shown}"
        );
    }
}
