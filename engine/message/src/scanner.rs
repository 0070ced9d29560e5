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

use crate::boundary::{Delimiter, delimiter};
use crate::describe::{self, Body, Fallback, Fields, Room};
use crate::digest::write::{self, Head, Record, Texts};
use crate::digest::{DEPTH_MAX, Kind};
use crate::span::Window;
use crate::{Faults, Span, header};
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

    /// One line in a header, or more of one that was too long to wait for.
    fn header_line(&mut self, window: Window<'_>, end: usize) {
        self.bound_header(window);
        let rest = window.range(self.at, end);
        let text = &rest[..line_octets(rest)];
        match text {
            _ if self.within_line => self.take_line(window, text),
            b"\r\n" | b"\n" => {
                self.end_field(window);
                self.take_line(window, text);
                self.end_header(window, self.at);
            }
            [b'-', b'-', ..]
                if self.boundaries > 0
                    && text.len() <= LINE_OCTETS_MAX
                    && self.delimiter_line(window, text) => {}
            [b' ' | b'\t', ..] if self.at > self.header_start => self.take_line(window, text),
            _ => self.field_line(window, text),
        }
    }

    /// A line that begins a field, or is none.
    fn field_line(&mut self, window: Window<'_>, text: &[u8]) {
        self.end_field(window);
        match header::colon(&text[..text.len().min(LINE_OCTETS_MAX)]) {
            Some(_) if self.told.is_some() => self.take_line(window, text),
            Some(colon) => {
                self.fields_seen += 1;
                if self.fields_seen <= self.bounds.fields {
                    let start = self.at;
                    let colon = start + colon;
                    self.field = Some(Current { start, colon });
                } else {
                    self.faults.add(Faults::FIELDS_LIMIT);
                }
                self.take_line(window, text);
            }
            // What mbox files begin with; some programs hand it on, and `Received` may have come before it.
            None if text.starts_with(b"From ") || text.starts_with(b">From ") => {
                self.faults.add(Faults::BAD_FIELD);
                self.take_line(window, text);
            }
            None => {
                let fault = match self.fields_seen {
                    0 if self.records.is_empty() => Faults::NO_HEADER,
                    _ => Faults::NO_SEPARATOR,
                };
                self.faults.add(fault);
                self.end_header(window, self.at);
            }
        }
    }

    /// Takes a line of a header, or so much of it as is there.
    fn take_line(&mut self, window: Window<'_>, text: &[u8]) {
        self.at += text.len();
        self.within_line = !text.ends_with(b"\n");
        if !self.within_line {
            self.lines += 1;
            let end = window.range(self.at.saturating_sub(LINE_END_OCTETS), self.at);
            if !end.starts_with(b"\r") {
                self.faults.add(Faults::BARE_LF);
            }
        }
    }

    /// Tells what a header has said when it becomes longer than is read; from then on only its end is looked for.
    #[inline]
    fn bound_header(&mut self, window: Window<'_>) {
        // A line end may follow on what is read; and it is seen before the value that it ends is taken.
        let read = self.bounds.header_octets.saturating_add(LINE_END_OCTETS);
        if self.at - self.header_start > read {
            self.tell_early(window);
        }
    }

    #[cold]
    fn tell_early(&mut self, window: Window<'_>) {
        if self.told.is_none() {
            self.faults.add(Faults::HEADER_LIMIT);
            self.end_field(window);
            self.told = Some(self.tell(window));
        }
        self.check_header(window, self.at);
    }

    /// The field that was being read ends before the line at `self.at`.
    fn end_field(&mut self, window: Window<'_>) {
        let Some(Current { start, colon }) = self.field.take() else {
            return;
        };
        let name = window.range(start, colon).trim_ascii_end();
        let line_end = header::line_end_octets(window.range(colon + 1, self.at));
        let read = self.header_start.saturating_add(self.bounds.header_octets);
        let end = self.at - line_end;
        if end > read {
            self.faults.add(Faults::HEADER_LIMIT);
        }
        let value = Span::new(colon + 1, end.min(read));
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

    /// Writes what the header says of its part.
    fn tell(&mut self, window: Window<'_>) -> Told {
        let parent = self.open.last();
        let fallback = parent.map_or(Fallback::Text, |open| open.fallback);
        let of_message = parent.is_none_or(|open| self.records[open.index].kind == Kind::Message);
        if self.records.is_empty() {
            self.has_date = self.fields.has_date(window);
            self.has_message_id = self.fields.has_message_id(window);
        }
        let start = self.texts.len();
        let body = self.fields.describe(
            window,
            fallback,
            self.room(),
            &mut self.texts,
            &mut self.faults,
        );
        let texts = Span::new(start, self.texts.len());
        let envelope = of_message.then(|| {
            self.fields.envelope(window, &mut self.texts);
            Span::new(texts.end, self.texts.len())
        });
        self.fields.clear();
        Told {
            body,
            texts,
            envelope,
        }
    }

    /// The header ends before `end`: its part becomes a record, and what is behind `end` its body.
    fn end_header(&mut self, window: Window<'_>, end: usize) {
        self.end_field(window);
        self.check_header(window, end);
        let header = Span::new(self.header_start, end);
        let index = self.records.len();
        let told = self.told.take();
        let Told {
            body,
            texts,
            envelope,
        } = told.unwrap_or_else(|| self.tell(window));
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
        self.checked = at;
        self.place = Place::Header;
    }

    /// Whether the part whose header ends now may have parts of its own.
    fn room(&self) -> Room {
        if self.open.len() >= self.bounds.depth {
            return Room::Closed(Faults::DEPTH_LIMIT);
        }
        if self.records.len() + 1 >= self.bounds.parts {
            return Room::Closed(Faults::PARTS_LIMIT);
        }
        Room::Open
    }

    /// Looks for what does not belong into a header, up to `end`.
    fn check_header(&mut self, window: Window<'_>, end: usize) {
        let header = window.range(self.checked, end);
        self.checked = end;
        if line::is_8bit(header) {
            self.faults.add(Faults::EIGHT_BIT_HEADER);
        }
        if memchr::memchr(0, header).is_some() {
            self.faults.add(Faults::NUL);
        }
    }

    /// If `text`, which begins with `--`, is a delimiter of an open multipart, takes it. The innermost one wins.
    fn delimiter_line(&mut self, window: Window<'_>, text: &[u8]) -> bool {
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
        // RFC 2046 §5.1.1: neither does a part's.
        while self.place == Place::Header {
            self.end_header(window, self.at);
        }
        // RFC 2046 §5.1.1: the line end before a delimiter belongs to the delimiter.
        let before = window.range(self.at.saturating_sub(LINE_END_OCTETS), self.at);
        let trimmed = header::line_end_octets(before);
        let lines = self.lines - u64::from(trimmed > 0);
        self.close(level + 1, self.at - trimmed, lines);
        self.take_line(window, text);
        match kind {
            Delimiter::Close => {
                self.open[level].boundary = None;
                self.boundaries -= 1;
                self.place = Place::Body;
            }
            Delimiter::Next if self.records.len() >= self.bounds.parts => self.begin_rest(),
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

/// Whether a line that begins so may be a delimiter.
fn may_delimit(line: &[u8]) -> bool {
    line.starts_with(b"--") || line == b"-"
}

#[cfg(test)]
mod tests;
