//! Many points, tried on all processors, with a word about how far it is.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::scenes::{Scene, Tree};

/// How often the number of points that are tried is told.
const BETWEEN_WORDS: Duration = Duration::from_secs(5);

/// One of the threads that try points.
pub(crate) struct PointWorker {
    scratch: tempfile::TempDir,
    pictures: Option<(Scene, (Tree, Tree))>,
}

impl PointWorker {
    pub(crate) fn new() -> Self {
        Self {
            scratch: super::scratch_folder(),
            pictures: None,
        }
    }

    /// The folder of a scene, which is not there yet.
    pub(crate) fn folder(&self) -> PathBuf {
        self.scratch.path().join("scene")
    }

    /// Makes the old and the new picture of a scene, unless they are those that it has.
    pub(crate) fn picture(&mut self, scene: Scene) {
        if self.pictures.as_ref().is_none_or(|(of, _)| *of != scene) {
            self.pictures = Some((scene, scene.pictures(self.scratch.path())));
        }
    }

    /// The pictures that were made last.
    pub(crate) fn pictures(&self) -> &(Tree, Tree) {
        &self.pictures.as_ref().expect("they were made").1
    }

    /// Prepares a scene, does something with it, and removes it.
    pub(crate) fn with_scene<T>(&self, scene: Scene, work: impl FnOnce(&Path) -> T) -> T {
        let folder = self.folder();
        std::fs::create_dir(&folder).expect("it is made");
        scene.prepare(&folder);
        let result = work(&folder);
        std::fs::remove_dir_all(&folder).expect("it is removed");
        result
    }
}

/// Tries points, in their order as far as several threads can; says in the end how many of all it were.
pub(crate) fn try_points<P: Sync>(
    what: &str,
    points: &[P],
    all: usize,
    attempt: impl Fn(&mut PointWorker, &P) + Sync,
) {
    let next = AtomicUsize::new(0);
    let begun = Instant::now();
    let told = Mutex::new(begun);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut worker = PointWorker::new();
                while let Some(point) = points.get(next.fetch_add(1, Ordering::SeqCst)) {
                    attempt(&mut worker, point);
                    let mut told = told
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    if told.elapsed() > BETWEEN_WORDS {
                        *told = Instant::now();
                        let at = next.load(Ordering::SeqCst).min(points.len());
                        say(&format!("{what} at {at} points of {}", points.len()));
                    }
                }
            });
        }
    });
    let (tried, took) = (points.len(), begun.elapsed().as_secs_f64());
    say(&format!(
        "{what} at {tried} points of {all}, all is well, {took:.0} s"
    ));
}

fn say(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
