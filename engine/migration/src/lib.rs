//! Mail from and to other servers: Maildir and mbox, into the store and out of it.
//!
//! Reading order: [`mod@maildir`] and [`mod@mbox`] (the formats), [`name`], [`line`] and [`marks`] (what both need);
//! [`source`] (both as one), [`mod@import`] with [`mailboxes`], [`journal`] (what was imported before) and [`operations`] (into
//! log and index); [`past`] (out of a backup).
#![forbid(unsafe_code)]

pub mod error;
pub mod export;
pub mod import;
pub mod journal;
pub mod line;
pub mod mailboxes;
pub mod maildir;
pub mod marks;
pub mod mbox;
pub mod name;
pub mod operations;
pub mod past;
pub mod source;

pub use error::Error;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;

/// What is told while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// So many of so many, counted in `unit`.
    Progress {
        done: u64,
        total: u64,
        unit: &'static str,
    },
    /// Something that was left out.
    Trouble(Trouble),
}

/// Hears it; a break asks to end soon.
pub type Tell<'t> = &'t mut dyn FnMut(Told) -> ControlFlow<()>;

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
