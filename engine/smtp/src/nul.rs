//! Lines of NULs and dots in a body: `\r\n\0.\r\n`, `\r\n.\0\r\n`. RFC 5321 §4.5.2.
//!
//! In:  runs of body octets, in order, cut anywhere.
//! Out: whether there was such a line.
//!
//! To us it ends nothing: NUL is an octet of the mail, and a mail with NULs is taken as it is. To a server behind us that
//! drops NULs it is the line with the dot alone, and what follows are commands. No mail needs such a line, so it is
//! refused, here as the bare line ends are, which are the other half of that trick.
//!
//! The plain algorithm is [`NulLines::look`], octet after octet. Nearly no mail has a NUL: a run without one is passed
//! over by one search for NUL and one, from its end, for the line it leaves open.

use memchr::{memchr, memrchr};

/// What is kept between runs.
#[derive(Clone, Copy, Debug)]
pub struct NulLines {
    line: Line,
    found: bool,
}

/// The line that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Dots so far, or nothing.
    Dots,
    /// Dots and at least one NUL.
    Nuls,
    /// Something else.
    Text,
}

impl Default for NulLines {
    fn default() -> Self {
        NulLines {
            line: Line::Dots,
            found: false,
        }
    }
}

impl NulLines {
    /// Looks at the next octets.
    pub fn feed(&mut self, run: &[u8]) {
        if self.line == Line::Nuls || memchr(0, run).is_some() {
            return self.look(run);
        }
        match memrchr(b'\n', run) {
            Some(at) => {
                self.line = Line::Dots;
                self.look(&run[at + 1..]);
            }
            None => self.look(run),
        }
    }

    /// Octet after octet, as long as it matters.
    fn look(&mut self, mut run: &[u8]) {
        while let Some((&octet, rest)) = run.split_first() {
            run = rest;
            self.line = match (octet, self.line) {
                (b'\n', line) => {
                    self.found |= line == Line::Nuls;
                    Line::Dots
                }
                (_, Line::Text) => {
                    let Some(end) = memchr(b'\n', run) else {
                        return;
                    };
                    run = &run[end..];
                    Line::Text
                }
                (0, _) => Line::Nuls,
                (b'.' | b'\r', line) => line,
                _ => Line::Text,
            };
        }
    }

    /// Whether one has ended so far.
    pub fn found(&self) -> bool {
        self.found
    }

    /// Whether there is one in the whole, which ends here.
    pub fn finish(&self) -> bool {
        self.found || self.line == Line::Nuls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pieces: &[&[u8]]) -> bool {
        let mut lines = NulLines::default();
        pieces.iter().for_each(|piece| lines.feed(piece));
        lines.finish()
    }

    /// A line of NULs and dots, of which at least one is a NUL.
    fn naive(wire: &[u8]) -> bool {
        wire.split(|&octet| octet == b'\n').any(|line| {
            line.contains(&0) && line.iter().all(|octet| matches!(octet, 0 | b'.' | b'\r'))
        })
    }

    #[test]
    fn lines() {
        let cases: &[(&[u8], bool)] = &[
            (b"", false),
            (b"a\r\n.\r\n...\r\n", false),
            (b"a\0b\r\n.c\0\r\n", false),
            (b"a\r\n\0.\r\nb", true),
            (b"a\r\n.\0\r\nb", true),
            (b"\0", true),
            (b"a\r\n\0.b\r\n", false),
            (b"a\r\n.", false),
        ];
        for (wire, expected) in cases {
            assert_eq!(
                found(&[wire]),
                *expected,
                "{:?}",
                wire.escape_ascii().to_string()
            );
        }
    }

    /// All strings of up to 6 octets of five kinds, cut at every place, against the naive reading.
    #[test]
    fn as_the_naive_reading_however_cut() {
        const KINDS: &[u8] = b"\0.\r\na";
        for length in 0..=6u32 {
            for number in 0..5usize.pow(length) {
                let digit = |place: u32| KINDS[number / 5usize.pow(place) % 5];
                let wire: Vec<u8> = (0..length).map(digit).collect();
                let expected = naive(&wire);
                for cut in 0..=wire.len() {
                    let (head, tail) = wire.split_at(cut);
                    assert_eq!(found(&[head, tail]), expected, "{wire:?} cut at {cut}");
                }
                let single: Vec<&[u8]> = wire.chunks(1).collect();
                assert_eq!(found(&single), expected, "{wire:?}");
            }
        }
    }
}
