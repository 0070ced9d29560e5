//! The log of operations: mails that no shard took in, on the way every mail goes.
//!
//! In:  batches of mails. Out: each batch durable in the log, its records handed to the index, and what the index said.
//!
//! ```text
//! journal: batch, synced -> log: records, one write, one sync -> index: submitted, answered when the next batch comes
//! ```
//! Invariants: one writer at a time, which the caller sees to (a server does one operation at a time, and a data
//! directory has one server). Of mails that the index has not answered there is one batch at most; while deliveries of
//! others are behind, no batch goes out.

use crate::error::Error;
use crate::import::Place;
use crate::journal::{self, Entry, Journal, KEYS_MAX};
use ringpost_api::write::{Missing, Position, Target};
use ringpost_api::{Answer, Outcome, ReplyTo, Sink, Store, Write, read};
use ringpost_delivery::text;
use ringpost_log::record::checksum;
use ringpost_log::recover::{RecoverError, Recovery};
use ringpost_log::{Blocking, Body, Log, LogError, OPERATIONS, Options, Record, file};
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, BlobId, MailboxId, Uid};
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;
use std::{io, mem};

/// Numbers left out when the log is opened: a batch that failed before may have left records with them on the disk.
const SKIPPED: u64 = KEYS_MAX as u64;
/// How often it is looked whether the index has caught up.
const LAG_LOOK: Duration = Duration::from_millis(5);
/// How long an answer is waited for before it is asked whether to go on.
const ANSWER_LOOK: Duration = Duration::from_millis(500);

/// A mail on its way in.
#[derive(Debug)]
pub struct Mail {
    /// Names it in its source.
    pub key: u128,
    /// Where it goes.
    pub mailbox: MailboxId,
    /// Bits of `api::table::flag`.
    pub flags: u32,
    /// Keywords by name.
    pub keywords: Vec<String>,
    /// INTERNALDATE, seconds since 1970 UTC.
    pub date: u64,
    /// What `message::Scanner` made of it.
    pub digest: Vec<u8>,
    /// Its octets.
    pub octets: Vec<u8>,
}

/// Writes the log of operations.
pub struct Writer<'s> {
    store: &'s dyn Store,
    account: AccountId,
    limits: &'s Limits,
    journal: Journal,
    log: Log,
    driver: Pin<Box<dyn Future<Output = ()> + 's>>,
    /// The number that the next record gets.
    sequence: u64,
    answers: Arc<Answers>,
    /// Records that the index has not answered yet.
    waited_for: usize,
}

impl<'s> Writer<'s> {
    /// Opens log and journal, for imports into `account`.
    pub fn open(place: &Place<'s>, account: AccountId) -> Result<Self, Error> {
        let (store, data) = (place.store, place.data);
        let (journal, mut end) = open_journal(store, data, account)?;
        end.sequence = end.sequence.max(1) + SKIPPED;
        let options = Options {
            compress: place.compress,
            ..Options::default()
        };
        let opened = Log::open(Blocking, data, OPERATIONS, end, options);
        let (log, driver) = file::now(opened)?;
        let submit = move |write, reply| store.submit(write, reply);
        Ok(Writer {
            store,
            account,
            limits: place.limits,
            journal,
            log,
            driver: Box::pin(driver.run(submit)),
            sequence: end.sequence,
            answers: Arc::default(),
            waited_for: 0,
        })
    }

    /// The keys of mails that were imported before.
    pub fn take_done(&mut self) -> HashSet<u128> {
        self.journal.take_done()
    }

    /// Puts a batch into the log, durably, and on to the index. `tell` is asked meanwhile whether to go on.
    pub fn write(
        &mut self,
        batch: Vec<Mail>,
        mut tell: impl FnMut() -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.settle(&mut tell)?;
        while self.store.lag_octets() > self.limits.delivery_lag_octets_max {
            if tell().is_break() {
                return Err(Error::Ended);
            }
            thread::sleep(LAG_LOOK);
        }
        let entry = |mail: &Mail| Entry {
            key: mail.key,
            checksum: checksum(&mail.octets),
        };
        let entries: Vec<Entry> = batch.iter().map(entry).collect();
        self.journal
            .begin(self.account, self.sequence, &entries)
            .map_err(|error| Error::Log(error.into()))?;
        let appends: Vec<_> = batch
            .into_iter()
            .enumerate()
            .map(|(token, mail)| {
                let reply = ReplyTo {
                    sink: self.answers.clone(),
                    token: token as u64,
                };
                let record = record(self.account, mail, self.limits);
                self.log.append(record, Some(reply))
            })
            .collect();
        let mut refused = None;
        for mut append in appends {
            match self.drive(&mut append) {
                Ok(durable) => {
                    self.sequence = durable.blob.sequence() + 1;
                    self.waited_for += 1;
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match refused {
            // What of the batch is there is found at the next run.
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// Turns the driver until the append is answered. Files block, so each turn does something.
    fn drive(
        &mut self,
        mut append: &mut ringpost_log::Append,
    ) -> Result<ringpost_log::Durable, LogError> {
        let context = &mut Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(answer) = Pin::new(&mut append).poll(context) {
                return answer;
            }
            if self.driver.as_mut().poll(context).is_ready() {
                return Err(LogError::Closed);
            }
        }
    }

    /// Waits until the index has answered what was submitted. One that cannot commit now keeps the mails and answers
    /// later: this run ends, and the next one finds out what became of them.
    fn settle(&mut self, tell: &mut dyn FnMut() -> ControlFlow<()>) -> Result<(), Error> {
        let waited_for = mem::take(&mut self.waited_for);
        let store = self.store;
        let answers = self.answers.take(waited_for, || match tell() {
            ControlFlow::Continue(()) => Ok(store.accepts()?),
            ControlFlow::Break(()) => Err(Error::Ended),
        })?;
        for (_, outcome) in answers {
            match outcome? {
                Outcome::Delivered(placed) if placed.iter().all(|one| one.uid == Uid(0)) => {
                    return Err(Error::Store(ringpost_api::Error::NoAccount));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Waits for the index, and notes that nothing is under way.
    pub fn finish(mut self, mut tell: impl FnMut() -> ControlFlow<()>) -> Result<(), Error> {
        self.settle(&mut tell)?;
        self.journal
            .end(self.account, &[])
            .map_err(|error| Error::Log(error.into()))
    }
}

impl Drop for Writer<'_> {
    /// Closes the log, which gives back what it has reserved.
    fn drop(&mut self) {
        let context = &mut Context::from_waker(Waker::noop());
        let mut closed = pin!(self.log.close());
        while closed.as_mut().poll(context).is_pending() {
            if self.driver.as_mut().poll(context).is_ready() {
                return;
            }
        }
    }
}

/// The journal, and where the log goes on.
fn open_journal(
    store: &dyn Store,
    data: &Path,
    account: AccountId,
) -> Result<(Journal, Position), Error> {
    // Behind this answer everything that was submitted before is in the index.
    let barrier = Write::MailboxCreate {
        account,
        name: "INBOX".into(),
        special: 0,
    };
    match perform(store, barrier) {
        Err(ringpost_api::Error::Exists) => {}
        Err(error) => return Err(error.into()),
        Ok(_) => return Err(Error::Store(ringpost_api::Error::NoAccount)),
    }
    let end = end_of_log(data, read::applied(&*store.snapshot()?, OPERATIONS)?)?;
    let stored = |from, to| stored(store, from, to);
    let journal = Journal::open(data, account, end.sequence, stored);
    Ok((journal.map_err(Error::at(&journal::path(data)))?, end))
}

/// Where the log goes on. Behind what the index has applied there may be mails that it could not take, for damage of its
/// own: they are kept for whoever repairs it, and not written over.
fn end_of_log(data: &Path, applied: Position) -> Result<Position, Error> {
    let failed = |error| match error {
        RecoverError::Io(path, error) => Error::Io(path, error),
        RecoverError::Newer(path) => Error::Io(path, io::ErrorKind::Unsupported.into()),
    };
    let mut recovery = Recovery::open(data, OPERATIONS, applied).map_err(failed)?;
    while recovery.step().map_err(failed)?.is_some() {}
    Ok(recovery.finish().map_err(failed)?.position)
}

/// The keys of mails that were imported into `account` before.
pub fn done(store: &dyn Store, data: &Path, account: AccountId) -> Result<HashSet<u128>, Error> {
    Ok(open_journal(store, data, account)?.0.take_done())
}

fn record(account: AccountId, mail: Mail, limits: &Limits) -> Record {
    let target = Target {
        account,
        mailbox: mail.mailbox,
        // One that is deleted meanwhile: the mail is not lost.
        missing: Missing::Inbox,
        flags: mail.flags,
        keywords: mail.keywords,
        internal_date: mail.date,
        prefix: Vec::new(),
    };
    Record {
        targets: vec![target],
        items: Vec::new(),
        text: text::row(&mail.digest, &mail.octets, limits),
        digest: mail.digest,
        body: Body::Whole(mail.octets),
    }
}

/// The sequences of this log from `from` up to `to` that the store has a mail under, with its checksum.
fn stored(store: &dyn Store, from: u64, to: u64) -> io::Result<HashMap<u64, u64>> {
    let snapshot = store.snapshot().map_err(io::Error::other)?;
    let mut found = HashMap::new();
    for sequence in from..to {
        let name = BlobId::new(OPERATIONS, sequence);
        let row = read::blob(&*snapshot, name).map_err(io::Error::other)?;
        found.extend(row.map(|row| (sequence, row.checksum)));
    }
    Ok(found)
}

/// Hands a write over and waits for what comes of it.
pub fn perform(store: &dyn Store, write: Write) -> Result<Outcome, ringpost_api::Error> {
    let answers = Arc::new(Answers::default());
    let reply = ReplyTo {
        sink: answers.clone(),
        token: 0,
    };
    store.submit(write, Some(reply));
    let mut answers = answers.take(1, || Ok::<(), ringpost_api::Error>(()))?;
    answers
        .pop()
        .map_or(Err(ringpost_api::Error::Closed), |(_, outcome)| outcome)
}

/// Answers of the index, until they are taken.
#[derive(Default)]
struct Answers {
    come: Mutex<Vec<Answer>>,
    more: Condvar,
}

impl Answers {
    /// Waits for `count` answers, as long as `goes_on` says so. Every write is answered, also by a store that closes; a
    /// mail, by one that cannot commit, not before it can.
    fn take<E>(
        &self,
        count: usize,
        mut goes_on: impl FnMut() -> Result<(), E>,
    ) -> Result<Vec<Answer>, E> {
        let mut come = self.come.lock().unwrap_or_else(PoisonError::into_inner);
        while come.len() < count {
            let waited = self.more.wait_timeout(come, ANSWER_LOOK);
            let (still, look) = waited.unwrap_or_else(PoisonError::into_inner);
            come = still;
            if look.timed_out() {
                goes_on()?;
            }
        }
        Ok(mem::take(&mut *come))
    }
}

impl Sink for Answers {
    fn complete(&self, answers: Vec<Answer>) {
        let mut come = self.come.lock().unwrap_or_else(PoisonError::into_inner);
        come.extend(answers);
        self.more.notify_all();
    }
}
