//! The language in which people say packets: one in [`crate::packet::words`], many in [`crate::traffic`].
//!
//! Here are its words and how they go together; what a value may be (one address, or a list of
//! networks) is the matter of its two readers. Every word is known to both.

mod icmp;
mod nearest;
mod services;
mod terms;
mod vocabulary;

pub(crate) use icmp::{find_type, is_type_name, type_names};
pub use nearest::did_you_mean;
pub use services::port_name;
pub(crate) use services::{NamedService, names as service_names, port, service};
pub(crate) use terms::{
    MissingWord, OpenBrace, Term, TermKind, Terms, WordPlace, WordToken, byte_range, can_be_a_name,
    is_address, list_items, tokens,
};
pub(crate) use vocabulary::{
    LINKS, ME, PROTOCOLS, STATES, expected_after, likely_meant, protocol, value_of,
};

#[cfg(test)]
mod tests;

/// Whether an ICMP type has the code 0 only: echo, router and neighbour messages
/// (RFC 792, 4443, 4861).
pub(crate) fn only_code_0(kind: u128, v6: bool) -> bool {
    if v6 {
        (128..=136).contains(&kind)
    } else {
        matches!(kind, 0 | 8 | 13 | 14)
    }
}
