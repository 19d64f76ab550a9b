//! iperf3: a control connection with one-byte states and three JSON documents, and data streams.

mod control;
mod datagram;
mod parameters;
mod results;

pub use control::{
    COOKIE_LENGTH, ControlState, Cookie, ServerFault, frame_document, read_document_length,
};
pub use datagram::{CounterWidth, DatagramStamp, HELLO, REPLY, is_reply};
pub use parameters::{ParameterError, TestParameters, TransportKind};
pub use results::{ResultsError, StreamResult, TestResults, stream_id};
