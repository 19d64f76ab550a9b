//! A private view of the file system, in which some files have others in their place.

use std::io;
use std::path::Path;

use rustix::mount::MountPropagationFlags;
use rustix::thread::UnshareFlags;

/// Calls a function on a thread for which each first file is in the place of the second one. Programs that
/// it starts see the same; nothing else does.
pub fn with_files_covered<T: Send>(
    covers: &[(&Path, &Path)],
    work: impl FnOnce() -> T + Send,
) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: `NEWNS` changes which mounts this thread sees, and that it has a working folder of
            // its own; memory safety rests on neither, and the thread ends with this function.
            unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }?;
            // What is mounted here must not spread to the machine.
            let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
            rustix::mount::mount_change("/", private)?;
            for (file, place) in covers {
                rustix::mount::mount_bind(*file, *place)?;
            }
            Ok(work())
        });
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
