//! Makes a block of the filter out of texts, in steps that a busy thread can afford.
//!
//! In:  messages of one mailbox in order of UID, none left out: [`Builder::add`]; then [`Builder::pack`] until it is done.
//! Out: the rows of the block, for `Write::Filter`.
//!
//! What is kept for a posting is four octets in one of 256 heaps, by the trigram's high octet; a heap is sorted and written
//! in one step. Bounds: [`SLOTS`] messages, [`POSTINGS_MAX`]; a text of more than [`TEXT_OCTETS_MAX`] is not listed.

use super::block::{BITS_OCTETS, HEAD_OCTETS, ROW_OCTETS, VERSION, put_step};
use super::{SLOTS, mixed};
use ringpost_types::Uid;

/// Postings of one block, about: one for each distinct trigram of each message.
const POSTINGS_MAX: usize = 3_000_000;
/// Octets of a text above which it is looked at each time rather than listed.
pub const TEXT_OCTETS_MAX: usize = 256 * 1024;
/// Heaps sorted in one step.
const HEAPS: usize = 8;

/// See the head of this file.
pub struct Builder {
    first: Uid,
    next: Uid,
    uids: Vec<u32>,
    unlisted: Vec<u8>,
    /// Trigram's low 16 bits, slot 10 bits.
    heaps: Vec<Vec<u32>>,
    postings: usize,
    /// A bit for each trigram that the message being added has.
    seen: Vec<u64>,
    distinct: Vec<u32>,
    packed: usize,
    rows: Vec<Vec<u8>>,
    /// First and last trigram of the row being written.
    row: Option<(u32, u32)>,
    firsts: Vec<u8>,
}

impl Builder {
    /// A block that begins at `first`.
    pub fn new(first: Uid) -> Self {
        Builder {
            first,
            next: first,
            uids: Vec::new(),
            unlisted: vec![0; BITS_OCTETS],
            heaps: vec![Vec::new(); 256],
            postings: 0,
            seen: vec![0; (1 << 24) / 64],
            distinct: Vec::new(),
            packed: 0,
            rows: vec![Vec::new()],
            row: None,
            firsts: Vec::new(),
        }
    }

    /// Where the block begins.
    pub fn first(&self) -> Uid {
        self.first
    }

    /// The first UID behind those added.
    pub fn next(&self) -> Uid {
        self.next
    }

    /// Whether no more messages are to be added.
    pub fn is_full(&self) -> bool {
        self.uids.len() >= SLOTS || self.postings >= POSTINGS_MAX
    }

    /// The next message: everything that its texts show; `None` where that is not at hand.
    pub fn add(&mut self, uid: Uid, texts: Option<[&[u8]; 2]>) {
        debug_assert!(
            self.next <= uid && self.uids.len() < SLOTS,
            "in order, and room"
        );
        let slot = self.uids.len();
        self.uids.push(uid.0);
        self.next = Uid(uid.0.saturating_add(1));
        match texts.filter(|texts| texts.iter().all(|text| text.len() <= TEXT_OCTETS_MAX)) {
            Some(texts) => self.list(slot as u32, texts),
            None => self.unlisted[slot / 8] |= 1 << (slot % 8),
        }
    }

    fn list(&mut self, slot: u32, texts: [&[u8]; 2]) {
        for trigram in texts.into_iter().flat_map(|text| text.windows(3)) {
            // Not mixed yet: neighbours in the alphabet are neighbours in cache.
            let number = u32::from_be_bytes([0, trigram[0], trigram[1], trigram[2]]);
            let (word, bit) = (&mut self.seen[number as usize / 64], 1 << (number % 64));
            if *word & bit == 0 {
                *word |= bit;
                self.distinct.push(number);
            }
        }
        self.postings += self.distinct.len();
        for number in self.distinct.drain(..) {
            self.seen[number as usize / 64] = 0;
            let [_, octets @ ..] = number.to_be_bytes();
            let trigram = mixed(&octets);
            self.heaps[trigram as usize >> 16].push((trigram & 0xffff) << 10 | slot);
        }
    }

    /// Sorts and writes some of it; whether it is done.
    pub fn pack(&mut self) -> bool {
        for _ in 0..HEAPS {
            let Some(heap) = self.heaps.get_mut(self.packed) else {
                break;
            };
            let mut heap = std::mem::take(heap);
            heap.sort_unstable();
            let high = (self.packed as u32) << 16;
            for postings in heap.chunk_by(|one, other| one >> 10 == other >> 10) {
                self.entry(high | postings[0] >> 10, postings);
            }
            self.packed += 1;
        }
        self.packed == self.heaps.len()
    }

    fn entry(&mut self, trigram: u32, postings: &[u32]) {
        let mut slots = Vec::with_capacity(BITS_OCTETS);
        let mut before = 0;
        for posting in postings {
            let slot = posting & 0x3ff;
            put_step(slot - before, &mut slots);
            before = slot;
        }
        if slots.len() >= BITS_OCTETS {
            slots.clear();
            slots.resize(BITS_OCTETS, 0);
            for posting in postings {
                let slot = (posting & 0x3ff) as usize;
                slots[slot / 8] |= 1 << (slot % 8);
            }
        }
        // A step and a length take five octets at most.
        let is_full = self
            .rows
            .last()
            .is_none_or(|row| row.len() + slots.len() + 5 > ROW_OCTETS);
        let before = match self.row {
            Some((_, last)) if !is_full => last,
            _ => {
                self.rows.push(Vec::with_capacity(ROW_OCTETS));
                self.firsts.extend_from_slice(&trigram.to_le_bytes()[..3]);
                trigram
            }
        };
        self.row = Some((before, trigram));
        if let Some(row) = self.rows.last_mut() {
            put_step(trigram - before, row);
            row.push(slots.len() as u8);
            row.extend_from_slice(&slots);
        }
    }

    /// The block's rows, the head first.
    pub fn rows(mut self) -> Vec<Vec<u8>> {
        while !self.pack() {}
        let mut head = Vec::with_capacity(HEAD_OCTETS + 3 * SLOTS);
        head.extend_from_slice(&[VERSION, 0]);
        head.extend_from_slice(&(self.uids.len() as u16).to_le_bytes());
        head.extend_from_slice(&self.next.0.to_le_bytes());
        head.extend_from_slice(&((self.rows.len() - 1) as u16).to_le_bytes());
        head.extend_from_slice(&self.unlisted[..self.uids.len().div_ceil(8)]);
        let mut before = self.first.0;
        for uid in &self.uids {
            put_step(uid - before, &mut head);
            before = *uid;
        }
        head.extend_from_slice(&self.firsts);
        self.rows[0] = head;
        self.rows
    }
}
