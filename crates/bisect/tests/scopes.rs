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
