//! A data directory becomes a store: lock, index, replay of every log, writer.
//!
//! In:  the directory, made if it is not there.
//! Out: [`Lmdb`], with every mail applied that a log holds, torn tails cut; or why not, with what to do about it.
//!
//! Every log below the directory is replayed, also those of shards that are no longer run.

use crate::batch;
use crate::begin::{self, Failure};
use crate::env::{self, Env};
use crate::health::Health;
use crate::lock::{self, LockError};
use crate::queue;
use crate::readers::READERS_MAX;
use crate::shared::Shared;
use crate::tidy::{self, Gate, Hold};
use crate::watch::{self, Watch};
use crate::writer::{self, Pace, Writer};
use ringpost_api::apply::{Edits, Terms};
use ringpost_api::table::{BlobRow, VERSION};
use ringpost_api::upgrade::{self, Refused, Upgraded};
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
const REPLAY_MAX: usize = 4_000;
/// Octets of their digests, texts and prefixes, about.
const REPLAY_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// Octets of address space set aside for the index: far more than one will have, for a map grows only while nobody reads.
/// x86_64 has 128 TiB for a process, aarch64 as much.
const MAP_OCTETS: usize = 1 << 40;

/// How the index is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Octets the index may grow to. Address space alone: the file is as large as its contents. Where the process may not
    /// have so much, as much as it may.
    pub map_octets: usize,
    /// Seconds since 1970: what new UIDVALIDITYs are made from.
    pub clock: fn() -> u64,
    /// What writes are bound by.
    pub limits: Limits,
    /// How long deliveries are gathered.
    pub pace: Pace,
    /// Octets that the disk of a path has left for us.
    pub room: fn(&Path) -> io::Result<u64>,
    /// Told, a line at a time, what an operator should know. Called on the writer's thread: it must be quick.
    pub alarm: fn(&str),
}

impl Default for Options {
    fn default() -> Self {
        Options {
            map_octets: MAP_OCTETS,
            clock: writer::now,
            limits: Limits::default(),
            pace: Pace::default(),
            room: watch::room,
            alarm: |_| (),
        }
    }
}

/// Why a data directory could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another server has it open.
    Locked { path: PathBuf, pid: Option<u32> },
    /// It was written by a later version of Ringpost, with this version of the schema where that is known.
    Newer { path: PathBuf, version: Option<u32> },
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
            OpenError::Newer {
                path,
                version: Some(version),
            } => write!(
                f,
                "{}: has version {version} of the schema and this ringpost knows {VERSION}; run a later ringpost",
                path.display()
            ),
            OpenError::Newer {
                path,
                version: None,
            } => write!(
                f,
                "{}: written by a later version of ringpost; run that version or a later one",
                path.display()
            ),
            OpenError::Damaged { path, what } => {
                write!(
                    f,
                    "{}: {what}; restore it from a backup, or make the index anew with ringpost rebuild",
                    path.display()
                )
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
    /// Octets that were cut off the end of a log: of mails that nobody was answered for.
    pub cut: Vec<(u16, u64)>,
}

/// The store.
pub struct Lmdb {
    data: PathBuf,
    env: Arc<Env>,
    shared: Arc<Shared>,
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
        begun(data, &index, options.map_octets)?;
        let env = Env::open(&index, options.map_octets)
            .map_err(|error| at_index(&index)(env::failed(error)))?;
        // The names of what was made just now, or by a start that broke off before this line.
        for folder in [&*index, data] {
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(at(folder))?;
        }
        upgraded(&env, data, &index, options.alarm)?;
        let (ends, replay) = replay(&env, data, &index, &options)?;

        let env = Arc::new(env);
        let now = (options.clock)();
        let shared = Shared::new(options.limits, options.map_octets, now, options.alarm);
        let shared = Arc::new(shared);
        let mut writer = Writer::new(
            Arc::clone(&env),
            Arc::clone(&shared),
            Watch::new(options.room),
            options.pace,
            options.clock,
        );
        // Who asks right now is told of a disk that is full.
        writer.look();
        let thread = std::thread::Builder::new()
            .name("index".into())
            .spawn(move || writer.run())
            .map_err(at(data))?;
        Ok(Arc::new(Lmdb {
            data: data.to_owned(),
            env,
            shared,
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

    /// While it lives no space is given back to the file system: no hole is punched, no segment removed, no mail moved.
    pub fn hold_space(&self) -> Hold {
        self.shared.gate.hold()
    }

    /// Where the tidier's steps and those who hold space meet.
    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.shared.gate
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Puts other limits in force, from the next commit on.
    pub fn set_limits(&self, limits: Limits) {
        self.shared.set_limits(limits);
    }

    /// Lets the index grow to so many octets. The map is made anew within a second, or as soon as nobody reads.
    pub fn set_map_octets(&self, map_octets: usize) {
        self.shared.map_octets.store(map_octets, Ordering::Relaxed);
    }

    /// How the index is.
    pub fn health(&self) -> Health {
        let (state, since) = self.shared.pulse.state(writer::now());
        let pulse = &self.shared.pulse;
        let company = self.env.company();
        let pages = self.env.pages().unwrap_or_default();
        Health {
            state,
            since,
            lag_octets: self.lag_octets(),
            last_commit: pulse.last_commit.load(Ordering::Relaxed),
            commits: pulse.commits.load(Ordering::Relaxed),
            commits_failed: pulse.commits_failed.load(Ordering::Relaxed),
            writes: pulse.writes.load(Ordering::Relaxed),
            readers: company.readers,
            readers_max: READERS_MAX as u32,
            oldest_reader_ms: company.oldest.age_ms,
            readers_late: pulse.readers_late.load(Ordering::Relaxed),
            map_octets: pages.map_octets,
            file_octets: pages.file_octets,
            used_octets: pages.used_octets,
            free_octets: pages.file_octets.saturating_sub(pages.used_octets),
            freed_octets: self.freed_octets(),
            disk_free_octets: pulse.disk_free_octets.load(Ordering::Relaxed),
        }
    }

    /// Commits what was submitted and ends the writer. Writes that come later are answered with [`Error::Closed`].
    pub fn close(&self) {
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer {
            self.shared.queue.close();
            // A writer that panicked has told so itself; what it had not committed is in the logs.
            let _ = writer.join();
        }
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
        self.shared.queue.submit(write, reply);
    }

    fn lag_octets(&self) -> u64 {
        self.shared.queue.lag_octets.load(Ordering::Relaxed)
    }

    fn accepts(&self) -> Result<(), Error> {
        self.shared.pulse.accepts()
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

/// Sees to it that there is an index, and makes one where there is none.
///
/// An index is made before any log. Where logs have mails and the index is new, the old one was lost, or its disk is not
/// mounted: it knows none of the accounts, and every mail would be let go of.
fn begun(data: &Path, index: &Path, map_octets: usize) -> Result<(), OpenError> {
    begin::remove_stale(index).map_err(at(index))?;
    if !begin::is_missing(index).map_err(at(index))? {
        return Ok(());
    }
    without_mail(data, index)?;
    begin::make(index, map_octets).map_err(|failure| match failure {
        Failure::Io(error) => at(index)(error),
        Failure::Index(error) => at_index(index)(error),
    })
}

/// That no log has mail, where the index knows of none.
fn without_mail(data: &Path, index: &Path) -> Result<(), OpenError> {
    match tidy::files(data).map_err(at(data))?.is_empty() {
        true => Ok(()),
        false => Err(OpenError::Damaged {
            path: index.to_owned(),
            what: "the index is not there, and the logs have mail".to_owned(),
        }),
    }
}

/// Brings the index to this version of the schema, in one transaction; one of a later version is left alone.
fn upgraded(env: &Env, data: &Path, index: &Path, alarm: fn(&str)) -> Result<(), OpenError> {
    let failed = at_index(index);
    let opened = env.opened().map_err(&failed)?;
    let mut rows = opened.write().map_err(&failed)?;
    let found = upgrade::upgrade(&mut rows).map_err(|refused| match refused {
        Refused::Newer(version) => OpenError::Newer {
            path: index.to_owned(),
            version: Some(version),
        },
        Refused::Store(error) => failed(error),
    })?;
    if found == Upgraded::Nothing {
        return Ok(());
    }
    if found == Upgraded::New {
        without_mail(data, index)?;
    }
    rows.commit().map_err(&failed)?;
    if let Upgraded::From(version) = found {
        alarm(&format!(
            "index: upgraded from version {version} of the schema to version {VERSION}"
        ));
    }
    Ok(())
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
        if end.cut_octets > 0 {
            told.cut.push((log, end.cut_octets));
        }
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
    let terms = Terms {
        now: (options.clock)(),
        limits: &options.limits,
    };
    let (mut writes, mut octets) = (Vec::new(), 0);
    let mut more = true;
    while writes.len() < REPLAY_MAX && octets < REPLAY_OCTETS_MAX {
        match recovery.step().map_err(recover_failed)? {
            Some(Found::Record(entry)) => {
                let write = entry.write();
                octets += queue::octets(&write);
                writes.push(write);
            }
            Some(Found::Damage(damage)) => told.damages.push((log, damage)),
            None => {
                more = false;
                break;
            }
        }
    }
    told.records += writes.len() as u64;
    // A delivery that is refused was refused before the crash too, or would have been.
    let opened = env.opened().map_err(&failed)?;
    let applied = batch::commit(&opened, writes.iter(), terms, &mut Edits::default());
    let applied = applied.map_err(&failed)?;
    applied.lines.iter().for_each(|line| (options.alarm)(line));
    Ok(more)
}

pub(crate) fn recover_failed(error: RecoverError) -> OpenError {
    match error {
        RecoverError::Newer(path) => OpenError::Newer {
            path,
            version: None,
        },
        RecoverError::Io(path, error) => OpenError::Io { path, error },
    }
}
