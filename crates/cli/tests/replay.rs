//! Traffic that was seen, replayed under new rules: what the command line says and how it ends.

mod common;

use common::{Ran, run};

const OLD: &str = "\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
-A INPUT -p tcp --dport 22 -j ACCEPT
COMMIT
";
const LIST: &str = "\
tcp 6 99 ESTABLISHED src=203.0.113.9 dst=192.0.2.1 sport=4000 dport=22 src=192.0.2.1 dst=203.0.113.9 sport=22 dport=4000 [ASSURED] mark=0 use=1
";

fn replay(new: &str, list: &str, more: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("it is ours");
        path.to_str().expect("its name is text").to_owned()
    };
    let (old, new) = (file("old.v4", OLD), file("new.v4", new));
    let list = file("list", list);
    let given = ["firewall", "replay", "--old", &old, "--conntrack", &list];
    run(&[&given[..], more, &[&new]].concat())
}

#[test]
fn it_says_what_would_change_and_ends_with_1() {
    let me = ["--me", "192.0.2.1"];
    let same = replay(OLD, LIST, &me);
    assert_eq!(same.status, 0, "{same:?}");
    let head = "nothing of this traffic would change\n";
    assert!(same.out.starts_with(head), "{same:?}");
    let closed = OLD.replace("--dport 22", "--dport 2222");
    let blocked = replay(&closed, LIST, &me);
    assert_eq!(blocked.status, 1, "{blocked:?}");
    let head = "the new rules block 1 packet accepted so far\n";
    assert!(blocked.out.starts_with(head), "{blocked:?}");
    let connection = "tcp 203.0.113.9:4000 → 192.0.2.1:22";
    assert!(blocked.out.contains(connection), "{blocked:?}");
    let json = replay(&closed, LIST, &[&me[..], &["--format", "json"]].concat());
    assert_eq!(json.status, 1, "{json:?}");
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("it is JSON");
    assert_eq!(json["answer"]["changes"][0]["group"], "newly-blocked");
    let elsewhere = replay(OLD, LIST, &["--me", "192.0.2.77"]);
    assert_eq!(elsewhere.status, 1, "{elsewhere:?}");
    let word = "none of it is to this host or from it";
    assert!(elsewhere.out.contains(word), "{elsewhere:?}");
}

#[test]
fn what_is_no_list_is_refused_at_its_place() {
    let bad = replay(OLD, "tcp six\n", &["--me", "192.0.2.1"]);
    assert_eq!(bad.status, 2, "{bad:?}");
    assert!(
        bad.err.contains("no protocol number behind `tcp`"),
        "{bad:?}"
    );
}
