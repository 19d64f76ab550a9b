//! Asking the way that the user asks: the page, or the user's own test.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::probe::{HttpQuestion, ask_http};
use crate::chain::HopAddress;
use crate::observation::{ConnectOutcome, ReplyOutcome, ShownSymptom, SymptomOutcome};
use crate::target::AskedUrl;

/// So many times a client is sent on.
const MOST_REDIRECTS: usize = 5;

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Asks for a page over HTTP.
pub(super) fn ask_page(
    url: &AskedUrl,
    address: &HopAddress,
    question: &HttpQuestion,
    expect: Option<&str>,
    patience: Duration,
) -> ShownSymptom {
    let began = Instant::now();
    let mut question = question.clone();
    let mut shown = ShownSymptom {
        question: format!("{} {}", question.method, url.text()),
        ..ShownSymptom::default()
    };
    let mut visited = vec![question.path.clone()];
    loop {
        let left = patience.saturating_sub(began.elapsed());
        let (connect, reply) = ask_http(address, &question, left.max(Duration::from_millis(10)));
        shown.millis = millis(began);
        let reply = match (connect, reply) {
            (ConnectOutcome::Connected, Ok(reply)) => reply,
            (ConnectOutcome::Connected, Err(outcome)) => {
                shown.outcome = match outcome {
                    ReplyOutcome::Silent => SymptomOutcome::Silent,
                    ReplyOutcome::Garbled(text) => {
                        shown.answer = text;
                        SymptomOutcome::WrongContent
                    }
                    _ => SymptomOutcome::Closed,
                };
                return shown;
            }
            (ConnectOutcome::TimedOut, _) => {
                shown.outcome = SymptomOutcome::Silent;
                return shown;
            }
            _ => {
                shown.outcome = SymptomOutcome::Refused;
                return shown;
            }
        };
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        shown.answer = body.chars().take(2000).collect();
        if let Some(expected) = expect
            && reply.status < 300
        {
            let has = body.contains(expected);
            shown.outcome = if has {
                SymptomOutcome::Fine
            } else {
                SymptomOutcome::WrongContent
            };
            return shown;
        }
        if reply.status >= 400 {
            shown.outcome = SymptomOutcome::Status(reply.status);
            return shown;
        }
        let next = reply
            .location
            .filter(|_| (300..400).contains(&reply.status))
            .and_then(|location| same_server(url, &location));
        let Some(path) = next else {
            shown.outcome = match expect {
                Some(_) => SymptomOutcome::WrongContent,
                None => SymptomOutcome::Fine,
            };
            return shown;
        };
        if visited.contains(&path) || visited.len() > MOST_REDIRECTS {
            shown.outcome = SymptomOutcome::RedirectLoop;
            shown.answer = format!("it sends the client to {path}");
            return shown;
        }
        visited.push(path.clone());
        question.path = path;
        "GET".clone_into(&mut question.method);
        question.body.clear();
    }
}

/// The path of a location on the same server.
fn same_server(url: &AskedUrl, location: &str) -> Option<String> {
    if location.starts_with('/') && !location.starts_with("//") {
        return Some(location.to_owned());
    }
    match crate::target::parse_target(location).ok()? {
        crate::AskedTarget::Url(other)
            if (other.is_https, &other.host, other.port) == (url.is_https, &url.host, url.port) =>
        {
            Some(other.path)
        }
        _ => None,
    }
}

/// Asks for a page within TLS, by the program that everybody has.
pub(super) fn ask_page_with_curl(
    url: &AskedUrl,
    question: &HttpQuestion,
    expect: Option<&str>,
    patience: Duration,
) -> ShownSymptom {
    let began = Instant::now();
    let seconds = format!("{:.1}", patience.as_secs_f32());
    let mut command = Command::new("curl");
    command
        .args(["-sS", "-k", "-m", &seconds, "-X", &question.method])
        .args(["-w", "\n%{http_code}"])
        .stdin(Stdio::null());
    if !question.body.is_empty() {
        command
            .arg("--data-binary")
            .arg(String::from_utf8_lossy(&question.body).into_owned());
    }
    let output = command.arg(url.text()).output();
    let mut shown = ShownSymptom {
        question: format!("{} {}", question.method, url.text()),
        millis: millis(began),
        ..ShownSymptom::default()
    };
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            shown.outcome = SymptomOutcome::Unknown(format!(
                "pages within TLS are asked for with curl, which cannot be run: {error}"
            ));
            return shown;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let (body, status) = text.rsplit_once('\n').unwrap_or(("", ""));
    shown.answer = body.chars().take(2000).collect();
    shown.outcome = match (output.status.code(), status.parse().unwrap_or(0)) {
        (Some(7), _) => SymptomOutcome::Refused,
        (Some(28), _) => SymptomOutcome::Silent,
        (Some(0), status) if status >= 400 => SymptomOutcome::Status(status),
        (Some(0), _) if expect.is_some_and(|expected| !body.contains(expected)) => {
            SymptomOutcome::WrongContent
        }
        (Some(0), _) => SymptomOutcome::Fine,
        _ => SymptomOutcome::Closed,
    };
    shown
}

/// The first line that a test writes to its standard error. The rest is read too, so that it need not wait.
fn first_words(errors: std::process::ChildStderr) -> std::sync::mpsc::Receiver<String> {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut errors = BufReader::new(errors);
        let mut line = Vec::new();
        if (&mut errors)
            .take(4096)
            .read_until(b'\n', &mut line)
            .is_ok()
        {
            let text = String::from_utf8_lossy(&line).trim().to_owned();
            // Who does not listen any more does not want it.
            let _ = send.send(text);
        }
        let _ = std::io::copy(&mut errors, &mut std::io::sink());
    });
    receive
}

/// Runs the user's own test: 0 is fine.
pub(super) fn run_test(test: &str, patience: Duration) -> ShownSymptom {
    let began = Instant::now();
    let mut shown = ShownSymptom {
        question: format!("test: {test}"),
        ..ShownSymptom::default()
    };
    let child = Command::new("sh")
        .args(["-c", test])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            shown.outcome = SymptomOutcome::Unknown(format!("the test cannot be run: {error}"));
            return shown;
        }
    };
    let said = child.stderr.take().map(first_words);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                shown.millis = millis(began);
                // Only of a test that cannot be run: what another says is no answer of a hop.
                if let (Some(126 | 127), Some(said)) = (status.code(), &said) {
                    let words = said.recv_timeout(Duration::from_millis(300));
                    shown.answer = words.unwrap_or_default();
                }
                shown.outcome = match status.code() {
                    Some(0) => SymptomOutcome::Fine,
                    Some(code) => SymptomOutcome::TestFailed(code),
                    None => SymptomOutcome::Unknown("the test was ended by a signal".to_owned()),
                };
                return shown;
            }
            Ok(None) if began.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(10));
            }
            _ => {
                let group = i32::try_from(child.id())
                    .ok()
                    .and_then(rustix::process::Pid::from_raw);
                if let Some(group) = group {
                    let _ =
                        rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
                }
                let _ = child.wait();
                shown.millis = millis(began);
                shown.outcome = SymptomOutcome::Silent;
                return shown;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_cannot_be_run_gives_what_the_shell_says() {
        let patience = Duration::from_secs(4);
        let shown = run_test("no-such-command-here x", patience);
        assert_eq!(shown.outcome, SymptomOutcome::TestFailed(127));
        assert!(
            shown.answer.contains("no-such-command-here"),
            "{}",
            shown.answer
        );
        let shown = run_test("echo no >&2; exit 3", patience);
        assert_eq!(shown.outcome, SymptomOutcome::TestFailed(3));
        assert_eq!(shown.answer, "");
        let much = "head -c 300000 /dev/zero >&2; exit 4";
        assert_eq!(
            run_test(much, patience).outcome,
            SymptomOutcome::TestFailed(4)
        );
    }
}
