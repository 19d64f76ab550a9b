//! The targets.

use std::net::IpAddr;

use surefoot_report::Problem;

use super::super::names::{dscp_class, number, port};
use super::super::print::print_extension;
use super::super::syntax::{Extension, Target};
use super::super::value::{Net, address_of, mark};
use super::Lowering;
use super::matches::tos;
use crate::model::{Effect, Field, KernelMemory, Nat, NatKind, Opaque, Statement, Verdict};

/// New addresses and new ports.
type Destination = (Option<(IpAddr, IpAddr)>, Option<(u16, u16)>);

fn words(extension: &Extension<'_>) -> String {
    let mut text = String::new();
    print_extension("-j", extension, &mut text);
    text
}

impl Lowering<'_> {
    /// Adds a target's meaning.
    pub(super) fn target(&mut self, target: &Target<'_>, out: &mut Vec<Statement>) {
        let extension = &target.extension;
        let verdict = match &*extension.name {
            name if target.goto => match self.chains.get(name) {
                Some(chain) => Verdict::Goto(*chain),
                None => self.no_chain(extension),
            },
            "ACCEPT" => Verdict::Accept,
            "DROP" => Verdict::Drop,
            "RETURN" => Verdict::Return,
            "QUEUE" | "NFQUEUE" => Verdict::Queue {
                text: words(extension),
            },
            name => match self.chains.get(name) {
                Some(chain) => Verdict::Jump(*chain),
                None if extension.module.is_none() => self.no_chain(extension),
                None => {
                    let last = out.len();
                    if self.module_target(extension, out).is_none() {
                        out.truncate(last);
                        let what = format!("a value of `-j {name}` cannot be read");
                        self.problems
                            .push(Problem::note(extension.span, what).label("not evaluated"));
                        out.push(Statement::Verdict(unknown(extension)));
                    }
                    return;
                }
            },
        };
        if !extension.options.is_empty()
            && !matches!(verdict, Verdict::Queue { .. } | Verdict::Unknown(_))
        {
            // Unknown words stand with a target that takes none: they may mean anything.
            out.push(Statement::Verdict(unknown(extension)));
            return;
        }
        out.push(Statement::Verdict(verdict));
    }

    fn no_chain(&mut self, extension: &Extension<'_>) -> Verdict {
        let name = &extension.name;
        let what = format!("no chain of this table and no target known to us is called `{name}`");
        self.problems
            .push(Problem::note(extension.span, what).label("may decide or go on"));
        unknown(extension)
    }

    /// The meaning of a target that is a module; none if a value cannot be read.
    fn module_target(&self, extension: &Extension<'_>, out: &mut Vec<Statement>) -> Option<()> {
        let value = |name| extension.value_of(name);
        let has = |name| extension.option(name).is_some();
        let other = || Effect::Other {
            text: words(extension),
        };
        if extension.options.iter().any(|given| given.option.is_none()) {
            return None;
        }
        let effect = match &*extension.name {
            "REJECT" => {
                let with = match value("reject-with") {
                    Some(word) => self.reject_word(word)?,
                    None if self.ip6() => "icmp6-port-unreachable",
                    None => "icmp-port-unreachable",
                };
                let with = with.to_owned();
                out.push(Statement::Verdict(Verdict::Reject { with }));
                return Some(());
            }
            "LOG" => log(value("log-prefix")),
            "NFLOG" => log(value("nflog-prefix")),
            "ULOG" => log(value("ulog-prefix")),
            "MARK" => mark_target(Field::Mark, extension)?,
            "CONNMARK" => connmark(extension)?,
            "NOTRACK" => Effect::NoTrack,
            "CT" if has("notrack") => Effect::NoTrack,
            "CT" => return connection(extension, out),
            "SNAT" => return self.nat(NatKind::Snat, extension, value("to-source")?, out),
            "DNAT" => {
                let Some(to) = value("to-destination") else {
                    push_nat(NatKind::Dnat, extension, (None, None), out);
                    return Some(());
                };
                return self.nat(NatKind::Dnat, extension, to, out);
            }
            "MASQUERADE" | "REDIRECT" => {
                let kind = if extension.name == "REDIRECT" {
                    NatKind::Redirect
                } else {
                    NatKind::Masquerade
                };
                let ports = match value("to-ports") {
                    Some(word) => Some(nat_ports(word)?),
                    None => None,
                };
                push_nat(kind, extension, (None, ports), out);
                return Some(());
            }
            "NETMAP" => {
                let net = Net::parse(value("to")?).filter(|net| net.ip6 == self.ip6())?;
                let range = net.range()?;
                let ends = (address_of(net.ip6, range.lo), address_of(net.ip6, range.hi));
                push_nat(NatKind::Netmap, extension, (Some(ends), None), out);
                return Some(());
            }
            "TOS" => {
                self.set_tos(extension, out);
                return Some(());
            }
            "DSCP" => return self.set_dscp(extension, out),
            "TTL" => hop_target(Field::Ttl, value("ttl-set"))?,
            "HL" => hop_target(Field::HopLimit, value("hl-set"))?,
            "SET" => {
                if has("map-set") {
                    out.push(Statement::Effect(Effect::Forget { field: Field::Mark }));
                }
                for given in &extension.options {
                    if matches!(&*given.name, "add-set" | "del-set") {
                        let set = self.set_ref(given.value());
                        let text = words(extension);
                        out.push(Statement::Effect(Effect::UpdateSet { set, text }));
                    }
                }
                return Some(());
            }
            "TCPOPTSTRIP" => {
                for name in value("strip-options")?.split(',') {
                    let field = Field::TcpOption(tcp_option(name)?);
                    out.push(Statement::Effect(Effect::Set { field, value: 0 }));
                }
                return Some(());
            }
            "HMARK" => Effect::Forget { field: Field::Mark },
            "TPROXY" | "SYNPROXY" | "CLUSTERIP" | "DNPT" | "SNPT" => {
                out.push(Statement::Verdict(unknown(extension)));
                return Some(());
            }
            // The others change what no verdict depends on, and go on.
            _ => other(),
        };
        out.push(Statement::Effect(effect));
        Some(())
    }

    fn nat(
        &self,
        kind: NatKind,
        extension: &Extension<'_>,
        to: &str,
        out: &mut Vec<Statement>,
    ) -> Option<()> {
        push_nat(kind, extension, nat_destination(to, self.ip6())?, out);
        Some(())
    }

    fn reject_word(&self, word: &str) -> Option<&'static str> {
        const IP4: &[(&str, &str)] = &[
            ("icmp-net-unreachable", "net-unreach"),
            ("icmp-host-unreachable", "host-unreach"),
            ("icmp-proto-unreachable", "proto-unreach"),
            ("icmp-port-unreachable", "port-unreach"),
            ("icmp-net-prohibited", "net-prohib"),
            ("icmp-host-prohibited", "host-prohib"),
            ("icmp-admin-prohibited", "admin-prohib"),
            ("tcp-reset", "tcp-rst"),
        ];
        const IP6: &[(&str, &str)] = &[
            ("icmp6-no-route", "no-route"),
            ("icmp6-adm-prohibited", "adm-prohibited"),
            ("icmp6-addr-unreachable", "addr-unreach"),
            ("icmp6-port-unreachable", "port-unreach"),
            ("icmp6-policy-fail", "policy-fail"),
            ("icmp6-reject-route", "reject-route"),
            ("tcp-reset", "tcp-reset"),
        ];
        let words = if self.ip6() { IP6 } else { IP4 };
        let found = words
            .iter()
            .find(|(name, short)| word == *name || word == *short);
        found.map(|(name, _)| *name)
    }

    fn set_tos(&self, extension: &Extension<'_>, out: &mut Vec<Statement>) {
        let whole = self.of_family(Field::Tos, Field::TrafficClass);
        let class = self.of_family(Field::Ip4Dscp, Field::Ip6Dscp);
        let full = match extension.value_of("set-tos") {
            Some(word) if word.contains('/') => tos(word).filter(|(_, mask)| *mask == 255),
            Some(word) => tos(word)
                .map(|(value, _)| (value, 255))
                .filter(|_| number(word).is_some()),
            None => None,
        };
        let effects = match full {
            Some((value, _)) => [
                Effect::Set {
                    field: whole,
                    value,
                },
                Effect::Set {
                    field: class,
                    value: value >> 2,
                },
            ],
            None => [
                Effect::Forget { field: whole },
                Effect::Forget { field: class },
            ],
        };
        out.extend(effects.map(Statement::Effect));
    }

    fn set_dscp(&self, extension: &Extension<'_>, out: &mut Vec<Statement>) -> Option<()> {
        let value = match extension.value_of("set-dscp") {
            Some(word) => u8::try_from(number(word)?)
                .ok()
                .filter(|value| *value < 64)?,
            None => dscp_class(extension.value_of("set-dscp-class")?)?,
        };
        let class = self.of_family(Field::Ip4Dscp, Field::Ip6Dscp);
        let whole = self.of_family(Field::Tos, Field::TrafficClass);
        out.push(Statement::Effect(Effect::Set {
            field: class,
            value: value.into(),
        }));
        out.push(Statement::Effect(Effect::Forget { field: whole }));
        Some(())
    }
}

fn unknown(extension: &Extension<'_>) -> Verdict {
    Verdict::Unknown(Opaque {
        text: words(extension),
        stateful: true,
        memory: None,
    })
}

fn log(prefix: Option<&str>) -> Effect {
    Effect::Log {
        prefix: prefix.unwrap_or_default().to_owned(),
    }
}

/// `MARK` and the setting half of `CONNMARK`.
fn mark_target(of: Field, extension: &Extension<'_>) -> Option<Effect> {
    let (mut and, mut xor) = (u32::MAX, 0);
    for given in &extension.options {
        let (value, mask) = mark(given.value())?;
        (and, xor) = match &*given.name {
            "set-xmark" => (!mask.unwrap_or(u32::MAX), value),
            // The bits of the value are cleared too, so that they end up set.
            "set-mark" => (!(value | mask.unwrap_or(u32::MAX)), value),
            "and-mark" => (value, 0),
            "or-mark" => (!value, value),
            "xor-mark" => (u32::MAX, value),
            _ => return None,
        };
    }
    Some(Effect::SetMark {
        field: of,
        and,
        xor,
    })
}

fn connmark(extension: &Extension<'_>) -> Option<Effect> {
    let save = extension.option("save-mark").is_some();
    let restore = extension.option("restore-mark").is_some();
    if !save && !restore {
        return mark_target(Field::CtMark, extension);
    }
    let mask = |name| match extension.value_of(name).or(extension.value_of("mask")) {
        Some(word) => mark(word).map(|(mask, _)| mask),
        None => Some(u32::MAX),
    };
    let (nfmask, ctmask) = (mask("nfmask")?, mask("ctmask")?);
    let shifted = |name| extension.option(name).is_some();
    if shifted("left-shift-mark") || shifted("right-shift-mark") {
        let field = if save { Field::CtMark } else { Field::Mark };
        return Some(Effect::Forget { field });
    }
    Some(if save {
        Effect::CopyMark {
            from: Field::Mark,
            from_mask: nfmask,
            to: Field::CtMark,
            to_mask: ctmask,
        }
    } else {
        Effect::CopyMark {
            from: Field::CtMark,
            from_mask: ctmask,
            to: Field::Mark,
            to_mask: nfmask,
        }
    })
}

/// A kind of TCP option, by its number or by the name that TCPOPTSTRIP has for it.
fn tcp_option(name: &str) -> Option<u8> {
    Some(match name {
        "mss" => 2,
        "wscale" => 3,
        "sack-permitted" => 4,
        "sack" => 5,
        "timestamp" => 8,
        "md5" => 19,
        number => number.parse().ok()?,
    })
}

fn hop_target(of: Field, set: Option<&str>) -> Option<Effect> {
    Some(match set {
        Some(word) => Effect::Set {
            field: of,
            value: u128::from(u8::try_from(number(word)?).ok()?),
        },
        None => Effect::Forget { field: of },
    })
}

/// The zone, the helper and the rest of what `CT` says of a connection.
fn connection(extension: &Extension<'_>, out: &mut Vec<Statement>) -> Option<()> {
    let value = |name| extension.value_of(name);
    let mut effects = Vec::new();
    if let Some(zone) = value("zone") {
        // `--zone mark`: the zone comes from the packet's mark.
        effects.push(Effect::CtZone(u16::try_from(number(zone)?).ok()?));
    }
    for name in ["zone-orig", "zone-reply"] {
        effects.extend(value(name).map(|zone| Effect::Remember {
            memory: KernelMemory::Zone,
            text: format!("{name} {zone}"),
        }));
    }
    effects.extend(value("helper").map(|helper| Effect::Remember {
        memory: KernelMemory::Helper,
        text: format!("helper {helper}"),
    }));
    let others = extension
        .options
        .iter()
        .any(|given| !matches!(&*given.name, "zone" | "zone-orig" | "zone-reply" | "helper"));
    if others || effects.is_empty() {
        effects.push(Effect::Other {
            text: words(extension),
        });
    }
    out.extend(effects.into_iter().map(Statement::Effect));
    Some(())
}

fn push_nat(
    kind: NatKind,
    extension: &Extension<'_>,
    (addresses, ports): Destination,
    out: &mut Vec<Statement>,
) {
    out.push(Statement::Verdict(Verdict::Nat(Nat {
        kind,
        addresses,
        ports,
        by_map: None,
        text: words(extension),
    })));
}

/// `[address[-address]][:port[-port]]`, an IPv6 address with ports in brackets.
fn nat_destination(to: &str, ip6: bool) -> Option<Destination> {
    let (addresses, ports) = if let Some(rest) = to.strip_prefix('[') {
        let (addresses, rest) = rest.rsplit_once(']')?;
        let ports = if rest.is_empty() {
            None
        } else {
            Some(rest.strip_prefix(':')?)
        };
        (addresses, ports)
    } else if ip6 {
        (to, None)
    } else {
        to.split_once(':')
            .map_or((to, None), |(addresses, ports)| (addresses, Some(ports)))
    };
    let addresses = if addresses.is_empty() {
        None
    } else {
        let (first, last) = addresses.split_once('-').unwrap_or((addresses, addresses));
        let read = |word: &str| {
            let word = word.trim_matches(['[', ']']);
            word.parse::<IpAddr>().ok().filter(|a| a.is_ipv6() == ip6)
        };
        Some((read(first)?, read(last)?))
    };
    let ports = match ports {
        Some(ports) => Some(nat_ports(ports)?),
        None => None,
    };
    Some((addresses, ports))
}

fn nat_ports(word: &str) -> Option<(u16, u16)> {
    // `DNAT --to-destination :1000-2000/1000` shifts; the ports are the same.
    let word = word.split('/').next().unwrap_or(word);
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    Some((port(first)?, port(last)?))
}
