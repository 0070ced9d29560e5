//! The index made anew from the logs, as far as they tell it.
//!
//! ```text
//! old index --- as far as it can be read ---> accounts, secrets, addresses, mailboxes     salvage
//!                                              credentials, bans, items of the queue       kept
//! logs -------- all of them, merged by date -> deliveries, moved mails                    replay
//!                                              index.rebuilding --- takes the place of ---> index
//!                                              the old one stays as index.before-rebuild-N
//! ```
//! What the logs do not tell is lost: flags set later, moves, copies, expunges. Mail that was expunged and not yet
//! punched out comes back. UIDs are given anew, so every mailbox gets a new UIDVALIDITY and clients fetch afresh.
//!
//! In:  a data directory that no server has open. Out: [`Rebuilt`]: what was made, and of which accounts what is lost.
//!
//! Invariants: logs are not written to; the old index is moved aside, never removed; the new one takes its place in one step,
//! when it is complete and durable; a run that ends before that has changed nothing.

mod kept;
mod place;
mod replay;
mod salvage;

use crate::env::{self, Env};
use crate::lock::{self, LockError};
use crate::open::{OpenError, Options};
use ringpost_api::apply::{Rows, Terms};
use ringpost_api::table::VERSION;
use ringpost_api::{Error, Table};
use ringpost_types::limit::Limits;
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Damaged stretches that are told one by one.
pub const DAMAGES_MAX: usize = 1_000;

/// Whether the old index is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldIndex {
    /// As far as it can be read.
    Read,
    /// Not at all: reading a badly damaged one may end the process.
    Ignore,
}

/// What was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilt {
    /// The name of the old index now; none where there was none.
    pub old_index: Option<String>,
    /// Why rows of the old index were not taken over; empty: all were that could be of use.
    pub unread: Vec<String>,
    /// Accounts that have mail, or were made for it: what they lose is said of each.
    pub accounts: Vec<Account>,
    /// Mails, each once.
    pub mails: u64,
    pub messages: u64,
    /// Items of the queue that came back.
    pub items: u64,
    /// Of them those that are held, for nobody knows whether they were sent.
    pub held: u64,
    /// Mails for accounts that are no more.
    pub dropped: u64,
    /// Stretches of the logs that are damaged; mails in them are not in the index.
    pub damages: Vec<String>,
    /// How many more there are.
    pub more_damages: u64,
}

/// One account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: u32,
    pub name: String,
    /// Whether it was not in the old index, or that could not be read: it was made, and has no password.
    pub made: bool,
    /// Messages that were delivered to it. Flags set later, moves, copies and expunges are lost.
    pub messages: u64,
}

/// Is told how many octets of how many are read; a break ends it, and nothing has changed.
pub type Told<'t> = &'t mut dyn FnMut(u64, u64) -> ControlFlow<()>;

/// Makes the index of `data` anew. Accounts that nobody knows the name of are made in `domain`.
pub fn rebuild(
    data: &Path,
    domain: &str,
    old_index: OldIndex,
    options: &Options,
    told: Told<'_>,
) -> Result<Rebuilt, OpenError> {
    let lock_path = data.join("lock");
    let _lock = lock::take(&lock_path).map_err(|error| match error {
        LockError::Held(pid) => OpenError::Locked {
            path: data.to_owned(),
            pid,
        },
        LockError::Io(error) => at(&lock_path)(error),
    })?;
    let (index, new) = (data.join("index"), data.join("index.rebuilding"));
    place::clear(data, &index, &new)?;
    let mut builder = DirBuilder::new();
    builder.mode(0o700).create(&new).map_err(at(&new))?;
    let failed = |error| OpenError::Index {
        path: new.clone(),
        error,
    };
    let mut rebuilt = Rebuilt::default();
    {
        let env = Env::open(&new, options.map_octets)
            .map_err(env::failed)
            .map_err(failed)?;
        // Mail that was accepted under other limits is not refused now.
        let limits = Limits {
            account_mailboxes_max: u64::MAX,
            ..options.limits.clone()
        };
        let terms = Terms {
            now: (options.clock)(),
            limits: &limits,
        };
        let known = {
            let opened = env.opened().map_err(failed)?;
            let mut rows = opened.write().map_err(failed)?;
            let version = VERSION.to_le_bytes();
            rows.put(Table::Setting, b"version", &version)
                .map_err(failed)?;
            let known = match old_index {
                OldIndex::Read if index.join("data.mdb").exists() => {
                    salvage::take_over(&index, options.map_octets, terms.now, &mut rows)
                }
                OldIndex::Read => Ok(salvage::Known::nothing("there was no old index")),
                OldIndex::Ignore => Ok(salvage::Known::nothing("the old index was not read")),
            };
            let known = known.map_err(failed)?;
            rows.commit().map_err(failed)?;
            known
        };
        rebuilt.unread = known.unread.clone();
        replay::replay(&env, data, domain, known, terms, &mut rebuilt, told)?;
    }
    for folder in [&new, data] {
        sync(folder)?;
    }
    rebuilt.old_index = place::take(data, &index, &new)?;
    Ok(rebuilt)
}

fn sync(folder: &Path) -> Result<(), OpenError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(at(folder))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> OpenError + use<> {
    let path: PathBuf = path.to_owned();
    |error| OpenError::Io { path, error }
}

/// What the engine said of the new index.
fn failed(data: &Path) -> impl Fn(Error) -> OpenError + use<> {
    let path = data.join("index.rebuilding");
    move |error| OpenError::Index {
        path: path.clone(),
        error,
    }
}
