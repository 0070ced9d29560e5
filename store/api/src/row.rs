//! Values of the tables, octets to rows and back. The layouts are drawn in [`crate::table`].
//!
//! In:  octets as a snapshot lends them.
//! Out: rows that borrow from them; [`Error::Damaged`] where octets are missing or contradict themselves.
//!
//! Invariant: no octets, however damaged, make a panic; `read(encode(row)) == row`.

use crate::layout::{self, Fixed};
use crate::table::{
    AccountRow, BlobRow, Encoding, MailboxRow, MessageRow, Place, SegmentRow, Stretch,
};
use crate::write::{AliasTarget, Position};
use crate::{Error, Table};
use ringpost_types::{AccountId, BlobId, MailboxId, ModSeq, Uid};
use zerocopy::IntoBytes;

/// Octets of a message row.
pub const MESSAGE_OCTETS: usize = size_of::<layout::Message>();
/// Octets of a blob row.
pub const BLOB_OCTETS: usize = size_of::<layout::Blob>();
/// Octets of a segment row.
pub const SEGMENT_OCTETS: usize = size_of::<layout::Segment>();
/// Octets of a row of table applied.
pub const APPLIED_OCTETS: usize = size_of::<layout::Applied>();
/// Bit of an account row's flags: may not log in.
const DISABLED: u16 = 1;

#[cold]
pub(crate) fn damaged(table: Table, what: &str) -> Error {
    Error::Damaged(format!("table {}: {what}", table.name()))
}

pub(crate) fn text(table: Table, octets: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(octets).map_err(|_| damaged(table, "text is not UTF-8"))
}

impl<'t> AccountRow<'t> {
    /// Reads a value of table account.
    pub fn read(octets: &'t [u8]) -> Result<Self, Error> {
        let (fixed, rest) = layout::Account::before(octets)?;
        let Some((secret, name)) = rest.split_at_checked(fixed.secret_octets.get().into()) else {
            return Err(damaged(Table::Account, "secret goes past the end"));
        };
        Ok(AccountRow {
            next_mailbox: MailboxId(fixed.next_mailbox.get()),
            mailboxes: fixed.mailboxes.get(),
            modseq: ModSeq(fixed.modseq.get()),
            octets: fixed.octets.get(),
            messages: fixed.messages.get(),
            quota_octets: fixed.quota_octets.get(),
            quota_messages: fixed.quota_messages.get(),
            vanished: fixed.vanished.get(),
            trimmed: Place {
                modseq: ModSeq(fixed.trimmed_modseq.get()),
                mailbox: MailboxId(fixed.trimmed_mailbox.get()),
                uid: Uid(fixed.trimmed_uid.get()),
            },
            disabled: fixed.flags.get() & DISABLED != 0,
            secret: text(Table::Account, secret)?,
            name: text(Table::Account, name)?,
        })
    }

    /// Appends the value to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let fixed = layout::Account {
            next_mailbox: self.next_mailbox.0.into(),
            mailboxes: self.mailboxes.into(),
            modseq: self.modseq.0.into(),
            octets: self.octets.into(),
            secret_octets: (self.secret.len() as u16).into(),
            flags: (if self.disabled { DISABLED } else { 0 }).into(),
            messages: self.messages.into(),
            quota_octets: self.quota_octets.into(),
            quota_messages: self.quota_messages.into(),
            vanished: self.vanished.into(),
            trimmed_modseq: self.trimmed.modseq.0.into(),
            trimmed_mailbox: self.trimmed.mailbox.0.into(),
            trimmed_uid: self.trimmed.uid.0.into(),
        };
        out.extend_from_slice(fixed.as_bytes());
        out.extend_from_slice(self.secret.as_bytes());
        out.extend_from_slice(self.name.as_bytes());
    }
}

impl<'t> MailboxRow<'t> {
    /// Reads a value of table mailbox.
    pub fn read(octets: &'t [u8]) -> Result<Self, Error> {
        let (fixed, rest) = layout::Mailbox::before(octets)?;
        let keyword_octets = fixed.keyword_octets.get() as usize;
        let Some((keyword_octets, name)) = rest.split_at_checked(keyword_octets) else {
            return Err(damaged(Table::Mailbox, "keywords go past the end"));
        };
        Ok(MailboxRow {
            uidvalidity: fixed.uidvalidity.get(),
            uidnext: Uid(fixed.uidnext.get()),
            highest_modseq: ModSeq(fixed.highest_modseq.get()),
            messages: fixed.messages.get(),
            unseen: fixed.unseen.get(),
            deleted: fixed.deleted.get(),
            recent_from: Uid(fixed.recent_from.get()),
            octets: fixed.octets.get(),
            special: fixed.special.get(),
            trimmed: ModSeq(fixed.trimmed.get()),
            keyword_octets,
            name: text(Table::Mailbox, name)?,
        })
    }

    /// Appends the value to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let fixed = layout::Mailbox {
            uidvalidity: self.uidvalidity.into(),
            uidnext: self.uidnext.0.into(),
            highest_modseq: self.highest_modseq.0.into(),
            messages: self.messages.into(),
            unseen: self.unseen.into(),
            deleted: self.deleted.into(),
            recent_from: self.recent_from.0.into(),
            octets: self.octets.into(),
            special: self.special.into(),
            keyword_octets: (self.keyword_octets.len() as u32).into(),
            trimmed: self.trimmed.0.into(),
        };
        out.extend_from_slice(fixed.as_bytes());
        out.extend_from_slice(self.keyword_octets);
        out.extend_from_slice(self.name.as_bytes());
    }

    /// The mailbox's keywords in bit order: keyword n is bit n of [`MessageRow::keywords`]. Damaged octets end
    /// the list.
    pub fn keywords(&self) -> Keywords<'t> {
        Keywords {
            octets: self.keyword_octets,
        }
    }
}

/// Keywords of a mailbox, in bit order. Made by [`MailboxRow::keywords`].
#[derive(Clone, Debug)]
pub struct Keywords<'t> {
    octets: &'t [u8],
}

impl<'t> Keywords<'t> {
    pub(crate) fn over(octets: &'t [u8]) -> Self {
        Keywords { octets }
    }
}

impl<'t> Iterator for Keywords<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let (&length, rest) = self.octets.split_first()?;
        let (keyword, rest) = rest.split_at_checked(usize::from(length))?;
        self.octets = rest;
        std::str::from_utf8(keyword).ok()
    }
}

impl MessageRow {
    /// Reads a value of table message. What is not looked at afterwards is not read, once this is inlined.
    #[inline]
    pub fn read(octets: &[u8]) -> Result<Self, Error> {
        let fixed = layout::Message::of(octets)?;
        Ok(MessageRow {
            modseq: ModSeq(fixed.modseq.get()),
            blob: BlobId(fixed.blob.get()),
            keywords: fixed.keywords.get(),
            internal_date: fixed.internal_date.get(),
            octets: fixed.octets.get(),
            flags: fixed.flags.get(),
            prefix_octets: fixed.prefix_octets.get(),
        })
    }

    /// The value.
    pub fn encode(&self) -> [u8; MESSAGE_OCTETS] {
        zerocopy::transmute!(layout::Message {
            modseq: self.modseq.0.into(),
            blob: self.blob.0.into(),
            keywords: self.keywords.into(),
            internal_date: self.internal_date.into(),
            octets: self.octets.into(),
            flags: self.flags.into(),
            prefix_octets: self.prefix_octets.into(),
            zero: [0; 6],
        })
    }
}

impl BlobRow {
    /// Reads a value of table blob.
    pub fn read(octets: &[u8]) -> Result<Self, Error> {
        let fixed = layout::Blob::of(octets)?;
        Ok(BlobRow {
            log: fixed.log.get(),
            segment: fixed.segment.get(),
            offset: fixed.offset.get(),
            octets: fixed.octets.get(),
            stored: fixed.stored.get(),
            encoding: match fixed.encoding {
                0 => Encoding::Raw,
                1 => Encoding::Zstd,
                _ => return Err(damaged(Table::Blob, "no such encoding")),
            },
            checksum: fixed.checksum.get(),
            record: Stretch {
                segment: fixed.record_segment.get(),
                offset: fixed.record_offset.get(),
                octets: fixed.record_octets.get(),
            },
            references: fixed.references.get(),
        })
    }

    /// The value.
    pub fn encode(&self) -> [u8; BLOB_OCTETS] {
        zerocopy::transmute!(layout::Blob {
            offset: self.offset.into(),
            checksum: self.checksum.into(),
            octets: self.octets.into(),
            stored: self.stored.into(),
            record_offset: self.record.offset.into(),
            record_octets: self.record.octets.into(),
            segment: self.segment.into(),
            record_segment: self.record.segment.into(),
            references: self.references.into(),
            log: self.log.into(),
            encoding: self.encoding as u8,
            zero: 0,
        })
    }
}

impl SegmentRow {
    /// Reads a value of table segment.
    pub fn read(octets: &[u8]) -> Result<Self, Error> {
        let fixed = layout::Segment::of(octets)?;
        Ok(SegmentRow {
            dead_octets: fixed.dead_octets.get(),
            dead_records: fixed.dead_records.get(),
        })
    }

    /// The value.
    pub fn encode(&self) -> [u8; SEGMENT_OCTETS] {
        zerocopy::transmute!(layout::Segment {
            dead_octets: self.dead_octets.into(),
            dead_records: self.dead_records.into(),
            zero: 0.into(),
        })
    }
}

impl Position {
    /// Reads a value of table applied.
    pub fn read(octets: &[u8]) -> Result<Self, Error> {
        let fixed = layout::Applied::of(octets)?;
        Ok(Position {
            segment: fixed.segment.get(),
            offset: fixed.offset.get(),
            sequence: fixed.sequence.get(),
        })
    }

    /// The value.
    pub fn encode(&self) -> [u8; APPLIED_OCTETS] {
        zerocopy::transmute!(layout::Applied {
            segment: self.segment.into(),
            offset: self.offset.into(),
            sequence: self.sequence.into(),
        })
    }
}

/// A value of table address: where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRow<'t> {
    octets: &'t [u8],
}

/// One target of an address, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressTarget<'t> {
    /// A local account.
    Account(AccountId),
    /// Another address as it stands on the wire: of ours the local part folded, of others' as it was given.
    Address(&'t str),
}

impl<'t> AddressRow<'t> {
    /// Reads a value of table address and looks at all of it once, so that [`AddressRow::targets`] cannot fail.
    pub fn read(octets: &'t [u8]) -> Result<Self, Error> {
        let broken = || damaged(Table::Address, "row contradicts itself");
        let (count, mut rest) = octets.split_first_chunk::<2>().ok_or_else(broken)?;
        let row = AddressRow { octets: rest };
        for _ in 0..u16::from_le_bytes(*count) {
            rest = target(rest).ok_or_else(broken)?.1;
        }
        if rest.is_empty() {
            Ok(row)
        } else {
            Err(broken())
        }
    }

    /// The targets, in the order in which they were put.
    pub fn targets(&self) -> impl Iterator<Item = AddressTarget<'t>> + use<'t> {
        let mut rest = self.octets;
        std::iter::from_fn(move || {
            let (target, after) = target(rest)?;
            rest = after;
            Some(target)
        })
    }

    /// Appends the value for `targets` to `out`; at most 65,535 of them, which the writer checks.
    pub fn encode(targets: &[AliasTarget], out: &mut Vec<u8>) {
        out.extend_from_slice(&(targets.len() as u16).to_le_bytes());
        for target in targets {
            match target {
                AliasTarget::Account(account) => {
                    out.push(0);
                    out.extend_from_slice(&account.0.to_le_bytes());
                }
                AliasTarget::Address(address) => {
                    out.push(1);
                    out.extend_from_slice(&(address.len() as u16).to_le_bytes());
                    out.extend_from_slice(address.as_bytes());
                }
            }
        }
    }
}

/// The first target of `octets` and what stands behind it.
fn target(octets: &[u8]) -> Option<(AddressTarget<'_>, &[u8])> {
    match octets.split_first()? {
        (0, rest) => {
            let (account, rest) = rest.split_first_chunk::<4>()?;
            Some((
                AddressTarget::Account(AccountId(u32::from_le_bytes(*account))),
                rest,
            ))
        }
        (1, rest) => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            let (address, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
            Some((
                AddressTarget::Address(std::str::from_utf8(address).ok()?),
                rest,
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back() {
        let mut out = Vec::new();
        let account = AccountRow {
            next_mailbox: MailboxId(7),
            mailboxes: 6,
            modseq: ModSeq(u64::MAX),
            octets: 1 << 40,
            messages: 8,
            quota_octets: 1 << 41,
            quota_messages: 9,
            vanished: 10,
            trimmed: Place {
                modseq: ModSeq(11),
                mailbox: MailboxId(12),
                uid: Uid(13),
            },
            disabled: true,
            secret: "$argon2id$",
            name: "Jürgen@example.test",
        };
        account.encode(&mut out);
        assert_eq!(AccountRow::read(&out), Ok(account));

        out.clear();
        let mailbox = MailboxRow {
            uidvalidity: 1,
            uidnext: Uid(2),
            highest_modseq: ModSeq(3),
            messages: 4,
            unseen: 5,
            deleted: 6,
            recent_from: Uid(7),
            octets: 8,
            special: 9,
            trimmed: ModSeq(10),
            keyword_octets: b"\x05$Junk\x01x",
            name: "Entwürfe",
        };
        mailbox.encode(&mut out);
        assert_eq!(MailboxRow::read(&out), Ok(mailbox.clone()));
        assert_eq!(mailbox.keywords().collect::<Vec<_>>(), ["$Junk", "x"]);

        let message = MessageRow {
            modseq: ModSeq(1),
            blob: BlobId(2),
            keywords: 3,
            internal_date: 4,
            octets: 5,
            flags: 6,
            prefix_octets: 7,
        };
        assert_eq!(MessageRow::read(&message.encode()), Ok(message));

        let blob = BlobRow {
            log: 1,
            segment: 2,
            offset: 3,
            octets: 4,
            stored: 5,
            encoding: Encoding::Zstd,
            checksum: 6,
            record: Stretch {
                segment: 7,
                offset: 8,
                octets: 9,
            },
            references: 10,
        };
        assert_eq!(BlobRow::read(&blob.encode()), Ok(blob));

        let segment = SegmentRow {
            dead_octets: 1,
            dead_records: 2,
        };
        assert_eq!(SegmentRow::read(&segment.encode()), Ok(segment));

        let position = Position {
            segment: 1,
            offset: 2,
            sequence: 3,
        };
        assert_eq!(Position::read(&position.encode()), Ok(position));
    }

    #[test]
    fn addresses_come_back_and_damage_is_told() {
        let targets = [
            AliasTarget::Account(AccountId(9)),
            AliasTarget::Address("ä@example.test".into()),
        ];
        let mut out = Vec::new();
        AddressRow::encode(&targets, &mut out);
        let row = AddressRow::read(&out).expect("what was written");
        assert_eq!(
            row.targets().collect::<Vec<_>>(),
            [
                AddressTarget::Account(AccountId(9)),
                AddressTarget::Address("ä@example.test")
            ]
        );
        for end in 0..out.len() {
            assert!(AddressRow::read(&out[..end]).is_err(), "cut at {end}");
        }
    }

    /// Octets of every length and of a hostile kind: an answer, never a panic.
    #[test]
    fn damage_is_no_panic() {
        for length in 0..100 {
            for fill in [0, 1, 0x7f, 0xff] {
                let octets = vec![fill; length];
                let _ = AccountRow::read(&octets);
                let _ = MailboxRow::read(&octets).map(|row| row.keywords().count());
                let _ = MessageRow::read(&octets);
                let _ = BlobRow::read(&octets);
                let _ = SegmentRow::read(&octets);
                let _ = Position::read(&octets);
                let _ = AddressRow::read(&octets).map(|row| row.targets().count());
            }
        }
    }
}
