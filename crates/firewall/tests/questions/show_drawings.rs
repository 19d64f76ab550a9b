//! The drawings of a rule set: Graphviz takes the one, an XML parser the other, whatever the rules say.

#![expect(
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests run the programs that the drawings are for"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use surefoot_firewall::show::{self, Picture, Selection, picture};
use surefoot_ruleset::{Input, load};

fn all(text: &str) -> Picture {
    let input = Input {
        name: "rules".to_owned(),
        text: text.to_owned(),
        format: None,
    };
    picture(&load(vec![input]).firewall, &Selection::default())
}

fn filter(lines: &str) -> String {
    format!("*filter\n:INPUT DROP [5:300]\n{lines}\nCOMMIT\n")
}

const NASTY: &str = "\\N\\l\\'><script>alert(1)</script>&amp;&#x0;\u{1b}]0;owned\u{7}\u{202e}\u{fffe}\u{ffff}]]>{}|";

/// Rules whose every word is an attack on a terminal, a document or a parser.
fn hostile() -> Picture {
    let picture = all(&format!(
        "table inet t {{\n map m {{ type ifname : verdict; elements = {{ \"{NASTY}\" : jump d }} }}\n chain c {{\n  type filter hook input priority 0; policy drop;\n  iifname \"{NASTY}\" log prefix \"{NASTY}\" jump d comment \"{NASTY}\"\n  iifname vmap @m\n }}\n chain d {{ oifname \"<&'\" drop comment \"--><!--\"; }}\n}}\n"
    ));
    let first = &picture.chains[0].rules[0];
    assert_eq!(first.comment.as_deref(), Some(NASTY), "the rule was read");
    assert_eq!(picture.chains.len(), 2);
    picture
}

/// Chains and calls of every kind.
fn rich() -> Picture {
    let mut lines = String::from(
        ":A - [0:0]\n:B - [0:0]\n:X - [0:0]\n-A INPUT -p tcp -j A\n-A INPUT -p udp -g B\n-A A -j B\n-A A -j A\n-A X -j DROP\n",
    );
    for port in 1..100 {
        writeln!(lines, "-A B -p tcp --dport {port} -j ACCEPT").unwrap();
    }
    all(&format!(
        "*nat\n:PREROUTING ACCEPT\n:POSTROUTING ACCEPT\nCOMMIT\n{}",
        filter(&lines)
    ))
}

/// Sends a text through a program and gives what it prints; fails if the program complains.
fn through(program: &str, arguments: &[&str], text: &str) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("`{program}` is needed (`cargo xtask packages`): {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let text = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && complaints.is_empty(),
        "{program}: {complaints}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Says where a text is no well-formed XML document: tags nest, values are quoted, entities are
/// known, every character is one that XML has.
fn flaw(document: &str) -> Option<String> {
    let allowed = |char: char| matches!(char, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    if let Some(bad) = document.chars().find(|char| !allowed(*char)) {
        return Some(format!("{bad:?} is no character of XML"));
    }
    let entities_are_known = |text: &str| {
        text.split('&').skip(1).all(|after| {
            let name = after.split(';').next().unwrap_or_default();
            after.contains(';') && ["amp", "lt", "gt", "quot", "#39"].contains(&name)
        })
    };
    let mut open: Vec<&str> = Vec::new();
    let mut roots = 0;
    for (at, piece) in document.split('<').enumerate() {
        let (tag, text) = match (at, piece.split_once('>')) {
            (0, _) => ("", piece),
            (_, Some(parts)) => parts,
            (_, None) => return Some(format!("a tag does not end: {piece}")),
        };
        if at > 0 {
            if let Some(name) = tag.strip_prefix('/') {
                if open.pop() != Some(name) {
                    return Some(format!("</{name}> closes nothing"));
                }
            } else {
                let (inside, empty) = match tag.strip_suffix('/') {
                    Some(inside) => (inside, true),
                    None => (tag, false),
                };
                let (name, attributes) = inside.split_once(' ').unwrap_or((inside, ""));
                if name.is_empty() || !name.chars().all(|char| char.is_ascii_alphanumeric()) {
                    return Some(format!("<{name}> is no name"));
                }
                let pieces: Vec<&str> = attributes.split('"').collect();
                let (last, pairs) = pieces.split_last().expect("a split gives a piece");
                let quoted = pairs.len() % 2 == 0
                    && pairs.iter().step_by(2).all(|name| name.ends_with('='))
                    && last.trim().is_empty();
                if !quoted || !entities_are_known(attributes) {
                    return Some(format!("attributes of <{tag}>"));
                }
                roots += usize::from(open.is_empty());
                if !empty {
                    open.push(name);
                }
            }
        }
        if !entities_are_known(text) || (open.is_empty() && !text.trim().is_empty()) {
            return Some(format!("text after <{tag}>: {text}"));
        }
    }
    if open.is_empty() && roots == 1 {
        None
    } else {
        Some(format!("{open:?} open, {roots} roots"))
    }
}

#[test]
fn the_check_of_xml_can_fail() {
    for (document, well) in [
        ("<a x=\"1\"><b/>t &amp;</a>\n", true),
        ("<a><b></a></b>", false),
        ("<a>", false),
        ("<a>&</a>", false),
        ("<a>&nbsp;</a>", false),
        ("<a x=1></a>", false),
        ("<a>\u{1}</a>", false),
        ("<a/><b/>", false),
        ("<a>\u{ffff}</a>", false),
        ("<a x=\"1\"y</a>", false),
    ] {
        assert_eq!(
            flaw(document).is_none(),
            well,
            "{document:?}: {:?}",
            flaw(document)
        );
    }
}

#[test]
fn every_drawing_is_well_formed_and_carries_no_script() {
    let nothing = picture(&load(Vec::new()).firewall, &Selection::default());
    for picture in [hostile(), rich(), nothing, all("")] {
        let svg = show::svg(&picture);
        assert_eq!(flaw(&svg), None, "{svg}");
        assert!(!svg.contains("<script") && !svg.contains("javascript"));
        assert_eq!(
            svg.matches("http").count(),
            1,
            "only the name of the format"
        );
        assert_eq!(through("xmllint", &["--noout", "--nonet", "-"], &svg), "");
    }
}

#[test]
fn graphviz_draws_every_digraph() {
    for picture in [hostile(), rich(), all("")] {
        let dot = show::dot(&picture);
        let drawn = through("dot", &["-Tsvg"], &dot);
        for at in 0..picture.chains.len() {
            assert!(drawn.contains(&format!("<title>c{at}</title>")), "{dot}");
        }
        assert_eq!(through("xmllint", &["--noout", "--nonet", "-"], &drawn), "");
    }
}

#[test]
fn graphviz_shows_the_words_as_they_are() {
    let drawn = through("dot", &["-Tsvg"], &show::dot(&hostile()));
    let entities = [
        ("&#160;", " "),
        ("&#39;", "'"),
        ("&#45;", "-"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ];
    let shown = entities
        .iter()
        .fold(drawn, |text, (entity, word)| text.replace(entity, word));
    assert!(
        shown.contains("in \\N\\l\\'><script>alert(1)</script>&amp;&#x0;\\u{1b}]0;owned"),
        "{shown}"
    );
}

#[test]
fn a_digraph_has_an_edge_for_each_chain_called() {
    let dot = show::dot(&rich());
    let edges: Vec<&str> = dot
        .lines()
        .filter(|line| line.contains("-> c") && line.contains("label="))
        .collect();
    let names: Vec<String> = rich().chains.iter().map(|it| it.name.clone()).collect();
    assert_eq!(names, ["PREROUTING", "INPUT", "A", "B", "POSTROUTING", "X"]);
    assert_eq!(
        edges,
        [
            "  c1 -> c2 [label=\"1\"];",
            "  c1 -> c3 [label=\"2\", style=dashed];",
            "  c2 -> c2 [label=\"2\"];",
            "  c2 -> c3 [label=\"1\"];",
        ]
    );
    assert!(dot.contains("59 more rules"), "{dot}");
}

/// The boxes of chains: left, top, right, bottom.
fn boxes(svg: &str) -> Vec<[u64; 4]> {
    let marks = svg.split("<rect class=\"box\" id=\"c").skip(1);
    marks
        .map(|mark| {
            let number = |name: &str| {
                let after = mark.split_once(&format!(" {name}=\"")).unwrap().1;
                after.split('"').next().unwrap().parse::<u64>().unwrap()
            };
            let (x, y) = (number("x"), number("y"));
            [x, y, x + number("width"), y + number("height")]
        })
        .collect()
}

/// Two hundred chains that call each other as those of container hosts do.
fn crowd() -> Picture {
    let mut lines = String::new();
    for at in 0..200 {
        writeln!(lines, ":SVC{at} - [0:0]").unwrap();
    }
    for at in 0..200 {
        match at % 4 {
            0 => writeln!(lines, "-A INPUT -p tcp --dport {} -j SVC{at}", at + 1),
            _ => writeln!(lines, "-A SVC{} -s 10.0.{at}.0/24 -j SVC{at}", at - 1),
        }
        .unwrap();
        writeln!(lines, "-A SVC{at} -j SVC199").unwrap();
    }
    all(&filter(&lines))
}

#[test]
fn two_hundred_chains_stay_apart_and_inside_the_drawing() {
    let picture = crowd();
    let svg = show::svg(&picture);
    assert_eq!(flaw(&svg), None);
    let boxes = boxes(&svg);
    assert_eq!(boxes.len(), picture.chains.len());
    let size = |name: &str| {
        let after = svg.split_once(&format!("{name}=\"")).unwrap().1;
        after.split('"').next().unwrap().parse::<u64>().unwrap()
    };
    for (at, [left, top, right, bottom]) in boxes.iter().enumerate() {
        assert!(*right <= size("width") && *bottom <= size("height"));
        for [other_left, other_top, other_right, other_bottom] in &boxes[..at] {
            let apart = right < other_left
                || other_right < left
                || bottom < other_top
                || other_bottom < top;
            assert!(apart, "c{at} lies on another box");
        }
    }
    // So many calls of one chain would be a thicket: they are links, and only the tree is drawn.
    let arrows = svg.matches("<path d=").count() + svg.matches("<path class=\"far\"").count();
    assert!(arrows < 260, "{arrows}");
    assert!(svg.matches("<a href=\"#c").count() > 350);
}

#[test]
fn drawings_of_many_rules_stay_small() {
    let mut lines = String::new();
    for at in 0..50_000_u32 {
        writeln!(lines, "-A INPUT -s 10.0.{}.{} -j DROP", at / 250, at % 250).unwrap();
    }
    let picture = all(&filter(&lines));
    let (svg, dot) = (show::svg(&picture), show::dot(&picture));
    assert!(
        svg.len() < 50_000 && dot.len() < 50_000,
        "{} {}",
        svg.len(),
        dot.len()
    );
    assert!(svg.contains("49960 more rules") && dot.contains("49960 more rules"));
}

#[test]
fn a_verdict_map_of_hundreds_is_counted_in_a_box_and_whole_in_the_picture() {
    let mut chains = String::new();
    let mut elements = String::new();
    for at in 1..300 {
        writeln!(chains, " chain s{at} {{ ip daddr 192.0.2.1 accept; }}").unwrap();
        write!(elements, "{at} : goto s{at}, ").unwrap();
    }
    let picture = all(&format!(
        "table inet t {{\n map m {{ type inet_service : verdict; elements = {{ {elements} 9999 : drop }} }}\n{chains} chain c {{ type filter hook input priority 0; tcp dport vmap @m; }}\n}}\n"
    ));
    assert_eq!(
        (picture.chains.len(), picture.chains[0].rules[0].ways.len()),
        (300, 300)
    );
    let (svg, dot) = (show::svg(&picture), show::dot(&picture));
    assert_eq!(flaw(&svg), None);
    assert!(svg.contains("260 more ways") && dot.contains("260 more ways"));
    // The chains of the ways that are only counted have their arrows all the same.
    assert_eq!(svg.matches("<path class=\"goto\"").count(), 299);
    assert!(dot.contains("c0 -> c299 "), "{dot}");
}
