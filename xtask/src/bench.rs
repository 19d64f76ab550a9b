//! The figures that the README names, measured against the peers in the same run.
//!
//! A figure is the best of several runs, as noise on a shared machine only ever adds time. A peer
//! that takes minutes is run once. Ratios are what counts; seconds depend on the machine.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::packages;
use crate::run::{Outcome, command, run, say, target};

const SOCKETS: &str = "10000";
const RULES: &str = "1000";

/// Prints all figures.
pub(crate) fn all() -> Outcome {
    packages::for_benchmarks()?;
    run(&["cargo", "build", "--release", "--package", "surefoot"])?;
    run(&[
        "cargo",
        "build",
        "--release",
        "--package",
        "surefoot-testkit",
        "--example",
        "crowded",
    ])?;
    run(&[
        "cargo",
        "build",
        "--release",
        "--package",
        "surefoot-ruleset",
        "--package",
        "surefoot-netfilter",
        "--package",
        "surefoot-firewall",
        "--examples",
    ])?;
    let release = target().join("release");
    let surefoot = release.join("surefoot").display().to_string();
    let crowded = release.join("examples/crowded").display().to_string();

    say(&format!(
        "\n== one look at a machine with {SOCKETS} sockets and {RULES} rules"
    ));
    let ours = best_of(&crowded, "7", &[&surefoot, "check", "--quiet"])?;
    let lynis = best_of(
        &crowded,
        "1",
        &["lynis", "audit", "system", "--quick", "--quiet"],
    )?;
    say(&format!(
        "surefoot check              {ours:>9.3} s   (goal: at most 1.0 s)"
    ));
    say(&format!("lynis audit system --quick  {lynis:>9.3} s"));
    say(&format!(
        "ratio                       {:>9.0} x   (goal: at least 50 x)",
        lynis / ours
    ));

    say("\n== start-up");
    say(&format!(
        "surefoot --version          {:>9.2} ms  (goal: under 5 ms)",
        start_up(&surefoot)? * 1e3
    ));

    say("\n== reading and asking");
    for example in [
        "bench_parse",
        "bench_explain",
        "bench_dead",
        "bench_lookup",
        "bench_replay",
    ] {
        run(&[&release.join("examples").join(example).display().to_string()])?;
    }

    exact_answers(&release)?;

    say("\n== large rule sets");
    for (example, what) in [
        ("many_rules", "100,000 rules that grew"),
        ("kube_proxy", "700,000 lines of kube-proxy's shape"),
    ] {
        let file = target().join(format!("{example}.rules"));
        let text = command(&[&release.join("examples").join(example).display().to_string()])
            .output()
            .map_err(|error| error.to_string())?;
        std::fs::write(&file, text.stdout).map_err(|error| error.to_string())?;
        let file = file.display().to_string();
        say(what);
        for words in [
            vec!["check", &file],
            vec!["show", &file],
            vec![
                "explain",
                "--rules",
                &file,
                "https",
                "from",
                "10.1.2.3",
                "to",
                "10.96.0.7",
                "in",
                "eth0",
            ],
        ] {
            let (seconds, memory) = time_and_memory(&surefoot, &words)?;
            say(&format!(
                "  firewall {:<18}{seconds:>9.3} s, {memory:>5} MiB   (goal: under 2048 MiB)",
                words[0]
            ));
        }
    }
    Ok(())
}

/// The rule sets of a university chair that the verified tool was measured on, where they are: they
/// are not part of the project.
fn exact_answers(release: &std::path::Path) -> Outcome {
    say("\n== answers about all packets at once");
    let Some(folder) = std::env::var_os("SUREFOOT_RULESETS") else {
        say("not measured: SUREFOOT_RULESETS names the folder of the rule sets");
        return Ok(());
    };
    let folder = std::path::PathBuf::from(folder).join("net-network");
    let chair =
        "configs_chair_for_Network_Architectures_and_Services_iptables-save-2015-05-15_14-14-46";
    let later =
        "configs_chair_for_Network_Architectures_and_Services_iptables-save-2016-06-27_16-29-01";
    let home = "config_veroneau.net_iptables-save";
    let example = release.join("examples/bench_exact").display().to_string();
    for files in [&[home][..], &[chair], &[chair, later]] {
        let files: Vec<String> = files
            .iter()
            .map(|name| folder.join(name).display().to_string())
            .collect();
        let mut words = vec![example.as_str()];
        words.extend(files.iter().map(String::as_str));
        run(&words)?;
    }
    Ok(())
}

/// How long `surefoot firewall` takes, and the most memory that it had at once as the kernel counts
/// it (`VmHWM`), in MiB.
fn time_and_memory(surefoot: &str, words: &[&str]) -> Outcome<(f64, u64)> {
    let mut all = vec![surefoot, "firewall"];
    all.extend(words);
    let begin = Instant::now();
    let mut child = command(&all)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    loop {
        // The mark only rises, and is gone with the process.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let mark = mark.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        most = most.max(mark.unwrap_or(0));
        if let Some(end) = child.try_wait().map_err(|error| error.to_string())? {
            // Findings are an exit status of 1.
            return match end.code() {
                Some(0 | 1) => Ok((begin.elapsed().as_secs_f64(), most >> 10)),
                _ => Err(format!("`{}` ended with {end}", all.join(" "))),
            };
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The fastest of some runs of a command on a crowded machine, in seconds.
fn best_of(crowded: &str, runs: &str, subject: &[&str]) -> Outcome<f64> {
    let mut words = vec!["unshare", "-n", crowded, SOCKETS, RULES, runs];
    words.extend(subject);
    say(&format!("$ {}", words.join(" ")));
    let output = command(&words)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.parse::<f64>().ok())
        .min_by(f64::total_cmp)
        .ok_or_else(|| "no run was timed".to_owned())
}

/// The fastest of many starts, in seconds.
fn start_up(surefoot: &str) -> Outcome<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..200 {
        let begin = Instant::now();
        let output = command(&[surefoot, "--version"])
            .output()
            .map_err(|error| error.to_string())?;
        best = best.min(begin.elapsed().as_secs_f64());
        if !output.status.success() {
            return Err(format!(
                "`{surefoot} --version` ended with {}",
                output.status
            ));
        }
    }
    Ok(best)
}
