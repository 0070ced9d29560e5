//! The LMDB environment: one database for each table; opened, closed and opened again in place.
//!
//! In:  a directory, the size of the map.
//! Out: transactions, whose rows are in [`mod@rows`]; how many pages are where.
//!
//! ```text
//! open --reopen()--> closed to newcomers: those who look end --none left--> closed --> open
//!   ^-------------------- someone looks on and on ----'
//! ```
//! LMDB gives an environment up for good when writing a meta page fails, and its map cannot grow under a reader: both are
//! mended by closing it and opening it again, in place. LMDB forbids to have it open twice, so the last snapshot must
//! have ended in between; meanwhile whoever wants a new one is refused, for some milliseconds.
//!
//! Read transactions are not bound to a thread (MDB_NOTLS), since a shard serves many readers on one.

use crate::readers::{Company, Patience, READERS_LONG, READERS_MAX, Readers};
use crate::rows;
pub(crate) use crate::rows::{Change, View};
use crate::usage::{Index, TableUsage};
use heed::types::Bytes;
use heed::{CommitOrAbort, CompactionOption, Database, EnvOpenOptions, MdbError, WithoutTls};
use ringpost_api::{Error, Table};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Read transactions of the writer's own looks, besides those that have a seat.
const READERS_OF_WRITER: usize = 8;
/// Octets of a map below which none is tried: a process that cannot have that much address space cannot serve.
const MAP_OCTETS_MIN: usize = 1 << 30;
/// How often to look whether the last snapshot has ended.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// What is told where the map is full.
pub(crate) const MAP_FULL: &str = "the index map is full: raise [store] map_octets";

pub(crate) type Octets = Database<'static, Bytes, Bytes>;
pub(crate) type Tables = [Octets; Table::ALL.len()];

pub(crate) struct Env {
    path: PathBuf,
    /// `None`: it is closed, and nobody gets a snapshot.
    opened: RwLock<Option<Opened>>,
    /// Whether long snapshots are to end.
    wanted: AtomicBool,
    readers: Readers,
}

/// The environment as it is open now. Whoever has one keeps it from being closed: for one transaction, no longer.
#[derive(Clone)]
pub(crate) struct Opened {
    env: heed::Env<WithoutTls>,
    tables: Tables,
}

/// How many octets are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pages {
    /// The map: what the file may grow to.
    pub map_octets: u64,
    /// The file.
    pub file_octets: u64,
    /// Pages that tables take.
    pub used_octets: u64,
}

impl Env {
    /// Opens or makes the environment in the directory `path`, with all tables.
    pub fn open(path: &Path, map_octets: usize) -> heed::Result<Self> {
        Ok(Env {
            path: path.to_owned(),
            opened: RwLock::new(Some(open(path, map_octets)?)),
            wanted: AtomicBool::new(false),
            readers: Readers::new(READERS_MAX),
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A snapshot for one command.
    pub fn snapshot(&self) -> Result<View<'_>, Error> {
        self.view(Patience::Command)
    }

    /// A snapshot for work that takes long. Its holder is to end it when [`Env::is_wanted`] says so.
    pub fn long_snapshot(&self) -> Result<View<'_>, Error> {
        self.view(Patience::Long)
    }

    /// Writes the whole environment to `out`, page by page, as of one snapshot, while the writer goes on.
    pub fn copy(&self, out: &mut File) -> Result<(), Error> {
        let _seat = self.readers.take(Patience::Long)?;
        let opened = self.opened()?;
        let copied = opened.env.copy_to_file(out, CompactionOption::Disabled);
        copied.map_err(failed)
    }

    fn view(&self, patience: Patience) -> Result<View<'_>, Error> {
        let seat = self.readers.take(patience)?;
        let Opened { env, tables } = self.opened()?;
        let txn = env.static_read_txn().map_err(failed)?;
        Ok(rows::view(txn, tables, seat))
    }

    /// The environment for a write transaction, or for a look besides. Whoever is not the writer has a seat first.
    pub fn opened(&self) -> Result<Opened, Error> {
        match &*self.opened.read().unwrap_or_else(PoisonError::into_inner) {
            Some(opened) => Ok(opened.clone()),
            None => Err(Error::Io(
                "the index is being opened again; try again at once".into(),
            )),
        }
    }

    /// How many octets are where.
    pub fn pages(&self) -> Result<Pages, Error> {
        let _seat = self.readers.take(Patience::Long)?;
        self.opened()?.pages()
    }

    /// Whether the environment is to be closed, and waits for snapshots to end.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Who is looking.
    pub fn company(&self) -> Company {
        self.readers.company()
    }

    /// Closes the environment, if it is open, and opens it with a map of so many octets. Waits at most `patience` for
    /// snapshots to end: after an error everything is as before, or closed, and this is to be called again. For the
    /// writer alone.
    pub fn reopen(&self, map_octets: usize, patience: Duration) -> Result<(), Error> {
        let swap = |opened| {
            let mut own = self.opened.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *own, opened)
        };
        let old = swap(None);
        self.wanted.store(true, Ordering::Relaxed);
        let until = Instant::now() + patience;
        while self.company().readers > 0 {
            if Instant::now() >= until {
                swap(old);
                let readers = self.company().readers;
                return Err(Error::Io(format!(
                    "the index waits for {readers} snapshots to end, to be opened again"
                )));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        // Nobody else has a handle now: this closes it.
        drop(old);
        let opened = open(&self.path, map_octets).map_err(failed)?;
        self.wanted.store(false, Ordering::Relaxed);
        swap(Some(opened));
        Ok(())
    }
}

fn open(path: &Path, map_octets: usize) -> heed::Result<Opened> {
    use std::io::ErrorKind::{InvalidInput, OutOfMemory};
    let mut map_octets = map_octets;
    let env = loop {
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options
            .map_size(map_octets)
            .max_dbs(Table::ALL.len() as u32)
            .max_readers((READERS_MAX + READERS_LONG + READERS_OF_WRITER) as u32);
        // SAFETY: the files below `path` are changed by LMDB alone: the data directory's lock keeps other servers
        // out, and nothing else in this one touches them. No flag that weakens durability or locking is set.
        match unsafe { options.open(path) } {
            // Less address space than was asked for: as much of it as there is.
            Err(heed::Error::Io(error))
                if matches!(error.kind(), OutOfMemory | InvalidInput)
                    && map_octets / 2 >= MAP_OCTETS_MIN =>
            {
                map_octets /= 2;
            }
            opened => break opened?,
        }
    };
    env.clear_stale_readers()?;
    let txn = env.write_txn()?;
    let tables = env.create_databases_and_commit(txn, |opener, txn| {
        let mut tables = Vec::with_capacity(Table::ALL.len());
        for table in Table::ALL {
            tables.push(opener.create_database::<Bytes, Bytes>(txn, Some(table.name()))?);
        }
        let tables: [_; Table::ALL.len()] = tables.try_into().expect("one for each table");
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(tables))
    })?;
    let tables = tables.unwrap_commit();
    Ok(Opened { env, tables })
}

impl Opened {
    pub fn write(&self) -> Result<Change<'_>, Error> {
        let txn = self.env.write_txn().map_err(failed)?;
        Ok(rows::change(txn, self.tables))
    }

    /// Whether LMDB has given the environment up: it serves no transaction any more until it is opened again.
    pub fn is_given_up(&self) -> bool {
        matches!(self.env.read_txn(), Err(heed::Error::Mdb(MdbError::Panic)))
    }

    /// Reads a page for each table.
    fn pages(&self) -> Result<Pages, Error> {
        let txn = self.env.read_txn().map_err(failed)?;
        let info = self.env.info();
        let main = self.env.unnamed_database_stat();
        let octets = u64::from(main.page_size);
        let pages = |stat: &heed::DatabaseStat| {
            (stat.branch_pages + stat.leaf_pages + stat.overflow_pages) as u64
        };
        // Two meta pages, and the table of tables.
        let mut used = 2 + pages(&main);
        for table in &self.tables {
            used += pages(&table.stat(&txn).map_err(failed)?);
        }
        Ok(Pages {
            map_octets: info.map_size as u64,
            file_octets: (info.last_page_number as u64 + 1) * octets,
            used_octets: used * octets,
        })
    }

    /// Each table's pages, and those of the file.
    pub fn usage(&self) -> Result<Index, Error> {
        let txn = self.env.read_txn().map_err(failed)?;
        let pages = self.pages()?;
        let mut index = Index {
            page_octets: u64::from(self.env.unnamed_database_stat().page_size),
            map_octets: pages.map_octets,
            octets: pages.file_octets,
            used_octets: pages.used_octets,
            free_octets: pages.file_octets.saturating_sub(pages.used_octets),
            ..Index::default()
        };
        for table in Table::ALL {
            let stat = self.tables[table as usize].stat(&txn).map_err(failed)?;
            index.tables.push(TableUsage {
                name: table.name().to_owned(),
                rows: stat.entries as u64,
                octets: stat.non_free_page_size() as u64,
                branch_pages: stat.branch_pages as u64,
                leaf_pages: stat.leaf_pages as u64,
                overflow_pages: stat.overflow_pages as u64,
                depth: stat.depth,
            });
        }
        Ok(index)
    }

    /// Puts what was written on disk, also what a failed commit left in the page cache alone.
    pub fn sync(&self) -> Result<(), Error> {
        self.env.force_sync().map_err(failed)
    }
}

/// What an LMDB error means to a caller.
pub(crate) fn failed(error: heed::Error) -> Error {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error {
        heed::Error::Mdb(MdbError::MapFull) => Error::Io(MAP_FULL.into()),
        // A file that may not grow, by its owner's limit or the file system's, is no different from a full disk.
        heed::Error::Io(error)
            if matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge) =>
        {
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
