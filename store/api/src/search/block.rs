//! One block of the filter: some messages of a mailbox, and for each trigram which of them have it.
//!
//! In:  rows of table filter, as [`super::build`] wrote them.
//! Out: sets of slots; the UIDs of slots.
//!
//! Key: account u32, mailbox u32, first UID u32, row u16. Row 0 is the head, little-endian:
//!
//! ```text
//!  0         1      2       4          8       10          10 + n/8
//!  | version | zero | slots | next UID | rows  | unlisted  | UIDs          | first trigrams
//! ```
//! `next UID` is where the next block begins: blocks leave no gap, so each is found by its key alone. `unlisted` has a
//! bit for each slot whose text is not listed and has to be looked at. UIDs: LEB128 steps from the first UID. First
//! trigrams: u24 for each row from 1 on, the lowest trigram in it, ascending.
//!
//! A row from 1 on: entries, ascending by trigram. An entry: LEB128 step from the trigram before (the first: from the
//! row's first trigram), how many octets u8, and the slots in so many octets: 128 are a bit set, fewer are LEB128
//! steps from the slot before, the first from 0.
//!
//! Invariant: no octets, however damaged, make a panic or a loop without end.

use super::{SLOTS, damaged};
use crate::{Error, Snapshot, Table, key};
use ringpost_types::{AccountId, MailboxId, Uid};

/// Octets of one row at most: a page of LMDB without its head.
pub(super) const ROW_OCTETS: usize = 4_080;
pub(super) const VERSION: u8 = 1;
/// Octets of a bit set.
pub(super) const BITS_OCTETS: usize = SLOTS / 8;
/// Octets of a head in front of `unlisted`.
pub(super) const HEAD_OCTETS: usize = 10;

/// A set of slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bits([u64; SLOTS / 64]);

impl Bits {
    /// The first `slots` of them.
    fn first(slots: usize) -> Self {
        let mut bits = Bits::default();
        for (at, word) in bits.0.iter_mut().enumerate() {
            let left = slots.saturating_sub(64 * at).min(64) as u32;
            *word = u64::MAX.checked_shr(64 - left).unwrap_or(0);
        }
        bits
    }

    /// From octets, bit 0 of the first being slot 0; what is missing is not in the set.
    fn read(octets: &[u8]) -> Self {
        let mut bits = Bits::default();
        for (word, octets) in bits.0.iter_mut().zip(octets.chunks(8)) {
            let mut whole = [0; 8];
            whole[..octets.len()].copy_from_slice(octets);
            *word = u64::from_le_bytes(whole);
        }
        bits
    }

    pub(super) fn and(&mut self, other: &Bits) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word &= other;
        }
    }

    pub(super) fn or(&mut self, other: &Bits) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(super) fn has(&self, slot: usize) -> bool {
        self.0[slot / 64 % self.0.len()] >> (slot % 64) & 1 == 1
    }

    fn add(&mut self, slot: usize) {
        if let Some(word) = self.0.get_mut(slot / 64) {
            *word |= 1 << (slot % 64);
        }
    }
}

/// Key of a row.
pub(crate) fn row_key(account: AccountId, mailbox: MailboxId, first: Uid, row: u16) -> [u8; 14] {
    let mut key = [0; 14];
    key[..12].copy_from_slice(&key::message(account, mailbox, first));
    key[12..].copy_from_slice(&row.to_be_bytes());
    key
}

/// Where the block of this head ends.
pub(crate) fn next(head: &[u8]) -> Option<Uid> {
    let octets = head.get(4..8)?;
    Some(Uid(u32::from_le_bytes(octets.try_into().ok()?)))
}

/// A block, open.
pub struct Block<'t> {
    snapshot: &'t dyn Snapshot,
    account: AccountId,
    mailbox: MailboxId,
    first: Uid,
    next: Uid,
    slots: usize,
    unlisted: &'t [u8],
    uids: &'t [u8],
    trigrams: &'t [u8],
}

impl<'t> Block<'t> {
    /// The block that begins at `first`, if there is one.
    pub fn open(
        snapshot: &'t dyn Snapshot,
        account: AccountId,
        mailbox: MailboxId,
        first: Uid,
    ) -> Result<Option<Self>, Error> {
        let key = row_key(account, mailbox, first, 0);
        let Some(head) = snapshot.get(Table::Filter, &key)? else {
            return Ok(None);
        };
        let short = || damaged("a head is too short");
        let (fixed, rest) = head.split_first_chunk::<HEAD_OCTETS>().ok_or_else(short)?;
        let slots = usize::from(u16::from_le_bytes([fixed[2], fixed[3]]));
        let next = Uid(u32::from_le_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]));
        let rows = usize::from(u16::from_le_bytes([fixed[8], fixed[9]]));
        // The check of `next` keeps a walk over blocks from going round.
        if fixed[0] != VERSION || slots > SLOTS || next <= first {
            return Err(damaged("a head contradicts itself"));
        }
        let (unlisted, rest) = rest.split_at_checked(slots.div_ceil(8)).ok_or_else(short)?;
        let uids = rest.len().checked_sub(3 * rows).ok_or_else(short)?;
        let (uids, trigrams) = rest.split_at(uids);
        Ok(Some(Block {
            snapshot,
            account,
            mailbox,
            first,
            next,
            slots,
            unlisted,
            uids,
            trigrams,
        }))
    }

    /// Where the next block begins.
    pub fn next(&self) -> Uid {
        self.next
    }

    /// Its slots.
    #[allow(clippy::len_without_is_empty)] // Blocks are not made empty.
    pub fn len(&self) -> usize {
        self.slots
    }

    /// The UIDs of its slots, ascending.
    pub fn uids(&self) -> impl Iterator<Item = Uid> + use<'t> {
        let (mut rest, mut uid) = (self.uids, self.first.0);
        (0..self.slots).map_while(move |_| {
            uid = uid.checked_add(step(&mut rest)?)?;
            Some(Uid(uid))
        })
    }

    /// All slots.
    pub(super) fn everyone(&self) -> Bits {
        Bits::first(self.slots)
    }

    /// Slots whose text is not listed.
    pub(super) fn unlisted(&self) -> Bits {
        Bits::read(self.unlisted)
    }

    /// Slots whose text has the trigram.
    pub(super) fn slots(&self, trigram: u32) -> Result<Bits, Error> {
        let (first, row) = match self.row_of(trigram) {
            Some(found) => found,
            None => return Ok(Bits::default()),
        };
        let key = row_key(self.account, self.mailbox, self.first, row);
        let octets = self.snapshot.get(Table::Filter, &key)?;
        let octets = octets.ok_or_else(|| damaged("a row is missing"))?;
        find(octets, first, trigram).ok_or_else(|| damaged("a row ends within an entry"))
    }

    /// The row that can have the trigram: its first one, and its number.
    fn row_of(&self, trigram: u32) -> Option<(u32, u16)> {
        let (firsts, _) = self.trigrams.as_chunks::<3>();
        let number = |octets: &[u8; 3]| u32::from_le_bytes([octets[0], octets[1], octets[2], 0]);
        let row = firsts.partition_point(|octets| number(octets) <= trigram);
        let first = number(firsts.get(row.checked_sub(1)?)?);
        Some((first, row as u16))
    }
}

/// The slots of `wanted` in a row that begins with trigram `first`. `None`: the row is damaged.
fn find(mut rest: &[u8], first: u32, wanted: u32) -> Option<Bits> {
    let mut trigram = first;
    while !rest.is_empty() {
        trigram = trigram.checked_add(step(&mut rest)?)?;
        let (&octets, behind) = rest.split_first()?;
        let (slots, behind) = behind.split_at_checked(usize::from(octets))?;
        rest = behind;
        if trigram == wanted {
            return Some(listed(slots));
        }
        if trigram > wanted {
            break;
        }
    }
    Some(Bits::default())
}

fn listed(mut slots: &[u8]) -> Bits {
    if slots.len() == BITS_OCTETS {
        return Bits::read(slots);
    }
    let (mut bits, mut slot) = (Bits::default(), 0);
    while let Some(by) = step(&mut slots) {
        slot += by as usize;
        bits.add(slot);
    }
    bits
}

/// LEB128, at most 35 bits of which 32 count.
#[inline]
fn step(rest: &mut &[u8]) -> Option<u32> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let (&octet, behind) = rest.split_first()?;
        *rest = behind;
        value |= u32::from(octet & 0x7f).checked_shl(shift)?;
        if octet < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Appends LEB128.
pub(super) fn put_step(mut value: u32, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
