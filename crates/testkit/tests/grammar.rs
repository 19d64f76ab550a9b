//! Whatever nft takes as a rule, surefoot reads: no word is dropped, and a rule is the same in the text
//! that people write, in what `nft list ruleset` prints and in its JSON.
//!
//! The rules are made from nft's grammar, each selector with each way to compare it, each statement
//! and each end, in pairs; nft itself says which of them there are.

#![expect(clippy::unwrap_used, reason = "a test may die")]

#[path = "agreement/chance.rs"]
mod chance;
#[path = "grammar/words.rs"]
mod words;

use std::collections::BTreeMap;

use chance::Chance;
use surefoot_ruleset::model::{Effect, Field, Match, Rule, Statement, Verdict};
use surefoot_ruleset::{Format, Input, load};
use surefoot_testkit::{Namespace, or_fail};
use words::{COMPARISONS, Does, ENDS, HEAD, OF_NUMBERS, SELECTORS, STATEMENTS, Selector};

/// Rules that nft takes; how many it is asked for depends on its version.
const AT_LEAST: usize = 2_000;
/// Pairs of selectors drawn by chance, besides.
const PAIRS: usize = 600;

/// A rule and what it must be read as.
#[derive(Clone, Debug)]
struct MadeRule {
    text: String,
    does: Does,
    end: &'static str,
    comparisons: usize,
}

fn compared(selector: &Selector, how: &str) -> String {
    let [low, high] = selector.values;
    how.replace("{s}", selector.words)
        .replace("{a}", low)
        .replace("{b}", high)
}

fn all_ways(selector: &Selector) -> impl Iterator<Item = String> {
    let more = if selector.number { OF_NUMBERS } else { &[] };
    COMPARISONS
        .iter()
        .chain(more)
        .map(|how| compared(selector, how))
}

fn made_rules() -> Vec<MadeRule> {
    let mut rules = Vec::new();
    let mut turn = 0_usize;
    let mut next = || {
        turn += 1;
        (
            STATEMENTS[turn % STATEMENTS.len()],
            ENDS[turn / 3 % ENDS.len()],
        )
    };
    for selector in SELECTORS {
        for one in all_ways(selector) {
            let ((statement, does), end) = next();
            rules.push(MadeRule {
                text: format!("{one} {statement} {end}"),
                does,
                end,
                comparisons: 1,
            });
        }
        for (statement, does) in STATEMENTS {
            let (_, end) = next();
            rules.push(MadeRule {
                text: format!("{} {statement} {end}", compared(selector, COMPARISONS[0])),
                does: *does,
                end,
                comparisons: 1,
            });
        }
    }
    for (statement, does) in STATEMENTS {
        for end in ENDS {
            rules.push(MadeRule {
                text: format!("{statement} {end} comment \"c d\""),
                does: *does,
                end,
                comparisons: 0,
            });
        }
    }
    let mut chance = Chance::new("grammar");
    for _ in 0..PAIRS {
        let mut one = || chance.pick(SELECTORS).unwrap();
        let (first, second) = (one(), one());
        let how = COMPARISONS[if chance.percent(50) { 0 } else { 2 }];
        let ((statement, does), end) = next();
        let simple = |selector| compared(selector, how);
        rules.push(MadeRule {
            text: format!("{} {} {statement} {end}", simple(first), simple(second)),
            does,
            end,
            comparisons: 2,
        });
        // Concatenations, to a set and to a map of verdicts.
        let key = format!("{} . {}", first.words, second.words);
        let value = |at: usize| format!("{} . {}", first.values[at], second.values[at]);
        rules.push(MadeRule {
            text: format!("{key} {{ {}, {} }} {statement} {end}", value(0), value(1)),
            does,
            end,
            comparisons: 1,
        });
        rules.push(MadeRule {
            text: format!(
                "{key} vmap {{ {} : drop, {} : jump other }}",
                value(0),
                value(1)
            ),
            does: Does::Decides,
            end: "continue",
            comparisons: 0,
        });
    }
    rules
}

fn file(rules: &[MadeRule]) -> String {
    let mut text = HEAD.to_owned();
    for rule in rules {
        text.push_str("\t\t");
        text.push_str(&rule.text);
        text.push('\n');
    }
    text + "\t}\n}\n"
}

/// Loads the rules, and has nft list them in both of its forms.
fn loaded_and_listed(namespace: &Namespace, rules: &[MadeRule]) -> std::io::Result<[String; 2]> {
    namespace.feed(&["nft", "-f", "-"], &file(rules))?;
    Ok([
        namespace.run(&["nft", "list", "ruleset"])?,
        namespace.run(&["nft", "-j", "list", "ruleset"])?,
    ])
}

/// Those of the rules that nft takes, and can list.
fn taken(namespace: &Namespace, mut rules: Vec<MadeRule>) -> Vec<MadeRule> {
    let before = HEAD.lines().count();
    while let Err(error) = loaded_and_listed(namespace, &rules) {
        // `/dev/stdin:31:3-9: Error: ...`, a few at a time.
        let said = error.to_string();
        let lines = said.split("/dev/stdin:").skip(1);
        let mut refused: Vec<usize> = lines
            .filter_map(|place| place.split(':').next()?.parse::<usize>().ok())
            .collect();
        refused.sort_unstable();
        refused.dedup();
        if refused.is_empty() {
            // nft itself fails, or the kernel refuses without a place.
            if rules.len() < 2 {
                return Vec::new();
            }
            let second = rules.split_off(rules.len() / 2);
            let mut both = taken(namespace, rules);
            both.extend(taken(namespace, second));
            return both;
        }
        for line in refused.into_iter().rev() {
            let at = line.checked_sub(before + 1);
            let at = at.filter(|at| *at < rules.len());
            rules.remove(at.unwrap_or_else(|| panic!("the head itself is refused: {said}")));
        }
    }
    rules
}

/// The rules with their texts.
fn read(text: String, format: Format) -> Vec<(String, Rule)> {
    let loaded = load(vec![Input {
        name: "rules".into(),
        text,
        format: Some(format),
    }]);
    let table = &loaded.firewall.tables[0];
    let (_, chain) = table.chain("forward").unwrap();
    let rules = chain.rules.iter();
    rules
        .map(|rule| (loaded.firewall.text(rule.place).to_owned(), rule.clone()))
        .collect()
}

fn is_opaque(wanted: &Match) -> bool {
    match wanted {
        Match::Opaque(_) => true,
        Match::Any { of, .. } => of.iter().any(is_opaque),
        _ => false,
    }
}

/// What is wrong with how a rule was read.
fn misread(made: &MadeRule, rule: &Rule) -> Option<&'static str> {
    let statements = &rule.statements;
    let unknown = |one: &Statement| matches!(one, Statement::Verdict(Verdict::Unknown(_)));
    // From there on nothing is certain.
    let open = statements.iter().any(unknown);
    let writes = |fields: &[Field]| {
        statements.iter().any(|one| match one {
            Statement::Effect(
                Effect::SetMark { field, .. }
                | Effect::Set { field, .. }
                | Effect::Forget { field }
                | Effect::CopyMark { to: field, .. },
            ) => fields.contains(field),
            _ => false,
        })
    };
    let asks = statements
        .iter()
        .any(|one| matches!(one, Statement::Match(Match::Opaque(opaque)) if opaque.stateful));
    let fills = statements
        .iter()
        .any(|one| matches!(one, Statement::Effect(Effect::UpdateSet { .. })));
    let decides = statements
        .iter()
        .any(|one| matches!(one, Statement::VerdictMap(_)));
    let there = match made.does {
        Does::Nothing => true,
        Does::Asks => asks,
        Does::Mark => writes(&[Field::Mark]),
        Does::CtMark => writes(&[Field::CtMark]),
        Does::Header => writes(&[
            Field::Ip4Dscp,
            Field::Ttl,
            Field::HopLimit,
            Field::Ip4Src,
            Field::DstPort,
            Field::PacketType,
        ]),
        Does::Set => fills,
        Does::Decides => decides || open,
    };
    if !there && !open {
        return Some("what it does is lost");
    }
    let end = made.end.split(' ').next().unwrap_or_default();
    let last = statements.last();
    let ends = matches!(
        (end, last),
        ("continue", _)
            | (_, Some(Statement::Verdict(Verdict::Unknown(_))))
            | ("accept", Some(Statement::Verdict(Verdict::Accept)))
            | ("drop", Some(Statement::Verdict(Verdict::Drop)))
            | ("reject", Some(Statement::Verdict(Verdict::Reject { .. })))
            | ("queue", Some(Statement::Verdict(Verdict::Queue { .. })))
            | ("return", Some(Statement::Verdict(Verdict::Return)))
            | ("jump", Some(Statement::Verdict(Verdict::Jump(_))))
            | ("goto", Some(Statement::Verdict(Verdict::Goto(_))))
    );
    if !ends {
        return Some("its end is lost");
    }
    let conditions = statements
        .iter()
        .filter(|one| matches!(one, Statement::Match(_)))
        .count();
    (conditions < made.comparisons && !open).then_some("a comparison is lost")
}

/// Whether nft's listing holds what the rule compares: some versions lose a comparison, or write
/// another one for raw bytes.
fn shows_all(made: &MadeRule, listed: &str) -> bool {
    let raw = |text: &str| ["@nh", "@ll", "@th"].iter().any(|word| text.contains(word));
    let named = SELECTORS.iter().filter(|one| made.text.contains(one.words));
    let mut listed_so = named.map(|one| match one.words {
        "ct original protocol" => "ct protocol",
        words => words.trim_start_matches("meta "),
    });
    let parts = |text: &str| text.matches(" . ").count();
    let as_many = parts(&made.text) == parts(listed);
    as_many && !raw(&made.text) && !raw(listed) && listed_so.all(|words| listed.contains(words))
}

/// A rule without the words that each form spells in its own way.
fn shape(text: &str, rule: &Rule) -> Vec<String> {
    // Protocols that the text does not name follow from what it compares.
    let implied = |field: Field| match field {
        Field::NfProto => !text.contains("nfproto"),
        Field::L4Proto => !text.contains("proto"),
        _ => false,
    };
    let mut shape: Vec<String> = rule
        .statements
        .iter()
        .filter_map(|one| match one {
            Statement::Match(Match::Field {
                operand,
                negated: false,
                ..
            }) if implied(operand.field) => None,
            Statement::Match(wanted) if is_opaque(wanted) => Some("opaque".to_owned()),
            Statement::Verdict(Verdict::Unknown(_)) => Some("unknown".to_owned()),
            Statement::Verdict(Verdict::Reject { .. }) => Some("reject".to_owned()),
            Statement::Verdict(Verdict::Queue { .. }) => Some("queue".to_owned()),
            Statement::Effect(Effect::Other { .. } | Effect::Log { .. }) => None,
            Statement::Effect(Effect::UpdateSet { .. }) => Some("update".to_owned()),
            Statement::Effect(Effect::Remember { .. }) => Some("remember".to_owned()),
            Statement::Match(Match::Lookup(look)) => Some(format!(
                "{:?} {} {:?}",
                look.key,
                look.negated,
                elements(&look.set)
            )),
            Statement::VerdictMap(look) => {
                Some(format!("{:?} {:?}", look.key, elements(&look.map)))
            }
            other => Some(format!("{other:?}")),
        })
        .collect();
    // nft puts comparisons in an order of its own.
    let compares = |one: &String| one.starts_with("Match") || one == "opaque";
    for run in shape.chunk_by_mut(|one, next| compares(one) && compares(next)) {
        run.sort();
    }
    shape.dedup();
    shape
}

fn elements(set: &surefoot_ruleset::model::SetRef) -> String {
    match set {
        surefoot_ruleset::model::SetRef::Inline(set) => {
            let mut all: Vec<String> = set
                .content
                .elements()
                .iter()
                .map(|one| format!("{:?} {:?}", one.key, one.value))
                .collect();
            all.sort();
            all.join("; ")
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn no_word_that_nft_takes_is_dropped() {
    let namespace = or_fail(Namespace::new());
    let all = made_rules();
    let pieces = all.chunks(100);
    let made: Vec<MadeRule> = pieces
        .flat_map(|piece| taken(&namespace, piece.to_vec()))
        .collect();
    let listed = loaded_and_listed(&namespace, &made);
    let [list, json] = listed.expect("nft took them piece by piece");
    assert!(made.len() >= AT_LEAST, "nft took only {} rules", made.len());
    let forms = [
        ("text", read(file(&made), Format::NftText)),
        ("list", read(list, Format::NftText)),
        ("json", read(json, Format::NftJson)),
    ];
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (form, rules) in &forms {
        assert_eq!(rules.len(), made.len(), "{form}");
        for (made, (_, rule)) in made.iter().zip(rules) {
            if let Some(what) = misread(made, rule) {
                let found = wrong.entry(format!("{form}: {what}")).or_default();
                found.push(format!("{}\n      {:?}", made.text, rule.statements));
            }
        }
    }
    let [(_, text), (_, list), (_, json)] = &forms;
    let mut left_out = 0;
    for ((made, (_, text)), ((listed, list), (_, json))) in
        made.iter().zip(text).zip(list.iter().zip(json))
    {
        if !shows_all(made, listed) {
            left_out += 1;
            continue;
        }
        for (form, other) in [("list", list), ("json", json)] {
            if shape(&made.text, text) != shape(&made.text, other) {
                let found = wrong.entry(format!("text and {form} differ")).or_default();
                found.push(format!(
                    "{}\n      {:?}\n      {:?}",
                    made.text,
                    shape(&made.text, text),
                    shape(&made.text, other)
                ));
            }
        }
    }
    assert!(
        left_out * 10 < made.len(),
        "nft's listing loses {left_out} rules"
    );
    for (what, rules) in &wrong {
        println!("{what}: {}", rules.len());
        for rule in rules.iter().take(20) {
            println!("   {rule}");
        }
    }
    assert!(wrong.is_empty(), "of {} rules", made.len());
}
