//! Reading mails out of segments, of any shard's log, in bounded pieces.
//!
//! In:  a blob row and a range of the mail's octets.
//! Out: the octets, in the caller's buffer.
//!
//! Packed mails are unpacked frame by frame, so a piece ends where its frame does.
//!
//! A segment that went while its mail was moved or freed is [`LogError::Moved`]: the row is older than the move. A file that
//! is open goes on telling what it held, and is closed [`OPEN_MAX`] later, so that its space comes back.
//!
//! Invariant: one piece is at most [`PIECE_OCTETS`]; at most [`FILES_MAX`] files stay open.

use crate::error::LogError;
use crate::file::{Files, Mode, SegmentFile};
use crate::pack::{FRAME_OCTETS, Frames, Unpacker};
use crate::record;
use crate::segment::{self, HEAD_OCTETS, Holds, MailHead};
use ringpost_api::table::{BlobRow, Encoding};
use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Octets read at once.
pub const PIECE_OCTETS: usize = 64 * 1024;
/// Segment files kept open by one reader; the least recently used is closed.
pub const FILES_MAX: usize = 64;
/// How long a file stays open, busy or not.
pub const OPEN_MAX: Duration = Duration::from_secs(60);

/// Reads mails. One for each shard.
pub struct Reader<F: Files> {
    files: F,
    data: PathBuf,
    /// Open segments, the most recently used last.
    open: RefCell<Vec<Cached<F::File>>>,
    /// Made for the first packed mail.
    unpacker: RefCell<Option<Unpacker>>,
}

struct Cached<S> {
    log: u16,
    segment: u32,
    file: Rc<S>,
    opened: Instant,
}

impl<F: Files> Reader<F> {
    /// A reader of all logs below the directory `data`.
    pub fn new(files: F, data: &Path) -> Self {
        Reader {
            files,
            data: data.to_owned(),
            open: RefCell::default(),
            unpacker: RefCell::default(),
        }
    }

    /// Reads octets `range` of a mail into `buffer`, in place of what is in it. `range` is cut to the mail and
    /// to [`PIECE_OCTETS`]: the length of what comes back tells how far it went; empty means behind the end.
    pub async fn read(
        &self,
        blob: &BlobRow,
        range: Range<u64>,
        mut buffer: Vec<u8>,
    ) -> Result<Vec<u8>, LogError> {
        let end = range.end.min(blob.octets);
        let limit = end.saturating_sub(range.start).min(PIECE_OCTETS as u64) as usize;
        if limit == 0 {
            buffer.clear();
            return Ok(buffer);
        }
        let file = self.file(blob).await?;
        match blob.encoding {
            Encoding::Raw => {
                let begin = blob.offset.checked_add(range.start);
                exactly(&*file, buffer, begin, limit).await
            }
            Encoding::Zstd => self.unpack(&*file, blob, range.start, limit, buffer).await,
        }
    }

    /// Reads at most `limit` octets at `at` out of the frame that holds them.
    async fn unpack(
        &self,
        file: &F::File,
        blob: &BlobRow,
        at: u64,
        limit: usize,
        mut buffer: Vec<u8>,
    ) -> Result<Vec<u8>, LogError> {
        let frames = Frames::new(blob.octets, blob.stored)?;
        let frame = Frames::holding(at);
        let ends = frames.ends_of(frame);
        if !ends.is_empty() {
            let begin = blob.offset.checked_add(ends.start);
            let octets = (ends.end - ends.start) as usize;
            buffer = exactly(file, buffer, begin, octets).await?;
        } else {
            buffer.clear();
        }
        let place = frames.place(frame, &buffer)?;
        let begin = blob.offset.checked_add(place.start);
        let packed = exactly(file, buffer, begin, (place.end - place.start) as usize).await?;
        let mut raw = Vec::new();
        let mut unpacker = self.unpacker.borrow_mut();
        if unpacker.is_none() {
            *unpacker = Unpacker::new();
        }
        let unpacker = unpacker.as_mut().ok_or(LogError::Full)?;
        unpacker.frame(&packed, frames.raw_octets(frame) as usize, &mut raw)?;
        let first = (at % FRAME_OCTETS as u64) as usize;
        raw.truncate(raw.len().min(first + limit));
        raw.drain(..first.min(raw.len()));
        Ok(raw)
    }

    /// Reads a whole mail and verifies its checksum. The caller has seen to it that it may be that large.
    pub async fn whole(&self, blob: &BlobRow) -> Result<Vec<u8>, LogError> {
        let mut mail = Vec::with_capacity(blob.octets as usize);
        let mut piece = Vec::new();
        while (mail.len() as u64) < blob.octets {
            piece = self
                .read(blob, mail.len() as u64..blob.octets, piece)
                .await?;
            mail.extend_from_slice(&piece);
        }
        if record::checksum(&mail) == blob.checksum {
            Ok(mail)
        } else {
            Err(LogError::Damaged)
        }
    }

    /// The file that holds a mail's octets.
    async fn file(&self, blob: &BlobRow) -> Result<Rc<F::File>, LogError> {
        let (log, segment) = (blob.log, blob.segment);
        if let Some(file) = self.cached(log, segment) {
            return Ok(file);
        }
        let names: &[Holds] = match blob.record.segment == segment {
            true => &[Holds::Records],
            false => &[Holds::Mail, Holds::Part],
        };
        let mut file = Err(LogError::Moved);
        for &holds in names {
            let path = segment::file(&self.data, log, segment, holds);
            file = match self.files.open(&path, Mode::Read).await {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                opened => Ok(Rc::new(opened?)),
            };
            break;
        }
        let file = file?;
        if blob.record.segment != segment {
            is_meant(&*file, blob).await?;
        }
        let mut open = self.open.borrow_mut();
        if open.len() == FILES_MAX {
            open.remove(0);
        }
        open.push(Cached {
            log,
            segment,
            file: Rc::clone(&file),
            opened: self.files.clock(),
        });
        Ok(file)
    }

    fn cached(&self, log: u16, segment: u32) -> Option<Rc<F::File>> {
        let mut open = self.open.borrow_mut();
        let now = self.files.clock();
        open.retain(|cached| now - cached.opened < OPEN_MAX);
        let at = open
            .iter()
            .rposition(|c| (c.log, c.segment) == (log, segment))?;
        open[at..].rotate_left(1);
        open.last().map(|cached| Rc::clone(&cached.file))
    }
}

/// Whether a large mail's own segment holds the mail that a row means.
async fn is_meant<S: SegmentFile>(file: &S, blob: &BlobRow) -> Result<(), LogError> {
    let octets = exactly(file, Vec::new(), Some(0), HEAD_OCTETS as usize).await?;
    match MailHead::read(&octets) {
        Ok(head) if (head.octets, head.checksum) == (blob.octets, blob.checksum) => Ok(()),
        _ => Err(LogError::Damaged),
    }
}

/// Reads `count` octets at `at`: all of them, or it is damage.
async fn exactly<S: SegmentFile>(
    file: &S,
    buffer: Vec<u8>,
    at: Option<u64>,
    count: usize,
) -> Result<Vec<u8>, LogError> {
    let at = at.ok_or(LogError::Damaged)?;
    let (read, octets) = file.read_at(buffer, at, count).await;
    read?;
    match octets.len() == count {
        true => Ok(octets),
        false => Err(LogError::Damaged),
    }
}
