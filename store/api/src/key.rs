//! Keys of the tables: big-endian, so that octet order is scan order. The shapes are drawn in [`crate::table`].
//!
//! In:  ids.
//! Out: octets on the stack; names, which vary, in a `Vec`. And back: ids out of a key that a scan shows.
//!
//! Invariant: every key is at most 400 octets, because the names in it are checked before they come here.

use crate::table::Place;
use crate::{Error, Table};
use ringpost_types::{AccountId, BlobId, MailboxId, ModSeq, Uid};

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

#[cold]
fn short(table: Table, key: &[u8]) -> Error {
    Error::Damaged(format!(
        "table {}: a key of {} octets is too short",
        table.name(),
        key.len()
    ))
}
