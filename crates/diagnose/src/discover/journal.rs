//! Entries of systemd's journal, as `journalctl -o json` prints them. Pure.

use serde_json::Value;

/// An entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournaldEntry {
    /// Microseconds since 1970 when it was taken in.
    pub micros: u64,
    /// The process that wrote it.
    pub pid: Option<u32>,
    /// The unit that it is about.
    pub unit: Option<String>,
    /// What it says.
    pub text: String,
}

/// Reads one line of output; nothing if it is no entry with a message.
pub fn read_journald_line(line: &str) -> Option<JournaldEntry> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let message = match value.get("MESSAGE")? {
        Value::String(text) => text.clone(),
        // What is no text is printed as a list of bytes.
        Value::Array(bytes) => {
            let bytes = bytes
                .iter()
                .map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok()));
            let bytes: Option<Vec<u8>> = bytes.collect();
            String::from_utf8_lossy(&bytes?).into_owned()
        }
        _ => return None,
    };
    Some(JournaldEntry {
        micros: text("__REALTIME_TIMESTAMP")?.parse().ok()?,
        pid: text("_PID").and_then(|pid| pid.parse().ok()),
        // What systemd itself writes about a unit names it in `UNIT`.
        unit: text("UNIT")
            .or_else(|| text("_SYSTEMD_UNIT"))
            .map(str::to_owned),
        text: message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_bytes_and_units_are_read() {
        let line = r#"{"__REALTIME_TIMESTAMP":"1795773603000001","_PID":"7","_SYSTEMD_UNIT":"a.service","MESSAGE":"x"}"#;
        let entry = read_journald_line(line).unwrap();
        assert_eq!((entry.micros, entry.pid), (1_795_773_603_000_001, Some(7)));
        assert_eq!(entry.unit.as_deref(), Some("a.service"));
        let line = r#"{"__REALTIME_TIMESTAMP":"1","UNIT":"b.service","_SYSTEMD_UNIT":"init.scope","MESSAGE":[104,105]}"#;
        let entry = read_journald_line(line).unwrap();
        assert_eq!(
            (entry.text.as_str(), entry.unit.as_deref()),
            ("hi", Some("b.service"))
        );
        for other in [
            "",
            "{}",
            "[]",
            r#"{"MESSAGE":null,"__REALTIME_TIMESTAMP":"1"}"#,
            r#"{"MESSAGE":[300],"__REALTIME_TIMESTAMP":"1"}"#,
        ] {
            assert_eq!(read_journald_line(other), None, "{other}");
        }
    }
}
