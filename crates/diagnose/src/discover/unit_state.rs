//! What `systemctl show` says of units that should run. Pure.

use std::collections::BTreeMap;

/// Reads the properties of several units, and says how each stands, by its name.
pub fn read_unit_states(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for block in text.split("\n\n") {
        let properties: BTreeMap<&str, &str> = block
            .lines()
            .filter_map(|line| line.split_once('='))
            .collect();
        if let Some(id) = properties.get("Id").filter(|id| !id.is_empty()) {
            found.insert((*id).to_owned(), words_of(id, &properties));
        }
    }
    found
}

fn words_of(id: &str, properties: &BTreeMap<&str, &str>) -> String {
    let value = |name: &str| properties.get(name).copied().unwrap_or_default();
    match value("LoadState") {
        "not-found" => return format!("systemd does not know {id} yet: `systemctl daemon-reload`"),
        "masked" => return format!("systemd: {id} is masked, so nothing starts it"),
        _ => {}
    }
    let how = match (value("Result"), value("ExecMainStatus")) {
        ("" | "success", _) => String::new(),
        ("exit-code", status) => format!(": its program ended with status {status}"),
        (result, _) => format!(": {result}"),
    };
    let again = match value("NRestarts") {
        "" | "0" => String::new(),
        "1" => ", started again once".to_owned(),
        count => format!(", started again {count} times"),
    };
    match (value("ActiveState"), value("SubState")) {
        ("active", _) => format!("systemd: {id} is active, and nothing listens there all the same"),
        ("activating", "auto-restart") => {
            format!("systemd: {id} ended and waits to be started again{how}{again}")
        }
        ("", _) => format!("systemd: how {id} stands is unknown"),
        (state, _) => format!("systemd: {id} is {state}{how}{again}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_words() {
        let text = "Id=a.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\nExecMainStatus=3\n\
            NRestarts=5\n\nId=b.service\nLoadState=masked\nActiveState=inactive\n\nId=c.service\nLoadState=loaded\n\
            ActiveState=inactive\nSubState=dead\nResult=success\nExecMainStatus=0\nNRestarts=0\n\n\
            Id=d.service\nLoadState=loaded\nActiveState=activating\nSubState=auto-restart\nResult=oom-kill\nNRestarts=1\n";
        let states = read_unit_states(text);
        assert_eq!(
            states["a.service"],
            "systemd: a.service is failed: its program ended with status 3, started again 5 times"
        );
        assert_eq!(
            states["b.service"],
            "systemd: b.service is masked, so nothing starts it"
        );
        assert_eq!(states["c.service"], "systemd: c.service is inactive");
        assert_eq!(
            states["d.service"],
            "systemd: d.service ended and waits to be started again: oom-kill, started again once"
        );
        assert!(read_unit_states("").is_empty() && read_unit_states("x\n\nId=\n").is_empty());
    }
}
