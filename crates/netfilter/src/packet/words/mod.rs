//! A packet in words, as a person asks for it: `tcp from 203.0.113.9 to :22 in eth0 new`.
//!
//! The words come in any order, and the spelling of iptables' options is understood as well.
//! What contradicts itself is refused, as an answer about an impossible packet helps nobody;
//! what is left unsaid stays unknown or is taken for granted with a note. Such a packet has no
//! extension headers.
//!
//! | words | meaning |
//! | --- | --- |
//! | `tcp` `udp` `icmp` `icmpv6` `sctp` `dccp` `udplite` `esp` `ah` `gre` `igmp`, `proto N` | the protocol |
//! | `ipv4` `ipv6` | the family, where no address says it |
//! | `ssh` `dns` `http` `https` `ntp` `smtp` … | a service: its port, and its protocol if none is said |
//! | `from ADDR[:PORT]`, `to ADDR[:PORT]` | the ends; `to :22` is this host, `[2001:db8::1]:22` with brackets |
//! | `to me:80`, `from me` | this host, by whichever of its addresses |
//! | `sport N`, `dport N`, `port N` | the ports alone; `port` belongs to the end before it |
//! | `in IFACE`, `out IFACE` | the interfaces; both together: forwarded; `out` alone: sent by this host |
//! | `in`, `out`, `forwarded` | the way, by whichever interfaces |
//! | `new` `established` `related` `invalid` `untracked` | what conntrack says of it |
//! | `original` `reply` | the direction in its connection |
//! | `syn` `ack` `fin` `rst` `psh` `urg`, `flags syn,ack` | TCP flags, all the others are not set |
//! | `ping`, `ping6`, `echo-request`, `nd-neighbor-solicit`, `frag-needed`, `type 3/4`, `type 3 code 4` | ICMP type and code |
//! | `mark 0x1`, `ctmark 1`, `uid 1000`, `gid 100` | marks, and the owner of the sending socket |
//! | `length 1500`, `ttl 64`, `dscp ef`, `tos 0x10` | header fields |
//! | `mac aa:bb:cc:dd:ee:ff` | the sender's hardware address |
//! | `fragment` | a fragment that is not the first, so without ports |
//! | `unicast` `broadcast` `multicast` | how it came over the link |

mod build;
mod ends;
mod read;
mod usual_state;
mod way;

use super::Packet;

/// Reads a packet from words.
pub fn parse(words: &[String]) -> Result<Packet, WordError> {
    add(None, words)
}

/// Adds what words say to a packet of a capture; the words win where the capture was unsure.
pub fn add_to(packet: Packet, words: &[String]) -> Result<Packet, WordError> {
    add(Some(packet), words)
}

fn add(packet: Option<Packet>, words: &[String]) -> Result<Packet, WordError> {
    let draft = read::read(words)?;
    draft.build(packet)
}

/// A word that cannot be part of the packet.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WordError {
    /// Which of the arguments it is or stands in, from 0; one past the last if one is missing.
    pub argument: usize,
    /// At which of its bytes the word begins.
    pub at: usize,
    /// The word.
    pub word: String,
    /// What is wrong with it, without the word.
    pub what: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl std::fmt::Display for WordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.word.is_empty() {
            f.write_str(&self.what)
        } else {
            write!(f, "`{}`: {}", self.word.escape_debug(), self.what)
        }
    }
}

impl std::error::Error for WordError {}

#[cfg(test)]
mod tests;
