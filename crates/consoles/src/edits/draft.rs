//! The files of a setup while they are being changed: nothing is written before all is planned.

use std::collections::BTreeMap;

use serde::Serialize;
use surefoot_host::{SetupContent, SetupFile};

use crate::setup_tree::SetupTree;

/// A change of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "edit")]
pub enum SetupEdit {
    /// A text takes the place of what is there.
    Write {
        /// The file.
        path: String,
        /// What it held; none if it is new.
        #[serde(skip)]
        before: Option<String>,
        /// What it will hold.
        text: String,
        /// Whether it is a program.
        program: bool,
    },
    /// A symbolic link takes the place of what is there.
    Link {
        /// The link.
        path: String,
        /// Where it leads.
        target: String,
    },
    /// What is there goes.
    Remove {
        /// The file or link.
        path: String,
    },
}

impl SetupEdit {
    /// The file that it is about.
    pub fn path(&self) -> &str {
        match self {
            Self::Write { path, .. } | Self::Link { path, .. } | Self::Remove { path } => path,
        }
    }
}

/// A draft of the files.
#[derive(Clone, Debug)]
pub(crate) struct SetupDraft {
    before: Vec<SetupFile>,
    now: Vec<SetupFile>,
    programs: Vec<String>,
}

impl SetupDraft {
    pub(crate) fn new(files: &[SetupFile]) -> Self {
        Self {
            before: files.to_vec(),
            now: files.to_vec(),
            programs: Vec::new(),
        }
    }

    /// The files as they would be.
    pub(crate) fn files(&self) -> &[SetupFile] {
        &self.now
    }

    /// The same, to look things up.
    pub(crate) fn tree(&self) -> SetupTree<'_> {
        SetupTree::new(&self.now)
    }

    /// The text at a path, as it would be; empty if there is none.
    pub(crate) fn text(&self, path: &str) -> String {
        self.tree().text(path).unwrap_or_default().to_owned()
    }

    pub(crate) fn write(&mut self, path: &str, text: String) {
        self.put(path, SetupContent::Text(text));
    }

    pub(crate) fn write_program(&mut self, path: &str, text: String) {
        self.put(path, SetupContent::Text(text));
        self.programs.push(path.to_owned());
    }

    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.put(path, SetupContent::Link(target.to_owned()));
    }

    pub(crate) fn remove(&mut self, path: &str) {
        self.now.retain(|file| file.path != path);
    }

    fn put(&mut self, path: &str, content: SetupContent) {
        self.remove(path);
        let at = self.now.partition_point(|file| file.path.as_str() < path);
        let path = path.to_owned();
        self.now.insert(at, SetupFile { path, content });
    }

    /// What changes, by path.
    pub(crate) fn edits(&self) -> Vec<SetupEdit> {
        let by_path = |files: &[SetupFile]| -> BTreeMap<String, SetupContent> {
            let pairs = files
                .iter()
                .map(|file| (file.path.clone(), file.content.clone()));
            pairs.collect()
        };
        let (before, now) = (by_path(&self.before), by_path(&self.now));
        let mut edits = Vec::new();
        for path in before.keys().filter(|path| !now.contains_key(*path)) {
            edits.push(SetupEdit::Remove { path: path.clone() });
        }
        for (path, content) in &now {
            if before.get(path) == Some(content) {
                continue;
            }
            edits.push(match content {
                SetupContent::Text(text) => SetupEdit::Write {
                    path: path.clone(),
                    before: match before.get(path) {
                        Some(SetupContent::Text(text)) => Some(text.clone()),
                        _ => None,
                    },
                    text: text.clone(),
                    program: self.programs.contains(path),
                },
                SetupContent::Link(target) => SetupEdit::Link {
                    path: path.clone(),
                    target: target.clone(),
                },
                SetupContent::Program(_) => continue,
            });
        }
        edits.sort_by(|a, b| a.path().cmp(b.path()));
        edits
    }
}
