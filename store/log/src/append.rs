//! Appending to a shard's log, many records with one write and one sync: group commit.
//!
//! In:  records, from any task of the shard, through [`Log::append`]; mails that move, through [`Log::relocate`].
//! Out: [`Durable`] to each of them once it is on disk; a [`Write`] for each to the index, in record order, before
//!      the appender is woken.
//!
//! ```text
//!              append            driver turns        write + fdatasync done
//!  (record) ----------> pending ---------------> in flight ---------------> durable
//!                          ^                         | failed: rewound
//!                          '--- next appends         '-----------> refused (LogError)
//! ```
//! While one batch is in flight the next one gathers; a batch goes out as soon as the one before is done, so a lone
//! record waits for nobody. Under load it waits for the clients of the one before, a fraction of a sync long:
//! [`Company`].
//!
//! How a batch gets durable was measured on a 2-core machine that others kept busy, its virtual disk on ext4, all ways in turn.
//! Over the whole path, index and all, 64 submitters (`cargo bench -p ringpost-bench --bench path -- ways-30k`, or `ways-2k`),
//! mails a second, and processor time of a mail:
//!
//! | way | 30 KiB, median of 5 | range | CPU | 2 KiB, median of 20 | range | CPU |
//! |---|---|---|---|---|---|---|
//! | ring: write, fdatasync | 7,300 | 3,800-9,400 | 33 µs | 15,200 | 5,700-34,100 | 13-22 µs |
//! | ring: one write with O_DSYNC | 6,500 | 4,100-9,500 | 33 | 7,900 | 6,100-13,700 | 14-25 |
//! | thread: pwrite, fdatasync | 5,200 | 4,200-8,100 | 33 | 7,700 | 4,700-20,000 | 14-22 |
//! | thread: one pwrite with O_DSYNC | 7,500 | 4,900-10,600 | 30 | 8,200 | 5,100-14,800 | 14-22 |
//!
//! The first one is what the ring's files do. One write after the other on a bare ring, medians of 7 rounds of 100
//! (`cargo run --release -p ringpost-runtime --example commit -- batches DIR 100 32768 7`):
//!
//! | way | 32 KiB: median | CPU | 1 MiB: median | CPU |
//! |---|---|---|---|---|
//! | O_DSYNC | 0.4 ms | 85 µs | 1.0 ms | 215 µs |
//! | RWF_DSYNC | 0.3 | 72 | 2.0 | 227 |
//! | write linked to fdatasync | 0.2 | 75 | 0.9 | 218 |
//! | O_DIRECT, RWF_DSYNC, reserved space | 3.1 | 60 | 4.4 | 79 |
//! | the same, blocks written with zeros before | 3.5 | 47 | 1.8 | 127 |
//! | pwrite and fdatasync on a thread | 0.2 | 89 | 0.8 | 237 |
//!
//! O_DIRECT saves the copy and takes ten times as long for small batches; what it writes is not in memory for whoever reads
//! the new mail next.
//!
//! Invariants:
//! - what is answered is durable; what is refused is not in the log: a failed batch is cut off again.
//! - writes reach the index in the order of their sequence numbers.
//! - a small record is copied once, into the batch; a large one not at all.

use crate::company::Company;
use crate::error::LogError;
use crate::file::{Files, Mode, SegmentFile};
use crate::header::{HEADER_OCTETS, Header, Kind, Version};
use crate::pack::Packer;
use crate::record::{self, ALIGN, Body, Carried, Entry, Parts, Record, Stored};
use crate::runs::Runs;
use crate::segment::{self, HEAD_OCTETS, Holds};
use crate::stream::{Part, Stream, Streamed};
use crate::tail::{Ahead, Tail};
use crate::turn::Turn;
use ringpost_api::table::Encoding;
use ringpost_api::write::Position;
use ringpost_api::{ReplyTo, Write};
use ringpost_types::BlobId;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::{fs, mem};

/// Mails from this length on are written from the buffer they arrived in; below it a copy is cheaper than
/// a write of their own.
const OWN_RUN_OCTETS: usize = 128 * 1024;

/// How a log is kept.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Octets of a segment file. One batch larger than this gets a larger segment.
    pub segment_octets: u64,
    /// Whether mails that shrink are stored packed.
    pub compress: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            segment_octets: 256 * 1024 * 1024,
            compress: false,
        }
    }
}

/// A record that is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durable {
    /// The mail's name.
    pub blob: BlobId,
    /// The segment that holds it.
    pub segment: u32,
    /// Where its stored octets begin in it.
    pub offset: u64,
    /// Length of the raw mail.
    pub octets: u64,
    /// Where the log goes on.
    pub next: Position,
}

/// One shard's log. A handle: clones append to the same log.
#[derive(Clone)]
pub struct Log {
    shared: Rc<Shared>,
}

/// Writes what is appended. The shard spawns [`Driver::run`].
pub struct Driver<F: Files> {
    shared: Rc<Shared>,
    files: F,
    /// None once it runs.
    tail: Option<Tail<F>>,
}

/// What a log's handles and its driver have in common.
pub(crate) struct Shared {
    pub log: u16,
    pub data: PathBuf,
    pub sequence: Cell<u64>,
    /// The next number for a segment, of records or of a large mail.
    next_segment: Cell<u32>,
    pending: RefCell<Batch>,
    /// Room for the next batch.
    pub runs: Runs,
    /// The driver, when it waits for records.
    driver: Cell<Option<Waker>>,
    closing: Cell<bool>,
    /// Streams make their octets durable one at a time.
    pub turn: Turn,
    /// Packs whole mails, where that is wanted.
    packer: RefCell<Option<Packer>>,
    compress: bool,
    /// Whoever waits for the driver to have ended.
    closers: RefCell<Vec<Waker>>,
    ended: Cell<bool>,
}

/// Records that go out together.
#[derive(Default)]
struct Batch {
    /// The octets, in order.
    runs: Vec<Vec<u8>>,
    octets: u64,
    records: Vec<Waiting>,
}

/// A record on its way.
pub(crate) struct Waiting {
    pub header: Header,
    /// Where the header's octets are: index into `runs`, offset in that run, offset in the batch.
    pub run: usize,
    pub at: usize,
    offset: u64,
    parts: Parts,
    /// The large mail that it names.
    part: Option<Part>,
    reply: Option<ReplyTo>,
    slot: Rc<Slot>,
}

/// A record before it has its place.
struct Draft {
    kind: Kind,
    /// Where another log gave the mail its name.
    blob: Option<BlobId>,
    parts: Parts,
    encoding: Encoding,
    octets: u64,
    checksum: u64,
    body: Stored,
}

/// Where an appender finds its answer.
#[derive(Default)]
struct Slot {
    answer: Cell<Option<Result<Durable, LogError>>>,
    waker: Cell<Option<Waker>>,
}

impl Slot {
    fn answer(&self, answer: Result<Durable, LogError>) {
        self.answer.set(Some(answer));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The answer to [`Log::append`], to come. Dropping it does not take the record back.
pub struct Append {
    slot: Rc<Slot>,
}

impl Future for Append {
    type Output = Result<Durable, LogError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.slot.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                self.slot.waker.set(Some(context.waker().clone()));
                Poll::Pending
            }
        }
    }
}

impl Log {
    /// Opens log `log` below the directory `data`, to go on at `end`, as recovery has found it.
    pub async fn open<F: Files>(
        files: F,
        data: &Path,
        log: u16,
        end: Position,
        options: Options,
    ) -> Result<(Log, Driver<F>), LogError> {
        let folder = segment::directory(data, log);
        fs::create_dir_all(&folder)?;
        // Also where it was there: the start that made it may have been killed before this line.
        files.open(data, Mode::Directory).await?.sync_data().await?;
        let names = segment::files(data, log)?;
        let highest = names.last().map_or(0, |&(number, _)| number);
        // The position holds the row of numbers as well as they do.
        for &(number, holds) in &names {
            if holds == Holds::Gone && number < end.segment {
                let _ = fs::remove_file(segment::file(data, log, number, holds));
            }
        }
        let resumed = end.offset >= HEAD_OCTETS;
        let next_segment = (highest + 1).max(end.segment + u32::from(resumed));
        let shared = Rc::new(Shared {
            log,
            data: data.to_owned(),
            sequence: Cell::new(end.sequence.max(1)),
            next_segment: Cell::new(next_segment.max(1)),
            pending: RefCell::default(),
            runs: Runs::default(),
            driver: Cell::default(),
            closing: Cell::new(false),
            turn: Turn::default(),
            packer: RefCell::default(),
            compress: options.compress,
            closers: RefCell::default(),
            ended: Cell::new(false),
        });
        let mut tail = Tail::new(files.clone(), Rc::clone(&shared), options);
        if resumed {
            tail.resume(end.segment, end.offset).await?;
        }
        let handle = Log {
            shared: Rc::clone(&shared),
        };
        let driver = Driver {
            shared,
            files,
            tail: Some(tail),
        };
        Ok((handle, driver))
    }

    /// Hands over a record: its place among the others is fixed by this call, not by the first poll. `reply` goes to the
    /// index together with the record's [`Write`]; it hears nothing when the append itself fails.
    pub fn append(&self, record: Record, reply: Option<ReplyTo>) -> Append {
        let Record {
            targets,
            items,
            digest,
            text,
            body,
        } = record;
        let (encoding, octets, checksum, body) = match body {
            Body::Whole(mail) => {
                let checksum = record::checksum(&mail);
                let octets = mail.len() as u64;
                match self.shared.packed(&mail) {
                    Some(packed) => (Encoding::Zstd, octets, checksum, Stored::Octets(packed)),
                    None => (Encoding::Raw, octets, checksum, Stored::Octets(mail)),
                }
            }
            Body::Streamed(mail) => {
                let (encoding, octets, checksum) = (mail.encoding, mail.octets, mail.checksum);
                (encoding, octets, checksum, Stored::Linked(mail))
            }
        };
        let draft = Draft {
            kind: Kind::Mail,
            blob: None,
            parts: Parts {
                targets,
                digest,
                text,
                items,
            },
            encoding,
            octets,
            checksum,
            body,
        };
        self.take(draft, reply)
    }

    /// Hands over a mail that moves here from a segment that is given up; the index is told where it is now.
    pub fn relocate(&self, carried: Carried, stored: Stored, reply: Option<ReplyTo>) -> Append {
        let Carried {
            blob,
            targets,
            items,
            digest,
            text,
            octets,
            checksum,
            encoding,
        } = carried;
        let draft = Draft {
            kind: Kind::Moved,
            blob: Some(blob),
            parts: Parts {
                targets,
                digest,
                text,
                items,
            },
            encoding,
            octets,
            checksum,
            body: stored,
        };
        self.take(draft, reply)
    }

    fn take(&self, draft: Draft, reply: Option<ReplyTo>) -> Append {
        let slot = Rc::new(Slot::default());
        let refused = if self.shared.closing.get() {
            Some(LogError::Closed)
        } else {
            self.shared.enqueue(draft, reply, &slot).err()
        };
        match refused {
            Some(error) => slot.answer(Err(error)),
            None => self.shared.wake_driver(),
        }
        Append { slot }
    }

    /// A large mail begins to arrive: it is written beside the records while it comes. What it comes to is the body of
    /// a [`Record`].
    pub async fn stream<F: Files>(&self, files: F) -> Result<Stream<F>, LogError> {
        if self.shared.closing.get() {
            return Err(LogError::Closed);
        }
        Stream::open(files, self).await
    }

    /// A large mail's own segment, `segment` of log `log`, gets a second name in this log, durably: the way it moves.
    pub async fn link<F: Files>(
        &self,
        files: F,
        log: u16,
        segment: u32,
    ) -> Result<Streamed, LogError> {
        Streamed::link(files, self, log, segment).await
    }

    /// Takes no more records, and returns when all that were taken are answered and the driver has ended.
    pub async fn close(&self) {
        self.shared.closing.set(true);
        self.shared.wake_driver();
        poll_fn(|context| {
            if self.shared.ended.get() {
                return Poll::Ready(());
            }
            self.shared
                .closers
                .borrow_mut()
                .push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// The log's number.
    pub fn number(&self) -> u16 {
        self.shared.log
    }

    /// The directory below which the log is.
    pub(crate) fn data(&self) -> &Path {
        &self.shared.data
    }

    /// Packs a large mail, where that is wanted.
    pub(crate) fn packer(&self) -> Option<Packer> {
        self.shared.compress.then(Packer::new).flatten()
    }

    /// Whose turn it is to sync a large mail.
    pub(crate) fn turn(&self) -> &Turn {
        &self.shared.turn
    }

    /// A number for a segment of a large mail.
    pub(crate) fn take_segment(&self) -> u32 {
        self.shared.take_segment()
    }
}

impl Shared {
    fn wake_driver(&self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }

    pub fn take_segment(&self) -> u32 {
        self.next_segment.replace(self.next_segment.get() + 1)
    }

    /// The mail packed, where that is wanted and pays.
    fn packed(&self, mail: &[u8]) -> Option<Vec<u8>> {
        if !self.compress {
            return None;
        }
        let mut packer = self.packer.borrow_mut();
        if packer.is_none() {
            *packer = Packer::new();
        }
        packer.as_mut()?.whole(mail)
    }

    /// A number that came to nothing, unless a later one was taken.
    pub fn give_back_segment(&self, number: u32) {
        if self.next_segment.get() == number + 1 {
            self.next_segment.set(number);
        }
    }

    fn enqueue(
        &self,
        draft: Draft,
        reply: Option<ReplyTo>,
        slot: &Rc<Slot>,
    ) -> Result<(), LogError> {
        let Draft {
            kind,
            blob,
            parts,
            encoding,
            octets: mail_octets,
            checksum: mail_checksum,
            body,
        } = draft;
        // A message row counts prefix and mail in 32 bits.
        if mail_octets + u64::from(u16::MAX) > u64::from(u32::MAX) {
            return Err(LogError::TooLarge);
        }
        let (octets, stored_octets, stored_checksum, part, own_segment) = match body {
            Stored::Octets(octets) => {
                let checksum = match encoding {
                    Encoding::Raw => mail_checksum,
                    Encoding::Zstd => record::checksum(&octets),
                };
                let stored = octets.len() as u64;
                (octets, stored, checksum, None, 0)
            }
            Stored::Linked(mail) => {
                let Streamed {
                    segment,
                    stored,
                    stored_checksum,
                    part,
                    ..
                } = mail;
                (Vec::new(), stored, stored_checksum, Some(part), segment)
            }
        };
        let digest_octets = u32::try_from(parts.digest.len()).map_err(|_| LogError::TooLarge)?;
        let text_octets = u32::try_from(parts.text.len()).map_err(|_| LogError::TooLarge)?;
        let batch = &mut *self.pending.borrow_mut();
        if batch.runs.is_empty() {
            batch.runs.push(self.runs.take());
        }
        let run = batch.runs.len() - 1;
        let out = &mut batch.runs[run];
        let (before, at) = (batch.octets, out.len());
        out.extend_from_slice(&[0; HEADER_OCTETS]);
        let meta = out.len();
        let encoded = record::encode_targets(&parts.targets, out);
        let decisions_octets = encoded.and_then(|()| u32::try_from(out.len() - meta).ok());
        let Some(decisions_octets) = decisions_octets else {
            out.truncate(at);
            return Err(LogError::TooLarge);
        };
        out.extend_from_slice(&parts.digest);
        out.extend_from_slice(&parts.text);
        let items = out.len();
        let encoded = record::encode_items(&parts.items, out);
        let items_octets = encoded.and_then(|()| u32::try_from(out.len() - items).ok());
        let Some(items_octets) = items_octets else {
            out.truncate(at);
            return Err(LogError::TooLarge);
        };
        let sequence = self.sequence.replace(self.sequence.get() + 1);
        let header = Header {
            version: Version::Second,
            kind,
            log: self.log,
            sequence,
            blob: blob.unwrap_or_else(|| BlobId::new(self.log, sequence)),
            encoding,
            own_segment,
            decisions_octets,
            digest_octets,
            text_octets,
            items_octets,
            mail_octets,
            stored_octets,
            meta_checksum: record::checksum(&out[meta..]),
            mail_checksum,
            stored_checksum,
        };
        let padding = header.record_octets()
            - (HEADER_OCTETS as u64 + header.meta_octets() + header.body_octets());
        debug_assert!(padding < ALIGN);
        let padding = &[0; ALIGN as usize][..padding as usize];
        if octets.len() < OWN_RUN_OCTETS {
            out.extend_from_slice(&octets);
            out.extend_from_slice(padding);
        } else {
            batch.runs.push(octets);
            let mut run = self.runs.take();
            run.extend_from_slice(padding);
            batch.runs.push(run);
        }
        batch.octets += header.record_octets();
        let slot = Rc::clone(slot);
        batch.records.push(Waiting {
            header,
            run,
            at,
            offset: before,
            parts,
            part,
            reply,
            slot,
        });
        Ok(())
    }

    /// Waits for records; whether there are any, which there are not when the log is closing.
    async fn begun(&self) -> bool {
        let mut turned = false;
        poll_fn(|context| {
            if self.pending.borrow().records.is_empty() {
                if self.closing.get() {
                    return Poll::Ready(false);
                }
                self.driver.set(Some(context.waker().clone()));
                turned = false;
                return Poll::Pending;
            }
            // One turn of the loop for the other tasks that are ready: their records go along.
            if !mem::replace(&mut turned, true) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(true)
        })
        .await
    }

    /// Waits until `enough` records have gathered, but not beyond `pause`, nor when the log is closing.
    async fn gathered(&self, enough: usize, pause: impl Future<Output = ()>) {
        let mut pause = pin!(pause);
        poll_fn(|context| {
            if self.closing.get() || self.pending.borrow().records.len() >= enough {
                return Poll::Ready(());
            }
            self.driver.set(Some(context.waker().clone()));
            pause.as_mut().poll(context)
        })
        .await;
    }
}

impl<F: Files> Driver<F> {
    /// Writes batch after batch until the log is closed and empty. `submit` is handed each durable record in order;
    /// it should pass it to `Store::submit`.
    pub async fn run(mut self, mut submit: impl FnMut(Write, Option<ReplyTo>)) {
        let mut company = Company::default();
        let mut ahead = Ahead::new(self.files.clone());
        let Some(mut tail) = self.tail.take() else {
            return;
        };
        while ahead.beside(self.shared.begun()).await {
            let gathered = self.shared.pending.borrow().records.len();
            if let Some((enough, most)) = company.pause(gathered) {
                let pause = self.files.pause(most);
                ahead.beside(self.shared.gathered(enough, pause)).await;
            }
            let Batch {
                runs,
                octets,
                records,
            } = self.shared.pending.take();
            let began = self.files.clock();
            if tail.is_full_for(octets) {
                ahead.hand_over(&mut tail).await;
            }
            let written = ahead.beside(tail.write(runs, octets, &records)).await;
            ahead.begin(&mut tail);
            let took = self.files.clock() - began;
            let gathered = self.shared.pending.borrow().records.len();
            company = Company::learn(records.len(), gathered, took);
            let Ok(begin) = written.inspect_err(|&error| refuse(&records, error)) else {
                continue;
            };
            for waiting in records {
                let Waiting {
                    header,
                    offset,
                    parts,
                    part,
                    reply,
                    slot,
                    ..
                } = waiting;
                // Before the index hears of it and anyone may read it.
                part.into_iter().for_each(Part::keep);
                let entry = Entry::new(&header, tail.segment, begin + offset, parts);
                let place = entry.place();
                let durable = Durable {
                    blob: header.blob,
                    segment: place.segment,
                    offset: place.offset,
                    octets: place.octets,
                    next: entry.next(),
                };
                submit(entry.write(), reply);
                slot.answer(Ok(durable));
            }
        }
        ahead.finish(&mut tail).await;
        tail.close().await;
    }
}

fn refuse(records: &[Waiting], error: LogError) {
    for waiting in records {
        waiting.slot.answer(Err(error));
    }
}

impl<F: Files> Drop for Driver<F> {
    /// Whoever still waits is told, also when the driver is dropped before its end.
    fn drop(&mut self) {
        self.shared.closing.set(true);
        self.shared.ended.set(true);
        refuse(&self.shared.pending.take().records, LogError::Closed);
        for closer in self.shared.closers.take() {
            closer.wake();
        }
    }
}
