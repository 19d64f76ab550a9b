//! Readers over recorded answers, whole and cut.

use super::*;

fn outcome(protocol: HopProtocol, bytes: &[u8]) -> Option<ReplyOutcome> {
    read_reply(protocol, bytes, false).map(|reply| reply.outcome)
}

fn code(protocol: HopProtocol, bytes: &[u8]) -> String {
    match outcome(protocol, bytes) {
        Some(ReplyOutcome::Complaint { code, .. }) => code,
        other => format!("{other:?}"),
    }
}

#[test]
fn mysql_greets_or_says_why_not() {
    let greeting = b"\x0a\x00\x00\x00\x0a11.4.2-M\x00";
    let good = ReplyOutcome::Good("11.4.2-M".to_owned());
    assert_eq!(outcome(HopProtocol::Mysql, greeting), Some(good));
    assert_eq!(outcome(HopProtocol::Mysql, &greeting[..7]), None);
    let full = b"\x17\x00\x00\x00\xff\x10\x04Too many connections";
    assert_eq!(code(HopProtocol::Mysql, full), "1040");
}

#[test]
fn redis_says_what_it_refuses() {
    let info = "role:master\r\nmaxmemory:100\r\nused_memory:200\r\nmaxmemory_policy:noeviction\r\n";
    let text = format!("+PONG\r\n${}\r\n{info}\r\n", info.len());
    let reply = read_reply(HopProtocol::Redis, text.as_bytes(), false).unwrap();
    assert_eq!(reply.figures["used_memory"], "200");
    assert_eq!(
        read_reply(HopProtocol::Redis, &text.as_bytes()[..40], false),
        None
    );
    let text = b"-MISCONF Redis is configured to save\r\n-MISCONF x\r\n";
    assert_eq!(code(HopProtocol::Redis, text), "MISCONF");
    let text = b"-ERR max number of clients reached\r\n";
    assert_eq!(
        read_reply(HopProtocol::Redis, text, true).map(|it| it.outcome),
        Some(ReplyOutcome::Complaint {
            code: "MAXCLIENTS".to_owned(),
            text: "ERR max number of clients reached".to_owned()
        })
    );
}

#[test]
fn others_answer_in_their_ways() {
    assert_eq!(code(HopProtocol::Smtp, b"421 too busy\r\n"), "421");
    let error = b"E\0\0\0\x20SFATAL\0C53300\0Mtoo many\0\0\0\0\0\0\0\0";
    assert_eq!(code(HopProtocol::Postgres, error), "53300");
    let good = outcome(HopProtocol::Postgres, b"N");
    assert!(matches!(good, Some(ReplyOutcome::Good(_))));
    let other = outcome(HopProtocol::FastCgi, b"HTTP/1.1 400 Bad Request\r\n");
    assert!(matches!(other, Some(ReplyOutcome::Garbled(_))));
}

#[test]
fn http_is_read_as_far_as_it_goes() {
    assert_eq!(read_http(b"HTTP/1.1 20"), Ok(None));
    assert!(read_http(b"SSH-2.0-x\r\n").is_err());
    let text = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 2\r\n\r\nhi";
    let reply = read_http(text).unwrap().unwrap();
    assert_eq!((reply.status, reply.is_whole), (302, true));
    assert_eq!(reply.location.as_deref(), Some("/x"));
}

#[test]
fn dns_answers_have_addresses() {
    let mut bytes = dns_query(7, "a.test", 1);
    bytes[2] |= 0x80;
    bytes[7] = 1;
    bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 0, 0, 12]);
    let found = read_dns_addresses(&bytes).unwrap();
    assert_eq!(found, ["10.0.0.12".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(read_dns_addresses(&bytes[..bytes.len() - 1]), None);
    let outcome = read_dns_reply(7, &bytes).unwrap().outcome;
    assert!(matches!(outcome, ReplyOutcome::Good(_)));
}

#[test]
fn nothing_that_is_cut_anywhere_panics() {
    let hello = client_hello([7; 32], Some("a.test"));
    for end in 0..hello.len() {
        let _ = read_tls_reply(&hello[..end]);
        let _ = read_http(&hello[..end]);
        let _ = read_dns_addresses(&hello[..end]);
    }
    assert_eq!(
        read_tls_reply(b"\x15\x03\x03\x00\x02\x02\x46"),
        TlsReply::Alert(70)
    );
    assert_eq!(read_tls_reply(b"HTTP/1.1 400"), TlsReply::Garbled);
}
