//! How a connection ended: for its event, for its transcript, and what the peer is told at last.

use crate::refusal;
use ringpost_smtp::reply;
use ringpost_types::Reply;
use std::{fmt, io};

/// See the head of this file.
#[derive(Debug)]
pub(crate) enum End {
    /// QUIT, or a last reply of the session's own.
    Closed,
    /// The peer left without QUIT.
    Left,
    /// Nothing heard.
    Idle,
    /// Octets came, but too slowly.
    Slow,
    /// It spoke before the greeting.
    Early,
    /// It was refused once too often.
    Banned,
    /// Memory is short, and it did nothing.
    Spared,
    /// The server drains.
    Drained,
    /// The connection broke.
    Broken(io::Error),
}

impl End {
    /// What the peer is told at last.
    pub fn reply(&self) -> Option<Reply> {
        match self {
            End::Idle => Some(reply::IDLE_TOO_LONG),
            End::Slow => Some(refusal::TOO_SLOW),
            End::Early => Some(refusal::TALKED_EARLY),
            End::Banned => Some(reply::TOO_MANY_ERRORS),
            End::Spared => Some(refusal::SPARED),
            End::Drained => Some(reply::SHUTTING_DOWN),
            End::Closed | End::Left | End::Broken(_) => None,
        }
    }

    /// Whether the session failed by it, whatever was said before.
    pub fn is_failure(&self) -> bool {
        matches!(self, End::Slow | End::Early | End::Banned)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Closed => f.write_str("closed"),
            End::Left => f.write_str("left by the peer"),
            End::Idle => f.write_str("idle for too long"),
            End::Slow => f.write_str("too slow"),
            End::Early => f.write_str("spoke before the greeting"),
            End::Banned => f.write_str("banned"),
            End::Spared => f.write_str("idle while memory is short"),
            End::Drained => f.write_str("drained"),
            End::Broken(error) => write!(f, "broken: {error}"),
        }
    }
}
