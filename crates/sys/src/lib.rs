//! A safe API over the system calls that have none.
//!
//! All the `unsafe` of the workspace is here, each use argued. Nothing here decides anything.

mod cpu_time;
mod datagrams;
mod interfaces;
mod kept_files;
mod local_time;
mod memory;
mod mounts;
mod namespace;
mod process_end;
mod raw_socket;
mod signals;
mod socket_options;
mod standard_streams;
mod tap;
mod tcp_statistics;
mod xtables;

pub use cpu_time::CpuTime;
pub use datagrams::{ReceivedDatagrams, receive_datagrams};
pub use interfaces::{interface_of, wireless_rate};
pub use kept_files::keep_files_from;
pub use local_time::LocalTime;
pub use memory::OrEnd;
pub use mounts::with_files_covered;
pub use namespace::NetworkNamespace;
pub use process_end::wait_status_of;
pub use raw_socket::RawSocket;
pub use signals::{outlive_signals, take_interrupt, watch_endings, watch_interrupt};
pub use socket_options::{
    NumberOption, get_number, set_number, unacknowledged_bytes, unsent_bytes,
};
pub use standard_streams::silence_standard_streams;
pub use tap::Tap;
pub use tcp_statistics::TcpStatistics;
pub use xtables::{Xtable, XtablesSocket};
