//! What single lines of iptables-save mean.

use surefoot_ruleset::model::{
    Backend, ChainId, Counters, Effect, Family, Field, Hook, Match, NamePattern, Operand, Policy,
    Range, Statement, Verdict,
};
use surefoot_ruleset::{Format, Input, Loaded, load};

fn read(family: Family, rules: &str) -> Loaded {
    let text = format!(
        "*filter\n:INPUT ACCEPT [0:0]\n:OUTPUT DROP [1:2]\n:user - [0:0]\n{rules}\nCOMMIT\n"
    );
    load(vec![Input {
        name: "t".to_owned(),
        text,
        format: Some(Format::Iptables {
            family,
            backend: Backend::Iptables,
        }),
    }])
}

/// The statements of the first rule, of which nothing is odd.
#[track_caller]
fn clean(family: Family, rule: &str) -> Vec<Statement> {
    let loaded = read(family, rule);
    assert_eq!(loaded.problems, []);
    loaded.firewall.tables[0].chains[0].rules[0]
        .statements
        .clone()
}

fn field(field: Field, negated: bool, ranges: &[(u128, u128)]) -> Statement {
    masked(field, None, negated, ranges)
}

fn masked(field: Field, mask: Option<u128>, negated: bool, ranges: &[(u128, u128)]) -> Statement {
    Statement::Match(Match::Field {
        operand: Operand { field, mask },
        negated,
        ranges: ranges.iter().map(|&(lo, hi)| Range { lo, hi }).collect(),
    })
}

#[test]
fn a_plain_rule_is_a_list_of_fields_and_a_verdict() {
    assert_eq!(
        clean(
            Family::Ip,
            "-A INPUT -s 10.0.0.0/8 ! -i eth+ -p tcp --dport 22 --syn -j user"
        ),
        [
            field(Field::Ip4Src, false, &[(0x0a00_0000, 0x0aff_ffff)]),
            Statement::Match(Match::InInterface {
                negated: true,
                names: vec![NamePattern {
                    text: "eth".to_owned(),
                    prefix: true
                }],
            }),
            field(Field::L4Proto, false, &[(6, 6)]),
            field(Field::DstPort, false, &[(22, 22)]),
            masked(Field::TcpFlags, Some(0x17), false, &[(2, 2)]),
            Statement::Verdict(Verdict::Jump(ChainId(2))),
        ]
    );
}

#[test]
fn set_mark_clears_the_bits_of_its_value_and_set_xmark_does_not() {
    let effect = |rule: &str| match clean(Family::Ip, rule).remove(0) {
        Statement::Effect(effect) => effect,
        other => panic!("{other:?}"),
    };
    let marked = |and, xor| Effect::SetMark {
        field: Field::Mark,
        and,
        xor,
    };
    let set = |words: &str| effect(&format!("-A INPUT -j MARK {words}"));
    assert_eq!(set("--set-mark 5/3"), marked(!7, 5));
    assert_eq!(set("--set-xmark 5/3"), marked(!3, 5));
    assert_eq!(set("--set-mark 5"), marked(0, 5));
    assert_eq!(set("--or-mark 5"), marked(!5, 5));
    assert_eq!(set("--and-mark 5"), marked(5, 0));
}

#[test]
fn a_list_of_addresses_is_several_rules() {
    let loaded = read(
        Family::Ip,
        "-A INPUT -s 10.0.0.1,10.0.0.2 -j DROP\n-A INPUT -j ACCEPT",
    );
    let rules = &loaded.firewall.tables[0].chains[0].rules;
    let numbers: Vec<u32> = rules.iter().map(|rule| rule.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(rules[0].place, rules[1].place);
    assert_eq!(loaded.firewall.text(rules[2].place), "-A INPUT -j ACCEPT");
}

#[test]
fn translation_is_a_bit_beside_the_state() {
    let rule = "-A INPUT -m conntrack ! --ctstate NEW,DNAT -j DROP";
    let statements = clean(Family::Ip, rule);
    let Statement::Match(Match::Any { negated: true, of }) = &statements[0] else {
        panic!("{statements:?}");
    };
    assert_eq!(of.len(), 2);
}

#[test]
fn base_chains_have_hooks_and_user_chains_do_not() {
    let loaded = read(Family::Ip6, "");
    let chains = &loaded.firewall.tables[0].chains;
    let output = chains[1].base.as_ref().unwrap();
    assert_eq!(
        (output.hook, output.priority, output.policy),
        (Hook::Output, 0, Policy::Drop)
    );
    let counted = Counters {
        packets: 1,
        bytes: 2,
    };
    assert_eq!(chains[1].policy_counters, Some(counted));
    assert_eq!(chains[2].base, None);
}

#[test]
fn what_is_not_known_stays_as_words() {
    let rule = "-A INPUT -m oddity --odd 1 2 -m limit --limit 5/min -j STRANGE";
    let loaded = read(Family::Ip, rule);
    assert_eq!(loaded.problems.len(), 3, "{:?}", loaded.problems);
    let text = |statement: &Statement| match statement {
        Statement::Match(Match::Opaque(kept)) | Statement::Verdict(Verdict::Unknown(kept)) => {
            assert!(kept.stateful);
            kept.text.clone()
        }
        other => panic!("{other:?}"),
    };
    let statements = &loaded.firewall.tables[0].chains[0].rules[0].statements;
    let texts: Vec<String> = statements.iter().map(text).collect();
    assert_eq!(
        texts,
        [
            "-m oddity --odd 1 2",
            "-m limit --limit 5/min",
            "-j STRANGE"
        ]
    );
}
