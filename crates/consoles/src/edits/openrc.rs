//! Edits under openrc-init: services `agetty.PORT` in a runlevel.

use std::fmt::Write as _;

use super::{EditWish, EditWork};
use crate::inits::openrc::RUNLEVELS;

/// Makes the edits.
pub(super) fn edit(work: &mut EditWork<'_>, wish: &EditWish<'_>) {
    for terminal in wish.added {
        let service = format!("agetty.{terminal}");
        let script = format!("/etc/init.d/{service}");
        if !work.draft.tree().exists(&script) {
            work.draft.link(&script, "agetty");
        }
        work.draft
            .link(&format!("{RUNLEVELS}/default/{service}"), &script);
        if let Some(speed) = work.speed_for(terminal) {
            set_speed(work, &service, &speed);
        }
        // The script that stops it may go with the change.
        work.act_and_unmake(
            &["rc-service", &service, "start"],
            &["rc-service", &service, "stop"],
        );
    }
    for terminal in wish.respeeded {
        if let Some(speed) = work.speed_for(terminal) {
            let service = format!("agetty.{terminal}");
            set_speed(work, &service, &speed);
            work.act(
                &["rc-service", &service, "restart"],
                &["rc-service", &service, "restart"],
            );
        }
    }
    for terminal in wish.removed {
        let service = format!("agetty.{terminal}");
        for level in ["boot", "default", "sysinit"] {
            work.draft.remove(&format!("{RUNLEVELS}/{level}/{service}"));
        }
        work.act(
            &["rc-service", &service, "stop"],
            &["rc-service", &service, "start"],
        );
    }
}

fn set_speed(work: &mut EditWork<'_>, service: &str, speed: &str) {
    let path = format!("/etc/conf.d/{service}");
    let text = work.draft.text(&path);
    let kept = text
        .split_inclusive('\n')
        .filter(|line| !line.trim_start().starts_with("baud="));
    let mut changed: String = kept.collect();
    if !changed.is_empty() && !changed.ends_with('\n') {
        changed.push('\n');
    }
    let _ = writeln!(changed, "baud=\"{speed}\"");
    if changed != text {
        work.draft.write(&path, changed);
    }
}
