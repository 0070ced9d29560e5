//! Rows in a transaction: a snapshot's, or those of the one write transaction.
//!
//! In:  keys and values as octets.
//! Out: slices of the memory map, valid as long as the transaction.
//!
//! A write transaction remembers what LMDB answered wrongly: it cannot be committed any more. Rows that nearly every write of
//! a batch changes anew (of the account, its mailbox, the position in the log, the segment) are held back in [`Held`] and
//! put once, at the commit.

use crate::env::{Octets, Tables, failed};
use crate::held::Held;
use crate::readers::Seat;
use heed::{MdbError, RoTxn, RwTxn, WithoutTls};
use ringpost_api::edits::Rows;
use ringpost_api::{Error, Row, Snapshot, Table};
use std::cell::Cell;
use std::ops::{Bound, ControlFlow};

/// A transaction and the tables it looks at.
pub(crate) struct Open<'s, T> {
    // In the order of the drops: a seat is given back after the transaction has ended.
    txn: T,
    tables: Tables,
    /// Of a write transaction alone.
    held: Held,
    trouble: Cell<Trouble>,
    _seat: Option<Seat<'s>>,
}

/// A snapshot, by whoever sits in `seat`.
pub(crate) fn view<'s>(
    txn: RoTxn<'static, WithoutTls>,
    tables: Tables,
    seat: Seat<'s>,
) -> View<'s> {
    Open {
        txn,
        tables,
        held: Held::default(),
        trouble: Cell::default(),
        _seat: Some(seat),
    }
}

/// A write transaction.
pub(crate) fn change(txn: RwTxn<'_>, tables: Tables) -> Change<'_> {
    Open {
        txn,
        tables,
        held: Held::default(),
        trouble: Cell::default(),
        _seat: None,
    }
}

/// A snapshot.
pub(crate) type View<'s> = Open<'s, RoTxn<'static, WithoutTls>>;

/// A write transaction. Dropped, it leaves nothing behind.
pub(crate) type Change<'e> = Open<'static, RwTxn<'e>>;

/// What LMDB has answered within a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trouble {
    #[default]
    None,
    /// Some call failed: nothing more can be done in it.
    Failed,
    /// A page is damaged, or a row is none that LMDB can hold: without the write that met it there is no trouble.
    Write,
}

/// Either kind of transaction, to read in.
pub(crate) trait Readable {
    fn readable(&self) -> &RoTxn<'_>;
}

impl Readable for RoTxn<'_, WithoutTls> {
    fn readable(&self) -> &RoTxn<'_> {
        self
    }
}

impl Readable for RwTxn<'_> {
    fn readable(&self) -> &RoTxn<'_> {
        self
    }
}

impl Change<'_> {
    pub fn commit(mut self) -> Result<(), Error> {
        for (table, key, value) in self.held.rows() {
            let put = self.tables[table as usize].put(&mut self.txn, key, value);
            put.map_err(failed)?;
        }
        self.txn.commit().map_err(failed)
    }

    /// What went wrong in it.
    pub fn trouble(&self) -> Trouble {
        self.trouble.get()
    }
}

impl<T> Open<'_, T> {
    fn table(&self, table: Table) -> &Octets {
        &self.tables[table as usize]
    }

    /// What an error means; remembered, for a transaction that met one is to be given up.
    #[cold]
    fn failed(&self, error: heed::Error) -> Error {
        self.trouble.set(match &error {
            heed::Error::Mdb(
                MdbError::Corrupted | MdbError::PageNotFound | MdbError::BadValSize,
            ) => Trouble::Write,
            _ => Trouble::Failed,
        });
        failed(error)
    }
}

impl<T: Readable> Snapshot for Open<'_, T> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<&[u8]>, Error> {
        if let Some(value) = self.held.get(table, key) {
            return Ok(Some(value));
        }
        self.table(table)
            .get(self.txn.readable(), key)
            .map_err(|error| self.failed(error))
    }

    /// Shows rows from the cursor; no allocation for each of them.
    fn scan(
        &self,
        table: Table,
        within: &[u8],
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let start = Ord::max(from, within);
        let start = if start.is_empty() {
            Bound::Unbounded
        } else {
            Bound::Included(start)
        };
        let range: (Bound<&[u8]>, Bound<&[u8]>) = (start, Bound::Unbounded);
        let rows = self.table(table).range(self.txn.readable(), &range);
        for row in rows.map_err(|error| self.failed(error))? {
            let (key, value) = row.map_err(|error| self.failed(error))?;
            let value = self.held.get(table, key).unwrap_or(value);
            if !begins_with(key, within) || visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, table: Table, within: &[u8]) -> Result<Option<Row<'_>>, Error> {
        let (rows, txn) = (self.table(table), self.txn.readable());
        let last = match within.is_empty() {
            true => rows.last(txn),
            false => rows
                .rev_prefix_iter(txn, within)
                .and_then(|mut rows| rows.next().transpose()),
        };
        let last = last.map_err(|error| self.failed(error))?;
        Ok(last.map(|(key, value)| (key, self.held.get(table, key).unwrap_or(value))))
    }
}

/// `key.starts_with(within)`. Most scans are within a mailbox, 8 octets, for which one comparison of numbers does.
#[inline]
fn begins_with(key: &[u8], within: &[u8]) -> bool {
    match (<[u8; 8]>::try_from(within), key.first_chunk::<8>()) {
        (Ok(within), Some(first)) => u64::from_ne_bytes(within) == u64::from_ne_bytes(*first),
        _ => key.starts_with(within),
    }
}

impl Rows for Change<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Error> {
        if Held::takes(table) {
            if self.held.replace(table, key, value) {
                return Ok(());
            }
            // Only what stands in LMDB too is held: a scan sees its key there.
            if Snapshot::get(self, table, key)?.is_some() && self.held.insert(table, key, value) {
                return Ok(());
            }
        }
        let put = self.tables[table as usize].put(&mut self.txn, key, value);
        put.map_err(|error| self.failed(error))
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Error> {
        self.held.remove(table, key);
        let deleted = self.tables[table as usize].delete(&mut self.txn, key);
        deleted.map(|_| ()).map_err(|error| self.failed(error))
    }
}
