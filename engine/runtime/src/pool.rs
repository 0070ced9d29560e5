//! Buffers of one size, lent to whoever reads or writes right now.
//!
//! The one given back last is lent first: it is still in the cache. A burst leaves at most
//! [`KEPT_MAX`] buffers behind.

use ringpost_admission::Budget;
use ringpost_admission::memory::Use;
use std::cell::RefCell;
use std::sync::Arc;

/// Octets of one buffer: one full TLS record, and most mails in one read.
pub const BUFFER_OCTETS: usize = 16 * 1024;
/// Unused buffers a shard keeps: 2 MiB.
const KEPT_MAX: usize = 128;

/// A shard's buffers. Each is in the budget, lent or not, with the octets it began with.
#[derive(Debug)]
pub struct Pool {
    free: RefCell<Vec<Vec<u8>>>,
    budget: Arc<Budget>,
}

impl Pool {
    /// Without a buffer.
    pub fn new(budget: Arc<Budget>) -> Pool {
        Pool {
            free: RefCell::default(),
            budget,
        }
    }

    /// Lends an empty buffer of [`BUFFER_OCTETS`].
    pub fn take(&self) -> Vec<u8> {
        let kept = self.free.borrow_mut().pop();
        kept.unwrap_or_else(|| {
            self.budget.add(Use::Connections, BUFFER_OCTETS as u64);
            Vec::with_capacity(BUFFER_OCTETS)
        })
    }

    /// Takes a buffer back. One of another size, having grown with a long command, is freed. One without octets was none.
    pub fn give(&self, mut buffer: Vec<u8>) {
        let mut free = self.free.borrow_mut();
        match buffer.capacity() {
            0 => {}
            BUFFER_OCTETS if free.len() < KEPT_MAX => {
                buffer.clear();
                free.push(buffer);
            }
            _ => self.budget.sub(Use::Connections, BUFFER_OCTETS as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_own_and_not_more_than_it_may() {
        let budget = Budget::unbounded();
        let pool = Pool::new(budget.clone());
        let lent: Vec<_> = (0..KEPT_MAX + 1).map(|_| pool.take()).collect();
        lent.into_iter().for_each(|buffer| pool.give(buffer));
        assert_eq!(pool.free.borrow().len(), KEPT_MAX);
        let kept = |buffers: usize| (buffers * BUFFER_OCTETS) as u64;
        assert_eq!(budget.taken(), kept(KEPT_MAX));
        let mut grown = pool.take();
        grown.resize(BUFFER_OCTETS + 1, 0);
        pool.give(grown);
        assert_eq!(pool.free.borrow().len(), KEPT_MAX - 1);
        assert_eq!(budget.taken(), kept(KEPT_MAX - 1));
        pool.give(Vec::new());
        assert_eq!(budget.taken(), kept(KEPT_MAX - 1));
        assert!(pool.take().is_empty());
    }
}
