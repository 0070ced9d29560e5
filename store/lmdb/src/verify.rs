//! Everything a store says of itself, compared with what is there: tables with each other, tables with the logs.
//!
//! ```text
//! index     every counter counted again, every row's neighbours looked up                     (one snapshot)
//! segments  every blob row has its file; what lives and what is dead fits into it              (quick ends here)
//! mails     every record read: sound, in the index or free; every mail's octets and checksum
//! whose     which messages are the damaged mails
//! ```
//! Reading order: here, `index`, `logs`, `whose`.
//!
//! In:  an open store, at work or not. Out: a [`Finding`] for each thing that is wrong, with what to do about it.
//!
//! Invariants: nothing is changed; while it runs no space is given back, so no mail moves under it. Memory is bounded
//! whatever the store holds: [`FINDINGS_MAX`] findings are kept, the others counted.

mod index;
mod logs;
mod whose;

use crate::open::Lmdb;
use ringpost_api::Error;
use ringpost_api::verify::Checked;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::ControlFlow;

/// Findings that are told one by one.
pub const FINDINGS_MAX: usize = 1_000;

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Tables and files.
    Quick,
    /// And every octet of every mail.
    Full,
}

/// Something that is not as it ought to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong.
    pub what: String,
    /// With what.
    #[serde(rename = "where")]
    pub place: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.what, self.remedy)
    }
}

/// What was found, and how much was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The first [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more: u64,
    pub accounts: u64,
    pub mailboxes: u64,
    pub messages: u64,
    /// Mails, each once.
    pub mails: u64,
    /// Segments of the logs.
    pub segments: u64,
    /// Octets of their records that were read and are sound.
    pub octets: u64,
}

impl Report {
    fn tell(&mut self, finding: Finding) {
        match self.findings.len() < FINDINGS_MAX {
            true => self.findings.push(finding),
            false => self.more += 1,
        }
    }

    fn checked(&mut self, checked: &Checked) {
        self.accounts += checked.accounts;
        self.mailboxes += checked.mailboxes;
        self.messages += checked.messages;
        self.mails += checked.blobs;
    }
}

/// Is told how many octets of how many are read; a break ends it with [`Error::Closed`].
pub type Told<'t> = &'t mut dyn FnMut(u64, u64) -> ControlFlow<()>;

/// Looks at all of a store.
pub fn verify(store: &Lmdb, depth: Depth, told: Told<'_>) -> Result<Report, Error> {
    let mut report = Report::default();
    let _hold = store.hold_space();
    index::check(store, &mut report)?;
    let damaged = logs::check(store, depth, told, &mut report)?;
    whose::tell(store, damaged, &mut report)?;
    Ok(report)
}
