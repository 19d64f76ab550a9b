//! Lines that stand in a block and should not, and headers that take what stands below them.

use surefoot_bisect::{
    BisectCause, BisectSearch, ConfigEdit, ConfigLens, ConfigTree, SourceFile, TestOracle,
    TestOutcome, name_answer,
};

/// A daemon that is judged by the text of its file.
struct TextOracle<'a> {
    tree: &'a ConfigTree,
    judge: fn(&str) -> TestOutcome,
}

impl TestOracle for TextOracle<'_> {
    type Stop = std::convert::Infallible;

    fn test(&mut self, edit: &ConfigEdit) -> Result<TestOutcome, Self::Stop> {
        let text = String::from_utf8(self.tree.render(0, edit)).expect("it is text");
        Ok((self.judge)(&text))
    }
}

/// Searches; gives the lines of unit and block, the configuration that cures, and the sentence.
fn search(
    lens: ConfigLens,
    text: &str,
    judge: fn(&str) -> TestOutcome,
) -> (usize, Option<usize>, String, String) {
    let mut tree = ConfigTree::default();
    let file = SourceFile {
        path: "conf".to_owned(),
        text: text.as_bytes().to_vec(),
        lens,
        is_fixed: false,
        is_whole: false,
    };
    tree.add_file(file, None);
    let mut oracle = TextOracle { tree: &tree, judge };
    let answer = BisectSearch::new(&tree, &mut oracle, 500, 1).run();
    let answer = answer.expect("it never stops");
    let BisectCause::Place { unit, block } = answer.cause else {
        panic!("{answer:?}");
    };
    let cured = String::from_utf8(tree.render(0, &answer.cure)).expect("it is text");
    (
        tree.unit(unit).line,
        block.map(|block| tree.unit(block).line),
        cured,
        name_answer(&tree, &answer, &[]).sentence(),
    )
}

#[test]
fn a_line_that_went_under_the_last_match_is_moved_above_the_first() {
    let text = "Port 22\nMatch Group x\n  Banner none\nMatch User bob\n  X11Forwarding no\n  \
                ForceCommand internal-sftp\n\n# added later\nPasswordAuthentication no\n";
    let found = search(ConfigLens::Sshd, text, |text| {
        let global = text.split("Match").next().unwrap_or_default();
        if global.contains("ForceCommand") {
            TestOutcome::Other
        } else if global.contains("PasswordAuthentication no") {
            TestOutcome::Fine
        } else {
            TestOutcome::Symptom
        }
    });
    let cured = "Port 22\nPasswordAuthentication no\nMatch Group x\n  Banner none\nMatch User bob\n  \
                 X11Forwarding no\n  ForceCommand internal-sftp\n\n# added later\n";
    let sentence = "conf:9 stands in the block conf:4: outside of it all is fine.";
    assert_eq!(found, (9, Some(4), cured.to_owned(), sentence.to_owned()));
}

#[test]
fn a_header_that_takes_what_is_below_it_goes_alone() {
    let text = "[a]\nx = 1\n[b]\ny = 2\nz = 3\n[c]\nw = 4\n";
    let (line, block, cured, _) = search(ConfigLens::Ini, text, |text| {
        if text.contains("[a]\nx = 1\ny = 2\nz = 3\n") {
            TestOutcome::Fine
        } else {
            TestOutcome::Symptom
        }
    });
    assert_eq!((line, block), (3, None));
    assert_eq!(cured, text.replace("[b]\n", ""));
}

#[test]
fn a_block_in_braces_is_unwrapped() {
    let text = "server {\n    root /srv;\n    location /a {\n        cache 5;\n        header two;\n    }\n    gzip on;\n}\n";
    let (line, block, cured, _) = search(ConfigLens::Nginx, text, |text| {
        let has = |word| text.contains(word);
        match (
            has("server"),
            has("location"),
            has("cache") && has("header two;\n    gzip on;"),
        ) {
            (false, ..) => TestOutcome::Rejected,
            (_, false, true) => TestOutcome::Fine,
            _ => TestOutcome::Symptom,
        }
    });
    assert_eq!((line, block), (3, None));
    let without = text
        .replace("    location /a {\n", "")
        .replace("    }\n", "");
    let cured: Vec<&str> = cured.lines().map(str::trim).collect();
    let without: Vec<&str> = without.lines().map(str::trim).collect();
    assert_eq!(cured, without);
}

/// Tells what a daemon would refuse: a name that is used and not defined.
struct NamesDaemon<'a> {
    tree: &'a ConfigTree,
    refused: usize,
}

impl TestOracle for NamesDaemon<'_> {
    type Stop = std::convert::Infallible;

    fn test(&mut self, edit: &ConfigEdit) -> Result<TestOutcome, Self::Stop> {
        let text = String::from_utf8(self.tree.render(0, edit)).expect("it is text");
        let is_whole = |name: &str| {
            !text.contains(&format!("default_backend {name}"))
                || text.contains(&format!("backend {name}\n"))
        };
        let names = text.contains("frontend") && is_whole("site");
        let acl = !text.contains("if p_old") || text.contains("acl p_old");
        if !names || !acl {
            self.refused += 1;
            return Ok(TestOutcome::Rejected);
        }
        Ok(if text.contains("bad on") {
            TestOutcome::Symptom
        } else {
            TestOutcome::Fine
        })
    }
}

#[test]
fn a_line_in_a_block_that_others_name_is_found_without_a_refused_candidate() {
    let text = "global\n  maxconn 3\nfrontend f\n  bind :80\n  acl p_old path /old\n  use_backend old if p_old\n  \
        default_backend site\nbackend site\n  balance roundrobin\n  bad on\n  server a 127.0.0.1:1\n  server b 127.0.0.1:2\n";
    let mut tree = ConfigTree::default();
    tree.add_file(
        SourceFile {
            path: "conf".to_owned(),
            text: text.as_bytes().to_vec(),
            lens: ConfigLens::Haproxy,
            is_fixed: false,
            is_whole: false,
        },
        None,
    );
    let mut daemon = NamesDaemon {
        tree: &tree,
        refused: 0,
    };
    let mut search = BisectSearch::new(&tree, &mut daemon, 200, 1);
    let answer = search.run().unwrap_or_else(|never| match never {});
    let BisectCause::One { unit } = answer.cause else {
        panic!("{answer:?}");
    };
    assert_eq!(tree.unit(unit).line, 10);
    assert_eq!(daemon.refused, 0);
}
