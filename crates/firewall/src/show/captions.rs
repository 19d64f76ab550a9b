//! Captions of hooks, references and reasons; the same in every form.

use super::picture::{BaseView, DrawnAs, DrawnCall, Picture, WhyApart};

/// What the packets at a hook have in common.
pub(super) fn hook_caption(layer: &str, hook: &str) -> &'static str {
    match (layer, hook) {
        ("device", "ingress") => "frames that a device received, before everything else",
        ("device", _) => "frames that are about to leave a device",
        ("bridge", "input") => "frames for this host that came over a bridge",
        ("bridge", "forward") => "frames that a bridge passes on",
        ("bridge", "output") => "frames of this host that leave over a bridge",
        ("bridge", _) => "frames on a bridge",
        ("arp", "output") => "ARP that this host sends",
        ("arp", _) => "ARP that this host receives",
        (_, "prerouting") => "received, not yet routed",
        (_, "input") => "routed to this host",
        (_, "forward") => "routed through this host",
        (_, "output") => "made by this host",
        (_, "postrouting") => "about to leave",
        _ => "",
    }
}

/// `input`, `bridge input`.
pub(super) fn hook_name(layer: &str, hook: &str) -> String {
    match layer {
        "bridge" | "arp" => format!("{layer} {hook}"),
        _ => hook.to_owned(),
    }
}

/// Why chains stand apart.
pub(super) fn why_apart(why: WhyApart) -> &'static str {
    match why {
        WhyApart::Selected => "as asked for",
        WhyApart::Deep => "called too deep to be drawn in place",
        WhyApart::Dormant => "not in force: the table is dormant",
        WhyApart::Unsure => "perhaps called by a verdict map whose elements are not all known",
        WhyApart::Uncalled => "not in force: nothing calls these chains",
        WhyApart::Unreached => "not in force: called only by each other",
    }
}

/// Returns the remark on a call beside the name of the chain; `seen` if the chain was drawn before.
pub(super) fn call_caption(picture: &Picture, call: &DrawnCall, seen: bool) -> Option<String> {
    let chain = call.chain.and_then(|at| picture.chains.get(at));
    let empty = chain.is_some_and(|chain| chain.rules.is_empty());
    let note = match call.drawn {
        DrawnAs::Here | DrawnAs::Elsewhere if empty => "empty",
        DrawnAs::Here => {
            let callers = chain.map_or(0, |chain| chain.callers);
            return (callers > 1).then(|| format!("called from {callers} places"));
        }
        DrawnAs::Elsewhere if seen => "see above",
        DrawnAs::Elsewhere => "see below",
        DrawnAs::Loop => "a loop: the kernel refuses to load this",
        DrawnAs::Deeper => "not followed",
    };
    Some(note.to_owned())
}

/// `filter, priority 0`.
pub(super) fn base_caption(base: &BaseView) -> String {
    let mut words = format!("{}, priority {}", base.kind, base.priority);
    if !base.devices.is_empty() {
        words.push_str(", device ");
        words.push_str(&base.devices.join(","));
    }
    words
}

/// The name of a table; with its backend if another one has a table of that name.
pub(super) fn table_name(picture: &Picture, at: usize) -> String {
    let Some(table) = picture.tables.get(at) else {
        return "?".to_owned();
    };
    let twins = picture
        .tables
        .iter()
        .filter(|other| other.name == table.name && other.family == table.family)
        .count();
    if twins > 1 {
        format!("{} ({})", table.full_name(), table.backend)
    } else {
        table.full_name()
    }
}
