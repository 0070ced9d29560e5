//! The budget of memory that everything a stranger can make grow shares. Limit `memory`.
//!
//! In:  octets taken and given back, by kind, from any thread. Out: how full it is, and whether there is room.
//!
//! It counts what grows with the number and the greed of peers, each kind where it is allocated; the program itself, its
//! tables and thread stacks are not in it. Counters are atomic and spread by kind, so that shards seldom meet on one.
//!
//! Invariant: what a [`Share`] holds is given back when it is dropped.

use crate::shed::Step;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What memory is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Connections: their state, their buffers, TLS.
    Connections,
    /// Mails that are being taken or sent.
    Mails,
    /// Transcripts of sessions.
    Transcripts,
    /// Caches.
    Caches,
    /// What the store holds back before it is on disk.
    Store,
}

impl Use {
    /// All, in the order of their numbers.
    pub const ALL: [Use; 5] = [
        Use::Connections,
        Use::Mails,
        Use::Transcripts,
        Use::Caches,
        Use::Store,
    ];

    /// For status and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Use::Connections => "connections",
            Use::Mails => "mails",
            Use::Transcripts => "transcripts",
            Use::Caches => "caches",
            Use::Store => "store",
        }
    }
}

/// A counter on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line(AtomicU64);

/// The budget.
#[derive(Debug)]
pub struct Budget {
    octets_max: AtomicU64,
    taken: [Line; 5],
}

impl Budget {
    /// So many octets.
    pub fn new(octets_max: u64) -> Arc<Budget> {
        Arc::new(Budget {
            octets_max: AtomicU64::new(octets_max),
            taken: Default::default(),
        })
    }

    /// Without a bound, for tools and tests that have none.
    pub fn unbounded() -> Arc<Budget> {
        Self::new(u64::MAX)
    }

    /// Octets that there are.
    pub fn octets_max(&self) -> u64 {
        self.octets_max.load(Relaxed)
    }

    /// Another bound, from a reload.
    pub fn set_octets_max(&self, octets: u64) {
        self.octets_max.store(octets, Relaxed);
    }

    /// Octets in use.
    pub fn taken(&self) -> u64 {
        let taken = self.taken.iter().map(|line| line.0.load(Relaxed));
        taken.fold(0, u64::saturating_add)
    }

    /// Octets in use for one thing.
    pub fn taken_for(&self, what: Use) -> u64 {
        self.taken[what as usize].0.load(Relaxed)
    }

    /// Takes octets whether there is room or not: what exists already is counted, not refused.
    pub fn add(&self, what: Use, octets: u64) {
        self.taken[what as usize].0.fetch_add(octets, Relaxed);
    }

    /// Gives octets back.
    pub fn sub(&self, what: Use, octets: u64) {
        let before = self.taken[what as usize].0.fetch_sub(octets, Relaxed);
        debug_assert!(before >= octets, "{what:?} gave back more than it took");
    }

    /// Says how much something uses that is measured now and then.
    pub fn set(&self, what: Use, octets: u64) {
        self.taken[what as usize].0.store(octets, Relaxed);
    }

    /// Whether so many octets more would fit.
    pub fn has_room_for(&self, octets: u64) -> bool {
        self.taken().saturating_add(octets) <= self.octets_max()
    }

    /// How much of it is in use, in percent.
    pub fn percent(&self) -> u64 {
        let taken = u128::from(self.taken()) * 100;
        let percent = taken / u128::from(self.octets_max().max(1));
        u64::try_from(percent).unwrap_or(u64::MAX)
    }

    /// Who has to give way now.
    pub fn step(&self) -> Option<Step> {
        Step::at(self.percent())
    }

    /// Begins a share with nothing in it.
    pub fn share(self: &Arc<Self>, what: Use) -> Share {
        Share {
            budget: self.clone(),
            what,
            octets: 0,
        }
    }
}

/// What one holder has taken.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    what: Use,
    octets: u64,
}

impl Share {
    /// Takes more, if it fits.
    pub fn grow(&mut self, octets: u64) -> bool {
        let fits = self.budget.has_room_for(octets);
        if fits {
            self.set(self.octets + octets);
        }
        fits
    }

    /// Says how much it is in all, more or less than before: what is held already is not refused.
    pub fn set(&mut self, octets: u64) {
        match octets >= self.octets {
            true => self.budget.add(self.what, octets - self.octets),
            false => self.budget.sub(self.what, self.octets - octets),
        }
        self.octets = octets;
    }

    /// Octets taken.
    pub fn octets(&self) -> u64 {
        self.octets
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.sub(self.what, self.octets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_the_limit_and_one_above() {
        let budget = Budget::new(100);
        let mut mail = budget.share(Use::Mails);
        assert!(mail.grow(60));
        budget.add(Use::Connections, 30);
        assert!(!mail.grow(11));
        assert!(mail.grow(10));
        assert!(!mail.grow(1));
        assert_eq!((budget.taken(), budget.percent()), (100, 100));
        assert_eq!(budget.step(), Some(Step::Everything));
        mail.set(9);
        assert_eq!((budget.taken(), budget.step()), (39, None));
        mail.set(59);
        assert_eq!(budget.step(), Some(Step::Idlers));
        drop(mail);
        assert_eq!(budget.taken(), 30);
        budget.set(Use::Store, 40);
        assert_eq!((budget.taken(), budget.taken_for(Use::Store)), (70, 40));
        budget.set_octets_max(50);
        assert_eq!(budget.percent(), 140);
        assert!(!budget.has_room_for(0));
    }

    #[test]
    fn no_bound_is_never_reached() {
        let budget = Budget::unbounded();
        let mut share = budget.share(Use::Caches);
        assert!(share.grow(u64::MAX / 2));
        assert_eq!(budget.percent(), 49);
        share.set(1 << 40);
        assert_eq!(budget.step(), None);
    }

    /// Two threads: nothing is lost.
    #[test]
    fn threads_agree() {
        let budget = Budget::new(1 << 30);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for n in 1..2_000 {
                        let mut share = budget.share(Use::Connections);
                        share.set(n);
                        share.set(n / 2);
                    }
                });
            }
        });
        assert_eq!(budget.taken(), 0);
    }
}
