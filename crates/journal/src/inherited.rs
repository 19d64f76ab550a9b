//! What a new file or folder inherits from the folder in which it is made, as the kernel works it out:
//! the group, the default access control list, the flags. No I/O.
//!
//! A new file is made beside its place and renamed, so that all of this has to be known beforehand.

use crate::file_flags::FileFlags;
use crate::file_state::FileAttributes;

/// The access control list of a file or folder.
pub(crate) const ACCESS_LIST: &str = "system.posix_acl_access";
/// The list that a folder gives to what is made in it.
pub(crate) const DEFAULT_LIST: &str = "system.posix_acl_default";

const SET_GROUP_ID: u32 = 0o2000;
/// The mode with which programs make files; a default list narrows it, as the umask does elsewhere.
const MODE_WITH_LIST: u32 = 0o666;

/// Gives new attributes what the folder passes on. A mode of a file that was not asked for is that of the
/// list.
pub(crate) fn inherit(
    mut new: FileAttributes,
    parent: &FileAttributes,
    is_folder: bool,
    mode_is_free: bool,
) -> FileAttributes {
    if parent.mode & SET_GROUP_ID != 0 {
        new.group = parent.group;
        if is_folder {
            new.mode |= SET_GROUP_ID;
        }
    }
    new.flags = parent.flags.passed_on(is_folder);
    let Some(default) = parent.xattrs.get(DEFAULT_LIST) else {
        return new;
    };
    if mode_is_free && !is_folder {
        new.mode = MODE_WITH_LIST;
    }
    if let Some(access) = narrow_list(default, new.mode) {
        new.mode = new.mode & !0o777 | access.rights;
        if access.says_more {
            new.xattrs.insert(ACCESS_LIST.to_owned(), access.list);
        }
    }
    if is_folder {
        new.xattrs.insert(DEFAULT_LIST.to_owned(), default.clone());
    }
    new
}

/// An access control list made of a default one.
struct NarrowedList {
    list: Vec<u8>,
    /// The nine bits that it means as a mode.
    rights: u32,
    /// Whether it says more than these bits.
    says_more: bool,
}

/// Narrows a list to a mode, as `posix_acl_create` does. Nothing if it is not a list of version 2, which
/// the kernel has alone.
fn narrow_list(default: &[u8], mode: u32) -> Option<NarrowedList> {
    let (version, entries) = default.split_at_checked(4)?;
    if version != 2_u32.to_le_bytes() || entries.len() % 8 != 0 {
        return None;
    }
    let mut list = default.to_vec();
    let tag_at = |at: usize| u16::from_le_bytes([default[at], default[at + 1]]);
    let places = || (4..default.len()).step_by(8);
    let has_mask = places().any(|at| tag_at(at) == MASK);
    let mut rights = 0;
    let mut says_more = false;
    for at in places() {
        let shift = match tag_at(at) {
            OWNER => 6,
            GROUP if !has_mask => 3,
            MASK => 3,
            OTHERS => 0,
            _ => {
                says_more |= tag_at(at) != GROUP;
                continue;
            }
        };
        says_more |= tag_at(at) == MASK;
        let there = u16::from_le_bytes([list[at + 2], list[at + 3]]);
        let narrowed = u32::from(there) & (mode >> shift) & 7;
        rights |= narrowed << shift;
        let bytes = u16::try_from(narrowed).unwrap_or(0).to_le_bytes();
        list[at + 2..at + 4].copy_from_slice(&bytes);
    }
    Some(NarrowedList {
        list,
        rights,
        says_more,
    })
}

// Tags of <linux/posix_acl.h>.
const OWNER: u16 = 0x01;
const GROUP: u16 = 0x04;
const MASK: u16 = 0x10;
const OTHERS: u16 = 0x20;

impl FileFlags {
    /// Those that file systems pass on to what is made in a folder, as ext4 does.
    fn passed_on(self, is_folder: bool) -> Self {
        self.without(if is_folder { "T" } else { "DPT" })
    }
}
