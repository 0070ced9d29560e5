//! Why an operation on a log did not succeed.

use std::{fmt, io};

/// One variant for each thing a caller does differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogError {
    /// No space left. Temporary: 452 4.3.1. Later appends work again once there is some.
    Full,
    /// The file system failed, with this errno (0: it said none). Temporary for the peer, an alarm for the operator.
    Io(i32),
    /// The record is larger than its length fields can tell. Permanent: 552 5.3.4.
    TooLarge,
    /// What was read is not what was written. An alarm for the operator.
    Damaged,
    /// The segment is gone: the mail was moved or removed since the row was read. Whoever meets it looks at a fresh
    /// snapshot once; met again, it is damage.
    Moved,
    /// The log is closing. Temporary: 421 4.3.2.
    Closed,
}

impl From<io::Error> for LogError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => LogError::Full,
            io::ErrorKind::UnexpectedEof => LogError::Damaged,
            _ => LogError::Io(error.raw_os_error().unwrap_or(0)),
        }
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogError::Full => f.write_str("the disk is full"),
            LogError::Io(errno) => write!(f, "mail log: {}", io::Error::from_raw_os_error(*errno)),
            LogError::TooLarge => f.write_str("the mail is too large for one record"),
            LogError::Damaged => f.write_str("mail log: a record is damaged"),
            LogError::Moved => f.write_str("mail log: the segment of a mail is gone"),
            LogError::Closed => f.write_str("the mail log is closing"),
        }
    }
}

impl std::error::Error for LogError {}
