//! The lines of one header: fields, their end, and what they say of the part.

use super::{
    Current, LINE_END_OCTETS, LINE_OCTETS_MAX, Open, Place, SIGNATURES_MAX, Scanner, Told,
    line_octets,
};
use crate::describe::{Body, Fallback, Room};
use crate::digest::Kind;
use crate::digest::write::Record;
use crate::span::Window;
use crate::{Faults, Span, header};
use ringpost_scan::line;

impl Scanner {
    /// One line in a header, or more of one that was too long to wait for.
    pub(super) fn header_line(&mut self, window: Window<'_>, end: usize) {
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
    pub(super) fn take_line(&mut self, window: Window<'_>, text: &[u8]) {
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
    pub(super) fn bound_header(&mut self, window: Window<'_>) {
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
    pub(super) fn end_header(&mut self, window: Window<'_>, end: usize) {
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

    pub(super) fn begin_header(&mut self, at: usize) {
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
}
