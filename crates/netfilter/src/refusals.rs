//! What the kernel drops whatever the rules say, as conditions on packets.
//!
//! Each is one of the kernel's own tests (`ip_rcv_core`, `ip6_rcv_core`, `ip_route_input_slow`,
//! `fib_validate_source`, `ip_forward`, `ip6_forward`, read in Linux 6.18), with the facts that it
//! depends on. A condition holds in the matches that rules are made of, so that every engine can
//! ask it of its packets.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::Surroundings;
use crate::packet::PacketPath;
use crate::route_ways::{RouteWay, ways_to_addresses};
use crate::stages::RefusalPoint;
use surefoot_ruleset::model::{Field, Match, NamePattern, Operand, Range};

/// Why the kernel drops a packet that no rule drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The frame was for another machine.
    ForeignFrame,
    /// A frame to all machines of the link holds a packet to one host.
    FrameToAll,
    /// A loopback address comes in from outside.
    LoopbackOutside,
    /// No host can have the source, or the destination: a group, all ones, or none.
    ImpossibleAddress,
    /// The source is an address of this host.
    OwnSource,
    /// The way back to the source is another one.
    ReversePath,
    /// This host does not forward.
    NotForwarding,
    /// The packet has no hop left.
    NoHopLeft,
    /// The source is good for one link only, or not for a packet that is forwarded.
    LinkLocalSource,
    /// No route leads to the destination, or one that refuses it.
    NoRoute,
    /// The destination is a group that the interface does not receive.
    NotInGroup,
}

impl Refusal {
    /// Whether a list of packets tells apart what is refused so.
    pub(crate) fn is_told(self) -> bool {
        matches!(
            self,
            Self::ForeignFrame | Self::LoopbackOutside | Self::NotForwarding | Self::NoHopLeft
        )
    }

    /// The settings that decide whether the kernel does so with what comes in by an interface, in
    /// words; none if none does.
    pub fn settings(self, v6: bool, interface: Option<&str>) -> Option<String> {
        let interface = interface.map_or_else(|| "IFACE".to_owned(), setting_name);
        let of_both =
            |name: &str| format!("net.ipv4.conf.all.{name} and net.ipv4.conf.{interface}.{name}");
        Some(match (self, v6) {
            (Self::FrameToAll, false) => of_both("drop_unicast_in_l2_multicast"),
            (Self::FrameToAll, true) => {
                format!("net.ipv6.conf.{interface}.drop_unicast_in_l2_multicast")
            }
            (Self::LoopbackOutside, false) => of_both("route_localnet"),
            (Self::OwnSource, false) => of_both("accept_local"),
            (Self::ReversePath, false) => format!("{} and the routes", of_both("rp_filter")),
            (Self::NotForwarding, false) => {
                format!("net.ipv4.ip_forward and net.ipv4.conf.{interface}.forwarding")
            }
            (Self::NoRoute, _) => "the routes and rules of policy routing".to_owned(),
            (Self::NotInGroup, _) => format!("the groups that {interface} receives"),
            (Self::NotForwarding, true) => "net.ipv6.conf.all.forwarding".to_owned(),
            _ => return None,
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, words: &mut fmt::Formatter) -> fmt::Result {
        words.write_str(match self {
            Self::ForeignFrame => "the frame is addressed to another machine",
            Self::FrameToAll => "a unicast packet arrives in a broadcast or multicast frame",
            Self::LoopbackOutside => "a loopback address arrives from outside",
            Self::ImpossibleAddress => "no host can have such an address",
            Self::OwnSource => "the source is an address of this host",
            Self::ReversePath => {
                "the route back to the source leads elsewhere (reverse-path filter)"
            }
            Self::NotForwarding => "forwarding is off",
            Self::NoHopLeft => "the packet has no hop left",
            Self::LinkLocalSource => "a packet with such a source is not forwarded",
            Self::NoRoute => "no route leads to the destination",
            Self::NotInGroup => "the interface does not receive the group",
        })
    }
}

/// Packets that the kernel refuses at one point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedPackets {
    pub(crate) why: Refusal,
    /// All of these hold for them.
    pub(crate) when: Vec<Match>,
    /// Whether the facts say so; else a setting or a route that is unknown decides.
    pub(crate) sure: bool,
}

/// The refusals of one family under the facts of a host.
#[derive(Clone, Debug)]
pub(crate) struct KernelRefusals {
    received: Vec<RefusedPackets>,
    routed: Vec<RefusedPackets>,
    forwarded: Vec<RefusedPackets>,
}

impl KernelRefusals {
    /// For packets from all addresses, or from one only.
    pub(crate) fn new(v6: bool, surroundings: &Surroundings, source: Option<u128>) -> Self {
        let host = HostSettings {
            v6,
            surroundings,
            source,
        };
        Self {
            received: host.received(),
            routed: if v6 {
                let rules = host.refused_by_rules();
                host.groups_not_received()
                    .into_iter()
                    .chain(rules)
                    .collect()
            } else {
                host.routed()
            },
            forwarded: host.forwarded(),
        }
    }

    pub(crate) fn at(&self, point: RefusalPoint) -> &[RefusedPackets] {
        match point {
            RefusalPoint::Received => &self.received,
            RefusalPoint::Routed => &self.routed,
            RefusalPoint::Forwarded => &self.forwarded,
        }
    }

    /// Those that packets of a way meet.
    pub(crate) fn on_way(&self, path: PacketPath) -> impl Iterator<Item = &RefusedPackets> {
        let parts: [&[RefusedPackets]; 3] = match path {
            PacketPath::Input => [&self.received, &self.routed, &[]],
            PacketPath::Forward => [&self.received, &self.routed, &self.forwarded],
            PacketPath::Output => [&[], &[], &[]],
        };
        parts.into_iter().flatten()
    }
}

/// Where the facts of a host become conditions.
struct HostSettings<'a> {
    v6: bool,
    surroundings: &'a Surroundings,
    /// The only source that is asked about.
    source: Option<u128>,
}

impl HostSettings<'_> {
    fn received(&self) -> Vec<RefusedPackets> {
        let mut refused = vec![sure(
            Refusal::ForeignFrame,
            vec![field(Field::PacketType, [Range::one(3)])],
        )];
        if self.v6 {
            let loopback = [Range::one(1)];
            for end in [Field::Ip6Src, Field::Ip6Dst] {
                refused.push(sure(
                    Refusal::LoopbackOutside,
                    vec![from_outside(), field(end, loopback)],
                ));
            }
            // Scopes 0 and 1 do not leave a host (RFC 4291, 2.7).
            let of_host = (0..16).map(|flags: u128| Range {
                lo: 0xff << 120 | flags << 116,
                hi: 0xff << 120 | flags << 116 | ((2 << 112) - 1),
            });
            refused.push(sure(
                Refusal::ImpossibleAddress,
                vec![from_outside(), field(Field::Ip6Dst, of_host)],
            ));
            let groups = Range {
                lo: 0xff << 120,
                hi: u128::MAX,
            };
            refused.push(sure(
                Refusal::ImpossibleAddress,
                vec![from_outside(), field(Field::Ip6Src, [groups])],
            ));
            refused.extend(self.frames_to_all());
        }
        refused
    }

    /// The tests of `ip_route_input_slow`; what comes in by the loopback interface was routed when it
    /// was sent.
    fn routed(&self) -> Vec<RefusedPackets> {
        let mut refused = Vec::new();
        let no_host = [
            Range {
                lo: 0xe000_0000,
                hi: 0xefff_ffff,
            },
            Range::one(0xffff_ffff),
        ];
        refused.push(sure(
            Refusal::ImpossibleAddress,
            vec![from_outside(), field(Field::Ip4Src, no_host)],
        ));
        // A host that asks for an address sends from none, to all or to a group.
        let none = [Range::one(0)];
        let some = Range {
            lo: 1,
            hi: 0xffff_fffe,
        };
        let one_host = Range {
            lo: 1,
            hi: 0xdfff_ffff,
        };
        for (source, destination) in [(none, [one_host]), ([some], none)] {
            refused.push(sure(
                Refusal::ImpossibleAddress,
                vec![
                    from_outside(),
                    field(Field::Ip4Src, source),
                    field(Field::Ip4Dst, destination),
                ],
            ));
        }
        let loopback = [Range {
            lo: 0x7f00_0000,
            hi: 0x7fff_ffff,
        }];
        for (which, certain) in self.where_off("route_localnet") {
            for end in [Field::Ip4Src, Field::Ip4Dst] {
                let mut when = vec![from_outside(), field(end, loopback)];
                // What goes to all is not tested (`brd_input`).
                let destination = Range {
                    lo: 0,
                    hi: 0xffff_fffe,
                };
                when.push(field(Field::Ip4Dst, [destination]));
                when.extend(which.clone());
                refused.push(RefusedPackets {
                    why: Refusal::LoopbackOutside,
                    when,
                    sure: certain,
                });
            }
        }
        refused.extend(self.own_sources());
        refused.extend(self.reverse_path());
        refused.extend(self.frames_to_all());
        refused.extend(self.groups_not_received());
        refused.extend(self.refused_by_rules());
        refused
    }

    /// Rules of policy routing that refuse stand before the table of the host's own addresses, or may.
    fn refused_by_rules(&self) -> Option<RefusedPackets> {
        self.surroundings.refusing_rules.then(|| RefusedPackets {
            why: Refusal::NoRoute,
            when: vec![from_outside()],
            sure: false,
        })
    }

    /// Groups of which an interface is no member, where the facts tell them (`ip_check_mc_rcu`,
    /// `ip6_mc_input`). IGMP is received of every group.
    fn groups_not_received(&self) -> Vec<RefusedPackets> {
        let (Some(names), Some(groups)) = (self.interfaces(), &self.surroundings.groups) else {
            return Vec::new();
        };
        let (to, _, all) = self.destinations();
        let refused = names.into_iter().map(|name| {
            let mut received: Vec<u128> = groups
                .iter()
                .filter(|(interface, group)| interface == name && group.is_ipv6() == self.v6)
                .map(|(_, group)| match group {
                    IpAddr::V4(group) => group.to_bits().into(),
                    IpAddr::V6(group) => group.to_bits(),
                })
                .filter(|group| all.contains(group))
                .collect();
            received.sort_unstable();
            let mut others = Vec::new();
            let mut next = *all.start();
            for group in received {
                others.extend((next < group).then(|| Range {
                    lo: next,
                    hi: group - 1,
                }));
                next = group.saturating_add(1);
            }
            others.extend((next <= *all.end()).then(|| Range {
                lo: next,
                hi: *all.end(),
            }));
            let mut when = vec![input(false, &[name]), field(to, others)];
            if !self.v6 {
                when.push(Match::Field {
                    operand: Operand::from(Field::L4Proto),
                    negated: true,
                    ranges: vec![Range::one(2)],
                });
            }
            sure(Refusal::NotInGroup, when)
        });
        refused.collect()
    }

    fn forwarded(&self) -> Vec<RefusedPackets> {
        let mut refused = self.not_forwarding();
        let frames = Range { lo: 1, hi: 7 };
        let (field_to, last, group) = self.destinations();
        let below = Range {
            lo: 0,
            hi: group.start() - 1,
        };
        let above = group.end().checked_add(1).filter(|lo| *lo <= last);
        let above = above.map(|lo| Range { lo, hi: last });
        refused.push(sure(
            Refusal::FrameToAll,
            vec![
                field(field_to, std::iter::once(below).chain(above)),
                field(Field::PacketType, [frames]),
            ],
        ));
        let hops = if self.v6 { Field::HopLimit } else { Field::Ttl };
        refused.push(sure(
            Refusal::NoHopLeft,
            vec![field(hops, [Range { lo: 0, hi: 1 }])],
        ));
        if self.v6 {
            refused.extend(self.link_local_sources());
        } else {
            // What has none goes to this link only (`ip_mc_validate_source`).
            let none = field(Field::Ip4Src, [Range::one(0)]);
            refused.push(sure(Refusal::ImpossibleAddress, vec![none]));
        }
        refused.extend(self.no_routes());
        refused
    }

    /// Destinations to which no route leads, or one that refuses them (`ip_route_input_slow`,
    /// `ip6_route_input`). A table that policy routing may choose leaves it open.
    fn no_routes(&self) -> Vec<RefusedPackets> {
        let routes = self.surroundings.routes.as_deref().unwrap_or_default();
        let mut main = routes.iter().filter(|route| {
            route.destination.0.is_ipv6() == self.v6 && matches!(route.table, 253 | 254)
        });
        // Without a route the facts are none of a host that forwards.
        if main.clone().next().is_none() {
            return Vec::new();
        }
        let everywhere = main.clone().any(|it| (it.destination.1, it.kind) == (0, 1));
        if everywhere && main.all(|route| route.kind < 6) {
            return Vec::new();
        }
        let (to, last, groups) = self.destinations();
        let [below, above] = [
            (1, groups.start() - 1),
            (groups.end().saturating_add(1), last),
        ];
        let mut ranges: [BTreeSet<Range>; 2] = [BTreeSet::new(), BTreeSet::new()];
        for (range, ways) in ways_to_addresses(self.v6, routes, None) {
            if !ways.contains(&RouteWay::None) {
                continue;
            }
            for (first, last) in [below, above] {
                let (lo, hi) = (range.lo.max(first), range.hi.min(last));
                if lo <= hi && !groups.contains(&lo) {
                    ranges[usize::from(ways.len() > 1)].insert(Range { lo, hi });
                }
            }
        }
        let refused = ranges
            .into_iter()
            .zip([true, false])
            .filter(|one| !one.0.is_empty());
        refused
            .map(|(ranges, sure)| RefusedPackets {
                why: Refusal::NoRoute,
                when: vec![field(to, ranges)],
                sure,
            })
            .collect()
    }

    /// The field of a destination, the last address, and those of groups, which are forwarded
    /// elsewhere (`ip_mr_input`, `ip6_mr_input`).
    fn destinations(&self) -> (Field, u128, RangeInclusive<u128>) {
        if self.v6 {
            (Field::Ip6Dst, u128::MAX, 0xff << 120..=u128::MAX)
        } else {
            (Field::Ip4Dst, 0xffff_ffff, 0xe000_0000..=0xefff_ffff)
        }
    }

    fn setting(&self, name: &str) -> Option<&str> {
        self.surroundings.sysctls.get(name).map(|text| text.trim())
    }

    fn interface_setting(&self, interface: &str, setting: &str) -> Option<&str> {
        let family = if self.v6 { "ipv6" } else { "ipv4" };
        self.setting(&format!("net.{family}.conf.{interface}.{setting}"))
    }

    /// Sources that are good for one link. What goes back to its link is not tested (`ip6_forward`).
    fn link_local_sources(&self) -> Vec<RefusedPackets> {
        let link_local = Range {
            lo: 0xfe80 << 112,
            hi: (0xfec0 << 112) - 1,
        };
        let none = Range { lo: 0, hi: 1 };
        let source = field(Field::Ip6Src, [none, link_local]);
        let refused = |which: Vec<Match>, sure| RefusedPackets {
            why: Refusal::LinkLocalSource,
            when: std::iter::once(source.clone()).chain(which).collect(),
            sure,
        };
        let Some(names) = self.interfaces() else {
            return vec![refused(Vec::new(), false)];
        };
        let by = names.into_iter().map(|name| {
            let elsewhere = Match::OutInterface {
                negated: true,
                names: patterns(&[name]),
            };
            refused(vec![input(false, &[name]), elsewhere], true)
        });
        by.collect()
    }

    /// Whether a setting is on that is if it is for all interfaces or for this one.
    fn is_on(&self, setting: &str, interface: &str) -> Option<bool> {
        let of = |name: &str| {
            self.interface_setting(name, setting)
                .map(|value| value != "0")
        };
        match (of("all"), of(&setting_name(interface))) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        }
    }

    /// The interfaces other than loopback, where they are known.
    fn interfaces(&self) -> Option<Vec<&str>> {
        let all = self.surroundings.interfaces.as_ref()?;
        let others = all.iter().filter(|interface| !interface.loopback);
        Some(others.map(|interface| interface.name.as_str()).collect())
    }

    /// The interfaces whose own setting is known and such.
    fn interfaces_where(&self, setting: &str, such: impl Fn(&str) -> bool) -> Vec<&str> {
        let mut names = self.interfaces().unwrap_or_default();
        names.retain(|name| {
            let value = self.interface_setting(&setting_name(name), setting);
            value.is_some_and(&such)
        });
        names
    }

    /// Where a setting that is on if it is for `all` or for the interface is off: conditions on the
    /// interface, each with whether that is certain.
    fn where_off(&self, setting: &str) -> Vec<(Option<Match>, bool)> {
        match self.interface_setting("all", setting) {
            Some("0") => {}
            Some(_) => return Vec::new(),
            None => return vec![(None, false)],
        }
        let Some(names) = self.interfaces() else {
            return vec![(None, false)];
        };
        let value = |name: &&str| self.interface_setting(&setting_name(name), setting);
        let unknown: Vec<&str> = names
            .into_iter()
            .filter(|name| value(name).is_none())
            .collect();
        let mut both = self.interfaces_where(setting, |value| value != "0");
        both.extend(&unknown);
        let mut conditions = vec![((!both.is_empty()).then(|| input(true, &both)), true)];
        if !unknown.is_empty() {
            conditions.push((Some(input(false, &unknown)), false));
        }
        conditions
    }

    /// Sources that are this host's own (`fib_validate_source` with `inet_lookup_ifaddr_rcu`).
    fn own_sources(&self) -> Vec<RefusedPackets> {
        let interfaces = self.surroundings.interfaces.iter().flatten();
        let addresses = interfaces.flat_map(|interface| &interface.addresses);
        let own: BTreeSet<Range> = addresses
            .filter_map(|(address, _)| match address {
                IpAddr::V4(address) => Some(Range::one(address.to_bits().into())),
                IpAddr::V6(_) => None,
            })
            .collect();
        if own.is_empty() {
            return Vec::new();
        }
        let own = field(Field::Ip4Src, own);
        let where_off = self.where_off("accept_local").into_iter();
        let refused = where_off.map(|(which, sure)| {
            let mut when = vec![from_outside(), own.clone()];
            when.extend(which);
            RefusedPackets {
                why: Refusal::OwnSource,
                when,
                sure,
            }
        });
        refused.collect()
    }

    /// Sources to which no route leads (`rp_filter` 2), or none by the interface (1), and sources that
    /// are no host's. Where the settings are unknown, nothing is said: such packets are not ordinary
    /// ones.
    fn reverse_path(&self) -> Vec<RefusedPackets> {
        let (Some(names), Some(routes)) = (self.interfaces(), &self.surroundings.routes) else {
            return Vec::new();
        };
        let number = |name: &str| self.interface_setting(name, "rp_filter")?.parse().ok();
        let Some(all): Option<u8> = number("all") else {
            return Vec::new();
        };
        let mut refused = Vec::new();
        let mut pieces = None;
        for name in names {
            let Some(own): Option<u8> = number(&setting_name(name)) else {
                continue;
            };
            let mode = all.max(own);
            let pieces =
                pieces.get_or_insert_with(|| ways_to_addresses(false, routes, self.source));
            let mut ranges: [BTreeSet<Range>; 2] = [BTreeSet::new(), BTreeSet::new()];
            for (range, ways) in pieces {
                // Without a filter the type of the source is looked at only where there are rules of
                // policy routing (`fib4_has_custom_rules`).
                let refused = (mode > 0).then_some(false);
                let by = |interface: &String| Some(mode != 1 || interface == name);
                let fits = |way: &RouteWay| match way {
                    RouteWay::None => Some(mode == 0),
                    RouteWay::ToMany(_) => refused,
                    RouteWay::By(interface) => by(interface),
                    RouteWay::Several => (mode != 1).then_some(true),
                    RouteWay::Here(interface) => match self.is_on("accept_local", name) {
                        Some(true) => by(interface),
                        Some(false) => refused,
                        None => None,
                    },
                };
                if ways.iter().all(|way| fits(way) == Some(false)) {
                    ranges[0].insert(*range);
                } else if ways.iter().any(|way| fits(way) != Some(true)) {
                    ranges[1].insert(*range);
                }
            }
            for (ranges, sure) in ranges.into_iter().zip([true, false]) {
                if !ranges.is_empty() {
                    refused.push(RefusedPackets {
                        why: Refusal::ReversePath,
                        when: vec![input(false, &[name]), field(Field::Ip4Src, ranges)],
                        sure,
                    });
                }
            }
        }
        refused
    }

    /// Broadcast and multicast frames that hold a packet to one host.
    fn frames_to_all(&self) -> Vec<RefusedPackets> {
        // Of IPv6 the setting of all interfaces is not looked at.
        let all = self.interface_setting("all", "drop_unicast_in_l2_multicast");
        let where_on = match all {
            None => vec![(None, false)],
            Some(value) if self.v6 || value == "0" => {
                let setting = "drop_unicast_in_l2_multicast";
                let on = self.interfaces_where(setting, |value| value != "0");
                if on.is_empty() {
                    return Vec::new();
                }
                vec![(Some(input(false, &on)), true)]
            }
            Some(_) => vec![(None, true)],
        };
        let refused = where_on.into_iter().map(|(which, sure)| {
            let mut when = vec![
                from_outside(),
                field(Field::PacketType, [Range { lo: 1, hi: 2 }]),
                field(Field::DstAddressType, [Range { lo: 1, hi: 2 }]),
            ];
            when.extend(which);
            RefusedPackets {
                why: Refusal::FrameToAll,
                when,
                sure,
            }
        });
        refused.collect()
    }

    /// Where forwarding is off: of IPv4 the incoming interface decides, of IPv6 the setting of all.
    fn not_forwarding(&self) -> Vec<RefusedPackets> {
        let refused =
            |which: Option<Match>| vec![sure(Refusal::NotForwarding, which.into_iter().collect())];
        if self.v6 {
            return match self.setting("net.ipv6.conf.all.forwarding") {
                Some("0") => {
                    let forced = self.interfaces_where("force_forwarding", |value| value != "0");
                    refused((!forced.is_empty()).then(|| input(true, &forced)))
                }
                _ => Vec::new(),
            };
        }
        let off = match self.setting("net.ipv4.ip_forward") {
            Some(value) => value == "0",
            None => return Vec::new(),
        };
        let others = self.interfaces_where("forwarding", |value| (value == "0") != off);
        match (off, others.is_empty()) {
            (true, true) => refused(None),
            (true, false) => refused(Some(input(true, &others))),
            (false, true) => Vec::new(),
            (false, false) => refused(Some(input(false, &others))),
        }
    }
}

/// A dot in an interface's name is a slash in the setting's, as sysctl(8) does.
fn setting_name(interface: &str) -> String {
    interface.replace('.', "/")
}

fn sure(why: Refusal, when: Vec<Match>) -> RefusedPackets {
    RefusedPackets {
        why,
        when,
        sure: true,
    }
}

fn field(field: Field, ranges: impl IntoIterator<Item = Range>) -> Match {
    Match::Field {
        operand: Operand { field, mask: None },
        negated: false,
        ranges: ranges.into_iter().collect(),
    }
}

fn input(negated: bool, names: &[&str]) -> Match {
    Match::InInterface {
        negated,
        names: patterns(names),
    }
}

fn patterns(names: &[&str]) -> Vec<NamePattern> {
    let pattern = |name: &&str| NamePattern {
        text: (*name).to_owned(),
        prefix: false,
    };
    names.iter().map(pattern).collect()
}

fn from_outside() -> Match {
    input(true, &["lo"])
}
