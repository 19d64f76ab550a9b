//! The ends of a packet: addresses, ports, and this host itself.

use std::net::{IpAddr, Ipv6Addr};

use super::WordError;
use super::read::{EndDraft, refuse, said, say_once};
use crate::language::{ME, WordToken, did_you_mean, port, service_names};
use surefoot_ruleset::parse::names;

/// Reads `ADDR`, `ADDR:PORT`, `[ADDR]:PORT`, `:PORT`, or `me` as the address.
pub(super) fn read_endpoint(
    end: &mut EndDraft,
    token: &WordToken,
    key: &str,
) -> Result<(), WordError> {
    let text = token.text.as_str();
    if matches!(text.to_ascii_lowercase().as_str(), "any" | "anywhere" | "*") {
        end.left_open = true;
        return Ok(());
    }
    let (address, port_text) = split_port(text);
    if let Some(port_text) = port_text {
        let port = port(port_text).ok_or_else(|| no_port(token, port_text))?;
        say_once(&mut end.port, port, token, "port")?;
    }
    if matches!(address, "" | "*") && port_text.is_some() {
        end.left_open = true;
        return Ok(());
    }
    if ME.iter().any(|me| address.eq_ignore_ascii_case(me)) {
        end.me = Some(said((), token));
        return Ok(());
    }
    if address.eq_ignore_ascii_case("localhost") {
        return say_once(
            &mut end.address,
            IpAddr::from([127, 0, 0, 1]),
            token,
            "address",
        );
    }
    if let Ok(address) = address.parse::<IpAddr>() {
        return say_once(
            &mut end.address,
            canonical_address(address),
            token,
            "address",
        );
    }
    let mut error = refuse(token, "no address");
    error.hint = Some(if names::number(text).is_some() || port(text).is_some() {
        format!("a port stands behind a colon: `{key} :{text}`")
    } else if address
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        "an IPv4 address has four numbers up to 255".into()
    } else if address.contains('/') {
        "a packet has one address: give one of the network's".into()
    } else if address.contains('%') {
        "leave the zone out and say `in IFACE`".into()
    } else if text.matches(':').count() > 1 {
        "an IPv6 address with a port has brackets: [2001:db8::1]:22".into()
    } else {
        "names are not looked up: give the address".into()
    });
    Err(error)
}

/// An IPv4 address that was written as IPv6 goes over the wire as IPv4.
fn canonical_address(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

fn split_port(text: &str) -> (&str, Option<&str>) {
    if let Some(rest) = text.strip_prefix('[') {
        return match rest.split_once(']') {
            Some((address, "")) => (address, None),
            Some((address, port)) => match port.strip_prefix(':') {
                Some(port) => (address, Some(port)),
                None => (text, None),
            },
            None => (text, None),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return (text, None);
    }
    match text.split_once(':') {
        Some((address, port)) if !port.contains(':') => (address, Some(port)),
        _ => (text, None),
    }
}

/// Refuses what is no port.
pub(super) fn no_port(token: &WordToken, text: &str) -> WordError {
    let mut error = refuse(token, format!("`{}` is no port", text.escape_debug()));
    error.hint = Some(if text.contains([':', '-', ',']) {
        "a packet has one port: ask for one of them at a time".into()
    } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
        "ports go up to 65535".into()
    } else {
        did_you_mean(text, service_names()).unwrap_or_else(|| {
            "give the number, or the name of a well-known service such as ssh".into()
        })
    });
    error
}
