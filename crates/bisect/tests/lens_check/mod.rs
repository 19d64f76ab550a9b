//! What must hold of every lens on every text; the fuzz targets check the same.

use std::ops::Range;

use surefoot_bisect::{ConfigEdit, ConfigLens, ConfigNode, ConfigTree, SourceFile, parse_config};

/// Checks the extents of what is parsed, and that printing gives back the text: whole, without any unit, and
/// with siblings in another order.
pub(crate) fn check_lens(lens: ConfigLens, text: &[u8]) {
    check_extents(&parse_config(lens, text), 0..text.len());
    let mut tree = ConfigTree::default();
    tree.add_file(
        SourceFile {
            path: "text".to_owned(),
            text: text.to_vec(),
            lens,
            is_fixed: false,
            is_whole: false,
        },
        None,
    );
    assert_eq!(
        tree.render(0, &ConfigEdit::default()),
        text,
        "printed as it was"
    );
    for id in tree.ids().take(64) {
        let span = tree.unit(id).span.clone();
        let rest = [&text[..span.start], &text[span.end..]].concat();
        assert_eq!(
            tree.render(0, &ConfigEdit::without([id])),
            rest,
            "only its bytes go"
        );
        check_extents(&parse_config(lens, &rest), 0..rest.len());
    }
    for list in tree.sibling_lists().into_iter().take(8) {
        let order = list.iter().rev().copied().collect();
        let turned = tree.render(0, &ConfigEdit::reordered(&list, order));
        let count = |bytes: &[u8]| bytes.iter().filter(|byte| **byte != b'\n').count();
        assert_eq!(count(&turned), count(text), "nothing is lost but the place");
    }
    let _ = ConfigLens::detect("text", text);
}

fn check_extents(nodes: &[ConfigNode], around: Range<usize>) {
    let mut at = around.start;
    for node in nodes {
        assert!(
            at <= node.span.start && node.span.end <= around.end,
            "in order, inside"
        );
        assert!(
            node.span.start <= node.start && node.start <= node.span.end,
            "its own text"
        );
        at = node.span.end;
        check_extents(&node.children, node.span.clone());
    }
}
