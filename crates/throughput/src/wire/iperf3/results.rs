//! The results that both sides exchange at the end: one JSON object each.

use serde_json::{Map, Value, json};
use thiserror::Error;

/// Why results cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResultsError {
    /// The document is no JSON object.
    #[error("the results are no JSON object: {0}")]
    Malformed(String),
    /// A key that each peer sends is missing.
    #[error("the results have no `{0}`")]
    Missing(&'static str),
}

/// The counters of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamResult {
    /// Its number; see [`stream_id`].
    pub id: u32,
    /// Bytes sent, or received.
    pub bytes: u64,
    /// Segments sent again; `None` where the side does not know.
    pub retransmits: Option<u64>,
    /// Jitter in seconds.
    pub jitter: f64,
    /// Datagrams that were lost.
    pub lost: u64,
    /// Of these, while nothing counted; since 3.14.
    pub omitted_lost: Option<u64>,
    /// Datagrams that were sent, by the highest counter seen.
    pub packets: u64,
    /// Of these, while nothing counted; since 3.14.
    pub omitted_packets: Option<u64>,
    /// Seconds from the start at which counting began.
    pub start_time: f64,
    /// Seconds from the start at which counting ended.
    pub end_time: f64,
}

/// The results of one side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestResults {
    /// CPU time of the side in percent of one core: total, in user space, in the kernel.
    pub cpu_percent: [f64; 3],
    /// Whether retransmits are known; `None` from a side that only receives.
    pub has_retransmits: Option<bool>,
    /// The congestion control algorithm in use.
    pub congestion: Option<String>,
    /// The streams.
    pub streams: Vec<StreamResult>,
    /// The server's output as text.
    pub server_output_text: Option<String>,
    /// The server's output as JSON.
    pub server_output_json: Option<Value>,
}

/// The number of the stream at a place: 1, 3, 4, 5... The number 2 is never used.
pub fn stream_id(place: u32) -> u32 {
    if place == 0 {
        1
    } else {
        place.saturating_add(2)
    }
}

/// More streams than this belong to no test.
const MOST_STREAMS: usize = 256;

impl TestResults {
    /// Reads the document of the other side.
    pub fn from_json(document: &[u8]) -> Result<Self, ResultsError> {
        let value: Value = serde_json::from_slice(document)
            .map_err(|error| ResultsError::Malformed(error.to_string()))?;
        let Value::Object(keys) = value else {
            return Err(ResultsError::Malformed("not an object".to_owned()));
        };
        let Some(Value::Array(streams)) = keys.get("streams") else {
            return Err(ResultsError::Missing("streams"));
        };
        let streams = streams
            .iter()
            .take(MOST_STREAMS)
            .map(read_stream)
            .collect::<Result<_, _>>()?;
        let has_retransmits = match signed(&keys, "sender_has_retransmits") {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        };
        Ok(Self {
            cpu_percent: [
                decimal(&keys, "cpu_util_total"),
                decimal(&keys, "cpu_util_user"),
                decimal(&keys, "cpu_util_system"),
            ],
            has_retransmits,
            congestion: text(&keys, "congestion_used"),
            streams,
            server_output_text: text(&keys, "server_output_text"),
            server_output_json: keys.get("server_output_json").cloned(),
        })
    }

    /// The document to send.
    pub fn to_json(&self) -> String {
        let mut document = json!({
            "cpu_util_total": self.cpu_percent[0],
            "cpu_util_user": self.cpu_percent[1],
            "cpu_util_system": self.cpu_percent[2],
            "sender_has_retransmits": self.has_retransmits.map_or(-1, i32::from),
        });
        if let Some(congestion) = &self.congestion {
            document["congestion_used"] = json!(congestion);
        }
        document["streams"] = self.streams.iter().map(write_stream).collect();
        if let Some(output) = &self.server_output_text {
            document["server_output_text"] = json!(output);
        }
        if let Some(output) = &self.server_output_json {
            document["server_output_json"] = output.clone();
        }
        document.to_string()
    }
}

fn read_stream(value: &Value) -> Result<StreamResult, ResultsError> {
    let Value::Object(keys) = value else {
        return Err(ResultsError::Malformed("a stream is no object".to_owned()));
    };
    let required = |key: &'static str| {
        keys.get(key)
            .filter(|value| value.is_number())
            .map(|_| count(keys, key))
            .ok_or(ResultsError::Missing(key))
    };
    Ok(StreamResult {
        id: u32::try_from(required("id")?).unwrap_or(0),
        bytes: required("bytes")?,
        retransmits: {
            required("retransmits")?;
            signed(keys, "retransmits").and_then(|number| u64::try_from(number).ok())
        },
        jitter: decimal(keys, "jitter"),
        lost: required("errors")?,
        omitted_lost: keys
            .get("omitted_errors")
            .map(|_| count(keys, "omitted_errors")),
        packets: required("packets")?,
        omitted_packets: keys
            .get("omitted_packets")
            .map(|_| count(keys, "omitted_packets")),
        start_time: decimal(keys, "start_time"),
        end_time: decimal(keys, "end_time"),
    })
}

fn write_stream(stream: &StreamResult) -> Value {
    let mut value = json!({
        "id": stream.id,
        "bytes": stream.bytes,
        "retransmits": stream.retransmits.map_or_else(|| json!(-1), |number| json!(number)),
        "jitter": stream.jitter,
        "errors": stream.lost,
        "packets": stream.packets,
        "start_time": stream.start_time,
        "end_time": stream.end_time,
    });
    // A peer since 3.14 takes both or neither.
    if let (Some(lost), Some(packets)) = (stream.omitted_lost, stream.omitted_packets) {
        value["omitted_errors"] = json!(lost);
        value["omitted_packets"] = json!(packets);
    }
    value
}

fn text(keys: &Map<String, Value>, key: &str) -> Option<String> {
    keys.get(key)?.as_str().map(str::to_owned)
}

fn decimal(keys: &Map<String, Value>, key: &str) -> f64 {
    keys.get(key).and_then(Value::as_f64).unwrap_or(0.0)
}

/// A count. A negative one is 0.
fn count(keys: &Map<String, Value>, key: &str) -> u64 {
    let Some(value) = keys.get(key) else { return 0 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "out of range saturates"
    )]
    let rounded = |number: f64| number as u64;
    value
        .as_u64()
        .or_else(|| value.as_f64().map(rounded))
        .unwrap_or(0)
}

/// A number of which iperf3 3.12 prints -1 as 18446744073709551615, and again as 1.8e19.
fn signed(keys: &Map<String, Value>, key: &str) -> Option<i64> {
    let value = keys.get(key)?;
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    if value.as_u64().is_some() {
        return Some(-1);
    }
    #[expect(clippy::cast_precision_loss, reason = "a bound, not a count")]
    let largest = i64::MAX as f64;
    #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
    value
        .as_f64()
        .map(|number| if number >= largest { -1 } else { number as i64 })
}
