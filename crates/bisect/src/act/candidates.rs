//! What was written as a candidate, remembered beside the backups of the entry.
//!
//! What puts a file back, the search itself or a process that has only the entry, must tell a
//! candidate from what another program wrote meanwhile. The first is removed; the second is kept.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use surefoot_journal::StoredContent;

/// How many versions of one file are kept at most.
const MOST_VERSIONS: usize = 1000;

/// Remembers that this content of a file is a candidate. Called before the file has it.
pub(super) fn remember_candidate(
    vault: &Path,
    number: usize,
    content: &StoredContent,
) -> io::Result<()> {
    let mut list = OpenOptions::new()
        .create(true)
        .append(true)
        .open(list_of(vault, number))?;
    list.write_all(line_of(content).as_bytes())?;
    list.sync_data()
}

/// Whether this content was a candidate. Where the list cannot be read it was none, and so it is kept.
pub(super) fn was_candidate(vault: &Path, number: usize, content: &StoredContent) -> bool {
    let list = std::fs::read_to_string(list_of(vault, number)).unwrap_or_default();
    let line = line_of(content);
    list.split_inclusive('\n').any(|known| known == line)
}

/// Keeps what another program wrote, once; gives where.
pub(super) fn keep_foreign(vault: &Path, number: usize, content: &[u8]) -> io::Result<PathBuf> {
    for version in 1..=MOST_VERSIONS {
        let path = vault.join(match version {
            1 => format!("foreign-{number}"),
            _ => format!("foreign-{number}-{version}"),
        });
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                let written = file.write_all(content).and_then(|()| file.sync_all());
                return match written {
                    Ok(()) => Ok(path),
                    Err(error) => {
                        let _ = std::fs::remove_file(&path);
                        Err(error)
                    }
                };
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if std::fs::read(&path).is_ok_and(|kept| kept == content) {
                    return Ok(path);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn list_of(vault: &Path, number: usize) -> PathBuf {
    vault.join(format!("{number}-candidates"))
}

fn line_of(content: &StoredContent) -> String {
    format!("{} {:08x}\n", content.length, content.crc32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_remembered_of_a_file_is_a_candidate_of_it() {
        let vault = tempfile::tempdir().expect("a folder");
        let content = |crc32| StoredContent {
            file: String::new(),
            length: 3,
            crc32,
        };
        assert!(!was_candidate(vault.path(), 0, &content(7)));
        for crc32 in [7, 8] {
            remember_candidate(vault.path(), 0, &content(crc32)).expect("it is written");
        }
        assert!(was_candidate(vault.path(), 0, &content(7)));
        assert!(was_candidate(vault.path(), 0, &content(8)));
        assert!(!was_candidate(vault.path(), 0, &content(9)));
        assert!(!was_candidate(vault.path(), 1, &content(7)));
    }

    #[test]
    fn each_version_is_kept_once() {
        let vault = tempfile::tempdir().expect("a folder");
        let kept = |content: &[u8]| keep_foreign(vault.path(), 0, content).expect("it is kept");
        let first = kept(b"one");
        assert_ne!(kept(b"two"), first);
        assert_eq!(kept(b"one"), first);
        assert_eq!(std::fs::read(first).ok().as_deref(), Some(&b"one"[..]));
    }
}
