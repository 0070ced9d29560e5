//! What a write does to the tables, as a value: puts and deletes in order, what changed, what became free.
//!
//! In:  keys and values from [`crate::apply`].
//! Out: [`Edits::land`] into the rows of a backend's transaction.
//!
//! Invariant: one buffer holds all octets and is kept from write to write, so a write allocates little.

use crate::{Changed, Error, Snapshot, Table};
use ringpost_types::AccountId;

/// The tables inside a transaction: what was put is seen by the next look.
pub trait Rows: Snapshot {
    /// Puts a row, in place of one of the same key.
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Error>;

    /// Removes a row, if it is there.
    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Error>;
}

/// Octets of a segment that nothing points at any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The log.
    pub log: u16,
    /// Number of the segment file.
    pub segment: u32,
    /// The first free octet.
    pub offset: u64,
    /// How many.
    pub octets: u64,
}

/// The effects of one write.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    octets: Vec<u8>,
    list: Vec<Edit>,
    /// Mailboxes that changed, each once.
    pub changed: Vec<Changed>,
    /// Mails that nobody refers to any more.
    pub freed: Vec<Extent>,
    /// Accounts that a mail which was accepted for them did not reach, and why. An alarm for the operator.
    pub missed: Vec<(AccountId, Error)>,
}

#[derive(Clone, Copy, Debug)]
struct Edit {
    table: Table,
    key: usize,
    value: usize,
    end: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Put,
    Delete,
}

impl Edits {
    /// Notes a put.
    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.push(table, key, Kind::Put, |octets| {
            octets.extend_from_slice(value)
        });
    }

    /// Notes a put whose value `encode` appends.
    pub fn put_with(&mut self, table: Table, key: &[u8], encode: impl FnOnce(&mut Vec<u8>)) {
        self.push(table, key, Kind::Put, encode);
    }

    /// Notes a delete.
    pub fn delete(&mut self, table: Table, key: &[u8]) {
        self.push(table, key, Kind::Delete, |_| {});
    }

    fn push(&mut self, table: Table, at: &[u8], kind: Kind, encode: impl FnOnce(&mut Vec<u8>)) {
        let key = self.octets.len();
        self.octets.extend_from_slice(at);
        let value = self.octets.len();
        encode(&mut self.octets);
        self.list.push(Edit {
            table,
            key,
            value,
            end: self.octets.len(),
            kind,
        });
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.octets.clear();
        self.list.clear();
        self.changed.clear();
        self.freed.clear();
        self.missed.clear();
    }

    /// How many rows are touched.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Does it. An error is the engine's, and the whole transaction is to be given up.
    pub fn land(&self, rows: &mut dyn Rows) -> Result<(), Error> {
        for edit in &self.list {
            let key = &self.octets[edit.key..edit.value];
            match edit.kind {
                Kind::Put => rows.put(edit.table, key, &self.octets[edit.value..edit.end])?,
                Kind::Delete => rows.delete(edit.table, key)?,
            }
        }
        Ok(())
    }
}
