//! What is printed, the real programs take, and show again with the same meaning.

mod iptables;
mod nft;
