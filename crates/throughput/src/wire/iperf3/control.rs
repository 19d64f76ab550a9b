//! The control connection: the cookie, the states, and how documents are framed.

use std::fmt;

use crate::wire::big_endian::{read_i32, read_u32};

/// Bytes of a cookie, with the NUL at its end.
pub const COOKIE_LENGTH: usize = 37;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// What ties the connections of a test together.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cookie([u8; COOKIE_LENGTH]);

impl Cookie {
    /// Makes a cookie of random bytes.
    pub fn from_random(random: &[u8; COOKIE_LENGTH - 1]) -> Self {
        let mut bytes = [0; COOKIE_LENGTH];
        for (letter, random) in bytes.iter_mut().zip(random) {
            *letter = ALPHABET[usize::from(random & 31)];
        }
        Self(bytes)
    }

    /// Takes the bytes that a client sent. What comes after the first NUL does not count.
    pub fn from_wire(bytes: &[u8; COOKIE_LENGTH]) -> Self {
        let mut cookie = *bytes;
        let end = cookie.iter().position(|byte| *byte == 0);
        cookie[end.unwrap_or(COOKIE_LENGTH - 1)..].fill(0);
        Self(cookie)
    }

    /// The bytes to send.
    pub fn to_wire(self) -> [u8; COOKIE_LENGTH] {
        self.0
    }
}

impl fmt::Display for Cookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.iter().take_while(|byte| **byte != 0) {
            write!(formatter, "{}", char::from(*byte).escape_default())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Cookie({self})")
    }
}

/// A message on the control connection: one signed byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlState {
    /// The server has all streams.
    TestStart,
    /// The server lets the test begin.
    TestRunning,
    /// The client has reached its time or its amount.
    TestEnd,
    /// The server asks for the parameters.
    ParameterExchange,
    /// The server asks for the streams.
    CreateStreams,
    /// The server was interrupted.
    ServerTerminate,
    /// The client was interrupted.
    ClientTerminate,
    /// The server asks for the results of the client and sends its own after.
    ExchangeResults,
    /// The server is done.
    DisplayResults,
    /// The client is done; both close.
    Done,
    /// The server is busy, or the cookie belongs to no test.
    AccessDenied,
    /// The server cannot do it; a [`ServerFault`] follows.
    ServerError,
}

impl ControlState {
    const BYTES: [(Self, u8); 12] = [
        (Self::TestStart, 1),
        (Self::TestRunning, 2),
        (Self::TestEnd, 4),
        (Self::ParameterExchange, 9),
        (Self::CreateStreams, 10),
        (Self::ServerTerminate, 11),
        (Self::ClientTerminate, 12),
        (Self::ExchangeResults, 13),
        (Self::DisplayResults, 14),
        (Self::Done, 16),
        (Self::AccessDenied, 0xff),
        (Self::ServerError, 0xfe),
    ];

    /// Reads a state; `None` is a byte that no peer sends.
    pub fn from_byte(byte: u8) -> Option<Self> {
        let known = Self::BYTES.iter().find(|(_, value)| *value == byte);
        known.map(|(state, _)| *state)
    }

    /// The byte to send.
    pub fn to_byte(self) -> u8 {
        let known = Self::BYTES.iter().find(|(state, _)| *state == self);
        known.map_or(0, |(_, value)| *value)
    }
}

/// Why a server ends a test: its own code, and the system's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerFault {
    /// The number that iperf3 has for the reason.
    pub code: i32,
    /// The error number of the system, or 0.
    pub errno: i32,
}

impl ServerFault {
    /// Bytes on the wire.
    pub const LENGTH: usize = 8;
    /// The asked rate is above the server's limit.
    pub const TOTAL_RATE: i32 = 27;
    /// The asked duration is above the server's limit.
    pub const MAX_DURATION: i32 = 37;
    /// Parameters that make no sense or ask for what is not there.
    pub const PARAMETERS: i32 = 115;
    /// The client is not one that the server serves.
    pub const NOT_AUTHORISED: i32 = 142;
    /// The client may not use the server.
    pub const ACCESS_DENIED: i32 = 121;
    /// Nothing came for too long.
    pub const NO_MESSAGE: i32 = 144;
    /// The test should have ended long ago.
    pub const DURATION_EXPIRED: i32 = 160;
    /// The streams could not be made.
    pub const CREATE_STREAM: i32 = 200;

    /// Reads what follows the state byte.
    pub fn from_wire(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            code: read_i32(bytes, 0)?,
            errno: read_i32(bytes, 4)?,
        })
    }

    /// The bytes to send after the state byte.
    pub fn to_wire(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..4].copy_from_slice(&self.code.to_be_bytes());
        bytes[4..].copy_from_slice(&self.errno.to_be_bytes());
        bytes
    }

    /// What the code means, as far as it is known.
    pub fn meaning(self) -> &'static str {
        match self.code {
            Self::TOTAL_RATE => "the rate is above the limit of the server",
            Self::MAX_DURATION => "the duration is above the limit of the server",
            Self::PARAMETERS => "the server does not take these parameters",
            Self::ACCESS_DENIED => "the server denies access",
            Self::NOT_AUTHORISED => {
                "the server does not serve this client: its address is not allowed there, or it \
                 wants a user name"
            }
            Self::NO_MESSAGE => "the server heard nothing for too long",
            Self::DURATION_EXPIRED => "the test took longer than the server allows",
            Self::CREATE_STREAM => "the server could not make the streams",
            _ => "the server reports an error",
        }
    }
}

/// Puts the length in front of a JSON document. Documents are bounded far below 4 GiB.
pub fn frame_document(document: &str) -> Vec<u8> {
    let length = u32::try_from(document.len()).unwrap_or(u32::MAX);
    let mut framed = Vec::with_capacity(4 + document.len());
    framed.extend(length.to_be_bytes());
    framed.extend(document.as_bytes());
    framed
}

/// The length that stands in front of a document.
pub fn read_document_length(bytes: &[u8]) -> Option<usize> {
    usize::try_from(read_u32(bytes, 0)?).ok()
}
