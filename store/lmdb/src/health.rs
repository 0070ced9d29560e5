//! How the index is: for the log, for commands, for whoever watches the server.
//!
//! In:  what came of each commit, how much room the disk has.
//! Out: [`Health`]; and a line for the operator whenever it changes for the worse or the better, once.
//!
//! ```text
//!          commit fails               commit succeeds
//! well ------------------> failing ------------------> well, or low
//! well ------------------> low     ------------------> well
//!      room below the limit        an eighth more than it
//! ```
//! Failing or low, new mail is refused: what the logs hold already must still find room in the index.

use ringpost_api::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How the index is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether it does all it should.
    pub state: State,
    /// Since when, in seconds since 1970 UTC.
    pub since: u64,
    /// Octets of mail durable in the logs and not yet in the index, and what the queue holds of them.
    pub lag_octets: u64,
    /// When the last commit ended well, in seconds since 1970 UTC; 0: none since the start.
    pub last_commit: u64,
    /// Commits since the start.
    pub commits: u64,
    /// Those that failed.
    pub commits_failed: u64,
    /// Writes of all commits.
    pub writes: u64,
    /// Snapshots open now.
    pub readers: u32,
    /// Snapshots open at once at most.
    pub readers_max: u32,
    /// Age of the oldest, in milliseconds.
    pub oldest_reader_ms: u64,
    /// Snapshots that were held for longer than limit `snapshot_age_ms_max`, as far as they were noticed.
    pub readers_late: u64,
    /// What the index may grow to.
    pub map_octets: u64,
    /// Its file.
    pub file_octets: u64,
    /// Of that, pages with rows.
    pub used_octets: u64,
    /// The rest: pages to be used again.
    pub free_octets: u64,
    /// Octets of mail that nobody refers to any more, since the start.
    pub freed_octets: u64,
    /// Room on its disk, when it was last looked at.
    pub disk_free_octets: u64,
}

/// Whether the index does all it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Well,
    /// New mail is refused for now. What was accepted is in the logs.
    Degraded(Reason),
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Commits fail: the disk is full, or a quota, or the file may not grow.
    DiskFull,
    /// The disk has less room than limit `disk_free_octets_min`.
    DiskLow { free_octets: u64 },
    /// Commits fail: the map is full.
    MapFull,
    /// Commits fail otherwise.
    Failing(String),
    /// A commit is under way for so long: the disk does not answer.
    Stuck { seconds: u64 },
}

impl Reason {
    /// Why a commit failed.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::Full => Reason::DiskFull,
            Error::Io(what) if what == crate::env::MAP_FULL => Reason::MapFull,
            error => Reason::Failing(error.to_string()),
        }
    }

    /// Whether both are worth one line in the log.
    fn is_like(&self, other: &Reason) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::DiskFull => f.write_str("the disk is full: make room"),
            Reason::DiskLow { free_octets } => write!(
                f,
                "the disk has {free_octets} octets left, less than limit disk_free_octets_min: make room"
            ),
            Reason::MapFull => f.write_str(crate::env::MAP_FULL),
            Reason::Failing(what) => f.write_str(what),
            Reason::Stuck { seconds } => write!(
                f,
                "a commit is under way for {seconds} s: the disk does not answer"
            ),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Well => f.write_str("well"),
            State::Degraded(reason) => write!(f, "degraded: {reason}"),
        }
    }
}

/// A commit that takes longer has a disk that does not answer. Back-pressure holds new mail back meanwhile.
const STUCK_SECONDS: u64 = 10;

/// What the writer knows of its health, to be looked at from any thread.
#[derive(Default)]
pub(crate) struct Pulse {
    condition: Mutex<Condition>,
    /// Whether new mail is refused: looked at for each.
    refusing: AtomicBool,
    pub commits: AtomicU64,
    pub commits_failed: AtomicU64,
    pub writes: AtomicU64,
    pub last_commit: AtomicU64,
    /// When the commit that is under way began, in seconds since 1970 UTC; 0: none is.
    pub committing: AtomicU64,
    pub readers_late: AtomicU64,
    pub disk_free_octets: AtomicU64,
}

#[derive(Default)]
struct Condition {
    failing: Option<Reason>,
    low: Option<u64>,
    since: u64,
}

impl Condition {
    fn state(&self) -> State {
        match (&self.failing, self.low) {
            (Some(reason), _) => State::Degraded(reason.clone()),
            (None, Some(free_octets)) => State::Degraded(Reason::DiskLow { free_octets }),
            (None, None) => State::Well,
        }
    }
}

impl Pulse {
    pub fn new(now: u64) -> Self {
        let pulse = Pulse::default();
        pulse.condition().since = now;
        pulse
    }

    fn condition(&self) -> MutexGuard<'_, Condition> {
        self.condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How it is as of `now`, and since when.
    pub fn state(&self, now: u64) -> (State, u64) {
        let begun = self.committing.load(Ordering::Relaxed);
        let seconds = now.saturating_sub(begun);
        if begun > 0 && seconds >= STUCK_SECONDS {
            return (State::Degraded(Reason::Stuck { seconds }), begun);
        }
        let condition = self.condition();
        (condition.state(), condition.since)
    }

    /// Whether new mail may come.
    pub fn accepts(&self) -> Result<(), Error> {
        if !self.refusing.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.condition().state() {
            State::Well => Ok(()),
            State::Degraded(Reason::DiskFull | Reason::DiskLow { .. }) => Err(Error::Full),
            State::Degraded(reason) => Err(Error::Io(reason.to_string())),
        }
    }

    /// Puts a new condition; whether the state is another kind than before.
    fn change(&self, now: u64, change: impl FnOnce(&mut Condition)) -> bool {
        let mut condition = self.condition();
        let before = condition.state();
        change(&mut condition);
        let after = condition.state();
        self.refusing.store(after != State::Well, Ordering::Relaxed);
        let is_other = match (&before, &after) {
            (State::Degraded(before), State::Degraded(after)) => !before.is_like(after),
            (before, after) => before != after,
        };
        if is_other {
            condition.since = now;
        }
        is_other
    }

    /// A commit of so many writes is on disk. What to tell of it.
    pub fn committed(&self, now: u64, writes: u64) -> Option<String> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(writes, Ordering::Relaxed);
        self.last_commit.store(now, Ordering::Relaxed);
        if !self.refusing.load(Ordering::Relaxed) {
            return None;
        }
        let was_failing = self.condition().failing.is_some();
        self.change(now, |condition| condition.failing = None);
        was_failing.then(|| "index: commits again".to_owned())
    }

    /// A commit failed. What to tell of it.
    pub fn failed(&self, now: u64, error: &Error) -> Option<String> {
        self.commits_failed.fetch_add(1, Ordering::Relaxed);
        let reason = Reason::of(error);
        let line = format!(
            "index: a commit failed: {reason}; accepted mail is in the logs, new mail is refused, and the commit is tried again"
        );
        let is_new = self.change(now, |condition| condition.failing = Some(reason));
        is_new.then_some(line)
    }

    /// The disk has so much room, and should have more than `least`. What to tell of it.
    pub fn room(&self, now: u64, free_octets: u64, least: u64) -> Option<String> {
        self.disk_free_octets.store(free_octets, Ordering::Relaxed);
        let was_low = self.condition().low.is_some();
        // Once low, an eighth more is wanted, or each freed page would open the doors for one mail.
        let wanted = match was_low {
            true => least.saturating_add(least / 8),
            false => least,
        };
        let is_low = free_octets < wanted;
        if is_low || was_low {
            self.change(now, |condition| {
                condition.low = is_low.then_some(free_octets)
            });
        }
        match (was_low, is_low) {
            (false, true) => Some(format!(
                "{}; new mail is refused until then",
                Reason::DiskLow { free_octets }
            )),
            (true, false) => Some("the disk has room again".to_owned()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_once_and_so_is_their_end() {
        let pulse = Pulse::new(7);
        assert_eq!(pulse.state(0), (State::Well, 7));
        assert_eq!(pulse.committed(8, 3), None);
        assert_eq!(pulse.accepts(), Ok(()));
        assert!(pulse.failed(9, &Error::Full).is_some());
        assert_eq!(pulse.failed(10, &Error::Full), None);
        assert_eq!(
            pulse.state(0),
            (State::Degraded(Reason::DiskFull), 9),
            "since the first"
        );
        assert_eq!(pulse.accepts(), Err(Error::Full));
        // Another kind of failure is news.
        let map = Error::Io(crate::env::MAP_FULL.into());
        assert!(
            pulse
                .failed(11, &map)
                .is_some_and(|line| line.contains("map_octets"))
        );
        assert!(matches!(pulse.accepts(), Err(Error::Io(_))));
        assert!(pulse.failed(12, &Error::Io("EIO".into())).is_some());
        assert_eq!(pulse.failed(13, &Error::Io("other".into())), None);
        assert!(pulse.committed(14, 1).is_some());
        assert_eq!(pulse.committed(15, 1), None);
        assert_eq!(pulse.state(0), (State::Well, 14));
        assert_eq!(pulse.accepts(), Ok(()));
        assert_eq!(pulse.writes.load(Ordering::Relaxed), 5);
    }

    #[test]
    fn room_at_the_limit_and_one_octet_below() {
        let pulse = Pulse::new(0);
        let least = 800;
        // (free, told, accepts)
        let steps = [
            (800, false, true),
            (799, true, false),
            (0, false, false),
            (800, false, false),
            (899, false, false),
            (900, true, true),
            (800, false, true),
        ];
        for (free, told, accepts) in steps {
            assert_eq!(pulse.room(1, free, least).is_some(), told, "{free}");
            assert_eq!(pulse.accepts().is_ok(), accepts, "{free}");
        }
    }

    #[test]
    fn a_commit_that_does_not_end_is_told() {
        let pulse = Pulse::new(0);
        pulse.committing.store(100, Ordering::Relaxed);
        assert_eq!(pulse.state(109).0, State::Well);
        let stuck = State::Degraded(Reason::Stuck { seconds: 10 });
        assert_eq!(pulse.state(110), (stuck, 100));
        pulse.committing.store(0, Ordering::Relaxed);
        assert_eq!(pulse.state(110).0, State::Well);
    }

    /// A commit that succeeds does not make room.
    #[test]
    fn low_stays_low_when_commits_fail_and_recover() {
        let pulse = Pulse::new(0);
        assert!(pulse.room(1, 10, 100).is_some());
        assert!(pulse.failed(2, &Error::Full).is_some());
        assert!(pulse.committed(3, 1).is_some());
        assert_eq!(
            pulse.state(0).0,
            State::Degraded(Reason::DiskLow { free_octets: 10 })
        );
        assert_eq!(pulse.committed(4, 1), None);
    }
}
