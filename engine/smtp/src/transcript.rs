//! What was said in a session: commands and replies with their times, for whoever looks why a mail was refused.
//!
//! In:  each command line, each reply, the octets of each mail counted.
//! Out: text, a line for each; made only where somebody wants it.
//!
//! Invariants: no secret and no mail is in it: SASL responses, mails, and lines that are no command (a password that a
//! client sends after its AUTH was refused is one) are told by their length. It never holds more than its limit: the
//! beginning and the end are kept, what fell out between them is counted.
//!
//! A good session pays an append for each line and never reads it: entries stand in one `Vec`, a fixed head and the
//! octets as they came. When it is full a quarter of it falls out at once, so that moving the rest is rare.

use crate::xtext::breaks_lines;
use ringpost_types::Reply;
use ringpost_types::reply::Enhanced;
use std::fmt::{self, Write};

/// Of one command so much is kept, in octets.
const LINE_OCTETS_MAX: usize = 512;
/// The code of a SASL challenge. RFC 4954 §4.
const CHALLENGE: u16 = 334;
/// Octets of an entry's head: kind, class, length (u16), milliseconds (u32), and what the kind needs (u64).
const HEAD: usize = 16;

/// Mechanisms whose names are no secret; any other word behind AUTH may be a password. IANA, SASL mechanisms.
const MECHANISMS: &[&str] = &[
    "PLAIN",
    "LOGIN",
    "SCRAM-SHA-1",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS",
    "OAUTHBEARER",
    "XOAUTH2",
    "EXTERNAL",
    "ANONYMOUS",
    "CRAM-MD5",
    "DIGEST-MD5",
    "GSSAPI",
    "NTLM",
];

/// What an entry is; its first octet.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    /// The client's line; the head tells octets that are not shown.
    Command,
    /// Ours; the head tells codes.
    Reply,
    /// A mail's octets, counted in the head.
    Mail,
    /// Something that is no line.
    Note,
}

/// A session's lines.
#[derive(Debug)]
pub struct Transcript {
    octets: Vec<u8>,
    octets_max: usize,
    /// Octets of the beginning, which stay; 0 until something fell out.
    kept: usize,
    /// Entries that fell out behind it.
    lost: u64,
    start_ms: u64,
    now_ms: u64,
}

impl Transcript {
    /// An empty one that will hold at most `octets_max`.
    pub(crate) fn new(octets_max: u64) -> Self {
        Transcript {
            octets: Vec::new(),
            octets_max: usize::try_from(octets_max).unwrap_or(usize::MAX),
            kept: 0,
            lost: 0,
            start_ms: 0,
            now_ms: 0,
        }
    }

    /// What time it is; times are told from the first call on.
    pub(crate) fn at(&mut self, unix_ms: u64) {
        if self.now_ms == 0 {
            self.start_ms = unix_ms;
        }
        self.now_ms = unix_ms;
    }

    /// Octets of memory that it takes.
    pub(crate) fn held_octets(&self) -> usize {
        self.octets.capacity()
    }

    /// Now, in milliseconds since 1970.
    pub(crate) fn unix_ms(&self) -> u64 {
        self.now_ms
    }

    /// A command.
    pub(crate) fn command(&mut self, line: &[u8]) {
        let shown = &line[..line.len().min(LINE_OCTETS_MAX)];
        self.push(Kind::Command, 0, (line.len() - shown.len()) as u64, shown);
    }

    /// A command or SASL response of which only `shown` is.
    pub(crate) fn secret(&mut self, shown: &[u8], hidden: usize) {
        self.push(Kind::Command, 0, hidden as u64, shown);
    }

    /// AUTH: its mechanism, if that is the name of one.
    pub(crate) fn auth(&mut self, mechanism: &str, initial: Option<&str>) {
        let hidden = initial.map_or(0, str::len);
        let known = MECHANISMS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(mechanism));
        match known {
            Some(name) => {
                let mut shown = [0; 32];
                let shown = &mut shown[..5 + name.len()];
                shown[..5].copy_from_slice(b"AUTH ");
                shown[5..].copy_from_slice(name.as_bytes());
                self.secret(shown, hidden);
            }
            None => self.secret(b"AUTH", mechanism.len() + hidden),
        }
    }

    /// A reply.
    pub(crate) fn reply(&mut self, reply: &Reply) {
        let Enhanced(class, subject, detail) = reply.enhanced.unwrap_or(Enhanced(0, 0, 0));
        let codes = u64::from(reply.code) | u64::from(subject) << 16 | u64::from(detail) << 32;
        let text = reply.text.as_bytes();
        if reply.code == CHALLENGE && !text.is_empty() {
            // What a mechanism asks is between it and the client.
            let told = format!("<{} octets>", text.len());
            return self.push(Kind::Reply, class, codes, told.as_bytes());
        }
        self.push(
            Kind::Reply,
            class,
            codes,
            &text[..text.len().min(LINE_OCTETS_MAX)],
        );
    }

    /// A mail of so many octets.
    pub(crate) fn mail(&mut self, octets: u64) {
        self.push(Kind::Mail, 0, octets, b"");
    }

    /// Something that happened.
    pub(crate) fn note(&mut self, what: &str) {
        self.push(Kind::Note, 0, 0, what.as_bytes());
    }

    fn push(&mut self, kind: Kind, class: u8, more: u64, text: &[u8]) {
        let since = self.now_ms.saturating_sub(self.start_ms);
        let mut head = [0; HEAD];
        head[0] = kind as u8;
        head[1] = class;
        head[2..4].copy_from_slice(&(text.len() as u16).to_le_bytes());
        head[4..8].copy_from_slice(&u32::try_from(since).unwrap_or(u32::MAX).to_le_bytes());
        head[8..].copy_from_slice(&more.to_le_bytes());
        if self.octets.capacity() == 0 {
            // Enough for a mail: no growing from nothing for those who bring one and leave.
            self.octets.reserve(640.min(self.octets_max));
        }
        self.octets.extend_from_slice(&head);
        self.octets.extend_from_slice(text);
        if self.octets.len() > self.octets_max {
            self.shorten();
        }
    }

    /// Lets go of entries behind the beginning until a quarter of the room is free.
    fn shorten(&mut self) {
        if self.kept == 0 {
            while let Some(entry) = Entry::at(&self.octets[self.kept..]) {
                if self.kept + entry.octets() > self.octets_max / 2 {
                    break;
                }
                self.kept += entry.octets();
            }
        }
        let wanted = self.octets_max - self.octets_max / 4;
        let mut end = self.kept;
        while self.octets.len() - (end - self.kept) > wanted {
            let Some(entry) = Entry::at(&self.octets[end..]) else {
                break;
            };
            end += entry.octets();
            self.lost += 1;
        }
        self.octets.drain(self.kept..end);
    }
}

/// One entry, read where it lies.
struct Entry<'t> {
    kind: u8,
    class: u8,
    since_ms: u32,
    more: u64,
    text: &'t [u8],
}

impl<'t> Entry<'t> {
    fn at(octets: &'t [u8]) -> Option<Self> {
        let (head, rest) = octets.split_first_chunk::<HEAD>()?;
        let [kind, class, l0, l1, t0, t1, t2, t3, more @ ..] = *head;
        Some(Entry {
            kind,
            class,
            since_ms: u32::from_le_bytes([t0, t1, t2, t3]),
            more: u64::from_le_bytes(more),
            text: rest.get(..usize::from(u16::from_le_bytes([l0, l1])))?,
        })
    }

    fn octets(&self) -> usize {
        HEAD + self.text.len()
    }
}

impl fmt::Display for Transcript {
    /// `     120 C: NOOP`: milliseconds, who, what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut at = 0;
        while let Some(entry) = Entry::at(&self.octets[at..]) {
            if self.lost > 0 && at == self.kept {
                writeln!(f, "         … {} lines left out", self.lost)?;
            }
            writeln!(f, "{entry}")?;
            at += entry.octets();
        }
        Ok(())
    }
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8} ", self.since_ms)?;
        match self.kind {
            kind if kind == Kind::Reply as u8 => {
                write!(f, "S: {}", self.more as u16)?;
                if self.class != 0 {
                    let (subject, detail) = ((self.more >> 16) as u16, (self.more >> 32) as u16);
                    write!(f, " {}.{subject}.{detail}", self.class)?;
                }
                let mut lines = self.text.split(|&octet| octet == b'\n');
                f.write_str(" ")?;
                plain(lines.next().unwrap_or_default(), f)?;
                match lines.count() {
                    0 => Ok(()),
                    more => write!(f, " (and {more} lines)"),
                }
            }
            kind if kind == Kind::Mail as u8 => write!(f, "C: <mail of {} octets>", self.more),
            kind if kind == Kind::Note as u8 => plain(self.text, f),
            _ => {
                f.write_str("C: ")?;
                plain(self.text, f)?;
                let gap = if self.text.is_empty() { "" } else { " " };
                match self.more {
                    0 => Ok(()),
                    hidden => write!(f, "{gap}<{hidden} octets>"),
                }
            }
        }
    }
}

/// Text without what would end its line.
fn plain(octets: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for c in String::from_utf8_lossy(octets).chars() {
        if breaks_lines(c) {
            write!(f, "{}", c.escape_default())?;
        } else {
            f.write_char(c)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut transcript = Transcript::new(10_000);
        transcript.at(1_000);
        transcript.reply(&Reply::plain(220, "mx ESMTP"));
        transcript.at(1_007);
        transcript.command(b"EHLO a\0b\x7f \xff");
        transcript.reply(&Reply::plain(250, "mx\nSIZE 1\nDSN"));
        transcript.auth("plain", Some("AHRpbQBzZWNyZXQ="));
        transcript.auth("AHRpbQBzZWNyZXQ=", None);
        transcript.secret(b"", 16);
        transcript.note("TLS");
        transcript.at(70_000);
        transcript.mail(12);
        transcript.reply(&Reply::new(550, Enhanced(5, 7, 11), "No"));
        transcript.command("MAIL FROM:<dörte@b>\u{2028}".as_bytes());
        let expected = [
            "       0 S: 220 mx ESMTP",
            "       7 C: EHLO a\\u{0}b\\u{7f} \u{fffd}",
            "       7 S: 250 mx (and 2 lines)",
            "       7 C: AUTH PLAIN <16 octets>",
            "       7 C: AUTH <16 octets>",
            "       7 C: <16 octets>",
            "       7 TLS",
            "   69000 C: <mail of 12 octets>",
            "   69000 S: 550 5.7.11 No",
            "   69000 C: MAIL FROM:<dörte@b>\\u{2028}",
        ];
        assert_eq!(transcript.to_string().lines().collect::<Vec<_>>(), expected);
    }

    /// At the limit and one above: whole, then with a gap, and never more octets than there may be.
    #[test]
    fn beginning_and_end_are_kept() {
        let entry = HEAD + 4;
        let mut transcript = Transcript::new(16 * entry as u64);
        for number in 0..16 {
            transcript.command(format!("{number:04}").as_bytes());
        }
        assert!(!transcript.to_string().contains("left out"));
        assert_eq!(transcript.octets.len(), 16 * entry);
        transcript.command(b"0016");
        let text = transcript.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 13);
        assert!(
            lines[7].ends_with("0007") && lines[12].ends_with("0016"),
            "{text}"
        );
        assert_eq!(lines[8], "         … 5 lines left out");
        for number in 17..10_000 {
            transcript.command(format!("{number:04}").as_bytes());
            assert!(transcript.octets.len() <= 16 * entry);
        }
        let text = transcript.to_string();
        let shown = text.lines().count() as u64 - 1;
        assert_eq!(shown + transcript.lost, 10_000);
        assert!(text.ends_with("9999\n"), "{text}");
    }

    #[test]
    fn one_line_is_bounded() {
        let mut transcript = Transcript::new(100_000);
        transcript.command(&[b'x'; LINE_OCTETS_MAX]);
        transcript.command(&[b'x'; LINE_OCTETS_MAX + 1]);
        let text = transcript.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            !lines[0].contains('<') && lines[1].ends_with("x <1 octets>"),
            "{text}"
        );
        // A limit below one entry keeps nothing.
        let mut none = Transcript::new(0);
        none.command(b"NOOP");
        assert_eq!(none.to_string().lines().count(), 0);
    }
}
