//! The matches.

use std::net::IpAddr;

use surefoot_report::Problem;

use super::super::names::{dscp_class, icmp, protocol_number, tcp_flags, tos_name};
use super::super::syntax::{DumpRule, Extension, Given};
use super::super::value::{
    Net, address_number, address_range, mac, mark, number_range, port_list, port_range, tidy,
};
use super::address_type::address_types;
use super::{
    Lowering, field, masked, matched, not_later_fragment, opaque, opaque_option, recent_set,
};
use crate::model::{Backend, Family, Field, Match, Range, Statement, ct_state, ct_status};

/// What an option means: conditions that must all hold, or a reason why it is not understood.
pub(super) type Meaning = Result<Vec<Match>, &'static str>;

#[expect(clippy::unnecessary_wraps, reason = "reads well as the end of an arm")]
fn one(of: Match) -> Meaning {
    Ok(vec![of])
}

const NO_PORT: &str = "no port or service that we know";
const NO_NUMBER: &str = "no number of the right size";

impl Lowering<'_> {
    /// Adds a match's meaning.
    pub(super) fn extension(
        &mut self,
        rule: &DumpRule<'_>,
        extension: &Extension<'_>,
        out: &mut Vec<Statement>,
    ) {
        let Some(module) = extension.module else {
            out.push(matched(opaque(extension)));
            return;
        };
        let protocols: &[u8] = match module.name {
            "tcp" => &[6],
            "udp" => &[17],
            "udplite" => &[136],
            "sctp" => &[132],
            "dccp" => &[33],
            "icmp" => &[1],
            "icmp6" => &[58],
            "multiport" => &[6, 17, 33, 132, 136],
            "conntrack" | "state" | "mark" | "connmark" | "mac" | "iprange" | "addrtype"
            | "set" | "owner" | "pkttype" | "ttl" | "hl" | "length" | "tos" | "dscp" => &[],
            _ => {
                out.push(match recent_set(extension) {
                    Some(effect) if module.name == "recent" => Statement::Effect(effect),
                    _ => matched(opaque(extension)),
                });
                return;
            }
        };
        self.need_protocol(rule, extension, protocols, out);
        if self.opaque_as_a_whole(extension) {
            out.push(matched(opaque(extension)));
            return;
        }
        let first = out.len();
        if !protocols.is_empty() {
            let asks_ports = |given: &Given<'_>| matches!(&*given.name, "sport" | "dport");
            let asks_lists = |given: &Given<'_>| matches!(&*given.name, "sports" | "dports");
            let asks_flags = |given: &Given<'_>| matches!(&*given.name, "tcp-flags" | "syn");
            let asks =
                |given: &Given<'_>| asks_ports(given) || asks_lists(given) || asks_flags(given);
            // A condition on a port or on flags fails by itself in a fragment that has none.
            if !extension.options.iter().any(asks) {
                let bare = extension.options.is_empty() && matches!(module.name, "tcp" | "udp");
                out.push(matched(
                    if bare && self.context.backend != Backend::IptablesLegacy {
                        // Newer versions of `iptables-nft` make nothing of `-m tcp`.
                        Match::Any {
                            negated: false,
                            of: vec![not_later_fragment(), opaque(extension)],
                        }
                    } else {
                        not_later_fragment()
                    },
                ));
            }
        }
        for given in &extension.options {
            match self.option(module.name, given) {
                Ok(conditions) => out.extend(conditions.into_iter().map(matched)),
                Err(why) => {
                    let kept = self.not_understood(extension, given, why);
                    out.truncate(first);
                    out.push(matched(kept));
                    return;
                }
            }
        }
        if module.name == "conntrack" {
            without_connection(extension, &mut out[first..]);
        }
    }

    /// Without the protocol iptables refuses the rule; the kernel's code compares it as well.
    fn need_protocol(
        &mut self,
        rule: &DumpRule<'_>,
        extension: &Extension<'_>,
        protocols: &[u8],
        out: &mut Vec<Statement>,
    ) {
        if protocols.is_empty() {
            return;
        }
        let given = rule.base.iter().find(|given| given.name == "protocol");
        let number = given
            .filter(|given| !given.negated)
            .and_then(|given| protocol_number(given.value()));
        if number.is_some_and(|number| protocols.contains(&number)) {
            return;
        }
        let what = format!("`-m {}` needs a `-p` that fits", extension.name);
        self.problems.push(
            Problem::error(extension.span, what).help("iptables refuses this rule without it"),
        );
        let ranges = protocols.iter().map(|number| Range::one((*number).into()));
        out.push(matched(field(Field::L4Proto, false, ranges.collect())));
    }

    /// Whether an option changes the meaning of the others in a way that is not modelled.
    fn opaque_as_a_whole(&self, extension: &Extension<'_>) -> bool {
        let has = |name| extension.option(name).is_some();
        match &*extension.name {
            "addrtype" => has("limit-iface-in") || has("limit-iface-out"),
            "owner" => has("suppl-groups") || has("socket-exists"),
            "set" => extension
                .options
                .iter()
                .any(|given| given.name != "match-set"),
            "icmp6" | "hl" => !self.ip6(),
            "icmp" | "ttl" => self.ip6(),
            _ => false,
        }
    }

    fn option(&self, module: &str, given: &Given<'_>) -> Meaning {
        let (word, negated) = (given.value(), given.negated);
        if given.option.is_none() {
            return one(opaque_option(given));
        }
        match (module, &*given.name) {
            ("tcp" | "udp" | "udplite" | "sctp" | "dccp", "sport") => {
                let range = port_range(word).ok_or(NO_PORT)?;
                one(field(Field::SrcPort, negated, vec![range]))
            }
            ("tcp" | "udp" | "udplite" | "sctp" | "dccp", "dport") => {
                let range = port_range(word).ok_or(NO_PORT)?;
                one(field(Field::DstPort, negated, vec![range]))
            }
            ("tcp", "tcp-flags") => {
                let flags = tcp_flags(word).zip(tcp_flags(given.second()));
                let (mask, set) = flags.ok_or("no list of TCP flags")?;
                one(masked(
                    Field::TcpFlags,
                    mask,
                    negated,
                    vec![Range::one(set)],
                ))
            }
            // FIN, SYN, RST, ACK are looked at; only SYN is set.
            ("tcp", "syn") => one(masked(Field::TcpFlags, 0x17, negated, vec![Range::one(2)])),
            ("tcp", "tcp-option") => {
                let number = word.parse().map_err(|_| NO_NUMBER)?;
                one(field(
                    Field::TcpOption(number),
                    negated,
                    vec![Range::one(1)],
                ))
            }
            ("multiport", "sports") => {
                let ranges = port_list(word).ok_or(NO_PORT)?;
                one(field(Field::SrcPort, negated, ranges))
            }
            ("multiport", "dports") => {
                let ranges = port_list(word).ok_or(NO_PORT)?;
                one(field(Field::DstPort, negated, ranges))
            }
            ("multiport", "ports") => {
                let ranges = port_list(word).ok_or(NO_PORT)?;
                let source = field(Field::SrcPort, false, ranges.clone());
                let destination = field(Field::DstPort, false, ranges);
                one(Match::Any {
                    negated,
                    of: vec![source, destination],
                })
            }
            ("icmp", _) => icmp_type(given, false),
            ("icmp6", _) => icmp_type(given, true),
            ("state", _) => states(word, negated),
            ("conntrack", name) => self.conntrack(name, given),
            ("mark", _) => mark_match(Field::Mark, given),
            ("connmark", _) => mark_match(Field::CtMark, given),
            ("mac", _) => {
                let address = mac(word).ok_or("no hardware address")?;
                one(field(Field::MacSrc, negated, vec![Range::one(address)]))
            }
            ("iprange", "src-range") => self.address_range(given, Field::Ip4Src, Field::Ip6Src),
            ("iprange", _) => self.address_range(given, Field::Ip4Dst, Field::Ip6Dst),
            ("addrtype", name) => {
                let v6 = self.context.family == Family::Ip6;
                address_types(word, name == "src-type", v6, negated)
            }
            ("set", _) => one(self.match_set(given)),
            ("owner", name) => {
                let max = u64::from(u32::MAX);
                let why = "a name: only the host knows its number";
                let range = number_range(word, '-', max).ok_or(why)?;
                let of = if name == "uid-owner" {
                    Field::Uid
                } else {
                    Field::Gid
                };
                let plain = field(of, false, vec![range]);
                // A packet without a socket has no owner, so a negated condition holds for it.
                one(if negated {
                    Match::Any {
                        negated: true,
                        of: vec![plain],
                    }
                } else {
                    plain
                })
            }
            ("pkttype", _) => {
                let kind = match word.to_ascii_lowercase().as_str() {
                    "unicast" | "host" => 0,
                    "broadcast" => 1,
                    "multicast" => 2,
                    _ => return Err("no packet type that we know"),
                };
                one(field(Field::PacketType, negated, vec![Range::one(kind)]))
            }
            ("ttl", name) => hops(Field::Ttl, name, word, negated),
            ("hl", name) => hops(Field::HopLimit, name, word, negated),
            ("length", _) => {
                let range = number_range(word, ':', 65535).ok_or(NO_NUMBER)?;
                one(field(Field::Length, negated, vec![range]))
            }
            ("tos", _) => {
                let of = self.of_family(Field::Tos, Field::TrafficClass);
                let (value, mask) = tos(word).ok_or(NO_NUMBER)?;
                one(masked(of, mask, negated, vec![Range::one(value)]))
            }
            ("dscp", name) => {
                let of = self.of_family(Field::Ip4Dscp, Field::Ip6Dscp);
                let value = if name == "dscp" {
                    number_range(word, ':', 63).ok_or(NO_NUMBER)?
                } else {
                    Range::one(dscp_class(word).ok_or("no class that we know")?.into())
                };
                one(field(of, negated, vec![value]))
            }
            _ => one(opaque_option(given)),
        }
    }

    fn conntrack(&self, name: &str, given: &Given<'_>) -> Meaning {
        let (word, negated) = (given.value(), given.negated);
        match name {
            "ctstate" => states(word, negated),
            "ctstatus" => {
                let bits = word.split(',').try_fold(0, |sum, word| {
                    Some(
                        sum | match word.to_ascii_uppercase().as_str() {
                            "NONE" => 0,
                            "EXPECTED" => ct_status::EXPECTED,
                            "SEEN_REPLY" => ct_status::SEEN_REPLY,
                            "ASSURED" => ct_status::ASSURED,
                            "CONFIRMED" => ct_status::CONFIRMED,
                            _ => return None,
                        },
                    )
                });
                let bits = bits.ok_or("no list of connection statuses")?;
                one(masked(Field::CtStatus, bits, !negated, vec![Range::one(0)]))
            }
            "ctproto" => {
                let number = protocol_number(word).ok_or("no protocol that we know")?;
                let range = Range::one(number.into());
                one(field(Field::CtProtocol, negated, vec![range]))
            }
            "ctdir" => {
                let direction = match word.to_ascii_uppercase().as_str() {
                    "ORIGINAL" => 0,
                    "REPLY" => 1,
                    _ => return Err("no direction that we know"),
                };
                one(field(
                    Field::CtDirection,
                    negated,
                    vec![Range::one(direction)],
                ))
            }
            "ctorigsrc" => {
                self.connection_address(given, Field::CtOriginalIp4Src, Field::CtOriginalIp6Src)
            }
            "ctorigdst" => {
                self.connection_address(given, Field::CtOriginalIp4Dst, Field::CtOriginalIp6Dst)
            }
            "ctorigsrcport" => {
                let range = port_range(word).ok_or(NO_PORT)?;
                one(field(Field::CtOriginalSrcPort, negated, vec![range]))
            }
            "ctorigdstport" => {
                let range = port_range(word).ok_or(NO_PORT)?;
                one(field(Field::CtOriginalDstPort, negated, vec![range]))
            }
            _ => {
                let Match::Opaque(mut kept) = opaque_option(given) else {
                    return Ok(Vec::new());
                };
                kept.stateful = name == "ctexpire";
                one(Match::Opaque(kept))
            }
        }
    }

    fn connection_address(&self, given: &Given<'_>, ip4: Field, ip6: Field) -> Meaning {
        let net = Net::parse(given.value()).filter(|net| net.ip6 == self.ip6());
        let net = net.ok_or("no address of this family")?;
        let of = self.of_family(ip4, ip6);
        one(match net.range() {
            Some(range) => field(of, given.negated, vec![range]),
            None => masked(of, net.mask, given.negated, vec![Range::one(net.address)]),
        })
    }

    fn address_range(&self, given: &Given<'_>, ip4: Field, ip6: Field) -> Meaning {
        let range = address_range(given.value());
        let of_family = |(first, _): &(IpAddr, IpAddr)| first.is_ipv6() == self.ip6();
        let (first, last) = range.filter(of_family).ok_or("no range of this family")?;
        let range = Range {
            lo: address_number(first),
            hi: address_number(last),
        };
        one(field(self.of_family(ip4, ip6), given.negated, vec![range]))
    }
}

/// A packet without a connection is judged by `--ctstate` alone if that is given: the kernel
/// does not look at the other options then.
fn without_connection(extension: &Extension<'_>, statements: &mut [Statement]) {
    if extension.options.len() < 2 || extension.option("ctstate").is_none() {
        return;
    }
    for (statement, given) in statements.iter_mut().zip(&extension.options) {
        if let Statement::Match(condition) = statement
            && given.name != "ctstate"
        {
            let states = vec![
                Range::one(ct_state::INVALID),
                Range::one(ct_state::UNTRACKED),
            ];
            let none = field(Field::CtState, false, states);
            let condition_itself = std::mem::replace(condition, Match::Never);
            *condition = Match::Any {
                negated: false,
                of: vec![none, condition_itself],
            };
        }
    }
}

fn states(word: &str, negated: bool) -> Meaning {
    let mut ranges = Vec::with_capacity(2);
    let mut status = 0;
    for name in word.split(',') {
        let bit = match name.to_ascii_uppercase().as_str() {
            "INVALID" => ct_state::INVALID,
            "ESTABLISHED" => ct_state::ESTABLISHED,
            "RELATED" => ct_state::RELATED,
            "NEW" => ct_state::NEW,
            "UNTRACKED" => ct_state::UNTRACKED,
            "SNAT" => {
                status |= ct_status::SNAT;
                continue;
            }
            "DNAT" => {
                status |= ct_status::DNAT;
                continue;
            }
            _ => return Err("no list of connection states"),
        };
        ranges.push(Range::one(bit));
    }
    let ranges = tidy(ranges);
    if status == 0 {
        return one(field(Field::CtState, negated, ranges));
    }
    // SNAT and DNAT are bits beside the state: a new connection can be translated as well.
    let translated = masked(Field::CtStatus, status, true, vec![Range::one(0)]);
    let mut of = Vec::with_capacity(2);
    if !ranges.is_empty() {
        of.push(field(Field::CtState, false, ranges));
    }
    of.push(translated);
    one(Match::Any { negated, of })
}

fn icmp_type(given: &Given<'_>, version6: bool) -> Meaning {
    let found = icmp(given.value(), version6).ok_or("no ICMP type that we know")?;
    let (of_type, of_code) = if version6 {
        (Field::Icmp6Type, Field::Icmp6Code)
    } else {
        (Field::IcmpType, Field::IcmpCode)
    };
    let negated = given.negated;
    let is = |of: Field, number: u8| field(of, negated, vec![Range::one(number.into())]);
    Ok(match found {
        (None, _) if negated => vec![Match::Never],
        (None, _) => Vec::new(),
        (Some(kind), None) => vec![is(of_type, kind)],
        (Some(kind), Some(code)) if !negated => vec![is(of_type, kind), is(of_code, code)],
        (Some(kind), Some(code)) => vec![Match::Any {
            negated: false,
            of: vec![is(of_type, kind), is(of_code, code)],
        }],
    })
}

fn mark_match(of: Field, given: &Given<'_>) -> Meaning {
    let (value, mask) = mark(given.value()).ok_or(NO_NUMBER)?;
    let ranges = vec![Range::one(value.into())];
    one(match mask {
        Some(mask) => masked(of, mask.into(), given.negated, ranges),
        None => field(of, given.negated, ranges),
    })
}

fn hops(of: Field, name: &str, word: &str, negated: bool) -> Meaning {
    let number = number_range(word, ':', 255).ok_or(NO_NUMBER)?.lo;
    let range = if name.ends_with("-lt") {
        let Some(hi) = number.checked_sub(1) else {
            return one(Match::Never);
        };
        Range { lo: 0, hi }
    } else if name.ends_with("-gt") {
        if number == 255 {
            return one(Match::Never);
        }
        Range {
            lo: number + 1,
            hi: 255,
        }
    } else {
        Range::one(number)
    };
    one(field(of, negated, vec![range]))
}

/// `value[/mask]` or a name; a name leaves out the two bits of ECN.
pub(super) fn tos(word: &str) -> Option<(u128, u128)> {
    if let Some(value) = tos_name(word) {
        return Some((value.into(), 0x3f));
    }
    let (value, mask) = mark(word)?;
    let mask = mask.unwrap_or(255);
    (value <= 255 && mask <= 255).then_some((value.into(), mask.into()))
}
