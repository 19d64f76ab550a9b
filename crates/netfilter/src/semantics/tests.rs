//! The kernel's habits, one test each, on rule sets as text.

use std::collections::BTreeSet;

use super::{Decider, End, Evaluation, RecordLevel, RuleIndex, evaluate};
use crate::Surroundings;
use crate::packet::{Packet, PacketInterface, PacketPath};
use surefoot_ruleset::model::{Backend, Family, Field, ct_state};
use surefoot_ruleset::{Format, Input, load};

fn packet() -> Packet {
    Packet::new(PacketPath::Input)
        .from("203.0.113.9".parse().unwrap())
        .to("192.0.2.1".parse().unwrap())
        .with(Field::L4Proto, 6_u8)
        .with(Field::SrcPort, 40_000_u16)
        .with(Field::DstPort, 22_u16)
        .settle(&Surroundings::default())
}

fn follow(rules: &str, packet: &Packet) -> Evaluation {
    let loaded = load(vec![Input {
        name: "rules".into(),
        text: rules.into(),
        format: Some(Format::Iptables {
            family: Family::Ip,
            backend: Backend::IptablesLegacy,
        }),
    }]);
    let mut others = loaded
        .problems
        .iter()
        .filter(|(_, it)| !it.what.contains("in a circle"));
    assert_eq!(others.next(), None);
    let index = RuleIndex::new(&loaded.firewall);
    let [short, fast, all] = [
        RecordLevel::Nothing,
        RecordLevel::Mattered,
        RecordLevel::All,
    ]
    .map(|record| {
        let surroundings = Surroundings::default();
        evaluate(&loaded.firewall, &index, &surroundings, packet, record)
    });
    let ends = |one: &Evaluation| -> BTreeSet<(End, Decider)> {
        one.outcomes.iter().map(|one| (one.end, one.by)).collect()
    };
    assert_eq!(ends(&short), ends(&all), "what is recorded changes nothing");
    assert_eq!(fast.outcomes, all.outcomes, "the index changes nothing");
    fast
}

#[track_caller]
fn check(chains: &str, rules: &str, end: Option<End>, rule: Option<usize>) {
    let text = format!("*filter\n:INPUT DROP [0:0]\n{chains}{rules}\nCOMMIT\n");
    let evaluation = follow(&text, &packet());
    assert_eq!(evaluation.certain(), end, "{:?}", evaluation.outcomes);
    let by = match evaluation.outcomes.first().unwrap().by {
        Decider::Rule(at) => Some(at.rule + 1),
        Decider::Policy { .. } | Decider::Refusal(_) | Decider::Kernel => None,
    };
    assert_eq!(by, rule);
}

#[test]
fn the_first_rule_that_matches_decides() {
    check(
        "",
        "-A INPUT -p tcp --dport 80 -j DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT\n-A INPUT -j DROP",
        Some(End::Accepted),
        Some(2),
    );
}

#[test]
fn return_in_a_base_chain_is_the_policy() {
    check(
        "",
        "-A INPUT -j RETURN\n-A INPUT -j ACCEPT",
        Some(End::Dropped),
        None,
    );
}

#[test]
fn goto_into_a_chain_that_ends_is_the_policy() {
    check(
        ":U - [0:0]\n",
        "-A INPUT -g U\n-A INPUT -j ACCEPT",
        Some(End::Dropped),
        None,
    );
}

#[test]
fn jump_then_goto_comes_back_behind_the_jump() {
    check(
        ":U - [0:0]\n:V - [0:0]\n",
        "-A INPUT -j U\n-A INPUT -j ACCEPT\n-A U -g V\n-A U -j DROP",
        Some(End::Accepted),
        Some(2),
    );
}

#[test]
fn a_limit_leaves_the_answer_open_only_if_it_matters() {
    check(
        "",
        "-A INPUT -m limit --limit 1/sec -j ACCEPT",
        None,
        Some(1),
    );
    check(
        "",
        "-A INPUT -m limit --limit 1/sec -j DROP",
        Some(End::Dropped),
        Some(1),
    );
}

#[test]
fn filter_sees_the_destination_that_nat_wrote() {
    let text = "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp --dport 22 -j REDIRECT --to-ports 2222\nCOMMIT\n\
                *filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp --dport 2222 -j ACCEPT\nCOMMIT\n";
    assert_eq!(follow(text, &packet()).certain(), Some(End::Accepted));
}

#[test]
fn a_loop_of_jumps_is_unknown() {
    check(":U - [0:0]\n", "-A INPUT -j U\n-A U -j U", None, Some(1));
}

#[test]
fn nf_tables_may_read_ports_in_a_later_fragment_and_ip_tables_does_not() {
    let rules = "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -p tcp --dport 22 -j ACCEPT\nCOMMIT\n";
    let mut fragment = packet().with(Field::IsLaterFragment, 1_u8);
    (fragment.path, fragment.output) = (PacketPath::Forward, PacketInterface::named("eth1"));
    let fragment = fragment.settle(&Surroundings::default());
    let ask = |backend| {
        let loaded = load(vec![Input {
            name: "rules".into(),
            text: rules.into(),
            format: Some(Format::Iptables {
                family: Family::Ip,
                backend,
            }),
        }]);
        let index = RuleIndex::new(&loaded.firewall);
        let surroundings = Surroundings::default();
        evaluate(
            &loaded.firewall,
            &index,
            &surroundings,
            &fragment,
            RecordLevel::Nothing,
        )
        .certain()
    };
    assert_eq!(ask(Backend::IptablesLegacy), Some(End::Dropped));
    assert_eq!(ask(Backend::IptablesNft), None);
}

#[test]
fn before_conntrack_even_what_it_will_not_track_is_invalid() {
    let rules = "*raw\n:PREROUTING ACCEPT [0:0]\n\
                 -A PREROUTING -m conntrack --ctstate UNTRACKED -j DROP\nCOMMIT\n\
                 *filter\n:INPUT DROP [0:0]\n\
                 -A INPUT -m conntrack --ctstate UNTRACKED -j ACCEPT\nCOMMIT\n";
    let untracked = packet().with(Field::CtState, ct_state::UNTRACKED);
    let untracked = untracked.settle(&Surroundings::default());
    assert_eq!(follow(rules, &untracked).certain(), Some(End::Accepted));
}

#[test]
fn conntrack_keeps_a_port_for_protocols_that_have_none() {
    let rules = "*filter\n:INPUT DROP [0:0]\n\
                 -A INPUT -m conntrack ! --ctorigdstport 1000 -j ACCEPT\nCOMMIT\n";
    let esp = Packet::new(PacketPath::Input)
        .from("203.0.113.9".parse().unwrap())
        .to("192.0.2.1".parse().unwrap())
        .with(Field::L4Proto, 50_u8)
        .settle(&Surroundings::default());
    assert_eq!(follow(rules, &esp).certain(), Some(End::Accepted));
}

#[test]
fn notrack_behind_conntrack_comes_too_late() {
    let ask = |priority: i32| {
        let text = format!(
            "table ip t {{ chain a {{ type filter hook prerouting priority {priority}; notrack; }}\n\
             chain b {{ type filter hook input priority 0; policy drop; ct state new accept; }} }}\n"
        );
        let loaded = load(vec![Input {
            name: "rules".into(),
            text,
            format: Some(Format::NftText),
        }]);
        assert_eq!(loaded.problems, []);
        let index = RuleIndex::new(&loaded.firewall);
        let surroundings = Surroundings::default();
        evaluate(
            &loaded.firewall,
            &index,
            &surroundings,
            &packet(),
            RecordLevel::Nothing,
        )
        .certain()
    };
    assert_eq!(ask(-300), Some(End::Dropped));
    assert_eq!(ask(-150), Some(End::Accepted));
}

#[test]
fn a_packet_without_a_connection_takes_no_connection_mark() {
    let rules = "*mangle\n:INPUT ACCEPT [0:0]\n-A INPUT -j CONNMARK --set-mark 0x1\nCOMMIT\n\
                 *filter\n:INPUT DROP [0:0]\n-A INPUT -m connmark --mark 0x1 -j ACCEPT\nCOMMIT\n";
    let invalid = packet().with(Field::CtState, ct_state::INVALID);
    let invalid = invalid.settle(&Surroundings::default());
    assert_eq!(follow(rules, &packet()).certain(), Some(End::Accepted));
    assert_eq!(follow(rules, &invalid).certain(), Some(End::Dropped));
}

#[test]
fn the_order_of_equal_chains_is_that_of_one_text_and_unknown_of_two() {
    let reject = "table ip a { chain c { type filter hook input priority 0\n reject\n}\n}\n";
    let drop = "table ip b { chain c { type filter hook input priority 0\n drop\n}\n}\n";
    let ask = |texts: &[&str]| {
        let inputs = texts.iter().map(|text| Input {
            name: "rules".into(),
            text: (*text).to_owned(),
            format: Some(Format::NftText),
        });
        let loaded = load(inputs.collect());
        assert_eq!(loaded.problems, []);
        let index = RuleIndex::new(&loaded.firewall);
        evaluate(
            &loaded.firewall,
            &index,
            &Surroundings::default(),
            &packet(),
            RecordLevel::Nothing,
        )
        .certain()
    };
    assert_eq!(ask(&[&format!("{reject}{drop}")]), Some(End::Dropped));
    assert_eq!(ask(&[&format!("{drop}{reject}")]), Some(End::Rejected));
    assert_eq!(ask(&[reject, drop]), None);
}

#[test]
fn the_forward_hook_sees_one_hop_less() {
    let rules = "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m ttl --ttl-eq 63 -j ACCEPT\nCOMMIT\n";
    let through = |ttl: u8| {
        let packet = Packet::new(PacketPath::Forward)
            .from("203.0.113.9".parse().unwrap())
            .to("198.51.100.1".parse().unwrap())
            .with(Field::Ttl, ttl)
            .settle(&Surroundings::default());
        follow(rules, &packet).certain()
    };
    assert_eq!(through(64), Some(End::Accepted));
    assert_eq!(through(63), Some(End::Dropped));
    assert_eq!(through(1), Some(End::Dropped));
}

#[test]
fn nft_compares_bits_in_four_ways() {
    let accepts = |condition: &str, flags: u8| {
        let text = format!(
            "table ip t {{\nchain c {{\ntype filter hook input priority 0; policy drop;\n\
             tcp flags {condition} accept\n}}\n}}\n"
        );
        let loaded = load(vec![Input {
            name: "rules".into(),
            text,
            format: Some(Format::NftText),
        }]);
        assert_eq!(loaded.problems, []);
        let packet = packet().with(Field::TcpFlags, flags);
        evaluate(
            &loaded.firewall,
            &RuleIndex::new(&loaded.firewall),
            &Surroundings::default(),
            &packet,
            RecordLevel::Nothing,
        )
        .certain()
            == Some(End::Accepted)
    };
    let which = |condition| [0, 2, 6, 16].map(|flags| accepts(condition, flags));
    assert_eq!(which("syn,rst"), [false, true, true, false]);
    assert_eq!(which("! syn,rst"), [true, false, false, true]);
    assert_eq!(which("== syn | rst"), [false, false, true, false]);
    assert_eq!(which("!= syn,rst"), [true, true, false, true]);
    assert_eq!(which("!= syn"), [true, false, true, true]);
}

#[test]
fn each_member_of_a_list_makes_its_own_key() {
    let sets = "create services hash:ip,port\nadd services 203.0.113.9,tcp:80\n\
                create wheres hash:net,iface\nadd wheres 203.0.113.0/24,eth0\n\
                create both list:set\nadd both services\nadd both wheres\n";
    let rules =
        "*filter\n:INPUT DROP [0:0]\n-A INPUT -m set --match-set both src,src -j ACCEPT\nCOMMIT\n";
    let loaded = load(vec![
        Input {
            name: "sets".into(),
            text: sets.into(),
            format: Some(Format::Ipset),
        },
        Input {
            name: "rules".into(),
            text: rules.into(),
            format: Some(Format::Iptables {
                family: Family::Ip,
                backend: Backend::IptablesLegacy,
            }),
        },
    ]);
    assert_eq!(loaded.problems, []);
    let by = |interface: &str| {
        let mut packet = packet();
        packet.input = PacketInterface::named(interface);
        evaluate(
            &loaded.firewall,
            &RuleIndex::new(&loaded.firewall),
            &Surroundings::default(),
            &packet,
            RecordLevel::Nothing,
        )
        .certain()
    };
    assert_eq!(by("eth0"), Some(End::Accepted));
    assert_eq!(by("eth1"), Some(End::Dropped));
}

#[test]
fn nat_chains_may_not_run_where_no_rule_needs_a_connection() {
    let nat = "*nat\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 22 -j DROP\nCOMMIT\n";
    let open = follow(nat, &packet());
    let ends: BTreeSet<End> = open.outcomes.iter().map(|one| one.end).collect();
    assert_eq!(ends, BTreeSet::from([End::Accepted, End::Dropped]));
    let tracking = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m conntrack --ctstate NEW\nCOMMIT\n";
    let run = follow(&format!("{nat}{tracking}"), &packet());
    assert_eq!(run.certain(), Some(End::Dropped));
}
