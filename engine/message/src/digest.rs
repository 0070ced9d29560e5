//! The digest: what IMAP asks of a message again and again, made once when it arrives.
//!
//! In:  octets that [`crate::Scanner::finish`] wrote.
//! Out: [`Digest`], a view that borrows from them: sizes, spans, the tree of parts, ENVELOPE values.
//!
//! Invariants: [`Digest::read`] checks every record once, so nothing behind it fails or panics, whatever the octets
//! were; strings hold no CR, LF or NUL; spans count from the first octet of the shared mail, behind the
//! recipient's prefix.
//!
//! Layout, version 1; integers are LEB128 unless said otherwise, `text` is 0 for absent or length + 1 ++ octets:
//!
//! | what | how |
//! |---|---|
//! | version, flags | u8, u8 ([`FLAG_SIGNED`]) |
//! | faults, octets, lines, received, parts | 5 integers |
//! | table | for each part u32 little-endian: where its record begins behind the table |
//! | records | for each part, parents before their children, children in order |
//!
//! A record: kind and flags u8, descendants, header start, header octets, body octets, lines; type, subtype, parameters;
//! id, description, encoding, md5; disposition, parameters; languages (count, texts); location; then, for the body of
//! a message, the envelope: date, subject, in-reply-to, message-id, and six address lists: from, sender, reply-to,
//! to, cc, bcc. Parameters: count, then name and value texts. An address list: octets of the rest; then each a u8:
//! 0 mailbox (name, local part, domain texts), 1 group start (name text), 2 group end, 3 mailbox with a source route
//! (its text, then as 0).

mod read;
mod tree;
pub(crate) mod write;

pub use read::{Address, Addresses, Envelope, Parameters, Part, Texts};

use crate::{Faults, Span};

/// First octet of a digest.
pub const VERSION: u8 = 1;
/// The header has a DKIM-Signature.
pub(crate) const FLAG_SIGNED: u8 = 1;
/// Levels that a reader follows; above any `message_depth_max` in use.
pub(crate) const DEPTH_MAX: usize = 255;

/// The octets are no digest of this version. Whose fault: the store's; permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the digest of a message is damaged")
    }
}

impl std::error::Error for Damaged {}

/// What a part is to IMAP. RFC 9051 §7.5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Neither of the others, or one of them that cannot be told apart.
    Leaf,
    /// Has at least one child.
    Multipart,
    /// message/rfc822 or message/global: has exactly one child, the body of the message inside.
    Message,
}

/// A view of a digest.
#[derive(Clone, Copy, Debug)]
pub struct Digest<'d> {
    flags: u8,
    faults: Faults,
    octets: u64,
    lines: u64,
    received: u32,
    table: &'d [u8],
    records: &'d [u8],
}

impl<'d> Digest<'d> {
    /// Reads and checks a digest.
    pub fn read(octets: &'d [u8]) -> Result<Self, Damaged> {
        let digest = read::head(octets).ok_or(Damaged)?;
        tree::check(&digest).ok_or(Damaged)?;
        Ok(digest)
    }

    /// What was wrong with the mail.
    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// Octets of the message, without any prefix.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Line ends (LF) in the whole message.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Received fields in the message's header. RFC 5321 §6.3.
    pub fn received(&self) -> u32 {
        self.received
    }

    /// Whether the header has a DKIM-Signature. RFC 6376 §3.5.
    pub fn is_signed(&self) -> bool {
        self.flags & FLAG_SIGNED != 0
    }

    /// The message's header with the empty line behind it: `BODY[HEADER]`.
    pub fn header(&self) -> Span {
        self.root().header
    }

    /// What stands behind the header: `BODY[TEXT]`.
    pub fn body(&self) -> Span {
        self.root().body
    }

    /// The message's ENVELOPE.
    pub fn envelope(&self) -> Envelope<'d> {
        self.envelope_at(0).unwrap_or_default()
    }

    /// The ENVELOPE of the message inside part `index`; `None` where that is not [`Kind::Message`].
    pub fn nested_envelope(&self, index: usize) -> Option<Envelope<'d>> {
        self.nested(index)
            .and_then(|body| self.envelope_at(body.index))
    }

    /// The body of the message inside part `index`: its `header` is `[n.HEADER]`, its `body` is `[n.TEXT]`.
    pub fn nested(&self, index: usize) -> Option<Part<'d>> {
        self.part(index)
            .filter(|part| part.kind == Kind::Message)
            .and_then(|_| self.part(index + 1))
    }

    /// How many parts there are; at least 1.
    pub fn parts(&self) -> usize {
        self.table.len() / 4
    }

    /// The message's body as a part: index 0.
    pub fn root(&self) -> Part<'d> {
        self.part(0).expect("read() takes no digest without a part")
    }
}

#[cfg(test)]
mod tests;
