//! What is asked: the target, and how a client would ask.

use std::net::IpAddr;

/// What is asked, and what the answer depends on beside the machine.
#[derive(Clone, Debug, Default)]
pub struct DiagnoseQuestion {
    /// A URL, `:PORT`, or the name of a unit or program.
    pub target: String,
    /// A text that a good answer holds.
    pub expect: Option<String>,
    /// The method of the request.
    pub method: String,
    /// What is sent with it.
    pub data: Option<String>,
    /// Headers of the request; `Host` is the name that is asked for.
    pub headers: Vec<(String, String)>,
    /// Where names lead, whatever else says so.
    pub resolve: Vec<(String, IpAddr)>,
    /// A command whose exit status tells whether the symptom is there.
    pub test: Option<String>,
    /// Seconds since 1970.
    pub now: u64,
    /// How far back changes are looked for, in seconds; 0 looks for none.
    pub changes_within: u64,
    /// Random bytes for the first message of TLS.
    pub random: [u8; 32],
}

impl DiagnoseQuestion {
    /// Where a name leads by the user's word.
    pub(super) fn resolved(&self, name: &str) -> Option<IpAddr> {
        let mut given = self.resolve.iter();
        given
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, address)| *address)
    }

    /// The `Host` header that the user gave.
    pub(super) fn host_header(&self) -> Option<String> {
        let mut hosts = self.headers.iter();
        let found = hosts.find(|(name, _)| name.eq_ignore_ascii_case("host"));
        found.map(|(_, value)| value.clone())
    }

    pub(super) fn other_headers(&self) -> Vec<(String, String)> {
        let headers = self.headers.iter();
        let others = headers.filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
        others.cloned().collect()
    }

    /// The name by which a web server chooses its server block.
    pub(super) fn asked_host(&self, name: &str) -> String {
        let given = self.host_header();
        let given = given.as_deref().map(|host| match host.rsplit_once(':') {
            Some((name, port)) if port.chars().all(|it| it.is_ascii_digit()) => name,
            _ => host,
        });
        given.unwrap_or(name).to_ascii_lowercase()
    }
}
