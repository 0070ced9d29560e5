//! A large mail, written while it comes: into a segment of its own, beside the records.
//!
//! In:  its octets, in pieces of any size.
//! Out: [`Streamed`], durable: what the closing record names. One that is dropped before its record is durable leaves
//!      nothing behind.
//!
//! ```text
//! open: N.part --- write ... write --- finish: head, fdatasync, directory ---> Streamed
//!                                                           append: record durable, N.part -> N.mail, the index is told
//! dropped anywhere before, or the record refused: N.part is removed
//! ```
//! After a crash a N.part is there whose record is durable, and gets its name from recovery; or one without, and goes.
//! No small mail waits long for a stream: its octets are synced every 4 MiB, and streams of one log take turns at that, so that
//! a group commit, which shares disk and journal with them, never has more than one such sync before it. 16 sessions append
//! 2 KiB each 3 to 6 ms while 4 mails of 50 MB are written as fast as it goes; longest wait in ms, of runs in turn on a
//! 2-core machine that others kept busy (`cargo run --release -p ringpost-runtime --example commit -- streams DIR 50 3`):
//!
//! | large mails | longest wait | median | all four written in |
//! |---|---|---|---|
//! | none | 25 25 28 37 51 78 | 32 | |
//! | synced every 4 MiB, in turn: as here | 26 34 34 57 60 69 | 45 | 0.8 s |
//! | every 4 MiB, each as it comes | 34 50 71 75 98 177 | 73 (none: 83) | 0.6 s |
//! | one sync at the end | 105 108 111 116 135 150 | 113 | 0.4 s |
//!
//! Also tried, no better than each as it comes: every 1 or 16 MiB, pieces of 256 KiB or 1 MiB by O_DSYNC, space reserved 8 MiB
//! ahead.
//!
//! A name costs nothing where a mark in the file would cost a sync, and the index is only asked about the few
//! that a crash left.

use crate::append::Log;
use crate::error::LogError;
use crate::file::{Files, Mode, SegmentFile};
use crate::pack::{Fed, Packing};
use crate::segment::{self, HEAD_OCTETS, Holds, MailHead};
use ringpost_api::table::Encoding;
use std::path::PathBuf;
use std::{fs, mem};
use xxhash_rust::xxh3::Xxh3Default;

/// Octets that wait for their sync at most; see the head of this file.
const UNSYNCED_MAX: u64 = 4 * 1024 * 1024;
/// Packed octets that are written at once.
const WRITE_OCTETS: usize = 256 * 1024;

/// A large mail being written.
pub struct Stream<F: Files> {
    files: F,
    folder: PathBuf,
    file: F::File,
    part: Part,
    log: Log,
    /// Where the next octets go.
    offset: u64,
    /// Octets written since the last sync.
    unsynced: u64,
    /// Of the raw mail.
    octets: u64,
    hash: Xxh3Default,
    /// None: the mail is stored raw.
    packing: Option<Packing>,
    /// Of what is stored, where that is not raw.
    stored_hash: Xxh3Default,
}

/// A large mail that is durable in a segment of its own, and that no record names yet.
#[derive(Debug)]
pub struct Streamed {
    pub(crate) segment: u32,
    pub(crate) octets: u64,
    pub(crate) stored: u64,
    pub(crate) encoding: Encoding,
    /// XXH3-64 of the raw mail, and of what is stored.
    pub(crate) checksum: u64,
    pub(crate) stored_checksum: u64,
    pub(crate) part: Part,
}

impl Streamed {
    /// Length of the raw mail.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Gives `segment` of log `from` a second name in `log`, durably. The first one goes when the index has let go of it.
    pub(crate) async fn link<F: Files>(
        files: F,
        log: &Log,
        from: u16,
        segment: u32,
    ) -> Result<Self, LogError> {
        let (data, number) = (log.data(), log.number());
        let old = segment::file(data, from, segment, Holds::Mail);
        let part = Part::new::<F>(log);
        fs::hard_link(&old, &part.path)?;
        let file = files.open(&part.path, Mode::Read).await?;
        let (read, octets) = file.read_at(Vec::new(), 0, HEAD_OCTETS as usize).await;
        read?;
        let head = MailHead::read(&octets).map_err(|_| LogError::Damaged)?;
        let stored = file.octets().await?;
        let stored = stored.checked_sub(HEAD_OCTETS).ok_or(LogError::Damaged)?;
        let stored_checksum = head.stored_checksum;
        let folder = segment::directory(data, number);
        files
            .open(&folder, Mode::Directory)
            .await?
            .sync_data()
            .await?;
        Ok(Streamed {
            segment: part.segment,
            octets: head.octets,
            stored,
            encoding: head.encoding,
            checksum: head.checksum,
            stored_checksum,
            part,
        })
    }
}

/// The file under its passing name; removed when dropped.
#[derive(Debug)]
pub(crate) struct Part {
    segment: u32,
    path: PathBuf,
    /// What it is called once its record is durable.
    lasting: PathBuf,
    kept: bool,
    /// [`Files::remove`] of those it was made with.
    remove: fn(PathBuf),
}

impl Part {
    /// Under a number of its own.
    fn new<F: Files>(log: &Log) -> Self {
        let (data, number, segment) = (log.data(), log.number(), log.take_segment());
        Part {
            segment,
            path: segment::file(data, number, segment, Holds::Part),
            lasting: segment::file(data, number, segment, Holds::Mail),
            kept: false,
            remove: F::remove,
        }
    }

    /// Its record is durable: it stays, and is called by its lasting name. Where the renaming fails the reader finds it
    /// all the same, and the next start renames it.
    pub fn keep(mut self) {
        self.kept = true;
        let _ = fs::rename(&self.path, &self.lasting);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept {
            (self.remove)(mem::take(&mut self.path));
        }
    }
}

impl<F: Files> Stream<F> {
    /// Begins a segment.
    pub(crate) async fn open(files: F, log: &Log) -> Result<Self, LogError> {
        let part = Part::new::<F>(log);
        let file = files.open(&part.path, Mode::Create).await?;
        Ok(Stream {
            folder: segment::directory(log.data(), log.number()),
            files,
            file,
            part,
            log: log.clone(),
            offset: HEAD_OCTETS,
            unsynced: 0,
            octets: 0,
            hash: Xxh3Default::new(),
            packing: log.packer().map(Packing::new),
            stored_hash: Xxh3Default::new(),
        })
    }

    /// Writes a piece; the buffer comes back empty. After an error the stream is to be dropped.
    pub async fn write(&mut self, mut octets: Vec<u8>) -> Result<Vec<u8>, LogError> {
        self.hash.update(&octets);
        self.octets += octets.len() as u64;
        match &mut self.packing {
            None => octets = self.put(octets).await?,
            Some(packing) => match packing.feed(&octets) {
                Fed::Raw(raw) => {
                    self.packing = None;
                    self.put(raw).await?;
                }
                Fed::Held => {
                    if let Some(packed) = packing.take(WRITE_OCTETS) {
                        self.stored_hash.update(&packed);
                        self.put(packed).await?;
                    }
                }
            },
        }
        octets.clear();
        Ok(octets)
    }

    /// Writes octets as they are to be stored.
    async fn put(&mut self, octets: Vec<u8>) -> Result<Vec<u8>, LogError> {
        let length = octets.len() as u64;
        let (written, octets) = self.file.write_at(octets, self.offset).await;
        written?;
        self.offset += length;
        self.unsynced += length;
        if self.unsynced >= UNSYNCED_MAX {
            let _held = self.log.turn().take().await;
            self.file.sync_data().await?;
            self.unsynced = 0;
        }
        Ok(octets)
    }

    /// Octets so far.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Makes all of it durable.
    pub async fn finish(mut self) -> Result<Streamed, LogError> {
        let checksum = self.hash.digest();
        let (mut encoding, mut stored_checksum) = (Encoding::Raw, checksum);
        if let Some(packing) = mem::take(&mut self.packing) {
            let (rest, is_packed) = packing.finish();
            if is_packed {
                self.stored_hash.update(&rest);
                stored_checksum = self.stored_hash.digest();
                encoding = Encoding::Zstd;
            }
            self.put(rest).await?;
        }
        let streamed = Streamed {
            segment: self.part.segment,
            octets: self.octets,
            stored: self.offset - HEAD_OCTETS,
            encoding,
            checksum,
            stored_checksum,
            part: self.part,
        };
        let head = MailHead {
            log: self.log.number(),
            segment: streamed.segment,
            encoding: streamed.encoding,
            octets: streamed.octets,
            checksum,
            stored_checksum,
        };
        let _held = self.log.turn().take().await;
        self.file.write_at(head.encode(), 0).await.0?;
        self.file.sync_data().await?;
        let folder = self.files.open(&self.folder, Mode::Directory);
        folder.await?.sync_data().await?;
        Ok(streamed)
    }
}
