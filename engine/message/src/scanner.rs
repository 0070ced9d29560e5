//! One pass over a message while it arrives: headers, MIME delimiters, line counts.
//!
//! In:  [`Scanner::feed`] with the message so far, as often as more has come; it may have moved in memory, and what lies
//!      before [`Scanner::keep_from`] may be gone: a large mail is not kept until it is complete.
//! Out: [`Scanner::finish`]: the encoded [`crate::Digest`]. Never fails; what is wrong becomes [`Faults`].
//!
//! Invariants: each octet is looked at when it is new, and once more where it is part of a field that matters; neither how
//! the message was cut into feeds nor what was let go shows; parts, depth and fields are bounded by the limit table.
//!
//! What may have to be kept is bounded too, by the header that is being read: of one longer than limit
//! message_header_octets_max the values are told at that point, and of a line longer than [`LINE_OCTETS_MAX`] only so
//! much decides what it is. Both hold for mails that are whole in memory alike.
//!
//! A line ends with LF; the CR before it belongs to the end, a CR alone is an ordinary octet. SMTP lets no bare LF in,
//! but APPEND does, and what a client shows as a line should count as one.
//!
//! | place | line | next |
//! |---|---|---|
//! | Header | a field or its continuation | Header |
//! | Header | empty; or no field at all, which is then the body's first | Body, or Header of the message inside |
//! | Header, Body | next delimiter of an open multipart | Header of its next part; Rest above the limit |
//! | Header, Body | closing delimiter | Body: the epilogue |
//! | Body | any other | Body |
//! | Rest | any | Rest |
//!
//! Numbers of lines are differences of one counter, so an ordinary body line costs nothing but [`line::to_hyphens`], and
//! outside of a multipart [`line::count_lf`].
//!
//! Reading order: this file (what comes line by line), `header` (the lines of one header), `parts` (the tree).

mod header;
mod parts;

use crate::describe::{Body, Fallback, Fields};
use crate::digest::DEPTH_MAX;
use crate::digest::write::{self, Head, Record, Texts};
use crate::span::Window;
use crate::{Faults, Span};
use ringpost_scan::line;
use ringpost_types::limit::Limits;

/// DKIM-Signature fields that are remembered: verifying more would let a stranger choose our work.
pub const SIGNATURES_MAX: usize = 8;

/// A field's name lies in so many octets at the start of its line, and a delimiter line is no longer: a boundary has 990
/// at most, and what may pad it has an end.
const LINE_OCTETS_MAX: usize = 16 * 1024;

/// Octets before the next line that are still needed: a line end that may belong to a delimiter.
const LINE_END_OCTETS: usize = 2;

/// Where the next line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Header,
    Body,
    /// In the opaque rest of a message with too many parts.
    Rest,
}

/// A multipart or message whose parts are being read.
#[derive(Debug)]
struct Open {
    /// Its place among the records.
    index: usize,
    /// Lines before its body.
    lines: u64,
    /// Of a multipart, until it is closed by its closing delimiter.
    boundary: Option<Vec<u8>>,
    /// What its parts are when they do not say.
    fallback: Fallback,
}

/// What a scanner is bounded by.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    header_octets: usize,
    fields: usize,
    parts: usize,
    depth: usize,
    digest_octets: usize,
}

/// What the header of a part said, among the texts of the digest.
#[derive(Debug)]
struct Told {
    body: Body,
    texts: Span,
    envelope: Option<Span>,
}

/// Reads a message once, each octet when it is new.
#[derive(Debug)]
pub struct Scanner {
    bounds: Bounds,

    place: Place,
    /// The next line begins here; or the one goes on that was too long to wait for its end.
    at: usize,
    /// Whether a line goes on at `at`: all that its beginning could decide is decided.
    within_line: bool,
    /// No LF from `at` up to here.
    seen: usize,
    /// LFs before `at`.
    lines: u64,

    records: Vec<Record>,
    texts: Texts,
    faults: Faults,
    /// From the message's body inwards; the last one may be a leaf.
    open: Vec<Open>,
    /// Multiparts among `open` that still have a boundary.
    boundaries: usize,

    /// The header being read: where it began, how many fields it has, the last of them.
    header_start: usize,
    fields_seen: usize,
    field: Option<Current>,
    fields: Fields,
    /// Of a header that is longer than is read, once that much of it has come.
    told: Option<Told>,
    /// Octets of the header before this one have been looked at for what does not belong there.
    checked: usize,

    header_end: Option<usize>,
    signatures: Vec<Span>,
    received: u32,
    has_date: bool,
    has_message_id: bool,
}

/// A field whose last line has not been seen yet.
#[derive(Clone, Copy, Debug)]
struct Current {
    start: usize,
    colon: usize,
}

impl Scanner {
    /// Starts before the first octet.
    pub fn new(limits: &Limits) -> Self {
        let bound = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        Scanner::within(Bounds {
            header_octets: bound(limits.message_header_octets_max),
            fields: bound(limits.message_header_fields_max),
            parts: bound(limits.message_parts_max).max(1),
            depth: bound(limits.message_depth_max).min(DEPTH_MAX - 2),
            digest_octets: bound(limits.message_digest_octets_max),
        })
    }

    /// Another one before the first octet, within the same limits.
    pub fn afresh(&self) -> Self {
        Scanner::within(self.bounds)
    }

    fn within(bounds: Bounds) -> Self {
        Scanner {
            bounds,
            place: Place::Header,
            at: 0,
            within_line: false,
            seen: 0,
            lines: 0,
            records: Vec::new(),
            texts: Texts::new(bounds.digest_octets),
            faults: Faults::default(),
            open: Vec::new(),
            boundaries: 0,
            header_start: 0,
            fields_seen: 0,
            field: None,
            fields: Fields::default(),
            told: None,
            checked: 0,
            header_end: None,
            signatures: Vec::new(),
            received: 0,
            has_date: false,
            has_message_id: false,
        }
    }

    /// The digest of a message that is whole in memory.
    pub fn scan(limits: &Limits, message: &[u8]) -> Vec<u8> {
        Scanner::new(limits).finish(message, 0)
    }

    /// Looks at what is new in `window`: everything received so far but the `base` octets in front, which are at most
    /// those before [`Self::keep_from`]. What was fed before must not have changed.
    pub fn feed(&mut self, window: &[u8], base: usize) {
        debug_assert!(base <= self.keep_from(), "what is needed was let go");
        let window = Window::new(window, base);
        debug_assert!(self.seen <= window.end(), "the message became shorter");
        let new = window.range(self.seen, window.end());
        if let Some(lf) = line::find_last_lf(new) {
            self.advance(window, self.seen + lf + 1);
        }
        self.seen = window.end();
        self.unfinished_line(window);
        if self.place == Place::Header {
            self.bound_header(window);
        }
    }

    /// Octets before this one are not looked at again, but for [`Self::signatures`].
    pub fn keep_from(&self) -> usize {
        let next = match self.place {
            Place::Header if self.told.is_none() => self.header_start,
            _ => self.at,
        };
        next.saturating_sub(LINE_END_OCTETS)
    }

    /// Where the body begins: behind the empty line after the header; `None` while the header goes on.
    pub fn header_end(&self) -> Option<usize> {
        self.header_end
    }

    /// Whether all has been read of the message's header that will be: it has ended, or is longer than is read.
    pub fn header_is_read(&self) -> bool {
        self.header_end.is_some() || self.told.is_some()
    }

    /// Whether the message has a Date; known once [`Self::header_is_read`].
    pub fn has_date(&self) -> bool {
        self.has_date
    }

    /// Whether the message has a Message-ID; known once [`Self::header_is_read`].
    pub fn has_message_id(&self) -> bool {
        self.has_message_id
    }

    /// Values of the first DKIM-Signature fields, [`SIGNATURES_MAX`] at most; complete once [`Self::header_is_read`].
    pub fn signatures(&self) -> &[Span] {
        &self.signatures
    }

    /// Received fields in the message's header so far. RFC 5321 §6.3: too many are a loop.
    pub fn received(&self) -> u32 {
        self.received
    }

    /// Looks at what is left, an unfinished last line included, and writes the digest. The arguments are those of
    /// [`Self::feed`].
    pub fn finish(mut self, window: &[u8], base: usize) -> Vec<u8> {
        self.feed(window, base);
        let window = Window::new(window, base);
        self.advance(window, window.end());
        // RFC 5322 §3.5: a header needs no empty line behind it if there is no body.
        while self.place == Place::Header {
            self.bound_header(window);
            self.end_header(window, window.end());
        }
        if self.boundaries > 0 && self.place != Place::Rest {
            self.faults.add(Faults::UNCLOSED);
        }
        self.close(0, window.end(), self.lines);
        if self.texts.cut {
            self.faults.add(Faults::DIGEST_LIMIT);
        }
        let head = Head {
            is_signed: !self.signatures.is_empty(),
            faults: self.faults,
            octets: window.end() as u64,
            lines: self.lines,
            received: self.received,
        };
        write::digest(&head, &self.records, &self.texts)
    }

    /// Takes the lines from `self.at` to `end`; the last one may be without LF only if it is the message's last.
    fn advance(&mut self, window: Window<'_>, end: usize) {
        while self.at < end {
            match self.place {
                Place::Header => self.header_line(window, end),
                Place::Body if self.boundaries > 0 => self.body_lines(window, end),
                Place::Body | Place::Rest => {
                    self.lines += line::count_lf(window.range(self.at, end)) as u64;
                    self.at = end;
                    self.within_line = false;
                }
            }
        }
    }

    /// What has come of a line without its end: goes on if what is there decides what it is, and else waits.
    fn unfinished_line(&mut self, window: Window<'_>) {
        while self.at < self.seen {
            let line = window.range(self.at, self.seen);
            let decides = self.within_line || line.len() > LINE_OCTETS_MAX;
            match self.place {
                Place::Header if decides => self.header_line(window, self.seen),
                Place::Header => return,
                Place::Body if self.boundaries > 0 && !decides && may_delimit(line) => return,
                Place::Body | Place::Rest => {
                    self.at = self.seen;
                    self.within_line = true;
                }
            }
        }
    }

    /// Body lines up to the next one that may be a delimiter, or that delimiter.
    fn body_lines(&mut self, window: Window<'_>, end: usize) {
        let rest = window.range(self.at, end);
        if rest.starts_with(b"--") && !self.within_line {
            let octets = line_octets(rest);
            if octets <= LINE_OCTETS_MAX && self.delimiter_line(window, &rest[..octets]) {
                return;
            }
        }
        let reached = line::to_hyphens(rest);
        self.lines += reached.lines as u64;
        self.at += reached.at;
        self.within_line = false;
    }
}

/// Octets of the first line, with its LF if it has one.
fn line_octets(octets: &[u8]) -> usize {
    line::find_lf(octets).map_or(octets.len(), |lf| lf + 1)
}

/// Whether a line that begins so may be a delimiter.
fn may_delimit(line: &[u8]) -> bool {
    line.starts_with(b"--") || line == b"-"
}

#[cfg(test)]
mod tests;
