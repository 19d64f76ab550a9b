//! `surefoot throughput`: the network measured, with every iperf there is.

mod client;
mod server;

use clap::Subcommand;

use super::Status;
use crate::error::Failure;
use crate::output::Output;

/// Measure a network; the other end may be iperf, iperf3 or surefoot
#[derive(Debug, Subcommand)]
#[command(after_long_help = "\
Examples:
  surefoot throughput server                # on one machine
  surefoot throughput client 192.0.2.1      # on the other
  surefoot throughput client 192.0.2.1 -R   # the other way
  iperf3 -c 192.0.2.1                       # the server takes these too,
  iperf -c 192.0.2.1                        # and these

Exit status:
  0  measured
  2  bad usage, or the test could not be made
  3  not permitted")]
pub(crate) enum ThroughputCommand {
    Server(server::ServerArgs),
    Client(client::ClientArgs),
}

/// Runs the command.
pub(super) fn run(command: &ThroughputCommand, output: &Output) -> Result<Status, Failure> {
    match command {
        ThroughputCommand::Server(args) => server::run(args, output),
        ThroughputCommand::Client(args) => client::run(args, output),
    }
}
