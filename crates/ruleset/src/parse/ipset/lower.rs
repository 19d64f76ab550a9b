//! From lines to sets.

use std::collections::HashMap;

use surefoot_report::Problem;

use super::element::elements;
use super::read::{File, Line, Verb};
use crate::model::{Content, Element, Place, Set, SetKind, SetRef};

/// What was collected of a set.
struct Collected<'f, 'a> {
    create: &'f Line<'a>,
    elements: Vec<Element>,
    members: Vec<&'f str>,
    /// Whether an element could not be read, so that the content is unknown.
    lost: bool,
}

/// Gives the sets of a dump.
pub fn lower(file: &File<'_>, source: u16, problems: &mut Vec<Problem>) -> Vec<Set> {
    let mut names: HashMap<&str, usize> = HashMap::new();
    let mut sets: Vec<Collected<'_, '_>> = Vec::new();
    for line in &file.lines {
        let known = names.get(&*line.set).copied();
        match (line.verb, known.and_then(|at| sets.get_mut(at))) {
            (Verb::Create, Some(_)) => {
                let what = format!("the set `{}` exists already", line.set);
                problems.push(Problem::error(line.span, what));
            }
            (Verb::Create, None) => {
                names.insert(&line.set, sets.len());
                sets.push(Collected {
                    create: line,
                    elements: Vec::new(),
                    members: Vec::new(),
                    lost: !is_modelled(line),
                });
                if !is_modelled(line) {
                    let what = format!("the set type `{}` is not modelled", line.word);
                    problems.push(Problem::note(line.span, what).label("content not evaluated"));
                }
            }
            (Verb::Add, None) => {
                let what = format!("no line before this one makes the set `{}`", line.set);
                problems.push(Problem::error(line.span, what));
            }
            (Verb::Add, Some(set)) => add(set, line, problems),
        }
    }
    let set_ref = |name: &str| {
        let at = names.get(name).and_then(|at| u32::try_from(*at).ok());
        at.map_or_else(|| SetRef::Missing(name.to_owned()), SetRef::Ipset)
    };
    let set = |collected: Collected<'_, '_>| {
        let create = collected.create;
        let members = collected.members.iter();
        Set {
            name: create.set.clone().into_owned(),
            kind: if create.word == "list:set" {
                SetKind::List {
                    members: members.map(|name| set_ref(name)).collect(),
                }
            } else {
                SetKind::Ipset {
                    type_name: create.word.clone().into_owned(),
                }
            },
            content: if collected.lost {
                Content::Unknown
            } else if create.has("timeout") || create.word == "bitmap:ip,mac" {
                Content::Dynamic(collected.elements)
            } else {
                Content::Known(collected.elements)
            },
            place: Place {
                source,
                span: create.span,
            },
        }
    };
    sets.into_iter().map(set).collect()
}

fn add<'f>(set: &mut Collected<'f, '_>, line: &'f Line<'_>, problems: &mut Vec<Problem>) {
    if set.create.word == "list:set" {
        set.members.push(&line.word);
        return;
    }
    if !is_modelled(set.create) {
        return;
    }
    if let Some(found) = elements(set.create, line) {
        set.elements.extend(found);
    } else {
        set.lost = true;
        let what = format!("`{}` is no element of `{}`", line.word, set.create.word);
        problems
            .push(Problem::note(line.span, what).label("the set's content is taken as unknown"));
    }
}

fn is_modelled(create: &Line<'_>) -> bool {
    let types = [
        "hash:ip",
        "hash:net",
        "hash:mac",
        "hash:ip,mac",
        "hash:ip,mark",
        "hash:ip,port",
        "hash:ip,port,ip",
        "hash:ip,port,net",
        "hash:net,port",
        "hash:net,net",
        "hash:net,port,net",
        "hash:net,iface",
        "bitmap:ip",
        "bitmap:ip,mac",
        "bitmap:port",
        "list:set",
    ];
    // With these settings the kernel changes the key before it looks it up.
    types.contains(&&*create.word) && !create.has("markmask") && !create.has("bitmask")
}
