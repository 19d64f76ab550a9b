//! Stands in for iperf 2.

use std::ops::ControlFlow;
use std::sync::mpsc::channel;

use surefoot_throughput::client::{ClientEvent, ClientOptions, run_client_until};
use surefoot_throughput::imitation::{
    Iperf2ClientLines, Iperf2Order, Iperf2Printing, Iperf2ServerLines, iperf2_error_text,
    iperf2_help, iperf2_version, read_iperf2_arguments,
};
use surefoot_throughput::server::{Server, ServerEvent, ServerOptions};
use surefoot_throughput::summary::TestOutcome;

use super::super::client::{SystemRandom, local_stamp};
use super::super::server::give_up_root;
use super::{ImitatedProgram, LineSink, ServedEvents, Status};
use crate::error::Failure;
use crate::output::Output;

pub(super) fn run(words: &[String], output: &Output) -> Status {
    let order = match read_iperf2_arguments(words) {
        Ok(order) => order,
        Err(error) => {
            output.complain(&format!(
                "iperf: {error}\n\n`iperf --help` says how it is used\n"
            ));
            return Status::Findings;
        }
    };
    let outcome = match order {
        Iperf2Order::Help => output.answer(&iperf2_help()).map(|()| true),
        Iperf2Order::Version => output
            .answer(&format!("{}\n", iperf2_version()))
            .map(|()| true),
        Iperf2Order::Client(options, printing) => client(&options, &printing, output),
        Iperf2Order::Server(options, printing) => serve(*options, &printing, output),
    };
    super::conclude(outcome, output)
}

/// Runs a test; says whether it worked.
fn client(
    options: &ClientOptions,
    printing: &Iperf2Printing,
    output: &Output,
) -> Result<bool, Failure> {
    let mut sink = LineSink::open(printing.log.as_deref(), output)?;
    let mut random = SystemRandom::open()?;
    let mut lines = Iperf2ClientLines::new(options, printing);
    let mut broken = None;
    let mut tell = |event: &ClientEvent| {
        ImitatedProgram::Iperf.heed_endings_of(event);
        let text = lines.event(event, &local_stamp());
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
    match outcome {
        Ok(report) => {
            sink.write(&lines.end(&report, &local_stamp()))?;
            Ok(true)
        }
        Err(error) => {
            let why = iperf2_error_text(&error);
            output.complain(&format!("{}\n", surefoot_report::escape(&why)));
            Ok(false)
        }
    }
}

/// Serves until it is ended, or for one test.
fn serve(
    options: ServerOptions,
    printing: &Iperf2Printing,
    output: &Output,
) -> Result<bool, Failure> {
    let daemon = match super::detach(printing.daemon, output)? {
        ControlFlow::Break(worked) => return Ok(worked),
        ControlFlow::Continue(daemon) => daemon,
    };
    let mut sink = LineSink::open(printing.log.as_deref(), output)?;
    let (sender, events) = channel();
    let server = match Server::bind(options, sender) {
        Ok(server) => server,
        Err(error) => {
            output.complain(&format!("{error}\n"));
            return Ok(false);
        }
    };
    give_up_root(output)?;
    if let Some(daemon) = daemon {
        daemon.let_go(output)?;
    }
    let mut lines = Iperf2ServerLines::new(printing);
    sink.write(&lines.listening(server.receive_buffer()))?;
    let mut served = ServedEvents::of(server, events, ImitatedProgram::Iperf)?;
    while let Some(event) = served.next() {
        match event {
            ServerEvent::Opened(opened) => sink.write(&lines.opened(&opened))?,
            ServerEvent::Interval { test, report } => {
                sink.write(&lines.interval(test, &report, &local_stamp()))?;
            }
            ServerEvent::Ended { test, summary } => {
                sink.write(&lines.end(test, &summary, &local_stamp()))?;
                if let TestOutcome::Refused(why) = &summary.outcome {
                    output.complain(&format!("{}\n", surefoot_report::escape(why)));
                }
            }
            ServerEvent::BareConnection { .. } => sink.write(&lines.bare_connection())?,
            ServerEvent::TurnedAway { peer, why } => {
                output.complain(&format!("{peer}: {}\n", surefoot_report::escape(&why)));
            }
        }
    }
    match served.end() {
        (Ok(()), _) => Ok(true),
        (Err(error), _) => {
            output.complain(&format!("{error}\n"));
            Ok(false)
        }
    }
}
