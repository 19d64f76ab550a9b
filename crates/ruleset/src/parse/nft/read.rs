//! Tables, chains, sets and the commands that make them.
//!
//! A rule is the tokens up to the end of its line outside braces, so an error in one rule never
//! reaches the next one.

use std::collections::HashMap;

use surefoot_report::{Problem, Span};

use super::anonymous::opens_block;
use super::include::RefusedInclude;
use super::lex::{NftToken, TokenKind, lex};
use super::print;
use crate::model::Family;

/// Bound on the tokens that variables may unfold to.
const EXPANSION_LIMIT: usize = 4_000_000;

/// What a text sets up, after its commands have run.
#[derive(Clone, Debug, Default)]
pub struct Ruleset<'a> {
    /// The tables in order.
    pub tables: Vec<TableSyntax<'a>>,
}

/// A table.
#[derive(Clone, Debug)]
pub struct TableSyntax<'a> {
    /// Its family.
    pub family: Family,
    /// Its name.
    pub name: String,
    /// `flags dormant`.
    pub dormant: bool,
    /// Its chains.
    pub chains: Vec<ChainSyntax<'a>>,
    /// Its sets and maps.
    pub sets: Vec<SetSyntax<'a>>,
    /// Everything else, as written.
    pub others: Vec<String>,
    /// Where it stands.
    pub span: Span,
}

/// A chain.
#[derive(Clone, Debug, Default)]
pub struct ChainSyntax<'a> {
    /// Its name.
    pub name: String,
    /// The words of `type ... hook ... priority ...`; empty for a chain that is not hooked.
    pub base: Vec<NftToken<'a>>,
    /// The word after `policy`.
    pub policy: Option<NftToken<'a>>,
    /// Its rules.
    pub rules: Vec<RuleSyntax<'a>>,
    /// Where it stands.
    pub span: Span,
}

/// A rule: its words, variables unfolded.
#[derive(Clone, Debug)]
pub struct RuleSyntax<'a> {
    /// The words.
    pub tokens: Vec<NftToken<'a>>,
    /// The number of `# handle`.
    pub handle: Option<u64>,
    /// Where it stands.
    pub span: Span,
}

/// A set or a map.
#[derive(Clone, Debug, Default)]
pub struct SetSyntax<'a> {
    /// Its name.
    pub name: String,
    /// Whether it was written as a map.
    pub map: bool,
    /// The words after `type` or `typeof`.
    pub kind: Vec<NftToken<'a>>,
    /// Whether `kind` came from `typeof`.
    pub is_typeof: bool,
    /// The words after `flags`.
    pub flags: Vec<NftToken<'a>>,
    /// Whether elements have a `timeout`.
    pub timeout: bool,
    /// Lines that change no answer, such as `size` and `comment`.
    pub properties: Vec<Vec<NftToken<'a>>>,
    /// Whether commands took elements away that are not followed.
    pub uncertain: bool,
    /// The words between the braces of `elements`.
    pub elements: Vec<NftToken<'a>>,
    /// Where it stands.
    pub span: Span,
}

/// Reads a text. Never fails as a whole.
pub fn parse_text(text: &str) -> (Ruleset<'_>, Vec<Problem>) {
    parse_with_refused(text, &[])
}

/// Reads a text in which the files are that it includes, but for these.
pub fn parse_with_refused<'a>(
    text: &'a str,
    refused: &'a [RefusedInclude],
) -> (Ruleset<'a>, Vec<Problem>) {
    let mut reader = RulesetReader {
        tokens: lex(text),
        at: 0,
        variables: HashMap::new(),
        expanded: 0,
        ruleset: Ruleset::default(),
        problems: Vec::new(),
        refused,
    };
    while reader.at < reader.tokens.len() {
        reader.command();
    }
    (reader.ruleset, reader.problems)
}

struct RulesetReader<'a> {
    tokens: Vec<NftToken<'a>>,
    at: usize,
    variables: HashMap<&'a str, Vec<NftToken<'a>>>,
    expanded: usize,
    ruleset: Ruleset<'a>,
    problems: Vec<Problem>,
    refused: &'a [RefusedInclude],
}

impl<'a> RulesetReader<'a> {
    fn peek(&self) -> Option<NftToken<'a>> {
        self.tokens.get(self.at).copied()
    }

    fn is(&self, text: &str) -> bool {
        self.peek()
            .is_some_and(|token| token.kind != TokenKind::Quoted && token.text == text)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.is(text);
        self.at += usize::from(found);
        found
    }

    /// The next word or quoted text; none at the end of a line.
    fn word(&mut self) -> Option<NftToken<'a>> {
        let token = self.peek()?;
        let word = matches!(token.kind, TokenKind::Word | TokenKind::Quoted);
        self.at += usize::from(word);
        word.then_some(token)
    }

    fn skip_ends(&mut self) {
        while matches!(self.peek(), Some(token) if token.kind == TokenKind::End) {
            self.at += 1;
        }
    }

    /// Takes the tokens up to the end of the line outside braces, or before a closing brace that
    /// is not theirs. Variables are unfolded, handles and newlines inside braces are left out; in
    /// the block of a chain without a name a newline ends a rule and stays.
    fn line(&mut self) -> (Vec<NftToken<'a>>, Option<u64>, Span) {
        let start = self.peek().map_or(Span::default(), |token| token.span);
        let (mut tokens, mut handle, mut span) = (Vec::new(), None, start);
        let mut open: Vec<bool> = Vec::new();
        while let Some(token) = self.peek() {
            match (token.kind, token.text) {
                (TokenKind::End, _) | (TokenKind::Punct, "}") if open.is_empty() => break,
                (TokenKind::End, _) => {
                    self.at += 1;
                    if open.last() == Some(&true) {
                        tokens.push(token);
                    }
                    continue;
                }
                (TokenKind::Handle, number) => {
                    handle = number.parse().ok();
                    self.at += 1;
                    continue;
                }
                (TokenKind::Punct, "{") => open.push(opens_block(tokens.last(), &token)),
                (TokenKind::Punct, "}") => drop(open.pop()),
                _ => {}
            }
            span.end = token.span.end;
            self.at += 1;
            self.unfold(token, &mut tokens);
        }
        (tokens, handle, span)
    }

    fn unfold(&mut self, token: NftToken<'a>, into: &mut Vec<NftToken<'a>>) {
        let name = match token.kind {
            TokenKind::Word => token.text.strip_prefix('$'),
            _ => None,
        };
        let Some(name) = name else {
            into.push(token);
            return;
        };
        // `$address:port`
        let (name, rest) = name.split_at(name.find(':').unwrap_or(name.len()));
        let rest = (!rest.is_empty()).then_some(NftToken {
            text: rest,
            span: Span {
                start: token
                    .span
                    .end
                    .saturating_sub(u32::try_from(rest.len()).unwrap_or(0)),
                ..token.span
            },
            ..token
        });
        match self.variables.get(name) {
            Some(value) if self.expanded + value.len() <= EXPANSION_LIMIT => {
                self.expanded += value.len();
                into.extend(value);
            }
            Some(_) => {
                let what = "variables unfold to more words than surefoot reads";
                self.problems.push(Problem::error(token.span, what));
                into.push(token);
            }
            None => {
                let what = format!("variable `{name}` is not defined");
                self.problems.push(Problem::error(token.span, what));
                into.push(token);
            }
        }
        into.extend(rest);
    }

    fn command(&mut self) {
        self.skip_ends();
        let Some(token) = self.peek() else { return };
        self.at += 1;
        if token.kind == TokenKind::Handle {
            return;
        }
        match token.text {
            "table" => self.table(token.span),
            "add" | "create" | "insert" | "replace" => self.add(token.text),
            "flush" | "delete" | "destroy" | "reset" => self.remove(token.text),
            "define" | "redefine" => self.define(),
            "undefine" => {
                if let Some(name) = self.word() {
                    self.variables.remove(name.text);
                }
            }
            "include" => {
                let (words, _, span) = self.line();
                let what = "an included file is not followed, and its rules would be missing";
                let span = Span {
                    start: token.span.start,
                    ..span
                };
                let named = words.first().map_or("", |word| word.text);
                let refused = self.refused.iter().find(|(pattern, _)| pattern == named);
                let mut problem = Problem::error(span, what);
                if let Some((_, why)) = refused {
                    problem = problem.help(why.clone());
                }
                self.problems.push(problem);
            }
            "list" | "monitor" | "describe" => drop(self.line()),
            _ => {
                let what = format!("`{}` is no command of nft", token.text);
                self.problems.push(Problem::error(token.span, what));
                self.line();
                self.eat("}");
            }
        }
    }

    fn define(&mut self) {
        let Some(name) = self.word() else { return };
        self.eat("=");
        let (value, _, _) = self.line();
        self.variables.insert(name.text, value);
    }

    fn family(&mut self) -> Family {
        let family = match self.peek().map(|token| token.text) {
            Some("ip") => Family::Ip,
            Some("ip6") => Family::Ip6,
            Some("inet") => Family::Inet,
            Some("arp") => Family::Arp,
            Some("bridge") => Family::Bridge,
            Some("netdev") => Family::Netdev,
            _ => return Family::Ip,
        };
        // A table may be called `ip`; then nothing follows.
        let next = self.tokens.get(self.at + 1);
        if !next.is_some_and(|token| matches!(token.kind, TokenKind::Word | TokenKind::Quoted)) {
            return Family::Ip;
        }
        self.at += 1;
        family
    }

    /// Index of the table that the next words name, made if it is not there.
    fn table_index(&mut self) -> Option<usize> {
        let family = self.family();
        let name = self.word()?;
        let tables = &mut self.ruleset.tables;
        let same = |table: &TableSyntax<'_>| table.family == family && table.name == name.text;
        Some(tables.iter().position(same).unwrap_or_else(|| {
            tables.push(TableSyntax {
                family,
                name: name.text.to_owned(),
                dormant: false,
                chains: Vec::new(),
                sets: Vec::new(),
                others: Vec::new(),
                span: name.span,
            });
            tables.len() - 1
        }))
    }

    fn unreadable(&mut self, wanted: &str) {
        let (_, _, span) = self.line();
        let what = format!("{wanted} is missing");
        self.problems.push(Problem::error(span, what));
        if !self.at_end() {
            self.at += 1;
        }
    }

    fn at_end(&self) -> bool {
        self.peek().is_none_or(|token| token.kind == TokenKind::End)
    }

    fn table(&mut self, keyword: Span) {
        let Some(table) = self.table_index() else {
            return self.unreadable("a table's name");
        };
        self.ruleset.tables[table].span.start = keyword.start;
        // The last declaration tells the flags.
        self.ruleset.tables[table].dormant = false;
        if !self.eat("{") {
            return;
        }
        loop {
            self.skip_ends();
            let Some(token) = self.peek() else {
                let what = "table is not closed";
                self.problems.push(Problem::error(keyword, what));
                break;
            };
            if self.eat("}") {
                self.ruleset.tables[table].span.end = token.span.end;
                break;
            }
            self.at += 1;
            match token.text {
                "chain" => self.chain(table, token.span),
                "set" | "map" | "meter" => self.set(table, token.text == "map", token.span),
                "flags" => {
                    let (words, _, span) = self.line();
                    let dormant = words.iter().any(|word| word.text == "dormant");
                    self.ruleset.tables[table].dormant |= dormant;
                    let known = ["dormant", "owner", "persist", ",", ";"];
                    if words.iter().any(|word| !known.contains(&word.text)) {
                        // nft 1.0.6 prints a piece of its memory here in JSON.
                        let what = "the table's flags are unknown: it may be dormant, and none of its chains be run";
                        let help = "give the rules as text: `nft list ruleset`";
                        self.problems.push(Problem::error(span, what).help(help));
                    }
                }
                "define" | "redefine" => self.define(),
                _ if token.kind == TokenKind::Handle => {}
                _ => {
                    self.at -= 1;
                    let (words, _, span) = self.line();
                    let known = [
                        "comment",
                        "counter",
                        "quota",
                        "limit",
                        "ct",
                        "flowtable",
                        "secmark",
                        "synproxy",
                        "tunnel",
                    ];
                    if !known.contains(&token.text) {
                        let what = format!("`{}` is unknown inside a table", token.text);
                        self.problems.push(Problem::error(span, what));
                    }
                    self.ruleset.tables[table].others.push(print::words(&words));
                }
            }
        }
    }

    fn chain_index(&mut self, table: usize, name: NftToken<'a>) -> usize {
        let chains = &mut self.ruleset.tables[table].chains;
        let found = chains.iter().position(|chain| chain.name == name.text);
        found.unwrap_or_else(|| {
            chains.push(ChainSyntax {
                name: name.text.to_owned(),
                span: name.span,
                ..ChainSyntax::default()
            });
            chains.len() - 1
        })
    }

    fn chain(&mut self, table: usize, keyword: Span) {
        let Some(name) = self.word() else {
            return self.unreadable("a chain's name");
        };
        let chain = self.chain_index(table, name);
        self.ruleset.tables[table].chains[chain].span.start = keyword.start;
        if !self.eat("{") {
            return;
        }
        loop {
            self.skip_ends();
            let Some(token) = self.peek() else {
                let what = format!("chain `{}` is not closed", name.text);
                self.problems.push(Problem::error(keyword, what));
                return;
            };
            if self.eat("}") {
                self.ruleset.tables[table].chains[chain].span.end = token.span.end;
                return;
            }
            let before = self.at;
            let (tokens, handle, span) = self.line();
            if self.at == before {
                // Cannot be reached by what `line` stops at, but a parser must always go on.
                self.at += 1;
            }
            let Some(first) = tokens.first() else {
                continue;
            };
            let chain = &mut self.ruleset.tables[table].chains[chain];
            match first.text {
                "type" => chain.base = tokens,
                "policy" => chain.policy = tokens.get(1).copied(),
                "comment" if tokens.len() == 2 => {}
                // Offloading to the card decides nothing else.
                "flags" if tokens.get(1).is_some_and(|word| word.text == "offload") => {}
                _ => chain.rules.push(RuleSyntax {
                    tokens,
                    handle,
                    span,
                }),
            }
        }
    }

    fn set(&mut self, table: usize, map: bool, keyword: Span) {
        let Some(name) = self.word() else {
            return self.unreadable("a set's name");
        };
        let mut set = SetSyntax {
            name: name.text.to_owned(),
            map,
            span: keyword,
            ..SetSyntax::default()
        };
        if self.eat("{") {
            loop {
                self.skip_ends();
                let Some(token) = self.peek() else {
                    let what = format!("set `{}` is not closed", name.text);
                    self.problems.push(Problem::error(keyword, what));
                    break;
                };
                set.span.end = token.span.end;
                if self.eat("}") {
                    break;
                }
                let (mut words, _, span) = self.line();
                if words.is_empty() {
                    continue;
                }
                let first = words.remove(0);
                match first.text {
                    "type" => set.kind = words,
                    "typeof" => {
                        set.kind = words;
                        set.is_typeof = true;
                    }
                    "flags" => set.flags = words,
                    "timeout" => {
                        set.timeout = true;
                        words.insert(0, first);
                        set.properties.push(words);
                    }
                    "elements" => {
                        let equals = words.first().is_some_and(|word| word.text == "=");
                        set.elements
                            .extend(words.into_iter().skip(usize::from(equals)));
                    }
                    "size" | "gc-interval" | "policy" | "auto-merge" | "comment" | "counter"
                    | "quota" | "limit" | "ct" | "last" => {
                        words.insert(0, first);
                        set.properties.push(words);
                    }
                    _ => {
                        let what = format!("`{}` is unknown inside a set", first.text);
                        self.problems.push(Problem::error(span, what));
                    }
                }
            }
        }
        let sets = &mut self.ruleset.tables[table].sets;
        match sets.iter_mut().find(|other| other.name == set.name) {
            Some(before) => before.elements.extend(set.elements),
            None => sets.push(set),
        }
    }

    fn add(&mut self, command: &'a str) {
        let Some(what) = self.word() else {
            return self.unreadable("what to add");
        };
        match what.text {
            "table" => return self.table(what.span),
            "chain" | "rule" | "set" | "map" | "element" => {}
            "limit" | "quota" | "counter" | "ct" | "synproxy" | "secmark" | "flowtable" => {
                return self.add_object(what);
            }
            "ip" | "ip6" | "inet" | "arp" | "bridge" | "netdev" => {
                // `add inet filter input ...` is short for `add rule`.
                self.at -= 1;
            }
            _ => {
                let (words, _, span) = self.line();
                let line: Vec<_> = words.iter().map(|word| word.text).collect();
                let note = format!("`{} {}` is not modelled", what.text, line.join(" "));
                self.problems.push(Problem::note(span, note));
                return;
            }
        }
        let Some(table) = self.table_index() else {
            return self.unreadable("a table's name");
        };
        match what.text {
            "chain" => self.chain(table, what.span),
            "set" | "map" => self.set(table, what.text == "map", what.span),
            "element" => self.add_elements(table),
            _ => self.add_rule(table, command),
        }
    }

    /// `add limit inet t few { rate 1/second }`, kept as it would stand in the table.
    fn add_object(&mut self, what: NftToken<'a>) {
        let mut words = vec![what];
        if what.text == "ct" {
            words.extend(self.word());
        }
        let Some(table) = self.table_index() else {
            return self.unreadable("a table's name");
        };
        let (rest, _, _) = self.line();
        words.extend(rest);
        self.ruleset.tables[table].others.push(print::words(&words));
    }

    fn add_elements(&mut self, table: usize) {
        let Some(name) = self.word() else {
            return self.unreadable("a set's name");
        };
        let (words, _, span) = self.line();
        let sets = &mut self.ruleset.tables[table].sets;
        if let Some(set) = sets.iter_mut().find(|set| set.name == name.text) {
            set.elements.extend(words);
        } else {
            let what = format!("set `{}` is not there", name.text);
            self.problems.push(Problem::error(span, what));
        }
    }

    fn add_rule(&mut self, table: usize, command: &str) {
        let Some(name) = self.word() else {
            return self.unreadable("a chain's name");
        };
        let chain = self.chain_index(table, name);
        let (mut tokens, handle, span) = self.line();
        let mut at = None;
        if let [word, number, ..] = tokens.as_slice()
            && matches!(word.text, "position" | "index" | "handle")
        {
            at = (word.text == "index")
                .then(|| number.text.parse::<usize>().ok())
                .flatten();
            if at.is_none() {
                let what = "the place of this rule depends on handles of a running kernel";
                let help = "give the rules as they are after it: `nft list ruleset`";
                self.problems.push(Problem::error(span, what).help(help));
            }
            tokens.drain(..2);
        }
        if tokens.is_empty() {
            let what = "a rule without words";
            self.problems.push(Problem::error(name.span, what));
            return;
        }
        let rules = &mut self.ruleset.tables[table].chains[chain].rules;
        let index = match (command, at) {
            ("insert", at) => at.unwrap_or(0),
            (_, Some(at)) => at.saturating_add(1),
            (_, None) => rules.len(),
        };
        rules.insert(
            index.min(rules.len()),
            RuleSyntax {
                tokens,
                handle,
                span,
            },
        );
    }

    fn remove(&mut self, command: &str) {
        let (words, _, span) = self.line();
        let words: Vec<&str> = words.iter().map(|word| word.text).collect();
        if command == "reset" {
            return;
        }
        let (what, rest) = words.split_first().map_or(("", &[][..]), |(a, b)| (*a, b));
        if what == "ruleset" {
            self.ruleset.tables.retain(|table| {
                rest.first()
                    .is_some_and(|family| table.family.word() != *family)
            });
            return;
        }
        let (family, rest) = match rest.split_first() {
            Some((family, rest))
                if !rest.is_empty()
                    && ["ip", "ip6", "inet", "arp", "bridge", "netdev"].contains(family) =>
            {
                (*family, rest)
            }
            _ => ("ip", rest),
        };
        let tables = &mut self.ruleset.tables;
        let Some(index) = tables.iter().position(|table| {
            table.family.word() == family && rest.first() == Some(&table.name.as_str())
        }) else {
            return;
        };
        let name = rest.get(1).copied().unwrap_or("");
        if command != "reset" && (what == "rule" || name == "handle") {
            // Which one it is, only the kernel that gave the handle knows.
            let note =
                format!("`{command} {what}` is not followed, and every answer depends on it");
            let help = "give the rules as they are after it: `nft list ruleset`";
            self.problems.push(Problem::error(span, note).help(help));
            return;
        }
        let table = &mut tables[index];
        match (command, what) {
            ("flush", "table") => table
                .chains
                .iter_mut()
                .for_each(|chain| chain.rules.clear()),
            ("flush", "chain") => {
                let chain = table.chains.iter_mut().find(|chain| chain.name == name);
                if let Some(chain) = chain {
                    chain.rules.clear();
                }
            }
            ("flush", "set" | "map") => {
                let set = table.sets.iter_mut().find(|set| set.name == name);
                if let Some(set) = set {
                    set.elements.clear();
                }
            }
            (_, "element") => {
                let set = table.sets.iter_mut().find(|set| set.name == name);
                if let Some(set) = set {
                    set.uncertain = true;
                }
                let note = "elements that are taken away again leave the set unknown";
                self.problems.push(Problem::note(span, note));
            }
            (_, "table") => drop(tables.remove(index)),
            (_, "chain") => table.chains.retain(|chain| chain.name != name),
            (_, "set" | "map") => table.sets.retain(|set| set.name != name),
            _ => {
                let note = format!("`{command} {what}` is not followed");
                self.problems.push(Problem::warning(span, note));
            }
        }
    }
}
