//! TLS, as far as the certificate: a first message of version 1.2, whose answer has the certificate in the clear.
//!
//! No key is made and nothing is kept secret; the connection ends once the certificate is here.

use super::der::read_certificate;
use crate::observation::CertificateFacts;

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsReply {
    /// More is to come.
    Unfinished,
    /// Its certificate.
    Certificate(CertificateFacts),
    /// It refuses, with this alert.
    Alert(u8),
    /// It speaks something else, or a certificate that cannot be read.
    Garbled,
}

fn with_length(bytes: &[u8], width: usize) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut whole = length[4 - width..].to_vec();
    whole.extend_from_slice(bytes);
    whole
}

/// The first message of a client that knows version 1.2 at most.
pub fn client_hello(random: [u8; 32], name: Option<&str>) -> Vec<u8> {
    const CIPHERS: &[u16] = &[
        0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc009, 0xc013, 0xc00a, 0xc014, 0x009c,
        0x009d, 0x002f, 0x0035,
    ];
    let mut extensions = Vec::new();
    let mut extend = |kind: u16, body: &[u8]| {
        extensions.extend(kind.to_be_bytes());
        extensions.extend(with_length(body, 2));
    };
    if let Some(name) = name {
        let mut entry = vec![0];
        entry.extend(with_length(name.as_bytes(), 2));
        extend(0, &with_length(&entry, 2));
    }
    // Groups: x25519, P-256, P-384, P-521. Point format: uncompressed. Signatures: the usual ones.
    extend(10, &[0, 8, 0, 0x1d, 0, 0x17, 0, 0x18, 0, 0x19]);
    extend(11, &[1, 0]);
    extend(
        13,
        &[
            0, 20, 4, 3, 5, 3, 6, 3, 8, 4, 8, 5, 8, 6, 4, 1, 5, 1, 6, 1, 8, 7,
        ],
    );
    let mut body = vec![3, 3];
    body.extend(random);
    body.push(0);
    let ciphers: Vec<u8> = CIPHERS.iter().flat_map(|it| it.to_be_bytes()).collect();
    body.extend(with_length(&ciphers, 2));
    body.extend([1, 0]);
    body.extend(with_length(&extensions, 2));
    let mut message = vec![1];
    message.extend(with_length(&body, 3));
    let mut record = vec![22, 3, 1];
    record.extend(with_length(&message, 2));
    record
}

/// Reads what the server answers to the first message.
pub fn read_tls_reply(bytes: &[u8]) -> TlsReply {
    let mut handshake = Vec::new();
    let mut rest = bytes;
    while let [kind, 3, _, high, low, tail @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let body = tail.get(..length.min(tail.len())).unwrap_or_default();
        match kind {
            22 => handshake.extend_from_slice(body),
            21 => {
                return body
                    .get(1)
                    .map_or(TlsReply::Garbled, |it| TlsReply::Alert(*it));
            }
            _ => return TlsReply::Garbled,
        }
        rest = tail.get(length..).unwrap_or_default();
    }
    if !rest.is_empty() && !matches!(rest[0], 21 | 22) {
        return TlsReply::Garbled;
    }
    let mut messages = handshake.as_slice();
    while let [kind, high, middle, low, tail @ ..] = messages {
        let length = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
        let Some(body) = tail.get(..length) else {
            return TlsReply::Unfinished;
        };
        if *kind == 11 {
            // A list of certificates, the server's own first.
            let length = body
                .get(3..6)
                .map(|it| usize::from(it[0]) << 16 | usize::from(it[1]) << 8 | usize::from(it[2]));
            let first = length.and_then(|length| body.get(6..6 + length));
            let facts = first.and_then(read_certificate);
            return facts.map_or(TlsReply::Garbled, TlsReply::Certificate);
        }
        messages = tail.get(length..).unwrap_or_default();
    }
    TlsReply::Unfinished
}
