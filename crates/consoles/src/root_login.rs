//! Whether root may log in on a terminal: securetty, where something reads it.
//!
//! `pam_securetty` in the stack of `login` refuses root on terminals that `/etc/securetty` does not list;
//! the kernel's consoles are allowed all the same unless it has the option `noconsole`. busybox's login
//! reads the file itself. Without a file root is refused nowhere.

use serde::Serialize;

use crate::init_system::InitSystem;
use crate::kernel_console::KernelConsoles;
use crate::setup_tree::{SetupPlace, SetupTree, numbered};

/// Where the list is.
pub(crate) const SECURETTY: &str = "/etc/securetty";

/// Whether root may log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "answer", content = "why")]
pub enum RootLogin {
    /// It may.
    Allowed(String),
    /// It is refused.
    Refused(String),
    /// Unknown.
    Unknown(String),
}

impl RootLogin {
    /// The answer in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Allowed(_) => "allowed",
            Self::Refused(_) => "refused",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Why.
    pub fn why(&self) -> &str {
        match self {
            Self::Allowed(why) | Self::Refused(why) | Self::Unknown(why) => why,
        }
    }
}

/// What reads the list of terminals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecurettyReader {
    /// `pam_securetty`, here, with or without the exception for consoles.
    Pam {
        place: SetupPlace,
        spares_consoles: bool,
    },
    /// The login program itself.
    Login,
    /// Nothing does.
    Nothing(String),
    /// Unknown.
    Unknown(String),
}

/// Finds what reads the list.
pub(crate) fn securetty_reader(tree: &SetupTree<'_>, init: Option<InitSystem>) -> SecurettyReader {
    let folders = ["/etc/pam.d", "/usr/lib/pam.d"];
    if let Some(folder) = folders
        .iter()
        .find(|folder| tree.exists(&format!("{folder}/login")))
    {
        return match find_module(tree, &format!("{folder}/login"), 0) {
            Ok(Some(reader)) => reader,
            Ok(None) => SecurettyReader::Nothing(format!("{folder}/login has no pam_securetty")),
            Err(why) => SecurettyReader::Unknown(why),
        };
    }
    if let Some(text) = tree
        .text("/etc/pam.conf")
        .filter(|text| text.contains("pam_securetty"))
    {
        let line = numbered(text).find(|(_, line)| line.contains("pam_securetty"));
        return SecurettyReader::Pam {
            place: SetupPlace::line("/etc/pam.conf", line.map_or(1, |(number, _)| number)),
            spares_consoles: !text.contains("noconsole"),
        };
    }
    if !folders.iter().any(|folder| tree.has_folder(folder)) && init == Some(InitSystem::Busybox) {
        return SecurettyReader::Login;
    }
    SecurettyReader::Unknown(
        "/etc/pam.d/login is not there, so what reads /etc/securetty is unknown".to_owned(),
    )
}

/// Looks for `pam_securetty` in the `auth` lines of a stack and of the files that it includes.
fn find_module(
    tree: &SetupTree<'_>,
    path: &str,
    depth: usize,
) -> Result<Option<SecurettyReader>, String> {
    let Some(text) = tree.text(path) else {
        // What stands in a file that was not read is unknown only for files that may hold it.
        let name = path.rsplit('/').next().unwrap_or_default();
        let may_hold = ["system-", "login", "base-", "common-auth"]
            .iter()
            .any(|it| name.starts_with(it));
        return if may_hold {
            Err(format!("{path} is not there, and may have pam_securetty"))
        } else {
            Ok(None)
        };
    };
    let mut unknown = None;
    for (number, line) in numbered(text) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let included = if let Some(name) = line.strip_prefix("@include") {
            Some(name.trim())
        } else {
            let Some(rest) = line.trim_start_matches('-').strip_prefix("auth") else {
                continue;
            };
            let mut words = rest.split_whitespace();
            let control = words.next().unwrap_or_default();
            match control {
                "include" | "substack" => words.next(),
                _ if line.contains("pam_securetty") && control != "optional" => {
                    return Ok(Some(SecurettyReader::Pam {
                        place: SetupPlace::line(path, number),
                        spares_consoles: !line.split_whitespace().any(|word| word == "noconsole"),
                    }));
                }
                _ => None,
            }
        };
        let Some(name) = included.filter(|_| depth < 8) else {
            continue;
        };
        match find_module(tree, &format!("{folder}/{name}"), depth + 1) {
            Ok(None) => {}
            Ok(found) => return Ok(found),
            Err(why) => unknown = Some(why),
        }
    }
    unknown.map_or(Ok(None), Err)
}

/// The terminals on the list; none if there is no list.
pub(crate) fn listed<'a>(tree: &SetupTree<'a>) -> Option<Vec<(u32, &'a str)>> {
    let path = [SECURETTY, "/usr/share/securetty"]
        .into_iter()
        .find(|path| tree.exists(path))?;
    let lines = numbered(tree.text(path)?).filter_map(|(number, line)| {
        let name = line.split('#').next().unwrap_or_default().trim();
        let name = name.strip_prefix("/dev/").unwrap_or(name);
        (!name.is_empty()).then_some((number, name))
    });
    Some(lines.collect())
}

/// Whether root may log in on a terminal.
pub(crate) fn root_login(
    tree: &SetupTree<'_>,
    init: Option<InitSystem>,
    kernel: &KernelConsoles,
    terminal: &str,
    by_job_serial: bool,
) -> RootLogin {
    let (who, spares_consoles) = match securetty_reader(tree, init) {
        SecurettyReader::Nothing(why) => return RootLogin::Allowed(why),
        SecurettyReader::Unknown(why) => {
            return match listed(tree) {
                None => RootLogin::Allowed(format!("{SECURETTY} is not there")),
                Some(list) if list.iter().any(|(_, name)| *name == terminal) => {
                    RootLogin::Allowed(format!("{SECURETTY} lists it"))
                }
                Some(_) if by_job_serial => {
                    RootLogin::Allowed("the job adds it to the list".to_owned())
                }
                Some(_) => RootLogin::Unknown(format!("{SECURETTY} does not list it; {why}")),
            };
        }
        SecurettyReader::Login => ("login".to_owned(), false),
        SecurettyReader::Pam {
            place,
            spares_consoles,
        } => (place.to_string(), spares_consoles),
    };
    let Some(list) = listed(tree) else {
        return RootLogin::Allowed(format!("{SECURETTY} is not there"));
    };
    if let Some((line, _)) = list.iter().find(|(_, name)| *name == terminal) {
        return RootLogin::Allowed(format!("{SECURETTY}:{line}"));
    }
    if by_job_serial {
        return RootLogin::Allowed("the job adds it to the list".to_owned());
    }
    let is_console = kernel.words.iter().any(|word| word.name == terminal)
        || kernel.active.iter().any(|name| name == terminal);
    if is_console && spares_consoles {
        // Old versions of the module do not know the exception; which one is here cannot be read.
        return if has_old_pam(tree) {
            RootLogin::Unknown(format!(
                "{SECURETTY} does not list it, and whether this old pam_securetty spares the kernel's \
                 consoles is unknown"
            ))
        } else {
            RootLogin::Allowed("pam_securetty spares the kernel's consoles".to_owned())
        };
    }
    RootLogin::Refused(format!(
        "{SECURETTY} does not list it, and {who} reads that list"
    ))
}

/// Whether the system is so old that its Linux-PAM may not know the exception for consoles.
fn has_old_pam(tree: &SetupTree<'_>) -> bool {
    let release = tree.text("/etc/redhat-release").unwrap_or_default();
    [" 4", " 5", " 6", "Fedora release 1"]
        .iter()
        .any(|part| release.contains(part))
}
