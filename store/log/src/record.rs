//! One record: what the log keeps of an accepted mail.
//!
//! Its octets are drawn in [`crate::header`]. Decisions are the targets of a [`Deliver`], count u16, then each: account
//! u32, mailbox u32, missing u8, flags u32, internal date u64, keyword count u8, keywords (length u8 ++ octets), prefix
//! length u16 ++ octets. Items of the queue: each octets u32, and so many as table queue has them, without the mail's name,
//! which the header tells. Little-endian.
//!
//! | record | mail | decisions, digest, text, items | the index is told |
//! |---|---|---|---|
//! | mail | in the record | of the mail | [`Deliver`] |
//! | mail, own segment | alone in a segment, finished and durable before the record | of the mail | [`Deliver`] |
//! | moved mail | as it stood in the segment that is given up | carried along | [`Relocate`] |
//! | moved mail, own segment | the same file under a second name | carried along | [`Relocate`] |
//!
//! A moved mail carries all that its first record said, so that logs alone still tell the store.
//!
//! In:  a [`Record`], or what is [`Carried`] of one.
//! Out: an [`Entry`], checked. A record is immutable once it is durable.

use crate::header::{Header, Kind};
use crate::segment::HEAD_OCTETS;
use crate::stream::Streamed;
use ringpost_api::Write;
use ringpost_api::item::{Item, ItemRow};
use ringpost_api::table::{BlobRow, Encoding, Stretch};
use ringpost_api::write::{Deliver, Missing, Position, Relocate, Target};
use ringpost_types::{AccountId, BlobId, MailboxId};
use xxhash_rust::xxh3::xxh3_64;

/// Records begin on a multiple of this.
pub const ALIGN: u64 = 8;

/// An accepted mail on its way into the log.
#[derive(Debug)]
pub struct Record {
    /// Where it goes.
    pub targets: Vec<Target>,
    /// Envelopes that it leaves in.
    pub items: Vec<Item>,
    /// What `message::digest` made of it.
    pub digest: Vec<u8>,
    /// Its row in table text; empty: none.
    pub text: Vec<u8>,
    /// The mail.
    pub body: Body,
}

/// The octets of a mail.
#[derive(Debug)]
pub enum Body {
    /// All of them, raw.
    Whole(Vec<u8>),
    /// A large mail that was written while it came, durable already.
    Streamed(Streamed),
}

/// What of a mail goes along when it moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Its name, which it keeps.
    pub blob: BlobId,
    /// Where it once went.
    pub targets: Vec<Target>,
    /// Envelopes that it came in for.
    pub items: Vec<Item>,
    /// Its digest.
    pub digest: Vec<u8>,
    /// Its row in table text; empty: none.
    pub text: Vec<u8>,
    /// Length of the raw mail.
    pub octets: u64,
    /// XXH3-64 of the raw mail.
    pub checksum: u64,
    /// How the stored octets are to be read.
    pub encoding: Encoding,
}

/// The octets of a mail that moves.
#[derive(Debug)]
pub enum Stored {
    /// As they stood in the old segment.
    Octets(Vec<u8>),
    /// A large mail's own segment under its second name: `Log::link`.
    Linked(Streamed),
}

/// What a durable record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A mail that came in.
    Deliver(Deliver),
    /// A mail that moved.
    Relocate(Moved),
}

/// A moved mail, with what its first record said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// What the index is told.
    pub relocate: Relocate,
    /// Length of the raw mail.
    pub octets: u64,
    /// Its digest.
    pub digest: Vec<u8>,
    /// Its row in table text; empty: none.
    pub text: Vec<u8>,
    /// Where it once went.
    pub targets: Vec<Target>,
    /// Envelopes that it came in for.
    pub items: Vec<Item>,
}

impl Entry {
    /// What the log held at `offset` of `segment`, in parts that were checked.
    pub(crate) fn new(header: &Header, segment: u32, offset: u64, parts: Parts) -> Self {
        let record = Stretch {
            segment,
            offset,
            octets: header.record_octets(),
        };
        let next = Position {
            segment,
            offset: offset + record.octets,
            sequence: header.sequence + 1,
        };
        let inside = offset + header.version.header_octets() as u64 + header.meta_octets();
        let (segment, offset) = match header.own_segment {
            0 => (segment, inside),
            own => (own, HEAD_OCTETS),
        };
        let Parts {
            targets,
            digest,
            text,
            items,
        } = parts;
        match header.kind {
            Kind::Mail => Entry::Deliver(Deliver {
                blob: header.blob,
                segment,
                offset,
                octets: header.mail_octets,
                stored: header.stored_octets,
                encoding: header.encoding,
                record,
                checksum: header.mail_checksum,
                digest,
                text,
                targets,
                items,
                next,
            }),
            Kind::Moved => Entry::Relocate(Moved {
                relocate: Relocate {
                    blob: header.blob,
                    log: header.log,
                    segment,
                    offset,
                    stored: header.stored_octets,
                    encoding: header.encoding,
                    checksum: header.mail_checksum,
                    record,
                    next,
                },
                octets: header.mail_octets,
                digest,
                text,
                targets,
                items,
            }),
        }
    }

    /// What the index is told.
    pub fn write(self) -> Write {
        match self {
            Entry::Deliver(deliver) => Write::Deliver(deliver),
            Entry::Relocate(moved) => Write::Relocate(moved.relocate),
        }
    }

    /// The mail's name.
    pub fn blob(&self) -> BlobId {
        match self {
            Entry::Deliver(deliver) => deliver.blob,
            Entry::Relocate(moved) => moved.relocate.blob,
        }
    }

    /// Where the log goes on behind the record.
    pub fn next(&self) -> Position {
        match self {
            Entry::Deliver(deliver) => deliver.next,
            Entry::Relocate(moved) => moved.relocate.next,
        }
    }

    /// Where the mail is, as a blob row that nobody refers to.
    pub fn place(&self) -> BlobRow {
        let references = 0;
        match self {
            Entry::Deliver(deliver) => BlobRow {
                log: deliver.blob.log(),
                segment: deliver.segment,
                offset: deliver.offset,
                octets: deliver.octets,
                stored: deliver.stored,
                encoding: deliver.encoding,
                checksum: deliver.checksum,
                record: deliver.record,
                references,
            },
            Entry::Relocate(Moved {
                relocate, octets, ..
            }) => BlobRow {
                log: relocate.log,
                segment: relocate.segment,
                offset: relocate.offset,
                octets: *octets,
                stored: relocate.stored,
                encoding: relocate.encoding,
                checksum: relocate.checksum,
                record: relocate.record,
                references,
            },
        }
    }

    /// What goes along when the mail moves on.
    pub fn carried(self) -> Carried {
        let place = self.place();
        let (blob, targets, items, digest, text) = match self {
            Entry::Deliver(d) => (d.blob, d.targets, d.items, d.digest, d.text),
            Entry::Relocate(m) => (m.relocate.blob, m.targets, m.items, m.digest, m.text),
        };
        Carried {
            blob,
            targets,
            items,
            digest,
            text,
            octets: place.octets,
            checksum: place.checksum,
            encoding: place.encoding,
        }
    }
}

/// What stands between a record's header and its mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub targets: Vec<Target>,
    pub digest: Vec<u8>,
    pub text: Vec<u8>,
    pub items: Vec<Item>,
}

impl Parts {
    /// Reads them; `None` where they are not what the header tells.
    pub fn read(header: &Header, meta: &[u8]) -> Option<Self> {
        if meta.len() as u64 != header.meta_octets() || xxh3_64(meta) != header.meta_checksum {
            return None;
        }
        let (decisions, rest) = meta.split_at(header.decisions_octets as usize);
        let (digest, rest) = rest.split_at(header.digest_octets as usize);
        let (text, items) = rest.split_at(header.text_octets as usize);
        Some(Parts {
            targets: targets(decisions)?,
            digest: digest.to_vec(),
            text: text.to_vec(),
            items: self::items(items)?,
        })
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

/// Appends `items` as a record's. `None` where one of them is longer than a length field can tell.
pub(crate) fn encode_items(items: &[Item], out: &mut Vec<u8>) -> Option<()> {
    for item in items {
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        item.encode(out)?;
        let octets = u32::try_from(out.len() - at - 4).ok()?;
        out[at..at + 4].copy_from_slice(&octets.to_le_bytes());
    }
    Some(())
}

/// Reads a record's items; `None` where they contradict themselves.
pub fn items(octets: &[u8]) -> Option<Vec<Item>> {
    let (mut rest, mut items) = (octets, Vec::new());
    while !rest.is_empty() {
        let length = u32::from_le_bytes(take(&mut rest)?);
        let octets = run(&mut rest, usize::try_from(length).ok()?)?;
        items.push(ItemRow::read(octets).ok()?.to_item());
    }
    Some(items)
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
    fn items_come_back_and_a_cut_is_told() {
        let item = |address: &str| Item {
            recipients: vec![ringpost_api::item::Recipient {
                address: address.into(),
                ..Default::default()
            }],
            ..Item::default()
        };
        let both = [item("a@other.test"), item("b@other.test")];
        let mut out = Vec::new();
        encode_items(&both[..1], &mut out).expect("within all lengths");
        let first = out.len();
        encode_items(&both[1..], &mut out).expect("within all lengths");
        assert_eq!(items(&out).as_deref(), Some(&both[..]));
        for end in (1..out.len()).filter(|&end| end != first) {
            assert_eq!(items(&out[..end]), None, "cut at {end}");
        }
        assert_eq!(encode_items(&[Item::default()], &mut out), None, "nobody");
    }
}
