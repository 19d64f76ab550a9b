//! Configuration files of Debian packages: which of them are not as their package brought them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// So many files are given to one command.
const AT_ONCE: usize = 500;

/// A configuration file of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PackageFile {
    pub(super) path: PathBuf,
    /// The sum of what the package brought.
    sum: String,
    pub(super) package: String,
    pub(super) version: String,
    /// The name of the package's archive in the cache of `apt`.
    pub(super) archive: String,
}

/// The configuration files below a folder, from dpkg's `status`.
pub(super) fn package_files(status: &str, folder: &Path) -> Vec<PackageFile> {
    let mut found = Vec::new();
    for package in status.split("\n\n") {
        let field = |name: &str| {
            let mut lines = package.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let (Some(name), Some(version), Some(architecture)) =
            (field("Package"), field("Version"), field("Architecture"))
        else {
            continue;
        };
        let (_, listed) = package.split_once("\nConffiles:\n").unwrap_or_default();
        for line in listed.lines().take_while(|line| line.starts_with(' ')) {
            let mut words = line.split_whitespace();
            let (Some(path), Some(sum)) = (words.next(), words.next()) else {
                continue;
            };
            // One that the package does not bring any more has no original.
            let is_gone = words.next().is_some() || sum.len() != 32;
            if Path::new(path).starts_with(folder) && !is_gone {
                found.push(PackageFile {
                    path: PathBuf::from(path),
                    sum: sum.to_owned(),
                    package: name.to_owned(),
                    version: version.to_owned(),
                    archive: format!("{name}_{}_{architecture}.deb", version.replace(':', "%3a")),
                });
            }
        }
    }
    found
}

/// Those that are there and are not what the package brought.
pub(super) fn altered(files: Vec<PackageFile>) -> Vec<PackageFile> {
    let there: Vec<&Path> = files
        .iter()
        .map(|file| file.path.as_path())
        .filter(|path| path.is_file())
        .collect();
    let mut sums: BTreeMap<PathBuf, String> = BTreeMap::new();
    for some in there.chunks(AT_ONCE) {
        let output = Command::new("timeout")
            .args(["60", "md5sum", "-z", "--"])
            .args(some)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        let Ok(output) = output else { continue };
        for line in output.stdout.split(|byte| *byte == 0) {
            let text = String::from_utf8_lossy(line);
            if let Some((sum, path)) = text.split_once("  ") {
                sums.insert(PathBuf::from(path), sum.to_owned());
            }
        }
    }
    let is_altered = |file: &PackageFile| sums.get(&file.path).is_some_and(|sum| *sum != file.sum);
    files.into_iter().filter(is_altered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_from_its_package_is_altered() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("same"), "x\n").unwrap();
        std::fs::write(path("other"), "y\n").unwrap();
        let root = folder.path().display();
        // The sum of "x\n" for all of them.
        let sum = "401b30e3b8b5d629635a5c613cdb7919";
        let status = format!(
            "Package: a\nVersion: 1:2\nArchitecture: all\nConffiles:\n {root}/same {sum}\n {root}/other {sum}\n {root}/gone {sum}\n \
             {root}/old {sum} obsolete\n /elsewhere {sum}\n\nPackage: b\nStatus: x\n"
        );
        let files = package_files(&status, folder.path());
        assert_eq!(files.len(), 3, "{files:?}");
        assert_eq!(files[0].archive, "a_1%3a2_all.deb");
        let altered = altered(files);
        assert_eq!(altered.len(), 1, "{altered:?}");
        assert_eq!(altered[0].path, path("other"));
    }
}
