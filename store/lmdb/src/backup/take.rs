//! One more generation of a backup, while the store is at work.
//!
//! In:  the store, its data directory, the backup's directory, files to add.
//! Out: [`Taken`]: what the generation holds and how much of it was new. Durable on return.

use super::pages::{self, Map};
use super::{
    BackupError, FORMAT, FilePart, Kind, MANIFEST, Manifest, PIECE_OCTETS, SegmentPart, Told, at,
    create, folder, generations, make, manifest, sync_folder,
};
use crate::open::Lmdb;
use crate::tidy;
use ringpost_api::table::VERSION;
use ringpost_api::write::Position;
use ringpost_api::{Store, read};
use ringpost_log::segment::{self, HEAD_OCTETS, Holds, MailHead};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3Default;

/// Octets at the end of a copied stretch by which it is known again.
const END_OCTETS: usize = 4 * 1024;

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The generation.
    pub generation: u32,
    /// Octets of all that it holds.
    pub octets: u64,
    /// Of those, octets that no generation before had.
    pub new_octets: u64,
}

/// Takes a generation. `files` are a name and what is read: configuration and keys.
pub fn take(
    store: &Lmdb,
    data: &Path,
    backup: &Path,
    unix: u64,
    files: &[(String, PathBuf)],
    told: Told<'_>,
) -> Result<Taken, BackupError> {
    make(backup)?;
    let before = match manifest(backup, None) {
        Ok(before) => Some(before),
        Err(BackupError::NoGeneration(_)) => None,
        Err(error) => return Err(error),
    };
    let generation = generations(backup)?.pop().unwrap_or(0) + 1;
    // What a run that was killed left behind.
    let place = folder(backup, generation);
    match fs::remove_dir_all(&place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(at(&place)(error));
        }
        _ => make(&place)?,
    }
    let _hold = store.hold_space();
    let mut taking = Taking {
        data,
        backup,
        told,
        done: 0,
        total: total(store, data)?,
        new_octets: 0,
    };
    let mut indexes = Vec::new();
    for (directory, env) in store.environments() {
        let old = before.as_ref().and_then(|before| {
            let part = before
                .indexes
                .iter()
                .find(|part| part.directory == directory)?;
            Map::read(backup, before.generation, part).ok()
        });
        let step = |octets| taking.step(octets);
        indexes.push(pages::copy(
            env,
            &directory,
            backup,
            generation,
            old.as_ref(),
            step,
        )?);
        let written = place.join(format!("{directory}.pages"));
        taking.new_octets += fs::metadata(&written).map_err(at(&written))?.len();
    }
    let segments = taking.logs(&applied(store, data)?, before.as_ref())?;
    let files = taking.files(&place, files)?;
    let manifest = Manifest {
        format: FORMAT,
        generation,
        unix,
        schema: VERSION,
        indexes,
        segments,
        files,
    };
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| at(&place)(std::io::Error::other(error)))?;
    // Everything the manifest names is durable before it is there.
    let path = place.join(MANIFEST);
    let draft = place.join("manifest.draft");
    let mut file = create(&draft)?;
    file.write_all(&text).map_err(at(&draft))?;
    file.sync_all().map_err(at(&draft))?;
    sync_folder(backup)?;
    fs::rename(&draft, &path).map_err(at(&path))?;
    sync_folder(&place)?;
    Ok(Taken {
        generation,
        octets: manifest.octets(),
        new_octets: taking.new_octets,
    })
}

impl Manifest {
    /// Octets of all that it names.
    pub fn octets(&self) -> u64 {
        let indexes = self.indexes.iter().map(|part| part.octets);
        let segments = self.segments.iter().map(|part| part.octets);
        let files = self.files.iter().map(|part| part.octets);
        indexes.chain(segments).chain(files).sum()
    }
}

/// How far each log is in the index. Taken after the index was copied, so the copy is not ahead of it.
fn applied(store: &Lmdb, data: &Path) -> Result<BTreeMap<u16, Position>, BackupError> {
    let snapshot = store.snapshot()?;
    let logs = segment::logs(data).map_err(at(data))?;
    let position = |log| Ok((log, read::applied(&*snapshot, log)?));
    logs.into_iter().map(position).collect()
}

/// Octets there are to look at, about.
fn total(store: &Lmdb, data: &Path) -> Result<u64, BackupError> {
    let mut total = 0;
    for (directory, _) in store.environments() {
        let path = data.join(directory).join("data.mdb");
        total += fs::metadata(&path).map_err(at(&path))?.len();
    }
    for (log, position) in applied(store, data)? {
        for (number, holds) in segment::files(data, log).map_err(at(data))? {
            let path = segment::file(data, log, number, holds);
            let length = fs::metadata(path).map_or(0, |known| known.len());
            total += match holds {
                Holds::Records if number == position.segment => position.offset.min(length),
                _ => length,
            };
        }
    }
    Ok(total)
}

struct Taking<'t> {
    data: &'t Path,
    backup: &'t Path,
    told: Told<'t>,
    done: u64,
    total: u64,
    new_octets: u64,
}

impl Taking<'_> {
    fn step(&mut self, octets: u64) -> Result<(), BackupError> {
        self.done += octets;
        match (self.told)(self.done, self.total.max(self.done)) {
            std::ops::ControlFlow::Continue(()) => Ok(()),
            std::ops::ControlFlow::Break(()) => Err(BackupError::Ended),
        }
    }

    /// Brings the segments of all logs up to where the index has applied them.
    fn logs(
        &mut self,
        applied: &BTreeMap<u16, Position>,
        before: Option<&Manifest>,
    ) -> Result<Vec<SegmentPart>, BackupError> {
        let mut parts = Vec::new();
        for (&log, position) in applied {
            let folder = segment::directory(self.backup, log);
            make(&folder)?;
            for (number, holds) in segment::files(self.data, log).map_err(at(self.data))? {
                let Some((from, part)) = self.wanted(log, number, holds, position)? else {
                    continue;
                };
                let old = before.and_then(|before| {
                    let same = |old: &&SegmentPart| {
                        (old.log, old.segment, old.kind) == (log, number, part.kind)
                    };
                    before.segments.iter().find(same).copied()
                });
                parts.push(self.segment(&from, part, old)?);
            }
            sync_folder(&folder)?;
        }
        Ok(parts)
    }

    /// How much of a file never changes any more, its checksum left open; `None`: nothing of it is in the index yet.
    fn wanted(
        &self,
        log: u16,
        number: u32,
        holds: Holds,
        applied: &Position,
    ) -> Result<Option<(PathBuf, SegmentPart)>, BackupError> {
        let mut from = segment::file(self.data, log, number, holds);
        if holds == Holds::Part && !from.exists() {
            // Its record is durable by now.
            from = segment::file(self.data, log, number, Holds::Mail);
        }
        let length = match fs::metadata(&from) {
            // Dropped between the listing and now: nobody refers to it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            known => known.map_err(at(&from))?.len(),
        };
        let (kind, octets) = match holds {
            Holds::Gone => (Kind::Gone, Some(0)),
            Holds::Mail => (Kind::Mail, Some(length)),
            // It has a head once it is complete, and no record before.
            Holds::Part => (Kind::Mail, has_head(&from)?.then_some(length)),
            Holds::Records if number < applied.segment => (Kind::Records, Some(length)),
            Holds::Records if number == applied.segment && applied.offset >= HEAD_OCTETS => {
                (Kind::Records, Some(applied.offset.min(length)))
            }
            Holds::Records => (Kind::Records, None),
        };
        let part = |octets| SegmentPart {
            log,
            segment: number,
            kind,
            octets,
            checksum: 0,
        };
        Ok(octets.map(|octets| (from, part(octets))))
    }

    /// Copies what is new of a segment; its checksum is taken over the copy, old and new.
    fn segment(
        &mut self,
        from: &Path,
        part: SegmentPart,
        old: Option<SegmentPart>,
    ) -> Result<SegmentPart, BackupError> {
        let until = part.octets;
        let to = part.path(self.backup);
        let source = File::open(from).map_err(at(from))?;
        let copy = create(&to)?;
        let known = old.map_or(0, |old| old.octets);
        if old.is_some() && !is_same(&source, &copy, until.min(known)).map_err(at(&to))? {
            return Err(BackupError::Foreign(to));
        }
        if let Some(old) = old.filter(|old| old.octets >= until) {
            // What was reserved and not used is cut off a segment after the log went on in the next.
            if !tidy::is_zero(&copy, until, known).map_err(at(&to))? {
                return Err(BackupError::Foreign(to));
            }
            self.step(until)?;
            return Ok(old);
        }
        let mut hash = Xxh3Default::new();
        let mut buffer = vec![0; PIECE_OCTETS];
        let mut beside = vec![0; PIECE_OCTETS];
        let mut offset = 0;
        // Cuts off what a killed run may have left behind.
        copy.set_len(known)
            .and_then(|()| copy.set_len(until))
            .map_err(at(&to))?;
        while offset < until {
            let is_known = offset < known;
            let end = if is_known { known } else { until };
            let piece = &mut buffer[..(end - offset).min(PIECE_OCTETS as u64) as usize];
            let (file, path) = if is_known {
                (&copy, &*to)
            } else {
                (&source, from)
            };
            file.read_exact_at(piece, offset).map_err(at(path))?;
            hash.update(piece);
            if is_known {
                let beside = &mut beside[..piece.len()];
                source.read_exact_at(beside, offset).map_err(at(from))?;
                if !became(piece, beside) {
                    return Err(BackupError::Foreign(to));
                }
            } else {
                // Holes stay holes.
                if piece.iter().any(|&octet| octet != 0) {
                    copy.write_all_at(piece, offset).map_err(at(&to))?;
                }
                self.new_octets += piece.len() as u64;
            }
            offset += piece.len() as u64;
            let count = piece.len() as u64;
            self.step(count)?;
        }
        copy.sync_all().map_err(at(&to))?;
        Ok(SegmentPart {
            checksum: hash.digest(),
            ..part
        })
    }

    fn files(
        &mut self,
        place: &Path,
        files: &[(String, PathBuf)],
    ) -> Result<Vec<FilePart>, BackupError> {
        let folder = place.join("files");
        make(&folder)?;
        let mut parts = Vec::new();
        for (name, from) in files {
            let octets = fs::read(from).map_err(at(from))?;
            let to = folder.join(name);
            let mut file = create(&to)?;
            file.write_all(&octets).map_err(at(&to))?;
            file.sync_all().map_err(at(&to))?;
            parts.push(FilePart {
                name: name.clone(),
                octets: octets.len() as u64,
                checksum: xxhash_rust::xxh3::xxh3_64(&octets),
            });
            self.new_octets += octets.len() as u64;
        }
        sync_folder(&folder)?;
        Ok(parts)
    }
}

/// Whether a large mail is complete.
fn has_head(path: &Path) -> Result<bool, BackupError> {
    let mut head = [0; HEAD_OCTETS as usize];
    let file = File::open(path).map_err(at(path))?;
    let read = file.read_at(&mut head, 0).map_err(at(path))?;
    Ok(MailHead::read(&head[..read]).is_ok())
}

/// Whether a copy is of this segment, as far as its head, which has a salt or a checksum of its own, and its last octets
/// up to `until` tell. A store that was restored, and went on, has the same heads as the later state of the one before.
fn is_same(source: &File, copy: &File, until: u64) -> std::io::Result<bool> {
    let (mut now, mut then) = ([0; END_OCTETS], [0; END_OCTETS]);
    for (from, to) in [
        (0, HEAD_OCTETS.min(until)),
        (until.saturating_sub(END_OCTETS as u64), until),
    ] {
        let count = (to - from) as usize;
        let (now, then) = (&mut now[..count], &mut then[..count]);
        source.read_exact_at(now, from)?;
        copy.read_exact_at(then, from)?;
        if !became(then, now) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether octets of a segment may have become others: what is freed becomes zero, and nothing else changes.
fn became(then: &[u8], now: &[u8]) -> bool {
    then == now
        || then
            .iter()
            .zip(now)
            .all(|(then, now)| then == now || *now == 0)
}
