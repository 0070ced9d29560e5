//! What happened to the files below a directory, in order, with marks of what was promised meanwhile.
//!
//! In:  from `shim`: each call that changes or syncs a file below a directory that is watched; from the workload: marks.
//! Out: the [`Event`]s.
//!
//! One lock is held over a call and its entry, so the order of entries is the order of effects: a mark stands behind
//! every sync that was done before it was made. Syncs below a watched directory are written down and not done.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Octets were written, to memory only.
    Write {
        path: PathBuf,
        offset: u64,
        octets: Vec<u8>,
    },
    /// These octets of the file are durable: a write through O_DSYNC is done.
    SyncRange {
        path: PathBuf,
        offset: u64,
        octets: u64,
    },
    /// The file is durable, or the names in the directory are.
    Sync { path: PathBuf },
    /// The file was cut or extended.
    Length { path: PathBuf, octets: u64 },
    /// A hole was punched.
    Punch {
        path: PathBuf,
        offset: u64,
        octets: u64,
    },
    /// A name was made.
    Create { path: PathBuf, kind: Kind },
    /// A name was removed.
    Remove { path: PathBuf },
    /// A name was changed.
    Rename { from: PathBuf, to: PathBuf },
    /// A file got a second name.
    Link { from: PathBuf, to: PathBuf },
    /// The workload was promised something.
    Mark(Mark),
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
}

/// What a workload was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The append of a record was answered: the mail of this number is durable.
    Durable(u64),
    /// The index answered this write, counted from the first one submitted.
    Answered(usize),
}

struct Watched {
    root: PathBuf,
    /// None: syncs are only left out.
    events: Option<Vec<Event>>,
}

static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());
static COUNT: AtomicUsize = AtomicUsize::new(0);

fn watched() -> MutexGuard<'static, Vec<Watched>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A directory that is watched as long as this lives.
pub struct Watch {
    root: PathBuf,
}

impl Watch {
    /// Writes down what happens below `root`.
    pub fn record(root: &Path) -> Self {
        Watch::begin(root, Some(Vec::new()))
    }

    /// Leaves out the syncs below `root`: a scratch copy need not outlive a power loss of the machine of the test.
    pub fn unsynced(root: &Path) -> Self {
        Watch::begin(root, None)
    }

    fn begin(root: &Path, events: Option<Vec<Event>>) -> Self {
        let root = root.canonicalize().expect("the directory is there");
        watched().push(Watched {
            root: root.clone(),
            events,
        });
        COUNT.fetch_add(1, Ordering::SeqCst);
        Watch { root }
    }

    /// Notes that something was promised.
    pub fn mark(&self, mark: Mark) {
        for watched in watched().iter_mut().filter(|w| w.root == self.root) {
            watched.events.iter_mut().for_each(|events| {
                events.push(Event::Mark(mark));
            });
        }
    }

    /// Everything since the beginning.
    pub fn end(&self) -> Vec<Event> {
        let mut watched = watched();
        let found = watched.iter_mut().find(|w| w.root == self.root);
        found.and_then(|w| w.events.take()).unwrap_or_default()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        COUNT.fetch_sub(1, Ordering::SeqCst);
        watched().retain(|w| w.root != self.root);
    }
}

/// Whether any directory is watched: a load, so that calls of others cost nothing.
pub fn any() -> bool {
    COUNT.load(Ordering::Relaxed) > 0
}

/// Whether `path` lies below a watched directory.
pub fn covers(path: &Path) -> bool {
    watched().iter().any(|w| path.starts_with(&w.root))
}

/// Does `call`, and writes down the events that it tells of, in one step.
pub fn entry<T>(path: &Path, call: impl FnOnce() -> (T, Vec<Event>)) -> T {
    let mut watched = watched();
    let (result, events) = call();
    for place in watched.iter_mut().filter(|w| path.starts_with(&w.root)) {
        if let Some(list) = &mut place.events {
            list.extend(events.iter().cloned());
        }
    }
    result
}
