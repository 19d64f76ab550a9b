//! The files that a machine's login prompts depend on, looked up by path as if they were on a disk.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::Serialize;
use surefoot_host::{SetupContent, SetupFile};

use surefoot_host::resolve_link;

/// As many links as the kernel follows in one path.
const MOST_LINKS: usize = 40;

/// The files of a machine, by absolute path.
#[derive(Debug, Default)]
pub struct SetupTree<'a> {
    files: BTreeMap<&'a str, &'a SetupContent>,
}

/// A line of a file, or all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SetupPlace {
    /// The file.
    pub path: String,
    /// The line, from 1; none for the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

impl SetupPlace {
    /// A whole file.
    pub fn file(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line: None,
        }
    }

    /// A line of a file.
    pub fn line(path: impl Into<String>, line: u32) -> Self {
        Self {
            path: path.into(),
            line: Some(line),
        }
    }
}

impl std::fmt::Display for SetupPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.path),
            None => f.write_str(&self.path),
        }
    }
}

impl<'a> SetupTree<'a> {
    /// A tree of these files.
    pub fn new(files: &'a [SetupFile]) -> Self {
        let files = files.iter().map(|file| (file.path.as_str(), &file.content));
        Self {
            files: files.collect(),
        }
    }

    /// Whether there is anything at that path.
    pub fn exists(&self, path: &str) -> bool {
        self.files.contains_key(path) || self.has_folder(path)
    }

    /// Whether something is below that path.
    pub fn has_folder(&self, path: &str) -> bool {
        !self.names(path).is_empty()
    }

    /// The text at a path; links are followed.
    pub fn text(&self, path: &str) -> Option<&'a str> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            match self.files.get(path.as_str())? {
                SetupContent::Text(text) => return Some(text),
                SetupContent::Link(target) => path = resolve_link(&path, target),
                SetupContent::Program(_) => return None,
            }
        }
        None
    }

    /// The text at a path that is no link.
    pub fn own_text(&self, path: &str) -> Option<&'a str> {
        match self.files.get(path)? {
            SetupContent::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Where a link points, as it is written. A copy that cannot hold links, such as a checkout of git on
    /// a file system without them, has files in their place with the target as their only word.
    pub fn link(&self, path: &str) -> Option<&'a str> {
        match self.files.get(path)? {
            SetupContent::Link(target) => Some(target),
            SetupContent::Text(text) => {
                let is_target = !text.is_empty()
                    && text.len() < 256
                    && !text.contains(char::is_whitespace)
                    && !text.contains(['=', '[', '#']);
                is_target.then_some(text.as_str())
            }
            SetupContent::Program(_) => None,
        }
    }

    /// The words that a program was recognised by.
    pub fn program(&self, path: &str) -> Option<&'a [String]> {
        match self.files.get(path)? {
            SetupContent::Program(words) => Some(words),
            _ => None,
        }
    }

    /// The names in a folder, sorted.
    pub fn names(&self, folder: &str) -> Vec<&'a str> {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        let mut names: Vec<&str> = self
            .files
            .range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded))
            .map_while(|(path, _)| path.strip_prefix(prefix.as_str()))
            .filter_map(|rest| rest.split('/').next())
            .collect();
        names.dedup();
        names
    }

    /// The paths of the files below a folder, however deep, sorted.
    pub fn paths_below(&self, folder: &str) -> Vec<&'a str> {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        self.files
            .range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded))
            .map(|(path, _)| *path)
            .take_while(|path| path.starts_with(prefix.as_str()))
            .collect()
    }
}

/// Whether a file's name ends in a dot and that word, in that case: names are case-sensitive here.
pub(crate) fn has_ending(name: &str, ending: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, end)| end == ending)
}

/// The lines of a text with their numbers, from 1.
pub(crate) fn numbered(text: &str) -> impl Iterator<Item = (u32, &str)> {
    (1..).zip(text.lines())
}
