//! Text of a program that looks like an address: a host and a port on one line.
//!
//! This is the weakest of all sources: what stands in a program need not run.

use super::{WrittenAddress, dsn_of_word};
use crate::chain::HopProtocol;

/// An address in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedAddress {
    /// The line, from 1.
    pub line: usize,
    /// The address.
    pub address: WrittenAddress,
    /// What is spoken there, if the line or the port tells.
    pub protocol: HopProtocol,
}

/// The addresses that a text names.
pub fn addresses_in_program(text: &str) -> Vec<NamedAddress> {
    let mut found: Vec<NamedAddress> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.len() > 2000 {
            continue;
        }
        let code = line.trim_start();
        if code.starts_with("//") || code.starts_with('#') || code.starts_with('*') {
            continue;
        }
        let mut add = |address: WrittenAddress, protocol| {
            if !found.iter().any(|it| it.address == address) {
                found.push(NamedAddress {
                    line: at + 1,
                    address,
                    protocol,
                });
            }
        };
        let words =
            line.split(|letter: char| letter.is_whitespace() || "\"'`()<>,".contains(letter));
        for word in words.clone() {
            if let Some((address, protocol)) = dsn_of_word(word)
                && !matches!(protocol, HopProtocol::Http | HopProtocol::Https)
            {
                add(address, protocol);
            }
        }
        let tokens: Vec<&str> = words
            .flat_map(|word| word.split(['=', ';', ':']))
            .filter(|word| !word.is_empty())
            .collect();
        let host = tokens
            .iter()
            .find(|word| **word == "localhost" || word.parse::<std::net::Ipv4Addr>().is_ok());
        let numbers: Vec<u16> = tokens.iter().filter_map(|word| word.parse().ok()).collect();
        let ports: Vec<u16> = numbers.into_iter().filter(|port| *port >= 1024).collect();
        // Several numbers: which of them is the port is unknown, unless it is a well-known one.
        let known = ports
            .iter()
            .copied()
            .find(|port| HopProtocol::of_port(*port).is_some());
        let port = match (known, &ports[..]) {
            (Some(port), _) => Some(port),
            (None, [port]) => Some(*port),
            _ => None,
        };
        if let (Some(host), Some(port)) = (host, port)
            && *host != "0.0.0.0"
        {
            let protocol = HopProtocol::of_port(port).unwrap_or_default();
            add(WrittenAddress::Host((*host).to_owned(), port), protocol);
        }
    }
    found
}
