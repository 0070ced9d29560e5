//! How long a peer is waited for: RFC 5321 §4.5.3.2, phase by phase.
//!
//! In:  what is waited for, whether a command has begun, how much of a mail has come. Out: bounds of the connection.
//!
//! | waited for | silence | in all |
//! |---|---|---|
//! | the client's first word | smtp_initial_ms | smtp_initial_ms from the greeting |
//! | a command | smtp_idle_ms | smtp_command_ms from its first octet |
//! | the answer to a challenge | smtp_idle_ms | smtp_command_ms from the challenge |
//! | a mail | smtp_data_block_ms | smtp_data_block_octets must come in each smtp_data_block_ms |
//!
//! Octets that drip in end no silence; what they end is the second bound.

use ringpost_runtime::Connection;
use ringpost_runtime::time::Duration;
use ringpost_smtp::Patience as Phase;
use ringpost_types::limit::Limits;

/// What is waited for at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Nothing yet.
    #[default]
    Nothing,
    Hello,
    /// The next command; nothing of it has come.
    Command,
    /// The rest of a command.
    Rest,
    Response,
    /// This many octets of a mail are missing to the next block.
    Block(u64),
}

/// Bounds, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    silence_ms: u64,
    /// From now on.
    whole_ms: Option<u64>,
}

impl Waiting {
    /// Sees what is waited for next; new bounds where that is something else than before.
    pub fn next(&mut self, phase: Phase, begun: bool, limits: &Limits) -> Option<Bounds> {
        let next = match (phase, begun) {
            (Phase::Hello, _) => Waiting::Hello,
            (Phase::Command, false) => Waiting::Command,
            (Phase::Command, true) => Waiting::Rest,
            (Phase::Response, _) => Waiting::Response,
            (Phase::Block, _) => match *self {
                Waiting::Block(missing) if missing > 0 => Waiting::Block(missing),
                _ => Waiting::Block(limits.smtp_data_block_octets),
            },
        };
        let same = match (*self, next) {
            (Waiting::Block(missing), Waiting::Block(_)) => missing > 0,
            // Each command has its own time, however many come before anything is waited for.
            (before, _) => before == next,
        };
        *self = next;
        (!same).then(|| next.bounds(limits))
    }

    /// So many octets came.
    pub fn came(&mut self, octets: u64) {
        match self {
            Waiting::Block(missing) => *missing = missing.saturating_sub(octets),
            // What came was all of a command or some of it: it is looked at anew.
            Waiting::Command => *self = Waiting::Nothing,
            _ => {}
        }
    }

    /// Whether something has begun that is not finished: a silent peer is idle, one that does not finish is slow.
    pub fn has_begun(self) -> bool {
        matches!(self, Waiting::Rest | Waiting::Block(_))
    }

    /// A command, a response or a mail has ended: whatever comes next has all its time. A chunk that has ended is part of a
    /// mail that goes on, and `next` says so.
    pub fn done(&mut self, next: Phase) {
        match (*self, next) {
            (Waiting::Hello, _) | (Waiting::Block(_), Phase::Block) => {}
            _ => *self = Waiting::Nothing,
        }
    }

    fn bounds(self, limits: &Limits) -> Bounds {
        let (silence_ms, whole_ms) = match self {
            Waiting::Hello => (limits.smtp_initial_ms, Some(limits.smtp_initial_ms)),
            Waiting::Rest | Waiting::Response => {
                (limits.smtp_idle_ms, Some(limits.smtp_command_ms))
            }
            Waiting::Command | Waiting::Nothing => (limits.smtp_idle_ms, None),
            Waiting::Block(_) => (limits.smtp_data_block_ms, Some(limits.smtp_data_block_ms)),
        };
        Bounds {
            silence_ms,
            whole_ms,
        }
    }
}

impl Bounds {
    /// Puts them in force.
    pub fn apply(self, connection: &mut Connection) {
        connection.silence_max(Duration::from_millis(self.silence_ms));
        connection.deadline(self.whole_ms.map(Duration::from_millis));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            smtp_initial_ms: 1,
            smtp_idle_ms: 2,
            smtp_command_ms: 3,
            smtp_data_block_ms: 4,
            smtp_data_block_octets: 100,
            ..Limits::default()
        }
    }

    fn bounds(silence_ms: u64, whole_ms: Option<u64>) -> Option<Bounds> {
        Some(Bounds {
            silence_ms,
            whole_ms,
        })
    }

    /// Drips do not begin a new time; a command that ends, and a block that is full, do.
    #[test]
    fn phases() {
        let limits = limits();
        let mut waiting = Waiting::default();
        let mut next = |phase, begun, came: u64, done: bool| {
            let bounds = waiting.next(phase, begun, &limits);
            waiting.came(came);
            if done {
                waiting.done(phase);
            }
            bounds
        };
        assert_eq!(next(Phase::Hello, false, 1, false), bounds(1, Some(1)));
        assert_eq!(next(Phase::Hello, true, 1, true), None);
        assert_eq!(next(Phase::Hello, false, 6, true), None);
        assert_eq!(next(Phase::Command, false, 1, false), bounds(2, None));
        assert_eq!(next(Phase::Command, true, 1, false), bounds(3 - 1, Some(3)));
        assert_eq!(next(Phase::Command, true, 1, true), None);
        assert_eq!(next(Phase::Command, false, 1, true), bounds(2, None));
        assert_eq!(next(Phase::Response, false, 1, false), bounds(2, Some(3)));
        assert_eq!(next(Phase::Response, true, 1, true), None);
        assert_eq!(next(Phase::Block, false, 99, false), bounds(4, Some(4)));
        assert_eq!(next(Phase::Block, false, 1, false), None);
        assert_eq!(next(Phase::Block, false, 1, false), bounds(4, Some(4)));
        assert_eq!(next(Phase::Block, false, 1, false), None);
        // Nor does a chunk that ends.
        assert_eq!(next(Phase::Block, false, 1, true), None);
        assert_eq!(next(Phase::Block, false, 97, true), None);
        assert_eq!(next(Phase::Block, false, 1, true), bounds(4, Some(4)));
    }
}
