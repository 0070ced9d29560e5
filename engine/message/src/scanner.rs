//! One pass over a message while it arrives.
//!
//! In:  [`Scanner::feed`] with the whole message so far, as often as more has come; it may have moved in memory.
//! Out: [`Scanner::finish`]: the encoded digest.

use crate::Span;
use ringpost_types::limit::Limits;

/// Reads a message once, each octet when it is new.
#[derive(Debug)]
pub struct Scanner {
    limits: Limits,
    header_end: Option<usize>,
    signatures: Vec<Span>,
}

impl Scanner {
    /// Starts before the first octet.
    pub fn new(limits: &Limits) -> Self {
        Scanner {
            limits: limits.clone(),
            header_end: None,
            signatures: Vec::new(),
        }
    }

    /// Looks at the complete lines that are new in `message`, which is everything received so far. What was fed
    /// before must not have changed.
    pub fn feed(&mut self, message: &[u8]) {
        let _ = (message, &self.limits);
    }

    /// Where the body begins: behind the empty line after the header; `None` while the header goes on.
    pub fn header_end(&self) -> Option<usize> {
        self.header_end
    }

    /// Values of the first DKIM-Signature fields (8 at most), once the header is complete.
    pub fn signatures(&self) -> &[Span] {
        &self.signatures
    }

    /// Received fields in the message's header so far. RFC 5321 §6.3: too many are a loop.
    pub fn received(&self) -> u32 {
        0
    }

    /// Looks at what is left, an unfinished last line included, and writes the digest.
    pub fn finish(mut self, message: &[u8]) -> Vec<u8> {
        self.feed(message);
        Vec::new()
    }
}
