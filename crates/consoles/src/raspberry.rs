//! The Raspberry Pi: its firmware replaces `serial0` on the kernel command line by the primary UART.

use surefoot_host::Platform;

use crate::kernel_console::KernelConsoles;
use crate::setup_tree::SetupTree;

/// Puts the port in the place of `serial0`.
pub(crate) fn resolve_serial0(
    kernel: &mut KernelConsoles,
    tree: &SetupTree<'_>,
    platform: Option<&Platform>,
) {
    let names = |kernel: &KernelConsoles| kernel.words.iter().any(|word| word.name == "serial0");
    if !names(kernel) {
        return;
    }
    match primary_port(tree, platform) {
        Ok((port, doubt)) => {
            let renamed = |name: &mut String| {
                if name == "serial0" {
                    port.clone_into(name);
                }
            };
            kernel
                .words
                .iter_mut()
                .for_each(|word| renamed(&mut word.name));
            kernel.active.iter_mut().for_each(renamed);
            kernel.main.iter_mut().for_each(renamed);
            kernel.doubt = kernel.doubt.take().or(doubt);
        }
        Err(why) => kernel.doubt = kernel.doubt.take().or(Some(why)),
    }
}

/// Why the small serial port of a board may be off; none if it is on, or there is no such board.
pub(crate) fn why_port_off(tree: &SetupTree<'_>, terminal: &str) -> Option<String> {
    let paths = ["/boot/firmware/config.txt", "/boot/config.txt"];
    let path = paths.iter().find(|path| tree.exists(path))?;
    let text = tree.text(path)?;
    let is_on = text.lines().any(|line| line.trim() == "enable_uart=1");
    (terminal == "ttyS0" && !is_on)
        .then(|| format!("{path} does not switch the port on (enable_uart=1)"))
}

/// The primary UART: the full one, ttyAMA0, where Bluetooth does not have it; else the small ttyS0.
fn primary_port(
    tree: &SetupTree<'_>,
    platform: Option<&Platform>,
) -> Result<(&'static str, Option<String>), String> {
    let paths = ["/boot/firmware/config.txt", "/boot/config.txt"];
    let text = paths
        .iter()
        .find_map(|path| tree.text(path))
        .unwrap_or_default();
    let (mut for_all, mut frees_port, mut conditional) = (true, false, false);
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            for_all = line == "[all]";
        }
        let Some(overlay) = line.strip_prefix("dtoverlay=") else {
            continue;
        };
        let name = overlay
            .split(',')
            .next()
            .unwrap_or_default()
            .trim_start_matches("pi3-");
        if ["disable-bt", "miniuart-bt"].contains(&name) {
            frees_port |= for_all;
            conditional |= !for_all;
        }
    }
    let model = platform.and_then(|platform| platform.model.as_deref());
    match model {
        _ if frees_port => Ok(("ttyAMA0", None)),
        Some(model) if model.contains("Pi 5") => Ok(("ttyAMA10", None)),
        // Bluetooth takes the full UART on boards that have it.
        Some(model) if ["Pi 3", "Pi 4", "Zero W", "Zero 2 W"].iter().any(|it| model.contains(it)) => {
            if conditional {
                return Err("serial0 depends on a section of config.txt".to_owned());
            }
            Ok(("ttyS0", None))
        }
        Some(_) => Ok(("ttyAMA0", None)),
        None => Err(
            "serial0 is ttyS0 on a board with Bluetooth, and ttyAMA0 on another; the board is unknown"
                .to_owned(),
        ),
    }
}
