//! Living mails move out of a segment that is to be given up, into the log of moved mails.
//!
//! ```text
//! record read, checked ---> appended to the log of moved mails, durable ---> Write::Relocate, durable ---> old place free
//! ```
//! In:  a closed segment and its living mails. Out: how many have moved; a damaged one stays where it is.
//!
//! A batch is a few megabytes: one write, one sync and one commit for all of it, and readers go on meanwhile. A large mail,
//! alone in a file of its own, moves by a second name for its file: not an octet of it is copied.
//!
//! Invariant: what is in the log of moved mails is told to the index in order, now or by the replay of the next start.

use super::census::{Living, Place};
use super::pace::{Pace, Stop};
use super::records::{Records, lives_at};
use crate::open::Lmdb;
use ringpost_api::table::BlobRow;
use ringpost_api::write::Position;
use ringpost_api::{Answer, Error, Outcome, ReplyTo, Sink, Store, Write, read};
use ringpost_log::file::{Blocking, now};
use ringpost_log::record::{Entry, Stored};
use ringpost_log::recover::Found;
use ringpost_log::segment;
use ringpost_log::{Append, Log, LogError, REWRITE};
use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Octets that move together.
const BATCH_OCTETS: u64 = 4 * 1024 * 1024;
/// Mails that move together.
const BATCH_MAILS: usize = 512;
/// While so many octets of new mail wait for the index, moving waits.
const LAG_OCTETS: u64 = 16 * 1024 * 1024;
/// How often is looked whether they still do, and whether space is still held.
const AGAIN: Duration = Duration::from_millis(50);

/// What came of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// Mails that are elsewhere now.
    pub mails: u64,
    /// Octets of their records.
    pub octets: u64,
    /// Mails that were let go of meanwhile.
    pub gone: u64,
}

/// The log of moved mails, open.
pub(super) struct Rewriter<'s> {
    store: &'s Lmdb,
    data: PathBuf,
    log: Log,
    driver: Pin<Box<dyn Future<Output = ()> + 's>>,
    end: Position,
}

impl<'s> Rewriter<'s> {
    /// Opens it, to go on at `end`.
    pub fn open(
        store: &'s Lmdb,
        data: &Path,
        end: Position,
        segment_octets: u64,
    ) -> Result<Self, Error> {
        let options = ringpost_log::Options {
            segment_octets,
            ..ringpost_log::Options::default()
        };
        let opened = now(Log::open(Blocking, data, REWRITE, end, options));
        let (log, driver) = opened.map_err(failed)?;
        Ok(Rewriter {
            store,
            data: data.to_owned(),
            log,
            driver: Box::pin(driver.run(move |write, reply| store.submit(write, reply))),
            end,
        })
    }

    /// Moves what lives in a segment.
    pub fn segment(
        &mut self,
        place: Place,
        living: &Living,
        pace: &mut Pace,
        stop: &Stop,
    ) -> Result<Moved, Error> {
        let (log, number) = place;
        let path = segment::path(&self.data, log, number);
        let file = File::open(&path).map_err(|error| failed(error.into()))?;
        let wanted: BTreeMap<u64, _> = living.mails.iter().copied().collect();
        let mut records = Records::open(&self.data, place);
        let (mut moved, mut batch, mut octets) = (Moved::default(), Vec::new(), 0);
        loop {
            let found = records.step()?;
            let last = found.is_none();
            if let Some(Found::Record(entry)) = found {
                let is = entry.place();
                pace.take(is.record.octets, stop);
                // Of version 1 it is the mail that is known.
                if wanted.contains_key(&is.record.offset) || wanted.contains_key(&is.offset) {
                    octets += is.record.octets;
                    batch.push(entry);
                }
            }
            if octets >= BATCH_OCTETS || batch.len() >= BATCH_MAILS || last {
                self.wait(stop)?;
                let entries = std::mem::take(&mut batch);
                let some = self.batch(entries, &file, pace, stop)?;
                moved.mails += some.mails;
                moved.octets += some.octets;
                moved.gone += some.gone;
                octets = 0;
            }
            if last {
                return Ok(moved);
            }
        }
    }

    /// Moves some mails, and waits until the index says so.
    fn batch(
        &mut self,
        entries: Vec<Entry>,
        file: &File,
        pace: &mut Pace,
        stop: &Stop,
    ) -> Result<Moved, Error> {
        let gate = Arc::clone(self.store.gate());
        let _step = loop {
            match gate.step() {
                Some(step) => break step,
                None if stop.is_set() => return Err(Error::Closed),
                None => stop.wait(AGAIN),
            }
        };
        let (sender, answers) = mpsc::channel();
        let sink: Arc<dyn Sink> = Arc::new(Wait(Mutex::new(sender)));
        let mut moved = Moved::default();
        let (mut appends, mut trouble) = (Vec::new(), None);
        for entry in entries {
            let place = entry.place();
            // What was let go of since it was counted is not moved.
            let blob = entry.blob();
            let row = {
                let snapshot = self.store.snapshot()?;
                read::blob(&*snapshot, blob)?
            };
            if row.is_none_or(|row| !lives_at(&row, &place)) {
                moved.gone += 1;
                continue;
            }
            let stored = match self.stored(&place, file) {
                Ok(stored) => stored,
                Err(error @ (LogError::Full | LogError::Closed)) => {
                    trouble = Some(error);
                    break;
                }
                // It stays where it is.
                Err(_) => continue,
            };
            pace.take(place.record.octets, stop);
            moved.mails += 1;
            moved.octets += place.record.octets;
            let reply = ReplyTo {
                sink: Arc::clone(&sink),
                token: 0,
            };
            appends.push(self.log.relocate(entry.carried(), stored, Some(reply)));
        }
        // All of them, whatever became of one: what is durable is not written over.
        let mut durable = 0;
        for append in appends {
            match self.until(append) {
                Ok(place) => {
                    durable += 1;
                    self.end = place.next;
                }
                Err(error) => trouble = trouble.or(Some(error)),
            }
        }
        for _ in 0..durable {
            answers.recv().map_err(|_| Error::Closed)?.1?;
        }
        if let Some(error) = trouble {
            return Err(failed(error));
        }
        Ok(moved)
    }

    /// A mail's stored octets: read, or under a second name.
    fn stored(&self, place: &BlobRow, file: &File) -> Result<Stored, LogError> {
        if place.segment != place.record.segment {
            let linked = now(self.log.link(Blocking, place.log, place.segment));
            return linked.map(Stored::Linked);
        }
        let mut octets = vec![0; place.stored as usize];
        file.read_exact_at(&mut octets, place.offset)?;
        Ok(Stored::Octets(octets))
    }

    /// Drives the log until an append is answered.
    fn until(&mut self, append: Append) -> Result<ringpost_log::Durable, LogError> {
        let mut append = pin!(append);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(answer) = append.as_mut().poll(&mut context) {
                return answer;
            }
            // Over blocking files it never waits for anything but its next turn.
            if self.driver.as_mut().poll(&mut context).is_ready() {
                return Err(LogError::Closed);
            }
        }
    }

    /// New mail goes first.
    fn wait(&self, stop: &Stop) -> Result<(), Error> {
        while self.store.lag_octets() > LAG_OCTETS && !stop.is_set() {
            stop.wait(AGAIN);
        }
        match stop.is_set() {
            true => Err(Error::Closed),
            false => Ok(()),
        }
    }

    /// Closes it, which gives back what it had reserved; where it goes on.
    pub fn close(mut self) -> Position {
        let mut context = Context::from_waker(Waker::noop());
        let mut close = pin!(self.log.close());
        while close.as_mut().poll(&mut context).is_pending() {
            if self.driver.as_mut().poll(&mut context).is_ready() {
                break;
            }
        }
        self.end
    }
}

/// Hands over a write and waits for what comes of it.
pub(super) fn ask(store: &dyn Store, write: Write) -> Result<Outcome, Error> {
    let (sender, answers) = mpsc::channel();
    let sink = Arc::new(Wait(Mutex::new(sender)));
    store.submit(write, Some(ReplyTo { sink, token: 0 }));
    answers.recv().map_err(|_| Error::Closed)?.1
}

struct Wait(Mutex<mpsc::Sender<Answer>>);

impl Sink for Wait {
    fn complete(&self, answers: Vec<Answer>) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for answer in answers {
            // Who has given up waiting needs no answer.
            let _ = sender.send(answer);
        }
    }
}

pub(super) fn failed(error: LogError) -> Error {
    match error {
        LogError::Full => Error::Full,
        LogError::Closed => Error::Closed,
        error => Error::Io(error.to_string()),
    }
}
