//! The options that need no module: `-s -d -i -o -p -f`.

use surefoot_report::Problem;

use super::super::names::protocol_number;
use super::super::syntax::Given;
use super::super::value::Net;
use super::{Lowering, field, masked, matched, opaque_option};
use crate::model::{Field, Match, NamePattern, Range, Statement};

impl Lowering<'_> {
    /// Adds an option's meaning; `word` is its value, or one address out of its list.
    pub(super) fn base_option(&mut self, given: &Given<'_>, word: &str, out: &mut Vec<Statement>) {
        let negated = given.negated;
        let found = match &*given.name {
            "source" => self.address(given, word, self.of_family(Field::Ip4Src, Field::Ip6Src)),
            "destination" => {
                self.address(given, word, self.of_family(Field::Ip4Dst, Field::Ip6Dst))
            }
            "in-interface" => {
                let names = vec![interface(word)];
                every_name(&names, negated).or(Some(Match::InInterface { negated, names }))
            }
            "out-interface" => {
                let names = vec![interface(word)];
                every_name(&names, negated).or(Some(Match::OutInterface { negated, names }))
            }
            "protocol" => self.protocol(given, word),
            "fragment" => {
                if self.ip6() {
                    let what = "`-f` is for IPv4 only";
                    self.problems.push(Problem::error(given.span, what));
                }
                let wanted = Range::one(u128::from(!negated));
                Some(field(Field::IsLaterFragment, false, vec![wanted]))
            }
            "ipv4" | "ipv6" => None,
            _ => Some(opaque_option(given)),
        };
        if let Some(found) = found.filter(|found| !is_always(found)) {
            out.push(matched(found));
        }
    }

    fn address(&mut self, given: &Given<'_>, word: &str, of: Field) -> Option<Match> {
        let Some(net) = Net::parse(word) else {
            let what = format!("`{word}` is no address");
            self.problems.push(
                Problem::note(given.span, what)
                    .label("not evaluated")
                    .help("a name is looked up once, when the rules are loaded"),
            );
            return Some(opaque_option(given));
        };
        if net.ip6 != self.ip6() {
            let what = format!("`{word}` is an address of the other family");
            self.problems.push(Problem::error(given.span, what));
            return Some(opaque_option(given));
        }
        match net.range() {
            _ if net.mask == 0 => given.negated.then_some(Match::Never),
            Some(range) => Some(field(of, given.negated, vec![range])),
            None => {
                let range = Range::one(net.address);
                Some(masked(of, net.mask, given.negated, vec![range]))
            }
        }
    }

    fn protocol(&mut self, given: &Given<'_>, word: &str) -> Option<Match> {
        match protocol_number(word) {
            Some(0) if given.negated => {
                let what = "`! -p all` can never match";
                self.problems.push(Problem::error(given.span, what));
                Some(Match::Never)
            }
            Some(0) => None,
            Some(number) => {
                let range = Range::one(number.into());
                Some(field(Field::L4Proto, given.negated, vec![range]))
            }
            None => {
                let what = format!("the protocol `{word}` is unknown");
                self.problems
                    .push(Problem::note(given.span, what).label("not evaluated"));
                Some(opaque_option(given))
            }
        }
    }
}

fn interface(word: &str) -> NamePattern {
    let start = word.strip_suffix('+');
    NamePattern {
        text: start.unwrap_or(word).to_owned(),
        prefix: start.is_some(),
    }
}

/// `-i +` matches everything, also where there is no interface.
fn every_name(names: &[NamePattern], negated: bool) -> Option<Match> {
    let every = names.iter().any(|name| name.prefix && name.text.is_empty());
    every.then(|| {
        if negated {
            Match::Never
        } else {
            Match::Any {
                negated: true,
                of: Vec::new(),
            }
        }
    })
}

fn is_always(of: &Match) -> bool {
    matches!(of, Match::Any { negated: true, of } if of.is_empty())
}
