//! A configuration with what it includes, read as one tree.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use surefoot_journal::{look_at, resolve_target};

use super::pattern::matching_files;
use crate::error::BisectError;
use crate::lens::ConfigLens;
use crate::tree::{ConfigTree, SourceFile, UnitId};

/// No more files are followed.
const MOST_FILES: usize = 500;
/// A larger file is no configuration.
const LARGEST_FILE: u64 = 8 << 20;
/// Folders whose files belong to packages and are no configuration.
const NOT_OURS: &[&str] = &["/usr/", "/lib/", "/proc/", "/sys/", "/dev/"];

/// Folders in which the files of everything are.
const SYSTEM_FOLDERS: &[&str] = &[
    "/",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/local",
    "/usr/local/etc",
    "/var",
    "/var/lib",
    "/var/log",
];

/// A configuration that was read.
#[derive(Debug)]
pub struct LoadedConfig {
    /// Its structure.
    pub tree: ConfigTree,
    /// The real path of each file.
    pub paths: Vec<PathBuf>,
    /// Includes that name no file that was found, and other things that a reader has to know.
    pub notes: Vec<String>,
}

/// Reads a file, or all files of a folder, and what they include.
pub fn load_config(config: &Path, lens: Option<ConfigLens>) -> Result<LoadedConfig, BisectError> {
    let config = std::path::absolute(config).map_err(|source| BisectError::Read {
        path: config.to_owned(),
        source,
    })?;
    let files = main_files(&config)?;
    let folder = if config.is_dir() {
        config.clone()
    } else {
        config.parent().unwrap_or(Path::new("/")).to_owned()
    };
    let mut loader = ConfigLoader {
        loaded: LoadedConfig {
            tree: ConfigTree::default(),
            paths: vec![],
            notes: vec![],
        },
        seen: HashMap::new(),
        bases: folder.ancestors().take(3).map(Path::to_owned).collect(),
    };
    let mut waiting = Vec::new();
    for file in files {
        // One file may be there by two links.
        let real = resolve_target(&file).unwrap_or_else(|_| file.clone());
        if !loader.seen.contains_key(&real) {
            refuse_large(&real)?;
            waiting.extend(loader.add(&file, lens, None)?);
        }
    }
    // Breadth first: a file that several include is not put below the first of them.
    while !waiting.is_empty() {
        waiting = loader.follow(waiting)?;
    }
    Ok(loader.loaded)
}

struct ConfigLoader {
    loaded: LoadedConfig,
    /// The files so far.
    seen: HashMap<PathBuf, usize>,
    /// The folders that a relative include may be relative to.
    bases: Vec<PathBuf>,
}

/// An include that was not followed yet.
type WaitingInclude = (UnitId, Vec<String>);

impl ConfigLoader {
    fn follow(
        &mut self,
        includes: Vec<WaitingInclude>,
    ) -> Result<Vec<WaitingInclude>, BisectError> {
        let mut wanted: Vec<(PathBuf, UnitId)> = Vec::new();
        for (unit, patterns) in includes {
            for pattern in patterns {
                let files = self.resolve(&pattern);
                if files.is_empty() && !pattern.contains(['*', '?', '[']) {
                    let place = self.loaded.tree.place_of(unit);
                    self.loaded
                        .notes
                        .push(format!("{place} includes {pattern}, which was not found"));
                }
                wanted.extend(files.into_iter().map(|file| (file, unit)));
            }
        }
        // By which names it is included does not matter.
        let reals: Vec<PathBuf> = wanted
            .iter()
            .map(|(file, _)| resolve_target(file).unwrap_or_else(|_| file.clone()))
            .collect();
        let mut next = Vec::new();
        for at in 0..wanted.len() {
            let (file, unit) = &wanted[at];
            let mut others = wanted.iter().zip(&reals);
            let is_shared = others.any(|((_, by), real)| *real == reals[at] && by != unit);
            if self.seen.contains_key(&reals[at]) || self.seen.len() >= MOST_FILES {
                continue;
            }
            if refuse_large(&reals[at]).is_err() {
                self.seen.insert(reals[at].clone(), usize::MAX);
                self.loaded.notes.push(format!(
                    "{} is larger than a configuration, and stays as it is",
                    reals[at].display()
                ));
                continue;
            }
            let lens = self.loaded.tree.files[self.loaded.tree.unit(*unit).file].lens;
            let parent = (!is_shared).then_some(*unit);
            next.extend(self.add(file, Some(lens), parent)?);
        }
        Ok(next)
    }

    fn resolve(&mut self, pattern: &str) -> Vec<PathBuf> {
        let pattern = Path::new(pattern);
        if pattern.is_absolute() {
            return matching_files(pattern);
        }
        let bases = self.bases.iter();
        let found = bases.map(|base| matching_files(&base.join(pattern)));
        found
            .into_iter()
            .find(|files| !files.is_empty())
            .unwrap_or_default()
    }

    fn add(
        &mut self,
        file: &Path,
        lens: Option<ConfigLens>,
        parent: Option<UnitId>,
    ) -> Result<Vec<WaitingInclude>, BisectError> {
        let target = resolve_target(file);
        let is_outside = target.is_err();
        let real = target.unwrap_or_else(|_| file.to_owned());
        let shown = real
            .to_str()
            .ok_or_else(|| BisectError::StrangeName { path: real.clone() })?;
        let text = if is_outside {
            std::fs::read(&real).map_err(|source| BisectError::Read {
                path: real.clone(),
                source,
            })?
        } else {
            look_at(&real)?
                .content
                .ok_or_else(|| BisectError::NoConfiguration {
                    path: real.clone(),
                    why: "it is no regular file",
                })?
        };
        let is_fixed = is_outside || NOT_OURS.iter().any(|folder| shown.starts_with(folder));
        let lens = lens.unwrap_or_else(|| ConfigLens::detect(shown, &text));
        self.seen.insert(real.clone(), self.loaded.paths.len());
        let source = SourceFile {
            path: shown.to_owned(),
            text,
            lens,
            is_fixed,
            is_whole: false,
        };
        self.loaded.paths.push(real);
        let includes = self.loaded.tree.add_file(source, parent);
        let number = self.loaded.paths.len() - 1;
        if lens == ConfigLens::Apache {
            self.add_server_root(number);
        }
        Ok(includes)
    }

    /// Apache's includes are relative to its `ServerRoot`.
    fn add_server_root(&mut self, file: usize) {
        let tree = &self.loaded.tree;
        let root = tree.ids().find(|id| {
            let unit = tree.unit(*id);
            unit.file == file && unit.word.eq_ignore_ascii_case("serverroot")
        });
        if let Some(id) = root {
            let text = tree.text_of(id);
            let folder = text.split_whitespace().nth(1).unwrap_or_default();
            let folder = PathBuf::from(folder.trim_matches('"'));
            if folder.is_dir() {
                self.bases.insert(0, folder);
            }
        }
    }
}

/// Refuses what is too large to be a configuration before it is read.
fn refuse_large(real: &Path) -> Result<(), BisectError> {
    match std::fs::metadata(real) {
        Ok(seen) if seen.is_file() && seen.len() > LARGEST_FILE => {
            Err(BisectError::NoConfiguration {
                path: real.to_owned(),
                why: "it is larger than 8 MB",
            })
        }
        _ => Ok(()),
    }
}

fn main_files(config: &Path) -> Result<Vec<PathBuf>, BisectError> {
    let real = std::fs::canonicalize(config);
    if real.is_ok_and(|real| {
        SYSTEM_FOLDERS
            .iter()
            .any(|folder| real == Path::new(folder))
    }) {
        return Err(BisectError::NoConfiguration {
            path: config.to_owned(),
            why: "it is a folder of the whole system",
        });
    }
    let failed = |source| BisectError::Read {
        path: config.to_owned(),
        source,
    };
    if !std::fs::metadata(config).map_err(failed)?.is_dir() {
        return Ok(vec![config.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(config).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_hidden = path
            .file_name()
            .is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if !is_hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort_unstable();
    if files.is_empty() {
        return Err(BisectError::NoConfiguration {
            path: config.to_owned(),
            why: "the folder has no file",
        });
    }
    Ok(files)
}
