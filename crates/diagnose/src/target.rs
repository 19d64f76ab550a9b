//! The word that says what is wrong: a URL, a port, or the name of a unit.

use std::net::IpAddr;

use crate::error::DiagnoseError;

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedTarget {
    /// A page.
    Url(AskedUrl),
    /// A port of this machine.
    Port(u16),
    /// A unit or a program by name.
    Unit(String),
}

/// A URL in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedUrl {
    /// Whether it is within TLS.
    pub is_https: bool,
    /// The host, a name or a number.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query, with the slash.
    pub path: String,
}

impl AskedUrl {
    /// The host as a request names it.
    pub fn authority(&self) -> String {
        let usual = if self.is_https { 443 } else { 80 };
        let host = if self.host.parse::<std::net::Ipv6Addr>().is_ok() {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == usual {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// The URL as a whole.
    pub fn text(&self) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority(), self.path)
    }

    /// The host, if it is a number.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// Reads the word.
pub fn parse_target(text: &str) -> Result<AskedTarget, DiagnoseError> {
    let none = || DiagnoseError::NoTarget(text.to_owned());
    if let Some(port) = text.strip_prefix(':') {
        let port: u16 = port.parse().map_err(|_| none())?;
        return if port == 0 {
            Err(none())
        } else {
            Ok(AskedTarget::Port(port))
        };
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        let is_name = !text.is_empty()
            && text
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "._-@:\\".contains(letter));
        return if is_name {
            Ok(AskedTarget::Unit(text.to_owned()))
        } else {
            Err(none())
        };
    };
    let is_https = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return Err(DiagnoseError::Scheme(text.to_owned())),
    };
    let (authority, path) = match rest.find(['/', '?', '#']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let path = path.split('#').next().unwrap_or_default();
    // What would end the request line must not be in it.
    if path
        .chars()
        .any(|letter| letter.is_whitespace() || letter.is_control())
    {
        return Err(none());
    }
    let host = authority.rsplit('@').next().unwrap_or_default();
    let usual = if is_https { 443 } else { 80 };
    let written = crate::discover::WrittenAddress::read(host, Some(usual));
    match written {
        Some(crate::discover::WrittenAddress::Host(host, port)) if host != "*" && port != 0 => {
            Ok(AskedTarget::Url(AskedUrl {
                is_https,
                host: host.to_ascii_lowercase(),
                port,
                path: if path.starts_with('/') {
                    path.to_owned()
                } else {
                    format!("/{path}")
                },
            }))
        }
        _ => Err(none()),
    }
}

/// The URL that is meant by a word like `localhost:80` or `127.0.0.1/app`.
pub fn suggest_url(text: &str) -> Option<String> {
    let has_port = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    let is_meant = !text.contains("://") && (has_port || text.contains('/'));
    let url = format!("http://{text}");
    let is_url = matches!(parse_target(&url), Ok(AskedTarget::Url(_)));
    (is_meant && is_url).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_its_scheme_is_recognised() {
        let url = |text: &str| suggest_url(text);
        assert_eq!(url("localhost:80").as_deref(), Some("http://localhost:80"));
        assert_eq!(
            url("127.0.0.1/app").as_deref(),
            Some("http://127.0.0.1/app")
        );
        for other in ["nginx.service", ":80", "ftp://a/", "/run/x.sock", "a b/c"] {
            assert_eq!(url(other), None, "{other}");
        }
    }

    #[test]
    fn urls_ports_and_units_are_told_apart() {
        let url = |text: &str| match parse_target(text).unwrap() {
            AskedTarget::Url(url) => url,
            other => panic!("{other:?}"),
        };
        assert_eq!(url("http://a.test").text(), "http://a.test/");
        assert_eq!(
            url("HTTPS://u@A.test:8443/x?y#z").text(),
            "https://a.test:8443/x?y"
        );
        assert_eq!(url("http://[::1]:81/").text(), "http://[::1]:81/");
        assert_eq!(url("http://a.test?x").path, "/?x");
        assert_eq!(parse_target(":80"), Ok(AskedTarget::Port(80)));
        let unit = AskedTarget::Unit("nginx.service".to_owned());
        assert_eq!(parse_target("nginx.service"), Ok(unit));
        for bad in [
            "",
            ":0",
            ":x",
            "ftp://a/",
            "http://",
            "http://a/ x",
            "a b",
            "http://a:0/",
        ] {
            assert!(parse_target(bad).is_err(), "{bad}");
        }
    }
}
