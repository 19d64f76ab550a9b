//! What words mean, and where they are refused.

use super::*;
use crate::semantics::End;

#[track_caller]
fn refused(text: &str, what: &str, at: (u32, u32)) {
    let problem = Assertion::parse(text).unwrap_err();
    assert!(problem.what.contains(what), "{text}: {}", problem.what);
    let span = problem.span.unwrap();
    assert_eq!((span.start, span.end), at, "{text}");
}

#[test]
fn the_way_follows_from_the_interfaces() {
    let way = |text: &str| Traffic::parse(text).unwrap().way;
    assert_eq!(way("tcp to :22 in eth0"), None);
    assert_eq!(way("tcp in eth0 out eth1"), Some(PacketPath::Forward));
    assert_eq!(way("tcp out eth1"), Some(PacketPath::Output));
    assert_eq!(way("tcp out"), Some(PacketPath::Output));
    assert_eq!(way("forwarded tcp"), Some(PacketPath::Forward));
}

#[test]
fn destinations_tell_the_way() {
    let named = |text: &str| Traffic::parse(text).unwrap().names_destination;
    assert!(named("tcp to 10.0.0.5:80"));
    assert!(named("tcp to me:80"));
    assert!(!named("tcp to :80 from 10.0.0.5"));
    assert!(!named("tcp to port 80"));
}

#[test]
fn what_is_not_understood_is_pointed_at() {
    refused("tpc is accepted", "`tpc` is not understood", (0, 3));
    refused(
        "tcp from 10.0.0.1/8 is accepted",
        "the network is 10.0.0.0/8",
        (9, 19),
    );
    refused("tcp to :70000 is accepted", "`70000` is no port", (7, 13));
    refused("tcp to {10.0.0.1 is accepted", "not closed", (7, 8));
    refused("tcp", "needs `is`", (0, 3));
    refused("tcp is", "a verdict is missing", (4, 6));
    refused("tcp is good", "no verdict", (7, 11));
    refused("tcp is dropped as to :80", "become", (15, 17));
    refused("tcp is accepted today", "behind the verdict", (16, 21));
    refused("from 10.0.0.9-10.0.0.1 is accepted", "no range", (5, 22));
    refused("ipv4 ipv6 is accepted", "one family", (5, 9));
    refused("in eth0/1 is accepted", "no interface", (3, 9));
    refused("from is accepted", "expected an address", (0, 4));
}

#[test]
fn a_verdict_can_be_turned_round() {
    let ends = |text: &str| -> Vec<End> {
        let assertion = Assertion::parse(text).unwrap();
        assertion.claim.ends.into_iter().collect()
    };
    assert_eq!(ends("tcp is accepted"), [End::Accepted]);
    assert_eq!(ends("tcp is blocked"), [End::Dropped, End::Rejected]);
    assert_eq!(
        ends("tcp is never accepted"),
        [End::Dropped, End::Rejected, End::Queued]
    );
}

#[test]
fn a_policy_tells_every_line_that_is_wrong() {
    let good = "# who may come\nssh from 10.0.0.0/8 is accepted # office\n\n  telnet is blocked\n";
    let assertions = policy(good).unwrap();
    let texts: Vec<&str> = assertions.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(
        texts,
        ["ssh from 10.0.0.0/8 is accepted", "telnet is blocked"]
    );
    let bad = "ssh is accepted\nfoo is accepted\nssh are fine\n";
    let problems = policy(bad).unwrap_err();
    let places: Vec<u32> = problems
        .iter()
        .map(|problem| problem.span.unwrap().start)
        .collect();
    assert_eq!(places, [16, 40]);
}

#[test]
fn no_text_makes_the_reader_panic() {
    for text in [
        "",
        "{",
        "}",
        "not",
        "not not",
        "[",
        "]:",
        "from {",
        "from []:",
        "in",
        "é is",
        "type 999/999 is accepted",
        "to :, is accepted",
        "from ::/129 is dropped",
        "from - is dropped",
        "ttl 9-1 is dropped",
        "from @ is dropped",
        "in + is dropped",
    ] {
        let _ = Assertion::parse(text);
        let _ = policy(text);
    }
}
