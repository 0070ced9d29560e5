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

use crate::header::{BadHeader, Header, LOOK_OCTETS, Version};
use crate::record::{ALIGN, Entry, Parts};
use crate::segment::{self, BadHead, HEAD_OCTETS, Head, Holds, MailHead};
use ringpost_api::write::Position;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::{io, mem};
use xxhash_rust::xxh3::Xxh3Default;

/// Octets looked at at once.
const WINDOW_OCTETS: usize = 1024 * 1024;

/// What recovery comes upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A sound record.
    Record(Entry),
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

/// How a log ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Where it goes on.
    pub position: Position,
    /// Octets of a torn tail that were cut off: of mails that nobody was answered for.
    pub cut_octets: u64,
    /// Large mails, by the number of their segment, that no record read here names: either the index knows them
    /// ([`segment::adopt`]), or they never had a record ([`segment::abandon`]).
    pub unnamed: Vec<u32>,
}

/// Why a log cannot be recovered.
#[derive(Debug)]
pub enum RecoverError {
    /// A segment, or a record in it, was written by a later version of Ringpost.
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
    /// Whether no segment behind the current one has anything in it.
    is_last: bool,
    /// Whether one segment is read alone, and nothing is changed.
    alone: bool,
    /// Large mails whose record may not be durable, and those of them that a record read here names.
    parts: Vec<u32>,
    named: Vec<u32>,
}

struct Segment {
    window: Window,
    version: Version,
    salt: u64,
}

/// Why a place could not be looked at.
enum Fault {
    Io(io::Error),
    Newer,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Io(error)
    }
}

impl Recovery {
    /// Begins behind `from`: [`Position::default`] for the whole log.
    pub fn open(data: &Path, log: u16, from: Position) -> Result<Self, RecoverError> {
        let files = segment::files(data, log)
            .map_err(|error| RecoverError::Io(segment::directory(data, log), error))?;
        let of = |kind: Holds| files.iter().filter(move |&&(_, holds)| holds == kind);
        let parts = of(Holds::Part).map(|&(number, _)| number).collect();
        let mut segments: Vec<u32> = of(Holds::Records).map(|&(number, _)| number).collect();
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
            is_last: true,
            alone: false,
            parts,
            named: Vec::new(),
        })
    }

    /// The records of one segment alone, whatever stands behind it in the log; [`Recovery::finish`] is not for it. Nothing
    /// is changed on disk: the log may be at work. Octets behind the last sound record are damage, unless they are zero.
    pub fn of_segment(data: &Path, log: u16, segment: u32) -> Self {
        let at = Position {
            segment,
            offset: 0,
            sequence: 1,
        };
        Recovery {
            data: data.to_owned(),
            log,
            at,
            segments: vec![segment],
            open: None,
            is_last: false,
            alone: true,
            parts: Vec::new(),
            named: Vec::new(),
        }
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
            let broken = |fault| match fault {
                Fault::Io(error) => RecoverError::Io(path.clone(), error),
                Fault::Newer => RecoverError::Newer(path.clone()),
            };
            let (log, sequence, at) = (self.log, self.at.sequence, self.at.offset);
            let data = self.data.clone();
            let Some(segment) = &mut self.open else {
                continue;
            };
            let found = segment.record(&data, log, sequence, self.at.segment, at);
            if let Some((header, entry)) = found.map_err(broken)? {
                self.at.offset += header.record_octets();
                self.at.sequence = header.sequence + 1;
                if header.own_segment != 0 {
                    self.named.push(header.own_segment);
                }
                return Ok(Some(Found::Record(entry)));
            }
            let next = segment.search(&data, log, sequence, self.at.segment, at);
            let next = next.map_err(broken)?;
            let end = match next {
                Some(next) => next,
                None if !self.is_last => segment.window.octets.max(at),
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

    /// Cuts off whatever is behind the last record, so that nothing of it is ever taken for a record, removes segments
    /// that were prepared, and gives large mails that were named their lasting names. To be called after [`Recovery::step`] gave `None`.
    pub fn finish(mut self) -> Result<End, RecoverError> {
        let path = self.path();
        let failed = |error| RecoverError::Io(path.clone(), error);
        let mut cut_octets = 0;
        if let Some(Segment { window, .. }) = &mut self.open
            && window.octets > self.at.offset
        {
            if let Some(end) = window.data_end(self.at.offset).map_err(failed)? {
                cut_octets = end - self.at.offset;
            }
            let file = OpenOptions::new().write(true).open(&path).map_err(failed)?;
            file.set_len(self.at.offset).map_err(failed)?;
            file.sync_all().map_err(failed)?;
        }
        // Where the log ended before any segment, those that are left were being begun.
        let prepared = match &self.open {
            Some(_) => self.segments.get(1..),
            None => self.segments.get(..),
        };
        for &number in prepared.unwrap_or_default() {
            let path = segment::path(&self.data, self.log, number);
            fs::remove_file(&path).map_err(|error| RecoverError::Io(path, error))?;
        }
        let (named, unnamed) = mem::take(&mut self.parts)
            .into_iter()
            .partition(|number| self.named.contains(number));
        let named: Vec<u32> = named;
        for number in named {
            segment::adopt(&self.data, self.log, number).map_err(|error| {
                let part = segment::file(&self.data, self.log, number, Holds::Part);
                RecoverError::Io(part, error)
            })?;
        }
        Ok(End {
            position: self.at,
            cut_octets,
            unnamed,
        })
    }

    fn path(&self) -> PathBuf {
        segment::path(&self.data, self.log, self.at.segment)
    }

    /// Opens the segment that the position is in.
    fn enter(&mut self) -> Result<Entered, RecoverError> {
        let Some(&number) = self.segments.first() else {
            return Ok(Entered::End);
        };
        self.is_last = !self.alone && self.later_are_empty()?;
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
                    version: head.version,
                    salt: head.salt,
                });
                Ok(Entered::Segment)
            }
            _ => {
                let empty = window.data(0).map_err(failed)?.is_none();
                if empty && self.is_last {
                    // It was being begun: no record was ever in it.
                    fs::remove_file(&path).map_err(failed)?;
                    self.segments.remove(0);
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

    /// Whether no later segment has anything in it: at most one, that was prepared.
    fn later_are_empty(&self) -> Result<bool, RecoverError> {
        for &number in &self.segments[1..] {
            let path = segment::path(&self.data, self.log, number);
            let failed = |error| RecoverError::Io(path.clone(), error);
            let mut window = Window::open(&path).map_err(failed)?;
            let head = window.upto(0, HEAD_OCTETS as usize).map_err(failed)?;
            if Head::read(head) == Err(BadHead::Newer)
                || window.data(HEAD_OCTETS).map_err(failed)?.is_some()
            {
                return Ok(false);
            }
        }
        Ok(true)
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
        data: &Path,
        log: u16,
        sequence: u64,
        segment: u32,
        at: u64,
    ) -> Result<Option<(Header, Entry)>, Fault> {
        let Some(header) = self.header(log, sequence, at)? else {
            return Ok(None);
        };
        let meta_at = at + header.version.header_octets() as u64;
        if at.saturating_add(header.record_octets()) > self.window.octets {
            return Ok(None);
        }
        let Some(meta) = self.window.at(meta_at, header.meta_octets() as usize)? else {
            return Ok(None);
        };
        let Some(parts) = Parts::read(&header, meta) else {
            return Ok(None);
        };
        let sound = match header.own_segment {
            0 => {
                let mail_at = meta_at + header.meta_octets();
                let checksum = self.window.checksum(mail_at, header.stored_octets)?;
                checksum == Some(header.stored_checksum)
            }
            own => own_is_there(data, log, own, &header)?,
        };
        let entry = || Entry::new(&header, segment, at, parts);
        Ok(sound.then(|| (header, entry())))
    }

    fn header(&mut self, log: u16, sequence: u64, at: u64) -> Result<Option<Header>, Fault> {
        let (version, salt) = (self.version, self.salt);
        let octets = self.window.upto(at, LOOK_OCTETS)?;
        match Header::read(octets, version, salt) {
            Ok(header) if header.log == log && header.sequence >= sequence => Ok(Some(header)),
            Err(BadHeader::Newer) => Err(Fault::Newer),
            _ => Ok(None),
        }
    }

    /// Where the first sound record behind `at` begins.
    fn search(
        &mut self,
        data: &Path,
        log: u16,
        sequence: u64,
        segment: u32,
        mut at: u64,
    ) -> Result<Option<u64>, Fault> {
        loop {
            // A damaged record with a sound header tells where the next one is.
            at = match self.header(log, sequence, at)? {
                Some(header) => at.saturating_add(header.record_octets()),
                None => at + ALIGN,
            };
            // Zeros that were reserved and never written are not read.
            let Some(some) = self.window.data(at)? else {
                return Ok(None);
            };
            at = some;
            if self.record(data, log, sequence, segment, at)?.is_some() {
                return Ok(Some(at));
            }
        }
    }
}

/// Whether the large mail that a record names is there and is the one it means. Its octets were durable before the record was:
/// they are not read.
fn own_is_there(data: &Path, log: u16, segment: u32, header: &Header) -> io::Result<bool> {
    for holds in [Holds::Mail, Holds::Part] {
        let mut window = match Window::open(&segment::file(data, log, segment, holds)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        let head = MailHead::read(window.upto(0, HEAD_OCTETS as usize)?);
        return Ok(head.is_ok_and(|head| {
            (head.octets, head.checksum) == (header.mail_octets, header.mail_checksum)
                && HEAD_OCTETS.saturating_add(header.stored_octets) <= window.octets
        }));
    }
    Ok(false)
}

/// A file seen through a buffer.
pub(crate) struct Window {
    file: File,
    /// Length of the file.
    octets: u64,
    begin: u64,
    buffer: Vec<u8>,
}

impl Window {
    pub fn open(path: &Path) -> io::Result<Self> {
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

    /// Up to `count` octets at `at`: fewer at the end of the file.
    pub fn upto(&mut self, at: u64, count: usize) -> io::Result<&[u8]> {
        let count = self.octets.saturating_sub(at).min(count as u64) as usize;
        self.at(at, count).map(Option::unwrap_or_default)
    }

    /// The end of the last eight octets from `at` on, `at` being a multiple of 8, that are not all zero; there may be fewer
    /// at the end of the file.
    fn data_end(&mut self, at: u64) -> io::Result<Option<u64>> {
        let (mut next, mut end) = (at, None);
        while let Some(some) = self.data(next)? {
            next = some + ALIGN;
            end = Some(next);
        }
        let rest = self.upto(self.octets - self.octets % ALIGN, ALIGN as usize)?;
        if rest.iter().any(|&octet| octet != 0) {
            end = Some(self.octets);
        }
        Ok(end)
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
    pub fn data(&mut self, mut at: u64) -> io::Result<Option<u64>> {
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
