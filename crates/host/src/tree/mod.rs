//! The facts that files hold, of this machine or of a directory tree.

mod boot;
mod console;
mod console_files;
mod files;
mod fstab;
mod saved;

use std::path::Path;

use crate::{FactKind, Host, TextFile};
use files::Files;

pub use console_files::resolve_link;

impl Host {
    /// Reads a directory tree: a mounted disk, a container's root. What only a running kernel
    /// knows is missing from it.
    pub fn at(root: &Path, now: u64) -> Self {
        let mut host = Self::of_tree(root, now);
        let why = "a directory tree has no kernel";
        host.miss(
            "loaded firewall rules",
            why,
            "what the firewall lets through now",
        );
        host.miss("sockets", why, "which programs wait for connections");
        host.miss_kind(
            FactKind::Processes,
            "processes",
            why,
            "which programs run, wait or are stuck",
        );
        host.miss(
            "interfaces and routes",
            why,
            "which addresses are this machine's",
        );
        host.hide_secrets();
        host.put_in_order();
        host
    }

    /// What files say, on a running machine or not.
    pub(crate) fn of_tree(root: &Path, now: u64) -> Self {
        let files = Files::new(root);
        let mut host = Self {
            name: files
                .text("/etc/hostname")
                .and_then(|text| first_word(&text)),
            system: files
                .text("/etc/os-release")
                .and_then(|text| pretty_name(&text)),
            taken: now,
            ..Self::default()
        };
        for path in ["/etc/hosts.allow", "/etc/hosts.deny"] {
            if let Some(text) = files.text(path) {
                let path = path.to_owned();
                host.wrappers.push(TextFile { path, text });
            }
        }
        host.fstab = files.text("/etc/fstab").map(|text| fstab::parse(&text));
        let boot = boot::Boot::read(&files);
        host.saved_rules = files
            .failure()
            .is_none()
            .then(|| saved::find(&files, &boot));
        host.rule_makers = saved::makers(&files, &boot);
        host.consoles.init.clone_from(&boot.init);
        host.consoles.command_line = console::command_line(&files);
        host.consoles.gettys = console::gettys(&files, &boot);
        host.consoles.masked = console::masked(&files);
        host.consoles.files = files
            .failure()
            .is_none()
            .then(|| console_files::read(&files));
        if let Some(why) = files.failure() {
            let open = "what is set up, started at boot and loaded from disk";
            host.miss("every file", why, open);
        }
        for (path, error) in files.refused() {
            let open = "what this file sets up";
            host.miss(format!("the file {path}"), error, open);
        }
        host
    }
}

fn first_word(text: &str) -> Option<String> {
    text.split_whitespace().next().map(ToOwned::to_owned)
}

/// `PRETTY_NAME` of os-release(5).
fn pretty_name(text: &str) -> Option<String> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned())
}
