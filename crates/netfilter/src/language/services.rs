//! Services by name, as words of their own: `ssh` is TCP to port 22.
//!
//! Only names that mean nothing else to a person who asks about packets are here; the other names
//! of `/etc/services`, such as `time` or `login`, are understood where a port is expected.

use surefoot_ruleset::parse::names;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// A service that a word stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NamedService {
    /// Its usual protocol.
    pub(crate) protocol: u8,
    /// Its port.
    pub(crate) port: u16,
    /// Another protocol that it is spoken over, which a person may have had in mind.
    pub(crate) other: Option<u8>,
}

const fn one_protocol(protocol: u8, port: u16) -> NamedService {
    NamedService {
        protocol,
        port,
        other: None,
    }
}

const fn tcp_and_udp(protocol: u8, port: u16) -> NamedService {
    NamedService {
        protocol,
        port,
        other: Some(if protocol == TCP { UDP } else { TCP }),
    }
}

const SERVICES: &[(&str, NamedService)] = &[
    ("ftp", one_protocol(TCP, 21)),
    ("ssh", one_protocol(TCP, 22)),
    ("telnet", one_protocol(TCP, 23)),
    ("smtp", one_protocol(TCP, 25)),
    ("dns", tcp_and_udp(UDP, 53)),
    ("domain", tcp_and_udp(UDP, 53)),
    ("dhcp", one_protocol(UDP, 67)),
    ("bootps", one_protocol(UDP, 67)),
    ("bootpc", one_protocol(UDP, 68)),
    ("tftp", one_protocol(UDP, 69)),
    ("http", one_protocol(TCP, 80)),
    ("www", one_protocol(TCP, 80)),
    ("kerberos", tcp_and_udp(UDP, 88)),
    ("pop3", one_protocol(TCP, 110)),
    ("rpcbind", tcp_and_udp(TCP, 111)),
    ("sunrpc", tcp_and_udp(TCP, 111)),
    ("portmapper", tcp_and_udp(TCP, 111)),
    ("nntp", one_protocol(TCP, 119)),
    ("ntp", one_protocol(UDP, 123)),
    ("netbios-ns", one_protocol(UDP, 137)),
    ("netbios-dgm", one_protocol(UDP, 138)),
    ("netbios-ssn", one_protocol(TCP, 139)),
    ("imap", one_protocol(TCP, 143)),
    ("snmp", one_protocol(UDP, 161)),
    ("snmptrap", one_protocol(UDP, 162)),
    ("bgp", one_protocol(TCP, 179)),
    ("irc", one_protocol(TCP, 194)),
    ("ldap", one_protocol(TCP, 389)),
    ("https", tcp_and_udp(TCP, 443)),
    ("http3", one_protocol(UDP, 443)),
    ("quic", one_protocol(UDP, 443)),
    ("smb", one_protocol(TCP, 445)),
    ("microsoft-ds", one_protocol(TCP, 445)),
    ("submissions", one_protocol(TCP, 465)),
    ("smtps", one_protocol(TCP, 465)),
    ("isakmp", one_protocol(UDP, 500)),
    ("ike", one_protocol(UDP, 500)),
    ("dhcpv6", one_protocol(UDP, 547)),
    ("dhcpv6-client", one_protocol(UDP, 546)),
    ("dhcpv6-server", one_protocol(UDP, 547)),
    ("syslog", one_protocol(UDP, 514)),
    ("rtsp", one_protocol(TCP, 554)),
    ("submission", one_protocol(TCP, 587)),
    ("ipp", one_protocol(TCP, 631)),
    ("ldaps", one_protocol(TCP, 636)),
    ("domain-s", one_protocol(TCP, 853)),
    ("rsync", one_protocol(TCP, 873)),
    ("ftps", one_protocol(TCP, 990)),
    ("imaps", one_protocol(TCP, 993)),
    ("pop3s", one_protocol(TCP, 995)),
    ("openvpn", tcp_and_udp(UDP, 1194)),
    ("mssql", one_protocol(TCP, 1433)),
    ("ms-sql-s", one_protocol(TCP, 1433)),
    ("pptp", one_protocol(TCP, 1723)),
    ("radius", one_protocol(UDP, 1812)),
    ("radius-acct", one_protocol(UDP, 1813)),
    ("nfs", tcp_and_udp(TCP, 2049)),
    ("mysql", one_protocol(TCP, 3306)),
    ("mariadb", one_protocol(TCP, 3306)),
    ("rdp", tcp_and_udp(TCP, 3389)),
    ("ms-wbt-server", tcp_and_udp(TCP, 3389)),
    ("ipsec-nat-t", one_protocol(UDP, 4500)),
    ("sip", tcp_and_udp(UDP, 5060)),
    ("sips", one_protocol(TCP, 5061)),
    ("mdns", one_protocol(UDP, 5353)),
    ("postgresql", one_protocol(TCP, 5432)),
    ("postgres", one_protocol(TCP, 5432)),
    ("amqp", one_protocol(TCP, 5672)),
    ("vnc", one_protocol(TCP, 5900)),
    ("redis", one_protocol(TCP, 6379)),
    ("http-alt", one_protocol(TCP, 8080)),
    ("memcached", tcp_and_udp(TCP, 11211)),
    ("mongodb", one_protocol(TCP, 27017)),
    ("wireguard", one_protocol(UDP, 51820)),
];

/// The service of a name.
pub(crate) fn service(word: &str) -> Option<NamedService> {
    let found = SERVICES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, service)| *service)
}

/// What a port is commonly called.
pub fn port_name(port: u16) -> Option<&'static str> {
    let found = SERVICES.iter().find(|(_, service)| service.port == port);
    found.map(|(name, _)| *name)
}

/// All names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SERVICES.iter().map(|(name, _)| *name)
}

/// A port, by number or by the name of a service.
pub(crate) fn port(text: &str) -> Option<u16> {
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
