//! What single nft rules mean.

use surefoot_firewall::model::{Effect, Field, Match, Operand, Range, Statement, Verdict};
use surefoot_firewall::{Format, Input, Loaded, load};

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
fn an_unknown_word_leaves_the_rule_open_and_the_next_one_whole() {
    let loaded = read("table ip t {\n chain c {\n  frobnicate 7 accept\n  drop\n }\n}\n");
    assert_eq!(loaded.problems.len(), 1);
    let rules = &loaded.firewall.tables[0].chains[0].rules;
    assert!(matches!(
        rules[0].statements[0],
        Statement::Match(Match::Opaque(_))
    ));
    assert_eq!(rules[1].statements, [Statement::Verdict(Verdict::Drop)]);
}
