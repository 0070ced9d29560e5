//! The octets of an arriving mail that are in memory, each of them charged to the shard's budget.
//!
//! In:  runs at the end. Out: pieces from the front, when they may go; what is left is contiguous.
//!
//! Invariant: no more is held than is charged, but for the first room: what a peer announces is charged as it is filled,
//! for one that announces much and sends nothing takes pages of nobody.

use crate::Error;
use crate::memory::Charge;

/// A mail that is written away while it comes leaves in pieces of about so many octets.
pub const PIECE_OCTETS: usize = 256 * 1024;

/// Below it a buffer doubles when it grows, in octets.
const SMALL_OCTETS: usize = 1024 * 1024;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Buffer {
    octets: Vec<u8>,
    /// The mail's octets that have left.
    base: usize,
    charge: Charge,
}

impl Buffer {
    /// Begins with `head`, and with room for `room` octets behind it.
    pub fn new(mut charge: Charge, room: usize, head: &[u8]) -> Result<Self, Error> {
        charge.cover(head.len())?;
        let mut octets = Vec::with_capacity(head.len() + room);
        octets.extend_from_slice(head);
        Ok(Buffer {
            octets,
            base: 0,
            charge,
        })
    }

    /// What is in memory.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Octets of the mail in front of those in memory.
    pub fn base(&self) -> usize {
        self.base
    }

    /// Octets of the mail so far.
    pub fn end(&self) -> usize {
        self.base + self.octets.len()
    }

    /// Those in memory from place `at` of the mail on.
    pub fn behind(&self, at: usize) -> &[u8] {
        &self.octets[at - self.base..]
    }

    /// Takes a run at the end; or nothing of it, if the budget has no room.
    pub fn append(&mut self, run: &[u8]) -> Result<(), Error> {
        self.reserve(run.len())?;
        self.octets.extend_from_slice(run);
        Ok(())
    }

    /// Puts `octets` before place `at` of the mail.
    pub fn insert(&mut self, at: usize, octets: &[u8]) -> Result<(), Error> {
        self.reserve(octets.len())?;
        let at = at - self.base;
        self.octets.splice(at..at, octets.iter().copied());
        Ok(())
    }

    /// Takes out what lies before place `end` of the mail. [`Buffer::settle`] follows.
    pub fn detach(&mut self, end: usize) -> Vec<u8> {
        let octets = end - self.base;
        let rest = self.octets[octets..].to_vec();
        let mut piece = std::mem::replace(&mut self.octets, rest);
        piece.truncate(octets);
        self.base = end;
        self.charge.set(piece.capacity() + self.octets.capacity());
        piece
    }

    /// The piece is written: its room is used again for the next one, or, if it is larger than that, given back. It does
    /// not grow here: where the budget is used up it may be small, and taking more is for [`Buffer::reserve`] to ask.
    pub fn settle(&mut self, spare: Vec<u8>) {
        debug_assert!(spare.is_empty(), "a buffer comes back empty");
        let wanted = PIECE_OCTETS.max(self.octets.len());
        let mut next = spare;
        if next.capacity() > 2 * wanted {
            drop(std::mem::take(&mut next));
            next.reserve_exact(wanted);
        }
        next.extend_from_slice(&self.octets);
        self.octets = next;
        self.charge.set(self.octets.capacity());
    }

    /// What is in memory, and what is charged for it.
    pub fn into_parts(self) -> (Vec<u8>, Charge) {
        (self.octets, self.charge)
    }

    /// Makes room for `more` octets: by doubling, a half more from [`SMALL_OCTETS`] on, and to the octet where the budget
    /// has no room for more. What growing takes is charged, filled or not.
    pub fn reserve(&mut self, more: usize) -> Result<(), Error> {
        let (filled, capacity) = (self.octets.len() + more, self.octets.capacity());
        if filled <= capacity {
            return self.charge.cover(filled);
        }
        let part = if capacity < SMALL_OCTETS {
            capacity
        } else {
            capacity / 2
        };
        let mut held = filled.max(capacity + part);
        if self.charge.cover(held).is_err() {
            held = filled;
            self.charge.cover(held)?;
        }
        self.octets.reserve_exact(held - self.octets.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;
    use ringpost_admission::Budget;

    /// What a mail holds is never more than what it is charged for, and the slack is at most a half of it.
    #[test]
    fn all_that_is_held_is_charged() {
        let memory = Memory::new(20 << 20, Budget::unbounded());
        let mut buffer = Buffer::new(memory.charge(), 4_096, b"head").expect("room");
        let run = [b'a'; 16 * 1024];
        while buffer.append(&run).is_ok() {
            let (filled, held) = (buffer.octets.len(), buffer.octets.capacity());
            assert_eq!(memory.taken(), held as u64);
            assert!(filled < SMALL_OCTETS || held <= filled + filled / 2);
        }
        // The last of the budget is used to a run.
        assert!(buffer.octets.len() + run.len() > 20 << 20);
    }

    #[test]
    fn pieces_leave_and_are_charged_no_more() {
        let memory = Memory::new(10 << 20, Budget::unbounded());
        let mut buffer = Buffer::new(memory.charge(), 0, b"").expect("room");
        buffer.append(&[b'a'; 3 << 20]).expect("room");
        buffer.append(b"rest").expect("room");
        let piece = buffer.detach(3 << 20);
        assert_eq!((piece.len(), buffer.octets()), (3 << 20, &b"rest"[..]));
        assert_eq!((buffer.base(), buffer.end()), (3 << 20, (3 << 20) + 4));
        let held = piece.capacity() + buffer.octets.capacity();
        assert_eq!(memory.taken(), held as u64);
        let mut spare = piece;
        spare.clear();
        buffer.settle(spare);
        assert_eq!(memory.taken(), PIECE_OCTETS as u64);
        buffer.append(b"more").expect("room");
        assert_eq!(buffer.behind((3 << 20) + 2), b"stmore");
        // The next piece's room is used again.
        let mut piece = buffer.detach(buffer.end());
        let room = piece.as_ptr();
        piece.clear();
        buffer.settle(piece);
        assert_eq!(buffer.octets.as_ptr(), room);
        drop(buffer);
        assert_eq!(memory.taken(), 0);
    }
}
