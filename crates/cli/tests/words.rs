//! The command line itself: help, manual, completions, exit statuses, errors.

mod common;

use std::process::{Command, Stdio};

use common::{program, run, run_with};

/// Every command, `surefoot` itself first, as the command line's own help lists them.
fn all_commands() -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut next = 0;
    while let Some(command) = commands.get(next).cloned() {
        commands.extend(subcommands_of(&command));
        next += 1;
    }
    assert!(commands.len() >= 19, "{commands:?}");
    commands
}

/// The commands under `Commands:` in a command's help.
fn subcommands_of(command: &[String]) -> Vec<Vec<String>> {
    let help = help_of(command).out;
    let Some((_, listed)) = help.split_once("\nCommands:\n") else {
        return Vec::new();
    };
    let lines = listed.lines().take_while(|line| !line.is_empty());
    // A description that is too long for its line goes on further in.
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names
        .filter(|name| !name.is_empty() && *name != "help")
        .map(|name| [command, &[name.to_owned()]].concat())
        .collect()
}

fn help_of(command: &[String]) -> common::Ran {
    let mut words: Vec<&str> = command.iter().map(String::as_str).collect();
    words.push("--help");
    run(&words)
}

#[test]
fn every_command_has_help_with_examples() {
    for command in &all_commands() {
        let help = help_of(command);
        assert_eq!((help.status, help.err.as_str()), (0, ""), "{command:?}");
        assert!(help.out.contains("Examples:"), "{command:?}: {}", help.out);
        assert!(help.out.contains("Usage: surefoot"), "{command:?}");
        assert!(help.out.contains("Exit status:\n  0  "), "{command:?}");
        let (_, after) = help.out.split_once("Examples:").unwrap_or_default();
        let words = help.out.split_once("Words:").unwrap_or_default().1;
        for line in after.lines().chain(words.lines()) {
            assert!(line.len() <= 80, "{command:?} wraps: {line}");
        }
        let purpose = help.out.lines().next().unwrap_or_default();
        assert!(
            (10..=100).contains(&purpose.len()) && !purpose.ends_with('.'),
            "{purpose}"
        );
    }
}

/// What the examples need from a machine, with nothing of this one.
const MACHINE: &str = r#"
sudo() { "$@"; }
# A network of its own, with a server of ours in it.
in_network() {
    words="${*//192.0.2.1/127.0.0.1}"
    case "$words" in *"-t "*) words="${words/-t 30/-t 1}" ;; *) words="$words -n 1K" ;; esac
    unshare -n bash -c '
        ip link set lo up
        "$0" throughput server > /dev/null 2>&1 &
        sleep 0.3
        $1
        status=$?
        kill $!
        exit $status' "$program" "$words"
}
iperf() { in_network iperf "$@"; }
iperf3() { in_network iperf3 "$@"; }
# A tree of ours, of which every example makes a copy.
consoles() {
    local word words=() root=
    for word in "$@"; do
        case "$word" in --root) root=1 ;; /mnt) word=mnt ;; esac
        words+=("$word")
    done
    [ -d mnt ] || cp -r "$examples/strange-server" mnt
    case "$2" in
    set|add|remove)
        [ "$root" ] || words+=(--root mnt)
        "$program" consoles "$2" --state-dir state "${words[@]:2}"
        ;;
    *)
        case "$*" in *--facts*|*--root*) ;; *) words+=(--root mnt) ;; esac
        "$program" "${words[@]}"
        ;;
    esac
}
journal() {
    local word words=() armed=
    [ "$1" = edit ] || [ -e state ] || {
        case "$1" in confirm|rollback) armed="--confirm-within 30s" ;; esac
        for word in hosts motd; do
            "$program" edit -q --state-dir state $armed etc/$word -- sh -c 'echo x >> "$0"' > /dev/null
        done
    }
    for word in "$@"; do
        case "$word" in /etc/*) word=.$word ;; esac
        words+=("$word")
    done
    case "$1 $2" in
    "changes show"|"changes prune") "$program" "$1" "$2" --state-dir state "${words[@]:2}" ;;
    *) "$program" "$1" --state-dir state "${words[@]:1}" ;;
    esac
}
# A file of ours stands for the configuration, and looking for a word in it for the test.
bisect() {
    local word last= words=()
    printf 'one\ntwo\nthree\n' > searched.conf
    command mkdir -p changed
    cp searched.conf changed/a.conf
    echo one > changed/a.conf~
    for word in "$@"; do
        case "$last" in
        --test) words+=('! grep -q two searched.conf') ;;
        --syntax|--reload) words+=(true) ;;
        *) case "$word" in /etc/*) words+=(searched.conf) ;; --changes) words+=(--changes changed) ;; *) words+=("$word") ;; esac ;;
        esac
        last=$word
    done
    "$program" "${words[@]}" --state-dir state
}
# Rules of a network of its own, with rules that are armed where an example settles them.
in_firewall() {
    unshare -n -m bash -c '
        command mkdir -p private
        cp -a /etc/. private
        mount --bind private /etc
        rm -rf /etc/os-release /etc/iptables
        echo ID=debian > /etc/os-release
        ip link set lo up
        firewall() { "$program" firewall "$@" --state-dir state; }
        arm() { firewall apply "$@" --same-session --even-if-locked-out --no-save --no-wait -q > /dev/null || exit 9; }
        case "$2" in
        apply) case "$*" in
            *--dry-run*) cp "$examples/office.v4" rules.v4; firewall "${@:2}" --same-session ;;
            *) arm "${@:3}"; firewall rollback -q ;;
            esac ;;
        confirm) arm new.nft; firewall confirm --same-session ;;
        rollback) arm new.nft; firewall rollback ;;
        save) iptables-nft -A INPUT -i lo -j ACCEPT; firewall "${@:2}" ;;
        flush|try-reject)
            iptables-nft -A INPUT -i lo -j ACCEPT
            firewall "${@:2}" --same-session --no-wait -q > /dev/null || exit 9
            firewall rollback -q 2> /dev/null || true
            ;;
        esac' - "$@" || [ $? -eq 1 ] || exit 9
}
surefoot() {
    case "$1 $2" in
    "firewall apply"|"firewall confirm"|"firewall rollback"|"firewall save"|"firewall try-reject") in_firewall "$@"; return ;;
    "firewall flush") case "$*" in *--dry-run*) ;; *) in_firewall "$@"; return ;; esac ;;
    esac
    case "$1" in
    bisect) bisect "$@"; return ;;
    edit|changes|undo|confirm|rollback) journal "$@"; return ;;
    consoles) consoles "$@"; return ;;
    esac
    case "$*" in
    "throughput client"*) in_network "$program" "$@" || exit 9; return ;;
    "throughput server --unit"*) ;;
    "throughput server --daemon"*)
        # What is left behind ends with the namespace.
        unshare -n --pid --fork --kill-child bash -c '"$@"' - "$program" "$@" || exit 9
        return ;;
    "throughput server"*)
        unshare -n timeout 0.3 "$program" "$@"
        # It serves until it is ended.
        [ $? -eq 124 ] || exit 9
        return ;;
    esac
    case "$*" in
    "check --root /mnt"*) shift 3; set -- check --root "$examples/strange-server" "$@" ;;
    "firewall diff --live "*) shift 3; set -- firewall diff --facts "$examples/web1.surefoot" "$@" ;;
    capture*) rm -f web1.surefoot ;;
    # A process of our own stands for those in the examples.
    "signals "[0-9n]*) shift 2; set -- signals $$ "$@" ;;
    signals*) ;;
    # A port at which nothing listens stands for those in the examples.
    diagnose\ http*) shift 2; set -- diagnose http://127.0.0.1:1/ "$@" ;;
    diagnose*) shift 2; set -- diagnose :1 "$@" ;;
    stop*)
        sleep 60 > /dev/null 2>&1 &
        shift; case "$1" in :8080|812) shift ;; *) echo "error: no target" >&2; exit 9 ;; esac
        set -- stop $! "$@"
        ;;
    throughput*|*--facts*|*--rules*|*--pcap*|completions*|explain*|man*|*\ -|*rules.v4*|*old.v4*) ;;
    *) set -- "$@" --facts "$examples/web1.surefoot" ;;
    esac
    case "$1 $2 $3" in
    "man /usr"*) set -- man . ;;
    esac
    "$program" "$@"
    status=$?
    [ $status -lt 2 ] || { echo "surefoot $*: $status" >&2; exit 9; }
}
ssh() { shift; "$@"; }
iptables-save() { cat "$examples/web.v4"; }
ip6tables-save() { cat "$examples/web.v6"; }
nft() { cat "$examples/router.nft"; }
tcpdump() { case "$*" in *"-w -") cat "$examples/trace.pcap" ;; *) cp "$examples/trace.pcap" trace.pcap ;; esac; }
conntrack() { echo 'tcp 6 431999 ESTABLISHED src=203.0.113.9 dst=192.0.2.10 sport=40000 dport=22 src=192.0.2.10 dst=203.0.113.9 sport=22 dport=40000 [ASSURED] mark=0 use=1'; }
mkdir -p etc
echo old > etc/hosts
echo a > etc/motd
cp "$examples/web.v4" rules.v4
cp "$examples/web.v4" old.v4
cp "$examples/web.v6" rules.v6
cp "$examples/web.v6" old.v6
cp "$examples/web.nft" ruleset.nft
cp "$examples/web.nft" new.nft
cp "$examples/office.policy" firewall.policy
cp "$examples/trace.pcap" monday.pcap
cp "$examples/web1.surefoot" web1.surefoot
sed 's/--dport 22 /--dport 2222 /' "$examples/web.v4" > rules.new
echo 'create banned hash:ip' > old.ipset
tee() { cat > /dev/null; }
mkdir() { case "$*" in "-p /usr/local/share/man/man8") ;; *) command mkdir "$@" ;; esac; }
jq() { cat > /dev/null; }
man() { cat > /dev/null; }
less() { cat > /dev/null; }
"#;

#[test]
fn every_example_works_when_it_is_pasted() {
    let examples = std::fs::canonicalize("../../docs/examples").expect("the examples");
    let mut pasted = 0;
    for command in &all_commands() {
        let help = help_of(command);
        let (_, text) = help.out.split_once("Examples:\n").expect("it has examples");
        let lines: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with("  "))
            .collect();
        pasted += lines.len();
        let folder = tempfile::tempdir().expect("a folder for scratch");
        let output = Command::new("bash")
            .args([
                "-c",
                &format!("{MACHINE}\nset -o pipefail\n{}", lines.join("\n")),
            ])
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .env("examples", &examples)
            .env("program", env!("CARGO_BIN_EXE_surefoot"))
            .output()
            .expect("bash");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code().is_some_and(|code| code < 2)
                && !errors.contains("error")
                && !errors.contains("not found"),
            "{command:?}: {errors}"
        );
    }
    assert!(pasted > 60, "{pasted}");
}

#[test]
fn bad_usage_ends_with_two() {
    for words in [
        ["nonsense"].as_slice(),
        &["check", "--fail-on", "sometimes"],
        &["check", "--facts", "a", "--root", "b"],
        &["firewall", "explain"],
        &["firewall", "why-not"],
        &["firewall", "show", "/no/such/file"],
        &["check", "--facts", "/no/such/file"],
        &["check", "--root", "/no/such/folder"],
        &["check", "--facts", "Cargo.toml"],
        &["explain", "FW999"],
        &[
            "firewall",
            "explain",
            "--rules",
            "docs/examples/web.v4",
            "tpc",
            "to",
            ":22",
        ],
    ] {
        let ran = run(words);
        assert_eq!(ran.status, 2, "{words:?}: {ran:?}");
        assert!(ran.err.contains("error"), "{words:?}: {ran:?}");
        assert_eq!(ran.out, "", "{words:?}: errors go to standard error");
    }
}

#[test]
fn a_text_that_cannot_be_read_is_refused_with_the_place() {
    let ran = run_with(
        &["firewall", "check", "-"],
        b"*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp --dport 99999 -j ACCEPT\nCOMMIT\n",
    );
    assert_eq!((ran.status, ran.out.as_str()), (2, ""), "{ran:?}");
    assert!(ran.err.contains(":3:"), "line and column: {}", ran.err);
}

#[test]
fn what_a_machine_says_never_reaches_the_terminal_raw() {
    let rules = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 22 -m comment --comment \"\u{1b}]0;owned\u{7}\" -j ACCEPT\nCOMMIT\n";
    for words in [
        ["firewall", "check", "-"].as_slice(),
        &["firewall", "show", "-"],
        &["firewall", "show", "--format", "svg", "-"],
        &["firewall", "show", "--format", "dot", "-"],
        &[
            "firewall", "explain", "--rules", "-", "tcp", "to", ":22", "new",
        ],
        &[
            "firewall", "why-not", "--want", "drop", "--rules", "-", "tcp", "to", ":22", "new",
        ],
    ] {
        let ran = run_with(words, rules.as_bytes());
        assert!(ran.status < 2, "{words:?}: {ran:?}");
        let raw = |text: &str| text.contains(['\u{1b}', '\u{7}']);
        assert!(!raw(&ran.out) && !raw(&ran.err), "{words:?}: {ran:?}");
    }
}

#[test]
fn colour_is_for_terminals_only_unless_it_is_asked_for() {
    let words = ["firewall", "show", "docs/examples/web.v4"];
    assert!(!run(&words).out.contains('\u{1b}'));
    let asked = run(&[&words[..], &["--color", "always"]].concat());
    assert!(asked.out.contains('\u{1b}'));
}

#[test]
fn nobody_is_blamed_for_a_closed_pipe() {
    let mut child = program()
        .args(["firewall", "show", "docs/examples/web.v4"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), b"".as_slice())
    );
}

#[test]
fn every_code_has_a_page() {
    let list = run(&["explain"]);
    let codes: Vec<&str> = list
        .out
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(codes.len() >= 25, "{codes:?}");
    for code in codes {
        let page = run(&["explain", &code.to_lowercase()]);
        assert_eq!(page.status, 0, "{code}");
        assert!(
            page.out.starts_with(code) && page.out.lines().count() > 10,
            "{}",
            page.out
        );
    }
}

/// Feeds a shell a script that only asks whether the completions can be read.
fn reads(shell: &str, arguments: &[&str], completions: &str) {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let path = folder.path().join("completions");
    std::fs::write(&path, completions).expect("the folder can be written");
    let output = Command::new(shell)
        .args(arguments)
        .arg(&path)
        .output()
        .unwrap_or_else(|error| panic!("{shell} is needed for this test: {error}"));
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{shell}: {output:?}"
    );
}

#[test]
fn shells_can_read_the_completions() {
    for (shell, arguments) in [
        ("bash", ["-n"].as_slice()),
        ("zsh", &["-n"]),
        ("fish", &["--no-execute"]),
    ] {
        let script = run(&["completions", shell]);
        assert_eq!(script.status, 0);
        for word in ["check", "capture", "firewall", "why-not"] {
            assert!(script.out.contains(word), "{shell}: {word}");
        }
        reads(shell, arguments, &script.out);
    }
}

/// What a shell proposes.
fn proposals(shell: &str, script: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let path = folder.path().join("completions");
    let completions = run(&["completions", shell]).out;
    std::fs::write(&path, completions).expect("the folder can be written");
    let output = Command::new(shell)
        .args(["-c", script])
        .env("completions", &path)
        .env("HOME", folder.path())
        .output()
        .unwrap_or_else(|error| panic!("{shell} is needed for this test: {error}"));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn shells_complete_codes_and_values() {
    let codes: Vec<String> = run(&["explain"])
        .out
        .lines()
        .filter_map(|line| Some(line.split_once(' ')?.0.to_owned()))
        .collect();
    let firewall: Vec<String> = codes
        .iter()
        .filter(|code| code.starts_with("FW0"))
        .cloned()
        .collect();
    let bash = |words: &str, last: usize| {
        let script = format!(
            "source \"$completions\"; COMP_WORDS=({words}); COMP_CWORD={last}; _surefoot surefoot \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{last} - 1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        proposals("bash", &script)
    };
    assert_eq!(bash("surefoot explain FW0", 2), firewall);
    assert_eq!(bash("surefoot explain FW001 FW0", 3), firewall);
    assert_eq!(
        bash("surefoot check --least ''", 3),
        ["note", "warning", "high", "critical"]
    );
    assert!(bash("surefoot completions ''", 2).contains(&"fish".to_owned()));
    let fish = |line: &str| {
        let script = format!("source $completions; complete -C '{line}'");
        proposals("fish", &script)
    };
    let mut found = fish("surefoot explain FW0");
    found.sort();
    assert_eq!(found, firewall);
    assert!(fish("surefoot completions ").contains(&"fish".to_owned()));
    assert!(fish("surefoot check --least ").contains(&"critical".to_owned()));
    let zsh = run(&["completions", "zsh"]).out;
    for code in codes {
        assert!(zsh.contains(&format!("{code}\\:")), "{code}");
    }
}

#[test]
fn several_codes_are_explained_at_once() {
    let ran = run(&["explain", "FW004", "fw006"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.out.starts_with("FW004 ") && ran.out.contains("\n\nFW006 "));
    let json = |words: &[&str]| -> serde_json::Value {
        let ran = run(&[&["explain", "--format", "json"], words].concat());
        serde_json::from_str(&ran.out).expect("it is JSON")
    };
    assert_eq!(json(&["FW004"])["code"], "FW004");
    assert_eq!(json(&["FW004", "FW006"])[1]["code"], "FW006");
    let ran = run(&["explain", "FW004", "FW00x"]);
    assert_eq!((ran.status, ran.out.as_str()), (2, ""));
    assert!(
        ran.err.contains("`FW00x`") && ran.err.contains("lists all codes"),
        "{}",
        ran.err
    );
    let ran = run(&["explain", "tcp", "to", ":22"]);
    assert!(
        ran.err.contains("`surefoot firewall explain tcp to :22`"),
        "{}",
        ran.err
    );
}

#[test]
fn what_is_left_out_is_told_and_never_everything() {
    let rules = "docs/examples/web.v4";
    let ran = run(&["firewall", "check", "--least", "critical", rules]);
    assert!(ran.err.contains("left out (--least)"), "{ran:?}");
    let ran = run(&["firewall", "check", "--least", "never", rules]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.err
            .contains("[possible values: note, warning, high, critical]"),
        "{}",
        ran.err
    );
    let same = |words: &[&str]| run(&[&["firewall", "check", "-q"], words].concat()).out;
    assert_eq!(same(&[rules]), same(&["--rules", rules]));
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let path = folder.path().to_str().expect("its name is text");
    assert_eq!(run(&["man", path]).status, 0);
    for command in &all_commands() {
        let name = [&["surefoot".to_owned()], command.as_slice()]
            .concat()
            .join("-");
        let page = folder.path().join(format!("{name}.8"));
        let text = std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{name}: {error}"));
        for section in ["SYNOPSIS", "EXAMPLES", "\"EXIT STATUS\""] {
            assert!(
                text.contains(&format!(".SH {section}\n")),
                "{name}: {section}"
            );
        }
        assert_eq!(text.contains("|\\fBsarif\\fR]"), name.ends_with("check"));
    }
    let output = Command::new("man")
        .args(["--warnings", "-l"])
        .arg(folder.path().join("surefoot-check.8"))
        .env("MANPAGER", "cat")
        .output()
        .unwrap_or_else(|error| panic!("man is needed for this test: {error}"));
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
}

#[test]
fn rules_of_the_other_family_make_no_answer_certain() {
    let packet = ["tcp", "from", "2001:db8::1", "to", ":22", "in", "eth0"];
    let asked = ["firewall", "explain", "--rules", "docs/examples/web.v4"];
    let ran = run(&[&asked[..], &packet].concat());
    assert!(
        !ran.out.contains("certainly") && ran.out.contains("no rules for IPv6"),
        "{}",
        ran.out
    );
    let asked = ["firewall", "why-not", "--rules", "docs/examples/web.v4"];
    let ran = run(&[&asked[..], &packet].concat());
    assert_eq!(ran.status, 1);
    assert!(
        ran.out
            .contains("\naccepted, as far as is known; you want it certainly accepted\n")
            && !ran.out.contains("insert"),
        "{}",
        ran.out
    );
}

#[test]
fn a_file_in_the_wrong_place_is_told_from_its_content() {
    let rules = "docs/examples/web.v4";
    let facts = "docs/examples/web1.surefoot";
    let packets = "docs/examples/trace.pcap";
    let folder = "docs/examples/strange-server";
    let explain = ["firewall", "explain"];
    for (words, hint) in [
        (
            ["firewall", "show", facts].as_slice(),
            "--facts docs/examples/web1.surefoot",
        ),
        (
            &["firewall", "check", packets],
            "--pcap docs/examples/trace.pcap",
        ),
        (&["check", "--facts", rules], "--rules docs/examples/web.v4"),
        (&["check", "--facts", folder], "--root"),
        (&["firewall", "check", folder], "--root"),
        (&["check", "--root", facts], "--facts"),
        (
            &[&explain[..], &["--pcap", rules]].concat(),
            "--rules docs/examples/web.v4",
        ),
        (
            &[&explain[..], &["--rules", facts, "ssh"]].concat(),
            "--facts docs/examples/web1.surefoot",
        ),
        (
            &[&explain[..], &[rules, "ssh"]].concat(),
            "--rules docs/examples/web.v4",
        ),
    ] {
        let ran = run(words);
        assert_eq!(ran.status, 2, "{words:?}: {ran:?}");
        assert!(
            ran.err.contains("hint: ") && ran.err.contains(hint),
            "{words:?}: {}",
            ran.err
        );
    }
    let listed = run_with(&["firewall", "show", "-"], b"-P INPUT ACCEPT\n");
    assert_eq!(listed.status, 2);
    assert!(listed.err.contains("iptables-save"), "{}", listed.err);
}

#[test]
fn a_word_that_is_not_understood_is_shown_in_its_place() {
    let rules = ["firewall", "explain", "--rules", "docs/examples/web.v4"];
    let ran = run(&[&rules[..], &["tcp", "form", "10.0.0.1"]].concat());
    assert_eq!(
        ran.err,
        "  tcp form 10.0.0.1\n      ^^^^\nerror: `form`: not a word of the packet language\n  hint: did you mean `from`?\n"
    );
    let ran = run(&[&rules[..], &["tcp to :22 in"], &["from"]].concat());
    assert!(
        ran.err
            .starts_with("  tcp to :22 in from\n                     ^\n"),
        "{}",
        ran.err
    );
}

#[test]
fn a_hook_that_is_not_there_is_answered_with_those_that_are() {
    let ran = run(&["firewall", "show", "--hook", "inpt", "docs/examples/web.v4"]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("; there are: "), "{}", ran.err);
    assert!(ran.err.contains("input"), "{}", ran.err);
}
