//! Words that hands type by habit, as another program takes them: the error says what is meant here.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use surefoot_processes::{signal_name, signal_number};

/// The error with what to type instead, where that is known.
pub(super) fn explain(mut error: clap::Error) -> clap::Error {
    let words: Vec<OsString> = std::env::args_os().collect();
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(tip) = tip_for(&words)
    {
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tips);
    }
    error
}

fn tip_for(words: &[&str]) -> Option<String> {
    let at = words.iter().position(|word| !word.starts_with('-'))?;
    let command = words
        .get(at + 1..)?
        .iter()
        .position(|word| !word.starts_with('-'))?
        + at
        + 1;
    let after = words.get(command + 1..)?;
    match words[command] {
        "edit" => lost_dashes(after),
        "stop" => signal_as_of_kill(after),
        "throughput" => client_of_iperf(after),
        _ => None,
    }
}

/// The options of `edit` that take the next word.
const WITH_VALUE: [&str; 5] = [
    "--state-dir",
    "--confirm-within",
    "--reload",
    "--format",
    "--color",
];

/// `edit FILE sed -i s/a/b/`: the command's own option is taken for one of surefoot's.
fn lost_dashes(words: &[&str]) -> Option<String> {
    if words.contains(&"--") {
        return None;
    }
    let is_value = |at: usize| at > 0 && WITH_VALUE.contains(&words[at - 1]);
    let mut plain = (0..words.len()).filter(|at| !words[*at].starts_with('-') && !is_value(*at));
    let file = words[plain.next()?];
    let command = plain.next()?;
    Some(format!(
        "a command is given behind `--`: surefoot edit {file} -- {}",
        words[command..].join(" ")
    ))
}

/// `stop -9 PID`, `stop -KILL PID`, `stop -s HUP PID`: as `kill` and `pkill` take a signal.
fn signal_as_of_kill(words: &[&str]) -> Option<String> {
    let is_option = |word: &str| word.starts_with('-');
    let at = words.iter().position(|word| {
        *word == "-s"
            || word
                .strip_prefix('-')
                .is_some_and(|it| signal_number(it).is_some())
    })?;
    let (name, behind) = match words[at] {
        "-s" => (*words.get(at + 1)?, at + 2),
        word => (&word[1..], at + 1),
    };
    let number = signal_number(name)?;
    let rest = words[..at].iter().chain(words.get(behind..)?);
    let targets: Vec<&str> = rest.filter(|word| !is_option(word)).copied().collect();
    let targets = if targets.is_empty() {
        "TARGET".to_owned()
    } else {
        targets.join(" ")
    };
    let name = signal_name(number);
    Some(match number {
        9 => format!(
            "TERM goes first, and KILL by itself after the grace (10 s): surefoot stop {targets}; KILL at \
             once: surefoot stop {targets} --signal KILL"
        ),
        _ => format!("the first signal is an option: surefoot stop {targets} --signal {name}"),
    })
}

/// `throughput client -c HOST`, as iperf takes it.
fn client_of_iperf(words: &[&str]) -> Option<String> {
    let behind = words.strip_prefix(&["client"])?;
    let at = behind.iter().position(|word| word.starts_with("-c"))?;
    let host = match &behind[at][2..] {
        "" => behind.get(at + 1).copied().unwrap_or("HOST"),
        joined => joined,
    };
    Some(format!(
        "the host stands alone: surefoot throughput client {host}"
    ))
}

#[cfg(test)]
mod tests {
    use super::tip_for;

    #[test]
    fn the_host_of_a_client_stands_alone() {
        for line in [
            "throughput client -c 192.0.2.1",
            "throughput client -t 5 -c192.0.2.1",
        ] {
            let words: Vec<&str> = std::iter::once("surefoot").chain(line.split(' ')).collect();
            let tip = tip_for(&words).expect(line);
            assert!(
                tip.ends_with(": surefoot throughput client 192.0.2.1"),
                "{tip}"
            );
        }
        assert_eq!(tip_for(&["surefoot", "throughput", "server", "-c"]), None);
    }

    #[test]
    fn a_signal_as_kill_takes_it_is_named() {
        for (line, wanted) in [
            ("stop -9 812", "surefoot stop 812 --signal KILL"),
            ("stop -KILL :80 812", "surefoot stop :80 812 --signal KILL"),
            ("stop nginx -SIGQUIT", "surefoot stop nginx --signal QUIT"),
            ("stop -s INT 812", "surefoot stop 812 --signal INT"),
        ] {
            let words: Vec<&str> = std::iter::once("surefoot").chain(line.split(' ')).collect();
            let tip = tip_for(&words).expect(line);
            assert!(tip.ends_with(wanted), "{line}: {tip}");
        }
        assert_eq!(tip_for(&["surefoot", "stop", "-x", "812"]), None);
    }

    #[test]
    fn a_forgotten_pair_of_dashes_is_named() {
        let words = ["surefoot", "edit", "/etc/hosts", "sed", "-i", "s/a/b/"];
        let tip = tip_for(&words).expect("a tip");
        assert!(
            tip.ends_with("surefoot edit /etc/hosts -- sed -i s/a/b/"),
            "{tip}"
        );
        assert_eq!(tip_for(&["surefoot", "edit", "/etc/hosts", "-i"]), None);
        assert_eq!(tip_for(&["surefoot", "changes", "x", "-i"]), None);
    }
}
