//! Values of the tables, octets to rows and back. The layouts are drawn in [`crate::table`].
//!
//! In:  octets as a snapshot lends them.
//! Out: rows that borrow from them; [`Error::Damaged`] where octets are missing or contradict themselves.
//!
//! Invariant: no octets, however damaged, make a panic; `read(encode(row)) == row`.

use crate::table::{
    AccountRow, BlobRow, Encoding, MailboxRow, MessageRow, Place, SegmentRow, Stretch,
};
use crate::write::{AliasTarget, Position};
use crate::{Error, Table};
use ringpost_types::{AccountId, BlobId, MailboxId, ModSeq, Uid};

/// Octets of a message row.
pub const MESSAGE_OCTETS: usize = 48;
/// Octets of a blob row.
pub const BLOB_OCTETS: usize = 64;
/// Octets of a segment row.
pub const SEGMENT_OCTETS: usize = 16;
/// Octets of a row of table applied.
pub const APPLIED_OCTETS: usize = 20;
/// Octets of an account row in front of secret and name.
const ACCOUNT_OCTETS: usize = 64;
/// Octets of a mailbox row in front of keywords and name.
const MAILBOX_OCTETS: usize = 56;
/// Bit of an account row's flags: may not log in.
const DISABLED: u16 = 1;

#[cold]
fn damaged(table: Table, what: &str) -> Error {
    Error::Damaged(format!("table {}: {what}", table.name()))
}

fn u16_at(octets: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([octets[at], octets[at + 1]])
}

fn u32_at(octets: &[u8], at: usize) -> u32 {
    u32::from(u16_at(octets, at)) | u32::from(u16_at(octets, at + 2)) << 16
}

fn u64_at(octets: &[u8], at: usize) -> u64 {
    u64::from(u32_at(octets, at)) | u64::from(u32_at(octets, at + 4)) << 32
}

fn text(table: Table, octets: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(octets).map_err(|_| damaged(table, "text is not UTF-8"))
}

impl<'t> AccountRow<'t> {
    /// Reads a value of table account.
    pub fn read(octets: &'t [u8]) -> Result<Self, Error> {
        let Some((fixed, rest)) = octets.split_first_chunk::<ACCOUNT_OCTETS>() else {
            return Err(damaged(Table::Account, "row too short"));
        };
        let Some((secret, name)) = rest.split_at_checked(usize::from(u16_at(fixed, 24))) else {
            return Err(damaged(Table::Account, "secret goes past the end"));
        };
        Ok(AccountRow {
            next_mailbox: MailboxId(u32_at(fixed, 0)),
            mailboxes: u32_at(fixed, 4),
            modseq: ModSeq(u64_at(fixed, 8)),
            octets: u64_at(fixed, 16),
            messages: u32_at(fixed, 28),
            quota_octets: u64_at(fixed, 32),
            quota_messages: u32_at(fixed, 40),
            vanished: u32_at(fixed, 44),
            trimmed: Place {
                modseq: ModSeq(u64_at(fixed, 48)),
                mailbox: MailboxId(u32_at(fixed, 56)),
                uid: Uid(u32_at(fixed, 60)),
            },
            disabled: u16_at(fixed, 26) & DISABLED != 0,
            secret: text(Table::Account, secret)?,
            name: text(Table::Account, name)?,
        })
    }

    /// Appends the value to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.next_mailbox.0.to_le_bytes());
        out.extend_from_slice(&self.mailboxes.to_le_bytes());
        out.extend_from_slice(&self.modseq.0.to_le_bytes());
        out.extend_from_slice(&self.octets.to_le_bytes());
        out.extend_from_slice(&(self.secret.len() as u16).to_le_bytes());
        out.extend_from_slice(&(if self.disabled { DISABLED } else { 0 }).to_le_bytes());
        out.extend_from_slice(&self.messages.to_le_bytes());
        out.extend_from_slice(&self.quota_octets.to_le_bytes());
        out.extend_from_slice(&self.quota_messages.to_le_bytes());
        out.extend_from_slice(&self.vanished.to_le_bytes());
        out.extend_from_slice(&self.trimmed.modseq.0.to_le_bytes());
        out.extend_from_slice(&self.trimmed.mailbox.0.to_le_bytes());
        out.extend_from_slice(&self.trimmed.uid.0.to_le_bytes());
        out.extend_from_slice(self.secret.as_bytes());
        out.extend_from_slice(self.name.as_bytes());
    }
}

impl<'t> MailboxRow<'t> {
    /// Reads a value of table mailbox.
    pub fn read(octets: &'t [u8]) -> Result<Self, Error> {
        let Some((fixed, rest)) = octets.split_first_chunk::<MAILBOX_OCTETS>() else {
            return Err(damaged(Table::Mailbox, "row too short"));
        };
        let Some((keyword_octets, name)) = rest.split_at_checked(u32_at(fixed, 44) as usize) else {
            return Err(damaged(Table::Mailbox, "keywords go past the end"));
        };
        Ok(MailboxRow {
            uidvalidity: u32_at(fixed, 0),
            uidnext: Uid(u32_at(fixed, 4)),
            highest_modseq: ModSeq(u64_at(fixed, 8)),
            messages: u32_at(fixed, 16),
            unseen: u32_at(fixed, 20),
            deleted: u32_at(fixed, 24),
            recent_from: Uid(u32_at(fixed, 28)),
            octets: u64_at(fixed, 32),
            special: u32_at(fixed, 40),
            trimmed: ModSeq(u64_at(fixed, 48)),
            keyword_octets,
            name: text(Table::Mailbox, name)?,
        })
    }

    /// Appends the value to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.uidvalidity.to_le_bytes());
        out.extend_from_slice(&self.uidnext.0.to_le_bytes());
        out.extend_from_slice(&self.highest_modseq.0.to_le_bytes());
        out.extend_from_slice(&self.messages.to_le_bytes());
        out.extend_from_slice(&self.unseen.to_le_bytes());
        out.extend_from_slice(&self.deleted.to_le_bytes());
        out.extend_from_slice(&self.recent_from.0.to_le_bytes());
        out.extend_from_slice(&self.octets.to_le_bytes());
        out.extend_from_slice(&self.special.to_le_bytes());
        out.extend_from_slice(&(self.keyword_octets.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.trimmed.0.to_le_bytes());
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
    /// Reads a value of table message.
    #[inline]
    pub fn read(octets: &[u8]) -> Result<Self, Error> {
        let Ok(fixed) = <&[u8; MESSAGE_OCTETS]>::try_from(octets) else {
            return Err(damaged(Table::Message, "row is not 48 octets"));
        };
        Ok(MessageRow {
            modseq: ModSeq(u64_at(fixed, 0)),
            blob: BlobId(u64_at(fixed, 8)),
            keywords: u64_at(fixed, 16),
            internal_date: u64_at(fixed, 24),
            octets: u32_at(fixed, 32),
            flags: u32_at(fixed, 36),
            prefix_octets: u16_at(fixed, 40),
        })
    }

    /// The value.
    pub fn encode(&self) -> [u8; MESSAGE_OCTETS] {
        let mut out = [0; MESSAGE_OCTETS];
        out[..8].copy_from_slice(&self.modseq.0.to_le_bytes());
        out[8..16].copy_from_slice(&self.blob.0.to_le_bytes());
        out[16..24].copy_from_slice(&self.keywords.to_le_bytes());
        out[24..32].copy_from_slice(&self.internal_date.to_le_bytes());
        out[32..36].copy_from_slice(&self.octets.to_le_bytes());
        out[36..40].copy_from_slice(&self.flags.to_le_bytes());
        out[40..42].copy_from_slice(&self.prefix_octets.to_le_bytes());
        out
    }
}

impl BlobRow {
    /// Reads a value of table blob.
    pub fn read(octets: &[u8]) -> Result<Self, Error> {
        let Ok(fixed) = <&[u8; BLOB_OCTETS]>::try_from(octets) else {
            return Err(damaged(Table::Blob, "row is not 64 octets"));
        };
        Ok(BlobRow {
            offset: u64_at(fixed, 0),
            checksum: u64_at(fixed, 8),
            octets: u64_at(fixed, 16),
            stored: u64_at(fixed, 24),
            record: Stretch {
                segment: u32_at(fixed, 52),
                offset: u64_at(fixed, 32),
                octets: u64_at(fixed, 40),
            },
            segment: u32_at(fixed, 48),
            references: u32_at(fixed, 56),
            log: u16_at(fixed, 60),
            encoding: match fixed[62] {
                0 => Encoding::Raw,
                1 => Encoding::Zstd,
                _ => return Err(damaged(Table::Blob, "no such encoding")),
            },
        })
    }

    /// The value.
    pub fn encode(&self) -> [u8; BLOB_OCTETS] {
        let mut out = [0; BLOB_OCTETS];
        out[..8].copy_from_slice(&self.offset.to_le_bytes());
        out[8..16].copy_from_slice(&self.checksum.to_le_bytes());
        out[16..24].copy_from_slice(&self.octets.to_le_bytes());
        out[24..32].copy_from_slice(&self.stored.to_le_bytes());
        out[32..40].copy_from_slice(&self.record.offset.to_le_bytes());
        out[40..48].copy_from_slice(&self.record.octets.to_le_bytes());
        out[48..52].copy_from_slice(&self.segment.to_le_bytes());
        out[52..56].copy_from_slice(&self.record.segment.to_le_bytes());
        out[56..60].copy_from_slice(&self.references.to_le_bytes());
        out[60..62].copy_from_slice(&self.log.to_le_bytes());
        out[62] = self.encoding as u8;
        out
    }
}

impl SegmentRow {
    /// Reads a value of table segment.
    pub fn read(octets: &[u8]) -> Result<Self, Error> {
        let Ok(fixed) = <&[u8; SEGMENT_OCTETS]>::try_from(octets) else {
            return Err(damaged(Table::Segment, "row is not 16 octets"));
        };
        Ok(SegmentRow {
            dead_octets: u64_at(fixed, 0),
            dead_records: u32_at(fixed, 8),
        })
    }

    /// The value.
    pub fn encode(&self) -> [u8; SEGMENT_OCTETS] {
        let mut out = [0; SEGMENT_OCTETS];
        out[..8].copy_from_slice(&self.dead_octets.to_le_bytes());
        out[8..12].copy_from_slice(&self.dead_records.to_le_bytes());
        out
    }
}

impl Position {
    /// Reads a value of table applied.
    pub fn read(octets: &[u8]) -> Result<Self, Error> {
        let Ok(fixed) = <&[u8; APPLIED_OCTETS]>::try_from(octets) else {
            return Err(damaged(Table::Applied, "row is not 20 octets"));
        };
        Ok(Position {
            segment: u32_at(fixed, 0),
            offset: u64_at(fixed, 4),
            sequence: u64_at(fixed, 12),
        })
    }

    /// The value.
    pub fn encode(&self) -> [u8; APPLIED_OCTETS] {
        let mut out = [0; APPLIED_OCTETS];
        out[..4].copy_from_slice(&self.segment.to_le_bytes());
        out[4..12].copy_from_slice(&self.offset.to_le_bytes());
        out[12..].copy_from_slice(&self.sequence.to_le_bytes());
        out
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
    /// Another address, as `Address::key` writes it.
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
