//! Every lens on whole files of its kind, and on texts of chance.

mod lens_check;

use lens_check::check_lens;
use surefoot_bisect::{ConfigLens, parse_config};

/// Words and marks that mean something to one lens or another.
const PIECES: &[&str] = &[
    "a",
    "b=1",
    "word",
    " ",
    "  ",
    "\t",
    "\n",
    "\n\n",
    "\r\n",
    ";",
    "{",
    "}",
    "};",
    "\\",
    "\\\n",
    "\"",
    "'",
    "# x",
    "// x",
    "/*",
    "*/",
    "<A b>",
    "</A>",
    "<",
    ">",
    "[s]",
    "Match all",
    "global",
    "frontend f",
    "- ",
    "key:",
    "key: |",
    "---",
    "include x;",
    "Include y",
    "${",
    "é",
    "\u{0}",
];

#[test]
fn printing_gives_back_what_was_parsed_whatever_it_is() {
    let mut random: u64 = 0x2545_f491_4f6c_dd1d;
    for _ in 0..1500 {
        let mut text = String::new();
        for _ in 0..40 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = usize::try_from(random % PIECES.len() as u64).expect("a few");
            text.push_str(PIECES[at]);
        }
        for lens in ConfigLens::ALL {
            check_lens(lens, text.as_bytes());
        }
    }
}

#[test]
fn whole_files_are_recognised_and_taken_apart() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("the samples") {
        let path = entry.expect("a file").path();
        let ending = path
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or_default();
        let lens = ConfigLens::from_word(ending).expect("the ending is a lens");
        let text = std::fs::read(&path).expect("it can be read");
        check_lens(lens, &text);
        let nodes = parse_config(lens, &text);
        assert!(nodes.len() > 2, "{}", path.display());
        if !matches!(lens, ConfigLens::Lines | ConfigLens::Yaml) {
            assert_eq!(
                ConfigLens::detect("sample", &text),
                lens,
                "{}",
                path.display()
            );
            assert!(nodes.iter().any(|node| node.children.len() > 1));
        }
        seen += 1;
    }
    assert_eq!(seen, ConfigLens::ALL.len());
}
