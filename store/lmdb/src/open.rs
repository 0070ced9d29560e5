//! A data directory becomes a store: lock, index, replay of every log, writer.
//!
//! In:  the directory, made if it is not there.
//! Out: [`Lmdb`], with every mail applied that a log holds, torn tails cut; or why not, with what to do about it.
//!
//! Every log below the directory is replayed, also those of shards that are no longer run.

use crate::env::{self, Env};
use crate::lock::{self, LockError};
use crate::writer::{self, Message, Request, Shared, Writer};
use crossbeam::channel::{self, Sender};
use ringpost_api::apply::{self, Edits, Rows, Terms};
use ringpost_api::table::{BlobRow, VERSION};
use ringpost_api::write::Position;
use ringpost_api::{Error, Feed, ReplyTo, Snapshot, Store, Table, Write, read};
use ringpost_log::recover::{Damage, Found, RecoverError, Recovery};
use ringpost_log::segment;
use ringpost_types::limit::Limits;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, File};
use std::ops::ControlFlow;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::{fmt, io};

/// Records of one transaction while logs are replayed.
const REPLAY_MAX: usize = 1_000;

/// How the index is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Octets the memory map may grow to. Address space alone: the file is as large as its contents.
    pub map_octets: usize,
    /// Seconds since 1970: what new UIDVALIDITYs are made from.
    pub clock: fn() -> u64,
    /// What writes are bound by.
    pub limits: Limits,
    /// Told, a line at a time, what an operator should know. Called on the writer's thread: it must be quick.
    pub alarm: fn(&str),
}

impl Default for Options {
    fn default() -> Self {
        Options {
            map_octets: 64 * 1024 * 1024 * 1024,
            clock: writer::now,
            limits: Limits::default(),
            alarm: |_| (),
        }
    }
}

/// Why a data directory could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another server has it open.
    Locked { path: PathBuf, pid: Option<u32> },
    /// It was written by a later version of Ringpost.
    Newer { path: PathBuf },
    /// Its index contradicts itself.
    Damaged { path: PathBuf, what: String },
    /// The file system failed, or refused.
    Io { path: PathBuf, error: io::Error },
    /// The index could not be opened or written.
    Index { path: PathBuf, error: Error },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Locked {
                path,
                pid: Some(pid),
            } => write!(
                f,
                "{}: a running server (process {pid}) has this data directory open; \
                 stop it, or use another directory",
                path.display()
            ),
            OpenError::Locked { path, pid: None } => write!(
                f,
                "{}: another process has this data directory open; stop it, or use another directory",
                path.display()
            ),
            OpenError::Newer { path } => write!(
                f,
                "{}: written by a later version of ringpost; run that version or a later one",
                path.display()
            ),
            OpenError::Damaged { path, what } => {
                write!(f, "{}: {what}; restore it from a backup", path.display())
            }
            OpenError::Io { path, error } => write!(f, "{}: {error}", path.display()),
            OpenError::Index { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}

/// What the start found in the logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Records that were not yet in the index.
    pub records: u64,
    /// Stretches that are damaged, with the number of their log. An alarm for the operator.
    pub damages: Vec<(u16, Damage)>,
}

/// The store.
pub struct Lmdb {
    env: Arc<Env>,
    shared: Arc<Shared>,
    queue: Sender<Message>,
    writer: Mutex<Option<JoinHandle<()>>>,
    ends: BTreeMap<u16, Position>,
    replay: Replay,
    /// Held as long as the store is open.
    _lock: File,
}

impl Lmdb {
    /// Opens the store in `data`, replays what its logs hold, and starts the writer.
    pub fn open(data: &Path, options: Options) -> Result<Arc<Self>, OpenError> {
        let index = data.join("index");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&index)
            .map_err(at(&index))?;
        let lock_path = data.join("lock");
        let lock = lock::take(&lock_path).map_err(|error| match error {
            LockError::Held(pid) => OpenError::Locked {
                path: data.to_owned(),
                pid,
            },
            LockError::Io(error) => OpenError::Io {
                path: lock_path.clone(),
                error,
            },
        })?;
        let env = Env::open(&index, options.map_octets)
            .map_err(|error| at_index(&index)(env::failed(error)))?;
        // The names of what was made just now.
        for folder in [&*index, data] {
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(at(folder))?;
        }
        check_version(&env, &index)?;
        let (ends, replay) = replay(&env, data, &index, &options)?;

        let env = Arc::new(env);
        let shared = Arc::new(Shared::new(options.limits, options.alarm));
        let (queue, received) = channel::unbounded();
        let writer = Writer::new(
            Arc::clone(&env),
            Arc::clone(&shared),
            received,
            options.clock,
        );
        let thread = std::thread::Builder::new()
            .name("index".into())
            .spawn(move || writer.run())
            .map_err(at(data))?;
        Ok(Arc::new(Lmdb {
            env,
            shared,
            queue,
            writer: Mutex::new(Some(thread)),
            ends,
            replay,
            _lock: lock,
        }))
    }

    /// Where log `log` goes on: what `Log::open` is to be given. As of the opening of the store.
    pub fn log_end(&self, log: u16) -> Position {
        self.ends.get(&log).copied().unwrap_or_default()
    }

    /// What the start found in the logs.
    pub fn replay(&self) -> &Replay {
        &self.replay
    }

    /// Octets of mail that nobody refers to any more, since the start.
    pub fn freed_octets(&self) -> u64 {
        self.shared.freed_octets.load(Ordering::Relaxed)
    }

    /// The environments of the index, each with its directory below the data directory.
    pub(crate) fn environments(&self) -> Vec<(String, &Env)> {
        vec![("index".to_owned(), &*self.env)]
    }

    /// While it lives no space is given back to the file system: no hole is punched, no segment removed.
    pub fn hold_space(&self) -> Hold {
        self.shared.holds.fetch_add(1, Ordering::SeqCst);
        Hold(Arc::clone(&self.shared))
    }

    /// Puts other limits in force, from the next commit on.
    pub fn set_limits(&self, limits: Limits) {
        *self
            .shared
            .limits
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(limits);
    }

    /// Commits what was submitted and ends the writer. Writes that come later are answered with [`Error::Closed`].
    pub fn close(&self) {
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer {
            let _ = self.queue.send(Message::Close);
            // A writer that panicked has told so itself; what it had not committed is in the logs.
            let _ = writer.join();
        }
    }
}

/// Made by [`Lmdb::hold_space`].
pub struct Hold(Arc<Shared>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.holds.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Lmdb {
    fn drop(&mut self) {
        self.close();
    }
}

impl Store for Lmdb {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, Error> {
        Ok(Box::new(self.env.snapshot()?))
    }

    fn submit(&self, write: Write, reply: Option<ReplyTo>) {
        let lag = writer::lag_octets(&write);
        self.shared.lag_octets.fetch_add(lag, Ordering::Relaxed);
        // A request that cannot be sent answers itself.
        if self
            .queue
            .send(Message::Write(Request { write, reply }))
            .is_err()
        {
            self.shared.lag_octets.fetch_sub(lag, Ordering::Relaxed);
        }
    }

    fn lag_octets(&self) -> u64 {
        self.shared.lag_octets.load(Ordering::Relaxed)
    }

    fn subscribe(&self, feed: Weak<dyn Feed>) {
        self.shared
            .feeds
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(feed);
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> OpenError + use<> {
    let path = path.to_owned();
    |error| OpenError::Io { path, error }
}

fn at_index(path: &Path) -> impl Fn(Error) -> OpenError + use<> {
    let path = path.to_owned();
    move |error| match error {
        Error::Damaged(what) => OpenError::Damaged {
            path: path.clone(),
            what,
        },
        error => OpenError::Index {
            path: path.clone(),
            error,
        },
    }
}

/// A new index gets this version of the schema; one of a later version is left alone.
fn check_version(env: &Env, index: &Path) -> Result<(), OpenError> {
    let failed = at_index(index);
    let mut rows = env.write().map_err(&failed)?;
    match read::number(&rows, "version").map_err(&failed)? {
        VERSION => Ok(()),
        0 => {
            rows.put(Table::Setting, b"version", &VERSION.to_le_bytes())
                .map_err(&failed)?;
            rows.commit().map_err(&failed)
        }
        _ => Err(OpenError::Newer {
            path: index.to_owned(),
        }),
    }
}

/// Applies what the logs hold behind the applied positions, and cuts torn tails; where each log goes on.
fn replay(
    env: &Env,
    data: &Path,
    index: &Path,
    options: &Options,
) -> Result<(BTreeMap<u16, Position>, Replay), OpenError> {
    let mut logs: BTreeSet<u16> = segment::logs(data).map_err(at(data))?.into_iter().collect();
    let mut applied = BTreeMap::new();
    {
        let snapshot = env.snapshot().map_err(at_index(index))?;
        applied_logs(&snapshot, &mut logs).map_err(at_index(index))?;
        for &log in &logs {
            applied.insert(log, read::applied(&snapshot, log).map_err(at_index(index))?);
        }
    }
    let mut told = Replay::default();
    let mut ends = BTreeMap::new();
    for (log, from) in applied {
        let mut recovery = Recovery::open(data, log, from).map_err(recover_failed)?;
        while replay_some(env, log, &mut recovery, &mut told, index, options)? {}
        let end = recovery.finish().map_err(recover_failed)?;
        name_large_mails(env, data, index, log, &end.unnamed)?;
        ends.insert(log, end.position);
    }
    Ok((ends, told))
}

/// Large mails of which a crash left it open whether their record is durable: the index knows those that have one.
fn name_large_mails(
    env: &Env,
    data: &Path,
    index: &Path,
    log: u16,
    unnamed: &[u32],
) -> Result<(), OpenError> {
    if unnamed.is_empty() {
        return Ok(());
    }
    let mut known = BTreeSet::new();
    let snapshot = env.snapshot().map_err(at_index(index))?;
    let scanned = snapshot.scan(Table::Blob, &[], &[], &mut |_, value| {
        // A damaged row may be the one that knows a mail: it keeps them all.
        match BlobRow::read(value) {
            Ok(row) if row.log == log && row.segment != row.record.segment => {
                known.insert(row.segment);
            }
            Ok(_) => {}
            Err(_) => known.extend(unnamed),
        }
        ControlFlow::Continue(())
    });
    scanned.map_err(at_index(index))?;
    for &number in unnamed {
        let settled = match known.contains(&number) {
            true => segment::adopt(data, log, number),
            false => segment::abandon(data, log, number),
        };
        settled.map_err(at(&segment::directory(data, log)))?;
    }
    Ok(())
}

/// Logs that were applied once, whether or not their directory is still there: their sequence goes on.
fn applied_logs(snapshot: &dyn Snapshot, logs: &mut BTreeSet<u16>) -> Result<(), Error> {
    snapshot.scan(Table::Applied, &[], &[], &mut |key, _| {
        logs.extend(<[u8; 2]>::try_from(key).map(u16::from_be_bytes));
        ControlFlow::Continue(())
    })
}

/// One transaction's worth of records; whether there may be more.
fn replay_some(
    env: &Env,
    log: u16,
    recovery: &mut Recovery,
    told: &mut Replay,
    index: &Path,
    options: &Options,
) -> Result<bool, OpenError> {
    let failed = at_index(index);
    let mut rows = env.write().map_err(&failed)?;
    let mut edits = Edits::default();
    let terms = Terms {
        now: (options.clock)(),
        limits: &options.limits,
    };
    let mut more = true;
    for _ in 0..REPLAY_MAX {
        match recovery.step().map_err(recover_failed)? {
            Some(Found::Record(entry)) => {
                told.records += 1;
                // A delivery that is refused was refused before the crash too, or would have been.
                let write = entry.write();
                let outcome =
                    apply::apply(&mut rows, &write, terms, &mut edits).map_err(&failed)?;
                writer::tell_missed(&write, &outcome, &edits, options.alarm);
            }
            Some(Found::Damage(damage)) => told.damages.push((log, damage)),
            None => {
                more = false;
                break;
            }
        }
    }
    rows.commit().map_err(&failed)?;
    Ok(more)
}

fn recover_failed(error: RecoverError) -> OpenError {
    match error {
        RecoverError::Newer(path) => OpenError::Newer { path },
        RecoverError::Io(path, error) => OpenError::Io { path, error },
    }
}
