//! Paths below a root: links are followed as after a `chroot`, and never lead out of it.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows in one path.
const MOST_LINKS: usize = 40;

/// The place of an absolute path below a root; the last part is followed if it is a link and that is
/// asked for. Parts that are not there are taken as they are.
pub(super) fn place_below(root: &Path, path: &str, follow_last: bool) -> Option<PathBuf> {
    let mut ahead: Vec<String> = parts(Path::new(path));
    let mut place: Vec<String> = Vec::new();
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        if part == ".." {
            place.pop();
            continue;
        }
        place.push(part);
        let here = whole(root, &place);
        let Ok(target) = fs::read_link(&here) else {
            continue;
        };
        if ahead.is_empty() && !follow_last {
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return None;
        }
        place.pop();
        if target.is_absolute() {
            place.clear();
        }
        ahead.extend(parts(&target));
    }
    Some(whole(root, &place))
}

fn whole(root: &Path, place: &[String]) -> PathBuf {
    place
        .iter()
        .fold(root.to_owned(), |path, part| path.join(part))
}

/// The parts of a path, the last one first.
fn parts(path: &Path) -> Vec<String> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        Component::ParentDir => Some("..".to_owned()),
        _ => None,
    });
    let mut parts: Vec<String> = parts.collect();
    parts.reverse();
    parts
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_stay_below_the_root() {
        let folder = tempfile::tempdir().expect("a folder for scratch");
        let root = folder.path();
        fs::create_dir_all(root.join("etc/rc.d/init.d")).expect("it can be made");
        symlink("/etc/rc.d/init.d", root.join("etc/init.d")).expect("it can be linked");
        symlink("../../../../etc/passwd", root.join("etc/up")).expect("it can be linked");
        symlink("/etc/loop", root.join("etc/loop")).expect("it can be linked");
        let place = |path, follow| place_below(root, path, follow);
        assert_eq!(
            place("/etc/init.d/x", true),
            Some(root.join("etc/rc.d/init.d/x"))
        );
        assert_eq!(place("/etc/up", true), Some(root.join("etc/passwd")));
        assert_eq!(place("/etc/up", false), Some(root.join("etc/up")));
        assert_eq!(place("/etc/loop", true), None);
    }
}
