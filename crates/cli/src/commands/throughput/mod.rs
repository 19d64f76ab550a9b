//! `surefoot throughput`: the network measured, with every iperf there is.

mod client;
mod daemon;
mod imitate;
mod server;

use clap::{Args, Subcommand};

pub(crate) use imitate::{ImitatedProgram, run as imitate};

use super::Status;
use crate::error::Failure;
use crate::output::Output;

/// Measure a network; the other end may be iperf, iperf3 or surefoot
#[derive(Debug, Args)]
#[command(
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true,
    after_long_help = "\
Examples:
  surefoot throughput server                # on one machine
  surefoot throughput client 192.0.2.1      # on the other
  surefoot throughput client 192.0.2.1 -R   # the other way
  iperf3 -c 192.0.2.1                       # the server takes these too,
  iperf -c 192.0.2.1                        # and these
  surefoot throughput --as iperf3 -- -c 192.0.2.1 -J | jq .end
  ln -s surefoot iperf3                     # called so, it is iperf3 to scripts

Exit status:
  0  measured
  1  with --as: not measured, as those programs have it
  2  bad usage, or the test could not be made
  3  not permitted"
)]
pub(crate) struct ThroughputArgs {
    /// Take the command line of this program, and print what it prints
    #[arg(long = "as", value_enum, value_name = "PROGRAM", required = true)]
    program: Option<ImitatedProgram>,
    /// Its arguments
    #[arg(last = true, value_name = "ARGUMENTS", allow_hyphen_values = true)]
    arguments: Vec<String>,
    #[command(subcommand)]
    command: Option<ThroughputCommand>,
}

#[derive(Debug, Subcommand)]
enum ThroughputCommand {
    Server(server::ServerArgs),
    Client(client::ClientArgs),
}

/// Runs the command.
pub(super) fn run(args: &ThroughputArgs, output: &Output) -> Result<Status, Failure> {
    match (&args.command, args.program) {
        (Some(ThroughputCommand::Server(args)), _) => server::run(args, output),
        (Some(ThroughputCommand::Client(args)), _) => client::run(args, output),
        (None, Some(program)) => Ok(imitate(program, &args.arguments, output)),
        (None, None) => Err(Failure::input(
            "nothing to do: give `server`, `client` or --as",
        )),
    }
}
