//! Why a mail was not taken. Nothing of it is kept then.

use ringpost_log::LogError;
use std::fmt;

/// One variant for each thing a service answers differently. All are ours, not the peer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Limit message_memory_octets_max of the shard. Temporary: 452 4.3.1.
    Memory,
    /// Limit delivery_lag_octets_max, and the index did not catch up in time. Temporary: 452 4.3.1.
    Lag,
    /// The log did not take it.
    Log(LogError),
    /// The index refused an append: it is as if it had not been asked.
    Store(ringpost_api::Error),
}

impl From<LogError> for Error {
    fn from(error: LogError) -> Self {
        Error::Log(error)
    }
}

impl From<ringpost_api::Error> for Error {
    fn from(error: ringpost_api::Error) -> Self {
        Error::Store(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Memory => f.write_str("too many octets of mail are arriving"),
            Error::Lag => f.write_str("the index is too far behind the logs"),
            Error::Log(error) => error.fmt(f),
            Error::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}
