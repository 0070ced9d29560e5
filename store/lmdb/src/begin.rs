//! The first start: an index is made beside its place and put there whole.
//!
//! ```text
//! index/new/data.mdb: tables, version, synced ---- rename, sync ----> index/data.mdb
//! ```
//! LMDB writes the first pages of a new file without a sync: where the power goes then, a file is left that is no index, and
//! could not be told from one that was damaged later. So a file called `data.mdb` in its place is an index always, and one
//! that never got there is begun again. The directory itself stays what it is: it may be a disk of its own.
//!
//! In:  the directory of the index. Out: there is an index of this version in it, or was one before.

use crate::env::{self, Env};
use ringpost_api::Error;
use ringpost_api::upgrade::{self, Refused};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// What LMDB calls its file.
const FILE: &str = "data.mdb";
/// Where a new one is made.
const NEW: &str = "new";

/// Why none was made.
pub(crate) enum Failure {
    Io(io::Error),
    Index(Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

/// Whether there is no index in the directory `index` yet. An empty file is none: LMDB would begin it in its place.
pub(crate) fn is_missing(index: &Path) -> io::Result<bool> {
    match fs::metadata(index.join(FILE)) {
        Ok(found) => Ok(found.len() == 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Removes what a start left behind that did not get to its end.
pub(crate) fn remove_stale(index: &Path) -> io::Result<()> {
    match fs::remove_dir_all(index.join(NEW)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes the index. Its name in the directory is the caller's to sync, before anything hangs on it.
pub(crate) fn make(index: &Path, map_octets: usize) -> Result<(), Failure> {
    let new = index.join(NEW);
    DirBuilder::new().mode(0o700).create(&new)?;
    {
        let failed = |error| Failure::Index(env::failed(error));
        let env = Env::open(&new, map_octets).map_err(failed)?;
        let opened = env.opened().map_err(Failure::Index)?;
        let mut rows = opened.write().map_err(Failure::Index)?;
        match upgrade::upgrade(&mut rows) {
            Ok(_) => rows.commit().map_err(Failure::Index)?,
            Err(Refused::Store(error)) => return Err(Failure::Index(error)),
            Err(Refused::Newer(_)) => {
                let what = "index: a new one is not empty".to_owned();
                return Err(Failure::Index(Error::Damaged(what)));
            }
        }
    }
    let file = new.join(FILE);
    File::open(&file)?.sync_all()?;
    fs::rename(file, index.join(FILE))?;
    Ok(remove_stale(index)?)
}
