//! Buffers of one size, lent to whoever reads or writes right now.
//!
//! The one given back last is lent first: it is still in the cache. A burst leaves at most
//! [`KEPT_MAX`] buffers behind.

use std::cell::RefCell;

/// Octets of one buffer: one full TLS record, and most mails in one read.
pub const BUFFER_OCTETS: usize = 16 * 1024;
/// Unused buffers a shard keeps: 2 MiB.
const KEPT_MAX: usize = 128;

/// A shard's buffers.
#[derive(Debug, Default)]
pub struct Pool {
    free: RefCell<Vec<Vec<u8>>>,
}

impl Pool {
    /// Lends an empty buffer of [`BUFFER_OCTETS`].
    pub fn take(&self) -> Vec<u8> {
        let kept = self.free.borrow_mut().pop();
        kept.unwrap_or_else(|| Vec::with_capacity(BUFFER_OCTETS))
    }

    /// Takes a buffer back. One of another size, having grown with a long command, is freed.
    pub fn give(&self, mut buffer: Vec<u8>) {
        let mut free = self.free.borrow_mut();
        if buffer.capacity() == BUFFER_OCTETS && free.len() < KEPT_MAX {
            buffer.clear();
            free.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_own_and_not_more_than_it_may() {
        let pool = Pool::default();
        let lent: Vec<_> = (0..KEPT_MAX + 1).map(|_| pool.take()).collect();
        lent.into_iter().for_each(|buffer| pool.give(buffer));
        assert_eq!(pool.free.borrow().len(), KEPT_MAX);
        let mut grown = pool.take();
        grown.resize(BUFFER_OCTETS + 1, 0);
        pool.give(grown);
        assert_eq!(pool.free.borrow().len(), KEPT_MAX - 1);
        assert!(pool.take().is_empty());
    }
}
