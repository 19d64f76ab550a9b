//! What limited a test: an answer drawn from what the kernel and both sides counted.
//!
//! Each rule needs evidence of its own; where none has any, the answer is unknown. A rule that rests
//! on one side's word for the other says *probably*.

use serde::Serialize;

use crate::link_rate::LinkRate;
use crate::summary::as_float;

/// What limited a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimiterKind {
    /// The rate that was asked for.
    AskedRate,
    /// The nominal rate of the link that leaves this machine.
    Link,
    /// The CPU quota of the control group of this side.
    CpuQuota,
    /// The CPU of the side that sends.
    SenderCpu,
    /// The CPU of the side that receives.
    ReceiverCpu,
    /// The window that the receiver announces.
    ReceiveWindow,
    /// The send buffer of the sender.
    SendBuffer,
    /// Loss on the way.
    Loss,
    /// The receive buffer of the receiving host.
    ReceivingHost,
    /// The capacity of the path.
    Path,
    /// Nothing that was counted says.
    Unknown,
}

/// How sure an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimiterCertainty {
    /// It was counted.
    Certainly,
    /// It follows from what was counted, but something else would look alike.
    Probably,
    /// There is no evidence.
    Unknown,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LimiterAnswer {
    /// What limited the test.
    pub limiter: LimiterKind,
    /// How sure that is.
    pub certainty: LimiterCertainty,
    /// What shows it.
    pub because: String,
    /// What to change.
    pub advice: Option<&'static str>,
    /// The round-trip time before the test, microseconds; `None` is unknown.
    pub idle_round_trip_us: Option<u32>,
    /// The round-trip time while it ran, microseconds; `None` is unknown.
    pub loaded_round_trip_us: Option<u32>,
}

/// What is known of a direction of a test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LimiterFacts {
    /// Whether it was UDP.
    pub udp: bool,
    /// The bit/s that were asked for, of all streams together.
    pub asked_rate: Option<u64>,
    /// The bit/s that were sent.
    pub rate: f64,
    /// Seconds that the test took.
    pub seconds: f64,
    /// Streams in the direction.
    pub streams: u32,
    /// CPU of the sender in percent of one core.
    pub sender_cpu: Option<f64>,
    /// CPU of the receiver in percent of one core.
    pub receiver_cpu: Option<f64>,
    /// Whether the size of the buffers was asked for.
    pub window_was_set: bool,
    /// The part of the time in which TCP had something to send; `None` where the peer sent.
    pub busy: Option<f64>,
    /// Of that, the part in which the receiver's window was full.
    pub window_share: f64,
    /// Of that, the part in which the send buffer was full.
    pub buffer_share: f64,
    /// Segments that were sent again, of all.
    pub retransmit_share: Option<f64>,
    /// Datagrams that were lost, of all.
    pub lost_share: f64,
    /// Of the lost datagrams, the part that the receiving host had no room for; `None` is unknown.
    pub host_share: Option<f64>,
    /// The most that part can be: the kernel counts a bunch of datagrams that it drops as one.
    pub host_share_most: Option<f64>,
    /// The round-trip time before the test, microseconds.
    pub idle_round_trip: Option<u32>,
    /// The round-trip time while it ran, microseconds.
    pub loaded_round_trip: Option<u32>,
    /// Of the time, the part in which the quota of this side's control group kept it from the CPU.
    pub quota_share: f64,
    /// The link that leaves this machine; `None` is unknown.
    pub link: Option<LinkRate>,
}

/// A rate this near to the one asked for is it.
const NEAR: f64 = 0.95;
/// A thread that has this part of a core has all that it can get on a machine that does other things.
const ALL_OF_A_CORE: f64 = 85.0;
/// A part of the busy time that is this large limits.
const LARGE_SHARE: f64 = 0.4;
/// Below, TCP hardly notices; above, what was sent again were probes of a window that is shut.
const PLAUSIBLE_LOSS: std::ops::RangeInclusive<f64> = 0.002..=0.5;
/// Shorter tests are over before TCP has found its speed.
pub(crate) const SHORT: f64 = 0.3;

/// Names what limited a direction of a test.
pub fn find_limiter(facts: &LimiterFacts) -> LimiterAnswer {
    use LimiterCertainty::{Certainly, Probably, Unknown};
    let (limiter, certainty, because, advice) = if facts.udp {
        judge_udp(facts)
    } else {
        judge_tcp(facts)
    }
    .unwrap_or_else(|| {
        let why = "nothing that was counted stands out".to_owned();
        (LimiterKind::Unknown, Unknown, why, Some(next_step(facts)))
    });
    debug_assert!(matches!(certainty, Certainly | Probably | Unknown));
    LimiterAnswer {
        limiter,
        certainty,
        because,
        advice,
        idle_round_trip_us: facts.idle_round_trip,
        loaded_round_trip_us: facts.loaded_round_trip,
    }
}

/// The measurement that tells more, where one has told nothing.
fn next_step(facts: &LimiterFacts) -> &'static str {
    if facts.udp {
        "measure with half of the rate (-b): what arrives whole is what the way carries"
    } else if facts.streams > 1 {
        "measure with -R, where the other side's kernel counts, and to a machine in the middle of the way"
    } else {
        "measure with -P 4: if that carries more, one connection is the limit; and with -R, where the other \
         side's kernel counts"
    }
}

type Judgement = (LimiterKind, LimiterCertainty, String, Option<&'static str>);

fn asked_rate(facts: &LimiterFacts) -> Option<Judgement> {
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    let part = facts.rate / facts.asked_rate.filter(|rate| *rate > 0)? as f64;
    (part >= NEAR).then(|| {
        let why = format!("{:.1} % of the rate asked for was sent", part * 100.0);
        let advice = "ask for more with -b, or for no limit with -b 0";
        (
            LimiterKind::AskedRate,
            LimiterCertainty::Certainly,
            why,
            Some(advice),
        )
    })
}

/// A quota that stood in the way for a part of the time that cannot be chance.
fn cpu_quota(facts: &LimiterFacts) -> Option<Judgement> {
    const MATTERS: f64 = 0.15;
    const MOST_OF_IT: f64 = 0.4;
    let share = facts.quota_share;
    (share >= MATTERS).then(|| {
        let why = format!(
            "the CPU quota of this side's control group stopped it for {:.0} % of the time",
            (share * 100.0).min(100.0)
        );
        let certainty = if share >= MOST_OF_IT {
            LimiterCertainty::Certainly
        } else {
            LimiterCertainty::Probably
        };
        let advice =
            "raise cpu.max (version 1: cpu.cfs_quota_us) of the group, or measure outside of it";
        (LimiterKind::CpuQuota, certainty, why, Some(advice))
    })
}

/// A link that carries as much as links of its kind do.
fn full_link(facts: &LimiterFacts) -> Option<Judgement> {
    let link = facts.link.as_ref()?;
    let expected = link.expected();
    let part = facts.rate / expected;
    let [rate, nominal, expected] =
        [facts.rate, as_float(link.nominal), expected].map(crate::quantity::show_rate);
    let name = &link.interface;
    let (is_full, why, advice) = if link.is_wireless {
        // Rates of Wi-Fi change from one moment to the next, so that its share is a wide one.
        let why = format!(
            "{name} is at {nominal}, of which Wi-Fi carries about {expected}, since stations take turns and \
             each frame waits and is acknowledged; {rate} went"
        );
        let advice =
            "go nearer to the access point, take a free channel or a wider one, or a cable";
        ((0.65..1.7).contains(&part), why, advice)
    } else {
        let why =
            format!("{rate} went of the {expected} of payload that {name} carries at {nominal}");
        (
            (0.93..1.1).contains(&part),
            why,
            "a faster link would carry more",
        )
    };
    is_full.then_some((
        LimiterKind::Link,
        LimiterCertainty::Probably,
        why,
        Some(advice),
    ))
}

/// The side that has used up a core for each of its streams.
fn busy_core(facts: &LimiterFacts) -> Option<Judgement> {
    let streams = f64::from(facts.streams.max(1));
    let sender = facts.sender_cpu.unwrap_or(0.0) / streams;
    let receiver = facts.receiver_cpu.unwrap_or(0.0) / streams;
    if sender.max(receiver) < ALL_OF_A_CORE {
        return None;
    }
    let (limiter, who, part) = if sender >= receiver {
        (LimiterKind::SenderCpu, "sender", sender)
    } else {
        (LimiterKind::ReceiverCpu, "receiver", receiver)
    };
    let why = format!("the {who} uses {part:.0} % of a core for each stream");
    let advice = "take more streams with -P if there are cores left";
    Some((limiter, LimiterCertainty::Probably, why, Some(advice)))
}

fn judge_tcp(facts: &LimiterFacts) -> Option<Judgement> {
    use LimiterCertainty::{Certainly, Probably};
    if let Some(judgement) = asked_rate(facts) {
        return Some(judgement);
    }
    if let Some(judgement) = cpu_quota(facts).or_else(|| full_link(facts)) {
        return Some(judgement);
    }
    if facts.seconds < SHORT {
        let why = format!("{:.0} ms are too short to tell", facts.seconds * 1000.0);
        let advice = Some("measure for longer with -t");
        return Some((LimiterKind::Unknown, LimiterCertainty::Unknown, why, advice));
    }
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    if facts.busy.is_some() && facts.buffer_share.max(facts.window_share) >= LARGE_SHARE {
        if facts.buffer_share >= facts.window_share {
            let why = format!(
                "the send buffer was full for {} of the time",
                percent(facts.buffer_share)
            );
            return Some(if facts.window_was_set {
                (
                    LimiterKind::SendBuffer,
                    Certainly,
                    why,
                    Some("take a larger -w, or leave it out"),
                )
            } else {
                (
                    LimiterKind::SendBuffer,
                    Probably,
                    why,
                    Some("raise net.ipv4.tcp_wmem on the sender"),
                )
            });
        }
        let share = percent(facts.window_share);
        let why = format!("the receiver's window was full for {share} of the time");
        if facts.window_was_set {
            let advice = Some("take a larger -w, or leave it out");
            return Some((LimiterKind::ReceiveWindow, Certainly, why, advice));
        }
        let streams = f64::from(facts.streams.max(1));
        if facts
            .receiver_cpu
            .is_some_and(|cpu| cpu / streams >= ALL_OF_A_CORE)
        {
            let why = format!("{why}, and it uses all of a core");
            return Some((LimiterKind::ReceiverCpu, Probably, why, None));
        }
        let advice =
            Some("raise net.ipv4.tcp_rmem on the receiver, or see what keeps it from reading");
        return Some((LimiterKind::ReceiveWindow, Probably, why, advice));
    }
    if let Some(judgement) = busy_core(facts) {
        return Some(judgement);
    }
    if let Some(share) = facts
        .retransmit_share
        .filter(|share| PLAUSIBLE_LOSS.contains(share))
    {
        let why = format!("{:.1} % of the segments were sent again", share * 100.0);
        let advice = Some("look for a queue that overflows, a bad cable or a policer on the way");
        return Some((LimiterKind::Loss, Probably, why, advice));
    }
    if facts.busy.is_some_and(|busy| busy >= 0.9) {
        let (Some(idle), Some(loaded)) = (facts.idle_round_trip, facts.loaded_round_trip) else {
            return None;
        };
        // A path that is full has a queue in front of its narrowest place.
        if loaded >= idle.saturating_mul(2).max(1000) {
            let why = format!(
                "the round-trip time rose from {} to {} ms: a queue on the way is full",
                milliseconds(idle),
                milliseconds(loaded)
            );
            return Some((LimiterKind::Path, Probably, why, None));
        }
    }
    None
}

fn judge_udp(facts: &LimiterFacts) -> Option<Judgement> {
    use LimiterCertainty::{Certainly, Probably};
    if facts.lost_share >= 0.01 {
        let lost = format!(
            "{:.1} % of the datagrams were lost",
            facts.lost_share * 100.0
        );
        return Some(match facts.host_share {
            Some(share) if share >= 0.5 => (
                LimiterKind::ReceivingHost,
                Certainly,
                format!("{lost}, most of them in the receiving host's own buffer"),
                Some("raise net.core.rmem_max on the receiver, or take a larger -w"),
            ),
            Some(_) if facts.host_share_most.is_some_and(|most| most >= 0.5) => (
                LimiterKind::ReceivingHost,
                Probably,
                format!("{lost}, and the receiving host's own buffer was full"),
                Some("raise net.core.rmem_max on the receiver, or take a larger -w"),
            ),
            Some(_) => (
                LimiterKind::Loss,
                Probably,
                format!("{lost}, most of them before the receiving host's buffer"),
                Some("ask for less with -b until the loss ends: that is the path's rate"),
            ),
            None => (
                LimiterKind::Loss,
                Probably,
                format!("{lost}, on the way or in the receiving host"),
                Some("ask for less with -b until the loss ends"),
            ),
        });
    }
    asked_rate(facts)
        .or_else(|| cpu_quota(facts))
        .or_else(|| full_link(facts))
        .or_else(|| busy_core(facts))
}

/// Microseconds as milliseconds.
pub(crate) fn milliseconds(microseconds: u32) -> String {
    format!("{:.2}", f64::from(microseconds) / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> LimiterFacts {
        LimiterFacts {
            rate: 1e9,
            seconds: 10.0,
            streams: 1,
            busy: Some(1.0),
            sender_cpu: Some(20.0),
            receiver_cpu: Some(20.0),
            ..LimiterFacts::default()
        }
    }

    #[track_caller]
    fn check(facts: &LimiterFacts, limiter: LimiterKind, certainty: LimiterCertainty) {
        let answer = find_limiter(facts);
        assert_eq!(
            (answer.limiter, answer.certainty),
            (limiter, certainty),
            "{answer:?}"
        );
    }

    #[test]
    fn without_evidence_the_answer_is_unknown() {
        check(&facts(), LimiterKind::Unknown, LimiterCertainty::Unknown);
        // There is always something to do next.
        for (udp, streams, word) in [(false, 1, "-P 4"), (false, 4, "-R"), (true, 1, "-b")] {
            let silent = LimiterFacts {
                udp,
                streams,
                ..facts()
            };
            let answer = find_limiter(&silent);
            assert!(
                answer.advice.is_some_and(|advice| advice.contains(word)),
                "{answer:?}"
            );
        }
        let short = LimiterFacts {
            seconds: 0.1,
            window_share: 0.9,
            ..facts()
        };
        check(&short, LimiterKind::Unknown, LimiterCertainty::Unknown);
    }

    #[test]
    fn a_rate_that_is_kept_is_the_limit() {
        let kept = LimiterFacts {
            asked_rate: Some(1_000_000_000),
            ..facts()
        };
        check(&kept, LimiterKind::AskedRate, LimiterCertainty::Certainly);
        let missed = LimiterFacts {
            asked_rate: Some(2_000_000_000),
            ..facts()
        };
        check(&missed, LimiterKind::Unknown, LimiterCertainty::Unknown);
    }

    #[test]
    fn a_quota_that_stops_a_side_is_the_limit_and_a_little_of_it_is_not() {
        for (share, limiter, certainty) in [
            (0.8, LimiterKind::CpuQuota, LimiterCertainty::Certainly),
            (0.2, LimiterKind::CpuQuota, LimiterCertainty::Probably),
            (0.05, LimiterKind::Unknown, LimiterCertainty::Unknown),
        ] {
            let quota = LimiterFacts {
                quota_share: share,
                ..facts()
            };
            check(&quota, limiter, certainty);
        }
        // A rate that is kept in spite of it is what was asked for.
        let kept = LimiterFacts {
            quota_share: 0.8,
            asked_rate: Some(1_000_000_000),
            ..facts()
        };
        check(&kept, LimiterKind::AskedRate, LimiterCertainty::Certainly);
    }

    #[test]
    fn a_link_that_is_full_is_the_limit_by_what_its_kind_carries() {
        let over = |nominal: u64, is_wireless, rate: f64| LimiterFacts {
            link: Some(LinkRate {
                interface: "if0".to_owned(),
                nominal,
                is_wireless,
            }),
            rate,
            ..facts()
        };
        // 802.11n at 65 Mbit/s.
        let wifi = over(65_000_000, true, 31.8e6);
        check(&wifi, LimiterKind::Link, LimiterCertainty::Probably);
        let why = find_limiter(&wifi).because;
        assert!(
            why.contains("carries about 39.0 Mbits/sec") && why.contains("31.8 Mbits/sec went"),
            "{why}"
        );
        let cable = over(1_000_000_000, false, 938e6);
        check(&cable, LimiterKind::Link, LimiterCertainty::Probably);
        // Far below, the link is not what limits.
        let slow = over(65_000_000, true, 9e6);
        check(&slow, LimiterKind::Unknown, LimiterCertainty::Unknown);
        let slow = over(1_000_000_000, false, 700e6);
        check(&slow, LimiterKind::Unknown, LimiterCertainty::Unknown);
    }

    #[test]
    fn full_windows_are_told_apart() {
        let window = LimiterFacts {
            window_share: 0.9,
            ..facts()
        };
        check(
            &window,
            LimiterKind::ReceiveWindow,
            LimiterCertainty::Probably,
        );
        let set = LimiterFacts {
            window_was_set: true,
            ..window.clone()
        };
        check(
            &set,
            LimiterKind::ReceiveWindow,
            LimiterCertainty::Certainly,
        );
        let slow = LimiterFacts {
            receiver_cpu: Some(99.0),
            ..window
        };
        check(&slow, LimiterKind::ReceiverCpu, LimiterCertainty::Probably);
        let buffer = LimiterFacts {
            buffer_share: 0.6,
            window_share: 0.1,
            ..facts()
        };
        check(&buffer, LimiterKind::SendBuffer, LimiterCertainty::Probably);
    }

    #[test]
    fn a_core_that_is_used_up_is_the_limit_of_few_streams() {
        let sender = LimiterFacts {
            sender_cpu: Some(97.0),
            ..facts()
        };
        check(&sender, LimiterKind::SenderCpu, LimiterCertainty::Probably);
        let many = LimiterFacts {
            streams: 4,
            ..sender
        };
        check(&many, LimiterKind::Unknown, LimiterCertainty::Unknown);
    }

    #[test]
    fn loss_and_queues_are_of_the_path() {
        let lossy = LimiterFacts {
            retransmit_share: Some(0.01),
            ..facts()
        };
        check(&lossy, LimiterKind::Loss, LimiterCertainty::Probably);
        let queue = LimiterFacts {
            idle_round_trip: Some(2000),
            loaded_round_trip: Some(90_000),
            ..facts()
        };
        check(&queue, LimiterKind::Path, LimiterCertainty::Probably);
    }

    #[test]
    fn loss_of_datagrams_is_put_where_it_was_counted() {
        let udp = LimiterFacts {
            udp: true,
            lost_share: 0.1,
            ..facts()
        };
        check(&udp, LimiterKind::Loss, LimiterCertainty::Probably);
        let bunches = LimiterFacts {
            host_share: Some(0.02),
            host_share_most: Some(1.0),
            ..udp.clone()
        };
        check(
            &bunches,
            LimiterKind::ReceivingHost,
            LimiterCertainty::Probably,
        );
        let path = LimiterFacts {
            host_share: Some(0.002),
            host_share_most: Some(0.1),
            ..udp.clone()
        };
        check(&path, LimiterKind::Loss, LimiterCertainty::Probably);
        let host = LimiterFacts {
            host_share: Some(0.9),
            ..udp
        };
        check(
            &host,
            LimiterKind::ReceivingHost,
            LimiterCertainty::Certainly,
        );
    }
}
