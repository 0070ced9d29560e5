//! Where the octets are: tables of the index, its free pages, segments and what lives in them, the largest accounts.
//!
//! In:  an open store, at work or not. Out: [`Usage`], as of a moment or two: nothing waits for it.
//!
//! Rows of table blob are counted, all of them, some thousands for each snapshot; everything else is looked up.

use crate::open::Lmdb;
use crate::tidy::{self, Place};
use ringpost_api::{Error, Store, Table, read};
use ringpost_log::segment::{self, Holds};
use ringpost_types::BlobId;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Accounts that are told one by one, the largest ones.
pub const ACCOUNTS_MAX: usize = 20;

/// Where the octets are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// One for each environment.
    pub indexes: Vec<Index>,
    pub segments: Vec<Segment>,
    /// The largest first.
    pub largest_accounts: Vec<Account>,
    pub accounts: u64,
    pub messages: u64,
    /// Octets of all messages, each as often as it is in a mailbox.
    pub message_octets: u64,
    /// Mails, each once.
    pub mails: u64,
    /// Octets of the mails as they came in.
    pub mail_octets: u64,
    /// Octets of them as they are stored.
    pub stored_octets: u64,
}

/// One environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its directory below the data directory.
    pub name: String,
    pub page_octets: u64,
    /// Octets that the file may grow to.
    pub map_octets: u64,
    /// Octets of the file.
    pub octets: u64,
    /// Of those, in tables.
    pub used_octets: u64,
    /// The rest: pages that the next writes use first.
    pub free_octets: u64,
    pub tables: Vec<TableUsage>,
}

/// One table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableUsage {
    pub name: String,
    pub rows: u64,
    /// Octets of its pages.
    pub octets: u64,
    /// Pages of keys alone.
    pub branch_pages: u64,
    pub leaf_pages: u64,
    /// Pages of large values.
    pub overflow_pages: u64,
    pub depth: u32,
}

/// One segment of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    pub log: u16,
    pub segment: u32,
    /// Whether it holds one large mail alone.
    pub alone: bool,
    /// Octets of the file.
    pub octets: u64,
    /// Octets that it takes on disk; the file has holes for the rest.
    pub allocated_octets: u64,
    /// Octets of records whose mail is in the index.
    pub live_octets: u64,
    pub live_records: u64,
    /// Octets of records whose mail was let go of, given back or not.
    pub dead_octets: u64,
    /// Of those, octets that are to be given back yet.
    pub waiting_octets: u64,
}

/// One account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: u32,
    pub name: String,
    pub messages: u32,
    pub octets: u64,
    /// 0: none.
    pub quota_octets: u64,
}

impl Usage {
    /// Octets that all of the store takes on disk.
    pub fn disk_octets(&self) -> u64 {
        let indexes = self.indexes.iter().map(|index| index.octets);
        let segments = self.segments.iter().map(|segment| segment.allocated_octets);
        indexes.chain(segments).sum()
    }

    /// Octets of a table, in all environments.
    pub fn table_octets(&self, table: Table) -> u64 {
        let tables = self.indexes.iter().flat_map(|index| &index.tables);
        let of_it = tables.filter(|usage| usage.name == table.name());
        of_it.map(|usage| usage.octets).sum()
    }
}

/// Looks everywhere.
pub fn usage(store: &Lmdb) -> Result<Usage, Error> {
    let mut usage = Usage::default();
    for (name, env) in store.environments() {
        usage.indexes.push(Index {
            name,
            ..env.opened()?.usage()?
        });
    }
    segments(store, &mut usage)?;
    accounts(store, &mut usage)?;
    Ok(usage)
}

fn segments(store: &Lmdb, usage: &mut Usage) -> Result<(), Error> {
    let data = store.data();
    let files = tidy::files(data).map_err(|error| Error::Io(error.to_string()))?;
    let mut segments: BTreeMap<Place, Segment> = files
        .into_iter()
        .map(|(place, holds)| (place, look(data, place, holds)))
        .collect();
    tidy::blobs(store, BlobId(0), |_, row| {
        let Ok(row) = row else {
            return ControlFlow::Continue(());
        };
        usage.mails += 1;
        usage.mail_octets += row.octets;
        usage.stored_octets += row.stored;
        let record = (row.record.segment, row.record.octets);
        let own = (row.segment, row.stored);
        let parts = [Some(record), (own.0 != record.0).then_some(own)];
        for (number, octets) in parts.into_iter().flatten() {
            if let Some(segment) = segments.get_mut(&(row.log, number)) {
                segment.live_octets += octets;
                segment.live_records += 1;
            }
        }
        ControlFlow::Continue(())
    })?;
    let snapshot = store.snapshot()?;
    snapshot.scan(Table::Free, &[], &[], &mut |key, value| {
        if let Some((log, stretch)) = tidy::free_row(key, value)
            && let Some(segment) = segments.get_mut(&(log, stretch.segment))
        {
            segment.waiting_octets += stretch.octets;
        }
        ControlFlow::Continue(())
    })?;
    for (&(log, number), segment) in &mut segments {
        segment.dead_octets = read::segment(&*snapshot, log, number)?.dead_octets;
    }
    usage.segments = segments.into_values().collect();
    Ok(())
}

fn look(data: &Path, (log, number): Place, holds: Holds) -> Segment {
    let found = segment::file(data, log, number, holds).metadata();
    let (octets, blocks) = found.map_or((0, 0), |found| (found.len(), found.blocks()));
    Segment {
        log,
        segment: number,
        alone: holds != Holds::Records,
        octets,
        allocated_octets: blocks * 512,
        ..Segment::default()
    }
}

fn accounts(store: &Lmdb, usage: &mut Usage) -> Result<(), Error> {
    // The smallest of the largest on top.
    let mut largest = BinaryHeap::new();
    let snapshot = store.snapshot()?;
    read::accounts(&*snapshot, |id, row| {
        usage.accounts += 1;
        usage.messages += u64::from(row.messages);
        usage.message_octets += row.octets;
        largest.push(Reverse((row.octets, id)));
        if largest.len() > ACCOUNTS_MAX {
            largest.pop();
        }
        ControlFlow::Continue(())
    })?;
    for Reverse((_, id)) in largest.into_sorted_vec() {
        if let Some(row) = read::account(&*snapshot, id)? {
            usage.largest_accounts.push(Account {
                id: id.0,
                name: row.name.to_owned(),
                messages: row.messages,
                octets: row.octets,
                quota_octets: row.quota_octets,
            });
        }
    }
    Ok(())
}
