//! The LMDB environment: one database for each table, snapshots, rows in a write transaction.
//!
//! In:  keys and values as octets.
//! Out: slices of the memory map, valid as long as the transaction.
//!
//! Read transactions are not bound to a thread (MDB_NOTLS), since a shard serves many readers on one.

use heed::types::Bytes;
use heed::{CommitOrAbort, CompactionOption, Database, EnvOpenOptions, MdbError, RoTxn, RwTxn, WithoutTls};
use ringpost_api::edits::Rows;
use ringpost_api::{Error, Row, Snapshot, Table};
use std::fs::File;
use std::ops::{Bound, ControlFlow};
use std::path::Path;

/// Readers at once: one for each command that is looking right now.
const READERS_MAX: u32 = 1_024;

pub(crate) struct Env {
    env: heed::Env<WithoutTls>,
    tables: Tables,
}

type Octets = Database<'static, Bytes, Bytes>;
type Tables = [Octets; Table::ALL.len()];

impl Env {
    /// Opens or makes the environment in the directory `path`, with all tables.
    pub fn open(path: &Path, map_octets: usize) -> heed::Result<Self> {
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options
            .map_size(map_octets)
            .max_dbs(Table::ALL.len() as u32)
            .max_readers(READERS_MAX);
        // SAFETY: the files below `path` are changed by LMDB alone: the data directory's lock keeps other servers
        // out, and nothing else in this one touches them. No flag that weakens durability or locking is set.
        let env = unsafe { options.open(path)? };
        env.clear_stale_readers()?;
        let txn = env.write_txn()?;
        let opened = env.create_databases_and_commit(txn, |opener, txn| {
            let mut tables = Vec::with_capacity(Table::ALL.len());
            for table in Table::ALL {
                tables.push(opener.create_database::<Bytes, Bytes>(txn, Some(table.name()))?);
            }
            let tables: [_; Table::ALL.len()] = tables.try_into().expect("one for each table");
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(tables))
        })?;
        let tables = opened.unwrap_commit();
        Ok(Env { env, tables })
    }

    /// Writes the whole environment to `out`, page by page, as of one snapshot, while the writer goes on.
    pub fn copy(&self, out: &mut File) -> Result<(), Error> {
        let copied = self.env.copy_to_file(out, CompactionOption::Disabled);
        copied.map_err(failed)
    }

    pub fn snapshot(&self) -> Result<View<'_>, Error> {
        let txn = self.env.read_txn().map_err(failed)?;
        Ok(View {
            txn,
            tables: &self.tables,
        })
    }

    pub fn write(&self) -> Result<Change<'_>, Error> {
        let txn = self.env.write_txn().map_err(failed)?;
        Ok(Change {
            txn,
            tables: &self.tables,
        })
    }
}

/// A transaction and the tables it looks at.
pub(crate) struct Open<'e, T> {
    txn: T,
    tables: &'e Tables,
}

/// A snapshot.
pub(crate) type View<'e> = Open<'e, RoTxn<'e, WithoutTls>>;

/// A write transaction. Dropped, it leaves nothing behind.
pub(crate) type Change<'e> = Open<'e, RwTxn<'e>>;

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
    pub fn commit(self) -> Result<(), Error> {
        self.txn.commit().map_err(failed)
    }
}

impl<T: Readable> Snapshot for Open<'_, T> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<&[u8]>, Error> {
        self.tables[table as usize]
            .get(self.txn.readable(), key)
            .map_err(failed)
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
        let rows = self.tables[table as usize].range(self.txn.readable(), &range);
        for row in rows.map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            if !begins_with(key, within) || visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, table: Table, within: &[u8]) -> Result<Option<Row<'_>>, Error> {
        let (table, txn) = (&self.tables[table as usize], self.txn.readable());
        if within.is_empty() {
            return table.last(txn).map_err(failed);
        }
        table
            .rev_prefix_iter(txn, within)
            .map_err(failed)?
            .next()
            .transpose()
            .map_err(failed)
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
        self.tables[table as usize]
            .put(&mut self.txn, key, value)
            .map_err(failed)
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Error> {
        self.tables[table as usize]
            .delete(&mut self.txn, key)
            .map(|_| ())
            .map_err(failed)
    }
}

/// What an LMDB error means to a caller.
pub(crate) fn failed(error: heed::Error) -> Error {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match error {
        heed::Error::Mdb(MdbError::MapFull) => Error::Full,
        heed::Error::Io(error) if matches!(error.kind(), StorageFull | QuotaExceeded) => {
            Error::Full
        }
        heed::Error::Mdb(
            MdbError::Corrupted
            | MdbError::PageNotFound
            | MdbError::Invalid
            | MdbError::VersionMismatch,
        ) => Error::Damaged(format!("index: {error}")),
        error => Error::Io(format!("index: {error}")),
    }
}
