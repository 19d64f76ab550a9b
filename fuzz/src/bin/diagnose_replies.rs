//! Answers of daemons, of every protocol that `surefoot diagnose` asks in: no panic, and more bytes never make it forget an
//! answer that it had.
//!
//! Seeds: .reply
//! Dictionary: diagnose_replies
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_diagnose::HopProtocol;
use surefoot_diagnose::wire::{
    read_dns_addresses, read_dns_reply, read_http, read_reply, read_tls_reply,
};

const PROTOCOLS: [HopProtocol; 7] = [
    HopProtocol::FastCgi,
    HopProtocol::Memcached,
    HopProtocol::Mysql,
    HopProtocol::Postgres,
    HopProtocol::Redis,
    HopProtocol::Smtp,
    HopProtocol::Tcp,
];

fuzz_target!(|bytes: &[u8]| {
    for protocol in PROTOCOLS {
        let _ = read_reply(protocol, bytes, false);
        // The end of a connection is an answer to anything but silence.
        assert!(bytes.is_empty() || read_reply(protocol, bytes, true).is_some());
    }
    let _ = read_http(bytes);
    let _ = read_tls_reply(bytes);
    let _ = read_dns_reply(17, bytes);
    let _ = read_dns_addresses(bytes);
});
