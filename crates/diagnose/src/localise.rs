//! Which daemon makes a symptom, found by holding one after another for a moment: the order in which they are
//! held, and what the answers show.
//!
//! An answer that comes as fast and says the same while a daemon is held was made without it, and without all that
//! only it uses. An answer that changes needs it, and all that is on the only way to it. Stores come last.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use crate::observation::{HopFacts, ReplyOutcome, Scene, SymptomOutcome};
use crate::verdict::deepest_failing;

/// Daemons that are held together: one, or those that serve for each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldGroup {
    /// The hops, by their places in the list.
    pub hops: Vec<usize>,
    /// What to call them.
    pub name: String,
    /// Their processes.
    pub pids: Vec<u32>,
    /// Whether one of them holds data.
    pub keeps_state: bool,
    /// Whether the symptom is shown there.
    pub is_front: bool,
    /// Why they may not be held.
    pub refused: Option<String>,
}

/// What holding a group showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldEffect {
    /// The symptom was the same: it is made without them.
    Same,
    /// The symptom changed: they take part in it.
    Changed,
}

/// A search over the groups of a chain.
#[derive(Clone, Debug)]
pub struct HoldSearch {
    /// The groups, nearest to the front first.
    pub groups: Vec<HoldGroup>,
    /// For each group those that use it.
    callers: Vec<BTreeSet<usize>>,
    /// Those that fail when they are asked directly, and nothing behind them does.
    failing: Vec<usize>,
    known: Vec<Option<HoldEffect>>,
}

/// What all holds together show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldConclusion {
    /// The hops one of which makes the symptom.
    pub narrowed_to: Vec<usize>,
    /// In a sentence.
    pub sentence: String,
}

/// Why the symptom of a scene cannot be narrowed down by holding daemons.
pub fn hold_obstacle(scene: &Scene) -> Option<String> {
    let outcome = &scene.symptom.outcome;
    if !outcome.is_wrong() {
        return Some("there is no symptom that could change".to_owned());
    }
    match outcome {
        SymptomOutcome::Refused => Some("nothing accepts the request at all".to_owned()),
        SymptomOutcome::Silent | SymptomOutcome::Status(504) => Some(
            "the symptom is a wait, and a held daemon would only make it wait as well".to_owned(),
        ),
        _ if scene.is_slow() => {
            Some("the answer is slow, and a held daemon would only make it slow as well".to_owned())
        }
        _ => None,
    }
}

fn cannot_be_held(hop: &HopFacts) -> Option<String> {
    if !hop.is_here {
        return Some("it is on another machine".to_owned());
    }
    if hop.processes.is_empty() {
        return Some("no process of it is there".to_owned());
    }
    if hop.processes.len() >= 256 {
        return Some("it has more than 255 processes".to_owned());
    }
    if hop
        .processes
        .iter()
        .any(|process| matches!(process.state, 'T' | 't') || process.is_frozen)
    {
        return Some("a process of it is stopped already".to_owned());
    }
    let reply = hop.probe.as_ref().map(|probe| &probe.reply);
    if matches!(reply, Some(ReplyOutcome::Silent)) {
        return Some("it does not answer now, so that holding it shows nothing".to_owned());
    }
    None
}

impl HoldSearch {
    /// The groups of the chain behind the front. `refuse` says why a process may not be held, beyond what the
    /// scene shows.
    pub fn new(scene: &Scene, refuse: &dyn Fn(&HopFacts) -> Option<String>) -> Self {
        let mut hops: Vec<usize> = Vec::new();
        let mut at = 0;
        hops.extend(0..scene.front_count());
        while at < hops.len() {
            for edge in scene.edges_from(hops[at]) {
                if !hops.contains(&edge.to) && edge.to < scene.hops.len() {
                    hops.push(edge.to);
                }
            }
            at += 1;
        }
        let mut sets: Vec<Vec<usize>> = Vec::new();
        for hop in hops {
            let mates = scene.pool_mates(hop);
            let shares = |other: &usize| {
                let pids = |at: usize| scene.hops[at].processes.iter().map(|process| process.pid);
                mates.contains(other) || pids(hop).any(|pid| pids(*other).any(|it| it == pid))
            };
            let (joined, mut apart): (Vec<_>, Vec<_>) =
                sets.into_iter().partition(|set| set.iter().any(shares));
            let mut joined: Vec<usize> = joined.into_iter().flatten().collect();
            joined.push(hop);
            joined.sort_unstable();
            apart.push(joined);
            sets = apart;
        }
        let mut groups: Vec<HoldGroup> = Vec::new();
        for set in sets {
            let names: Vec<String> = set.iter().map(|hop| scene.hops[*hop].title()).collect();
            let living = || {
                set.iter()
                    .map(|hop| &scene.hops[*hop])
                    .filter(|hop| hop.is_here)
            };
            let reason = |hop: &HopFacts| cannot_be_held(hop).or_else(|| refuse(hop));
            // One that is gone serves nobody, so that the others are all there is to hold.
            let first = living().find(|hop| !hop.processes.is_empty());
            let refused = match first {
                None => set
                    .first()
                    .and_then(|hop| cannot_be_held(&scene.hops[*hop])),
                Some(_) => living()
                    .filter(|hop| !hop.processes.is_empty())
                    .find_map(reason),
            };
            groups.push(HoldGroup {
                name: names.join(" and "),
                keeps_state: set
                    .iter()
                    .any(|hop| scene.hops[*hop].protocol.keeps_state()),
                pids: living()
                    .flat_map(|hop| hop.processes.iter().map(|process| process.pid))
                    .collect(),
                is_front: set.iter().any(|hop| scene.is_front(*hop)),
                refused,
                hops: set,
            });
        }
        let group_of = |hop: usize| groups.iter().position(|group| group.hops.contains(&hop));
        let mut callers = vec![BTreeSet::new(); groups.len()];
        for edge in &scene.edges {
            if let (Some(from), Some(to)) = (group_of(edge.from), group_of(edge.to))
                && from != to
            {
                callers[to].insert(from);
            }
        }
        let known = groups
            .iter()
            .map(|group| group.is_front.then_some(HoldEffect::Changed))
            .collect();
        let is_server_error = matches!(scene.symptom.outcome, SymptomOutcome::Status(500..));
        let mut failing: Vec<usize> = deepest_failing(scene)
            .into_iter()
            .filter_map(group_of)
            .collect();
        failing.retain(|_| is_server_error);
        failing.sort_unstable();
        failing.dedup();
        Self {
            groups,
            callers,
            failing,
            known,
        }
    }

    /// The groups that may have to be held.
    pub fn open(&self) -> impl Iterator<Item = &HoldGroup> {
        (0..self.groups.len())
            .filter(|at| self.is_open(*at))
            .map(|at| &self.groups[at])
    }

    fn is_open(&self, at: usize) -> bool {
        self.known[at].is_none() && self.groups[at].refused.is_none()
    }

    /// The group to hold next: the one whose answer decides about as many as possible, a store only if no
    /// other is left.
    pub fn next(&self) -> Option<usize> {
        let open: Vec<usize> = (0..self.groups.len())
            .filter(|at| self.is_open(*at))
            .collect();
        let stateless = open.iter().any(|at| !self.groups[*at].keeps_state);
        let candidates = open
            .into_iter()
            .filter(|at| !stateless || !self.groups[*at].keeps_state);
        candidates.max_by_key(|at| {
            let decided = |effect| {
                let mut tried = self.clone();
                tried.record(*at, effect);
                tried.known.iter().flatten().count()
            };
            let worst = decided(HoldEffect::Same).min(decided(HoldEffect::Changed));
            (worst, std::cmp::Reverse(*at))
        })
    }

    /// What holding a group showed, and what follows from it.
    pub fn record(&mut self, group: usize, effect: HoldEffect) {
        self.known[group] = Some(effect);
        for _ in 0..self.groups.len() {
            for at in 0..self.groups.len() {
                let callers = &self.callers[at];
                if self.known[at].is_none()
                    && !callers.is_empty()
                    && callers
                        .iter()
                        .all(|caller| self.known[*caller] == Some(HoldEffect::Same))
                {
                    self.known[at] = Some(HoldEffect::Same);
                }
                if self.known[at] == Some(HoldEffect::Changed) && callers.len() == 1 {
                    for caller in callers.clone() {
                        self.known[caller].get_or_insert(HoldEffect::Changed);
                    }
                }
            }
        }
    }

    /// What is known of a group, held or not.
    pub fn effect(&self, group: usize) -> Option<HoldEffect> {
        self.known[group]
    }

    /// The groups that are used by these, directly or not.
    fn behind(&self, groups: &[usize]) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut waiting = groups.to_vec();
        while let Some(group) = waiting.pop() {
            for at in (0..self.groups.len()).filter(|at| self.callers[*at].contains(&group)) {
                if !groups.contains(&at) && found.insert(at) {
                    waiting.push(at);
                }
            }
        }
        found
    }

    /// What all of it shows. That a daemon takes part does not say that the fault is there: who asked it may
    /// fail on a good answer. That it does not says that the fault is not there.
    pub fn conclude(&self) -> HoldConclusion {
        let takes_part = |at: &usize| self.known[*at] == Some(HoldEffect::Changed);
        let failing: Vec<usize> = self.failing.iter().copied().filter(takes_part).collect();
        let first: Vec<usize> = if failing.is_empty() {
            (0..self.groups.len()).filter(takes_part).collect()
        } else {
            failing
        };
        let behind = self.behind(&first);
        let asked: Vec<usize> = behind.iter().copied().filter(takes_part).collect();
        let open = behind
            .iter()
            .copied()
            .filter(|at| self.known[*at].is_none());
        let open: Vec<usize> = open.collect();
        let names = |groups: &[usize], join: &str| {
            let names: Vec<&str> = groups
                .iter()
                .map(|at| self.groups[*at].name.as_str())
                .collect();
            names.join(join)
        };
        let mut sentence = if first.len() == 1 && self.groups[first[0]].hops.len() == 1 {
            format!("The fault is in {}", names(&first, ""))
        } else {
            format!("The fault is in one of these: {}", names(&first, ", "))
        };
        if asked.is_empty() && open.is_empty() {
            sentence.push_str(", in its configuration or its code: ");
            sentence.push_str(if behind.is_empty() {
                "nothing was found behind it"
            } else {
                "it comes without anything that was found behind it"
            });
        }
        if !asked.is_empty() {
            let _ = write!(
                sentence,
                ", or in what it gets from {}",
                names(&asked, " or ")
            );
        }
        if !open.is_empty() {
            let _ = write!(
                sentence,
                ", or in {}, which could not be tried",
                names(&open, " or ")
            );
        }
        let all = first.iter().chain(&asked).chain(&open);
        HoldConclusion {
            narrowed_to: all.flat_map(|at| self.groups[*at].hops.clone()).collect(),
            sentence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ChainEdge, ConnectOutcome, HopAddress, HopProtocol, ProbeFacts, ProcessFacts, ShownSymptom,
    };

    fn hop(number: u16, protocol: HopProtocol) -> HopFacts {
        HopFacts {
            address: Some(HopAddress::Tcp(([127, 0, 0, 1], number).into())),
            program: Some(format!("p{number}")),
            protocol,
            is_here: true,
            processes: vec![ProcessFacts {
                pid: u32::from(number),
                state: 'S',
                ..ProcessFacts::default()
            }],
            ..HopFacts::default()
        }
    }

    fn edge(from: usize, to: usize, pool: Option<&str>) -> ChainEdge {
        ChainEdge {
            from,
            to,
            sources: Vec::new(),
            pool: pool.map(str::to_owned),
            verifies_certificate: false,
            by_name: None,
        }
    }

    /// A front, a chain of proxies, a pool of two applications, a database and a cache.
    fn scene(proxies: usize) -> Scene {
        let mut hops: Vec<HopFacts> = (0..=proxies)
            .map(|at| hop(80 + u16::try_from(at).unwrap_or(0), HopProtocol::Http))
            .collect();
        let mut edges: Vec<ChainEdge> = (0..proxies).map(|at| edge(at, at + 1, None)).collect();
        let apps = hops.len();
        hops.push(hop(3001, HopProtocol::Http));
        hops.push(hop(3002, HopProtocol::Http));
        hops.push(hop(3306, HopProtocol::Mysql));
        hops.push(hop(6379, HopProtocol::Redis));
        for app in [apps, apps + 1] {
            edges.push(edge(proxies, app, Some("apps")));
            edges.push(edge(app, apps + 2, None));
            edges.push(edge(app, apps + 3, None));
        }
        Scene {
            symptom: ShownSymptom {
                outcome: SymptomOutcome::Status(500),
                millis: 20,
                ..ShownSymptom::default()
            },
            hops,
            edges,
            ..Scene::default()
        }
    }

    /// Plays a search in which the hops of `needed` take part; gives what was held.
    fn play(scene: &Scene, needed: &[usize]) -> (Vec<usize>, HoldConclusion) {
        let mut search = HoldSearch::new(scene, &|_| None);
        let mut held = Vec::new();
        while let Some(at) = search.next() {
            assert!(held.len() <= scene.hops.len(), "it ends");
            let takes_part = search.groups[at]
                .hops
                .iter()
                .any(|hop| needed.contains(hop));
            held.push(search.groups[at].hops[0]);
            search.record(
                at,
                if takes_part {
                    HoldEffect::Changed
                } else {
                    HoldEffect::Same
                },
            );
        }
        (held, search.conclude())
    }

    /// The scene with hops up to this one that answer 500 when they are asked directly.
    fn failing(mut scene: Scene, last: usize) -> Scene {
        for hop in &mut scene.hops[..=last] {
            hop.probe = Some(ProbeFacts {
                connect: ConnectOutcome::Connected,
                reply: ReplyOutcome::Complaint {
                    code: "500".to_owned(),
                    text: String::new(),
                },
                is_replay: true,
                ..ProbeFacts::default()
            });
        }
        scene
    }

    #[test]
    fn the_daemon_that_makes_the_symptom_is_found_with_few_holds() {
        for last in 0..=5 {
            let scene = failing(scene(5), last);
            let needed: Vec<usize> = (0..=last).collect();
            let (held, conclusion) = play(&scene, &needed);
            assert_eq!(conclusion.narrowed_to, [last], "{conclusion:?}");
            assert!(held.len() <= 3, "{held:?}");
        }
        let scene = failing(scene(5), 7);
        let (held, conclusion) = play(&scene, &[0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(conclusion.narrowed_to, [6, 7], "{conclusion:?}");
        let stores = held.iter().position(|hop| *hop >= 8);
        assert_eq!(stores, Some(held.len() - 2), "stores last: {held:?}");
    }

    #[test]
    fn who_takes_part_is_not_who_is_to_blame() {
        let scene = failing(scene(1), 3);
        let (_, conclusion) = play(&scene, &[0, 1, 2, 3, 4]);
        assert_eq!(conclusion.narrowed_to, [2, 3, 4], "{conclusion:?}");
        assert!(
            conclusion
                .sentence
                .contains("or in what it gets from p3306"),
            "{conclusion:?}"
        );
        assert!(!conclusion.sentence.contains("p6379"), "{conclusion:?}");
    }

    /// Wherever the fault is, it is among those that are named: chains, branches and pools by chance.
    #[test]
    fn what_is_named_always_holds_the_fault() {
        let mut chance = 7u64;
        let mut draw = |most: usize| {
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(chance >> 33).unwrap_or(0) % most
        };
        for _ in 0..2000 {
            let count = 2 + draw(7);
            let hops = (0..count).map(|at| {
                let number = u16::try_from(at).unwrap_or(0);
                hop(
                    100 + number,
                    if draw(3) == 0 {
                        HopProtocol::Mysql
                    } else {
                        HopProtocol::Http
                    },
                )
            });
            let mut scene = Scene {
                hops: hops.collect(),
                ..scene(1)
            };
            scene.edges = (1..count).map(|at| edge(draw(at), at, None)).collect();
            // A request goes along some edges, and fails at a hop that it reaches, before or after it asked others.
            let mut reached = vec![0];
            let mut at = 0;
            while at < reached.len() {
                let next: Vec<usize> = scene.edges_from(reached[at]).map(|edge| edge.to).collect();
                reached.extend(next.into_iter().filter(|_| draw(3) > 0));
                at += 1;
            }
            let fault = reached[draw(reached.len())];
            let fails = |at: usize| at == fault || scene.behind(at).contains(&fault);
            let shown: Vec<usize> = (0..count).filter(|at| fails(*at)).collect();
            for at in shown {
                if scene.hops[at].protocol == HopProtocol::Http {
                    let reply = failing(scene.clone(), at).hops[at].probe.clone();
                    scene.hops[at].probe = reply;
                }
            }
            let (_, conclusion) = play(&scene, &reached);
            assert!(
                conclusion.narrowed_to.contains(&fault),
                "{fault} of {:?} is not in {conclusion:?}",
                scene.edges
            );
        }
    }

    #[test]
    fn what_may_not_be_held_is_left_open_and_said() {
        let mut scene = scene(1);
        scene.hops[5].processes.clear();
        scene.hops[4].processes[0].state = 'T';
        let mut search = HoldSearch::new(&scene, &|_| None);
        while let Some(at) = search.next() {
            assert!(!search.groups[at].keeps_state);
            search.record(at, HoldEffect::Changed);
        }
        let conclusion = search.conclude();
        assert_eq!(conclusion.narrowed_to, [0, 1, 2, 3, 4, 5]);
        assert!(
            conclusion.sentence.contains("could not be tried"),
            "{conclusion:?}"
        );
    }

    #[test]
    fn a_wait_cannot_be_narrowed_down_by_waiting() {
        let mut scene = scene(1);
        assert_eq!(hold_obstacle(&scene), None);
        scene.symptom.millis = 3000;
        assert!(hold_obstacle(&scene).is_some());
        scene.symptom.millis = 20;
        scene.symptom.outcome = SymptomOutcome::Status(504);
        assert!(hold_obstacle(&scene).is_some());
        scene.symptom.outcome = SymptomOutcome::Fine;
        assert!(hold_obstacle(&scene).is_some());
    }
}
