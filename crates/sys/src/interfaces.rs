//! Which interface has an address, and the rate of a wireless one.

use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd as _;

/// The interface that has an address; none if no interface has it.
pub fn interface_of(address: IpAddr) -> io::Result<Option<String>> {
    let mut first: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the call writes the head of a list, which is given back below.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = None;
    let mut next = first;
    while !next.is_null() && found.is_none() {
        // SAFETY: the list is whole until it is given back, and its end is null.
        let entry = unsafe { &*next };
        if address_of(entry) == Some(address.to_canonical()) {
            // SAFETY: the name of an entry is a string that ends in a NUL and lives as long as the list.
            let name = unsafe { CStr::from_ptr(entry.ifa_name) };
            found = Some(name.to_string_lossy().into_owned());
        }
        next = entry.ifa_next;
    }
    // SAFETY: the list comes from `getifaddrs`, and nothing of it is kept.
    unsafe { libc::freeifaddrs(first) };
    Ok(found)
}

/// The IP address of an entry, if it has one.
fn address_of(entry: &libc::ifaddrs) -> Option<IpAddr> {
    if entry.ifa_addr.is_null() {
        return None;
    }
    // SAFETY: an address that is not null begins with its family.
    match i32::from(unsafe { (*entry.ifa_addr).sa_family }) {
        libc::AF_INET => {
            // SAFETY: an address of this family has this form; it may not be aligned for it.
            let v4 = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

/// `struct iwreq` of <linux/wireless.h>, as far as a rate is asked for.
#[repr(C)]
struct WirelessRequest {
    name: [u8; libc::IFNAMSIZ],
    rate: i32,
    rest: [u8; 12],
}

/// The bit/s at which a wireless interface sends now.
pub fn wireless_rate(interface: &str) -> io::Result<u64> {
    // `SIOCGIWRATE`, which the library does not name.
    const ASK_FOR_RATE: libc::Ioctl = 0x8B21;
    let mut request = WirelessRequest {
        name: [0; libc::IFNAMSIZ],
        rate: 0,
        rest: [0; 12],
    };
    let name = interface.as_bytes();
    if name.len() >= libc::IFNAMSIZ {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    request.name[..name.len()].copy_from_slice(name);
    let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // SAFETY: the kernel reads and writes one structure of this size, which lives during the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), ASK_FOR_RATE, &raw mut request) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u64::try_from(request.rate).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_its_addresses_and_is_not_wireless() {
        let of = |text: &str| interface_of(text.parse().expect("an address"));
        assert_eq!(of("127.0.0.1").expect("a list").as_deref(), Some("lo"));
        assert_eq!(of("192.0.2.77").expect("a list"), None);
        assert!(wireless_rate("lo").is_err());
        assert!(wireless_rate("a-name-that-is-too-long").is_err());
    }
}
