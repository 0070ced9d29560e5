//! Buffers of batches that were written, for the next ones.
//!
//! A batch of a busy shard is a megabyte or two. Made anew each time it grows by doubling, copied at each step, through pages
//! that the kernel clears first.
//!
//! In:  what a write gave back. Out: room, empty.
//!
//! Invariant: what is kept is bounded, whatever a batch took.

use std::cell::RefCell;

/// Octets kept by a log: the batch that is written and the one that gathers, of 64 mails of 30 KiB, each grown by doubling.
const KEPT_OCTETS_MAX: usize = 8 * 1024 * 1024;
/// A smaller one is as soon made.
const WORTH_OCTETS: usize = 16 * 1024;

/// What is kept, the largest last.
#[derive(Debug, Default)]
pub(crate) struct Runs(RefCell<Vec<Vec<u8>>>);

impl Runs {
    /// The largest there is, empty; a new one where there is none.
    pub fn take(&self) -> Vec<u8> {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps a buffer, if it is worth it; the smallest ones go for it where too much would be kept.
    pub fn give(&self, mut run: Vec<u8>) {
        if !(WORTH_OCTETS..=KEPT_OCTETS_MAX).contains(&run.capacity()) {
            return;
        }
        run.clear();
        let mut kept = self.0.borrow_mut();
        let at = kept.partition_point(|other| other.capacity() <= run.capacity());
        kept.insert(at, run);
        let mut octets: usize = kept.iter().map(Vec::capacity).sum();
        kept.retain(|run| {
            let stays = octets <= KEPT_OCTETS_MAX;
            octets -= if stays { 0 } else { run.capacity() };
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(octets: usize) -> Vec<u8> {
        let mut run = Vec::with_capacity(octets);
        run.push(1);
        run
    }

    #[test]
    fn the_largest_comes_first_and_empty() {
        let runs = Runs::default();
        for octets in [2, 5, 3] {
            runs.give(run(octets * WORTH_OCTETS));
        }
        for octets in [5, 3, 2, 0] {
            let run = runs.take();
            assert_eq!(run.capacity(), octets * WORTH_OCTETS);
            assert!(run.is_empty());
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let runs = Runs::default();
        runs.give(run(WORTH_OCTETS - 1));
        runs.give(run(KEPT_OCTETS_MAX + 1));
        assert_eq!(runs.take().capacity(), 0);
        // At the bound, and above it.
        for (last, kept) in [(0, 2), (1, 1)] {
            runs.give(run(WORTH_OCTETS));
            runs.give(run(KEPT_OCTETS_MAX - WORTH_OCTETS + last));
            assert_eq!(runs.0.take().len(), kept);
        }
    }
}
