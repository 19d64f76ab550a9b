//! Files that changed since it worked, each with an earlier content of it.
//!
//! Where an earlier content comes from, the surest first: surefoot's journal, git (and so etckeeper), the
//! packages whose archives are still there, and the copies that package managers and editors leave beside a
//! file. A file that changed and of which no earlier content is at hand is named, and stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use surefoot_journal::{Journal, ListedEntry, look_at};

use super::conffiles::{PackageFile, altered, package_files};
use crate::error::BisectError;
use crate::lens::ConfigLens;
use crate::tree::{ConfigTree, SourceFile};

/// No more files are looked at.
const MOST_FILES: usize = 20_000;
/// Where `apt` keeps the archives of packages.
const ARCHIVES: &str = "/var/cache/apt/archives";
/// A larger file is no configuration.
const LARGEST_FILE: u64 = 1 << 20;
/// So many entries of the journal are looked at.
const MOST_ENTRIES: usize = 1000;
/// So many files without an earlier content are named.
const SHOWN: usize = 8;
/// What is put behind a file's name for an older version of it.
const BACKUP_ENDINGS: &[&str] = &[
    ".dpkg-old",
    ".ucf-old",
    ".rpmorig",
    ".rpmsave",
    ".pacsave",
    ".dpkg-bak",
    ".orig",
    ".bak",
    ".old",
    ".before",
    ".save",
    "~",
];

/// A file with an earlier content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFile {
    /// The file.
    pub path: PathBuf,
    /// What it holds now.
    pub now: Vec<u8>,
    /// What it held earlier.
    pub earlier: Vec<u8>,
    /// Where the earlier content comes from.
    pub source: String,
}

/// What changed below a folder.
#[derive(Clone, Debug, Default)]
pub struct ChangedFiles {
    /// Files with an earlier content.
    pub files: Vec<ChangedFile>,
    /// What a person has to know.
    pub notes: Vec<String>,
}

/// Looks for files below a folder that changed since a moment, in seconds since 1970.
pub fn gather_changes(
    folder: &Path,
    since: Option<i64>,
    journal: &Journal,
) -> Result<ChangedFiles, BisectError> {
    let failed = |source| BisectError::Read {
        path: folder.to_owned(),
        source,
    };
    let folder = folder.canonicalize().map_err(failed)?;
    let mut walk = FolderWalk::default();
    walk.enter(&folder);
    let mut gathered = ChangedFiles::default();
    if walk.files.len() >= MOST_FILES {
        gathered.notes.push(format!(
            "only the first {MOST_FILES} files below {} were looked at",
            folder.display()
        ));
    }
    let is_recent = |path: &Path| {
        let modified = std::fs::metadata(path).map(|seen| seen.mtime());
        since.is_none_or(|since| modified.is_ok_and(|modified| modified >= since))
    };
    let mut earlier: BTreeMap<PathBuf, (Vec<u8>, String)> = BTreeMap::new();
    let mut add = |path: PathBuf, content: Vec<u8>, source: String| {
        earlier.entry(path).or_insert((content, source));
    };
    from_journal(journal, since, &mut add);
    from_git(&folder, since, &mut add);
    let status = std::fs::read_to_string("/var/lib/dpkg/status").unwrap_or_default();
    let altered = altered(package_files(&status, &folder));
    from_packages(&altered, &mut add);
    from_backups(&walk.files, &mut add);
    let mut unknown = Vec::new();
    let mut without_original = Vec::new();
    for path in &walk.files {
        if is_backup(path) || !is_recent(path) {
            continue;
        }
        let Some((content, source)) = earlier.remove(path) else {
            if let Some(file) = altered.iter().find(|file| file.path == *path) {
                without_original.push(format!("{} ({})", path.display(), file.package));
            } else if since.is_some() {
                unknown.push(path.display().to_string());
            }
            continue;
        };
        let Some(now) = look_at(path)?.content else {
            continue;
        };
        if now != content {
            gathered.files.push(ChangedFile {
                path: path.clone(),
                now,
                earlier: content,
                source,
            });
        }
    }
    if !without_original.is_empty() {
        gathered.notes.push(format!(
            "{} not as the package brought it, and no original is at hand (`apt-get install -d --reinstall PACKAGE` \
             brings it): {}",
            without_original.len(),
            first_of(without_original)
        ));
    }
    if !unknown.is_empty() {
        gathered.notes.push(format!(
            "{} more changed since then, and no earlier content of them is at hand: {}",
            unknown.len(),
            first_of(unknown)
        ));
    }
    Ok(gathered)
}

/// The first few, and a mark where there are more.
fn first_of(mut names: Vec<String>) -> String {
    let mark = if names.len() > SHOWN { ", …" } else { "" };
    names.truncate(SHOWN);
    format!("{}{mark}", names.join(", "))
}

impl ChangedFiles {
    /// Each file as one unit; leaving it out means its earlier content.
    pub fn tree(&self) -> ConfigTree {
        let mut tree = ConfigTree::default();
        for file in &self.files {
            let source = SourceFile {
                path: file.path.display().to_string(),
                text: format!("changed since {}\n", file.source).into_bytes(),
                lens: ConfigLens::Lines,
                is_fixed: false,
                is_whole: true,
            };
            tree.add_file(source, None);
        }
        tree
    }
}

/// Whether a file is an older version of another.
fn is_backup(path: &Path) -> bool {
    let name = path.to_string_lossy();
    BACKUP_ENDINGS.iter().any(|ending| name.ends_with(ending))
        || [".dpkg-dist", ".dpkg-new", ".rpmnew", ".ucf-dist"]
            .iter()
            .any(|ending| name.ends_with(ending))
}

#[derive(Default)]
struct FolderWalk {
    files: BTreeSet<PathBuf>,
}

impl FolderWalk {
    fn enter(&mut self, folder: &Path) {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if self.files.len() >= MOST_FILES {
                return;
            }
            if kind.is_dir() {
                if entry.file_name() != ".git" {
                    self.enter(&path);
                }
            } else if kind.is_file()
                && path.to_str().is_some()
                && entry
                    .metadata()
                    .is_ok_and(|seen| seen.len() <= LARGEST_FILE)
            {
                self.files.insert(path);
            }
        }
    }
}

type AddEarlier<'a> = dyn FnMut(PathBuf, Vec<u8>, String) + 'a;

/// The oldest content since the moment that an entry replaced.
fn from_journal(journal: &Journal, since: Option<i64>, add: &mut AddEarlier<'_>) {
    let mut entries = journal.list(MOST_ENTRIES).unwrap_or_default();
    entries.reverse();
    for listed in entries {
        let ListedEntry::Readable(entry) = listed else {
            continue;
        };
        let is_recent = since.is_none_or(|since| entry.begun.seconds >= since);
        if !is_recent || !entry.state.is_in_force() || entry.kind != "files" {
            continue;
        }
        let files = entry.change.get("files").and_then(|files| files.as_array());
        for file in files.into_iter().flatten() {
            let path = file.get("path").and_then(|path| path.as_str());
            let kept = file.pointer("/before/regular/content/file");
            let (Some(path), Some(kept)) = (path, kept.and_then(|kept| kept.as_str())) else {
                continue;
            };
            let is_name = !kept.contains('/') && kept != "..";
            let vault = journal.entry_folder(entry.number).join("vault");
            if let Ok(content) = std::fs::read(vault.join(kept))
                && is_name
            {
                let source = format!("entry {} of the journal ({})", entry.number, entry.title);
                add(PathBuf::from(path), content, source);
            }
        }
    }
}

/// What a program prints; nothing if it fails or is not there.
fn output_of(program: &str, words: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new("timeout")
        .arg("60")
        .arg(program)
        .args(words)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .env("LC_ALL", "C")
        .output()
        .ok()?;
    output.status.success().then_some(output.stdout)
}

/// Files that differ from a commit: that of the moment, else the last one.
fn from_git(folder: &Path, since: Option<i64>, add: &mut AddEarlier<'_>) {
    let Some(folder) = folder.to_str() else {
        return;
    };
    let git = |words: &[&str]| output_of("git", &[&["-C", folder], words].concat());
    let line = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    let Some(top) = git(&["rev-parse", "--show-toplevel"]).map(line) else {
        return;
    };
    let commit = match since {
        Some(since) => {
            let before = format!("--before=@{since}");
            git(&["rev-list", "-1", &before, "HEAD"]).map(line)
        }
        None => git(&["rev-parse", "HEAD"]).map(line),
    };
    let Some(commit) = commit.filter(|commit| !commit.is_empty()) else {
        return;
    };
    let changed = git(&[
        "diff",
        "--name-only",
        "-z",
        "--diff-filter=M",
        &commit,
        "--",
        ".",
    ]);
    for name in changed.unwrap_or_default().split(|byte| *byte == 0) {
        let Ok(name) = std::str::from_utf8(name) else {
            continue;
        };
        if name.is_empty() {
            continue;
        }
        if let Some(content) = git(&["show", &format!("{commit}:{name}")]) {
            let short = commit.get(..10).unwrap_or(&commit);
            add(
                Path::new(&top).join(name),
                content,
                format!("commit {short}"),
            );
        }
    }
}

/// The originals of configuration files that are not as their package brought them, if its archive is there.
fn from_packages(altered: &[PackageFile], add: &mut AddEarlier<'_>) {
    for file in altered {
        let archive = format!("{ARCHIVES}/{}", file.archive);
        let Some(path) = file.path.to_str().filter(|_| Path::new(&archive).is_file()) else {
            continue;
        };
        let script = r#"dpkg-deb --fsys-tarfile "$0" | tar -xO ".$1""#;
        if let Some(content) = output_of("sh", &["-c", script, &archive, path]) {
            let source = format!("package {} {}", file.package, file.version);
            add(file.path.clone(), content, source);
        }
    }
}

/// Copies beside files.
fn from_backups(files: &BTreeSet<PathBuf>, add: &mut AddEarlier<'_>) {
    for path in files {
        for ending in BACKUP_ENDINGS {
            let backup = PathBuf::from(format!("{}{ending}", path.display()));
            if files.contains(&backup)
                && let Ok(content) = std::fs::read(&backup)
            {
                let name = backup.file_name().unwrap_or_default().to_string_lossy();
                add(path.clone(), content, format!("its copy {name}"));
                break;
            }
        }
    }
}
