//! What a daemon hardly ever does without: modules that others need, definitions that others name.
//!
//! Left out alone, such a statement is refused by the syntax test, and so is nearly every group that has it. A search
//! looks among the others first.

use std::collections::{BTreeMap, BTreeSet};

use super::{ConfigLens, split_words};
use crate::tree::{ConfigTree, UnitId};

/// No more of a statement is looked at.
const LONGEST: usize = 4096;

/// The units that are looked at last, with the blocks and includes that hold one.
pub(crate) fn base_units(tree: &ConfigTree) -> BTreeSet<UnitId> {
    let mut users: BTreeMap<String, usize> = BTreeMap::new();
    let mut definers: BTreeMap<String, Vec<UnitId>> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for id in tree.ids() {
        let lens = tree.files[tree.unit(id).file].lens;
        let head = tree.head_of(id, LONGEST);
        let words = split_words(head.trim_end_matches(['{', ';', ' ', '\n']));
        let own = defined_name(lens, &words, tree.unit(id).is_block);
        let used: BTreeSet<&str> = head
            .split(|letter: char| !(letter.is_ascii_alphanumeric() || "_.$-".contains(letter)))
            .filter(|word| !word.is_empty() && Some(*word) != own.as_deref())
            .collect();
        for word in used {
            *users.entry(word.to_owned()).or_default() += 1;
        }
        if let Some(own) = own {
            definers.entry(own).or_default().push(id);
        }
        if is_base_word(lens, &tree.unit(id).word) {
            found.insert(id);
        }
    }
    for (name, units) in definers {
        // One of several of a name is not missed.
        if let ([unit], true) = (&units[..], users.contains_key(&name)) {
            found.insert(*unit);
        }
    }
    // What is around them goes with them in it: it is opened, not left out.
    let ids: Vec<UnitId> = found.iter().copied().collect();
    for id in ids {
        let mut around = tree.unit(id).parent;
        while let Some(block) = around.filter(|block| found.insert(*block)) {
            around = tree.unit(block).parent;
        }
    }
    found
}

/// Statements without which the rest is refused, whatever it is.
fn is_base_word(lens: ConfigLens, word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let words: &[&str] = match lens {
        ConfigLens::Apache => &[
            "loadmodule",
            "errorlog",
            "serverroot",
            "defaultruntimedir",
            "mutex",
            "define",
        ],
        ConfigLens::Nginx => &["events", "load_module"],
        ConfigLens::Bind => &["directory"],
        ConfigLens::Sshd => &["hostkey"],
        // Those of a pool of PHP-FPM: each needs the others.
        ConfigLens::Ini => &[
            "pm",
            "pm.max_children",
            "pm.start_servers",
            "pm.min_spare_servers",
            "pm.max_spare_servers",
            "user",
        ],
        ConfigLens::Haproxy => &["global"],
        _ => &[],
    };
    words.contains(&&*word)
}

/// The name that a statement gives to something that others refer to.
fn defined_name(lens: ConfigLens, words: &[String], is_block: bool) -> Option<String> {
    let word = |at: usize| words.get(at).map(String::as_str);
    match (lens, word(0)?) {
        (
            ConfigLens::Haproxy,
            "acl" | "backend" | "userlist" | "resolvers" | "cache" | "defaults" | "peers",
        )
        | (ConfigLens::Nginx, "log_format")
        | (ConfigLens::Bind, "acl" | "key" | "channel") => word(1).map(str::to_owned),
        (ConfigLens::Nginx, "upstream") if is_block => word(1).map(str::to_owned),
        (ConfigLens::Nginx, "map" | "geo" | "split_clients") if is_block => words.last().cloned(),
        (
            ConfigLens::Nginx,
            "limit_req_zone" | "limit_conn_zone" | "proxy_cache_path" | "fastcgi_cache_path",
        ) => {
            let zone = words.iter().find_map(|word| {
                word.strip_prefix("zone=")
                    .or_else(|| word.strip_prefix("keys_zone="))
            });
            zone.and_then(|zone| Some(zone.split(':').next()?.to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::SourceFile;

    fn base(lens: ConfigLens, text: &str) -> Vec<usize> {
        let mut tree = ConfigTree::default();
        tree.add_file(
            SourceFile {
                path: "f".to_owned(),
                text: text.as_bytes().to_vec(),
                lens,
                is_fixed: false,
                is_whole: false,
            },
            None,
        );
        base_units(&tree)
            .into_iter()
            .map(|id| tree.unit(id).line)
            .collect()
    }

    #[test]
    fn what_others_name_is_looked_at_last_and_one_of_two_is_not() {
        let haproxy = "frontend f\n  acl a path /a\n  acl b path /b\n  acl b path /c\n  acl unused path /d\n  \
            use_backend x if a b\nbackend x\n  server one 127.0.0.1:1\n";
        assert_eq!(base(ConfigLens::Haproxy, haproxy), [1, 2, 7]);
        let nginx = "events { }\nhttp {\nupstream u { server a; }\nlimit_req_zone $x zone=z:1m rate=1r/s;\nmap $a $b { }\n\
            server { limit_req zone=z; proxy_pass http://u; add_header X $b; }\n}\n";
        assert_eq!(base(ConfigLens::Nginx, nginx), [1, 2, 3, 4, 5]);
        let apache = "LoadModule a_module a.so\n<IfModule x>\nLoadModule b_module b.so\n</IfModule>\nKeepAlive On\n";
        assert_eq!(base(ConfigLens::Apache, apache), [1, 2, 3]);
    }
}
