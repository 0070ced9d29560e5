//! One server for each data directory: a file with a lock that the kernel releases, however the server ends.
//!
//! In:  the data directory.
//! Out: the lock, held as long as the value lives; or the pid of its holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Why the lock was not had.
pub(crate) enum LockError {
    /// Another process holds it; its pid, if it could be read.
    Held(Option<u32>),
    Io(io::Error),
}

/// Takes the lock and writes this process's pid into it.
pub(crate) fn take(path: &Path) -> Result<File, LockError> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    let mut file = options.open(path).map_err(LockError::Io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let read = file.read_to_string(&mut pid);
            return Err(LockError::Held(
                read.ok().and_then(|_| pid.trim().parse().ok()),
            ));
        }
        Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
    }
    file.set_len(0).map_err(LockError::Io)?;
    writeln!(file, "{}", std::process::id()).map_err(LockError::Io)?;
    Ok(file)
}
