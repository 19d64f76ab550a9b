//! The chain behind a symptom: hops, the connections between them, and how each of both is known.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Serialize, Serializer};

/// Where a hop is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HopAddress {
    /// A TCP port of an address.
    Tcp(SocketAddr),
    /// A UDP port of an address.
    Udp(SocketAddr),
    /// A unix socket.
    Unix(String),
    /// A name that could not be resolved, and a port.
    Named(String, u16),
}

impl HopAddress {
    /// The address that a client here connects to: a wildcard stands for loopback.
    #[must_use]
    pub fn reachable(self) -> Self {
        let reach = |address: SocketAddr| {
            let here: IpAddr = match address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
                other => other.to_canonical(),
            };
            SocketAddr::new(here, address.port())
        };
        match self {
            Self::Tcp(address) => Self::Tcp(reach(address)),
            Self::Udp(address) => Self::Udp(reach(address)),
            other => other,
        }
    }

    /// The port, where there is one.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(address) | Self::Udp(address) => Some(address.port()),
            Self::Named(_, port) => Some(*port),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for HopAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Udp(address) => write!(f, "{address}/udp"),
            Self::Unix(path) => write!(f, "unix:{path}"),
            Self::Named(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

impl Serialize for HopAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a hop speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HopProtocol {
    /// HTTP/1.
    Http,
    /// HTTP within TLS.
    Https,
    /// `FastCGI`.
    FastCgi,
    /// `MySQL` and `MariaDB`.
    Mysql,
    /// `PostgreSQL`.
    Postgres,
    /// Redis.
    Redis,
    /// memcached.
    Memcached,
    /// SMTP.
    Smtp,
    /// DNS.
    Dns,
    /// TCP, and nothing is known about what is spoken over it.
    #[default]
    Tcp,
}

/// A program or a scheme and what it speaks.
struct KnownDaemon {
    /// Beginnings of the names of its processes.
    programs: &'static [&'static str],
    /// Schemes of a URL that leads to it.
    schemes: &'static [&'static str],
    /// The port that it usually has.
    port: u16,
    protocol: HopProtocol,
    /// What to call it if only its port or scheme is known.
    name: &'static str,
    keeps_state: bool,
}

const fn known(
    programs: &'static [&'static str],
    schemes: &'static [&'static str],
    port: u16,
    protocol: HopProtocol,
    name: &'static str,
    keeps_state: bool,
) -> KnownDaemon {
    KnownDaemon {
        programs,
        schemes,
        port,
        protocol,
        name,
        keeps_state,
    }
}

const KNOWN: &[KnownDaemon] = &[
    known(
        &["nginx"],
        &["http"],
        80,
        HopProtocol::Http,
        "web server",
        false,
    ),
    known(
        &["apache2", "httpd"],
        &["https"],
        443,
        HopProtocol::Http,
        "web server",
        false,
    ),
    known(&["haproxy"], &[], 0, HopProtocol::Http, "haproxy", false),
    known(
        &["php-fpm"],
        &["fcgi"],
        9000,
        HopProtocol::FastCgi,
        "php-fpm",
        false,
    ),
    known(
        &["mariadbd", "mysqld"],
        &["mysql", "mysql2", "mariadb"],
        3306,
        HopProtocol::Mysql,
        "mysql or mariadb",
        true,
    ),
    known(
        &["postgres", "postmaster"],
        &["postgres", "postgresql"],
        5432,
        HopProtocol::Postgres,
        "postgresql",
        true,
    ),
    known(
        &["redis-server", "valkey-server", "keydb-server"],
        &["redis"],
        6379,
        HopProtocol::Redis,
        "redis",
        true,
    ),
    known(
        &["memcached"],
        &["memcached", "memcache"],
        11211,
        HopProtocol::Memcached,
        "memcached",
        true,
    ),
    known(
        &["master", "exim4", "exim", "sendmail", "opensmtpd", "smtpd"],
        &["smtp"],
        25,
        HopProtocol::Smtp,
        "mail server",
        true,
    ),
    known(
        &["named", "dnsmasq", "unbound", "systemd-resolve"],
        &["dns"],
        53,
        HopProtocol::Dns,
        "name server",
        false,
    ),
];

impl HopProtocol {
    /// What a program of that name speaks, if surefoot knows it.
    pub fn of_program(name: &str) -> Option<Self> {
        find(|it| it.programs.iter().any(|start| name.starts_with(start))).map(|it| it.protocol)
    }

    /// What a URL of that scheme leads to.
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        let scheme = scheme.split('+').next().unwrap_or_default();
        if scheme == "https" {
            return Some(Self::Https);
        }
        find(|it| it.schemes.contains(&scheme)).map(|it| it.protocol)
    }

    /// What is usually spoken at a port.
    pub fn of_port(port: u16) -> Option<Self> {
        match port {
            0 => None,
            443 | 8443 => Some(Self::Https),
            587 => Some(Self::Smtp),
            _ => find(|it| it.port == port).map(|it| it.protocol),
        }
    }

    /// The port that is meant where none is given.
    pub fn usual_port(self) -> Option<u16> {
        match self {
            Self::Https => Some(443),
            Self::Tcp => None,
            _ => find(|it| it.protocol == self).map(|it| it.port),
        }
    }

    /// What to call a daemon of which only the protocol is known.
    pub fn daemon(self) -> &'static str {
        match self {
            Self::Tcp => "the server",
            Self::Http | Self::Https => "the web server",
            _ => find(|it| it.protocol == self).map_or("the server", |it| it.name),
        }
    }

    /// Whether a daemon that speaks it holds data that a stop may lose.
    pub fn keeps_state(self) -> bool {
        find(|it| it.protocol == self).is_some_and(|it| it.keeps_state)
    }
}

fn find(is_it: impl Fn(&KnownDaemon) -> bool) -> Option<&'static KnownDaemon> {
    KNOWN.iter().find(|daemon| is_it(daemon))
}

/// How it is known that one hop uses another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "known_from")]
pub enum EdgeSource {
    /// A connection in the socket table, held by a process of the first hop.
    Socket {
        /// The process.
        pid: u32,
        /// Whether it was seen while the symptom was shown.
        during_symptom: bool,
    },
    /// A line of the first hop's configuration.
    Config {
        /// File and line.
        place: String,
        /// What it says.
        text: String,
    },
    /// A variable in the environment of a process of the first hop.
    Environment {
        /// The process.
        pid: u32,
        /// The variable; its value may be secret.
        variable: String,
    },
    /// A line of the program that the first hop runs: text that looks like an address.
    Program {
        /// File and line.
        place: String,
    },
    /// A new line of a log of the first hop.
    Log {
        /// The file.
        place: String,
    },
}

impl EdgeSource {
    /// Whether it shows a connection that is made, not one that may be.
    pub fn is_seen(&self) -> bool {
        matches!(self, Self::Socket { .. } | Self::Log { .. })
    }

    /// What says so, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Socket {
                pid,
                during_symptom: true,
            } => format!("a connection of process {pid} while the symptom was shown"),
            Self::Socket { pid, .. } => format!("a connection of process {pid}"),
            Self::Config { place, text } => format!("{place}: {text}"),
            Self::Environment { pid, variable } => {
                format!("{variable} in the environment of process {pid}")
            }
            Self::Program { place } | Self::Log { place } => format!("{place} names it"),
        }
    }
}

/// One hop uses another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainEdge {
    /// The hop that connects, by its place in the list.
    pub from: usize,
    /// The hop that is connected to.
    pub to: usize,
    /// How this is known, the best first.
    pub sources: Vec<EdgeSource>,
    /// The group in which one of several serves; none if it is the only one.
    pub pool: Option<String>,
    /// Whether the first hop refuses the second one's certificate if it is not in order.
    pub verifies_certificate: bool,
    /// The name that the first hop was given, where it was resolved.
    pub by_name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_reached_over_loopback() {
        let any = HopAddress::Tcp("0.0.0.0:80".parse().unwrap());
        assert_eq!(any.reachable().to_string(), "127.0.0.1:80");
        let mapped = HopAddress::Tcp("[::ffff:10.0.0.1]:80".parse().unwrap());
        assert_eq!(mapped.reachable().to_string(), "10.0.0.1:80");
    }

    #[test]
    fn programs_schemes_and_ports_are_known() {
        assert_eq!(
            HopProtocol::of_program("php-fpm8.2"),
            Some(HopProtocol::FastCgi)
        );
        assert_eq!(
            HopProtocol::of_scheme("mysql+pymysql"),
            Some(HopProtocol::Mysql)
        );
        assert_eq!(HopProtocol::of_port(6379), Some(HopProtocol::Redis));
        assert_eq!(HopProtocol::of_port(3001), None);
        assert!(HopProtocol::Postgres.keeps_state() && !HopProtocol::Http.keeps_state());
    }
}
