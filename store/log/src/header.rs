//! A record's header, octet by octet.
//!
//! ```text
//!  0 magic u32 "rrec"  4 version u8 = 2  5 kind u8 (1 mail, 2 moved mail)  6 header octets u16 = 96
//!  8 checksum u64: XXH3-64 of the header with zeros in this place, seeded with the segment's salt
//! 16 log u16          18 encoding u8 (0 raw, 1 zstd)  19 zero u8
//! 20 own segment u32: number of the segment in which the mail lies alone; 0: the mail is in this record
//! 24 sequence u64
//! 32 blob u64: the mail's name; of a mail, log and sequence; of a moved one, those it came with
//! 40 decisions octets u32    44 digest octets u32
//! 48 text octets u32         52 items octets u32
//! 56 mail octets u64: as they came
//! 64 stored octets u64: as they stand, here or in the own segment
//! 72 checksum u64: XXH3-64 of decisions, digest, text and items
//! 80 checksum u64: XXH3-64 of the mail
//! 88 checksum u64: XXH3-64 of the stored octets
//! 96 decisions ++ digest ++ text ++ items ++ stored octets, unless in an own segment ++ zero up to a multiple of 8
//! ```
//! Little-endian. Every later version keeps octets 0..16: a program that knows it not can tell it for certain, and
//! refuses it where it would have cut it off as a torn tail. What is checked without unpacking: all of it. Programs that
//! knew of no items want zero at 52, and so take a record with items for a later version's.
//!
//! Version 1 stands in segments of version 1 and is read there, never written:
//!
//! ```text
//!  0 magic u32      4 version u8 = 1    5 kind u8 = 1    6 log u16
//!  8 sequence u64
//! 16 decisions octets u32          20 digest octets u32
//! 24 mail octets u64
//! 32 checksum u64: XXH3-64 of decisions and digest
//! 40 checksum u64: XXH3-64 of the mail
//! 48 checksum u64: XXH3-64 of octets 0..48, seeded with the segment's salt
//! 56 decisions ++ digest ++ mail ++ zero up to a multiple of 8
//! ```

use crate::record::ALIGN;
use ringpost_api::table::Encoding;
use ringpost_types::BlobId;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Octets of a header of this version.
pub const HEADER_OCTETS: usize = 96;
/// Octets of one of version 1.
pub const FIRST_OCTETS: usize = 56;
const MAGIC: u32 = u32::from_le_bytes(*b"rrec");
/// A later version's header is at most this long.
const LATER_OCTETS_MAX: usize = 4096;

/// Version of a record, and of the segment that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Read, never written.
    First,
    /// This program's.
    Second,
}

impl Version {
    /// Octets of a record's header.
    pub fn header_octets(self) -> usize {
        match self {
            Version::First => FIRST_OCTETS,
            Version::Second => HEADER_OCTETS,
        }
    }
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A mail that came in.
    Mail = 1,
    /// One that moved here from a segment that is given up.
    Moved = 2,
}

/// A record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How it was written.
    pub version: Version,
    /// What it is.
    pub kind: Kind,
    /// The log it was written to.
    pub log: u16,
    /// Its number in that log, 1 and up, ascending; numbers of failed appends are left out.
    pub sequence: u64,
    /// The mail's name.
    pub blob: BlobId,
    /// How the stored octets are to be read.
    pub encoding: Encoding,
    /// The segment in which the mail lies alone; 0: it is in the record.
    pub own_segment: u32,
    /// Length of the decisions.
    pub decisions_octets: u32,
    /// Length of the digest.
    pub digest_octets: u32,
    /// Length of the text.
    pub text_octets: u32,
    /// Length of the items of the queue.
    pub items_octets: u32,
    /// Length of the raw mail.
    pub mail_octets: u64,
    /// Length of the mail as it is stored.
    pub stored_octets: u64,
    /// XXH3-64 of decisions, digest, text and items.
    pub meta_checksum: u64,
    /// XXH3-64 of the raw mail.
    pub mail_checksum: u64,
    /// XXH3-64 of the stored octets.
    pub stored_checksum: u64,
}

/// Why octets are not a header that can be gone by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHeader {
    /// Written by a later version of the format, and sound.
    Newer,
    /// Not a header, or a damaged one.
    Damaged,
}

impl Header {
    /// The octets, for a segment with this salt.
    pub fn encode(&self, salt: u64) -> [u8; HEADER_OCTETS] {
        debug_assert_eq!(self.version, Version::Second);
        let mut out = [0; HEADER_OCTETS];
        out[..4].copy_from_slice(&MAGIC.to_le_bytes());
        out[4] = 2;
        out[5] = self.kind as u8;
        out[6..8].copy_from_slice(&(HEADER_OCTETS as u16).to_le_bytes());
        out[16..18].copy_from_slice(&self.log.to_le_bytes());
        out[18] = self.encoding as u8;
        out[20..24].copy_from_slice(&self.own_segment.to_le_bytes());
        out[24..32].copy_from_slice(&self.sequence.to_le_bytes());
        out[32..40].copy_from_slice(&self.blob.0.to_le_bytes());
        out[40..44].copy_from_slice(&self.decisions_octets.to_le_bytes());
        out[44..48].copy_from_slice(&self.digest_octets.to_le_bytes());
        out[48..52].copy_from_slice(&self.text_octets.to_le_bytes());
        out[52..56].copy_from_slice(&self.items_octets.to_le_bytes());
        out[56..64].copy_from_slice(&self.mail_octets.to_le_bytes());
        out[64..72].copy_from_slice(&self.stored_octets.to_le_bytes());
        out[72..80].copy_from_slice(&self.meta_checksum.to_le_bytes());
        out[80..88].copy_from_slice(&self.mail_checksum.to_le_bytes());
        out[88..].copy_from_slice(&self.stored_checksum.to_le_bytes());
        let checksum = xxh3_64_with_seed(&out, salt);
        out[8..16].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads a header of a segment of this version with this salt. `octets` begin with it; what a later version's
    /// header has beyond [`HEADER_OCTETS`] should be among them.
    pub fn read(octets: &[u8], version: Version, salt: u64) -> Result<Self, BadHeader> {
        match version {
            Version::First => read_first(octets, salt).ok_or(BadHeader::Damaged),
            Version::Second => read_second(octets, salt),
        }
    }

    /// Octets of decisions, digest, text and items together.
    pub fn meta_octets(&self) -> u64 {
        let parts = [
            self.decisions_octets,
            self.digest_octets,
            self.text_octets,
            self.items_octets,
        ];
        parts.map(u64::from).iter().sum()
    }

    /// Octets of the mail in the record itself.
    pub fn body_octets(&self) -> u64 {
        match self.own_segment {
            0 => self.stored_octets,
            _ => 0,
        }
    }

    /// Octets of the whole record in its segment.
    pub fn record_octets(&self) -> u64 {
        (self.version.header_octets() as u64 + self.meta_octets())
            .saturating_add(self.body_octets())
            .checked_next_multiple_of(ALIGN)
            .unwrap_or(u64::MAX)
    }
}

/// The octets that a header at the begin of some octets may take: what [`Header::read`] is to be given.
pub const LOOK_OCTETS: usize = LATER_OCTETS_MAX;

fn read_second(octets: &[u8], salt: u64) -> Result<Header, BadHeader> {
    let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| octets[at + i]));
    let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| octets[at + i]));
    let u16_at = |at: usize| u16::from_le_bytes([octets[at], octets[at + 1]]);
    if octets.len() < HEADER_OCTETS || u32_at(0) != MAGIC || octets[4] < 2 {
        return Err(BadHeader::Damaged);
    }
    let length = usize::from(u16_at(6));
    if !(16..=LATER_OCTETS_MAX.min(octets.len())).contains(&length)
        || u64_at(8) != checksum(&octets[..length], salt)
    {
        return Err(BadHeader::Damaged);
    }
    // Sound from here on: what is not known is of a later version.
    let kind = match octets[5] {
        1 => Kind::Mail,
        2 => Kind::Moved,
        _ => return Err(BadHeader::Newer),
    };
    let encoding = match octets[18] {
        0 => Encoding::Raw,
        1 => Encoding::Zstd,
        _ => return Err(BadHeader::Newer),
    };
    if octets[4] != 2 || length != HEADER_OCTETS || octets[19] != 0 {
        return Err(BadHeader::Newer);
    }
    Ok(Header {
        version: Version::Second,
        kind,
        log: u16_at(16),
        sequence: u64_at(24),
        blob: BlobId(u64_at(32)),
        encoding,
        own_segment: u32_at(20),
        decisions_octets: u32_at(40),
        digest_octets: u32_at(44),
        text_octets: u32_at(48),
        items_octets: u32_at(52),
        mail_octets: u64_at(56),
        stored_octets: u64_at(64),
        meta_checksum: u64_at(72),
        mail_checksum: u64_at(80),
        stored_checksum: u64_at(88),
    })
}

/// XXH3-64 of a header, zeros where the checksum stands.
fn checksum(header: &[u8], salt: u64) -> u64 {
    let mut octets = [0; LATER_OCTETS_MAX];
    let octets = &mut octets[..header.len()];
    octets.copy_from_slice(header);
    octets[8..16].fill(0);
    xxh3_64_with_seed(octets, salt)
}

fn read_first(octets: &[u8], salt: u64) -> Option<Header> {
    let octets: &[u8; FIRST_OCTETS] = octets.get(..FIRST_OCTETS)?.try_into().ok()?;
    let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| octets[at + i]));
    let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| octets[at + i]));
    let sound = u32_at(0) == MAGIC
        && octets[4..6] == [1, 1]
        && u64_at(48) == xxh3_64_with_seed(&octets[..48], salt);
    let log = u16::from_le_bytes([octets[6], octets[7]]);
    sound.then(|| Header {
        version: Version::First,
        kind: Kind::Mail,
        log,
        sequence: u64_at(8),
        blob: BlobId(u64::from(log) << 48 | u64_at(8) & ((1 << 48) - 1)),
        encoding: Encoding::Raw,
        own_segment: 0,
        decisions_octets: u32_at(16),
        digest_octets: u32_at(20),
        text_octets: 0,
        items_octets: 0,
        mail_octets: u64_at(24),
        stored_octets: u64_at(24),
        meta_checksum: u64_at(32),
        mail_checksum: u64_at(40),
        stored_checksum: u64_at(40),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Header {
        Header {
            version: Version::Second,
            kind: Kind::Moved,
            log: 1,
            sequence: 2,
            blob: BlobId::new(3, 4),
            encoding: Encoding::Zstd,
            own_segment: 0,
            decisions_octets: 5,
            digest_octets: 6,
            text_octets: 7,
            items_octets: 20,
            mail_octets: 8,
            stored_octets: 9,
            meta_checksum: 10,
            mail_checksum: 11,
            stored_checksum: 12,
        }
    }

    #[test]
    fn it_is_bound_to_its_salt_and_every_octet() {
        let header = example();
        let octets = header.encode(9);
        assert_eq!(Header::read(&octets, Version::Second, 9), Ok(header));
        let damaged = Err(BadHeader::Damaged);
        assert_eq!(Header::read(&octets, Version::Second, 8), damaged);
        assert_eq!(Header::read(&octets, Version::First, 9), damaged);
        for at in 0..HEADER_OCTETS {
            let mut changed = octets;
            changed[at] ^= 1;
            assert_eq!(
                Header::read(&changed, Version::Second, 9),
                damaged,
                "octet {at}"
            );
            assert_eq!(Header::read(&octets[..at], Version::Second, 9), damaged);
        }
    }

    #[test]
    fn its_record_ends_on_a_multiple_of_eight() {
        let header = example();
        assert_eq!(header.record_octets(), 144); // 96 + 5 + 6 + 7 + 20 + 9 = 143
        let own_segment = Header {
            own_segment: 7,
            ..header
        };
        assert_eq!(own_segment.record_octets(), 136);
        let endless = Header {
            stored_octets: u64::MAX,
            ..header
        };
        assert_eq!(endless.record_octets(), u64::MAX);
    }

    /// One that is longer, one of a later version, one of a kind or an encoding that is not known.
    #[test]
    fn a_later_one_is_told_from_a_damaged_one() {
        let seal = |mut octets: Vec<u8>| {
            let length = octets.len() as u16;
            octets[6..8].copy_from_slice(&length.to_le_bytes());
            octets[8..16].fill(0);
            let checksum = xxh3_64_with_seed(&octets, 9);
            octets[8..16].copy_from_slice(&checksum.to_le_bytes());
            octets.extend_from_slice(&[7; 500]);
            octets
        };
        let octets = example().encode(9).to_vec();
        let changed = |at: usize, octet: u8| {
            let mut changed = octets.clone();
            changed[at] = octet;
            changed
        };
        let longer = [&octets[..], &[1; 40]].concat();
        for later in [
            longer,
            changed(4, 3),
            changed(5, 3),
            changed(18, 2),
            changed(19, 1),
        ] {
            let sealed = seal(later);
            assert_eq!(
                Header::read(&sealed, Version::Second, 9),
                Err(BadHeader::Newer)
            );
        }
        let damaged = changed(4, 3);
        assert_eq!(
            Header::read(&damaged, Version::Second, 9),
            Err(BadHeader::Damaged)
        );
        assert_eq!(
            Header::read(&seal(octets), Version::Second, 9),
            Ok(example())
        );
    }
}
