//! Which processes belong to a tree while it is being stopped: children of members, and members of
//! sessions and process groups that a member leads.
//!
//! A number means something only while its owner lives, so every link is anchored at a process
//! that is held and lives before and after the newcomer was looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use surefoot_host::{ProcessIdentity, ProcessLink};

use super::held::{HeldProcess, HoldAttempt};

/// The members of a tree by number, held.
#[derive(Debug, Default)]
pub(super) struct TreeMembers {
    held: BTreeMap<u32, HeldProcess>,
    /// Groups and sessions that a member led.
    led: BTreeSet<u32>,
}

impl TreeMembers {
    /// Takes a process in. A member that ended and whose number is used again is replaced.
    pub(super) fn insert(&mut self, held: HeldProcess) {
        if let Some(link) = held.link() {
            for leader in [link.group, link.session] {
                if leader == link.pid {
                    self.led.insert(leader);
                }
            }
        }
        self.held.insert(held.identity().pid, held);
    }

    /// Gives those of these processes that belong to the tree and are new, held. The living members are
    /// to be among them.
    pub(super) fn newcomers(&self, me: u32, links: &[ProcessLink]) -> io::Result<Vec<HeldProcess>> {
        let is_member = |link: &ProcessLink| {
            let held = self.held.get(&link.pid);
            held.is_some_and(|held| held.identity().start_ticks == link.start_ticks)
        };
        // A group that is still used by a living member is still the group that it was.
        let mut anchors: BTreeMap<u32, u32> = BTreeMap::new();
        for link in links.iter().filter(|link| is_member(link)) {
            for number in [link.group, link.session] {
                if self.led.contains(&number) {
                    anchors.insert(number, link.pid);
                }
            }
        }
        let lives = |pid: u32| self.held.get(&pid).is_some_and(|held| !held.has_ended());
        let mut found = Vec::new();
        for link in links {
            if is_member(link) || link.pid == me || link.pid == 1 || matches!(link.state, 'Z' | 'X')
            {
                continue;
            }
            let by_parent = self.held.contains_key(&link.parent).then_some(link.parent);
            let by_group = anchors
                .get(&link.group)
                .or_else(|| anchors.get(&link.session));
            let Some(anchor) = by_parent.or(by_group.copied()) else {
                continue;
            };
            let identity = ProcessIdentity {
                pid: link.pid,
                start_ticks: link.start_ticks,
            };
            let HoldAttempt::Held(held) = HeldProcess::open(&identity)? else {
                continue;
            };
            let now = held.link();
            let same = now.is_some_and(|now| {
                (by_parent.is_some() && now.parent == link.parent)
                    || (by_parent.is_none()
                        && now.group == link.group
                        && now.session == link.session)
            });
            if same && lives(anchor) {
                found.push(held);
            }
        }
        Ok(found)
    }
}
