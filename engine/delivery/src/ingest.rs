//! A mail arrives: into one contiguous buffer, and past every reader while its octets are in cache.
//!
//! In:  our trace fields, then [`Ingest::body`] with run after run, dots undone.
//! Out: [`Arrived`]: the octets as they will be stored, the digest, what was noticed.
//!
//! The buffer is never cut: one run appended, then each reader looks at what is new. A limit or a budget that is reached
//! is an error of `body`, and the mail is dropped.

use crate::memory::{Charge, Memory};
use crate::{Error, trace};
use ringpost_message::{Digest, Scanner};
use ringpost_types::TraceId;
use ringpost_types::limit::Limits;

/// Room made at the start at most, in octets: what a peer announces in SIZE is not believed beyond.
const ROOM_OCTETS_MAX: u64 = 256 * 1024;
/// Room made where nothing is announced, in octets.
const ROOM_OCTETS: u64 = 4 * 1024;

/// A mail that is arriving.
#[derive(Debug)]
pub struct Ingest {
    octets: Vec<u8>,
    /// Octets of our own fields in front.
    head_octets: usize,
    scanner: Scanner,
    charge: Charge,
}

/// A mail that has arrived.
#[derive(Debug)]
pub struct Arrived {
    /// Our trace fields, then the mail as received.
    pub octets: Vec<u8>,
    /// Octets of our own fields in front.
    pub head_octets: usize,
    /// What `message::Scanner` made of `octets`.
    pub digest: Vec<u8>,
    /// Received fields the mail came with, ours not counted. RFC 5321 §6.3.
    pub received: u32,
    /// Held until the mail is durable.
    pub(crate) charge: Charge,
}

/// What completes a user's mail. RFC 6409 §8.
#[derive(Clone, Copy, Debug)]
pub struct Completion<'s> {
    /// Our name.
    pub hostname: &'s str,
    /// The mail's trace id: unique, so a Message-ID is made of it.
    pub id: TraceId,
    /// Now, in seconds since 1970 UTC.
    pub unix: u64,
}

impl Ingest {
    /// Begins with `head`, our own fields; `size` is what the peer announces, in octets.
    pub fn new(
        limits: &Limits,
        memory: &Memory,
        size: Option<u64>,
        head: &[u8],
    ) -> Result<Self, Error> {
        if !memory.has_room_for(size.unwrap_or(0)) {
            return Err(Error::Memory);
        }
        let room = size.unwrap_or(ROOM_OCTETS).min(ROOM_OCTETS_MAX) as usize;
        let mut octets = Vec::with_capacity(head.len() + room);
        octets.extend_from_slice(head);
        let mut charge = memory.charge();
        charge.add(head.len())?;
        let scanner = Scanner::new(limits);
        Ok(Ingest {
            octets,
            head_octets: head.len(),
            scanner,
            charge,
        })
    }

    /// The next octets.
    pub fn body(&mut self, run: &[u8]) -> Result<(), Error> {
        self.charge.add(run.len())?;
        self.octets.extend_from_slice(run);
        self.scanner.feed(&self.octets);
        Ok(())
    }

    /// What has arrived so far, our own fields in front.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The mail is complete.
    pub fn finish(self) -> Arrived {
        let received = self.scanner.received();
        let ours = u32::from(self.head_octets > 0);
        let digest = self.scanner.finish(&self.octets);
        Arrived {
            octets: self.octets,
            head_octets: self.head_octets,
            digest,
            received: received.saturating_sub(ours),
            charge: self.charge,
        }
    }
}

impl Arrived {
    /// Puts Date and Message-ID behind our trace fields where the user's program left them out: then the mail is read a
    /// second time, which is rare. RFC 6409 §8.2, §8.3.
    pub fn complete(
        mut self,
        completion: Completion<'_>,
        limits: &Limits,
    ) -> Result<Arrived, Error> {
        let mut added = Vec::new();
        if let Ok(digest) = Digest::read(&self.digest) {
            let envelope = digest.envelope();
            if envelope.date.is_none() {
                trace::write_date(completion.unix, &mut added);
            }
            if envelope.message_id.is_none() {
                trace::write_message_id(completion.id, completion.hostname, &mut added);
            }
        }
        if added.is_empty() {
            return Ok(self);
        }
        self.charge.add(added.len())?;
        self.octets
            .splice(self.head_octets..self.head_octets, added.iter().copied());
        self.head_octets += added.len();
        let mut scanner = Scanner::new(limits);
        scanner.feed(&self.octets);
        self.digest = scanner.finish(&self.octets);
        Ok(self)
    }
}
