//! What single nft rules mean.

use surefoot_report::Level;
use surefoot_ruleset::model::{
    ChainId, Content, Effect, Field, Match, NamePattern, Operand, Range, Statement, Verdict,
};
use surefoot_ruleset::{Format, Input, Loaded, load};

fn read(text: &str) -> Loaded {
    load(vec![Input {
        name: "t".to_owned(),
        text: text.to_owned(),
        format: Some(Format::NftText),
    }])
}

#[track_caller]
fn rule(words: &str) -> Vec<Statement> {
    let loaded = read(&format!(
        "table inet t {{\n\tchain c {{\n\t\t{words}\n\t}}\n}}\n"
    ));
    assert_eq!(loaded.problems, []);
    let chain = &loaded.firewall.tables[0].chains[0];
    assert_eq!(chain.rules.len(), 1);
    chain.rules[0].statements.clone()
}

fn field(field: Field, mask: Option<u128>, negated: bool, ranges: &[(u128, u128)]) -> Statement {
    Statement::Match(Match::Field {
        operand: Operand { field, mask },
        negated,
        ranges: ranges.iter().map(|&(lo, hi)| Range { lo, hi }).collect(),
    })
}

const ACCEPT: Statement = Statement::Verdict(Verdict::Accept);

#[test]
fn a_port_implies_its_protocol() {
    assert_eq!(
        rule("tcp dport { 22, 80-90, https } accept # handle 4"),
        [
            field(Field::L4Proto, None, false, &[(6, 6)]),
            field(
                Field::DstPort,
                None,
                false,
                &[(22, 22), (80, 90), (443, 443)]
            ),
            ACCEPT,
        ]
    );
}

#[test]
fn flags_without_an_operator_ask_for_any_bit() {
    let tcp = field(Field::L4Proto, None, false, &[(6, 6)]);
    let any = field(Field::TcpFlags, Some(3), true, &[(0, 0)]);
    assert_eq!(rule("tcp flags fin,syn accept"), [tcp.clone(), any, ACCEPT]);
    let equal = field(Field::TcpFlags, None, false, &[(2, 2)]);
    assert_eq!(
        rule("tcp flags == syn accept"),
        [tcp.clone(), equal, ACCEPT]
    );
    let masked = field(Field::TcpFlags, Some(0x12), false, &[(2, 2)]);
    assert_eq!(
        rule("tcp flags & (syn|ack) == syn accept"),
        [tcp.clone(), masked.clone(), ACCEPT]
    );
    assert_eq!(
        rule("tcp flags syn / syn,ack accept"),
        [tcp, masked, ACCEPT]
    );
}

#[test]
fn states_and_addresses() {
    assert_eq!(
        rule("ct state established,related ip saddr != 10.0.0.0/8 drop"),
        [
            field(Field::CtState, None, false, &[(2, 2), (4, 4)]),
            field(Field::Ip4Src, None, true, &[(0x0a00_0000, 0x0aff_ffff)]),
            Statement::Verdict(Verdict::Drop),
        ]
    );
}

#[test]
fn marks_are_set_bit_by_bit() {
    assert_eq!(
        rule("meta mark set meta mark & 0xffffff00 | 0x01"),
        [Statement::Effect(Effect::SetMark {
            field: Field::Mark,
            and: 0xffff_ff00 & !1,
            xor: 1,
        })]
    );
}

#[test]
fn a_value_is_read_to_its_end_whatever_blanks_it_holds() {
    let ports = |ranges: &[(u128, u128)]| {
        let tcp = field(Field::L4Proto, None, false, &[(6, 6)]);
        vec![tcp, field(Field::DstPort, None, false, ranges), ACCEPT]
    };
    for (words, ranges) in [
        ("1 - 100", [(1, 100)]),
        ("1 -100", [(1, 100)]),
        ("1- 100", [(1, 100)]),
        ("ssh - 100", [(22, 100)]),
        ("ftp-data", [(20, 20)]),
        ("20 xor 2", [(22, 22)]),
        ("1 | 2 - 16 | 4", [(3, 20)]),
        ("1 | 6 & 4 ^ 2", [(7, 7)]),
        ("(1 | 6) & 4", [(4, 4)]),
        ("{ 1 - 5, 3 << 4 }", [(1, 5)]),
    ] {
        let mut wanted = ports(&ranges);
        if words.starts_with('{') {
            wanted = ports(&[(1, 5), (48, 48)]);
        }
        assert_eq!(
            rule(&format!("tcp dport {words} accept")),
            wanted,
            "{words}"
        );
    }
    assert_eq!(
        rule("ip saddr 10.0.0.0 / 8 ip daddr 10.0.0.1 -10.0.0.9 accept"),
        [
            field(Field::Ip4Src, None, false, &[(0x0a00_0000, 0x0aff_ffff)]),
            field(Field::Ip4Dst, None, false, &[(0x0a00_0001, 0x0a00_0009)]),
            ACCEPT,
        ]
    );
}

#[test]
fn a_statement_with_words_left_over_is_not_read_without_them() {
    for words in [
        "tcp dport 1 - accept",
        "tcp dport 22 / 3 accept",
        "iifname eth0 - eth1 accept",
        "meta mark set 1 - 2 accept",
        "ct zone set 1 | 2 accept",
        "dnat to 10.0.0.1 - 10.0.0.5 10.0.0.9",
        "ip ttl set 1 | 2 accept",
    ] {
        let loaded = read(&format!("table ip t {{\n chain c {{\n  {words}\n }}\n}}\n"));
        let statements = &loaded.firewall.tables[0].chains[0].rules[0].statements;
        assert!(
            statements.iter().any(|one| matches!(
                one,
                Statement::Match(Match::Opaque(_)) | Statement::Verdict(Verdict::Unknown(_))
            )),
            "{words}: {statements:?}"
        );
        assert!(!loaded.problems.is_empty(), "{words}");
    }
}

#[test]
fn what_a_mark_is_set_to_is_read_by_precedence() {
    let set = |and: u32, xor: u32| {
        [Statement::Effect(Effect::SetMark {
            field: Field::Mark,
            and,
            xor,
        })]
    };
    assert_eq!(rule("meta mark set meta mark | 4 & 2"), set(u32::MAX, 0));
    assert_eq!(rule("meta mark set 4 | 2 & 1"), set(0, 4));
    assert_eq!(rule("meta mark set 3 ^ 3 & 1"), set(0, 2));
    assert_eq!(rule("meta mark set (meta mark | 4) & 6"), set(2, 4));
    assert_eq!(rule("meta mark set meta mark & 0xf ^ 0x3"), set(0xf, 3));
}

#[test]
fn numbers_of_bits_and_interfaces_mean_what_nft_makes_of_them() {
    let tcp = field(Field::L4Proto, None, false, &[(6, 6)]);
    assert_eq!(
        rule("tcp flags 0 accept"),
        [tcp, Statement::Match(Match::Never), ACCEPT]
    );
    let none = |negated| {
        let names = vec![NamePattern {
            text: String::new(),
            prefix: false,
        }];
        Statement::Match(Match::OutInterface { negated, names })
    };
    assert_eq!(rule("oif 0 accept"), [none(false), ACCEPT]);
    assert_eq!(rule("oif != 0 accept"), [none(true), ACCEPT]);
    for words in [
        "iif 2 accept",
        "iif { 2 } accept",
        "iif . tcp dport { 2 . 22 } accept",
        "tcp flags { syn | ack } accept",
    ] {
        let loaded = read(&format!("table ip t {{\n chain c {{\n  {words}\n }}\n}}\n"));
        let statements = &loaded.firewall.tables[0].chains[0].rules[0].statements;
        let opaque = |one: &Statement| matches!(one, Statement::Match(Match::Opaque(_)));
        assert!(statements.iter().any(opaque), "{words}: {statements:?}");
    }
}

#[test]
fn a_table_that_may_be_dormant_leaves_every_answer_open() {
    let json = r#"{"nftables": [{"table": {"family": "ip", "name": "t", "flags": "t"}}]}"#;
    let loaded = load(vec![Input {
        name: "t".to_owned(),
        text: json.to_owned(),
        format: Some(Format::NftJson),
    }]);
    let levels: Vec<Level> = loaded.problems.iter().map(|(_, one)| one.level).collect();
    assert_eq!(levels, [Level::Error]);
}

#[test]
fn an_unknown_word_leaves_the_rule_open_and_the_next_one_whole() {
    let loaded = read(
        "table ip t {\n chain c {\n  frobnicate 7 accept\n  meta frobnicate 7 accept\n  drop\n }\n}\n",
    );
    assert_eq!(loaded.problems.len(), 2);
    let rules = &loaded.firewall.tables[0].chains[0].rules;
    // A strange statement may decide, a strange selector is only compared.
    assert!(matches!(
        rules[0].statements.last(),
        Some(Statement::Verdict(Verdict::Unknown(_)))
    ));
    let [Statement::Match(Match::Opaque(_)), accept] = rules[1].statements.as_slice() else {
        panic!("{:?}", rules[1].statements);
    };
    assert_eq!(*accept, ACCEPT);
    assert_eq!(rules[2].statements, [Statement::Verdict(Verdict::Drop)]);
}

#[test]
fn a_mask_looks_at_some_bits_of_any_number() {
    assert_eq!(
        rule("ip saddr & 0.0.0.255 == { 0.0.0.1, 0.0.0.2 } accept"),
        [field(Field::Ip4Src, Some(255), false, &[(1, 2)]), ACCEPT]
    );
    assert_eq!(
        rule("meta mark and 0xff < 5 accept"),
        [field(Field::Mark, Some(255), false, &[(0, 4)]), ACCEPT]
    );
    let tcp = field(Field::L4Proto, None, false, &[(6, 6)]);
    let masked = field(Field::TcpFlags, Some(0x17), false, &[(2, 2)]);
    assert_eq!(
        rule("tcp flags & (fin|syn|rst|ack) syn accept"),
        [tcp, masked, ACCEPT]
    );
}

#[test]
fn what_is_done_to_a_value_beyond_a_mask_is_not_read_as_the_mask_alone() {
    for words in [
        "meta mark & 0xff00 >> 8 == 1 accept",
        "meta mark & 0xff | 0x100 == 0x101 accept",
        "meta mark set ct mark << 8 accept",
        "meta mark set ct mark map { 1 : 2 } accept",
    ] {
        let loaded = read(&format!("table ip t {{\n chain c {{\n  {words}\n }}\n}}\n"));
        assert_eq!(loaded.problems.len(), 1, "{words}");
        let statements = &loaded.firewall.tables[0].chains[0].rules[0].statements;
        assert!(
            matches!(statements[0], Statement::Match(Match::Opaque(_))),
            "{words}: {statements:?}"
        );
    }
}

#[test]
fn lengths_count_from_the_header_that_is_named() {
    assert_eq!(
        rule("ip length 28-40 accept"),
        [
            field(Field::NfProto, None, false, &[(2, 2)]),
            field(Field::Length, None, false, &[(28, 40)]),
            ACCEPT,
        ]
    );
    assert_eq!(
        rule("ip6 length >= 20 accept"),
        [
            field(Field::NfProto, None, false, &[(10, 10)]),
            field(Field::Length, None, false, &[(60, u128::MAX)]),
            ACCEPT,
        ]
    );
}

#[test]
fn bytes_at_the_place_of_ports_are_ports_where_the_protocol_has_some() {
    let protocols = field(Field::L4Proto, None, false, &[(6, 6), (17, 17)]);
    let port = field(Field::DstPort, None, false, &[(53, 53)]);
    for words in ["th dport 53", "@th,16,16 53"] {
        assert_eq!(
            rule(&format!("meta l4proto {{ tcp, udp }} {words} accept")),
            [protocols.clone(), port.clone(), ACCEPT]
        );
        assert!(matches!(
            &rule(&format!("{words} accept"))[0],
            Statement::Match(Match::Any { negated: false, .. })
        ));
    }
}

#[test]
fn a_block_is_a_chain_of_its_own() {
    let loaded = read(
        "table ip t {\n chain c {\n  tcp dport 22 jump {\n   accept; goto { drop }\n  } # handle 7\n }\n}\n",
    );
    assert_eq!(loaded.problems, []);
    let chains = &loaded.firewall.tables[0].chains;
    let names: Vec<&str> = chains.iter().map(|chain| chain.name.as_str()).collect();
    assert_eq!(names, ["c", "__chain0", "__chain1"]);
    assert_eq!(chains[0].rules[0].handle, Some(7));
    let decides = |chain: usize, rule: usize| chains[chain].rules[rule].statements.last().cloned();
    let to = |number| Some(Statement::Verdict(Verdict::Jump(ChainId(number))));
    assert_eq!(decides(0, 0), to(1));
    assert_eq!(decides(1, 0), Some(ACCEPT));
    assert_eq!(
        decides(1, 1),
        Some(Statement::Verdict(Verdict::Goto(ChainId(2))))
    );
    assert_eq!(decides(2, 0), Some(Statement::Verdict(Verdict::Drop)));
}

#[test]
fn a_set_that_loses_elements_is_not_known_any_more() {
    let set = "table ip t {\n set s { type ipv4_addr; elements = { 192.0.2.1 }; }\n}\n";
    let content = |text: &str| read(text).firewall.tables[0].sets[0].content.clone();
    assert!(matches!(content(set), Content::Known(_)));
    let less = format!("{set}delete element ip t s {{ 192.0.2.1 }}\n");
    assert_eq!(content(&less), Content::Unknown);
}
