//! The daemons' own checks of what they will read.
//!
//! A check runs where the copies are mounted over the files, in a mount namespace of its own: so a file
//! that others include is checked in its place, and nothing outside sees it.

use std::path::Path;
use std::process::Command;

use serde::Serialize;
use surefoot_journal::FileState;
use surefoot_report::escape;

use super::copies::{EditCopies, EditedFile};

/// A check that failed.
pub(super) struct CheckFailure {
    pub(super) command: String,
    pub(super) said: String,
}

/// A known check: for which paths, and the command, `{}` being the file.
struct KnownCheck {
    applies: fn(&str) -> bool,
    /// Programs of several names, the first that is installed.
    programs: &'static [&'static str],
    words: &'static [&'static str],
}

const CHECKS: &[KnownCheck] = &[
    KnownCheck {
        applies: |path| path.ends_with("/sshd_config"),
        programs: &["sshd"],
        words: &["-t", "-f", "{}"],
    },
    KnownCheck {
        applies: |path| path.starts_with("/etc/ssh/sshd_config.d/"),
        programs: &["sshd"],
        words: &["-t"],
    },
    KnownCheck {
        applies: |path| path.starts_with("/etc/nginx/"),
        programs: &["nginx"],
        words: &["-t", "-q"],
    },
    KnownCheck {
        applies: |path| path.starts_with("/etc/apache2/") || path.starts_with("/etc/httpd/"),
        programs: &["apachectl", "apache2ctl"],
        words: &["-t"],
    },
    KnownCheck {
        applies: |path| path.ends_with("/sudoers") || path.contains("/sudoers.d/"),
        programs: &["visudo"],
        words: &["-c", "-f", "{}"],
    },
    KnownCheck {
        applies: |path| path.ends_with("/named.conf") || path.starts_with("/etc/bind/named.conf"),
        programs: &["named-checkconf"],
        words: &[],
    },
    KnownCheck {
        applies: |path| path.starts_with("/etc/postfix/"),
        programs: &["postfix"],
        words: &["check"],
    },
    KnownCheck {
        applies: |path| path.starts_with("/etc/php") && path.contains("fpm"),
        programs: &[
            "php-fpm",
            "php-fpm8.4",
            "php-fpm8.3",
            "php-fpm8.2",
            "php-fpm8.1",
        ],
        words: &["-t"],
    },
    KnownCheck {
        applies: |path| path.ends_with("/haproxy.cfg"),
        programs: &["haproxy"],
        words: &["-c", "-f", "{}"],
    },
    KnownCheck {
        applies: |path| path.ends_with("/fstab"),
        programs: &["findmnt"],
        words: &["--verify", "--tab-file", "{}"],
    },
    KnownCheck {
        applies: |path| {
            let unit = [
                ".service", ".socket", ".timer", ".mount", ".path", ".target",
            ];
            path.contains("/systemd/") && unit.iter().any(|ending| path.ends_with(ending))
        },
        programs: &["systemd-analyze"],
        words: &["verify", "{}"],
    },
];

/// What became of the check of a file.
#[derive(Serialize)]
pub(super) struct FileCheck {
    pub(super) file: String,
    /// The check that accepts it; nothing if there was none.
    pub(super) accepted_by: Option<String>,
    /// Why it was not checked.
    pub(super) not_checked: Option<String>,
}

impl FileCheck {
    /// A line for people.
    pub(super) fn line(&self) -> String {
        let file = escape(&self.file);
        match (&self.accepted_by, &self.not_checked) {
            (Some(command), _) => format!("{file}: `{}` accepts it\n", escape(command)),
            (None, why) => {
                let why = escape(why.as_deref().unwrap_or_default());
                format!("{file}: not checked, as {why}\n")
            }
        }
    }
}

/// Runs the checks that are known for the files. Gives what was checked and what was not, and why.
pub(super) fn check(copies: &EditCopies) -> Result<Vec<FileCheck>, CheckFailure> {
    let mut checks = Vec::new();
    let mut done: Vec<String> = Vec::new();
    for file in &copies.files {
        let path = file.path.display().to_string();
        let not_checked = |why: String| FileCheck {
            file: path.clone(),
            accepted_by: None,
            not_checked: Some(why),
        };
        let Some(known) = CHECKS.iter().find(|check| (check.applies)(&path)) else {
            checks.push(not_checked("no check is known for it".to_owned()));
            continue;
        };
        let Some(program) = known.programs.iter().find_map(|name| find_program(name)) else {
            let name = known.programs.first().unwrap_or(&"");
            checks.push(not_checked(format!("`{name}` is not installed")));
            continue;
        };
        let words: Vec<String> = known
            .words
            .iter()
            // A new file has no place that its copy could take: the copy itself is checked.
            .map(|word| match file.seen {
                FileState::Missing => word.replace("{}", &file.copy.display().to_string()),
                _ => word.replace("{}", &path),
            })
            .collect();
        let command = format!("{program} {}", words.join(" "));
        if done.contains(&command) {
            continue;
        }
        match run_in_place(&copies.files, &program, &words) {
            Ok(output) if output.status.success() => checks.push(FileCheck {
                file: path,
                accepted_by: Some(command.clone()),
                not_checked: None,
            }),
            Ok(output) => {
                let said = [output.stderr, output.stdout].concat();
                return Err(CheckFailure {
                    command,
                    said: String::from_utf8_lossy(&said).trim().to_owned(),
                });
            }
            Err(error) => checks.push(not_checked(format!(
                "its copy cannot be put in its place: {error}"
            ))),
        }
        done.push(command);
    }
    Ok(checks)
}

/// Where a program is: administrators' programs may not be in the path.
fn find_program(name: &str) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"])
        .map(|folder| Path::new(folder).join(name))
        .find(|program| program.is_file())
        .map(|program| program.display().to_string())
}

fn run_in_place(
    files: &[EditedFile],
    program: &str,
    words: &[String],
) -> std::io::Result<std::process::Output> {
    for file in files {
        copy_rights(file)?;
    }
    let covers: Vec<(&Path, &Path)> = files
        .iter()
        .filter(|file| file.seen != FileState::Missing)
        .map(|file| (file.copy.as_path(), file.path.as_path()))
        .collect();
    surefoot_sys::with_files_covered(&covers, || Command::new(program).args(words).output())?
}

/// Gives a copy the mode and owner of its file, as some checks look at these.
fn copy_rights(file: &EditedFile) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let Some(attributes) = file.seen.attributes() else {
        return Ok(());
    };
    std::os::unix::fs::chown(&file.copy, Some(attributes.user), Some(attributes.group))?;
    std::fs::set_permissions(&file.copy, std::fs::Permissions::from_mode(attributes.mode))
}
