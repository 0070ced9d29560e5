//! A mail arrives: into one contiguous buffer, and past every reader while its octets are in cache.
//!
//! In:  our trace fields, then [`Ingest::body`] with run after run, dots undone.
//! Out: [`Arrived`]: the octets as they will be stored, the digest, what was noticed.
//!
//! The buffer is never cut: one run appended, then each reader looks at what is new. A limit or a budget that is reached
//! is an error of `body`, and the mail is dropped.

use crate::memory::{Charge, Memory};
use crate::{Error, trace};
use ringpost_mailauth::body_hash::{BodyHashes, BodyResult};
use ringpost_message::{Digest, Scanner};
use ringpost_types::TraceId;
use ringpost_types::limit::Limits;

/// Room made at the start at most, in octets: what a peer announces in SIZE is not believed beyond.
const ROOM_OCTETS_MAX: u64 = 256 * 1024;
/// Room made where nothing is announced, in octets.
const ROOM_OCTETS: u64 = 4 * 1024;

/// Below it a mail's buffer doubles when it grows, in octets.
const SMALL_OCTETS: usize = 1024 * 1024;

/// A mail that is arriving.
pub struct Ingest {
    octets: Vec<u8>,
    /// Octets of our own fields in front.
    head_octets: usize,
    scanner: Scanner,
    hashing: Hashing,
    charge: Charge,
}

/// Where the body hashes of DKIM-Signatures stand. RFC 6376 §3.7.
#[derive(Clone)]
enum Hashing {
    /// The header has not ended: nobody knows yet what to hash.
    Waiting,
    /// Octets before `next` are hashed.
    Body { hashes: BodyHashes, next: usize },
    /// No signature asks.
    Nothing,
}

/// A mail that has arrived.
#[derive(Debug)]
pub struct Arrived {
    /// Our trace fields, then the mail as received; an empty line between them if the mail begins with white space.
    pub octets: Vec<u8>,
    /// Octets of our own fields in front.
    pub head_octets: usize,
    /// What `message::Scanner` made of `octets`.
    pub digest: Vec<u8>,
    /// Received fields the mail came with, ours not counted. RFC 5321 §6.3.
    pub received: u32,
    /// What came of the body hash of each DKIM-Signature, in the order of the header. RFC 6376 §6.1.3.
    pub signatures: Vec<BodyResult>,
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
    /// Begins with `head`, our own fields; `size` is what the peer announces, in octets. A mail without fields of ours
    /// is a client's own copy: nobody asks about its signatures.
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
        charge.cover(head.len())?;
        Ok(Ingest {
            octets,
            head_octets: head.len(),
            scanner: Scanner::new(limits),
            hashing: if head.is_empty() {
                Hashing::Nothing
            } else {
                Hashing::Waiting
            },
            charge,
        })
    }

    /// The next octets.
    pub fn body(&mut self, run: &[u8]) -> Result<(), Error> {
        if let [b' ' | b'\t', ..] = run
            && self.octets.len() == self.head_octets
            && self.head_octets > 0
        {
            self.end_our_header()?;
        }
        reserve(&mut self.octets, run.len(), &mut self.charge)?;
        self.octets.extend_from_slice(run);
        self.scanner.feed(&self.octets, 0);
        self.hash();
        Ok(())
    }

    /// The mail begins with white space, so it has no header: ours ends with an empty line of its own. Otherwise the
    /// sender would write on in our Received field.
    #[cold]
    fn end_our_header(&mut self) -> Result<(), Error> {
        reserve(&mut self.octets, 2, &mut self.charge)?;
        self.octets.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Hashes the body octets that are new, if a signature asks.
    fn hash(&mut self) {
        if let Hashing::Waiting = self.hashing
            && let Some(next) = self.scanner.header_end()
        {
            let values = self.scanner.signatures().iter();
            let hashes = BodyHashes::new(values.map(|span| span.of(&self.octets)));
            self.hashing = if self.scanner.signatures().is_empty() {
                Hashing::Nothing
            } else {
                Hashing::Body { hashes, next }
            };
        }
        if let Hashing::Body { hashes, next } = &mut self.hashing {
            hashes.update(&self.octets[*next..]);
            *next = self.octets.len();
        }
    }

    /// What has arrived so far, our own fields in front.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The mail is complete.
    pub fn finish(self) -> Arrived {
        let digest = self.scanner.finish(&self.octets, 0);
        let received = Digest::read(&digest).map_or(0, |digest| digest.received());
        let ours = u32::from(self.head_octets > 0);
        let signatures = match self.hashing {
            Hashing::Body { hashes, .. } => hashes.finish(),
            Hashing::Waiting | Hashing::Nothing => Vec::new(),
        };
        Arrived {
            octets: self.octets,
            head_octets: self.head_octets,
            digest,
            received: received.saturating_sub(ours),
            signatures: signatures.into_iter().map(|(_, result)| result).collect(),
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
        reserve(&mut self.octets, added.len(), &mut self.charge)?;
        self.octets
            .splice(self.head_octets..self.head_octets, added.iter().copied());
        self.head_octets += added.len();
        self.digest = Scanner::scan(limits, &self.octets);
        Ok(self)
    }
}

/// Makes room for `more` octets: by doubling, a half more from [`SMALL_OCTETS`] on, and to the octet where the budget has
/// no room for more. What growing takes is charged, filled or not. The first room is charged as it is filled: a peer
/// that announces much and sends nothing takes pages of nobody.
fn reserve(octets: &mut Vec<u8>, more: usize, charge: &mut Charge) -> Result<(), Error> {
    let filled = octets.len() + more;
    if filled <= octets.capacity() {
        return charge.cover(filled);
    }
    let part = if octets.capacity() < SMALL_OCTETS {
        octets.capacity()
    } else {
        octets.capacity() / 2
    };
    let mut held = filled.max(octets.capacity() + part);
    if charge.cover(held).is_err() {
        held = filled;
        charge.cover(held)?;
    }
    octets.reserve_exact(held - octets.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] =
        b"Received: by mx.example.org with ESMTP id 1; Thu, 1 Jan 1970 00:00:00 +0000\r\n";

    /// Takes a mail in, cut at `cut`.
    fn arrive(mail: &str, head: &[u8], cut: usize) -> Arrived {
        let memory = Memory::new(1 << 20);
        let mut ingest = Ingest::new(&Limits::default(), &memory, None, head).expect("room");
        for run in [&mail.as_bytes()[..cut], &mail.as_bytes()[cut..]] {
            ingest.body(run).expect("room");
        }
        assert_eq!(memory.taken(), (head.len() + mail.len()) as u64);
        let arrived = ingest.finish();
        assert_eq!(arrived.octets, [head, mail.as_bytes()].concat());
        arrived
    }

    #[test]
    fn received_fields_that_came_are_counted() {
        let cases: &[(&str, u32)] = &[
            (
                "Received: a\r\nreceived:\r\n b\r\nSubject: c\r\n\r\nReceived: d\r\n",
                2,
            ),
            ("Subject: c\r\n\r\n", 0),
            ("Received: a\r\n", 1),
        ];
        for &(mail, expected) in cases {
            for cut in 0..=mail.len() {
                assert_eq!(
                    arrive(mail, HEAD, cut).received,
                    expected,
                    "{mail:?} cut at {cut}"
                );
                assert_eq!(
                    arrive(mail, b"", cut).received,
                    expected,
                    "{mail:?} cut at {cut}"
                );
            }
        }
    }

    #[test]
    fn body_hashes_however_cut() {
        // RFC 6376 appendix A.2: the body and its hash.
        let signature = "DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com; c=simple/simple; \
                         h=From; b=AA==;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=\r\n";
        let body = "Hi.\r\n\r\nWe lost the game. Are you hungry yet?\r\n\r\nJoe.\r\n";
        let mail = format!("{signature}From: a\r\n\r\n{body}");
        for cut in 0..=mail.len() {
            assert_eq!(
                arrive(&mail, HEAD, cut).signatures,
                [BodyResult::Match],
                "cut at {cut}"
            );
        }
        let other = mail.replace("lost", "won");
        assert_eq!(arrive(&other, HEAD, 0).signatures, [BodyResult::Mismatch]);
        assert_eq!(arrive(&mail, b"", 0).signatures, []);
        assert_eq!(arrive("From: a\r\n\r\nb\r\n", HEAD, 0).signatures, []);
    }

    #[test]
    fn a_users_mail_is_completed_where_it_must_be() {
        let completion = Completion {
            hostname: "mx.example.org",
            id: TraceId(0xabc),
            unix: 0,
        };
        let (date, id) = (
            "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n",
            "Message-ID: <0000000000000abc@mx.example.org>\r\n",
        );
        let cases: &[(&str, String)] = &[
            ("From: a@b\r\n\r\n", format!("{date}{id}")),
            ("Message-ID: <a@b>\r\n\r\n", date.to_owned()),
            (
                "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n\r\n",
                id.to_owned(),
            ),
            (
                "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <a@b>\r\n\r\n",
                String::new(),
            ),
        ];
        for (mail, added) in cases {
            let arrived = arrive(mail, HEAD, 0);
            let arrived = arrived
                .complete(completion, &Limits::default())
                .expect("room");
            let expected = [HEAD, added.as_bytes(), mail.as_bytes()].concat();
            assert_eq!(arrived.octets, expected, "{mail:?}");
            assert_eq!(arrived.head_octets, HEAD.len() + added.len());
            let digest = Digest::read(&arrived.digest).expect("a digest");
            assert_eq!(digest.octets(), expected.len() as u64);
            let envelope = digest.envelope();
            assert!(
                envelope.date.is_some() && envelope.message_id.is_some(),
                "{mail:?}"
            );
        }
    }

    /// A mail that begins with white space would go on in our Received field: forged trace, and its first line gone.
    #[test]
    fn a_mail_cannot_continue_our_fields() {
        let cases: &[(&str, &str)] = &[
            (" (by me)\r\nSubject: a\r\n\r\nb\r\n", "\r\n"),
            ("\tid x\r\n", "\r\n"),
            ("\r\n b\r\n", ""),
            ("Subject: a\r\n b\r\n", ""),
        ];
        for (mail, between) in cases {
            let memory = Memory::new(1 << 20);
            let mut ingest = Ingest::new(&Limits::default(), &memory, None, HEAD).expect("room");
            for octet in mail.as_bytes().chunks(1) {
                ingest.body(octet).expect("room");
            }
            let arrived = ingest.finish();
            let expected = [HEAD, between.as_bytes(), mail.as_bytes()].concat();
            assert_eq!(arrived.octets, expected, "{mail:?}");
            let digest = Digest::read(&arrived.digest).expect("a digest");
            assert_eq!(digest.octets(), expected.len() as u64);
        }
    }

    /// What a mail holds is never more than what it is charged for, and the slack is at most a half of it.
    #[test]
    fn all_that_is_held_is_charged() {
        let memory = Memory::new(20 << 20);
        let mut ingest = Ingest::new(&Limits::default(), &memory, None, HEAD).expect("room");
        let run = [b'a'; 16 * 1024];
        while ingest.body(&run).is_ok() {
            let (filled, held) = (ingest.octets.len(), ingest.octets.capacity());
            assert_eq!(memory.taken(), held as u64);
            assert!(filled < SMALL_OCTETS || held <= filled + filled / 2);
        }
        // The last of the budget is used to a run.
        assert!(ingest.octets.len() + run.len() > 20 << 20);
    }

    #[test]
    fn memory_up_to_the_limit_and_one_above() {
        let (limits, memory) = (Limits::default(), Memory::new(100));
        assert!(matches!(
            Ingest::new(&limits, &memory, Some(101), b""),
            Err(Error::Memory)
        ));
        let mut ingest = Ingest::new(&limits, &memory, Some(100), b"").expect("room");
        assert_eq!(ingest.body(&[b'a'; 100]), Ok(()));
        assert_eq!(ingest.body(b"a"), Err(Error::Memory));
        let arrived = ingest.finish();
        assert_eq!(memory.taken(), 100);
        drop(arrived);
        assert_eq!(memory.taken(), 0);
    }
}
