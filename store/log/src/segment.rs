//! Segment files: where they are, what they begin with.
//!
//! ```text
//! log-<n>/<segment>.seg     records, one behind the other
//! log-<n>/<segment>.mail    one large mail alone, whose record is durable in a .seg
//! log-<n>/<segment>.part    one that is being written, or whose record may not be durable
//! log-<n>/<segment>.gone    empty: the highest number of a segment that was removed
//! ```
//! Both numbers decimal, the segment's with ten digits so that a listing is in order. All of a log's files take their numbers
//! from one row, and none is given twice: rows of the index may speak of a segment for some time after it went.
//!
//! Head, 64 octets, little-endian:
//!
//! ```text
//!  0 magic u64 "ringseg\n"   8 version u32 = 2   12 segment u32
//! 16 log u16   18 kind u8 (0 records, 1 a mail)   19 encoding u8   20 zero u32
//! 24 next sequence u64       32 salt u64                       of records
//! 24 stored checksum u64     40 mail octets u64   48 mail checksum u64   of a mail
//! 56 checksum u64: XXH3-64 of octets 0..56
//! 64 records, each on a multiple of 8; or the mail's stored octets
//! ```
//! What a kind has no use for is zero. Version 1 is the same for records alone, octets 18 to 24 and 40 to 56 zero; its
//! records are of version 1 too. It is read and not appended to.
//!
//! A segment of records is allocated whole and cut to its records when the log goes on in the next one: what stands
//! behind the last record is zero. The head of a mail is written when the mail is complete.
//!
//! Allocated, because a growing file must find its blocks at every sync. Write and fdatasync on ext4 of a busy 2-core machine,
//! median: batches of 1.5 MB growing 8.0 ms, allocated 4.0 ms, written with zeros beforehand 6.5 ms (CPU 2.5, 0.6 and
//! 1.2 ms); batches of 2 KiB and 100 KiB alike in all three, 3 to 4 ms.
//!
//! The salt is drawn for each segment and seeds the checksum of every record header in it: a mail that carries the
//! octets of a record is never taken for one by a search for the next record behind a damaged one.

use crate::header::Version;
use ringpost_api::table::Encoding;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::{fs, io};
use xxhash_rust::xxh3::xxh3_64;

/// Octets of a segment's head; the first record begins here.
pub const HEAD_OCTETS: u64 = 64;
const MAGIC: u64 = u64::from_le_bytes(*b"ringseg\n");

/// The head of a segment of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How it and its records were written.
    pub version: Version,
    /// The log it belongs to.
    pub log: u16,
    /// Its number, 1 and up.
    pub segment: u32,
    /// The sequence that the log would have given next when the segment was made. Records that were waiting then may come
    /// into it with lower ones: nothing is decided by it.
    pub sequence: u64,
    /// Seed of its record header checksums.
    pub salt: u64,
}

/// The head of a large mail's own segment. It does not bind the number: the file may have a second name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailHead {
    /// The log that took it in.
    pub log: u16,
    /// The number it had there.
    pub segment: u32,
    /// How the stored octets are to be read.
    pub encoding: Encoding,
    /// Length of the raw mail.
    pub octets: u64,
    /// XXH3-64 of the raw mail.
    pub checksum: u64,
    /// XXH3-64 of the stored octets, which are the rest of the file.
    pub stored_checksum: u64,
}

/// Why octets are not the head of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHead {
    /// Written by a later version of the format.
    Newer,
    /// Not a head, or a damaged one.
    Damaged,
}

impl Head {
    /// A head with a salt of its own.
    pub fn new(log: u16, segment: u32, sequence: u64) -> Self {
        // The standard library's random keys are enough: nobody sees what they make, and no secret hangs on it.
        let salt = RandomState::new().hash_one((log, segment, sequence));
        Head {
            version: Version::Second,
            log,
            segment,
            sequence,
            salt,
        }
    }

    /// The octets.
    pub fn encode(&self) -> Vec<u8> {
        debug_assert_eq!(self.version, Version::Second);
        encode(
            (self.log, self.segment),
            [0, 0],
            [self.sequence, self.salt, 0, 0],
        )
    }

    /// Reads a head.
    pub fn read(octets: &[u8]) -> Result<Self, BadHead> {
        let fields = Fields::read(octets)?;
        match (fields.version, fields.kind, fields.encoding) {
            (_, [0, 0], Encoding::Raw) => Ok(Head {
                version: fields.version,
                log: fields.log,
                segment: fields.segment,
                sequence: fields.words[0],
                salt: fields.words[1],
            }),
            _ => Err(BadHead::Damaged),
        }
    }
}

impl MailHead {
    /// The octets.
    pub fn encode(&self) -> Vec<u8> {
        encode(
            (self.log, self.segment),
            [1, self.encoding as u8],
            [self.stored_checksum, 0, self.octets, self.checksum],
        )
    }

    /// Reads a head.
    pub fn read(octets: &[u8]) -> Result<Self, BadHead> {
        let fields = Fields::read(octets)?;
        match (fields.version, fields.kind) {
            (Version::Second, [1, _]) => Ok(MailHead {
                log: fields.log,
                segment: fields.segment,
                encoding: fields.encoding,
                octets: fields.words[2],
                checksum: fields.words[3],
                stored_checksum: fields.words[0],
            }),
            _ => Err(BadHead::Damaged),
        }
    }
}

/// A head's octets taken apart.
struct Fields {
    version: Version,
    log: u16,
    segment: u32,
    kind: [u8; 2],
    encoding: Encoding,
    words: [u64; 4],
}

fn encode((log, segment): (u16, u32), kind: [u8; 2], words: [u64; 4]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD_OCTETS as usize);
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&2u32.to_le_bytes());
    out.extend_from_slice(&segment.to_le_bytes());
    out.extend_from_slice(&log.to_le_bytes());
    out.extend_from_slice(&kind);
    out.extend_from_slice(&[0; 4]);
    for word in words {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&xxh3_64(&out).to_le_bytes());
    out
}

impl Fields {
    fn read(octets: &[u8]) -> Result<Self, BadHead> {
        let octets: &[u8; HEAD_OCTETS as usize] = octets
            .get(..HEAD_OCTETS as usize)
            .and_then(|o| o.try_into().ok())
            .ok_or(BadHead::Damaged)?;
        let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| octets[at + i]));
        let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| octets[at + i]));
        if u64_at(0) != MAGIC || u64_at(56) != xxh3_64(&octets[..56]) {
            return Err(BadHead::Damaged);
        }
        let version = match u32_at(8) {
            1 => Version::First,
            2 => Version::Second,
            _ => return Err(BadHead::Newer),
        };
        let encoding = match octets[19] {
            0 => Encoding::Raw,
            1 => Encoding::Zstd,
            _ => return Err(BadHead::Newer),
        };
        Ok(Fields {
            version,
            log: u16::from_le_bytes([octets[16], octets[17]]),
            segment: u32_at(12),
            kind: [octets[18], octets[19]],
            encoding,
            words: [24, 32, 40, 48].map(u64_at),
        })
    }
}

/// What a segment's file holds, told by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holds {
    /// Records.
    Records,
    /// A large mail.
    Mail,
    /// One whose record may not be durable.
    Part,
    /// Nothing any more.
    Gone,
}

impl Holds {
    const ALL: [Holds; 4] = [Holds::Records, Holds::Mail, Holds::Part, Holds::Gone];

    fn suffix(self) -> &'static str {
        match self {
            Holds::Records => "seg",
            Holds::Mail => "mail",
            Holds::Part => "part",
            Holds::Gone => "gone",
        }
    }
}

/// The directory of log `log` below the data directory.
pub fn directory(data: &Path, log: u16) -> PathBuf {
    data.join(format!("log-{log}"))
}

/// The file of a segment of records below the data directory.
pub fn path(data: &Path, log: u16, segment: u32) -> PathBuf {
    file(data, log, segment, Holds::Records)
}

/// A segment's file below the data directory.
pub fn file(data: &Path, log: u16, segment: u32, holds: Holds) -> PathBuf {
    directory(data, log).join(format!("{segment:010}.{}", holds.suffix()))
}

/// The logs below a data directory, ascending.
pub fn logs(data: &Path) -> io::Result<Vec<u16>> {
    listing(data, |name| name.strip_prefix("log-")?.parse().ok())
}

/// The segments of records of a log, ascending; none where the log was never opened.
pub fn segments(data: &Path, log: u16) -> io::Result<Vec<u32>> {
    let mut found = files(data, log)?;
    found.retain(|&(_, holds)| holds == Holds::Records);
    Ok(found.into_iter().map(|(number, _)| number).collect())
}

/// All files of a log, ascending by number; none where the log was never opened.
pub fn files(data: &Path, log: u16) -> io::Result<Vec<(u32, Holds)>> {
    let listed = listing(&directory(data, log), |name| {
        let (number, suffix) = name.split_once('.')?;
        let holds = Holds::ALL
            .into_iter()
            .find(|holds| holds.suffix() == suffix)?;
        Some((number.parse().ok()?, holds))
    });
    match listed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed,
    }
}

/// A large mail whose record is durable gets its lasting name.
pub fn adopt(data: &Path, log: u16, segment: u32) -> io::Result<()> {
    let from = file(data, log, segment, Holds::Part);
    fs::rename(from, file(data, log, segment, Holds::Mail))
}

/// A large mail that no record names goes. One may have, whose mail was let go of before the name was durable: its number
/// is not given again either.
pub fn abandon(data: &Path, log: u16, segment: u32) -> io::Result<()> {
    remove(data, log, segment, Holds::Part)
}

/// Removes a segment that nobody needs any more; gone already is done. Its number is not given again, whatever becomes of
/// the files with higher ones: one that was prepared, or that a large mail is coming into, may go without a trace.
pub fn remove(data: &Path, log: u16, segment: u32, holds: Holds) -> io::Result<()> {
    let mut marks = files(data, log)?;
    marks.retain(|&(_, holds)| holds == Holds::Gone);
    if marks.last().is_none_or(|&(highest, _)| highest < segment) {
        let gone = file(data, log, segment, Holds::Gone);
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(gone)?;
        File::open(directory(data, log))?.sync_all()?;
        for (lower, holds) in marks {
            let _ = fs::remove_file(file(data, log, lower, holds));
        }
    }
    match fs::remove_file(file(data, log, segment, holds)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn listing<N: Ord>(folder: &Path, number: impl Fn(&str) -> Option<N>) -> io::Result<Vec<N>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        found.extend(entry?.file_name().to_str().and_then(&number));
    }
    found.sort();
    Ok(found)
}
