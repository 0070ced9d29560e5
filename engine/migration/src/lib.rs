//! Mail from and to other servers: Maildir and mbox, into the store and out of it.
//!
//! Reading order: [`mod@maildir`] and [`mod@mbox`] (the formats), [`name`], [`line`] and [`marks`] (what both need).
#![forbid(unsafe_code)]

pub mod line;
pub mod maildir;
pub mod marks;
pub mod mbox;
pub mod name;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// Something that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Where it is.
    pub path: String,
    /// Why.
    pub reason: String,
}

impl Trouble {
    /// What happened at `path`.
    pub fn new(path: &Path, reason: impl fmt::Display) -> Self {
        Trouble {
            path: path.display().to_string(),
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}
