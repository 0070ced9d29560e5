//! The one writer: gathers writes of all threads, applies them in one transaction, commits durably, tells whoever waits.
//!
//! In:  writes from the queue, in the order in which each thread submitted them.
//! Out: answers, one call for each sink and commit; what changed, one call for each feed and commit.
//!
//! ```text
//!            first write          a waiter, or idle, or full            on disk
//!  (idle) ---------------> gather ---------------------------> commit ----------> answer, feed
//!                            ^ '-- deliveries alone: a while after the last commit       |
//!                            |                                                           | failed
//!                            '---- mails kept, others answered with the error <---------'
//! ```
//! A delivery is durable in its log and its sender has been answered: it costs nobody anything to wait for company, and
//! it is never given up. How long is a matter of how busy the writer is, see [`Pace`].
//!
//! Invariants: what is answered is on disk; only this thread has a write transaction.

use crate::batch::{self, Applied};
use crate::env::{Env, Opened};
use crate::queue::{self, Message, Request, Wake};
use crate::shared::Shared;
use crate::watch::Watch;
use ringpost_api::apply::{Edits, Terms};
use ringpost_api::{Answer, Changed, Error, Outcome, ReplyTo, Sink, Write};
use std::ptr::addr_eq;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long to wait after a failed commit before the next one.
const RETRY: Duration = Duration::from_millis(250);
/// How long to wait for snapshots to end when the index is to be opened again.
const PATIENCE: Duration = Duration::from_millis(100);
/// Writes of one commit.
const WRITES_MAX: usize = 4_000;
/// Octets of digests, texts and prefixes in one commit, about.
const OCTETS_MAX: usize = 16 * 1024 * 1024;

/// How long deliveries that nobody waits for are gathered, from the last commit on: so many times as long as that took,
/// within bounds. So the writer spends a bounded share of its time on what a commit costs however little it brings, and a
/// quiet server's index follows at once.
///
/// Measured at 10,000 mails a second into 64 accounts with 1.5 KiB of text each (`examples/writer.rs`, two cores): always
/// 5 ms 28 us of CPU for each mail and 45 KiB written, 25 ms 15.5 us and 21 KiB, 100 ms 10.6 us and 9.5 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// At least.
    pub least: Duration,
    /// At most.
    pub most: Duration,
    /// As many times as the last commit took.
    pub times: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            least: Duration::from_millis(10),
            most: Duration::from_millis(100),
            times: 6,
        }
    }
}

impl Pace {
    fn after(self, commit: Duration) -> Duration {
        (commit * self.times).clamp(self.least, self.most)
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

pub(crate) struct Writer {
    env: Arc<Env>,
    shared: Arc<Shared>,
    watch: Watch,
    batch: Batch,
    pace: Pace,
    /// When the last commit ended, and for how long deliveries are gathered from then on.
    committed: Instant,
    gather: Duration,
    /// After a failed commit: not before this.
    retry: Option<Instant>,
    /// What the map was opened with.
    map_octets: usize,
    /// Whether the page cache may hold what is not on disk: it is synced before anything is read as a fact.
    unsynced: bool,
    closing: bool,
    edits: Edits,
    clock: fn() -> u64,
}

/// What is gathered.
#[derive(Default)]
struct Batch {
    requests: Vec<Request>,
    octets: usize,
    /// Whether anyone waits for it.
    awaited: bool,
}

impl Batch {
    fn take(&mut self, request: Request) {
        self.awaited |= request.reply.is_some();
        self.octets += queue::octets(&request.write);
        self.requests.push(request);
    }

    fn is_full(&self) -> bool {
        self.requests.len() >= WRITES_MAX || self.octets >= OCTETS_MAX
    }
}

impl Writer {
    pub fn new(
        env: Arc<Env>,
        shared: Arc<Shared>,
        watch: Watch,
        pace: Pace,
        clock: fn() -> u64,
    ) -> Self {
        Writer {
            map_octets: shared.map_octets.load(Ordering::Relaxed),
            env,
            shared,
            watch,
            batch: Batch::default(),
            pace,
            committed: Instant::now(),
            gather: Duration::ZERO,
            retry: None,
            unsynced: false,
            closing: false,
            edits: Edits::default(),
            clock,
        }
    }

    /// Works until the queue is closed and empty.
    pub fn run(mut self) {
        let _end = EndOnPanic;
        self.shared.queue.attend();
        loop {
            self.gather();
            if self.batch.requests.is_empty() {
                break;
            }
            self.commit();
            // What cannot be committed now is in the logs, and is replayed at the next start.
            if self.closing && self.retry.is_some() {
                break;
            }
        }
        self.shared.queue.end();
    }

    /// Fills the batch until it is to be committed. Empty afterwards: there is nothing more to do.
    fn gather(&mut self) {
        loop {
            self.take_all();
            let now = Instant::now();
            if self.watch.next() <= now {
                self.look();
            }
            let due = self.due();
            if self.closing || due.is_some_and(|due| due <= now) {
                return;
            }
            let wake = match due {
                Some(_) => Wake::Urgent,
                None => Wake::Any,
            };
            let until = self.watch.next().min(due.unwrap_or(self.watch.next()));
            let shared = Arc::clone(&self.shared);
            shared.queue.sleep(wake, until, || {
                let taken = self.take_all();
                self.closing
                    || match wake {
                        Wake::Any => taken > 0,
                        _ => self.batch.awaited && self.retry.is_none(),
                    }
            });
        }
    }

    /// Takes what is there, as far as the batch has room; how many.
    fn take_all(&mut self) -> usize {
        let before = self.batch.requests.len();
        while !self.is_full() {
            match self.shared.queue.pop() {
                Some(Message::Write(request)) => self.batch.take(request),
                Some(Message::Close) => self.closing = true,
                None => break,
            }
        }
        self.batch.requests.len() - before
    }

    /// When the batch goes out; `None` while it is empty.
    fn due(&self) -> Option<Instant> {
        if self.batch.requests.is_empty() {
            return None;
        }
        match self.retry {
            Some(retry) => Some(retry),
            None if self.batch.awaited || self.is_full() => Some(self.committed),
            None => Some(self.committed + self.gather),
        }
    }

    /// After a failure everything is taken in, so that whoever waits is told: back-pressure keeps it bounded.
    fn is_full(&self) -> bool {
        self.retry.is_none() && self.batch.is_full()
    }

    /// Looks after room, readers and the map.
    pub fn look(&mut self) {
        let shared = &self.shared;
        let mut alarm = |line: &str| (shared.alarm)(line);
        self.watch
            .look(&self.env, &shared.pulse, &shared.limits(), &mut alarm);
        let wanted = shared.map_octets.load(Ordering::Relaxed);
        // Whoever reads may go on: it is tried again a second later. What was had may be less, see `Options`.
        if wanted > self.map_octets && self.env.reopen(wanted, PATIENCE).is_ok() {
            self.map_octets = wanted;
        }
    }

    fn commit(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        let begun = Instant::now();
        let shared = Arc::clone(&self.shared);
        shared.pulse.committing.store(now(), Ordering::Relaxed);
        let applied = self.apply(&batch.requests);
        shared.pulse.committing.store(0, Ordering::Relaxed);
        self.committed = Instant::now();
        self.gather = self.pace.after(self.committed - begun);
        match applied {
            Ok(applied) => self.succeeded(batch.requests, applied),
            Err(error) => self.failed(batch.requests, &error),
        }
    }

    /// All of the batch in one transaction, durable on return.
    fn apply(&mut self, requests: &[Request]) -> Result<Applied, Error> {
        let opened = self.opened()?;
        let limits = self.shared.limits();
        let terms = Terms {
            now: (self.clock)(),
            limits: &limits,
        };
        let writes = requests.iter().map(|request| &request.write);
        batch::commit(&opened, writes, terms, &mut self.edits)
    }

    /// The environment; opened again where LMDB has given it up.
    fn opened(&mut self) -> Result<Opened, Error> {
        let given_up = |opened: &Opened| opened.is_given_up();
        if !self.env.opened().is_ok_and(|opened| !given_up(&opened)) {
            let wanted = self.shared.map_octets.load(Ordering::Relaxed);
            self.unsynced = true;
            self.env.reopen(wanted, PATIENCE)?;
            self.map_octets = wanted;
        }
        let opened = self.env.opened()?;
        if self.unsynced {
            opened.sync()?;
            self.unsynced = false;
        }
        Ok(opened)
    }

    fn succeeded(&mut self, mut requests: Vec<Request>, applied: Applied) {
        let shared = &self.shared;
        self.retry = None;
        let line = shared
            .pulse
            .committed((self.clock)(), requests.len() as u64);
        let lines = line.iter().chain(&applied.lines);
        lines.for_each(|line| (shared.alarm)(line));
        let freed = applied.freed_octets;
        shared.freed_octets.fetch_add(freed, Ordering::Relaxed);
        for request in &requests {
            shared.queue.done(&request.write);
        }
        let replies = requests.iter_mut().map(|request| request.reply.take());
        answer(replies.zip(applied.outcomes));
        self.feed(&applied.changed);
        // Its room is kept for the next batch.
        requests.clear();
        if self.batch.requests.is_empty() {
            self.batch.requests = requests;
        }
    }

    /// What is durable in a log is kept, and a mail with whoever waits for it: it is there, or will be, and he who heard
    /// otherwise would bring it again. Everyone else is told.
    fn failed(&mut self, requests: Vec<Request>, error: &Error) {
        let line = self.shared.pulse.failed((self.clock)(), error);
        line.iter().for_each(|line| (self.shared.alarm)(line));
        self.retry = Some(self.committed + RETRY);
        let mut replies = Vec::new();
        for mut request in requests {
            if let Write::Deliver(_) = request.write {
                self.batch.take(request);
                continue;
            }
            replies.push((request.reply.take(), Err(error.clone())));
            match request.write {
                Write::Relocate(_) => self.batch.take(request),
                _ => self.shared.queue.done(&request.write),
            }
        }
        answer(replies);
        // Nobody could read meanwhile: not at the next try, but now.
        let _ = self.opened();
    }

    fn feed(&self, changed: &[Changed]) {
        if changed.is_empty() {
            return;
        }
        let feeds = self.shared.feeds.lock();
        let mut feeds = feeds.unwrap_or_else(PoisonError::into_inner);
        feeds.retain(|feed| match feed.upgrade() {
            Some(feed) => {
                feed.changed(changed);
                true
            }
            None => false,
        });
    }
}

/// Seconds since 1970; a clock before that counts as 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// One call for each sink, with all its answers. Sinks are few: one for each shard.
fn answer(replies: impl IntoIterator<Item = (Option<ReplyTo>, Result<Outcome, Error>)>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// (how long the last commit took, how long mails are gathered), in milliseconds.
    const CASES: &[(u64, u64)] = &[
        (0, 10),
        (1, 10),
        (2, 12),
        (5, 30),
        (16, 96),
        (17, 100),
        (5_000, 100),
    ];

    #[test]
    fn mails_are_gathered_for_a_multiple_of_a_commit_within_bounds() {
        for &(commit, gather) in CASES {
            let gathered = Pace::default().after(Duration::from_millis(commit));
            assert_eq!(gathered, Duration::from_millis(gather), "{commit}");
        }
    }
}
