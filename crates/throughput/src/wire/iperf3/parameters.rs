//! The parameters that a client sends: one JSON object.
//!
//! A key of the wrong type counts as absent, and unknown keys are left alone, as iperf3 does.

use serde_json::{Map, Value, json};
use thiserror::Error;

/// The transport protocol of the streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransportKind {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

/// Why parameters are refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParameterError {
    /// The document is no JSON object.
    #[error("the parameters are no JSON object: {0}")]
    Malformed(String),
    /// SCTP, which is missing here.
    #[error("the client asks for SCTP, which this server does not have")]
    Sctp,
    /// A number beyond its bounds.
    #[error("parameter `{key}` is {value}, which is not within {least} to {most}")]
    OutOfBounds {
        /// The name of the parameter.
        key: &'static str,
        /// What the client asks for.
        value: i64,
        /// The least that is taken.
        least: i64,
        /// The most that is taken.
        most: i64,
    },
}

/// What a test is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a flag of the protocol stays a flag"
)]
pub struct TestParameters {
    /// TCP or UDP.
    pub transport: TransportKind,
    /// Seconds at the start that do not count.
    pub omit: u32,
    /// Seconds; 0 if bytes or blocks end the test.
    pub time: u32,
    /// Bytes that end the test, or 0.
    pub bytes: u64,
    /// Blocks that end the test, or 0.
    pub blocks: u64,
    /// The maximum segment size, or 0.
    pub segment_size: u32,
    /// Whether Nagle's algorithm is off.
    pub no_delay: bool,
    /// Streams in each direction.
    pub parallel: u32,
    /// The server sends.
    pub reverse: bool,
    /// Both send.
    pub bidirectional: bool,
    /// The size of the socket buffers, or 0.
    pub window: u32,
    /// The size of a block or datagram.
    pub block_length: u32,
    /// Bit/s for each stream; 0 is without a limit.
    pub bandwidth: u64,
    /// Bit/s for the kernel's pacing, or 0.
    pub pacing_rate: u64,
    /// Microseconds of the pacing timer.
    pub pacing_timer: u32,
    /// Blocks that are sent at once, or 0.
    pub burst: u32,
    /// Type of service.
    pub type_of_service: u32,
    /// A title for the output.
    pub title: Option<String>,
    /// The congestion control algorithm.
    pub congestion: Option<String>,
    /// The client wants the server's output.
    pub wants_server_output: bool,
    /// Datagrams have counters of 64 bits.
    pub wide_counters: bool,
    /// The payload is a pattern instead of random bytes.
    pub repeating_payload: bool,
    /// Datagrams must not be fragmented.
    pub dont_fragment: bool,
    /// The receiver discards in the kernel.
    pub skip_receive_copy: bool,
    /// The client's version.
    pub client_version: Option<String>,
}

/// The most streams in each direction.
const MOST_STREAMS: i64 = 128;
/// The longest test, in seconds.
const LONGEST: i64 = 86_400;
/// The longest TCP block.
const LONGEST_BLOCK: i64 = 1 << 20;
/// The longest UDP payload over IPv4.
const LONGEST_DATAGRAM: i64 = 65_507;

impl TestParameters {
    /// Reads the document of a client and checks its bounds.
    pub fn from_json(document: &[u8]) -> Result<Self, ParameterError> {
        let value: Value = serde_json::from_slice(document)
            .map_err(|error| ParameterError::Malformed(error.to_string()))?;
        let Value::Object(keys) = value else {
            return Err(ParameterError::Malformed("not an object".to_owned()));
        };
        if flag(&keys, "sctp") {
            return Err(ParameterError::Sctp);
        }
        let transport = if flag(&keys, "udp") {
            TransportKind::Udp
        } else {
            TransportKind::Tcp
        };
        let (shortest, longest, default) = match transport {
            TransportKind::Tcp => (1, LONGEST_BLOCK, 131_072),
            TransportKind::Udp => (16, LONGEST_DATAGRAM, 1460),
        };
        let block_length = match bounded(&keys, "len", 0, longest)? {
            0 => default,
            given => i64::from(given),
        };
        check_bounds("len", block_length, shortest, longest)?;
        let parallel = bounded(&keys, "parallel", 0, MOST_STREAMS)?.max(1);
        Ok(Self {
            transport,
            omit: bounded(&keys, "omit", 0, 600)?,
            time: bounded(&keys, "time", 0, LONGEST)?,
            bytes: amount(&keys, "num")?,
            blocks: amount(&keys, "blockcount")?,
            segment_size: bounded(&keys, "MSS", 0, 32_767)?,
            no_delay: flag(&keys, "nodelay"),
            parallel,
            reverse: flag(&keys, "reverse"),
            bidirectional: flag(&keys, "bidirectional"),
            window: bounded(&keys, "window", 0, i64::from(i32::MAX))?,
            block_length: u32::try_from(block_length).unwrap_or(1),
            bandwidth: amount(&keys, "bandwidth")?,
            pacing_rate: amount(&keys, "fqrate")?,
            pacing_timer: bounded(&keys, "pacing_timer", 0, i64::from(i32::MAX))?,
            burst: bounded(&keys, "burst", 0, 1000)?,
            type_of_service: bounded(&keys, "TOS", 0, 255)?,
            title: text(&keys, "title"),
            congestion: text(&keys, "congestion"),
            wants_server_output: flag(&keys, "get_server_output"),
            wide_counters: flag(&keys, "udp_counters_64bit"),
            repeating_payload: flag(&keys, "repeating_payload"),
            dont_fragment: flag(&keys, "dont_fragment"),
            skip_receive_copy: flag(&keys, "skip_rx_copy"),
            client_version: text(&keys, "client_version"),
        })
    }

    /// The document that a client sends.
    pub fn to_json(&self) -> String {
        let transport = match self.transport {
            TransportKind::Tcp => "tcp",
            TransportKind::Udp => "udp",
        };
        let mut keys = Map::new();
        let mut put = |key: &str, value: Value| keys.insert(key.to_owned(), value);
        put(transport, Value::Bool(true));
        put("omit", json!(self.omit));
        put("time", json!(self.time));
        put("num", json!(self.bytes));
        put("blockcount", json!(self.blocks));
        put("parallel", json!(self.parallel));
        put("len", json!(self.block_length));
        put("pacing_timer", json!(self.pacing_timer));
        let numbers = [
            ("MSS", u64::from(self.segment_size)),
            ("window", u64::from(self.window)),
            ("bandwidth", self.bandwidth),
            ("fqrate", self.pacing_rate),
            ("burst", u64::from(self.burst)),
            ("TOS", u64::from(self.type_of_service)),
        ];
        for (key, number) in numbers.into_iter().filter(|(_, number)| *number > 0) {
            put(key, json!(number));
        }
        let flags = [
            ("nodelay", self.no_delay),
            ("reverse", self.reverse),
            ("bidirectional", self.bidirectional),
        ];
        for (key, _) in flags.into_iter().filter(|(_, given)| *given) {
            put(key, Value::Bool(true));
        }
        // These the reference sends as the number 1.
        let ones = [
            ("get_server_output", self.wants_server_output),
            ("udp_counters_64bit", self.wide_counters),
            ("repeating_payload", self.repeating_payload),
            ("dont_fragment", self.dont_fragment),
            ("skip_rx_copy", self.skip_receive_copy),
        ];
        for (key, _) in ones.into_iter().filter(|(_, given)| *given) {
            put(key, json!(1));
        }
        let texts = [
            ("title", &self.title),
            ("congestion", &self.congestion),
            ("client_version", &self.client_version),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                put(key, json!(text));
            }
        }
        Value::Object(keys).to_string()
    }
}

/// `true`, or a number other than 0: iperf3 writes both.
fn flag(keys: &Map<String, Value>, key: &str) -> bool {
    match keys.get(key) {
        Some(Value::Bool(given)) => *given,
        Some(Value::Number(number)) => number.as_f64().is_some_and(|number| number != 0.0),
        _ => false,
    }
}

fn text(keys: &Map<String, Value>, key: &str) -> Option<String> {
    keys.get(key)?.as_str().map(str::to_owned)
}

/// A number that may have been written as a floating-point one.
fn number(keys: &Map<String, Value>, key: &str) -> i64 {
    let Some(Value::Number(number)) = keys.get(key) else {
        return 0;
    };
    #[expect(clippy::cast_possible_truncation, reason = "out of range saturates")]
    let rounded = |number: f64| number as i64;
    number
        .as_i64()
        .or_else(|| number.as_u64().map(|_| i64::MAX))
        .or_else(|| number.as_f64().map(rounded))
        .unwrap_or(0)
}

fn bounded(
    keys: &Map<String, Value>,
    key: &'static str,
    least: i64,
    most: i64,
) -> Result<u32, ParameterError> {
    let value = number(keys, key);
    check_bounds(key, value, least, most)?;
    Ok(u32::try_from(value).unwrap_or(0))
}

fn amount(keys: &Map<String, Value>, key: &'static str) -> Result<u64, ParameterError> {
    let value = number(keys, key);
    check_bounds(key, value, 0, i64::MAX)?;
    Ok(u64::try_from(value).unwrap_or(0))
}

fn check_bounds(
    key: &'static str,
    value: i64,
    least: i64,
    most: i64,
) -> Result<(), ParameterError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(ParameterError::OutOfBounds {
        key,
        value,
        least,
        most,
    })
}
