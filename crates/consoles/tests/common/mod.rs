//! Layouts of real systems as text: the files of a root, and what is asked of them.
//!
//! ```text
//! A line or two about the layout.
//! ? show
//! ==== /etc/inittab
//! the file's lines
//! ==== /sbin/init -> /lib/systemd/systemd
//! ==== /sbin/agetty is a program
//! ```

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod asked;

use std::fs;
use std::path::{Path, PathBuf};

use surefoot_host::{Host, SetupContent, SetupFile};

/// A layout.
pub(crate) struct Layout {
    /// Its name.
    pub(crate) name: String,
    /// What is asked, a command line each.
    pub(crate) asked: Vec<String>,
    /// The files.
    pub(crate) files: Vec<SetupFile>,
}

impl Layout {
    /// Reads a layout.
    pub(crate) fn parse(name: &str, text: &str) -> Self {
        let (head, rest) = text.split_once("\n==== ").expect("a layout has files");
        let asked = head.lines().filter_map(|line| line.strip_prefix("? "));
        let files = rest.split("\n==== ").map(|part| {
            let (title, body) = part.split_once('\n').unwrap_or((part, ""));
            if let Some((path, target)) = title.split_once(" -> ") {
                return file(path, SetupContent::Link(target.to_owned()));
            }
            if let Some((path, words)) = title.split_once(" is a program") {
                let words = words.split_whitespace().map(ToOwned::to_owned);
                return file(path, SetupContent::Program(words.collect()));
            }
            let mut body = body.to_owned();
            if !body.is_empty() && !body.ends_with('\n') {
                body.push('\n');
            }
            file(title, SetupContent::Text(body))
        });
        Self {
            name: name.to_owned(),
            asked: asked.map(ToOwned::to_owned).collect(),
            files: files.collect(),
        }
    }

    /// The facts that a machine with these files has.
    pub(crate) fn host(&self) -> Host {
        let mut host = Host::default();
        host.consoles.files = Some(self.files.clone());
        host
    }

    /// Writes the files below a folder.
    pub(crate) fn write_below(&self, root: &Path) {
        for file in &self.files {
            let path = root.join(file.path.trim_start_matches('/'));
            let folder = path.parent().expect("it is in a folder");
            fs::create_dir_all(folder).expect("it can be made");
            match &file.content {
                SetupContent::Text(text) => fs::write(&path, text).expect("it can be written"),
                SetupContent::Link(target) => {
                    std::os::unix::fs::symlink(target, &path).expect("it can be linked");
                }
                SetupContent::Program(words) => {
                    let bytes = format!("\x7fELF\0{}\0", words.join("\0"));
                    fs::write(&path, bytes).expect("it can be written");
                }
            }
        }
    }
}

fn file(path: &str, content: SetupContent) -> SetupFile {
    SetupFile {
        path: path.to_owned(),
        content,
    }
}

/// The folder of the layouts.
pub(crate) fn layouts_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layouts")
}

/// All layouts, by name.
pub(crate) fn all_layouts() -> Vec<Layout> {
    let entries = fs::read_dir(layouts_folder()).expect("the layouts are there");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "layout"));
    paths.sort();
    let layouts = paths.iter().map(|path| {
        let name = path.file_stem().expect("it has a name").to_string_lossy();
        Layout::parse(&name, &fs::read_to_string(path).expect("it can be read"))
    });
    layouts.collect()
}
