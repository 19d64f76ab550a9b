//! System calls that programs get stuck in, by number, and which argument names the file.

/// Where a system call has its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileArgument {
    /// It has none.
    None,
    /// The first argument is an open file.
    Open,
    /// The first argument is a path.
    Path,
    /// The first argument is an open folder, the second a path below it.
    PathBelow,
}

/// A system call.
#[derive(Clone, Copy, Debug)]
pub(super) struct SystemCall {
    pub(super) name: &'static str,
    pub(super) file: FileArgument,
}

/// The system call of a number on this machine.
pub(super) fn find(number: i64) -> Option<SystemCall> {
    let (_, name, file) = *TABLE.iter().find(|(known, ..)| *known == number)?;
    Some(SystemCall { name, file })
}

use FileArgument::{None as Nothing, Open, Path, PathBelow};

/// `arch/x86/entry/syscalls/syscall_64.tbl` of the kernel.
#[cfg(target_arch = "x86_64")]
const TABLE: &[(i64, &str, FileArgument)] = &[
    (0, "read", Open),
    (1, "write", Open),
    (2, "open", Path),
    (3, "close", Open),
    (4, "stat", Path),
    (5, "fstat", Open),
    (6, "lstat", Path),
    (7, "poll", Nothing),
    (8, "lseek", Open),
    (16, "ioctl", Open),
    (17, "pread64", Open),
    (18, "pwrite64", Open),
    (19, "readv", Open),
    (20, "writev", Open),
    (21, "access", Path),
    (23, "select", Nothing),
    (35, "nanosleep", Nothing),
    (40, "sendfile", Open),
    (56, "clone", Nothing),
    (57, "fork", Nothing),
    (58, "vfork", Nothing),
    (59, "execve", Path),
    (61, "wait4", Nothing),
    (72, "fcntl", Open),
    (73, "flock", Open),
    (74, "fsync", Open),
    (75, "fdatasync", Open),
    (76, "truncate", Path),
    (77, "ftruncate", Open),
    (78, "getdents", Open),
    (80, "chdir", Path),
    (82, "rename", Path),
    (83, "mkdir", Path),
    (84, "rmdir", Path),
    (85, "creat", Path),
    (86, "link", Path),
    (87, "unlink", Path),
    (89, "readlink", Path),
    (90, "chmod", Path),
    (92, "chown", Path),
    (133, "mknod", Path),
    (137, "statfs", Path),
    (138, "fstatfs", Open),
    (162, "sync", Nothing),
    (166, "umount2", Path),
    (202, "futex", Nothing),
    (217, "getdents64", Open),
    (230, "clock_nanosleep", Nothing),
    (232, "epoll_wait", Nothing),
    (247, "waitid", Nothing),
    (257, "openat", PathBelow),
    (258, "mkdirat", PathBelow),
    (260, "fchownat", PathBelow),
    (262, "newfstatat", PathBelow),
    (263, "unlinkat", PathBelow),
    (264, "renameat", PathBelow),
    (267, "readlinkat", PathBelow),
    (268, "fchmodat", PathBelow),
    (269, "faccessat", PathBelow),
    (285, "fallocate", Open),
    (306, "syncfs", Open),
    (316, "renameat2", PathBelow),
    (332, "statx", PathBelow),
    (435, "clone3", Nothing),
    (437, "openat2", PathBelow),
    (439, "faccessat2", PathBelow),
];

/// `include/uapi/asm-generic/unistd.h` of the kernel.
#[cfg(not(target_arch = "x86_64"))]
const TABLE: &[(i64, &str, FileArgument)] = &[
    (34, "mkdirat", PathBelow),
    (35, "unlinkat", PathBelow),
    (43, "statfs", Path),
    (46, "ftruncate", Open),
    (48, "faccessat", PathBelow),
    (49, "chdir", Path),
    (56, "openat", PathBelow),
    (57, "close", Open),
    (61, "getdents64", Open),
    (62, "lseek", Open),
    (63, "read", Open),
    (64, "write", Open),
    (65, "readv", Open),
    (66, "writev", Open),
    (67, "pread64", Open),
    (68, "pwrite64", Open),
    (79, "newfstatat", PathBelow),
    (80, "fstat", Open),
    (81, "sync", Nothing),
    (82, "fsync", Open),
    (83, "fdatasync", Open),
    (98, "futex", Nothing),
    (115, "clock_nanosleep", Nothing),
    (220, "clone", Nothing),
    (221, "execve", Path),
    (260, "wait4", Nothing),
    (291, "statx", PathBelow),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_there_twice() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{pair:?}");
        }
        assert!(find(-1).is_none());
    }
}
