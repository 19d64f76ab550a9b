//! `cargo xtask bench throughput`: Gbit/s and CPU beside iperf, iperf3 and, if it is there, riperf3,
//! over loopback. `SUREFOOT_NEWER_IPERF3` names an iperf3 of 3.17 or later, which is compared with what it has
//! against copies: `--skip-rx-copy`, over UDP `--gsro`.
//!
//! All contenders run once, then again: what else the machine does falls on each alike. A ratio is
//! taken within a repetition, and the median of all is shown. CPU is that of both ends, as the kernel
//! adds it up for children that were waited for.

use std::process::{Child, Stdio};
use std::time::Duration;

use crate::packages;
use crate::run::{Outcome, command, run, say, target};

const REPETITIONS: usize = 5;
const SECONDS: &str = "2";
/// Clock ticks of `/proc/self/stat` in a second, on every Linux system.
const TICKS: f64 = 100.0;

/// The program that measures, and its arguments.
struct Contender {
    name: &'static str,
    server: Vec<String>,
    client: Vec<String>,
    /// Reads the received bytes from what the client prints.
    received: fn(&str) -> Option<f64>,
}

/// What a run came to.
#[derive(Clone, Copy)]
struct Figures {
    gigabits: f64,
    cpu: f64,
}

/// Prints the figures.
pub(crate) fn all() -> Outcome {
    packages::for_tests()?;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    say(&format!("load before: {}", load.trim()));
    run(&["cargo", "build", "--release", "--package", "surefoot"])?;
    let surefoot = target().join("release/surefoot").display().to_string();
    for (title, ours, iperf2, iperf3) in [
        ("TCP, one stream", "", "", ""),
        ("TCP, four streams", "-P 4", "-P 4", "-P 4"),
        (
            "UDP, 1400 bytes, buffers of 4 MB, no limit",
            "-u -b 0 -l 1400 -w 4M",
            "-u -b 100g -l 1400 -w 4M",
            "-u -b 0 -l 1400 -w 4M",
        ),
        (
            "UDP, 1400 bytes, 500 Mbit/s",
            "-u -b 500M -l 1400",
            "-u -b 500m -l 1400",
            "-u -b 500M -l 1400",
        ),
    ] {
        let udp = if ours.contains("-u") { " -u" } else { "" };
        let contenders = [
            contender(
                "surefoot",
                &format!("{surefoot} throughput server --quiet"),
                &format!("{surefoot} throughput client 127.0.0.1 -J -t {SECONDS} {ours}"),
                json_received,
            ),
            contender(
                "iperf 2",
                &format!(
                    "iperf -s{udp}{}",
                    if udp.is_empty() || !ours.contains("-w") {
                        ""
                    } else {
                        " -w 4M"
                    }
                ),
                &format!("iperf -c 127.0.0.1 -y C -t {SECONDS} {iperf2}"),
                csv_received,
            ),
            contender(
                "iperf3",
                "iperf3 -s",
                &format!("iperf3 -c 127.0.0.1 -J -t {SECONDS} {iperf3}"),
                json_received,
            ),
        ];
        // Not of Debian: `cargo install riperf3-cli` brings it.
        let riperf3 = contender(
            "riperf3",
            "riperf3 -s",
            &format!("riperf3 -c 127.0.0.1 -J -t {SECONDS} {iperf3}"),
            json_received,
        );
        let found = command(&["riperf3", "--version"]).output().is_ok();
        let newer = std::env::var("SUREFOOT_NEWER_IPERF3").ok().map(|program| {
            let more = if udp.is_empty() {
                "--skip-rx-copy"
            } else {
                "--gsro"
            };
            let client = format!("{program} -c 127.0.0.1 -J -t {SECONDS} {more} {iperf3}");
            contender("newer", &format!("{program} -s"), &client, json_received)
        });
        let contenders = contenders
            .into_iter()
            .chain(found.then_some(riperf3))
            .chain(newer);
        say(&format!("\n== {title}"));
        compare(&contenders.collect::<Vec<_>>())?;
    }
    Ok(())
}

fn contender(
    name: &'static str,
    server: &str,
    client: &str,
    received: fn(&str) -> Option<f64>,
) -> Contender {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    Contender {
        name,
        server: words(server),
        client: words(client),
        received,
    }
}

fn compare(contenders: &[Contender]) -> Outcome {
    let mut runs: Vec<Vec<Figures>> = vec![Vec::new(); contenders.len()];
    for _ in 0..REPETITIONS {
        for (contender, figures) in contenders.iter().zip(&mut runs) {
            figures.push(measure(contender)?);
        }
    }
    for (contender, figures) in contenders.iter().zip(&runs) {
        let gigabits = median(figures.iter().map(|run| run.gigabits).collect());
        let cpu = median(figures.iter().map(|run| run.cpu).collect());
        say(&format!(
            "{:<10} {gigabits:>8.2} Gbit/s received  {cpu:>7.4} s of CPU a Gbit",
            contender.name
        ));
    }
    for (contender, figures) in contenders.iter().zip(&runs).skip(1) {
        let pairs = || runs[0].iter().zip(figures);
        let faster = median(
            pairs()
                .map(|(ours, peer)| ours.gigabits / peer.gigabits)
                .collect(),
        );
        let cheaper = median(pairs().map(|(ours, peer)| peer.cpu / ours.cpu).collect());
        say(&format!(
            "  to {:<8} {faster:>6.2} x the rate, {cheaper:>6.2} x less CPU a Gbit",
            contender.name
        ));
    }
    Ok(())
}

fn measure(contender: &Contender) -> Outcome<Figures> {
    let before = children_cpu()?;
    let mut server = spawn(&contender.server)?;
    std::thread::sleep(Duration::from_millis(300));
    let client: Vec<&str> = contender.client.iter().map(String::as_str).collect();
    let output = command(&client).output().map_err(|error| error.to_string());
    std::thread::sleep(Duration::from_millis(200));
    let _ = server.kill();
    let _ = server.wait();
    let text = String::from_utf8_lossy(&output?.stdout).into_owned();
    let bytes = (contender.received)(&text)
        .ok_or_else(|| format!("{} says not what was received: {text}", contender.name))?;
    let gigabits = bytes * 8.0 / 1e9;
    let seconds: f64 = SECONDS.parse().map_err(|_| "seconds".to_owned())?;
    Ok(Figures {
        gigabits: gigabits / seconds,
        cpu: (children_cpu()? - before) / gigabits,
    })
}

fn spawn(words: &[String]) -> Outcome<Child> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    command(&words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot run `{}`: {error}", words.join(" ")))
}

/// The CPU seconds of all children that were waited for.
fn children_cpu() -> Outcome<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").map_err(|error| error.to_string())?;
    // The name of the program is in brackets and may hold anything.
    let rest = text
        .rsplit_once(')')
        .map(|(_, rest)| rest)
        .unwrap_or_default();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |place: usize| {
        fields
            .get(place)
            .and_then(|field| field.parse::<f64>().ok())
    };
    // The 16th and the 17th field of the line; the list begins with the third.
    match (field(13), field(14)) {
        (Some(user), Some(system)) => Ok((user + system) / TICKS),
        _ => Err("cannot read the CPU time in /proc/self/stat".to_owned()),
    }
}

/// The bytes in `sum_received` of iperf3's JSON.
fn json_received(text: &str) -> Option<f64> {
    let (_, rest) = text.split_once("\"sum_received\"")?;
    let (_, rest) = rest.split_once("\"bytes\":")?;
    let digits = rest.trim_start();
    let end = digits.find(|letter: char| !letter.is_ascii_digit())?;
    digits[..end].parse().ok()
}

/// The bytes of the rows of iperf 2, their sum if there is one; the report of a UDP server comes last.
fn csv_received(text: &str) -> Option<f64> {
    let rows = || text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let bytes = |row: &Vec<&str>| row.get(7)?.parse::<f64>().ok();
    let sum = rows().find(|row| row.get(5) == Some(&"-1"));
    match sum {
        Some(row) => bytes(&row),
        None => rows().rfind(|row| row.len() > 7).as_ref().and_then(bytes),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::{csv_received, json_received, median};

    #[test]
    fn received_bytes_are_found() {
        let json = "{\"sum_sent\":{\"bytes\": 7},\"sum_received\": {\"end\": 1, \"bytes\":\t42,";
        assert_eq!(json_received(json), Some(42.0));
        let csv = "1,a,1,b,2,1,0-1,100,8\n1,a,1,b,2,2,0-1,50,8\n1,a,1,b,2,-1,0-1,150,8\n";
        assert_eq!(csv_received(csv), Some(150.0));
        assert_eq!(csv_received("1,a,1,b,2,1,0-1,100,8\n"), Some(100.0));
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
    }
}
