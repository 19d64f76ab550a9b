//! Asks systemd about units and has it stop them, where it runs.

use std::path::Path;
use std::process::{Command, Output};

use super::StopError;
use crate::manners::UnitState;

/// Whether systemd is the service manager (`sd_booted(3)`).
pub(super) fn runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// What systemd says of a unit.
pub(super) fn unit_state(name: &str) -> Result<UnitState, StopError> {
    let properties = "--property=Id,MainPID,Restart,TriggeredBy,ActiveState,LoadState";
    let output = systemctl(&["show", properties, "--", name])?;
    Ok(UnitState::parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Stops units and waits until they are.
pub(super) fn stop_units(names: &[String]) -> Result<(), StopError> {
    let mut words = vec!["stop", "--"];
    words.extend(names.iter().map(String::as_str));
    systemctl(&words).map(drop)
}

fn systemctl(words: &[&str]) -> Result<Output, StopError> {
    let output = Command::new("systemctl")
        .args(words)
        .output()
        .map_err(StopError::Systemctl)?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(StopError::UnitNotStopped {
        command: format!("systemctl {}", words.join(" ")),
        said,
    })
}
