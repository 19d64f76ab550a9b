//! What a server is asked to do, and whom it serves.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use crate::summary::TransportName;

/// Which IP versions a server listens on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressFamilies {
    /// IPv4 and IPv6.
    #[default]
    Both,
    /// IPv4.
    OnlyV4,
    /// IPv6.
    OnlyV6,
}

impl AddressFamilies {
    /// Whether an address is of the IP versions.
    pub fn takes(self, address: IpAddr) -> bool {
        match self {
            Self::Both => true,
            Self::OnlyV4 => address.is_ipv4(),
            Self::OnlyV6 => address.is_ipv6(),
        }
    }
}

/// What a server is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerOptions {
    /// The ports; each takes TCP and UDP, and both protocols.
    pub ports: Vec<u16>,
    /// The address to listen on; else all.
    pub bind: Option<IpAddr>,
    /// The IP versions, where no address is given.
    pub families: AddressFamilies,
    /// End after one test.
    pub one_off: bool,
    /// Networks that are served; all, if empty.
    pub allow: Vec<NetworkPrefix>,
    /// The limits.
    pub limits: ServerLimits,
    /// Received bytes are copied out of the kernel.
    pub copy: bool,
    /// The only transport; both, if there is none.
    pub transport: Option<TransportName>,
    /// The time between two reports of a test that runs; none if zero.
    pub interval: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            ports: vec![5001, 5201],
            bind: None,
            families: AddressFamilies::Both,
            one_off: false,
            allow: Vec::new(),
            limits: ServerLimits::default(),
            copy: false,
            transport: None,
            interval: Duration::ZERO,
        }
    }
}

/// How much a client may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Bit/s of all streams of a test together.
    pub rate: Option<u64>,
    /// The longest test.
    pub duration: Option<Duration>,
    /// Streams of a test in each direction.
    pub streams: u32,
    /// Streams and tests of all clients together.
    pub threads: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            rate: None,
            duration: None,
            streams: 128,
            threads: 1024,
        }
    }
}

/// A network: an address and how many of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkPrefix {
    address: IpAddr,
    length: u8,
}

/// What is no network.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no network; write 192.0.2.0/24, 2001:db8::/32 or an address")]
pub struct NetworkParseError(String);

impl FromStr for NetworkPrefix {
    type Err = NetworkParseError;

    fn from_str(text: &str) -> Result<Self, NetworkParseError> {
        let error = || NetworkParseError(text.to_owned());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) => length.parse().map_err(|_| error())?,
            None => most,
        };
        if length > most {
            return Err(error());
        }
        Ok(Self { address, length })
    }
}

impl fmt::Display for NetworkPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.length)
    }
}

impl NetworkPrefix {
    /// Whether an address lies in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = u32::from(self.length);
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.checked_shr(32 - bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.checked_shr(128 - bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        let network: NetworkPrefix = network.parse().expect("a network");
        network.contains(address.parse().expect("an address"))
    }

    #[test]
    fn networks_of_both_families() {
        assert!(contains("192.0.2.0/24", "192.0.2.255"));
        assert!(!contains("192.0.2.0/24", "192.0.3.0"));
        assert!(contains("192.0.2.7", "::ffff:192.0.2.7"));
        assert!(contains("0.0.0.0/0", "203.0.113.1"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(contains("::/0", "2001:db8::1"));
        assert!(!contains("2001:db8::/33", "2001:db8:8000::1"));
    }

    #[test]
    fn what_is_no_network_is_named() {
        for text in ["192.0.2.0/33", "192.0.2", "x/8", "::/129", "192.0.2.0/-1"] {
            let error = text.parse::<NetworkPrefix>().expect_err("no network");
            assert!(error.to_string().contains(text));
        }
    }
}
