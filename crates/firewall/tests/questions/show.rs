//! The picture of a rule set: what stands where, in which words, in every form.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests read files and measure time"
)]

use std::fmt::Write as _;

use surefoot_firewall::show::{self, DrawnAs, Picture, Selection, WhyApart, picture};
use surefoot_report::Style;
use surefoot_ruleset::{Input, load};

fn draw(texts: &[&str], selection: &Selection) -> Picture {
    let inputs = texts.iter().enumerate().map(|(at, text)| Input {
        name: format!("rules{at}"),
        text: (*text).to_owned(),
        format: None,
    });
    picture(&load(inputs.collect()).firewall, selection)
}

fn all(text: &str) -> Picture {
    draw(&[text], &Selection::default())
}

fn plain(picture: &Picture) -> String {
    show::text(picture, Style::Plain, 80)
}

/// A filter table with these lines between its chains and its end.
fn filter(lines: &str) -> String {
    format!("*filter\n:INPUT DROP [5:300]\n{lines}\nCOMMIT\n")
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let shown = plain(&all(text));
    // The overview of tables is the same everywhere; the tests are about what follows.
    let (_, drawing) = shown.split_once("\n\n").expect("a drawing");
    assert_eq!(drawing, expected, "\n{drawing}");
}

#[test]
fn rules_stand_in_columns_and_user_chains_where_they_are_called() {
    check(
        &filter(
            ":SSH - [0:0]
[3876:1] -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
[123456:1] -A INPUT -p tcp -m tcp --dport 22 -j SSH
[0:0] -A INPUT -i lo -j ACCEPT
[7:1] -A SSH ! -s 203.0.113.0/24 -j REJECT --reject-with tcp-reset
[1:1] -A SSH -m comment --comment \"the office\" -j ACCEPT",
        ),
        "\
input: routed to this host
  ip filter INPUT  (filter, priority 0), policy drop
  ├ 1  3876  accept    state established,related
  ├ 2  123K  jump SSH  tcp dport 22
  │  ├ 1  7  reject  from != 203.0.113.0/24 with tcp-reset
  │  └ 2  1  accept  # the office
  ├ 3     0  accept    in lo
  └       5  drop      everything else (policy)
",
    );
}

#[test]
fn hooks_come_in_the_kernels_order_and_chains_by_priority_over_all_backends() {
    let iptables = "*nat\n:POSTROUTING ACCEPT\n:PREROUTING ACCEPT\nCOMMIT\n*filter\n:OUTPUT ACCEPT\n:INPUT ACCEPT\nCOMMIT\n*raw\n:PREROUTING ACCEPT\nCOMMIT\n";
    let nft = "\
table netdev d { chain i { type filter hook ingress device \"eth0\" priority 5; policy accept; } }
table inet t {
  chain late { type filter hook input priority 10; policy drop; }
  chain early { type filter hook input priority -10; policy accept; }
}
table inet asleep { flags dormant; chain c { type filter hook input priority 0; policy drop; } }
";
    let picture = draw(&[iptables, nft], &Selection::default());
    let named = |at: &usize| {
        let chain = &picture.chains[*at];
        format!("{} {}", picture.tables[chain.table].full_name(), chain.name)
    };
    let hooks: Vec<(String, Vec<String>)> = picture
        .hooks
        .iter()
        .map(|hook| {
            let name = format!("{} {}", hook.layer, hook.hook);
            (name, hook.chains.iter().map(named).collect())
        })
        .collect();
    let expected = [
        ("device ingress", vec!["netdev d i"]),
        (
            "ip prerouting",
            vec!["ip raw PREROUTING", "ip nat PREROUTING"],
        ),
        (
            "ip input",
            vec!["inet t early", "ip filter INPUT", "inet t late"],
        ),
        ("ip output", vec!["ip filter OUTPUT"]),
        ("ip postrouting", vec!["ip nat POSTROUTING"]),
    ];
    let expected: Vec<(String, Vec<String>)> = expected
        .map(|(name, chains)| (name.into(), chains.into_iter().map(Into::into).collect()))
        .into();
    assert_eq!(hooks, expected);
    let apart: Vec<(String, WhyApart)> = picture
        .apart
        .iter()
        .map(|it| (named(&it.chain), it.why))
        .collect();
    assert_eq!(apart, [("inet asleep c".to_owned(), WhyApart::Dormant)]);
    let shown = plain(&picture);
    assert!(
        shown.contains("inet asleep  nft       1 chain, 0 rules, dormant: not in force"),
        "{shown}"
    );
    assert!(shown.contains("device eth0), policy accept"), "{shown}");
}

#[test]
fn a_chain_is_drawn_once_and_what_nothing_calls_comes_last() {
    check(
        &filter(
            ":A - [0:0]
:B - [0:0]
:EMPTY - [0:0]
:OLD - [0:0]
:OLDER - [0:0]
:X - [0:0]
:Y - [0:0]
-A INPUT -p tcp -j A
-A INPUT -p udp -g B
-A INPUT -j EMPTY
-A A -j B
-A B -j RETURN
-A OLD -j OLDER
-A OLDER -j DROP
-A X -j Y
-A Y -j X",
        ),
        "\
input: routed to this host
  ip filter INPUT  (filter, priority 0), policy drop
  ├ 1     jump A      tcp
  │  └ 1  jump B  (called from 2 places)
  │     └ 1  return
  ├ 2     goto B      udp  (see above)
  ├ 3     jump EMPTY  (empty)
  └    5  drop        everything else (policy)

not in force: nothing calls these chains
  ip filter OLD
  └ 1  jump OLDER
     └ 1  drop

not in force: called only by each other
  ip filter X
  └ 1  jump Y
     └ 1  jump X  (a loop: the kernel refuses to load this)
",
    );
}

#[test]
fn a_chain_that_an_unknown_map_may_call_is_not_said_to_be_dead() {
    let with = |flags: &str| {
        let text = format!(
            "table inet t {{ map m {{ type inet_service : verdict; {flags} elements = {{ 1 : jump a }} }} chain a {{ accept; }} chain b {{ drop; }} chain c {{ type filter hook input priority 0; tcp dport vmap @m; }} }}"
        );
        let picture = all(&text);
        let apart = picture.apart.iter();
        let apart = apart.map(|it| (picture.chains[it.chain].name.clone(), it.why));
        apart.collect::<Vec<_>>()
    };
    assert_eq!(
        with("flags dynamic,timeout;"),
        [("b".to_owned(), WhyApart::Unsure)]
    );
    assert_eq!(with(""), [("b".to_owned(), WhyApart::Uncalled)]);
}

#[test]
fn a_loop_from_a_hook_ends() {
    let picture = all(&filter(
        ":A - [0:0]\n-A INPUT -j A\n-A A -j A\n-A A -j INPUT",
    ));
    let shown = plain(&picture);
    assert_eq!(shown.matches("a loop").count(), 2, "{shown}");
    assert_eq!(picture.chains.len(), 2);
}

#[test]
fn calls_deeper_than_any_kernel_allows_are_drawn_apart() {
    let mut lines = String::new();
    for at in 0..3000 {
        writeln!(lines, ":C{at} - [0:0]").unwrap();
    }
    lines.push_str("-A INPUT -j C0\n");
    for at in 0..2999 {
        writeln!(lines, "-A C{at} -j C{}", at + 1).unwrap();
    }
    let picture = all(&filter(&lines));
    let shown = plain(&picture);
    assert_eq!(picture.chains.len(), 3001);
    for at in [0, 24, 1500, 2998] {
        assert!(shown.contains(&format!("jump C{}", at + 1)), "C{at}");
    }
    assert!(shown.contains("called too deep to be drawn in place"));
    assert!(shown.lines().all(|line| line.chars().count() < 150));
}

#[test]
fn verdict_maps_are_ways_with_chains_under_them() {
    let nft = "\
table inet t {
  map services { type inet_service : verdict; elements = { 22 : jump ssh, 80 : accept, 443 : accept } }
  chain ssh { ip saddr 192.0.2.0/24 accept; }
  chain in {
    type filter hook input priority 0; policy drop;
    tcp dport vmap @services
    tcp sport vmap @services
    ct state vmap { established : accept, invalid : drop }
    ip saddr . tcp dport { 192.0.2.1 . 80, 192.0.2.0/24 . 90-99 } counter packets 3 bytes 9 accept
  }
}
";
    check(
        nft,
        "\
input: routed to this host
  inet t in  (filter, priority 0), policy drop
  ├ 1     vmap    tcp dport @services
  │  ├ 22 → jump ssh
  │  │  └ 1  accept  from 192.0.2.0/24
  │  └ 80,443 → accept
  ├ 2     vmap    tcp sport @services
  ├ 3     vmap    state
  │  ├ established → accept
  │  └ invalid → drop
  ├ 4  3  accept  tcp from . dport in { 192.0.2.1 . 80,192.0.2.0/24 . 90-99 }
  └       drop    everything else (policy)

sets
  @services  inet t  map, inet_service : verdict  3 elements, named by 2 rules
",
    );
}

#[test]
fn long_rules_are_wrapped_beside_the_tree() {
    let long = "-A INPUT -p tcp -m multiport --dports 1,3,5,7,9,11,13,15,17,19,21 -m comment --comment \"a comment that does not fit into the line either\" -j A";
    check(
        &filter(&format!(":A - [0:0]\n{long}\n-A A -j DROP")),
        "\
input: routed to this host
  ip filter INPUT  (filter, priority 0), policy drop
  ├ 1     jump A  tcp dport 1,3,5,7,9,11,13,15,… 3 more  # a comment that does
  │  │            not fit into the line either
  │  └ 1  drop
  └    5  drop    everything else (policy)
",
    );
}

#[test]
fn exact_shows_counters_and_lists_in_full() {
    let exact = Selection {
        exact: true,
        ..Selection::default()
    };
    let text = filter(
        "[123456789:1] -A INPUT -p tcp -m multiport --dports 1,3,5,7,9,11,13,15,17,19,21 -j DROP",
    );
    let shown = plain(&draw(&[&text], &exact));
    assert!(
        shown.contains("123456789") && shown.contains("1,3,5,7,9,11,13,15,17,19,21"),
        "{shown}"
    );
    let shown = plain(&all(&text));
    assert!(
        shown.contains("  123M  ") && shown.contains("… 3 more"),
        "{shown}"
    );
}

const TWO_TABLES: &str = "\
*nat
:PREROUTING ACCEPT [0:0]
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:A - [0:0]
:B - [0:0]
:OLD - [0:0]
-A INPUT -j A
-A A -j B
-A B -j ACCEPT
COMMIT
";

fn names(selection: &Selection) -> Vec<String> {
    let picture = draw(&[TWO_TABLES], selection);
    assert!(picture.missing.is_empty(), "{:?}", picture.missing);
    let names = picture.chains.iter().map(|chain| chain.name.clone());
    names.collect()
}

#[test]
fn a_selection_leaves_a_part() {
    let of = |change: fn(&mut Selection)| {
        let mut selection = Selection::default();
        change(&mut selection);
        names(&selection)
    };
    assert_eq!(of(|it| it.table = Some("nat".into())), ["PREROUTING"]);
    assert_eq!(of(|it| it.table = Some("ip nat".into())), ["PREROUTING"]);
    assert_eq!(of(|it| it.chain = Some("A".into())), ["A", "B"]);
    assert_eq!(of(|it| it.chain = Some("forward".into())), ["FORWARD"]);
    assert_eq!(of(|it| it.hook = Some("INPUT".into())), ["INPUT", "A", "B"]);
    assert_eq!(
        of(|it| it.depth = Some(1)),
        ["PREROUTING", "INPUT", "A", "FORWARD", "OLD"]
    );
    assert_eq!(
        of(|it| it.depth = Some(0)),
        ["PREROUTING", "INPUT", "FORWARD", "OLD"]
    );
}

#[test]
fn a_chain_that_was_asked_for_says_where_it_stands() {
    let selection = Selection {
        chain: Some("FORWARD".into()),
        ..Selection::default()
    };
    let shown = plain(&draw(&[TWO_TABLES], &selection));
    let expected =
        "as asked for\n  ip filter FORWARD  (forward, filter, priority 0), policy drop  no rules\n";
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn what_a_selection_asks_for_in_vain_is_said() {
    for (selection, expected) in [
        (
            Selection {
                table: Some("filtre".into()),
                ..Selection::default()
            },
            "no table is called `filtre`; there are: ip nat,ip filter",
        ),
        (
            Selection {
                chain: Some("NONE\u{1b}".into()),
                ..Selection::default()
            },
            "no chain is called `NONE\\u{1b}`; there are: PREROUTING,INPUT,FORWARD,A,B,OLD",
        ),
        (
            Selection {
                hook: Some("egress".into()),
                ..Selection::default()
            },
            "no chain stands at a hook `egress`; there are: prerouting,input,forward",
        ),
    ] {
        let shown = plain(&draw(&[TWO_TABLES], &selection));
        assert!(shown.starts_with(&format!("{expected}\n")), "{shown}");
    }
    assert_eq!(
        plain(&draw(&[], &Selection::default())),
        "no tables: nothing in what was read filters packets\n"
    );
}

#[test]
fn depth_says_what_it_hides() {
    let selection = Selection {
        depth: Some(0),
        ..Selection::default()
    };
    let picture = draw(&[TWO_TABLES], &selection);
    let call = picture.chains[1].rules[0].call.as_ref().unwrap();
    assert_eq!((call.drawn, call.chain), (DrawnAs::Deeper, None));
    assert!(plain(&picture).contains("jump A  (not followed)"));
}

/// Checks what is said of the first rule of a chain at a hook.
#[track_caller]
fn says(text: &str, verdict: &str, words: &str) {
    let picture = all(text);
    let rule = picture.chains.iter().find_map(|chain| chain.rules.first());
    let rule = rule.expect("a rule");
    assert_eq!(
        (rule.verdict.as_str(), rule.words.as_str()),
        (verdict, words),
        "{text}"
    );
}

#[test]
fn the_words_of_iptables_are_said_plainly() {
    for (rule, verdict, words) in [
        ("-j ACCEPT", "accept", ""),
        ("-s 192.0.2.1", "count", "from 192.0.2.1"),
        ("! -i eth+ -j DROP", "drop", "in != eth*"),
        ("-p tcp -m tcp -j DROP", "drop", "tcp"),
        (
            "-p tcp --syn -j DROP",
            "drop",
            "tcp flags syn/fin,syn,rst,ack",
        ),
        (
            "-p tcp --tcp-flags ALL NONE -j DROP",
            "drop",
            "tcp flags none of fin,syn,rst,psh,ack,urg",
        ),
        ("-p tcp --tcp-option 8 -j DROP", "drop", "tcp option 8"),
        (
            "-p icmp --icmp-type 3/4 -j ACCEPT",
            "accept",
            "icmp type destination-unreachable code frag-needed",
        ),
        ("-p 200 -j ACCEPT", "accept", "200"),
        ("! -p tcp -j ACCEPT", "accept", "proto != tcp"),
        ("-f -j DROP", "drop", "later fragment"),
        (
            "-m state --state INVALID,ESTABLISHED -j DROP",
            "drop",
            "state invalid,established",
        ),
        (
            "-m conntrack --ctstate DNAT -j ACCEPT",
            "accept",
            "(ct status dnat)",
        ),
        (
            "-m mac --mac-source 00:11:22:AA:BB:CC -j DROP",
            "drop",
            "from mac 00:11:22:aa:bb:cc",
        ),
        ("-m mark --mark 0x1/0xff -j DROP", "drop", "mark 0x1/0xff"),
        (
            "-m iprange --src-range 192.0.2.3-192.0.2.9 -j DROP",
            "drop",
            "from 192.0.2.3-192.0.2.9",
        ),
        (
            "-s 0.0.0.1/0.0.0.255 -j DROP",
            "drop",
            "from 0.0.0.1/0.0.0.255",
        ),
        (
            "-m addrtype --dst-type LOCAL -j DROP",
            "drop",
            "to type local",
        ),
        (
            "-m set --match-set bad src -j DROP",
            "drop",
            "from in @bad (unknown)",
        ),
        (
            "-m limit --limit 3/min -j ACCEPT",
            "accept",
            "-m limit --limit 3/min",
        ),
        (
            "-p tcp -j REJECT --reject-with tcp-reset",
            "reject",
            "tcp with tcp-reset",
        ),
        ("-p udp -j LOG --log-prefix \"x: \"", "log", "udp \"x:\""),
        (
            "-j NFQUEUE --queue-num 3",
            "queue",
            "-j NFQUEUE --queue-num 3",
        ),
        ("-j STRANGE --odd", "?", "-j STRANGE --odd"),
    ] {
        says(&filter(&format!("-A INPUT {rule}")), verdict, words);
    }
}

#[test]
fn changes_and_translations_are_said_plainly() {
    for (table, rule, verdict, words) in [
        (
            "mangle",
            "PREROUTING -j MARK --set-mark 7",
            "set mark",
            "→ 0x7",
        ),
        (
            "mangle",
            "PREROUTING -p tcp -j MARK --set-xmark 0x1/0xff",
            "set mark",
            "tcp → 0x1/0xff",
        ),
        (
            "mangle",
            "PREROUTING -j CONNMARK --save-mark",
            "set ct mark",
            "→ from mark",
        ),
        ("mangle", "FORWARD -j TTL --ttl-set 64", "set", "→ ttl 64"),
        (
            "mangle",
            "FORWARD -j DSCP --set-dscp-class EF",
            "set",
            "→ dscp ef",
        ),
        (
            "mangle",
            "FORWARD -p tcp -j TCPMSS --clamp-mss-to-pmtu",
            "other",
            "tcp -j TCPMSS --clamp-mss-to-pmtu",
        ),
        ("raw", "PREROUTING -p udp -j CT --notrack", "notrack", "udp"),
        ("raw", "PREROUTING -j CT --zone 5", "ct zone", "→ 5"),
        (
            "nat",
            "PREROUTING -j DNAT --to-destination 192.0.2.2:80",
            "dnat",
            "→ 192.0.2.2:80",
        ),
        (
            "nat",
            "PREROUTING -p tcp -j REDIRECT --to-ports 81",
            "redirect",
            "tcp → :81",
        ),
        (
            "nat",
            "POSTROUTING -o eth0 -j MASQUERADE",
            "masquerade",
            "out eth0",
        ),
    ] {
        let text = format!(
            "*{table}\n:PREROUTING ACCEPT\n:FORWARD ACCEPT\n:POSTROUTING ACCEPT\n-A {rule}\nCOMMIT\n"
        );
        says(&text, verdict, words);
    }
}

#[test]
fn the_words_of_nft_are_said_as_those_of_iptables() {
    for (rule, verdict, words) in [
        (
            "iifname \"eth*\" ip saddr 10.0.0.0/8 tcp dport { 22, 80-90 } accept",
            "accept",
            "in eth* from 10.0.0.0/8 tcp dport 22,80-90",
        ),
        (
            "ip6 daddr 2001:db8::/32 counter drop",
            "drop",
            "to 2001:db8::/32",
        ),
        (
            "ct state established,related accept",
            "accept",
            "state established,related",
        ),
        ("meta nfproto ipv6 drop", "drop", "family ipv6"),
        (
            "icmpv6 type nd-neighbor-solicit accept",
            "accept",
            "icmpv6 type nd-neighbor-solicit",
        ),
        (
            "ip saddr . tcp dport { 192.0.2.1 . 22 } accept",
            "accept",
            "tcp from . dport in { 192.0.2.1 . 22 }",
        ),
        ("ip saddr != @office drop", "drop", "from not in @office"),
        ("meta mark set 0x1 accept", "accept", "set mark 0x1"),
        ("log prefix \"in: \" drop", "drop", "log \"in:\""),
        (
            "limit rate 3/minute accept",
            "accept",
            "limit rate 3/minute",
        ),
        ("counter", "count", ""),
    ] {
        says(
            &format!(
                "table inet t {{ set office {{ type ipv4_addr; }} chain c {{ type filter hook input priority 0; {rule}; }} }}"
            ),
            verdict,
            words,
        );
    }
}

/// Rules whose every word is an attack on a terminal, a document or a parser.
fn hostile() -> String {
    let nasty = "\\\"'><script>alert(1)</script>&amp;&#x0;\u{1b}]0;owned\u{7}\u{202e}\u{fffe}\u{ffff}]]>{}|";
    format!(
        "table inet t {{\n chain c {{\n  type filter hook input priority 0; policy drop;\n  iifname \"{0}\" log prefix \"{0}\" jump d comment \"{0}\"\n }}\n chain d {{ oifname \"<&\\\"\" drop comment \"--><!--\"; }}\n set s {{ type ipv4_addr; }}\n}}\n",
        nasty.replace('"', "")
    )
}

#[test]
fn no_word_of_a_rule_commands_the_terminal() {
    let picture = all(&hostile());
    assert!(
        picture.chains[0].rules[0].comment.is_some(),
        "the rule was read"
    );
    let shown = plain(&picture);
    assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown}");
}

#[test]
fn the_json_has_everything_that_the_text_shows() {
    let picture = all(&filter(
        "[7:420] -A INPUT -i lo -m comment --comment \"a b\" -j ACCEPT",
    ));
    let value: serde_json::Value = serde_json::from_str(&show::json(&picture)).unwrap();
    assert_eq!(
        (&value["version"], &value["tool"]["name"]),
        (&1.into(), &"surefoot".into())
    );
    let rule = &value["chains"][0]["rules"][0];
    assert_eq!(
        *rule,
        serde_json::json!({
            "number": 1, "handle": null, "packets": 7, "bytes": 420, "verdict": "accept",
            "call": null, "words": "in lo", "comment": "a b", "ways": [],
            "source": "rules0", "line": 3,
            "text": "-A INPUT -i lo -m comment --comment \"a b\" -j ACCEPT",
        })
    );
    assert_eq!(value["chains"][0]["base"]["packets"], 5);
}

#[test]
fn no_rule_of_the_parsers_inputs_is_lost() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../ruleset/tests/rules");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "in") {
            continue;
        }
        files += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let picture = all(&text);
        let drawn: usize = picture.chains.iter().map(|chain| chain.rules.len()).sum();
        let rules: usize = picture.tables.iter().map(|table| table.rules).sum();
        let chains: usize = picture.tables.iter().map(|table| table.chains).sum();
        assert_eq!(
            (drawn, picture.chains.len()),
            (rules, chains),
            "{}",
            path.display()
        );
        let shown = plain(&picture);
        let lines = shown
            .lines()
            .filter(|line| line.contains(['├', '└']))
            .count();
        assert!(lines >= rules, "{}: {shown}", path.display());
    }
    assert!(files > 40, "{files}");
}

#[test]
fn a_hundred_thousand_rules_take_seconds_and_every_one_is_there() {
    let mut lines = String::from(":SHARED - [0:0]\n-A SHARED -j ACCEPT\n");
    for at in 0..100_000_u32 {
        let (a, b) = (at / 250, at % 250);
        writeln!(
            lines,
            "-A INPUT -s 10.1.{}.{b}/32 -p tcp --dport {} -j SHARED",
            a % 250,
            a + 1
        )
        .unwrap();
    }
    let started = std::time::Instant::now();
    let shown = plain(&all(&filter(&lines)));
    assert_eq!(shown.matches("jump SHARED").count(), 100_000);
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
