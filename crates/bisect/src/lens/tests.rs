//! Each lens on what it is for: extents, blocks, includes.

use super::*;

/// The structure as text: first words, what is in a block in brackets.
fn shape(nodes: &[ConfigNode]) -> String {
    let words = nodes.iter().map(|node| {
        if node.is_block {
            format!("{}[{}]", node.word, shape(&node.children))
        } else {
            node.word.clone()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(lens: ConfigLens, text: &str, wanted: &str) {
    let nodes = parse_config(lens, text.as_bytes());
    assert_eq!(shape(&nodes), wanted);
    check_extents(&nodes, 0..text.len());
}

#[track_caller]
fn check_extents(nodes: &[ConfigNode], around: Range<usize>) {
    let mut at = around.start;
    for node in nodes {
        assert!(node.span.start >= at && node.span.end <= around.end);
        assert!(node.span.start <= node.start && node.start <= node.span.end);
        at = node.span.end;
        check_extents(&node.children, node.span.clone());
    }
}

/// The text without the first node that has this word.
fn without(lens: ConfigLens, text: &str, word: &str) -> String {
    fn find<'a>(nodes: &'a [ConfigNode], word: &str) -> Option<&'a ConfigNode> {
        let mut found = nodes.iter();
        found.find_map(|node| {
            if node.word == word {
                Some(node)
            } else {
                find(&node.children, word)
            }
        })
    }
    let nodes = parse_config(lens, text.as_bytes());
    let node = find(&nodes, word).expect("it is there");
    let mut text = text.to_owned();
    text.replace_range(node.span.clone(), "");
    text
}

#[test]
fn nginx_has_statements_over_several_lines_and_nested_blocks() {
    let text = "user www;\nhttp { # all\n  log_format a '$x;{'\n     \"}\" ;\n  server { listen 80; root /w; }\n  \
                map $a $b { ~^/x{2} 1; }\n}\n";
    check(
        ConfigLens::Nginx,
        text,
        "user http[log_format server[listen root] map[~^/x[2] 1]]",
    );
    check(ConfigLens::Nginx, "a ${b}c;d;", "a d");
    assert_eq!(
        without(ConfigLens::Nginx, "a;\n  b 1; # why\nc;\n", "b"),
        "a;\nc;\n"
    );
    assert_eq!(
        without(ConfigLens::Nginx, "x { b; c; }\n", "b"),
        "x {  c; }\n"
    );
}

#[test]
fn bind_ends_its_blocks_with_a_semicolon() {
    let text = "options {\n  listen-on { 127.0.0.1; }; // here\n  /* no; */ recursion yes;\n};\n\
                controls { inet 127.0.0.1 allow { any; } keys { k; }; };\n\
                zone \"x\" { type master; };\n";
    check(
        ConfigLens::Bind,
        text,
        "options[listen-on[127.0.0.1] recursion] controls[inet] zone[type]",
    );
    assert_eq!(
        without(
            ConfigLens::Bind,
            "zone \"a\" { type x; };  // gone\nb;\n",
            "zone"
        ),
        "b;\n"
    );
}

#[test]
fn apache_nests_sections_and_continues_lines() {
    let text = "Listen 80\n<IfModule a.c>\n <Location />\n  Header set \\\n    A b\n </Location>\n</IfModule>\n\
                # <Directory>\nInclude conf/*.load\n";
    check(
        ConfigLens::Apache,
        text,
        "Listen IfModule[Location[Header]] Include",
    );
    check(ConfigLens::Apache, "<A>\n<B>\nC\n</A>\nD\n", "A[B C] D");
    let nodes = parse_config(ConfigLens::Apache, b"IncludeOptional \"conf/a b/*.conf\"\n");
    assert_eq!(nodes[0].includes, ["conf/a b/*.conf"]);
}

#[test]
fn headers_begin_sections() {
    let text = "# all\nglobal\n  maxconn 3\n\ndefaults base\n  mode http\n# web\nfrontend web\n  bind :80\n";
    check(
        ConfigLens::Haproxy,
        text,
        "global[maxconn] defaults[mode] frontend[bind]",
    );
    assert_eq!(
        without(ConfigLens::Haproxy, text, "defaults"),
        "# all\nglobal\n  maxconn 3\n\n# web\nfrontend web\n  bind :80\n"
    );
    check(
        ConfigLens::Ini,
        "!includedir /etc/my.cnf.d/\n[mysqld]\nport = 3306\n; no\n[x]\n",
        "!includedir [mysqld][port] [x][]",
    );
    let nodes = parse_config(
        ConfigLens::Ini,
        b"!includedir /etc/my.cnf.d/\ninclude=/a/*.conf\n",
    );
    assert_eq!(nodes[0].includes, ["/etc/my.cnf.d/*.cnf"]);
    assert_eq!(nodes[1].includes, ["/a/*.conf"]);
    check(
        ConfigLens::Sshd,
        "Port 22\nInclude a b\nMatch User x\n  X11Forwarding no\nmatch all\n  Banner none\n",
        "Port Include Match[X11Forwarding] match[Banner]",
    );
}

#[test]
fn yaml_goes_by_indentation() {
    let text = "a: 1\nb:\n  c: 2\n  d:\n  - e: 3\n    f: 4\n  - g\ntext: |\n  # not a comment\n  h: 5\nlast: x\n";
    check(ConfigLens::Yaml, text, "a b[c d[- e[f] - g]] text last");
    assert_eq!(
        without(ConfigLens::Yaml, text, "- e"),
        "a: 1\nb:\n  c: 2\n  d:\n  - g\ntext: |\n  # not a comment\n  h: 5\nlast: x\n"
    );
}

#[test]
fn a_lens_is_found_by_name_and_by_content() {
    let lens = |path: &str, text: &str| ConfigLens::detect(path, text.as_bytes());
    assert_eq!(lens("/etc/nginx/sites-enabled/x", ""), ConfigLens::Nginx);
    assert_eq!(lens("/srv/a.conf", "<If x>\n</If>\n"), ConfigLens::Apache);
    assert_eq!(
        lens("/srv/a", "server {\n listen 1;\n root x;\n}\n"),
        ConfigLens::Nginx
    );
    assert_eq!(
        lens("/srv/a", "zone \"x\" {\n type m;\n};\n"),
        ConfigLens::Bind
    );
    assert_eq!(lens("/srv/a", "global\n daemon\n"), ConfigLens::Haproxy);
    assert_eq!(lens("/srv/a", "[x]\na=1\n"), ConfigLens::Ini);
    assert_eq!(lens("/srv/a", "one\ntwo\n"), ConfigLens::Lines);
}

#[test]
fn no_depth_of_nesting_is_too_deep() {
    for (lens, open) in [
        (ConfigLens::Nginx, "a{"),
        (ConfigLens::Bind, "a{"),
        (ConfigLens::Apache, "<a>\n"),
    ] {
        let closed = match lens {
            ConfigLens::Apache => "</a>\n".repeat(3_000),
            _ => "};".repeat(3_000),
        };
        let text = open.repeat(3_000) + &closed;
        check_extents(&parse_config(lens, text.as_bytes()), 0..text.len());
        check_extents(
            &parse_config(lens, open.repeat(3_000).as_bytes()),
            0..open.len() * 3_000,
        );
    }
}
