//! Where a daemon's configuration is: as its command line says, or where packages put it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use surefoot_bisect::{ConfigLens, ConfigTree, load_config};
use surefoot_host::Process;

use super::hop_files::working_folder;
use crate::discover::{
    AskedRequest, DaemonConfig, ServingHost, read_apache, read_haproxy, read_nginx, read_php_fpm,
    serving_apache, serving_nginx,
};
use crate::rules::quote;

/// A path as a shell takes it: who starts a program chooses its words.
fn shell_word(path: &Path) -> String {
    quote(&path.display().to_string())
}

/// A configuration that a daemon would have if it ran.
pub(super) struct DefaultPlace {
    pub(super) program: &'static str,
    pub(super) file: &'static str,
    pub(super) test: &'static str,
}

pub(super) const DEFAULT_PLACES: &[DefaultPlace] = &[
    DefaultPlace {
        program: "nginx",
        file: "/etc/nginx/nginx.conf",
        test: "nginx -t",
    },
    DefaultPlace {
        program: "apache2",
        file: "/etc/apache2/apache2.conf",
        test: "apache2ctl -t",
    },
    DefaultPlace {
        program: "httpd",
        file: "/etc/httpd/conf/httpd.conf",
        test: "httpd -t",
    },
    DefaultPlace {
        program: "haproxy",
        file: "/etc/haproxy/haproxy.cfg",
        test: "haproxy -c -f /etc/haproxy/haproxy.cfg",
    },
];

/// A configuration as far as it bears on a request.
pub(super) struct ReadConfig {
    pub(super) config: DaemonConfig,
    /// The server block that answers.
    pub(super) serving: Option<ServingHost>,
    pub(super) files: Vec<PathBuf>,
}

/// Where a daemon's configuration is.
pub(super) struct ConfigPlace {
    pub(super) file: PathBuf,
    /// What its relative paths are relative to.
    pub(super) base: PathBuf,
    pub(super) test: String,
    pub(super) program: &'static str,
}

impl ConfigPlace {
    /// From the words by which a process was started.
    pub(super) fn of_process(process: &Process) -> Option<Self> {
        let line = process.command.join(" ");
        let words: Vec<&str> = line.split_whitespace().collect();
        let option = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1).map(|word| (*word).to_owned())
        };
        let cwd = working_folder(process.pid).unwrap_or_else(|| PathBuf::from("/"));
        let place = |file: PathBuf, base: PathBuf, test: String, program| {
            Some(Self {
                file,
                base,
                test,
                program,
            })
        };
        match process.name.as_str() {
            "nginx" => {
                let prefix = option("-p").map(|it| cwd.join(it));
                let base = prefix
                    .clone()
                    .unwrap_or_else(|| PathBuf::from("/etc/nginx"));
                let file =
                    base.join(option("-c").unwrap_or_else(|| "/etc/nginx/nginx.conf".to_owned()));
                let test = match &prefix {
                    Some(prefix) => {
                        format!(
                            "nginx -t -p {} -c {}",
                            shell_word(prefix),
                            shell_word(&file)
                        )
                    }
                    None => format!("nginx -t -c {}", shell_word(&file)),
                };
                place(file, base, test, "nginx")
            }
            "apache2" | "httpd" => {
                let root = if process.name == "httpd" {
                    "/etc/httpd"
                } else {
                    "/etc/apache2"
                };
                let base = PathBuf::from(option("-d").unwrap_or_else(|| root.to_owned()));
                let usual = if process.name == "httpd" {
                    "conf/httpd.conf"
                } else {
                    "apache2.conf"
                };
                let file = base.join(option("-f").unwrap_or_else(|| usual.to_owned()));
                let test = format!(
                    "{} -t -d {} -f {}",
                    process.name,
                    shell_word(&base),
                    shell_word(&file)
                );
                place(file, base, test, "apache2")
            }
            "haproxy" => {
                let file =
                    cwd.join(option("-f").unwrap_or_else(|| "/etc/haproxy/haproxy.cfg".to_owned()));
                let test = format!("haproxy -c -f {}", shell_word(&file));
                place(file, cwd, test, "haproxy")
            }
            name if name.starts_with("php-fpm") => {
                // php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)
                let start = line.find('(')?;
                let file = line.get(start + 1..)?.trim_end().trim_end_matches(')');
                let test = format!("{} -t -y {}", quote(name), quote(file));
                place(PathBuf::from(file), PathBuf::from("/"), test, "php-fpm")
            }
            _ => None,
        }
    }

    pub(super) fn based(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    /// What the configuration says. Of the hop that is asked directly also which server block answers: what others are
    /// asked for is unknown.
    pub(super) fn read(
        &self,
        asked: Option<&AskedRequest>,
        front: Option<SocketAddr>,
    ) -> Result<ReadConfig, String> {
        let lens = match self.program {
            "nginx" => ConfigLens::Nginx,
            "apache2" | "httpd" => ConfigLens::Apache,
            "haproxy" => ConfigLens::Haproxy,
            _ => ConfigLens::Ini,
        };
        let loaded = load_config(&self.file, Some(lens)).map_err(|error| error.to_string())?;
        let tree: &ConfigTree = &loaded.tree;
        let serving = match (lens, asked, front) {
            (ConfigLens::Nginx, Some(asked), Some(at)) => serving_nginx(tree, &asked.host, at),
            (ConfigLens::Apache, Some(asked), Some(at)) => serving_apache(tree, &asked.host, at),
            _ => None,
        };
        let config = match lens {
            ConfigLens::Nginx => read_nginx(tree, asked, serving.as_ref()),
            ConfigLens::Apache => read_apache(tree, asked, serving.as_ref()),
            ConfigLens::Haproxy => read_haproxy(tree),
            _ => read_php_fpm(tree),
        };
        Ok(ReadConfig {
            config,
            serving,
            files: loaded.paths,
        })
    }
}
