//! A mail arrives: into memory, past every reader while its octets are in cache, and, if it is large, on into the log.
//!
//! In:  our trace fields, then [`Ingest::body`] with run after run, dots undone.
//! Out: [`Arrived`]: the octets as they will be stored, the digest, what was noticed.
//!
//! ```text
//! new --- body ... body --- finish ---------------------------------------> Body::Whole
//!           |  more than message_stream_octets: pieces leave for the log
//!           '--- body ... body --- finish: the last piece, made durable --> Body::Streamed
//! ```
//! What is in memory is contiguous: one run appended, then each reader looks at what is new, and only what all of them
//! have done with leaves. So a mail holds the threshold at most, and a piece from then on; a header that goes on is
//! kept up to message_header_octets_max. Pieces leave early where the peer has announced a large mail, and where the
//! shard's budget is used up.
//!
//! Invariant: a mail that is not finished leaves nothing behind, neither in the log nor in the budget. A limit or a budget
//! that is reached, and a log that fails, is an error of `body`; then the mail is to be dropped.

use crate::Error;
use crate::authors::Authors;
use crate::buffer::{Buffer, PIECE_OCTETS};
use crate::completion::Completion;
use crate::memory::{Charge, Memory};
use crate::readers::{Arriving, Circumstances, Complete, Readers};
use ringpost_log::file::Files;
use ringpost_log::{Body, Log, Stream};
use ringpost_mailauth::body_hash::BodyResult;
use ringpost_message::{Digest, Scanner};
use ringpost_runtime::file::RingFiles;
use ringpost_types::limit::Limits;
use std::sync::Arc;

/// Room made at the start at most, in octets: what a peer announces in SIZE is not believed beyond. With room for a piece, 1,000
/// sessions that announced 50 MB and sent nothing held 350 MiB: where the kernel gives huge pages, room is memory.
const ROOM_OCTETS_MAX: u64 = 16 * 1024;
/// Room made where nothing is announced, in octets.
const ROOM_OCTETS: u64 = 4 * 1024;

/// Where the budget is used up, a mail from this length on goes to disk instead: smaller ones are not worth a file.
const PRESSED_OCTETS: usize = 64 * 1024;

/// Where a shard's mails come in.
#[derive(Clone)]
pub struct Inlet<F: Files = RingFiles> {
    /// Bounds in force.
    pub limits: Arc<Limits>,
    /// The shard's budget.
    pub memory: Memory,
    /// Where large mails go.
    pub log: Log,
    /// What they are written with.
    pub files: F,
}

/// A mail that is arriving.
pub struct Ingest<F: Files = RingFiles> {
    buffer: Buffer,
    /// Octets of our own fields in front.
    head_octets: usize,
    scanner: Scanner,
    readers: Readers,
    /// A user's mail, until it is known what it lacks.
    completion: Option<Completion>,
    /// Whom a user's mail names.
    authors: Authors,
    /// With more than this in memory, pieces leave.
    held_octets_max: usize,
    limits: Arc<Limits>,
    log: Log,
    files: F,
    /// Once a piece has left.
    stream: Option<Stream<F>>,
}

/// A mail that has arrived.
#[derive(Debug)]
pub struct Arrived {
    /// Our trace fields, then the mail as received; an empty line between them if the mail begins with white space.
    pub body: Body,
    /// Octets of our own fields in front.
    pub head_octets: usize,
    /// What `message::Scanner` made of the mail.
    pub digest: Vec<u8>,
    /// The mail's row in table text; empty: none.
    pub text: Vec<u8>,
    /// Received fields the mail came with, ours not counted. RFC 5321 §6.3.
    pub received: u32,
    /// What came of the body hash of each DKIM-Signature, in the order of the header. RFC 6376 §6.1.3.
    pub signatures: Vec<BodyResult>,
    /// Whom a user's mail names beside what the digest has.
    pub authors: Authors,
    /// Held until the mail is durable.
    pub(crate) charge: Charge,
}

impl<F: Files + Clone> Inlet<F> {
    /// A mail begins with `head`, our own fields; `size` is what the peer announces, in octets. A mail without fields of
    /// ours is a client's own copy: nobody asks about its signatures.
    pub fn ingest(&self, size: Option<u64>, head: &[u8]) -> Result<Ingest<F>, Error> {
        let size = size.unwrap_or(0);
        if !self.has_room_for(size) {
            return Err(Error::Memory);
        }
        let room = if size == 0 { ROOM_OCTETS } else { size };
        let room = room.min(ROOM_OCTETS_MAX) as usize;
        Ok(Ingest {
            buffer: Buffer::new(self.memory.charge(), room, head)?,
            head_octets: head.len(),
            scanner: Scanner::new(&self.limits),
            readers: Readers::begin(Circumstances {
                own_copy: head.is_empty(),
            }),
            completion: None,
            authors: Authors::default(),
            held_octets_max: if self.streams(size) {
                PIECE_OCTETS
            } else {
                usize::try_from(self.limits.message_stream_octets).unwrap_or(usize::MAX)
            },
            limits: self.limits.clone(),
            log: self.log.clone(),
            files: self.files.clone(),
            stream: None,
        })
    }

    /// Whether a mail of so many octets would find room now. Nothing is reserved: what a stranger announces costs
    /// nobody anything.
    pub fn has_room_for(&self, octets: u64) -> bool {
        let held = match self.streams(octets) {
            true => PIECE_OCTETS as u64,
            false => octets,
        };
        self.memory.has_room_for(held)
    }

    /// Whether a mail of so many octets goes to disk while it comes.
    fn streams(&self, octets: u64) -> bool {
        octets > self.limits.message_stream_octets.max(PIECE_OCTETS as u64)
    }
}

impl<F: Files + Clone> Ingest<F> {
    /// Adds what the mail lacks, behind our trace fields. To be said before its first octet.
    pub fn complete_with(&mut self, completion: Completion) {
        debug_assert_eq!(self.buffer.end(), self.head_octets);
        self.completion = Some(completion);
    }

    /// The next octets. It waits where they have to wait for the disk.
    pub async fn body(&mut self, run: &[u8]) -> Result<(), Error> {
        if self.is_full(run.len()) {
            // Boxed: it comes once in a piece, and a session is smaller without it.
            Box::pin(self.hand_over()).await?;
        }
        self.take(run)
    }

    /// Whether a piece has to leave before `more` octets come.
    fn is_full(&mut self, more: usize) -> bool {
        if self.buffer.octets().len() + more > self.held_octets_max {
            return self.may_leave() > 0;
        }
        let worth = match self.stream {
            Some(_) => 1,
            None => PRESSED_OCTETS,
        };
        self.buffer.reserve(more).is_err() && self.may_leave() >= worth
    }

    /// Puts a run to the others and shows it to every reader.
    fn take(&mut self, run: &[u8]) -> Result<(), Error> {
        if let [b' ' | b'\t', ..] = run
            && self.buffer.end() == self.head_octets
            && self.head_octets > 0
        {
            self.end_our_header()?;
        }
        self.buffer.append(run)?;
        self.scanner.feed(self.buffer.octets(), self.buffer.base());
        if self.scanner.header_is_read()
            && let Some(completion) = self.completion.take()
        {
            let end = self.scanner.header_end().unwrap_or(self.buffer.end());
            self.authors = Authors::read(&self.buffer.octets()[self.head_octets..end]);
            self.end_torn_header()?;
            let (has_date, has_message_id) =
                (self.scanner.has_date(), self.scanner.has_message_id());
            self.add(&completion.fields(has_date, has_message_id))?;
            self.scanner.feed(self.buffer.octets(), self.buffer.base());
        }
        self.readers.read(Arriving {
            scanner: &self.scanner,
            buffer: &self.buffer,
        });
        Ok(())
    }

    /// The mail begins with white space, so it has no header: ours ends with an empty line of its own. Otherwise the
    /// sender would write on in our Received field.
    #[cold]
    fn end_our_header(&mut self) -> Result<(), Error> {
        self.buffer.append(b"\r\n")
    }

    /// The header of a user's mail ends in a line that is no field: an empty line goes before it. The line and what follows
    /// is body then to whoever reads it; some programs would pass over it and find one more From behind, which nobody checked.
    fn end_torn_header(&mut self) -> Result<(), Error> {
        let Some(end) = self.scanner.header_end() else {
            return Ok(());
        };
        let header = &self.buffer.octets()[..end];
        if !header.ends_with(b"\n\r\n") && !header.ends_with(b"\n\n") {
            self.buffer.insert(end, b"\r\n")?;
            self.scanner = self.scanner.afresh();
        }
        Ok(())
    }

    /// Puts `fields` behind our own and begins to read anew, which is rare, and only the header has come so far.
    fn add(&mut self, fields: &[u8]) -> Result<(), Error> {
        if !fields.is_empty() {
            self.buffer.insert(self.head_octets, fields)?;
            self.head_octets += fields.len();
            self.scanner = self.scanner.afresh();
        }
        Ok(())
    }

    /// Octets in memory that nobody needs any more; 0 if they are not worth a piece beside what has to stay.
    fn may_leave(&self) -> usize {
        let done = self.keep_from().saturating_sub(self.buffer.base());
        match &self.completion {
            None if done >= self.buffer.octets().len() / 4 => done,
            _ => 0,
        }
    }

    /// What lies before this place of the mail nobody needs any more.
    fn keep_from(&self) -> usize {
        self.scanner.keep_from().min(self.readers.keep_from())
    }

    /// What may leave goes into the log.
    async fn hand_over(&mut self) -> Result<(), Error> {
        let keep_from = self.keep_from();
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(self.log.stream(self.files.clone()).await?),
        };
        let spare = stream.write(self.buffer.detach(keep_from)).await?;
        self.buffer.settle(spare);
        self.held_octets_max = PIECE_OCTETS;
        Ok(())
    }

    /// The mail is complete. A large one is durable when this is `Ok`, but in no one's mailbox yet.
    pub async fn finish(mut self) -> Result<Arrived, Error> {
        self.complete_header_alone()?;
        let digest = (self.scanner).finish(self.buffer.octets(), self.buffer.base());
        let received = Digest::read(&digest).map_or(0, |digest| digest.received());
        let ours = u32::from(self.head_octets > 0);
        let findings = self.readers.finish(Complete {
            digest: &digest,
            octets: self.stream.is_none().then_some(self.buffer.octets()),
            limits: &self.limits,
        });
        let (octets, mut charge) = self.buffer.into_parts();
        let body = match self.stream {
            None => Body::Whole(octets),
            Some(mut stream) => {
                drop(Box::pin(stream.write(octets)).await?);
                charge.set(0);
                Body::Streamed(Box::pin(stream.finish()).await?)
            }
        };
        Ok(Arrived {
            body,
            head_octets: self.head_octets,
            digest,
            text: findings.text,
            received: received.saturating_sub(ours),
            signatures: findings.signatures,
            authors: self.authors,
            charge,
        })
    }

    /// The mail has ended within its header: it is known only now what it lacks.
    fn complete_header_alone(&mut self) -> Result<(), Error> {
        let Some(completion) = self.completion.take() else {
            return Ok(());
        };
        self.authors = Authors::read(self.buffer.behind(self.head_octets));
        let digest = self.scanner.afresh().finish(self.buffer.octets(), 0);
        let Ok(digest) = Digest::read(&digest) else {
            return Ok(());
        };
        let envelope = digest.envelope();
        self.add(&completion.fields(envelope.date.is_some(), envelope.message_id.is_some()))
    }
}

impl Arrived {
    /// Length of the mail, our own fields included.
    pub fn octets(&self) -> u64 {
        match &self.body {
            Body::Whole(octets) => octets.len() as u64,
            Body::Streamed(streamed) => streamed.octets(),
        }
    }
}

#[cfg(test)]
mod tests;
