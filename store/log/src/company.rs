//! Whether a batch waits for company: what the last one teaches about the next.
//!
//! In:  how many records the last batch held, how many came while it was written, and how long that took.
//! Out: how many records to wait for, and for how long at most.
//!
//! Clients that wait for their answer before they send the next mail come in two crowds: while one crowd's batch is
//! written the other's gathers, and each flush serves half of them for good. A short pause brings the crowds together:
//! half the flushes, and the CPU works for the next batch while the disk rests.
//!
//! 50 sessions, mails of 2 KiB, 2 shards on 2 cores beside the generator, flushes of 2 ms counted by the disk for log and
//! index together, medians of runs in turn: on a busy machine 0.111 flushes a mail without and 0.077 with, mails a
//! second alike (10,300 and 10,050), p99 24.5 and 17.8 ms; on a quieter one, the pause always 1 ms, 0.092 and 0.058,
//! 9,300 and 12,900 a second. 4 sessions lose by a pause (2,200 and 1,800 a second), hence [`CROWD`].

use std::time::Duration;

/// Records of so few clients are not worth a pause.
const CROWD: usize = 8;
/// A disk that writes faster than twice this needs no help, and timers are no finer.
const SHORTEST: Duration = Duration::from_micros(500);
/// Nobody waits longer, however slow the disk.
const LONGEST: Duration = Duration::from_millis(2);

/// What the last batch taught.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Company {
    /// Clients that had a record in it or sent one meanwhile.
    clients: usize,
    /// How long it was written.
    took: Duration,
}

impl Company {
    /// A batch of `records` was written while `gathered` others came.
    pub fn learn(records: usize, gathered: usize, took: Duration) -> Self {
        Company {
            clients: records + gathered,
            took,
        }
    }

    /// The records that are worth waiting for, and how long; `None` where `gathered` are enough.
    pub fn pause(&self, gathered: usize) -> Option<(usize, Duration)> {
        let enough = self.clients - self.clients / 4;
        let most = (self.took / 2).min(LONGEST);
        let pays = self.clients >= CROWD && gathered < enough && most >= SHORTEST;
        pays.then_some((enough, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_batch_waits() {
        let (fast, disk, slow) = (
            Duration::from_micros(300),
            Duration::from_millis(3),
            Duration::from_millis(30),
        );
        let half = Duration::from_micros(1500);
        // (records, gathered, took, gathered now, expected)
        let cases = [
            (1, 0, disk, 1, None),
            (4, 3, disk, 1, None),
            (4, 4, disk, 5, Some((6, half))),
            (4, 4, disk, 6, None),
            (13, 12, disk, 12, Some((19, half))),
            (25, 0, disk, 1, Some((19, half))),
            (25, 0, slow, 18, Some((19, LONGEST))),
            (25, 0, slow, 19, None),
            (25, 0, fast, 1, None),
        ];
        for (records, gathered, took, now, expected) in cases {
            let company = Company::learn(records, gathered, took);
            assert_eq!(company.pause(now), expected, "{company:?} {now}");
        }
        assert_eq!(Company::default().pause(1), None);
    }
}
