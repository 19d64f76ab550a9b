//! Sentences about packets: what holds, what fails and shows a packet, what is not proved.

mod common;

use common::{Ran, run};

const RULES: &str = "\
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -i eth0 -p tcp --dport 8080 -j DNAT --to-destination 10.0.0.5:80
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m set --match-set office src -p tcp --dport 22 -j ACCEPT
-A INPUT -p tcp --dport 80 -m limit --limit 5/s -j ACCEPT
-A FORWARD -d 10.0.0.5/32 -p tcp --dport 80 -j ACCEPT
COMMIT
";
const SETS: &str = "\
create office hash:net family inet hashsize 1024 maxelem 65536
add office 192.0.2.0/24
add office 192.0.2.7 nomatch
";

fn prove(words: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("it is ours");
        path.to_str().expect("its name is text").to_owned()
    };
    let (rules, sets) = (file("rules.v4", RULES), file("sets", SETS));
    let given = ["firewall", "prove", "--rules", &sets, "--rules", &rules];
    run(&[&given[..], words].concat())
}

#[track_caller]
fn check(sentence: &str, status: i32, word: &str) {
    let ran = prove(&[sentence]);
    assert_eq!(ran.status, status, "{sentence}: {ran:?}");
    assert!(ran.out.starts_with(word), "{sentence}: {ran:?}");
}

#[test]
fn a_sentence_holds_fails_or_is_not_proved() {
    check(
        "from 192.0.2.0/25 not from 192.0.2.7 to :22 tcp in eth0 is accepted",
        0,
        "holds",
    );
    check("from 192.0.2.7 to :22 in eth0 is blocked", 0, "holds");
    check("from @office to :22 tcp in eth0 is accepted", 0, "holds");
    check("not from @office to :22 in eth0 is blocked", 0, "holds");
    check(
        "from 192.0.2.0/24 to :22 tcp in eth0 is accepted",
        1,
        "fails",
    );
    check("http in eth0 is accepted", 1, "not proved");
    check("http in eth0 is not rejected", 0, "holds");
    check("tcp udp is accepted", 1, "means no packet");
}

#[test]
fn what_packets_become_is_asked_after_nat() {
    let before = "forwarded tcp to :8080 in eth0 out eth1 new";
    check(
        &format!("{before} is accepted as to 10.0.0.5:80"),
        1,
        "not proved",
    );
    check("forwarded tcp to :8080 in eth1 new is accepted", 1, "fails");
}

#[test]
fn a_failed_sentence_shows_a_packet_that_explain_agrees_about() {
    let ran = prove(&[
        "--format",
        "json",
        "from 192.0.2.0/24 to :22 tcp in eth0 is accepted",
    ]);
    let proofs: serde_json::Value = serde_json::from_str(&ran.out).expect("it is JSON");
    assert_eq!(
        (&proofs["version"], &proofs["question"]),
        (&1.into(), &"prove".into())
    );
    let proofs = &proofs["answer"];
    let witness = &proofs[0]["witness"];
    assert_eq!(proofs[0]["verdict"], "fails");
    assert_eq!(witness["answers"][0]["end"], "dropped", "{witness}");
    let packet = witness["packet"].as_str().expect("text");
    assert!(packet.contains("from 192.0.2.7"), "{packet}");
}

#[test]
fn a_policy_stops_at_the_first_that_does_not_hold() {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let path = folder.path().join("firewall.policy");
    let text =
        "# ours\ntelnet in eth0 is blocked\nssh in eth0 is accepted\nhttp in lo is accepted\n";
    std::fs::write(&path, text).expect("it is ours");
    let policy = path.to_str().expect("its name is text");
    let ran = prove(&["--policy", policy]);
    assert_eq!(ran.status, 1);
    assert!(
        ran.out.contains("holds: telnet") && ran.out.contains("fails: ssh"),
        "{ran:?}"
    );
    assert!(
        !ran.out.contains("http in lo") && ran.err.contains("1 more"),
        "{ran:?}"
    );
    let ran = prove(&["--all", "--policy", policy]);
    assert!(ran.out.contains("holds: http in lo"), "{ran:?}");
}

#[test]
fn a_sentence_that_is_not_understood_is_pointed_at() {
    for (sentence, word) in [
        ("tpc is accepted", "`tpc` is not understood"),
        (
            "from @nobody is accepted",
            "there is no set `nobody`; there are: office",
        ),
        ("from 10.0.0.1/8 is accepted", "the network is 10.0.0.0/8"),
    ] {
        let ran = prove(&[sentence]);
        assert_eq!(ran.status, 2, "{sentence}");
        assert!(ran.err.contains(word), "{sentence}: {ran:?}");
    }
}
