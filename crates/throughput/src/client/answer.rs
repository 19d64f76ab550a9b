//! Puts together what a client knows about what limited its test.

use super::ClientOptions;
use crate::cpu_quota::CpuQuotaWatch;
use crate::engine::SendWaiting;
use crate::limiter::{LimiterAnswer, LimiterFacts, SHORT, find_limiter};
use crate::link_rate::LinkRate;
use crate::summary::{StreamDirection, TestSummary, TrafficFigures, TransportName, as_float};

/// Datagrams that the kernel hands over, or drops, as one.
const MOST_IN_A_BUNCH: u64 = 64;

/// What limited a test: the direction in which we send, if there is one.
pub(super) fn answer_for(
    summary: &TestSummary,
    waiting: &[SendWaiting],
    options: &ClientOptions,
    idle: Option<u32>,
    quota: &CpuQuotaWatch,
) -> LimiterAnswer {
    let we_send = summary
        .streams
        .iter()
        .any(|stream| stream.direction == StreamDirection::ToServer);
    let direction = if we_send {
        StreamDirection::ToServer
    } else {
        StreamDirection::ToClient
    };
    let streams: Vec<_> = summary
        .streams
        .iter()
        .filter(|stream| stream.direction == direction)
        .collect();
    let sent: Vec<TrafficFigures> = streams.iter().filter_map(|stream| stream.sent).collect();
    let received: Vec<TrafficFigures> = streams
        .iter()
        .filter_map(|stream| stream.received)
        .collect();
    let sent = TrafficFigures::sum(&sent);
    let received = TrafficFigures::sum(&received);
    let moved = if sent.bytes > 0 { sent } else { received };
    let (ours, theirs) = (
        Some(summary.cpu_percent[0]),
        summary.peer_cpu_percent.map(|percent| percent[0]),
    );
    let count = u32::try_from(streams.len()).unwrap_or(1);
    let busy: u64 = waiting.iter().map(|one| one.busy).sum();
    let part = |of: u64| {
        if busy == 0 {
            0.0
        } else {
            as_float(of) / as_float(busy)
        }
    };
    let segment = waiting.iter().map(|one| one.segment).max().unwrap_or(0);
    let segments = as_float(sent.bytes) / f64::from(segment.max(1));
    // A short test says nothing about either, and is not made longer by asking.
    let is_long = moved.seconds >= SHORT;
    let loss = received.datagrams.unwrap_or_default();
    find_limiter(&LimiterFacts {
        udp: summary.transport == TransportName::Udp,
        asked_rate: [options.rate_limit(), options.pacing_rate]
            .into_iter()
            .flatten()
            .min()
            .map(|rate| rate.saturating_mul(u64::from(count))),
        rate: moved.bits_per_second(),
        seconds: moved.seconds,
        streams: count,
        sender_cpu: if we_send { ours } else { theirs },
        receiver_cpu: if we_send { theirs } else { ours },
        window_was_set: options.window.is_some(),
        busy: (busy > 0)
            .then(|| as_float(busy) / 1e6 / (sent.seconds * f64::from(count)).max(1e-6)),
        window_share: part(waiting.iter().map(|one| one.window).sum()),
        buffer_share: part(waiting.iter().map(|one| one.buffer).sum()),
        retransmit_share: moved
            .retransmits
            .filter(|_| we_send && segment > 0)
            .map(|again| as_float(again) / segments.max(1.0)),
        lost_share: loss.lost_percent() / 100.0,
        host_share: loss
            .lost_in_host
            .filter(|_| loss.lost > 0)
            .map(|drops| as_float(drops) / as_float(loss.lost)),
        host_share_most: loss.lost_in_host.filter(|_| loss.lost > 0).map(|drops| {
            let most = drops.saturating_mul(MOST_IN_A_BUNCH);
            (as_float(most) / as_float(loss.lost)).min(1.0)
        }),
        idle_round_trip: idle,
        quota_share: if is_long {
            quota.throttled().as_secs_f64() / moved.seconds
        } else {
            0.0
        },
        link: is_long
            .then(|| LinkRate::of_address(summary.local.ip()))
            .flatten(),
        loaded_round_trip: waiting.iter().map(|one| one.round_trip).max(),
    })
}
