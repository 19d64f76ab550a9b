//! What `/proc` tells of a process: no panic, and nothing of a secret argument is kept.
//!
//! Seeds: .proc
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_host::{Host, Process, ProcessDetail, ProcessFiles};
use surefoot_processes::{SignalSender, explain_process, report_signals};

/// What stands between two files in an input.
const BETWEEN: &[u8] = b"\n====\n";

fuzz_target!(|bytes: &[u8]| {
    let mut files = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(BETWEEN.len()).position(|part| part == BETWEEN) {
        files.push(&rest[..at]);
        rest = &rest[at + BETWEEN.len()..];
    }
    files.push(rest);
    let file = |at: usize| files.get(at).copied().unwrap_or_default();
    let files = ProcessFiles {
        status: file(0),
        stat: file(1),
        command_line: file(2),
        control_groups: file(3),
    };
    let Some(process) = files.parse(7, 1_700_000_000, false) else {
        return;
    };
    let parent = Process {
        pid: process.parent,
        ..process.clone()
    };
    let host = Host {
        processes: Some(vec![parent, process.clone()]),
        ..Host::default()
    };
    // Whatever it is, it is explained.
    let detail = ProcessDetail {
        process,
        ..ProcessDetail::default()
    };
    let sender = SignalSender::default();
    let explanation = explain_process(&detail, &host, &sender);
    assert_eq!(report_signals(&detail, &host, &sender).explanation, explanation);
    let _ = surefoot_processes::check(&host);
});
