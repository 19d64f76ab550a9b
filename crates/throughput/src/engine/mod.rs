//! What moves the data: one thread a stream, plain system calls, counters that others may read.

mod arrivals;
mod codec;
mod meter;
mod pacer;
mod senders_stop;
mod sockets;
mod stream;
mod tcp;
mod udp;
mod wakeup;

pub(crate) use arrivals::ArrivalLedger;
pub(crate) use codec::DatagramCodec;
pub(crate) use meter::{MeterReading, StreamMeter};
pub(crate) use senders_stop::SendersStop;
pub(crate) use sockets::{
    SocketSettings, accept_pending, canonical, connect_tcp, connect_udp, has_data, is_timeout,
    listen_tcp, open_flow, open_udp, prepare_tcp, prepare_udp, read_exactly, wait_for,
    watch_for_death, write_fully,
};
pub(crate) use stream::{
    RunningStream, SendWaiting, StreamPlan, StreamSocket, beginning_of, stop_senders,
    wait_until_acknowledged,
};
pub(crate) use tcp::{ByteBudget, TcpSendPlan, close_politely, drain_tcp, receive_tcp, send_tcp};
pub(crate) use udp::{UdpSendPlan, UdpStop, receive_udp, send_udp};
pub(crate) use wakeup::Wakeup;

use std::time::Duration;

/// How long a call may block before the thread looks whether it is to stop.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);

/// How long a peer may say nothing where it has something to say.
pub(crate) const LONGEST_SILENCE: Duration = Duration::from_secs(5);
