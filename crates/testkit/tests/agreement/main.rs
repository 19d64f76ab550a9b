//! The evaluator says of each packet what the kernel does with it.
//!
//! Every folder of `tests/rulesets` is loaded into a namespace of its own, with `iptables-nft` and
//! with `iptables-legacy` where it has iptables rules. Packets are drawn at the edges of what the
//! rules ask for. Compared are the verdict, what decided, and every rule that matched on the way;
//! once for the rules as they are written, and once as the kernel shows them.
//!
//! `SUREFOOT_AGREEMENT_PACKETS` says how many packets there are in all.

#![expect(clippy::unwrap_used, reason = "a test may die")]

mod case;
mod chance;
mod draft;
mod flows;
mod judge;
mod mutation;
mod packet;
mod session;

use std::fmt::Write as _;

use judge::{Judgement, judge};
use session::Session;
use surefoot_firewall::semantics::Index;
use surefoot_testkit::{Namespace, or_skip};

/// Packets in all, unless the environment says otherwise.
const PACKETS: usize = 24_000;
/// Differences that are shown of one case.
const SHOWN: usize = 3;

fn packets() -> usize {
    std::env::var("SUREFOOT_AGREEMENT_PACKETS").map_or(PACKETS, |number| {
        number
            .parse()
            .expect("SUREFOOT_AGREEMENT_PACKETS is a number of packets")
    })
}

#[derive(Default)]
struct Tally {
    agree: usize,
    among: usize,
    differ: usize,
    words: String,
}

#[test]
fn the_evaluator_agrees_with_the_kernel() {
    let only = std::env::var("SUREFOOT_AGREEMENT_CASE").unwrap_or_default();
    let cases = case::all();
    let share = packets().div_ceil(cases.len());
    if or_skip(Namespace::new()).is_none() {
        return;
    }
    let mut total = Tally::default();
    for case in cases.iter().filter(|case| case.name.contains(&only)) {
        let mut session =
            Session::new(case).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let mut tally = Tally::default();
        let indices: Vec<Index> = session
            .loaded
            .models
            .iter()
            .map(|model| Index::new(&model.firewall))
            .collect();
        session.run(share, |loaded, shot, seen| {
            for (model, index) in loaded.models.iter().zip(&indices) {
                let answer = judge(
                    &model.firewall,
                    index,
                    &loaded.surroundings,
                    &shot.packet,
                    seen,
                );
                match answer {
                    Judgement::Agrees => tally.agree += 1,
                    Judgement::Among => tally.among += 1,
                    Judgement::Differs(why) => {
                        tally.differ += 1;
                        if tally.differ <= SHOWN {
                            let _ = writeln!(
                                tally.words,
                                "\n{}, {}: {why}{shot}",
                                case.name, model.text
                            );
                        }
                    }
                }
            }
        });
        let (met, all) = session.coverage();
        eprintln!(
            "{:40} {:>7} agree {:>5} among {:>5} differ  {met}/{all} rules met",
            case.name, tally.agree, tally.among, tally.differ
        );
        total.agree += tally.agree;
        total.among += tally.among;
        total.differ += tally.differ;
        total.words += &tally.words;
    }
    eprintln!(
        "{} answers agree, {} are open and hold the kernel's, {} differ",
        total.agree, total.among, total.differ
    );
    assert!(total.differ == 0, "{}", total.words);
}
