//! Stands in for iperf3.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::mpsc::channel;

use surefoot_throughput::client::{ClientEvent, ClientOptions, ClientReport, run_client_until};
use surefoot_throughput::imitation::{
    Iperf3Form, Iperf3Lines, Iperf3Order, Iperf3Printing, iperf3_error_text, iperf3_help,
    iperf3_version, read_iperf3_arguments,
};
use surefoot_throughput::iperf3_json::{Iperf3Document, http_date};
use surefoot_throughput::server::{Server, ServerEvent, ServerOptions};
use surefoot_throughput::summary::{TestOutcome, TestSummary};

use super::super::client::{SystemRandom, seconds_since_1970, system_name};
use super::super::server::give_up_root;
use super::{ImitatedProgram, LineSink, ServedEvents, Status};
use crate::error::Failure;
use crate::output::Output;

pub(super) fn run(words: &[String], output: &Output) -> Status {
    let order = match read_iperf3_arguments(words) {
        Ok(order) => order,
        Err(error) => {
            output.complain(&format!(
                "iperf3: {error}\n\n`iperf3 --help` says how it is used\n"
            ));
            return Status::Findings;
        }
    };
    let outcome = match order {
        Iperf3Order::Help => output.answer(&iperf3_help()).map(|()| true),
        Iperf3Order::Version => output
            .answer(&format!("{}\n{}\n", iperf3_version(), system_name()))
            .map(|()| true),
        Iperf3Order::Client(_, ref printing) | Iperf3Order::Server(_, ref printing)
            if !pin(printing, output) =>
        {
            Ok(false)
        }
        Iperf3Order::Client(options, printing) => client(&options, &printing, output),
        Iperf3Order::Server(options, printing) => serve(*options, &printing, output),
    };
    super::conclude(outcome, output)
}

/// Keeps this process to a processor, if that is asked for; the threads that it starts stay there as well. Says
/// whether it worked.
fn pin(printing: &Iperf3Printing, output: &Output) -> bool {
    let Some(processor) = printing.processor else {
        return true;
    };
    let mut set = rustix::thread::CpuSet::new();
    set.set(processor);
    let outcome = rustix::thread::sched_setaffinity(None, &set);
    if let Err(error) = &outcome {
        let error = std::io::Error::from(*error);
        output.complain(&format!(
            "iperf3: error - unable to set CPU affinity: {error}\n"
        ));
    }
    outcome.is_ok()
}

/// Runs a test; says whether it worked.
fn client(
    options: &ClientOptions,
    printing: &Iperf3Printing,
    output: &Output,
) -> Result<bool, Failure> {
    let mut sink = LineSink::open(printing.log.as_deref(), output)?;
    let system = system_name();
    let time = seconds_since_1970();
    let mut random = SystemRandom::open()?;
    let mut lines = Iperf3Lines::of_client(options, printing.unit, printing.verbose);
    let mut document = Iperf3Document::new(options, time, &system)
        .with_version(&iperf3_version())
        .with_extra_data(printing.extra_data.as_deref());
    let mut broken = None;
    let mut tell = |event: &ClientEvent| {
        ImitatedProgram::Iperf3.heed_endings_of(event);
        document.event(event);
        let text = match (printing.form, event) {
            (Iperf3Form::Text, event) => lines.event(event, &system, &http_date(time)),
            (Iperf3Form::Document, _) | (Iperf3Form::Stream, ClientEvent::ConnectedBack { .. }) => {
                return;
            }
            (Iperf3Form::Stream, ClientEvent::Connected { .. }) => {
                shown_line(document.start_event())
            }
            (Iperf3Form::Stream, ClientEvent::Interval(report)) => {
                shown_line(document.interval_event(report))
            }
        };
        if broken.is_none() {
            broken = sink.write(&text).err();
        }
    };
    let outcome = run_client_until(
        options,
        &mut random,
        &mut tell,
        &surefoot_sys::take_interrupt,
    );
    if let Some(failure) = broken {
        return Err(failure);
    }
    let is_interrupted = outcome.as_ref().is_ok_and(ClientReport::is_interrupted);
    match (outcome, printing.form) {
        (Ok(mut report), Iperf3Form::Text) => {
            for test in &mut report.tests {
                test.peer_output = test.peer_output.take().map(|text| harmless(&text));
            }
            sink.write(&lines.client_end(&report))?;
        }
        (Ok(report), Iperf3Form::Document) => {
            let mut whole = document.report(&report);
            if is_interrupted {
                whole["error"] = serde_json::Value::from(INTERRUPTED);
            }
            sink.write(&output.json(&whole)?)?;
        }
        (Ok(report), Iperf3Form::Stream) => sink.write(&shown_line(document.end_event(&report)))?,
        (Err(error), form) => {
            let why = iperf3_error_text(&error);
            match form {
                Iperf3Form::Text => {
                    output.complain(&format!("iperf3: error - {why}\n"));
                }
                Iperf3Form::Document => sink.write(&output.json(&document.failure(&why))?)?,
                Iperf3Form::Stream => sink.write(&shown_line(Iperf3Document::error_event(&why)))?,
            }
            return Ok(false);
        }
    }
    match printing.form {
        Iperf3Form::Text if is_interrupted => output.complain(&format!("iperf3: {INTERRUPTED}\n")),
        Iperf3Form::Stream if is_interrupted => {
            sink.write(&shown_line(Iperf3Document::error_event(INTERRUPTED)))?;
        }
        _ => {}
    }
    Ok(!is_interrupted)
}

/// What the program says when a signal has ended it.
const SERVER_INTERRUPTED: &str = "interrupt - the server has terminated";
const INTERRUPTED: &str = "interrupt - the client has terminated";

/// Lines of the peer, for a terminal.
fn harmless(text: &str) -> String {
    let mut shown = String::new();
    for line in text.lines() {
        shown.push_str(&surefoot_report::escape(line));
        shown.push('\n');
    }
    shown
}

/// A line of JSON that a terminal may get.
fn shown_line(line: String) -> String {
    surefoot_report::escape_json(line)
}

/// A test that a server runs.
struct ServedTest {
    lines: Iperf3Lines,
    document: Iperf3Document,
    report: ClientReport,
}

/// Serves until it is ended, or for one test.
fn serve(
    options: ServerOptions,
    printing: &Iperf3Printing,
    output: &Output,
) -> Result<bool, Failure> {
    let daemon = match super::detach(printing.daemon, output)? {
        ControlFlow::Break(worked) => return Ok(worked),
        ControlFlow::Continue(daemon) => daemon,
    };
    let mut sink = LineSink::open(printing.log.as_deref(), output)?;
    if let Some(path) = &printing.pid_file {
        let path_shown = path.display();
        std::fs::write(path, format!("{}\n", std::process::id()))
            .map_err(|error| Failure::io(format!("cannot write {path_shown}"), &error))?;
    }
    let one_off = options.one_off;
    let port = options.ports.first().copied().unwrap_or_default();
    let (sender, events) = channel();
    let server = match Server::bind(options, sender) {
        Ok(server) => server,
        Err(error) => {
            let source = std::error::Error::source(&error);
            let why = source.map_or_else(|| error.to_string(), ToString::to_string);
            output.complain(&format!(
                "iperf3: error - unable to start listener for connections: {why}\n"
            ));
            return Ok(false);
        }
    };
    give_up_root(output)?;
    if let Some(daemon) = daemon {
        daemon.let_go(output)?;
    }
    let text = printing.form == Iperf3Form::Text;
    let mut number = 1;
    if text {
        sink.write(&Iperf3Lines::listening(port, number))?;
    }
    let mut served = ServedEvents::of(server, events, ImitatedProgram::Iperf3)?;
    let system = system_name();
    let mut tests: HashMap<u64, ServedTest> = HashMap::new();
    let mut was_told = false;
    while let Some(event) = served.next() {
        match event {
            ServerEvent::Opened(opened) => {
                let lines = Iperf3Lines::of_server(&opened, printing.unit, printing.verbose);
                let document = Iperf3Document::of_server(&opened, seconds_since_1970(), &system)
                    .with_version(&iperf3_version());
                match printing.form {
                    Iperf3Form::Text => sink.write(&lines.opened(&opened))?,
                    Iperf3Form::Stream => sink.write(&shown_line(document.start_event()))?,
                    Iperf3Form::Document => {}
                }
                let report = ClientReport {
                    server: opened.peer,
                    protocol: opened.protocol,
                    tests: Vec::new(),
                    intervals: Vec::new(),
                };
                let running = ServedTest {
                    lines,
                    document,
                    report,
                };
                tests.insert(opened.test, running);
            }
            ServerEvent::Interval { test, report } => {
                let Some(running) = tests.get_mut(&test) else {
                    continue;
                };
                match printing.form {
                    Iperf3Form::Text => sink.write(&running.lines.interval(&report))?,
                    Iperf3Form::Stream => {
                        sink.write(&shown_line(running.document.interval_event(&report)))?;
                    }
                    Iperf3Form::Document => running.report.intervals.push(report),
                }
            }
            ServerEvent::Ended { test, summary } => {
                if let Some(running) = tests.remove(&test) {
                    was_told |= summary.outcome == TestOutcome::Interrupted;
                    end(running, *summary, printing.form, output, &mut sink)?;
                }
                number += 1;
                if text && !one_off && !served.was_interrupted {
                    sink.write(&Iperf3Lines::listening(port, number))?;
                }
            }
            ServerEvent::TurnedAway { why, .. } => {
                output.complain(&format!(
                    "iperf3: error - {}\n",
                    surefoot_report::escape(&why)
                ));
            }
            ServerEvent::BareConnection { .. } => {}
        }
    }
    let (ended, was_interrupted) = served.end();
    if let Some(path) = &printing.pid_file {
        // Without the rights of root it may have to stay.
        let _ = std::fs::remove_file(path);
    }
    if let Err(error) = ended {
        output.complain(&format!("iperf3: error - {error}\n"));
        return Ok(false);
    }
    if was_interrupted {
        tell_interrupt(printing.form, was_told, output, &mut sink)?;
    }
    Ok(!was_interrupted)
}

/// What the server says when a signal ends it; the document of a test has it already.
fn tell_interrupt(
    form: Iperf3Form,
    was_told: bool,
    output: &Output,
    sink: &mut LineSink<'_>,
) -> Result<(), Failure> {
    match form {
        Iperf3Form::Text => output.complain(&format!("iperf3: {SERVER_INTERRUPTED}\n")),
        _ if was_told => {}
        Iperf3Form::Stream => {
            sink.write(&shown_line(Iperf3Document::error_event(SERVER_INTERRUPTED)))?;
        }
        Iperf3Form::Document => {
            let document = serde_json::json!({
                "start": {
                    "connected": [],
                    "version": iperf3_version(),
                    "system_info": system_name(),
                },
                "intervals": [],
                "end": {},
                "error": SERVER_INTERRUPTED,
            });
            sink.write(&output.json(&document)?)?;
        }
    }
    Ok(())
}

fn end(
    mut served: ServedTest,
    summary: TestSummary,
    form: Iperf3Form,
    output: &Output,
    sink: &mut LineSink<'_>,
) -> Result<(), Failure> {
    let why = match &summary.outcome {
        TestOutcome::Complete => None,
        TestOutcome::PeerInterrupted | TestOutcome::PeerVanished => {
            Some("the client has terminated".to_owned())
        }
        TestOutcome::PeerSilent => Some("the client says nothing any more".to_owned()),
        TestOutcome::Interrupted => Some(SERVER_INTERRUPTED.to_owned()),
        TestOutcome::Refused(why) => Some(why.clone()),
    };
    let rows = served.lines.server_end(&summary);
    served.report.tests.push(summary);
    match form {
        Iperf3Form::Text => {
            sink.write(&rows)?;
            // Of itself the server speaks last.
            if let Some(why) = why.filter(|why| why != SERVER_INTERRUPTED) {
                output.complain(&format!("iperf3: {}\n", surefoot_report::escape(&why)));
            }
        }
        Iperf3Form::Document => {
            let mut document = served.document.report(&served.report);
            if let Some(why) = why {
                document["error"] = serde_json::Value::from(why);
            }
            sink.write(&output.json(&document)?)?;
        }
        Iperf3Form::Stream => {
            sink.write(&shown_line(served.document.end_event(&served.report)))?;
            if let Some(why) = why {
                sink.write(&shown_line(Iperf3Document::error_event(&why)))?;
            }
        }
    }
    Ok(())
}
