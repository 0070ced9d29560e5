//! One record: what the log keeps of an accepted mail.
//!
//! ```text
//!  0 magic u32      4 version u8    5 kind u8     6 log u16
//!  8 sequence u64
//! 16 decisions octets u32          20 digest octets u32
//! 24 mail octets u64
//! 32 checksum u64: XXH3-64 of decisions and digest
//! 40 checksum u64: XXH3-64 of the mail
//! 48 checksum u64: XXH3-64 of octets 0..48, seeded with the segment's salt
//! 56 decisions ++ digest ++ mail ++ zero up to a multiple of 8
//! ```
//! Little-endian. Decisions: the targets of a [`Deliver`], count u16, then each: account u32, mailbox u32, missing u8,
//! flags u32, internal date u64, keyword count u8, keywords (length u8 ++ octets), prefix length u16 ++ octets.
//!
//! In:  a [`Record`].
//! Out: its octets; and back, checked. A record is immutable once it is durable.

use ringpost_api::table::{Encoding, Stretch};
use ringpost_api::write::{Deliver, Missing, Position, Target};
use ringpost_types::{AccountId, BlobId, MailboxId};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Octets of a record's header.
pub const HEADER_OCTETS: usize = 56;
/// Records begin on a multiple of this.
pub const ALIGN: u64 = 8;
pub(crate) const MAGIC: u32 = u32::from_le_bytes(*b"rrec");
const VERSION: u8 = 1;
const KIND_MAIL: u8 = 1;

/// An accepted mail on its way into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it goes.
    pub targets: Vec<Target>,
    /// What `message::digest` made of it.
    pub digest: Vec<u8>,
    /// The raw mail.
    pub octets: Vec<u8>,
}

/// A record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The log it was written to.
    pub log: u16,
    /// Its number in that log, 1 and up, ascending; numbers of failed appends are left out.
    pub sequence: u64,
    /// Length of the decisions.
    pub decisions_octets: u32,
    /// Length of the digest.
    pub digest_octets: u32,
    /// Length of the raw mail.
    pub mail_octets: u64,
    /// XXH3-64 of decisions and digest.
    pub meta_checksum: u64,
    /// XXH3-64 of the raw mail.
    pub mail_checksum: u64,
}

impl Header {
    /// The octets, for a segment with this salt.
    pub fn encode(&self, salt: u64) -> [u8; HEADER_OCTETS] {
        let mut out = [0; HEADER_OCTETS];
        out[..4].copy_from_slice(&MAGIC.to_le_bytes());
        out[4] = VERSION;
        out[5] = KIND_MAIL;
        out[6..8].copy_from_slice(&self.log.to_le_bytes());
        out[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        out[16..20].copy_from_slice(&self.decisions_octets.to_le_bytes());
        out[20..24].copy_from_slice(&self.digest_octets.to_le_bytes());
        out[24..32].copy_from_slice(&self.mail_octets.to_le_bytes());
        out[32..40].copy_from_slice(&self.meta_checksum.to_le_bytes());
        out[40..48].copy_from_slice(&self.mail_checksum.to_le_bytes());
        let checksum = xxh3_64_with_seed(&out[..48], salt);
        out[48..].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads a header of a segment with this salt; `None` where there is none or a damaged one.
    pub fn read(octets: &[u8], salt: u64) -> Option<Self> {
        let octets: &[u8; HEADER_OCTETS] = octets.get(..HEADER_OCTETS)?.try_into().ok()?;
        let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| octets[at + i]));
        let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| octets[at + i]));
        let sound = u32_at(0) == MAGIC
            && octets[4] == VERSION
            && octets[5] == KIND_MAIL
            && u64_at(48) == xxh3_64_with_seed(&octets[..48], salt);
        sound.then(|| Header {
            log: u16::from_le_bytes([octets[6], octets[7]]),
            sequence: u64_at(8),
            decisions_octets: u32_at(16),
            digest_octets: u32_at(20),
            mail_octets: u64_at(24),
            meta_checksum: u64_at(32),
            mail_checksum: u64_at(40),
        })
    }

    /// Octets of decisions and digest together.
    pub fn meta_octets(&self) -> u64 {
        u64::from(self.decisions_octets) + u64::from(self.digest_octets)
    }

    /// Octets of the whole record in its segment.
    pub fn record_octets(&self) -> u64 {
        (HEADER_OCTETS as u64 + self.meta_octets())
            .saturating_add(self.mail_octets)
            .checked_next_multiple_of(ALIGN)
            .unwrap_or(u64::MAX)
    }

    /// What the index is told of the record at `offset` of `segment`.
    pub fn deliver(
        &self,
        segment: u32,
        offset: u64,
        digest: Vec<u8>,
        targets: Vec<Target>,
    ) -> Deliver {
        Deliver {
            blob: BlobId::new(self.log, self.sequence),
            segment,
            offset: offset + HEADER_OCTETS as u64 + self.meta_octets(),
            octets: self.mail_octets,
            stored: self.mail_octets,
            encoding: Encoding::Raw,
            record: Stretch {
                segment,
                offset,
                octets: self.record_octets(),
            },
            checksum: self.mail_checksum,
            digest,
            text: Vec::new(),
            targets,
            next: Position {
                segment,
                offset: offset + self.record_octets(),
                sequence: self.sequence + 1,
            },
        }
    }
}

/// Checksum of a mail, as header and blob row carry it.
pub fn checksum(mail: &[u8]) -> u64 {
    xxh3_64(mail)
}

/// Appends `targets` as a record's decisions. `None` where one of them has more keywords or octets than a length
/// field can tell.
pub(crate) fn encode_targets(targets: &[Target], out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(&u16::try_from(targets.len()).ok()?.to_le_bytes());
    for target in targets {
        out.extend_from_slice(&target.account.0.to_le_bytes());
        out.extend_from_slice(&target.mailbox.0.to_le_bytes());
        out.push(match target.missing {
            Missing::Inbox => 0,
            Missing::Refuse => 1,
        });
        out.extend_from_slice(&target.flags.to_le_bytes());
        out.extend_from_slice(&target.internal_date.to_le_bytes());
        out.push(u8::try_from(target.keywords.len()).ok()?);
        for keyword in &target.keywords {
            out.push(u8::try_from(keyword.len()).ok()?);
            out.extend_from_slice(keyword.as_bytes());
        }
        out.extend_from_slice(&u16::try_from(target.prefix.len()).ok()?.to_le_bytes());
        out.extend_from_slice(&target.prefix);
    }
    Some(())
}

/// Reads a record's decisions; `None` where they contradict themselves.
pub fn targets(octets: &[u8]) -> Option<Vec<Target>> {
    let mut rest = octets;
    let count = u16::from_le_bytes(take(&mut rest)?);
    let mut targets = Vec::with_capacity(count.into());
    for _ in 0..count {
        targets.push(target(&mut rest)?);
    }
    rest.is_empty().then_some(targets)
}

fn target(rest: &mut &[u8]) -> Option<Target> {
    let account = AccountId(u32::from_le_bytes(take(rest)?));
    let mailbox = MailboxId(u32::from_le_bytes(take(rest)?));
    let missing = match take::<1>(rest)? {
        [0] => Missing::Inbox,
        [1] => Missing::Refuse,
        _ => return None,
    };
    let flags = u32::from_le_bytes(take(rest)?);
    let internal_date = u64::from_le_bytes(take(rest)?);
    let [count] = take(rest)?;
    let mut keywords = Vec::with_capacity(count.into());
    for _ in 0..count {
        let [length] = take(rest)?;
        let keyword = std::str::from_utf8(run(rest, length.into())?).ok()?;
        keywords.push(keyword.to_owned());
    }
    let length = u16::from_le_bytes(take(rest)?);
    let prefix = run(rest, length.into())?.to_vec();
    Some(Target {
        account,
        mailbox,
        missing,
        flags,
        keywords,
        internal_date,
        prefix,
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

fn run<'o>(rest: &mut &'o [u8], octets: usize) -> Option<&'o [u8]> {
    let (taken, after) = rest.split_at_checked(octets)?;
    *rest = after;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<Target> {
        vec![
            Target {
                account: AccountId(1),
                mailbox: MailboxId(2),
                missing: Missing::Refuse,
                flags: 3,
                keywords: vec!["$Forwarded".into(), "".into()],
                internal_date: 4,
                prefix: b"Return-Path: <>\r\n".to_vec(),
            },
            Target {
                account: AccountId(u32::MAX),
                mailbox: MailboxId(1),
                missing: Missing::Inbox,
                flags: 0,
                keywords: vec![],
                internal_date: u64::MAX,
                prefix: vec![],
            },
        ]
    }

    #[test]
    fn targets_come_back_and_a_cut_is_told() {
        let mut out = Vec::new();
        encode_targets(&example(), &mut out).expect("within all lengths");
        assert_eq!(targets(&out), Some(example()));
        for end in 0..out.len() {
            assert_eq!(targets(&out[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn a_header_is_bound_to_its_salt_and_every_octet() {
        let header = Header {
            log: 1,
            sequence: 2,
            decisions_octets: 3,
            digest_octets: 4,
            mail_octets: 5,
            meta_checksum: 6,
            mail_checksum: 7,
        };
        let octets = header.encode(9);
        assert_eq!(Header::read(&octets, 9), Some(header));
        assert_eq!(Header::read(&octets, 8), None);
        for at in 0..HEADER_OCTETS {
            let mut damaged = octets;
            damaged[at] ^= 1;
            assert_eq!(Header::read(&damaged, 9), None, "octet {at}");
        }
        assert_eq!(header.record_octets(), 72);
        assert_eq!(
            Header {
                mail_octets: u64::MAX,
                ..header
            }
            .record_octets(),
            u64::MAX
        );
    }
}
