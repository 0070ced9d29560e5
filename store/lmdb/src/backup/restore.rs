//! A generation of a backup, looked at and brought back.
//!
//! In:  the backup's directory and a generation.
//! Out: [`verify`]: everything that is not what it was. [`restore`]: a data directory that `Lmdb::open` takes for one that was
//!      closed when the generation was taken.

use super::pages::Map;
use super::{
    BackupError, Manifest, PIECE_OCTETS, SegmentPart, Told, at, create, folder, make, manifest,
    sync_folder,
};
use ringpost_log::segment;
use std::fs::{self, File};
use std::io::Write;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

/// Reads all that a generation names and compares it with the checksums; what is not whole, each once.
pub fn verify(
    backup: &Path,
    generation: Option<u32>,
    told: Told<'_>,
) -> Result<Vec<BackupError>, BackupError> {
    let manifest = manifest(backup, generation)?;
    let mut found = Vec::new();
    let mut reading = Reading::new(backup, &manifest, told);
    for part in &manifest.indexes {
        let step = |reading: &mut Reading<'_>, octets: &[u8]| reading.step(octets.len() as u64);
        keep(&mut found, reading.index(&manifest, part, step))?;
    }
    for part in &manifest.segments {
        keep(&mut found, reading.segment(part, |_, _| Ok(())))?;
    }
    for part in &manifest.files {
        keep(&mut found, reading.file(&manifest, &part.name).map(|_| ()))?;
    }
    Ok(found)
}

/// What is not whole is told at the end; what else fails ends it.
fn keep(found: &mut Vec<BackupError>, looked: Result<(), BackupError>) -> Result<(), BackupError> {
    match looked {
        Err(error @ (BackupError::Damaged(..) | BackupError::Io(..))) => found.push(error),
        other => other?,
    }
    Ok(())
}

/// Brings a generation back into `data`, which must be empty or not there. Every octet is compared with its checksum on
/// the way. Durable on return.
pub fn restore(
    backup: &Path,
    generation: Option<u32>,
    data: &Path,
    told: Told<'_>,
) -> Result<Manifest, BackupError> {
    let manifest = manifest(backup, generation)?;
    make(data)?;
    if fs::read_dir(data).map_err(at(data))?.next().is_some() {
        return Err(BackupError::NotEmpty(data.to_owned()));
    }
    let mut reading = Reading::new(backup, &manifest, told);
    for part in &manifest.segments {
        let to = part.path(data);
        make(&segment::directory(data, part.log))?;
        let mut file = create(&to)?;
        file.set_len(part.octets).map_err(at(&to))?;
        reading.segment(part, |offset, octets| {
            // Holes stay holes.
            match octets.iter().any(|&octet| octet != 0) {
                true => file.write_all_at(octets, offset).map_err(at(&to)),
                false => Ok(()),
            }
        })?;
        file.flush()
            .and_then(|()| file.sync_all())
            .map_err(at(&to))?;
    }
    for part in &manifest.segments {
        sync_folder(&segment::directory(data, part.log))?;
    }
    index(backup, &manifest, data, &mut reading)?;
    sync_folder(data)?;
    Ok(manifest)
}

/// Brings back the index alone: enough to look into a generation while its mails are read from the backup's own segments.
pub fn restore_index(backup: &Path, manifest: &Manifest, data: &Path) -> Result<(), BackupError> {
    let mut quiet = |_, _| ControlFlow::Continue(());
    index(
        backup,
        manifest,
        data,
        &mut Reading::new(backup, manifest, &mut quiet),
    )
}

/// The octets of a file that the caller of `take` added.
pub fn file(backup: &Path, manifest: &Manifest, name: &str) -> Result<Vec<u8>, BackupError> {
    let mut quiet = |_, _| ControlFlow::Continue(());
    Reading::new(backup, manifest, &mut quiet).file(manifest, name)
}

fn index(
    backup: &Path,
    manifest: &Manifest,
    data: &Path,
    reading: &mut Reading<'_>,
) -> Result<(), BackupError> {
    debug_assert_eq!(backup, reading.backup);
    for part in &manifest.indexes {
        let place = data.join(&part.directory);
        make(&place)?;
        let path = place.join("data.mdb");
        let mut file = create(&path)?;
        reading.index(manifest, part, |reading, octets| {
            file.write_all(octets).map_err(at(&path))?;
            reading.step(octets.len() as u64)
        })?;
        file.sync_all().map_err(at(&path))?;
        sync_folder(&place)?;
    }
    Ok(())
}

struct Reading<'r> {
    backup: &'r Path,
    told: Told<'r>,
    done: u64,
    total: u64,
}

impl<'r> Reading<'r> {
    fn new(backup: &'r Path, manifest: &Manifest, told: Told<'r>) -> Self {
        Reading {
            backup,
            told,
            done: 0,
            total: manifest.octets(),
        }
    }

    fn step(&mut self, octets: u64) -> Result<(), BackupError> {
        self.done += octets;
        match (self.told)(self.done, self.total) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(BackupError::Ended),
        }
    }

    fn index(
        &mut self,
        manifest: &Manifest,
        part: &super::IndexPart,
        mut show: impl FnMut(&mut Self, &[u8]) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let map = Map::read(self.backup, manifest.generation, part)?;
        let backup = self.backup;
        map.each(backup, part, |octets| show(self, octets))
    }

    fn segment(
        &mut self,
        part: &SegmentPart,
        mut show: impl FnMut(u64, &[u8]) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let path = part.path(self.backup);
        let file = File::open(&path).map_err(at(&path))?;
        let mut hash = Xxh3Default::new();
        let mut buffer = vec![0; PIECE_OCTETS];
        let mut offset = 0;
        while offset < part.octets {
            let count = (part.octets - offset).min(PIECE_OCTETS as u64);
            let piece = &mut buffer[..count as usize];
            file.read_exact_at(piece, offset).map_err(at(&path))?;
            hash.update(piece);
            show(offset, piece)?;
            offset += count;
            self.step(count)?;
        }
        match hash.digest() == part.checksum {
            true => Ok(()),
            false => Err(BackupError::Damaged(path, "a segment of mails")),
        }
    }

    fn file(&mut self, manifest: &Manifest, name: &str) -> Result<Vec<u8>, BackupError> {
        let path = folder(self.backup, manifest.generation)
            .join("files")
            .join(name);
        let part = manifest.files.iter().find(|part| part.name == name);
        let part = part.ok_or_else(|| BackupError::NoGeneration(path.clone()))?;
        let octets = fs::read(&path).map_err(at(&path))?;
        if xxh3_64(&octets) != part.checksum {
            return Err(BackupError::Damaged(path, "a file of the configuration"));
        }
        self.step(part.octets)?;
        Ok(octets)
    }
}
