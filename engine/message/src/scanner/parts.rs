//! The tree of parts: where a delimiter begins the next one and ends those before.

use super::{LINE_END_OCTETS, Open, Place, Scanner};
use crate::boundary::{Delimiter, delimiter};
use crate::describe::{self, Fallback};
use crate::digest::Kind;
use crate::digest::write::Record;
use crate::span::Window;
use crate::{Faults, Span, header};

impl Scanner {
    /// If `text`, which begins with `--`, is a delimiter of an open multipart, takes it. The innermost one wins.
    pub(super) fn delimiter_line(&mut self, window: Window<'_>, text: &[u8]) -> bool {
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
    pub(super) fn close(&mut self, level: usize, end: usize, lines: u64) {
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
