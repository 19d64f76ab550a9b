//! The daemons' own checks of their configuration: which one is for a file.

use std::path::Path;

/// A known check: for which paths, and the command, `{}` being the file.
pub(crate) struct KnownCheck {
    applies: fn(&str) -> bool,
    /// Programs of several names, the first that is installed.
    programs: &'static [&'static str],
    pub(crate) words: &'static [&'static str],
}

/// Those that are known.
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

/// What is known of the check of a file.
pub(crate) enum CheckFor {
    /// A check, and where its program is.
    Known {
        check: &'static KnownCheck,
        program: String,
    },
    /// A check whose program is not installed.
    NotInstalled(&'static str),
    /// None.
    Unknown,
}

impl KnownCheck {
    /// The check for a path.
    pub(crate) fn of(path: &str) -> CheckFor {
        let Some(check) = CHECKS.iter().find(|check| (check.applies)(path)) else {
            return CheckFor::Unknown;
        };
        match check.programs.iter().find_map(|name| find_program(name)) {
            Some(program) => CheckFor::Known { check, program },
            None => CheckFor::NotInstalled(check.programs.first().unwrap_or(&"")),
        }
    }
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
