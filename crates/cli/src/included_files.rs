//! The files that nft's `include` names.
//!
//! nft takes a path that begins with `/` as it is, one that begins with `./` from where it is started,
//! and looks for others below /etc. A file of another system (`/mnt/etc/nftables.conf`, or a copy of
//! /etc by another name) means the files beside it.

use std::path::{Path, PathBuf};

use glob::MatchOptions;
use surefoot_ruleset::{FindIncluded, IncludedFile};

use crate::input;

/// Reads the files, and remembers what the user should know about which they were.
#[derive(Default)]
pub(crate) struct IncludedFiles {
    remarks: Vec<String>,
}

impl IncludedFiles {
    /// Remarks about the files: where they are not those that the statement seems to name, and
    /// where there are none.
    pub(crate) fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The folder that is /etc for a file: the nearest of this name above it, else its own.
    fn etc_of(within: &str) -> Result<PathBuf, String> {
        let whole = std::fs::canonicalize(within)
            .map_err(|error| format!("cannot tell where `{within}` lies: {error}"))?;
        let mut above = whole.ancestors().skip(1);
        let etc = above.find(|folder| folder.file_name().is_some_and(|name| name == "etc"));
        let own = etc.or_else(|| whole.parent());
        Ok(own.unwrap_or(Path::new("/")).to_owned())
    }

    /// Where an `include` looks.
    fn place(pattern: &str, within: &str) -> Result<PathBuf, String> {
        if pattern.starts_with("./") || pattern.starts_with("../") {
            // As nft does, from where it is started.
            return Ok(PathBuf::from(pattern));
        }
        let etc = Self::etc_of(within)?;
        if let Some(below) = pattern.strip_prefix("/etc/") {
            return Ok(etc.join(below));
        }
        if pattern.starts_with('/') {
            let named = etc.file_name().is_some_and(|name| name == "etc");
            let root = etc.parent().filter(|_| named).ok_or_else(|| {
                format!("`{within}` lies below no folder `etc`, so it is unknown whose `{pattern}` is meant; give `nft list ruleset` instead")
            })?;
            return Ok(root.join(pattern.trim_start_matches('/')));
        }
        Ok(etc.join(pattern))
    }
}

impl FindIncluded for IncludedFiles {
    fn find(&mut self, pattern: &str, within: &str) -> Result<Vec<IncludedFile>, String> {
        let place = Self::place(pattern, within)?;
        let options = MatchOptions {
            require_literal_leading_dot: true,
            require_literal_separator: true,
            ..MatchOptions::default()
        };
        let shown = place.display().to_string();
        let wild = pattern.contains(['*', '?', '[']);
        let found = if wild {
            let matches = glob::glob_with(&shown, options);
            let matches = matches.map_err(|error| format!("`{pattern}`: {error}"))?;
            let paths: Result<Vec<PathBuf>, _> = matches.collect();
            paths.map_err(|error| format!("cannot read `{shown}`: {error}"))?
        } else {
            vec![place]
        };
        let found: Vec<PathBuf> = found
            .into_iter()
            .filter(|path| !wild || path.is_file())
            .collect();
        let there = found.iter().all(|path| path.is_file());
        if there && (found.is_empty() || shown != pattern) {
            let files = match found.len() {
                0 => "no file".to_owned(),
                1 => "1 file".to_owned(),
                count => format!("{count} files"),
            };
            let place =
                std::path::absolute(&shown).map_or(shown, |path| path.display().to_string());
            let remark = format!("{within}: `{pattern}` is {files} of {place}");
            if !self.remarks.contains(&remark) {
                self.remarks.push(remark);
            }
        }
        found
            .into_iter()
            .map(|path| {
                if path.exists() && !path.is_file() {
                    return Err(format!("`{}` is not a file", path.display()));
                }
                let text = input::text(&path).map_err(|failure| failure.reason())?;
                Ok(IncludedFile {
                    name: path.display().to_string(),
                    text,
                })
            })
            .collect()
    }
}
