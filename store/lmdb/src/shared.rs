//! What the writer and everyone else share.

use crate::health::Pulse;
use crate::queue::Queue;
use crate::tidy::Gate;
use ringpost_api::Feed;
use ringpost_types::limit::Limits;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError, Weak};

pub(crate) struct Shared {
    pub queue: Queue,
    pub pulse: Pulse,
    /// Octets of mail that nobody refers to any more, since the start.
    pub freed_octets: AtomicU64,
    /// Between the tidier and those who want no space given back now.
    pub gate: Arc<Gate>,
    pub feeds: Mutex<Vec<Weak<dyn Feed>>>,
    /// In force from the next commit on.
    limits: Mutex<Arc<Limits>>,
    /// What the map is to have.
    pub map_octets: AtomicUsize,
    /// Hears what an operator should know.
    pub alarm: fn(&str),
}

impl Shared {
    pub fn new(limits: Limits, map_octets: usize, now: u64, alarm: fn(&str)) -> Self {
        Shared {
            queue: Queue::new(),
            pulse: Pulse::new(now),
            freed_octets: AtomicU64::default(),
            gate: Arc::default(),
            feeds: Mutex::default(),
            limits: Mutex::new(Arc::new(limits)),
            map_octets: AtomicUsize::new(map_octets),
            alarm,
        }
    }

    pub fn limits(&self) -> Arc<Limits> {
        let limits = self.limits.lock();
        limits.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_limits(&self, limits: Limits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(limits);
    }
}
