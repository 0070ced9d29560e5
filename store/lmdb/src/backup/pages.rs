//! The index in a backup: its data file in pieces, of which a generation keeps those that are not where they were.
//!
//! The map, 16 octets for each piece, little-endian: generation u32, number u32 in that generation's `.pages`, XXH3-64 of
//! the piece u64. LMDB writes a page anew elsewhere when it changes, so between two generations most pieces stay.

use super::{BackupError, IndexPart, at, create, folder};
use crate::env::Env;
use ringpost_api::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// Octets of a piece: sixteen pages. The last may be shorter.
pub(super) const OCTETS: usize = 64 * 1024;
const ENTRY_OCTETS: usize = 16;

/// Where a piece is, and what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    generation: u32,
    number: u32,
    checksum: u64,
}

/// The pieces of one environment in one generation.
pub(super) struct Map(Vec<Piece>);

impl Map {
    /// Reads the map of `part`, and checks it.
    pub fn read(backup: &Path, generation: u32, part: &IndexPart) -> Result<Self, BackupError> {
        let path = folder(backup, generation).join(format!("{}.map", part.directory));
        let octets = fs::read(&path).map_err(at(&path))?;
        let pieces = part.octets.div_ceil(OCTETS as u64);
        if xxh3_64(&octets) != part.map_checksum
            || octets.len() as u64 != pieces * ENTRY_OCTETS as u64
        {
            return Err(BackupError::Damaged(path, "the map of the index"));
        }
        let word = |octets: &[u8]| u32::from_le_bytes(std::array::from_fn(|at| octets[at]));
        let piece = |entry: &[u8]| Piece {
            generation: word(entry),
            number: word(&entry[4..]),
            checksum: u64::from(word(&entry[8..])) | u64::from(word(&entry[12..])) << 32,
        };
        Ok(Map(octets.chunks_exact(ENTRY_OCTETS).map(piece).collect()))
    }

    fn octets(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len() * ENTRY_OCTETS);
        for piece in &self.0 {
            out.extend_from_slice(&piece.generation.to_le_bytes());
            out.extend_from_slice(&piece.number.to_le_bytes());
            out.extend_from_slice(&piece.checksum.to_le_bytes());
        }
        out
    }

    /// Shows every piece in order, read and checked.
    pub fn each(
        &self,
        backup: &Path,
        part: &IndexPart,
        mut show: impl FnMut(&[u8]) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let mut open: Vec<(u32, File)> = Vec::new();
        let mut buffer = vec![0; OCTETS];
        let mut left = part.octets;
        for piece in &self.0 {
            let path = folder(backup, piece.generation).join(format!("{}.pages", part.directory));
            if !open
                .iter()
                .any(|(generation, _)| *generation == piece.generation)
            {
                let file = File::open(&path).map_err(at(&path))?;
                open.push((piece.generation, file));
            }
            let file = open
                .iter()
                .find(|(generation, _)| *generation == piece.generation);
            let count = left.min(OCTETS as u64) as usize;
            let offset = u64::from(piece.number) * OCTETS as u64;
            if let Some((_, file)) = file {
                let read = file.read_exact_at(&mut buffer[..count], offset);
                read.map_err(at(&path))?;
            }
            if xxh3_64(&buffer[..count]) != piece.checksum {
                return Err(BackupError::Damaged(path, "a piece of the index"));
            }
            show(&buffer[..count])?;
            left -= count as u64;
        }
        Ok(())
    }
}

/// Copies the index as of now into generation `generation`; `before` is the map of the one before. `step` is called for each piece with
/// its length, and may end it.
pub(super) fn copy(
    env: &Env,
    directory: &str,
    backup: &Path,
    generation: u32,
    before: Option<&Map>,
    mut step: impl FnMut(u64) -> Result<(), BackupError>,
) -> Result<IndexPart, BackupError> {
    let path = folder(backup, generation).join(format!("{directory}.pages"));
    let mut pages = BufWriter::with_capacity(super::PIECE_OCTETS, create(&path)?);
    let (mut input, output) = io::pipe().map_err(at(&path))?;
    let mut map = Map(Vec::new());
    let mut octets = 0;
    let mut number = 0;
    std::thread::scope(|scope| {
        let copied = scope.spawn(move || env.copy(&mut File::from(OwnedFd::from(output))));
        let mut buffer = vec![0; OCTETS];
        let drained = loop {
            let count = match fill(&mut input, &mut buffer).map_err(at(&path)) {
                Ok(0) => break Ok(()),
                Ok(count) => count,
                Err(error) => break Err(error),
            };
            if env.is_wanted() {
                let why = "the index is to be opened again; take the backup once more".to_owned();
                break Err(BackupError::Store(Error::Io(why)));
            }
            octets += count as u64;
            let checksum = xxh3_64(&buffer[..count]);
            let old = before.and_then(|before| before.0.get(map.0.len()));
            let piece = match old {
                Some(old) if old.checksum == checksum => *old,
                _ => {
                    if let Err(error) = pages.write_all(&buffer[..count]).map_err(at(&path)) {
                        break Err(error);
                    }
                    number += 1;
                    Piece {
                        generation,
                        number: number - 1,
                        checksum,
                    }
                }
            };
            map.0.push(piece);
            if let Err(error) = step(count as u64) {
                break Err(error);
            }
        };
        // Closes the pipe: a copy that is not wanted any more fails, and ends.
        drop(input);
        let copied = copied
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        drained?;
        copied.map_err(BackupError::Store)
    })?;
    let file = pages
        .into_inner()
        .map_err(|error| at(&path)(error.into_error()))?;
    file.sync_all().map_err(at(&path))?;
    let octets_of_map = map.octets();
    let path = folder(backup, generation).join(format!("{directory}.map"));
    let mut file = create(&path)?;
    file.write_all(&octets_of_map).map_err(at(&path))?;
    file.sync_all().map_err(at(&path))?;
    Ok(IndexPart {
        directory: directory.to_owned(),
        octets,
        map_checksum: xxh3_64(&octets_of_map),
    })
}

/// Fills the buffer as far as the input goes.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
