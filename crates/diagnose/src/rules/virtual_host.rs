//! A web server that answers a name from another server block than the one that was meant.

use super::{CauseCertainty, RuleMatch, quote, service_command};
use crate::discover::{HostMatch, MeantReason};
use crate::observation::{Scene, SymptomOutcome};

/// The block that answers does not have the name.
pub(super) fn other_block(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let served = facts.virtual_host.as_ref()?;
    let name = &served.asked;
    let is_number = name.parse::<std::net::IpAddr>().is_ok() || name == "localhost";
    // A page in order is answered from where it should be.
    let is_wrong = scene.symptom.outcome.is_wrong();
    if served.how == HostMatch::Exact || is_number || !is_wrong {
        return None;
    }
    let meant = served.meant.as_ref();
    // One that answers by a pattern or as the default is what many servers want.
    if served.how == HostMatch::Pattern && meant.is_none() {
        return None;
    }
    let program = facts.name();
    let names = if served.names.is_empty() {
        "no name".to_owned()
    } else {
        served.names.join(" ")
    };
    let way = match served.how {
        HostMatch::Pattern => "by a pattern",
        _ => "as the default",
    };
    let mut evidence = vec![format!("{}: the block that answers: {names}", served.place)];
    let mut next = Vec::new();
    let what = match meant {
        None => format!("no server block of {program} has the name {name}: another answers, {way}"),
        Some(meant) => {
            let (file, line) = meant.place.rsplit_once(':').unwrap_or((&meant.place, "?"));
            next.push(format!(
                "surefoot edit {}   # line {line}: {}",
                quote(file),
                meant.name
            ));
            match meant.why {
                MeantReason::Later => {
                    evidence.push(format!("{}: {name} stands here, behind it", meant.place));
                    format!(
                        "{program} answers {name} from another server block that stands before the one with the name"
                    )
                }
                MeantReason::Elsewhere => {
                    evidence.push(format!(
                        "{}: {name} stands here, and listens at {}",
                        meant.place,
                        meant.listens.join(", ")
                    ));
                    format!(
                        "{program} answers {name} from another server block, {way}: the one with the name listens elsewhere"
                    )
                }
                MeantReason::Similar => {
                    evidence.push(format!("{}: a similar name: {}", meant.place, meant.name));
                    format!(
                        "no server block of {program} has the name {name}: another answers, {way}; one has {}",
                        meant.name
                    )
                }
            }
        }
    };
    next.push(service_command(scene, hop, "reload"));
    // A server's own failure does not come from which block it is in.
    let is_failure = matches!(scene.symptom.outcome, SymptomOutcome::Status(500..));
    let is_possible = meant.is_none() || is_failure;
    Some(RuleMatch {
        what,
        evidence,
        next,
        at_most: Some(if is_possible {
            CauseCertainty::Possible
        } else {
            CauseCertainty::Likely
        }),
        lies_in_config: meant.is_some_and(|meant| meant.why == MeantReason::Later),
        ..RuleMatch::default()
    })
}
