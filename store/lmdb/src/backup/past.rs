//! A look into a generation without bringing all of it back: its index in a scratch directory, its mails where the backup
//! has them.
//!
//! In:  the backup's directory, a generation, an empty directory for the index.
//! Out: snapshots of the store as it was; mails, each checked.

use super::{BackupError, Manifest, manifest, restore};
use crate::env::{self, Env};
use ringpost_api::Snapshot;
use ringpost_api::table::{BlobRow, VERSION};
use ringpost_log::file::{Blocking, now};
use ringpost_log::{LogError, Reader};
use std::path::Path;

/// Octets the map of such an index may take at least: it is not written to.
const MAP_OCTETS: u64 = 1 << 30;

/// A generation, open to be read.
pub struct Past {
    manifest: Manifest,
    env: Env,
    reader: Reader<Blocking>,
}

impl Past {
    /// Opens a generation; without a number, the last one.
    pub fn open(
        backup: &Path,
        generation: Option<u32>,
        scratch: &Path,
    ) -> Result<Self, BackupError> {
        let manifest = manifest(backup, generation)?;
        if manifest.schema != VERSION || manifest.indexes.len() != 1 {
            // An upgrade would have to write all of it anew: bringing back the whole does that.
            return Err(BackupError::NeedsWhole(backup.to_owned()));
        }
        restore::restore_index(backup, &manifest, scratch)?;
        let part = &manifest.indexes[0];
        let map_octets = part.octets.max(MAP_OCTETS).next_multiple_of(1 << 20);
        let opened = Env::open(&scratch.join(&part.directory), map_octets as usize);
        Ok(Past {
            env: opened.map_err(|error| BackupError::Store(env::failed(error)))?,
            manifest,
            reader: Reader::new(Blocking, backup),
        })
    }

    /// What the generation holds.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The store as it was.
    pub fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, BackupError> {
        Ok(Box::new(self.env.snapshot()?))
    }

    /// A mail's octets.
    pub fn mail(&self, blob: &BlobRow) -> Result<Vec<u8>, LogError> {
        now(self.reader.whole(blob))
    }
}
