//! From texts to the model: the one way in for every format.

use surefoot_report::{Problem, Source, Span};

use crate::circles;
use crate::model::{Backend, Content, Effect, Family, Firewall, Set, SetRef, Statement, Table};
use crate::parse::nft::{FindIncluded, IncludedFile};
use crate::parse::{ipset, iptables, nft};

/// A text to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// A path, or the command line whose output this is.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Its format; none if it is to be recognised from the text.
    pub format: Option<Format>,
}

/// The format of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `iptables-save` or `ip6tables-save`.
    Iptables {
        /// [`Family::Ip`] or [`Family::Ip6`].
        family: Family,
        /// Who will load it, or has.
        backend: Backend,
    },
    /// `nft -j list ruleset`.
    NftJson,
    /// `nft list ruleset`, or a file for `nft -f`.
    NftText,
    /// `ipset save`.
    Ipset,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The model of all texts together.
    pub firewall: Firewall,
    /// What was odd, with the index of its text in [`Firewall::sources`].
    pub problems: Vec<(u16, Problem)>,
}

/// Reads all texts into one model. Never fails as a whole: what cannot be read is a problem.
pub fn load(inputs: Vec<Input>) -> Loaded {
    load_including(inputs, &mut NoIncluded)
}

/// No file is followed: a text alone is given.
struct NoIncluded;

impl FindIncluded for NoIncluded {
    fn find(&mut self, _: &str, _: &str) -> Result<Vec<IncludedFile>, String> {
        Err("give `nft list ruleset` instead, or every file by itself".to_owned())
    }
}

/// The same, with the files that nft's texts include.
pub fn load_including(inputs: Vec<Input>, files: &mut dyn FindIncluded) -> Loaded {
    let mut loaded = Loaded::default();
    let mut formats = Vec::with_capacity(inputs.len());
    for input in inputs {
        let Ok(_) = u16::try_from(formats.len()) else {
            let what = "too many texts to be read at once";
            loaded
                .problems
                .push((u16::MAX, Problem::error(Span::default(), what)));
            break;
        };
        let (format, mut source) = source(input);
        let mut refused = Vec::new();
        if format == Ok(Format::NftText) {
            let file = IncludedFile {
                name: std::mem::take(&mut source.name),
                text: std::mem::take(&mut source.text),
            };
            (source, refused) = nft::with_included(&file, files);
        }
        if let Err(why) = &format {
            let at = u16::try_from(formats.len()).unwrap_or(u16::MAX);
            let problem = Problem::error(Span::default(), why.clone());
            loaded.problems.push((at, problem));
        }
        formats.push((format.ok(), refused));
        loaded.firewall.sources.push(source);
    }
    let Loaded { firewall, problems } = &mut loaded;
    for (source, (format, _)) in (0_u16..).zip(&formats) {
        if *format != Some(Format::Ipset) {
            continue;
        }
        let (file, mut found) = ipset::parse(&firewall.sources[usize::from(source)].text);
        // Sets of two texts cannot name each other, so the indices of the second one shift.
        let offset = firewall.ipsets.len();
        let sets = ipset::lower(&file, source, &mut found);
        firewall
            .ipsets
            .extend(sets.into_iter().map(|set| shifted(set, offset)));
        firewall.ipsets_read = true;
        problems.extend(found.into_iter().map(|problem| (source, problem)));
    }
    for (source, (format, refused)) in (0_u16..).zip(formats) {
        let text = &firewall.sources[usize::from(source)].text;
        let mut found = Vec::new();
        let tables = match format {
            Some(Format::Iptables { family, backend }) => {
                let context = iptables::Context {
                    family,
                    backend,
                    source,
                    ipsets: &firewall.ipsets,
                };
                read_iptables(text, context, &mut found)
            }
            Some(Format::Ipset) => continue,
            Some(Format::NftText) => {
                let (ruleset, odd) = nft::parse_with_refused(text, &refused);
                found.extend(odd);
                nft::lower(&ruleset, source, &mut found)
            }
            Some(Format::NftJson) | None => Vec::new(),
        };
        for table in tables {
            found.extend(replaced(&firewall.tables, &table, &firewall.sources));
            add_table(&mut firewall.tables, table);
        }
        problems.extend(found.into_iter().map(|problem| (source, problem)));
    }
    keep_one_of_two_views(&mut firewall.tables, problems);
    problems.extend(firewall.tables.iter().flat_map(circles::find));
    mark_dynamic(firewall);
    loaded
}

/// Says that a text replaces a table of another one, which is what loading both would do only
/// with `iptables-restore`.
fn replaced(tables: &[Table], table: &Table, sources: &[Source]) -> Option<Problem> {
    let before = tables.iter().find(|other| other.same_as(table))?;
    let other = sources.get(usize::from(before.place.source))?;
    let what = format!(
        "the table `{} {}` stands in {}, too; only this one counts",
        table.family.word(),
        table.name,
        other.name
    );
    Some(Problem::warning(table.place.span, what).help("look at the two texts one by one"))
}

fn shifted(mut set: Set, offset: usize) -> Set {
    if let crate::model::SetKind::List { members } = &mut set.kind {
        for member in members {
            if let SetRef::Ipset(at) = member {
                *at = at.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
            }
        }
    }
    set
}

/// What `iptables-nft` made, `nft list ruleset` shows as well, with matches that it has no words
/// for. So the view of iptables counts, unless the two were taken at different times or nft has
/// added rules of its own: then only nft's view has them all.
fn keep_one_of_two_views(tables: &mut Vec<Table>, problems: &mut Vec<(u16, Problem)>) {
    let mut at = 0;
    while let Some(iptables) = tables.get(at) {
        let twin = tables.iter().position(|other| {
            other.backend == Backend::Nft
                && iptables.backend == Backend::IptablesNft
                && other.family == iptables.family
                && other.name == iptables.name
        });
        let Some(twin) = twin else {
            at += 1;
            continue;
        };
        if same_rule_counts(iptables, &tables[twin]) {
            let twin_place = tables.remove(twin).place;
            // Problems in a view that is not used are of no interest.
            problems.retain(|(source, problem)| {
                let span = problem.span.unwrap_or_default();
                let inside = twin_place.span.start <= span.start && span.end <= twin_place.span.end;
                *source != twin_place.source || !inside
            });
            // What stood before this table has moved up by one if the twin did.
            at = if twin < at { at } else { at + 1 };
        } else {
            let what = format!(
                "the table `{} {}` has other rules here than in nft's view, which is used",
                iptables.family.word(),
                iptables.name
            );
            let problem = Problem::warning(iptables.place.span, what);
            problems.push((iptables.place.source, problem));
            tables.remove(at);
        }
    }
}

fn same_rule_counts(iptables: &Table, nft: &Table) -> bool {
    let count = |table: &Table, name: &str| table.chain(name).map_or(0, |(_, c)| c.rules.len());
    let names = iptables.chains.iter().chain(&nft.chains);
    let mut names = names.map(|chain| chain.name.as_str());
    names.all(|name| count(iptables, name) == count(nft, name))
}

/// A set that a rule adds to holds more than was written, sooner or later.
fn mark_dynamic(firewall: &mut Firewall) {
    let chains = firewall.tables.iter().flat_map(|table| &table.chains);
    let statements = chains
        .flat_map(|chain| &chain.rules)
        .flat_map(|rule| &rule.statements);
    let updated = statements.filter_map(|statement| match statement {
        Statement::Effect(Effect::UpdateSet {
            set: SetRef::Ipset(at),
            ..
        }) => usize::try_from(*at).ok(),
        _ => None,
    });
    for at in updated.collect::<Vec<_>>() {
        if let Some(set) = firewall.ipsets.get_mut(at)
            && let Content::Known(elements) = &mut set.content
        {
            set.content = Content::Dynamic(std::mem::take(elements));
        }
    }
}

/// The text that is parsed and pointed at, and its format; or why it has none.
fn source(input: Input) -> (Result<Format, String>, Source) {
    let Input { name, text, format } = input;
    match format.or_else(|| sniff(&name, &text)) {
        Some(Format::NftJson) => match nft::json_to_text(&text) {
            // What people can look up is what nft prints without `-j`.
            Ok(printed) => {
                let name = name.replace("nft -j list", "nft -a list");
                (Ok(Format::NftText), Source::new(name, printed))
            }
            Err(why) => (
                Err(format!("not what `nft -j list ruleset` prints: {why}")),
                Source::new(name, text),
            ),
        },
        Some(format) => (Ok(format), Source::new(name, text)),
        None if text.trim().is_empty() => (Ok(Format::NftText), Source::new(name, text)),
        None => {
            let why = "neither iptables-save, nor nft, nor ipset save: the format is unknown";
            (Err(why.to_owned()), Source::new(name, text))
        }
    }
}

fn read_iptables(
    text: &str,
    context: iptables::Context<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Table> {
    let (file, found) = iptables::parse(text);
    problems.extend(found);
    let mut tables = Vec::new();
    for dump in &file.dumps {
        let context = iptables::Context {
            family: dump.family.unwrap_or(context.family),
            backend: match context.backend {
                Backend::Iptables => dump.backend.unwrap_or(Backend::Iptables),
                said => said,
            },
            ..context
        };
        for table in iptables::lower(dump, context, problems) {
            add_table(&mut tables, table);
        }
    }
    tables
}

/// Adds a table; of one that is there already the later text counts, as when both are loaded.
fn add_table(tables: &mut Vec<Table>, table: Table) {
    match tables.iter_mut().find(|other| other.same_as(&table)) {
        Some(before) => *before = table,
        None => tables.push(table),
    }
}

/// Guesses the format of a text by the first line that says something, and the family by its words and name.
pub fn guess_format(name: &str, text: &str) -> Option<Format> {
    sniff(name, text)
}

/// Tells the format by the first line that says something.
fn sniff(name: &str, text: &str) -> Option<Format> {
    let lines = text.lines().map(str::trim_start);
    let starts = |word: &str| lines.clone().any(|line| line.starts_with(word));
    if text.trim_start().starts_with('{') {
        return Some(Format::NftJson);
    }
    let first = lines
        .clone()
        .find(|line| !line.is_empty() && !line.starts_with('#'))?;
    if ["create ", "add ", "-N ", "-A "]
        .iter()
        .any(|word| first.starts_with(word))
        && starts("create ")
    {
        return Some(Format::Ipset);
    }
    let iptables = lines.clone().any(|line| {
        line.strip_prefix('*').is_some_and(|table| {
            let table = table.trim();
            ["filter", "nat", "mangle", "raw", "security"].contains(&table)
        })
    });
    let commands = lines.clone().any(|line| {
        let command = line.split_whitespace().next().unwrap_or_default();
        let program = command.rsplit('/').next().unwrap_or_default();
        ["iptables", "ip6tables", "arptables", "ebtables"].contains(&program)
    });
    if iptables || commands || starts("COMMIT") || starts("-A ") {
        return Some(Format::Iptables {
            family: iptables_family(name, text),
            backend: Backend::Iptables,
        });
    }
    let nft = [
        "table ", "flush ", "add ", "define ", "include ", "delete ", "destroy ",
    ];
    nft.iter()
        .any(|word| starts(word))
        .then_some(Format::NftText)
}

/// An iptables text does not say its family; its header, its words or its name may.
fn iptables_family(name: &str, text: &str) -> Family {
    let file = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let named = file.contains("ip6tables")
        || file.rsplit('.').next() == Some("v6")
        || file.contains("ipv6");
    if says(&["Generated by ip6tables"]) {
        return Family::Ip6;
    }
    if says(&["Generated by iptables"]) {
        return Family::Ip;
    }
    let words = says(&["icmpv6", "ipv6-icmp", "icmp6-", "-m icmp6"]);
    let addresses = text
        .lines()
        .filter(|line| line.starts_with("-A"))
        .any(|line| {
            let mut words = line.split_whitespace();
            words.any(|word| {
                let address = word.split('/').next().unwrap_or(word);
                address.parse::<std::net::Ipv6Addr>().is_ok()
            })
        });
    if named || words || addresses {
        Family::Ip6
    } else {
        Family::Ip
    }
}
