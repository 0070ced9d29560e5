//! Where the body hashes of a mail's DKIM-Signatures stand while it arrives. RFC 6376 §3.7.
//!
//! In:  the scanner, which knows the header, and the octets that are new. Out: one [`BodyResult`] for each signature.

use super::{Arriving, Circumstances, Complete, Reader};
use ringpost_mailauth::body_hash::{BodyHashes, BodyResult};

/// See the head of this file.
pub(crate) enum Hashing {
    /// The header has not been read: nobody knows yet what to hash.
    Waiting,
    /// The body has not begun.
    Header(BodyHashes),
    /// Octets before `next` are hashed.
    Body { hashes: BodyHashes, next: usize },
    /// No signature asks.
    Nothing,
}

impl Reader for Hashing {
    /// In the order of the header.
    type Finding = Vec<BodyResult>;

    fn begin(circumstances: Circumstances) -> Self {
        match circumstances.own_copy {
            true => Hashing::Nothing,
            false => Hashing::Waiting,
        }
    }

    /// Hashes the body octets that are new, if a signature asks.
    fn read(&mut self, Arriving { scanner, buffer }: Arriving<'_>) {
        if let Hashing::Waiting = self
            && scanner.header_is_read()
        {
            debug_assert_eq!(buffer.base(), 0, "a header is here until it is read");
            let values = scanner.signatures().iter();
            *self = match scanner.signatures() {
                [] => Hashing::Nothing,
                _ => Hashing::Header(BodyHashes::new(values.map(|span| span.of(buffer.octets())))),
            };
        }
        if let Hashing::Header(hashes) = self
            && let Some(next) = scanner.header_end()
        {
            let hashes = std::mem::take(hashes);
            *self = Hashing::Body { hashes, next };
        }
        if let Hashing::Body { hashes, next } = self {
            hashes.update(buffer.behind(*next));
            *next = buffer.end();
        }
    }

    fn keep_from(&self) -> usize {
        match self {
            Hashing::Body { next, .. } => *next,
            Hashing::Waiting | Hashing::Header(_) | Hashing::Nothing => usize::MAX,
        }
    }

    fn finish(self, _: Complete<'_>) -> Vec<BodyResult> {
        let results = match self {
            Hashing::Body { hashes, .. } => hashes.finish(),
            Hashing::Header(_) | Hashing::Waiting | Hashing::Nothing => Vec::new(),
        };
        results.into_iter().map(|(_, result)| result).collect()
    }
}
