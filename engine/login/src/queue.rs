//! Who may wait for a hash, where many want one. One for all shards, as the threads that hash are.
//!
//! A hash costs a core for tens of milliseconds. Guessers from everywhere can fill any queue, so half of it is not for strangers:
//! whoever logs in from a network where the same name has logged in before finds a place there, and waits for seconds, not
//! for the end of the attack.
//!
//! Invariant: a [`Place`] is given back when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// See the head of this file.
#[derive(Debug)]
pub struct Queue {
    strangers: AtomicUsize,
    strangers_max: usize,
}

/// A place among those who wait.
#[derive(Debug)]
pub struct Place(Option<Arc<Queue>>);

impl Queue {
    /// For a queue of `places`.
    pub fn new(places: u64) -> Arc<Queue> {
        Arc::new(Queue {
            strangers: AtomicUsize::new(0),
            strangers_max: usize::try_from(places / 2).unwrap_or(usize::MAX).max(1),
        })
    }

    /// A place for one who is at home, or for a stranger, if there is one.
    pub fn place(self: &Arc<Self>, is_at_home: bool) -> Option<Place> {
        if is_at_home {
            return Some(Place(None));
        }
        let free = |taken| (taken < self.strangers_max).then_some(taken + 1);
        let taken = self.strangers.fetch_update(Relaxed, Relaxed, free);
        taken.ok().map(|_| Place(Some(self.clone())))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.strangers.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_have_half_of_it() {
        for (places, half) in [(0, 1), (1, 1), (2, 1), (3, 1), (1_000, 500)] {
            let queue = Queue::new(places);
            let mut strangers: Vec<_> = (0..half)
                .map(|_| queue.place(false).expect("a place"))
                .collect();
            assert!(queue.place(false).is_none(), "{places}");
            let home = queue.place(true);
            assert!(home.is_some());
            drop(home);
            assert!(queue.place(false).is_none(), "{places}");
            strangers.pop();
            assert!(queue.place(false).is_some());
            drop(strangers);
            assert_eq!(queue.strangers.load(Relaxed), 0);
        }
    }
}
