//! Asks the kernel itself whether it holds rules or sets, for when the program is absent that
//! would print them.

use std::io;

use rustix::net::netlink::NETFILTER;

use super::netlink::dump;

/// `NFT_MSG_GETTABLE` and `NFT_MSG_NEWTABLE` of `linux/netfilter/nf_tables.h`, after the number
/// of their subsystem.
const GET_TABLE: u16 = 0x0a01;
const NEW_TABLE: u16 = 0x0a00;

/// `IPSET_CMD_LIST` of `linux/netfilter/ipset/ip_set.h`; its answers have the same number.
const LIST_SETS: u16 = 0x0607;

/// Whether nft holds a table in this network namespace.
pub(super) fn has_tables() -> io::Result<bool> {
    any(GET_TABLE, NEW_TABLE, &[0; 4])
}

/// Whether there is a set of ipset in this network namespace.
pub(super) fn has_sets() -> io::Result<bool> {
    // After `struct nfgenmsg`: IPSET_ATTR_PROTOCOL, 6, and IPSET_ATTR_FLAGS with
    // IPSET_FLAG_LIST_SETNAME, for the names only.
    let mut body = vec![0; 4];
    for (kind, value) in [(1_u16, &[6_u8][..]), (6 | 0x4000, &[0, 0, 0, 2])] {
        let length = u16::try_from(4 + value.len()).unwrap_or(0);
        body.extend(length.to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    any(LIST_SETS, LIST_SETS, &body)
}

fn any(asked: u16, answer: u16, body: &[u8]) -> io::Result<bool> {
    /// `EOPNOTSUPP` and `EINVAL`: no such subsystem in this kernel.
    const ABSENT: [i32; 2] = [95, 22];
    match dump(Some(NETFILTER), asked, body, |kind, _| {
        (kind == answer).then_some(())
    }) {
        Ok(list) => Ok(!list.items.is_empty()),
        Err(error)
            if error
                .raw_os_error()
                .is_some_and(|code| ABSENT.contains(&code)) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use surefoot_testkit::{Namespace, or_fail};

    #[test]
    fn tables_and_sets_are_seen_without_their_programs() {
        let namespace = or_fail(Namespace::new());
        let seen = || {
            let both = namespace.within(|| Ok((has_tables()?, has_sets()?)));
            both.expect("the kernel answers root")
        };
        let run = |words: &[&str]| namespace.run(words).expect("the tool is there");
        assert_eq!(seen(), (false, false));
        run(&["nft", "add", "table", "bridge", "t"]);
        assert_eq!(seen(), (true, false));
        run(&["ipset", "create", "s", "hash:ip"]);
        assert_eq!(seen(), (true, true));
        run(&["nft", "flush", "ruleset"]);
        assert_eq!(seen(), (false, true));
    }
}
