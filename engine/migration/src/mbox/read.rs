//! Mails out of an mbox file, one at a time.
//!
//! In:  a file. Out: each mail as the store keeps it, with its marks; what is too large is told and passed over.
//!
//! ```text
//!             From_ line                           end of file
//!  (begin) ---------------> header, body ----------------------> (end)
//!                              ^     | empty line, From_ line: the next mail
//!                              '-----'
//! ```
//! Invariants: at most one mail is held, `octets_max` octets of it; a line of any length is read in pieces. A From_ line
//! counts behind an empty line only.

use super::fields::{self, Told};
use super::{Dialect, depth, from};
use crate::line;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// Octets of a line that are read at once.
const PIECE_OCTETS: u64 = 64 * 1_024;

/// One mail of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where its From_ line begins, in octets.
    pub at: u64,
    /// The mail, CRLF at the ends of its lines; `None`: it is larger than may be.
    pub mail: Option<Vec<u8>>,
    /// What the header and the From_ line told.
    pub told: Told,
}

/// A file of mails.
pub struct Mails<R> {
    file: BufReader<R>,
    /// Octets read so far.
    at: u64,
    /// Length of the file, when it was begun.
    octets: u64,
    dialect: Dialect,
    octets_max: usize,
    /// The From_ line of the mail that comes next: where it began, and its date.
    next: Option<(u64, Option<i64>)>,
    begun: bool,
}

/// Why a file is no mbox.
const NO_MBOX: &str = "not an mbox file: it does not begin with a From_ line";

impl<R: Read + Seek> Mails<R> {
    /// Begins at the start of `file`. Mails above `octets_max` octets are told and not held.
    pub fn new(file: R, dialect: Dialect, octets_max: usize) -> Self {
        Mails {
            file: BufReader::with_capacity(256 * 1_024, file),
            at: 0,
            octets: 0,
            dialect,
            octets_max,
            next: None,
            begun: false,
        }
    }

    /// Octets read so far.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// The next mail; `None` at the end of the file.
    pub fn step(&mut self) -> io::Result<Option<Found>> {
        if !self.begun && !self.begin()? {
            return Ok(None);
        }
        let Some((at, date)) = self.next.take() else {
            return Ok(None);
        };
        let start = self.at;
        let (mut told, mail) = match self.ours(start)? {
            Some(found) => found,
            None => self.theirs(start)?,
        };
        told.marks.date = date.map(|unix| u64::try_from(unix).unwrap_or(0));
        Ok(Some(Found {
            at,
            mail: mail.map(line::to_crlf),
            told,
        }))
    }

    /// The first From_ line, behind empty lines at most; whether there is one. It needs no date.
    fn begin(&mut self) -> io::Result<bool> {
        self.begun = true;
        self.octets = self.file.seek(SeekFrom::End(0))?;
        self.file.rewind()?;
        let mut line = Vec::new();
        loop {
            let at = self.at;
            if self.piece(&mut line)? == 0 {
                return Ok(false);
            }
            if line.starts_with(b"From ") {
                self.finish_line(&mut line)?;
                self.next = Some((at, from::read(&line)));
                return Ok(true);
            }
            if !is_empty(&line) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, NO_MBOX));
            }
        }
    }

    /// A mail that we wrote: our block tells its length.
    fn ours(&mut self, start: u64) -> io::Result<Option<(Told, Option<Vec<u8>>)>> {
        let buffered = self.file.fill_buf()?;
        if !fields::OCTETS
            .as_bytes()
            .starts_with(&buffered[..buffered.len().min(1)])
        {
            return Ok(None);
        }
        let mut block = fields::block(buffered);
        if block.is_none() {
            // It may go on behind what is buffered.
            let mut head = Vec::new();
            self.exactly(fields::BLOCK_OCTETS_MAX as u64, &mut head)?;
            block = fields::block(&head);
            self.seek(start)?;
        }
        let Some((told, skipped, length)) = block else {
            return Ok(None);
        };
        let mut mail = Vec::new();
        if length > self.octets_max || !self.counted(start + skipped as u64, length, &mut mail)? {
            self.seek(start)?;
            return Ok(None);
        }
        unquote(&mut mail, Dialect::Mboxrd);
        Ok(Some((told, Some(mail))))
    }

    /// A mail that another program wrote.
    fn theirs(&mut self, start: u64) -> io::Result<(Told, Option<Vec<u8>>)> {
        let mut mail = Some(Vec::new());
        let mut line = Vec::new();
        let (mut in_header, mut empty) = (true, false);
        let mut length = None;
        let mut whole_line = true;
        loop {
            let at = self.at;
            if self.piece(&mut line)? == 0 {
                break;
            }
            let begins_line = std::mem::replace(&mut whole_line, line.ends_with(b"\n"));
            // Header, body or neither: a mail without any line begins the next one at once.
            let may_end = begins_line && (empty || at == start);
            if may_end && line.starts_with(b"From ") {
                let mut rest = line.clone();
                self.finish_line(&mut rest)?;
                if let Some(date) = from::read(&rest) {
                    self.next = Some((at, Some(date)));
                    break;
                }
                // A long line that only looks like one: read again in pieces.
                self.seek(at + line.len() as u64)?;
            }
            empty = begins_line && is_empty(&line);
            if in_header && begins_line {
                length = length.or_else(|| content_length(&line));
                in_header = !empty;
            }
            if let Some(held) = &mut mail {
                if held.len() + line.len() > self.octets_max {
                    mail = None;
                } else {
                    held.extend_from_slice(&line);
                }
            }
            if empty
                && !in_header
                && let Some(octets) = length.take()
                && let Some(held) = &mut mail
                && self.body(octets, held)?
            {
                let (told, mail) = fields::strip(std::mem::take(held));
                return Ok((told, Some(mail)));
            }
        }
        let Some(mut mail) = mail else {
            return Ok((Told::default(), None));
        };
        drop_empty_line(&mut mail);
        unquote(&mut mail, self.dialect);
        let (told, mail) = fields::strip(mail);
        Ok((told, Some(mail)))
    }

    /// Takes `octets` octets of body, if a mail ends behind them; else stays where it is.
    fn body(&mut self, octets: u64, mail: &mut Vec<u8>) -> io::Result<bool> {
        let at = self.at;
        let is_counted = matches!(self.dialect, Dialect::Guess | Dialect::Mboxcl2);
        let room = self.octets_max.saturating_sub(mail.len());
        let Some(octets) = usize::try_from(octets)
            .ok()
            .filter(|&octets| octets <= room)
        else {
            return Ok(false);
        };
        let fits = is_counted && self.counted(at, octets, mail)?;
        if !fits {
            self.seek(at)?;
        }
        Ok(fits)
    }

    /// Takes `octets` octets from `at` on, if a mail ends behind them. Looks at the end first: a file may claim
    /// for each of its mails that it is as long as the whole.
    fn counted(&mut self, at: u64, octets: usize, mail: &mut Vec<u8>) -> io::Result<bool> {
        let end = at.saturating_add(octets as u64);
        if end > self.octets {
            return Ok(false);
        }
        let mut last = Vec::new();
        self.seek(end - octets.min(1) as u64)?;
        self.exactly(octets.min(1) as u64, &mut last)?;
        if !self.ends_here(last != b"\n")? {
            return Ok(false);
        }
        let behind = self.at;
        self.seek(at)?;
        self.exactly(octets as u64, mail)?;
        self.seek(behind)?;
        Ok(true)
    }

    /// Whether the mail ends here: in front of an empty line and a From_ line, or of the end of the file. Goes behind
    /// that line if so. `unended`: the mail's last line has no line end of its own, and one was written for it.
    fn ends_here(&mut self, unended: bool) -> io::Result<bool> {
        let mut line = Vec::new();
        for _ in 0..=usize::from(unended) + 1 {
            let at = self.at;
            if self.piece(&mut line)? == 0 {
                return Ok(true);
            }
            if line.starts_with(b"From ") {
                self.finish_line(&mut line)?;
                self.next = from::read(&line).map(|date| (at, Some(date)));
                return Ok(self.next.is_some());
            }
            if !is_empty(&line) {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Reads a line up to its end, or a piece of a long one; how much there was.
    fn piece(&mut self, line: &mut Vec<u8>) -> io::Result<usize> {
        line.clear();
        let mut bounded = (&mut self.file).take(PIECE_OCTETS);
        let read = bounded.read_until(b'\n', line)?;
        self.at += read as u64;
        Ok(read)
    }

    /// Goes behind the end of a line of which `line` holds the first piece; only so much of it is kept.
    fn finish_line(&mut self, line: &mut Vec<u8>) -> io::Result<()> {
        let mut rest = Vec::new();
        let mut ended = line.ends_with(b"\n");
        while !ended && self.piece(&mut rest)? > 0 {
            ended = rest.ends_with(b"\n");
        }
        line.truncate(from::OCTETS_MAX);
        Ok(())
    }

    fn exactly(&mut self, octets: u64, into: &mut Vec<u8>) -> io::Result<()> {
        let read = (&mut self.file).take(octets).read_to_end(into)?;
        self.at += read as u64;
        Ok(())
    }

    fn seek(&mut self, to: u64) -> io::Result<()> {
        // Within the buffer where that is possible.
        let by = to as i64 - self.file.stream_position()? as i64;
        self.file.seek_relative(by)?;
        self.at = to;
        Ok(())
    }
}

/// Whether the line is nothing but its end.
pub(super) fn is_empty(line: &[u8]) -> bool {
    matches!(line, b"\n" | b"\r\n")
}

/// The number of a Content-Length field.
fn content_length(line: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"content-length:";
    let (name, value) = line.split_at_checked(NAME.len())?;
    if !name.eq_ignore_ascii_case(NAME) {
        return None;
    }
    std::str::from_utf8(value.trim_ascii()).ok()?.parse().ok()
}

/// The empty line behind a mail is mbox's.
fn drop_empty_line(mail: &mut Vec<u8>) {
    for end in [&b"\n\r\n"[..], b"\n\n"] {
        if mail.ends_with(end) {
            mail.truncate(mail.len() - end.len() + 1);
            return;
        }
    }
    // A mail of nothing but that line.
    if matches!(&mail[..], b"\n" | b"\r\n") {
        mail.clear();
    }
}

/// Takes a `>` from lines that look like From_ lines.
fn unquote(mail: &mut Vec<u8>, dialect: Dialect) {
    let quoted = |depth: usize| match dialect {
        Dialect::Guess | Dialect::Mboxrd => depth > 0,
        Dialect::Mboxo => depth == 1,
        Dialect::Mboxcl2 => false,
    };
    let (mut from, mut kept) = (0, 0);
    while from < mail.len() {
        let lf = memchr::memchr(b'\n', &mail[from..]);
        let end = lf.map_or(mail.len(), |lf| from + lf + 1);
        if depth(&mail[from..end]).is_some_and(quoted) {
            from += 1;
        }
        mail.copy_within(from..end, kept);
        kept += end - from;
        from = end;
    }
    mail.truncate(kept);
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
