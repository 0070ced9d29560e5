//! The stage: blocking files with switches that make them fail and counters for what a batch costs, and a log whose driver
//! runs when the test says so.

use ringpost_api::Write;
use ringpost_api::item::{Item, Recipient};
use ringpost_api::table::BlobRow;
use ringpost_api::write::{Deliver, Missing, Position, Relocate, Target};
use ringpost_log::file::{Blocking, Files, Mode, SegmentFile, now};
use ringpost_log::{
    Append, Body, Driver, End, Entry, Found, Log, LogError, Options, Record, Recovery, Streamed,
};
use ringpost_types::{AccountId, MailboxId};
use std::cell::{Cell, RefCell};
use std::fs;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Blocking files that count, and fail when told to.
#[derive(Clone, Default)]
pub struct Trial(pub Rc<Counts>);

#[derive(Default)]
pub struct Counts {
    pub writes: Cell<u32>,
    pub syncs: Cell<u32>,
    /// The errno that syncs fail with.
    pub sync_fails: Cell<Option<i32>>,
    /// The errno that reserving space fails with, and from how many octets on.
    pub allocate_fails: Cell<Option<(i32, u64)>>,
    /// How long a sync takes, by `clock`.
    pub sync_time: Cell<Duration>,
    pub clock: Cell<Option<Instant>>,
    /// Pauses, and whether they are over.
    pub pauses: Cell<u32>,
    pub over: Cell<bool>,
    /// Directories that were synced.
    pub folders: RefCell<Vec<PathBuf>>,
    /// Octets of the file when it was last synced.
    pub synced_octets: Cell<u64>,
}

pub struct TrialFile(fs::File, Trial, PathBuf);

impl Files for Trial {
    type File = TrialFile;

    async fn open(&self, path: &Path, mode: Mode) -> io::Result<TrialFile> {
        Ok(TrialFile(
            Blocking.open(path, mode).await?,
            self.clone(),
            path.to_owned(),
        ))
    }

    async fn pause(&self, _: Duration) {
        self.0.pauses.set(self.0.pauses.get() + 1);
        std::future::poll_fn(|_| match self.0.over.get() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    fn clock(&self) -> Instant {
        let clock = self.0.clock.get().unwrap_or_else(Instant::now);
        self.0.clock.set(Some(clock));
        clock
    }
}

pub fn failing(errno: Option<i32>) -> io::Result<()> {
    errno.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
}

impl SegmentFile for TrialFile {
    async fn write_at(&self, octets: Vec<u8>, offset: u64) -> (io::Result<()>, Vec<u8>) {
        let counts = &self.1.0;
        counts.writes.set(counts.writes.get() + 1);
        self.0.write_at(octets, offset).await
    }

    async fn read_at(
        &self,
        octets: Vec<u8>,
        offset: u64,
        limit: usize,
    ) -> (io::Result<()>, Vec<u8>) {
        self.0.read_at(octets, offset, limit).await
    }

    async fn sync_data(&self) -> io::Result<()> {
        let counts = &self.1.0;
        counts.syncs.set(counts.syncs.get() + 1);
        let clock = self.1.clock() + counts.sync_time.get();
        counts.clock.set(Some(clock));
        let metadata = self.0.metadata()?;
        if metadata.is_dir() {
            counts.folders.borrow_mut().push(self.2.clone());
        } else {
            counts.synced_octets.set(metadata.len());
        }
        failing(counts.sync_fails.get())
    }

    async fn allocate(&self, octets: u64) -> io::Result<()> {
        match self.1.0.allocate_fails.get() {
            Some((errno, from)) if octets >= from => {
                if errno == libc::ENOSPC {
                    // Half of it is there all the same, as on ext4.
                    self.0.allocate(octets / 2).await?;
                }
                failing(Some(errno))
            }
            _ => self.0.allocate(octets).await,
        }
    }

    async fn truncate(&self, octets: u64) -> io::Result<()> {
        self.0.truncate(octets).await
    }

    async fn octets(&self) -> io::Result<u64> {
        self.0.octets().await
    }
}

/// A log whose driver runs when the test says so.
pub struct Scene {
    pub log: Log,
    pub driver: Pin<Box<dyn Future<Output = ()>>>,
    pub delivered: Rc<RefCell<Vec<Deliver>>>,
    pub relocated: Rc<RefCell<Vec<Relocate>>>,
}

pub const OPTIONS: Options = Options {
    segment_octets: 64 * 1024,
    compress: false,
};

impl Scene {
    pub fn open(trial: &Trial, data: &Path, end: Position, options: Options) -> Self {
        Scene::of(7, trial, data, end, options)
    }

    /// Of another log.
    pub fn of(log: u16, trial: &Trial, data: &Path, end: Position, options: Options) -> Self {
        let opened: (Log, Driver<Trial>) =
            now(Log::open(trial.clone(), data, log, end, options)).expect("a scratch directory");
        let delivered = Rc::new(RefCell::new(Vec::new()));
        let relocated = Rc::new(RefCell::new(Vec::new()));
        let (seen, moved) = (Rc::clone(&delivered), Rc::clone(&relocated));
        let driver = opened.1.run(move |write, _| match write {
            Write::Deliver(deliver) => seen.borrow_mut().push(deliver),
            Write::Relocate(relocate) => moved.borrow_mut().push(relocate),
            other => panic!("{other:?}"),
        });
        Scene {
            log: opened.0,
            driver: Box::pin(driver),
            delivered,
            relocated,
        }
    }

    /// Lets the driver work until it has nothing to do.
    pub fn turn(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..4 {
            if self.driver.as_mut().poll(&mut context).is_ready() {
                return;
            }
        }
    }

    pub fn append(&mut self, record: Record) -> Result<Deliver, LogError> {
        let mut append = self.log.append(record, None);
        self.turn();
        answer(&mut append)?;
        Ok(self
            .delivered
            .borrow()
            .last()
            .cloned()
            .expect("it was delivered"))
    }
}

pub fn answer(append: &mut Append) -> Result<(), LogError> {
    match Pin::new(append).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.map(|_| ()),
        Poll::Pending => panic!("no answer yet"),
    }
}

/// An envelope in which it leaves too.
fn leaving(fill: u8) -> Item {
    Item {
        sender: Some("a@example.test".into()),
        recipients: vec![Recipient {
            address: format!("{fill}@other.test"),
            ..Recipient::default()
        }],
        ..Item::default()
    }
}

pub fn record(octets: usize, fill: u8) -> Record {
    let target = Target {
        account: AccountId(1),
        mailbox: MailboxId::INBOX,
        missing: Missing::Inbox,
        flags: 0,
        keywords: vec!["$Test".into()],
        internal_date: 1,
        prefix: b"Return-Path: <>\r\n".to_vec(),
    };
    Record {
        targets: vec![target],
        items: vec![leaving(fill)],
        digest: vec![fill; 33],
        text: vec![fill; 5],
        body: Body::Whole(vec![fill; octets]),
    }
}

/// A record of a large mail.
pub fn large(streamed: Streamed) -> Record {
    Record {
        body: Body::Streamed(streamed),
        ..record(0, b'l')
    }
}

/// What recovery finds behind `from`, and where the log goes on.
pub fn recover(data: &Path, from: Position) -> (Vec<Found>, Position) {
    let (found, end) = recover_whole(data, 7, from);
    (found, end.position)
}

/// What recovery of log `log` finds behind `from`, and how it ends.
pub fn recover_whole(data: &Path, log: u16, from: Position) -> (Vec<Found>, End) {
    let mut recovery = Recovery::open(data, log, from).expect("a log");
    let mut found = Vec::new();
    while let Some(one) = recovery.step().expect("readable") {
        found.push(one);
    }
    (found, recovery.finish().expect("writable"))
}

/// The row that the index would have of a mail.
pub fn row(deliver: &Deliver) -> BlobRow {
    Entry::Deliver(deliver.clone()).place()
}

pub fn records(delivers: &[Deliver]) -> Vec<Found> {
    let found = |deliver| Found::Record(Entry::Deliver(deliver));
    delivers.iter().cloned().map(found).collect()
}
