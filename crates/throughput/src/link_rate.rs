//! The nominal rate of the link that a test left this machine by, and what of it is to be expected.
//!
//! A wired link carries all but the heads of its frames. Of the rate that a Wi-Fi adapter names, data get a
//! half to two thirds: stations take turns, wait between frames and acknowledge each.

use std::net::IpAddr;
use std::path::Path;

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRate {
    /// Its interface.
    pub interface: String,
    /// Bit/s, by its name.
    pub nominal: u64,
    /// Whether it is Wi-Fi.
    pub is_wireless: bool,
}

/// Payload of TCP, with time stamps, in what a full frame takes on a wire: preamble, heads, checksum and gap.
const WIRED_SHARE: f64 = 1448.0 / 1538.0;
/// Of the rate of 802.11n and later, with frames that are sent together.
const WIRELESS_SHARE: f64 = 0.6;
/// Of that of 802.11b and 802.11g, where each frame is acknowledged by itself.
const OLD_WIRELESS_SHARE: f64 = 0.45;
/// The fastest of 802.11g.
const OLD_WIRELESS_RATE: u64 = 54_000_000;

impl LinkRate {
    /// The link of a local address: nothing if its rate is unknown. A link that is made by the kernel alone
    /// names a rate too, and keeps to none.
    pub(crate) fn of_address(local: IpAddr) -> Option<Self> {
        let interface = surefoot_sys::interface_of(local).ok().flatten()?;
        let folder = Path::new("/sys/class/net").join(&interface);
        if !folder.join("device").exists() {
            return None;
        }
        let is_wireless = ["wireless", "phy80211"]
            .iter()
            .any(|name| folder.join(name).exists());
        let nominal = if is_wireless {
            surefoot_sys::wireless_rate(&interface).ok()?
        } else {
            let speed = std::fs::read_to_string(folder.join("speed")).ok()?;
            wired_rate(&speed)?
        };
        (nominal > 0).then_some(Self {
            interface,
            nominal,
            is_wireless,
        })
    }

    /// The bit/s of payload that are to be expected.
    pub fn expected(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let nominal = self.nominal as f64;
        nominal
            * match (self.is_wireless, self.nominal <= OLD_WIRELESS_RATE) {
                (false, _) => WIRED_SHARE,
                (true, true) => OLD_WIRELESS_SHARE,
                (true, false) => WIRELESS_SHARE,
            }
    }
}

/// The rate in the file `speed` of an interface: Mbit/s, or -1.
fn wired_rate(text: &str) -> Option<u64> {
    let megabits: u64 = text.trim().parse().ok()?;
    (megabits > 0).then_some(megabits * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(nominal: u64, is_wireless: bool) -> LinkRate {
        LinkRate {
            interface: "if0".to_owned(),
            nominal,
            is_wireless,
        }
    }

    #[test]
    fn a_speed_that_is_unknown_is_none() {
        assert_eq!(wired_rate("1000\n"), Some(1_000_000_000));
        assert_eq!(wired_rate("-1\n"), None);
        assert_eq!(wired_rate("0\n"), None);
    }

    #[test]
    fn what_is_to_be_expected_depends_on_the_kind_of_link() {
        let near = |link: &LinkRate, megabits: f64| {
            let expected = link.expected() / 1e6;
            assert!((expected - megabits).abs() < 1.0, "{expected}");
        };
        near(&link(100_000_000, false), 94.0);
        near(&link(65_000_000, true), 39.0);
        near(&link(54_000_000, true), 24.0);
    }
}
