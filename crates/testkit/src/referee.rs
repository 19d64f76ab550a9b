//! Sends packets through the rules of a namespace and reports what each rule did.
//!
//! A frame that is written to a tap device has been through all rules when the write returns, so
//! that nothing has to be waited for. Two tables of our own frame the rules under test: one turns
//! on the trace before them, the other swallows what they let through, so that no packet leaves a
//! connection, an answer or anything else behind that could affect the next one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use surefoot_sys::{RawSocket, Tap};

use crate::legacy::LegacyTables;
use crate::netlink::{self, TraceSocket, Traced};
use crate::{Frame, Namespace, Wire};

/// Ours, and before and behind everything that is under test.
const TABLE: &str = "surefoot_referee";
const FRAME: &str = "
table inet surefoot_referee {
    chain begin {
        type filter hook prerouting priority -1000; policy accept;
        meta nftrace set 1
    }
    chain begin_output {
        type filter hook output priority -1000; policy accept;
        meta skuid 0 meta nftrace set 1 accept
        drop
    }
    chain passed_input {
        type filter hook input priority 1000; policy accept;
        drop
    }
    chain passed_output {
        type filter hook postrouting priority 1000; policy accept;
        drop
    }
}
";
/// Turns the trace on before the rules at a device.
fn begin_ingress(port: &str) -> String {
    format!(
        "table netdev {TABLE} {{\n chain begin_{port} {{\n  type filter hook ingress device \"{port}\" priority -1000; policy accept;\n  meta nftrace set 1\n }}\n}}\n"
    )
}

/// The routing table of packets that come in.
const INCOMING: &str = "100";

/// An interface of the namespace.
#[derive(Clone, Debug)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// Its addresses with their prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
}

/// Where packets go that are for none of the host's own addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toward<'a> {
    /// To this host all the same.
    Here,
    /// Out by an interface.
    Interface(&'a str),
}

/// What a packet met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// Whether it got through all rules.
    pub passed: bool,
    /// The rules that matched and the policies that applied. Those of nftables are in order;
    /// those of `iptables-legacy` come behind them, as the kernel only counts them.
    pub steps: Vec<Step>,
}

/// A rule that matched, or a policy that applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whether `iptables-legacy` holds the table.
    pub legacy: bool,
    /// `NFPROTO_*` of the table: 1 inet, 2 IPv4, 5 netdev, 10 IPv6.
    pub family: u8,
    /// The table's name.
    pub table: String,
    /// The chain's name.
    pub chain: String,
    /// Index of the rule, from 0; none is the policy.
    pub rule: Option<usize>,
    /// Its verdict, where the kernel tells.
    pub what: What,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The base chain lets it pass.
    Accept,
    /// It is gone.
    Drop,
    /// A program in user space decides.
    Queue,
    /// It goes on here or in another chain.
    On,
    /// The kernel only counts.
    Counted,
}

/// A namespace that judges packets.
pub struct Referee {
    namespace: Namespace,
    ports: Vec<Port>,
    taps: BTreeMap<String, Tap>,
    raw: BTreeMap<(bool, String), RawSocket>,
    trace: TraceSocket,
    rules: BTreeMap<(u8, String, u64), usize>,
    legacy: [Option<LegacyTables>; 2],
}

impl Referee {
    /// Makes a namespace with these interfaces and no rules, where every packet gets as far as rules.
    pub fn new(ports: Vec<Port>) -> io::Result<Self> {
        let referee = Self::on_plain_host(ports)?;
        let_all_reach_rules(&referee.namespace, &referee.ports)?;
        Ok(referee)
    }

    /// Makes a namespace with these interfaces and no rules, with the kernel's own settings and with
    /// no routes but those of the interfaces' networks.
    pub fn on_plain_host(ports: Vec<Port>) -> io::Result<Self> {
        let namespace = Namespace::new()?;
        let taps = namespace.within(|| {
            let open = |port: &Port| Ok((port.name.clone(), Tap::new(&port.name)?));
            ports.iter().map(open).collect()
        })?;
        configure(&namespace, &ports)?;
        let raw = namespace.within(|| {
            let mut sockets = BTreeMap::new();
            for port in &ports {
                for v6 in [false, true] {
                    let socket = RawSocket::new(v6, &port.name)?;
                    sockets.insert((v6, port.name.clone()), socket);
                }
            }
            Ok(sockets)
        })?;
        let trace = namespace.within(TraceSocket::new)?;
        Ok(Self {
            namespace,
            ports,
            taps,
            raw,
            trace,
            rules: BTreeMap::new(),
            legacy: [None, None],
        })
    }

    /// The namespace, to load rules into.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// To be called when the rules under test are loaded: reads their handles, and frames them.
    /// The tables of `iptables-legacy` are only looked at if their names are given.
    pub fn ready(&mut self, legacy: [&[String]; 2]) -> io::Result<()> {
        let mut frame = FRAME.to_owned();
        for port in &self.ports {
            frame.push_str(&begin_ingress(&port.name));
        }
        self.namespace.feed(&["nft", "-f", "-"], &frame)?;
        self.rules.clear();
        let mut numbers: BTreeMap<(u8, String, String), usize> = BTreeMap::new();
        for rule in self.namespace.within(netlink::rules)? {
            let chain = (rule.family, rule.table.clone(), rule.chain);
            let number = numbers.entry(chain).or_default();
            self.rules
                .insert((rule.family, rule.table, rule.handle), *number);
            *number += 1;
        }
        for (at, names) in legacy.into_iter().enumerate() {
            self.legacy[at] = if names.is_empty() {
                None
            } else {
                let tables = self
                    .namespace
                    .within(|| LegacyTables::new(at == 1, names))?;
                Some(tables)
            };
        }
        self.trace.drain()?;
        Ok(())
    }

    /// Where packets go that come in and are for none of the host's own addresses.
    pub fn route(&self, toward: Toward) -> io::Result<()> {
        let route = match toward {
            Toward::Here => "local default dev lo".to_owned(),
            Toward::Interface(name) => format!("default dev {name}"),
        };
        let lines = format!("route flush table {INCOMING}\nroute add {route} table {INCOMING}\n");
        for family in ["-4", "-6"] {
            self.namespace
                .feed(&["ip", family, "-batch", "-"], &lines)?;
        }
        Ok(())
    }

    /// The hardware address of an interface.
    pub fn mac(&self, interface: &str) -> Option<[u8; 6]> {
        let port = self.ports.iter().find(|port| port.name == interface)?;
        Some(port.mac)
    }

    /// Lets an interface receive a frame.
    pub fn receive(&mut self, interface: &str, frame: &Frame) -> io::Result<Observation> {
        let tap = self.taps.get(interface).ok_or_else(|| {
            io::Error::other(format!("there is no interface `{interface}` to receive by"))
        })?;
        tap.inject(&frame.bytes())?;
        self.observe()
    }

    /// Sends a packet from this host by an interface.
    pub fn send(&mut self, interface: &str, packet: &Wire) -> io::Result<Observation> {
        let socket = self
            .raw
            .get(&(packet.is_v6(), interface.to_owned()))
            .ok_or_else(|| {
                io::Error::other(format!("there is no interface `{interface}` to send by"))
            })?;
        socket.send(&packet.bytes(), packet.destination)?;
        self.observe()
    }

    fn observe(&mut self) -> io::Result<Observation> {
        let mut seen = Observation::default();
        for event in self.trace.drain()? {
            if event.table == TABLE {
                seen.passed |= event.chain.starts_with("passed");
                continue;
            }
            let (rule, verdict) = match event.what {
                Traced::Rule(handle, verdict) => {
                    let key = (event.family, event.table.clone(), handle);
                    let number = self
                        .rules
                        .get(&key)
                        .ok_or_else(|| io::Error::other("a rule that was not there before"))?;
                    (Some(*number), verdict)
                }
                Traced::Policy(verdict) => (None, verdict),
                Traced::End => continue,
            };
            seen.steps.push(Step {
                legacy: false,
                family: event.family,
                table: event.table,
                chain: event.chain,
                rule,
                what: match verdict {
                    0 => What::Drop,
                    1 => What::Accept,
                    // The number of the queue is in the upper half.
                    other if other & 0xff == 3 && other > 0 => What::Queue,
                    _ => What::On,
                },
            });
        }
        for (v6, tables) in [false, true].into_iter().zip(&mut self.legacy) {
            let Some(tables) = tables else { continue };
            for matched in tables.matched(v6)? {
                for _ in 0..matched.times {
                    seen.steps.push(Step {
                        legacy: true,
                        family: if v6 { 10 } else { 2 },
                        table: matched.table.to_owned(),
                        chain: matched.chain.clone(),
                        rule: matched.rule,
                        what: What::Counted,
                    });
                }
            }
        }
        Ok(seen)
    }
}

/// Brings the interfaces up with their addresses.
fn configure(namespace: &Namespace, ports: &[Port]) -> io::Result<()> {
    let mut links = "link set lo up\n".to_owned();
    for port in ports {
        let name = port.name.as_str();
        let mac: Vec<String> = port.mac.iter().map(|byte| format!("{byte:02x}")).collect();
        let mac = mac.join(":");
        let _ = writeln!(links, "link set {name} address {mac} addrgenmode none");
        let _ = writeln!(links, "link set {name} up");
        for (address, length) in &port.addresses {
            // No other host can have it; to look for a duplicate would take a second.
            let alone = if address.is_ipv6() { " nodad" } else { "" };
            let _ = writeln!(links, "address add {address}/{length} dev {name}{alone}");
        }
    }
    namespace.feed(&["ip", "-batch", "-"], &links)?;
    wait_for_addresses(namespace, ports)
}

/// Settings and routes with which every packet gets as far as the rules.
fn let_all_reach_rules(namespace: &Namespace, ports: &[Port]) -> io::Result<()> {
    for (setting, value) in [
        ("net.ipv4.ip_forward", "1"),
        ("net.ipv6.conf.all.forwarding", "1"),
        ("net.ipv4.conf.all.rp_filter", "0"),
        ("net.ipv4.conf.default.rp_filter", "0"),
        ("net.ipv4.conf.all.accept_local", "1"),
        ("net.ipv4.conf.all.route_localnet", "1"),
    ] {
        namespace.set(setting, value)?;
    }
    // There is always something to flush.
    let mut routes = format!("route add local default dev lo table {INCOMING}\n");
    for (number, port) in ports.iter().enumerate() {
        let name = port.name.as_str();
        namespace.set(&format!("net.ipv4.conf.{}.rp_filter", path(name)), "0")?;
        let own = 200 + number;
        let _ = writeln!(routes, "rule add pref 10 iif {name} lookup {INCOMING}");
        let _ = writeln!(routes, "rule add pref 10 oif {name} lookup {own}");
        let _ = writeln!(routes, "route add default dev {name} table {own}");
    }
    for family in ["-4", "-6"] {
        namespace.feed(&["ip", family, "-batch", "-"], &routes)?;
    }
    Ok(())
}

/// Waits until packets to the IPv6 addresses are taken for this host's: the kernel makes their routes
/// a little later (`addrconf_dad_work`), even where it need not look for other owners.
fn wait_for_addresses(namespace: &Namespace, ports: &[Port]) -> io::Result<()> {
    let addresses = ports.iter().flat_map(|port| &port.addresses);
    let wanted: Vec<String> = addresses
        .filter(|(address, _)| address.is_ipv6())
        .map(|(address, _)| format!("local {address} "))
        .collect();
    for _ in 0..TRIES {
        let routes = namespace.run(&["ip", "-6", "route", "show", "table", "local"])?;
        if wanted.iter().all(|route| routes.contains(route)) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(io::Error::other(
        "the kernel has not made the routes of the IPv6 addresses in 10 seconds",
    ))
}

/// How often it is asked whether the addresses are ready.
const TRIES: u32 = 1000;

/// An interface's name in the name of a setting.
fn path(name: &str) -> String {
    name.replace('.', "/")
}
