//! Asking the way that the user asks: the page, or the user's own test.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::probe::{HttpQuestion, PageReply, ask_http, is_broken_off};
use crate::chain::HopAddress;
use crate::observation::{ConnectOutcome, ReplyOutcome, ShownSymptom, SymptomOutcome};
use crate::rules::quote;
use crate::target::AskedUrl;
use crate::wire::read_http;

/// So much of a page is read.
const LONGEST_PAGE: usize = 8 << 20;
/// So many times a client is sent on.
const MOST_REDIRECTS: usize = 5;

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// A page as it came, or what came instead.
type FetchedPage = Result<PageReply, (SymptomOutcome, String)>;

/// Asks for a page over HTTP.
pub(super) fn ask_page(
    url: &AskedUrl,
    address: &HopAddress,
    question: &HttpQuestion,
    expect: Option<&str>,
    patience: Duration,
) -> ShownSymptom {
    follow(
        url,
        address,
        question,
        expect,
        patience,
        |question, left| {
            if url.is_https {
                fetch_with_curl(url, address, question, left)
            } else {
                fetch_page(address, question, left)
            }
        },
    )
}

fn fetch_page(address: &HopAddress, question: &HttpQuestion, patience: Duration) -> FetchedPage {
    let failed = |outcome| Err((outcome, String::new()));
    match ask_http(address, question, patience, LONGEST_PAGE) {
        (ConnectOutcome::Connected, Ok(page)) => Ok(page),
        (ConnectOutcome::Connected, Err(ReplyOutcome::Garbled(text))) => {
            Err((SymptomOutcome::NotHttp, text))
        }
        (ConnectOutcome::Connected, Err(ReplyOutcome::Silent)) | (ConnectOutcome::TimedOut, _) => {
            failed(SymptomOutcome::Silent)
        }
        (ConnectOutcome::Connected, Err(_)) => failed(SymptomOutcome::Closed),
        _ => failed(SymptomOutcome::Refused),
    }
}

/// Asks, and goes where the answer sends the client, on the same server.
fn follow(
    url: &AskedUrl,
    address: &HopAddress,
    question: &HttpQuestion,
    expect: Option<&str>,
    patience: Duration,
    fetch: impl Fn(&HttpQuestion, Duration) -> FetchedPage,
) -> ShownSymptom {
    let began = Instant::now();
    let mut question = question.clone();
    let mut shown = ShownSymptom {
        question: format!("{} {}", question.method, url.text()),
        options: curl_options(url, address, &question),
        ..ShownSymptom::default()
    };
    let mut visited = vec![question.path.clone()];
    loop {
        let left = patience.saturating_sub(began.elapsed());
        let page = fetch(&question, left.max(Duration::from_millis(10)));
        shown.millis = millis(began);
        let page = match page {
            Ok(page) => page,
            Err((outcome, text)) => {
                shown.outcome = outcome;
                shown.answer = text;
                return shown;
            }
        };
        let reply = &page.reply;
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        shown.answer = body.chars().take(2000).collect();
        if reply.status >= 400 {
            shown.outcome = SymptomOutcome::Status(reply.status);
            return shown;
        }
        let next = reply
            .location
            .as_deref()
            .filter(|_| (300..400).contains(&reply.status))
            .and_then(|location| same_server(url, location));
        let Some(path) = next else {
            shown.outcome = judge_page(&page, &body, expect);
            return shown;
        };
        if visited.contains(&path) || visited.len() > MOST_REDIRECTS {
            shown.outcome = SymptomOutcome::RedirectLoop;
            shown.answer = format!("it sends the client to {path}");
            return shown;
        }
        visited.push(path.clone());
        shown.visited.clone_from(&visited);
        question.path = path;
        "GET".clone_into(&mut question.method);
        question.body.clear();
    }
}

/// What a page with a good status is.
fn judge_page(page: &PageReply, body: &str, expect: Option<&str>) -> SymptomOutcome {
    let has = expect.is_none_or(|expected| body.contains(expected));
    if is_broken_off(page) {
        return SymptomOutcome::Unfinished;
    }
    match (page.reply.is_whole, has) {
        (true, false) => SymptomOutcome::WrongContent,
        (true, true) => SymptomOutcome::Fine,
        // What was wanted is there, whatever follows.
        (false, true) if expect.is_some() => SymptomOutcome::Fine,
        (false, _) if page.is_cut => SymptomOutcome::Unknown(format!(
            "the answer is longer than the {} MB that are read of it",
            LONGEST_PAGE >> 20
        )),
        (false, _) => SymptomOutcome::Unknown(
            "the answer goes on for as long as it is waited for: whether it ends is unknown"
                .to_owned(),
        ),
    }
}

/// What curl needs to ask the same way, beside the URL.
fn curl_options(url: &AskedUrl, address: &HopAddress, question: &HttpQuestion) -> String {
    let mut options = String::new();
    let mut add = |text: String| {
        options.push_str(" -H ");
        options.push_str(&quote(&text));
    };
    if question.host != url.authority() {
        add(format!("Host: {}", question.host));
    }
    for (name, value) in &question.headers {
        add(format!("{name}: {value}"));
    }
    if let (HopAddress::Tcp(at), true) = (address, question.is_resolved) {
        options.push_str(" --connect-to ");
        options.push_str(&quote(&format!("::{}:{}", bracketed(at.ip()), at.port())));
    }
    options
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

/// Asks for a page within TLS, by the program that everybody has: of the address that was looked at, with no
/// settings and no proxy of the caller's.
fn fetch_with_curl(
    url: &AskedUrl,
    address: &HopAddress,
    question: &HttpQuestion,
    patience: Duration,
) -> FetchedPage {
    let seconds = format!("{:.1}", patience.as_secs_f32());
    let mut command = Command::new("curl");
    // `-q` is heeded as the first word only.
    command
        .args(["-q", "-sS", "-k", "-g", "-i", "--http1.1", "-m", &seconds])
        .args(["--noproxy", "*", "-A", "surefoot"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    match question.method.as_str() {
        "HEAD" => command.arg("-I"),
        method => command.args(["-X", method]),
    };
    if let HopAddress::Tcp(at) = address {
        command.args([
            "--connect-to",
            &format!("::{}:{}", bracketed(at.ip()), at.port()),
        ]);
    }
    for (name, value) in &question.headers {
        // curl takes an empty value for no header at all, unless it ends with `;`.
        let header = match value.as_str() {
            "" => format!("{name};"),
            _ => format!("{name}: {value}"),
        };
        command.args(["-H", &header]);
    }
    if question.host != url.authority() {
        command.args(["-H", &format!("Host: {}", question.host)]);
    }
    if !question.body.is_empty() {
        // `--data-raw` takes an `@` as a letter.
        command
            .arg("--data-raw")
            .arg(String::from_utf8_lossy(&question.body).into_owned());
    }
    let asked = AskedUrl {
        path: question.path.clone(),
        ..url.clone()
    };
    let child = command.args(["--", &asked.text()]).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            let why =
                format!("pages within TLS are asked for with curl, which cannot be run: {error}");
            return Err((SymptomOutcome::Unknown(why), String::new()));
        }
    };
    let mut bytes = Vec::new();
    if let Some(output) = child.stdout.take() {
        // What cannot be read is judged by how curl ends.
        let _ = output.take(LONGEST_PAGE as u64).read_to_end(&mut bytes);
    }
    let is_cut = bytes.len() >= LONGEST_PAGE;
    if is_cut {
        let _ = child.kill();
    }
    let code = child.wait().ok().and_then(|status| status.code());
    let failed = |outcome| Err((outcome, String::new()));
    match code {
        Some(7) => return failed(SymptomOutcome::Refused),
        Some(28) if bytes.is_empty() => return failed(SymptomOutcome::Silent),
        Some(1 | 8 | 56) if bytes.is_empty() => return failed(SymptomOutcome::NotHttp),
        Some(_) if bytes.is_empty() => return failed(SymptomOutcome::Closed),
        _ => {}
    }
    // curl has taken the marks of the chunks away.
    let text = without_transfer_encoding(&bytes);
    match read_http(&text) {
        Ok(Some(mut reply)) => {
            reply.is_whole |= code == Some(0);
            Ok(PageReply {
                reply,
                // When the last of it came is not known of curl.
                still_for: 0,
                is_cut,
                is_over: code != Some(28) && !is_cut,
            })
        }
        Ok(None) => failed(SymptomOutcome::Closed),
        Err(text) => Err((SymptomOutcome::NotHttp, text)),
    }
}

fn bracketed(address: std::net::IpAddr) -> String {
    match address {
        std::net::IpAddr::V4(address) => address.to_string(),
        std::net::IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// The answer without the line of its head that says that it is in chunks.
fn without_transfer_encoding(bytes: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = rest.split_at(end + 1);
        let text = String::from_utf8_lossy(line);
        if text.trim().is_empty() {
            // An interim answer has no such line.
            break;
        }
        if !text.to_ascii_lowercase().starts_with("transfer-encoding:") {
            kept.extend_from_slice(line);
        }
        rest = after;
    }
    kept.extend_from_slice(rest);
    kept
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

    /// Serves each connection these parts, with pauses between them, and then waits or closes.
    fn serve(parts: &'static [&'static str], holds: bool) -> (AskedUrl, HopAddress) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming().flatten() {
                let mut stream = stream;
                let mut request = [0; 1000];
                let _ = stream.read(&mut request);
                for part in parts {
                    let _ = std::io::Write::write_all(&mut stream, part.as_bytes());
                    std::thread::sleep(Duration::from_millis(20));
                }
                if holds {
                    held.push(stream);
                }
            }
        });
        let url = AskedUrl {
            is_https: false,
            host: "127.0.0.1".to_owned(),
            port: at.port(),
            path: "/".to_owned(),
        };
        (url, HopAddress::Tcp(at))
    }

    fn outcome(
        parts: &'static [&'static str],
        holds: bool,
        expect: Option<&str>,
    ) -> (SymptomOutcome, u64) {
        let (url, address) = serve(parts, holds);
        let question = HttpQuestion {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            host: "a".to_owned(),
            ..HttpQuestion::default()
        };
        let shown = ask_page(
            &url,
            &address,
            &question,
            expect,
            Duration::from_millis(1200),
        );
        (shown.outcome, shown.millis)
    }

    #[test]
    fn an_answer_that_does_not_finish_is_no_good_one() {
        let cut = &["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"];
        assert_eq!(outcome(cut, false, None).0, SymptomOutcome::Unfinished);
        assert_eq!(outcome(cut, true, None).0, SymptomOutcome::Unfinished);
        let chunk =
            &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc"];
        assert_eq!(outcome(chunk, true, None).0, SymptomOutcome::Unfinished);
        let bad = &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc"];
        assert_eq!(outcome(bad, true, None).0, SymptomOutcome::NotHttp);
        let two = &["HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc"];
        assert_eq!(outcome(two, false, None).0, SymptomOutcome::NotHttp);
        let drips: &[&str] = &["HTTP/1.1 200 OK\r\n\r\n", "a"];
        let drips = Box::leak(
            drips
                .iter()
                .copied()
                .chain(["b"; 200])
                .collect::<Vec<_>>()
                .into_boxed_slice(),
        );
        assert!(matches!(
            outcome(drips, true, None).0,
            SymptomOutcome::Unknown(_)
        ));
        assert_eq!(
            outcome(&["SSH-2.0-x\r\n"], true, None).0,
            SymptomOutcome::NotHttp
        );
        let interim: &str = Box::leak("HTTP/1.1 100 Continue\r\n\r\n".repeat(101).into_boxed_str());
        let interim = Box::leak(Box::new([interim]));
        assert_eq!(outcome(interim, true, None).0, SymptomOutcome::NotHttp);
    }

    #[test]
    fn a_whole_answer_is_good_whatever_its_form() {
        let chunked = &[
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nWel\r\n",
            "4\r\ncome\r\n0\r\n\r\n",
        ];
        let (whole, millis) = outcome(chunked, true, Some("Welcome"));
        assert!(
            whole == SymptomOutcome::Fine && millis < 1000,
            "{whole:?} {millis}"
        );
        let bare = &["HTTP/1.0 200 OK\nContent-Length: 3\n\nabc"];
        assert_eq!(outcome(bare, true, None).0, SymptomOutcome::Fine);
        let long: Vec<&str> = ["HTTP/1.1 200 OK\r\n\r\n"]
            .into_iter()
            .chain([Box::leak("x".repeat(400_000).into_boxed_str()) as &str; 3])
            .chain(["Welcome"])
            .collect();
        let long = Box::leak(long.into_boxed_slice());
        assert_eq!(
            outcome(long, false, Some("Welcome")).0,
            SymptomOutcome::Fine
        );
        assert_eq!(
            outcome(long, false, Some("welcome")).0,
            SymptomOutcome::WrongContent
        );
    }

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
