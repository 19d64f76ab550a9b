//! Readers over small configurations.

use std::collections::BTreeMap;

use surefoot_bisect::{ConfigLens, ConfigTree, SourceFile};

use super::*;

/// A configuration of one file.
pub(super) fn tree(lens: ConfigLens, text: &str) -> ConfigTree {
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
    tree
}

fn shown(config: &DaemonConfig) -> Vec<String> {
    let forwards = config.forwards.iter();
    forwards
        .map(|it| {
            let pool = it.pool.as_deref().unwrap_or("-");
            format!("{:?} {:?} {} {pool}", it.address, it.protocol, it.place)
        })
        .collect()
}

#[test]
fn nginx_takes_what_the_request_meets() {
    let text = "error_log /var/log/nginx/error.log;\nhttp {\nupstream app { server 10.0.0.1:9100; server 10.0.0.2; }\n\
        server {\nlisten 80;\nserver_name a.test;\nlocation / { proxy_pass http://app; }\n\
        location /api/ { proxy_pass https://10.0.0.9; proxy_ssl_verify on; }\n\
        location ~ \\.php$ { fastcgi_pass unix:/run/php.sock; }\n}\n\
        server { listen 80; server_name b.test; location / { proxy_pass http://10.0.0.7:1; } }\n}\n";
    let asked = |path: &str| AskedRequest {
        host: "a.test".to_owned(),
        port: 80,
        path: path.to_owned(),
    };
    let tree = tree(ConfigLens::Nginx, text);
    let config = read_nginx(&tree, Some(&asked("/")), None);
    assert_eq!(
        shown(&config),
        [
            "Host(\"10.0.0.1\", 9100) Http f:3 app",
            "Host(\"10.0.0.2\", 80) Http f:3 app",
            "Unix(\"/run/php.sock\") FastCgi f:9 -"
        ]
    );
    assert_eq!(config.logs, ["/var/log/nginx/error.log"]);
    let config = read_nginx(&tree, Some(&asked("/api/x")), None);
    assert_eq!(shown(&config)[0], "Host(\"10.0.0.9\", 443) Https f:8 -");
    assert!(config.forwards[0].verifies_certificate);
    assert_eq!(read_nginx(&tree, None, None).forwards.len(), 5);
}

#[test]
fn apache_follows_balancers_handlers_and_rewrites() {
    let text = "Listen 127.0.0.1:8080\nPidFile run/httpd.pid\n<Proxy \"balancer://apps\">\nBalancerMember http://127.0.0.1:3001\n\
        BalancerMember \"http://127.0.0.1:3002\" retry=0\n</Proxy>\nProxyPass /static !\nProxyPass / balancer://apps/\n\
        <FilesMatch \\.php$>\nSetHandler \"proxy:unix:/run/php.sock|fcgi://localhost/\"\n</FilesMatch>\n\
        RewriteRule ^/old/(.*)$ http://127.0.0.1:4000/$1 [P,L]\n";
    let config = read_apache(&tree(ConfigLens::Apache, text), None, None);
    assert_eq!(
        shown(&config),
        [
            "Host(\"127.0.0.1\", 3001) Http f:4 balancer://apps/",
            "Host(\"127.0.0.1\", 3002) Http f:5 balancer://apps/",
            "Unix(\"/run/php.sock\") FastCgi f:10 -",
            "Host(\"127.0.0.1\", 4000) Http f:12 -"
        ]
    );
    assert_eq!(
        config.listens[0].0,
        WrittenAddress::Host("127.0.0.1".to_owned(), 8080)
    );
}

#[test]
fn haproxy_and_php_fpm() {
    let text = "defaults\n  mode http\nfrontend f\n  bind :80\n  default_backend b\nbackend b\n  server one 10.0.0.1:81 check\n\
        server two 10.0.0.2:81 check\n";
    let config = read_haproxy(&tree(ConfigLens::Haproxy, text));
    assert_eq!(
        shown(&config)[1],
        "Host(\"10.0.0.2\", 81) Http f:8 backend b"
    );
    let text = "[global]\nerror_log = /var/log/fpm.log\n[www]\nlisten = /run/php.sock\n";
    let config = read_php_fpm(&tree(ConfigLens::Ini, text));
    assert_eq!(config.logs, ["/var/log/fpm.log"]);
    assert_eq!(
        config.listens[0].0,
        WrittenAddress::Unix("/run/php.sock".to_owned())
    );
}

#[test]
fn variables_and_programs_name_addresses() {
    let text = "DATABASE_URL=mysql2://shop:pw@10.0.0.5/shop\nexport REDIS_HOST='cache'\nSITE=https://x.test/\n\
        DB_HOST=127.0.0.1\nDB_PORT=5433\nDB_CONNECTION=pgsql\nX_HOST=y\n";
    let found = dsn_of_variables(&variables_of_text(text));
    let shown: Vec<String> = found
        .iter()
        .map(|it| format!("{} {:?} {:?}", it.variable, it.address, it.protocol))
        .collect();
    assert_eq!(
        shown,
        [
            "DATABASE_URL Host(\"10.0.0.5\", 3306) Mysql",
            "DB_HOST Host(\"127.0.0.1\", 5433) Postgres",
            "REDIS_HOST Host(\"cache\", 6379) Redis"
        ]
    );
    assert!(dsn_of_variables(&BTreeMap::new()).is_empty());
    let program = "<?php\n$r->connect('127.0.0.1', 6379, 1.0);\n// x('127.0.0.1', 1)\n\
        $f = fsockopen('127.0.0.5', 9400, $no, $msg, 2);\n$p = new PDO(\"mysql:host=db;port=3307\");\n";
    let found = addresses_in_program(program);
    let shown: Vec<String> = found
        .iter()
        .map(|it| format!("{} {:?} {:?}", it.line, it.address, it.protocol))
        .collect();
    assert_eq!(
        shown,
        [
            "2 Host(\"127.0.0.1\", 6379) Redis",
            "4 Host(\"127.0.0.5\", 9400) Tcp",
            "5 Host(\"db\", 3307) Mysql"
        ]
    );
}
