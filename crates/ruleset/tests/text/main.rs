//! Text to meaning and back.

mod iptables;
mod nft;
mod pairs;
