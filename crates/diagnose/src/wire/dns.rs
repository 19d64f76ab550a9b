//! DNS: a question, and whether it is answered.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ReadReply;

/// A question for the addresses of a name: type 1 for IPv4, 28 for IPv6.
pub fn dns_query(id: u16, name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    // Recursion is wanted; one question.
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        let label = label.as_bytes().get(..63).unwrap_or(label.as_bytes());
        bytes.push(u8::try_from(label.len()).unwrap_or(63));
        bytes.extend(label);
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

/// What an answer to the question of this number means.
pub fn read_dns_reply(id: u16, bytes: &[u8]) -> Option<ReadReply> {
    let [high, low, flags, more] = *bytes.get(..4)? else {
        return None;
    };
    if u16::from_be_bytes([high, low]) != id || flags & 0x80 == 0 {
        return ReadReply::garbled(bytes);
    }
    match more & 0x0f {
        0 => ReadReply::good("answers"),
        3 => ReadReply::good("answers: no such name"),
        2 => ReadReply::complaint("SERVFAIL", "SERVFAIL: it cannot find out"),
        5 => ReadReply::complaint("REFUSED", "REFUSED: it will not tell"),
        other => ReadReply::complaint(other.to_string(), format!("error {other}")),
    }
}

/// The addresses in an answer.
pub fn read_dns_addresses(bytes: &[u8]) -> Option<Vec<IpAddr>> {
    let number = |at: usize| {
        let pair = bytes.get(at..at + 2)?;
        Some(usize::from(u16::from_be_bytes(pair.try_into().ok()?)))
    };
    let (questions, answers) = (number(4)?, number(6)?);
    let mut at = 12;
    for _ in 0..questions {
        at = skip_name(bytes, at)? + 4;
    }
    let mut found = Vec::new();
    for _ in 0..answers {
        at = skip_name(bytes, at)?;
        let (kind, length) = (number(at)?, number(at + 8)?);
        let data = bytes.get(at + 10..at + 10 + length)?;
        match (kind, length) {
            (1, 4) => found.push(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into()),
            (28, 16) => found.push(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into()),
            _ => {}
        }
        at += 10 + length;
    }
    Some(found)
}

fn skip_name(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            0 => return Some(at + 1),
            // A pointer ends a name.
            length if length & 0xc0 == 0xc0 => return Some(at + 2),
            length => at += usize::from(*length) + 1,
        }
    }
}
