//! What is left when a process or a machine breaks off: `kill` kills the process, `power` takes the power away, `anew` while the
//! index is made anew.
//!
//! Reading order: `kill`; then `power` (the tests), `story` (what happens until then), `check` (what must be there afterwards),
//! `disk` (what a disk may have kept), `trace` and `shim` (how it is known what was written and synced).

mod anew;
mod check;
mod disk;
mod kill;
mod mail;
mod power;
mod random;
mod shim;
mod story;
mod trace;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time: a child that is being made has, for a moment, everything open that its parent has, and so holds
/// the lock of a data directory that was closed meanwhile.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A scratch directory, in memory where there is one: nothing here hangs on what a disk does.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir());
    made.expect("a scratch directory")
}
