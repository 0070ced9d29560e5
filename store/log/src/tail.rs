//! The end of the log on disk: the segment that is written to, and the one after it.
//!
//! In:  batches, one at a time. Out: where each begins, once it is durable; or that it is not in the log.
//!
//! ```text
//! none --- first batch ---> open --- an eighth is left: the next one is made, beside ---> open, next ready
//!                            ^                                                                |
//!                            '--- it does not fit any more: the next one it is, the old one is cut
//! ```
//! A prepared segment has its head and is otherwise zero; recovery takes it for nothing, and removes it.
//!
//! Invariants: numbers rise from segment to segment. What failed is cut off, durably, or else nothing more is written
//! behind it: the log goes on in another segment. A full disk takes no more than it must, and is asked again by
//! each batch that needs room.

use crate::append::{Options, Shared, Waiting};
use crate::error::LogError;
use crate::file::{Files, Mode, SegmentFile};
use crate::header::{HEADER_OCTETS, Version};
use crate::runs::Runs;
use crate::segment::{self, HEAD_OCTETS, Head};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use std::{fs, io};

/// A segment is prepared when so much of the one before, as a fraction, is left.
const AHEAD: u64 = 8;
/// How long nothing is prepared after it failed: the disk may be full.
const AGAIN: Duration = Duration::from_secs(1);

/// The end of the log.
pub(crate) struct Tail<F: Files> {
    pub files: F,
    shared: Rc<Shared>,
    options: Options,
    /// The segment that is written to.
    pub segment: u32,
    /// Where the next record goes.
    offset: u64,
    open: Option<Fresh<F::File>>,
    next: Option<Fresh<F::File>>,
    /// The one before, and where its records end, until it is cut there.
    full: Option<(Fresh<F::File>, u64)>,
}

/// A segment that may be written to.
pub(crate) struct Fresh<S> {
    number: u32,
    file: S,
    salt: u64,
    /// Its length.
    octets: u64,
}

type Preparing<S> = Pin<Box<dyn Future<Output = io::Result<Fresh<S>>>>>;

/// What is done beside the batches: the next segment is made, the last one is cut.
pub(crate) struct Ahead<F: Files> {
    preparing: Option<Preparing<F::File>>,
    cutting: Option<Pin<Box<dyn Future<Output = ()>>>>,
    ready: Option<Fresh<F::File>>,
    not_before: Option<Instant>,
    files: F,
}

impl<F: Files> Ahead<F> {
    pub fn new(files: F) -> Self {
        Ahead {
            preparing: None,
            cutting: None,
            ready: None,
            not_before: None,
            files,
        }
    }

    /// Runs `work`, and what is done beside while that waits.
    pub async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            let _ = self.poll(context);
            let _ = self.poll_cut(context);
            Poll::Pending
        })
        .await
    }

    /// What is under way is done before the log is closed.
    pub async fn finish(&mut self, tail: &mut Tail<F>) {
        self.hand_over(tail).await;
        poll_fn(|context| self.poll_cut(context)).await;
    }

    /// What is prepared or in the making is handed to the tail, so that it is used before a later number.
    pub async fn hand_over(&mut self, tail: &mut Tail<F>) {
        if tail.next.is_none() {
            poll_fn(|context| self.poll(context)).await;
            tail.next = self.ready.take();
        }
    }

    /// Begins to prepare and to cut, where it is time to.
    pub fn begin(&mut self, tail: &mut Tail<F>) {
        if let Some((old, end)) = tail.full.take() {
            // Gives back what was reserved and not used; the records in it are durable already.
            self.cutting = Some(Box::pin(async move { _ = old.file.truncate(end).await }));
        }
        let idle = self.preparing.is_none() && self.ready.is_none() && tail.next.is_none();
        if idle && tail.is_nearly_full() && self.not_before.is_none_or(|t| self.files.clock() >= t)
        {
            self.preparing = Some(Box::pin(tail.fresh(tail.options.segment_octets)));
        }
    }

    fn poll_cut(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let polled = self.cutting.as_mut().map(|cut| cut.as_mut().poll(context));
        if polled.is_none_or(|polled| polled.is_ready()) {
            self.cutting = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(preparing) = &mut self.preparing else {
            return Poll::Ready(());
        };
        let Poll::Ready(prepared) = preparing.as_mut().poll(context) else {
            return Poll::Pending;
        };
        self.preparing = None;
        self.not_before = prepared.is_err().then(|| self.files.clock() + AGAIN);
        self.ready = prepared.ok();
        Poll::Ready(())
    }
}

impl<F: Files> Tail<F> {
    pub fn new(files: F, shared: Rc<Shared>, options: Options) -> Self {
        Tail {
            files,
            shared,
            options,
            segment: 0,
            offset: 0,
            open: None,
            next: None,
            full: None,
        }
    }

    /// Opens the segment recovery ended in. One that cannot be gone on with, or is of an earlier version, is left alone,
    /// and the next is begun.
    pub async fn resume(&mut self, number: u32, offset: u64) -> Result<(), LogError> {
        let path = segment::path(&self.shared.data, self.shared.log, number);
        let file = self.files.open(&path, Mode::Write).await?;
        let (read, octets) = file.read_at(Vec::new(), 0, HEAD_OCTETS as usize).await;
        read?;
        match Head::read(&octets) {
            Ok(head)
                if (head.log, head.segment) == (self.shared.log, number)
                    && head.version == Version::Second =>
            {
                // Space that cannot be reserved now may be there when it is written to.
                let octets = self.options.segment_octets.max(offset);
                let _ = file.allocate(octets).await;
                (self.segment, self.offset) = (number, offset);
                self.open = Some(Fresh {
                    number,
                    file,
                    salt: head.salt,
                    octets,
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether `octets` more need another segment.
    pub fn is_full_for(&self, octets: u64) -> bool {
        self.open.is_none()
            || self.offset + octets > self.options.segment_octets && self.offset != HEAD_OCTETS
    }

    fn is_nearly_full(&self) -> bool {
        let octets = self.options.segment_octets;
        self.open.is_some() && self.offset > octets - octets / AHEAD
    }

    /// Writes a batch and makes it durable; where in the segment it begins. On failure it is not in the log.
    pub async fn write(
        &mut self,
        mut runs: Vec<Vec<u8>>,
        octets: u64,
        records: &[Waiting],
    ) -> Result<u64, LogError> {
        if self.is_full_for(octets) {
            self.go_on(octets).await?;
        }
        let open = self.open.as_ref().ok_or(LogError::Closed)?;
        for waiting in records {
            let header = waiting.header.encode(open.salt);
            runs[waiting.run][waiting.at..waiting.at + HEADER_OCTETS].copy_from_slice(&header);
        }
        let begin = self.offset;
        let written = write_runs(&open.file, runs, begin, &self.shared.runs).await;
        if let Err(error) = written {
            self.cut(begin).await;
            return Err(error.into());
        }
        self.offset += octets;
        Ok(begin)
    }

    /// Cuts off what a failed batch left.
    async fn cut(&mut self, begin: u64) {
        let Some(open) = &self.open else { return };
        // After a failed sync the kernel may hold pages for clean that are not on disk: cut all of them off.
        let cut = open.file.truncate(begin).await;
        let _ = open.file.allocate(self.options.segment_octets).await;
        // What is refused does not come back after a crash; and the page that the cut goes through, whose
        // first octets were durable before, is written again.
        if cut.is_err() || open.file.sync_data().await.is_err() {
            self.open = None;
        }
    }

    /// Goes on in the next segment, which has room for `octets`.
    async fn go_on(&mut self, octets: u64) -> Result<(), LogError> {
        let needed = HEAD_OCTETS + octets;
        let fresh = match self.next.take() {
            Some(next) if next.octets >= needed => next,
            Some(mut next) => match reserve(&next.file, needed).await {
                Ok(()) => {
                    next.octets = needed;
                    next
                }
                Err(error) => {
                    self.next = Some(next);
                    return Err(error.into());
                }
            },
            None => match self.fresh(self.options.segment_octets.max(needed)).await {
                // Nearly full: a segment as large as it must be, and the rest is left to the index.
                Err(_) if needed < self.options.segment_octets => self.fresh(needed).await?,
                fresh => fresh?,
            },
        };
        self.full = self.open.take().map(|old| (old, self.offset));
        self.segment = fresh.number;
        self.offset = HEAD_OCTETS;
        self.open = Some(fresh);
        Ok(())
    }

    /// Makes a segment of `octets`, its head and its name durable.
    fn fresh(&self, octets: u64) -> impl Future<Output = io::Result<Fresh<F::File>>> + use<F> {
        let (files, shared) = (self.files.clone(), Rc::clone(&self.shared));
        let number = shared.take_segment();
        async move {
            let path = segment::path(&shared.data, shared.log, number);
            let head = Head::new(shared.log, number, shared.sequence.get());
            let file = files.open(&path, Mode::Create).await?;
            if let Err(error) = make(&files, &file, &shared, &head, octets).await {
                // A full disk may ask for it a million times.
                if fs::remove_file(&path).is_ok() {
                    shared.give_back_segment(number);
                }
                return Err(error);
            }
            let salt = head.salt;
            Ok(Fresh {
                number,
                file,
                salt,
                octets,
            })
        }
    }

    /// Gives back what was reserved and not used.
    pub async fn close(mut self) {
        if let Some(open) = self.open.take() {
            let _ = open.file.truncate(self.offset).await;
        }
        if let Some(next) = self.next.take() {
            let path = segment::path(&self.shared.data, self.shared.log, next.number);
            let _ = fs::remove_file(path);
        }
    }
}

async fn make<F: Files>(
    files: &F,
    file: &F::File,
    shared: &Shared,
    head: &Head,
    octets: u64,
) -> io::Result<()> {
    reserve(file, octets).await?;
    file.write_durable(head.encode(), 0).await.0?;
    let folder = segment::directory(&shared.data, shared.log);
    let folder = files.open(&folder, Mode::Directory).await?;
    folder.sync_data().await
}

/// Reserves `octets`, where the file system knows how to: elsewhere the file grows as it is written.
async fn reserve<S: SegmentFile>(file: &S, octets: u64) -> io::Result<()> {
    match file.allocate(octets).await {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        reserved => reserved,
    }
}

/// Writes `runs` one behind the other from `offset` on, and syncs with the last of them. Their buffers go to `spare`.
async fn write_runs<S: SegmentFile>(
    file: &S,
    mut runs: Vec<Vec<u8>>,
    mut offset: u64,
    spare: &Runs,
) -> io::Result<()> {
    runs.retain(|run| !run.is_empty());
    let last = runs.pop().unwrap_or_default();
    for run in runs {
        let octets = run.len() as u64;
        let (written, run) = file.write_at(run, offset).await;
        spare.give(run);
        written?;
        offset += octets;
    }
    let (written, run) = file.write_durable(last, offset).await;
    spare.give(run);
    written
}
