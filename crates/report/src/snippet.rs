//! Problems in an input, shown the way rustc does: the line, the mark, what to do.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level as Title, Origin, Renderer, Snippet};

use crate::{Level, Problem, Source, Span, Style, escape};

/// More problems than this in one text are counted, not shown.
const SHOWN: usize = 20;

/// A line is shown up to this length, so that a text without line ends does not flood a terminal.
const WIDEST: usize = 200;

/// The problems of a text in its order; where there are too many, the worst of them.
pub fn problems(source: &Source, problems: &[Problem], style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colour => Renderer::styled(),
    };
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort_by_key(|problem| (Reverse(problem.level), problem.span));
    let hidden = sorted.split_off(sorted.len().min(SHOWN));
    sorted.sort_by_key(|problem| problem.span);
    let mut out = String::new();
    for problem in sorted {
        out.push_str(&one(source, problem, &renderer));
        out.push_str("\n\n");
    }
    if !hidden.is_empty() {
        let _ = writeln!(out, "and {} in {}\n", count(&hidden), escape(&source.name));
    }
    out
}

/// `3 more errors, 1 more note`.
fn count(problems: &[&Problem]) -> String {
    let of = |level: Level, word: &str| {
        let count = problems.iter().filter(|it| it.level == level).count();
        let ending = if count == 1 { "" } else { "s" };
        (count > 0).then(|| format!("{count} more {word}{ending}"))
    };
    let parts = [
        of(Level::Error, "error"),
        of(Level::Warning, "warning"),
        of(Level::Note, "note"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn one(source: &Source, problem: &Problem, renderer: &Renderer) -> String {
    let title = match problem.level {
        Level::Error => Title::ERROR,
        Level::Warning => Title::WARNING,
        Level::Note => Title::NOTE,
    };
    let what = escape(&problem.what);
    let name = escape(source.name_at(problem.span.unwrap_or_default().start));
    let label = escape(&problem.label);
    let help = problem.help.as_deref().map(escape);
    let place = problem.span.map(|span| line_of(source, span));
    let title = title.primary_title(&*what);
    let mut group: Group<'_> = match &place {
        Some((line, number, mark)) => title.element(
            Snippet::source(line)
                .line_start(*number)
                .path(&*name)
                .annotation(AnnotationKind::Primary.span(mark.clone()).label(&*label)),
        ),
        None => title.element(Origin::path(&*name)),
    };
    if let Some(help) = &help {
        group = group.element(Title::HELP.message(&**help));
    }
    renderer.render(&[group])
}

/// The line of a span made safe to show, its number, and the marked bytes in it.
fn line_of(source: &Source, span: Span) -> (String, usize, Range<usize>) {
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
            shown.lines().count() < 200 && shown.ends_with("and 4980 more notes in n\n\n"),
            "{shown}"
        );
    }

    #[test]
    fn an_error_is_shown_before_any_number_of_notes() {
        let source = Source::new("n", "a\n".repeat(500));
        let mut many: Vec<Problem> = (0..400)
            .map(|at| Problem::note(Span::new(at * 2, at * 2 + 1), "odd"))
            .collect();
        many.push(Problem::error(Span::new(900, 901), "broken"));
        let shown = problems(&source, &many, Style::Plain);
        assert!(
            shown.contains("error: broken") && shown.ends_with("and 381 more notes in n\n\n"),
            "{shown}"
        );
    }

    #[test]
    fn a_problem_without_a_place_names_the_text_only() {
        let mut problem = Problem::error(Span::default(), "no rules").help("give some");
        problem.span = None;
        let shown = problems(&Source::new("n", "a\n"), &[problem], Style::Plain);
        assert_eq!(shown, "error: no rules\n--> n\n = help: give some\n\n");
    }
}
