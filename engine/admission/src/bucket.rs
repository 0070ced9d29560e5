//! A token bucket in one number: the moment at which it will be empty again.
//!
//! ```text
//! each unit holds it full for `interval` longer; with `count` units in it, it is full; it runs out by itself
//! level = (empty_at - now) / interval
//! ```
//! The plain algorithm keeps a level and when it was last looked at; the moment alone says both (GCRA, ITU-T I.371).
//! Times are microseconds inside, so that a thousand units in a second have whole intervals.

/// So many units in so long; as many may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Units.
    pub count: u64,
    /// In so many milliseconds.
    pub per_ms: u64,
}

impl Rate {
    /// So many in a minute.
    pub const fn per_minute(count: u64) -> Rate {
        Rate {
            count,
            per_ms: 60_000,
        }
    }

    /// So many in an hour.
    pub const fn per_hour(count: u64) -> Rate {
        Rate {
            count,
            per_ms: 3_600_000,
        }
    }

    /// Microseconds that one unit stays. More units than microseconds count as one in each.
    fn interval(self) -> u64 {
        (self.per_ms.saturating_mul(1_000) / self.count.max(1)).max(1)
    }
}

/// One bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    empty_at_us: u64,
}

impl Bucket {
    /// Takes `units` if there is room for all of them; else nothing.
    pub fn take(&mut self, units: u64, now_ms: u64, rate: Rate) -> bool {
        let fits = self.level(now_ms, rate).saturating_add(units) <= rate.count;
        if fits {
            self.add(units, now_ms, rate);
        }
        fits
    }

    /// Takes `units` though it overflows; what is above the brim is not remembered. The level then.
    pub fn add(&mut self, units: u64, now_ms: u64, rate: Rate) -> u64 {
        let now = now_ms.saturating_mul(1_000);
        let level = self.level(now_ms, rate).saturating_add(units);
        let grown = units.saturating_mul(rate.interval());
        let brim = now.saturating_add(rate.count.saturating_mul(rate.interval()));
        self.empty_at_us = self.empty_at_us.max(now).saturating_add(grown).min(brim);
        level
    }

    /// Units in it, a begun one counted whole.
    pub fn level(&self, now_ms: u64, rate: Rate) -> u64 {
        let left = self
            .empty_at_us
            .saturating_sub(now_ms.saturating_mul(1_000));
        left.div_ceil(rate.interval())
    }

    /// When it says nothing any more, Unix milliseconds.
    pub fn empty_at_ms(&self) -> u64 {
        self.empty_at_us.div_ceil(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_the_limit_and_one_above() {
        let rate = Rate::per_minute(3);
        let mut bucket = Bucket::default();
        assert!((0..3).all(|_| bucket.take(1, 1_000, rate)));
        assert!(!bucket.take(1, 1_000, rate));
        // One runs out in 20 s.
        assert!(!bucket.take(1, 20_999, rate));
        assert!(bucket.take(1, 21_000, rate));
        assert!(!bucket.take(1, 21_000, rate));
        assert!(!bucket.take(4, 900_000, rate), "more than it ever holds");
        assert!(bucket.take(3, 900_000, rate));
    }

    #[test]
    fn an_overflow_is_told_and_forgotten() {
        let rate = Rate::per_hour(10);
        let mut bucket = Bucket::default();
        assert_eq!(bucket.add(4, 0, rate), 4);
        assert_eq!(bucket.add(100, 0, rate), 104);
        assert_eq!(bucket.level(0, rate), 10);
        assert_eq!(bucket.empty_at_ms(), 3_600_000);
        assert_eq!(bucket.level(3_599_999, rate), 1);
        assert_eq!(bucket.level(3_600_000, rate), 0);
    }

    #[test]
    fn extremes_do_not_break_it() {
        let most = Rate {
            count: u64::MAX,
            per_ms: 1,
        };
        let mut bucket = Bucket::default();
        assert!(bucket.take(1, u64::MAX, most));
        assert!(
            bucket.take(
                1,
                0,
                Rate {
                    count: 1,
                    per_ms: 0
                }
            ) || bucket.empty_at_us > 0
        );
        let none = Rate {
            count: 0,
            per_ms: 60_000,
        };
        assert!(!Bucket::default().take(1, 5, none));
        // A clock that goes back takes nothing away.
        let rate = Rate::per_minute(1);
        let mut bucket = Bucket::default();
        assert!(bucket.take(1, 60_000, rate));
        assert!(!bucket.take(1, 0, rate));
    }
}
