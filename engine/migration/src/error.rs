//! Why an import or an export ended before it was done.

use ringpost_log::LogError;
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// One variant for each thing a caller does differently. What concerns one mail alone is a [`crate::Trouble`].
#[derive(Debug)]
pub enum Error {
    /// What was asked for is not there, or makes no sense: whose fault, and what to do. Permanent.
    Asked(String),
    /// The file system failed at this path.
    Io(PathBuf, io::Error),
    /// The store refused, or failed.
    Store(ringpost_api::Error),
    /// The log of operations did not take mails. They come with the next run.
    Log(LogError),
    /// The operator asked for it. The next run goes on.
    Ended,
}

impl Error {
    /// For `map_err` on what is done at `path`.
    pub fn at(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
        let path = path.to_owned();
        |error| Error::Io(path, error)
    }
}

impl From<ringpost_api::Error> for Error {
    fn from(error: ringpost_api::Error) -> Self {
        Error::Store(error)
    }
}

impl From<LogError> for Error {
    fn from(error: LogError) -> Self {
        Error::Log(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Asked(why) => f.write_str(why),
            Error::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Error::Store(error) => error.fmt(f),
            Error::Log(error) => error.fmt(f),
            Error::Ended => f.write_str("ended before it was done; the same command goes on"),
        }
    }
}

impl std::error::Error for Error {}
