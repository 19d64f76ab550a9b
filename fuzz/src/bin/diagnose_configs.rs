//! Where configurations send requests: no panic on any text, with every reader.
//!
//! Seeds: .nginx .apache
//! Dictionary: config_lenses
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_bisect::{ConfigLens, ConfigTree, SourceFile};
use surefoot_diagnose::discover::{
    AskedRequest, read_apache, read_haproxy, read_nginx, read_php_fpm, serving_apache,
    serving_nginx,
};

fuzz_target!(|text: &[u8]| {
    let tree = |lens| {
        let mut tree = ConfigTree::default();
        let source = SourceFile {
            path: "f".to_owned(),
            text: text.to_vec(),
            lens,
            is_fixed: false,
            is_whole: false,
        };
        tree.add_file(source, None);
        tree
    };
    let asked = AskedRequest {
        host: "a.test".to_owned(),
        port: 80,
        path: "/x".to_owned(),
    };
    let address = ([127, 0, 0, 1], 80).into();
    let nginx = tree(ConfigLens::Nginx);
    let serving = serving_nginx(&nginx, &asked.host, address);
    let _ = read_nginx(&nginx, Some(&asked), serving.as_ref());
    let apache = tree(ConfigLens::Apache);
    let serving = serving_apache(&apache, &asked.host, address);
    let _ = read_apache(&apache, Some(&asked), serving.as_ref());
    let _ = read_haproxy(&tree(ConfigLens::Haproxy));
    let _ = read_php_fpm(&tree(ConfigLens::Ini));
});
