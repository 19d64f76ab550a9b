//! The chain and the answer as one page of HTML, which loads nothing from anywhere.

use std::fmt::Write as _;

use crate::act::LookedAt;
use crate::drawing::{count_hops, hints, hold_lines, hop_state, verdict_words};
use crate::observation::Scene;
use crate::recent::change_lines;
use crate::verdict::{CauseBearing, NamedCause};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}\
    ul{list-style:none;border-left:2px solid #bbb;margin:.3rem 0 .3rem .6rem;padding-left:1rem}\
    .hop{display:inline-block;border:1px solid #888;border-radius:4px;padding:.1rem .6rem}\
    .bad{border-color:#b00020;background:#fdecee}.way{color:#666;font-size:.85rem}\
    section{border-left:4px solid #888;padding-left:1rem;margin:1rem 0}section.causes{border-color:#b00020}\
    pre,code{background:#f4f4f4;padding:.1rem .3rem;overflow-x:auto;white-space:pre-wrap}";

fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

/// Writes the page.
pub fn write_page(looked: &LookedAt) -> String {
    let (scene, answer) = (&looked.scene, &looked.diagnosis);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         <h1>{title}</h1>\n<p>{} after {} ms</p>\n",
        safe(&scene.symptom.outcome.words()),
        scene.symptom.millis,
        title = safe(if scene.symptom.question.is_empty() {
            &looked.target
        } else {
            &scene.symptom.question
        }),
    );
    let words = verdict_words(scene, answer);
    if !words.is_empty() {
        let _ = writeln!(page, "<p><strong>{}</strong></p>", safe(&words));
    }
    for cause in &answer.causes {
        write_section(cause, &mut page);
    }
    for hint in hints(looked) {
        let _ = writeln!(page, "<pre>{}</pre>", safe(&hint));
    }
    page.push_str("<h2>The chain</h2>\n<ul>\n");
    let blamed: Vec<usize> = answer
        .causes
        .iter()
        .filter(|cause| cause.bearing == CauseBearing::Causes)
        .map(|cause| cause.hop)
        .collect();
    let mut drawn = vec![false; scene.hops.len()];
    for front in 0..scene.front_count() {
        write_hop(scene, front, &blamed, "", &mut drawn, &mut page);
    }
    page.push_str("</ul>\n");
    if let Some(holds) = &looked.holds {
        page.push_str("<h2>Held for a moment</h2>\n<ul>\n");
        for line in hold_lines(holds).iter().filter(|line| !line.is_empty()) {
            let _ = writeln!(page, "<li>{}</li>", safe(line.trim()));
        }
        page.push_str("</ul>\n");
    }
    if let Some(offer) = &looked.bisect {
        let _ = writeln!(page, "<pre>{}</pre>", safe(&offer.command()));
    }
    if !scene.changes.is_empty() {
        page.push_str(
            "<h2>Changed lately</h2>\n<p class=\"way\">This shows nothing by itself.</p>\n<ul>\n",
        );
        for line in change_lines(scene) {
            let _ = writeln!(page, "<li>{}</li>", safe(line.trim()));
        }
        page.push_str("</ul>\n");
    }
    if !scene.unseen.is_empty() {
        page.push_str("<h2>Not seen</h2>\n<ul>\n");
        for line in &scene.unseen {
            let _ = writeln!(page, "<li>{}</li>", safe(line));
        }
        page.push_str("</ul>\n");
    }
    let _ = writeln!(
        page,
        "<p class=\"way\">{}, {} ms; surefoot diagnose</p>\n</html>",
        count_hops(scene),
        looked.millis
    );
    page
}

fn write_section(cause: &NamedCause, page: &mut String) {
    let class = if cause.bearing == CauseBearing::Causes {
        " class=\"causes\""
    } else {
        ""
    };
    let _ = writeln!(
        page,
        "<section{class}>\n<h3>{}: {}</h3>\n<ul>",
        cause.label(),
        safe(&cause.what)
    );
    for line in &cause.evidence {
        let _ = writeln!(page, "<li>{}</li>", safe(line));
    }
    if let Some(why) = &cause.reservation {
        let _ = writeln!(page, "<li>but: {}</li>", safe(why));
    }
    page.push_str("</ul>\n");
    for command in &cause.next {
        let _ = writeln!(page, "<pre>{}</pre>", safe(command));
    }
    page.push_str("</section>\n");
}

fn write_hop(
    scene: &Scene,
    at: usize,
    blamed: &[usize],
    way: &str,
    drawn: &mut [bool],
    page: &mut String,
) {
    let Some(hop) = scene.hops.get(at) else {
        return;
    };
    let class = if blamed.contains(&at) {
        "hop bad"
    } else {
        "hop"
    };
    let seen = std::mem::replace(&mut drawn[at], true);
    let state = if seen {
        "above".to_owned()
    } else {
        hop_state(hop)
    };
    let _ = writeln!(
        page,
        "<li><span class=\"{class}\">{}</span> {} <span class=\"way\">{}</span>",
        safe(&hop.title()),
        safe(&state),
        safe(way)
    );
    if !seen && scene.edges_from(at).next().is_some() {
        page.push_str("<ul>\n");
        for edge in scene.edges_from(at) {
            let way = edge.sources.first().map(crate::EdgeSource::words);
            write_hop(
                scene,
                edge.to,
                blamed,
                &way.unwrap_or_default(),
                drawn,
                page,
            );
        }
        page.push_str("</ul>\n");
    }
    page.push_str("</li>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{HopFacts, Scene, ShownSymptom};
    use crate::verdict::diagnose_scene;

    #[test]
    fn nothing_of_a_server_becomes_a_tag() {
        let scene = Scene {
            symptom: ShownSymptom {
                question: "GET http://a/<script>".to_owned(),
                ..ShownSymptom::default()
            },
            hops: vec![HopFacts {
                program: Some("<b>\u{1b}[1m".to_owned()),
                ..HopFacts::default()
            }],
            ..Scene::default()
        };
        let looked = LookedAt {
            target: String::new(),
            diagnosis: diagnose_scene(&scene),
            scene,
            says_what_is_good: false,
            millis: 7,
            holds: None,
            bisect: None,
        };
        let page = write_page(&looked);
        assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains('\u{1b}'));
        assert!(page.contains("&lt;b&gt;"));
    }
}
