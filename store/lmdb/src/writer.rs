//! The one writer: gathers writes of all threads, applies them in one transaction, commits durably, tells whoever waits.
//!
//! In:  writes from a queue, in the order in which each thread submitted them.
//! Out: answers, one call for each sink and commit; what changed, one call for each feed and commit.
//!
//! ```text
//!            first write          a waiter, or idle, or full            on disk
//!  (idle) ---------------> gather ---------------------------> commit ----------> answer, feed
//!                            ^ '-- deliveries alone: until 25 ms after the last commit   |
//!                            |                                                           | failed
//!                            '---- deliveries kept, others answered with the error <-----'
//! ```
//! A delivery is durable in its log and its sender has been answered: it costs nobody anything to wait for company, and
//! it is never given up. Invariant: what is answered is on disk.

use crate::env::Env;
use crossbeam::channel::{Receiver, RecvTimeoutError};
use ringpost_api::apply::{self, Edits, Terms};
use ringpost_api::write::Target;
use ringpost_api::{Answer, Changed, Error, Feed, Outcome, ReplyTo, Sink, Write};
use ringpost_types::limit::Limits;
use std::ptr::addr_eq;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long deliveries that nobody waits for are gathered, from the last commit on.
const GATHER: Duration = Duration::from_millis(25);
/// How long to wait after a failed commit before the next one.
const RETRY: Duration = Duration::from_millis(250);
/// Writes of one commit.
const WRITES_MAX: usize = 2_000;
/// Octets of digests and prefixes in one commit, about.
const OCTETS_MAX: usize = 4 * 1024 * 1024;

/// What the queue carries.
pub(crate) enum Message {
    Write(Request),
    Close,
}

pub(crate) struct Request {
    pub write: Write,
    pub reply: Option<ReplyTo>,
}

/// A request that is dropped without an answer came too late: the queue is closed.
impl Drop for Request {
    fn drop(&mut self) {
        if self.reply.is_some() {
            answer([(self.reply.take(), Err(Error::Closed))]);
        }
    }
}

/// A panic of the writer is a bug in the store, and ends the process: what is durable in the logs is replayed at the
/// next start, and going on might make a damage worse.
struct EndOnPanic;

impl Drop for EndOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

/// What writer and submitters share.
pub(crate) struct Shared {
    /// Octets submitted and not yet committed, as [`lag_octets`] counts them.
    pub lag_octets: AtomicU64,
    /// Octets of mail that nobody refers to any more, since the start.
    pub freed_octets: AtomicU64,
    /// Those who want no space given back now: see `Lmdb::hold_space`.
    pub holds: AtomicUsize,
    pub feeds: Mutex<Vec<Weak<dyn Feed>>>,
    /// In force from the next commit on.
    pub limits: Mutex<Arc<Limits>>,
    /// Hears what an operator should know.
    pub alarm: fn(&str),
}

impl Shared {
    pub fn new(limits: Limits, alarm: fn(&str)) -> Self {
        Shared {
            lag_octets: AtomicU64::default(),
            freed_octets: AtomicU64::default(),
            holds: AtomicUsize::default(),
            feeds: Mutex::default(),
            limits: Mutex::new(Arc::new(limits)),
            alarm,
        }
    }
}

pub(crate) struct Writer {
    env: Arc<Env>,
    shared: Arc<Shared>,
    queue: Receiver<Message>,
    batch: Vec<Request>,
    batch_octets: usize,
    /// Whether anyone waits for this batch.
    awaited: bool,
    committed: Instant,
    /// After a failed commit: not before this.
    retry: Option<Instant>,
    closing: bool,
    edits: Edits,
    clock: fn() -> u64,
}

impl Writer {
    pub fn new(
        env: Arc<Env>,
        shared: Arc<Shared>,
        queue: Receiver<Message>,
        clock: fn() -> u64,
    ) -> Self {
        Writer {
            env,
            shared,
            queue,
            batch: Vec::new(),
            batch_octets: 0,
            awaited: false,
            committed: Instant::now(),
            retry: None,
            closing: false,
            edits: Edits::default(),
            clock,
        }
    }

    /// Works until the queue is closed and empty.
    pub fn run(mut self) {
        let _end = EndOnPanic;
        loop {
            self.gather();
            if self.batch.is_empty() {
                return;
            }
            self.commit();
            // What cannot be committed now is in the logs, and is replayed at the next start.
            if self.closing && self.retry.is_some() {
                return;
            }
        }
    }

    /// Fills the batch until it is to be committed. Empty afterwards: there is nothing more to do.
    fn gather(&mut self) {
        loop {
            while !self.full() {
                match self.queue.try_recv() {
                    Ok(message) => self.take(message),
                    Err(_) => break,
                }
            }
            let due = self.due();
            if self.closing || due.is_some_and(|due| due <= Instant::now()) {
                return;
            }
            let received = match due {
                Some(due) => self.queue.recv_deadline(due),
                None => self
                    .queue
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
            };
            match received {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => self.closing = true,
            }
        }
    }

    /// When the batch goes out; `None` while it is empty.
    fn due(&self) -> Option<Instant> {
        if self.batch.is_empty() {
            return None;
        }
        match self.retry {
            Some(retry) => Some(retry),
            None if self.awaited || self.full() => Some(self.committed),
            None => Some(self.committed + GATHER),
        }
    }

    /// After a failure everything is taken in, so that whoever waits is told: back-pressure keeps it bounded.
    fn full(&self) -> bool {
        self.retry.is_none() && (self.batch.len() >= WRITES_MAX || self.batch_octets >= OCTETS_MAX)
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Close => self.closing = true,
            Message::Write(request) => {
                self.awaited |= request.reply.is_some();
                self.batch_octets += octets(&request.write);
                self.batch.push(request);
            }
        }
    }

    fn commit(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        (self.batch_octets, self.awaited) = (0, false);
        let applied = self.apply(&batch);
        self.committed = Instant::now();
        match applied {
            Ok(applied) => {
                if self.retry.take().is_some() {
                    (self.shared.alarm)("index: commits again");
                }
                self.shared
                    .freed_octets
                    .fetch_add(applied.freed_octets, Ordering::Relaxed);
                let lag = batch.iter().map(|request| lag_octets(&request.write)).sum();
                self.shared.lag_octets.fetch_sub(lag, Ordering::Relaxed);
                let replies = batch.iter_mut().map(|request| request.reply.take());
                answer(replies.zip(applied.outcomes));
                self.feed(&applied.changed);
            }
            Err(error) => {
                if self.retry.is_none() {
                    (self.shared.alarm)(&format!(
                        "index: a commit failed: {error}; accepted mail is in the logs, and the commit is tried again"
                    ));
                }
                self.retry = Some(self.committed + RETRY);
                self.give_up(batch, &error);
            }
        }
    }

    /// After a failed commit: everyone is told, and deliveries, which are durable in a log, are kept.
    fn give_up(&mut self, batch: Vec<Request>, error: &Error) {
        let mut replies = Vec::new();
        for mut request in batch {
            replies.push((request.reply.take(), Err(error.clone())));
            if matches!(request.write, Write::Deliver(_)) {
                self.batch_octets += octets(&request.write);
                self.batch.push(request);
            }
        }
        answer(replies);
    }

    /// All of the batch in one transaction, durable on return.
    fn apply(&mut self, batch: &[Request]) -> Result<Applied, Error> {
        let limits = self.shared.limits.lock();
        let limits = limits.unwrap_or_else(PoisonError::into_inner).clone();
        let terms = Terms {
            now: (self.clock)(),
            limits: &limits,
        };
        let mut applied = Applied::default();
        let mut rows = self.env.write()?;
        for request in batch {
            let outcome = apply::apply(&mut rows, &request.write, terms, &mut self.edits)?;
            tell_missed(&request.write, &outcome, &self.edits, self.shared.alarm);
            applied.outcomes.push(outcome);
            applied.changed.extend_from_slice(&self.edits.changed);
            applied.freed_octets += self
                .edits
                .freed
                .iter()
                .map(|freed| freed.octets)
                .sum::<u64>();
        }
        rows.commit()?;
        once_each(&mut applied.changed);
        Ok(applied)
    }

    fn feed(&self, changed: &[Changed]) {
        if changed.is_empty() {
            return;
        }
        let mut feeds = self
            .shared
            .feeds
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        feeds.retain(|feed| match feed.upgrade() {
            Some(feed) => {
                feed.changed(changed);
                true
            }
            None => false,
        });
    }
}

#[derive(Default)]
struct Applied {
    outcomes: Vec<Result<Outcome, Error>>,
    changed: Vec<Changed>,
    freed_octets: u64,
}

/// Seconds since 1970; a clock before that counts as 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Octets a write brings along, about.
fn octets(write: &Write) -> usize {
    match write {
        Write::Deliver(deliver) => {
            // A target takes a message row and a change row besides.
            let prefixes = deliver.targets.iter();
            let prefixes = prefixes.map(|target| target.prefix.len() + 100);
            deliver.digest.len() + prefixes.sum::<usize>()
        }
        Write::Store(store) => store.uids.len() * 128,
        _ => 128,
    }
}

/// Tells which accounts an accepted mail did not reach, and why: nobody else hears of it.
pub(crate) fn tell_missed(
    write: &Write,
    outcome: &Result<Outcome, Error>,
    edits: &Edits,
    alarm: fn(&str),
) {
    let Write::Deliver(deliver) = write else {
        return;
    };
    let place = format_args!(
        "at octet {} of segment {} of log {}",
        deliver.offset,
        deliver.segment,
        deliver.blob.log()
    );
    for (account, error) in &edits.missed {
        alarm(&format!(
            "an accepted mail did not reach account {account}: {error}; it is kept {place}"
        ));
    }
    match outcome {
        // An APPEND whose mailbox is gone is answered, and that is all.
        Ok(_) | Err(Error::NoMailbox | Error::NoAccount) => {}
        Err(error) => alarm(&format!(
            "a mail was not put into the index: {error}; it is kept {place}"
        )),
    }
}

/// What a write counts for back-pressure: the mail, which is to be worked on, and what the queue holds of it. A short
/// mail to a thousand recipients is long here.
pub(crate) fn lag_octets(write: &Write) -> u64 {
    match write {
        Write::Deliver(deliver) => {
            let targets = deliver.targets.len() * size_of::<Target>();
            deliver.octets + (octets(write) + targets) as u64
        }
        _ => 0,
    }
}

/// Each mailbox once, with its latest MODSEQ.
fn once_each(changed: &mut Vec<Changed>) {
    changed.sort_by_key(|c| (c.account, c.mailbox, std::cmp::Reverse(c.modseq)));
    changed.dedup_by_key(|c| (c.account, c.mailbox));
}

/// One call for each sink, with all its answers. Sinks are few: one for each shard.
pub(crate) fn answer(replies: impl IntoIterator<Item = (Option<ReplyTo>, Result<Outcome, Error>)>) {
    let mut sinks: Vec<(Arc<dyn Sink>, Vec<Answer>)> = Vec::new();
    for (reply, outcome) in replies {
        let Some(ReplyTo { sink, token }) = reply else {
            continue;
        };
        match sinks
            .iter_mut()
            .find(|(known, _)| addr_eq(Arc::as_ptr(known), Arc::as_ptr(&sink)))
        {
            Some((_, answers)) => answers.push((token, outcome)),
            None => sinks.push((sink, vec![(token, outcome)])),
        }
    }
    for (sink, answers) in sinks {
        sink.complete(answers);
    }
}
