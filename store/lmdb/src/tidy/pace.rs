//! How fast the tidier may go, and when it is to stop.
//!
//! In:  octets that it is about to read or write.
//! Out: a wait, in the mean so long that no more than the allowed octets go by in a second; or that it is time to end.
//!
//! A wait ends at once when the store closes.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Debts below this are not worth a wait: timers are no finer.
const SHORTEST: Duration = Duration::from_millis(5);

/// Tells a thread to end, and wakes it.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// From now on every wait ends at once.
    pub fn set(&self) {
        let (stopped, wake) = &*self.0;
        *stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        wake.notify_all();
    }

    /// Whether it was told.
    pub fn is_set(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `time`, or until told to end.
    pub fn wait(&self, time: Duration) {
        let (stopped, wake) = &*self.0;
        let guard = stopped.lock().unwrap_or_else(PoisonError::into_inner);
        // Whatever it says, the caller looks at `is_set`.
        let _ = wake.wait_timeout_while(guard, time, |stopped| !*stopped);
    }
}

/// Spreads octets over time.
#[derive(Debug)]
pub(super) struct Pace {
    octets_per_second: u64,
    /// When everything so far is paid for.
    paid: Instant,
}

impl Pace {
    /// So many octets in a second; [`u64::MAX`] waits for nothing.
    pub fn new(octets_per_second: u64) -> Self {
        Pace {
            octets_per_second: octets_per_second.max(1),
            paid: Instant::now(),
        }
    }

    /// What `octets` cost from `now` on: how long to wait in front of the next ones.
    fn charge(&mut self, octets: u64, now: Instant) -> Duration {
        let cost = Duration::from_nanos(
            u64::try_from(u128::from(octets) * 1_000_000_000 / u128::from(self.octets_per_second))
                .unwrap_or(u64::MAX),
        );
        // No credit for the time that nothing was done in.
        self.paid = self.paid.max(now) + cost;
        self.paid - now
    }

    /// Accounts for `octets`, and waits as long as they take.
    pub fn take(&mut self, octets: u64, stop: &Stop) {
        let wait = self.charge(octets, Instant::now());
        if wait >= SHORTEST {
            stop.wait(wait);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_cost_time_and_idleness_earns_none() {
        let mut pace = Pace::new(1_000);
        let begin = pace.paid;
        let after = |ms| begin + Duration::from_millis(ms);
        assert_eq!(pace.charge(500, after(0)), Duration::from_millis(500));
        assert_eq!(pace.charge(500, after(0)), Duration::from_millis(1_000));
        assert_eq!(pace.charge(100, after(5_000)), Duration::from_millis(100));
        let mut free = Pace::new(u64::MAX);
        assert!(free.charge(1 << 40, free.paid) < SHORTEST);
    }

    #[test]
    fn who_is_told_to_stop_waits_for_nothing() {
        let stop = Stop::default();
        let other = stop.clone();
        let waiter = std::thread::spawn(move || {
            while !other.is_set() {
                other.wait(Duration::from_secs(3_600));
            }
        });
        stop.set();
        waiter.join().expect("it ends");
    }
}
