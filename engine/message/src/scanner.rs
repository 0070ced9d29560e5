//! One pass over a message while it arrives: headers, MIME delimiters, line counts.
//!
//! In:  [`Scanner::feed`] with the whole message so far, as often as more has come; it may have moved in memory.
//! Out: [`Scanner::finish`]: the encoded [`crate::Digest`]. Never fails; what is wrong becomes [`Faults`].
//!
//! Invariants: each octet is looked at when it is new, and once more where it is part of a field that matters; how the
//! message was cut into feeds does not show; parts, depth and fields are bounded by the limit table.
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

use crate::boundary::{Delimiter, delimiter};
use crate::describe::{self, Body, Fallback, Fields, Room};
use crate::digest::write::{self, Head, Record, Texts};
use crate::digest::{DEPTH_MAX, Kind};
use crate::{Faults, Span, header};
use ringpost_scan::line;
use ringpost_types::limit::Limits;

/// DKIM-Signature fields that are remembered: verifying more would let a stranger choose our work.
pub const SIGNATURES_MAX: usize = 8;

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

/// Reads a message once, each octet when it is new.
#[derive(Debug)]
pub struct Scanner {
    fields_max: usize,
    parts_max: usize,
    depth_max: usize,

    place: Place,
    /// The next line begins here.
    at: usize,
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

    header_end: Option<usize>,
    signatures: Vec<Span>,
    received: u32,
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
        Scanner {
            fields_max: bound(limits.message_header_fields_max),
            parts_max: bound(limits.message_parts_max).max(1),
            depth_max: bound(limits.message_depth_max).min(DEPTH_MAX - 2),
            place: Place::Header,
            at: 0,
            seen: 0,
            lines: 0,
            records: Vec::new(),
            texts: Texts::new(bound(limits.message_digest_octets_max)),
            faults: Faults::default(),
            open: Vec::new(),
            boundaries: 0,
            header_start: 0,
            fields_seen: 0,
            field: None,
            fields: Fields::default(),
            header_end: None,
            signatures: Vec::new(),
            received: 0,
        }
    }

    /// Looks at the complete lines that are new in `message`, which is everything received so far. What was fed
    /// before must not have changed.
    pub fn feed(&mut self, message: &[u8]) {
        debug_assert!(self.seen <= message.len(), "the message became shorter");
        let new = message.get(self.seen..).unwrap_or_default();
        if let Some(lf) = line::find_last_lf(new) {
            self.advance(message, self.seen + lf + 1);
        }
        self.seen = message.len();
    }

    /// Where the body begins: behind the empty line after the header; `None` while the header goes on.
    pub fn header_end(&self) -> Option<usize> {
        self.header_end
    }

    /// Values of the first DKIM-Signature fields, [`SIGNATURES_MAX`] at most; complete once [`Self::header_end`] is there.
    pub fn signatures(&self) -> &[Span] {
        &self.signatures
    }

    /// Received fields in the message's header so far. RFC 5321 §6.3: too many are a loop.
    pub fn received(&self) -> u32 {
        self.received
    }

    /// Looks at what is left, an unfinished last line included, and writes the digest.
    pub fn finish(mut self, message: &[u8]) -> Vec<u8> {
        self.feed(message);
        self.advance(message, message.len());
        // RFC 5322 §3.5: a header needs no empty line behind it if there is no body.
        while self.place == Place::Header {
            self.end_header(message, message.len());
        }
        if self.boundaries > 0 && self.place != Place::Rest {
            self.faults.add(Faults::UNCLOSED);
        }
        self.close(0, message.len(), self.lines);
        if self.texts.cut {
            self.faults.add(Faults::DIGEST_LIMIT);
        }
        let head = Head {
            is_signed: !self.signatures.is_empty(),
            faults: self.faults,
            octets: message.len() as u64,
            lines: self.lines,
            received: self.received,
        };
        write::digest(&head, &self.records, &self.texts)
    }

    /// Takes the lines from `self.at` to `end`; the last one may be without LF only if it is the message's last.
    fn advance(&mut self, message: &[u8], end: usize) {
        while self.at < end {
            match self.place {
                Place::Header => self.header_line(message, end),
                Place::Body if self.boundaries > 0 => self.body_lines(message, end),
                Place::Body | Place::Rest => {
                    self.lines += line::count_lf(&message[self.at..end]) as u64;
                    self.at = end;
                }
            }
        }
    }

    /// Body lines up to the next one that may be a delimiter, or that delimiter.
    fn body_lines(&mut self, message: &[u8], end: usize) {
        let rest = &message[self.at..end];
        if rest.starts_with(b"--") {
            let octets = line_octets(rest);
            if self.delimiter_line(message, &rest[..octets]) {
                return;
            }
        }
        let reached = line::to_hyphens(rest);
        self.lines += reached.lines as u64;
        self.at += reached.at;
    }

    /// One line in a header.
    fn header_line(&mut self, message: &[u8], end: usize) {
        let rest = &message[self.at..end];
        let octets = line_octets(rest);
        let text = &rest[..octets];
        match text {
            b"\r\n" | b"\n" => {
                self.end_field(message);
                self.take_line(text);
                self.end_header(message, self.at);
            }
            [b'-', b'-', ..] if self.boundaries > 0 && self.delimiter_line(message, text) => {}
            [b' ' | b'\t', ..] if self.at > self.header_start => self.take_line(text),
            _ => self.field_line(message, text),
        }
    }

    /// A line that begins a field, or is none.
    fn field_line(&mut self, message: &[u8], text: &[u8]) {
        self.end_field(message);
        match header::colon(text) {
            Some(colon) => {
                self.fields_seen += 1;
                if self.fields_seen <= self.fields_max {
                    let start = self.at;
                    let colon = start + colon;
                    self.field = Some(Current { start, colon });
                } else {
                    self.faults.add(Faults::FIELDS_LIMIT);
                }
                self.take_line(text);
            }
            // What mbox files begin with; some programs hand it on, and `Received` may have come before it.
            None if text.starts_with(b"From ") || text.starts_with(b">From ") => {
                self.faults.add(Faults::BAD_FIELD);
                self.take_line(text);
            }
            None => {
                let fault = match self.fields_seen {
                    0 if self.records.is_empty() => Faults::NO_HEADER,
                    _ => Faults::NO_SEPARATOR,
                };
                self.faults.add(fault);
                self.end_header(message, self.at);
            }
        }
    }

    fn take_line(&mut self, text: &[u8]) {
        self.at += text.len();
        if let Some(before) = text.strip_suffix(b"\n") {
            self.lines += 1;
            if !before.ends_with(b"\r") {
                self.faults.add(Faults::BARE_LF);
            }
        }
    }

    /// The field that was being read ends before the line at `self.at`.
    fn end_field(&mut self, message: &[u8]) {
        let Some(Current { start, colon }) = self.field.take() else {
            return;
        };
        let name = message[start..colon].trim_ascii_end();
        let octets = &message[colon + 1..self.at];
        let value = Span::new(colon + 1, self.at - header::line_end_octets(octets));
        self.fields.add(name, value);
        if !self.records.is_empty() {
            return;
        }
        if name.eq_ignore_ascii_case(b"received") {
            self.received = self.received.saturating_add(1);
        } else if name.eq_ignore_ascii_case(b"dkim-signature")
            && self.signatures.len() < SIGNATURES_MAX
        {
            self.signatures.push(value);
        }
    }

    /// The header ends before `end`: its part becomes a record, and what is behind `end` its body.
    fn end_header(&mut self, message: &[u8], end: usize) {
        self.end_field(message);
        let header = Span::new(self.header_start, end);
        self.header_faults(header.of(message));
        let index = self.records.len();
        let parent = self.open.last();
        let fallback = parent.map_or(Fallback::Text, |open| open.fallback);
        let of_message = parent.is_none_or(|open| self.records[open.index].kind == Kind::Message);
        let start = self.texts.len();
        let body = self.fields.describe(
            message,
            fallback,
            self.room(),
            &mut self.texts,
            &mut self.faults,
        );
        let texts = Span::new(start, self.texts.len());
        let envelope = of_message.then(|| {
            self.fields.envelope(message, &mut self.texts);
            Span::new(texts.end, self.texts.len())
        });
        self.fields.clear();
        self.fields_seen = 0;
        self.header_end.get_or_insert(end);

        let mut open = Open {
            index,
            lines: self.lines,
            boundary: None,
            fallback: Fallback::Text,
        };
        let kind = match body {
            Body::Leaf => Kind::Leaf,
            Body::Message => Kind::Message,
            Body::Multipart(boundary, fallback) => {
                self.boundaries += 1;
                open.boundary = Some(boundary);
                open.fallback = fallback;
                Kind::Multipart
            }
        };
        self.open.push(open);
        self.records.push(Record {
            kind,
            descendants: 0,
            header,
            body_end: end,
            lines: 0,
            texts,
            envelope,
        });
        self.place = Place::Body;
        if kind == Kind::Message {
            self.begin_header(end);
        }
    }

    fn begin_header(&mut self, at: usize) {
        self.header_start = at;
        self.place = Place::Header;
    }

    /// Whether the part whose header ends now may have parts of its own.
    fn room(&self) -> Room {
        if self.open.len() >= self.depth_max {
            return Room::Closed(Faults::DEPTH_LIMIT);
        }
        if self.records.len() + 1 >= self.parts_max {
            return Room::Closed(Faults::PARTS_LIMIT);
        }
        Room::Open
    }

    fn header_faults(&mut self, header: &[u8]) {
        if line::is_8bit(header) {
            self.faults.add(Faults::EIGHT_BIT_HEADER);
        }
        if memchr::memchr(0, header).is_some() {
            self.faults.add(Faults::NUL);
        }
    }

    /// If `text`, which begins with `--`, is a delimiter of an open multipart, takes it. The innermost one wins.
    fn delimiter_line(&mut self, message: &[u8], text: &[u8]) -> bool {
        let found = self
            .open
            .iter()
            .enumerate()
            .rev()
            .find_map(|(level, open)| {
                let boundary = open.boundary.as_deref()?;
                delimiter(text, boundary).map(|kind| (level, kind))
            });
        let Some((level, kind)) = found else {
            return false;
        };
        self.end_field(message);
        // RFC 2046 §5.1.1: neither does a part's.
        while self.place == Place::Header {
            self.end_header(message, self.at);
        }
        // RFC 2046 §5.1.1: the line end before a delimiter belongs to the delimiter.
        let before = &message[..self.at];
        let trimmed = header::line_end_octets(before);
        let lines = self.lines - u64::from(trimmed > 0);
        self.close(level + 1, self.at - trimmed, lines);
        self.take_line(text);
        match kind {
            Delimiter::Close => {
                self.open[level].boundary = None;
                self.boundaries -= 1;
                self.place = Place::Body;
            }
            Delimiter::Next if self.records.len() >= self.parts_max => self.begin_rest(),
            Delimiter::Next => self.begin_header(self.at),
        }
        true
    }

    /// One part takes all that is left.
    fn begin_rest(&mut self) {
        self.faults.add(Faults::PARTS_LIMIT);
        let start = self.texts.len();
        describe::opaque(&mut self.texts);
        self.open.push(Open {
            index: self.records.len(),
            lines: self.lines,
            boundary: None,
            fallback: Fallback::Text,
        });
        self.records.push(Record {
            kind: Kind::Leaf,
            descendants: 0,
            header: Span::new(self.at, self.at),
            body_end: self.at,
            lines: 0,
            texts: Span::new(start, self.texts.len()),
            envelope: None,
        });
        self.place = Place::Rest;
    }

    /// Ends the bodies of all open parts from `level` inwards before `end`, where `lines` lines had been.
    fn close(&mut self, level: usize, end: usize, lines: u64) {
        while self.open.len() > level {
            let Some(open) = self.open.pop() else { return };
            self.boundaries -= usize::from(open.boundary.is_some());
            let last = self.records.len() - 1;
            let record = &mut self.records[open.index];
            record.body_end = end.max(record.header.end);
            record.lines = lines.saturating_sub(open.lines);
            record.descendants = last - open.index;
            if record.kind == Kind::Multipart && record.descendants == 0 {
                self.faults.add(Faults::NO_PARTS);
                self.show_as_plain(open.index);
            }
        }
    }

    /// A multipart whose delimiter never came is told as text/plain. RFC 2045 §5.2.
    fn show_as_plain(&mut self, index: usize) {
        let record = &mut self.records[index];
        record.kind = Kind::Leaf;
        let start = self.texts.len();
        describe::plain(&mut self.texts);
        record.texts = Span::new(start, self.texts.len());
    }
}

/// Octets of the first line, with its LF if it has one.
fn line_octets(octets: &[u8]) -> usize {
    line::find_lf(octets).map_or(octets.len(), |lf| lf + 1)
}

#[cfg(test)]
mod tests;
