//! How single daemons want to be stopped, and what brings a process back.

use serde::Serialize;
use surefoot_host::{Host, ProcessDetail};
use surefoot_report::quoted;

use crate::signal::{INT, TERM};

/// How a daemon wants to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DaemonManners {
    /// The signal that ends it in good order.
    pub signal: u8,
    /// Seconds that it may need.
    pub grace: u64,
    /// Whether KILL does harm that outlasts the process.
    pub kill_harms: bool,
    /// Why, for the person who looks.
    pub why: &'static str,
}

/// A row: names of the program, what it wants.
type MannersRow = (&'static [&'static str], DaemonManners);

const fn row(signal: u8, grace: u64, kill_harms: bool, why: &'static str) -> DaemonManners {
    DaemonManners {
        signal,
        grace,
        kill_harms,
        why,
    }
}

static TABLE: &[MannersRow] = &[
    (
        &["postgres", "postmaster"],
        row(
            INT,
            120,
            true,
            "INT is PostgreSQL's fast shutdown: it cuts clients off and writes a checkpoint; TERM would wait for every client to leave; KILL leaves crash recovery and shared memory behind",
        ),
    ),
    (
        &["mysqld", "mariadbd"],
        row(
            TERM,
            120,
            true,
            "it writes its pages on TERM, which may take a while; KILL leaves crash recovery",
        ),
    ),
    (
        &["mongod"],
        row(
            TERM,
            120,
            true,
            "it writes a checkpoint on TERM; KILL leaves recovery at the next start",
        ),
    ),
    (
        &["redis-server", "valkey-server"],
        row(
            TERM,
            60,
            true,
            "it saves its data on TERM if saving is configured; KILL loses what is not saved",
        ),
    ),
    (
        &["slapd"],
        row(
            INT,
            60,
            true,
            "it closes its database on INT; KILL may leave it damaged",
        ),
    ),
    (
        &["uwsgi"],
        row(
            INT,
            10,
            false,
            "uWSGI reloads on TERM unless it was told to die on TERM; INT ends it",
        ),
    ),
    (
        &["nginx"],
        row(
            TERM,
            10,
            false,
            "TERM cuts requests off; `--signal QUIT` lets it finish them",
        ),
    ),
    (
        &["apache2", "httpd"],
        row(
            TERM,
            10,
            false,
            "TERM cuts requests off; `--signal WINCH` lets it finish them",
        ),
    ),
];

/// How a process wants to be stopped, if it is a daemon that is known.
pub fn manners_of(detail: &ProcessDetail) -> Option<DaemonManners> {
    let process = &detail.process;
    let program = process
        .exe
        .as_deref()
        .and_then(|exe| exe.rsplit('/').next());
    let name = program.unwrap_or(&process.name);
    let (_, manners) = TABLE.iter().find(|(names, _)| names.contains(&name))?;
    Some(*manners)
}

/// What starts a process again when it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessRestart {
    /// What does it.
    pub by: String,
    /// Its number.
    pub pid: u32,
    /// The command that stops the process for good.
    pub command: String,
}

/// What systemd says of a unit (`systemctl show`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UnitState {
    /// Its full name.
    pub id: String,
    /// The main process; 0 is none.
    pub main: u32,
    /// When it is started again: `no`, `always`, `on-failure` and more.
    pub restart: String,
    /// Units that start it when something happens, such as its socket.
    pub triggered_by: Vec<String>,
    /// `active`, `inactive`, `failed` and more.
    pub active: String,
    /// `loaded`, `not-found` and more.
    pub load: String,
}

impl UnitState {
    /// Reads what `systemctl show` prints.
    pub fn parse(text: &str) -> Self {
        let mut unit = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            match key {
                "Id" => value.clone_into(&mut unit.id),
                "MainPID" => unit.main = value.parse().unwrap_or(0),
                "Restart" => value.clone_into(&mut unit.restart),
                "TriggeredBy" => {
                    unit.triggered_by = value.split_whitespace().map(ToOwned::to_owned).collect();
                }
                "ActiveState" => value.clone_into(&mut unit.active),
                "LoadState" => value.clone_into(&mut unit.load),
                _ => {}
            }
        }
        unit
    }

    /// Whether something starts it again after a signal.
    pub fn comes_back(&self) -> bool {
        !matches!(self.restart.as_str(), "" | "no") || !self.triggered_by.is_empty()
    }
}

/// What will start a process again after a signal; none if nothing that is known does.
pub fn restart_of(
    detail: &ProcessDetail,
    host: &Host,
    unit: Option<&UnitState>,
) -> Option<ProcessRestart> {
    let process = &detail.process;
    if let Some(unit) = unit
        && unit.main == process.pid
        && unit.comes_back()
    {
        return Some(ProcessRestart {
            by: if matches!(unit.restart.as_str(), "" | "no") {
                format!("systemd ({} starts it)", unit.triggered_by.join(", "))
            } else {
                format!("systemd (Restart={})", unit.restart)
            },
            pid: 1,
            command: format!("surefoot stop unit:{}", quoted(&unit.id)),
        });
    }
    let parent = host.process(process.parent)?;
    let restart = |command: String| {
        Some(ProcessRestart {
            by: parent.name.clone(),
            pid: parent.pid,
            command,
        })
    };
    let folder = || parent.command.get(1).map_or("DIR", String::as_str);
    let variable = |name: &str| detail.supervision.get(name).map(String::as_str);
    match parent.name.as_str() {
        "supervisord" => {
            let name = match (
                variable("SUPERVISOR_GROUP_NAME"),
                variable("SUPERVISOR_PROCESS_NAME"),
            ) {
                (Some(group), Some(name)) if group != name => format!("{group}:{name}"),
                (_, Some(name)) => name.to_owned(),
                _ => "NAME".to_owned(),
            };
            let words = &parent.command;
            let option = words
                .iter()
                .position(|word| word == "-c" || word == "--configuration");
            let file = option.and_then(|at| words.get(at + 1));
            let file = file.map_or_else(String::new, |file| format!("-c {} ", quoted(file)));
            restart(format!("supervisorctl {file}stop {}", quoted(&name)))
        }
        "runsv" => restart(format!("sv stop {}", quoted(folder()))),
        "s6-supervise" => restart(format!("s6-svc -d {}", quoted(folder()))),
        "supervise" => restart(format!("svc -d {}", quoted(folder()))),
        name if name.starts_with("PM2 ") || name.contains("God Daemon") => restart(format!(
            "pm2 stop {}",
            quoted(variable("pm_id").unwrap_or("ID"))
        )),
        name if name.starts_with("containerd-shim") || name == "conmon" => {
            let id = process.container.as_deref()?;
            let short = id.get(..12).unwrap_or(id);
            let runtime = if name == "conmon" { "podman" } else { "docker" };
            restart(format!("{runtime} stop {}", quoted(short)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use surefoot_host::Process;

    #[test]
    fn a_unit_that_restarts_or_is_triggered_comes_back() {
        let unit = UnitState::parse(
            "Id=a.service\nMainPID=7\nRestart=always\nTriggeredBy=\nActiveState=active\nLoadState=loaded\n",
        );
        assert!(unit.comes_back() && unit.main == 7 && unit.id == "a.service");
        assert!(!UnitState::parse("Restart=no\nTriggeredBy=\n").comes_back());
        let socket = UnitState::parse("Restart=no\nTriggeredBy=a.socket\n");
        assert!(socket.comes_back() && socket.triggered_by == ["a.socket"]);
    }

    #[test]
    fn a_supervised_program_names_its_own_command() {
        let parent = Process {
            pid: 4,
            name: "supervisord".into(),
            command: ["python3", "/usr/bin/supervisord", "-c", "/etc/s.conf"]
                .map(Into::into)
                .into(),
            ..Process::default()
        };
        let mut detail = ProcessDetail::default();
        detail.process.pid = 9;
        detail.process.parent = 4;
        let host = Host {
            processes: Some(vec![parent]),
            ..Host::default()
        };
        let command = |detail: &ProcessDetail| restart_of(detail, &host, None).unwrap().command;
        assert_eq!(command(&detail), "supervisorctl -c /etc/s.conf stop NAME");
        for (key, value) in [
            ("SUPERVISOR_GROUP_NAME", "all"),
            ("SUPERVISOR_PROCESS_NAME", "queue"),
        ] {
            detail.supervision.insert(key.into(), value.into());
        }
        assert_eq!(
            command(&detail),
            "supervisorctl -c /etc/s.conf stop all:queue"
        );
    }

    #[test]
    fn a_daemon_is_known_by_its_program() {
        let mut detail = ProcessDetail::default();
        detail.process.exe = Some("/usr/lib/postgresql/15/bin/postgres".into());
        let manners = manners_of(&detail).unwrap();
        assert!(manners.signal == INT && manners.kill_harms);
        detail.process.exe = Some("/usr/bin/postgres_exporter".into());
        assert_eq!(manners_of(&detail), None);
    }
}
