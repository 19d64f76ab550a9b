//! Services by name, as words of their own: `ssh` is TCP to port 22.
//!
//! Only names that mean nothing else to a person who asks about packets are here; the other names
//! of `/etc/services`, such as `time` or `login`, are understood where a port is expected.

use surefoot_ruleset::parse::names;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// A service that a word stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Service {
    /// Its usual protocol.
    pub(super) protocol: u8,
    /// Its port.
    pub(super) port: u16,
    /// Another protocol that it is spoken over, which a person may have had in mind.
    pub(super) other: Option<u8>,
}

const fn only(protocol: u8, port: u16) -> Service {
    Service {
        protocol,
        port,
        other: None,
    }
}

const fn both(protocol: u8, port: u16) -> Service {
    Service {
        protocol,
        port,
        other: Some(if protocol == TCP { UDP } else { TCP }),
    }
}

const SERVICES: &[(&str, Service)] = &[
    ("ftp", only(TCP, 21)),
    ("ssh", only(TCP, 22)),
    ("telnet", only(TCP, 23)),
    ("smtp", only(TCP, 25)),
    ("dns", both(UDP, 53)),
    ("domain", both(UDP, 53)),
    ("dhcp", only(UDP, 67)),
    ("bootps", only(UDP, 67)),
    ("bootpc", only(UDP, 68)),
    ("tftp", only(UDP, 69)),
    ("http", only(TCP, 80)),
    ("www", only(TCP, 80)),
    ("kerberos", both(UDP, 88)),
    ("pop3", only(TCP, 110)),
    ("rpcbind", both(TCP, 111)),
    ("sunrpc", both(TCP, 111)),
    ("portmapper", both(TCP, 111)),
    ("nntp", only(TCP, 119)),
    ("ntp", only(UDP, 123)),
    ("netbios-ns", only(UDP, 137)),
    ("netbios-dgm", only(UDP, 138)),
    ("netbios-ssn", only(TCP, 139)),
    ("imap", only(TCP, 143)),
    ("snmp", only(UDP, 161)),
    ("snmptrap", only(UDP, 162)),
    ("bgp", only(TCP, 179)),
    ("irc", only(TCP, 194)),
    ("ldap", only(TCP, 389)),
    ("https", both(TCP, 443)),
    ("http3", only(UDP, 443)),
    ("quic", only(UDP, 443)),
    ("smb", only(TCP, 445)),
    ("microsoft-ds", only(TCP, 445)),
    ("submissions", only(TCP, 465)),
    ("smtps", only(TCP, 465)),
    ("isakmp", only(UDP, 500)),
    ("ike", only(UDP, 500)),
    ("dhcpv6", only(UDP, 547)),
    ("dhcpv6-client", only(UDP, 546)),
    ("dhcpv6-server", only(UDP, 547)),
    ("syslog", only(UDP, 514)),
    ("rtsp", only(TCP, 554)),
    ("submission", only(TCP, 587)),
    ("ipp", only(TCP, 631)),
    ("ldaps", only(TCP, 636)),
    ("domain-s", only(TCP, 853)),
    ("rsync", only(TCP, 873)),
    ("ftps", only(TCP, 990)),
    ("imaps", only(TCP, 993)),
    ("pop3s", only(TCP, 995)),
    ("openvpn", both(UDP, 1194)),
    ("mssql", only(TCP, 1433)),
    ("ms-sql-s", only(TCP, 1433)),
    ("pptp", only(TCP, 1723)),
    ("radius", only(UDP, 1812)),
    ("radius-acct", only(UDP, 1813)),
    ("nfs", both(TCP, 2049)),
    ("mysql", only(TCP, 3306)),
    ("mariadb", only(TCP, 3306)),
    ("rdp", both(TCP, 3389)),
    ("ms-wbt-server", both(TCP, 3389)),
    ("ipsec-nat-t", only(UDP, 4500)),
    ("sip", both(UDP, 5060)),
    ("sips", only(TCP, 5061)),
    ("mdns", only(UDP, 5353)),
    ("postgresql", only(TCP, 5432)),
    ("postgres", only(TCP, 5432)),
    ("amqp", only(TCP, 5672)),
    ("vnc", only(TCP, 5900)),
    ("redis", only(TCP, 6379)),
    ("http-alt", only(TCP, 8080)),
    ("memcached", both(TCP, 11211)),
    ("mongodb", only(TCP, 27017)),
    ("wireguard", only(UDP, 51820)),
];

/// The service of a name.
pub(super) fn service(word: &str) -> Option<Service> {
    let found = SERVICES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, service)| *service)
}

/// What a port is commonly called.
pub(super) fn port_name(port: u16) -> Option<&'static str> {
    let found = SERVICES.iter().find(|(_, service)| service.port == port);
    found.map(|(name, _)| *name)
}

/// All names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SERVICES.iter().map(|(name, _)| *name)
}

/// A port, by number or by the name of a service.
pub(super) fn port(text: &str) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let service = service(text).map(|service| service.port);
    service.or_else(|| names::port(&text.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::{SERVICES, names};

    #[test]
    fn both_lists_of_services_agree() {
        let mut compared = 0;
        for (name, service) in SERVICES {
            if let Some(port) = names::port(name) {
                assert_eq!(port, service.port, "{name}");
                compared += 1;
            }
        }
        assert!(compared > 40, "{compared}");
    }
}
