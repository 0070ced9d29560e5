//! Where a command ends: lines and the literals between them. RFC 3501 §4.3, RFC 7888.
//!
//! In:  the input from a command's first octet on, longer at every call.
//! Out: [`Frame`]: the end of the command, or of a line that announces a literal.
//!
//! A command of n octets costs O(n) however it is cut: no octet of a line is looked at twice, octets of literals
//! not at all. Invariant: only CRLF ends a line. A bare LF ends the command as a bad one, so that neither a client
//! that waits for an answer hangs nor a line end is seen where another reader sees none.

use ringpost_types::limit::Limits;

/// What is known of a command that is still arriving: a few numbers, no buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The current line's first octet.
    line: usize,
    /// Octets that need no second look; beyond the input's end while a literal is arriving.
    seen: usize,
    /// Octets of all literals so far.
    literals: u64,
}

/// A literal announced at the end of a line. RFC 3501 §4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    /// Too large for a u64 is `u64::MAX`.
    pub octets: u64,
    /// `{n}`; not `{n+}`.
    pub synchronizing: bool,
}

/// One result of [`Progress::advance`]. Ends are just behind a line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    NeedMore,
    Whole { end: usize },
    Literal { end: usize, literal: Literal },
    BareLf { end: usize },
    TooLong,
}

impl Progress {
    /// Looks at what is new in `input`.
    pub(crate) fn advance(&mut self, input: &[u8], limits: &Limits) -> Frame {
        let octets_max = limits.imap_command_octets_max.saturating_add(self.literals);
        let Some(new) = input.get(self.seen..) else {
            return Frame::NeedMore;
        };
        let Some(at) = memchr::memchr(b'\n', new) else {
            self.seen = input.len();
            return match self.seen as u64 > octets_max {
                true => Frame::TooLong,
                false => Frame::NeedMore,
            };
        };
        let end = self.seen + at + 1;
        self.seen = end;
        if end as u64 > octets_max {
            return Frame::TooLong;
        }
        let Some(line) = input[self.line..end].strip_suffix(b"\r\n") else {
            return Frame::BareLf { end };
        };
        match announced(line) {
            Some(literal) => Frame::Literal { end, literal },
            None => Frame::Whole { end },
        }
    }

    /// Takes a literal into the command, after the line end that [`Frame::Literal`] told.
    pub(crate) fn expect(&mut self, octets: u64) {
        debug_assert!(octets <= u32::MAX as u64, "the limit is checked before");
        self.literals += octets;
        self.line = self.seen + octets as usize;
        self.seen = self.line;
    }

    /// Octets of literals taken in so far.
    pub(crate) fn literals(&self) -> u64 {
        self.literals
    }
}

/// literal = "{" number ["+"] "}" at the end of a line, and not in a quoted string that was left open.
fn announced(line: &[u8]) -> Option<Literal> {
    let inside = line.strip_suffix(b"}")?;
    let (inside, synchronizing) = match inside.strip_suffix(b"+") {
        Some(inside) => (inside, false),
        None => (inside, true),
    };
    let open = inside.iter().rposition(|octet| !octet.is_ascii_digit())?;
    let digits = &inside[open + 1..];
    if inside[open] != b'{' || digits.is_empty() || in_quotes(&inside[..open]) {
        return None;
    }
    let octets = digits.iter().fold(0u64, |value, digit| {
        value
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    Some(Literal {
        octets,
        synchronizing,
    })
}

/// Whether a quoted string is open at the end of `line`.
fn in_quotes(line: &[u8]) -> bool {
    let (mut open, mut escaped) = (false, false);
    for &octet in line {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if open => escaped = true,
            b'"' => open = !open,
            _ => {}
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements() {
        const CASES: &[(&str, Option<(u64, bool)>)] = &[
            ("a LOGIN {5}", Some((5, true))),
            ("a LOGIN {5+}", Some((5, false))),
            ("{0}", Some((0, true))),
            ("a X {99999999999999999999999}", Some((u64::MAX, true))),
            ("a X \"b\" {1}", Some((1, true))),
            ("a X \"b\\\"\" {1}", Some((1, true))),
            ("a X \"b {1}", None),
            ("a X \"b\\\" {1}", None),
            ("a X {}", None),
            ("a X {+}", None),
            ("a X {1-}", None),
            ("a X 1}", None),
            ("}", None),
            ("", None),
        ];
        for (line, expected) in CASES {
            let got =
                announced(line.as_bytes()).map(|literal| (literal.octets, literal.synchronizing));
            assert_eq!(got, *expected, "{line}");
        }
    }
}
