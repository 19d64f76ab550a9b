//! From which interfaces packets with a forged source are accepted.
//!
//! A source is forged where the answer to it would leave by another interface, or by none
//! (RFC 3704, strict reverse path). What the kernel refuses by itself is left out: `rp_filter`,
//! sources that no packet may have, and this host's own addresses (`fib_validate_source` in
//! `net/ipv4/fib_frontend.c`, `ip_route_input_slow` in `net/ipv4/route.c`).

use crate::LoadedRules;
use crate::loaded::WeakenedAnswer;
use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::Serialize;
use surefoot_report::{Paint, Style};

use super::lines::{AnswerLines, path_words};
use super::phrase::shortened;
use surefoot_netfilter::Surroundings;
use surefoot_netfilter::exact::{
    AskedPackets, Budget, Exact, Exhausted, SymbolicQuestion, address_words,
};
use surefoot_netfilter::packet::{PacketPath, covers, to_address};
use surefoot_netfilter::semantics::End;
use surefoot_netfilter::traffic::Traffic;
use surefoot_ruleset::model::Range;

/// What forged packets can do that come by one interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpoofAnswer {
    /// The interface.
    pub interface: String,
    /// Whether IPv6.
    pub v6: bool,
    /// Whether the kernel looks at the way back.
    pub reverse_path: ReversePath,
    /// The sources that are forged here and that the kernel lets pass.
    pub forged: Vec<String>,
    /// What the rules accept of them.
    pub passes: Vec<ForgedPackets>,
    /// Why it is unknown what passes; empty if it is known.
    pub unknown: Vec<String>,
    /// What was taken for granted.
    pub notes: Vec<String>,
}

/// What `rp_filter` says of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReversePath {
    /// The way back is not looked at; IPv6 has no such setting.
    Off,
    /// There must be some way back.
    Loose,
    /// The way back must be the interface.
    Strict,
    /// The setting was not read.
    Unknown,
}

/// Forged packets that the rules accept on one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForgedPackets {
    /// The way.
    pub way: PacketPath,
    /// Whether this holds whatever the unknown answers are.
    pub certain: bool,
    /// The packets, in the words of sentences.
    pub packets: Vec<String>,
    #[serde(skip)]
    short: Vec<String>,
    /// Whether these are all.
    pub complete: bool,
}

impl WeakenedAnswer for SpoofAnswer {
    fn weaken(&mut self, why: &str) {
        for passing in &mut self.passes {
            passing.certain = false;
        }
        self.unknown.insert(0, why.to_owned());
    }
}

impl SpoofAnswer {
    /// Whether no forged packet passes, for certain.
    pub fn is_safe(&self) -> bool {
        self.passes.is_empty() && self.unknown.is_empty()
    }
}

/// Looks at every interface that is up; none if interfaces or routes are unknown.
pub fn spoof(rules: &LoadedRules, (most, budget): (usize, Budget)) -> Option<Vec<SpoofAnswer>> {
    let surroundings = &rules.surroundings;
    let interfaces = surroundings.interfaces.as_ref()?;
    surroundings.routes.as_ref()?;
    let mut found = Vec::new();
    for interface in interfaces.iter().filter(|one| one.up && !one.loopback) {
        for v6 in [false, true] {
            let has_address = interface
                .addresses
                .iter()
                .any(|(address, _)| address.is_ipv6() == v6);
            if has_address {
                let spoof = spoof_at_interface(rules, (&interface.name, v6), (most, budget));
                found.push(rules.weaken(spoof));
            }
        }
    }
    Some(found)
}

fn spoof_at_interface(
    rules: &LoadedRules,
    (name, v6): (&str, bool),
    (most, budget): (usize, Budget),
) -> SpoofAnswer {
    let surroundings = &rules.surroundings;
    let reverse_path = reverse_path(surroundings, name, v6);
    let forged = forged_sources(surroundings, (name, v6), reverse_path);
    let mut spoof = SpoofAnswer {
        interface: name.to_owned(),
        v6,
        reverse_path,
        forged: forged
            .iter()
            .flat_map(|range| address_words(*range, v6))
            .collect(),
        passes: Vec::new(),
        unknown: Vec::new(),
        notes: Vec::new(),
    };
    if !v6
        && !surroundings
            .sysctls
            .contains_key(&format!("net.ipv4.conf.{name}.accept_local"))
    {
        spoof.notes.push(
            "accept_local was not read: this host's own addresses are taken to be refused as sources".into(),
        );
    }
    if forged.is_empty() {
        return spoof;
    }
    if let Some(why) = unknown_ways(surroundings) {
        spoof.forged.clear();
        spoof.unknown.push(why);
        return spoof;
    }
    let about = Traffic::opening_from(&forged, v6, name);
    for way in [PacketPath::Input, PacketPath::Forward] {
        let question = SymbolicQuestion {
            firewall: &rules.firewall,
            surroundings,
            v6,
            path: way,
            about: &about,
            and_about: &[],
            packets: AskedPackets::ForWords,
            budget,
        };
        match accepted_packets(question, most) {
            Ok(passes) => spoof
                .passes
                .extend(passes.into_iter().map(|passing| ForgedPackets {
                    certain: passing.certain && reverse_path != ReversePath::Unknown,
                    ..passing
                })),
            Err(Exhausted) => spoof.unknown.push(format!(
                "what {}: the question was too large for an exact answer",
                path_words(way)
            )),
        }
    }
    spoof
}

fn accepted_packets(
    question: SymbolicQuestion,
    most: usize,
) -> Result<Vec<ForgedPackets>, Exhausted> {
    let way = question.path;
    let mut exact = Exact::new(question)?;
    let certainly = exact.certainly_ending(End::Accepted)?;
    let possibly = exact.possibly_ending(End::Accepted)?;
    let perhaps = exact.difference_of(possibly, certainly)?;
    let mut passes = Vec::new();
    for (packets, certain) in [(certainly, true), (perhaps, false)] {
        if packets.is_none() {
            continue;
        }
        let (cubes, complete) = exact.cubes(packets, most)?;
        passes.push(ForgedPackets {
            way,
            certain,
            packets: cubes
                .iter()
                .map(|cube| first_packets(cube.words_without_state()))
                .collect(),
            short: cubes
                .iter()
                .map(|cube| first_packets(cube.short_words_without_state()))
                .collect(),
            complete,
        });
    }
    Ok(passes)
}

/// Sentences are about first packets if they say nothing of states.
fn first_packets(words: String) -> String {
    if words.is_empty() {
        "anything".to_owned()
    } else {
        words
    }
}

/// The larger of the two settings counts (`IN_DEV_RPFILTER`).
fn reverse_path(surroundings: &Surroundings, name: &str, v6: bool) -> ReversePath {
    if v6 {
        return ReversePath::Off;
    }
    let setting = |of: &str| {
        let value = surroundings
            .sysctls
            .get(&format!("net.ipv4.conf.{of}.rp_filter"))?;
        value.trim().parse::<u8>().ok()
    };
    match (setting("all"), setting(name)) {
        (Some(all), Some(own)) => match all.max(own) {
            0 => ReversePath::Off,
            1 => ReversePath::Strict,
            _ => ReversePath::Loose,
        },
        _ => ReversePath::Unknown,
    }
}

/// The sources that are forged where they come by this interface, as far as the kernel lets them.
fn forged_sources(
    surroundings: &Surroundings,
    (name, v6): (&str, bool),
    reverse_path: ReversePath,
) -> Vec<Range> {
    let mut forged: Vec<Range> = Vec::new();
    if reverse_path == ReversePath::Strict {
        return forged;
    }
    for piece in routed_pieces(surroundings, v6) {
        let address = to_address(piece.lo, v6);
        let back = way_back(surroundings, address);
        let own = surroundings
            .interfaces
            .iter()
            .flatten()
            .flat_map(|interface| &interface.addresses)
            .any(|(one, _)| *one == address);
        let accepts_own = v6
            || surroundings
                .sysctls
                .get(&format!("net.ipv4.conf.{name}.accept_local"))
                .is_some_and(|value| value.trim() != "0");
        let refused =
            reverse_path == ReversePath::Loose && back == WayBack::Nowhere || own && !accepts_own;
        if back == WayBack::By(name) && !own || refused {
            continue;
        }
        match forged.last_mut() {
            Some(last) if last.hi.checked_add(1) == Some(piece.lo) => last.hi = piece.hi,
            _ => forged.push(piece),
        }
    }
    forged
}

/// Where an answer leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WayBack<'a> {
    By(&'a str),
    Nowhere,
}

/// The interface of the longest prefix; an address of this host, or one without a route, has none.
fn way_back(surroundings: &Surroundings, address: IpAddr) -> WayBack<'_> {
    let routes = surroundings.routes.iter().flatten();
    let best = routes
        .filter(|route| covers(route.destination, address))
        .max_by_key(|route| (route.destination.1, std::cmp::Reverse(route.metric)));
    match best.map(|route| (route.kind, route.interface.as_deref())) {
        Some((1, Some(name))) => WayBack::By(name),
        _ => WayBack::Nowhere,
    }
}

/// Why the way back of a packet is unknown, if that is so.
fn unknown_ways(surroundings: &Surroundings) -> Option<String> {
    let mut routes = surroundings.routes.iter().flatten();
    // `RT_TABLE_DEFAULT`, `RT_TABLE_MAIN`, `RT_TABLE_LOCAL`.
    if let Some(route) = routes
        .clone()
        .find(|route| !(253..=255).contains(&route.table))
    {
        return Some(format!(
            "policy routing (table {}) says where answers leave, and is not followed",
            route.table
        ));
    }
    let split = routes.find(|route| route.kind == 1 && route.interface.is_none())?;
    Some(format!(
        "the route to {}/{} has several next hops, and is not followed",
        split.destination.0, split.destination.1
    ))
}

/// The addresses that a packet may come from, in ranges that are routed alike.
fn routed_pieces(surroundings: &Surroundings, v6: bool) -> Vec<Range> {
    let last = if v6 { u128::MAX } else { u32::MAX.into() };
    let width: u32 = if v6 { 128 } else { 32 };
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let network = |base: u128, length: u8| {
        let size = 1_u128.checked_shl(width.saturating_sub(length.into()));
        let lo = size.map_or(0, |size| base & !(size - 1));
        let hi = size.map_or(last, |size| lo + (size - 1));
        Range { lo, hi }
    };
    // Loopback, multicast and "this network", which routing refuses as a source.
    let never = if v6 {
        vec![network(1, 127), network(0xff << 120, 8)]
    } else {
        vec![
            network(0, 8),
            network(0x7f00_0000, 8),
            network(0xe000_0000, 4),
            network(u32::MAX.into(), 32),
        ]
    };
    let mut starts = BTreeSet::from([0]);
    let mut cut = |range: Range| {
        starts.insert(range.lo);
        starts.extend(range.hi.checked_add(1).filter(|next| *next <= last));
    };
    never.iter().copied().for_each(&mut cut);
    for route in surroundings.routes.iter().flatten() {
        if route.destination.0.is_ipv6() == v6 {
            cut(network(number(route.destination.0), route.destination.1));
        }
    }
    for (address, length) in surroundings
        .interfaces
        .iter()
        .flatten()
        .flat_map(|interface| &interface.addresses)
    {
        if address.is_ipv6() == v6 {
            cut(network(number(*address), *length));
            cut(Range::one(number(*address)));
        }
    }
    let starts: Vec<u128> = starts.into_iter().collect();
    let ends = starts.iter().skip(1).map(|start| start - 1).chain([last]);
    starts
        .iter()
        .zip(ends)
        .map(|(lo, hi)| Range { lo: *lo, hi })
        .filter(|piece| !never.iter().any(|range| range.contains(piece.lo)))
        .collect()
}

/// All interfaces as text for a terminal.
pub fn spoof_text(all: &[SpoofAnswer], style: Style, width: usize) -> String {
    let mut out = AnswerLines::new(style, width);
    for (at, spoof) in all.iter().enumerate() {
        if at > 0 {
            out.blank();
        }
        let family = if spoof.v6 { "IPv6" } else { "IPv4" };
        out.line(0, Paint::Strong, &format!("{}, {family}", spoof.interface));
        let back = match spoof.reverse_path {
            ReversePath::Strict => "the kernel refuses forged sources here (rp_filter is 1)",
            ReversePath::Loose => {
                "the kernel refuses only sources without any route (rp_filter is 2)"
            }
            ReversePath::Off if spoof.v6 => "the kernel does not look at the way back of IPv6",
            ReversePath::Off => "the kernel does not look at the way back (rp_filter is 0)",
            ReversePath::Unknown => "it is unknown whether the kernel checks the reverse path",
        };
        out.write_wrapped(2, None, back);
        if !spoof.unknown.is_empty() {
            out.line(2, Paint::Yellow, "it is unknown what passes");
        } else if spoof.forged.is_empty() {
            out.line(2, Paint::Green, "no forged source passes");
        } else if spoof.passes.is_empty() {
            out.line(
                2,
                Paint::Green,
                "the rules accept no packet with a forged source",
            );
        }
        if !spoof.forged.is_empty() {
            let forged = shortened(&spoof.forged.join(", "), 200);
            out.write_listed("  forged here: ", Paint::Faint, &forged);
        }
        for passing in &spoof.passes {
            let (word, paint) = if passing.certain {
                ("accepted", Paint::Red)
            } else {
                ("possibly accepted", Paint::Yellow)
            };
            let way = path_words(passing.way);
            out.line(2, paint, &format!("{word} with a forged source, {way}:"));
            for packets in &passing.short {
                out.write_listed("    - ", Paint::Faint, packets);
            }
            if !passing.complete {
                out.write_wrapped(4, None, "and more: `--all` shows every part");
            }
        }
        for why in &spoof.unknown {
            out.write_listed("  unknown: ", Paint::Yellow, why);
        }
        for note in &spoof.notes {
            out.write_listed("  note: ", Paint::Faint, note);
        }
    }
    if all.is_empty() {
        out.line(
            0,
            Paint::Strong,
            "no interface is up that packets could come by",
        );
    }
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use surefoot_netfilter::{Interface, Route};
    use surefoot_ruleset::Input;

    fn surroundings(rp_filter: &str) -> Surroundings {
        let interface = |name: &str, address: &str, length| Interface {
            name: name.into(),
            loopback: name == "lo",
            up: true,
            addresses: vec![(address.parse().unwrap(), length)],
        };
        let route = |network: &str, length, name: &str| Route {
            destination: (network.parse().unwrap(), length),
            interface: Some(name.into()),
            table: 254,
            metric: 0,
            kind: 1,
        };
        Surroundings {
            interfaces: Some(vec![
                interface("lo", "127.0.0.1", 8),
                interface("eth0", "192.0.2.1", 24),
                interface("eth1", "10.0.0.1", 8),
            ]),
            routes: Some(vec![
                route("192.0.2.0", 24, "eth0"),
                route("10.0.0.0", 8, "eth1"),
                route("0.0.0.0", 0, "eth0"),
            ]),
            sysctls: [
                ("net.ipv4.conf.all.rp_filter", "0"),
                ("net.ipv4.conf.eth0.rp_filter", rp_filter),
                ("net.ipv4.conf.eth1.rp_filter", rp_filter),
                ("net.ipv4.ip_forward", "0"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            ..Surroundings::default()
        }
    }

    fn passes(rules: &str, rp_filter: &str) -> Vec<(String, Vec<String>)> {
        let text = format!("*filter\n:INPUT DROP [0:0]\n{rules}COMMIT\n");
        let rules = LoadedRules::of_texts(vec![Input {
            name: "t".into(),
            text,
            format: None,
        }]);
        let rules = rules.on_host(surroundings(rp_filter));
        let found = spoof(&rules, (8, Budget::default())).unwrap();
        let words = |one: SpoofAnswer| {
            let packets = one.passes.into_iter().flat_map(|passing| passing.packets);
            (one.interface, packets.collect())
        };
        found.into_iter().map(words).collect()
    }

    #[test]
    fn the_inner_network_is_forged_outside() {
        let rules = "-A INPUT -s 10.0.0.0/8 -p tcp --dport 22 -j ACCEPT\n";
        let found = passes(rules, "0");
        assert_eq!(found[0].0, "eth0");
        assert_eq!(found[0].1, ["tcp to port 22"]);
        assert_eq!(found[1], ("eth1".to_owned(), Vec::new()));
    }

    #[test]
    fn rules_and_the_way_back_refuse_it() {
        let rules = "-A INPUT -s 10.0.0.0/8 -p tcp --dport 22 -j ACCEPT\n";
        let none = Vec::<String>::new();
        assert_eq!(passes(rules, "1")[0].1, none);
        let guarded = format!("-A INPUT -i eth0 -s 10.0.0.0/8 -j DROP\n{rules}");
        assert_eq!(passes(&guarded, "0")[0].1, none);
        // Everything is forged inside but the network that is there.
        let open = passes("-A INPUT -j ACCEPT\n", "0");
        assert_eq!(open[1].0, "eth1");
        assert!(!open[1].1.is_empty());
    }

    #[test]
    fn policy_routing_is_not_guessed() {
        let mut around = surroundings("0");
        around.routes.as_mut().unwrap().push(Route {
            destination: ("0.0.0.0".parse().unwrap(), 0),
            interface: Some("tun0".into()),
            table: 100,
            metric: 0,
            kind: 1,
        });
        let rules = LoadedRules::of_texts(Vec::new()).on_host(around);
        let found = spoof(&rules, (8, Budget::default())).unwrap();
        let unknown = &found[0].unknown;
        assert!(unknown.iter().any(|why| why.contains("table 100")));
        assert!(!found[0].is_safe());
        assert!(found[0].passes.is_empty());
    }
}
