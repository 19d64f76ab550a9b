//! The files that nft's `include` names.
//!
//! nft takes a path that begins with `/` as it is, and looks for others below /etc. A file that lies in
//! another system's tree (`/mnt/etc/nftables.conf`) means the files of that tree.

use std::path::{Path, PathBuf};

use glob::MatchOptions;
use surefoot_ruleset::{FindIncluded, IncludedFile};

use crate::input;

/// Reads files below the root of a system.
pub(crate) struct IncludedFiles {
    /// The root that was given.
    root: Option<PathBuf>,
}

impl IncludedFiles {
    /// Below this root, or below the one that each file lies in.
    pub(crate) fn below(root: Option<&Path>) -> Self {
        Self {
            root: root.map(Path::to_owned),
        }
    }

    /// The root of the system that a file belongs to: what stands before its `/etc/`.
    fn root_of(&self, within: &str) -> Option<PathBuf> {
        if let Some(root) = &self.root {
            return Some(root.clone());
        }
        let whole = std::fs::canonicalize(within).ok()?;
        let mut above = whole.ancestors().skip(1);
        let etc = above.find(|folder| folder.file_name().is_some_and(|name| name == "etc"))?;
        etc.parent().map(Path::to_owned)
    }
}

impl FindIncluded for IncludedFiles {
    fn find(&mut self, pattern: &str, within: &str) -> Result<Vec<IncludedFile>, String> {
        let relative = pattern.starts_with("./") || pattern.starts_with("../");
        let place = if relative {
            PathBuf::from(pattern)
        } else {
            let below = pattern.trim_start_matches('/');
            let below = if pattern.starts_with('/') {
                below.to_owned()
            } else {
                format!("etc/{below}")
            };
            let root = self.root_of(within).ok_or_else(|| {
                format!(
                    "`{within}` lies in no system's /etc, so it is unknown whose `{pattern}` is meant; give `--root DIR`, or `nft list ruleset`"
                )
            })?;
            root.join(below)
        };
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
        let files = found.into_iter().filter(|path| !wild || path.is_file());
        files
            .map(|path| {
                let text = input::text(&path).map_err(|failure| failure.reason())?;
                Ok(IncludedFile {
                    name: path.display().to_string(),
                    text,
                })
            })
            .collect()
    }
}
