//! The new index takes the place of the old one, in one step.
//!
//! ```text
//! index/data.mdb ----------- a second name, synced ----> index.before-rebuild-N/data.mdb
//! index.rebuilding/data.mdb ------- rename, synced ----> index/data.mdb
//! ```
//! In:  a new index, complete. Out: the name of the old one from then on.
//!
//! Invariant: whatever it breaks off at, there is an index, the old one or the new one. What is left over is cleared away by
//! the next rebuild: `index.rebuilding`, and a second name of the index that is in use.

use super::{at, sync};
use crate::open::OpenError;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

const FILE: &str = "data.mdb";

/// Clears away what a run left behind that did not get to its end.
pub(super) fn clear(data: &Path, index: &Path, new: &Path) -> Result<(), OpenError> {
    remove(new).map_err(at(new))?;
    let identity = |folder: &Path| {
        let found = fs::metadata(folder.join(FILE)).ok()?;
        Some((found.dev(), found.ino()))
    };
    let Some(own) = identity(index) else {
        return Ok(());
    };
    for number in 1.. {
        let aside = aside(data, number);
        if !aside.exists() {
            break;
        }
        if identity(&aside).is_none_or(|other| other == own) {
            remove(&aside).map_err(at(&aside))?;
        }
    }
    Ok(())
}

/// Puts the new index in the place of the old one; the old one's name from then on, where there was one.
pub(super) fn take(data: &Path, index: &Path, new: &Path) -> Result<Option<String>, OpenError> {
    let (old, made) = (index.join(FILE), new.join(FILE));
    let synced = File::open(&made).and_then(|file| file.sync_all());
    synced.map_err(at(&made))?;
    if !index.exists() {
        fs::rename(new, index).map_err(at(index))?;
        sync(data)?;
        return Ok(None);
    }
    let kept = match old.exists() {
        true => Some(keep(data, &old)?),
        false => None,
    };
    fs::rename(&made, &old).map_err(at(&old))?;
    sync(index)?;
    remove(new).map_err(at(new))?;
    sync(data)?;
    let name = |kept: PathBuf| kept.file_name().map(|n| n.to_string_lossy().into_owned());
    Ok(kept.and_then(name))
}

/// Gives the old index a second name, durably; a copy, where the file system knows of no second names.
fn keep(data: &Path, old: &Path) -> Result<PathBuf, OpenError> {
    let aside = (1..).map(|number| aside(data, number));
    let aside = aside.into_iter().find(|aside| !aside.exists());
    let aside = aside.expect("numbers do not run out");
    let failed = at(&aside);
    let make = || -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(&aside)?;
        let kept = aside.join(FILE);
        if fs::hard_link(old, &kept).is_err() {
            let part = aside.join("data.part");
            fs::copy(old, &part)?;
            File::open(&part)?.sync_all()?;
            fs::rename(part, kept)?;
        }
        File::open(&aside)?.sync_all()
    };
    make().map_err(failed)?;
    sync(data)?;
    Ok(aside)
}

fn aside(data: &Path, number: u32) -> PathBuf {
    data.join(format!("index.before-rebuild-{number}"))
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
