//! Which server block answers a name, by the rules of nginx and Apache, and which one was meant, if that can be told.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;
use surefoot_bisect::{ConfigTree, UnitId};

use super::{WrittenAddress, words_of};

/// How a block came to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostMatch {
    /// It has the very name.
    Exact,
    /// It has a pattern that fits.
    Pattern,
    /// None has the name: it is the default.
    Default,
}

/// Why another block was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MeantReason {
    /// It has the very name, and one that stands before it takes the request.
    Later,
    /// It has the very name, and listens elsewhere.
    Elsewhere,
    /// It has a name that differs in a letter or two.
    Similar,
}

/// A block that was meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MeantHost {
    /// File and line of its name.
    pub place: String,
    /// Its name.
    pub name: String,
    /// Where it listens, where that is why.
    pub listens: Vec<String>,
    /// Why it was meant.
    pub why: MeantReason,
}

/// The block that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServingHost {
    /// The name that was asked for.
    pub asked: String,
    /// File and line of the block.
    pub place: String,
    /// Its names.
    pub names: Vec<String>,
    /// How it came to answer.
    pub how: HostMatch,
    /// The one block that was meant; none if none or several may be.
    pub meant: Option<MeantHost>,
    /// The block that answers.
    #[serde(skip)]
    pub(crate) block: Option<UnitId>,
}

impl ServingHost {
    /// A block without a place in a tree.
    pub fn new(asked: &str, place: &str, how: HostMatch, meant: Option<MeantHost>) -> Self {
        Self {
            asked: asked.to_owned(),
            place: place.to_owned(),
            names: Vec::new(),
            how,
            meant,
            block: None,
        }
    }
}

/// A block with its names.
struct HostBlock {
    block: UnitId,
    names: Vec<(String, UnitId)>,
    listens: Vec<(WrittenAddress, String)>,
    is_default: bool,
}

/// The server block of nginx that answers a request for a name that came to an address.
pub fn serving_nginx(tree: &ConfigTree, host: &str, address: SocketAddr) -> Option<ServingHost> {
    let mut blocks = Vec::new();
    for id in tree.ids() {
        if tree.unit(id).word != "server" || !tree.unit(id).is_block || !is_http(tree, id) {
            continue;
        }
        let mut found = HostBlock {
            block: id,
            names: Vec::new(),
            listens: Vec::new(),
            is_default: false,
        };
        for child in inside(tree, id) {
            let words = words_of(tree, child);
            match tree.unit(child).word.as_str() {
                "server_name" => found
                    .names
                    .extend(words.into_iter().skip(1).map(|name| (name, child))),
                "listen" => {
                    let Some(written) = words.get(1) else {
                        continue;
                    };
                    let read = WrittenAddress::read(written, Some(80))?;
                    let takes = is_fit(&read, address) > 0;
                    found.is_default |= takes
                        && words
                            .iter()
                            .any(|word| word == "default_server" || word == "default");
                    found.listens.push((read, written.clone()));
                }
                _ => {}
            }
        }
        if found.listens.is_empty() {
            let any = WrittenAddress::Host("*".to_owned(), 80);
            found.listens.push((any, "80".to_owned()));
        }
        blocks.push(found);
    }
    let here = taking_blocks(&blocks, address)?;
    // Whether a regular expression fits is not found out here.
    let is_unclear = |(name, _): &(String, UnitId)| name.starts_with('~') || name.contains('$');
    let has_unclear = here.iter().any(|block| block.names.iter().any(is_unclear));
    let exact = here.iter().find(|block| {
        block
            .names
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(host))
    });
    let (serving, how) = match exact {
        Some(block) => (*block, HostMatch::Exact),
        None => match longest_pattern(&here, host) {
            Some(block) => (block, HostMatch::Pattern),
            None if has_unclear => return None,
            None => {
                let marked = here.iter().find(|block| block.is_default);
                (*marked.or(here.first())?, HostMatch::Default)
            }
        },
    };
    Some(answer(tree, host, serving, how, &blocks, &here))
}

/// The blocks with the most specific address that fits: it takes the connection, whatever names there are.
fn taking_blocks(blocks: &[HostBlock], address: SocketAddr) -> Option<Vec<&HostBlock>> {
    let fit_of = |block: &HostBlock| {
        block
            .listens
            .iter()
            .map(|(at, _)| is_fit(at, address))
            .max()
    };
    let best = blocks
        .iter()
        .filter_map(fit_of)
        .max()
        .filter(|fit| *fit > 0)?;
    let here: Vec<&HostBlock> = blocks
        .iter()
        .filter(|block| fit_of(block) == Some(best))
        .collect();
    Some(here)
}

/// The `<VirtualHost>` of Apache that answers; none if no virtual host takes the address.
pub fn serving_apache(tree: &ConfigTree, host: &str, address: SocketAddr) -> Option<ServingHost> {
    let mut blocks = Vec::new();
    for id in tree.ids() {
        if !tree.unit(id).word.eq_ignore_ascii_case("virtualhost") || !tree.unit(id).is_block {
            continue;
        }
        let mut found = HostBlock {
            block: id,
            names: Vec::new(),
            listens: Vec::new(),
            is_default: false,
        };
        for word in words_of(tree, id).into_iter().skip(1) {
            let text = word.trim_end_matches('>');
            let bare = text.replace("_default_", "*").replace(":*", ":0");
            let read = WrittenAddress::read(&bare, Some(0))?;
            let read = match read {
                // Any port.
                WrittenAddress::Host(host, 0) => WrittenAddress::Host(host, address.port()),
                other => other,
            };
            found.listens.push((read, text.to_owned()));
        }
        for child in inside(tree, id) {
            let words = words_of(tree, child);
            match tree.unit(child).word.to_ascii_lowercase().as_str() {
                "servername" => {
                    let name = words.get(1).map(|name| bare_name(name));
                    found.names.extend(name.map(|name| (name, child)));
                }
                "serveralias" => found
                    .names
                    .extend(words.into_iter().skip(1).map(|name| (name, child))),
                _ => {}
            }
        }
        // Without a name of its own it has that of the server.
        if found.names.is_empty() {
            let own = tree
                .roots()
                .iter()
                .find(|root| tree.unit(**root).word.eq_ignore_ascii_case("servername"));
            let name = own.and_then(|own| Some((bare_name(words_of(tree, *own).get(1)?), *own)));
            found.names.extend(name);
        }
        blocks.push(found);
    }
    let here = taking_blocks(&blocks, address)?;
    // The first that fits takes it, by its name or by a pattern.
    let first = here
        .iter()
        .find(|block| block.names.iter().any(|(name, _)| fits_glob(name, host)));
    let (serving, how) = match first {
        Some(block) => {
            let is_exact = block
                .names
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case(host));
            let how = if is_exact {
                HostMatch::Exact
            } else {
                HostMatch::Pattern
            };
            (*block, how)
        }
        None => (*here.first()?, HostMatch::Default),
    };
    Some(answer(tree, host, serving, how, &blocks, &here))
}

/// What stands in a block, also in an include or a condition within it, but not in a block of its own kind.
fn inside(tree: &ConfigTree, block: UnitId) -> Vec<UnitId> {
    let mut found = Vec::new();
    let mut waiting: Vec<UnitId> = tree.unit(block).children.iter().rev().copied().collect();
    while let Some(id) = waiting.pop() {
        found.push(id);
        let unit = tree.unit(id);
        let word = unit.word.to_ascii_lowercase();
        let is_open = ["include", "includeoptional", "ifmodule", "ifdefine"].contains(&&*word);
        if is_open {
            waiting.extend(unit.children.iter().rev());
        }
    }
    found
}

/// Whether a server block is not one of `stream` or `mail`.
fn is_http(tree: &ConfigTree, id: UnitId) -> bool {
    super::around(tree, id)
        .into_iter()
        .all(|block| !["stream", "mail", "upstream"].contains(&tree.unit(block).word.as_str()))
}

fn bare_name(written: &str) -> String {
    let name = written.split_once("://").map_or(written, |(_, name)| name);
    name.split(':').next().unwrap_or_default().to_owned()
}

/// How well a written address fits: 2 for the very one, 1 for any, 0 for another.
fn is_fit(written: &WrittenAddress, address: SocketAddr) -> u8 {
    let WrittenAddress::Host(host, port) = written else {
        return 0;
    };
    if *port != address.port() {
        return 0;
    }
    match host.parse::<IpAddr>() {
        Ok(ip) if ip == address.ip() => 2,
        Ok(ip) if ip.is_unspecified() => u8::from(ip.is_ipv4() == address.is_ipv4()),
        // nginx takes `80` and `*:80` for IPv4 only, Apache for both.
        Err(_) if host == "*" => 1,
        Err(_) if host == "localhost" => 2 * u8::from(address.ip().is_loopback()),
        _ => 0,
    }
}

/// The block with the longest pattern that fits, one with the star at its front first.
fn longest_pattern<'a>(here: &[&'a HostBlock], host: &str) -> Option<&'a HostBlock> {
    let host = host.to_ascii_lowercase();
    let fits = |name: &str| {
        let name = name.to_ascii_lowercase();
        if let Some(rest) = name.strip_prefix('.') {
            return (host == rest || host.ends_with(&name)).then_some((1, name.len()));
        }
        if let Some(rest) = name.strip_prefix('*') {
            return (host.len() > rest.len() && host.ends_with(rest)).then_some((1, name.len()));
        }
        let start = name.strip_suffix('*')?;
        (host.len() > start.len() && host.starts_with(start)).then_some((0, name.len()))
    };
    let best = |block: &&HostBlock| block.names.iter().filter_map(|(name, _)| fits(name)).max();
    let mut found: Option<(&'a HostBlock, (u8, usize))> = None;
    for block in here {
        if let Some(fit) = best(block)
            && found.is_none_or(|(_, other)| fit > other)
        {
            found = Some((block, fit));
        }
    }
    found.map(|(block, _)| block)
}

/// Whether a name of Apache's, with `*` and `?`, fits.
fn fits_glob(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.to_ascii_lowercase().chars().collect();
    let name: Vec<char> = name.to_ascii_lowercase().chars().collect();
    // The places of the pattern at which one may be after what was read of the name.
    let mut places = vec![false; pattern.len() + 1];
    places[0] = true;
    let spread = |places: &mut Vec<bool>| {
        for at in 0..pattern.len() {
            if places[at] && pattern[at] == '*' {
                places[at + 1] = true;
            }
        }
    };
    spread(&mut places);
    for letter in name {
        let mut next = vec![false; pattern.len() + 1];
        for at in 0..pattern.len() {
            if places[at] {
                match pattern[at] {
                    '*' => next[at] = true,
                    other if other == '?' || other == letter => next[at + 1] = true,
                    _ => {}
                }
            }
        }
        spread(&mut next);
        places = next;
    }
    places[pattern.len()]
}

fn answer(
    tree: &ConfigTree,
    host: &str,
    serving: &HostBlock,
    how: HostMatch,
    all: &[HostBlock],
    here: &[&HostBlock],
) -> ServingHost {
    let is_here = |block: &HostBlock| here.iter().any(|it| it.block == block.block);
    let mut meant: Vec<MeantHost> = Vec::new();
    if how != HostMatch::Exact {
        for block in all.iter().filter(|it| it.block != serving.block) {
            for (name, unit) in &block.names {
                let is_same = name.eq_ignore_ascii_case(host);
                let why = match (is_same, is_here(block)) {
                    (true, true) => MeantReason::Later,
                    (true, false) => MeantReason::Elsewhere,
                    (false, true) if how == HostMatch::Default && is_similar(name, host) => {
                        MeantReason::Similar
                    }
                    _ => continue,
                };
                meant.push(MeantHost {
                    place: tree.place_of(*unit),
                    name: name.clone(),
                    listens: block.listens.iter().map(|(_, text)| text.clone()).collect(),
                    why,
                });
            }
        }
    }
    meant.sort_by_key(|it| it.why);
    let best = meant.first().map(|it| it.why);
    meant.retain(|it| Some(it.why) == best);
    ServingHost {
        asked: host.to_owned(),
        place: tree.place_of(serving.block),
        names: serving.names.iter().map(|(name, _)| name.clone()).collect(),
        how,
        // Of several none can be said to be meant.
        meant: if meant.len() == 1 { meant.pop() } else { None },
        block: Some(serving.block),
    }
}

/// Whether one name is the other with a slip of the hand: a letter more, less or another, two that changed places, or
/// `www.` in front.
fn is_similar(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    if one == other || one.contains(['*', '~']) || other.parse::<IpAddr>().is_ok() {
        return false;
    }
    let bare = |name: &str| name.strip_prefix("www.").unwrap_or(name).to_owned();
    if bare(&one) == bare(&other) {
        return true;
    }
    // Names that are told apart by a number are different on purpose.
    let letters =
        |name: &str| -> String { name.chars().filter(|it| !it.is_ascii_digit()).collect() };
    if letters(&one) == letters(&other) {
        return false;
    }
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let same = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[same..], &other[same..]);
    let rests_equal = |a: usize, b: usize| one.get(a..) == other.get(b..) && one.get(a..).is_some();
    let is_swap = one.len() > 1 && other.len() > 1 && one[0] == other[1] && one[1] == other[0];
    rests_equal(1, 0) || rests_equal(0, 1) || rests_equal(1, 1) || (is_swap && rests_equal(2, 2))
}

#[cfg(test)]
mod tests {
    use surefoot_bisect::ConfigLens;

    use super::super::tests::tree;
    use super::*;

    fn nginx(text: &str, host: &str) -> Option<ServingHost> {
        let at = SocketAddr::from(([127, 0, 0, 1], 80));
        serving_nginx(&tree(ConfigLens::Nginx, text), host, at)
    }

    fn apache(text: &str, host: &str) -> Option<ServingHost> {
        let at = SocketAddr::from(([127, 0, 0, 1], 80));
        serving_apache(&tree(ConfigLens::Apache, text), host, at)
    }

    #[test]
    fn nginx_takes_the_name_then_the_longest_pattern_then_the_default() {
        let text = "http {\nserver { listen 80; server_name a.test; }\nserver { listen 80 default_server; server_name *.test; }\n\
            server { listen 80; server_name *.b.test; }\nserver { listen 80; server_name c.*; }\n}\n";
        let place = |host: &str| nginx(text, host).map(|it| (it.place, it.how));
        assert_eq!(place("A.test"), Some(("f:2".to_owned(), HostMatch::Exact)));
        assert_eq!(
            place("x.b.test"),
            Some(("f:4".to_owned(), HostMatch::Pattern))
        );
        assert_eq!(
            place("c.test"),
            Some(("f:3".to_owned(), HostMatch::Pattern))
        );
        assert_eq!(place("c.org"), Some(("f:5".to_owned(), HostMatch::Pattern)));
        assert_eq!(
            place("127.0.0.1"),
            Some(("f:3".to_owned(), HostMatch::Default))
        );
    }

    #[test]
    fn what_listens_at_the_very_address_takes_all_of_it() {
        let text = "http {\nserver { listen 127.0.0.1:80; server_name x.test; }\nserver { listen 80; server_name a.test; }\n}\n";
        let found = nginx(text, "a.test").unwrap();
        assert_eq!(
            (found.place.as_str(), found.how),
            ("f:2", HostMatch::Default)
        );
        let meant = found.meant.unwrap();
        assert_eq!(
            (meant.why, meant.place.as_str()),
            (MeantReason::Elsewhere, "f:3")
        );
        assert_eq!(meant.listens, ["80"]);
        let other =
            "stream {\nserver { listen 80; proxy_pass x; }\n}\nhttp {\nserver { listen 81; }\n}\n";
        assert_eq!(nginx(other, "a.test"), None);
    }

    #[test]
    fn a_slip_in_a_name_is_seen_and_a_number_is_none() {
        let text = "http {\nserver { listen 80; server_name _; }\nserver { listen 80; server_name sitte.test; }\n}\n";
        let meant = |host: &str| nginx(text, host).unwrap().meant.map(|it| it.name);
        assert_eq!(meant("site.test").as_deref(), Some("sitte.test"));
        assert_eq!(meant("www.sitte.test").as_deref(), Some("sitte.test"));
        assert_eq!(meant("shop.test"), None);
        assert_eq!(meant("127.0.0.1"), None);
        for (one, other, is) in [
            ("app1.test", "app2.test", false),
            ("app.test", "ap.test", true),
            ("app.test", "apd.test", true),
            ("apd.test", "adp.test", true),
            ("a.test", "bc.test", false),
        ] {
            assert_eq!(is_similar(one, other), is, "{one} {other}");
            assert_eq!(is_similar(other, one), is, "{other} {one}");
        }
        let unclear = "http {\nserver { listen 80; server_name ~^x; }\n}\n";
        assert_eq!(nginx(unclear, "a.test"), None);
    }

    #[test]
    fn apache_takes_the_first_that_fits() {
        let text = "<VirtualHost *:80>\nServerName all.test\nServerAlias *.test\n</VirtualHost>\n\
            <VirtualHost *:80>\nServerName shop.test:80\n</VirtualHost>\n";
        let found = apache(text, "shop.test").unwrap();
        assert_eq!(
            (found.place.as_str(), found.how),
            ("f:1", HostMatch::Pattern)
        );
        let meant = found.meant.unwrap();
        assert_eq!(
            (meant.why, meant.place.as_str()),
            (MeantReason::Later, "f:6")
        );
        let found = apache(text, "shop.example").unwrap();
        assert_eq!(
            (found.place.as_str(), found.how),
            ("f:1", HostMatch::Default)
        );
        assert_eq!(apache("Listen 80\n", "a.test"), None);
        assert!(fits_glob("w?w.*.test", "WWW.a.b.test") && !fits_glob("*.test", "test"));
    }
}
