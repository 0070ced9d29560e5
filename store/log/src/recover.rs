//! Recovery: what a log holds behind a position, after a crash or at any start.
//!
//! In:  the data directory, a log's number, the position up to which the index has applied it.
//! Out: the records behind it, in order, checked; where octets are damaged, that stretch; at the end the position at
//!      which the log goes on, and everything behind it cut off.
//!
//! ```text
//!             sound                                     damaged, and a sound one behind it
//!  (at) -------------> Record, at its end       (at) --------------------------------------> Damage, at the sound one
//!  (at) -- damaged or zero, none behind it, a later segment --> next segment (Damage, unless all is zero)
//!  (at) -- damaged or zero, none behind it, the last segment -> end: a torn tail is cut
//! ```
//! The torn tail is what a crash leaves of a batch that was being written: nobody was answered for it. A batch is
//! one write, yet its pages reach the disk in any order, so a damaged stretch in front of sound records may be
//! a torn one too; its sound records are kept, since a mail too many is better than one too few.
//!
//! A record counts only with this log's number and a sequence not below the one expected: what an earlier, failed batch left
//! on the disk has lower ones.

use crate::record::{self, ALIGN, HEADER_OCTETS, Header};
use crate::segment::{self, BadHead, HEAD_OCTETS, Head};
use ringpost_api::write::{Deliver, Position};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3Default;

/// Octets looked at at once.
const WINDOW_OCTETS: usize = 1024 * 1024;

/// What recovery comes upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A sound record.
    Record(Deliver),
    /// Octets that are no record, in front of ones that are. An alarm for the operator.
    Damage(Damage),
}

/// A damaged stretch. It is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Number of the segment file.
    pub segment: u32,
    /// Its first octet.
    pub offset: u64,
    /// Its length.
    pub octets: u64,
}

/// Why a log cannot be recovered.
#[derive(Debug)]
pub enum RecoverError {
    /// A segment was written by a later version of Ringpost.
    Newer(PathBuf),
    /// The file system failed at this path.
    Io(PathBuf, io::Error),
}

/// A log being read from a position to its end.
pub struct Recovery {
    data: PathBuf,
    log: u16,
    at: Position,
    /// Segments from the current one on, ascending.
    segments: Vec<u32>,
    open: Option<Segment>,
}

struct Segment {
    window: Window,
    salt: u64,
}

impl Recovery {
    /// Begins behind `from`: [`Position::default`] for the whole log.
    pub fn open(data: &Path, log: u16, from: Position) -> Result<Self, RecoverError> {
        let mut segments = segment::segments(data, log)
            .map_err(|error| RecoverError::Io(segment::directory(data, log), error))?;
        segments.retain(|&number| number >= from.segment);
        let mut at = from;
        if segments.first() != Some(&from.segment) {
            // The segment is gone, or none was ever begun: the log goes on in a later one.
            at.offset = 0;
            at.segment = segments.first().copied().unwrap_or(from.segment + 1);
        }
        at.sequence = at.sequence.max(1);
        Ok(Recovery {
            data: data.to_owned(),
            log,
            at,
            segments,
            open: None,
        })
    }

    /// The next record or damaged stretch; `None` at the end of the log.
    pub fn step(&mut self) -> Result<Option<Found>, RecoverError> {
        loop {
            if self.open.is_none() {
                match self.enter()? {
                    Entered::Segment => {}
                    Entered::Damaged(damage) => return Ok(Some(Found::Damage(damage))),
                    Entered::End => return Ok(None),
                }
            }
            let path = self.path();
            let failed = |error| RecoverError::Io(path.clone(), error);
            let (log, sequence, at) = (self.log, self.at.sequence, self.at.offset);
            let Some(segment) = &mut self.open else {
                continue;
            };
            if let Some((header, deliver)) = segment
                .record(log, sequence, self.at.segment, at)
                .map_err(failed)?
            {
                self.at.offset += header.record_octets();
                self.at.sequence = header.sequence + 1;
                return Ok(Some(Found::Record(deliver)));
            }
            let next = segment
                .search(log, sequence, self.at.segment, at)
                .map_err(failed)?;
            let end = match next {
                Some(next) => next,
                None if self.segments.len() > 1 => segment.window.octets.max(at),
                None => return Ok(None),
            };
            let zero = next.is_none() && segment.window.data(at).map_err(failed)?.is_none();
            let damage = Damage {
                segment: self.at.segment,
                offset: at,
                octets: end - at,
            };
            self.at.offset = end;
            if next.is_none() {
                self.leave();
            }
            if !zero {
                return Ok(Some(Found::Damage(damage)));
            }
        }
    }

    /// Cuts off whatever is behind the last record, so that nothing of it is ever taken for a record; where
    /// the log goes on. To be called after [`Recovery::step`] gave `None`.
    pub fn finish(self) -> Result<Position, RecoverError> {
        let path = self.path();
        let failed = |error| RecoverError::Io(path.clone(), error);
        if let Some(segment) = &self.open
            && segment.window.octets > self.at.offset
        {
            let file = OpenOptions::new().write(true).open(&path).map_err(failed)?;
            file.set_len(self.at.offset).map_err(failed)?;
            file.sync_all().map_err(failed)?;
        }
        Ok(self.at)
    }

    fn path(&self) -> PathBuf {
        segment::path(&self.data, self.log, self.at.segment)
    }

    /// Opens the segment that the position is in.
    fn enter(&mut self) -> Result<Entered, RecoverError> {
        let Some(&number) = self.segments.first() else {
            return Ok(Entered::End);
        };
        let path = self.path();
        let failed = |error| RecoverError::Io(path.clone(), error);
        let mut window = Window::open(&path).map_err(failed)?;
        let head = match window.at(0, HEAD_OCTETS as usize).map_err(failed)? {
            Some(octets) => Head::read(octets),
            None => Err(BadHead::Damaged),
        };
        match head {
            Err(BadHead::Newer) => Err(RecoverError::Newer(path)),
            Ok(head) if (head.log, head.segment) == (self.log, number) => {
                if self.at.offset > window.octets {
                    // The index has seen more of this file than there is: go on behind it, in a new one.
                    self.leave();
                    return Ok(Entered::Damaged(Damage {
                        segment: number,
                        offset: window.octets,
                        octets: 0,
                    }));
                }
                self.at.offset = self.at.offset.max(HEAD_OCTETS);
                self.open = Some(Segment {
                    window,
                    salt: head.salt,
                });
                Ok(Entered::Segment)
            }
            _ => {
                let empty = window.data(0).map_err(failed)?.is_none();
                if empty && self.segments.len() == 1 {
                    // It was being begun: no record was ever in it.
                    fs::remove_file(&path).map_err(failed)?;
                    self.segments.clear();
                    self.at.offset = 0;
                    return Ok(Entered::End);
                }
                let octets = window.octets;
                self.leave();
                Ok(Entered::Damaged(Damage {
                    segment: number,
                    offset: 0,
                    octets,
                }))
            }
        }
    }

    /// Goes on in the next segment, which may not be there yet.
    fn leave(&mut self) {
        self.open = None;
        if !self.segments.is_empty() {
            self.segments.remove(0);
        }
        self.at.offset = 0;
        self.at.segment = self
            .segments
            .first()
            .copied()
            .unwrap_or(self.at.segment + 1);
    }
}

enum Entered {
    Segment,
    Damaged(Damage),
    End,
}

impl Segment {
    /// The sound record at `at`, if there is one.
    fn record(
        &mut self,
        log: u16,
        sequence: u64,
        segment: u32,
        at: u64,
    ) -> io::Result<Option<(Header, Deliver)>> {
        let Some(header) = self.header(log, sequence, at)? else {
            return Ok(None);
        };
        let meta_at = at + HEADER_OCTETS as u64;
        let mail_at = meta_at + header.meta_octets();
        if at.saturating_add(header.record_octets()) > self.window.octets {
            return Ok(None);
        }
        let Some(meta) = self.window.at(meta_at, header.meta_octets() as usize)? else {
            return Ok(None);
        };
        if record::checksum(meta) != header.meta_checksum {
            return Ok(None);
        }
        let (decisions, digest) = meta.split_at(header.decisions_octets as usize);
        let Some(targets) = record::targets(decisions) else {
            return Ok(None);
        };
        let deliver = header.deliver(segment, at, digest.to_vec(), targets);
        let sound =
            self.window.checksum(mail_at, header.mail_octets)? == Some(header.mail_checksum);
        Ok(sound.then_some((header, deliver)))
    }

    fn header(&mut self, log: u16, sequence: u64, at: u64) -> io::Result<Option<Header>> {
        let octets = self.window.at(at, HEADER_OCTETS)?;
        let header = octets.and_then(|octets| Header::read(octets, self.salt));
        Ok(header.filter(|header| header.log == log && header.sequence >= sequence))
    }

    /// Where the first sound record behind `at` begins.
    fn search(
        &mut self,
        log: u16,
        sequence: u64,
        segment: u32,
        mut at: u64,
    ) -> io::Result<Option<u64>> {
        loop {
            // A damaged record with a sound header tells where the next one is.
            at = match self.header(log, sequence, at)? {
                Some(header) => at.saturating_add(header.record_octets()),
                None => at + ALIGN,
            };
            // Zeros that were reserved and never written are not read.
            let Some(data) = self.window.data(at)? else {
                return Ok(None);
            };
            at = data;
            if self.record(log, sequence, segment, at)?.is_some() {
                return Ok(Some(at));
            }
        }
    }
}

/// A file seen through a buffer.
struct Window {
    file: File,
    /// Length of the file.
    octets: u64,
    begin: u64,
    buffer: Vec<u8>,
}

impl Window {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let octets = file.metadata()?.len();
        Ok(Window {
            file,
            octets,
            begin: 0,
            buffer: Vec::new(),
        })
    }

    /// The `count` octets at `at`; `None` where they go past the end of the file.
    fn at(&mut self, at: u64, count: usize) -> io::Result<Option<&[u8]>> {
        let end = at.saturating_add(count as u64);
        if end > self.octets {
            return Ok(None);
        }
        if at < self.begin || end > self.begin + self.buffer.len() as u64 {
            let most = (self.octets - at).min(WINDOW_OCTETS as u64) as usize;
            self.buffer.resize(count.max(most), 0);
            self.begin = at;
            if let Err(error) = self.file.read_exact_at(&mut self.buffer, at) {
                self.buffer.clear();
                return Err(error);
            }
        }
        let from = (at - self.begin) as usize;
        Ok(self.buffer.get(from..from + count))
    }

    /// XXH3-64 of `count` octets at `at`; `None` where they go past the end of the file.
    fn checksum(&mut self, mut at: u64, count: u64) -> io::Result<Option<u64>> {
        let mut hash = Xxh3Default::new();
        let mut left = count;
        while left > 0 {
            let piece = left.min(WINDOW_OCTETS as u64 / 4) as usize;
            let Some(octets) = self.at(at, piece)? else {
                return Ok(None);
            };
            hash.update(octets);
            at += piece as u64;
            left -= piece as u64;
        }
        Ok(Some(hash.digest()))
    }

    /// The first place from `at` on, `at` being a multiple of 8, where eight octets are not all zero.
    fn data(&mut self, mut at: u64) -> io::Result<Option<u64>> {
        loop {
            if at + ALIGN > self.octets {
                return Ok(None);
            }
            if self
                .at(at, ALIGN as usize)?
                .is_some_and(|octets| octets.iter().any(|&o| o != 0))
            {
                return Ok(Some(at));
            }
            at += ALIGN;
            // At the end of what is in the buffer: over a hole, if there is one.
            if at >= self.begin + self.buffer.len() as u64 {
                let Some(data) = seek_data(&self.file, at)? else {
                    return Ok(None);
                };
                at = at.max(data - data % ALIGN);
            }
        }
    }
}

/// The first octet from `at` on that may be other than zero; `None` when there is none up to the end.
fn seek_data(file: &File, at: u64) -> io::Result<Option<u64>> {
    let from = i64::try_from(at).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the descriptor is open as long as `file` is borrowed; the call touches no memory of ours, and all reads
    // here are positional, so moving the file offset changes nothing.
    let found = unsafe { libc::lseek(file.as_raw_fd(), from, libc::SEEK_DATA) };
    match u64::try_from(found) {
        Ok(data) => Ok(Some(data)),
        Err(_) => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ENXIO) => Ok(None),
            // Not every file system knows holes: all of it may be data.
            error if error.raw_os_error() == Some(libc::EINVAL) => Ok(Some(at)),
            error => Err(error),
        },
    }
}
