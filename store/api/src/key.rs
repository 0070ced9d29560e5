//! Keys of the tables: big-endian, so that octet order is scan order. The shapes are drawn in [`crate::table`].
//!
//! In:  ids.
//! Out: octets on the stack; names, which vary, in a `Vec`. And back: ids out of a key that a scan shows.
//!
//! Invariant: every key is at most 400 octets, because the names in it are checked before they come here.

use crate::table::Place;
use crate::{Error, Table};
use ringpost_types::{AccountId, BlobId, ItemId, MailboxId, ModSeq, TraceId, Uid};

/// Octets of the longest key. An engine with shorter ones cannot carry the schema.
pub const OCTETS_MAX: usize = 400;

/// Table account; and what every row of an account in the other tables begins with.
pub fn account(account: AccountId) -> [u8; 4] {
    account.0.to_be_bytes()
}

/// Tables mailbox and sweep; and what every message of it begins with.
pub fn mailbox(account: AccountId, mailbox: MailboxId) -> [u8; 8] {
    let mut key = [0; 8];
    key[..4].copy_from_slice(&account.0.to_be_bytes());
    key[4..].copy_from_slice(&mailbox.0.to_be_bytes());
    key
}

/// Table mailbox_name.
pub fn mailbox_name(account: AccountId, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(4 + name.len());
    key.extend_from_slice(&account.0.to_be_bytes());
    key.extend_from_slice(name.as_bytes());
    key
}

/// Tables message and prefix.
pub fn message(account: AccountId, mailbox: MailboxId, uid: Uid) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&account.0.to_be_bytes());
    key[4..8].copy_from_slice(&mailbox.0.to_be_bytes());
    key[8..].copy_from_slice(&uid.0.to_be_bytes());
    key
}

/// Table change.
pub fn change(account: AccountId, place: Place) -> [u8; 20] {
    let mut key = [0; 20];
    key[..4].copy_from_slice(&account.0.to_be_bytes());
    key[4..12].copy_from_slice(&place.modseq.0.to_be_bytes());
    key[12..16].copy_from_slice(&place.mailbox.0.to_be_bytes());
    key[16..].copy_from_slice(&place.uid.0.to_be_bytes());
    key
}

/// The place that a key of table change names.
pub fn place(key: &[u8]) -> Result<Place, Error> {
    Ok(Place {
        modseq: ModSeq(u64_at(Table::Change, key, 4)?),
        mailbox: MailboxId(u32_at(Table::Change, key, 12)?),
        uid: Uid(u32_at(Table::Change, key, 16)?),
    })
}

/// Tables blob, digest and text.
pub fn blob(blob: BlobId) -> [u8; 8] {
    blob.0.to_be_bytes()
}

/// Table free.
pub fn free(log: u16, segment: u32, offset: u64) -> [u8; 14] {
    let mut key = [0; 14];
    key[..6].copy_from_slice(&self::segment(log, segment));
    key[6..].copy_from_slice(&offset.to_be_bytes());
    key
}

/// Table segment; and what every row of a segment in table free begins with.
pub fn segment(log: u16, segment: u32) -> [u8; 6] {
    let mut key = [0; 6];
    key[..2].copy_from_slice(&log.to_be_bytes());
    key[2..].copy_from_slice(&segment.to_be_bytes());
    key
}

/// Table credential; `account` is what every row of an account begins with.
pub fn credential(account: AccountId, kind: u8, id: u32) -> [u8; 9] {
    let mut key = [0; 9];
    key[..4].copy_from_slice(&account.0.to_be_bytes());
    key[4] = kind;
    key[5..].copy_from_slice(&id.to_be_bytes());
    key
}

/// Table queue.
pub fn item(item: ItemId) -> [u8; 8] {
    item.0.to_be_bytes()
}

/// Table due.
pub fn due(ms: u64, item: ItemId) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&ms.to_be_bytes());
    key[8..].copy_from_slice(&item.0.to_be_bytes());
    key
}

/// Table transcript.
pub fn trace(trace: TraceId) -> [u8; 8] {
    trace.0.to_be_bytes()
}

/// Table expire: a row of the table of that kind, by its own key.
pub(crate) fn expire(kind: u8, unix: u64, own: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(EXPIRE_HEAD + own.len());
    key.push(kind);
    key.extend_from_slice(&unix.to_be_bytes());
    key.extend_from_slice(own);
    key
}

/// Octets of a key of table expire in front of the row's own.
pub(crate) const EXPIRE_HEAD: usize = 9;

/// Table applied.
pub fn log(log: u16) -> [u8; 2] {
    log.to_be_bytes()
}

/// Four octets of a key as a number.
#[inline]
pub(crate) fn u32_at(table: Table, key: &[u8], at: usize) -> Result<u32, Error> {
    match key.get(at..at + 4) {
        Some(octets) => Ok(u32::from_be_bytes([
            octets[0], octets[1], octets[2], octets[3],
        ])),
        None => Err(short(table, key)),
    }
}

/// Eight octets of a key as a number.
#[inline]
pub(crate) fn u64_at(table: Table, key: &[u8], at: usize) -> Result<u64, Error> {
    let (high, low) = (u32_at(table, key, at)?, u32_at(table, key, at + 4)?);
    Ok(u64::from(high) << 32 | u64::from(low))
}

/// What is wrong with a key that has not all it should have.
#[cold]
pub(crate) fn short(table: Table, key: &[u8]) -> Error {
    Error::Damaged(format!(
        "table {}: a key of {} octets is too short",
        table.name(),
        key.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::{self, Edits, Terms};
    use crate::{Write, name};
    use ringpost_types::limit::Limits;

    /// Keys of one size are as drawn; keys with a name in them end at the limit, whatever the configuration allows.
    #[test]
    fn no_key_is_longer_than_the_limit() {
        let (account, mailbox, uid) = (AccountId(u32::MAX), MailboxId(1), Uid(2));
        let place = Place {
            modseq: ModSeq(3),
            mailbox,
            uid,
        };
        assert_eq!(
            super::mailbox(account, mailbox),
            [255, 255, 255, 255, 0, 0, 0, 1]
        );
        assert_eq!(message(account, mailbox, uid)[8..], [0, 0, 0, 2]);
        assert_eq!(self::place(&change(account, place)), Ok(place));
        assert_eq!(free(1, 2, 3), [0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3]);

        let long = "ä".repeat(name::OCTETS_MAX / 2);
        assert_eq!(mailbox_name(account, &long).len(), OCTETS_MAX);
        let limits = Limits {
            mailbox_name_octets_max: u64::MAX,
            ..Limits::default()
        };
        assert_eq!(name::check(&long, &limits).as_deref(), Ok(&*long));
        assert!(name::check(&format!("{long}x"), &limits).is_err());
        // An address has 320 octets at most; its key may be longer than it, for lower case may be longer.
        let address = format!("{}@example.test", "Ⱥ".repeat(OCTETS_MAX / 3));
        let alias = Write::AliasRemove { address };
        let (rows, mut edits) = (Nothing, Edits::default());
        let terms = Terms {
            now: 0,
            limits: &limits,
        };
        assert!(apply::plan(&rows, &alias, terms, &mut edits).is_err());
    }

    struct Nothing;

    impl crate::Snapshot for Nothing {
        fn get(&self, _: Table, key: &[u8]) -> Result<Option<&[u8]>, Error> {
            assert!(key.len() <= OCTETS_MAX);
            Ok(None)
        }

        fn scan(
            &self,
            _: Table,
            _: &[u8],
            _: &[u8],
            _: &mut dyn FnMut(&[u8], &[u8]) -> std::ops::ControlFlow<()>,
        ) -> Result<(), Error> {
            Ok(())
        }

        fn last(&self, _: Table, _: &[u8]) -> Result<Option<crate::Row<'_>>, Error> {
            Ok(None)
        }
    }
}
