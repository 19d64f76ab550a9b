//! Chains that jump in a circle: the kernel loads no such rules where packets could come to them.

use surefoot_report::Problem;

use crate::model::{Content, ElementValue, Rule, SetRef, Statement, Table, Verdict, VerdictLookup};

/// The state of a chain while circles are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    /// On the way that is being followed.
    Open,
    /// Leads into no circle that has not been reported.
    Done,
}

/// One error for each rule that closes a circle, with the index of its text. The kernel looks for
/// circles from the base chains on (`nft_table_validate`, `mark_source_chains`).
pub(crate) fn find(table: &Table) -> Vec<(u16, Problem)> {
    let mut problems = Vec::new();
    let mut marks = vec![Mark::New; table.chains.len()];
    let targets: Vec<Vec<(usize, usize)>> = (0..table.chains.len())
        .map(|chain| targets_of(table, chain))
        .collect();
    for start in 0..table.chains.len() {
        if marks[start] != Mark::New || table.chains[start].base.is_none() {
            continue;
        }
        marks[start] = Mark::Open;
        // Each entry is a chain and how many of its jumps have been followed.
        let mut way = vec![(start, 0)];
        while let Some((chain, next)) = way.last_mut() {
            let Some(&(rule, to)) = targets[*chain].get(*next) else {
                marks[*chain] = Mark::Done;
                way.pop();
                continue;
            };
            *next += 1;
            match marks[to] {
                Mark::New => {
                    marks[to] = Mark::Open;
                    way.push((to, 0));
                }
                Mark::Open => {
                    let place = table.chains[*chain].rules[rule].place;
                    let from = way.iter().position(|(chain, _)| *chain == to).unwrap_or(0);
                    let names: Vec<&str> = way[from..]
                        .iter()
                        .map(|(at, _)| table.chains[*at].name.as_str())
                        .collect();
                    let first = &table.chains[to].name;
                    let what = format!("jumps in a circle: {} → {first}", names.join(" → "));
                    let problem = Problem::error(place.span, what)
                        .help("the kernel refuses such rules; let one of the chains end instead");
                    problems.push((place.source, problem));
                }
                Mark::Done => {}
            }
        }
    }
    problems
}

/// The chains that a chain's rules can go to, each with the index of the rule.
fn targets_of(table: &Table, chain: usize) -> Vec<(usize, usize)> {
    let mut targets = Vec::new();
    for (at, rule) in table.chains[chain].rules.iter().enumerate() {
        each_verdict(table, rule, &mut |verdict| {
            if let Verdict::Jump(to) | Verdict::Goto(to) = verdict
                && let Ok(to) = usize::try_from(to.0)
                && to < table.chains.len()
            {
                targets.push((at, to));
            }
        });
    }
    targets
}

/// The verdicts that a rule can give, those of its verdict maps too.
fn each_verdict(table: &Table, rule: &Rule, tell: &mut impl FnMut(&Verdict)) {
    for statement in &rule.statements {
        match statement {
            Statement::Verdict(verdict) => tell(verdict),
            Statement::VerdictMap(VerdictLookup { map, .. }) => {
                let set = match map {
                    SetRef::Inline(set) => Some(&**set),
                    SetRef::Named(at) => {
                        usize::try_from(*at).ok().and_then(|at| table.sets.get(at))
                    }
                    SetRef::Ipset(_) | SetRef::Missing(_) => None,
                };
                let elements = match set.map(|set| &set.content) {
                    Some(Content::Known(elements) | Content::Dynamic(elements)) => {
                        elements.as_slice()
                    }
                    Some(Content::Unknown) | None => &[],
                };
                for element in elements {
                    if let Some(ElementValue::Verdict(verdict)) = &element.value {
                        tell(verdict);
                    }
                }
            }
            Statement::Match(_) | Statement::Effect(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Input, load};

    fn problems(text: &str) -> Vec<String> {
        let input = Input {
            name: "t".into(),
            text: text.into(),
            format: None,
        };
        load(vec![input])
            .problems
            .into_iter()
            .map(|(_, problem)| problem.what)
            .collect()
    }

    #[test]
    fn circles_are_named_once_and_diamonds_are_none() {
        let head = "*filter\n:INPUT ACCEPT [0:0]\n:A - [0:0]\n:B - [0:0]\n";
        let circle = format!("{head}-A INPUT -j A\n-A A -j B\n-A B -g A\nCOMMIT\n");
        assert_eq!(problems(&circle), ["jumps in a circle: A → B → A"]);
        let diamond = format!("{head}-A INPUT -j A\n-A INPUT -j B\n-A A -j B\nCOMMIT\n");
        assert!(problems(&diamond).is_empty());
    }

    #[test]
    fn a_verdict_map_can_close_a_circle() {
        let circle =
            "\tchain a {\n\t\ttcp dport vmap { 22 : jump b }\n\t}\n\tchain b {\n\t\tgoto a\n\t}\n";
        let base = "\tchain i {\n\t\ttype filter hook input priority 0\n\t\tjump a\n\t}\n";
        let called = format!("table ip t {{\n{circle}{base}}}\n");
        assert_eq!(problems(&called), ["jumps in a circle: a → b → a"]);
        let alone = format!("table ip t {{\n{circle}}}\n");
        assert!(problems(&alone).is_empty(), "the kernel takes it");
    }
}
